# What lies at the places of copies: KIND PATH CONFIG SETTING…, of which KIND is `key`
# or `open`, behind `java-` or `der-` for what is no PEM; the password of a key store is
# a setting of the configuration.
shift
number=0
keytool=$(command -v keytool) || keytool=$(
    first "$(dirname -- "$(readlink -f -- "$(command -v java)" 2>/dev/null)")/keytool"
)

# store FILE CONFIG SETTING: its certificates, without its keys.
store() {
    [ -n "$keytool" ] || { echo "keytool error: there is none"; return; }
    password=$(secret "$2" "$3")
    if [ "${#password}" -lt 6 ]; then
        echo "keytool error: its password has less than 6 characters"
        return
    fi
    STORE_PASSWORD=$password LC_ALL=C "$keytool" -J-Duser.language=en \
        -list -rfc -keystore "$1" -storepass:env STORE_PASSWORD </dev/null 2>&1
}

# blocks FILE: what is public in it: certificates and revocation lists.
blocks() {
    head -c 4194304 -- "$1" | sed -n '
        /^-----BEGIN \(TRUSTED \)\{0,1\}CERTIFICATE-----/,/^-----END /p
        /^-----BEGIN \(RSA \)\{0,1\}PUBLIC KEY-----/,/^-----END /p
        /^-----BEGIN X509 CRL-----/,/^-----END /p'
}

# secrets FILE: how many private keys are in it, as PEM.
secrets() { grep -c -e '-----BEGIN .*PRIVATE KEY' -- "$1"; }

while [ $# -gt 3 ]; do
    say "place $number"
    echo "$(physical "$(dirname -- "$2")")/$(basename -- "$2")"
    readlink -f -- "$2" 2>/dev/null
    if [ -e "$2" ] || [ -L "$2" ]; then
        say "status $number"
        ls -ldL -- "$2" | { read -r mode _ user group _ && echo "$mode $user:$group"; }
    fi
    if [ -f "$2" ]; then
        case $1 in
            java-*)
                say "store $number"
                store "$2" "$3" "$4"
                say "kind $number"
                head -c 4 -- "$2" | od -An -tx1 | tr -d ' '
                ;;
            der-key)
                say "public $number"
                say_public "$2"
                say "secrets $number"
                secrets "$2"
                ;;
            der-open)
                say "blocks $number"
                head -c 65536 -- "$2" | od -An -v -tx1 | tr -d ' \n'
                ;;
            *)
                say "blocks $number"
                blocks "$2"
                say "secrets $number"
                secrets "$2"
                [ "$1" = open ] || { say "public $number" && say_public "$2"; }
                ;;
        esac
    fi
    number=$((number + 1))
    shift 4
done
say end
