"""Install reseal into a root file system whose host reaches no registry.

Usage: python scripts/into.py ROOT VERSION, of the Python that is there, such as 3.13.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
PROGRAM = """#!/bin/sh
PYTHONPATH=/opt/reseal exec /usr/bin/python3 -m reseal "$@"
"""


def install(root: Path, version: str) -> None:
    """Put reseal and what it needs into /opt/reseal, and the command beside it."""
    into = root / "opt/reseal"
    words = ["install", "--quiet", "--python-version", version, "--target", str(into)]
    words += ["--only-binary", ":all:", "--require-hashes"]
    words += ["--requirement", str(PROJECT / "requirements.txt")]
    subprocess.run([sys.executable, "-m", "pip", *words], check=True, timeout=200)
    shutil.copytree(PROJECT / "src/reseal", into / "reseal")
    program = root / "usr/local/bin/reseal"
    program.write_text(PROGRAM)
    program.chmod(0o755)


if __name__ == "__main__":
    install(Path(sys.argv[1]), sys.argv[2])
