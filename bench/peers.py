"""The servers that are compared: how they start, and what memory they take.

Both serve a copy of one CA with the same certificate of their own, on one host of the
lab, one after the other.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from load import connect

PATIENCE = 300
HOST = "puppet.lab.test"


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
    """`reseal server` on a copy of a CA, in the network of the site's server."""

    def __init__(self, other: PuppetServer, namespace: str, root: Path) -> None:
        self.name, self._namespace, self._root = "reseal", namespace, root
        self.cadir = root / "ca"
        shutil.copytree(other.cadir, self.cadir)
        shutil.copytree(other.ssldir, root / "ssl", symlinks=True)
        for path in (root, *root.rglob("*")):
            os.chown(path, 0, 0, follow_symlinks=False)
        root.joinpath("puppet.conf").write_text(
            f"[main]\ncertname = {HOST}\nautosign = true\n"
            f"cadir = {self.cadir}\nssldir = {root}/ssl\n"
        )
        root.joinpath("reseal.toml").write_text(
            f'[listener]\nanonymous_rate = 0\naudit_log = "{root}/audit.log"\n'
        )
        self.pair = pair_in(root / "ssl")
        self._running: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = ["ip", "netns", "exec", self._namespace, sys.executable, "-m"]
        command += ["reseal", "server", "--config", str(self._root / "puppet.conf")]
        with (self._root / "log").open("ab") as log:
            self._running = subprocess.Popen(command, stdout=log, stderr=log)

    def stop(self) -> None:
        assert self._running is not None
        self._running.send_signal(signal.SIGTERM)
        self._running.wait(PATIENCE)

    def processes(self) -> list[int]:
        assert self._running is not None
        found, pid = [self._running.pid], str(self._running.pid)
        done = subprocess.run(["pgrep", "-P", pid], capture_output=True, text=True)
        return found + [int(each) for each in done.stdout.split()]


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


@contextmanager
def scratch() -> Iterator[Path]:
    """A directory of a real disk; /tmp may be memory."""
    with tempfile.TemporaryDirectory(dir="/var/tmp", prefix="reseal-bench") as found:
        yield Path(found)
