export LC_ALL=C
PATH=$PATH:/usr/sbin:/sbin
note=/var/lib/drover/cluster.drover
started=/var/lib/drover/started

# ours UNIT: drover wrote it, or noted that it started it.
ours() { grep -qs '^# Written by drover' "/etc/systemd/system/$1" || [ -e "$started/$1.drover" ]; }

# Judged once: the evidence goes before the script ends.
mine=
for u in $units; do if ours "$u"; then mine="$mine $u"; fi; done
has() { case " $mine " in *" $1 "*) return 0 ;; esac; return 1; }

# whose: something here can only be drover's, so what has other names may be too.
whose() {
  [ -n "$mine" ] || [ -e "$note" ] || [ -e "$started" ] || [ -n "$(components)" ] ||
    [ -e /etc/sysctl.d/99-zz-drover.conf ] || [ -e /etc/drover/etcd-join.env ]
}

there() { for p; do if [ -e "$p" ] || [ -L "$p" ]; then echo "$p"; fi; done; }

# data: what our programs made while they ran, by the names they give it.
data() {
  if has kubelet.service; then
    there /etc/kubernetes/kubelet.conf /etc/kubernetes/bootstrap-kubelet.conf \
      /var/lib/kubelet/*_state /var/lib/kubelet/checkpoints /var/lib/kubelet/device-plugins \
      /var/lib/kubelet/image_manager /var/lib/kubelet/pki /var/lib/kubelet/plugins \
      /var/lib/kubelet/plugins_registry /var/lib/kubelet/pod-resources /var/lib/kubelet/pods \
      /var/lib/kubelet/pods-api /var/log/containers /var/log/pods \
      /etc/cni/net.d/10-calico.conflist /etc/cni/net.d/calico-kubeconfig \
      /opt/cni/bin/bandwidth /opt/cni/bin/calico /opt/cni/bin/calico-ipam /opt/cni/bin/host-local \
      /opt/cni/bin/loopback /opt/cni/bin/portmap /opt/cni/bin/tuning \
      /var/lib/calico /var/log/calico /run/calico \
      /var/lib/cni/networks/k8s-pod-network /var/lib/cni/results/k8s-pod-network-* /var/lib/cni/results/cni-loopback-*
  fi
  if has containerd.service; then
    there /var/lib/containerd/io.containerd.* /var/lib/containerd/tmpmounts /run/netns/cni-* \
      /run/containerd/io.containerd.* /run/nri/nri.sock /run/containerd/containerd.sock* /run/containerd/runc /run/containerd/s /run/containerd/fifo
  fi
  if has etcd.service || [ -e /etc/drover/etcd-join.env ]; then there /var/lib/etcd/member /var/lib/drover/etcd-snapshots; fi
  if has kube-apiserver.service; then there /var/log/kubernetes/audit; fi
}

mounts() {
  while read -r _ at _; do
    case $at in
    /var/lib/kubelet/pods/* | /var/lib/kubelet/plugins/* | /run/calico/*) if has kubelet.service; then echo "$at"; fi ;;
    /run/containerd/* | /var/lib/containerd/tmpmounts/* | /run/netns/cni-*) if has containerd.service; then echo "$at"; fi ;;
    esac
  done </proc/self/mounts | sort -r
}

shims() { find /proc -mindepth 2 -maxdepth 2 -name exe -lname '/opt/drover/containerd/*/containerd-shim*' 2>/dev/null | cut -d/ -f3; }

# processes: shims, and what they run. Containers outlive their shims.
processes() {
  if has kubelet.service || has containerd.service; then
    shims
    if ! grep -qs kubepods /proc/self/cgroup; then # else this host is a pod itself
      grep -ls kubepods /proc/[0-9]*/cgroup | cut -d/ -f3
    fi
  fi
}

# chains SAVE: what iptables-restore --noflush takes to be rid of Calico's and
# the kubelet's chains and of the rules that lead there.
chains() {
  chains=
  while read -r line; do
    case $line in
    \**) echo "$line"; chains= ;;
    :cali-* | :KUBE-IPTABLES-HINT\ * | :KUBE-KUBELET-CANARY\ * | :KUBE-FIREWALL\ *)
      line=${line#:}; line=${line%% *}
      chains="$chains $line"
      echo ":$line - [0:0]" ;; # which empties it
    "-A cali-"* | "-A KUBE-FIREWALL "*) ;;
    -A\ *cali:* | -A\ *"-j KUBE-FIREWALL"*) echo "-D ${line#-A }" ;;
    COMMIT) for c in $chains; do echo "-X $c"; done; echo "$line" ;;
    esac
  done
}

