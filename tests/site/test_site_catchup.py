"""A CA that was at work after its backup is prepared anew, or not installed at all."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import cast

import pytest
from site_samples import ca_host

from reseal.errors import StepFailed
from reseal.site import ca_steps
from reseal.site.ca_steps import Install
from reseal.site.context import Context
from reseal.site.target import Target
from reseal.site.transport import Result, Transport


@dataclass
class Host:
    """The CA's host, whose CA has signed something since its backup."""

    name: str = "puppet.lab.test"
    backup: str = "/var/backups/reseal/run1"
    marks: set[str] = field(default_factory=lambda: {"manifest", "prepared"})
    facts = ca_host()

    @property
    def transport(self) -> Transport:
        return cast(Transport, self)

    async def run(self, script: str, *args: str, **_: object) -> Result:
        if script.startswith("rm -f"):
            self.marks -= {arg.rpartition("/")[2] for arg in args}
            return Result(0, b"", b"")
        return Result(1, b"", b"")

    async def has(self, mark: str) -> bool:
        return mark in self.marks

    async def start(self, service: object) -> None:
        """It runs again."""

    def kept(self, path: str) -> str:
        return f"{self.backup}/tree{path}"

    def setting(self, name: str) -> str:
        return self.facts.settings[name]


class Told:
    def tell(self, step: str, words: str) -> None:
        """Nobody listens."""


@pytest.mark.parametrize("broken", ["Backup", "Prepare"])
def test_what_was_prepared_before_is_never_installed(
    monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    """Whether making the backup or the new CA anew breaks off."""
    host = Host()

    class Good:
        async def do(self, at: Host, run: object) -> None:
            assert "prepared" not in at.marks

    class Bad:
        async def do(self, at: Host, run: object) -> None:
            raise StepFailed("the host is gone")

    for name in ("Backup", "Prepare"):
        monkeypatch.setattr(ca_steps, name, Bad if name == broken else Good)
    with pytest.raises(StepFailed, match="the host is gone"):
        asyncio.run(Install().do(cast(Target, host), cast(Context, Told())))
    assert "prepared" not in host.marks
