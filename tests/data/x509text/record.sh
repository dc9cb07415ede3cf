#!/bin/sh
# Write what OpenSSL 3.0 and Ruby's OpenSSL 1.1.1 with Puppet 5.5 print for *.pem.
#
# Usage: record.sh ROOT, where ROOT is a Debian 11 with puppet 5.5 to chroot into.
set -eu
root=$1
cd "$(dirname "$0")"
ruby='require "openssl"; require "puppet/ssl/oids"
Puppet::SSL::Oids.register_puppet_oids
pem = STDIN.read
kind = pem.include?("REQUEST") ? OpenSSL::X509::Request : OpenSSL::X509::Certificate
print kind.new(pem).to_text'
for pem in *.pem; do
    case $pem in *request.pem) tool=req ;; *) tool=x509 ;; esac
    openssl "$tool" -in "$pem" -noout -text >"${pem%.pem}.openssl.txt"
    chroot "$root" ruby -I/usr/lib/ruby/vendor_ruby -e "$ruby" \
        <"$pem" >"${pem%.pem}.ruby.txt"
done
