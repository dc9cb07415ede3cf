"""Requests wait at the server until they are signed.

An agent looks for its certificate as soon as its request was taken, and then only
every `waitforcert` seconds, two minutes unless told.  So the server is given an
autosign policy for the time of a run, a program that does nothing but wait: until the
request was signed the way that every request of a run is, or for `PATIENCE` seconds.

Guarantee: the policy grants nothing, it ends with 1 whatever happens.  It waits only
for names of the run, once for each at a time and `HELD` at once, so that whoever sends
requests occupies no server with it.  It is put only where only we may write, and where
nothing was but what a lost run has left; only what a run has put there is taken away.
Where it cannot be put, a run goes on without it.

Sources: Puppet Server, `certificate_authority.clj` (`process-csr-submission!` keeps a
request before it asks autosign; `autosign-csr?` looks at the file each time); Puppet,
`ssl/state_machine.rb` (`NeedSubmitCSR`, `NeedCert`, `Wait`); Puppet's settings
`autosign`, `waitforcert`.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable

from reseal.errors import ResealError
from reseal.site.context import Context
from reseal.site.generation import server_of
from reseal.site.plan import Plan
from reseal.site.sequence import HELD
from reseal.site.target import Target
from reseal.site.transport import check, failed

PATIENCE = 20
"""Seconds that a request waits at most, but for what 50 shells at once take."""

_WITHOUT = {
    3: "is there now",
    4: "cannot be executed",
    5: "is where others may write",
}
"""Why a run goes on without it: exit status of `_PLACE`; else it says why."""

OURS = "# Put here by reseal's run "
"""How the second line of a policy begins, whichever run has put it there."""

_SHELL = "#!/bin/sh"

_POLICY = """{shell}
{mark}
# It signs nothing.  A request of one of the names below is answered when it was signed,
# or after some {patience} seconds: then its agent finds the certificate as it looks.
# It may be deleted at any time: reseal goes on without it.
cat >/dev/null
grep -qxF -e "#: $1" "$0" || exit 1
name=$1 room={room} signed={signed} n=0
mkdir -m 0700 -- "$room" 2>/dev/null
mkdir -- "$room/$name" 2>/dev/null || exit 1
leave() {{ rmdir -- "$room/$name"; [ -e "$0" ] || rmdir -- "$room"; }}
trap 'leave 2>/dev/null' EXIT
trap 'exit 1' HUP INT TERM
set -- "$room"/*
[ "$#" -le {most} ] || exit 1
waits() {{ [ -e "$0" ] && [ ! -e "$signed/$name.pem" ] && [ "$n" -lt {tries} ]; }}
while waits && sleep 0.2; do n=$((n + 1)); done
exit 1
{names}
"""

_PLACE = r"""
path=./$(basename -- "$1")
there() { [ -e "$path" ] || [ -L "$path" ]; }
cd -P -- "$(dirname -- "$1")" || exit 1
[ -n "$(find . -prune -user "$(id -u)" ! -perm -020 ! -perm -002)" ] || exit 5
case $(sed -n 2p "$path" 2>/dev/null) in "$2"*) rm -f -- "$path" ;; esac
! there || exit 3
new=$(mktemp ./.reseal-XXXXXXXX) || exit 1
trap 'rm -f -- "$new"' EXIT
trap 'exit 1' HUP INT TERM
cat >"$new" && chmod 0755 "$new" || exit 1
sync -- "$new" 2>/dev/null || sync
"$new" '#' </dev/null
[ "$?" -eq 1 ] || exit 4
ln -- "$new" "$path" || { ! there || exit 3; exit 1; }
sync -- . 2>/dev/null || sync
"""

_IS_OURS = r"""
[ "$(sed -n 2p "$1" 2>/dev/null)" = "$2" ]
"""

_REMOVE = r"""
if [ "$(sed -n 2p "$1" 2>/dev/null)" = "$2" ]; then
    rm -f -- "$1" || exit 1
    sync -- "$(dirname -- "$1")" 2>/dev/null || sync
fi
rm -rf -- "$3" || { sleep 1; rm -rf -- "$3"; } || :
"""


class Hold:
    """Put the policy where the CA looks for one."""

    async def done(self, at: Target, run: Context) -> bool:
        place = server_of(at.facts).policy
        try:
            return (await at.transport.run(_IS_OURS, place, _mark(at))).exit == 0
        except ResealError:
            return False

    async def do(self, at: Target, run: Context) -> None:
        place = server_of(at.facts).policy
        policy = policy_of(at, run.plan).encode()
        try:
            result = await at.transport.run(_PLACE, place, OURS, stdin=policy)
        except ResealError as error:
            why = str(error)
        else:
            if result.exit == 0:
                return
            why = _WITHOUT.get(result.exit) or str(failed(at.transport, result))
        run.requests_wait = False
        run.warn(f"{at.name}: requests do not wait to be signed: {place} {why}")


def holds(plan: Plan) -> bool:
    """Tell whether requests are to wait at the server in this run."""
    return any(step.action == "requests.hold" for step in plan.steps)


async def release(run: Context) -> None:
    """Take a run's policy away from the CA's host, if it is there.

    Raises:
        ResealError: The host cannot be reached, or the policy not be deleted.
    """
    if holds(run.plan):
        at = await run.target(run.plan.ca.name)
        place = server_of(at.facts).policy
        await check(at.transport, _REMOVE, place, _mark(at), _room(at))


def policy_of(at: Target, plan: Plan) -> str:
    """Return the policy: a shell script with the names it waits for at its end."""
    names: Iterable[str] = dict.fromkeys(
        plan.node(step.node).certname
        for step in plan.steps
        if step.action == "agent.enrol"
    )
    return _POLICY.format(
        shell=_SHELL,
        mark=_mark(at),
        patience=PATIENCE,
        tries=PATIENCE * 5,
        most=HELD,
        room=shlex.quote(_room(at)),
        signed=shlex.quote(f"{server_of(at.facts).cadir}/signed"),
        names="\n".join(f"#: {name}" for name in names),
    )


def _room(at: Target) -> str:
    """Return the directory in which each request that waits has an entry."""
    return f"{server_of(at.facts).cadir}/held-{at.run}"


def _mark(at: Target) -> str:
    return f"{OURS}{at.run}, which takes it away."
