"""What reading settings brings to light: faults, warnings, and what goes unused.

Settings stand in many files; whoever reads one notes here what is wrong with it and
reads on, so that an operator is told everything at once.  Guarantee: a setting that
does not do what it says is named in one of the three lists.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from reseal.errors import SettingsError

HINT = "settings are described in docs/reference/server-settings.md"


@dataclass(slots=True)
class Findings:
    """What was found; each text begins with the file and the place in it.

    Attributes:
        faults: With one of these the settings cannot be used.
        warnings: Settings that are unknown, or not obeyed.
        unused: Settings that have no bearing on a CA.
        hint: The way out of a fault, from the first that has one.
    """

    faults: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    unused: list[str] = field(default_factory=list)
    hint: str | None = None

    def fault(self, place: Path | str, text: str, hint: str | None = None) -> None:
        """Note a fault."""
        self.faults.append(f"{place}: {text}")
        self.hint = self.hint or hint

    def take(self, error: SettingsError) -> None:
        """Note what another reader found."""
        subject = str(error).split(": ", 1)[0]
        for fault in error.faults:
            self.fault(subject, fault, error.hint)

    def warn(self, place: Path | str, text: str) -> None:
        """Note a setting that does not do what it says."""
        self.warnings.append(f"{place}: {text}")

    def ignore(self, place: Path | str, text: str) -> None:
        """Note a setting that a CA has no use for."""
        self.unused.append(f"{place}: {text}")

    def check(self) -> None:
        """Raise SettingsError with every fault, if there is one."""
        if self.faults:
            raise SettingsError("settings", self.faults, hint=self.hint or HINT)
