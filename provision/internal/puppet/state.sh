# What Puppet's agent does on this host. Reads only. $lock and $disabled are its files.
first() { line=; [ ! -r "$1" ] || IFS= read -r line <"$1" || :; } # its first line, without a fork
word() { printf '%s %s\n' "$1" "$2"; }

# alive PID: a process of Puppet's has that ID; started is when that began. Puppet itself
# takes a lock for stale by the same signs.
alive() {
  first "/proc/$1/stat"
  # shellcheck disable=SC2086
  set -- "$1" ${line##*) }
  case ${2:-X} in X | Z) return 1 ;; esac
  shift 20
  started=${1:-}
  return 0
}
puppets() {
  first "/proc/$1/comm"
  case $line in puppet*) return 0 ;; ruby*) ;; *) return 1 ;; esac
  case $(tr '\0' ' ' 2>/dev/null <"/proc/$1/cmdline") in *puppet*) return 0 ;; esac
  return 1
}

state() {
  first /proc/sys/kernel/random/boot_id; word boot "$line"
  word space "$(readlink /proc/self/ns/pid)"
  first "$lock"; pid=$line
  case $pid in
  '' | *[!0-9]*) ;;
  *) if puppets "$pid" && alive "$pid"; then word running "$pid $started"; fi ;;
  esac
  if [ -e "$disabled" ]; then first "$disabled"; word disabled "$line"; fi
}
