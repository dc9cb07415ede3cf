"""What a server sent, as a description that is the same in every run.

Serial numbers, key identifiers, fingerprints, times and the CA's names differ from
run to run; they are replaced by what they are: "serial 2" is the second one that
the scenario saw, "key of CA 1" the identifier of the signing CA's key.  A time is
given in hours from now, a lifetime in seconds.

Guarantee: two certificates with one description differ in nothing but those.

Sources: RFC 5280 sections 4 and 5.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import Any

from reseal.x509 import certexts, der, oids
from reseal.x509.certexts import Extension
from reseal.x509.crl import RevocationList
from reseal.x509.crlentry import Entry

from .known import Known
from .parsed import Certificate, is_signed_by

JSON = Any
_TAGS = {
    der.UTF8_STRING: "UTF8String",
    der.PRINTABLE_STRING: "PrintableString",
    der.IA5_STRING: "IA5String",
    der.T61_STRING: "T61String",
    der.BMP_STRING: "BMPString",
}
_SOON = timedelta(minutes=15)


def describe_certificate(found: Certificate, known: Known, now: datetime) -> JSON:
    """Return what a certificate says; of one seen before, only which it was."""
    seen = known.has(found.der)
    label = known.certificate(found)
    if seen:
        return label
    return {
        "which": label,
        "version": found.version,
        "serial": known.serial(found.serial),
        "algorithm": found.algorithm,
        "issuer": describe_name(found.issuer, known),
        "subject": describe_name(found.subject, known),
        "not_before": _hours(found.not_before, now),
        "lifetime": int((found.not_after - found.not_before).total_seconds()),
        "key": hashlib.sha256(found.spki).hexdigest()[:16],
        "extensions": [_extension(e, found, known) for e in found.extensions],
        "signed_by": _signer(found.tbs, found.signature, known),
    }


def describe_crl(found: RevocationList, known: Known, now: datetime) -> JSON:
    """Return what a revocation list says, beside the one of its issuer before."""
    issuer = known.names.get(found.issuer_common_name, "unknown")
    before, known.crls[issuer] = known.crls.get(issuer), found
    said: dict[str, JSON] = {
        "issuer": issuer,
        "algorithm": der.read_oid(der.parse(found.algorithm).children()[0]),
        "extensions": [_crl_extension(e, known) for e in found.extensions],
        "signed_by": _signer(found.tbs, found.signature, known),
        "listed": {
            known.serials[entry.serial]: _entry(entry, now)
            for entry in found.entries()
            if entry.serial in known.serials and issuer == "CA 1"
        },
    }
    if before is None:
        return said
    if before.der == found.der:
        return {"issuer": issuer, "as": "before"}
    said["number"] = f"{(found.number or 0) - (before.number or 0):+d}"
    said["entries"] = f"{len(found) - len(before):+d}"
    said["this_update"] = _hours(found.this_update, now)
    said["next_update"] = _next_update(found)
    return said


def describe_name(name: bytes, known: Known) -> JSON:
    """Return a name's attributes with their string types."""
    return [
        [_attribute(item, known) for item in relative.children()]
        for relative in der.parse(name).children()
    ]


def _attribute(element: der.Element, known: Known) -> JSON:
    oid, value = element.children()
    text = der.read_string(value) if der.is_string(value) else value.raw.hex()
    kind = _TAGS.get(value.tag, f"{value.tag:#04x}")
    return [der.read_oid(oid), kind, known.replace(text)]


def _hours(time: datetime, now: datetime) -> str:
    """Return how far off a time is, in tenths of an hour; far ones only as such."""
    hours = round((time - now).total_seconds() / 3600, 1) + 0.0
    return f"now{hours:+.1f}h"


def _signer(tbs: bytes, signature: bytes, known: Known) -> str:
    for number, ca in enumerate(known.bundle, 1):
        if is_signed_by(tbs, signature, ca.spki):
            return f"CA {number}"
    return "another"


def _extension(found: Extension, certificate: Certificate, known: Known) -> JSON:
    name, value = oids.name_of(found.oid), found.value
    if found.oid == oids.SUBJECT_KEY_ID:
        own = known.is_key_id(certificate.spki, certexts.read_subject_key_id(found))
        return [name, found.critical, "own key" if own else "another key"]
    if found.oid == oids.AUTHORITY_KEY_ID:
        return [name, found.critical, _authority(found, known)]
    if found.oid == oids.SUBJECT_ALT_NAME:
        return [name, found.critical, list(certexts.alt_names([found]))]
    return [name, found.critical, _value(value)]


def _value(value: bytes) -> str:
    """Return a string with its type, or else the bytes in hexadecimal."""
    kind = _TAGS.get(value[0], "") if value else ""
    try:
        text = value[2:].decode("ascii")
    except UnicodeDecodeError:
        return value.hex()
    if kind and len(value) < 128 and value[1] == len(text) and text.isprintable():
        return f"{kind}:{text}"
    return value.hex()


def _authority(found: Extension, known: Known) -> JSON:
    read = certexts.read_authority_key_id(found)
    said: dict[str, JSON] = {}
    if read.key_id is not None:
        said["key_id"] = known.key_of(read.key_id)
    if read.issuer is not None:
        said["issuer"] = describe_name(read.issuer, known)
    if read.serial is not None:
        said["serial"] = known.ca_serial(read.serial)
    return said


def _crl_extension(found: Extension, known: Known) -> JSON:
    if found.oid == oids.AUTHORITY_KEY_ID:
        return ["authority key", found.critical, _authority(found, known)]
    if found.oid == oids.CRL_NUMBER:
        return ["number", found.critical]
    return [found.oid, found.critical, found.value.hex()]


def _entry(entry: Entry, now: datetime) -> JSON:
    date = "now" if abs(now - entry.revocation_date) < _SOON else "another time"
    return {"reason": entry.reason, "date": date}


def _next_update(found: RevocationList) -> str:
    """Return how long a list lives; Puppet Server adds years of the calendar."""
    if found.next_update is None:
        return "none"
    made = found.this_update + timedelta(seconds=1)
    day = 28 if (made.month, made.day) == (2, 29) else made.day
    if found.next_update == made.replace(year=made.year + 5, day=day):
        return "5 calendar years and 1 s after this_update"
    return f"{int((found.next_update - found.this_update).total_seconds())} s"
