"""`reseal resource service` beside `puppet resource service`, on the same host.

With systemd as the host boots it, and with Debian's SysV scripts in a copy of the host
that has another first process.

Sources: issue "A whole site of our own", 3; `tests/data/resource/record.sh`.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hostinstall import install
from labsite import MIXED, PROJECT, Site, on_sites

pytestmark = pytest.mark.real

DATA = PROJECT / "tests/data/resource"
RECORD = (DATA / "record.sh").read_text()
OURS = "export RESOURCE='/usr/local/bin/reseal resource'\n"


def in_a_copy(root: Path, script: str, scratch: Path) -> str:
    """Run a script in a copy of a host's files, with a first process of its own."""
    for name in ("upper", "work", "merged"):
        (scratch / name).mkdir(parents=True)
    merged = scratch / "merged"
    layers = f"lowerdir={root},upperdir={scratch}/upper,workdir={scratch}/work"
    mount = ["mount", "-t", "overlay", "overlay", "-o", layers, str(merged)]
    subprocess.run(mount, check=True)
    try:
        (merged / "root/record.sh").write_text(script)
        words = ["unshare", "--mount", "--pid", "--net", "--fork"]
        words += [f"--mount-proc={merged}/proc", "chroot", str(merged)]
        done = subprocess.run(
            [*words, "sh", "/root/record.sh"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=600,
        )
    finally:
        subprocess.run(["umount", "--lazy", str(merged)], check=True)
    return done.stdout


@on_sites(MIXED)
def test_what_is_printed_is_puppets(serverless_site: Site, tmp_path: Path) -> None:
    site = serverless_site
    agent = site.agents[0]
    assert agent.release == "bookworm"
    install(site, agent.name)
    site.on(agent.name, "systemctl stop puppet")
    root = site.root(agent.name)
    found = {
        "systemd": site.on(agent.name, OURS + RECORD, timeout=600).stdout,
        "sysv": in_a_copy(root, f"OLD=1\n{OURS}{RECORD}", tmp_path / "sysv"),
    }
    for name, ours in found.items():
        path = tmp_path / f"{name}.txt"
        path.write_text(ours)
        script = str(PROJECT / "tests/agent/resourcescript.py")
        argv = [sys.executable, script, str(path), str(DATA / f"8-{name}.txt")]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
        assert int(done.stdout.split()[0]) > 50

    listed = site.text(agent.name, "reseal resource service --color=false")
    real = site.text(agent.name, "puppet resource service --color=false")
    assert listed.split() == real.split()
