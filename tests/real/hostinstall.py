"""reseal and its units on hosts of a real site, as docs/how-to says."""

from __future__ import annotations

import shutil
import subprocess
import sys

from labsite import PROJECT, Site

UNIT = "reseal-server.service"
AGENT = "reseal-agent.service"
PYTHON = {"bookworm": "3.11", "trixie": "3.13"}
"""Of each release on which reseal runs."""


def install(site: Site, host: str = "puppet") -> None:
    """Install reseal and its units on a host, which reaches no registry."""
    root = site.root(host)
    release = next(each.release for each in site.hosts if each.name == host)
    program = str(PROJECT / "scripts/into.py")
    words = [sys.executable, program, str(root), PYTHON[release]]
    subprocess.run(words, check=True, timeout=300)
    for unit in (UNIT, AGENT) if host == "puppet" else (AGENT,):
        shutil.copy(PROJECT / "packaging" / unit, root / "etc/systemd/system")


def take_over(site: Site, host: str) -> None:
    """Have our agent run on a host, and take Puppet and its Ruby away."""
    site.on(
        host,
        "systemctl disable --now puppet; "
        "rm -f /usr/bin/puppet /usr/bin/ruby* /lib/systemd/system/puppet.service; "
        "systemctl daemon-reload; systemctl enable --now reseal-agent",
        check=False,
    )


def serve(site: Site, settings: str) -> None:
    """Start the server anew with these settings in its reseal.toml."""
    site.root("puppet").joinpath("etc/puppet/reseal.toml").write_text(settings)
    start = f"systemctl restart {UNIT} || journalctl -u {UNIT} -o cat"
    said = site.on("puppet", start, timeout=60).stdout
    assert said == ""
