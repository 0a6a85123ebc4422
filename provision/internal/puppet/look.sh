fail() { echo "$1" >&2; exit 1; }
PATH=$PATH:/opt/puppetlabs/bin
echo; echo "$marker"
if [ -z "$lock" ]; then
  # It starts a Ruby, which takes a second and more: only who is to be changed is asked.
  settings=$(timeout 60 "$puppet" config print --section agent certname client_datadir resourcefile agent_catalog_run_lockfile agent_disabled_lockfile </dev/null) ||
    fail "puppet config print does not say where Puppet keeps its state"
  while IFS= read -r line; do
    word setting "$line"
    case $line in
    'certname = '*) certname=${line#* = } ;;
    'client_datadir = '*) data=${line#* = } ;;
    'resourcefile = '*) resources=${line#* = } ;;
    'agent_catalog_run_lockfile = '*) lock=${line#* = } ;;
    'agent_disabled_lockfile = '*) disabled=${line#* = } ;;
    esac
  done <<EOF
$settings
EOF
fi
state
# What the agent has last made of the host, as text of one line.
send() {
  if command -v gzip >/dev/null 2>&1; then word "$1" "gzip $(stat -c %Y "$2") $(gzip -c <"$2" | base64 -w 0)"
  else word "$1" "plain $(stat -c %Y "$2") $(base64 -w 0 <"$2")"; fi
}
if [ -n "$managed" ]; then
  catalog=$data/catalog/$certname.json
  if [ -e "$catalog" ]; then
    size=$(wc -c <"$catalog") || fail "$catalog cannot be read"
    if [ "$size" -le "$most" ]; then send catalog "$catalog"; else word large "$size $catalog"; fi
  fi
  if [ -r "$resources" ] && [ "$(wc -c <"$resources")" -le "$most" ]; then send resources "$resources"; fi
fi
echo end
