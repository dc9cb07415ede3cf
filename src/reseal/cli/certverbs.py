"""The verbs of `reseal cert`: what `puppet cert` did, said as it said it.

Each verb looks at the CA through its store, changes it through a `Hand`, and notes
what it did for `--json` as it goes, so that a failure half way hides nothing.

Sources: Puppet 5.5, `ssl/certificate_authority/interface.rb` and
`ssl/certificate_authority.rb`; transcripts under `tests/data/transcripts`.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence

from reseal.ca.revoke import serials_of
from reseal.certname import Certname
from reseal.cli.desk import CertError, Desk
from reseal.cli.hands import Allowances
from reseal.cli.listing import Entry, document, entry_of_certificate, render
from reseal.cli.quicklist import signed_entries
from reseal.errors import InvalidCertname, NotFound
from reseal.x509.certificate import DIGESTS, to_der
from reseal.x509.text import render_text
from reseal.x509.textparts import RUBY

_YES = ("y", "Y", "yes", "Yes", "YES")


def cert_list(desk: Desk, names: Sequence[str]) -> None:
    """List requests, or with `all` everything, or with `signed` the certificates."""
    entries, options = list(_listed(desk, names)), desk.options
    if desk.screen.json:
        desk.done["certificates"] = list(document(entries, options.digest))
    elif entries:
        desk.screen.plain(render(entries, options.style, options.digest))


def cert_sign(desk: Desk, names: Sequence[str]) -> None:
    """Sign the requests of these names, or all that wait."""
    options, waiting = desk.options, [name for name, _ in desk.store.requests()]
    if options.all:
        names = waiting
        if not names:
            raise CertError("No waiting certificate requests to sign")
    _need(names, "sign")
    missing = [f'"{name}"' for name in names if name not in waiting]
    if missing:
        raise CertError(f"Could not find CSR for: {', '.join(missing)}.")
    for name in names:
        entry = desk.entry(name)
        desk.hand.check(Certname(name), options.allow)
        desk.screen.plain("Signing Certificate Request for:")
        desk.screen.plain(render([entry], options.style, options.digest))
        _confirm(desk)
        _sign(desk, Certname(name), options.allow)


def cert_clean(desk: Desk, names: Sequence[str]) -> None:
    """Revoke what these names have, and remove it from the CA and this node."""
    desk.own.publish()
    if desk.options.all:
        what = "Refusing to destroy all certs, provide an explicit list of certs"
        raise CertError(f"{what} to destroy")
    _need(names, "destroy")
    certnames = [Certname(name) for name in names]
    to_revoke = [name for name in certnames if not _only_requested(desk, name)]
    _revoke(desk, [serial for name in to_revoke for serial in _serials(desk, name)])
    desk.own.publish()
    for name in certnames:
        _remove(desk, name)


def cert_revoke(desk: Desk, names: Sequence[str]) -> None:
    """Put the certificates of these names, or serial numbers `0x3`, on the CRL."""
    if desk.options.all:
        what = "Refusing to revoke all certs, provide an explicit list of certs"
        raise CertError(f"{what} to revoke")
    _need(names, "revoke")
    for name in names:
        _revoke(desk, _serials(desk, name))


def cert_generate(desk: Desk, names: Sequence[str]) -> None:
    """Make key, request and certificate for these names, here on the CA's host."""
    desk.own.publish()
    if desk.options.all:
        what = "It makes no sense to generate all hosts; you must specify a list"
        raise CertError(what)
    _need(names, "generate")
    for name in names:
        _generate(desk, Certname(name))


def cert_print(desk: Desk, names: Sequence[str]) -> None:
    """Print certificates as OpenSSL's text."""
    for name in _chosen(desk, names, "print", lambda: desk.store.certnames()):
        try:
            found = desk.certificate(name)
        except (NotFound, InvalidCertname):
            raise CertError(f"Could not find certificate for {name}") from None
        text = render_text(to_der(found), RUBY)
        desk.screen.plain(text.rstrip("\n"))
        desk.note("certificates", {"name": name, "text": text})


def cert_verify(desk: Desk, names: Sequence[str]) -> None:
    """Prove that certificates stand; silence is success."""
    for name in _chosen(desk, names, "verify", lambda: desk.store.certnames()):
        try:
            problem = desk.standing.prove(desk.certificate(name))
        except (NotFound, InvalidCertname):
            raise CertError(f"Could not find a certificate for {name}") from None
        desk.note("verified", {"name": name, "problem": problem})
        if problem:
            raise CertError(problem)


def cert_fingerprint(desk: Desk, names: Sequence[str]) -> None:
    """Print fingerprints of certificates, or of requests while there is none."""
    digest = desk.options.digest
    for name in _chosen(desk, names, "fingerprint", lambda: _everything(desk)):
        try:
            entry = desk.entry(name)
        except (NotFound, InvalidCertname):
            raise CertError(f"Could not find certificate for {name}") from None
        desk.screen.plain(f"{name} {entry.fingerprint(digest)}")
        desk.note("fingerprints", document([entry], digest)[0])


def cert_reinventory(desk: Desk, names: Sequence[str]) -> None:
    """Write the inventory anew from the certificates that are there."""
    desk.hand.reinventory()
    desk.screen.notice("Rebuilding inventory file")
    desk.note("rebuilt", "inventory.txt")


VERBS: dict[str, Callable[[Desk, Sequence[str]], None]] = {
    "list": cert_list,
    "sign": cert_sign,
    "clean": cert_clean,
    "revoke": cert_revoke,
    "generate": cert_generate,
    "print": cert_print,
    "verify": cert_verify,
    "fingerprint": cert_fingerprint,
    "reinventory": cert_reinventory,
}


