"""The steps of a node's way to its certificate, each by itself.

Sources: Puppet 8, `application/ssl.rb` (what each action does and says).
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from pathlib import Path

from cryptography import x509

from reseal.agent.acts import (
    API,
    Act,
    File,
    Held,
    Known,
    MakeKey,
    Outcome,
    Say,
    digest,
)
from reseal.agent.enrolment import Enrolment
from reseal.agent.proof import NotProven, prove
from reseal.agent.remote import Trust
from reseal.agent.states import fetch, submit
from reseal.agent.truststates import need_ca, need_crls
from reseal.errors import ResealError
from reseal.x509 import bundle, keys
from reseal.x509 import certificate as certs
from reseal.x509.csr import parse_request
from reseal.x509.keys import PrivateKey


class Refused(ResealError):
    """A step cannot be done; in Puppet's words."""


def submit_request(node: Enrolment) -> None:
    """Send a request; a key is made if there is none.

    Raises:
        Refused: The server does not take it.
        EnrolmentFailed: There is no CA, or no connection.
    """
    _run(node, _submit(node))


def download(node: Enrolment) -> bool:
    """Fetch the certificate; False if it is not signed yet.

    Raises:
        Refused: It cannot be used.
        EnrolmentFailed: There is no CA, or no connection.
    """
    return _run(node, _download(node))


def prove_node(node: Enrolment) -> tuple[x509.Certificate, ...]:
    """Return the chain of the node's certificate, leaf first, once it is proven.

    Raises:
        Refused: A file is missing.
        NotProven: They do not fit together.
    """
    known = node.known()
    missing = {
        File.CA: "The CA certificates are missing from",
        File.CRL: "The CRL is missing from",
        File.KEY: "The private key is missing from",
        File.CERTIFICATE: "The client certificate is missing from",
    }
    if not node.settings.revocation:
        del missing[File.CRL]
    for file, said in missing.items():
        if node.ssldir.read(node.path(file)) is None:
            raise Refused(f"{said} '{node.path(file)}'")
    trusted = bundle.load_certificates(known.ca or b"")
    crls = bundle.load_crls(known.crl) if known.crl else ()
    key = keys.load_private(known.key or b"")
    mine = bundle.load_certificate(known.certificate or b"")
    revocation = node.settings.revocation
    public = key.public_key()
    prove(mine, trusted, crls, public, known.now, revocation=revocation)
    return bundle.verify_chain(mine, trusted, None, known.now)


def clean_node(node: Enrolment, *, localca: bool) -> Iterator[tuple[str, Path]]:
    """Remove what is the node's own, and yield what was removed.

    Args:
        node: Whose.
        localca: Also the CA and its revocation lists.
    """
    ssldir = node.ssldir
    paths = [
        ("private key", ssldir.hostprivkey),
        ("public key", ssldir.hostpubkey),
        ("certificate request", ssldir.hostcsr),
        ("certificate", ssldir.hostcert),
        ("private key password file", node.settings.ssldir / "private/password"),
    ]
    if localca:
        paths += [("local CA certificate", ssldir.localcacert)]
        paths += [("local CRL", ssldir.hostcrl)]
    for what, path in paths:
        if ssldir.remove(path):
            yield what, path


def own_fingerprint(node: Enrolment) -> str | None:
    """Return the SHA-256 of the certificate, or else of the request that waits."""
    known = node.known()
    if known.certificate is not None:
        return certs.fingerprint(bundle.load_certificate(known.certificate))
    if known.request is not None:
        return digest(parse_request(known.request).der)
    return None


Flag = Generator[Act, Outcome, bool]


def _run(node: Enrolment, steps: Flag) -> bool:
    node.ssldir.make()
    try:
        return node.carry_out(steps)
    finally:
        node.servers.close()


def _held(
    node: Enrolment, known: Known, *, make: bool
) -> Generator[Act, Outcome, Held | None]:
    """Have the CA and the node's key; None without a key."""
    wishes = node.wishes()
    trusted, refreshed = yield from need_ca(known, wishes)
    crls = yield from need_crls(known, wishes, forced=refreshed)
    if known.key is not None:
        return Held(trusted, crls, keys.load_private(known.key))
    if not make:
        return None
    name = wishes.certname
    yield Say("info", f"Creating a new SSL key for {name}")
    key = yield MakeKey()
    assert isinstance(key, PrivateKey)  # noqa: S101 - the act's own outcome
    node.ssldir.save(node.ssldir.hostprivkey, keys.dump_private(key))
    return Held(trusted, crls, key)


def _submit(node: Enrolment) -> Flag:
    known, name = node.known(), node.settings.certname
    held = yield from _held(node, known, make=True)
    assert held is not None  # noqa: S101 - a key is made
    answer = yield from submit(held.key, node.wishes())
    status, url = answer.response.status, f"{answer.url}{API}"
    if status == 400:
        text = f"Could not submit certificate request for '{name}' to {url} due to a"
        hint = answer.response.text[:300] or None
        raise Refused(f"{text} conflict on the server", hint=hint)
    if not 200 <= status < 300:
        raise Refused(f"Failed to submit certificate request: {answer.reason}")
    yield Say("notice", f"Submitted certificate request for '{name}' to {url}")
    done = yield from _fetched(node, held, known)
    if not done:
        text = f"The certificate for '{name}' has not yet been signed"
        yield Say("info", text)
    return True


def _download(node: Enrolment) -> Flag:
    known, name = node.known(), node.settings.certname
    held = yield from _held(node, known, make=False)
    if held is None:
        # Puppet asks all the same; without a key there is nothing to be proven.
        raise Refused(f"The certificate for '{name}' has not yet been signed")
    url = f"{node.servers.found(Trust.FULL).url}{API}"
    yield Say("info", f"Downloading certificate '{name}' from {url}")
    return (yield from _fetched(node, held, known))


def _fetched(node: Enrolment, held: Held, known: Known) -> Flag:
    try:
        answer, mine = yield from fetch(held, known, node.wishes())
    except NotProven as error:
        text = f"Failed to download certificate: {error}"
        raise Refused(text, hint=error.hint) from None
    if mine is None:
        if answer.response.status != 404:
            raise Refused(f"Failed to download certificate: {answer.reason}")
        return False
    name, digest = node.settings.certname, certs.fingerprint(mine)
    text = f"Downloaded certificate '{name}' with fingerprint (SHA256) {digest}"
    yield Say("notice", text)
    return True
