"""Lists of the CAs above are taken when they are newer and hold, and never ours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from scene import Fixed

from reseal import files
from reseal.ca.authority import Authority, load, load_key
from reseal.ca.upstream import update_upstream
from reseal.errors import PolicyError
from reseal.store import open_cadir
from reseal.x509 import bundle, certexts, crl, der, keys, oids
from reseal.x509.certexts import Extension
from reseal.x509.crl import RevocationList
from reseal.x509.crlentry import Entry


@pytest.fixture
def chain(golden: Callable[[str], Path]) -> Authority:
    """A real chain: an intermediate CA under a root whose key is there."""
    cadir = golden("puppetserver-8")
    return load(cadir, open_cadir(cadir))


def lists(authority: Authority) -> tuple[RevocationList, ...]:
    return bundle.load_crls(authority.store.crls())


def newer(authority: Authority, clock: Fixed, **changes: object) -> RevocationList:
    """Return the root's next list."""
    root = keys.LocalSigner(load_key(authority.cadir / "root_key.pem"))
    old = replace(lists(authority)[1], **changes)  # type: ignore[arg-type]
    return crl.extend(
        old,
        [Entry(77, clock.time)],
        root,
        this_update=clock.time - timedelta(seconds=1),
        next_update=clock.time + timedelta(days=100),
    )


def test_a_newer_list_takes_the_place_of_the_old(
    chain: Authority, clock: Fixed
) -> None:
    own, old = lists(chain)
    new = newer(chain, clock)
    assert update_upstream(chain, old.pem + new.pem, clock) == 1
    assert lists(chain) == (own, new)
    assert update_upstream(chain, new.pem, clock) == 0
    assert update_upstream(chain, old.pem, clock) == 0
    assert lists(chain) == (own, new)


def test_our_own_list_is_never_replaced(chain: Authority, clock: Fixed) -> None:
    own = lists(chain)[0]
    forged = crl.extend(
        own,
        [],
        chain.issuer.signer,
        this_update=clock.time - timedelta(seconds=1),
        next_update=clock.time + timedelta(days=100),
    )
    assert update_upstream(chain, forged.pem, clock) == 0
    assert lists(chain)[0] == own


def test_what_cannot_be_taken_changes_nothing(chain: Authority, clock: Fixed) -> None:
    before, good = chain.store.crls(), newer(chain, clock)
    twin = newer(chain, Fixed(clock.time + timedelta(seconds=5)))
    delta = Extension(oids.DELTA_CRL, True, der.integer(1))
    bare = tuple(e for e in good.extensions if e.oid != oids.AUTHORITY_KEY_ID)
    other = keys.LocalSigner(keys.generate("rsa:2048"))
    forged = crl.extend(
        lists(chain)[1],
        [],
        other,
        this_update=clock.time - timedelta(seconds=1),
        next_update=clock.time + timedelta(days=100),
    )
    unsigned = [
        (b"", "No valid CRLs submitted."),
        (b"-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n", "."),
        (good.pem + twin.pem, "Could not determine newest CRL."),
        (rebuilt(chain, good, (*good.extensions, delta)), "Cannot support delta CRL."),
        (rebuilt(chain, good, bare), "do not have an authority key identifier"),
        (forged.pem, "Invalid certs and/or CRLs"),
    ]
    for sent, text in unsigned:
        with pytest.raises(PolicyError, match=text):
            update_upstream(chain, sent, clock)
    assert chain.store.crls() == before


def rebuilt(
    authority: Authority, old: RevocationList, extensions: tuple[Extension, ...]
) -> bytes:
    """Return a list with other extensions, in PEM, signed anew."""
    root = keys.LocalSigner(load_key(authority.cadir / "root_key.pem"))
    fields = der.parse(old.tbs).children()
    written = der.explicit(0, der.sequence(*(each.encode() for each in extensions)))
    tbs = der.sequence(*(f.raw for f in fields if f.tag != 0xA0), written)
    bits = der.bit_string(root.sign(tbs))
    return crl.parse(der.sequence(tbs, old.algorithm, bits)).pem


def test_the_infrastructures_lists_follow(chain: Authority, clock: Fixed) -> None:
    path = chain.cadir / "infra_crl.pem"
    files.replace(path, chain.store.crls(), mode=0o644)
    new = newer(chain, clock)
    assert update_upstream(chain, new.pem, clock) == 1
    assert bundle.load_crls(path.read_bytes())[1] == new
    assert certexts.find(new.extensions, oids.CRL_NUMBER)