def perform(desk: Desk, verb: str, names: Sequence[str]) -> None:
    """Do what the command line asks for; names count in lower case.

    Raises:
        CertError: In the words of `puppet cert`.
        ResealError: The CA or its files stand against it.
    """
    if verb not in VERBS:
        raise CertError(f"Invalid method {verb} to apply")
    if desk.options.digest.upper() not in DIGESTS:
        supported = f"use one of {', '.join(DIGESTS)}"
        fault = f"Unsupported digest algorithm ({desk.options.digest})."
        raise CertError(fault, hint=supported)
    VERBS[verb](desk, [name.lower() for name in names])


def _listed(desk: Desk, names: Sequence[str]) -> Iterator[Entry]:
    options = desk.options
    if names and not (options.all or options.signed):
        for name in dict.fromkeys(names):
            try:
                yield desk.entry(name)
            except (NotFound, InvalidCertname):
                raise CertError(f"Could not find a certificate for {name}") from None
        return
    waiting = dict(desk.store.requests())
    if not options.signed or options.all:
        for name, pem in waiting.items():
            yield desk.requested(name, pem)
    if options.signed or options.all:
        for entry in signed_entries(desk):
            if entry.name not in waiting:
                yield entry


def _everything(desk: Desk) -> list[str]:
    waiting = (name for name, _ in desk.store.requests())
    return sorted({*waiting, *desk.store.certnames()})


def _chosen(
    desk: Desk, names: Sequence[str], verb: str, every: Callable[[], Iterable[str]]
) -> list[str]:
    if desk.options.all:
        return list(every())
    _need(names, verb)
    return list(names)


def _need(names: Sequence[str], verb: str) -> None:
    if not names:
        raise CertError(f"You must provide hosts or --all when using {verb}")


def _confirm(desk: Desk) -> None:
    """Ask before signing, if that is wanted."""
    if not desk.options.ask:
        return
    stream = sys.stderr if desk.screen.json else sys.stdout
    print("Sign Certificate Request? [y/N] ", end="", file=stream, flush=True)
    if desk.options.assume_yes:
        print("Assuming YES from `-y' or `--assume-yes' flag", file=stream)
    elif sys.stdin.readline().strip() not in _YES:
        raise CertError("NOT Signing Certificate Request")


def _sign(desk: Desk, name: Certname, allow: Allowances) -> None:
    desk.hand.sign(name, allow)
    _say_signed(desk, name)


def _say_signed(desk: Desk, name: Certname) -> None:
    desk.screen.notice(f"Signed certificate request for {name}")
    signed = entry_of_certificate(name, desk.store.get(name), None)
    desk.note("signed", document([signed], desk.options.digest)[0])
    path = desk.settings.cadir / "requests" / f"{name}.pem"
    desk.removed("CertificateRequest", name, path)


def _serials(desk: Desk, name: str) -> list[int]:
    """Return what there is to revoke of a name or of a serial number `0x3`."""
    if re.fullmatch(r"0x[0-9a-f]+", name):
        return [int(name, 16)]
    try:
        return list(serials_of(Certname(name), desk.store, desk.standing.at))
    except (NotFound, InvalidCertname):
        rows = (row for row in desk.store.inventory() if row.certname == name)
        serials = [row.serial for row in rows]
    if not serials:
        raise CertError(f"Could not find a serial number for {name}")
    return serials


def _revoke(desk: Desk, serials: Sequence[int]) -> None:
    if serials:
        desk.hand.revoke(serials)
    for serial in serials:
        desk.screen.notice(f"Revoked certificate with serial {serial}")
        desk.note("revoked", {"serial": f"{serial:04X}"})


def _only_requested(desk: Desk, name: Certname) -> bool:
    return _has(desk.store.request, name) and not _has(desk.store.get, name)


def _has(look: Callable[[Certname], object], name: Certname) -> bool:
    try:
        look(name)
    except NotFound:
        return False
    return True


def _remove(desk: Desk, name: Certname) -> None:
    """Remove what the CA and this node have under a name, and say each file."""
    cadir, settings = desk.settings.cadir, desk.settings
    signed = _has(desk.store.get, name)
    requested = _has(desk.store.request, name)
    if signed or requested:
        desk.hand.remove(name)
    gone = desk.own.forget(name)
    if signed:
        desk.removed("Certificate", name, cadir / "signed" / f"{name}.pem")
    if "certificate" in gone or (signed and desk.own.keeps(name)):
        desk.removed("Certificate", name, settings.certdir / f"{name}.pem")
    if requested:
        desk.removed("CertificateRequest", name, cadir / "requests" / f"{name}.pem")
    if "request" in gone:
        path = settings.requestdir / f"{name}.pem"
        desk.removed("CertificateRequest", name, path)
    if "key" in gone:
        desk.removed("Key", name, settings.privatekeydir / f"{name}.pem")


def _generate(desk: Desk, name: Certname) -> None:
    if _has(desk.store.get, name):
        raise CertError(f"A Certificate already exists for {name}")
    if _has(desk.store.request, name):
        what = "already has a requested certificate; ignoring certificate request"
        raise CertError(f"{name} {what}")
    request = desk.own.request(name, desk.options.alt_names)
    desk.hand.submit(name, request.pem)
    desk.screen.notice(f"{name} has a waiting certificate request")
    if _has(desk.store.get, name):
        _say_signed(desk, name)  # the server's autosign was quicker
    else:
        _sign(desk, name, Allowances(alt_names=True, authorization=True))
    desk.own.keep_certificate(name, desk.store.get(name))
    path = desk.settings.requestdir / f"{name}.pem"
    desk.removed("CertificateRequest", name, path)
