PATH=$PATH:/opt/puppetlabs/bin
refused() { echo "$1" >&2; exit 1; }
hold() {
  if [ -e "$disabled" ]; then
    first "$disabled"
    case $line in
    *:"\"drover run $run:"*) ;;
    *':"drover run '[0-9a-f]*) # a quotation mark within a reason has a backslash before it
      # Of a run that has ended, or that may change nothing any more: this one holds the
      # fleet's lock.
      old=${line#*\"drover run }; old=${old%%:*}
      case $old in *[!0-9a-f]*) return ;; esac
      systemctl stop "$unit$old.timer" >/dev/null 2>&1
      rm -f -- "$disabled" ;;
    *) return ;;
    esac
  fi
  # The note first: by it the next run knows what this one may have done here.
  (umask 022; mkdir -p -- "${note%/*}" && printf 'run=%s\nsince=%s\nlock=%s\n' "$run" "$since" "$disabled" >"$note.new" && mv -f -- "$note.new" "$note") ||
    refused "$note cannot be written"
  # And then who undoes it should neither this run nor another one come to that.
  systemctl stop "$unit$run.timer" >/dev/null 2>&1
  systemd-run --quiet --collect --unit="$unit$run" --on-active="$seconds" --timer-property=AccuracySec=1s \
    /bin/sh -c "$release" drover-puppet-release "$disabled" "$run" "$note" || word untimed
  if [ ! -e "$disabled" ]; then
    timeout 60 "$puppet" agent --disable "$message" </dev/null >/dev/null || refused "puppet agent --disable failed"
    # Whoever gave this up may have released the agent before it was disabled.
    first "$note"
    if [ "$line" != "run=$run" ]; then
      first "$disabled"
      case $line in *:"\"drover run $run:"*) rm -f -- "$disabled" ;; esac
      refused "it was released meanwhile"
    fi
  fi
}
echo; echo "$marker"
hold
state
echo end
