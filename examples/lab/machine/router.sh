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

# A BIG-IP forwards by connections: where the first packet of one went, the others go,
# whatever becomes of the routes. Of the hosts of a /24 that the router is in, each has a
# mark, and a table whose way leads there.
cat > "$root/usr/local/sbin/connections" <<'EOF'
#!/bin/sh
set -eu
address=$(ip -4 -o address show dev eth0 | sed -n 's|.* inet \([0-9.]*\)/.*|\1|p')
net=${address%.*}
hosts=$(seq 254 | grep -vx "${address##*.}")
for n in $hosts; do
	echo "rule add fwmark $n table $((1000 + n))"
	echo "route add default via $net.$n dev eth0 onlink table $((1000 + n))"
done | ip -batch -
nft -f - <<RULES
table ip connections {
	map hosts { type ipv4_addr : mark; elements = { $(for n in $hosts; do printf '%s.%s : %s, ' "$net" "$n" "$n"; done) } }
	chain first { type filter hook forward priority mangle; oifname "eth0" ct state new ct mark set rt ip nexthop map @hosts; }
	chain others { type filter hook prerouting priority mangle; ct direction original ct mark != 0 meta mark set ct mark; }
}
RULES
EOF
chmod 755 "$root/usr/local/sbin/connections"
cat > "$root/etc/systemd/system/connections.service" <<'EOF'
[Unit]
Description=Packets follow the first of their connection
After=network.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/local/sbin/connections

[Install]
WantedBy=multi-user.target
EOF

# Packages come from the lab's own repository; elsewhere there is no way to.
rm -f "$root"/etc/apt/sources.list.d/*
