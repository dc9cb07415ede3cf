"""Fuzz the whole API in one process: what is signed is never more than was allowed.

An input is either a request for a certificate, which autosigning may grant, or any
HTTP request of any caller.  No answer is a 500; a certificate never is a CA's, never
has an authorization or a name of somebody else; who may only look changes nothing.

Run: python fuzz/whole_api.py -max_total_time=60
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["reseal"]):
    from common import KEY, NAME, fuzz, mutate_pem, seeds, signed_again
    from cryptography import x509

    from reseal.ca.authority import load
    from reseal.ca.newca import Leaf
    from reseal.ca.profile import Profile
    from reseal.ca.setup import new_authority
    from reseal.ca.sign import generate
    from reseal.certname import Certname
    from reseal.clock import SystemClock
    from reseal.errors import ParseError
    from reseal.server import access
    from reseal.server.caller import ANONYMOUS, caller_of
    from reseal.server.handlers import Api
    from reseal.server.office import Office
    from reseal.server.options import CaOptions
    from reseal.store import open_cadir
    from reseal.wire import Request, Response
    from reseal.x509 import certexts, keys, oids, pem
    from reseal.x509.csr import LABEL

CA = "/puppet-ca/v1"
HOST = Certname("puppet.example.com")
WEB = Certname("web.example.com")
METHODS = ("GET", "PUT", "POST", "DELETE", "HEAD")
PATHS = (
    *(
        f"{CA}/{path}"
        for path in (
            "certificate/ca",
            f"certificate/{WEB}",
            f"certificate_request/{WEB}",
            f"certificate_status/{WEB}",
            "certificate_statuses/all?state=signed",
            "certificate_revocation_list/ca",
            "certificate_revocation_list",
            "expirations",
            "clean",
            "sign",
            "sign/all",
            "certificate_renewal",
        )
    ),
    "/status/v1/simple/ca",
    "/status/v1/services?level=debug",
    "/x/certificate/ca",
)
BODIES = (b'{"desired_state":"signed","cert_ttl":60}', b'{"certnames":["a"]}', b"")


def make() -> tuple[Api, Path]:
    """Return an API and its CA's directory; what it writes need not last."""
    for sync in ("fsync", "fdatasync"):
        setattr(os, sync, lambda handle: None)
    cadir = Path(tempfile.mkdtemp(prefix="reseal-fuzz"))
    key = keys.generate("ec:secp256r1")
    made = new_authority(
        shape="single",
        ruby=False,
        ca=("Puppet CA: fuzz", keys.LocalSigner(key)),
        root=None,
        server=Leaf(HOST, KEY.public_key),
        ttl=timedelta(days=365),
        now=datetime.now(UTC) - timedelta(hours=1),
    )
    for name in ("signed", "requests"):
        (cadir / name).mkdir()
    for name, content in made.files.items():
        (cadir / name).write_bytes(content)
    (cadir / "ca_key.pem").write_bytes(keys.dump_private(key))
    authority = load(cadir, open_cadir(cadir))
    profile = Profile(timedelta(days=100))
    generate(authority, WEB, KEY.public_key, profile=profile, clock=SystemClock())
    options = CaOptions(autosign="true", allow_auto_renewal=True)
    office = Office(cadir, open_cadir(cadir), options, SystemClock())
    return Api(office, access.DEFAULT), cadir


API, CADIR = make()
STORE = API.office.store
CALLERS = (
    ANONYMOUS,
    caller_of(STORE.get(WEB)),
    caller_of(STORE.get(HOST)),
)


def ask(request: Request, who: int) -> Response:
    """Send a request; hold what no answer may be."""
    answer = API.answer(request, CALLERS[who])
    assert answer.status != 500, (request, answer)
    return answer


def enrol(data: bytes) -> None:
    """Send a request for a certificate, as it is and signed anew."""
    bodies = [data]
    with contextlib.suppress(ParseError, IndexError):
        bodies.append(pem.encode(LABEL, signed_again(pem.decode(data)[0].der)))
    for body in bodies:
        path = f"{CA}/certificate_request/{NAME}"
        if ask(Request("PUT", path, body), 0).status == 200:
            hold(STORE.get(Certname(NAME)))
            restore()


def hold(certificate: x509.Certificate) -> None:
    """Hold what every certificate signed without the operator's leave is."""
    extensions = certexts.extensions_of(certificate)
    found = {each.oid: each.value for each in extensions}
    assert found[oids.BASIC_CONSTRAINTS] == b"0\x00", found
    granted = [oid for oid in found if oids.is_below(oid, oids.AUTHORIZATION)]
    assert granted in ([], [oids.PP_AUTH_AUTO_RENEW]), found
    assert certexts.alt_names(extensions) in ((), (f"DNS:{NAME}",)), found
    subject = certificate.subject.rfc4514_string()
    assert subject == f"CN={NAME}", subject


def anything(data: bytes) -> None:
    """Send any request; who may only look changes nothing."""
    given = atheris.FuzzedDataProvider(data)
    who = given.ConsumeIntInRange(0, 2)
    method = METHODS[given.ConsumeIntInRange(0, len(METHODS) - 1)]
    path = PATHS[given.ConsumeIntInRange(0, len(PATHS) - 1)]
    if given.ConsumeBool():
        cut = given.ConsumeIntInRange(0, len(path))
        tail = given.ConsumeBytes(given.ConsumeIntInRange(0, 300)).decode("latin-1")
        path = path[:cut] + tail
    names = ("accept", "content-type", "if-modified-since", "accept-encoding")
    headers = {
        name: given.ConsumeUnicodeNoSurrogates(40)
        for name in names
        if given.ConsumeBool()
    }
    body = BODIES[given.ConsumeIntInRange(0, len(BODIES) - 1)]
    if given.ConsumeBool():
        body = given.ConsumeBytes(4000)
    ask(Request(method, path, body, headers), who)
    after = left()
    if after != START:
        changed = {
            name for name in {*START, *after} if START.get(name) != after.get(name)
        }
        assert who == 2 or not changed & KEPT, (method, path, changed)
        assert method not in ("GET", "HEAD"), (method, path, changed)


def left() -> dict[str, bytes]:
    """Return what the cadir holds, without locks."""
    return {
        str(path.relative_to(CADIR)): path.read_bytes()
        for path in CADIR.rglob("*.*")
        if path.is_file() and not path.name.startswith(".")
    }


def restore() -> None:
    """Put the CA back as it was at the start."""
    found = left()
    for name in found.keys() - START.keys():
        (CADIR / name).unlink()
    for name, content in START.items():
        if found.get(name) != content:
            (CADIR / name).write_bytes(content)


START = left()
KEPT = {f"signed/{HOST}.pem", "ca_key.pem", "ca_crt.pem", "ca_crl.pem"}
"""What only the operator's tool may change."""


def one(data: bytes) -> None:
    """Try one input."""
    if b"-----BEGIN" in data:
        enrol(data)
    else:
        anything(data)
    restore()


if __name__ == "__main__":
    plain = [bytes([who, n % 5, n]) + b"\0" * 64 for who in range(3) for n in range(15)]
    fuzz(one, [*seeds(), *plain], mutate_pem)
