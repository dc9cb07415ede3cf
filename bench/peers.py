"""The servers that are compared: how they start, and what memory they take.

Both serve copies of one CA with the same certificate of their own, in one container of
the lab, one after the other, each on the Java or Python of that Debian.
"""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from typing import Protocol

from load import connect

PATIENCE = 300
HOST = "puppet.lab.test"
_HOME = "/srv/reseal"
_SERVER = f"reseal server --config {_HOME}/puppet.conf"
_COPY = f"""
mkdir -p {_HOME}/log && chown puppet:puppet {_HOME} {_HOME}/log &&
cp -a {{cadir}} {_HOME}/ca && cp -a {{ssldir}} {_HOME}/ssl
"""


class Peer(Protocol):
    """A server on its own cadir."""

    name: str
    cadir: Path
    pair: tuple[str, str]

    def start(self) -> None:
        """Start it; does not wait until it answers."""

    def stop(self) -> None:
        """End it, and wait until it is over."""

    def processes(self) -> list[int]:
        """Return the pids of all its processes."""


def pair_in(ssldir: Path) -> tuple[str, str]:
    """Return the files of the host's certificate and key."""
    return f"{ssldir}/certs/{HOST}.pem", f"{ssldir}/private_keys/{HOST}.pem"


class PuppetServer:
    """The package's own, in its container, with the package's heap."""

    def __init__(self, root: Path, exec_: list[str]) -> None:
        self.name, self._exec = "Puppet Server", exec_
        self.cadir = root / "etc/puppet/puppetserver/ca"
        self.ssldir = root / "var/lib/puppet/ssl"
        self.pair = pair_in(self.ssldir)

    def start(self) -> None:
        self._on("systemctl start --no-block puppetserver")

    def stop(self) -> None:
        self._on("systemctl stop puppetserver")

    def processes(self) -> list[int]:
        """Every Java process; the lab's site has no other."""
        found = subprocess.run(["pgrep", "java"], capture_output=True, text=True)
        return [int(each) for each in found.stdout.split()]

    def _on(self, command: str) -> None:
        subprocess.run([*self._exec, command], check=True, capture_output=True)


class Reseal:
    """`reseal server` on a copy of that CA; it is installed in the container."""

    def __init__(self, other: PuppetServer, root: Path, exec_: list[str]) -> None:
        self.name, self._exec = "reseal", exec_
        inside = {"cadir": other.cadir, "ssldir": other.ssldir}
        places = {name: f"/{path.relative_to(root)}" for name, path in inside.items()}
        self._on(_COPY.format(**places))
        home = root / _HOME[1:]
        home.joinpath("puppet.conf").write_text(
            f"[main]\ncertname = {HOST}\nautosign = true\n"
            f"cadir = {_HOME}/ca\nssldir = {_HOME}/ssl\n"
        )
        home.joinpath("reseal.toml").write_text(
            f'[listener]\nanonymous_rate = 0\naudit_log = "{_HOME}/log/audit.log"\n'
        )
        self.cadir, self.pair = home / "ca", pair_in(home / "ssl")

    def start(self) -> None:
        unit = "systemd-run --quiet --collect --unit=reseal"
        self._on(f"{unit} {_SERVER}")

    def stop(self) -> None:
        self._on("systemctl stop reseal")

    def processes(self) -> list[int]:
        command = ["pgrep", "-f", f"^/usr/bin/python3 -m {_SERVER}"]
        found = subprocess.run(command, capture_output=True, text=True)
        return [int(each) for each in found.stdout.split()]

    def python(self) -> str:
        """Return the versions of Python and OpenSSL that it runs on."""
        words = "import ssl, sys; print(sys.version.split()[0], ssl.OPENSSL_VERSION)"
        told = self._on(f"python3 -c '{words}'").split()
        return f"Python {told[0]}, OpenSSL {told[2]}"

    def _on(self, command: str) -> str:
        command_ = [*self._exec, command]
        done = subprocess.run(command_, check=True, stdout=subprocess.PIPE, text=True)
        return done.stdout


def until_it_answers(address: str) -> float:
    """Return the seconds until a server has given its CA's certificate."""
    begun = time.monotonic()
    while time.monotonic() - begun < PATIENCE:
        try:
            connection = connect(address, 8140)
            connection.request("GET", "/puppet-ca/v1/certificate/ca")
            if connection.getresponse().status == 200:
                return time.monotonic() - begun
        except OSError:
            pass
        time.sleep(0.02)
    raise TimeoutError(f"{address}: no answer within {PATIENCE} s")


def megabytes(peer: Peer) -> float:
    """Return the memory of a server's processes; what they share counts once."""
    total = 0
    for pid in peer.processes():
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1])
    return total / 1024
