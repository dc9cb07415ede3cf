"""HTTP: requests to the API, answers out.

Guarantee: what is read is bounded in size and time, and what a caller has half sent
holds nobody else up; when it is told to stop, requests in flight are answered first.

Sources: RFC 9112; aiohttp, `web.Server` (HTTP/1.1 on one connection).
"""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import lru_cache

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from reseal.audit import wanted_by
from reseal.certname import Certname
from reseal.clock import Clock
from reseal.errors import ParseError
from reseal.primary.protocol import MOUNT
from reseal.server.access import API
from reseal.server.balance import Place
from reseal.server.caller import ANONYMOUS, Caller, caller_of
from reseal.server.connection import Connection
from reseal.server.door import Door
from reseal.server.handlers import Api
from reseal.server.limits import Rates
from reseal.server.options import Options
from reseal.server.proxy import caller_from, is_proxy
from reseal.server.rendering import Rendered, access_line, refused, render
from reseal.server.tls import Contexts
from reseal.server.waiting import Waiting, wish
from reseal.wire import Request, Response
from reseal.x509.certificate import load_der

_LOG = logging.getLogger("reseal.server")
_HTTP_LOG = logging.getLogger("reseal.server.http")
_SIGNING = 16
"""Threads for requests, which may wait for a program; others are not held up."""

_ANSWERING = 8
_COMPILING = 16
"""Threads for catalogs, which may take long; a node's files do not wait for them."""

_RUNNING = 8

_CERTIFICATES = f"{API}/certificate/"
_PIECE = 1 << 18
"""Bytes of an answer that are sent at once."""

AccessLog = Callable[[str], None]


def _ours(record: logging.LogRecord) -> bool:
    """Say whether a record is about a fault of ours, not of what was sent."""
    fault = record.exc_info[1] if record.exc_info else None
    return not isinstance(fault, (HttpProcessingError, ConnectionError))


_HTTP_LOG.addFilter(_ours)


