# shellcheck shell=sh
# On an agent: NATS, and nginx and Apache as proxies before PuppetDB, with copies of its
# certificate, and a web site of another CA beside them; mco with a copy of the CA's.
set -e
ssl=/var/lib/puppet/ssl name=$(hostname).lab.test
bus=$(systemctl show -p User --value nats-server)
install -d -o "$bus" -m 700 /etc/nats
for part in certs/$name:cert private_keys/$name:key certs/ca:ca; do
    install -o "$bus" -m 600 "$ssl/${part%%:*}.pem" "/etc/nats/${part##*:}.pem"
done
cat >/etc/nats-server.conf <<CONF
port: 4222
tls {
  cert_file: "/etc/nats/cert.pem"
  key_file: "/etc/nats/key.pem"
  ca_file: "/etc/nats/ca.pem"
  verify: true
}
CONF
install -d -m 700 /etc/nginx/tls
cat "$ssl/certs/$name.pem" $ssl/certs/ca.pem >/etc/nginx/tls/chain.pem
install -m 600 "$ssl/private_keys/$name.pem" /etc/nginx/tls/key.pem
cp $ssl/certs/ca.pem $ssl/crl.pem /etc/nginx/tls
openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=www.example.com -days 30 \
    -keyout /etc/nginx/tls/web.key -out /etc/nginx/tls/web.pem 2>/dev/null
rm -f /etc/nginx/sites-enabled/default
cat >/etc/nginx/sites-enabled/site <<'CONF'
server {
    listen 8443 ssl;
    ssl_certificate tls/chain.pem;
    ssl_certificate_key tls/key.pem;
    ssl_client_certificate /etc/nginx/tls/ca.pem;
    ssl_crl /etc/nginx/tls/crl.pem;
    ssl_verify_client on;
    ssl_verify_depth 2;
    location / {
        proxy_pass https://puppetdb.lab.test:8081;
        proxy_ssl_certificate tls/chain.pem;
        proxy_ssl_certificate_key tls/key.pem;
        proxy_ssl_trusted_certificate /etc/nginx/tls/ca.pem;
        proxy_ssl_crl /etc/nginx/tls/crl.pem;
        proxy_ssl_verify on;
        proxy_ssl_verify_depth 2;
    }
}
server {
    listen 8444 ssl;
    ssl_certificate tls/web.pem;
    ssl_certificate_key tls/web.key;
    return 200 "www";
}
CONF
install -d -m 700 /etc/apache2/tls
for part in certs/$name:cert private_keys/$name:key certs/ca:ca crl:crl; do
    install -m 600 "$ssl/${part%%:*}.pem" "/etc/apache2/tls/${part##*:}.pem"
done
(umask 077 && cat "$ssl/private_keys/$name.pem" "$ssl/certs/$name.pem" \
    >/etc/apache2/tls/machine.pem)
a2enmod -q ssl proxy_http
cat >/etc/apache2/sites-enabled/puppet.conf <<CONF
Listen 9443
<VirtualHost *:9443>
    ServerName $name
    SSLEngine on
    SSLCertificateFile /etc/apache2/tls/cert.pem
    SSLCertificateKeyFile /etc/apache2/tls/key.pem
    SSLCACertificateFile /etc/apache2/tls/ca.pem
    SSLCARevocationFile /etc/apache2/tls/crl.pem
    SSLCARevocationCheck chain
    SSLVerifyClient require
    SSLVerifyDepth 2
    SSLProxyEngine on
    SSLProxyMachineCertificateFile /etc/apache2/tls/machine.pem
    SSLProxyCACertificateFile /etc/apache2/tls/ca.pem
    SSLProxyVerify require
    SSLProxyVerifyDepth 2
    ProxyPass / https://puppetdb.lab.test:8081/
</VirtualHost>
CONF
install -m 644 $ssl/certs/ca.pem /etc/mcollective/ssl/client-ca.pem
sed -i 's|^\(plugin.activemq.pool.1.ssl.ca\) .*|\1 = /etc/mcollective/ssl/client-ca.pem|' \
    /etc/mcollective/client.cfg
systemctl restart nats-server nginx apache2
