"""What a demo does, step by step, with the commands an operator would type.

Guarantee: whatever ends it, every process of the site is ended; a kept site is ended
by `end`.

Sources: docs/tutorial/first-regeneration.md.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from reseal import files
from reseal.demo.furnish import MODULE, furnish
from reseal.demo.place import AGENT, CA, CERT, KEY, PUPPET, SERVER, SHOP, Home, Place
from reseal.errors import SiteError
from reseal.node import launch
from reseal.node.probe import probe_all
from reseal.site.check import REFUSALS

PATIENCE = 60.0
"""Seconds to wait for what a site does by itself."""

_ASKED = "/puppet-ca/v1/expirations"

Show = Callable[[str], None]
"""Shows a command before it is run."""


def raise_site(place: Place) -> None:
    """Make the site and wait until every agent has asked for a certificate.

    Raises:
        SiteError: It does not come up.
    """
    furnish(place)
    start(place.primary.service(SERVER))
    wait_for(place, "the CA", (place.cadir / "ca_crl.pem").exists)
    for script in place.scripts():
        if script.name in (AGENT, PUPPET):
            start(script)
    names = {home.name for home in place.agents}
    wait_for(place, "every agent's request", lambda: names <= _requests(place))


def sign(place: Place, show: Show) -> None:
    """Sign every agent's request and wait until each has made a run.

    Raises:
        SiteError: One makes none.
    """
    names = [home.name for home in place.agents]
    run(place, show, place.primary.reseal, "cert", "sign", *names)
    wait_for(place, "every agent's first run", lambda: all(map(_has_run, place.homes)))
    _open_shop(place.keeper)


def _open_shop(home: Home) -> None:
    """Give the service its copies, as whoever set it up did once, and start it."""
    certificate, key = home.certificate()
    originals = {CERT: certificate, KEY: key, CA: home.path / "ssl/certs/ca.pem"}
    for name, path in originals.items():
        files.replace(home.copies / name, path.read_bytes(), mode=0o600)
    start(home.service(SHOP))


def start(script: Path) -> None:
    """Start a service by its script; `SiteError` if it cannot be."""
    done = subprocess.run([script, "start"], stderr=subprocess.PIPE, check=False)
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip()
        raise SiteError(f"{script.name}: does not start: {said}")


def wait_for(place: Place, what: str, is_there: Callable[[], bool]) -> None:
    """Wait until something is there.

    Raises:
        SiteError: It did not come in time.
    """
    give_up = time.monotonic() + PATIENCE
    while not is_there():
        if time.monotonic() > give_up:
            message = f"{what}: did not come in {PATIENCE:.0f} s"
            raise SiteError(message, hint=_last_words(place))
        time.sleep(0.1)


def _last_words(place: Place) -> str:
    """Return the end of the log that was written to last."""
    logs = place.path.glob("nodes/*/log/*.log")
    for path in sorted(logs, key=lambda each: each.stat().st_mtime, reverse=True):
        if words := path.read_text(errors="replace").strip():
            said = words.rpartition("\n")[2]
            return f"{path.stem} of {path.parts[-3]} said: {said}; --keep keeps all"
    return "--keep leaves the site there"


def _requests(place: Place) -> set[str]:
    return {path.stem for path in place.cadir.glob("requests/*.pem")}


def _has_run(home: Home) -> bool:
    return any(home.path.glob("var/**/last_run_summary.yaml"))


def environment(place: Place) -> dict[str, str]:
    """Return the environment in which `reseal site` finds this site."""
    return {
        **os.environ,
        "RESEAL_SITE": str(place.site_file),
        "RESEAL_RUNS": str(place.runs),
    }


def run(place: Place, show: Show, program: Path | None, *words: str) -> None:
    """Show a command and run it, on this terminal; without a program our own.

    Raises:
        SiteError: It failed.
    """
    show(f"reseal {' '.join(words)}")
    command = [program] if program else [*MODULE, "reseal"]
    done = subprocess.run([*command, *words], env=environment(place), check=False)
    if done.returncode != 0:
        raise SiteError(f"{' '.join(words)}: ended with status {done.returncode}")


@dataclass(frozen=True, slots=True)
class Shown:
    """A certificate that was shown, and what came of it.

    Attributes:
        name: Whose it is.
        age: `old` or `new`.
        answers: What the server and the shop said to it.
        good: Both took a new one, or refused an old one.
    """

    name: str
    age: str
    answers: tuple[str, ...]
    good: bool


def show_all(place: Place) -> Iterator[Shown]:
    """Show every certificate to the server and the shop.

    The old ones are those of the last run's backups.
    """
    run = max(path.name for path in place.runs.iterdir())
    for home in place.homes:
        for age, pair in (
            ("old", home.certificate(run)),
            ("new", home.certificate()),
        ):
            answers = tuple(_answers(place, *pair))
            wanted = "refused: " if age == "old" else "HTTP status 200"
            good = all(each.startswith(wanted) for each in answers)
            yield Shown(home.name, age, answers, good)


def _answers(place: Place, certificate: Path, key: Path) -> Iterator[str]:
    """Yield what the server and the shop say to whoever shows a certificate."""
    way = {"host": "localhost", "connect": "127.0.0.1", "path": _ASKED}
    way |= {"certificate": str(certificate), "key": str(key)}
    ports = int(_serverport(place.primary)), int(_text(place.keeper, "shop.port"))
    for told in probe_all([way | {"port": port} for port in ports]):
        error = str(told.get("error", ""))
        if "tried" in told and error.startswith(REFUSALS):
            yield f"refused: {error.partition(': ')[2]}"
        else:
            yield error or f"HTTP status {told['status']}"


def _serverport(home: Home) -> str:
    lines = _text(home, "puppet.conf").splitlines()
    pairs = (line.partition(" = ") for line in lines)
    return next(value for name, _, value in pairs if name == "serverport")


def _text(home: Home, name: str) -> str:
    return (home.path / "etc" / name).read_text()


def end(place: Place) -> None:
    """End every process of a site, and remove its directory.

    Raises:
        SiteError: One could not be ended; the directory is left as it is.
    """
    left = [path for several in _batches(place) for path in _stopped(several)]
    if left:
        names = ", ".join(f"{path.name} of {path.parts[-3]}" for path in left)
        hint = f"their process ids are in {place.path}/nodes/*/run"
        raise SiteError(f"{names}: could not be ended", hint=hint)
    shutil.rmtree(place.path)


def _batches(place: Place) -> Iterator[list[Path]]:
    """Yield services that can be stopped at once: what starts others goes first."""
    scripts = [*place.scripts()]
    yield [each for each in scripts if each.name in (AGENT, PUPPET)]
    yield [each for each in scripts if each.name not in (AGENT, PUPPET, SERVER)]
    yield [each for each in scripts if each.name == SERVER]


def _stopped(scripts: list[Path]) -> list[Path]:
    """Stop services, and agents that a run has started; return those that go on."""
    homes = {path.parents[1] for path in scripts}
    with ThreadPoolExecutor() as several:
        for home in homes:
            for pid_file in home.glob("backups/*/agent.pid"):
                several.submit(launch.end, pid_file)
        ended = several.map(_stop, scripts)
        return [path for path, good in zip(scripts, ended, strict=True) if not good]


def _stop(script: Path) -> bool:
    try:
        done = subprocess.run([script, "stop"], stderr=subprocess.DEVNULL, check=False)
    except OSError:
        return False
    return done.returncode == 0
