#!/bin/sh
# What `puppet ssl` and `puppet agent` print on their way to a certificate, on this
# machine, of a site of `lab up` whose agent is agent1:
#     LAB_NAME=lab tests/data/ssl/record.sh >tests/data/ssl/8.txt
# With SSL='/usr/local/bin/reseal ssl' and AGENT='/usr/local/bin/reseal agent', reseal's.
set -u
lab=$(dirname "$0")/../../../lab/lab
ssl=${SSL:-puppet ssl} agent=${AGENT:-puppet agent}
node=${NODE:-agent1} dir=/root/ssl name=new.lab.test

on() { "$lab" exec "$node" "$1" </dev/null; }
ca() { "$lab" exec puppet "$1" </dev/null >/dev/null 2>&1; }
told() { # WHAT COMMAND
    printf '$ %s\n' "$1"
    on "timeout 30 $2 --color=false >/tmp/out 2>/tmp/err </dev/null; code=\$?
        sed 's/^/1 /' /tmp/out; sed 's/^/2 /' /tmp/err; echo \"= \$code\"
        cd $dir 2>/dev/null && find . -type f -printf '%m %P\n' | sort | sed 's/^/f /'"
}
ask() { told "ssl $*" "$ssl $* --certname $name --ssldir $dir"; }
run() { told "agent $*" "$agent $* --certname $name --ssldir $dir"; }

on "rm -rf $dir"
ask verify
ask show
ask download_cert
ask submit_request
ask submit_request
ask download_cert
run --test --waitforcert 0
run --fingerprint
ca "puppetserver ca sign --certname $name"
ask download_cert
ask verify
ask bootstrap
run --fingerprint
ask clean
ask clean
ask submit_request
ask bootstrap --waitforcert 0
ca "puppetserver ca clean --certname $name"
ask bootstrap --waitforcert 0
ca "puppetserver ca sign --certname $name"
ask bootstrap --waitforcert 0
ask verify
on "rm $dir/private_keys/$name.pem"
ask verify
ask bootstrap --waitforcert 0
ca "puppetserver ca revoke --certname $name"
on "rm -f $dir/crl.pem"
ask bootstrap --waitforcert 0
on "rm -f $dir/crl.pem $dir/certs/$name.pem"
ask bootstrap --waitforcert 0
ca "puppetserver ca clean --certname $name"
on "rm -rf $dir"
ask bootstrap --waitforcert 0 --ca_fingerprint 00
ask bootstrap --waitforcert 0 --certificate_revocation false
ask clean --localca
on "rm -rf $dir"
ask bootstrap --waitforcert 0 --dns_alt_names a,DNS:b,IP:10.0.0.1
on "echo x >$dir/certs/ca.pem"
ask bootstrap --waitforcert 0
on "rm $dir/certs/ca.pem; echo x >$dir/crl.pem"
ask bootstrap --waitforcert 0
on "rm $dir/crl.pem; echo x >$dir/private_keys/$name.pem"
ask bootstrap --waitforcert 0
on "rm -rf $dir"
ask bootstrap --waitforcert 0 --ca_server nosuch.lab.test
ask bootstrap --waitforcert 0 --ca_server puppet.lab.test --ca_port 1
ask bootstrap --waitforcert 0 --ca_server agent1.lab.test --ca_port 22
run --test --waitforcert 0 --ca_server puppet.lab.test --ca_port 1
ask ''
ask nosuch
ask clean extra
ca "puppetserver ca clean --certname $name"
on "rm -rf $dir"
