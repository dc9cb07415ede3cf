"""reseal's server beside Puppet Server's: one machine, one CA, one client, one run.

Raises a site of the lab (Puppet 8, the package's Java settings), and measures Puppet
Server and then reseal, on the same host of it and on copies of the same CA: enrolments
with 8 clients, the list of all certificates, a revocation, memory and start, at 1,000
and at more certificates.  Prints a table in Markdown.

Run as root on Debian: python bench/server.py [--most N] [--seconds N]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from fill import fill, give_elliptic_key, name_of, revoke_many
from load import API, Load, connect, enrolments_a_second
from peers import HOST, Peer, PuppetServer, Reseal, megabytes, until_it_answers

PROJECT = Path(__file__).resolve().parents[1]
LAB = str(PROJECT / "lab/lab")
SITE = f"bench{os.getpid()}"
CLIENTS, FEW, MANY = 8, 1_000, 10_000
ROUNDS = 5
PYTHON = "3.13"
"""Debian 13's."""
JSON = {"Accept": "application/json", "Content-Type": "application/json"}


@dataclass
class Bench:
    """Measures one server.

    Attributes:
        peer: Which.
        address: Where it answers.
        seconds: How long a load lasts.
        found: What was measured: row to figure.
    """

    peer: Peer
    address: str
    seconds: float
    found: dict[str, float] = field(default_factory=dict)

    def measure(self, most: int) -> dict[str, float]:
        """Measure everything, with up to `most` certificates."""
        for count in sorted({FEW, MANY, most}):
            fill(self.peer.cadir, count)
            if count > MANY:
                revoke_many(self.peer.cadir, count)
            self.peer.start()
            started = until_it_answers(self.address)
            self.note(f"start to first answer, {count:,} certificates, s", started)
            self.note(f"first list of {count:,}, s", self.listed())
            self.note(f"list of {count:,}, s", self.listed())
            if count != MANY:
                self.enrol(f"kept connections, {count:,} certificates", f"k{count}")
            if count == FEW:
                self.enrol("new connection for each request", "f", fresh=True)
                self.enrol_over_elliptic_keys()
            if count == most:
                self.note(f"revoking, on a list of {count:,}, ms", self.revoked())
            self.note(f"memory, {count:,} certificates, MB", megabytes(self.peer))
            self.peer.stop()
        return self.found

    def note(self, row: str, figure: float) -> None:
        """Keep a figure, and show it at once."""
        self.found[row] = figure
        print(f"  {self.peer.name}: {row}: {figure:.2f}", file=sys.stderr, flush=True)

    def enrol(self, row: str, word: str, *, fresh: bool = False) -> None:
        """Warm up, then enrol for the time there is."""
        for prefix, seconds in ((f"w{word}c", self.seconds / 3), (word, self.seconds)):
            load = Load(
                address=self.address,
                port=8140,
                clients=CLIENTS,
                enrolments=int(60 * seconds),
                seconds=seconds,
                fresh=fresh,
                prefix=prefix,
            )
            figure = enrolments_a_second(load)
        self.note(f"enrolments a second, {row}", figure)

    def enrol_over_elliptic_keys(self) -> None:
        """Measure new connections once more, with an EC key of the server's own."""
        kept = [Path(path).read_bytes() for path in self.peer.pair]
        self.peer.stop()
        give_elliptic_key(self.peer.cadir, self.peer.pair, HOST)
        self.peer.start()
        until_it_answers(self.address)
        self.enrol("the same, the server's own key elliptic", "e", fresh=True)
        self.peer.stop()
        for path, content in zip(self.peer.pair, kept, strict=True):
            Path(path).write_bytes(content)
        self.peer.start()
        until_it_answers(self.address)

    def listed(self) -> float:
        """Return the seconds of a list of all certificates."""
        return self.asked("GET", "certificate_statuses/all")

    def revoked(self) -> float:
        """Return the milliseconds of revoking one certificate, in the middle."""
        body = json.dumps({"desired_state": "revoked"}).encode()
        taken = [
            self.asked("PUT", f"certificate_status/{name_of(500 + n)}", body)
            for n in range(ROUNDS)
        ]
        return statistics.median(taken) * 1000

    def asked(self, method: str, path: str, body: bytes = b"") -> float:
        """Return the seconds of one request of the CLI, without the handshake."""
        connection = connect(self.address, 8140, self.peer.pair)
        begun = time.monotonic()
        connection.request(method, f"{API}/{path}", body, JSON)
        answer = connection.getresponse()
        answer.read()
        if answer.status not in (200, 204):
            raise RuntimeError(f"{method} {path}: {answer.status}")
        return time.monotonic() - begun


