"""Open SSH connections as the operator's own `ssh` would.

Guarantee: the SSH configuration, the agent, jump hosts and known hosts are those
that `ssh` uses; the check of host keys is ours (`hostkeys.py`), also for jump
hosts.  A jump host is connected to once for all the nodes behind it, because an
sshd refuses some of many newcomers (`MaxStartups`).

Sources: ssh_config(5); sshd_config(5), `MaxStartups`; asyncssh, `connect`.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncssh

from reseal.errors import AccessDenied, SettingsError, TransportError, Unreachable
from reseal.site.hostkeys import Gatekeeper, HostKeys
from reseal.site.roster import SshSettings

_AT_ONCE = 8
"""Handshakes at once: below sshd's usual `MaxStartups 10:30:100`."""

_KEEPALIVE = 15
"""Seconds between two signs of life; four missed ones mean the way is broken."""


@dataclass(frozen=True, slots=True)
class Target:
    """Somebody to connect to.

    Attributes:
        name: Whose node it is for, in messages.
        host: Host name, address or alias of the SSH configuration.
        user: None leaves it to the configuration.
        port: None leaves it to the configuration.
        behind: For a jump host, whom it leads to: it is not reached through them.
    """

    name: str
    host: str
    user: str | None = None
    port: int | None = None
    behind: frozenset[str] = frozenset()


class SshDoor:
    """Makes connections; keeps those to jump hosts until it is closed."""

    def __init__(self, settings: SshSettings) -> None:
        self._settings = settings
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._jumps: dict[tuple[str, ...], asyncssh.SSHClientConnection] = {}
        self._locks: dict[tuple[str, ...], asyncio.Lock] = {}

    async def open(self, target: Target) -> asyncssh.SSHClientConnection:
        """Connect and log in.

        Raises:
            Unreachable: Nobody answers there, or not in time.
            HostKeyRejected: The host key is unknown or has changed.
            AccessDenied: No key of ours is accepted.
            SettingsError: The SSH configuration or known_hosts cannot be read.
        """
        return await self._open(target, ())

    async def close(self) -> None:
        """Close the connections to jump hosts, the last of a chain first."""
        for connection in reversed(self._jumps.values()):
            connection.close()
            with contextlib.suppress(Exception):
                await connection.wait_closed()
        self._jumps.clear()

    async def _open(
        self, target: Target, path: tuple[str, ...]
    ) -> asyncssh.SSHClientConnection:
        """Connect to `target`; `path` are the jump hosts on the way to it."""
        given = self._options(target)
        path = path or _way_to(target, given.tunnel)
        tunnel = await self._jump(path, target) if path else None
        files = self._settings.known_hosts or _files(given.known_hosts)
        keys = HostKeys(files, self._settings.host_keys)
        gate = Gatekeeper(target.name, keys)
        limit = self._settings.connect_timeout
        async with self._slots:
            try:
                return await asyncssh.connect(
                    **self._arguments(target),
                    known_hosts=keys.known(),
                    tunnel=tunnel,
                    client_factory=lambda: gate,
                    connect_timeout=limit,
                    login_timeout=limit,
                    keepalive_interval=_KEEPALIVE,
                    agent_forwarding=False,
                )
            except (OSError, asyncssh.Error, ValueError) as error:
                raise gate.refusal or _explain(target, given, limit, error) from error

    async def _jump(
        self, path: tuple[str, ...], target: Target
    ) -> asyncssh.SSHClientConnection:
        """Return the connection to the last host of `path`."""
        async with self._locks.setdefault(path, asyncio.Lock()):
            kept = self._jumps.get(path)
            if kept is None or kept.is_closed():
                user, host, port = _parse(path[-1])
                name = f"{target.name}: jump host {host}"
                behind = target.behind | {target.host}
                jump = Target(name, host, user, port, behind)
                kept = self._jumps[path] = await self._open(jump, path[:-1])
            return kept

    def _options(self, target: Target) -> asyncssh.SSHClientConnectionOptions:
        """Return what the SSH configuration says about a target."""
        try:
            return asyncssh.SSHClientConnectionOptions(**self._arguments(target))
        except asyncssh.ConfigParseError as error:
            raise SettingsError("ssh configuration", [str(error).lower()]) from error
        except (OSError, ValueError) as error:
            raise _no_key(target, error) from error

    def _arguments(self, target: Target) -> dict[str, Any]:
        given = {"username": target.user, "port": target.port}
        arguments: dict[str, Any] = {k: v for k, v in given.items() if v is not None}
        if self._settings.config is not None:
            arguments["config"] = [str(self._settings.config)]
        return arguments | {"host": target.host}


def _files(given: object) -> tuple[Path, ...]:
    """Return the known_hosts files the configuration names; `none` is no file."""
    if given is None:
        return (Path("/dev/null"),)
    names = given if isinstance(given, list) else []
    return tuple(Path(str(name)).expanduser() for name in names)


def _parse(jump: str) -> tuple[str | None, str, int | None]:
    """Take `[user@]host[:port]` apart, also in its form `ssh://…`."""
    user, _, place = jump.strip().removeprefix("ssh://").rpartition("@")
    host, port = place, ""
    if place.startswith("["):
        host, _, port = place[1:].partition("]")
        port = port.removeprefix(":")
    elif place.count(":") == 1:
        host, _, port = place.partition(":")
    return user or None, host, int(port) if port.isdigit() else None


def _way_to(target: Target, jumps: object) -> tuple[str, ...]:
    """Return the jump hosts to a target; never one that is reached through it."""
    if not isinstance(jumps, str) or not jumps:
        return ()
    path = tuple(jumps.split(","))
    hosts = {_parse(jump)[1] for jump in path}
    return () if hosts & {target.host, *target.behind} else path


def _explain(
    target: Target,
    given: asyncssh.SSHClientConnectionOptions,
    limit: float,
    error: Exception,
) -> TransportError:
    """Say why a connection could not be made, in words that help."""
    where = f"{given.host}:{given.port}"
    if isinstance(error, asyncssh.PermissionDenied):
        return AccessDenied(
            f"{target.name}: {given.username}@{where} accepts none of our SSH keys",
            hint="load the key into the SSH agent, or name it with IdentityFile in "
            "the SSH configuration",
        )
    if isinstance(error, TimeoutError):
        why = f"no answer within {limit:g} s"
    elif isinstance(error, asyncssh.Error):
        why = error.reason or type(error).__name__
    else:
        why = getattr(error, "strerror", None) or str(error)
    return Unreachable(
        f"{target.name}: {where} cannot be reached: {why[:1].lower()}{why[1:]}",
        hint=f"try it by hand: ssh {target.host}",
    )


def _no_key(target: Target, error: Exception) -> AccessDenied:
    return AccessDenied(
        f"{target.name}: an SSH key of the configuration cannot be used: {error}",
        hint="load it into the SSH agent, where its passphrase is asked once",
    )
