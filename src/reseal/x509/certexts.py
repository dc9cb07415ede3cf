"""Certificate extensions: build, read, compare.

An extension is carried as OID, criticality and the DER of its value, so that order
and bytes are ours to choose: Puppet's generations differ in both.  Reading is
lenient where real certificates of Puppet are wrong: comments in UTF8String, values
wrapped twice or not DER at all.

Sources: RFC 5280 section 4.2; Puppet, `ssl/certificate_factory.rb`; ssl-utils,
`ExtensionsUtils.java`; Netscape's certificate extensions (nsComment).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from cryptography import x509

from reseal.errors import ParseError
from reseal.x509 import der, generalname, oids

_KEPT = 256
"""How many certificates' extensions are kept, the CA's own among them."""

_USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


@dataclass(frozen=True, slots=True)
class Extension:
    """One extension.

    Attributes:
        oid: Dotted.
        critical: Whoever does not know it must refuse the certificate.
        value: The DER inside its OCTET STRING.
    """

    oid: str
    critical: bool
    value: bytes

    @property
    def name(self) -> str:
        """Puppet's short name, or the dotted OID."""
        return oids.name_of(self.oid)

    def encode(self) -> bytes:
        """Return the extension's DER; a criticality of false is left out."""
        critical = der.boolean(True) if self.critical else b""
        return der.sequence(der.oid(self.oid), critical, der.octet_string(self.value))


@dataclass(frozen=True, slots=True)
class AuthorityKeyId:
    """Which key signed, by three hints, each of which may be missing.

    Attributes:
        key_id: Key identifier of the issuer.
        issuer: DER of the name of the issuer's issuer.
        serial: Serial number of the issuer's certificate.
    """

    key_id: bytes | None
    issuer: bytes | None = None
    serial: int | None = None


def subject_alt_name(names: Iterable[str | bytes], critical: bool = False) -> Extension:
    """Return a subjectAltName in the order given.

    Args:
        names: `DNS:x`, `IP:y`, `email:z`, `URI:u`, or the DER of a GeneralName.
        critical: Puppet's is not.

    Raises:
        ParseError: A name is of another form; every such name is listed.
    """
    encoded, faults = [], []
    for name in names:
        try:
            encoded.append(
                name if isinstance(name, bytes) else generalname.encode(name)
            )
        except ValueError:
            faults.append(f"{name!r} is not DNS:name or IP:address")
    if faults:
        raise ParseError(f"subject alternative names: {'; '.join(faults)}")
    return Extension(oids.SUBJECT_ALT_NAME, critical, der.sequence(*encoded))


def authority_key_id(
    key_id: bytes | None, issuer: bytes | None = None, serial: int | None = None
) -> Extension:
    """Return an authorityKeyIdentifier of the parts that are given.

    Args:
        key_id: Copied from the issuer's subjectKeyIdentifier.
        issuer: DER name of the issuer's issuer.
        serial: Serial number of the issuer's certificate.
    """
    parts = [] if key_id is None else [der.tlv(0x80, key_id)]
    if issuer is not None:
        parts.append(der.tlv(0xA1, der.explicit(generalname.DIRECTORY_NAME, issuer)))
    if serial is not None:
        parts.append(der.integer(serial, tag=0x82))
    return Extension(oids.AUTHORITY_KEY_ID, False, der.sequence(*parts))


def subject_key_id(key_id: bytes) -> Extension:
    """Return a subjectKeyIdentifier."""
    return Extension(oids.SUBJECT_KEY_ID, False, der.octet_string(key_id))


def basic_constraints(ca: bool, path_length: int | None = None) -> Extension:
    """Return a critical basicConstraints."""
    length = b"" if path_length is None else der.integer(path_length)
    value = der.sequence(der.boolean(True), length) if ca else der.sequence()
    return Extension(oids.BASIC_CONSTRAINTS, True, value)


