"""The ways to all nodes of a roster.

Guarantee: a node has one transport, made when it is first asked for; when the
fleet is left, whatever was opened is closed, also after an error.

Sources: the door, `transport.py`.
"""

from __future__ import annotations

import asyncio
import contextlib
import resource
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import Self, TypeVar

from reseal.site.local import LocalTransport
from reseal.site.roster import Node, Roster
from reseal.site.ssh import SshTransport
from reseal.site.sshdoor import SshDoor, Target
from reseal.site.transport import Transport

T = TypeVar("T")

_KEPT = 200
"""Nodes of a site whose connections are all kept; those of a larger one are closed
after each piece of work, for both ends have only so many."""


class Fleet:
    """Opens and keeps the transports of a roster's nodes.

    Attributes:
        roster: The nodes and how they are reached.
    """

    def __init__(self, roster: Roster) -> None:
        self.roster = roster
        self._door = SshDoor(roster.ssh)
        self._kept: dict[str, Transport] = {}

    async def __aenter__(self) -> Self:
        _raise_open_files()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await asyncio.gather(
            *(kept.close() for kept in self._kept.values()), return_exceptions=True
        )
        await self._door.close()
        self._kept.clear()

    async def connect(self, node: Node) -> Transport:
        """Return the way to a node; its first command connects."""
        if node.name not in self._kept:
            self._kept[node.name] = self._made(node)
        return self._kept[node.name]

    async def each(
        self,
        nodes: Sequence[Node],
        work: Callable[[Node, Transport], Awaitable[T]],
        *,
        limit: int | None = None,
    ) -> list[T]:
        """Do some work on many nodes, as many at once as the roster allows.

        Args:
            nodes: Where to do it.
            work: What to do.  Its error ends the work on all nodes, and leaves here in
                an ExceptionGroup.
            limit: How many at once; None for the roster's limit.

        On a large site a node is let go of after its work; not the CA's host, which
        others' work asks too.

        Returns:
            What `work` returned, in the order of `nodes`.
        """
        slots = asyncio.Semaphore(limit or self.roster.ssh.limit)

        async def one(node: Node) -> T:
            async with slots:
                transport = await self.connect(node)
                try:
                    return await work(node, transport)
                finally:
                    if len(self.roster.nodes) > _KEPT and "ca" not in node.roles:
                        await transport.close()

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(node)) for node in nodes]
        return [task.result() for task in tasks]

    def _made(self, node: Node) -> Transport:
        ssh = self.roster.ssh
        if node.transport == "local":
            limit = ssh.command_timeout
            return LocalTransport(node.name, node.home, command_timeout=limit)
        host = node.address or node.name
        target = Target(node.name, host, node.user or ssh.user, node.port)
        return SshTransport(self._door, target, command_timeout=ssh.command_timeout)


def _raise_open_files() -> None:
    """Let this process have as many files and connections open as it may."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
