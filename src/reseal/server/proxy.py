"""Who calls, as a terminating proxy tells it: the page's Rack-based master.

Guarantee: headers are believed only when the settings say so and the connection comes
from a proxy they name; from everybody else they mean nothing.

Sources: trapperkeeper-authorization, `ring_middleware.clj` (`wrap-authorization-info`:
X-Client-Verify, X-Client-DN, X-Client-Cert); RFC 4514 (names as strings).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from urllib.parse import unquote_to_bytes

from cryptography import x509

from reseal.errors import ParseError
from reseal.server.caller import ANONYMOUS, Caller, caller_of
from reseal.server.options import ListenerOptions
from reseal.x509 import bundle

VERIFY, NAME, CERTIFICATE = "x-client-verify", "x-client-dn", "x-client-cert"


def is_proxy(options: ListenerOptions, address: str) -> bool:
    """Say whether a connection comes from a proxy whose headers count."""
    if not options.allow_header_cert_info:
        return False
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return any((mapped or found) in network for network in options.proxies)


def caller_from(headers: Mapping[str, str]) -> Caller:
    """Return the caller that a proxy's headers tell.

    Args:
        headers: Names in lower case.

    Raises:
        ParseError: The certificate in them cannot be read, or is not the name's.
    """
    certificate = None
    if sent := headers.get(CERTIFICATE):
        certificate = read_header(sent)
    name = common_name(headers.get(NAME, ""))
    if headers.get(VERIFY) != "SUCCESS" or not name:
        return ANONYMOUS
    if certificate is None:
        return Caller(name)
    found = caller_of(certificate)
    if found.name != name:
        raise ParseError(f"{NAME} and {CERTIFICATE} are of different nodes")
    return found


def read_header(sent: str) -> x509.Certificate:
    """Return the one certificate of a URL-encoded PEM, or raise `ParseError`."""
    try:
        pem = unquote_to_bytes(sent)
        found = bundle.load_certificates(pem)
    except ParseError:
        raise ParseError(f"No certs found in PEM read from {CERTIFICATE}") from None
    if len(found) > 1:
        raise ParseError(
            f"Only 1 PEM should be supplied for {CERTIFICATE} but {len(found)} found"
        )
    return found[0]


def common_name(text: str) -> str:
    """Return the first common name of a DN in either of its forms; or nothing.

    `CN=a,O=b` is RFC 4514's, `/O=b/CN=a` OpenSSL's.
    """
    if text.startswith("/"):
        parts = text[1:].split("/")
    else:
        parts = re.split(r"(?<!\\)[,+]", text)
    for part in parts:
        key, _, value = part.strip().partition("=")
        if key.strip().upper() == "CN":
            return re.sub(r"\\(.)", r"\1", value.strip())
    return ""
