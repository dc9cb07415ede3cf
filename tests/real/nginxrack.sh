# shellcheck shell=sh
# On the master's host: nginx and unicorn in the place of Apache with Passenger, nginx
# with copies of what Puppet has.
set -e
ssl=/var/lib/puppet/ssl name=$(hostname).lab.test tls=/etc/nginx/tls
install -d -m 700 $tls
for part in certs/$name:cert private_keys/$name:key certs/ca:ca ca/ca_crl:crl; do
    install -m 600 "$ssl/${part%%:*}.pem" "$tls/${part##*:}.pem"
done
cat >/etc/puppet/unicorn.rb <<'CONF'
worker_processes 1
working_directory '/usr/share/puppet/rack/puppet-master'
listen '/run/puppet/unicorn.sock'
timeout 120
CONF
cat >/etc/systemd/system/puppet-unicorn.service <<'UNIT'
[Unit]
Description=Puppet as a Rack application
[Service]
User=puppet
RuntimeDirectory=puppet
ExecStart=/usr/bin/unicorn -c /etc/puppet/unicorn.rb config.ru
[Install]
WantedBy=multi-user.target
UNIT
cat >/etc/nginx/sites-available/puppet <<'CONF'
upstream unicorn { server unix:/run/puppet/unicorn.sock fail_timeout=0; }
server {
    listen 8140 ssl;
    ssl_certificate tls/cert.pem;
    ssl_certificate_key tls/key.pem;
    ssl_client_certificate tls/ca.pem;
    ssl_crl tls/crl.pem;
    ssl_verify_client optional;
    client_max_body_size 10m;
    location / {
        proxy_pass http://unicorn;
        proxy_redirect off;
        proxy_read_timeout 120;
        proxy_set_header Host $host;
        proxy_set_header X-Client-Verify $ssl_client_verify;
        proxy_set_header X-Client-DN $ssl_client_s_dn;
    }
}
CONF
rm -f /etc/nginx/sites-enabled/default
ln -s ../sites-available/puppet /etc/nginx/sites-enabled/puppet
systemctl disable --now apache2
systemctl daemon-reload
systemctl enable --now puppet-unicorn nginx
