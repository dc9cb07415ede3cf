"""Every act a plan may name, in one table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from reseal.site.agent_steps import Backup, Clear, Run, Settle, StopAgent
from reseal.site.ca_steps import Install, Prepare
from reseal.site.context import Context
from reseal.site.enrol import Enrol
from reseal.site.extension_steps import RenewCopies, StartServices
from reseal.site.hold import Hold
from reseal.site.pair_steps import CopyPairs, MakePairs
from reseal.site.sequence import Action
from reseal.site.server_steps import StartServer, StopServer
from reseal.site.target import Target


class Act(Protocol):
    """One thing that can be done to a node.

    Both methods raise `ResealError` with the node's name first.
    """

    async def done(self, at: Target, run: Context) -> bool:
        """Tell whether nothing is left to do, by looking at the node."""

    async def do(self, at: Target, run: Context) -> None:
        """Do it and prove it; safe to begin again after it broke off anywhere."""


ACTS: Mapping[Action, Act] = {
    "agent.backup": Backup(),
    "agent.stop": StopAgent(),
    "agent.clear": Clear(),
    "agent.enrol": Enrol(),
    "agent.settle": Settle(),
    "agent.run": Run(),
    "ca.prepare": Prepare(),
    "ca.install": Install(),
    "server.stop": StopServer(),
    "server.start": StartServer(),
    "extension.copy": RenewCopies(),
    "extension.start": StartServices(),
    "copies.backup": Backup(),
    "pair.make": MakePairs(),
    "pair.copy": CopyPairs(),
    "requests.hold": Hold(),
}
