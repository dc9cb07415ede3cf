"""How an agent enrols anew: its key, its request, its certificate.

Guarantee: a certificate counts only if the new CA signed it for the key that is on
the node, and if its names and facts are those of the node's old certificate.

Sources: Puppet, `ssl/state_machine.rb`, `agent.rb` (splay); Puppet's settings
`waitforcert`, `splay`.
"""

from __future__ import annotations

import asyncio

from cryptography import x509

from reseal.certname import Certname
from reseal.errors import NotFound, ParseError, StepFailed
from reseal.site.context import Context
from reseal.site.desk import Expected, surprises
from reseal.site.generation import major, server_of
from reseal.site.hold import holds
from reseal.site.target import Target
from reseal.site.transport import exists, read
from reseal.x509.bundle import load_certificate
from reseal.x509.certexts import alt_names, extensions_of, puppet_extensions
from reseal.x509.certificate import public_key
from reseal.x509.keys import key_fingerprint

Identity = dict[str, str | None]
"""What a node has: `key`, a fingerprint, and `certificate`, PEM."""

PATIENT = 15
"""Seconds; an agent that looks for its certificate less often is started anew."""

AT_ONCE = 3
"""Seconds within which an agent has the certificate that its request waited for."""


class Enrol:
    """From an empty SSL directory to a certificate of the new CA."""

    async def done(self, at: Target, run: Context) -> bool:
        return await has_new_certificate(at, run)

    async def do(self, at: Target, run: Context) -> None:
        if not await at.has("started"):
            await at.mark("started")
        as_service = runs_as_service(at)
        agent = at.facts.agent
        if as_service and agent is not None:
            await at.start(agent)
        else:
            await launch_agent(at)
        key = await self._key(at, run)
        limit = run.limits.request + run.limits.certificate
        # With autosign on, the CA signs before anybody can look.
        arrival = asyncio.create_task(look(at, limit, certificate=True))
        wish = await expected(at, run, key)
        try:
            await self._signed(at, run, wish, arrival)
            run.tell(f"{at.name}/agent.enrol", "waits for its certificate")
            if as_service and agent is not None:
                await asyncio.wait({arrival}, timeout=looks_within(at, run))
                if not arrival.done():
                    await at.stop(agent)
                    await at.start(agent)
            _prove(at, run, wish, await arrival)
        finally:
            arrival.cancel()

    async def _key(self, at: Target, run: Context) -> str:
        """Wait for the node's key and return its fingerprint."""
        limit = run.limits.request
        run.tell(f"{at.name}/agent.enrol", "makes its key")
        key = (await look(at, limit))["key"]
        if key is None:
            raise StepFailed(
                f"{at.name}: the agent made no key in {limit} s",
                hint="look at the agent's log there, then: reseal site resume",
            )
        return key

    async def _signed(
        self, at: Target, run: Context, wish: Expected, arrival: asyncio.Task[Identity]
    ) -> None:
        """Wait until the request is signed, or the certificate is there already."""
        run.tell(
            f"{at.name}/agent.enrol", "sends its request, waits for it to be signed"
        )
        desk = await run.desk()
        signing = asyncio.create_task(desk.sign(wish, limit=run.limits.request))
        try:
            await asyncio.wait({arrival, signing}, return_when=asyncio.FIRST_COMPLETED)
            if signing.done():
                await signing
        finally:
            signing.cancel()


def _prove(at: Target, run: Context, wish: Expected, seen: Identity) -> None:
    """Hold a node's certificate against what the plan expects."""
    certificate = _parsed(seen["certificate"])
    if certificate is None:
        raise StepFailed(
            f"{at.name}: its certificate did not arrive",
            hint=f"look at the agent's log there: {at.backup}/agent.log or journal",
        )
    if not _is_ours(seen, run):
        raise StepFailed(f"{at.name}: its certificate is not of the new CA")
    if found := list(surprises(extensions_of(certificate), wish)):
        hint = f"revoke it; or, if this is meant, plan again with --allow {at.name}"
        message = f"{at.name}: its new certificate is wrong: {'; '.join(found)}"
        raise StepFailed(message, hint=hint)


