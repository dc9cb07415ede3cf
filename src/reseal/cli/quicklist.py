"""What `cert list` shows of thousands of certificates, without reading them all.

What does not change of a certificate of this CA is in the index (`ca/index.py`); what
any other is, and a digest that the index has not, is found out by reading it.

Sources: `standing.py` (when a look at the list will do).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime

from cryptography import x509

from reseal.ca.index import read_index
from reseal.certname import Certname
from reseal.cli.desk import Desk
from reseal.cli.listing import Entry, entry_of_certificate

_DIGEST = "SHA256"


def signed_entries(desk: Desk) -> Iterator[Entry]:
    """Yield an entry for each name with a certificate, sorted by name."""
    if desk.options.digest.upper() != _DIGEST or not desk.standing.is_quick:
        for name, found in desk.store.certificates():
            yield desk.signed(name, found)
        return

    def tell(certname: Certname, found: x509.Certificate) -> bytes:
        return _words(desk, certname, found)

    for text, serial, words in read_index(desk.store, "list", tell):
        mark, begin, end, sha256, alt_names, details = json.loads(words)
        if mark != desk.standing.mark:
            yield desk.signed(text, desk.store.get(Certname(text)))
            continue
        not_after = _moment(end)
        problem = desk.standing.problem_of(serial, _moment(begin), not_after)
        yield Entry(
            name=text,
            state="invalid" if problem else "signed",
            der=b"",
            alt_names=tuple(alt_names),
            details=details,
            problem=problem,
            serial=serial,
            not_after=not_after,
            sha256=sha256,
        )


def _words(desk: Desk, certname: Certname, found: x509.Certificate) -> bytes:
    """Return what the index keeps of a certificate."""
    entry = entry_of_certificate(certname, found, None)
    return json.dumps(
        (
            desk.standing.mark if desk.standing.is_ours(found) else "",
            int(found.not_valid_before_utc.timestamp()),
            int(found.not_valid_after_utc.timestamp()),
            entry.hexadecimal(_DIGEST),
            entry.alt_names,
            entry.details,
        )
    ).encode()


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
