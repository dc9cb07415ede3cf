"""The signing desk: requests are signed because of whose key they carry.

Guarantee: nothing is signed whose key was not read on the node itself, or whose
names and extensions are not those of the node's old certificate, unless the
operator allowed that node by name.  Whoever sends a request in a node's name gets
nowhere with it.

Many nodes wait at the desk at once; what has arrived is signed in one go.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from reseal.certname import Certname
from reseal.errors import ParseError, ResealError, StepFailed
from reseal.site.authority import SiteAuthority
from reseal.x509.certexts import Extension, alt_names, puppet_extensions
from reseal.x509.csr import Request, parse_request
from reseal.x509.keys import key_fingerprint


@dataclass(frozen=True, slots=True)
class Expected:
    """The request that a node is expected to send.

    Attributes:
        certname: Its name.
        key: Fingerprint of its public key, read on the node.
        alt_names: Other names it may ask for, as `DNS:name` and `IP:address`.
        extensions: Puppet's extensions it must ask for: dotted OID to value.
        allowed: The operator lets other names and extensions pass.
    """

    certname: Certname
    key: str
    alt_names: frozenset[str]
    extensions: dict[str, str]
    allowed: bool


def mismatches(request: Request, expected: Expected) -> Iterator[str]:
    """Yield every way in which a request is not the expected one."""
    if key_fingerprint(request.public_key) != expected.key:
        yield "its key is not the node's key"
    if not request.signature_valid:
        yield "its signature does not verify"
    if request.certname != expected.certname:
        yield f"it is for {request.certname}"
    yield from surprises(request.extensions, expected)


def surprises(extensions: Iterable[Extension], expected: Expected) -> Iterator[str]:
    """Yield every name or fact in a request or certificate that is not expected."""
    if expected.allowed:
        return
    found = tuple(extensions)
    if extra := sorted(set(alt_names(found)) - expected.alt_names):
        yield f"it has other names: {', '.join(extra)}"
    facts = puppet_extensions(found)
    for oid in sorted(facts.keys() | expected.extensions.keys()):
        if facts.get(oid) != expected.extensions.get(oid):
            old, new = expected.extensions.get(oid), facts.get(oid)
            yield f"extension {oid} was {_shown(old)} and would be {_shown(new)}"


def _shown(value: str | None) -> str:
    return "absent" if value is None else repr(value)


@dataclass(slots=True)
class _Waiting:
    expected: Expected
    signed: asyncio.Future[None]


class SigningDesk:
    """Signs the requests that nodes are known to have sent.

    Args:
        authority: The new CA.
        interval: Seconds between two looks at the requests.
    """

    def __init__(self, authority: SiteAuthority, *, interval: float = 0.2) -> None:
        self._authority = authority
        self._interval = interval
        self._waiting: dict[Certname, _Waiting] = {}
        self._worker: asyncio.Task[None] | None = None
        self._trouble: str | None = None

    async def sign(self, expected: Expected, *, limit: float) -> None:
        """Wait until the CA holds the expected request, then have it signed.

        Args:
            expected: What to wait for.
            limit: Seconds to wait.

        Raises:
            StepFailed: Another request arrived in its name, the CA refused, or
                nothing arrived in time.
        """
        signed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[expected.certname] = _Waiting(expected, signed)
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work())
        try:
            await asyncio.wait_for(signed, limit)
        except TimeoutError:
            trouble = self._trouble or "its request did not reach the CA"
            raise StepFailed(
                f"{expected.certname}: {trouble}; waited for {limit:g} s",
                hint="look at the agent's log on the node, then: reseal site resume",
            ) from None
        finally:
            self._waiting.pop(expected.certname, None)

    async def close(self) -> None:
        """Stop looking at requests."""
        if self._worker is not None:
            self._worker.cancel()
            await asyncio.gather(self._worker, return_exceptions=True)

    async def _work(self) -> None:
        while self._waiting:
            try:
                await self._round()
            except ResealError as error:
                # A hiccup of the CA or of the way to it: each node has its limit.
                self._trouble = str(error)
            await asyncio.sleep(self._interval)

    async def _round(self) -> None:
        names = tuple(self._waiting)
        arrived = await self._authority.requests(names)
        ready = [n for n in names if n in arrived and self._is_expected(n, arrived[n])]
        if not ready:
            return
        answer = await self._authority.sign(ready)
        self._trouble = next(iter(answer.failed.values()), None)
        for name in ready:
            if name in answer.signed:
                self._settle(name, None)
            elif why := answer.refused.get(name):
                hint = f"sign it by hand once the cause is gone: {name}"
                error = StepFailed(f"{name}: the CA refused to sign: {why}", hint=hint)
                self._settle(name, error)

    def _is_expected(self, name: Certname, pem: bytes) -> bool:
        waiting = self._waiting.get(name)
        if waiting is None:
            return False
        try:
            found = list(mismatches(parse_request(pem), waiting.expected))
        except ParseError as error:
            found = [str(error)]
        if not found:
            return True
        hint = (
            f"if this is meant: --allow {name}; else remove the request from the CA "
            f"(reseal cert clean {name}) and find out who sent it"
        )
        message = f"{name}: the request at the CA is not signed: {'; '.join(found)}"
        self._settle(name, StepFailed(message, hint=hint))
        return False

    def _settle(self, name: Certname, error: ResealError | None) -> None:
        waiting = self._waiting.get(name)
        if waiting is None or waiting.signed.done():
            return
        if error is None:
            waiting.signed.set_result(None)
        else:
            waiting.signed.set_exception(error)
