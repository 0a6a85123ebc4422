: drover-etcd-snapshot; set -u; umask 077
export LC_ALL=C
dir=$1 name=$2 keep=$3 bin=$4 pki=$5 db=$6 endpoint=$7
die() { echo "$*" >&2; exit 1; }
ctl() {
	env -i PATH="$PATH" "$bin/etcdctl" --endpoints="$endpoint" --cacert="$pki/ca.crt" --cert="$pki/healthcheck-client.crt" --key="$pki/healthcheck-client.key" "$@"
}
# revision: the one in a line of JSON.
revision() { sed -n 's/.*"revision":\([0-9][0-9]*\).*/\1/p'; }

[ -d "$dir" ] || { (umask 022; mkdir -p -- "${dir%/*}") && mkdir -p -- "$dir"; } || exit 74
rm -f -- "$dir"/.etcd-* # of runs that were killed
tmp=$dir/.$name
trap 'rm -f -- "$dir"/.etcd-*' EXIT
trap 'exit 74' HUP INT TERM PIPE

# Whoever is cut off from the others still hands out what it knows, which may be old.
# After it has read through the quorum it knows all that was confirmed before.
said=$(ctl --command-timeout=10s endpoint health 2>&1) || die "its etcd is not part of a quorum: $said"
said=$(ctl --command-timeout=10s endpoint status -w json) || die "its etcd does not tell its revision"
least=$(printf '%s\n' "$said" | revision)
[ -n "$least" ] || die "its etcd does not tell its revision"

# A full disk would stop etcd itself.
size=$(stat -c %s -- "$db") || exit 74
avail=$(df --output=avail -k -- "$dir" | tail -n 1) || exit 74
need=$((size / 1024 * 2 + 65536))
[ "$avail" -ge "$need" ] || die "there are $((avail)) KiB left for $dir, and a snapshot that leaves etcd some takes $need KiB: make room"

said=$(ctl snapshot save "$tmp" 2>&1) || die "etcdctl could not save it: $said"
size=$(stat -c %s -- "$tmp") || exit 74
# The last 32 bytes are a digest of the others.
[ $((size % 512)) -eq 32 ] || die "what etcd sent is no whole snapshot: $size bytes"
want=$(tail -c 32 -- "$tmp" | od -An -v -tx1 | tr -d ' \n')
have=$(head -c $((size - 32)) -- "$tmp" | sha256sum)
[ "${have%% *}" = "$want" ] || die "what etcd sent is not what its digest says"
status=$("$bin/etcdutl" snapshot status "$tmp" -w json) || die "what etcd sent is no snapshot"
have=$(printf '%s\n' "$status" | revision)
[ "${have:-0}" -ge "$least" ] || die "the snapshot is of revision ${have:-0}, and etcd was at $least before"
sum=$(sha256sum -- "$tmp") || exit 74
sync -- "$tmp" || exit 74
mv -T -- "$tmp" "$dir/$name" || exit 74
# Names tell the time of whoever asked, whose clock may be behind: this one stays whatever it is called.
ls -1 -- "$dir" | grep '^etcd-.*\.db$' | grep -vxF -e "$name" | sort | head -n "-$((keep - 1))" | while read -r old; do rm -f -- "$dir/$old"; done

echo "@@drover-snapshot@@ status $status"
echo "@@drover-snapshot@@ file $size ${sum%% *}"
echo "@@drover-snapshot@@ end"
