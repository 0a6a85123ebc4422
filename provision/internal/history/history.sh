: drover-history; set -u; umask 077
verb=$1 dir=$2 keep=$3 line=$4
runs=$dir/runs.jsonl
case $verb in
show)
	echo '@@drover-history@@ begin'
	if [ -f "$runs" ]; then cat "$runs" || exit 74; fi
	echo '@@drover-history@@ end' ;;
append)
	[ -d "$dir" ] || { (umask 022; mkdir -p -- "${dir%/*}") && mkdir -p -- "$dir"; } || exit 74
	rm -f -- "$dir"/.runs.* # of runs that were killed
	tmp=$(mktemp -- "$dir/.runs.XXXXXXXXXX") || exit 74
	trap 'rm -f -- "$tmp"' EXIT
	trap 'exit 74' HUP INT TERM PIPE
	# A last line that was torn off must not become one with ours.
	{ [ ! -f "$runs" ] || tail -n "$((keep - 1))" -- "$runs"; } >"$tmp" && { [ -z "$(tail -c 1 -- "$tmp")" ] || echo >>"$tmp"; } && printf '%s\n' "$line" >>"$tmp" && sync -- "$tmp" || exit 74
	mv -fT -- "$tmp" "$runs" || exit 74 ;;
esac
exit 0
