#!/bin/sh
# Turns a fresh Debian root ($1) into the image of a lab router or client.
set -eu
root=$1

chroot "$root" systemctl disable --quiet puppet.service
# Only a router turns FRR on; a client is the same image without it.
chroot "$root" systemctl disable --quiet frr.service
sed -i 's/^bgpd=no/bgpd=yes/; s/^bfdd=no/bfdd=yes/' "$root/etc/frr/daemons"
# imish's `write` saves one file, as a BIG-IP does.
echo 'service integrated-vtysh-config' > "$root/etc/frr/vtysh.conf"

# Packages come from the lab's own repository; elsewhere there is no way to.
rm -f "$root"/etc/apt/sources.list.d/*
