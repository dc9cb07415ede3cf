"""Keys that are no node's own: who has them, whose names they bear, what replaces them.

MCollective's servers sign with one key, each of its clients with its own, and all know
each other's public halves.  A *pair* is such a key with all that was found of it.

Guarantee: a pair is told by its key and by nothing else, so that a new key comes where
the old one was, and nowhere else: whoever has the private half gets the new one's,
whoever has the public half or a certificate gets that.

Sources: MCollective, "SSL security plugin"; docs/reference/extensions.md.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from reseal.certname import Certname
from reseal.errors import InvalidCertname
from reseal.site.copies import is_puppets
from reseal.site.copyfacts import CopyFacts
from reseal.site.facts import Fault, NodeFacts
from reseal.site.material import CertificateFacts


@dataclass(frozen=True, slots=True)
class Found:
    """A copy of a pair on a node, with the title of what reads it."""

    node: NodeFacts
    title: str
    copy: CopyFacts


@dataclass(frozen=True, slots=True)
class Pair:
    """A pair that a run makes anew.

    Attributes:
        name: Unique in a plan; names its files.
        title: For people: its certificate's name, or what it is for.
        key: Fingerprint of the key it has today.
        owner: The node whose own key it is, which others know; empty for one that is
            no node's, which
        maker: makes it anew: the first node that has the private half.
        holders: Nodes that have the private half, the maker among them.
        readers: Nodes that have the public half, or the certificate.
        subject: The name in its certificate; empty where nobody has one.
    """

    name: str
    title: str
    key: str
    owner: str = ""
    maker: str = ""
    holders: tuple[str, ...] = ()
    readers: tuple[str, ...] = ()
    subject: str = ""


def shared(pair: Pair) -> str:
    """Tell people who makes a pair anew, and who gets what of it."""
    others = [name for name in pair.holders if name != pair.maker]
    readers = [name for name in pair.readers if name not in pair.holders]
    words = [f"{pair.title}: is made on {pair.maker}"]
    if pair.owner:
        words = [f"{pair.title}: is {pair.owner}'s own"]
    if others and not pair.owner:
        words.append(f"its private half is carried to {', '.join(others)}")
    if readers:
        words.append(f"its public half to {', '.join(readers)}")
    return "; ".join(words)


def found_on(nodes: Sequence[NodeFacts]) -> Iterator[Found]:
    """Yield every copy of a pair that is there."""
    for node in nodes:
        for each in node.extensions:
            for copy in each.copies:
                if copy.pair and copy.there:
                    yield Found(node, each.title, copy)


def pairs_of(
    nodes: Sequence[NodeFacts], everybody: Sequence[NodeFacts] = ()
) -> tuple[Pair, ...]:
    """Return the pairs that can be made anew, those of the CA's host first.

    Args:
        nodes: Those that take part.
        everybody: All nodes of the site, if there are more: the key of one that is
            left out stays.
    """
    made, names = [], {node.name for node in nodes}
    ordered = sorted(nodes, key=lambda node: "ca" not in node.roles)
    for number, (key, found) in enumerate(_by_key(ordered).items(), 1):
        owner = _owner(everybody or nodes, key)
        holders = _names(each for each in found if "key" in each.copy.holds)
        if (owner and owner not in names) or not (owner or holders):
            continue
        certificate = _certificate(found)
        made.append(
            Pair(
                name=f"pair-{number}",
                title=certificate.subject if certificate else found[0].copy.pair,
                key=key,
                owner=owner,
                maker="" if owner else holders[0],
                holders=holders,
                readers=_names(e for e in found if "certificate" in e.copy.holds),
                subject=certificate.subject if certificate else "",
            )
        )
    return tuple(made)


def _by_key(nodes: Sequence[NodeFacts]) -> Mapping[str, list[Found]]:
    groups: dict[str, list[Found]] = {}
    for each in found_on(nodes):
        if each.copy.key is not None:
            groups.setdefault(each.copy.key, []).append(each)
    return groups


def _owner(nodes: Sequence[NodeFacts], key: str) -> str:
    """Return the node whose own key that is; empty if it is none's."""
    own = (n.name for n in nodes if n.hostcert and n.hostcert.key_fingerprint == key)
    return next(own, "")


