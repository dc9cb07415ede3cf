# shellcheck shell=sh
# On the broker: key stores of Java's own kind, with a password that XML has to quote,
# another one of the key, and revocation lists; RabbitMQ beside it.
set -e
own=/etc/activemq/ssl xml=/etc/activemq/instances-available/main/activemq.xml
ssl=/var/lib/puppet/ssl
export OLD=puppet NEW="pup&pet\"1'" KEY=ownword
for store in keystore truststore; do
    one=
    [ $store = truststore ] || one="-srcalias $(hostname).lab.test -destkeypass:env NEW"
    # shellcheck disable=SC2086  # several words
    keytool -importkeystore -noprompt -srckeystore $own/$store.jks -srcstorepass:env OLD \
        -destkeystore $own/$store.new -deststoretype JKS -deststorepass:env NEW $one \
        2>/dev/null
    chown activemq:root $own/$store.new
    chmod 600 $own/$store.new
    mv $own/$store.new $own/$store.jks
done
keytool -keypasswd -alias "$(hostname).lab.test" -keystore $own/keystore.jks \
    -storepass:env NEW -keypass:env NEW -new:env KEY 2>/dev/null
install -o activemq -g root -m 644 $ssl/crl.pem $own/crl.pem
sed -i "s|<sslContext keyStore=|<sslContext keyStoreKeyPassword='ownword'\
    crlPath='file:$own/crl.pem' keyStore=|" $xml
sed -i 's|StorePassword="puppet"|StorePassword="pup\&amp;pet\&quot;1'"'"'"|g' $xml
systemctl restart activemq
own=/etc/rabbitmq/tls name=$(hostname).lab.test
install -d -o rabbitmq -m 700 $own
for part in certs/$name:cert private_keys/$name:key certs/ca:ca; do
    install -o rabbitmq -m 600 "$ssl/${part%%:*}.pem" "$own/${part##*:}.pem"
done
cat >/etc/rabbitmq/rabbitmq.conf <<CONF
listeners.tcp = none
listeners.ssl.default = 5671
ssl_options.cacertfile = $own/ca.pem
ssl_options.certfile = $own/cert.pem
ssl_options.keyfile = $own/key.pem
ssl_options.verify = verify_peer
ssl_options.fail_if_no_peer_cert = true
CONF
systemctl restart rabbitmq-server
