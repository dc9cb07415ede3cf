"""Bundles: order, issuers by key, and chains judged as openssl judges them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

import pytest
from cryptography import x509
from x509_world import (
    CADIRS,
    DAY,
    NOW,
    make_ca,
    make_crl,
    make_leaf,
    make_root,
    openssl,
    seal,
    signer,
)

from reseal.errors import ChainInvalid, ParseError
from reseal.x509 import bundle, certexts, keys, names, pem
from reseal.x509 import certificate as certs
from reseal.x509.certificate import Issuer
from reseal.x509.crl import RevocationList

SECOND = timedelta(seconds=1)


@dataclass(frozen=True)
class Case:
    """What is to be trusted, and what it is judged with."""

    leaf: x509.Certificate
    bundle: tuple[x509.Certificate, ...]
    crls: tuple[RevocationList, ...]
    at: datetime = NOW


ROOT = make_root("Puppet Root CA: 1", signer(which="root"))
CA = make_ca("Puppet CA: x", signer(which="ca"), ROOT)
OTHER = make_root("Puppet CA: x", signer("ec:secp256r1", "other"))
GOOD = Case(
    make_leaf("web01", CA, 5),
    (CA.certificate, ROOT.certificate),
    (make_crl(CA), make_crl(ROOT)),
)


@cache
def mere_leaf_as_ca() -> Issuer:
    by = signer("ec:secp256r1", "mere")
    end = seal("mere", by.public_key, CA.name, signer(which="ca"), serial=9)
    return Issuer(end, by)


def short_path_of_three() -> Case:
    """Return a chain of two CAs under a root that allows one."""
    by, name = signer(which="root"), names.common_name("Short Root")
    limits = (
        certexts.basic_constraints(True, 0),
        certexts.subject_key_id(keys.key_id(by.public_key)),
    )
    top = Issuer(seal(name, by.public_key, name, by, extensions=limits), by)
    middle = make_ca("Middle", signer(which="ca"), top)
    crls = (make_crl(middle), make_crl(top))
    chain = (middle.certificate, top.certificate)
    return Case(make_leaf("web01", middle, 5), chain, crls)


def below_a_leaf() -> Case:
    mere = mere_leaf_as_ca()
    return replace(
        GOOD,
        leaf=make_leaf("web01", mere, 5),
        bundle=(mere.certificate, *GOOD.bundle),
        crls=(make_crl(mere), *GOOD.crls),
    )


def stale_list() -> Case:
    old = make_crl(CA, start=NOW - 9 * DAY, end=NOW - DAY)
    return replace(GOOD, crls=(old, GOOD.crls[1]))


def early_list() -> Case:
    early = make_crl(CA, start=NOW + DAY, end=NOW + 9 * DAY)
    return replace(GOOD, crls=(early, GOOD.crls[1]))


FAULTS: dict[str, Callable[[], Case]] = {
    "certificate revoked": lambda: replace(
        GOOD, crls=(make_crl(CA, [5]), GOOD.crls[1])
    ),
    "certificate has expired": lambda: replace(
        GOOD, leaf=make_leaf("web01", CA, 6, end=NOW - SECOND)
    ),
    "certificate is not yet valid": lambda: replace(
        GOOD,
        at=NOW - 2 * DAY,
        crls=tuple(make_crl(ca, start=NOW - 9 * DAY) for ca in (CA, ROOT)),
    ),
    "unable to get local issuer certificate": lambda: replace(
        GOOD, bundle=(ROOT.certificate,)
    ),
    "unable to get issuer certificate": lambda: replace(GOOD, bundle=(CA.certificate,)),
    "unable to get certificate CRL": lambda: replace(GOOD, crls=GOOD.crls[:1]),
    "CRL has expired": stale_list,
    "CRL is not yet valid": early_list,
    "self-signed certificate": lambda: replace(GOOD, leaf=OTHER.certificate),
    "path length constraint exceeded": short_path_of_three,
    "invalid CA certificate": below_a_leaf,
}


def verified(case: Case) -> tuple[x509.Certificate, ...]:
    return bundle.verify_chain(case.leaf, case.bundle, case.crls, case.at)


def openssl_says(case: Case, directory: Path, ok: bool) -> str:
    trusted, leaf = directory / "trusted.pem", directory / "leaf.pem"
    trusted.write_bytes(
        bundle.dump_certificates(case.bundle) + bundle.dump_crls(case.crls)
    )
    leaf.write_bytes(certs.to_pem(case.leaf))
    at = str(int(case.at.timestamp()))
    return openssl(
        *("verify", "-crl_check_all", "-attime", at, "-no-CApath", "-no-CAstore"),
        *("-CAfile", str(trusted), str(leaf)),
        ok=ok,
    )


def test_a_good_chain_is_proven_and_openssl_agrees(tmp_path: Path) -> None:
    chain = verified(GOOD)
    assert chain == (GOOD.leaf, CA.certificate, ROOT.certificate)
    assert "OK" in openssl_says(GOOD, tmp_path, ok=True)


@pytest.mark.parametrize("reason", FAULTS)
def test_a_bad_chain_is_refused_in_openssls_words(reason: str, tmp_path: Path) -> None:
    case = FAULTS[reason]()
    with pytest.raises(ChainInvalid) as caught:
        verified(case)
    assert caught.value.reason == reason
    assert reason in openssl_says(case, tmp_path, ok=False)


def test_revocation_is_told_before_expiry() -> None:
    leaf = make_leaf("web01", CA, 5, end=NOW - DAY)
    case = replace(GOOD, leaf=leaf, crls=(make_crl(CA, [5]), GOOD.crls[1]))
    with pytest.raises(ChainInvalid, match="web01: certificate revoked"):
        verified(case)


def test_a_revoked_ca_takes_its_leaves_along() -> None:
    case = replace(GOOD, crls=(GOOD.crls[0], make_crl(ROOT, [2])))
    with pytest.raises(ChainInvalid, match="Puppet CA: x: certificate revoked"):
        verified(case)


def test_a_ca_without_the_right_to_sign_certificates_is_refused() -> None:
    by, name = signer("ec:secp256r1", "mute"), names.common_name("Mute CA")
    rights = (certexts.basic_constraints(True), certexts.key_usage("crl_sign"))
    mute = Issuer(seal(name, by.public_key, name, by, extensions=rights), by)
    leaf, crls = make_leaf("web01", mute, 5), (make_crl(mute),)
    with pytest.raises(ChainInvalid, match="Mute CA: invalid CA certificate"):
        verified(Case(leaf, (mute.certificate,), crls))


def test_without_lists_revocation_is_left_out() -> None:
    chain = bundle.verify_chain(GOOD.leaf, GOOD.bundle, None, NOW)
    assert len(chain) == 3


def test_a_ca_of_the_same_name_and_another_key_is_not_the_issuer() -> None:
    both = (OTHER.certificate, *GOOD.bundle)
    assert bundle.issuer_of(GOOD.leaf, both) == CA.certificate
    assert bundle.issuer_of(GOOD.leaf, (OTHER.certificate,)) is None
    lists = (make_crl(OTHER, number=9), *GOOD.crls)
    assert bundle.own_crl(CA.certificate, lists) == GOOD.crls[0]
    assert verified(replace(GOOD, bundle=both, crls=lists))


def test_of_several_lists_the_newest_counts() -> None:
    newer = make_crl(CA, [5], number=3)
    case = replace(GOOD, crls=(newer, *GOOD.crls))
    assert bundle.own_crl(CA.certificate, case.crls) == newer
    with pytest.raises(ChainInvalid, match="revoked"):
        verified(case)


def test_bundles_are_put_in_order() -> None:
    ordered = (CA.certificate, ROOT.certificate)
    assert bundle.order(ordered[::-1]) == ordered
    assert bundle.order(ordered, CA.signer.public_key) == ordered
    generations = (OTHER.certificate, *ordered[::-1])
    assert bundle.order(generations, CA.signer.public_key) == ordered
    assert bundle.order(generations, OTHER.signer.public_key) == generations[:1]


def test_bundles_without_the_key_or_an_issuer_have_no_order() -> None:
    stranger = signer("ec:secp384r1").public_key
    with pytest.raises(ChainInvalid, match="no certificate belongs to the CA's key"):
        bundle.order(GOOD.bundle, stranger)
    with pytest.raises(ChainInvalid, match="Puppet CA: x: unable to get issuer"):
        bundle.order((CA.certificate,))


@pytest.mark.parametrize("cadir", ["puppet-5.5", "puppetserver-7", "puppetserver-8"])
def test_real_bundles_are_read_written_and_proven(cadir: str) -> None:
    root = CADIRS / cadir
    text = (root / "ca_crt.pem").read_bytes()
    found = bundle.load_certificates(text)
    assert bundle.dump_certificates(found) == text
    assert bundle.order(found) == found
    lists = bundle.load_crls((root / "ca_crl.pem").read_bytes())
    assert bundle.dump_crls(lists) == (root / "ca_crl.pem").read_bytes()
    signed = {path.stem: path for path in (root / "signed").glob("*.pem")}
    for name, path in signed.items():
        leaf = bundle.load_certificate(path.read_bytes())
        at = leaf.not_valid_before_utc + timedelta(days=1, minutes=30)
        if name == "web03.example.com":
            with pytest.raises(ChainInvalid, match="certificate revoked"):
                bundle.verify_chain(leaf, found, lists, at)
        else:
            assert bundle.verify_chain(leaf, found, lists, at)[1:] == found


def test_what_is_remembered_of_one_file_is_not_said_of_another() -> None:
    text = bundle.dump_crls(GOOD.crls)
    first = bundle.load_crls(text)
    assert first == GOOD.crls
    assert bundle.load_crls(b"text\n" + text) == first
    for number in range(5):
        shorter = bundle.dump_crls(GOOD.crls[: 1 + number % 2])
        assert len(bundle.load_crls(shorter)) == 1 + number % 2
    with pytest.raises(ParseError):
        bundle.load_crls(text[:-30])
    assert bundle.load_crls(text) == first


def test_bundles_may_hold_other_things_but_not_nothing() -> None:
    mixed = GOOD.crls[0].pem + b"text\n" + certs.to_pem(GOOD.leaf)
    assert bundle.load_certificates(mixed) == (GOOD.leaf,)
    assert [each.der for each in bundle.load_crls(mixed)] == [GOOD.crls[0].der]
    for read, what in (
        (bundle.load_certificates, "no certificate"),
        (bundle.load_crls, "no revocation list"),
    ):
        with pytest.raises(ParseError, match=what):
            read(pem.encode("PUBLIC KEY", b"x"))
