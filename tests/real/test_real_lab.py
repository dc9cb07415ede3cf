"""The lab itself: every shape of site comes up, works, and is put back.

Sources: lab/README.md.
"""

from __future__ import annotations

import pytest
from labsite import MIXED, PUPPET5, PUPPET7, PUPPET8, Site, on_sites

pytestmark = pytest.mark.real


@on_sites(PUPPET5, PUPPET7, PUPPET8, MIXED)
def test_every_host_completes_an_agent_run(untouched_site: Site) -> None:
    untouched_site.check()


@on_sites(MIXED)
def test_a_mixed_site_has_agents_of_three_majors(untouched_site: Site) -> None:
    versions = [
        untouched_site.text(h.name, "puppet --version") for h in untouched_site.agents
    ]
    assert [version.split(".")[0] for version in versions] == ["7", "5", "8"]


@on_sites(MIXED)
def test_operator_has_sudo_and_guest_has_not(untouched_site: Site) -> None:
    ssh = ["ssh", "-F", str(untouched_site.ssh_config)]
    who = untouched_site.run(*ssh, "operator@agent1", "sudo -n id -un")
    assert (who.returncode, who.stdout) == (0, "root\n")
    refused = untouched_site.run(*ssh, "guest@agent1", "id -un && sudo -n id -un")
    assert refused.returncode != 0
    assert refused.stdout == "guest\n"


@on_sites(PUPPET5)
def test_restore_puts_a_changed_site_back(site: Site) -> None:
    before = site.text("agent1", f"cat {site.ssldir}/certs/{site.fqdn('agent1')}.pem")
    site.snapshot("before")
    site.lab("regenerate-by-hand")
    path = f"{site.ssldir}/certs/{site.fqdn('agent1')}.pem"
    assert site.text("agent1", f"cat {path}") != before
    site.restore("before")
    assert site.text("agent1", f"cat {path}") == before
    site.check()
