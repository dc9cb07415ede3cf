"""The main job in a minute, without root and Puppet; played with, and ended.

Sources: issue "A whole site of our own", 5.  With Puppet's agent as a guest it is
tested in `tests/real/test_real_demo.py`.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from reseal.cli.main import main
from reseal.demo.furnish import furnish
from reseal.demo.place import AGENTS, GUEST, SHOP, Place

RESEAL = [sys.executable, "-m", "reseal"]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """A place that is ended, whatever happens."""
    found = Place(tmp_path)
    yield found
    for here in tmp_path.glob("reseal-demo-*"):
        subprocess.run([*RESEAL, "demo", "--end", here], check=False)


def environment(place: Place, **more: object) -> dict[str, str]:
    return {**os.environ, "TMPDIR": str(place.path), **{k: str(more[k]) for k in more}}


def running(directory: Path) -> list[str]:
    """Return the command lines of processes that speak of a directory."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(directory) in words and str(os.getpid()) != path.parent.name:
            found.append(words)
    return found


@pytest.mark.timeout(280)
def test_a_demo_shows_the_main_job_and_can_be_played_with(place: Place) -> None:
    report = place.path / "report.html"
    done = subprocess.run(
        [*RESEAL, "demo", "--keep", "--report", report],
        env=environment(place),
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    said = done.stdout
    assert done.returncode == 0, said + done.stderr
    (here,) = place.path.glob("reseal-demo-*")
    site = Place(here)
    count = len(site.homes)
    assert count - (GUEST in {home.path.name for home in site.homes}) == 1 + len(AGENTS)
    assert f"{count} of {count} nodes proven." in said
    assert len(re.findall(r"old certificate  +refused: \S.*refused: \S", said)) == count
    assert len(re.findall(r"new certificate  +HTTP status 200 .*200", said)) == count
    assert "Proven" in report.read_text()
    assert f"reseal demo --end {here}" in said

    _is_played_with(site, environment(place, RESEAL_SITE=here / "site.toml"))

    subprocess.run([*RESEAL, "demo", "--end", here], check=True)
    assert not here.exists()
    assert not running(here)


def _is_played_with(site: Place, env: dict[str, str]) -> None:
    """Hold that the commands it tells of do what they say."""
    env["RESEAL_RUNS"] = str(site.runs)
    told = subprocess.run(
        [*RESEAL, "site", "survey", "--json"], env=env, capture_output=True, check=True
    )
    survey = json.loads(told.stdout)
    assert [node["service_manager"] for node in survey] == ["scripts"] * len(survey)
    assert {node["agent_mode"] for node in survey} == {"daemon"}
    assert survey[0]["backups"] == str(site.primary.path / "backups")
    web01 = site.home("web01")
    subprocess.run([web01.reseal, "agent", "--test"], env=env, check=True)
    cert, _ = web01.certificate()
    new = cert.read_bytes()
    subprocess.run([*RESEAL, "site", "rollback", "--yes"], env=env, check=True)
    assert cert.read_bytes() != new
    subprocess.run([web01.reseal, "agent", "--test"], env=env, check=True)
    shop = site.keeper.service(SHOP)
    assert subprocess.run([shop, "status"], check=False).returncode == 0
    assert subprocess.run([shop, "nonsense"], check=False).returncode == 2


@pytest.mark.timeout(100)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_demo_that_is_ended_early_leaves_nothing(place: Place, number: int) -> None:
    """Told so twice it does no less."""
    with subprocess.Popen(
        [*RESEAL, "demo", "--report", place.path / "r.html"],
        env=environment(place),
        stdout=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        end = time.monotonic() + 60
        while not running(place.path / "reseal-demo-") and time.monotonic() < end:
            time.sleep(0.1)
        assert running(place.path / "reseal-demo-")
        process.send_signal(number)
        time.sleep(0.3)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
        assert process.returncode == 128 + number
    assert not [*place.path.iterdir()]
    assert not running(place.path / "reseal-demo-")


def ended(path: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    code = main(["demo", "--end", str(path)])
    return code, capsys.readouterr().err


@pytest.fixture
def signals() -> Iterator[None]:
    """Give back what a demo's end sets."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in numbers}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_only_a_demo_of_ones_own_is_ended(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    place = Place(tmp_path)
    place.site_file.touch()
    place.primary.path.mkdir(parents=True)
    code, said = ended(tmp_path, capsys)
    assert (code, "is not the site of a demo" in said) == (2, True)
    place.mark.touch()
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    code, said = ended(tmp_path, capsys)
    assert (code, "belongs to somebody else" in said) == (2, True)
    assert place.site_file.exists()


@pytest.mark.usefixtures("signals")
def test_what_cannot_be_ended_is_told_and_left(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = Place(tmp_path)
    furnish(place)
    broken = place.home("web02").reseal
    broken.chmod(0o644)
    code, said = ended(tmp_path, capsys)
    assert code == 1
    assert "reseal-agent of web02: could not be ended" in said
    assert place.site_file.exists()
    broken.chmod(0o755)
    assert ended(tmp_path, capsys) == (0, "")
    assert not tmp_path.exists()
