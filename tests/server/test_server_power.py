"""An answered request survives a power cut, and a cut at any moment leaves a CA."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import count
from pathlib import Path

import pytest
from serverscene import HOST, WEB, Fixed, Scene
from strictdisk import StrictDisk

from reseal.ca.authority import load
from reseal.ca.check import repair
from reseal.certname import Certname
from reseal.server.options import CaOptions
from reseal.store import open_cadir
from reseal.wire import Response

CA = "/puppet-ca/v1"


@pytest.fixture
def disk(scene: Scene) -> Iterator[StrictDisk]:
    """The disk under a CA that has been in use."""
    scene.use(autosign="true")
    scene.put("first.example.com")
    disk = StrictDisk(scene.cadir)
    yield disk
    disk.close()


def revoke(scene: Scene, name: str) -> Response:
    wish = {"desired_state": "revoked"}
    return scene.ask("PUT", f"{CA}/certificate_status/{name}", wish, scene.cli)


def findings(cadir: Path, scene: Scene) -> list[str]:
    """Return what is wrong with a CA that was repaired an hour later."""
    clock = Fixed(scene.clock.time + timedelta(hours=1))
    return [each.message for each in repair(cadir, open_cadir(cadir), clock).left]


def scene_at(cadir: Path, clock: Fixed) -> Scene:
    return Scene(cadir, clock, CaOptions(autosign="true"))


def test_what_was_answered_is_on_the_disk(
    scene: Scene, disk: StrictDisk, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with disk.watching(monkeypatch):
        for number in range(3):
            name = Certname(f"node{number}.example.com")
            assert scene.put(name).status == 200
            left = disk.after_a_cut(tmp_path / f"cut{number}")
            answered = scene.certificate(name)
            assert open_cadir(left).get(name) == answered
            serials = [row.serial for row in open_cadir(left).inventory()]
            assert answered.serial_number in serials
            assert int((left / "serial").read_text(), 16) > max(serials)
            assert findings(left, scene) == []


def test_a_revocation_that_was_answered_is_on_the_disk(
    scene: Scene, disk: StrictDisk, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with disk.watching(monkeypatch):
        assert revoke(scene, WEB).status == 204
    left = disk.after_a_cut(tmp_path / "cut")
    authority = load(left, open_cadir(left))
    serial = scene.certificate(WEB).serial_number
    assert scene_at(left, scene.clock).office.revoked(serial)
    assert authority.issuer.certificate == scene.authority.issuer.certificate
    assert findings(left, scene) == []


def test_a_request_that_was_answered_is_on_the_disk(
    scene: Scene, disk: StrictDisk, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    scene.use(autosign="false")
    with disk.watching(monkeypatch):
        assert scene.put("waits.example.com").status == 200
    left = disk.after_a_cut(tmp_path / "cut")
    assert open_cadir(left).request(Certname("waits.example.com"))


def test_a_cut_at_any_sync_leaves_a_ca_that_goes_on(
    scene: Scene, disk: StrictDisk, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    numbers = count()

    def cut() -> None:
        disk.after_a_cut(tmp_path / f"cut{next(numbers)}")

    with disk.watching(monkeypatch, then=cut):
        scene.put("next.example.com")
        revoke(scene, HOST)
    given = scene.certificate("next.example.com").serial_number
    cuts = next(numbers)
    assert cuts == disk.syncs
    for number in range(cuts):
        left = tmp_path / f"cut{number}"
        later = scene_at(left, scene.clock)
        promised = [c.serial_number for c in later.office.store.intents()]
        assert later.put("later.example.com").status == 200
        serial = later.certificate("later.example.com").serial_number
        known = [row.serial for row in open_cadir(left).inventory()]
        assert known.count(serial) == 1
        assert serial not in promised
        assert serial >= given


def test_how_many_syncs_a_deed_takes(
    scene: Scene, disk: StrictDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rise of these figures is a loss of speed on real disks; a fall must be safe."""
    with disk.watching(monkeypatch):
        scene.put("next.example.com")
        enrolment, disk.syncs = disk.syncs, 0
        revoke(scene, WEB)
    assert (enrolment, disk.syncs) == (7, 2)