async def expected(at: Target, run: Context, key: str) -> Expected:
    """Return what the node's request must look like: its old names and facts.

    They are read from what the old CA keeps of the node, in the backup on the CA's
    host.  What the node itself shows as its certificate counts for nothing: whoever
    is root there could have put any certificate in its place.
    """
    old, own = await _old_certificate(at, run), at.facts.certname
    extensions = extensions_of(old) if old is not None else ()
    return Expected(
        certname=Certname(own),
        key=key,
        alt_names=frozenset((*alt_names(extensions), f"DNS:{own}")),
        extensions=puppet_extensions(extensions),
        allowed=at.name in run.plan.choices.allow,
    )


async def _old_certificate(at: Target, run: Context) -> x509.Certificate | None:
    """Return the certificate that the old CA had given the node; None without one."""
    host = await run.target(run.plan.ca.name)
    cadir = server_of(host.facts).cadir or ""
    path = host.kept(f"{cadir}/signed/{at.facts.certname}.pem")
    try:
        return load_certificate(await read(host.transport, path))
    except NotFound:
        return None


def runs_as_service(at: Target) -> bool:
    """Tell whether starting the service makes the agent enrol at once."""
    facts = at.facts
    splay = facts.settings.get("splay") == "true"
    daemon = facts.agent_mode == "daemon" and facts.agent is not None
    return daemon and not splay and facts.disabled is None


def waits(at: Target) -> int:
    """Return the seconds between two looks of an agent that waits."""
    text = at.facts.settings.get("waitforcert", "120")
    return int(text) if text.isdecimal() else 120


def looks_within(at: Target, run: Context) -> int:
    """Return the seconds within which an agent looks for a certificate by itself.

    Once these are over it is started anew, and looks again as it starts.
    """
    if 0 < waits(at) <= PATIENT:
        return run.limits.certificate
    return AT_ONCE if holds(run.plan) and run.requests_wait else 0


async def launch_agent(at: Target) -> None:
    """Run the agent once, in the background: it enrols, waits, and makes a run."""
    ours = at.facts.flavour == "reseal"
    bootstraps = ours or major(at.facts.puppet_version) >= 6
    if at.facts.disabled is not None and bootstraps:
        words = ["ssl", "bootstrap", "--waitforcert", "2"]
    else:
        words = ["agent", "--onetime", "--no-daemonize", "--verbose", "--no-splay"]
        words += ["--waitforcert", "2"] + ["--no-usecacheonfailure"] * (not ours)
    log, pid = f"{at.backup}/agent.log", f"{at.backup}/agent.pid"
    await at.ask("launch", log, pid, at.facts.puppet, *words, "--color=false")


async def look(at: Target, limit: int, *, certificate: bool = False) -> Identity:
    """Return the node's key (fingerprint) and certificate (PEM), as far as there.

    Args:
        at: The node.
        limit: Seconds to wait for a key.
        certificate: Wait for a certificate too.
    """
    answer: Identity = await at.ask(
        "identity",
        *(at.setting("hostprivkey"), at.setting("hostcert")),
        *(str(limit), "certificate" if certificate else "key"),
        timeout=limit + 60,
    )
    return answer


async def has_new_certificate(at: Target, run: Context) -> bool:
    """Tell whether the node has a certificate of the new CA for the key it has."""
    if not await exists(at.transport, at.setting("hostcert")):
        return False
    return _is_ours(await look(at, 0), run)


def _is_ours(answer: Identity, run: Context) -> bool:
    certificate = _parsed(answer["certificate"])
    if certificate is None or not run.is_new(certificate):
        return False
    return key_fingerprint(public_key(certificate)) == answer["key"]


def _parsed(pem: str | None) -> x509.Certificate | None:
    try:
        return load_certificate(pem.encode()) if pem else None
    except ParseError:
        return None
