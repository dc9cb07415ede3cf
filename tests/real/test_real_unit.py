"""The systemd unit on a real host, set up as docs/how-to/serve.md says.

Sources: systemd.exec(5), systemd.service(5), systemd-analyze(1).
"""

from __future__ import annotations

import time

import pytest
from hostinstall import UNIT, install
from labsite import SMALL7, Site, on_sites

pytestmark = pytest.mark.real

SERVER = "/etc/puppet/puppetserver/ca"


def shown(site: Site, name: str) -> str:
    """Return a property of the unit."""
    return site.text("puppet", f"systemctl show -P {name} {UNIT}").strip()


def workers(site: Site) -> set[str]:
    """Return the pids of the unit's workers."""
    return set(site.text("puppet", f"pgrep -P {shown(site, 'MainPID')}").split())


def is_confined(site: Site) -> None:
    """Hold that the service can write nothing but the CA's and its own files."""
    judged = f"systemd-analyze security --no-pager {UNIT} | tail -1"
    said = site.text("puppet", judged)
    assert float(said.rpartition(": ")[2].split()[0]) < 2, said
    inside = f"nsenter --mount --target {shown(site, 'MainPID')}"
    for path in ("/etc/puppet/puppet.conf", "/usr/local/bin/reseal"):
        said = site.on("puppet", f"{inside} touch {path}", check=False).stderr
        assert "Read-only file system" in said


@on_sites(SMALL7)
def test_the_unit_serves_a_puppet_servers_ca_and_gives_it_back(site: Site) -> None:
    agent = site.agents[0]
    site.on(agent.name, "systemctl stop puppet")
    install(site)
    site.on("puppet", "reseal ca check && reseal server --check", timeout=60)
    site.on("puppet", "systemctl daemon-reload; systemctl disable --now puppetserver")
    site.on("puppet", f"systemctl enable --now {UNIT}", timeout=60)
    assert shown(site, "ActiveState") == "active"
    log = site.text("puppet", f"journalctl -u {UNIT} -o cat")
    assert "Notice: Starting Puppet master" in log
    users = site.text("puppet", f"ps -o user= --ppid {shown(site, 'MainPID')}")
    assert set(users.split()) == {"puppet"}
    is_confined(site)

    name = f"unit.{agent.fqdn}"
    request = f"puppet ssl submit_request --certname {name} --ssldir /root/unit"
    site.on(agent.name, request, timeout=60)
    site.on("puppet", f"puppetserver ca sign --certname {name}", timeout=60)
    assert name in site.text("puppet", "puppetserver ca list --all")
    site.on("puppet", f"puppetserver ca revoke --certname {name}", timeout=60)
    owners = f"find {SERVER} -printf '%u:%g\\n' | sort -u"
    assert site.text("puppet", owners).split() == ["puppet:puppet"]

    old = workers(site)
    site.on("puppet", f"systemctl reload {UNIT}", timeout=60)
    assert old
    assert workers(site)
    assert not old & workers(site)
    site.on("puppet", f"systemctl kill --kill-whom=main --signal=KILL {UNIT}")
    limit = time.monotonic() + 30
    while shown(site, "ActiveState") != "active" or shown(site, "NRestarts") == "0":
        assert time.monotonic() < limit, "it was not started again"
        time.sleep(0.2)

    site.on("puppet", f"systemctl disable --now {UNIT}", timeout=60)
    assert shown(site, "Result") == "success"
    site.on("puppet", "systemctl enable --now puppetserver", timeout=200)
    assert name in site.text("puppet", "puppetserver ca list --all")
    site.on(agent.name, "systemctl start puppet")
    site.check()
