"""From a request to its answer, without sockets: access, routes, errors.

Guarantee: nothing is looked up before access is granted, and every error becomes an
answer that tells the caller its fault, and nobody's but its.

Sources: Puppet Server, `certificate_authority_core.clj` (`web-routes`); what a real
one answers outside them (`docs/reference/server-answers.md` lists the differences).
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from reseal.ca.upstream import update_upstream
from reseal.errors import (
    DuplicateCertificate,
    InvalidRequest,
    ParseError,
    PolicyError,
    ResealError,
    StoreLocked,
    TooManyRequests,
)
from reseal.primary.protocol import MOUNT, Asked, Primary
from reseal.server import decisions, health, publications, renewal, requests
from reseal.server.access import API, Rule, allowed
from reseal.server.autosign import Autosign
from reseal.server.call import HTML, Call, plain, said
from reseal.server.caller import Caller
from reseal.server.media import negotiated
from reseal.server.office import Office
from reseal.server.paths import Target, parse_target
from reseal.server.statuses import Statuses
from reseal.wire import Request, Response

_LOG = logging.getLogger("reseal.server")
_STATUSES = f"{API}/certificate_statuses"
_NAME = r"([A-Za-z0-9\-_.]+)"
_MOUNTED = re.compile(r"/(puppet-ca|status)(/|$)")
_RUNS = re.compile(rf"{MOUNT}(/|$)")

Handler = Callable[[Call], Response]


@dataclass(frozen=True, slots=True)
class Route:
    """One endpoint.

    Attributes:
        method: In upper case.
        pattern: What the whole path must match; its group is the call's name.
        handler: Answers.
    """

    method: str
    pattern: re.Pattern[str]
    handler: Handler


class Api:
    """Answers every request of the CA's API.

    Attributes:
        office: The CA.
        rules: Who may do what, in their order.
        primary: Answers what nodes ask for their runs; None serves the CA alone.
    """

    def __init__(
        self, office: Office, rules: tuple[Rule, ...], primary: Primary | None = None
    ) -> None:
        self.office, self.rules, self.primary = office, rules, primary
        self._routes = routes(Autosign(office.options), Statuses(office))

    def answer(self, request: Request, caller: Caller) -> Response:
        """Return the answer to a request; never raises for what was sent.

        Args:
            request: Its path is the target as it was sent, its headers' names are in
                lower case.
            caller: Who sent it.
        """
        try:
            target = parse_target(request.path)
        except ParseError as error:
            return said(400, str(error))
        runs = self.primary is not None and _RUNS.match(target.path) is not None
        if not runs and not _MOUNTED.match(target.path):
            return Response(404, HTML, b"<h1>Not Found</h1>\n")
        if self._is_revoked(caller):
            return _forbidden(request.method, target.path)
        if not allowed(self.rules, request.method, target.path, caller, target.query):
            return _forbidden(request.method, target.path)
        if runs and self.primary is not None:
            return self.primary.answer(_asked(request, target, caller))
        for route in self._routes:
            found = route.pattern.fullmatch(target.path)
            if found and route.method == request.method:
                name = found[1] or "" if route.pattern.groups else ""
                call = Call(
                    office=self.office,
                    caller=caller,
                    method=request.method,
                    name=name,
                    query=target.query,
                    headers=request.headers,
                    body=request.body,
                )
                return _safely(route.handler, call)
        if target.path == f"{_STATUSES}/":
            return said(400, "Missing URL Segment")
        if target.path.startswith(f"{_STATUSES}/") and request.method != "GET":
            return replace(said(405, "Method not allowed."), headers={"Allow": "GET"})
        return Response(404, HTML, b"Not Found")

    def _is_revoked(self, caller: Caller) -> bool:
        """Say whether a certificate has been revoked since it was looked at.

        A proxy, and a connection that is kept, may go by an older list.
        """
        if caller.certificate is None:
            return False
        try:
            found = self.office.has_revoked(caller.certificate)
        except ResealError as error:
            _LOG.error(
                "%s: no revocation list, so nobody is let in: %s", caller.name, error
            )
            return True
        if found:
            _LOG.warning("%s: its certificate is revoked", caller.name)
        return found


def routes(autosign: Autosign, statuses: Statuses) -> tuple[Route, ...]:
    """Return the endpoints: the table of the API."""
    table: tuple[tuple[str, str, Handler], ...] = (
        ("GET", f"{API}/certificate/{_NAME}", publications.get_certificate),
        ("GET", f"{API}/certificate_revocation_list/{_NAME}", publications.get_crl),
        ("PUT", f"{API}/certificate_revocation_list", _put_crl),
        ("GET", f"{API}/certificate_request/{_NAME}", requests.get_request),
        (
            "PUT",
            f"{API}/certificate_request/{_NAME}",
            partial(requests.put_request, autosign=autosign),
        ),
        ("DELETE", f"{API}/certificate_request/{_NAME}", requests.delete_request),
        (
            "GET",
            f"{API}/certificate_status/{_NAME}",
            negotiated(partial(decisions.get_status, statuses=statuses)),
        ),
        ("PUT", f"{API}/certificate_status/{_NAME}", negotiated(decisions.put_status)),
        (
            "DELETE",
            f"{API}/certificate_status/{_NAME}",
            negotiated(decisions.delete_status),
        ),
        (
            "GET",
            f"{_STATUSES}/([^/]+)",
            negotiated(partial(decisions.get_statuses, statuses=statuses)),
        ),
        ("GET", f"{API}/expirations", publications.get_expirations),
        ("PUT", f"{API}/clean", decisions.put_clean),
        ("POST", f"{API}/sign", decisions.post_sign),
        ("POST", f"{API}/sign/all", partial(decisions.post_sign, every=True)),
        ("POST", f"{API}/certificate_renewal", renewal.post_renewal),
        ("GET", "/status/v1/simple(?:/([^/]+))?", health.get_simple),
        ("GET", "/status/v1/services(?:/([^/]+))?", health.get_services),
    )
    return tuple(Route(method, re.compile(p), run) for method, p, run in table)


def _asked(request: Request, target: Target, caller: Caller) -> Asked:
    """Return what a node asks of the primary's side."""
    return Asked(
        method=request.method,
        path=target.path,
        target=request.path,
        query=target.query,
        headers=request.headers,
        body=request.body,
        certname=caller.name,
        certificate=caller.certificate,
        extensions=caller.extensions,
    )


def _put_crl(call: Call) -> Response:
    """PUT certificate_revocation_list: newer lists of the CAs above."""
    update_upstream(call.office.authority, call.body, call.office.clock)
    return plain(200, "Successfully updated CRLs.")


def _forbidden(method: str, path: str) -> Response:
    text = (
        f"Forbidden request: {path} (method :{method.lower()}). Please see the server "
        "logs for details."
    )
    return said(403, text)


def _safely(handler: Handler, call: Call) -> Response:
    """Turn errors into answers: the caller's in words, ours to the log alone."""
    try:
        return handler(call)
    except PolicyError as error:
        return said(400, "; ".join(error.faults))
    except (InvalidRequest, DuplicateCertificate) as error:
        return said(400, str(error))
    except TooManyRequests as error:
        _LOG.error("%s (%s)", error, error.hint)
        return said(503, "Too many requests wait for a signature; try again later")
    except StoreLocked as error:
        _LOG.error("%s", error)
        return said(503, "The CA is busy; try again later")
    except ResealError as error:
        _LOG.error("%s %s: %s", call.method, call.name, error)
        return said(500, "Internal Server Error: see the server's log")
