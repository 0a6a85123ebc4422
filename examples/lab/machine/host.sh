#!/bin/sh
# Turns a fresh Debian root ($1) into the image of a lab host.
set -eu
root=$1

# Puppet's agent is installed and idle: nothing runs it but the lab's user.
chroot "$root" systemctl disable --quiet puppet.service
# It has the directories that it makes when it is first called, as on any machine that
# Puppet manages.
chroot "$root" puppet agent --disable 'an image is made'
chroot "$root" puppet agent --enable
# A host's own HAProxy is not drover's: the package is there, the service is not.
chroot "$root" systemctl disable --quiet haproxy.service

# What the mirror's apt repository will serve, with all it depends on.
mkdir -p "$root/lab-apt"
chroot "$root" sh -eu -c '
  cd /lab-apt
  packages=$(apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts \
    --no-breaks --no-replaces --no-enhances "$@" | grep "^[a-z0-9]" | sort -u)
  apt-get download --quiet $packages
  apt-cache show --no-all-versions $packages > stanzas
' sh $(grep -v '^#' "$root/lab-apt.packages")

# From here on packages come from the lab's own repository; elsewhere there is
# no way to.
rm -f "$root"/etc/apt/sources.list.d/*
