"""Certificates and requests as OpenSSL's text.

`puppet cert print` shows what OpenSSL makes of a certificate, and people read and
parse that text.  It is made here, so that no program is started for it and the
answer does not depend on which OpenSSL a machine has.

Sources: OpenSSL, `crypto/x509/t_x509.c` and `t_req.c`, `crypto/bn/bn_print.c`; golden
files under `tests/data/x509text/` from OpenSSL 3.0 and from Ruby with OpenSSL 1.1.1.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from reseal.x509 import certexts, der, keys, oids, signatures
from reseal.x509.csr import Request
from reseal.x509.keys import PublicKey
from reseal.x509.textparts import OPENSSL, Style, hex_lines, render_extension, string

_MONTHS = (
    *("Jan", "Feb", "Mar", "Apr", "May", "Jun"),
    *("Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
)
_CURVES = {
    "secp256r1": ("prime256v1", "P-256"),
    "secp384r1": ("secp384r1", "P-384"),
    "secp521r1": ("secp521r1", "P-521"),
}
_ATTRIBUTE_NAMES = {
    oids.CHALLENGE: "challengePassword",
    "1.2.840.113549.1.9.2": "unstructuredName",
}


def render_text(certificate: bytes, style: Style = OPENSSL) -> str:
    """Return what `openssl x509 -noout -text` prints for the DER of a certificate.

    Args:
        certificate: DER.
        style: `OPENSSL` for OpenSSL 3.0, `RUBY` for Puppet 5.5's `puppet cert print`.

    Raises:
        ParseError: The bytes are not a certificate.
        UnsuitableKey: It is for a key of a kind that reseal does not know.
    """
    tbs, algorithm, signature = der.parse(certificate).children()
    fields = list(tbs.children())
    explicit = fields.pop(0) if fields[0].tag == 0xA0 else None
    version = der.read_integer(explicit.children()[0]) if explicit else 0
    serial, inner, issuer, validity, subject, spki, *rest = fields
    start, end = (der.read_time(moment) for moment in validity.children())
    lines = [
        "Certificate:",
        "    Data:",
        f"        Version: {version + 1} ({version:#x})",
        *_serial(der.read_integer(serial)),
        f"        Signature Algorithm: {signatures.scheme_of(inner.raw).name}",
        f"        Issuer: {style.name(issuer.raw)}",
        "        Validity",
        f"            Not Before: {_time(start)}",
        f"            Not After : {_time(end)}",
        f"        Subject: {style.name(subject.raw)}",
        *_public_key(spki.raw, style),
    ]
    if rest and rest[-1].tag == 0xA3:
        lines.append("        X509v3 extensions:")
        for extension in certexts.parse(rest[-1].content):
            lines += render_extension(extension, 12, style)
    return "\n".join((*lines, *_signature(algorithm, signature, style), ""))


def render_request_text(request: Request, style: Style = OPENSSL) -> str:
    """Return what `openssl req -noout -text` prints for a request."""
    info, algorithm, signature = der.parse(request.der).children()
    version = request.version
    known = f"{version + 1} ({version:#x})" if version == 0 else f"Unknown ({version})"
    lines = [
        "Certificate Request:",
        "    Data:",
        f"        Version: {known}",
        f"        Subject: {style.name(request.subject)}",
        *_public_key(info.children()[2].raw, style),
        "        Attributes:",
        *_attributes(request, style),
        f"{style.request_indent}Requested Extensions:",
    ]
    indent = len(style.request_indent) + 4
    for extension in request.extensions:
        lines += render_extension(extension, indent, style)
    return "\n".join((*lines, *_signature(algorithm, signature, style), ""))


def _attributes(request: Request, style: Style) -> Iterator[str]:
    requests = (oids.EXTENSION_REQUEST, oids.MS_EXTENSION_REQUEST)
    if not request.attributes:
        yield f"{'':12}{style.no_attributes}"
    for attribute in request.attributes:
        if attribute.oid not in requests:
            name = _ATTRIBUTE_NAMES.get(attribute.oid, attribute.oid)
            for value in attribute.values:
                yield f"{'':12}{name:<25}:{string(der.parse(value).content)}"


def _serial(serial: int) -> list[str]:
    """Small numbers in decimal and hexadecimal, large ones as pairs."""
    sign, value = ("-", -serial) if serial < 0 else ("", serial)
    if value < 1 << 63:
        return [f"        Serial Number: {sign}{value} ({sign}{value:#x})"]
    raw = value.to_bytes((value.bit_length() + 7) // 8, "big")
    mark = " (Negative)" if sign else ""
    return ["        Serial Number:", f"{'':12}{mark}{raw.hex(':')}"]


def _time(moment: datetime) -> str:
    month = _MONTHS[moment.month - 1]
    return f"{month} {moment.day:2} {moment:%H:%M:%S} {moment.year} GMT"


def _public_key(spki: bytes, style: Style) -> Iterator[str]:
    yield "        Subject Public Key Info:"
    algorithm = "            Public Key Algorithm: "
    key = keys.load_public_der(spki)
    if isinstance(key, rsa.RSAPublicKey):
        yield f"{algorithm}rsaEncryption"
        yield from _rsa(key, style)
    elif isinstance(key, ec.EllipticCurvePublicKey):
        yield f"{algorithm}id-ecPublicKey"
        yield from _ec(key)
    else:
        yield f"{algorithm}ED25519"
        yield f"{'':16}ED25519 Public-Key:"
        yield from _bits(key, "pub", Encoding.Raw, PublicFormat.Raw)


def _rsa(key: rsa.RSAPublicKey, style: Style) -> Iterator[str]:
    numbers = key.public_numbers()
    modulus = der.parse(der.integer(numbers.n)).content
    yield f"{'':16}{style.rsa_title}: ({key.key_size} bit)"
    yield f"{'':16}Modulus:"
    yield from hex_lines(modulus, 20, 15)
    yield f"{'':16}Exponent: {numbers.e} ({numbers.e:#x})"


def _ec(key: ec.EllipticCurvePublicKey) -> Iterator[str]:
    yield f"{'':16}Public-Key: ({key.key_size} bit)"
    point = PublicFormat.UncompressedPoint
    yield from _bits(key, "pub", Encoding.X962, point)
    name, nist = _CURVES.get(key.curve.name, (key.curve.name, ""))
    yield f"{'':16}ASN1 OID: {name}"
    if nist:
        yield f"{'':16}NIST CURVE: {nist}"


def _bits(
    key: PublicKey, title: str, encoding: Encoding, form: PublicFormat
) -> Iterator[str]:
    yield f"{'':16}{title}:"
    yield from hex_lines(key.public_bytes(encoding, form), 20, 15)


def _signature(
    algorithm: der.Element, signature: der.Element, style: Style
) -> Iterator[str]:
    yield f"    Signature Algorithm: {signatures.scheme_of(algorithm.raw).name}"
    if style.signature_title:
        yield "    Signature Value:"
    bits = der.read_bit_string(signature)
    yield from hex_lines(bits, style.signature_indent, 18)
