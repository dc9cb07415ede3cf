"""reseal's server as a process, set up as a configuration says."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .model import Configuration, Credential
from .place import EXTRA, ca_conf, extra_conf, infra_inventory, puppet_settings
from .wire import Target

NAME = "puppet.lab.test"
_SHIPPED = Path(__file__).parents[2] / "data" / "serverconf"


@contextmanager
def serving(found: Configuration, version: int, root: Path) -> Iterator[Target]:
    """Run a server for a `with` block.

    Args:
        found: How it is set up.
        version: Of the Puppet Server whose auth.conf it has.
        root: An empty directory, or one that an earlier block has filled.
    """
    _write(found, version, root)
    command = [sys.executable, "-m", "reseal", "server", "--config"]
    command += [str(root / "puppet.conf"), "--port", "0", "--host", "127.0.0.1", "-v"]
    with (root / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        yield _target(found, root, _port(process, root / "log"))
    finally:
        process.terminate()
        process.wait(60)


def _port(process: subprocess.Popen[bytes], log: Path) -> int:
    limit = time.monotonic() + 60
    while not (port := re.search(r"answering on port (\d+)", log.read_text())):
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < limit, log.read_text()
        time.sleep(0.02)
    return int(port[1])


def _target(found: Configuration, root: Path, port: int) -> Target:
    certificate = (root / f"ssl/certs/{NAME}.pem").read_bytes()
    key = (root / f"ssl/private_keys/{NAME}.pem").read_bytes()
    return Target(
        host="127.0.0.1",
        port=port,
        bundle=(root / "ca/ca_crt.pem").read_bytes(),
        cli=Credential(certificate, key),
        root_key=(root / "ca/root_key.pem").read_bytes(),
        headers=found.headers,
        names=(NAME,),
    )


def _write(found: Configuration, version: int, root: Path) -> None:
    confd = root / "puppetserver/conf.d"
    confd.mkdir(parents=True, exist_ok=True)
    shipped = _SHIPPED / str(version)
    confd.joinpath("auth.conf").write_text((shipped / "auth.conf").read_text())
    confd.joinpath("ca.conf").write_text(ca_conf(found, version))
    confd.joinpath(EXTRA).write_text(extra_conf(found))
    autosign = root / "autosign.conf"
    autosign.write_text(found.autosign)
    autosign.chmod(0o755 if found.program else 0o644)
    root.joinpath("reseal.toml").write_text(
        '[listener]\nproxies = ["127.0.0.0/8"]\nanonymous_rate = 0\nworkers = 1\n'
    )
    settings = {
        "certname": NAME,
        "dns_alt_names": "puppet",
        "ssldir": str(root / "ssl"),
        "cadir": str(root / "ca"),
        "keylength": "2048",
        "user": "nobody-of-that-name",
    }
    lines = "".join(f"{name} = {value}\n" for name, value in settings.items())
    root.joinpath("puppet.conf").write_text(
        f"[main]\n{lines}\n[server]\n{puppet_settings(found)}"
    )
    if found.infra and (root / "ca").is_dir():
        root.joinpath("ca/infra_inventory.txt").write_text(infra_inventory(found))
