"""A Puppet Server behind: it answers, told who the client is by headers.

Guarantee: the headers that tell who calls are written here and taken from nobody; a
report is kept here too.

Sources: Puppet Server, `allow-header-cert-info` (X-Client-Verify, X-Client-DN,
X-Client-Cert: the certificate in PEM, percent-encoded); RFC 9110 section 7.6.1.
"""

from __future__ import annotations

import http.client
import logging
import re
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import quote, urlsplit

from reseal.certname import Certname
from reseal.errors import ResealError
from reseal.primary.answers import Refused, problem
from reseal.primary.endpoints import read_report
from reseal.primary.protocol import MOUNT, Asked
from reseal.primary.records import Records
from reseal.wire import Response
from reseal.x509.certificate import to_pem

_LOG = logging.getLogger("reseal.primary")
_OURS = frozenset(
    (
        *("host", "connection", "keep-alive", "te", "trailer", "transfer-encoding"),
        *("upgrade", "proxy-authorization", "proxy-authenticate", "content-length"),
        *("expect", "accept-encoding", "forwarded", "x-forwarded-for", "via"),
    )
)
_ESCAPED = re.compile(r'[,+"\\<>;=]|^[ #]| $')
_PASSED_BACK = ("retry-after", "x-puppet-compiler-name", "vary")


@dataclass(frozen=True, slots=True)
class Behind:
    """A Puppet Server that is asked in the place of this one.

    Attributes:
        url: `https://puppet2.example.com:8140`, or `http://127.0.0.1:8139`.
        context: Makes TLS for https: trusts the site's CA, shows this host's
            certificate.  Made for each request, since its files may change.
        timeout: How long an answer may take.
        records: Where reports are kept.
    """

    url: str
    context: Callable[[], ssl.SSLContext]
    timeout: timedelta
    records: Records

    def answer(self, asked: Asked) -> Response:
        """Return the other server's answer; never raises for what was sent."""
        try:
            answer = self._forwarded(asked)
        except (OSError, http.client.HTTPException, ResealError) as error:
            reason = str(error) or type(error).__name__
            _LOG.error("%s: no answer: %s", self.url, reason)
            return problem(503, "the server behind this one does not answer")
        if answer.status == 200:
            self._keep(asked)
        return answer

    def _forwarded(self, asked: Asked) -> Response:
        connection = self._connection()
        try:
            connection.request(
                asked.method, asked.target, asked.body or None, _headers(asked)
            )
            found = connection.getresponse()
            body = found.read()
        finally:
            connection.close()
        told = {
            name: value
            for name, value in found.getheaders()
            if name.lower() in _PASSED_BACK
        }
        return Response(found.status, found.headers.get("Content-Type", ""), body, told)

    def _connection(self) -> http.client.HTTPConnection:
        parts = urlsplit(self.url)
        host, limit = parts.hostname or "", self.timeout.total_seconds()
        if parts.scheme == "http":
            return http.client.HTTPConnection(host, parts.port or 80, timeout=limit)
        return http.client.HTTPSConnection(
            host, parts.port or 8140, timeout=limit, context=self.context()
        )

    def _keep(self, asked: Asked) -> None:
        """Keep a report that the other server has taken."""
        if asked.method != "PUT" or not asked.path.startswith(f"{MOUNT}/report/"):
            return
        try:
            report = read_report(asked)
            with suppress(Refused):
                self.records.keep_report(Certname(asked.certname), report)
        except ResealError as error:
            _LOG.error("%s: its report is not kept: %s", asked.certname, error)


def _escape(found: re.Match[str]) -> str:
    """Return a character as RFC 4514 (2.4) writes it in a name."""
    return f"\\{found[0]}"


def _headers(asked: Asked) -> dict[str, str]:
    """Return the headers of a request: the caller's own, and who it is."""
    headers = {
        name: value
        for name, value in asked.headers.items()
        if name not in _OURS and not name.startswith("x-client-")
    }
    headers["X-Client-Verify"] = "SUCCESS"
    headers["X-Client-DN"] = f"CN={_ESCAPED.sub(_escape, asked.certname)}"
    if asked.certificate is not None:
        headers["X-Client-Cert"] = quote(to_pem(asked.certificate).decode(), safe="")
    return headers
