"""The parts of OpenSSL's text: names, extensions, bytes; and its two styles.

OpenSSL 3.0's command and Ruby's `to_text` with OpenSSL 1.1.1, which is what Puppet
5.5 prints, differ in a handful of places; `Style` is the table of them.

Sources: OpenSSL, `crypto/x509/v3_prn.c`, `v3_akey.c`, `v3_san.c`, `crypto/asn1/
a_strex.c`, `crypto/x509/x509_obj.c`; Puppet, `ssl/oids.rb` (long names).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from reseal.errors import ParseError
from reseal.x509 import certexts, der, generalname, names, oids
from reseal.x509.certexts import Extension

_TITLES = {
    oids.SUBJECT_KEY_ID: "X509v3 Subject Key Identifier",
    oids.KEY_USAGE: "X509v3 Key Usage",
    oids.SUBJECT_ALT_NAME: "X509v3 Subject Alternative Name",
    oids.BASIC_CONSTRAINTS: "X509v3 Basic Constraints",
    oids.AUTHORITY_KEY_ID: "X509v3 Authority Key Identifier",
    oids.EXTENDED_KEY_USAGE: "X509v3 Extended Key Usage",
    oids.NETSCAPE_COMMENT: "Netscape Comment",
}
_USAGES = {
    "digital_signature": "Digital Signature",
    "content_commitment": "Non Repudiation",
    "key_encipherment": "Key Encipherment",
    "data_encipherment": "Data Encipherment",
    "key_agreement": "Key Agreement",
    "key_cert_sign": "Certificate Sign",
    "crl_sign": "CRL Sign",
    "encipher_only": "Encipher Only",
    "decipher_only": "Decipher Only",
}
_PURPOSES = {
    oids.SERVER_AUTH: "TLS Web Server Authentication",
    oids.CLIENT_AUTH: "TLS Web Client Authentication",
    "1.3.6.1.5.5.7.3.3": "Code Signing",
    "1.3.6.1.5.5.7.3.4": "E-mail Protection",
    "1.3.6.1.5.5.7.3.8": "Time Stamping",
    "1.3.6.1.5.5.7.3.9": "OCSP Signing",
}


def _spaced_name(name: bytes) -> str:
    """Return a name as `-nameopt oneline` does: `O = b, CN = a`."""
    relative = (
        " + ".join(f"{part.short} = {_quoted(part.value)}" for part in each)
        for each in names.parse(name)
    )
    return ", ".join(relative)


def _tight_name(name: bytes) -> str:
    """Return a name as X509_NAME_print does: `O=b, CN=a`."""
    parts = (part for each in names.parse(name) for part in each)
    return ", ".join(f"{part.short}={_escaped(part.value)}" for part in parts)


@dataclass(frozen=True, slots=True)
class Style:
    """Where two releases of OpenSSL print differently.

    Attributes:
        name: Prints a distinguished name.
        titles: Names of extensions beyond OpenSSL's own.
        rsa_title: Before the size of an RSA key.
        key_id_label: An authority key identifier says `keyid:` even when alone.
        blank_after_key_id: An authority key identifier ends in an empty line.
        signature_title: A line `Signature Value:` stands before the signature.
        signature_indent: Spaces before the signature's lines.
        no_attributes: What a request without attributes shows.
        request_indent: Spaces before a request's extensions.
    """

    name: Callable[[bytes], str]
    titles: Mapping[str, str]
    rsa_title: str
    key_id_label: bool
    blank_after_key_id: bool
    signature_title: bool
    signature_indent: int
    no_attributes: str
    request_indent: str


OPENSSL = Style(
    name=_spaced_name,
    titles={},
    rsa_title="Public-Key",
    key_id_label=False,
    blank_after_key_id=False,
    signature_title=True,
    signature_indent=8,
    no_attributes="(none)",
    request_indent=" " * 12,
)
"""`openssl x509 -text` of OpenSSL 3.0."""

RUBY = Style(
    name=_tight_name,
    titles=oids.PUPPET_LONG,
    rsa_title="RSA Public-Key",
    key_id_label=True,
    blank_after_key_id=True,
    signature_title=False,
    signature_indent=9,
    no_attributes="a0:00",
    request_indent=" " * 8,
)
"""`OpenSSL::X509::Certificate#to_text` in Puppet 5.5 with OpenSSL 1.1.1."""


def hex_lines(data: bytes, indent: int, columns: int) -> Iterator[str]:
    """Yield bytes as pairs with colons, each line but the last ending in one."""
    for start in range(0, len(data), columns):
        last = start + columns >= len(data)
        line = data[start : start + columns].hex(":")
        yield f"{'':{indent}}{line}{'' if last else ':'}"


def string(content: bytes) -> str:
    """Return bytes as ASN1_STRING_print does: a dot for what does not print."""
    kept = (b"\n", b"\r")
    pieces = (content[i : i + 1] for i in range(len(content)))
    return "".join(
        p.decode("ascii") if b" " <= p <= b"~" or p in kept else "." for p in pieces
    )


def render_extension(extension: Extension, indent: int, style: Style) -> Iterator[str]:
    """Yield the lines of an extension: its name, then what it says."""
    known = _TITLES.get(extension.oid)
    title = known or style.titles.get(extension.oid, extension.oid)
    critical = "critical" if extension.critical else ""
    yield f"{'':{indent}}{title}: {critical}"
    for line in _value(extension, style):
        yield f"{'':{indent + 4}}{line}" if line else ""


def _value(extension: Extension, style: Style) -> list[str]:
    reader = _READERS.get(extension.oid)
    if reader is not None:
        try:
            return reader(extension, style)
        except ParseError:
            pass
    return [string(extension.value)]


def _key_id(extension: Extension, style: Style) -> list[str]:
    return [certexts.read_subject_key_id(extension).hex(":").upper()]


def _usage(extension: Extension, style: Style) -> list[str]:
    found = certexts.read_key_usage(extension)
    return [", ".join(text for name, text in _USAGES.items() if name in found)]


def _purposes(extension: Extension, style: Style) -> list[str]:
    found = certexts.read_extended_key_usage(extension)
    return [", ".join(_PURPOSES.get(purpose, purpose) for purpose in found)]


def _constraints(extension: Extension, style: Style) -> list[str]:
    ca, length = certexts.read_basic_constraints(extension)
    path = "" if length is None else f", pathlen:{length}"
    return [f"CA:{'TRUE' if ca else 'FALSE'}{path}"]


def _comment(extension: Extension, style: Style) -> list[str]:
    element = der.parse(extension.value).expect(der.IA5_STRING)
    return [der.read_string(element)]


def _alt_names(extension: Extension, style: Style) -> list[str]:
    found = certexts.read_general_names(extension)
    return [", ".join(_general_name(name) for name in found) or "<EMPTY>"]


def _authority(extension: Extension, style: Style) -> list[str]:
    found = certexts.read_authority_key_id(extension)
    lines = []
    if found.key_id is not None:
        alone = found.issuer is None and found.serial is None
        label = "" if alone and not style.key_id_label else "keyid:"
        lines.append(label + found.key_id.hex(":").upper())
    if found.issuer is not None:
        lines.append(f"DirName:{_slashes(found.issuer)}")
    if found.serial is not None:
        raw = der.parse(der.integer(found.serial)).content
        lines.append(f"serial:{raw.lstrip(bytes(1)).hex(':').upper() or '00'}")
    return [*lines, ""] if style.blank_after_key_id else lines


_READERS: Mapping[str, Callable[[Extension, Style], list[str]]] = {
    oids.SUBJECT_KEY_ID: _key_id,
    oids.KEY_USAGE: _usage,
    oids.EXTENDED_KEY_USAGE: _purposes,
    oids.BASIC_CONSTRAINTS: _constraints,
    oids.NETSCAPE_COMMENT: _comment,
    oids.SUBJECT_ALT_NAME: _alt_names,
    oids.AUTHORITY_KEY_ID: _authority,
}


def _general_name(name: bytes) -> str:
    element = der.parse(name)
    number, content = element.tag & 0x1F, element.content
    if number == 7 and len(content) == 16:
        groups = ipaddress.IPv6Address(content).exploded.split(":")
        return "IP Address:" + ":".join(f"{int(group, 16):X}" for group in groups)
    if number == 4:
        return f"DirName:{_slashes(content)}"
    return generalname.show(name).replace("IP:", "IP Address:", 1)


def _slashes(name: bytes) -> str:
    parts = (part for each in names.parse(name) for part in each)
    return "".join(f"/{part.short}={_escaped(part.value)}" for part in parts)


def _escaped(value: str) -> str:
    r"""Return a value with `\xC3` for what is not printable ASCII."""
    raw = value.encode()
    return "".join(chr(b) if 32 <= b < 127 else f"\\x{b:02X}" for b in raw)


def _quoted(value: str) -> str:
    r"""Return a value as RFC 2253 with quotes: `\C3` for bytes beyond ASCII."""
    raw = value.replace("\\", "\\\\").replace('"', '\\"').encode()
    text = "".join(chr(b) if 32 <= b < 127 else f"\\{b:02X}" for b in raw)
    special = any(sign in value for sign in ',+"<>;')
    special = special or value[:1] in ("#", " ") or value[-1:] == " "
    return f'"{text}"' if special else text
