: drover-puppet-release; disabled=$1 run=$2 note=$3
first() { line=; [ ! -r "$1" ] || IFS= read -r line <"$1" || :; }
first "$disabled"
case $line in *:"\"drover run $run:"*) rm -f -- "$disabled" || exit ;; esac
first "$note"
if [ "$line" = "run=$run" ]; then rm -f -- "$note" || exit; fi
systemctl stop "drover-puppet-$run.timer" >/dev/null 2>&1
rmdir -- "${note%/*}" 2>/dev/null
exit 0
