"""Revocation lists: extended without loss, looked up, and taken by openssl."""

from __future__ import annotations

from datetime import timedelta

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st
from x509_world import (
    CADIRS,
    DAY,
    NOW,
    YEAR,
    calmly,
    make_ca,
    make_crl,
    make_root,
    openssl,
)
from x509_world import signer as key_of

from reseal.errors import ParseError
from reseal.x509 import bundle, certexts, crl, der, keys, names, oids
from reseal.x509.crl import RevocationList
from reseal.x509.crlentry import KEY_COMPROMISE, Entries, Entry

EC = key_of("ec:secp256r1")
ISSUER = names.common_name("Puppet CA: x")
serials = st.integers(1, 2**159 - 1)
SECOND = timedelta(seconds=1)


def build(
    *entries: Entry, number: int = 0, number_first: bool = True
) -> RevocationList:
    return crl.build(
        EC,
        ISSUER,
        number=number,
        this_update=NOW - SECOND,
        next_update=NOW + YEAR,
        key_id=keys.key_id(EC.public_key),
        entries=entries,
        number_first=number_first,
    )


def extend(old: RevocationList, *entries: Entry) -> RevocationList:
    later = NOW + DAY
    return crl.extend(old, entries, EC, this_update=later, next_update=later + YEAR)


SMALL = build(Entry(7, NOW), Entry(200, NOW))


@calmly
@given(st.lists(serials, max_size=8), st.lists(serials, max_size=30), serials)
def test_lists_are_what_cryptography_reads(
    first: list[int], second: list[int], absent: int
) -> None:
    old = build(*(Entry(serial, NOW) for serial in first))
    new = extend(old, *(Entry(serial, NOW + DAY) for serial in second))
    theirs = x509.load_der_x509_crl(new.der)
    assert new.revoked_entries.startswith(old.revoked_entries)
    assert new.serials() == {*first, *second} == {r.serial_number for r in theirs}
    assert (new.revoked(absent) is not None) == (absent in {*first, *second})
    for serial in {*first, *second}:
        date = NOW if serial in first else NOW + DAY
        assert new.revoked(serial) == Entry(serial, date, KEY_COMPROMISE)
        found = theirs.get_revoked_certificate_by_serial_number(serial)
        assert found is not None
        assert found.revocation_date_utc == date
    assert len(new) == len({*first, *second})
    assert crl.parse(new.der) == new
    assert theirs.next_update_utc == new.next_update == NOW + DAY + YEAR


@calmly
@given(st.lists(serials, max_size=8), st.lists(serials, max_size=400))
def test_a_list_that_follows_another_answers_as_if_it_had_not(
    first: list[int], second: list[int]
) -> None:
    """Asked before or not, listed before or not, and whatever the other one was."""
    old = build(*(Entry(serial, NOW) for serial in first))
    new = extend(old, *(Entry(serial, NOW + DAY) for serial in second))
    asked = [*first, *second, 1, 2**70]
    before = [old.revoked(serial) for serial in asked]
    for followed in (old, new, SMALL):
        told = crl.parse(new.der)
        told.follow(followed)
        untold = crl.parse(new.der)
        assert [told.revoked(n) for n in asked] == [untold.revoked(n) for n in asked]
    assert [old.revoked(serial) for serial in asked] == before


def test_what_was_asked_of_a_list_is_not_sought_again_in_the_next_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sought: list[int] = []
    find = Entries._find

    def seek(entries: Entries, serial: int) -> Entry | None:
        sought.append(serial)
        return find(entries, serial)

    monkeypatch.setattr(Entries, "_find", seek)
    old = build(Entry(7, NOW))
    assert old.revoked(8) is None
    new = extend(old, Entry(9, NOW))
    assert sought == [8, 9]
    assert new.revoked(8) is None
    assert sought == [8, 9]
    assert new.revoked(9) is not None


def test_the_next_list_has_the_next_number_and_the_same_extensions() -> None:
    for number_first in (True, False):
        old = build(number=41, number_first=number_first)
        new = extend(old, Entry(7, NOW))
        assert (old.number, new.number) == (41, 42)
        order = [each.oid for each in old.extensions]
        assert [each.oid for each in new.extensions] == order
        assert order[0] == (oids.CRL_NUMBER if number_first else oids.AUTHORITY_KEY_ID)
        assert new.aki == old.aki == keys.key_id(EC.public_key)
        assert new.is_signed_by(EC.public_key)
        assert not new.is_signed_by(key_of("ec:secp384r1").public_key)


def test_the_number_comes_first_where_puppet_server_would_put_it() -> None:
    old = build(number=41, number_first=False)
    new = crl.extend(
        *(old, [], EC), this_update=NOW, next_update=NOW + YEAR, number_first=True
    )
    assert [e.oid for e in new.extensions] == [oids.CRL_NUMBER, oids.AUTHORITY_KEY_ID]


