listening() {
  while read -r _ local _ state _; do
    [ "$local $state" = "$socket 0A" ] && return 0
  done </proc/net/tcp
  return 1
}
# Several releases may come to a host at once: one begins to serve, the others wait
# for it, because who is told of a copy asks for it in the next moment.
moments='1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20'
serve() {
  if mkdir "$copies/serving" 2>/dev/null; then
    begin && : >"$copies/serving/ready" && return
    rm -rf -- "$copies/serving"
    return 1
  fi
  for i in $moments $moments $moments; do
    [ ! -e "$copies/serving/ready" ] || return 0
    [ -d "$copies/serving" ] || break
    sleep 0.1
  done
  echo "nothing listens at $at" >&2
  return 1
}
begin() {
  # What a run that was killed has left.
  systemctl stop "$prefix*.service" 2>/dev/null || :
  for old in "${copies%/*}"/*; do [ "$old" = "$copies" ] || rm -rf -- "$old"; done
  if listening; then
    echo "$at: Address already in use" >&2
    return 1
  fi
  cat >"$copies/serving/answer" <<'ANSWER'
copies=$1 nonce=$2
refuse() { printf 'HTTP/1.0 404 Not Found\r\nConnection: close\r\n\r\n'; exit; }
read -r method path _ || exit 0
while IFS= read -r line && [ "${#line}" -gt 1 ]; do :; done
name=${path##*/}
case $name in '' | *[!0-9a-f]*) refuse ;; esac
[ "$method $path" = "GET /$nonce/$name" ] && [ -f "$copies/$name" ] || refuse
printf 'HTTP/1.0 200 OK\r\nContent-Length: %s\r\nConnection: close\r\n\r\n' "$(stat -L -c %s -- "$copies/$name")"
exec cat -- "$copies/$name"
ANSWER
  cat >"$copies/serving/listen" <<'LISTEN'
copies=$1 nonce=$2 at=$3 sshd=$4
[ -z "$sshd" ] || { tail -f /dev/null -s 1 --pid="$sshd"; kill $$; } &
exec systemd-socket-activate --accept --inetd -l "$at" sh "$copies/serving/answer" "$copies" "$nonce"
LISTEN
  [ "$sshd" ] || seconds=$alone
  systemd-run --quiet --collect --unit="$unit" --property=User=nobody --property=NoNewPrivileges=yes \
    --property=TasksMax=64 --property=RuntimeMaxSec="$seconds" --property=ExecStopPost="+/bin/rm -rf $copies" --property=ExecStopPost="-+/bin/rmdir ${copies%/*}" \
    sh "$copies/serving/listen" "$copies" "$nonce" "$at" "$sshd" || return
  for i in $moments; do
    listening && return 0
    sleep 0.1
  done
  journalctl --no-pager -o cat -n 3 -u "$unit" >&2
  systemctl stop "$unit.service"
  return 1
}
if serve; then echo drover-serves; fi
