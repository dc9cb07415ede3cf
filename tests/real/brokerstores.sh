# shellcheck shell=sh
# On the broker: key stores of Java's own kind, with a password that XML has to quote,
# another one of the key, and revocation lists.
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
