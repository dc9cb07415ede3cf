"""Services that keep copies of certificates are regenerated with their node.

Sources: issue "Site extensions"; docs/reference/extensions.md.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hostinstall import install
from labsite import MCOLLECTIVE, PUPPETDB, Site, on_sites
from regeneration import Deployment

pytestmark = pytest.mark.real

HOST, NAME = "puppetdb", "puppetdb.lab.test"
PREPARE = Path(__file__).with_name("extensions.sh")
OWN, PG = "/etc/puppetdb/ssl", "/etc/postgresql/15/main"
COPIES = (
    f"{OWN}/public.pem {OWN}/private.pem {OWN}/ca.pem {PG}/server.crt {PG}/server.key"
)
POSTGRESQL = f"""
[extension.postgresql]
title = "PostgreSQL"
nodes = ["{NAME}"]
services = ["postgresql@15-main"]
configs = ["/etc/postgresql/*/main/postgresql.conf"]

[[extension.postgresql.copy]]
holds = ["certificate", "ca"]
setting = "ssl_cert_file"

[[extension.postgresql.copy]]
holds = ["key"]
setting = "ssl_key_file"
"""
_ASKS = r"""
cd {tree} || exit 9
timeout 20 curl -sS -o /dev/null -w '%{{http_code}}' \
    --cacert /var/lib/puppet/ssl/certs/ca.pem --cert certs/$(hostname).lab.test.pem \
    --key private_keys/$(hostname).lab.test.pem \
    https://{name}:8081/pdb/meta/v1/version 2>&1
"""
OLD = "/var/backups/reseal/*/tree/var/lib/puppet/ssl"
SHOWN = (
    "openssl s_client -starttls postgres -connect localhost:5432 </dev/null 2>/dev/null"
    " | openssl x509 -noout -fingerprint -sha256"
)


@pytest.fixture
def deployment(site: Site, tmp_path: Path) -> Deployment:
    """A site with PuppetDB's copies, and PostgreSQL as a service of its own."""
    deployment = Deployment(site, tmp_path)
    deployment.describe()
    with deployment.site_file.open("a") as file:
        file.write(POSTGRESQL)
    (site.root(HOST) / "root/extensions.sh").write_bytes(PREPARE.read_bytes())
    site.on(HOST, "sh /root/extensions.sh")
    forgive = "s/^soft_write_failure.*/soft_write_failure = false/"
    site.on("puppet", f"sed -i '{forgive}' /etc/puppet/puppetdb.conf")
    site.on("puppet", "systemctl restart puppetserver", timeout=200)
    site.check()
    return deployment


def copies(site: Site) -> str:
    """Return owner, mode, size and hash of every copy."""
    return site.text(HOST, f"stat -c '%n %U:%G %a %s' {COPIES}; sha256sum {COPIES}")


def asked(site: Site, host: str, tree: str) -> str:
    """Return what PuppetDB says to a host that shows a certificate of a directory."""
    return site.on(host, _ASKS.format(tree=tree, name=NAME), check=False).stdout


@on_sites(PUPPETDB)
def test_puppetdb_and_a_service_of_the_sites_own(deployment: Deployment) -> None:
    site = deployment.site
    before, files = copies(site), deployment.files()
    told = json.loads(deployment.reseal("survey", "--json").stdout)
    extensions = {node["name"]: node["extensions"] for node in told}
    assert [each["name"] for each in extensions.pop(NAME)] == ["postgresql", "puppetdb"]
    assert not any(extensions.values())
    assert (copies(site), deployment.files()) == (before, files), "nothing changed"

    deployment.kill_at("begun", f"{NAME}/extension.start")
    deployment.reseal("resume")

    site.check()
    _all_is_new(deployment, before)
    _what_is_stale_is_named(deployment)
    (run,) = (deployment.here / "runs").iterdir()
    deployment.reseal("rollback", "--yes", run.name)
    assert (copies(site), deployment.files()) == (before, files)
    site.check()
    assert site.text(HOST, SHOWN) == deployment.fingerprint(HOST)


def _all_is_new(deployment: Deployment, before: str) -> None:
    site = deployment.site
    after = copies(site)
    kept = [line.split()[:3] for line in before.splitlines() if line.count(" ") == 3]
    assert kept == [line.split()[:3] for line in after.splitlines()][: len(kept)]
    assert not set(before.splitlines()[5:]) & set(after.splitlines()[5:])
    assert site.text(HOST, SHOWN) == deployment.fingerprint(HOST)
    for host in ("puppet", "agent1", HOST):
        assert asked(site, host, "/var/lib/puppet/ssl") == "200"
        assert "alert" in asked(site, host, OLD), "an old certificate is refused"
    checks = json.loads(deployment.reseal("verify", "--json").stdout)
    found = {each["name"] for each in checks if each["node"] == NAME}
    wanted = {
        "puppetdb",
        "puppetdb, old one",
        "puppetdb ca.pem",
        "postgresql server.key",
    }
    assert wanted < found
    assert all(each["ok"] for each in checks)


