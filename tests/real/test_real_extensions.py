"""Services that keep copies of certificates are regenerated with their nodes.

One site with all of them: PuppetDB with copies as Puppet's own package keeps them, and
a connection to PostgreSQL that is a matter of certificates on both sides; ActiveMQ with
key stores and revocation lists; MCollective that signs with `ssl`, on every host, and
two administrators; RabbitMQ, NATS, nginx and Apache; an agent which has its catalogs
from a compiler.

Sources: issue "Site extensions"; docs/reference/extensions.md.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import mcossl
import pytest
from hostinstall import install
from labsite import EXTENSIONS, Site, on_sites
from regeneration import Deployment

pytestmark = pytest.mark.real

NAME, BROKER, AGENT = "puppetdb.lab.test", "broker.lab.test", "agent1.lab.test"
OWN, PG = "/etc/puppetdb/ssl", "/etc/postgresql/15/main"
STORES = "/etc/activemq/ssl/keystore.jks /etc/activemq/ssl/truststore.jks"
PASSWORD = """export S="pup&pet\\"1'";"""
SSL = "/var/lib/puppet/ssl"
OLD = f"/var/backups/reseal/*/tree{SSL}"
_TLS = "/etc/nginx/tls"
COPIES = {
    "puppetdb": f"{OWN} {PG}/server.crt {PG}/server.key {PG}/root.crt",
    "broker": "/etc/activemq/ssl /etc/rabbitmq/tls",
    "agent1": f"{mcossl.HOME} /etc/nats {_TLS}/chain.pem {_TLS}/key.pem {_TLS}/ca.pem "
    "/etc/apache2/tls",
}
DECLARED = f"""
[extension.alice]
nodes = ["{AGENT}"]
like = "mcollective-client"
configs = ["/home/alice/.mcollective"]
first = false

[extension.postgresql]
title = "PostgreSQL"
nodes = ["{NAME}"]
services = ["postgresql@15-main"]
configs = ["/etc/postgresql/*/main/postgresql.conf"]
reload = true

[[extension.postgresql.copy]]
holds = ["certificate", "ca"]
setting = "ssl_cert_file"

[[extension.postgresql.copy]]
holds = ["key"]
setting = "ssl_key_file"

[[extension.postgresql.copy]]
holds = ["ca"]
setting = "ssl_ca_file"

[extension.postgresql.door]
port = 5432
before = "postgres"
say = "\\u0000\\u0000\\u0000\\u0015\\u0000\\u0003\\u0000\\u0000\
user\\u0000reseal\\u0000\\u0000"
answer = ["R", "E"]
"""
_ASKS = {
    "PuppetDB": r"""
timeout 20 curl -sS -o /dev/null -w '%{http_code}' --cacert SSL/certs/ca.pem \
    --cert certs/NAME.pem --key private_keys/NAME.pem \
    https://puppetdb.lab.test:8081/pdb/meta/v1/version 2>&1
""",
    "PostgreSQL": r"""
{ sleep 2; } | timeout 10 openssl s_client -starttls postgres -quiet \
    -connect puppetdb.lab.test:5432 -no_ign_eof -CAfile SSL/certs/ca.pem \
    -verify_return_error -cert certs/NAME.pem -key private_keys/NAME.pem 2>&1
echo "ended: $?"
""",
    "ActiveMQ": r"""
{ printf 'CONNECT\n\n\0'; sleep 2; } | timeout 10 openssl s_client -quiet \
    -connect broker.lab.test:61614 -no_ign_eof -cert certs/NAME.pem \
    -key private_keys/NAME.pem 2>&1
""",
    "nginx": r"""
timeout 20 curl -sS --cacert SSL/certs/ca.pem --cert certs/NAME.pem \
    --key private_keys/NAME.pem https://agent1.lab.test:8443/pdb/meta/v1/version 2>&1
""",
    "Apache": r"""
timeout 20 curl -sS --cacert SSL/certs/ca.pem --cert certs/NAME.pem \
    --key private_keys/NAME.pem https://agent1.lab.test:9443/pdb/meta/v1/version 2>&1
""",
    "RabbitMQ": r"""
{ printf 'AMQP\000\000\011\001'; sleep 2; } | timeout 10 openssl s_client -quiet \
    -connect broker.lab.test:5671 -no_ign_eof -cert certs/NAME.pem \
    -key private_keys/NAME.pem 2>&1 | tr -d '\000'
""",
    "compiler": r"""
timeout 20 curl -sS -o /dev/null -w '%{http_code}' --cacert SSL/certs/ca.pem \
    --cert certs/NAME.pem --key private_keys/NAME.pem \
    https://compiler.lab.test:8140/puppet/v3/environments 2>&1
""",
    "Puppet Server": r"""
timeout 20 curl -sS -o /dev/null -w '%{http_code}' --cacert SSL/certs/ca.pem \
    --cert certs/NAME.pem --key private_keys/NAME.pem \
    https://puppet.lab.test:8140/puppet-ca/v1/certificate/ca 2>&1
""",
}
"""How each of the listeners is asked."""


