"""What is revoked is on the list, once, and stays there."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from scene import WEB

from reseal import files
from reseal.ca.authority import Authority, load
from reseal.ca.profile import Profile
from reseal.ca.revoke import next_update, revoke, serials_of
from reseal.ca.rules import Rules
from reseal.ca.sign import clean, generate, revoke_name, revoke_serials, sign, submit
from reseal.certname import Certname
from reseal.clock import Clock
from reseal.errors import (
    DuplicateCertificate,
    InvalidRequest,
    NotFound,
    PolicyError,
    StoreCorrupt,
)
from reseal.store import open_cadir
from reseal.x509 import bundle, keys
from reseal.x509.crl import RevocationList
from reseal.x509.csr import build_request

PROFILE = Profile(timedelta(days=365))


def own(authority: Authority) -> RevocationList:
    found = bundle.own_crl(
        authority.issuer.certificate, bundle.load_crls(authority.store.crls())
    )
    assert found is not None
    return found


@pytest.fixture
def signed(authority: Authority, node_key: keys.PrivateKey, clock: Clock) -> Authority:
    """The CA with a certificate for WEB, serial 3."""
    public = node_key.public_key()
    generate(authority, WEB, public, profile=PROFILE, clock=clock)
    return authority


def test_revoking_a_name_publishes_the_next_list(
    signed: Authority, clock: Clock
) -> None:
    done = revoke_name(signed, WEB, clock)
    assert (done.serials, done.added) == ((3,), (3,))
    crl = own(signed)
    entry = crl.revoked(3)
    assert entry is not None
    assert (entry.reason, entry.revocation_date) == (1, clock.now())
    assert crl.number == 1
    assert crl.this_update == clock.now() - timedelta(seconds=1)
    assert crl.next_update == clock.now().replace(year=clock.now().year + 5)
    assert signed.store.get(WEB).serial_number == 3


def test_revoking_twice_changes_nothing(
    signed: Authority, clock: Clock, cadir: Path
) -> None:
    revoke_name(signed, WEB, clock)
    before = (cadir / "ca_crl.pem").read_bytes()
    done = revoke_name(signed, WEB, clock)
    assert (done.serials, done.added) == ((3,), ())
    assert (cadir / "ca_crl.pem").read_bytes() == before


def test_every_live_serial_of_a_name_is_revoked(
    signed: Authority, node_key: keys.PrivateKey, clock: Clock, cadir: Path
) -> None:
    dead = b"0x0A00 2020-01-01T00:00:00UTC 2021-01-01T00:00:00UTC /CN=%s\n"
    files.append(cadir / "inventory.txt", dead % WEB.encode(), mode=0o640)
    signed.store.remove_certificate(WEB)
    generate(signed, WEB, node_key.public_key(), profile=PROFILE, clock=clock)
    assert serials_of(WEB, signed.store, clock.now()) == (3, 4)
    assert revoke_name(signed, WEB, clock).added == (3, 4)
    assert own(signed).number == 1


def test_a_serial_can_be_revoked_by_number(signed: Authority, clock: Clock) -> None:
    assert revoke_serials(signed, (0x77, 3), clock).added == (3, 0x77)


def test_a_name_that_is_not_known_is_an_error_and_changes_nothing(
    signed: Authority, clock: Clock, cadir: Path
) -> None:
    before = (cadir / "ca_crl.pem").read_bytes()
    for deed in (revoke_name, clean):
        with pytest.raises(NotFound, match="nobody: has no certificate to revoke"):
            deed(signed, Certname("nobody"), clock)
    assert (cadir / "ca_crl.pem").read_bytes() == before


def test_infrastructure_nodes_are_on_their_own_list_too(
    signed: Authority, clock: Clock, cadir: Path
) -> None:
    (cadir / "infra_serials").write_text("3\n")
    revoke_serials(signed, (3, 4), clock)
    infra = bundle.load_crls((cadir / "infra_crl.pem").read_bytes())[0]
    assert infra.serials() == {3}
    assert own(signed).serials() == {3, 4}


def test_without_the_cas_list_nothing_is_revoked(
    signed: Authority, clock: Clock, golden: Callable[[str], Path], cadir: Path
) -> None:
    other = (golden("puppet-5.5") / "ca_crl.pem").read_bytes()
    files.replace(cadir / "ca_crl.pem", other, mode=0o644)
    with pytest.raises(StoreCorrupt, match="no list signed with the CA's key"):
        revoke([3], issuer=signed.issuer, store=signed.store, clock=clock)
    assert (cadir / "ca_crl.pem").read_bytes() == other


def test_cleaning_revokes_and_removes(signed: Authority, clock: Clock) -> None:
    done = clean(signed, WEB, clock)
    assert done.revocation is not None
    assert (done.revocation.added, done.certificate, done.request) == (
        (3,),
        True,
        False,
    )
    again = clean(signed, WEB, clock)
    assert again.revocation is not None
    assert (again.revocation.added, again.certificate) == ((), False)


def test_cleaning_a_request_revokes_nothing(
    authority: Authority, node_key: keys.PrivateKey, clock: Clock
) -> None:
    request = build_request(keys.LocalSigner(node_key), WEB)
    submit(authority, WEB, request.pem)
    done = clean(authority, WEB, clock)
    assert (done.revocation, done.certificate, done.request) == (None, False, True)
    assert list(authority.store.requests()) == []


def test_a_request_is_signed_and_removed_or_stays(
    authority: Authority, node_key: keys.PrivateKey, clock: Clock
) -> None:
    signer = keys.LocalSigner(node_key)
    submit(authority, WEB, b"text\n" + build_request(signer, WEB, ["DNS:a"]).pem)
    with pytest.raises(PolicyError, match="DNS:a"):
        sign(authority, WEB, rules=Rules(), profile=PROFILE, clock=clock)
    assert [name for name, _ in authority.store.requests()] == [WEB]
    assert list(authority.store.inventory())[-1].serial == 2
    allowed = Rules(allow_subject_alt_names=True)
    sign(authority, WEB, rules=allowed, profile=PROFILE, clock=clock)
    assert list(authority.store.requests()) == []
    assert WEB in list(authority.store.certnames())
    with pytest.raises(NotFound):
        sign(authority, WEB, rules=allowed, profile=PROFILE, clock=clock)


def test_a_name_with_a_certificate_gets_no_second(
    signed: Authority, node_key: keys.PrivateKey, clock: Clock
) -> None:
    request = build_request(keys.LocalSigner(node_key), WEB)
    with pytest.raises(DuplicateCertificate, match="already has a signed"):
        submit(signed, WEB, request.pem)
    with pytest.raises(DuplicateCertificate, match="A Certificate already exists"):
        generate(signed, WEB, node_key.public_key(), profile=PROFILE, clock=clock)
    with pytest.raises(InvalidRequest):
        submit(signed, Certname("other"), b"nonsense")
    assert list(signed.store.requests()) == []


@pytest.mark.parametrize(
    ("name", "listed", "number"),
    [("puppet-5.5", {5}, 3), ("puppetserver-7", {3}, 2), ("puppetserver-8", {3}, 2)],
)
def test_real_cadirs_go_on(
    golden: Callable[[str], Path],
    clock: Clock,
    name: str,
    listed: set[int],
    number: int,
) -> None:
    cadir = golden(name)
    authority = load(cadir, open_cadir(cadir))
    others = [each.der for each in bundle.load_crls(authority.store.crls())[1:]]
    assert own(authority).serials() == listed
    done = revoke_name(authority, WEB, clock)
    lists = bundle.load_crls(authority.store.crls())
    assert lists[0].serials() == listed | set(done.added)
    assert [each.der for each in lists[1:]] == others
    assert lists[0].number == number
    chain = authority.bundle
    leaf = authority.store.get(Certname("puppet.lab.test"))
    bundle.verify_chain(leaf, chain, lists, clock.now())


def test_five_years_as_each_dialect_counts_them() -> None:
    leap = datetime(2028, 2, 29, tzinfo=UTC)
    assert next_update(leap, "server") == datetime(2033, 2, 28, tzinfo=UTC)
    assert next_update(leap, "ruby") == leap + timedelta(days=1825)