def test_a_first_list_of_an_old_cadir_gains_number_and_key_identifier() -> None:
    bare = crl.build(
        *(EC, ISSUER), number=0, this_update=NOW, next_update=NOW, key_id=None
    )
    algorithm = keys.signature_algorithm(EC.public_key)
    tbs = der.sequence(
        *(der.integer(1), algorithm, ISSUER, der.time(NOW), der.time(NOW))
    )
    without = crl.parse(der.sequence(tbs, algorithm, der.bit_string(EC.sign(tbs))))
    assert (bare.aki, without.number, without.extensions) == (None, None, ())
    new = extend(without, Entry(1, NOW))
    assert (new.number, new.aki) == (1, keys.key_id(EC.public_key))


def test_a_serial_number_is_not_listed_twice() -> None:
    old = build(Entry(7, NOW))
    again = extend(old, Entry(7, NOW + DAY), Entry(8, NOW), Entry(8, NOW + DAY))
    assert again.entries() == (Entry(7, NOW), Entry(8, NOW))
    assert again.number == 1
    many = extend(old, *(Entry(serial, NOW + DAY) for serial in range(1, 101)))
    assert len(many.entries()) == len(many) == 100
    assert many.revoked(7) == Entry(7, NOW)


def test_pruning_drops_what_is_named_and_what_is_listed_twice() -> None:
    path = CADIRS / "puppet-5.5" / "ca_crl.pem"
    real = bundle.load_crls(path.read_bytes())[0]
    (twice,) = real.serials()
    raw = tuple(der.elements(real.revoked_entries))
    assert len(raw) == 2
    later = NOW + DAY
    once = crl.prune(real, (), EC, this_update=NOW, next_update=later)
    assert tuple(der.elements(once.revoked_entries)) == raw[:1]
    none = crl.prune(real, {twice}, EC, this_update=NOW, next_update=later)
    assert (len(none), none.number) == (0, (real.number or 0) + 1)
    assert none.issuer == real.issuer


def test_bytes_of_a_serial_number_elsewhere_do_not_mislead() -> None:
    inside = Entry(int.from_bytes(der.integer(5) * 3, "big"), NOW)
    found = build(inside)
    assert der.integer(5) in found.revoked_entries
    assert found.revoked(5) is None
    assert found.revoked(inside.serial) == inside


def test_entries_without_a_reason_are_read() -> None:
    entry = Entry(9, NOW, None)
    assert build(entry).revoked(9) == entry


def test_openssl_reads_and_verifies_lists() -> None:
    ca = make_root("Puppet CA: x", key_of())
    new = crl.extend(
        make_crl(ca, [2, 200]),
        [Entry(0x1000, NOW)],
        ca.signer,
        this_update=NOW,
        next_update=NOW + DAY,
    )
    openssl("asn1parse", stdin=new.pem)
    said = openssl("crl", "-noout", "-text", stdin=new.pem)
    for line in ("Version 2", "Serial Number: C8", "Serial Number: 1000"):
        assert line in said
    assert said.count("Key Compromise") == 3


@pytest.mark.parametrize("cadir", ["puppet-5.5", "puppetserver-7", "puppetserver-8"])
def test_real_lists_are_read(cadir: str) -> None:
    real = bundle.load_crls((CADIRS / cadir / "ca_crl.pem").read_bytes())[0]
    theirs = x509.load_der_x509_crl(real.der)
    assert real.issuer_common_name == "Puppet CA: puppet.lab.test"
    assert real.this_update == theirs.last_update_utc
    assert real.next_update == theirs.next_update_utc
    assert real.serials() == {entry.serial_number for entry in theirs}
    number = theirs.extensions.get_extension_for_class(x509.CRLNumber).value
    assert real.number == number.crl_number


def test_an_intermediates_list_is_signed_by_it_alone() -> None:
    root = make_root("Puppet Root CA: 1", key_of(which="root"))
    ca = make_ca("Puppet CA: x", key_of(), root)
    found = make_crl(ca)
    assert found.is_signed_by(ca.signer.public_key)
    assert not found.is_signed_by(root.signer.public_key)
    assert certexts.find(found.extensions, oids.CRL_NUMBER) is not None


@pytest.mark.parametrize(
    "data",
    [b"", b"\x30\x00", b"\x30\x06\x30\x00\x30\x00\x03\x00", b"x", b"\x02\x01\x01"],
)
def test_what_is_no_list_is_refused(data: bytes) -> None:
    with pytest.raises(ParseError):
        crl.parse(data)


@calmly
@given(st.data())
def test_damaged_lists_are_read_or_refused(data: st.DataObject) -> None:
    whole = bytearray(SMALL.der)
    position = data.draw(st.integers(0, len(whole) - 1))
    whole[position] ^= data.draw(st.integers(1, 255))
    try:
        found = crl.parse(bytes(whole))
        found.entries()
        valid = found.is_signed_by(EC.public_key)
    except ParseError:
        return
    assert not valid


def test_it_answers_alike_however_often_it_is_asked() -> None:
    listed = build(*(Entry(serial, NOW) for serial in range(1, 10_001, 2)))
    for _ in range(2):
        found = [listed.revoked(serial) for serial in range(1, 10_001)]
        told = [each.serial if each else None for each in found]
        assert told == [n if n % 2 else None for n in range(1, 10_001)]
