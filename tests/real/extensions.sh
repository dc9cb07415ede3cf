# shellcheck shell=sh
# On the host of PuppetDB: copies as Puppet's own package keeps them, and PostgreSQL
# with certificates of the site, also of its client; nothing is forgiven that PuppetDB
# does not take.
set -e
ssl=/var/lib/puppet/ssl name=$(hostname).lab.test
own=/etc/puppetdb/ssl ini=/etc/puppetdb/conf.d/jetty.ini pg=/etc/postgresql/15/main
put() { install -o "$1" -g "$1" -m 600 "$2" "$3"; }
install -d -o puppetdb -g puppetdb -m 700 $own
put puppetdb "$ssl/certs/$name.pem" $own/public.pem
put puppetdb "$ssl/private_keys/$name.pem" $own/private.pem
put puppetdb $ssl/certs/ca.pem $own/ca.pem
sed -i "s|^ssl-key *=.*|ssl-key = $own/private.pem|
    s|^ssl-cert *=.*|ssl-cert = $own/public.pem|
    s|^ssl-ca-cert *=.*|ssl-ca-cert = $own/ca.pem|" $ini
put postgres "$ssl/private_keys/$name.pem" $pg/server.key
cat "$ssl/certs/$name.pem" $ssl/certs/ca.pem >$pg/server.crt
chown postgres:postgres $pg/server.crt
sed -i "s|^ssl_cert_file.*|ssl_cert_file = '$pg/server.crt'|
    s|^ssl_key_file.*|ssl_key_file = '$pg/server.key'|" $pg/postgresql.conf
cp $ssl/certs/ca.pem $pg/root.crt
sed -i "s|^#*ssl_ca_file.*|ssl_ca_file = '$pg/root.crt'|" $pg/postgresql.conf
openssl pkcs8 -topk8 -nocrypt -outform DER -in "$ssl/private_keys/$name.pem" \
    -out $own/private.pk8
chown puppetdb:puppetdb $own/private.pk8
chmod 600 $own/private.pk8
query="ssl=true\&sslmode=verify-full\&sslrootcert=$own/ca.pem\&sslcert=$own/public.pem"
query="$query\&sslkey=$own/private.pk8"
sed -i "s|^subname.*|subname = //$name:5432/puppetdb?$query|" /etc/puppetdb/conf.d/database.ini
sed -i '/^host.*127.0.0.1/d; /^host.*::1/d' $pg/pg_hba.conf
echo 'hostssl puppetdb puppetdb all cert map=site' >>$pg/pg_hba.conf
echo "site $name puppetdb" >>$pg/pg_ident.conf
grep -q '^listen_addresses' $pg/postgresql.conf ||
    echo "listen_addresses = '*'" >>$pg/postgresql.conf
systemctl restart postgresql@15-main puppetdb
