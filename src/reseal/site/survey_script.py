"""The scripts that look at a node, and the sections they print.

Guarantee: a script is the tables of `platform.py` followed by files of `node/`; it
writes nothing on the node.  A section ends where the next begins, and the mark
between them is random and in no argument, so that no file's text can pass for one.

Sources: POSIX.1-2017 Shell and Utilities; `platform.py`.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from importlib.resources import files
from shlex import quote

from reseal.errors import ParseError
from reseal.site.facts import BACKUPS
from reseal.site.platform import (
    AGENT_SERVICES,
    MANAGERS,
    OPENVOX_MARKS,
    OUR_AGENT,
    OUR_COMMANDS,
    PE_MARKS,
    PUPPET_COMMANDS,
    RUBIES,
    SERVER_CONFIGS,
    SERVERS,
    Manager,
)
from reseal.site.transport import Transport, check

_DIGITS = 15
_UNKNOWN = "return 44"
_ARGUMENT = '"$1"'
_NONE = Manager(start="", stop="", status="", enabled="", known="false")


@dataclass(frozen=True, slots=True)
class Sections:
    """What a script printed, by the names of its sections."""

    found: dict[str, bytes]

    def has(self, name: str) -> bool:
        """Tell whether the section is there, be it empty."""
        return name in self.found

    def data(self, name: str) -> bytes:
        """Return a section as it was printed; empty without it."""
        return self.found.get(name, b"")

    def text(self, name: str) -> str:
        """Return a section as text without blanks around it or control characters."""
        return printable(self.data(name).decode(errors="replace").strip())

    def lines(self, name: str) -> tuple[str, ...]:
        """Return the lines of a section."""
        text = self.text(name)
        return tuple(line.rstrip("\r") for line in text.split("\n")) if text else ()

    def rows(self, name: str) -> tuple[tuple[str, ...], ...]:
        """Return the words of each line of a section."""
        return tuple(tuple(line.split()) for line in self.lines(name) if line)

    def number(self, name: str, *, line: int = 0) -> int:
        """Return a line of a section as a number; 0 where it is none.

        Raises:
            ParseError: The number is larger than anything that is counted there.
        """
        lines = self.lines(name)
        text = lines[line] if line < len(lines) else ""
        if len(text) > _DIGITS:
            raise ParseError(f"{name}: {text[:20]}… is no number of this world")
        return int(text) if text.isdecimal() else 0

    def settings(self) -> dict[str, str]:
        """Return the settings of section `config`: `puppet config print`."""
        pairs = (line.partition(" = ") for line in self.lines("config"))
        return {name: value for name, mark, value in pairs if mark}


def printable(text: str) -> str:
    """Return text that no terminal obeys, whatever a node has put into it."""
    return "".join(c if c.isprintable() or c in "\n\r\t" else "\ufffd" for c in text)


NO_EXTENSIONS = "extensions() { :; }\n"


async def look(
    transport: Transport, what: str, *args: str, more: str = NO_EXTENSIONS
) -> Sections:
    """Run one of the scripts of `node/` and return its sections.

    Args:
        transport: The way to the node.
        what: `agent`, `server` or `copies`.
        args: What the script takes.
        more: Shell functions that it calls.

    Raises:
        TransportError: The node cannot be reached, or the script ended early.
    """
    mark = secrets.token_hex(16)
    script = tables() + source("survey_common.sh") + more + source(f"survey_{what}.sh")
    words = source("public_keys.rb"), *args
    printed = await check(transport, script, *words, stdin=f"{mark}\n".encode())
    return split(printed, mark)


def split(printed: bytes, mark: str) -> Sections:
    """Take apart what a script printed."""
    parts = printed.split(b"\n" + mark.encode() + b" ")[1:]
    named = (part.partition(b"\n") for part in parts)
    return Sections({name.decode(errors="replace"): data for name, _, data in named})


def tables() -> str:
    """Return the tables of `platform.py` as shell variables and functions."""
    words = {
        "puppet_commands": PUPPET_COMMANDS,
        "agent_services": AGENT_SERVICES,
        "our_agent": (OUR_AGENT,),
        "our_commands": OUR_COMMANDS,
        "server_services": tuple(server.service for server in SERVERS),
        "pe_marks": PE_MARKS,
        "openvox_marks": OPENVOX_MARKS,
        "server_configs": SERVER_CONFIGS,
        "backup_parent": (BACKUPS,),
    }
    lines = [f"{name}={quote(' '.join(values))}" for name, values in words.items()]
    lines += ["rubies() {", 'case "$1" in']
    lines += [f"{path}) echo {quote(' '.join(r))} ;;" for path, r in RUBIES.items()]
    lines += ["esac", "}", "define_manager() {", 'case "$1" in']
    for name, manager in MANAGERS.items():
        lines += [f"{name})", *_functions(manager), ";;"]
    lines += ["*)", *_functions(_NONE), ";;", "esac", "}"]
    return "\n".join(lines) + "\n"


def _functions(manager: Manager) -> list[str]:
    """Return what tells of a service, as functions of one argument."""
    commands = {
        "known": manager.known,
        "status": manager.status,
        "enabled": manager.enabled,
    }
    return [
        f"{verb}() {{ {(command or _UNKNOWN).replace('{}', _ARGUMENT)}; }}"
        for verb, command in commands.items()
    ]


def source(name: str) -> str:
    """Return the text of a file of `node/`."""
    return (files("reseal.site") / "node" / name).read_text()
