"""What copies hold: certificates, keys by their public halves, revocation lists.

Guarantee: of a file only what is public leaves its node.

Sources: `node/survey_copies.sh`; keytool(1) (`-list -rfc`).
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from reseal.errors import ParseError
from reseal.extensions.protocol import Format, Material
from reseal.site.facts import CopyFacts, Fault, NodeFacts
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

_BITS = "rwxrwxrwx"

_ALIAS = re.compile(r"^Alias name: ", re.MULTILINE)
_ERROR = re.compile(r"^keytool error: (.*)$", re.MULTILINE)
_ENTRY = re.compile(r"^Entry type: (\w+)$", re.MULTILINE)
_JKS = "feedfeed"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a copy is looked for.

    Attributes:
        holds, format: What, and how.
        optional: It need not be there.
        path: Its path.
        password: Where a key store's password stands: file and setting.
    """

    holds: tuple[Material, ...]
    path: str
    format: Format = "pem"
    password: tuple[str, str] | None = None
    optional: bool = False

    @property
    def words(self) -> tuple[str, str, str, str]:
        """What the script `copies` is told of it."""
        kind = "key" if "key" in self.holds else "open"
        kind = "java" if self.format == "java" else kind
        return (kind, self.path, *(self.password or ("", "")))


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
        path=real if own else place,
        own=own,
        there=bool(status),
        link="" if own or real == place else real,
        cleared=not own and _is_cleared(node, place),
    )
    if not status:
        return found
    owner = status[0][1] if len(status[0]) > 1 else ""
    found = replace(found, owner=owner, mode=_octal(status[0][0]))
    fill = _of_store if at.format == "java" else _of_pem
    return fill(found, number, told, faults)


def _of_pem(
    copy: CopyFacts, number: int, told: Sections, faults: list[Fault]
) -> CopyFacts:
    """Return a copy with what it holds as PEM."""
    holds, section = {*copy.holds}, f"blocks {number}"
    if "key" in holds:
        _, public = key_line(told, faults, f"public {number}", copy.path)
        key = keys.key_fingerprint(public) if public is not None else None
        copy = replace(copy, key=key)
    certified, listed = {"certificate", "ca"} & holds, "crl" in holds
    load = bundle.load_crls
    read = crls = None
    if certified:
        read = reading(faults, section, told, load_many, copy.path)
    if listed:
        crls = reading(faults, section, told, load, copy.path)
    return replace(
        copy,
        certificates=certificates(read),
        crls=crl_facts(crls),
        keys=told.number(f"secrets {number}"),
    )


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
    own = {
        "certificate": ("hostcert",),
        "key": ("hostprivkey",),
        "ca": ("localcacert",),
        "crl": ("hostcrl",),
    }
    settings = [node.settings.get(name) for name in own[holds[0]]]
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
