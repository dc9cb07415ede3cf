#!/bin/sh
# What `puppet config print` says of an agent that is told nothing but its name, on a
# host of the lab (agent1 is of the site's release):
#     LAB_NAME=lab tests/data/config/record.sh >tests/data/config/8.txt
# 5.txt is of Puppet 5.5.22 (bullseye), 7.txt of 7.23.0 (bookworm), 8.txt of 8.10.0
# (trixie), each with the puppet.conf of its package.
set -u
lab=$(dirname "$0")/../../../lab/lab
print='puppet config print --section agent --certname web01.example.com'
"$lab" exec "${NODE:-agent1}" "mv /etc/puppet/puppet.conf /root; $print
    mv /root/puppet.conf /etc/puppet" </dev/null
