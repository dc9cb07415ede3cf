"""A real Puppet Server of the lab, set up as a configuration says.

Sources: lab/README.md (places); Puppet Server, `systemctl reload` (reads every
setting again, without a new Java).
"""

from __future__ import annotations

import http.client
import ssl
import time
from collections.abc import Callable

from .model import Configuration, Credential
from .place import EXTRA, ca_conf, extra_conf, infra_inventory, puppet_settings
from .wire import Target

NAME = "puppet.lab.test"
_CONF = "/etc/puppet/puppetserver/conf.d"
_CADIR = "/etc/puppet/puppetserver/ca"
_SSLDIR = "/var/lib/puppet/ssl"

Shell = Callable[[str], str]
"""Runs a script on the server's host, as root, and returns what it prints."""

_SET_UP = """\
set -e
test -e /root/puppet.conf || cp /etc/puppet/puppet.conf /root/puppet.conf
cp /root/puppet.conf /etc/puppet/puppet.conf
cat >/root/settings <<'END'
{settings}END
sed -i '/^\\[server\\]/r /root/settings' /etc/puppet/puppet.conf
cat >{conf}/{extra} <<'END'
{changed}END
cat >{conf}/ca.conf <<'END'
{ca_conf}END
cat >/etc/puppet/autosign.conf <<'END'
{autosign}END
chmod {mode} /etc/puppet/autosign.conf
chown puppet: /etc/puppet/autosign.conf
cat >{cadir}/infra_inventory.txt <<'END'
{infra}END
systemctl reload-or-restart puppetserver
"""


def set_up(on: Shell, found: Configuration, version: int) -> None:
    """Write a configuration and have the server read it."""
    on(
        _SET_UP.format(
            settings=puppet_settings(found),
            conf=_CONF,
            extra=EXTRA,
            changed=extra_conf(found),
            ca_conf=ca_conf(found, version),
            autosign=found.autosign,
            mode="755" if found.program else "644",
            cadir=_CADIR,
            infra=infra_inventory(found),
        )
    )


def target(on: Shell, found: Configuration, address: str) -> Target:
    """Return the server as a target; who sends is in its network."""
    return Target(
        host=address,
        port=8140,
        bundle=on(f"cat {_CADIR}/ca_crt.pem").encode(),
        cli=Credential(
            on(f"cat {_SSLDIR}/certs/{NAME}.pem").encode(),
            on(f"cat {_SSLDIR}/private_keys/{NAME}.pem").encode(),
        ),
        root_key=on(f"cat {_CADIR}/root_key.pem 2>/dev/null || true").encode(),
        headers=found.headers,
        names=(NAME,),
    )


def wait(address: str, seconds: float = 180) -> None:
    """Wait until the server says that it is running, three times in a row."""
    limit, good = time.monotonic() + seconds, 0
    while good < 3:
        assert time.monotonic() < limit, "Puppet Server does not come up"
        good = good + 1 if _runs(address) else 0
        time.sleep(0.5)


def _runs(address: str) -> bool:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    connection = http.client.HTTPSConnection(address, 8140, timeout=5, context=context)
    try:
        connection.request("GET", "/status/v1/simple")
        return connection.getresponse().read() == b"running"
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
