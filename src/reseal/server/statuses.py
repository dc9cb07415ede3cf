"""What `puppetserver ca list` sees: the state of every request and certificate.

A site may have 100,000 certificates and look at them often, so what a certificate
says is put into words once, and again only when its file is another; its state comes
from the revocation list of the moment.

Sources: Puppet Server, `certificate_authority.clj` (`get-cert-or-csr-status*`).
"""

from __future__ import annotations

import json
import threading
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass

from cryptography import x509

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


@dataclass(frozen=True, slots=True)
class _Told:
    """A certificate in words.

    Attributes:
        stamp: Of the file they were read from.
        serial: Its serial number.
        fields: The JSON object without its state and its opening brace.
    """

    stamp: Hashable
    serial: int
    fields: str


class Statuses:
    """Tells the state of names, and remembers what certificates say."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self._told: dict[Certname, _Told] = {}
        self._lock = threading.Lock()

    def one(self, certname: Certname) -> str:
        """Return a name's status as a JSON object; NotFound if there is none."""
        try:
            certificate = self._office.store.get(certname)
        except NotFound:
            pem = self._office.store.request(certname)
            return json.dumps(_of_request(certname, csr.parse_request(pem)))
        told = _tell(certname, certificate, None)
        return _object(told, revoked=self._office.revoked(told.serial))

    def all(self, state: str | None) -> bytes:
        """Return the statuses of every name as a JSON array.

        Args:
            state: One of `STATES`; None is every one, requests first.
        """
        found: list[str] = []
        if state in (None, "requested"):
            found += self._requests()
        if state != "requested":
            found += self._certificates(state)
        return f"[{','.join(found)}]".encode()

    def _requests(self) -> Iterator[str]:
        for certname, pem in self._office.store.requests():
            try:
                yield json.dumps(_of_request(certname, csr.parse_request(pem)))
            except ParseError:
                continue  # put there by hand; `reseal ca check` names it

    def _certificates(self, state: str | None) -> Iterator[str]:
        revoked = self._office.own.serials()
        with self._lock:
            told = self._refreshed()
        for each in told:
            gone = each.serial in revoked
            if state is None or gone is (state == "revoked"):
                yield _object(each, revoked=gone)

    def _refreshed(self) -> list[_Told]:
        store, old = self._office.store, self._told
        new: dict[Certname, _Told] = {}
        for certname, stamp in store.certificate_stamps():
            held = old.get(certname)
            if held is None or held.stamp != stamp:
                try:
                    held = _tell(certname, store.get(certname), stamp)
                except NotFound:
                    continue
            new[certname] = held
        self._told = new
        return [new[certname] for certname in sorted(new)]


def _object(told: _Told, *, revoked: bool) -> str:
    return f'{{"state":"{"revoked" if revoked else "signed"}",{told.fields}'


def _tell(certname: Certname, certificate: x509.Certificate, stamp: Hashable) -> _Told:
    data = to_der(certificate)
    has_any = any(mark in data for mark in _MARKS)
    extensions = certexts.extensions_of(certificate) if has_any else ()
    fields = {
        **_common(certname, data, extensions),
        "serial_number": certificate.serial_number,
        "not_before": utc(certificate.not_valid_before_utc),
        "not_after": utc(certificate.not_valid_after_utc),
    }
    return _Told(stamp, certificate.serial_number, json.dumps(fields)[1:])


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
