"""A real Puppet site of the lab, as the tests in `tests/real` see it.

A `Shape` says what a site is made of, a `Site` is one that is up.  Whatever a
test does to a site goes through the command `lab`, as from a terminal: nothing
is kept here but names, so that `lab down` can clear what a killed run leaves.

Sources: lab/README.md.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
LAB_DIR = Path(os.environ.get("LAB_DIR", "/var/cache/puppet-lab"))
DOMAIN = "lab.test"
PATIENCE = 900.0
"""Seconds any one command of the lab may take on a busy machine."""

Completed = subprocess.CompletedProcess[str]


@dataclass(frozen=True, slots=True)
class Shape:
    """What a site is made of.

    Attributes:
        name: Short and unique; part of the names of namespaces.
        release: Debian release of the server and of the first `agents` agents.
        agents: How many of these.
        also: Agents of other releases, as `lab up --also` takes them.
        ca: "single" or "chain"; "" for what the release makes by itself.
        parts: What else is there, as `lab up --with` takes it.
        bits: Of every key that Puppet makes there.  Its default costs each of the
            hundreds of hosts that are enrolled in these tests seconds.
    """

    name: str
    release: str
    agents: int = 3
    also: str = ""
    ca: str = ""
    parts: str = ""
    bits: int = 2048

    def arguments(self) -> list[str]:
        """Return the arguments of `lab up`."""
        words = ["--release", self.release, "--agents", str(self.agents)]
        if self.also:
            words += ["--also", self.also]
        if self.ca:
            words += ["--ca", self.ca]
        if self.parts:
            words += ["--with", self.parts]
        return words


PUPPET5 = Shape("puppet5", "bullseye")
"""Puppet 5.5 with its WEBrick master, the CA in ssl/ca."""
PUPPET7 = Shape("puppet7", "bookworm")
"""Puppet Server 7, root and intermediate CA."""
PUPPET8 = Shape("puppet8", "trixie", bits=4096)
"""Puppet Server 8, root and intermediate CA, keys as by default."""
MIXED = Shape("mixed", "bookworm", agents=1, also="bullseye:1,trixie:1")
"""Agents of 7, 5.5 and 8 (in this order) on Puppet Server 7, single CA."""
SMALL7 = Shape("small7", "bookworm", agents=1)
"""Puppet Server 7 with one agent: for what needs a server and little else."""
SMALL8 = Shape("small8", "trixie", agents=1)
SMALL5 = Shape("small5", "bullseye", agents=1)
EXTENSIONS = Shape("extensions", "bookworm", agents=1, parts="puppetdb,mco,compiler")
"""Puppet Server 7, PuppetDB 7 with PostgreSQL on a host of its own, ActiveMQ on
another, MCollective on every host; a compiler that the agent has its catalogs from."""
RACK = Shape("rack", "bullseye", agents=1, parts="rack")
"""Puppet 5.5 as a Rack application: Apache with Passenger, or nginx and unicorn."""


@dataclass(frozen=True, slots=True)
class Host:
    """One host of a site; `role` is "agent" or what else it is for."""

    name: str
    address: str
    role: str
    release: str

    @property
    def fqdn(self) -> str:
        """The host's name with its domain: its certname."""
        return f"{self.name}.{DOMAIN}"


