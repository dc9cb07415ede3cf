# What lies at the places of copies: KIND PATH…, of which KIND is `key` or `open`.
shift 2
number=0
while [ $# -gt 1 ]; do
    say "place $number"
    echo "$(physical "$(dirname -- "$2")")/$(basename -- "$2")"
    readlink -f -- "$2" 2>/dev/null
    if [ -f "$2" ]; then
        say "status $number"
        ls -ldL -- "$2" | { read -r mode _ user group _ && echo "$mode $user:$group"; }
        if [ "$1" = open ]; then
            say "open $number"
            cat -- "$2"
        else
            say "public $number"
            say_public "$2"
            say "beside $number"
            sed -n '/-----BEGIN CERTIFICATE-----/,/-----END CERTIFICATE-----/p' "$2"
        fi
    fi
    number=$((number + 1))
    shift 2
done
say end
