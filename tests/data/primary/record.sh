#!/bin/sh
# Asks a real Puppet Server what a primary answers a node, as root on an agent of a
# site of `lab up`, once prepare.sh has run on its server:
#     lab/lab exec puppet "$(cat tests/data/primary/prepare.sh)"
#     lab/lab exec agent1 "$(cat tests/data/primary/record.sh)" >tests/data/primary/7.23.txt
set -u
ssldir=/var/lib/puppet/ssl
name=$(puppet config print certname)
url=https://puppet.lab.test:8140/puppet/v3

ask() { # METHOD PATH [CURL OPTION…]
    method=$1 path=$2
    shift 2
    printf '$ %s %s' "$method" "$path"
    for word; do printf ' %s' "$word"; done
    printf '\n'
    [ "$method" = HEAD ] && set -- -o /dev/null "$@"
    curl -sS -X "$method" --cacert $ssldir/certs/ca.pem --cert "$ssldir/certs/$name.pem" \
        --key "$ssldir/private_keys/$name.pem" -D - "$@" "$url/$path" |
        tr -d '\r' | grep -av '^Date:\|^Server:\|^Content-Length:\|^Transfer-Encoding:' |
        sed -E 's/("environment":"production","parameters":).*/\1{}}/'
    printf '\n'
}

env=environment=production
json='Accept: application/json'
all='recurse=true&max_files=-1&ignore=.svn&ignore=CVS&ignore=.git&ignore=.hg&links=follow'
for mount in plugins pluginfacts locales tasks nosuch; do
    for use in use ignore; do
        ask GET "file_metadatas/$mount?$all&checksum_type=sha256&source_permissions=$use&$env" -H "$json"
    done
done
ask GET "file_metadatas/plugins?recurse=false&links=manage&checksum_type=sha256&source_permissions=ignore&$env" -H "$json"
ask GET "file_metadatas/plugins?$all&checksum_type=md5&source_permissions=ignore&$env" -H 'Accept: application/json, text/pson'
ask GET "file_metadatas/plugins?$all&checksum_type=none&source_permissions=ignore&$env" -H "$json"
ask GET "file_metadatas/plugins?$all&checksum_type=foo&source_permissions=ignore&$env" -H "$json"
ask GET "file_metadatas/modules/demo?$all&checksum_type=md5lite&source_permissions=ignore&$env" -H "$json"
ask GET "file_metadatas/modules/demo/dir?$all&checksum_type=mtime&$env" -H "$json"
ask GET "file_metadatas/modules/demo/dir?recurse=true&recurselimit=1&links=manage&$env" -H "$json"
ask GET "file_metadatas/modules/demo?$env" -H "$json"
ask GET "file_metadata/modules/demo/hello.txt?links=manage&checksum_type=sha256&source_permissions=ignore&$env" -H "$json"
ask GET "file_metadata/modules/demo/hello.txt?links=manage&checksum_type=md5&source_permissions=use&$env" -H "$json"
ask GET "file_metadata/modules/demo/link?links=manage&$env" -H "$json"
ask GET "file_metadata/modules/demo/link?links=follow&$env" -H "$json"
ask GET "file_metadata/modules/demo/dangling?links=follow&$env" -H "$json"
ask GET "file_metadata/modules/demo/outside?links=follow&$env" -H "$json"
ask GET "file_metadata/modules/demo/dir?$env" -H "$json"
ask GET "file_metadata/modules/demo/nosuch?$env" -H "$json"
ask GET "file_metadata/modules/nosuch/x?$env" -H "$json"
ask GET "file_metadata/modules?$env" -H "$json"
ask GET "file_metadata/nosuch/x?$env" -H "$json"
ask GET "file_metadata/plugins?$env" -H "$json"
ask GET "file_metadata/plugins/facter/demo.rb?$env" -H "$json"
ask GET "file_metadata/modules/demo/hello.txt" -H "$json"
ask GET "file_metadata/modules/demo/hello.txt?environment=nosuch" -H "$json"
ask GET "file_metadata/modules/demo/hello.txt?environment=bad-name" -H "$json"
ask GET "file_metadata/modules/demo/hello.txt?$env" -H 'Accept: text/html'
ask GET "file_metadata/modules/demo/hello.txt?$env" -H 'Accept: text/pson'
ask GET "file_content/modules/demo/hello.txt?$env" -H 'Accept: application/octet-stream'
ask GET "file_content/modules/demo/with%20space.txt?$env" -H 'Accept: application/octet-stream'
ask GET "file_content/plugins/facter/demo.rb?$env" -H 'Accept: application/octet-stream'
ask GET "file_content/modules/demo/outside?$env" -H 'Accept: application/octet-stream'
ask GET "file_content/modules/demo/dir?$env" -H 'Accept: application/octet-stream'
ask GET "file_content/modules/demo/nosuch?$env" -H 'Accept: application/octet-stream'
ask GET "file_content/modules/demo/hello.txt?$env" -H 'Accept: text/html'
ask GET "file_content/modules/demo/hello.txt" -H 'Accept: application/octet-stream'
ask GET "file_content/files/x?$env" -H 'Accept: application/octet-stream'
ask POST "file_content/modules/demo/hello.txt" -H 'Accept: application/octet-stream' -d "$env"
ask GET "node/$name?$env&transaction_uuid=00000000-0000-4000-8000-000000000000" -H "$json"
ask GET "node/$name?$env" -H 'Accept: text/pson'
ask GET "node/$name" -H "$json"
ask GET "node/other.lab.test?$env" -H "$json"
ask GET "environments" -H "$json"
ask GET "environments?$env" -H "$json"
facts=$(printf '{"name":"%s","values":{"demo":"told"},"timestamp":"2026-01-01T00:00:00Z","expiration":"2036-01-01T00:00:00Z"}' "$name")
twice=$(printf %s "$facts" | python3 -c 'import sys; from urllib.parse import quote as q; print(q(q(sys.stdin.read(), safe=""), safe=""))')
form="$env&configured_environment=production&facts_format=application%2Fjson&facts=$twice&transaction_uuid=00000000-0000-4000-8000-000000000000&static_catalog=true&checksum_type=sha256.md5"
for accept in 'application/vnd.puppet.rich+json, application/json' 'application/json, text/pson' text/pson text/html; do
    ask POST "catalog/$name?$env" -H "Accept: $accept" -d "$form"