def _names(found: Iterator[Found]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(each.node.name for each in found))


def _certificate(found: Sequence[Found]) -> CertificateFacts | None:
    held = (c for each in found for c in each.copy.certificates[:1])
    return next(held, None)


def left_alone(nodes: Sequence[NodeFacts]) -> Iterator[Found]:
    """Yield copies whose private half is on no node, so that nobody renews them."""
    known = {pair.key for pair in pairs_of(nodes)}
    return (each for each in found_on(nodes) if each.copy.key not in known)


def pair_obstacles(
    nodes: Sequence[NodeFacts], everybody: Sequence[NodeFacts]
) -> Iterator[tuple[NodeFacts, Fault]]:
    """Yield why copies of pairs cannot be renewed, each with its node.

    A service's account may have put anything where its copies are: nothing may make
    us certify a node's name for another's key, or carry a node's own key away.  That
    the old CA has certified a pair's name, and that who has its key has it, is seen
    before anything is made.

    Args:
        nodes: Those that take part.
        everybody: All nodes of the site.
    """
    remedy = "correct it, or --skip the extension"
    names = {node.certname for node in everybody}
    for each in found_on(nodes):
        if each.copy.key is None:
            for text in _misplaced(each.copy):
                message = f"{each.title}: {each.copy.path}: {text}"
                yield each.node, Fault("fault", message, remedy)
    for key, found in _by_key(nodes).items():
        owner = _owner(everybody, key)
        subjects = {c.subject for e in found for c in e.copy.certificates[:1]}
        for each in found:
            for text in _obstacles(each, owner, subjects, names):
                message = f"{each.title}: {each.copy.path}: {text}"
                yield each.node, Fault("fault", message, remedy)


def _obstacles(
    found: Found, owner: str, subjects: set[str], names: Collection[str]
) -> Iterator[str]:
    copy = found.copy
    yield from _misplaced(copy)
    if copy.certificates and "certificate" not in copy.holds:
        yield "holds certificates besides"
    if copy.keys > ("key" in copy.holds):
        yield "holds a private key besides"
    for certificate in copy.certificates[:1]:
        if owner and certificate.subject != owner:
            yield f"is for {certificate.subject}, whose key is that of {owner}"
    if owner and "key" in copy.holds and found.node.name != owner:
        yield f"holds the private key of {owner}, which belongs there alone"
    for certificate in copy.certificates[:1]:
        if len(subjects) > 1:
            yield f"its key has certificates of {' and '.join(sorted(subjects))}"
        if not owner and certificate.subject in names:
            yield f"is for {certificate.subject}, a node whose key is another"
        if not is_puppets(certificate.issuer, {e.subject for e in found.node.trusted}):
            yield f"is of another CA, {certificate.issuer}"
        try:
            Certname(certificate.subject)
        except InvalidCertname as error:
            yield f"is for what is no certname: {error}"


def _misplaced(copy: CopyFacts) -> Iterator[str]:
    if copy.link:
        yield f"is a link to {copy.link}"
    if copy.cleared:
        yield "lies where a run clears everything"


def strays(nodes: Sequence[NodeFacts]) -> Iterator[tuple[NodeFacts, Fault]]:
    """Yield copies that are not what others have by the same name, each with its node.

    What most have is taken for right, and of two of equal number the first.
    """
    named: dict[str, list[Found]] = {}
    for each in found_on(nodes):
        named.setdefault(each.copy.pair, []).append(each)
    for pair, found in named.items():
        keys = [each.copy.key for each in found]
        usual = max(dict.fromkeys(keys), key=keys.count)
        for each in found:
            if text := _stray(each, usual):
                message = f"{each.title}: {each.copy.path}: {text}"
                remedy = f"put there what the others have as {pair}"
                yield each.node, Fault("warning", message, remedy)


def _stray(found: Found, usual: str | None) -> str:
    copy = found.copy
    if copy.key is None:
        return "holds no key and no certificate that can be read"
    if copy.key != usual:
        return f"holds another key than the others have as {copy.pair}"
    trusted = {each.identifier for each in found.node.trusted if each.identifier}
    signers = {c.authority for c in copy.certificates[:1] if c.authority}
    if trusted and signers - trusted:
        return "holds a certificate of another CA than the node trusts"
    return ""