class Listener:
    """Serves one listening socket in one event loop."""

    def __init__(
        self,
        api: Api,
        options: Options,
        contexts: Contexts | None,
        clock: Clock,
        access_log: AccessLog | None = None,
        place: Place | None = None,
    ) -> None:
        """Prepare to serve.

        Args:
            api: Answers.
            options: What the server was told.
            contexts: TLS; None speaks plain HTTP, for a proxy in front.
            clock: The time for the access log.
            access_log: Gets a line for each request.
            place: Among the processes that share the socket; None is alone.
        """
        self._api, self._options = api, options
        self._clock, self._access_log = clock, access_log
        self._limits = options.listener
        self._rates = Rates(self._limits.anonymous_rate)
        self._http = web.Server(
            self._serve,
            access_log=None,
            logger=_HTTP_LOG,
            auto_decompress=False,
            keepalive_timeout=self._limits.idle_timeout.total_seconds(),
            lingering_time=1.0,
        )
        self._waiting = Waiting(api.office.store, self._limits.connections // 2)
        self._door = Door(self._limits, contexts, self._http, place)
        self._signing = ThreadPoolExecutor(_SIGNING, "signing")
        self._answering = ThreadPoolExecutor(_ANSWERING, "answering")
        self._compiling = ThreadPoolExecutor(_COMPILING, "compiling")
        self._running = ThreadPoolExecutor(_RUNNING, "running")

    async def run(self, listening: socket.socket, stop: asyncio.Event) -> None:
        """Take connections until `stop` is set.

        Args:
            listening: Bound, listening and not blocking; shared with other processes.
            stop: Set when no more connections are to be taken.
        """
        await self._door.take(listening, stop)

    async def end(self, *, gently: bool) -> None:
        """Answer what is in flight, then close; within a minute.

        Args:
            gently: A kept connection on which nothing is asked is not closed at once,
                but after its next answer, or when it has been silent for too long.
        """
        self._waiting.release()
        await self._door.close(gently=gently)
        await self._http.shutdown(1.0)
        self._signing.shutdown(cancel_futures=True)
        self._answering.shutdown(cancel_futures=True)
        self._compiling.shutdown(cancel_futures=True)
        self._running.shutdown(cancel_futures=True)

    async def _serve(self, asked: web.BaseRequest) -> web.StreamResponse:
        begun, transport = time.monotonic(), asked.transport
        connection = self._door.open.get(transport) if transport else None
        if connection is None:
            raise ConnectionResetError
        connection.begin()
        try:
            headers = {name.lower(): value for name, value in asked.headers.items()}
            request = Request(asked.method, asked.raw_path, b"", headers)
            caller, answer = await self._answer(asked, request, connection)
            rendered = render(request, answer, self._options.puppet_version)
            closes = self._door.closing or answer.status == 413
            connection.sending(len(rendered.body))
            response = await _send(asked, answer.status, rendered, closes=closes)
        finally:
            connection.end()
        if self._access_log is not None:
            line = access_line(
                request,
                answer.status,
                len(rendered.body),
                address=asked.remote or "-",
                name=caller.name,
                when=self._clock.now(),
                seconds=time.monotonic() - begun,
            )
            self._access_log(line)
        return response

    async def _answer(
        self, asked: web.BaseRequest, request: Request, connection: Connection
    ) -> tuple[Caller, Response]:
        address = asked.remote or ""
        try:
            caller = self._caller(asked, request, address)
        except ParseError as error:
            return ANONYMOUS, refused(400, str(error))
        now = time.monotonic()
        if not caller.authenticated and not self._rates.admit(address, now):
            return caller, refused(429, "Too many requests; try again in a minute")
        limit = self._body_limit(request, caller)
        body = await _body(asked, limit)
        connection.received()
        if body is None:
            return caller, refused(413, f"The body is over the limit of {limit} bytes")
        whole = Request(request.method, request.path, body, request.headers)
        answer = await self._ask(whole, caller, address)
        if (wished := wish(whole)) and answer.status in (200, 404):
            answer = await self._held(answer, whole, caller, address, wished)
        return caller, answer

    async def _held(
        self,
        answer: Response,
        request: Request,
        caller: Caller,
        address: str,
        wished: tuple[Certname, float],
    ) -> Response:
        """Hold an answer back until there is a better one, or for as long as wished."""
        if answer.status == 404:
            await self._waiting.wait(*wished)
            answer = await self._ask(request, caller, address)
        applied = {"Preference-Applied": f"wait={wished[1]:g}"}
        return replace(answer, headers={**answer.headers, **applied})

    async def _ask(self, request: Request, caller: Caller, address: str) -> Response:
        """Have the API answer, in a thread; a fault of ours is told to the log."""
        pool = self._pool(request)
        loop = asyncio.get_running_loop()

        def answer() -> Response:
            with wanted_by(by=caller.name, address=address):
                return self._api.answer(request, caller)

        try:
            if _is_quick(request, caller):
                await asyncio.sleep(0)  # others' turn: there may be more behind it
                return answer()
            return await loop.run_in_executor(pool, answer)
        except Exception:
            _LOG.exception("%s %s", request.method, request.path)
            return refused(500, "Internal Server Error: see the server's log")

    def _caller(self, asked: web.BaseRequest, request: Request, address: str) -> Caller:
        if self._limits.allow_header_cert_info:
            known = is_proxy(self._limits, address)
            return caller_from(request.headers) if known else ANONYMOUS
        transport = asked.transport
        tls = transport.get_extra_info("ssl_object") if transport else None
        shown = tls.getpeercert(binary_form=True) if tls else None
        return _known(shown) if shown else ANONYMOUS

    def _pool(self, request: Request) -> ThreadPoolExecutor:
        """Return the threads for a request: what may wait holds up only its like."""
        if request.path.startswith(f"{MOUNT}/catalog/"):
            return self._compiling
        if request.path.startswith(f"{MOUNT}/"):
            return self._running
        signs = request.method == "PUT" and "/certificate_request/" in request.path
        return self._signing if signs else self._answering

    def _body_limit(self, request: Request, caller: Caller) -> int:
        """Return how many bytes may be sent: of a node for its run, many."""
        primary = self._options.primary
        runs = primary.serves_runs and request.path.startswith(f"{MOUNT}/")
        known = runs and caller.authenticated
        return primary.body_limit if known else self._limits.body_limit


def _is_quick(request: Request, caller: Caller) -> bool:
    """Say whether an answer is one small file, for which no thread is worth its way.

    Whoever shows a certificate may have to wait until a revocation list is read.
    """
    found = request.method == "GET" and request.path.startswith(_CERTIFICATES)
    return found and caller == ANONYMOUS


async def _body(asked: web.BaseRequest, limit: int) -> bytes | None:
    """Return what is sent, or None if it is more than `limit` bytes."""
    found = bytearray()
    if (asked.content_length or 0) > limit:
        return None
    expects = asked.headers.get("Expect", "").lower() == "100-continue"
    if expects and asked.transport is not None:
        asked.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    async for chunk in asked.content.iter_any():
        found += chunk
        if len(found) > limit:
            return None
    return bytes(found)


async def _send(
    asked: web.BaseRequest, status: int, rendered: Rendered, *, closes: bool
) -> web.StreamResponse:
    """Send an answer; a large one in pieces, so that it is not in memory many times."""
    headers, body = {**rendered.headers, "Server": "reseal"}, rendered.body
    whole = len(body) <= _PIECE or asked.method == "HEAD"
    response: web.StreamResponse
    if whole:
        response = web.Response(status=status, body=body, headers=headers)
    else:
        response = web.StreamResponse(status=status, headers=headers)
        response.content_length = len(body)
    if closes:
        response.force_close()
    await response.prepare(asked)
    if not whole:
        view = memoryview(body)
        for start in range(0, len(view), _PIECE):
            await response.write(view[start : start + _PIECE])
    await response.write_eof()
    return response


@lru_cache(maxsize=4096)
def _known(shown: bytes) -> Caller:
    """Return the caller of a certificate that the handshake has proven."""
    return caller_of(load_der(shown))
