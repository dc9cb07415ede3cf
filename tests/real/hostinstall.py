"""reseal and its unit on a host of a real site, as docs/how-to/serve.md says."""

from __future__ import annotations

import shutil
import subprocess
import sys

from labsite import PROJECT, Site

UNIT = "reseal-server.service"
PYTHON = "3.11"
"""Of Debian 12, which the hosts in question run."""
_PROGRAM = """#!/bin/sh
PYTHONPATH=/opt/reseal exec /usr/bin/python3 -m reseal "$@"
"""


def install(site: Site, host: str = "puppet") -> None:
    """Install reseal and its unit on a host, which reaches no registry."""
    root = site.root(host)
    into = root / "opt/reseal"
    words = ["install", "--quiet", "--python-version", PYTHON, "--target", str(into)]
    words += ["--only-binary", ":all:", "--require-hashes"]
    words += ["--requirement", str(PROJECT / "requirements.txt")]
    subprocess.run([sys.executable, "-m", "pip", *words], check=True, timeout=200)
    shutil.copytree(PROJECT / "src/reseal", into / "reseal")
    program = root / "usr/local/bin/reseal"
    program.write_text(_PROGRAM)
    program.chmod(0o755)
    shutil.copy(PROJECT / "packaging" / UNIT, root / "etc/systemd/system")
