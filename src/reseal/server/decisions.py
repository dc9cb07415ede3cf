"""What the operator decides: sign, revoke, clean, one name or many.

Checks come in Puppet Server's order, so that of several faults the same is told.

Sources: Puppet Server, `certificate_authority_core.clj` (`certificate-status`
resource, `handle-cert-clean`, `handle-cert-sign`).
"""

from __future__ import annotations

import json
import logging
from datetime import timedelta
from typing import TypeGuard

from reseal.audit import audit
from reseal.ca import sign as desk
from reseal.ca.revoke import serials_of
from reseal.certname import Certname
from reseal.errors import (
    FaultsError,
    InvalidCertname,
    NotFound,
    ParseError,
    ResealError,
)
from reseal.server.call import Call, document, plain, said
from reseal.server.media import refuse_accept, refuse_content
from reseal.server.statuses import STATES, Statuses
from reseal.wire import TEXT, Response

_LOG = logging.getLogger("reseal.server")


def get_status(call: Call, statuses: Statuses) -> Response:
    """GET certificate_status/NAME."""
    media, refusal = refuse_accept(call)
    if refusal:
        return refusal
    try:
        if call.certname is None:
            raise NotFound(call.name)
        return Response(200, media, statuses.one(call.certname).encode())
    except NotFound:
        return said(404, "Resource not found.")


def get_statuses(call: Call, statuses: Statuses) -> Response:
    """GET certificate_statuses/ANY, with `state` perhaps."""
    media, refusal = refuse_accept(call)
    if refusal:
        return refusal
    state = next(iter(call.query.get("state", ())), None)
    return Response(200, media, statuses.all(state if state in STATES else None))


def put_status(call: Call) -> Response:
    """PUT certificate_status/NAME: sign or revoke."""
    wanted = _wanted(call)
    if isinstance(wanted, Response):
        return wanted
    state, ttl = wanted
    if refusal := refuse_content(call) or refuse_accept(call)[1]:
        return refusal
    certname = call.certname
    if certname is None or not _is_known(call, certname):
        return said(404, "Invalid certificate subject.")
    if state == "signed":
        return _signed(call, certname, ttl)
    try:
        with call.office.store.claim(certname):
            desk.revoke_name(call.office.authority, certname, call.office.clock)
    except NotFound:
        return said(
            409,
            f"Cannot revoke certificate for host {certname} without a signed "
            "certificate",
        )
    return Response(204, TEXT, b"")


def delete_status(call: Call) -> Response:
    """DELETE certificate_status/NAME: remove its files, without revoking."""
    certname, store = call.certname, call.office.store
    media, refusal = refuse_accept(call)
    if refusal:
        return refusal
    if certname is None or not _is_known(call, certname):
        return said(404, "Resource not found.")
    with store.claim(certname):
        for remove in (store.remove_certificate, store.remove_request):
            try:
                remove(certname)
            except NotFound:
                continue
    audit("certificate.removed", certname=certname)
    return Response(204, media, b"")


def put_clean(call: Call) -> Response:
    """PUT clean: revoke many with one list, then remove their certificates."""
    try:
        wanted = call.json()
    except ValueError:
        return plain(400, "Request body is not JSON.")
    if not isinstance(wanted, dict) or wanted.get("certnames") is None:
        return plain(
            400,
            "Missing required key: 'certnames'. Please supply the list of certs you "
            "want to clean.",
        )
    if wanted.get("async"):
        return plain(400, "Async mode is not currently supported.")
    names = wanted["certnames"]
    if not _is_list_of_names(names):
        return said(400, "'certnames' must be a list of strings.")
    return _cleaned(call, list(dict.fromkeys(names)))


def post_sign(call: Call, *, every: bool = False) -> Response:
    """POST sign, sign/all: many at once; what fails is named, and why is logged."""
    if every:
        names: object = [str(name) for name, _ in call.office.store.requests()]
    else:
        try:
            body = call.json()
        except ValueError:
            body = {}
        names = body.get("certnames", []) if isinstance(body, dict) else []
    if not _is_list_of_names(names):
        why = _schema_fault(names)
        problem = {"kind": "schema-violation", "submitted": names, "error": why}
        return document(problem, status=422)
    told: dict[str, list[str]] = {"signed": [], "no-csr": [], "signing-errors": []}
    for name in names:
        told[_sign_one(call, name)].append(name)
    return document(told)


