#!/bin/sh
# Turns a fresh Debian root ($1) into the image of a lab's Puppet server. Nothing of it
# runs until somebody calls puppet-server-up: two Java machines take a while to start.
set -eu
root=$1

chroot "$root" systemctl disable --quiet puppet.service puppetserver.service puppetdb.service postgresql.service

cat > "$root/etc/puppet/puppet.conf" <<'CONF'
[main]
certname = puppet
server = puppet
color = false
# After a PUT, Debian's puppetserver lets the next request on that connection wait for 30 s.
http_keepalive_timeout = 0

[server]
# A lab: whoever asks is let in, with the role that its request names.
autosign = true
storeconfigs = true
storeconfigs_backend = puppetdb
reports = puppetdb
CONF
cat > "$root/etc/puppet/puppetdb.conf" <<'CONF'
[main]
server_urls = https://puppet:8081
CONF
cat > "$root/etc/puppet/routes.yaml" <<'CONF'
server:
  facts:
    terminus: puppetdb
    cache: yaml
CONF
mkdir -p "$root/etc/puppet/code/environments/production/manifests" "$root/etc/puppet/code/environments/production/modules"

# Little memory, and code that is compiled once and soon: the machine lives for minutes.
java='-XX:TieredStopAtLevel=1 -XX:+UseSerialGC'
sed -i "s|-Xms1g -Xmx1g|-Xms256m -Xmx640m $java|" "$root/etc/default/puppetserver"
sed -i "s|-Xmx192m|-Xmx384m $java|" "$root/etc/default/puppetdb"
grep -q Xmx640m "$root/etc/default/puppetserver"
grep -q Xmx384m "$root/etc/default/puppetdb"

cat > "$root/etc/puppetdb/conf.d/jetty.ini" <<'CONF'
[jetty]
host = 127.0.0.1
port = 8080
ssl-host = 0.0.0.0
ssl-port = 8081
ssl-key = /etc/puppetdb/ssl/private.pem
ssl-cert = /etc/puppetdb/ssl/public.pem
ssl-ca-cert = /etc/puppetdb/ssl/ca.pem
CONF

cat > "$root/usr/local/sbin/puppet-server-up" <<'SCRIPT'
#!/bin/sh
# Starts PostgreSQL, PuppetDB and puppetserver, and makes what they need the first time.
set -eu

systemctl start postgresql@15-main
as_postgres() { setpriv --reuid=postgres --regid=postgres --init-groups "$@"; }
ini() { sed -n "s/^$1 *= *//p" /etc/puppetdb/conf.d/database.ini; }
if [ -z "$(as_postgres psql -tAc "select 1 from pg_roles where rolname = '$(ini username)'")" ]; then
  as_postgres psql -q -v ON_ERROR_STOP=1 -v password="$(ini password)" <<'SQL'
create role puppetdb login password :'password';
SQL
fi
if [ -z "$(as_postgres psql -tAc "select 1 from pg_database where datname = 'puppetdb'")" ]; then
  as_postgres createdb --owner=puppetdb --encoding=UTF8 --template=template0 puppetdb
  as_postgres psql -q -d puppetdb -c 'create extension pg_trgm'
fi

ssl=$(puppet config print --section agent ssldir)
if [ ! -e "$ssl/certs/puppet.pem" ]; then
  puppetserver ca setup --certname puppet --subject-alt-names puppet
fi
install -d -o puppetdb -g puppetdb -m 0700 /etc/puppetdb/ssl
install -o puppetdb -g puppetdb -m 0600 "$ssl/private_keys/puppet.pem" /etc/puppetdb/ssl/private.pem
install -o puppetdb -g puppetdb -m 0600 "$ssl/certs/puppet.pem" /etc/puppetdb/ssl/public.pem
install -o puppetdb -g puppetdb -m 0600 "$ssl/certs/ca.pem" /etc/puppetdb/ssl/ca.pem

systemctl start puppetdb puppetserver
SCRIPT
chmod 755 "$root/usr/local/sbin/puppet-server-up"

# Packages come from the lab's own repository; elsewhere there is no way to.
rm -f "$root"/etc/apt/sources.list.d/*
