"""The index of statuses is a memory: what is told is what the certificates say."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from serverscene import WEB, Fixed, Scene

from reseal.ca.profile import Profile
from reseal.certname import Certname
from reseal.server.options import CaOptions
from reseal.server.statuses import Statuses

COUNT = 120
"""More than are told anew each time."""

PROFILE = Profile(timedelta(days=100))
CLOCK = Fixed(datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC))


@pytest.fixture(scope="module")
def grown(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CA with so many certificates that an index is kept."""
    cadir = Path(shutil.copytree(template, tmp_path_factory.mktemp("grown") / "ca"))
    scene = Scene(cadir, CLOCK, CaOptions())
    for number in range(COUNT):
        scene.issue(f"n{number:03d} of.example.com", PROFILE)
    return cadir


@pytest.fixture
def large(grown: Path, tmp_path: Path) -> Scene:
    return Scene(Path(shutil.copytree(grown, tmp_path / "ca")), CLOCK, CaOptions())


def listed(scene: Scene, state: str | None = None) -> list[dict[str, Any]]:
    """Return what a server that has just started tells."""
    found: list[dict[str, Any]] = json.loads(Statuses(scene.office).all(state))
    return found


def read(monkeypatch: pytest.MonkeyPatch, scene: Scene) -> list[str]:
    """Return a list that grows with each name whose certificate is read."""
    names: list[str] = []
    real = type(scene.office.store).get

    def get(store: Any, certname: Certname) -> Any:
        names.append(certname)
        return real(store, certname)

    monkeypatch.setattr(type(scene.office.store), "get", get)
    return names


def index(scene: Scene) -> Path:
    return scene.cadir / "derived/statuses"


def test_the_second_list_reads_no_certificate(
    large: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = read(monkeypatch, large)
    first = listed(large)
    assert len(first) == len(names) == COUNT + 2
    assert [each["name"] for each in first] == sorted(names)
    assert index(large).stat().st_mode & 0o777 == 0o640
    names.clear()
    assert listed(large) == first
    assert names == []


def test_it_tells_of_what_was_changed_since(
    large: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {each["name"]: each for each in listed(large)}
    store = large.office.store
    store.remove_certificate(WEB)
    store.remove_certificate(Certname("n007 of.example.com"))
    new = large.issue(WEB, PROFILE)
    names = read(monkeypatch, large)
    after = {each["name"]: each for each in listed(large)}
    assert names == [WEB]
    assert before.keys() - after.keys() == {"n007 of.example.com"}
    assert after[WEB]["serial_number"] == new.serial_number
    assert {n for n in after if after[n] != before[n]} == {WEB}


def test_the_state_is_that_of_the_moment(large: Scene) -> None:
    listed(large)
    wish = {"desired_state": "revoked"}
    path = f"/puppet-ca/v1/certificate_status/{WEB}"
    assert large.ask("PUT", path, wish, large.cli).status == 204
    assert [each["name"] for each in listed(large, "revoked")] == [WEB]
    assert WEB not in [each["name"] for each in listed(large, "signed")]


@pytest.mark.parametrize("damage", [b"", b"another form\nx", b"\0" * 5000])
def test_an_index_of_another_form_is_made_anew(large: Scene, damage: bytes) -> None:
    first = listed(large)
    index(large).write_bytes(damage)
    assert listed(large) == first
    assert index(large).read_bytes().startswith(b"reseal statuses 1\n")


def test_a_list_is_told_where_no_index_can_be_kept(
    large: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "reseal.ca")
    (large.cadir / "derived").write_bytes(b"")
    assert len(listed(large)) == COUNT + 2
    assert "derived" in caplog.text


def test_few_certificates_need_no_index(scene: Scene) -> None:
    assert len(listed(scene)) == 2
    assert not index(scene).exists()
