"""What copies hold: certificates, keys by their public halves, revocation lists.

Guarantee: of a file only what is public leaves its node.

Sources: `node/survey_copies.sh`; keytool(1) (`-list -rfc`).
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence
from dataclasses import replace

from cryptography import x509

from reseal.errors import ParseError
from reseal.extensions.protocol import Material
from reseal.site.copyfacts import CopyFacts
from reseal.site.facts import Fault, NodeFacts
from reseal.site.places import OWN, Place
from reseal.site.survey_parse import (
    certificates,
    crl_facts,
    key_line,
    load_many,
    reading,
)
from reseal.site.survey_script import Sections, look
from reseal.site.transport import Transport
from reseal.x509 import bundle, keys
from reseal.x509.certificate import load_der, public_key

_BITS = "rwxrwxrwx"

_ALIAS = re.compile(r"^Alias name: ", re.MULTILINE)
_ERROR = re.compile(r"^keytool error: (.*)$", re.MULTILINE)
_ENTRY = re.compile(r"^Entry type: (\w+)$", re.MULTILINE)
_JKS = "feedfeed"


async def read_copies(
    node: NodeFacts, transport: Transport, places: Sequence[Place]
) -> tuple[list[CopyFacts], list[Fault]]:
    """Return what lies at these places, in their order, and what cannot be read."""
    if not places:
        return [], []
    words = (word for each in places for word in each.words)
    told = await look(transport, "copies", *words)
    faults: list[Fault] = []
    copies = [_copy(node, each, n, told, faults) for n, each in enumerate(places)]
    return copies, faults


def _copy(
    node: NodeFacts, at: Place, number: int, told: Sections, faults: list[Fault]
) -> CopyFacts:
    place, real = (*told.lines(f"place {number}"), at.path, at.path)[:2]
    status = told.rows(f"status {number}")
    own = at.format == "pem" and _is_own(node, real, at.holds)
    found = CopyFacts(
        holds=at.holds,
        format=at.format,
        password=at.password,
        key_password=at.key_password,
        path=real if own else place,
        own=own,
        there=bool(status),
        link="" if own or real == place else real,
        cleared=not own and _is_cleared(node, place),
        pair="" if own else at.pair,
    )
    if not status:
        return found
    owner = status[0][1] if len(status[0]) > 1 else ""
    found = replace(found, owner=owner, mode=_octal(status[0][0]))
    if at.format == "java":
        return _of_store(found, number, told, faults)
    found = _of_key(_of_file(found, number, told, faults), number, told, faults)
    return _whose(found, node) if found.pair else found


def _of_key(
    copy: CopyFacts, number: int, told: Sections, faults: list[Fault]
) -> CopyFacts:
    """Return a copy with the key that is in it."""
    if "key" not in copy.holds:
        return copy
    _, public = key_line(told, faults, f"public {number}", copy.path)
    key = keys.key_fingerprint(public) if public is not None else None
    # What a database's driver takes as DER it may take as PEM, too: it stays as it is.
    form = "pem" if copy.keys and copy.format == "der" else copy.format
    return replace(copy, key=key, format=form)


def _of_file(
    copy: CopyFacts, number: int, told: Sections, faults: list[Fault]
) -> CopyFacts:
    """Return a copy with what it holds as PEM or DER, but for its key."""
    holds, section = {*copy.holds}, f"blocks {number}"
    read = crls = None
    besides = copy.format == "pem" and b"CERTIFICATE-----" in told.data(section)
    certified = {"certificate", "ca"} & holds or besides
    if certified and not (copy.pair and _is_bare(told, section)):
        load = load_many if copy.format == "pem" else _load_hex
        read = reading(faults, section, told, load, copy.path)
    if "crl" in holds:
        crls = reading(faults, section, told, bundle.load_crls, copy.path)
    return replace(
        copy,
        certificates=certificates(read),
        crls=crl_facts(crls),
        keys=told.number(f"secrets {number}"),
        bare=bool(copy.pair) and _is_bare(told, section),
        key=_certified(copy, told.data(section), read),
    )


def _is_bare(told: Sections, section: str) -> bool:
    """Tell whether a public key alone stands where a certificate may."""
    data = told.data(section)
    return b"PUBLIC KEY-----" in data and b"CERTIFICATE-----" not in data


def _certified(
    copy: CopyFacts, data: bytes, read: Sequence[x509.Certificate] | None
) -> str | None:
    """Return the fingerprint of the key that a pair's copy is for, if it is no key."""
    if not copy.pair or "key" in copy.holds:
        return None
    if read:
        return keys.key_fingerprint(public_key(read[0]))
    try:
        return keys.key_fingerprint(keys.load_public(data))
    except ParseError:
        return None


