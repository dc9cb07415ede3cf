"""A node's way to its certificate, decided without I/O.

`enrol` is a generator: it yields what is to be done and is sent what came of it.  The
order is Puppet 8's: CA, revocation lists, key, request, certificate; what has been
there for longer than its interval is refreshed, CA and lists together.

Guarantee: nothing is kept before it has been read and, for a certificate, proven; a
certificate is never kept without its key.

Sources: Puppet 8, `ssl/state_machine.rb` (states, messages), `http/service/ca.rb`.
"""

from __future__ import annotations

from collections.abc import Generator
from urllib.parse import quote

from cryptography import x509

from reseal.agent.acts import (
    API,
    HEADERS,
    Act,
    Ask,
    Drop,
    EnrolmentFailed,
    File,
    Held,
    Keep,
    Known,
    MakeKey,
    Outcome,
    ReadAttributes,
    Ready,
    Say,
    Steps,
    Unsigned,
    Wishes,
    asked,
    digest,
    get_of,
)
from reseal.agent.proof import prove
from reseal.agent.remote import Answer, NoConnection, Trust
from reseal.agent.truststates import need_ca, need_crls
from reseal.errors import ParseError, ResealError
from reseal.wire import TEXT, Request
from reseal.x509 import bundle, keys, oids
from reseal.x509 import certificate as certs
from reseal.x509.csr import build_request, puppet_alt_names
from reseal.x509.csrattributes import CsrAttributes
from reseal.x509.keys import LocalSigner, PrivateKey


def enrol(known: Known, wishes: Wishes) -> Steps:
    """Bring a node to its certificate.

    Yields:
        What is to be done.

    Returns:
        What it has then, or that it has to wait.

    Raises:
        EnrolmentFailed: It cannot go on.
        NotProven: A certificate must not be used.
    """
    trusted, refreshed = yield from need_ca(known, wishes)
    crls = yield from need_crls(known, wishes, forced=refreshed)
    key, known = yield from _need_key(known, wishes)
    held = Held(trusted, crls, key)
    if known.certificate is not None:
        mine = _read_certificate(known.certificate)
        _prove(mine, held, known, wishes)
        mine = yield from _renewed(mine, known, wishes)
        return Ready(held, mine)
    return (yield from _need_certificate(known, wishes, held))


def _need_key(
    known: Known, wishes: Wishes
) -> Generator[Act, Outcome, tuple[PrivateKey, Known]]:
    if known.key is not None:
        try:
            return keys.load_private(known.key), known
        except ResealError as error:
            hint = "give it up and enrol again: reseal ssl clean"
            raise EnrolmentFailed(f"Could not parse PKey: {error}", hint=hint) from None
    yield Say("info", f"Creating a new {wishes.kind} for {wishes.certname}")
    key = yield MakeKey()
    assert isinstance(key, PrivateKey)  # noqa: S101 - the act's own outcome
    # A certificate without its key is of no use, and neither is a request.
    yield Drop(File.CERTIFICATE)
    yield Drop(File.REQUEST)
    yield Keep(File.KEY, keys.dump_private(key))
    return key, Known(known.now)


def submit(key: PrivateKey, wishes: Wishes) -> Generator[Act, Outcome, Answer]:
    """Send a request for a certificate, and keep it once the server has taken it."""
    attributes = yield ReadAttributes()
    assert isinstance(attributes, CsrAttributes)  # noqa: S101 - the act's own outcome
    name = wishes.certname
    yield Say("info", f"Creating a new SSL certificate request for {name}")
    more = ((oids.PP_AUTH_AUTO_RENEW, "true"),) if wishes.renewal else ()
    request = build_request(
        LocalSigner(key),
        name,
        puppet_alt_names(wishes.alt_names, name),
        attributes.extensions,
        (*attributes.attributes, *more),
    )
    said = f"Certificate Request fingerprint (SHA256): {digest(request.der)}"
    yield Say("info", said)
    headers = {**HEADERS, "Content-Type": TEXT}
    path = f"{API}/certificate_request/{quote(name, safe='')}"
    put = Request("PUT", path, request.pem, headers)
    answer = yield from asked(Ask(put, Trust.FULL))
    if 200 <= answer.response.status < 300:
        yield Keep(File.REQUEST, request.pem)
    return answer


