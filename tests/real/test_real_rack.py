"""A Rack master is regenerated, and the web server that ends TLS before it.

Puppet 5.5 as Debian's `puppet-master-passenger` has it, behind Apache, and as Puppet's
own documentation had it with nginx and unicorn, where nginx has copies.

Sources: the page ssl_regenerate.md, step 1 ("For a Rack-based master, stop whatever web
server you're using"); nginx, ngx_http_ssl_module (error 495).
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from labsite import RACK, Site, on_sites
from regeneration import Deployment

pytestmark = pytest.mark.real

NAME, TLS = "puppet.lab.test", "/etc/nginx/tls"
UNICORN = f"""
[extension.unicorn]
title = "Puppet in unicorn"
nodes = ["{NAME}"]
services = ["puppet-unicorn"]

[[extension.unicorn.copy]]
holds = ["ca"]
own = true
"""
_OLD_ONE = f"""
cd /var/backups/reseal/*/tree/var/lib/puppet/ssl
curl -sS --max-time 20 --cacert /var/lib/puppet/ssl/certs/ca.pem \\
    --cert certs/$(hostname).lab.test.pem --key private_keys/$(hostname).lab.test.pem \\
    'https://{NAME}:8140/puppet-ca/v1/certificate/ca?environment=production' 2>&1 || :
"""
_PROCESS = "systemctl show -p MainPID --value"


@pytest.fixture
def deployment(site: Site, tmp_path: Path) -> Deployment:
    deployment = Deployment(site, tmp_path)
    deployment.describe()
    return deployment


def _messages(deployment: Deployment) -> list[str]:
    told = json.loads(deployment.reseal("survey", "--json").stdout)
    assert [n["server"]["kind"] for n in told if n["server"]] == ["rack"]
    return [fault["message"] for node in told for fault in node["faults"]]


def _proven(deployment: Deployment, before: dict[str, str]) -> None:
    """Every certificate is another, works, and the old ones do not."""
    after = deployment.fingerprints()
    assert not {*before.values()} & {*after.values()}
    deployment.site.check()
    checks = json.loads(deployment.reseal("verify", "--json").stdout)
    assert all(each["ok"] for each in checks)
    assert {each["node"] for each in checks if each["name"] == "old certificate"} == {
        host.fqdn for host in deployment.site.hosts
    }


@on_sites(RACK)
def test_apache_with_passenger(deployment: Deployment) -> None:
    site, before = deployment.site, deployment.fingerprints()
    files = deployment.files()
    assert not _messages(deployment)
    told = deployment.reseal("regenerate", "--yes").stdout
    assert "2 of 2 nodes proven" in told
    _proven(deployment, before)
    for host in site.hosts:
        assert "alert" in site.text(host.name, _OLD_ONE)

    (run,) = (deployment.here / "runs").iterdir()
    deployment.reseal("rollback", "--yes", run.name)
    assert deployment.files() == files
    site.check()


def _put_nginx_before(site: Site) -> None:
    script = Path(__file__).with_name("nginxrack.sh")
    (site.root("puppet") / "root/nginxrack.sh").write_bytes(script.read_bytes())
    site.on("puppet", "sh /root/nginxrack.sh")


def _hashes(site: Site) -> set[str]:
    return {*site.text("puppet", f"sha256sum {TLS}/*").splitlines()}


@on_sites(RACK)
def test_nginx_with_copies_before_unicorn(deployment: Deployment) -> None:
    site = deployment.site
    _put_nginx_before(site)
    site.check()
    assert [m for m in _messages(deployment) if "behind the web server" in m]
    with deployment.site_file.open("a") as file:
        file.write(UNICORN)
    assert not _messages(deployment)
    before, process = deployment.fingerprints(), f"{_PROCESS} puppet-unicorn"
    unicorn = site.text("puppet", process)
    old = _hashes(site)

    deployment.kill_at("begun", f"{NAME}/server.start")
    deployment.reseal("resume")
    _proven(deployment, before)
    assert unicorn != site.text("puppet", process), "it had the old CA in mind"
    assert not old & _hashes(site)
    for host in site.hosts:
        assert "The SSL certificate error" in site.text(host.name, _OLD_ONE)

    kept = f"/var/backups/reseal/*/tree{TLS}/cert.pem"
    site.on("puppet", f"cat {kept} >{TLS}/cert.pem")
    stale = f"nginx: {TLS}/cert.pem: holds another certificate than the node has"
    assert _messages(deployment) == [stale]
    checks = json.loads(deployment.reseal("verify", "--json", code=4).stdout)
    assert [e["name"] for e in checks if not e["ok"]] == ["nginx cert.pem"]