def _what_is_stale_is_named(deployment: Deployment) -> None:
    """One copy of the old CA is put back."""
    site = deployment.site
    path = f"{OWN}/ca.pem"
    kept = f"/var/backups/reseal/*/tree{path}"
    site.on(HOST, f"cp -p {path} /root/new.pem; cat {kept} >{path}")
    told = json.loads(deployment.reseal("survey", "--json").stdout)
    faults = [fault["message"] for node in told for fault in node["faults"]]
    stale = f"PuppetDB: {path}: holds CA certificates that the node does not trust: 2"
    assert faults == [stale]
    checks = json.loads(deployment.reseal("verify", "--json", code=4).stdout)
    assert [each["name"] for each in checks if not each["ok"]] == ["puppetdb ca.pem"]
    site.on(HOST, f"cat /root/new.pem >{path}")


BROKER = "broker.lab.test"
STORES = "/etc/activemq/ssl/keystore.jks /etc/activemq/ssl/truststore.jks"
PASSWORD = """export S="pup&pet\\"1'";"""
_STOMP = r"""
cd {tree} || exit 9
{{ printf 'CONNECT\n\n\0'; sleep 2; }} | timeout 10 openssl s_client -quiet \
    -connect {name}:61614 -no_ign_eof -cert certs/$(hostname).lab.test.pem \
    -key private_keys/$(hostname).lab.test.pem 2>&1
"""


def said(site: Site, host: str, tree: str) -> str:
    """Return what the broker says to a host that shows a certificate."""
    return site.on(host, _STOMP.format(tree=tree, name=BROKER), check=False).stdout


def stores(site: Site) -> list[str]:
    """Return what keytool tells of both stores, and their kind, owner and mode."""
    list_ = f"{PASSWORD} for s in {STORES}; do head -c 4 $s | od -An -tx1;"
    told = f"{list_} stat -c '%U:%G %a' $s; keytool -list -keystore $s -storepass:env S"
    return site.text("broker", f"{told} 2>/dev/null; done").splitlines()


@on_sites(MCOLLECTIVE)
def test_mcollective_and_its_broker(site: Site, tmp_path: Path) -> None:
    deployment = Deployment(site, tmp_path)
    deployment.describe()
    script = Path(__file__).with_name("brokerstores.sh")
    (site.root("broker") / "root/stores.sh").write_bytes(script.read_bytes())
    site.on("broker", "sh /root/stores.sh")
    site.check()
    hashes = f"sha256sum {STORES}"
    before, old = stores(site), site.text("broker", hashes)
    told = json.loads(deployment.reseal("survey", "--json").stdout)
    assert [[each["name"] for each in node["extensions"]] for node in told] == [
        ["mcollective"],
        ["activemq", "mcollective"],
        ["mcollective"],
    ]
    assert not [fault for node in told for fault in node["faults"]]
    assert "pup&pet" not in json.dumps(told)

    deployment.kill_at("begun", f"{BROKER}/extension.copy")
    deployment.reseal("resume")

    site.check()
    after = stores(site)
    for line in ("fe ed fe ed", "activemq:root 600", f"{BROKER}, ", "2 entries"):
        assert any(line in each for each in before), before
        assert any(line in each for each in after), after
    prints = [each for each in after if "fingerprint" in each]
    assert len(prints) == 3
    assert not {*prints} & {*before}
    for host in ("puppet", "agent1", "broker"):
        assert "ERROR" in said(site, host, "/var/lib/puppet/ssl")
        assert "alert" in said(site, host, OLD), "an old certificate is refused"
    checks = json.loads(deployment.reseal("verify", "--json").stdout)
    assert {"activemq", "activemq, old one", "activemq keystore.jks"} < {
        each["name"] for each in checks
    }
    _a_stale_store_is_named(deployment)
    _ours_makes_the_same(site)
    deployment.reseal("rollback", "--yes")
    assert site.text("broker", hashes) == old
    site.check()


def _a_stale_store_is_named(deployment: Deployment) -> None:
    site = deployment.site
    path = STORES.split()[1]
    kept = f"/var/backups/reseal/*/tree{path}"
    site.on("broker", f"cp -p {path} /root/new.jks; cat {kept} >{path}")
    told = json.loads(deployment.reseal("survey", "--json").stdout)
    assert [fault["message"] for node in told for fault in node["faults"]] == [
        f"ActiveMQ: {path}: holds CA certificates that the node does not trust: 2"
    ]
    checks = json.loads(deployment.reseal("verify", "--json", code=4).stdout)
    wrong = [each["name"] for each in checks if not each["ok"]]
    assert wrong == ["activemq truststore.jks"]
    site.on("broker", f"cat /root/new.jks >{path}")


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