def table(theirs: dict[str, float], ours: dict[str, float]) -> str:
    """Return the figures side by side, and how many times better the second are."""
    lines = ["| | Puppet Server | reseal | |", "|---|--:|--:|--:|"]
    for row, old in theirs.items():
        new = ours[row]
        ratio = new / old if "a second" in row else old / new
        lines.append(f"| {row} | {old:,.4g} | {new:,.4g} | {ratio:,.3g} × |")
    return "\n".join(lines)


def machine() -> str:
    """Say what this was measured on."""
    cpu = next(
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    )
    return f"{os.cpu_count()} cores of {cpu}"


def signatures() -> float:
    """Return how often all cores sign with an RSA-4096 key in a second."""
    command = ["openssl", "speed", "-seconds", "3", "-multi", str(os.cpu_count())]
    done = subprocess.run([*command, "rsa4096"], capture_output=True, text=True)
    return float(done.stdout.splitlines()[-1].split()[-2])


def lab(*words: str, check: bool = True) -> str:
    """Run a command of the lab, and return what it printed."""
    done = subprocess.run([LAB, *words], text=True, stdout=subprocess.PIPE, check=check)
    return done.stdout


def container() -> Path:
    """Return where the root of the servers' container is."""
    home = Path(os.environ.get("LAB_DIR", "/var/cache/puppet-lab"))
    return home / "sites" / os.environ["LAB_NAME"] / "host/puppet/root"


def install() -> None:
    """Install reseal in the servers' container, compiled as pip leaves it."""
    program = str(PROJECT / "scripts/into.py")
    words = [sys.executable, program, str(container()), PYTHON]
    subprocess.run(words, check=True)
    lab("exec", "puppet", "python3 -m compileall -q /opt/reseal || true")


def inside(most: int, seconds: float) -> None:
    """Measure both; runs in the site's network."""
    root = container()
    address = f"{os.environ['LAB_NET']}.10"
    theirs = PuppetServer(root, [LAB, "exec", "puppet"])
    theirs.stop()
    ours = Reseal(theirs, root, [LAB, "exec", "puppet"])
    found = [Bench(each, address, seconds).measure(most) for each in (theirs, ours)]
    print(table(*found))
    print(
        f"\n{CLIENTS} clients on the servers' own machine: {machine()}. Debian 13;"
        f" reseal on {ours.python()}. CA and server have RSA-4096 keys;"
        f" all cores alone sign {signatures():.0f} times a second."
    )


def main() -> None:
    """Raise the site, measure, and take it down again."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--most", type=int, default=100_000, help="certificates")
    parser.add_argument("--seconds", type=float, default=15, help="of each load")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.inside:
        inside(given.most, given.seconds)
        return
    os.environ |= {
        "LAB_NAME": SITE,
        "LAB_NET": "10.92.0",
        "LAB_TLS": "any",
        "LAB_JAVA_SERVER": "-Xms2g -Xmx2g",
    }
    try:
        print(lab("up", "--release", "trixie", "--agents", "0"), file=sys.stderr)
        lab("exec", "puppet", "puppet config set autosign true --section server")
        lab("exec", "puppet", "systemctl stop puppet")
        install()
        command = [sys.executable, __file__, "--inside", "--most", str(given.most)]
        print(lab("run", *command, "--seconds", str(given.seconds)), end="")
    finally:
        lab("down", check=False)


if __name__ == "__main__":
    main()
