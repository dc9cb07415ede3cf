"""One run at a time on a site: a claim on the CA's host, where all runs pass.

Guarantee: of two runs that begin at once one gets the claim, and it is whole: the
file `current` appears with the run's name in it.  It goes when the run is proven or
wholly taken back, and by nothing else; a run that was stopped keeps its claim.

Sources: link(2), which fails where the new name exists.
"""

from __future__ import annotations

from reseal.errors import SiteError
from reseal.site.target import Target
from reseal.site.transport import check

_CLAIM = r"""
umask 077
mkdir -p "$1" && cd "$1" || exit 1
echo "$2" >"claim-$2" && sync || exit 1
if why=$(ln "claim-$2" current 2>&1); then
    rm -f "claim-$2"; sync
elif rm -f "claim-$2"; [ -e current ]; then
    cat current
else
    echo "$why" >&2; exit 1
fi
"""

_HOLDER = 'cat "$1/current" 2>/dev/null || :'

_RELEASE = r"""
cd "$1" || exit 1
[ "$(cat current 2>/dev/null)" != "$2" ] || rm -f current
sync
"""

_CHANGED = r"""
cd "$1" 2>/dev/null || exit 0
for run in */; do
    run=${run%/}
    [ -e "$run/manifest" ] && [ ! -e "$run/rolled-back" ] || continue
    echo "$run"
done
"""

_WAY_OUT = "go on with it: reseal site resume; or undo it: reseal site rollback"


async def claim(host: Target) -> None:
    """Claim a site for a run that begins.

    Raises:
        SiteError: Another run, or another process, has claimed it.
    """
    if other := await _text(host, _CLAIM):
        raise SiteError(
            f"{host.name}: run {other} on this site is unfinished", hint=_WAY_OUT
        )


async def release(host: Target) -> None:
    """Give a site free after a run that is over."""
    await check(host.transport, _RELEASE, host.facts.backups, host.run)


async def may_resume(host: Target) -> bool:
    """Tell whether a run has steps left; False if it was finished.

    Raises:
        SiteError: It has been taken back, or another run is on this site.
    """
    holder = await _holder(host)
    if await host.has("rolled-back"):
        mine = holder == host.run
        hint = f"reseal site {'rollback, for the rest' if mine else 'plan'}"
        raise SiteError(f"{host.name}: run {host.run} was taken back", hint=hint)
    if not holder and not await host.has("finished"):
        hint = "make a new one: reseal site plan"
        raise SiteError(f"{host.name}: run {host.run} is over", hint=hint)
    return bool(holder)


async def claim_again(host: Target) -> None:
    """Claim a site to take a run back; only the last that changed it can be.

    Raises:
        SiteError: Another run is on this site, or came after it.
    """
    if await _holder(host):
        return
    later = [run for run in (await _text(host, _CHANGED)).split() if run > host.run]
    if later:
        hint = f"undo what came later first: reseal site rollback {max(later)}"
        raise SiteError(
            f"{host.name}: run {host.run} is over: another, {max(later)}, came later",
            hint=hint,
        )
    await claim(host)


async def _holder(host: Target) -> str:
    """Return the run itself if it holds the claim; empty if nobody does."""
    holder = await _text(host, _HOLDER)
    if holder not in ("", host.run):
        raise SiteError(
            f"{host.name}: another run, {holder}, is on this site",
            hint=f"reseal site resume {holder}; or: reseal site rollback {holder}",
        )
    return holder


async def _text(host: Target, script: str) -> str:
    printed = await check(host.transport, script, host.facts.backups, host.run)
    return printed.decode(errors="replace").strip()
