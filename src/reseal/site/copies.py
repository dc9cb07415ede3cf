"""Do copies agree with the node they are of?  One answer, for survey and proof.

Guarantee: certificates, keys and lists are told apart by fingerprints, never by
names or serial numbers, which two generations of a CA may share.

Sources: docs/reference/extensions.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from reseal.site.facts import CopyFacts

_READABLE = 0o007


@dataclass(frozen=True, slots=True)
class Own:
    """What a node has itself, by fingerprints.

    Attributes:
        certificate: Of its certificate.
        key: Of its public key.
        ca: Of the CA's certificates it trusts.
        crls: Of the revocation lists it holds.
    """

    certificate: str | None
    key: str | None
    ca: frozenset[str]
    crls: frozenset[str]


def disagreements(copy: CopyFacts, own: Own) -> Iterator[str]:
    """Yield in what a copy differs from what the node has itself."""
    if not copy.there:
        yield "is missing"
        return
    held = [each.fingerprint for each in copy.certificates]
    if "certificate" in copy.holds:
        if own.certificate not in held[:1]:
            yield "holds another certificate than the node has"
        held = held[1:]
    if "key" in copy.holds and (copy.key is None or copy.key != own.key):
        yield "holds another key than the node has"
    if "ca" in copy.holds and {*held} != own.ca:
        if strange := len({*held} - own.ca):
            yield f"holds CA certificates that the node does not trust: {strange}"
        else:
            yield "lacks CA certificates that the node trusts"
    if "crl" in copy.holds and {each.fingerprint for each in copy.crls} != own.crls:
        yield "holds other revocation lists than the node has"


def obstacles(copy: CopyFacts, certname: str) -> Iterator[str]:
    """Yield why no run can renew a copy.

    What is replaced must be what it is said to be: a service's own account may have
    put anything in its place, and root replaces it.
    """
    if copy.own or not copy.there:
        return
    if copy.link:
        yield f"is a link to {copy.link}"
    held = list(copy.certificates)
    if "certificate" in copy.holds:
        if not held:
            yield "holds no certificate"
        elif held[0].subject != certname:
            yield f"is for {held[0].subject}, whom no run renews"
        held = held[1:]
    if "ca" in copy.holds and not held:
        yield "holds no certificate of a CA"
    if "key" in copy.holds and copy.key is None:
        yield "holds no key that can be read"
    if "crl" in copy.holds and not copy.crls:
        yield "holds no revocation list"


def unsafe(copy: CopyFacts) -> bool:
    """Tell whether everybody on the node can read, or change, a key in a copy."""
    return "key" in copy.holds and bool(int(copy.mode or "0", 8) & _READABLE)


def mode_for(copy: CopyFacts) -> str:
    """Return the mode of the next copy: as found, but no key is everybody's."""
    mode = int(copy.mode or "0600", 8)
    return f"{mode & ~_READABLE if 'key' in copy.holds else mode:04o}"
