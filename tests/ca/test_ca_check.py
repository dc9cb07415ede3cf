"""What is not in order is found, and what is provable is repaired."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from scene import HOST, WEB, Fixed, Scene

from reseal import files
from reseal.ca.authority import load
from reseal.ca.check import check, repair
from reseal.ca.findings import RULES
from reseal.ca.sign import revoke_serials
from reseal.clock import Clock
from reseal.errors import StoreError
from reseal.store import open_cadir
from reseal.x509 import bundle, keys
from reseal.x509.csr import build_request


@pytest.mark.parametrize("name", ["puppet-5.5", "puppetserver-7", "puppetserver-8"])
def test_cadirs_of_the_real_tools_are_in_order(
    golden: Callable[[str], Path], clock: Clock, name: str
) -> None:
    cadir = golden(name)
    before = {p: p.read_bytes() for p in cadir.rglob("*") if p.is_file()}
    assert check(cadir, open_cadir(cadir), clock) == ()
    assert {p: p.read_bytes() for p in cadir.rglob("*") if p.is_file()} == before


def test_a_ca_of_ours_is_in_order(scene: Scene) -> None:
    assert check(scene.cadir, scene.authority.store, scene.clock) == ()


def lose_inventory_row(scene: Scene) -> None:
    rows = scene.read("inventory.txt").splitlines(keepends=True)
    scene.write("inventory.txt", b"".join(rows[:-1]), 0o640)


def leave_request(scene: Scene) -> None:
    (scene.cadir / "requests").mkdir(exist_ok=True)
    request = build_request(keys.LocalSigner(scene.key), WEB)
    scene.write(f"requests/{WEB}.pem", request.pem)


def leave_half(scene: Scene, *, minutes: int) -> None:
    scene.write("signed/.reseal-x", b"half")
    changed = scene.clock.now() - timedelta(minutes=minutes)
    times = (changed.timestamp(), changed.timestamp())
    os.utime(scene.cadir / "signed" / ".reseal-x", times)


def turn_lists(scene: Scene) -> None:
    lists = bundle.load_crls(scene.read("ca_crl.pem"))
    other = bundle.load_crls((scene.other / "ca_crl.pem").read_bytes())
    scene.write("ca_crl.pem", bundle.dump_crls([*other, *lists]))


def turn_bundle(scene: Scene) -> None:
    other = (scene.other / "ca_crt.pem").read_bytes()
    scene.write("ca_crt.pem", other + scene.read("ca_crt.pem"))


PROVABLE: list[tuple[str, str, Callable[[Scene], object]]] = [
    ("no-leftovers", ".reseal-x", lambda s: leave_half(s, minutes=11)),
    (
        "modes",
        "mode 0644 lets others read",
        lambda s: s.chmod("ca_key.pem", 0o644),
    ),
    (
        "modes",
        "mode 0666 lets others write",
        lambda s: s.chmod("serial", 0o666),
    ),
    (
        "modes",
        "mode 0777 lets others write",
        lambda s: s.chmod("signed", 0o777),
    ),
    ("keys-match", "ca_pub.pem: is not", lambda s: s.write("ca_pub.pem", b"x")),
    ("keys-match", "ca_pub.pem: is not", lambda s: (s.cadir / "ca_pub.pem").unlink()),
    ("signing-ca-first", "list is not first", turn_lists),
    ("signing-ca-first", "signing CA is not first", turn_bundle),
    ("in-inventory", "serial 0003 is not in the inv", lose_inventory_row),
    ("next-serial", "would give 0002 again", lambda s: s.write("serial", b"0002")),
    ("next-serial", "holds no serial number", lambda s: s.write("serial", b"")),
    ("requests", f"{WEB}: its request waits", leave_request),
]


@pytest.mark.parametrize(("rule", "text", "harm"), PROVABLE)
def test_what_is_provable_is_repaired(
    scene: Scene, rule: str, text: str, harm: Callable[[Scene], object]
) -> None:
    harm(scene)
    store = open_cadir(scene.cadir)
    (found,) = [f for f in check(scene.cadir, store, scene.clock) if f.repairable]
    assert found.rule == rule
    assert text in found.message
    assert found.citation
    outcome = repair(scene.cadir, store, scene.clock)
    assert outcome.done == (found,)
    assert (outcome.left, outcome.failed) == ((), ())
    assert load(scene.cadir, store).issuer.certificate
    serials = {row.serial for row in store.inventory()}
    assert serials == {1, 2, 3}
    assert store.next_serial() == 4


def swap_files(scene: Scene) -> None:
    scene.write(f"signed/{WEB}.pem", scene.read(f"signed/{HOST}.pem"))


def foreign_certificate(scene: Scene) -> None:
    foreign = (scene.other / "signed" / "web01.example.com.pem").read_bytes()
    scene.write(f"signed/{WEB}.pem", foreign)


def used_twice(scene: Scene) -> None:
    row = scene.read("inventory.txt").splitlines()[-1]
    scene.write(
        "inventory.txt", scene.read("inventory.txt") + row[:-4] + b"xyz\n", 0o640
    )


def revoke_unknown(scene: Scene) -> None:
    revoke_serials(scene.authority, (0x77,), scene.clock)


NOT_PROVABLE: list[tuple[str, str, Callable[[Scene], object]]] = [
    (
        "complete",
        "inventory.txt: is missing",
        lambda s: (s.cadir / "inventory.txt").unlink(),
    ),
    (
        "readable",
        "ca_key.pem: private key: not a key",
        lambda s: s.write("ca_key.pem", b"x", 0o640),
    ),
    ("readable", "line 4: not a row", lambda s: s.append("inventory.txt", b"torn\n")),
    ("readable", "not a certificate", lambda s: s.write(f"signed/{WEB}.pem", b"x")),
    ("readable", "has upper-case letters", lambda s: s.write("signed/BAD.pem", b"x")),
    ("readable", "has no revocation list", lambda s: s.write("ca_crl.pem", b"")),
    ("keys-match", "no certificate in ca_crt", lambda s: s.borrow("ca_crt.pem")),
    ("lists", "Puppet CA: test is missing", lambda s: s.borrow("ca_crl.pem")),
    ("signed", f"{WEB}: file holds the certificate of {HOST}", swap_files),
    ("signed", f"{WEB}: certificate was not signed by this CA", foreign_certificate),
    ("serials-unique", "serial 0003: used more than once", used_twice),
    ("revoked-known", "serial 0077: is revoked, but not", revoke_unknown),
    ("requests", "request cannot be read", lambda s: s.write("requests/a.pem", b"x")),
]


@pytest.mark.parametrize(("rule", "text", "harm"), NOT_PROVABLE)
def test_what_is_not_provable_is_told_and_left(
    scene: Scene, rule: str, text: str, harm: Callable[[Scene], object]
) -> None:
    harm(scene)
    store = open_cadir(scene.cadir)
    outcome = repair(scene.cadir, store, scene.clock)
    told = [f for f in outcome.left if f.rule == rule and text in f.message]
    assert len(told) == 1
    assert not told[0].repairable


def test_a_revoked_serial_that_no_file_can_hold_is_not_counted_on_from(
    scene: Scene,
) -> None:
    revoke_serials(scene.authority, (2**127,), scene.clock)
    scene.write("serial", b"")
    store = open_cadir(scene.cadir)
    outcome = repair(scene.cadir, store, scene.clock)
    assert [fault.rule for fault in outcome.done] == ["next-serial"]
    assert store.next_serial() == 4


def test_a_file_that_may_be_in_work_is_left_alone(scene: Scene) -> None:
    leave_half(scene, minutes=9)
    assert repair(scene.cadir, scene.authority.store, scene.clock).done == ()
    assert scene.read("signed/.reseal-x") == b"half"


def test_what_ends_soon_or_has_ended(scene: Scene) -> None:
    end = scene.authority.issuer.certificate.not_valid_after_utc
    store = scene.authority.store
    soon = check(scene.cadir, store, Fixed(end - timedelta(days=20)))
    assert {f.rule for f in soon if f.warning} == {"validity", "lists"}
    gone = check(scene.cadir, store, Fixed(end + timedelta(days=1)))
    assert {(f.rule, f.warning) for f in gone} == {
        ("validity", False),
        ("lists", False),
    }
    names = [f.message.split(":")[0] for f in gone if f.rule == "validity"]
    assert names == ["CA Puppet CA", HOST, WEB]


def test_a_list_that_ended_is_published_again_with_its_entries(scene: Scene) -> None:
    revoke_serials(scene.authority, (3,), scene.clock)
    end = scene.authority.issuer.certificate.not_valid_after_utc
    outcome = repair(scene.cadir, scene.authority.store, Fixed(end + timedelta(days=9)))
    assert [f.rule for f in outcome.done] == ["lists"]
    (own,) = bundle.load_crls(scene.authority.store.crls())
    assert own.revoked(3) is not None
    assert own.number == 2


def test_a_file_of_another_user_is_given_back(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    status = scene.cadir.stat()
    owner = (status.st_uid, status.st_gid)
    path = scene.cadir / "serial"
    real = Path.lstat

    def strange(self: Path) -> os.stat_result:
        found = real(self)
        if self != path:
            return found
        fields = list(found)
        fields[4] = owner[0] + 1
        return os.stat_result(fields)

    given: list[tuple[Path, tuple[int, ...]]] = []
    monkeypatch.setattr(Path, "lstat", strange)
    monkeypatch.setattr(
        os, "chown", lambda path, *to, follow_symlinks: given.append((path, to))
    )
    outcome = repair(scene.cadir, scene.authority.store, scene.clock)
    assert [f.rule for f in outcome.done] == ["owners"]
    assert given == [(path, owner)]


def test_a_repair_that_fails_is_told(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    lose_inventory_row(scene)
    store = open_cadir(scene.cadir)

    def full(*_: object, **__: object) -> None:
        raise StoreError("inventory.txt: no space left on device")

    monkeypatch.setattr(files, "append", full)
    outcome = repair(scene.cadir, store, scene.clock)
    assert outcome.done == ()
    assert "no space left on device" in outcome.failed[0]
    assert [f.rule for f in outcome.left] == ["in-inventory"]


def test_where_there_is_no_ca_every_file_is_missing(
    tmp_path: Path, clock: Clock
) -> None:
    found = check(tmp_path / "none", open_cadir(tmp_path / "none"), clock)
    assert len([f for f in found if f.rule == "complete"]) == 5
    assert not any(f.repairable for f in found)
    assert not (tmp_path / "none").exists()


def test_who_may_not_set_a_mode_is_told(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.chmod("ca_key.pem", 0o644)

    def denied(path: Path, mode: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "chmod", denied)
    outcome = repair(scene.cadir, scene.authority.store, scene.clock)
    assert outcome.done == ()
    assert outcome.failed[0].endswith("mode cannot be set: Operation not permitted")


def test_every_rule_is_tried_here_or_with_the_crashes() -> None:
    tried = {rule for rule, _, _ in (*PROVABLE, *NOT_PROVABLE)}
    here = {"validity", "owners"}
    assert {rule.name for rule in RULES} - tried - here == {"intents"}
