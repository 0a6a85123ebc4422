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
    rm -f "$dir"/.drover-fsync.* # of one that was killed before its file had no name
    file=$dir/.drover-fsync.$$
    trap 'rm -f "$file"' EXIT
    trap 'exit 1' HUP INT TERM PIPE
    section writes
    # The file loses its name before anything is written, so that nothing is left of it
    # even when this is killed. In a shell of its own first: one that cannot open it ends.
    if (: >"$file") 2>/dev/null; then
      exec 9<>"$file"
      rm -f "$file"
      to=/proc/$$/fd/9
      # As etcd writes its log: small ones, into a file that has its size already. dd tells
      # how long the write took, without what starting dd did.
      if dd if=/dev/zero of="$to" bs=2300 count="$writes" conv=fsync >/dev/null 2>&1; then
        i=0
        began=$(date +%s)
        while [ "$i" -lt "$writes" ]; do
          if [ $(($(date +%s) - began)) -ge "$seconds" ]; then
            section slow
            break
          fi
          dd if=/dev/zero of="$to" bs=2300 count=1 seek="$i" conv=notrunc oflag=dsync 2>&1
          i=$((i + 1))
        done
      fi
      exec 9>&-
    fi
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
