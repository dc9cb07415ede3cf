"""How an agent enrols anew: its key, its request, its certificate.

Guarantee: a certificate counts only if the new CA signed it for the key that is on
the node, and if its names and facts are those of the node's old certificate.

Sources: Puppet, `ssl/state_machine.rb`, `agent.rb` (splay); Puppet's settings
`waitforcert`, `splay`.
"""

from __future__ import annotations

from cryptography import x509

from reseal.certname import Certname
from reseal.errors import ParseError, StepFailed
from reseal.site.context import Context
from reseal.site.desk import Expected, surprises
from reseal.site.foresee import foreign_names
from reseal.site.generation import major
from reseal.site.target import Target
from reseal.x509.bundle import load_certificate
from reseal.x509.certexts import extensions_of
from reseal.x509.certificate import public_key
from reseal.x509.keys import key_fingerprint

PATIENT = 15
"""Seconds; an agent that looks for its certificate less often is started anew."""


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
        await self._sign(at, run)
        run.tell(f"{at.name}/agent.enrol", "waits for its certificate")
        if as_service and agent is not None and waits(at) > PATIENT:
            await at.stop(agent)
            await at.start(agent)
        limit = run.limits.certificate
        hostcert = at.setting("hostcert")
        answer = await at.ruby("certificate", hostcert, str(limit), timeout=limit + 60)
        if answer["certificate"] is None:
            raise StepFailed(
                f"{at.name}: its certificate did not arrive in {limit} s",
                hint=f"look at the agent's log there: {at.backup}/agent.log or journal",
            )
        await self._prove(at, run)

    async def _prove(self, at: Target, run: Context) -> None:
        """Hold the certificate against what the plan expects.

        With autosign on, the CA has signed before anybody could look.
        """
        seen = await look(at, 0)
        certificate = _parsed(seen["certificate"])
        if certificate is None or not _is_ours(seen, run):
            raise StepFailed(f"{at.name}: its certificate is not of the new CA")
        wish = expected(at, run, seen["key"] or "")
        if found := list(surprises(extensions_of(certificate), wish)):
            hint = f"revoke it; or, if this is meant, plan again with --allow {at.name}"
            message = f"{at.name}: its new certificate is wrong: {'; '.join(found)}"
            raise StepFailed(message, hint=hint)

    async def _sign(self, at: Target, run: Context) -> None:
        limit = run.limits.request
        step = f"{at.name}/agent.enrol"
        run.tell(step, "makes its key")
        answer = await look(at, limit)
        if answer["key"] is None:
            raise StepFailed(
                f"{at.name}: the agent made no key in {limit} s",
                hint="look at the agent's log there, then: reseal site resume",
            )
        if _is_ours(answer, run):
            return
        run.tell(step, "sends its request, waits for it to be signed")
        wish = expected(at, run, answer["key"])
        await (await run.desk()).sign(wish, limit=limit)


def expected(at: Target, run: Context, key: str) -> Expected:
    """Return what the node's request must look like: its old names and facts."""
    old, own = at.facts.hostcert, at.facts.certname
    return Expected(
        certname=Certname(own),
        key=key,
        alt_names=frozenset((*foreign_names(at.facts), f"DNS:{own}")),
        extensions=dict(old.extensions) if old else {},
        allowed=at.name in run.plan.choices.allow,
    )


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


async def launch_agent(at: Target) -> None:
    """Run the agent once, in the background: it enrols, waits, and makes a run."""
    if at.facts.disabled is not None and major(at.facts.puppet_version) >= 6:
        words = ["ssl", "bootstrap", "--waitforcert", "2"]
    else:
        words = ["agent", "--onetime", "--no-daemonize", "--verbose", "--no-splay"]
        words += ["--waitforcert", "2", "--no-usecacheonfailure"]
    log, pid = f"{at.backup}/agent.log", f"{at.backup}/agent.pid"
    await at.ruby("launch", log, pid, at.facts.puppet, *words, "--color=false")


async def look(at: Target, limit: int) -> dict[str, str | None]:
    """Return the node's key (fingerprint) and certificate (PEM), as far as there.

    Args:
        at: The node.
        limit: Seconds to wait for a key.
    """
    answer: dict[str, str | None] = await at.ruby(
        "identity",
        at.setting("hostprivkey"),
        at.setting("hostcert"),
        str(limit),
        timeout=limit + 60,
    )
    return answer


async def has_new_certificate(at: Target, run: Context) -> bool:
    """Tell whether the node has a certificate of the new CA for the key it has."""
    return _is_ours(await look(at, 0), run)


def _is_ours(answer: dict[str, str | None], run: Context) -> bool:
    certificate = _parsed(answer["certificate"])
    if certificate is None or not run.is_new(certificate):
        return False
    return key_fingerprint(public_key(certificate)) == answer["key"]


def _parsed(pem: str | None) -> x509.Certificate | None:
    try:
        return load_certificate(pem.encode()) if pem else None
    except ParseError:
        return None
