"""The few ways a server is set up for the cases.

Guarantee: five, because each costs the recorder a start of the server.

Sources: Puppet Server, ca.conf, auth.conf; Puppet, settings `autosign`,
`allow_duplicate_certs`.
"""

from __future__ import annotations

from .model import Configuration

LIST = """\
# a comment
exact.list.test
Upper.list.test

*.glob.test
*bare.word.test
*.CASE.test
*solo
*.*.deep.test
 indented.list.test
trailing.list.test\x20
with#hash.list.test
/regex.*/
"""
"""An autosign list with every kind of line."""

PROGRAM = """\
#!/bin/sh
# What the program answers is in the first word of the certname.
case $1 in
    yes-*) exit 0 ;;
    no-*) exit 1 ;;
    odd-*) exit 42 ;;
    killed-*) kill -9 $$ ;;
    noise-*) echo to stdout; echo to stderr >&2; exit 0 ;;
    slow-*) sleep 2; exit 0 ;;
    one-*) [ $# = 1 ] ;;
    input-*) grep -q -e '-----BEGIN CERTIFICATE REQUEST-----' ;;
    *) exit 1 ;;
esac
"""
"""An autosign program."""

CONFIGURATIONS = (
    Configuration("plain", "as installed: requests wait"),
    Configuration(
        "open",
        "alt names, authorization extensions, duplicates and renewal are allowed",
        puppet={"allow_duplicate_certs": "true"},
        ca={
            "allow-subject-alt-names": "true",
            "allow-authorization-extensions": "true",
        },
        ca8={"allow-auto-renewal": "true", "auto-renewal-cert-ttl": '"60d"'},
    ),
    Configuration("autosign", "every request is signed", puppet={"autosign": "true"}),
    Configuration(
        "list",
        "requests on a list are signed; clients are known by headers",
        ca8={"allow-auto-renewal": "true", "auto-renewal-cert-ttl": '"60d"'},
        autosign=LIST,
        headers=True,
    ),
    Configuration(
        "infra",
        "a program decides what is signed; nodes get the list of the infrastructure",
        ca={"enable-infra-crl": "true"},
        ca8={"allow-auto-renewal": "true"},
        autosign=PROGRAM,
        program=True,
        infra=("infra-revoked.diff.test", "renew-relay.diff.test"),
    ),
)
"""In the order in which the recorder takes them."""
