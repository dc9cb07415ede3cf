"""A certificate is renewed for whom it was made, and for nobody else."""

from __future__ import annotations

from datetime import timedelta

import pytest
from cryptography import x509
from scene import WEB, Fixed, Scene

from reseal.ca.issue import issue
from reseal.ca.policy import vouch
from reseal.ca.profile import Profile
from reseal.ca.renew import renew, renewable
from reseal.ca.sign import revoke_name
from reseal.certname import Certname
from reseal.errors import ChainInvalid
from reseal.x509 import bundle, certexts, keys, oids
from reseal.x509.certificate import load_der, public_key, subject, to_der
from reseal.x509.crl import RevocationList

KEY = keys.LocalSigner(keys.generate("ec:secp256r1"))
MONTH = Profile(timedelta(days=30))
NAME = Certname("web02.example.com")


def made(scene: Scene, profile: Profile = MONTH) -> x509.Certificate:
    role = certexts.text_extension("1.3.6.1.4.1.34380.1.1.13", "web")
    cli = certexts.text_extension(oids.PP_CLI_AUTH, "true")
    approved = vouch(NAME, KEY.public_key, ("DNS:www", "IP:10.0.0.1"), (role, cli))
    return issue(
        approved,
        issuer=scene.authority.issuer,
        profile=profile,
        store=scene.authority.store,
        clock=scene.clock,
    )


def lists(scene: Scene) -> tuple[RevocationList, ...]:
    return bundle.load_crls(scene.authority.store.crls())


def test_the_successor_says_the_same_for_a_new_life(scene: Scene) -> None:
    old, authority = made(scene), scene.authority
    later = Fixed(scene.clock.now() + timedelta(days=20))
    approved = renewable(old, authority, lists(scene), later.now())
    new = renew(approved, authority, MONTH, later)
    assert subject(new) == subject(old)
    assert keys.same_key(public_key(new), public_key(old))
    kept, found = certexts.extensions_of(old), certexts.extensions_of(new)
    assert [each.oid for each in found[:2]] == [
        oids.SUBJECT_KEY_ID,
        oids.AUTHORITY_KEY_ID,
    ]
    assert set(found) == set(kept)
    assert found[2:] == tuple(each for each in kept if each not in found[:2])
    assert new.serial_number == old.serial_number + 1
    assert new.not_valid_after_utc == later.now() + timedelta(days=30)
    assert authority.store.get(NAME) == new
    assert len(authority.store.rows_of(NAME)) == 2


def broken(certificate: x509.Certificate) -> x509.Certificate:
    """Return it with a signature that nobody made."""
    data = bytearray(to_der(certificate))
    data[-1] ^= 1
    return load_der(bytes(data))


def test_what_is_revoked_late_or_another_cas_is_not_renewed(scene: Scene) -> None:
    authority, now = scene.authority, scene.clock.now()
    mine = made(scene)
    foreign = x509.load_pem_x509_certificate(
        (scene.other / "signed/puppet.lab.test.pem").read_bytes()
    )
    with pytest.raises(ChainInvalid, match="does not match signature"):
        renewable(foreign, authority, lists(scene), now)
    with pytest.raises(ChainInvalid):
        renewable(broken(mine), authority, lists(scene), now)
    with pytest.raises(ChainInvalid, match="expired"):
        renewable(mine, authority, lists(scene), now + timedelta(days=31))
    revoke_name(authority, WEB, scene.clock)
    with pytest.raises(ChainInvalid, match="revoked"):
        renewable(authority.store.get(WEB), authority, lists(scene), now)
