"""Do copies agree with the node they are of?  One answer, for survey and proof.

Guarantee: certificates and keys are told apart by fingerprints, never by names or
serial numbers, which two generations of a CA may share.

Sources: docs/reference/extensions.md.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from reseal.site.copyfacts import CopyFacts, ExtensionFacts
from reseal.site.facts import NodeFacts
from reseal.site.material import CertificateFacts

_READABLE = 0o007


@dataclass(frozen=True, slots=True)
class Own:
    """What a node has itself, by fingerprints.

    Attributes:
        certificate: Of its certificate.
        key: Of its public key.
        ca: Of the CA's certificates it trusts.
        crls: Issuers of the revocation lists it holds.
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
    if copy.format == "java" and "key" in copy.holds and {*held} - own.ca:
        yield "holds a chain of CA certificates that the node does not trust"
    if "key" in copy.holds and (copy.key is None or copy.key != own.key):
        yield "holds another key than the node has"
    if "ca" in copy.holds and {*held} != own.ca:
        if strange := len({*held} - own.ca):
            yield f"holds CA certificates that the node does not trust: {strange}"
        else:
            yield "lacks CA certificates that the node trusts"
    if "crl" in copy.holds and {each.issuer for each in copy.crls} != own.crls:
        # Not by fingerprint: an agent fetches newer lists now and then.
        yield "holds revocation lists of other CAs than the node has"


def obstacles(extension: ExtensionFacts, node: NodeFacts) -> Iterator[str]:
    """Yield why no run can renew the copies of an extension.

    What is replaced must be what it is said to be, and Puppet's: a service's own
    account may have put anything in its place, and root replaces it.
    """
    held = [
        each
        for copy in extension.copies
        if "certificate" in copy.holds
        for each in copy.certificates[:1]
    ]
    known = {each.key_fingerprint for each in (*held, *_there(node.hostcert))}
    for copy in extension.copies:
        if not copy.own and not copy.pair:
            for text in _obstacles(copy, node, known):
                yield f"{extension.title}: {copy.path}: {text}"


def _there(certificate: CertificateFacts | None) -> tuple[CertificateFacts, ...]:
    return () if certificate is None else (certificate,)


def _obstacles(copy: CopyFacts, node: NodeFacts, known: set[str]) -> Iterator[str]:
    if not copy.there:
        yield "is missing"
        return
    if copy.link:
        yield f"is a link to {copy.link}"
    if copy.cleared:
        yield "lies where a run clears everything"
    if copy.keys > ("key" in copy.holds):
        yield "holds a private key besides"
    if copy.certificates and copy.holds == ("key",):
        yield "holds certificates besides"
    if "key" in copy.holds and copy.key is None:
        yield "holds no key that can be read"
    elif "key" in copy.holds and copy.key not in known:
        yield "holds a key that belongs to no certificate of the node"
    if "crl" in copy.holds and not copy.crls:
        yield "holds no revocation list"
    if "crl" in copy.holds and not node.crls:
        yield "holds revocation lists, which the node itself does not have"
    yield from _strangers(copy, node)


def _strangers(copy: CopyFacts, node: NodeFacts) -> Iterator[str]:
    """Find certificates that are missing, or not of Puppet's CA."""
    subjects = {each.subject for each in node.trusted}
    held = list(copy.certificates)
    if "certificate" in copy.holds:
        if not held:
            yield "holds no certificate"
        elif held[0].subject != node.certname:
            yield f"is for {held[0].subject}, whom no run renews"
        elif not is_puppets(held[0].issuer, subjects):
            yield f"is of another CA, {held[0].issuer}"
        held = held[1:]
    if "ca" in copy.holds and not held:
        yield "holds no certificate of a CA"
    others = [e.subject for e in held if not is_puppets(e.subject, subjects)]
    if others:
        yield f"holds certificates of other CAs, as {others[0]}"


def is_puppets(name: str, trusted: set[str]) -> bool:
    """Tell whether a name is a Puppet CA's, of whatever generation."""
    return name in trusted or name.startswith(("Puppet CA: ", "Puppet Root CA: "))


def puppets(copies: Sequence[CopyFacts], node: NodeFacts) -> Iterator[CopyFacts]:
    """Yield those copies that have to do with Puppet's CA, and leave out the others.

    For services whose configuration names files of other CAs, too.  A key without a
    certificate is Puppet's, and so is one that cannot be read where one of Puppet's
    certificates has no other: a run says what is wrong with it, and begins nothing.
    """
    names = {each.subject for each in node.trusted}
    whole = [*map(_as_found, copies)]
    leaves = [e for c in whole if "certificate" in c.holds for e in c.certificates[:1]]
    wanted = {e.key_fingerprint for e in leaves if is_puppets(e.issuer, names)}
    own = {each.key_fingerprint for each in _there(node.hostcert)}
    others = {e.key_fingerprint for e in leaves} - wanted - own
    keys = {copy.key for copy in whole}
    # The node's own key without a certificate of it is that of one that is stale.
    unpaired = (keys & own) - {e.key_fingerprint for e in leaves}
    lonely = len(wanted - keys) > len(unpaired)
    for copy in whole:
        issuers = {each.issuer for each in copy.certificates}
        issuers |= {each.issuer for each in copy.crls}
        meant = lonely if copy.key is None else bool(wanted) and copy.key not in others
        held = "key" in copy.holds and (meant or copy.key in own)
        if copy.own or held or _any_puppets(issuers, names):
            yield copy


def _as_found(copy: CopyFacts) -> CopyFacts:
    """Return a copy of a certificate that has the CA's behind it as what it is."""
    if copy.holds == ("certificate",) and len(copy.certificates) > 1:
        return replace(copy, holds=("certificate", "ca"))
    return copy


def _any_puppets(issuers: Collection[str], names: set[str]) -> bool:
    return any(is_puppets(issuer, names) for issuer in issuers)


def unsafe(copy: CopyFacts) -> bool:
    """Tell whether everybody on the node can read, or change, a key in a copy."""
    return "key" in copy.holds and bool(int(copy.mode or "0", 8) & _READABLE)


def mode_for(copy: CopyFacts) -> str:
    """Return the mode of the next copy: as found, but no key is everybody's."""
    mode = int(copy.mode or "0600", 8)
    return f"{mode & ~_READABLE if 'key' in copy.holds else mode:04o}"