_DATABASE = "systemctl show -p MainPID,ExecMainStartTimestamp postgresql@15-main"


def asked(site: Site, host: str, what: str, tree: str) -> str:
    """Return what a listener says to a host that shows a certificate of a directory."""
    script = _ASKS[what].replace("SSL", SSL).replace("NAME", site.fqdn(host))
    return site.on(host, f"cd {tree} || exit 9\n{script}", check=False).stdout


_PREPARED = {
    "puppetdb": "extensions.sh",
    "broker": "brokerstores.sh",
    "agent1": "webandbus.sh",
}
"""What is run on each host for it to have copies."""


@pytest.fixture
def deployment(site: Site, tmp_path: Path) -> Deployment:
    """The site, with everything that keeps copies, and its site file."""
    deployment = Deployment(site, tmp_path)
    deployment.describe(compiler='roles = ["server", "agent"]\n')
    with deployment.site_file.open("a") as file:
        file.write(DECLARED)
    mcossl.configure(site)
    for host, name in _PREPARED.items():
        script = Path(__file__).with_name(name)
        (site.root(host) / "root" / name).write_bytes(script.read_bytes())
        site.on(host, f"sh /root/{name}")
    forgive = "s/^soft_write_failure.*/soft_write_failure = false/"
    site.on("puppet", f"sed -i '{forgive}' /etc/puppet/puppetdb.conf")
    site.on("puppet", "systemctl restart puppetserver", timeout=200)
    _works(deployment)
    return deployment


def _works(deployment: Deployment) -> None:
    """Everybody has a run, PuppetDB has news of all, and alice hears all."""
    site = deployment.site
    site.check()
    everybody = {host.fqdn for host in site.hosts}
    assert mcossl.heard(site, "find") == everybody
    assert mcossl.heard(site) == everybody


def copies(site: Site) -> dict[str, str]:
    """Return owner, mode and hash of every copy on every host."""
    found = {}
    for host in site.hosts:
        paths = f"{mcossl.OWN} {COPIES.get(host.name, '')}"
        script = f"""
find {paths} -type f -name '*.??*' -exec stat -c '%n %U:%G %a' {{}} + | sort
find {paths} -type f -name '*.??*' -exec sha256sum {{}} + | sort -k 2
"""
        found[host.name] = site.text(host.name, script)
    return found


@on_sites(EXTENSIONS)
def test_a_site_with_every_extension(deployment: Deployment) -> None:
    site = deployment.site
    before, files = copies(site), deployment.files()
    database = site.text("puppetdb", _DATABASE)
    told = _surveyed(deployment)
    _all_is_found(told)
    assert (copies(site), deployment.files()) == (before, files), "nothing changed"

    deployment.kill_at("begun", f"{NAME}/extension.start")
    deployment.kill_at("begun", f"{BROKER}/extension.copy", "resume")
    deployment.kill_at("begun", f"{AGENT}/pair.copy", "resume")
    deployment.reseal("resume")

    _works(deployment)
    _all_is_new(deployment, before)
    assert site.text("puppetdb", _DATABASE) == database, "it was only reloaded"
    _old_ones_are_refused(site)
    (run,) = (deployment.here / "runs").iterdir()
    _what_is_stale_is_named(deployment)
    _what_is_stale_is_renewed(deployment)
    _ours_makes_the_same(site)
    deployment.reseal("rollback", "--yes", run.name)
    assert (copies(site), deployment.files()) == (before, files)
    _works(deployment)
    _the_other_plug_in_works(deployment)


