"""The type `exec`.

Sources: Puppet 8, `type/exec.rb` (checks, messages), `provider/exec/posix.rb`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from reseal.agent.host import Done, ProgramFailed, run_program
from reseal.agent.resources.model import (
    BadResource,
    Log,
    Name,
    Property,
    Resource,
    ResourceFailed,
    text_of,
    truth_of,
)

_TAKEN = frozenset(
    (
        *("command", "name", "path", "cwd", "environment", "creates", "onlyif"),
        *("unless", "refreshonly", "refresh", "timeout", "returns", "tries"),
        *("try_sleep", "logoutput", "umask", "user", "group", "provider"),
    )
)
_WAIT = 300.0


class Exec(Resource):
    """A command that is run unless it need not be."""

    def __init__(self, title: str, parameters: Mapping[str, object], log: Log) -> None:
        """Read what shall be run.

        Raises:
            BadResource: A parameter or a value makes no sense, in Puppet's words.
        """
        super().__init__(Name("Exec", title))
        for name in parameters:
            if name not in _TAKEN:
                raise BadResource(f"no parameter named '{name}'")
        self.log, self.source = log, str(self.name)
        self._told = dict(parameters)
        self.command = parameters.get("command") or parameters.get("name") or title
        self.path = _list(parameters.get("path"), os.pathsep)
        self.returns = [text_of(r) for r in _list(parameters.get("returns", "0"))]
        self.refreshonly = truth_of(parameters.get("refreshonly", False))
        self.timeout = self._number("timeout", _WAIT)
        self.tries = int(self._number("tries", 1))
        self.try_sleep = self._number("try_sleep", 0)
        for each in self._commands():
            self._check(each)

    def properties(self) -> Sequence[Property]:
        return [] if self.refreshonly else [_Returns(self)]

    def skipped(self) -> str:
        """Return which check says that it need not be run."""
        for path in _list(self._told.get("creates")):
            if Path(path).exists():
                return f"{path} exists"
        for command in self._checks("unless"):
            if self._run(command).status == 0:
                return f"unless: {_shown(command)} succeeded"
        for command in self._checks("onlyif"):
            if self._run(command).status != 0:
                return f"onlyif: {_shown(command)} failed"
        return ""

    def refresh(self) -> str:
        if self.skipped():
            return ""
        self.execute(self._told.get("refresh") or self.command)
        return "Triggered 'refresh' from 1 event"

    def execute(self, command: object) -> None:
        """Run a command until it succeeds, or was tried often enough.

        Raises:
            ResourceFailed: It does not; its output has been logged.
        """
        for number in range(1, self.tries + 1):
            done = self._run(command)
            fine = str(done.status) in self.returns
            if fine or number == self.tries:
                break
            time.sleep(self.try_sleep)
        wanted = text_of(self._told.get("logoutput", "on_failure"))
        if wanted == "true" or (wanted == "on_failure" and not fine):
            for line in done.output.splitlines():
                self.log("notice", f"{self.source}/returns", line)
        if not fine:
            said = f"'{_shown(command)}' returned {done.status} instead of one of "
            raise ResourceFailed(f"{said}[{','.join(self.returns)}]")

    def _run(self, command: object) -> Done:
        shell = text_of(self._told.get("provider", "posix")) == "shell"
        if isinstance(command, list) and not shell:
            argv = [text_of(each) for each in command]
        else:
            argv = ["/bin/sh", "-c", _shown(command)]
        try:
            return run_program(
                argv,
                timeout=self.timeout,
                cwd=self._text("cwd"),
                env=self._environment(),
                umask=int(self._text("umask") or "-1", 8),
                user=self._text("user"),
                group=self._text("group"),
            )
        except (ProgramFailed, ValueError) as error:
            raise ResourceFailed(str(error)) from None

    def _environment(self) -> dict[str, str]:
        found = {"PATH": os.pathsep.join(self.path)} if self.path else {}
        for each in _list(self._told.get("environment")):
            name, _, value = each.partition("=")
            found[name] = value
        return found

    def _checks(self, name: str) -> list[object]:
        told = self._told.get(name)
        if not told:
            return []
        return list(told) if isinstance(told, list) else [told]

    def _commands(self) -> list[object]:
        return [self.command, *self._checks("unless"), *self._checks("onlyif")]

    def _check(self, command: object) -> None:
        """Hold that a command says which program it means."""
        first = _shown(command).split(" ", 1)[0].strip("'\"")
        shell = text_of(self._told.get("provider", "posix")) == "shell"
        if shell or self.path or first.startswith("/"):
            return
        text = (
            f"'{_shown(command)}' is not qualified and no path was specified. Please "
            "qualify the command or specify a path."
        )
        raise BadResource(text)

    def _text(self, name: str) -> str | None:
        told = self._told.get(name)
        return None if told is None else text_of(told)

    def _number(self, name: str, default: float) -> float:
        told = self._told.get(name, default)
        try:
            found = float(text_of(told))
        except ValueError:
            raise BadResource(f"{name} must be a number, not {told!r}") from None
        return found if found > 0 or name != "timeout" else 86400.0


class _Returns(Property):
    def __init__(self, resource: Exec) -> None:
        listed = ", ".join(f"'{each}'" for each in resource.returns)
        super().__init__("returns", f"[{listed}]")
        self.resource = resource

    def retrieve(self) -> str:
        return "notrun"

    def in_sync(self, current: str) -> bool:
        return bool(self.resource.skipped())

    def sync(self) -> None:
        self.resource.execute(self.resource.command)

    def told(self, current: str) -> str:
        return "executed successfully"

    def failed(self, current: str) -> str:
        return f"change from '{current}' to {self.should} failed"


def _list(value: object, split: str = "") -> list[str]:
    if value is None or value == "":
        return []
    listed = value if isinstance(value, list) else [value]
    found = [text_of(each) for each in listed]
    return [part for each in found for part in each.split(split)] if split else found


def _shown(command: object) -> str:
    if isinstance(command, list):
        return " ".join(text_of(each) for each in command)
    return text_of(command)
