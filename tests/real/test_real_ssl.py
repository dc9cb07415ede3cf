"""`reseal ssl` beside `puppet ssl`, against a real Puppet Server; and back.

Sources: issue "A whole site of our own", 2; `tests/data/ssl/record.sh`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hostinstall import install
from labsite import PROJECT, SMALL8, Site, on_sites

pytestmark = pytest.mark.real

DATA = PROJECT / "tests/data/ssl"


@on_sites(SMALL8)
def test_what_is_printed_is_puppets_and_puppet_goes_on(
    site: Site, tmp_path: Path
) -> None:
    agent = site.agents[0]
    site.on(agent.name, "systemctl stop puppet")
    install(site, agent.name)
    env = {
        "LAB_NAME": site.name,
        "NODE": agent.name,
        "SSL": "/usr/local/bin/reseal ssl",
    }
    env["AGENT"] = "true"
    done = subprocess.run(
        ["sh", str(DATA / "record.sh")],
        env={**os.environ, **env},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=600,
    )
    ours = tmp_path / "ours.txt"
    ours.write_text(done.stdout)
    script = str(PROJECT / "tests/agent/sslscript.py")
    argv = [sys.executable, script, str(ours), str(DATA / "8.txt")]
    compared = subprocess.run(argv, capture_output=True, text=True, timeout=60)
    assert compared.returncode == 0, compared.stdout + compared.stderr
    assert int(compared.stdout.split()[0]) > 25

    options = f"--certname both.{agent.fqdn} --ssldir /root/both --color=false"
    site.on(agent.name, f"reseal ssl submit_request {options}", timeout=60)
    site.on("puppet", f"puppetserver ca sign --certname both.{agent.fqdn}")
    again = site.text(agent.name, f"puppet ssl bootstrap {options}")
    assert "Creating a new RSA" not in again, "Puppet made a key of its own"
    assert "Completed SSL initialization" in again
    assert "Verified client" in site.text(agent.name, f"puppet ssl verify {options}")
    verified = site.text(agent.name, f"reseal ssl verify {options}")
    assert "Verified client" in verified
    shown = site.text(agent.name, f"reseal ssl show {options}")
    real = site.text(agent.name, f"puppet ssl show {options}")
    assert shown.replace(" = ", "=") == real.replace(" = ", "="), (
        "OpenSSL 3.2 changed it"
    )
