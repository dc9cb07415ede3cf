"""Services that keep copies of certificates are regenerated with their node.

Sources: issue "Site extensions"; docs/reference/extensions.md.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from labsite import PUPPETDB, Site, on_sites
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
    assert [each["name"] for each in extensions.pop(NAME)] == ["puppetdb", "postgresql"]
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
        assert "200" not in asked(site, host, OLD), "an old certificate is refused"
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
