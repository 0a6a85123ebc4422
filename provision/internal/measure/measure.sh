section() { echo "$marker$1"; }

section before; head -n 1 /proc/stat

# Whoever runs an etcd here, its commits would wait for these writes.
live() {
  for c in /proc/[0-9]*/comm; do
    name=
    { IFS= read -r name <"$c"; } 2>/dev/null
    if [ "$name" = etcd ]; then return 0; fi
  done
  return 1
}
if [ -n "$writes" ]; then
  if [ -z "$anyway" ] && live; then
    section live
  else
    dir=$data # or what it will be made in
    while [ ! -d "$dir" ]; do dir=${dir%/*}; dir=${dir:-/}; done
    file=$dir/.drover-fsync.$$
    trap 'rm -f "$file"' EXIT
    trap 'exit 1' HUP INT TERM PIPE
    section writes
    # As etcd writes its log: small ones, into a file that has its size already. dd tells
    # how long the write took, without what starting dd did.
    if dd if=/dev/zero of="$file" bs=2300 count="$writes" conv=fsync >/dev/null 2>&1; then
      i=0
      while [ "$i" -lt "$writes" ]; do
        dd if=/dev/zero of="$file" bs=2300 count=1 seek="$i" conv=notrunc oflag=dsync 2>&1
        i=$((i + 1))
      done
    fi
    rm -f "$file"
  fi
fi

if [ -n "$peers" ] && ! command -v ping >/dev/null 2>&1; then
  section noping
else
  for p in $peers; do
    section "ping $p"
    ping -n -c "$pings" -i 0.05 -W 2 "$p" 2>/dev/null
  done
fi

sleep 1
section after; head -n 1 /proc/stat
section end
exit 0