def _the_other_plug_in_works(deployment: Deployment) -> None:
    """`psk`: MCollective's servers share a word and no key; alice's is hers alone."""
    site = deployment.site
    mcossl.share_a_word(site)
    before = deployment.fingerprints()
    told = deployment.reseal("regenerate", "--yes").stdout
    assert f"{len(site.hosts)} of {len(site.hosts)} nodes proven" in told
    assert not {*before.values()} & {*deployment.fingerprints().values()}
    _works(deployment)


def _all_is_found(told: list[dict[str, Any]]) -> None:
    names = {
        node["name"]: [each["name"] for each in node["extensions"]] for node in told
    }
    mco = ["mcollective", "mcollective-client"]
    assert names == {
        "puppet.lab.test": mco,
        NAME: ["postgresql", "puppetdb", *mco],
        BROKER: ["activemq", *mco, "rabbitmq"],
        "compiler.lab.test": mco,
        AGENT: ["alice", *mco, "nats", "nginx", "apache"],
    }
    assert not [fault for node in told for fault in node["faults"]]
    assert "pup&pet" not in json.dumps(told)
    assert "ownword" not in json.dumps(told)


def _all_is_new(deployment: Deployment, before: dict[str, str]) -> None:
    """Names, owners and modes are as before, and every content is another."""
    site = deployment.site
    for host, text in copies(site).items():
        rows = len(text.splitlines()) // 2
        old, new = before[host].splitlines(), text.splitlines()
        assert old[:rows] == new[:rows], host
        assert not {*old[rows:]} & {*new[rows:]}, host
    checks = json.loads(deployment.reseal("verify", "--json").stdout)
    found = {(each["node"], each["name"]) for each in checks}
    wanted = {
        *((NAME, name) for name in ("puppetdb", "puppetdb, old one")),
        *((NAME, name) for name in ("puppetdb private.pk8", "postgresql root.crt")),
        *((BROKER, name) for name in ("activemq, old one", "activemq crl.pem")),
        (AGENT, "alice alice.key"),
        (NAME, "postgresql, old one"),
        *((AGENT, name) for name in ("nats, old one", "nginx chain.pem")),
        (AGENT, "apache crl.pem"),
        *((BROKER, name) for name in ("rabbitmq, old one", "rabbitmq key.pem")),
        *((host.fqdn, "mcollective, heard") for host in site.hosts),
        *((host.fqdn, "mcollective server_private.pem") for host in site.hosts),
    }
    assert wanted <= found, wanted - found
    assert all(each["ok"] for each in checks)
    report = json.loads(deployment.reseal("report").stdout)
    shared = " ".join(report["shared_keys"])
    assert "mcollective-servers: is made on puppet.lab.test" in shared
    assert "alice: is made on agent1.lab.test" in shared
    assert "PRIVATE" not in json.dumps(report)


def _old_ones_are_refused(site: Site) -> None:
    """By each listener; and nobody does what alice signs with her old key."""
    for host in ("puppet", "agent1"):
        for what in _ASKS:
            new, old = asked(site, host, what, SSL), asked(site, host, what, OLD)
            assert "alert" not in new, (what, host, new)
            refused = "alert" in old or (what == "nginx" and "400 Bad" in old)
            assert refused, (what, host, old)
        assert asked(site, host, "PuppetDB", SSL) == "200"
        assert asked(site, host, "Puppet Server", SSL) == "200"
        assert asked(site, host, "compiler", SSL) == "200"
        for proxy in ("nginx", "Apache"):
            assert '"version"' in asked(site, host, proxy, SSL), "PuppetDB's answer"
    home = mcossl.HOME
    kept = f"/var/backups/reseal/*/tree{home}"
    site.on("agent1", f"cp -a {home} /root/new; cat {kept}/alice.key >{home}/alice.key")
    assert not site.text(
        "agent1", "su alice -c 'timeout 20 mco ping 2>&1 | grep time='; :"
    )
    site.on("agent1", f"cat /root/new/alice.key >{home}/alice.key")


_CLIENT = "mcollective-client"
_SHARED = f"{mcossl.OWN}/server_private.pem"
STALE = (
    ("puppetdb", f"{OWN}/ca.pem", "puppetdb", "PuppetDB"),
    ("puppetdb", f"{PG}/root.crt", "postgresql", "PostgreSQL"),
    ("broker", STORES.split()[1], "activemq", "ActiveMQ"),
    ("broker", "/etc/rabbitmq/tls/ca.pem", "rabbitmq", "RabbitMQ"),
    ("agent1", "/etc/nats/cert.pem", "nats", "NATS"),
    ("agent1", f"{_TLS}/ca.pem", "nginx", "nginx"),
    ("agent1", "/etc/apache2/tls/cert.pem", "apache", "Apache"),
    ("agent1", f"{mcossl.OWN}/client-ca.pem", _CLIENT, "MCollective's client"),
    ("agent1", f"{mcossl.HOME}/ca.pem", "alice", "alice"),
    ("agent1", _SHARED, "mcollective", "MCollective"),
)
"""Copies of the old CA, one of each extension: where, and which extension's."""

