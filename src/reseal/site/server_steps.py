"""What is done to a Puppet server: stop it, start it, see it answer.

Guarantee: a server counts as started only when it has shown its new certificate in
a handshake that trusts nothing but the new CA.  A package's unit fails a start now
and then, so a start is tried again, within limits, and its log is read first.

Sources: Puppet Server's and Debian's service units.
"""

from __future__ import annotations

import asyncio
import json

from reseal.errors import CommandFailed, SiteError, StepFailed
from reseal.site.context import Context
from reseal.site.generation import server_of
from reseal.site.material import ServiceFacts
from reseal.site.platform import service_command
from reseal.site.target import Target

STARTS = 3
"""How often a start is tried."""

PAUSE = 1.0
"""Seconds between two looks at a server that starts."""


UNREACHED = ("SocketError", "Errno::", "gaierror", "ConnectionRefusedError", "OSError")
"""What Ruby and Python call it when a name leads nowhere, or to nobody."""


class StopServer:
    """Stop the server's service."""

    async def done(self, at: Target, run: Context) -> bool:
        if await at.has("installed") or await at.has("cleared"):
            return True
        return not await at.is_active(service_of(at))

    async def do(self, at: Target, run: Context) -> None:
        service = service_of(at)
        if await at.is_active(service):
            await at.stop(service)


class StartServer:
    """Start the server's service and wait until it answers."""

    async def done(self, at: Target, run: Context) -> bool:
        return await fault_of(at) is None

    async def do(self, at: Target, run: Context) -> None:
        service, step = service_of(at), f"{at.name}/server.start"
        for attempt in range(1, STARTS + 1):
            run.tell(step, "starts" if attempt == 1 else f"starts, attempt {attempt}")
            try:
                await at.start(service)
                break
            except CommandFailed as error:
                if attempt == STARTS:
                    log = await last_words(at, service)
                    hint = f"its log says: {log}" if log else "look at its log"
                    raise StepFailed(
                        f"{at.name}: {service.name} does not start: {error}", hint=hint
                    ) from error
                await asyncio.sleep(2 * PAUSE)
        await self._wait(at, run, step)

    async def _wait(self, at: Target, run: Context, step: str) -> None:
        run.tell(step, "waits until it answers")
        loop = asyncio.get_running_loop()
        end = loop.time() + run.limits.server
        while (fault := await fault_of(at)) is not None:
            if loop.time() > end:
                raise StepFailed(
                    f"{at.name}: the server does not answer: {fault}",
                    hint=f"its log says: {await last_words(at, service_of(at))}",
                )
            await asyncio.sleep(PAUSE)


def service_of(at: Target) -> ServiceFacts:
    """Return the server's service.

    Raises:
        StepFailed: The survey found none.
    """
    service = server_of(at.facts).service
    if service is None:
        hint = "reseal starts and stops services only; run the server as one"
        raise StepFailed(f"{at.name}: the server has no service", hint=hint)
    return service


async def fault_of(at: Target) -> str | None:
    """Return what is wrong with the server's answer; None when it is right.

    The connection trusts what the node's own agent trusts, with revocation lists;
    the server must show the certificate that lies in the SSL directory.
    """
    probe = {
        "host": served_name(at),
        "port": server_of(at.facts).port,
        "path": "/puppet-ca/v1/certificate/ca?environment=production",
        "bundle": at.setting("localcacert"),
        "expected": at.setting("hostcert"),
    }
    if checks_revocation(at):
        probe["crls"] = at.setting("hostcrl")
    answers = await at.ask("probe", stdin=json.dumps([probe]).encode(), timeout=60)
    answer = answers[0]
    if "error" in answer:
        return str(answer["error"])
    if answer["server"] != answer.get("expected"):
        return "it shows another certificate than the one in its SSL directory"
    return None


def server_name(at: Target) -> str:
    """Return the name by which the node's agent asks for its server."""
    return at.facts.settings.get("server") or at.facts.certname


def served_name(at: Target) -> str:
    """Return the name of the server on the node: a compiler's agent asks another."""
    server = at.facts.server
    if server is not None and not server.is_ca:
        return at.facts.certname
    return server_name(at)


def checks_revocation(at: Target) -> bool:
    """Tell whether the node's agent holds revocation lists at all."""
    return at.facts.settings.get("certificate_revocation", "chain") != "false"


async def last_words(at: Target, service: ServiceFacts) -> str:
    """Return the end of a service's log, or nothing where none is kept."""
    try:
        command = service_command(at.facts.service_manager, "log", service.name)
    except SiteError:
        return ""
    result = await at.transport.run(command)
    return " / ".join(result.stdout.decode(errors="replace").split("\n")).strip(" /")
