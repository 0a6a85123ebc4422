# What a host is, in sections. Reads only; each section's name is on the line that
# begins it.
now() { date +%s.%N; }
section() { echo "$marker$1"; }

section begin; now

section os; cat /etc/os-release 2>/dev/null

section machine
echo "kernel=$(uname -r)"
echo "arch=$(uname -m)"
echo "hostname=$(uname -n)"
echo "cpus=$(nproc)"
while read -r k v _; do case $k in
MemTotal:) echo "memory-kib=$v" ;;
SwapTotal:) echo "swap-kib=$v" ;;
esac; done </proc/meminfo
first /etc/machine-id; echo "machine-id=$line"
first /sys/class/dmi/id/product_uuid 2>/dev/null; echo "product-uuid=$line"
first /proc/sys/net/netfilter/nf_conntrack_max; echo "conntrack-max=$line"
first /proc/sys/kernel/random/boot_id; echo "boot-id=$line"
for f in /usr/bin/puppet /opt/puppetlabs/bin/puppet; do if [ -e "$f" ]; then echo "puppet=$f"; break; fi; done
echo "login=${SUDO_USER:-$(id -un)}"
echo "sudo=${SUDO_USER:+yes}"

if command -v ip >/dev/null 2>&1; then
  section links; ip -o link show
  section addresses; ip -o addr show
  section routes; ip -4 route show table main
  section networkend
fi

section resolv; cat /etc/resolv.conf 2>/dev/null

# All at once: each may take its time to fail.
section resolves
for n in $names; do
  { if timeout 5 getent ahostsv4 "$n" >/dev/null 2>&1; then echo "$n=yes"; else echo "$n=no"; fi; } &
done
wait

section listeners; listeners

section disks
for p in / /var /opt /var/lib/etcd /var/lib/kubelet /var/lib/containerd; do
  d=$p # or what it will be made in
  while [ ! -e "$d" ]; do d=${d%/*}; d=${d:-/}; done
  df -k --output=source,fstype,size,avail,itotal,iavail,target "$d" 2>/dev/null | while read -r l; do
    case $l in Filesystem*) ;; *) echo "$p $l" ;; esac
  done
done

section readonly
for p in /etc /etc/systemd/system /opt /var/lib /var/log /run; do
  if [ -d "$p" ] && [ ! -w "$p" ]; then echo "$p"; fi
done

section commands
for c in $commands; do if command -v "$c" >/dev/null 2>&1; then echo "$c"; fi; done

section features
# A module is there when it is loaded, built in, or lies about to be loaded. Where
# none of that can be seen, as in a container, it is not known.
modules=/lib/modules/$(uname -r)
module() {
  if [ -d "/sys/module/$1" ]; then echo "$1=yes"; return; fi
  if [ ! -r "$modules/modules.dep" ] || [ ! -r "$modules/modules.builtin" ]; then echo "$1=$2"; return; fi
  while IFS= read -r l; do case $l in */"$1".ko | */"$1".ko:* | */"$1".ko.*) echo "$1=yes"; return ;; esac; done <"$modules/modules.builtin"
  while IFS= read -r l; do case ${l%%:*} in */"$1".ko | */"$1".ko.*) echo "$1=yes"; return ;; esac; done <"$modules/modules.dep"
  echo "$1=no"
}
overlay=
while read -r a b; do case "$a $b" in 'nodev overlay') overlay=yes ;; esac; done </proc/filesystems
if [ -n "$overlay" ]; then echo overlay=yes; else module overlay no; fi
if [ -e /proc/sys/net/netfilter/nf_conntrack_max ]; then echo nf_conntrack=yes; else module nf_conntrack unknown; fi
module nf_tables unknown
if [ -w /proc/sys/net/ipv4/ip_forward ]; then echo ip_forward=yes; else echo ip_forward=no; fi

section cgroup; stat -fc %T /sys/fs/cgroup 2>/dev/null

ours() {
  [ -e "/var/lib/drover/started/$1.drover" ] && return 0
  first "/etc/systemd/system/$1"
  case $line in '# Written by drover'*) return 0 ;; esac
  return 1
}
section ours
for u in $units; do if ours "$u"; then echo "$u"; fi; done

section units
# shellcheck disable=SC2086
systemctl show --property=Id,LoadState,ActiveState,UnitFileState,FragmentPath -- $units

section left
for f in /etc/kubernetes/*; do [ -e "$f" ] && echo "kubernetes ${f##*/}"; done
for f in /etc/cni/net.d/*.conf /etc/cni/net.d/*.conflist /etc/cni/net.d/*.json; do [ -e "$f" ] && echo "cni ${f##*/}"; done
[ -e /var/lib/etcd/member ] && echo etcd

section drove
note=/var/lib/drover/cluster.drover
if [ -e "$note" ]; then
  echo member
  while read -r l; do case $l in cluster=*) echo "$l" ;; esac; done <"$note"
fi
if ours etcd.service || [ -e /etc/drover/etcd-join.env ]; then echo etcd; fi
for f in /var/lib/drover /etc/drover /opt/drover/*/*/record.drover /etc/sysctl.d/99-zz-drover.conf /etc/modules-load.d/drover.conf /etc/kubernetes/pki/bundle.drover; do
  if [ -e "$f" ]; then echo began; break; fi
done

section authorities
for f in $authorities; do if [ -e "$note" ] && [ -r "$f" ]; then cat "$f"; fi; done

section finish; now
section end
exit 0
