"""MCollective with its plug-in `ssl`, as its manual has it, on a site of the lab.

All servers sign with one key, made with the CA's own tool under a name of its own.
Two administrators: alice with a certificate of hers, on the host of an agent, and the
primary server, which signs with what Puppet has given it.

Sources: MCollective, "SSL security plugin" and "Client configuration".
"""

from __future__ import annotations

import shlex

from labsite import Site

SERVERS, ALICE, USER_HOST = "mcollective-servers", "alice", "agent1"
OWN = "/etc/mcollective/ssl"
HOME = "/home/alice/.mcollective.d"
_MAKE = f"""
set -e
puppetserver ca generate --certname {SERVERS} --certname {ALICE}
"""
_SERVER = f"""
set -e
cd /etc/mcollective
chmod 600 ssl/server_private.pem
sed -i '/^securityprovider/d; /^plugin.psk/d' server.cfg client.cfg
cat >>server.cfg <<CFG
securityprovider = ssl
plugin.ssl_server_private = {OWN}/server_private.pem
plugin.ssl_server_public = {OWN}/server_public.pem
plugin.ssl_client_cert_dir = {OWN}/clients
CFG
cat >>client.cfg <<CFG
securityprovider = ssl
plugin.ssl_server_public = {OWN}/server_public.pem
plugin.ssl_client_private = /var/lib/puppet/ssl/private_keys/$(hostname).lab.test.pem
plugin.ssl_client_public = /var/lib/puppet/ssl/certs/$(hostname).lab.test.pem
CFG
systemctl restart mcollective
"""
_USER = f"""
set -e
useradd --create-home --home-dir /home/alice alice
mkdir -p {HOME}
mv /root/alice.key /root/alice.pem {HOME}
cp {OWN}/server_public.pem /var/lib/puppet/ssl/certs/ca.pem {HOME}
sed 's|^\\(plugin.activemq.pool.1.ssl.cert\\) .*|\\1 = {HOME}/alice.pem|
    s|^\\(plugin.activemq.pool.1.ssl.key\\) .*|\\1 = {HOME}/alice.key|
    s|^\\(plugin.activemq.pool.1.ssl.ca\\) .*|\\1 = {HOME}/ca.pem|
    s|^\\(plugin.ssl_client_private\\) .*|\\1 = {HOME}/alice.key|
    s|^\\(plugin.ssl_client_public\\) .*|\\1 = {HOME}/alice.pem|
    s|^\\(plugin.ssl_server_public\\) .*|\\1 = {HOME}/server_public.pem|
    ' /etc/mcollective/client.cfg >/home/alice/.mcollective
chmod 600 {HOME}/alice.key /home/alice/.mcollective
chown -R alice:alice /home/alice
"""


def configure(site: Site) -> None:
    """Have every host sign with `ssl` in place of a word that all know."""
    site.on("puppet", _MAKE)
    ssl = "/var/lib/puppet/ssl"
    kept = {
        name: site.text("puppet", f"cat {ssl}/{name}") + "\n"
        for name in (
            *(f"certs/{each}.pem" for each in (SERVERS, ALICE, "puppet.lab.test")),
            *(f"private_keys/{each}.pem" for each in (SERVERS, ALICE)),
        )
    }
    for host in site.hosts:
        own = site.root(host.name) / OWN.removeprefix("/")
        (own / "clients").mkdir(parents=True)
        (own / "server_private.pem").write_text(kept[f"private_keys/{SERVERS}.pem"])
        (own / "server_public.pem").write_text(kept[f"certs/{SERVERS}.pem"])
        for name in (ALICE, "puppet.lab.test"):
            (own / f"clients/{name}.pem").write_text(kept[f"certs/{name}.pem"])
        site.on(host.name, _SERVER)
    root = site.root(USER_HOST) / "root"
    (root / "alice.key").write_text(kept[f"private_keys/{ALICE}.pem"])
    (root / "alice.pem").write_text(kept[f"certs/{ALICE}.pem"])
    site.on(USER_HOST, _USER)


def heard(site: Site, words: str = "ping") -> set[str]:
    """Return whom alice hears, within a minute of everybody's coming back."""
    command = f"timeout 25 mco {words} --timeout 8 2>&1"
    found: set[str] = set()
    for _ in range(4):
        told = site.on(
            USER_HOST, f"su - alice -c {shlex.quote(command)}", check=False
        ).stdout
        found = {word for word in told.split() if word.endswith(".lab.test")}
        if len(found) == len(site.hosts):
            break
    return found


_PSK = """
set -e
cd /etc/mcollective
sed -i '/^securityprovider/d; /^plugin.ssl_/d' server.cfg client.cfg
for file in server.cfg client.cfg; do
    printf 'securityprovider = psk\\nplugin.psk = lab\\n' >>$file
done
systemctl restart mcollective
"""
_PSK_HOME = """
sed -i '/^securityprovider/d; /^plugin.ssl_/d' /home/alice/.mcollective
printf 'securityprovider = psk\\nplugin.psk = lab\\n' >>/home/alice/.mcollective
"""


def share_a_word(site: Site) -> None:
    """Have every host sign with a word that all know, as the lab has it."""
    for host in site.hosts:
        site.on(host.name, _PSK)
    site.on(USER_HOST, _PSK_HOME)