done
ask POST "catalog/$name?$env" -H "$json" -d "$env"
ask POST "catalog/$name?$env" -H "$json" -d "$env&facts_format=yaml&facts=x"
ask POST "catalog/$name?$env" -H "$json" -d "$env&facts_format=application%2Fjson&facts=x"
ask POST "catalog/$name?$env" -H "$json" -d "$env&facts_format=application%2Fjson&facts=$(printf %s "$twice" | sed 's/agent1/agent9/')"
ask POST "catalog/$name" -H "$json" -d "facts_format=application%2Fjson&facts=$twice"
ask POST "catalog/$name?environment=nosuch" -H "$json" -d "environment=nosuch&facts_format=application%2Fjson&facts=$twice"
ask POST "catalog/$name?environment=broken" -H "$json" -d "environment=broken&facts_format=application%2Fjson&facts=$twice"
ask POST "catalog/other.lab.test?$env" -H "$json" -d "$form"
ask PUT "facts/$name?$env" -H "$json" -H 'Content-Type: application/json' -d "$facts"
ask PUT "facts/$name?$env" -H "$json" -H 'Content-Type: application/json' -d '{}'
ask PUT "facts/$name?$env" -H "$json" -H 'Content-Type: application/json' -d 'x'
ask PUT "facts/$name?$env" -H "$json" -H 'Content-Type: text/html' -d 'x'
report=$(printf '{"host":"%s","time":"2026-01-01T00:00:00.000000000+00:00","configuration_version":1,"transaction_uuid":"00000000-0000-4000-8000-000000000000","report_format":10,"puppet_version":"5.5.22","status":"unchanged","transaction_completed":true,"noop":false,"noop_pending":false,"environment":"production","logs":[],"metrics":{},"resource_statuses":{},"corrective_change":false,"catalog_uuid":"00000000-0000-4000-8000-000000000000","cached_catalog_status":"not_used"}' "$name")
ask PUT "report/$name?$env" -H "$json" -H 'Content-Type: application/json' -d "$report"
ask PUT "report/$name?$env" -H "$json" -H 'Content-Type: text/pson' -d "$report"
ask PUT "report/$name?$env" -H "$json" -H 'Content-Type: application/json' -d '{}'
ask PUT "report/$name?$env" -H "$json" -H 'Content-Type: application/json' -d 'x'
ask PUT "report/$name?$env" -H "$json" -H 'Content-Type: text/html' -d 'x'
ask PUT "report/$name?$env" -H "$json" -d "$report"
ask PUT "report/$name" -H "$json" -H 'Content-Type: application/json' -d "$report"
ask PUT "report/$name?$env" -H "$json" -H 'Content-Type: application/json' -d "$(printf %s "$report" | sed 's/agent1/agent9/')"
ask PUT "report/other.lab.test?$env" -H "$json" -H 'Content-Type: application/json' -d "$report"
raw='Accept: application/octet-stream'
sum=5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03
binary='Content-Type: application/octet-stream'
ask HEAD "file_bucket_file/sha256/$sum//etc/hello?$env" -I -H "$raw"
ask PUT "file_bucket_file/sha256/$sum//etc/hello?$env" -H "$raw" -H "$binary" --data-binary 'hello
'
ask HEAD "file_bucket_file/sha256/$sum//etc/hello?$env" -I -H "$raw"
ask HEAD "file_bucket_file/sha256/$sum//etc/other?$env" -I -H "$raw"
ask GET "file_bucket_file/sha256/$sum?$env" -H "$raw"
ask GET "file_bucket_file/md5/b1946ac92492d2347c6235b4d2611184?$env" -H "$raw"
ask GET "file_bucket_file/sha256/$sum/etc/other?$env" -H "$raw"
ask PUT "file_bucket_file/sha256/$sum//etc/hello?$env" -H "$raw" -H "$binary" --data-binary 'other
'
ask PUT "file_bucket_file/md5/b1946ac92492d2347c6235b4d2611184/etc/hello?$env" -H "$raw" -H "$binary" --data-binary 'hello
'
ask PUT "file_bucket_file/sha1/x/etc/hello?$env" -H "$raw" -H "$binary" --data-binary 'hello
'
ask GET "file_bucket_file/sha256/x?$env" -H "$raw"
ask DELETE "file_bucket_file/sha256/$sum?$env" -H "$raw"
ask GET "nosuch/x?$env" -H "$json"
ask GET "static_file_content/modules/demo/files/hello.txt?code_id=1&$env" -H "$raw"
