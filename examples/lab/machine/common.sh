#!/bin/sh
# What every machine of a lab has in common ($1 is its root).
set -eu
root=$1

chroot "$root" useradd --create-home --shell /bin/bash --groups sudo ops
echo 'ops ALL=(ALL) NOPASSWD: ALL' > "$root/etc/sudoers.d/ops"
chmod 0440 "$root/etc/sudoers.d/ops"
install -d -m 0700 -o 1000 -g 1000 "$root/home/ops/.ssh"
install -d -m 0700 "$root/root/.ssh"

# Each machine has host keys and an identity of its own; none come from here.
rm -f "$root"/etc/ssh/ssh_host_* "$root/etc/machine-id" "$root/var/lib/dbus/machine-id"
: > "$root/etc/machine-id"

# The journal outlives a power cycle.
mkdir -p "$root/var/log/journal"

# A container has no console to log in on, no file system to check, no kernel
# modules to load and nobody to update it in the background.
for unit in console-getty.service getty@.service systemd-modules-load.service \
    modprobe@.service e2scrub_reap.service e2scrub_all.timer fstrim.timer \
    apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer \
    sys-kernel-debug.mount sys-kernel-tracing.mount; do
  chroot "$root" systemctl mask --quiet "$unit"
done

# Where controllers live in cgroup v1 hierarchies they come up read-only inside
# a container; a kubelet has to write them.
cat > "$root/etc/systemd/system/cgroup-v1-writable.service" <<'UNIT'
[Unit]
Description=Make cgroup v1 controllers writable
DefaultDependencies=no
Before=sysinit.target
ConditionPathIsReadWrite=!/sys/fs/cgroup/cpuset
ConditionPathExists=/sys/fs/cgroup/cpuset

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -eu -c 'for c in /sys/fs/cgroup/*/; do case $c in */systemd/|*/unified/) ;; *) mount -o remount,rw,bind "$c" ;; esac; done'

[Install]
WantedBy=sysinit.target
UNIT
chroot "$root" systemctl enable --quiet cgroup-v1-writable.service