_AT_ONCE = ((BROKER, "rabbitmq"), (BROKER, "rabbitmq, old one"))
"""What fails because RabbitMQ has read its copy."""


def _what_is_stale_is_named(deployment: Deployment) -> None:
    """One copy of each extension is put back: these are found, and no others."""
    site = deployment.site
    for host, path, _, _ in STALE:
        kept = f"/var/backups/reseal/*/tree{path}"
        site.on(host, f"rm -rf /root/new; cp -p {path} /root/new; cat {kept} >{path}")
    # It may read them at any time: let it do so now.
    site.on("broker", "systemctl restart rabbitmq-server")
    told = _surveyed(deployment)
    faults = [fault["message"] for node in told for fault in node["faults"]]
    for text in (
        *(f"{title}: {path}: holds " for _, path, _, title in STALE),
        "mcollective: is not heard by mco ping ",
        "RabbitMQ: does not answer as it should: ",
    ):
        found = [each for each in faults if each.startswith(text)]
        assert len(found) == 1, (text, faults)
        faults.remove(found[0])
    assert not faults
    checks = json.loads(deployment.reseal("verify", "--json", code=4).stdout)
    wrong = {(each["node"], each["name"]) for each in checks if not each["ok"]}
    stale = {(site.fqdn(h), f"{name} {Path(p).name}") for h, p, name, _ in STALE}
    assert wrong == stale | {(AGENT, "mcollective, heard"), *_AT_ONCE}
    site.on("agent1", f"cat /root/new >{_SHARED}")


def _what_is_stale_is_renewed(deployment: Deployment) -> None:
    """Copies alone, from what nodes have; no certificate of Puppet's is another."""
    before = deployment.files()
    site, own = deployment.site, f"{mcossl.OWN}/client-ca.pem"
    # Its question is for the CA's host, whose part of the first run would be later.
    site.on("agent1", f"cat {SSL}/certs/ca.pem >{own}")
    kept = [name for _, _, name, _ in STALE if name not in ("mcollective", _CLIENT)]
    words = [word for name in kept for word in ("--only", name)]
    told = deployment.reseal("regenerate", *words, "--yes").stdout
    assert "3 of 3 nodes proven" in told
    assert deployment.files() == before
    assert not [f for node in _surveyed(deployment) for f in node["faults"]]


def _surveyed(deployment: Deployment) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(
        deployment.reseal("survey", "--json").stdout
    )
    return found


def _ours_makes_the_same(site: Site) -> None:
    """`reseal node stores`, beside what the script on Ruby has made."""
    install(site, "broker")
    ssl, name = "/var/lib/puppet/ssl", BROKER
    xml = "/etc/activemq/instances-available/main/activemq.xml"
    for jks in (True, False):
        order = {
            "mode": "0600",
            "owner": "activemq:root",
            "jks": jks,
            "ca": f"{ssl}/certs/ca.pem",
        }
        key = {
            "key": f"{ssl}/private_keys/{name}.pem",
            "certificate": f"{ssl}/certs/{name}.pem",
            "alias": name,
            "password": [xml, "keyStorePassword"],
        }
        orders = [
            {**order, **key, "path": "/run/key"},
            {**order, "password": [xml, "trustStorePassword"], "path": "/run/trust"},
        ]
        (site.root("broker") / "root/orders").write_text(json.dumps(orders))
        site.on("broker", "install -d -m 700 /root/run")
        site.on("broker", "reseal node stores -- /root/run </root/orders")
        for ours, theirs in zip(
            ("/run/key", "/run/trust"), STORES.split(), strict=True
        ):
            look = "keytool -list -rfc -storepass:env S -keystore {} 2>/dev/null"
            look = f"{PASSWORD} {look} | grep -E '^([A-Za-z0-9+/=]+|Alias.*|Entry.*)$'"
            one, two = (site.text("broker", look.format(p)) for p in (ours, theirs))
            assert "Entry type" in one
            assert one == two
