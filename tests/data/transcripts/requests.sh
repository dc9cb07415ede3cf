#!/bin/sh
# Makes the requests that the transcripts put into a CA's `requests` directory.
# The keys are thrown away; what was made is kept, so that fingerprints stay.
set -eu
cd "$(dirname "$0")/requests"
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT

# request FILE CN [EXTENSION…]: a request with these extensions, and what
# `attributes` holds as attributes
attributes=
request() {
    file=$1 cn=$2
    shift 2
    {
        printf '[req]\nprompt=no\ndistinguished_name=dn\nstring_mask=utf8only\n'
        [ $# = 0 ] || printf 'req_extensions=ext\n'
        [ -z "$attributes" ] || printf 'attributes=attr\n'
        printf '[dn]\nCN=%s\n' "$cn"
        [ -z "$attributes" ] || printf '[attr]\n%s\n' "$attributes"
        [ $# = 0 ] || { printf '[ext]\n' && printf '%s\n' "$@"; }
    } >"$work/req.cnf"
    openssl req -new -sha256 -newkey rsa:2048 -nodes -keyout "$work/key.pem" \
        -config "$work/req.cnf" -out "$file" 2>/dev/null
}

arc=1.3.6.1.4.1.34380.1
request web01.pem web01.example.com
request web02.pem web02.example.com
request web03.pem web03.example.com
request alt.pem alt.example.com \
    'subjectAltName=DNS:alt.example.com,DNS:www.example.com'
request ip.pem ip.example.com 'subjectAltName=DNS:ip.example.com,IP:10.0.0.1'
request wild.pem wild.example.com 'subjectAltName=DNS:*.example.com'
request role.pem role.example.com "$arc.1.13=ASN1:UTF8String:webserver" \
    "$arc.1.1=ASN1:UTF8String:ED803750-E3C7-44F5-BB08-41A04433FE2E"
request auth.pem auth.example.com "$arc.3.1=ASN1:UTF8String:admin"
request foreign.pem foreign.example.com '1.2.3.4.5=ASN1:UTF8String:what'
request other-name.pem other.example.com
request wild-name.pem '*.example.com'
attributes=challengePassword=letmein request password.pem password.example.com
attributes=
# a signature that does not hold: the last byte is another one
request forged.pem forged.example.com
openssl req -in forged.pem -outform DER -out "$work/forged.der"
python3 - "$work/forged.der" <<'PYTHON'
import pathlib, sys
path = pathlib.Path(sys.argv[1])
data = bytearray(path.read_bytes())
data[-1] ^= 1
path.write_bytes(data)
PYTHON
openssl req -inform DER -in "$work/forged.der" -out forged.pem
