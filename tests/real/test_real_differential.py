"""A real Puppet Server and reseal get the same requests, side by side.

Here as they are installed, in more than 500 requests.  The suite, its explained
differences and its other configurations are in tests/server/differential: all of them
are held to what was recorded of Puppet Server 7 and 8, without one.
"""

from __future__ import annotations

import sys

import pytest
from labsite import PROJECT, SMALL8, Site, on_sites

pytestmark = pytest.mark.real


@pytest.mark.timeout(600)
@on_sites(SMALL8)
def test_both_answer_alike_but_for_what_is_better(site: Site) -> None:
    for host in site.hosts:
        site.on(host.name, "systemctl stop puppet")
    command = [sys.executable, "-m", "differential.live", "8", "plain"]
    done = site.run(*command, env={"PYTHONPATH": str(PROJECT / "tests/server")})
    assert done.returncode == 0, done.stdout + done.stderr
    asked = [int(line.split()[-2]) for line in done.stdout.splitlines()]
    assert sum(asked) > 500
