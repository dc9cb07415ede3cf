"""What is done to an agent: back up, stop, clear, enrol, settle, and see a run.

Each act looks first whether it is done already, on the node and not in the journal,
so that a run can be killed anywhere and resumed.  Guarantee: nothing is cleared
before a proven backup, and a certificate counts only if the new CA signed it for
the key that is on the node.

Sources: Puppet, "SSL: Regenerating All Certificates in a Puppet Deployment",
step 3; Puppet, `agent.rb` (run lock, splay), `ssl/state_machine.rb`.
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
from reseal.site.transport import check
from reseal.x509.bundle import load_certificate
from reseal.x509.certexts import extensions_of
from reseal.x509.certificate import public_key
from reseal.x509.keys import key_fingerprint

PATIENT = 15
"""Seconds; an agent that looks for its certificate less often is started anew."""

_WAIT_FOR_RUN = r"""
n=0
while [ -s "$1" ] && kill -0 "$(cat "$1")" 2>/dev/null; do
    n=$((n + 1))
    [ "$n" -le "$2" ] || exit 75
    sleep 1
done
"""

_CLEAR = r"""
set -e
for path; do
    if [ -d "$path" ] && [ ! -L "$path" ]; then
        for child in "$path"/* "$path"/.[!.]* "$path"/..?*; do
            [ -e "$child" ] || [ -L "$child" ] || continue
            rm -rf -- "$child"
        done
    else
        rm -f -- "$path"
    fi
done
sync
"""


class Backup:
    """Copy what will be replaced, and prove that the copy can be put back."""

    async def done(self, at: Target, run: Context) -> bool:
        return await at.has("manifest")

    async def do(self, at: Target, run: Context) -> None:
        await check(at.transport, 'umask 077; mkdir -p "$1"', at.backup)
        await at.ruby("backup", at.backup, *at.paths, timeout=3600)


class StopAgent:
    """Stop the agent's service and wait for the end of a run that goes on."""

    async def done(self, at: Target, run: Context) -> bool:
        return await at.has("cleared") or await at.has("installed")

    async def do(self, at: Target, run: Context) -> None:
        agent = at.facts.agent
        if agent is not None and await at.is_active(agent):
            await at.stop(agent)
        lock = at.facts.settings.get("agent_catalog_run_lockfile", "")
        limit = run.limits.current_run
        result = await at.transport.run(
            _WAIT_FOR_RUN, lock, str(limit), timeout=limit + 60
        )
        if result.exit != 0:
            hint = f"wait until it has ended, or end it; its lock is {lock}"
            raise StepFailed(
                f"{at.name}: an agent run has gone on for {limit} s", hint=hint
            )


class Clear:
    """Delete everything in the node's SSL directory."""

    async def done(self, at: Target, run: Context) -> bool:
        return await at.has("cleared")

    async def do(self, at: Target, run: Context) -> None:
        if not await at.has("manifest"):
            raise StepFailed(f"{at.name}: has no backup, nothing is cleared")
        for path in at.paths:
            if (
                len([part for part in path.split("/") if part not in ("", ".", "..")])
                < 3
            ):
                hint = "correct ssldir in puppet.conf there"
                raise StepFailed(f"{at.name}: {path} is no SSL directory", hint=hint)
        await at.mark("clearing")
        await check(at.transport, _CLEAR, *at.paths, timeout=600)
        await at.mark("cleared")


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
        run.tell(step, "makes its key and sends its request")
        answer = await look(at, limit)
        if answer["key"] is None:
            raise StepFailed(
                f"{at.name}: the agent sent no request in {limit} s",
                hint="look at the agent's log there, then: reseal site resume",
            )
        if _is_ours(answer, run):
            return
        run.tell(step, "waits for its request to be signed")
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


class Settle:
    """Leave the agent's service as it was found."""

    async def done(self, at: Target, run: Context) -> bool:
        agent = at.facts.agent
        return agent is None or await at.is_active(agent) == agent.active

    async def do(self, at: Target, run: Context) -> None:
        agent = at.facts.agent
        if agent is None:
            return
        if not await at.has("started"):
            await at.mark("started")
        await (at.start(agent) if agent.active else at.stop(agent))


class Run:
    """See an agent run end that used the new certificate."""

    async def done(self, at: Target, run: Context) -> bool:
        return at.facts.disabled is not None or (
            await at.has("started") and _is_good(await self._outcome(at, 0))
        )

    async def do(self, at: Target, run: Context) -> None:
        if not await at.has("started"):
            await at.mark("started")
        if not runs_as_service(at):
            await launch_agent(at)
        limit = run.limits.run
        outcome = await self._outcome(at, limit)
        if not outcome["ended"]:
            raise StepFailed(
                f"{at.name}: no agent run ended in {limit} s",
                hint="look at the agent's log there; then: reseal site resume",
            )
        if not _is_good(outcome):
            raise StepFailed(
                f"{at.name}: the agent run got no catalog from the server",
                hint="puppet agent --test on the node tells why",
            )
        if outcome["failed"]:
            run.tell(f"{at.name}/agent.run", f"{outcome['failed']} resources failed")

    async def _outcome(self, at: Target, limit: int) -> dict[str, object]:
        answer: dict[str, object] = await at.ruby(
            "run",
            *(at.setting("lastrunfile"), at.setting("lastrunreport")),
            *(f"{at.backup}/started", str(limit)),
            timeout=limit + 60,
        )
        return answer


def _is_good(outcome: dict[str, object]) -> bool:
    """Tell whether a run had a catalog of its own, fetched and not cached."""
    return bool(outcome["ended"] and outcome["total"] and not outcome["cached"])


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
    """Return the node's key (fingerprint), request and certificate (PEM)."""
    requests = at.setting("requestdir")
    answer: dict[str, str | None] = await at.ruby(
        "request",
        at.setting("hostprivkey"),
        f"{requests}/{at.facts.certname}.pem",
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
