"""A Puppet Server's CA API on loopback, on a cadir of its own, over real TLS.

It answers as the real one was seen to: status, bodies and who may. What it changes
it changes with reseal's own CA, so that what a client reads afterwards is there.
"""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from types import TracebackType

from aiohttp import web

from reseal.ca.revoke import serials_of
from reseal.certname import Certname
from reseal.cli.direct import DirectHand
from reseal.cli.hands import Allowances
from reseal.clock import SystemClock
from reseal.errors import NotFound, PolicyError
from reseal.settings import PuppetSettings
from reseal.store import open_cadir

NO_REQUEST = "Cannot sign certificate for host {} without a certificate request"


@dataclass(frozen=True, slots=True)
class Seen:
    """A request as it arrived."""

    method: str
    path: str
    client: str
    port: int


@dataclass
class FakeServer:
    """Serves from `start` to the end of the `with` block.

    Attributes:
        settings: Of the host, whose certificate is the server's.
        state: What the status service says.
        forbids: Clients are refused whatever they present.
        blind: Revoking is answered with 204 and not done.
        autosigns: A request is signed when it arrives.
        seen: Every request, in order.
    """

    settings: PuppetSettings
    state: str = "running"
    forbids: bool = False
    blind: bool = False
    autosigns: bool = False
    seen: list[Seen] = field(default_factory=list)
    port: int = 0

    def __post_init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        store = open_cadir(self.settings.cadir)
        self._hand = DirectHand(self.settings, store, SystemClock())

    def __enter__(self) -> FakeServer:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        closing = asyncio.run_coroutine_threadsafe(self._site.stop(), self._loop)
        closing.result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    @property
    def asked(self) -> list[tuple[str, str]]:
        """Method and last part of the path of what was asked beside the status."""
        found = (each for each in self.seen if "/status/" not in each.path)
        return [(each.method, each.path.rpartition("/v1/")[2]) for each in found]

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._open())
        self._ready.set()
        self._loop.run_forever()

    async def _open(self) -> None:
        app = web.Application(middlewares=[self._note])
        app.router.add_get("/status/v1/simple/ca", self._status)
        api = "/puppet-ca/v1"
        app.router.add_put(f"{api}/certificate_status/{{name}}", self._change)
        app.router.add_delete(f"{api}/certificate_status/{{name}}", self._delete)
        app.router.add_put(f"{api}/certificate_request/{{name}}", self._submit)
        runner = web.AppRunner(app)
        await runner.setup()
        tls = self._tls()
        self._site = web.TCPSite(runner, "localhost", self.port, ssl_context=tls)
        await self._site.start()
        self.port = runner.addresses[0][1]

    def _tls(self) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.settings.hostcert, self.settings.hostprivkey)
        context.load_verify_locations(self.settings.localcacert)
        context.verify_mode = ssl.CERT_OPTIONAL
        return context

    @web.middleware
    async def _note(
        self,
        request: web.Request,
        handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
    ) -> web.StreamResponse:
        assert request.transport is not None
        peer = request.transport.get_extra_info("peercert") or {}
        names = dict(pair for part in peer.get("subject", ()) for pair in part)
        port = request.transport.get_extra_info("peername")[1]
        client = names.get("commonName", "")
        self.seen.append(Seen(request.method, request.raw_path, client, port))
        if self.forbids and "status/v1" not in request.path:
            text = f"Forbidden request: {request.path} (method :put)."
            return web.Response(status=403, text=text)
        return await handler(request)

    async def _status(self, request: web.Request) -> web.Response:
        status = 200 if self.state == "running" else 503
        return web.Response(status=status, text=self.state)

    async def _change(self, request: web.Request) -> web.Response:
        name = Certname(request.match_info["name"])
        wanted = await request.json()
        try:
            if wanted["desired_state"] == "signed":
                self._hand.sign(name, Allowances())
            elif not self.blind:
                store = self._hand.store
                self._hand.revoke(serials_of(name, store, SystemClock().now()))
        except NotFound:
            return web.Response(status=409, text=NO_REQUEST.format(name))
        except PolicyError as error:
            return web.Response(status=409, text=error.faults[0])
        return web.Response(status=204)

    async def _delete(self, request: web.Request) -> web.Response:
        self._hand.remove(Certname(request.match_info["name"]))
        return web.Response(status=204)

    async def _submit(self, request: web.Request) -> web.Response:
        name = Certname(request.match_info["name"])
        self._hand.submit(name, await request.read())
        if self.autosigns:
            self._hand.sign(name, Allowances())
        return web.Response()
