# A node with a primary server: the server, and the CA's directory if it is there.
# A web server counts as a Rack master only if a site of it mentions Puppet.
rack_site='(passenger|rack).*puppet|puppet.*(passenger|rack)|puppet-?master'
rack_site="$rack_site|x-client-verify"

# web_sites SERVICE: its sites but for comments; through links, as a2ensite makes them.
web_sites() {
    case $1 in
        nginx) cat /etc/nginx/sites-enabled/* /etc/nginx/conf.d/*.conf ;;
        *)
            cat /etc/apache2/sites-enabled/* /etc/apache2/conf-enabled/*.conf \
                /etc/httpd/conf.d/*.conf
            ;;
    esac 2>/dev/null | grep -v '^[[:space:]]*#'
}

say services
services $server_services | while read -r service active enabled; do
    case $service in
        apache2 | httpd | nginx | pe-httpd)
            web_sites "$service" | grep -qiE "$rack_site" || continue
            ;;
    esac
    echo "$service $active $enabled"
done

# Which hand requests on; Passenger runs Puppet within the web server.
say proxied
for service in apache2 httpd nginx; do
    web_sites $service | grep -qiE '^[[:space:]]*(passenger|rack)' ||
        ! web_sites $service | grep -qiE '^[[:space:]]*proxy_?pass[[:space:]]' ||
        echo $service
done

say packages
for package in puppetserver openvox-server pe-puppetserver; do
    dpkg-query -W -f '${Package} ${Version}\n' "$package" 2>/dev/null ||
        rpm -q --qf '%{NAME} %{VERSION}\n' "$package" 2>/dev/null | grep "^$package "
done

say reseal
if [ -n "$reseal" ] && known reseal-server; then
    echo "version $("$reseal" --version)"
    "$reseal" server --check 2>/dev/null | sed -n 's/^listener\.port  *\([0-9]*\).*/port \1/p'
fi

if conf=$("$puppet" config print --section master 2>&1); then
    say config
else
    say config-error
fi
printf '%s\n' "$conf"
ssldir=$(setting ssldir)
cadir=$(setting cadir)
[ -d "$cadir" ] || [ ! -d "$ssldir/ca" ] || cadir=$ssldir/ca

say conf.d
for base in $server_configs; do
    cat "$base"/conf.d/webserver.conf 2>/dev/null | grep -E '^ *"?ssl-port"? *[:=]'
    cat "$base"/services.d/ca.cfg "$base"/bootstrap.cfg 2>/dev/null |
        grep -E '^[^#]*certificate-authority-disabled-service'
done

# How many requests it works on at once, where it is told; - is no number.
say threads
for base in $server_configs; do
    for path in "$base"/conf.d/*.conf; do
        [ -f "$path" ] || continue
        sed 's/#.*//; s|//.*||' "$path" | tr ',{}' '\n\n\n' |
            sed -n 's/^\(.*[^a-z-]\)\{0,1\}max-threads"\{0,1\}[[:space:]]*[:=][[:space:]]*"\{0,1\}\([0-9]*\).*/\2/p' |
            while read -r value; do echo "${value:--}"; done
    done
done

# Files of its own that the web server uses: the setting, its value, the file.
say own-files
for base in $server_configs; do
    for path in "$base"/conf.d/*.conf; do
        [ -f "$path" ] || continue
        sed 's/#.*//; s|//.*||' "$path" | tr ',{}' '\n\n\n' |
            sed -n 's/^\(.*[^a-z-]\)\{0,1\}\(ssl-[a-z-]*\)"\{0,1\} *[:=] *"\{0,1\}\([^" ]*\).*/\2 \3/p' |
            grep -E '^ssl-(cert|key|ca-cert|cert-chain|crl-path) ' |
            while read -r name value; do echo "$name ${value:--} $path"; done
    done
done

# is_held FILE: a run of reseal has put it there; it signs nothing.
is_held() {
    [ -f "$1" ] || return 1
    case $(sed -n 2p "$1" 2>/dev/null) in "# Put here by reseal's run "*) ;; *) false ;; esac
}

say autosign
autosign=$(setting autosign)
case $autosign in
    /*)
        if [ ! -f "$autosign" ]; then
            echo false
        elif is_held "$autosign"; then
            echo false
        elif [ -x "$autosign" ]; then
            echo "program $autosign"
        elif grep -qE '^[^#]*[^# ]' "$autosign"; then
            echo "list $autosign"
        else
            echo false
        fi
        ;;
    *) echo "$autosign" ;;
esac
say policy
case $autosign in
    /*)
        if is_held "$autosign" || { [ ! -e "$autosign" ] && [ ! -L "$autosign" ]; }; then
            printf '%s\n' "$autosign"
        fi
        ;;
esac

if [ -d "$cadir" ]; then
    say cadir
    physical "$cadir"
    say link
    for path in "$ssldir/ca" "$cadir"; do
        if [ -L "$path" ]; then
            echo "$(physical "$(dirname -- "$path")")/$(basename -- "$path")"
            break
        fi
    done
    say owner
    owner "$cadir/."
    say size
    kilobytes "$cadir"
    say files
    ls -1 -- "$cadir"
    say_file ca_crt "$cadir/ca_crt.pem"
    say_file serial "$cadir/serial"
    say count
    ls -1 -- "$cadir/signed" 2>/dev/null | grep -c '\.pem$'
    # Names that are not plain are looked at more closely by those who asked.
    say names
    ls -1A -- "$cadir/signed" 2>/dev/null | grep -v '^[a-z0-9][a-z0-9._-]*\.pem$' | head -n 50
    say inventory
    date='[0-9]\{4\}-[0-9][0-9]-[0-9][0-9]T[0-9:]\{8\}UTC'
    grep -nv "^0x[0-9A-Fa-f]\{1,\} $date $date /" "$cadir/inventory.txt" 2>/dev/null |
        head -n 5
    say strangers
    grep -n '/CN=.*/' "$cadir/inventory.txt" 2>/dev/null | head -n 5
    say_key "$cadir/ca_key.pem" "$cadir/private/ca.pass"
fi
say end