# network: links, routes, tables and sets, one a line as the command that shows it.
network() {
  if ! has kubelet.service && ! has kube-proxy.service; then return; fi
  there /sys/class/net/cali* | sed 's|.*/|link |'
  for c in $cidrs; do ip route show proto bird root "$c" 2>/dev/null | sed "s|^|route |"; done
  for t in 'ip kube-proxy' 'ip6 kube-proxy' 'ip calico' 'ip6 calico'; do
    # shellcheck disable=SC2086
    if nft list table $t >/dev/null 2>&1; then echo "table $t"; fi
  done
  for x in iptables ip6tables; do
    n=$($x-save 2>/dev/null | grep -cE '^:(cali-|KUBE-(IPTABLES-HINT|KUBELET-CANARY|FIREWALL) )')
    if [ "${n:-0}" -gt 0 ]; then echo "chains $x $n"; fi
  done
  ipset list -n 2>/dev/null | grep '^cali' | sed 's/^/set /'
}

components() { for r in /opt/drover/*/*/record.drover; do if [ -e "$r" ]; then r=${r#/opt/drover/}; echo "${r%%/*}"; fi; done | sort -u; }

traces() {
  for u in $mine; do echo "unit $u"; done
  # shellcheck disable=SC2086
  if whose; then there $files | sed 's/^/file /'; fi
  components | sed 's/^/component /'
  data | sed 's/^/data /'
  mounts | sed 's/^/mount /'
  network | sed 's/^/network /'
  there "$note" "$started" | sed 's/^/note /'
  there "${note%/*}/lock" "${note%/*}/epoch" "${note%/*}/history" | sed 's/^/lock /'
  shims | sed 's/^/container /'
}

fail() { echo "$1" >&2; failed=1; }

stop() {
  # shellcheck disable=SC2086
  if [ -n "$mine" ]; then
    systemctl disable --quiet $mine 2>/dev/null
    systemctl stop $mine 2>/dev/null
    for u in $mine; do
      if systemctl is-active --quiet "$u"; then fail "$u does not stop"; fi
    done
  fi
  tries=0
  while p=$(processes) && [ -n "$p" ]; do
    if [ $((tries += 1)) -gt 100 ]; then fail "processes of containers that do not end: $(echo $p)"; break; fi
    # shellcheck disable=SC2086
    kill -9 $p 2>/dev/null
    sleep 0.1
  done
  mounts | while read -r at; do umount "$at" 2>/dev/null || umount -l "$at"; done
}

unnetwork() {
  network | while read -r kind what; do
    case $kind in
    link) ip link delete "$what" ;;
    # shellcheck disable=SC2086
    table) nft delete table $what ;;
    chains) ${what%% *}-save | chains | ${what%% *}-restore --noflush ;;
    esac
  done
  for c in $cidrs; do ip route flush proto bird root "$c" 2>/dev/null; done
  ipset list -n 2>/dev/null | grep '^cali' | while read -r s; do ipset destroy "$s"; done
}

wipe() {
  failed=
  if ! whose; then return 0; fi
  stop
  if [ -n "$failed" ]; then return 1; fi
  if has kubelet.service || has kube-proxy.service; then unnetwork; fi
  data | while read -r p; do rm -rf --one-file-system -- "$p"; done
  left=$(data; mounts; network; processes)
  if [ -n "$left" ]; then fail "could not be removed: $(echo $left)"; return 1; fi

  # Nothing that needs the evidence is left.
  for c in $(components); do
    for r in "/opt/drover/$c"/*/record.drover; do rm -rf -- "${r%/*}"; done
    rm -rf -- "/opt/drover/$c/current" "/opt/drover/$c/.current" "/opt/drover/$c/.partial" "/opt/drover/$c/.record"
    rmdir "/opt/drover/$c" 2>/dev/null
  done
  # shellcheck disable=SC2086
  rm -f -- $files
  for u in $mine; do rm -f -- "/etc/systemd/system/$u"; done
  systemctl daemon-reload
  # shellcheck disable=SC2086
  systemctl reset-failed $mine 2>/dev/null
  for u in $mine; do rm -f -- "$started/$u.drover"; done
  # shellcheck disable=SC2086
  rmdir -- $dirs 2>/dev/null
  rmdir "$started" 2>/dev/null
  # The last thing to go: until then the host says whose it is.
  rm -f -- "$note"
  rmdir "${note%/*}" 2>/dev/null
  return 0
}
