"""What `puppetserver ca list` sees: the state of every request and certificate.

A site may have 100,000 certificates and look at them often, so what a certificate
says is put into words once and kept (`ca/index.py`); its state comes from the
revocation list of the moment.

Sources: Puppet Server, `certificate_authority.clj` (`get-cert-or-csr-status*`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from io import BytesIO

from cryptography import x509

from reseal.ca.index import read_index
from reseal.certname import Certname
from reseal.errors import NotFound, ParseError
from reseal.server.call import utc
from reseal.server.office import Office
from reseal.x509 import certexts, csr, der, oids
from reseal.x509.certexts import Extension
from reseal.x509.certificate import fingerprint, to_der

STATES = ("requested", "signed", "revoked")
_DIGESTS = ("SHA1", "SHA256", "SHA512")
_MARKS = tuple(der.oid(oid)[2:] for oid in (oids.SUBJECT_ALT_NAME, oids.AUTHORIZATION))
"""Bytes that stand in every certificate with an extension that is told of here."""


class Statuses:
    """Tells the state of names, and remembers what certificates say."""

    def __init__(self, office: Office) -> None:
        self._office = office

    def one(self, certname: Certname) -> str:
        """Return a name's status as a JSON object; NotFound if there is none."""
        try:
            certificate = self._office.store.get(certname)
        except NotFound:
            pem = self._office.store.request(certname)
            return json.dumps(_of_request(certname, csr.parse_request(pem)))
        serial = certificate.serial_number
        text = _object(_tell(certname, certificate), self._office.revoked(serial))
        return text.decode()

    def all(self, state: str | None) -> bytes:
        """Return the statuses of every name as a JSON array.

        Args:
            state: One of `STATES`; None is every one, requests first.
        """
        found, comma = BytesIO(), b""
        found.write(b"[")
        for each in self._each(state):
            found.write(comma)
            found.write(each)
            comma = b","
        found.write(b"]")
        return found.getvalue()

    def _each(self, state: str | None) -> Iterator[bytes]:
        if state in (None, "requested"):
            yield from self._requests()
        if state != "requested":
            yield from self._certificates(state)

    def _requests(self) -> Iterator[bytes]:
        for certname, pem in self._office.store.requests():
            try:
                told = _of_request(certname, csr.parse_request(pem))
                yield json.dumps(told).encode()
            except ParseError:
                continue  # put there by hand; `reseal ca check` names it

    def _certificates(self, state: str | None) -> Iterator[bytes]:
        revoked = self._office.own.serials()
        for _, serial, fields in read_index(self._office.store, "statuses", _tell):
            gone = serial in revoked
            if state is None or gone is (state == "revoked"):
                yield _object(fields, gone)


def _object(fields: bytes, revoked: bool) -> bytes:
    """Return a JSON object of fields, each with a comma before it, and a state."""
    return b'{"state":"%b"%b}' % (b"revoked" if revoked else b"signed", fields)


def _tell(certname: Certname, certificate: x509.Certificate) -> bytes:
    """Return what a certificate says as fields of JSON, each after a comma."""
    data = to_der(certificate)
    has_any = any(mark in data for mark in _MARKS)
    extensions = certexts.extensions_of(certificate) if has_any else ()
    fields = {
        **_common(certname, data, extensions),
        "serial_number": certificate.serial_number,
        "not_before": utc(certificate.not_valid_before_utc),
        "not_after": utc(certificate.not_valid_after_utc),
    }
    return b",%b" % json.dumps(fields)[1:-1].encode()


def _of_request(certname: Certname, request: csr.Request) -> Mapping[str, object]:
    return {
        "state": "requested",
        **_common(certname, request.der, request.extensions),
    }


def _common(
    certname: Certname, data: bytes, extensions: tuple[Extension, ...]
) -> Mapping[str, object]:
    prints = {digest: fingerprint(data, digest) for digest in _DIGESTS}
    names = certexts.alt_names(extensions)
    dns = [name for name in names if name.startswith("DNS:")]
    return {
        "name": certname,
        "fingerprint": prints["SHA256"],
        "fingerprints": {**prints, "default": prints["SHA256"]},
        "dns_alt_names": dns,
        "subject_alt_names": [n for n in names if n.startswith("IP:")] + dns,
        "authorization_extensions": {
            each.name: certexts.read_text(each.value)
            for each in extensions
            if oids.is_below(each.oid, oids.AUTHORIZATION)
        },
    }
