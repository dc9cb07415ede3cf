"""Requests: read what real clients send, check it, and build our own.

Real clients send what strict parsers refuse: `puppetserver ca generate` writes
version 2, old nodes sign with SHA-1 or MD5, names run over 64 characters, operators
paste text around the PEM.  Such requests are read.  What cannot be read is refused
with every reason at once.

Sources: RFC 2986 (PKCS #10); RFC 2985 section 5.4 (extensionRequest); Puppet,
`ssl/certificate_request.rb`; Puppet Server, `certificate_authority.clj`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from reseal.errors import InvalidRequest, ParseError, UnsuitableKey
from reseal.x509 import certexts, der, keys, names, oids, pem, signatures
from reseal.x509.certexts import Extension
from reseal.x509.keys import PublicKey, Signer
from reseal.x509.signatures import Scheme

LABEL = "CERTIFICATE REQUEST"
_LABELS = (LABEL, f"NEW {LABEL}")
_REQUESTS = (oids.EXTENSION_REQUEST, oids.MS_EXTENSION_REQUEST)
_HINT = "a request is one PEM block, BEGIN CERTIFICATE REQUEST"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Attribute:
    """An attribute of a request.

    Attributes:
        oid: Dotted.
        values: The DER of each of its values.
    """

    oid: str
    values: tuple[bytes, ...]

    @property
    def text(self) -> str:
        """The first value as text; empty without one."""
        return certexts.read_text(self.values[0]) if self.values else ""


@dataclass(frozen=True, slots=True)
class Request:
    """A request that could be read; whether it may be signed is policy's matter.

    Attributes:
        der: The request as it was sent.
        version: 0 in real requests, 2 in those of `puppetserver ca generate`.
        certname: First common name of the subject; empty without one.
        subject: DER of the subject's name.
        public_key: What the certificate would be for.
        extensions: The extensions asked for, in order.
        microsoft: They stand in Microsoft's attribute, which Puppet Server ignores.
        attributes: Every attribute, the extension request too.
        scheme: How it is signed.
        signature_valid: Its signature was made with the key of `public_key`.
    """

    der: bytes
    version: int
    certname: str
    subject: bytes
    public_key: PublicKey
    extensions: tuple[Extension, ...]
    microsoft: bool
    attributes: tuple[Attribute, ...]
    scheme: Scheme
    signature_valid: bool

    @property
    def pem(self) -> bytes:
        """The request in PEM, without what stood around it."""
        return pem.encode(LABEL, self.der)

    @property
    def digest(self) -> str:
        """The digest of its signature, as `SHA256`; empty for Ed25519."""
        return self.scheme.digest

    @property
    def alt_names(self) -> tuple[str, ...]:
        """Subject alternative names asked for, as `DNS:x` and `IP:y`."""
        return certexts.alt_names(self.extensions)

    def attribute(self, oid: str) -> Attribute | None:
        """Return the first attribute of an OID, or None."""
        return next((each for each in self.attributes if each.oid == oid), None)


def parse_request(data: bytes) -> Request:
    """Return the request of a PEM, whatever stands around it.

    Raises:
        InvalidRequest: It cannot be read; every reason is listed.
    """
    try:
        blocks = pem.decode(data)
    except ParseError as error:
        raise InvalidRequest("request", [str(error)], hint=_HINT) from None
    if len(blocks) != 1:
        fault = "holds more than one object" if blocks else "has no PEM block"
        raise InvalidRequest("request", [fault], hint=_HINT)
    if blocks[0].label not in _LABELS:
        raise InvalidRequest("request", [f"is a {blocks[0].label}"], hint=_HINT)
    return parse_der(blocks[0].der)


def parse_der(data: bytes) -> Request:
    """Return the request of its DER.

    Raises:
        InvalidRequest: It cannot be read; every reason is listed.
    """
    try:
        info, algorithm, signature = _split(data)
        version, subject, spki, *rest = info.children()
        number, signed = der.read_integer(version), der.read_bit_string(signature)
    except (ParseError, ValueError) as error:
        fault = str(error) if isinstance(error, ParseError) else "fields are missing"
        raise InvalidRequest("request", [fault], hint=_HINT) from None
    faults: list[str] = []
    name = _try(faults, lambda: names.read_common_name(subject.raw))
    key = _try(faults, lambda: keys.load_public_der(spki.raw))
    attributes = _try(faults, lambda: _attributes(rest))
    requested = _try(faults, lambda: _extensions(attributes or ()))
    scheme = _try(faults, lambda: signatures.scheme_of(algorithm.raw))
    if name is None or key is None or scheme is None or faults:
        raise InvalidRequest(f"request of {name or 'an unknown name'}", faults)
    extensions, microsoft = requested or ((), False)
    return Request(
        der=data,
        version=number,
        certname=name,
        subject=subject.raw,
        public_key=key,
        extensions=extensions,
        microsoft=microsoft,
        attributes=attributes or (),
        scheme=scheme,
        signature_valid=signatures.verify(key, scheme, signed, info.raw),
    )


def build_request(
    signer: Signer,
    certname: str,
    alt_names: Iterable[str] = (),
    extensions: Iterable[Extension] = (),
    attributes: Iterable[tuple[str, str]] = (),
) -> Request:
    """Return a request as Puppet's agents make it.

    Args:
        signer: Signs with the node's key.
        certname: Common name, the only part of the subject.
        alt_names: `DNS:x` and `IP:y`; they stand last, and nothing is added.
        extensions: Asked for, in this order.
        attributes: Dotted OID and text, written as PrintableString.
    """
    wanted = [*extensions]
    if found := tuple(alt_names):
        wanted.append(certexts.subject_alt_name(found))
    encoded = [_text_attribute(oid, text) for oid, text in attributes]
    if wanted:
        value = der.sequence(*(extension.encode() for extension in wanted))
        encoded.append(_encode_attribute(oids.EXTENSION_REQUEST, value))
    info = der.sequence(
        der.integer(0),
        names.common_name(certname),
        keys.public_info(signer.public_key),
        der.tlv(0xA0, *sorted(encoded)),
    )
    algorithm = keys.signature_algorithm(signer.public_key)
    signature = der.bit_string(signer.sign(info))
    return parse_der(der.sequence(info, algorithm, signature))


def puppet_alt_names(setting: str, certname: str) -> tuple[str, ...]:
    """Return what Puppet makes of its setting `dns_alt_names`.

    A bare name is a DNS name; the certname is always added; sorted, each once.  An
    empty setting asks for nothing.
    """
    listed = [part.strip() for part in setting.split(",") if part.strip()]
    if not listed:
        return ()
    kinds = ("DNS:", "IP:")
    full = {part if part.startswith(kinds) else f"DNS:{part}" for part in listed}
    return tuple(sorted(full | {f"DNS:{certname}"}))


def _split(data: bytes) -> tuple[der.Element, der.Element, der.Element]:
    info, algorithm, signature = der.parse(data).expect(der.SEQUENCE).children()
    return info.expect(der.SEQUENCE), algorithm, signature


def _try(faults: list[str], read: Callable[[], T]) -> T | None:
    try:
        return read()
    except (ParseError, UnsuitableKey) as error:
        faults.append(str(error))
    return None


def _attributes(fields: list[der.Element]) -> tuple[Attribute, ...]:
    if not fields:
        return ()
    return tuple(_attribute(each) for each in fields[0].expect(0xA0).children())


def _attribute(element: der.Element) -> Attribute:
    parts = element.expect(der.SEQUENCE).children()
    if len(parts) != 2:
        raise ParseError("attribute: is not OID and values")
    values = parts[1].expect(der.SET).children()
    oid = der.read_oid(parts[0].expect(der.OID))
    return Attribute(oid, tuple(value.raw for value in values))


def _extensions(
    attributes: Iterable[Attribute],
) -> tuple[tuple[Extension, ...], bool]:
    """Return what is asked for, and whether in Microsoft's attribute only.

    Raises:
        ParseError: A value is no list of extensions, or asks for one twice.
    """
    by_oid = {each.oid: each for each in attributes if each.oid in _REQUESTS}
    for oid in _REQUESTS:
        if oid in by_oid and by_oid[oid].values:
            found = certexts.parse(by_oid[oid].values[0])
            _refuse_twice(found)
            certexts.alt_names(found)
            return found, oid == oids.MS_EXTENSION_REQUEST
    return (), False


def _refuse_twice(extensions: tuple[Extension, ...]) -> None:
    listed = [extension.oid for extension in extensions]
    twice = sorted({oid for oid in listed if listed.count(oid) > 1})
    if twice:
        raise ParseError(f"extension {', '.join(twice)}: asked for more than once")


def _text_attribute(oid: str, text: str) -> bytes:
    return _encode_attribute(oid, der.tlv(der.PRINTABLE_STRING, text.encode()))


def _encode_attribute(oid: str, value: bytes) -> bytes:
    return der.sequence(der.oid(oid), der.set_of([value]))
