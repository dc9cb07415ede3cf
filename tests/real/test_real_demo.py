"""`reseal demo` where Puppet's agent is installed: it joins, for root and for a user.

Sources: issue "A whole site of our own", 5.
"""

from __future__ import annotations

import re

import pytest
from hostinstall import install
from labsite import SMALL7, SMALL8, Site, on_sites

pytestmark = pytest.mark.real

USERS = {SMALL7: "root", SMALL8: "nobody"}
PUPPET = {SMALL7: "7.23.0", SMALL8: "8."}
FOLDERS = "etc/puppet var/lib/puppet var/cache/puppet"
FILES = f"cd /; find {FOLDERS} -type f | sort | xargs sha256sum"
NOBODY = "setpriv --reuid=nobody --regid=nogroup --clear-groups env HOME=/tmp/of-nobody"


@on_sites(SMALL7, SMALL8)
def test_puppets_agent_joins(serverless_site: Site) -> None:
    site, host = serverless_site, "agent1"
    user = USERS[site.shape]
    install(site, host)
    site.on(host, "systemctl stop puppet; install -d -o nobody /tmp/of-nobody")
    before = site.text(host, FILES)
    become = NOBODY if user == "nobody" else ""
    said = site.text(host, f"{become} reseal demo --report /tmp/of-nobody/r.html")
    assert "7 of 7 nodes proven." in said
    assert len(re.findall(r"old certificate  +refused: \S.*refused: \S", said)) == 7
    assert len(re.findall(r"new certificate  +HTTP status 200 .*200", said)) == 7
    guest = next(line for line in said.splitlines() if line.startswith("guest01."))
    assert f"  puppet {PUPPET[site.shape]}" in guest
    assert said.endswith("It is gone, and nothing of it runs.")
    assert site.text(host, FILES) == before, "the machine's own Puppet is left alone"
    left = site.on(host, "pgrep -af '[/]nodes/'; ls -d /tmp/reseal-demo-*", check=False)
    assert left.stdout == ""
    assert "Proven" in site.text(host, "cat /tmp/of-nobody/r.html")