def _load_hex(data: bytes) -> tuple[x509.Certificate, ...]:
    """Return the certificate that `od` has told."""
    try:
        return (load_der(bytes.fromhex(data.decode())),)
    except ValueError:
        raise ParseError("it holds no certificate as DER") from None


def _whose(copy: CopyFacts, node: NodeFacts) -> CopyFacts:
    """Return a pair's copy as the node's own, if it is that."""
    own = node.hostcert
    if own is None or copy.key != own.key_fingerprint or copy.bare:
        return copy
    if copy.certificates and copy.certificates[0].fingerprint != own.fingerprint:
        return copy
    return replace(copy, pair="")


def _of_store(
    copy: CopyFacts, number: int, told: Sections, faults: list[Fault]
) -> CopyFacts:
    """Return a copy with what `keytool -list -rfc` tells of a key store."""
    text = told.text(f"store {number}")
    entries = [_entry(part) for part in _ALIAS.split(text)[1:]]
    kinds = [kind for _, kind, _ in entries]
    wanted = ["PrivateKeyEntry"] if "key" in copy.holds else ["trustedCertEntry"]
    if "key" not in copy.holds:
        wanted *= len(entries)
    if not entries or kinds != wanted:
        said = _ERROR.search(text)
        others = f"it holds {', '.join(kinds)}" if kinds else "it cannot be listed"
        message = f"{copy.path}: {said[1] if said else others}"
        faults.append(Fault("warning", message, "no run renews such a key store"))
        return copy
    try:
        read = [each for _, _, pem in entries for each in load_many(pem.encode())]
    except ParseError as error:
        faults.append(Fault("warning", f"{copy.path}: {error}", "no run renews it"))
        return copy
    found = certificates(read)
    has_key = "key" in copy.holds
    return replace(
        copy,
        certificates=found,
        key=found[0].key_fingerprint if has_key and found else None,
        alias=entries[0][0] if has_key else "",
        jks=told.text(f"kind {number}") == _JKS,
    )


def _entry(part: str) -> tuple[str, str, str]:
    """Return alias, kind and certificates of one entry of a list."""
    alias, _, rest = part.partition("\n")
    kind = _ENTRY.search(rest)
    return alias.strip(), kind[1] if kind else "", rest


def _is_own(node: NodeFacts, path: str, holds: tuple[Material, ...]) -> bool:
    """Tell whether a path is the very file where Puppet has that material itself."""
    settings = [node.settings.get(OWN[holds[0]])]
    cadir = node.server.cadir if node.server else None
    if cadir is not None:
        name = {"ca": "ca_crt.pem", "crl": "ca_crl.pem"}.get(holds[0], "")
        settings.append(posixpath.join(cadir, name))
    return len(holds) == 1 and path in settings


def _is_cleared(node: NodeFacts, path: str) -> bool:
    """Tell whether a path lies in a directory that a run clears or replaces."""
    directories = [node.settings.get("ssldir")]
    directories += [node.server.cadir] if node.server else []
    found = [posixpath.join(each, "") for each in directories if each]
    return any(path.startswith(each) for each in found)


def _octal(text: str) -> str:
    """Return what `ls` tells of a mode as octal digits."""
    bits = text[1 : 1 + len(_BITS)].ljust(len(_BITS), "-")
    number = 0
    for letter, wanted_letter in zip(bits, _BITS, strict=True):
        number = number * 2 + (letter in (wanted_letter, "s", "t"))
    return f"{number:04o}"
