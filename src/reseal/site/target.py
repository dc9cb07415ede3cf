"""A node during a run: its facts, the way to it, and its part of the backup.

Guarantee: what a run leaves on a node lies in one directory that only root can
enter, named after the run.  Nothing is installed: Ruby scripts run on Puppet's own
Ruby, and where there is reseal in its place, that does the same as `reseal node`.
Secrets are no arguments; of keys only those that several nodes share are input.
"""

from __future__ import annotations

import json
import posixpath
import re
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from reseal.errors import CommandFailed, SiteError
from reseal.site.facts import NodeFacts
from reseal.site.generation import major
from reseal.site.material import ServiceFacts
from reseal.site.platform import can, service_command
from reseal.site.transport import Transport, check

UNREADABLE = (KeyError, TypeError, ValueError, AttributeError, IndexError)
"""What reading a node's answer raises when it is JSON, but not what was asked."""

_QUICK = 4
"""Puppet's first version of which every Ruby can do without RubyGems: 1.8 cannot."""

_FILES = ("hostcert", "hostprivkey", "localcacert", "hostcrl")


@dataclass(frozen=True, slots=True)
class Target:
    """A node of a run.

    Attributes:
        facts: What the plan knows of it.
        transport: The way to it.
        run: The run's name.
        whole: The run replaces what is Puppet's, and not only services' copies.
    """

    facts: NodeFacts
    transport: Transport
    run: str
    whole: bool = True

    @property
    def name(self) -> str:
        """The node's name in the roster."""
        return self.facts.name

    @property
    def program(self) -> str:
        """The name of its agent's program: `puppet`, or `reseal`."""
        return posixpath.basename(self.facts.puppet) or "puppet"

    @property
    def backup(self) -> str:
        """The run's directory on the node."""
        return f"{self.facts.backups}/{self.run}"

    @property
    def paths(self) -> tuple[str, ...]:
        """What the run replaces, and so what is backed up."""
        copies = [
            copy.path
            for each in self.facts.extensions
            for copy in each.copies
            if not copy.own and copy.there and (self.whole or not copy.pair)
        ]
        return (*(self.cleared if self.whole else ()), *dict.fromkeys(copies))

    @property
    def cleared(self) -> tuple[str, ...]:
        """What is Puppet's own of it: the SSL directory, and what lies elsewhere."""
        found = [self.setting("ssldir")]
        server = self.facts.server
        if server is not None and server.is_ca and server.cadir is not None:
            found.append(server.cadir)
        found += [self.facts.settings.get(name, "") for name in _FILES]
        kept: list[str] = []
        for path in found:
            if path and not any(_within(path, parent) for parent in kept):
                kept.append(path)
        return tuple(kept)

    def setting(self, name: str) -> str:
        """Return a setting of the node's agent.

        Raises:
            SiteError: The survey did not find it.
        """
        value = self.facts.settings.get(name, "")
        if not value:
            raise SiteError(f"{self.name}: setting {name} is unknown")
        return value

    def kept(self, path: str) -> str:
        """Return where the backup keeps a file or directory."""
        return f"{self.backup}/tree{path}"

    async def ask(
        self,
        deed: str,
        *args: str,
        stdin: bytes = b"",
        timeout: float | None = None,
    ) -> Any:
        """Have one of the deeds of `site/node` done and return the JSON it printed.

        Raises:
            CommandFailed: It did not end with exit status 0, or printed no JSON.
        """
        printed = await check(
            self.transport,
            'exec "$@"',
            *(*self._program(deed), "--", *args),
            stdin=stdin,
            timeout=timeout,
        )
        try:
            return json.loads(printed)
        except ValueError:
            raise CommandFailed(f"{self.name}: {deed}: printed no answer") from None

    def _program(self, deed: str) -> tuple[str, ...]:
        if self.facts.flavour == "reseal":
            return self.facts.puppet, "node", deed
        text = (files("reseal.site") / "node" / f"{deed}.rb").read_text()
        if major(self.facts.puppet_version) < _QUICK:
            return self.facts.ruby, "-e", text
        return self.facts.ruby, "--disable-gems", "-e", _without_gems(text)

    async def is_active(self, service: ServiceFacts) -> bool:
        """Tell whether a service runs now."""
        command = service_command(self.facts.service_manager, "status", service.name)
        return (await self.transport.run(command)).exit == 0

    async def start(self, service: ServiceFacts) -> None:
        """Start a service and wait for its manager's word."""
        command = service_command(self.facts.service_manager, "start", service.name)
        await check(self.transport, command, timeout=600)

    async def stop(self, service: ServiceFacts) -> None:
        """Stop a service and wait for its manager's word."""
        command = service_command(self.facts.service_manager, "stop", service.name)
        await check(self.transport, command, timeout=600)

    async def reload(self, service: ServiceFacts) -> None:
        """Have a service that runs read its files again.

        Where the manager cannot ask for that, the service is stopped; whoever calls
        this starts it next.
        """
        manager = self.facts.service_manager
        if can(manager, "reload"):
            command = service_command(manager, "reload", service.name)
            await check(self.transport, command, timeout=600)
        else:
            await self.stop(service)

    async def has(self, mark: str) -> bool:
        """Tell whether the run has left that mark in its directory."""
        result = await self.transport.run('[ -e "$1" ]', f"{self.backup}/{mark}")
        return result.exit == 0

    async def mark(self, mark: str) -> None:
        """Leave a mark in the run's directory, on disk when this returns."""
        await check(
            self.transport, ': >"$1" && sync "$1" || sync', f"{self.backup}/{mark}"
        )


def _without_gems(script: str) -> str:
    """Return a script that needs no RubyGems, whose loading takes half of its start.

    Some distributions keep parts of Ruby's own library as gems; then they are loaded.
    """
    needs = " ".join(re.findall(r"^require '[^']+'", script, re.MULTILINE))
    needs = needs.replace("' require", "'; require")
    return f"begin; {needs}; rescue LoadError; require 'rubygems'; end\n{script}"


def _within(path: str, parent: str) -> bool:
    return (
        posixpath.normpath(path + "/").startswith(posixpath.normpath(parent) + "/")
        or path == parent
    )
