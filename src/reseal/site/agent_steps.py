"""What is done to an agent: back up, stop, clear, settle, and see a run.

Each act looks first whether it is done already, on the node and not in the journal,
so that a run can be killed anywhere and resumed.  Guarantee: nothing is cleared
before a proven backup.  How it enrols stands in `enrol.py`.

Sources: Puppet, "SSL: Regenerating All Certificates in a Puppet Deployment",
step 3; Puppet, `agent.rb` (run lock).
"""

from __future__ import annotations

from reseal.errors import StepFailed
from reseal.site.context import Context
from reseal.site.enrol import launch_agent, runs_as_service
from reseal.site.target import Target
from reseal.site.transport import check

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
        await at.ask("backup", at.backup, *at.paths, timeout=3600)


class StopAgent:
    """Stop the agent's service and wait for the end of a run that goes on."""

    async def done(self, at: Target, run: Context) -> bool:
        if await at.has("cleared") or await at.has("installed"):
            return True
        agent = at.facts.agent
        if agent is not None and await at.is_active(agent):
            return False
        return await self._run_ends(at, 0)

    async def do(self, at: Target, run: Context) -> None:
        agent = at.facts.agent
        if agent is not None and await at.is_active(agent):
            await at.stop(agent)
        limit = run.limits.current_run
        if not await self._run_ends(at, limit):
            if agent is not None and agent.active:
                await at.start(agent)
            hint = f"wait until it has ended, or end it; its lock is {_run_lock(at)}"
            raise StepFailed(
                f"{at.name}: an agent run has gone on for {limit} s", hint=hint
            )

    async def _run_ends(self, at: Target, limit: int) -> bool:
        """Wait up to `limit` seconds until no agent run goes on."""
        result = await at.transport.run(
            _WAIT_FOR_RUN, _run_lock(at), str(limit), timeout=limit + 60
        )
        return result.exit == 0


def _run_lock(at: Target) -> str:
    return at.facts.settings.get("agent_catalog_run_lockfile", "")


class Clear:
    """Delete everything in the node's SSL directory."""

    async def done(self, at: Target, run: Context) -> bool:
        return await at.has("cleared")

    async def do(self, at: Target, run: Context) -> None:
        if not await at.has("manifest"):
            raise StepFailed(f"{at.name}: has no backup, nothing is cleared")
        for path in at.cleared:
            if (
                len([part for part in path.split("/") if part not in ("", ".", "..")])
                < 3
            ):
                hint = "correct ssldir in puppet.conf there"
                raise StepFailed(f"{at.name}: {path} is no SSL directory", hint=hint)
        await at.mark("clearing")
        await check(at.transport, _CLEAR, *at.cleared, timeout=600)
        await at.mark("cleared")


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
        if at.facts.disabled is not None:
            return True
        newer = await at.transport.run(
            '[ -e "$2" ] && [ "$1" -nt "$2" ]',
            *(at.setting("lastrunfile"), f"{at.backup}/started"),
        )
        return newer.exit == 0 and _is_good(await self._outcome(at, 0))

    async def do(self, at: Target, run: Context) -> None:
        begun = await at.has("started")
        again = begun and bool((await self._outcome(at, 0))["ended"])
        if again or not begun:
            await at.mark("started")
        if not runs_as_service(at):
            await launch_agent(at)
        elif again and at.facts.agent is not None:
            # That run got no catalog; the next one would come with the interval.
            await at.stop(at.facts.agent)
            await at.start(at.facts.agent)
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
                hint=f"{at.program} agent --test on the node tells why",
            )
        if outcome["failed"]:
            run.tell(f"{at.name}/agent.run", f"{outcome['failed']} resources failed")

    async def _outcome(self, at: Target, limit: int) -> dict[str, object]:
        answer: dict[str, object] = await at.ask(
            "run",
            *(at.setting("lastrunfile"), at.setting("lastrunreport")),
            *(f"{at.backup}/started", str(limit)),
            timeout=limit + 60,
        )
        return answer


def _is_good(outcome: dict[str, object]) -> bool:
    """Tell whether a run had a catalog of its own, fetched and not cached."""
    return bool(outcome["ended"] and outcome["total"] and not outcome["cached"])
