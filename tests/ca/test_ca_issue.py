"""Number, draft, lint, record, sign, keep; and what a crash between them leaves."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from scene import WEB, Fixed

from reseal import files
from reseal.audit import auditing
from reseal.ca.authority import Authority, load
from reseal.ca.check import check, repair
from reseal.ca.issue import issue
from reseal.ca.policy import Approved, vouch
from reseal.ca.profile import Profile
from reseal.certname import Certname
from reseal.clock import Clock
from reseal.errors import IssuanceError, LintError, SettingsError, StoreError
from reseal.store import open_cadir
from reseal.x509 import bundle, certexts, der, keys, oids
from reseal.x509.certificate import Issuer, common_name

PROFILE = Profile(timedelta(days=1825))


class Crash(BaseException):
    """The process dies here."""


class SpySigner:
    """Signs, and keeps the contents it signed."""

    def __init__(self, signer: keys.Signer) -> None:
        self.signer = signer
        self.public_key = signer.public_key
        self.signed: list[bytes] = []

    def sign(self, data: bytes) -> bytes:
        self.signed.append(data)
        return self.signer.sign(data)


@pytest.fixture
def approved(node_key: keys.PrivateKey) -> Approved:
    return vouch(WEB, node_key.public_key(), (f"DNS:{WEB}",))


def sign_with(authority: Authority, signer: keys.Signer) -> Issuer:
    return Issuer(authority.issuer.certificate, signer)


def tree(cadir: Path) -> dict[str, bytes]:
    return {str(p): p.read_bytes() for p in cadir.rglob("*") if p.is_file()}


def test_a_certificate_is_kept_with_its_row_and_leaves_no_intent(
    authority: Authority, approved: Approved, clock: Clock, tmp_path: Path
) -> None:
    lines: list[str] = []
    with auditing(lines.append, clock):
        made = issue(
            approved,
            issuer=authority.issuer,
            profile=PROFILE,
            store=authority.store,
            clock=clock,
        )
    assert authority.store.get(WEB) == made
    assert made.serial_number == 3
    assert [row.serial for row in authority.store.inventory()] == [1, 2, 3]
    assert list(authority.store.intents()) == []
    assert made.not_valid_before_utc == clock.now() - timedelta(days=1)
    end = authority.issuer.certificate.not_valid_after_utc
    assert made.not_valid_after_utc == min(clock.now() + PROFILE.ttl, end)
    crls = bundle.load_crls(authority.store.crls())
    bundle.verify_chain(made, authority.bundle, crls, clock.now())
    told = json.loads(lines[0])
    assert (told["event"], told["serial"]) == ("certificate.issued", "0003")


def test_a_draft_that_breaks_a_rule_costs_a_number_and_nothing_else(
    authority: Authority, approved: Approved, clock: Clock, cadir: Path
) -> None:
    twice = (certexts.text_extension(oids.PP_AUTH_ROLE, "a"),) * 2
    spy = SpySigner(authority.issuer.signer)
    before = tree(cadir)
    with pytest.raises(LintError, match="more than once"):
        issue(
            replace(approved, extensions=twice),
            issuer=sign_with(authority, spy),
            profile=PROFILE,
            store=authority.store,
            clock=clock,
        )
    assert spy.signed == []
    changed = {name for name, data in tree(cadir).items() if before.get(name) != data}
    assert {Path(name).name for name in changed} == {"serial", ".reseal.lock"}


def test_an_expired_ca_signs_nothing(
    authority: Authority, approved: Approved, cadir: Path
) -> None:
    clock = Fixed(authority.issuer.certificate.not_valid_after_utc)
    before = tree(cadir)
    with pytest.raises(IssuanceError, match="expired on 2031") as caught:
        issue(
            approved,
            issuer=authority.issuer,
            profile=PROFILE,
            store=authority.store,
            clock=clock,
        )
    assert "reseal ca extend" in str(caught.value.hint)
    assert tree(cadir) == before


def test_a_failed_record_stops_the_deed(
    authority: Authority, approved: Approved, clock: Clock, cadir: Path
) -> None:
    (cadir / "intents").write_text("in the way")
    spy = SpySigner(authority.issuer.signer)
    with pytest.raises(StoreError):
        issue(
            approved,
            issuer=sign_with(authority, spy),
            profile=PROFILE,
            store=authority.store,
            clock=clock,
        )
    assert spy.signed == []
    assert not (cadir / "signed" / f"{WEB}.pem").exists()


def test_agents_that_renew_live_shorter() -> None:
    profile = Profile(timedelta(days=1825), auto_renewal_ttl=timedelta(days=90))
    now = datetime(2026, 1, 1, tzinfo=UTC)
    far = now + timedelta(days=9999)
    assert profile.validity(now, cap=far, auto_renew=True)[1] - now == timedelta(90)
    assert profile.validity(now, cap=far)[1] - now == timedelta(1825)


def test_a_profile_is_validated_once() -> None:
    with pytest.raises(SettingsError) as caught:
        Profile(timedelta(0), auto_renewal_ttl=timedelta(days=99999))
    assert len(caught.value.faults) == 2


def fuse(
    monkeypatch: pytest.MonkeyPatch, burn_at: int, *, after: bool
) -> Callable[[], int]:
    """Let the process die at the n-th file operation, before or after it is done."""
    count = 0

    def wrap(name: str) -> None:
        operation = getattr(files, name)

        def burning(*args: object, **options: object) -> object:
            nonlocal count
            count += 1
            if count == burn_at and not after:
                raise Crash
            done = operation(*args, **options)
            if count == burn_at:
                raise Crash
            return done

        monkeypatch.setattr(files, name, burning)

    for name in ("stage", "publish", "append", "remove"):
        wrap(name)
    return lambda: count


POINTS = (
    "serial staged",
    "serial",
    "intent staged",
    "intent",
    "certificate staged",
    "row",
    "certificate",
    "intent removed",
)
"""What issue() does to files, in its order."""


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("point", range(1, len(POINTS) + 1), ids=POINTS)
def test_a_crash_at_any_point_is_settled_by_check(
    authority: Authority,
    approved: Approved,
    clock: Clock,
    cadir: Path,
    monkeypatch: pytest.MonkeyPatch,
    point: int,
    after: bool,
) -> None:
    spy = SpySigner(authority.issuer.signer)
    with monkeypatch.context() as patch:
        count = fuse(patch, point, after=after)
        with pytest.raises(Crash):
            issue(
                approved,
                issuer=sign_with(authority, spy),
                profile=PROFILE,
                store=authority.store,
                clock=clock,
            )
        assert count() == point
    store = open_cadir(cadir)
    later = Fixed(clock.now() + timedelta(minutes=11))
    outcome = repair(cadir, store, later)
    assert (outcome.left, outcome.failed) == ((), ())
    assert list(store.intents()) == []
    assert_trace(load(cadir, store), spy, approved.certname)
    again = issue(
        approved,
        issuer=authority.issuer,
        profile=PROFILE,
        store=store,
        clock=later,
    )
    serials = [row.serial for row in store.inventory()]
    assert len(serials) == len(set(serials))
    assert again.serial_number == max(serials)
    assert check(cadir, store, later) == ()


def assert_trace(authority: Authority, spy: SpySigner, name: Certname) -> None:
    """Whatever was signed is in the inventory, and current or revoked."""
    own = bundle.own_crl(
        authority.issuer.certificate, bundle.load_crls(authority.store.crls())
    )
    assert own is not None
    rows = {row.serial for row in authority.store.inventory()}
    current = {found: c.serial_number for found, c in authority.store.certificates()}
    for contents in spy.signed:
        serial = der.read_integer(der.parse(contents).children()[1])
        assert serial in rows
        assert current.get(name) == serial or own.revoked(serial) is not None


def test_a_draft_is_left_alone_while_it_may_be_in_work(
    authority: Authority,
    approved: Approved,
    clock: Clock,
    cadir: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as patch:
        fuse(patch, POINTS.index("row") + 1, after=False)
        with pytest.raises(Crash):
            issue(
                approved,
                issuer=authority.issuer,
                profile=PROFILE,
                store=authority.store,
                clock=clock,
            )
    soon = Fixed(clock.now() + timedelta(minutes=9))
    outcome = repair(cadir, authority.store, soon)
    assert outcome.done == ()
    assert [(f.rule, f.warning) for f in outcome.left] == [("intents", True)]
    assert [common_name(d) for d in authority.store.intents()] == [WEB]
