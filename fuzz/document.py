"""Fuzz a running server with what its OpenAPI document says, and with its opposite.

Starts `reseal server` on loopback with a CA of its own and an auth.conf that lets
anybody do everything, and has schemathesis send requests.  Held are: no 500, and no
status, media type or body that docs/reference/openapi.json does not have.

Run: python fuzz/document.py [SECONDS [SEED]]
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
HOST = "puppet.example.com"
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "response_headers_conformance",
)
RULES = """authorization: {
    version: 1
    rules: [
        {
            name: everything
            match-request: { path: "/", type: path }
            allow-unauthenticated: true
            sort-order: 1
        }
    ]
}
"""


@contextmanager
def serving(root: Path) -> Iterator[str]:
    """Run a server for a `with` block; yields its address."""
    (root / "puppetserver/conf.d").mkdir(parents=True)
    (root / "puppetserver/conf.d/auth.conf").write_text(RULES)
    (root / "reseal.toml").write_text(
        "[listener]\nworkers = 2\nanonymous_rate = 0\n"
        '[ca]\nautosign = "true"\nallow_auto_renewal = true\n'
    )
    (root / "puppet.conf").write_text(
        f"[main]\ncertname = {HOST}\nkeylength = 2048\n"
        f"cadir = {root}/ca\nssldir = {root}/ssl\n"
    )
    command = [sys.executable, "-m", "reseal", "server", "--host", "127.0.0.1"]
    command += ["--port", "0", "-v", "--confdir", str(root)]
    with (root / "log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        yield f"https://127.0.0.1:{port(process, root / 'log')}"
    finally:
        process.terminate()
        process.wait(60)


def port(process: subprocess.Popen[bytes], log: Path) -> int:
    """Wait until the server answers, and return its port."""
    limit = time.monotonic() + 60
    while "answering on port " not in (text := log.read_text()):
        if process.poll() is not None or time.monotonic() > limit:
            raise RuntimeError(text)
        time.sleep(0.05)
    return int(text.partition("answering on port ")[2].split()[0])


def main() -> int:
    """Fuzz, and return schemathesis's exit code."""
    seconds, seed = [*sys.argv[1:], *("60", "0")[len(sys.argv) - 1 :]]
    with tempfile.TemporaryDirectory() as place, serving(Path(place)) as url:
        command = [Path(sys.executable).with_name("schemathesis"), "run"]
        command += [PROJECT / "docs/reference/openapi.json", "--url", url]
        command += ["--tls-verify", "false", "--checks", ",".join(CHECKS)]
        command += ["--max-time", seconds, "--warnings", "off"]
        command += ["--seed", seed] if seed != "0" else []
        code = subprocess.run([str(each) for each in command], cwd=place).returncode
        print(Path(place, "log").read_text()[-2000:] if code else "")
    return code


if __name__ == "__main__":
    sys.exit(main())