@dataclass(frozen=True, slots=True)
class Site:
    """A site that is up.

    Attributes:
        shape: What it is made of.
        name: Its LAB_NAME.
        hosts: Every host, the server (`puppet`) first.
    """

    shape: Shape
    name: str
    hosts: tuple[Host, ...]

    @property
    def release(self) -> str:
        """The server's Debian release."""
        return self.shape.release

    @property
    def agents(self) -> tuple[Host, ...]:
        """The hosts beside the server."""
        return tuple(host for host in self.hosts if host.role == "agent")

    @property
    def ssh_config(self) -> Path:
        """A file for `ssh -F`; also in $LAB_SSH_CONFIG of what `run` starts."""
        return LAB_DIR / "sites" / self.name / "ssh_config"

    @property
    def ssldir(self) -> str:
        """Puppet's ssldir, the same on every host."""
        return "/var/lib/puppet/ssl"

    @property
    def cadir(self) -> str:
        """Puppet's cadir on the host `puppet`."""
        old = self.release == "bullseye"
        return "/var/lib/puppet/ssl/ca" if old else "/etc/puppet/puppetserver/ca"

    @property
    def server_unit(self) -> str:
        """The systemd unit of the server on the host `puppet`."""
        return "puppet-master" if self.release == "bullseye" else "puppetserver"

    def fqdn(self, host: str) -> str:
        """Return the name of `host` with its domain: its certname."""
        return f"{host}.{DOMAIN}"

    def root(self, host: str) -> Path:
        """Return where the files of `host` are on this machine.

        Links with absolute targets lead to this machine's own files: look at
        such a file with `on`.
        """
        return LAB_DIR / "sites" / self.name / "host" / host / "root"

    def lab(self, *words: str, timeout: float = PATIENCE) -> Completed:
        """Run a command of the lab on this site; it must succeed."""
        return lab(self.name, *words, timeout=timeout)

    def run(
        self,
        *argv: str,
        stdin: str = "",
        check: bool = False,
        timeout: float = PATIENCE,
        env: dict[str, str] | None = None,
    ) -> Completed:
        """Run a program of this machine where it reaches the site's hosts."""
        return _run(self.name, ["run", *argv], stdin, check, timeout, env)

    def reseal(
        self,
        *words: str,
        stdin: str = "",
        timeout: float = PATIENCE,
        env: dict[str, str] | None = None,
    ) -> Completed:
        """Run `reseal WORDS…` inside the site's network; any exit code is fine."""
        argv = [sys.executable, "-m", "reseal", *words]
        return self.run(*argv, stdin=stdin, timeout=timeout, env=env)

    def spawn(self, *words: str, log: Path) -> subprocess.Popen[bytes]:
        """Start `reseal WORDS…` inside the site's network and do not wait.

        What it prints goes to `log`.  The process id is reseal's own (`lab run`
        is replaced by it), so that `kill()` kills reseal.
        """
        command = [str(PROJECT / "lab/lab"), "run", sys.executable, "-m", "reseal"]
        with log.open("wb") as out:
            return subprocess.Popen(
                [*command, *words],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env=_environment(self.name),
            )

    def on(
        self, host: str, script: str, *, check: bool = True, timeout: float = PATIENCE
    ) -> Completed:
        """Run a shell script on a host as root; unless told, it must succeed."""
        return _run(self.name, ["exec", host, script], "", check, timeout)

    def text(self, host: str, script: str) -> str:
        """Return what a shell script prints on a host, without outer space."""
        return self.on(host, script).stdout.strip()

    def site_file(self, directory: Path) -> Path:
        """Write the site file that describes this site and return its path."""
        path = directory / "site.toml"
        path.write_text(self.lab("site-file").stdout)
        return path

    def check(self) -> None:
        """Hold that every host completes an agent run and its daemon is active."""
        done = _run(self.name, ["check"], "", False, PATIENCE)
        assert done.returncode == 0, f"lab check:\n{done.stdout}{done.stderr}"

    def snapshot(self, name: str) -> None:
        """Save the hosts' files under a name; the site goes on."""
        self.lab("snapshot", name)

    def restore(self, name: str, *, server: bool = True) -> None:
        """Put the hosts' files back and boot: a power cut for what runs now.

        Args:
            name: Of the snapshot.
            server: Start the server, too.
        """
        self.lab("restore", name, *([] if server else ["--without-server"]))


def on_sites(*shapes: Shape) -> pytest.MarkDecorator:
    """Run a test once on a site of each shape."""
    names = [shape.name for shape in shapes]
    return pytest.mark.parametrize("raised", shapes, indirect=True, ids=names)


def lab(name: str, *words: str, timeout: float = PATIENCE) -> Completed:
    """Run a command of the lab on the site `name`; it must succeed."""
    return _run(name, list(words), "", True, timeout)


def raise_site(name: str, shape: Shape) -> Site:
    """Boot and enrol a site; what is left of an earlier one is cleared first."""
    lab(name, "down")
    bits = {"LAB_KEYLENGTH": str(shape.bits)}
    _run(name, ["up", *shape.arguments()], "", True, PATIENCE, bits)
    rows = [line.split() for line in lab(name, "hosts").stdout.splitlines()]
    return Site(shape, name, tuple(Host(*row) for row in rows))


def clear_leftovers() -> None:
    """Take down the sites of test runs that were killed."""
    for path in (LAB_DIR / "sites").glob("real*-*"):
        number = path.name.removeprefix("real").partition("-")[0]
        if number.isdigit() and not Path("/proc", number).exists():
            lab(path.name, "down")


def _environment(name: str) -> dict[str, str]:
    return {**os.environ, "LAB_NAME": name, "LAB_NET": "10.90.0"}


def _run(
    name: str,
    words: list[str],
    stdin: str,
    check: bool,
    timeout: float,
    env: dict[str, str] | None = None,
) -> Completed:
    done = subprocess.run(
        [str(PROJECT / "lab/lab"), *words],
        input=stdin,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        timeout=timeout,
        env=_environment(name) | (env or {}),
        check=False,
    )
    if check and done.returncode != 0:
        said = f"{done.stdout}{done.stderr}"
        raise AssertionError(f"lab {' '.join(words)}: exit {done.returncode}\n{said}")
    return done