def fetch(
    held: Held, known: Known, wishes: Wishes
) -> Generator[Act, Outcome, tuple[Answer, x509.Certificate | None]]:
    """Fetch the certificate and keep it if it is good; the answer, and what it is."""
    get = get_of(f"certificate/{quote(wishes.certname, safe='')}", wait=wishes.wait)
    answer = yield from asked(Ask(get, Trust.FULL))
    if answer.response.status != 200:
        return answer, None
    mine = _read_certificate(answer.response.body)
    _prove(mine, held, known, wishes)
    yield Keep(File.CERTIFICATE, certs.to_pem(mine))
    yield Drop(File.REQUEST)
    return answer, mine


def _need_certificate(known: Known, wishes: Wishes, held: Held) -> Steps:
    """Request a certificate if none waits, and fetch it."""
    name = wishes.certname
    if known.request is None:
        yield from _submitted(held.key, wishes)
    answer, mine = yield from fetch(held, known, wishes)
    if mine is None and answer.response.status == 404 and known.request:
        # The server may have lost the request, or taken it from the list.
        yield from _submitted(held.key, wishes)
    if mine is not None:
        yield Say("info", f"Downloaded certificate for {name} from {answer.url}{API}")
        return Ready(held, mine)
    if answer.response.status != 404:
        text = f"Failed to retrieve certificate for {name}: {answer.reason}"
        raise EnrolmentFailed(text)
    yield Say("info", f"Certificate for {name} has not been signed yet")
    return Unsigned("wait" in answer.response.headers.get("preference-applied", ""))


def _submitted(key: PrivateKey, wishes: Wishes) -> Generator[Act, Outcome, None]:
    answer = yield from submit(key, wishes)
    status = answer.response.status
    if status != 400 and not 200 <= status < 300:
        text = f"Failed to submit the CSR, HTTP response was {status}"
        raise EnrolmentFailed(text, hint=answer.response.text[:300] or None)


def _renewed(
    mine: x509.Certificate, known: Known, wishes: Wishes
) -> Generator[Act, Outcome, x509.Certificate]:
    """Have a certificate renewed that ends soon; failing that is no failure."""
    if not wishes.renewal or known.now < mine.not_valid_after_utc - wishes.renewal:
        return mine
    headers = {**HEADERS, "Content-Type": TEXT}
    post = Request("POST", f"{API}/certificate_renewal", b"", headers)
    answer = yield Ask(post, Trust.MUTUAL)
    if isinstance(answer, NoConnection):
        yield Say("warning", f"Unable to automatically renew certificate: {answer}")
        return mine
    assert isinstance(answer, Answer)  # noqa: S101 - the act's own outcome
    if answer.response.status == 404:
        text = "Certificate autorenewal has not been enabled on the server."
        yield Say("info", text)
        return mine
    if answer.response.status != 200:
        said = f"{answer.response.status} {answer.reason}"
        yield Say("warning", f"Failed to automatically renew certificate: {said}")
        return mine
    fresh = _read_certificate(answer.response.body)
    if not keys.same_key(certs.public_key(fresh), certs.public_key(mine)):
        yield Say("warning", "Failed to automatically renew certificate: another key")
        return mine
    yield Keep(File.CERTIFICATE, certs.to_pem(fresh))
    begin, end = fresh.not_valid_before_utc, fresh.not_valid_after_utc
    said = digest(answer.response.body)
    text = (
        f"Renewed client certificate: {said}, not before '{begin}', not after '{end}'"
    )
    yield Say("info", text)
    return fresh


def _prove(mine: x509.Certificate, held: Held, known: Known, wishes: Wishes) -> None:
    prove(
        mine,
        held.trusted,
        held.crls,
        held.key.public_key(),
        known.now,
        revocation=wishes.revocation,
    )


def _read_certificate(data: bytes) -> x509.Certificate:
    try:
        return bundle.load_certificate(data)
    except ParseError as error:
        hint = "give it up and enrol again: reseal ssl clean"
        raise EnrolmentFailed(
            f"Could not parse the certificate: {error}", hint=hint
        ) from None
