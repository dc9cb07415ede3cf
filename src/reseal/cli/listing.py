"""What `cert list` shows of each certname, in its three formats and as JSON.

A certname that has a request is *requested*, whatever else it has; one whose
certificate does not stand is *invalid*, and the reason is OpenSSL's.

Sources: Puppet 5.5, `ssl/certificate_authority/interface.rb` (formats, marks,
order); transcripts under `tests/data/transcripts/puppet-cert`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from cryptography import x509

from reseal.x509 import certexts, certificate, der, oids
from reseal.x509.csr import Request

State = Literal["requested", "signed", "invalid"]
Format = Literal["default", "machine", "human"]

_GLYPHS: dict[State, str] = {"requested": " ", "signed": "+", "invalid": "-"}
_SHOWN = der.oid(oids.SUBJECT_ALT_NAME), der.oid(oids.ARC)[2:]
"""What the DER of a certificate has if a list shows any extension of it."""

_ESCAPES = dict(zip("\a\b\t\n\v\f\r\x1b", map("\\{}".format, "abtnvfre"), strict=True))
"""What Ruby's `inspect` writes for characters that do not print."""

_NOT_CUSTOM = (oids.EXTENSION_REQUEST, oids.MS_EXTENSION_REQUEST)
_SHORT = {
    oids.CHALLENGE: "challengePassword",
    oids.SUBJECT_ALT_NAME: "subjectAltName",
    "1.2.840.113549.1.9.2": "unstructuredName",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One certname in a list.

    Attributes:
        name: Certname, or `ca`.
        state: See the module.
        der: The request's DER while it is requested, else the certificate's.
        alt_names: As `DNS:x` and `IP:y`.
        details: Short name and value of what is beyond Puppet's usual.
        problem: Why it is invalid, in OpenSSL's words.
        serial: The certificate's; None of a request.
        not_after: When the certificate ends; None of a request.
        sha256: The SHA-256 fingerprint, if it is known; the DER may be empty then.
    """

    name: str
    state: State
    der: bytes
    alt_names: tuple[str, ...] = ()
    details: Mapping[str, str] = field(default_factory=dict)
    problem: str | None = None
    serial: int | None = None
    not_after: datetime | None = None
    sha256: str = ""

    def fingerprint(self, digest: str) -> str:
        """Return the fingerprint as Puppet shows it, `(SHA256) AA:BB:…`."""
        return f"({digest.upper()}) {self.hexadecimal(digest)}"

    def hexadecimal(self, digest: str) -> str:
        """Return the fingerprint alone."""
        if self.sha256 and digest.upper() == "SHA256":
            return self.sha256
        return certificate.fingerprint(self.der, digest)


def entry_of_request(name: str, request: Request) -> Entry:
    """Return what a list shows of a request."""
    alt_names = request.alt_names
    found = {
        _SHORT.get(each.oid, each.oid): each.text
        for each in request.attributes
        if each.oid not in _NOT_CUSTOM
    }
    for extension in request.extensions:
        name_ = _SHORT.get(extension.oid, extension.name)
        is_names = extension.oid == oids.SUBJECT_ALT_NAME
        value = ", ".join(map(openssl_name, alt_names)) if is_names else None
        found[name_] = value or certexts.read_text(extension.value)
    return Entry(name, "requested", request.der, alt_names, found)


def entry_of_certificate(
    name: str, found: x509.Certificate, problem: str | None
) -> Entry:
    """Return what a list shows of a certificate, and of what is wrong with it."""
    raw = certificate.to_der(found)
    shown = any(each in raw for each in _SHOWN)
    extensions = certexts.extensions_of(found) if shown else ()
    custom = certexts.puppet_extensions(extensions)
    return Entry(
        name=name,
        state="invalid" if problem else "signed",
        der=raw,
        alt_names=certexts.alt_names(extensions),
        details={oids.name_of(oid): value for oid, value in custom.items()},
        problem=problem,
        serial=found.serial_number,
        not_after=found.not_valid_after_utc,
    )


def openssl_name(alt_name: str) -> str:
    """Return a subject alternative name as OpenSSL and Puppet 5.5 write it."""
    kind, _, value = alt_name.partition(":")
    return f"IP Address:{value}" if kind == "IP" else alt_name


def render(entries: Sequence[Entry], style: Format, digest: str) -> str:
    """Return the list as `puppet cert list` prints it, without a last line feed."""
    width = max((len(_quoted(entry.name)) for entry in entries), default=0)
    if style == "human":
        return "\n".join(sorted(_human(entry, digest) for entry in entries)).rstrip()
    if style == "machine":
        return "\n".join(sorted(_machine(entry, digest) for entry in entries))
    return "\n".join(sorted(_line(entry, digest, width) for entry in entries))


def document(entries: Iterable[Entry], digest: str) -> list[dict[str, object]]:
    """Return the list for `--json`."""
    return [
        {
            "name": entry.name,
            "state": entry.state,
            "problem": entry.problem,
            "fingerprint": entry.hexadecimal(digest),
            "digest": digest.upper(),
            "serial": None if entry.serial is None else f"{entry.serial:04X}",
            "not_after": entry.not_after and f"{entry.not_after:%Y-%m-%dT%H:%M:%SZ}",
            "alt_names": list(entry.alt_names),
            "extensions": dict(entry.details),
        }
        for entry in sorted(entries, key=lambda each: each.name)
    ]


def _line(entry: Entry, digest: str, width: int) -> str:
    name = _quoted(entry.name).ljust(width)
    parts = [_GLYPHS[entry.state], name, entry.fingerprint(digest)]
    if entry.alt_names and not entry.problem:
        parts.append(f"(alt names: {_alt_names(entry)})")
    if entry.problem:
        parts.append(f"({entry.problem})")
    elif entry.details:
        parts.append("**")
    return " ".join(parts)


def _machine(entry: Entry, digest: str) -> str:
    parts = [_GLYPHS[entry.state], _quoted(entry.name), entry.fingerprint(digest)]
    if entry.problem:
        return " ".join((*parts, f"({entry.problem})"))
    if entry.not_after:
        parts.append(f"{entry.not_after:%Y-%m-%dT%H:%M:%SZ}")
    if beyond := _beyond(entry):
        parts.append(f"({', '.join(beyond)})")
    return " ".join(parts)


def _human(entry: Entry, digest: str) -> str:
    status = "Request Pending" if entry.state == "requested" else "Signed"
    if entry.problem:
        status = f"Invalid - ({entry.problem})"
    lines = [
        f"{_GLYPHS[entry.state]} {_quoted(entry.name)}",
        f"  {entry.fingerprint(digest)}",
        f"    Status: {status}",
    ]
    if entry.not_after and not entry.problem:
        lines.append(f"    Expiration: {entry.not_after:%Y-%m-%dT%H:%M:%SZ}")
    beyond = [] if entry.problem else _beyond(entry)
    if beyond:
        lines += ["    Extensions:", *(f"      {each}" for each in beyond)]
    return "\n".join((*lines, ""))


def _beyond(entry: Entry) -> list[str]:
    """Return alternative names, then what is beyond Puppet's usual, sorted."""
    found = sorted(f"{name}: {_quoted(value)}" for name, value in entry.details.items())
    return [f"alt names: {_alt_names(entry)}", *found] if entry.alt_names else found


def _alt_names(entry: Entry) -> str:
    return ", ".join(_quoted(openssl_name(name)) for name in entry.alt_names)


def _quoted(text: str) -> str:
    """Return text as Ruby's `inspect` does."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("#{", "\\#{")
    if not escaped.isprintable():
        escaped = "".join(map(_printable, escaped))
    return f'"{escaped}"'


def _printable(character: str) -> str:
    if character.isprintable():
        return character
    code = ord(character)
    usual = f"\\u{code:04X}" if code <= 0xFFFF else f"\\u{{{code:X}}}"
    return _ESCAPES.get(character, usual)
