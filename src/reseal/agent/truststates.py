"""The first half of a node's way: the CA it trusts, and its revocation lists.

Sources: Puppet 8, `ssl/state_machine.rb` (NeedCACerts, NeedCRLs).
"""

from __future__ import annotations

from collections.abc import Generator
from datetime import datetime, timedelta
from email.utils import format_datetime

from cryptography import x509

from reseal.agent.acts import (
    Act,
    Ask,
    EnrolmentFailed,
    File,
    Keep,
    Known,
    Outcome,
    Say,
    Touch,
    Wishes,
    asked,
    digest,
    get_of,
)
from reseal.agent.remote import Answer, NoConnection, Trust
from reseal.errors import ParseError
from reseal.wire import Request
from reseal.x509 import bundle
from reseal.x509.crl import RevocationList


def need_ca(
    known: Known, wishes: Wishes
) -> Generator[Act, Outcome, tuple[tuple[x509.Certificate, ...], bool]]:
    """Have the CA's bundle; say whether it was just refreshed."""
    get = get_of("certificate/ca")
    if known.ca is None:
        answer = yield from asked(Ask(get, Trust.NOTHING))
        if answer.response.status == 404:
            hint = f"does {answer.url} run a CA?"
            raise EnrolmentFailed(
                "CA certificate is missing from the server", hint=hint
            )
        if answer.response.status != 200:
            text = f"Could not download CA certificate: {answer.reason}"
            raise EnrolmentFailed(text)
        trusted = _bundle(answer.response.body)
        yield from _check_fingerprint(answer.response.body, wishes)
        yield Keep(File.CA, bundle.dump_certificates(trusted))
        return trusted, False
    trusted = _bundle(known.ca)
    if not _is_old(known.ca_modified, wishes.ca_refresh, known.now):
        return trusted, False
    yield Say("info", "Refreshing CA certificate")
    body = yield from _refreshed(get, Trust.CA, known.ca_modified, "CA certificate")
    if body is None:
        return trusted, False
    trusted = _bundle(body)
    yield from _check_fingerprint(body, wishes)
    yield Keep(File.CA, bundle.dump_certificates(trusted))
    yield Say("info", f"Refreshed CA certificate: {digest(body)}")
    return trusted, True


def need_crls(
    known: Known, wishes: Wishes, *, forced: bool
) -> Generator[Act, Outcome, tuple[RevocationList, ...]]:
    """Have the CAs' revocation lists."""
    if not wishes.revocation:
        text = "Certificate revocation is disabled, skipping CRL download"
        yield Say("info", text)
        return ()
    get = get_of("certificate_revocation_list/ca")
    if known.crl is None:
        answer = yield from asked(Ask(get, Trust.CA))
        if answer.response.status == 404:
            raise EnrolmentFailed("CRL is missing from the server")
        if answer.response.status != 200:
            raise EnrolmentFailed(f"Could not download CRLs: {answer.reason}")
        return (yield from _kept_lists(answer.response.body))
    crls = _lists(known.crl)
    if not forced and not _is_old(known.crl_modified, wishes.crl_refresh, known.now):
        return crls
    yield Say("info", "Refreshing CRL")
    trust = Trust.CA if forced else Trust.FULL
    since = None if forced else known.crl_modified
    body = yield from _refreshed(get, trust, since, "CRL")
    return crls if body is None else (yield from _kept_lists(body))


def _refreshed(
    get: Request, trust: Trust, since: datetime | None, what: str
) -> Generator[Act, Outcome, bytes | None]:
    """Return a newer body; None if what is there has to do, and why is told.

    A server that cannot be trusted is a failure: the CA may have been replaced.
    """
    headers = dict(get.headers)
    if since is not None:
        headers["If-Modified-Since"] = format_datetime(since, usegmt=True)
    answer = yield Ask(Request(get.method, get.path, b"", headers), trust)
    said = f"Failed to refresh {what}, using existing {what}"
    if isinstance(answer, NoConnection):
        if answer.untrusted:
            raise EnrolmentFailed(str(answer), hint=answer.hint)
        yield Say("warning", f"{said}: {answer}")
        return None
    assert isinstance(answer, Answer)  # noqa: S101 - the act's own outcome
    if answer.response.status == 200:
        return answer.response.body
    if answer.response.status == 304:
        yield Say("info", f"{what} is unmodified, using existing {what}")
        yield Touch(File.CRL if what == "CRL" else File.CA)
        return None
    yield Say("info", f"{said}: {answer.reason}")
    return None


def _check_fingerprint(body: bytes, wishes: Wishes) -> Generator[Act, Outcome, None]:
    wanted = wishes.ca_fingerprint.replace(":", "").lower()
    if not wanted:
        return
    found = digest(body)
    if found.replace(":", "").lower() != wanted:
        raise EnrolmentFailed(
            f"CA bundle with digest (SHA256) {found} did not match expected digest "
            f"{wishes.ca_fingerprint}",
            hint="do not go on before you know why: another server may have answered",
        )
    yield Say("info", f"Verified CA bundle with digest (SHA256) {found}")


def _kept_lists(body: bytes) -> Generator[Act, Outcome, tuple[RevocationList, ...]]:
    found = _lists(body)
    yield Keep(File.CRL, bundle.dump_crls(found))
    yield Say("info", f"Refreshed CRL: {digest(body)}")
    return found


def _bundle(data: bytes) -> tuple[x509.Certificate, ...]:
    try:
        found = bundle.load_certificates(data)
    except ParseError:
        found = ()
    if not found:
        hint = "give it up and fetch it again: reseal ssl clean --localca"
        raise EnrolmentFailed("Failed to parse CA certificates as PEM", hint=hint)
    return found


def _lists(data: bytes) -> tuple[RevocationList, ...]:
    try:
        found = bundle.load_crls(data)
    except ParseError:
        found = ()
    if not found:
        hint = "remove crl.pem, and it is fetched again"
        raise EnrolmentFailed("Failed to parse CRLs as PEM", hint=hint)
    return found


def _is_old(modified: datetime | None, interval: timedelta, now: datetime) -> bool:
    return bool(interval) and modified is not None and now > modified + interval