def _sign_one(call: Call, name: str) -> str:
    """Sign the request of a name and return the list its name belongs on."""
    try:
        _sign(call, Certname(name), None)
    except (NotFound, InvalidCertname):
        return "no-csr"
    except (FaultsError, ResealError) as error:
        _LOG.error("%s: not signed: %s", name, error)
        return "signing-errors"
    return "signed"


def _sign(call: Call, certname: Certname, ttl: timedelta | None) -> None:
    office = call.office
    with office.store.claim(certname):
        desk.sign(
            office.authority,
            certname,
            rules=office.rules,
            profile=office.profile(ttl),
            clock=office.clock,
        )


def _signed(call: Call, certname: Certname, ttl: timedelta | None) -> Response:
    try:
        _sign(call, certname, ttl)
    except NotFound:
        return said(
            409,
            f"Cannot sign certificate for host {certname} without a certificate "
            "request",
        )
    except FaultsError as error:
        return said(409, "; ".join(error.faults))
    return Response(204, TEXT, b"")


def _wanted(call: Call) -> tuple[str, timedelta | None] | Response:
    """Return the state asked for and the life, or what is wrong with the body."""
    try:
        body = call.json() if call.body else None
    except ValueError:
        body = None
    if body is None:
        return said(400, "Request body is not JSON.")
    if not isinstance(body, dict):
        body = {}
    state = body.get("desired_state")
    if not isinstance(state, str):
        return said(400, 'Missing required parameter "desired_state"')
    if state not in ("signed", "revoked"):
        return said(
            400,
            f"State {state} invalid; Must specify desired state of 'signed' or "
            f"'revoked' for host {call.name}.",
        )
    seconds = body.get("cert_ttl")
    if seconds is None:
        return state, None
    return _life(call, state, seconds)


def _life(
    call: Call, state: str, seconds: object
) -> tuple[str, timedelta | None] | Response:
    """Hold the life asked for to what the CA can give."""
    if type(seconds) is not int:
        return said(
            400,
            f"cert_ttl specified for host {call.name} must be an integer, not "
            f'"{seconds}"',
        )
    office = call.office
    left = office.authority.issuer.certificate.not_valid_after_utc - office.clock.now()
    if not 1 <= seconds <= left.total_seconds():
        return said(
            400,
            f"cert_ttl specified for host {call.name} must be between 1 and "
            f"{int(left.total_seconds())} seconds, when the CA ends, not {seconds}",
        )
    return state, timedelta(seconds=seconds)


def _cleaned(call: Call, names: list[str]) -> Response:
    office, serials = call.office, list[int]()
    missing, known = list[str](), list[Certname]()
    for name in names:
        try:
            certname = Certname(name)
            serials += serials_of(certname, office.store, office.clock.now())
            known.append(certname)
        except (NotFound, InvalidCertname):
            missing.append(name)
    if serials:
        desk.revoke_serials(office.authority, tuple(serials), office.clock)
    for certname in known:
        with office.store.claim(certname):
            try:
                office.store.remove_certificate(certname)
            except NotFound:
                continue
    for certname in known:
        audit("certificate.cleaned", certname=certname)
    if not missing:
        return plain(200, "Successfully cleaned all certs.")
    quoted = " ".join(f'"{name}"' for name in missing)
    return plain(
        200,
        f"The following certs do not exist and cannot be revoked: [{quoted}]",
    )


def _is_known(call: Call, certname: Certname) -> bool:
    """Say whether there is a certificate, a request, or a row of one."""
    store = call.office.store
    for look in (store.get, store.request):
        try:
            look(certname)
        except NotFound:
            continue
        except ParseError:
            return True
        return True
    return bool(store.rows_of(certname))


def _schema_fault(names: object) -> str:
    """Say what is wrong with `certnames`, as Clojure's schema does of its elements."""
    if not isinstance(names, list):
        return "(not (sequential? certnames))"
    faults = (
        "nil"
        if isinstance(name, str)
        else f"(not (instance? java.lang.String {json.dumps(name)}))"
        for name in names
    )
    return f"[{' '.join(faults)}]"


def _is_list_of_names(value: object) -> TypeGuard[list[str]]:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)
