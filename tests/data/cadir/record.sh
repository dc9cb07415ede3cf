#!/usr/bin/env bash
# Records, from real sites of the lab, the cadirs beside this file and the requests
# in ../requests:  record.sh [puppet5|server7-chain|server7-single|server8-chain]…
# Needs root on Debian (see lab/README.md) and two minutes for each.
set -euo pipefail
here=$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")
lab=$here/../../../lab/lab
requests=$here/../requests
export LAB_NAME=record LAB_NET=10.86.0

on() { "$lab" exec "$@"; }

# An agent's request:  request AGENT FILE NAME OPTION…
# Agents from Puppet 6 on keep what they send; of 5.5's, the CA has the copy.
request() {
    local host=$1 file=$2 name=$3
    shift 3
    on "$host" "rm -rf /tmp/request; puppet agent --onetime --no-daemonize --no-usecacheonfailure \
        --waitforcert 0 --ssldir /tmp/request --csr_attributes /tmp/csr_attributes.yaml \
        --certname $name $* >/tmp/request.log 2>&1 || true"
    case $file in
        agent-5.5*) on puppet "cat /var/lib/puppet/ssl/ca/requests/$name.pem" ;;
        *) on "$host" "cat /tmp/request/certificate_requests/$name.pem" ;;
    esac >"$requests/$file.pem"
    on "$host" 'rm -f /tmp/csr_attributes.yaml'
}

attributes() {
    on "$1" "cat >/tmp/csr_attributes.yaml <<'YAML'
---
custom_attributes:
  1.2.840.113549.1.9.7: s3cret
extension_requests:
  pp_role: web
  pp_datacenter: Zürich
  1.3.6.1.4.1.34380.1.2.1: a value of the site
YAML"
}

# Requests of agent1, whose version is $1.
record_requests() {
    local version=$1
    request agent1 "agent-$version" "plain.example.com"
    attributes agent1
    request agent1 "agent-$version-attributes" "attributes.example.com"
    request agent1 "agent-$version-alt-names" "alt.example.com" \
        --dns_alt_names=www.example.com,IP:192.0.2.7
    # Puppet 7 of Debian cannot ("pkeys are immutable on OpenSSL 3.0").
    [ "$version" != 8 ] ||
        request agent1 "agent-$version-ec" "ec.example.com" --key_type=ec
}

# The command puppetserver ca asks the server to sign what it has sent; a request
# with other names is refused and stays.
record_generate() {
    local name=generated.example.com
    on puppet "puppetserver ca generate --certname $name --subject-alt-names other.example.com" || true
    on puppet "cat /etc/puppet/puppetserver/ca/requests/$name.pem" >"$requests/generate-$1.pem"
    on puppet "rm /etc/puppet/puppetserver/ca/requests/$name.pem"
}

# Two agents keep their certificates, the third's is revoked, a fourth name waits.
revoke_and_wait() {
    on puppet "$1 agent3.lab.test"
    on agent2 'puppet agent --onetime --no-daemonize --waitforcert 0 --ssldir /tmp/pending \
        --certname pending.lab.test >/tmp/pending.log 2>&1 || true'
}

take() {
    local shape=$1 cadir=$2
    on puppet "systemctl stop puppet $3"
    rm -rf "${here:?}/$shape"
    mkdir "$here/$shape"
    on puppet "tar -C $cadir -cf - ." |
        tar -C "$here/$shape" -xf - --no-same-owner --no-same-permissions
    on puppet "cd $cadir && find . -mindepth 1 -printf '%m %u:%g %y %P\n' | sort -k4" \
        >"$here/$shape.manifest"
    on puppet "dpkg-query -W -f '\${Package} \${Version}\n' 'puppet*'" |
        awk 'NF == 2 { print "#", $0 }' >>"$here/$shape.manifest"
}

record() {
    local shape=$1
    "$lab" down
    case $shape in
        puppet5)
            "$lab" up --release bullseye
            record_requests 5.5
            on puppet 'puppet cert clean plain.example.com attributes.example.com alt.example.com'
            revoke_and_wait 'puppet cert revoke'
            take "$shape" /var/lib/puppet/ssl/ca puppet-master ;;
        server*)
            local release=bookworm version=7
            [[ $shape != server8* ]] || release=trixie version=8
            "$lab" up --release "$release" --ca "${shape#*-}"
            if [[ $shape == *-chain ]]; then
                record_requests "$version"
                record_generate "$version"
                on puppet 'rm -f /etc/puppet/puppetserver/ca/requests/*'
            fi
            revoke_and_wait 'puppetserver ca revoke --certname'
            take "$shape" /etc/puppet/puppetserver/ca puppetserver ;;
        *) echo "unknown: $shape" >&2; exit 2 ;;
    esac
    "$lab" down
}

mkdir -p "$requests"
[ $# -gt 0 ] || set -- puppet5 server7-chain server7-single server8-chain
trap '"$lab" down' EXIT
for shape; do record "$shape"; done
