"""Real agents of three generations complete runs against reseal's primary.

Sources: issue "A whole site of our own", 1; docs/reference/primary.md.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from hostinstall import install, serve
from labsite import MIXED, PROJECT, Host, Site, on_sites

pytestmark = pytest.mark.real

PREPARE = PROJECT / "tests/data/primary/prepare.sh"
CODE = "/etc/puppet/code/environments/production"
OLD = "what was there before\n"
DEFAULT = """
classes: [everywhere]
resources:
  filebucket:
    main: {path: false, server: puppet.lab.test}
  file:
    /tmp/made: {ensure: file, content: "static\\n", mode: "0640"}
    /tmp/sourced:
      source: puppet:///modules/demo/hello.txt
      require: File[/tmp/made]
    /tmp/tree: {source: "puppet:///modules/demo/dir", recurse: true}
    /tmp/old: {content: "new\\n", backup: main}
"""
MANIFEST = """
file { '/tmp/made': content => "${facts['demo']} ${trusted['authenticated']}\\n" }
file { '/tmp/sourced': source => 'puppet:///modules/demo/hello.txt' }
"""
BEHIND = """
cp -a /etc/puppet/puppetserver /etc/puppet/behind
cd /etc/puppet/behind/conf.d
echo "webserver: { host: 127.0.0.1, port: 8139 }" >webserver.conf
sed -i 's/authorization: {/authorization: {\\n    allow-header-cert-info: true/' \
    auth.conf
sed 's#/etc/puppet/puppetserver/#/etc/puppet/behind/#' \
    /lib/systemd/system/puppetserver.service >/etc/systemd/system/puppetserver.service
sed -i '/^Conflicts=/d' /etc/systemd/system/reseal-server.service
systemctl daemon-reload
systemctl start puppetserver
"""


def runs(site: Site) -> None:
    """Have every agent run twice: first with changes, then without."""
    script = "puppet agent --test --color=false; echo exit $?"
    for host in site.agents:
        both = f"({script}; {script}) >/root/runs.log 2>&1 </dev/null &"
        site.on(host.name, f"rm -f /tmp/made /root/runs.log; {both}")
    for host in site.agents:
        wait = "for i in $(seq 900); do test $(grep -c ^exit /root/runs.log) = 2 "
        said = site.text(
            host.name, f"{wait} && break; sleep 0.1; done; cat /root/runs.log"
        )
        codes = [line for line in said.splitlines() if line.startswith("exit")]
        assert codes == ["exit 2", "exit 0"], f"{host.release}: {said}"
        assert "Error" not in said, said
        assert "Warning" not in said, said


def runs_by_a_list(site: Site, host: Host) -> None:
    """Have an agent run that is told of two servers, one of which is not there."""
    listed = "--server_list=puppet.lab.test:1,puppet.lab.test:8140"
    said = site.text(
        host.name, f"puppet agent --test --color=false {listed} 2>&1; echo exit $?"
    )
    assert said.endswith("exit 0"), said
    kept = told(site, "report", "show", host.fqdn)
    used = "master_used" if host.release == "bullseye" else "server_used"
    assert kept[used] == "puppet.lab.test:8140"


def told(site: Site, *words: str) -> Any:
    """Return what a command on the server's host says in JSON."""
    return json.loads(site.text("puppet", f"reseal {' '.join(words)} --json"))


def kept_of(site: Site, host: Host) -> None:
    """Hold that the last two runs of an agent have left facts and reports."""
    reports = told(site, "report", "list", host.fqdn)
    assert [each["status"] for each in reports[-2:]] == ["changed", "unchanged"]
    path = f"/var/lib/reseal-server/facts/{host.fqdn}.json"
    facts = json.loads(site.text("puppet", f"cat {path}"))["values"]
    assert facts["clientcert"] == host.fqdn
    assert facts["demo"] == "from ruby", "the plugins were not fetched"
    assert facts["demo_told"] == "told", "the external facts were not fetched"


@on_sites(MIXED)
def test_agents_complete_their_runs_with_every_source_of_catalogs(
    serverless_site: Site,
) -> None:
    site = serverless_site
    for host in site.agents:
        site.on(host.name, f"systemctl stop puppet; printf '{OLD}' >/tmp/old")
    site.on("puppet", PREPARE.read_text())
    install(site)
    root = site.root("puppet")
    folder = root / "etc/puppet/catalogs"
    (folder / "modules").mkdir(parents=True)
    (folder / "default.yaml").write_text(DEFAULT)
    demo = f"{CODE}/modules/demo"
    dangling = "/etc/puppet/catalogs/modules/demo/files/dangling"
    site.on("puppet", f"cp -a {demo} /etc/puppet/catalogs/modules; rm {dangling}")
    site.on("puppet", "reseal catalog check && systemctl stop puppet")

    serve(site, '[primary]\ncatalogs = "static"\n')
    runs(site)
    for host in site.agents:
        kept_of(site, host)
        runs_by_a_list(site, host)
        shown = "cat /tmp/made /tmp/sourced /tmp/tree/deep/b.txt /tmp/old"
        assert site.text(host.name, shown).split() == ["static", "hello", "b", "new"]
        classes = "cat $(puppet config print classfile)"
        assert site.text(host.name, classes) == "everywhere"
    bucket = Path("/var/lib/reseal-server/bucket")
    contents = site.text("puppet", f"find {bucket} -name contents | xargs sort -u")
    assert contents == OLD.strip()
    refused_without_a_new_certificate(site, site.agents[0])

    (root / f"{CODE[1:]}/manifests/site.pp").write_text(MANIFEST)
    serve(site, '[primary]\ncatalogs = "puppet"\n')
    runs(site)
    for host in site.agents:
        kept_of(site, host)
        assert site.text(host.name, "cat /tmp/made") == "from ruby remote"

    site.on("puppet", BEHIND, timeout=300)
    serve(site, '[primary]\ncatalogs = "proxy"\nurl = "http://127.0.0.1:8139"\n')
    runs(site)
    for host in site.agents:
        reports = told(site, "report", "list", host.fqdn)
        assert [each["status"] for each in reports[-2:]] == ["changed", "unchanged"]
        assert site.text(host.name, "cat /tmp/made") == "from ruby remote"


def refused_without_a_new_certificate(site: Site, host: Host) -> None:
    """Hold that a node of another CA gets no catalog, but leaves its request."""
    name = f"other.{host.fqdn}"
    ssl = "/root/other"
    site.on("puppet", "rm -rf /root/ca; mkdir /root/ca")
    made = "reseal ca setup --certname {0} --ssldir /root/ca/ssl --cadir /root/ca/ca"
    site.on("puppet", made.format(name), timeout=60)
    source = site.root("puppet") / "root/ca/ssl"
    target = site.root(host.name) / ssl.lstrip("/")
    site.on(host.name, f"rm -rf {ssl}")
    shutil.copytree(source, target, symlinks=True)
    run = f"puppet agent --test --color=false --certname {name} --ssldir {ssl}"
    done = site.on(host.name, f"{run} 2>&1; echo exit $?", check=False).stdout
    assert "exit 1" in done
    assert "certificate verify failed" in done or "alert" in done, done
    ask = f"rm -rf {ssl}; puppet ssl submit_request --certname {name} --ssldir {ssl}"
    site.on(host.name, ask, timeout=60)
    assert name in site.text("puppet", "reseal cert list")
