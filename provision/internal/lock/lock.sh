: drover-lock; set -u; umask 077
export LC_ALL=C
verb=$1 dir=$2 epoch=$3 run=$4 ttl=$5 over=$6 claim=$7 proc=$8
mine=$dir/$epoch.drover
read -r up _ <"$proc/uptime"; up=${up%.*}
boot=$(cat "$proc/sys/kernel/random/boot_id")

# load FILE: whose claim it is, and for how many seconds more it is good. One of
# before the host was started may have been renewed at the last moment, and not have
# come to the disk.
load() {
	[ -f "$1" ] || return 1
	c_run='' c_ttl=0 c_boot='' c_granted=0 c_until=0 c_released=''
	while IFS='=' read -r k v; do
		case $k in
		run) c_run=$v ;;
		boot) c_boot=$v ;;
		released) c_released=1 ;;
		ttl | granted | until)
			case $v in '' | *[!0-9]*) v=0 ;; esac
			case $k in ttl) c_ttl=$v ;; granted) c_granted=$v ;; until) c_until=$v ;; esac ;;
		esac
	done <<EOF
$(cat "$1" 2>/dev/null)
EOF
	left=0 age=0
	[ "$c_run" ] || c_ttl=$ttl
	if [ "$c_boot" = "$boot" ]; then left=$((c_until - up)) age=$((up - c_granted)); else left=$((c_ttl - up)); fi
	if [ "$left" -lt 0 ] || [ "$c_released" ]; then left=0; fi
}

# tell VERDICT: all claims that are here, and what became of the call.
tell() {
	echo "@@drover-lock@@ begin"
	for f in "$dir"/*.drover; do
		e=${f##*/}
		load "$f" || continue
		echo "@@drover-lock@@ claim ${e%.drover} $left $age"
		cat "$f" 2>/dev/null
		echo
	done
	echo "@@drover-lock@@ end $1"
}

# rival: somebody else's claim stands in the way, a later one, or one that is good.
rival() {
	verdict=
	for f in "$dir"/*.drover; do
		e=${f##*/} e=${e%.drover}
		case $e in '' | *[!0-9]*) continue ;; esac
		if [ "$e" -gt "$epoch" ]; then verdict=outrun; return 0; fi
		[ "$e" -lt "$epoch" ] && load "$f" || continue
		if [ "$left" -gt 0 ] && [ "$over" != all ] && [ "$over" != "${c_run:-?}" ]; then verdict=busy; fi
	done
	[ "$verdict" ]
}

# draft TEXT: a file with it that has no name of its own yet.
draft() {
	tmp=$(mktemp -- "$dir/.draft.XXXXXXXXXX") || exit 74
	trap 'rm -f -- "$tmp"' EXIT
	trap 'exit 74' HUP INT TERM PIPE
	printf '%s\n' "$1" >"$tmp" || exit 74
}

lease() { printf '%s\nttl=%s\nboot=%s\ngranted=%s\nuntil=%s' "$claim" "$ttl" "$boot" "$1" $((up + ttl + 1)); }

# take: who makes its claim first is seen by who comes second, whose look comes
# after: at most one of two finds nobody. A link is made whole, and once.
take() {
	[ -d "$dir" ] || { (umask 022; mkdir -p -- "${dir%/*}") && mkdir -p -- "$dir"; } || exit 74
	if rival; then tell "$verdict"; return; fi
	draft "$(lease "$up")"
	sync -- "$tmp" || exit 74
	tries=0
	until ln -- "$tmp" "$mine" 2>/dev/null; do
		if load "$mine"; then
			if [ "$left" -le 0 ]; then tell outrun; elif [ "$c_run" != "$run" ]; then tell busy; else rm -f -- "$tmp"; renew; fi
			return
		fi
		# No link, and nobody else's: it was withdrawn just now, or it is the disk's fault.
		if [ $((tries += 1)) -ge 3 ]; then ln -- "$tmp" "$mine" && break; exit 74; fi
	done
	if rival; then rm -f -- "$mine"; tell "$verdict"; return; fi
	for f in "$dir"/*.drover; do
		e=${f##*/}
		e=${e%.drover}
		# What is no epoch is nobody's; a later one came just now, and we are outrun.
		case $e in '' | *[!0-9]*) ;; *) [ "$e" -lt "$epoch" ] || continue ;; esac
		rm -f -- "$f"
	done
	tell granted
}

ours() { load "$mine" && [ "$c_run" = "$run" ] && [ ! "$c_released" ]; }

later() { rival || :; [ "$verdict" = outrun ]; }

renew() {
	if ! ours; then tell gone; return; fi
	if later; then tell outrun; return; fi
	load "$mine"
	[ "$c_boot" = "$boot" ] || c_granted=$up
	# Not flushed: a disk that is busy for a minute would cost the lock. A host that loses
	# its power at this moment may not know this claim any more, but still its epoch.
	draft "$(lease "$c_granted")"
	mv -fT -- "$tmp" "$mine" || exit 74
	if later; then rm -f -- "$mine"; tell outrun; return; fi
	tell granted
}

give_back() {
	ours || return 0
	draft "$claim
released=1"
	mv -fT -- "$tmp" "$mine" || exit 74
}

case $verb in
show) tell shown ;;
take) take ;;
renew) renew ;;
# The epoch stays: what was here before it went when it came, and hosts refuse whoever
# has a lower one than they know.
withdraw) give_back; tell withdrawn ;;
release)
	if ours; then rm -f -- "$dir"/.draft.*; fi # of runs that were killed: nobody else has any while we hold it
	give_back
	tell released ;;
esac
exit 0
