drover() {
# What a look that was killed has left.
systemctl stop "$prefix*.service" 2>/dev/null
set --
for a in $addresses; do set -- "$@" -l "$a"; done
systemd-run --quiet --collect --unit="$unit" --property=RuntimeMaxSec="$seconds" systemd-socket-activate "$@" sleep "$seconds" || return
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
  have=0
  while read -r _ local _ state _; do
    [ "$state" = 0A ] || continue # listening
    case " $sockets " in *" $local "*) have=$((have + 1)) ;; esac
  done </proc/net/tcp
  [ "$have" -ge "$wanted" ] && return 0
  sleep 0.1
done
journalctl --no-pager -o cat -n 3 -u "$unit" >&2
systemctl stop "$unit.service"
return 1
}
drover
