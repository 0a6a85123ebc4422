# Who listens for TCP connections, as lines that ParseListeners reads.
first() { line=; [ -r "$1" ] && IFS= read -r line <"$1"; } # its first line, without a fork
listeners() {
  held=' '
  for f in /proc/net/tcp /proc/net/tcp6; do
    [ -r "$f" ] || continue
    while read -r _ local _ state _ _ _ _ _ inode _; do
      [ "$state" = 0A ] || continue # listening
      echo "socket $inode $local"
      held="$held$inode "
    done <"$f"
  done
  # Who holds them. A program ends between two looks now and then: no matter.
  find /proc/[0-9]*/fd -maxdepth 1 -lname 'socket:*' -printf '%h %l\n' 2>/dev/null | while read -r fd socket; do
    inode=${socket#*\[}; inode=${inode%\]}
    case $held in *" $inode "*) ;; *) continue ;; esac
    p=${fd%/fd}
    group= pod=
    while IFS= read -r l; do
      case $l in *:name=systemd:*) group=${l##*:} ;; 0::*) [ -n "$group" ] || group=${l#0::} ;; esac
      case $l in *kubepods*) pod=yes ;; esac
    done 2>/dev/null <"$p/cgroup"
    first "$p/comm" 2>/dev/null
    printf 'holder %s %s %s %s\t%s\t%s\n' "$inode" "${p#/proc/}" "${group:-/}" "${pod:-no}" "$(readlink "$p/exe" 2>/dev/null)" "$line"
  done
}
