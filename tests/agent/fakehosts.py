"""Hosts that answer from a table, or as a small systemd or SysV does."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from reseal.agent.host import LONGEST, Done, ProgramFailed


@dataclass
class TableHost:
    """A host whose programs say what a transcript says, in its order.

    Attributes:
        answers: Command lines, each with what it says the next times it is run.
        files: Path to text.
        platform: As `sys.platform`.
    """

    answers: dict[str, list[Done]]
    files: dict[str, str] = field(default_factory=dict)
    platform: str = "linux"
    ran: list[str] = field(default_factory=list)

    def run(self, argv: Sequence[str], *, timeout: float = LONGEST) -> Done:
        line = " ".join(argv)
        self.ran.append(line)
        if line not in self.answers:
            raise ProgramFailed(
                f"Could not execute {argv[0]}: no such transcript: {line}"
            )
        found = self.answers[line]
        return found.pop(0) if len(found) > 1 else found[0]

    def read(self, path: str) -> str | None:
        return self.files.get(path)

    def names(self, directory: str) -> list[str]:
        begin = directory.rstrip("/") + "/"
        found = {
            p[len(begin) :].partition("/")[0] for p in self.files if p.startswith(begin)
        }
        return sorted(found)

    def is_program(self, path: str) -> bool:
        return path in self.files


def transcript(path: Path) -> dict[str, list[Done]]:
    """Read `$ COMMAND`, what it printed, `= STATUS`."""
    found: dict[str, list[Done]] = {}
    for block in re.split(r"^\$ ", path.read_text(), flags=re.MULTILINE)[1:]:
        command, _, rest = block.partition("\n")
        output, status = re.split(r"^= ", rest, flags=re.MULTILINE)
        found.setdefault(command, []).append(Done(int(status), output))
    return found


@dataclass
class SystemdHost(TableHost):
    """A systemd with some units: `on` can be started, `bad` cannot."""

    answers: dict[str, list[Done]] = field(default_factory=dict)
    active: set[str] = field(default_factory=set)
    enabled: set[str] = field(default_factory=set)
    units: tuple[str, ...] = ("t-good", "t-bad", "t-oneshot", "t-static", "t-inst@one")
    masked: set[str] = field(default_factory=lambda: {"t-masked"})

    def __post_init__(self) -> None:
        self.files |= {"/proc/1/comm": "systemd\n", "/etc/os-release": "ID=debian\n"}

    def run(self, argv: Sequence[str], *, timeout: float = LONGEST) -> Done:
        self.ran.append(" ".join(argv))
        if argv[0] == "journalctl":
            return Done(0, "-- No entries --\n")
        assert argv[0] == "systemctl"
        unit = argv[-1].removesuffix(".service")
        return getattr(self, "_" + argv[1].replace("-", "_"))(unit)  # type: ignore[no-any-return]

    def _is_active(self, unit: str) -> Done:
        on = unit in self.active or unit == "multi-user.target"
        return Done(0 if on else 3, "active\n" if on else "inactive\n")

    def _is_enabled(self, unit: str) -> Done:
        if unit in self.masked:
            return Done(1, "masked\n")
        if unit in ("t-static", "multi-user.target"):
            return Done(0, "static\n")
        if unit not in self.units:
            return Done(1, "Failed to get unit file state: No such file\n")
        on = unit in self.enabled
        return Done(0 if on else 1, "enabled\n" if on else "disabled\n")

    def _start(self, unit: str) -> Done:
        if unit not in self.units or unit == "t-bad":
            return Done(1, "Job failed\n")
        self.active.add(unit)
        return Done(0, "")

    def _stop(self, unit: str) -> Done:
        self.active.discard(unit)
        return Done(0, "")

    def _enable(self, unit: str) -> Done:
        if unit not in self.units:
            return Done(1, "Failed to enable unit\n")
        self.enabled.add(unit)
        return Done(0, "")

    def _disable(self, unit: str) -> Done:
        self.enabled.discard(unit)
        return Done(0, "")

    def _mask(self, unit: str) -> Done:
        # Its file is where the link would be, as with every unit of an operator's.
        return Done(1, "Failed to mask unit: File exists\n")

    def _unmask(self, unit: str) -> Done:
        self.masked.discard(unit)
        return Done(0, "")

    def _cat(self, unit: str) -> Done:
        return Done(0 if unit in self.units else 1, "")

    def _show(self, unit: str) -> Done:
        return Done(0, "NeedDaemonReload=no\n")


@dataclass
class SysvHost(TableHost):
    """A Debian without systemd, with two scripts."""

    answers: dict[str, list[Done]] = field(default_factory=dict)
    active: set[str] = field(default_factory=set)
    enabled: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.files |= {
            "/proc/1/comm": "init\n",
            "/usr/sbin/update-rc.d": "",
            "/etc/init.d/t-good": "",
            "/etc/init.d/t-bad": "",
            "/etc/os-release": "ID=debian\n",
        }

    def run(self, argv: Sequence[str], *, timeout: float = LONGEST) -> Done:
        self.ran.append(" ".join(argv))
        program, words = argv[0].rpartition("/")[2], list(argv[1:])
        if program == "service":
            return Done(0 if words[0] in self.active else 3, "")
        if program == "invoke-rc.d":
            return Done(104 if words[2] in self.enabled else 101, "")
        if program == "update-rc.d":
            return self._update(words)
        if words == ["start"]:
            if program == "t-bad":
                return Done(7, "no way\n")
            self.active.add(program)
        else:
            self.active.discard(program)
        return Done(0, "")

    def _update(self, words: list[str]) -> Done:
        name = words[1] if words[0] == "-f" else words[0]
        if words[-1] == "remove":
            self.enabled.discard(name)
            return Done(0, "")
        if f"/etc/init.d/{name}" not in self.files:
            said = f"update-rc.d: error: unable to read /etc/init.d/{name}\n"
            return Done(1, said)
        if words[-1] == "disable":
            self.enabled.discard(name)
        else:
            self.enabled.add(name)
        return Done(0, "")