def key_usage(*usages: str) -> Extension:
    """Return a critical keyUsage of RFC 5280's names, as `key_cert_sign`."""
    bits = sum(1 << 15 - _USAGES.index(usage) for usage in usages)
    unused = (bits & -bits).bit_length() - 1 if bits else 16
    used = bits.to_bytes(2, "big")[: 2 - unused // 8]
    return Extension(oids.KEY_USAGE, True, der.bit_string(used, unused % 8))


def extended_key_usage(*purposes: str) -> Extension:
    """Return a critical extendedKeyUsage of dotted OIDs."""
    value = der.sequence(*(der.oid(purpose) for purpose in purposes))
    return Extension(oids.EXTENDED_KEY_USAGE, True, value)


def comment(text: str, *, utf8: bool = False) -> Extension:
    """Return a Netscape comment: IA5String as it should be, or as Ruby's CA wrote."""
    tag = der.UTF8_STRING if utf8 else der.IA5_STRING
    return Extension(oids.NETSCAPE_COMMENT, False, der.tlv(tag, text.encode()))


def text_extension(oid: str, value: str, critical: bool = False) -> Extension:
    """Return an extension of Puppet's arc: its value is a UTF8String."""
    return Extension(oid, critical, der.utf8(value))


def parse(data: bytes) -> tuple[Extension, ...]:
    """Return the extensions of a SEQUENCE OF Extension, in order.

    Raises:
        ParseError: It is none.
    """
    return tuple(
        _read(each) for each in der.parse(data).expect(der.SEQUENCE).children()
    )


def extensions_of(certificate: x509.Certificate) -> tuple[Extension, ...]:
    """Return a certificate's extensions, in its order."""
    return _extensions_in(certificate.tbs_certificate_bytes)


@lru_cache(maxsize=_KEPT)
def _extensions_in(tbs: bytes) -> tuple[Extension, ...]:
    last = der.parse(tbs).children()[-1]
    return parse(last.content) if last.tag == 0xA3 else ()


def find(extensions: Iterable[Extension], oid: str) -> Extension | None:
    """Return the first extension of an OID, or None."""
    return next((each for each in extensions if each.oid == oid), None)


def read_general_names(extension: Extension) -> tuple[bytes, ...]:
    """Return the DER of each name of a subjectAltName, of whatever type."""
    names = der.parse(extension.value).expect(der.SEQUENCE).children()
    return tuple(name.raw for name in names)


def alt_names(extensions: Iterable[Extension]) -> tuple[str, ...]:
    """Return subject alternative names as `DNS:x` and `IP:y`, in order.

    Names of other types are `email:…` and `URI:…`, or `type N:` and their bytes in
    hexadecimal.
    """
    extension = find(extensions, oids.SUBJECT_ALT_NAME)
    if extension is None:
        return ()
    return tuple(generalname.show(name) for name in read_general_names(extension))


def read_authority_key_id(extension: Extension) -> AuthorityKeyId:
    """Return the parts of an authorityKeyIdentifier."""
    key_id = issuer = serial = None
    for part in der.parse(extension.value).expect(der.SEQUENCE).children():
        if part.tag == 0x80:
            key_id = part.content
        elif part.tag == 0xA1:
            issuer = next(
                (
                    n.content
                    for n in part.children()
                    if n.tag == 0xA0 | generalname.DIRECTORY_NAME
                ),
                None,
            )
        elif part.tag == 0x82:
            serial = int.from_bytes(part.content, "big", signed=True)
    return AuthorityKeyId(key_id, issuer, serial)


def read_subject_key_id(extension: Extension) -> bytes:
    """Return a subjectKeyIdentifier."""
    return der.parse(extension.value).expect(der.OCTET_STRING).content


def read_basic_constraints(extension: Extension) -> tuple[bool, int | None]:
    """Return whether the subject is a CA, and how many CAs may follow it."""
    ca, length = False, None
    for part in der.parse(extension.value).expect(der.SEQUENCE).children():
        if part.tag == der.BOOLEAN:
            ca = der.read_boolean(part)
        else:
            length = der.read_integer(part)
    return ca, length


def read_key_usage(extension: Extension) -> frozenset[str]:
    """Return the names of a keyUsage's bits."""
    content = der.parse(extension.value).expect(der.BIT_STRING).content[1:]
    bits = "".join(f"{byte:08b}" for byte in content)
    return frozenset(u for u, bit in zip(_USAGES, bits, strict=False) if bit == "1")


def read_extended_key_usage(extension: Extension) -> tuple[str, ...]:
    """Return the dotted OIDs of an extendedKeyUsage."""
    return tuple(der.read_oid(p) for p in der.parse(extension.value).children())


def read_text(value: bytes) -> str:
    """Return the text of a value: a string of any type, or else its bytes as text."""
    try:
        element = der.parse(value)
        if der.is_string(element):
            return der.read_string(element)
    except ParseError:
        pass
    return value.decode("utf-8", "replace")


def puppet_extensions(extensions: Iterable[Extension]) -> dict[str, str]:
    """Return what is below Puppet's arc: dotted OID to value."""
    below = (each for each in extensions if oids.is_below(each.oid, oids.ARC))
    return {each.oid: read_text(each.value) for each in below}


def build_puppet_extensions(values: Mapping[str, str]) -> tuple[Extension, ...]:
    """Return extensions for dotted OIDs and their values, in the mapping's order."""
    return tuple(text_extension(oid, value) for oid, value in values.items())


def differences(
    one: Sequence[Extension], other: Sequence[Extension]
) -> tuple[str, ...]:
    """Return the names of the extensions that two certificates do not share.

    Order is no difference: it carries no meaning to any peer.
    """
    unshared = frozenset(one) ^ frozenset(other)
    return tuple(sorted({extension.name for extension in unshared}))


def _read(element: der.Element) -> Extension:
    parts = element.expect(der.SEQUENCE).children()
    if not 2 <= len(parts) <= 3:
        raise ParseError("extension: is not OID, criticality and value")
    critical = len(parts) == 3 and der.read_boolean(parts[1])
    value = parts[-1].expect(der.OCTET_STRING).content
    return Extension(der.read_oid(parts[0].expect(der.OID)), critical, value)
