"""Services that read their files again are asked to, and do not end."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest
from site_samples import site

from reseal.errors import StepFailed
from reseal.site.copyfacts import ExtensionFacts
from reseal.site.extension_steps import restart
from reseal.site.facts import ServiceManager
from reseal.site.material import ServiceFacts
from reseal.site.target import Target
from reseal.site.transport import Result, Transport

_QUESTIONS = ("is-active", "launchctl list")


@dataclass
class Manager:
    """A node whose service manager does what it is told, and keeps what that was."""

    active: bool = True
    broken: str = "nothing"
    told: list[str] = field(default_factory=list)
    name: str = "web01"

    async def run(self, script: str, *args: str, **_: object) -> Result:
        if any(word in script for word in _QUESTIONS):
            return Result(0 if self.active else 3, b"", b"")
        if "journalctl" in script:
            return Result(0, b"key values mismatch", b"")
        self.told.append(script)
        return Result(int(self.broken in script), b"", b"no")


def restarted(manager: Manager, kind: ServiceManager = "systemd", **of: Any) -> None:
    """Start the services of a shop anew, of a node with such a service manager."""
    services = (
        ServiceFacts("shop", active=True, enabled=True),
        ServiceFacts("never", active=False, enabled=True),
    )
    shop = ExtensionFacts("shop", "The shop", services, (), **of)
    facts = replace(site(1)[1], service_manager=kind)
    asyncio.run(restart(Target(facts, cast(Transport, manager), "run1"), shop))


def test_a_service_that_reloads_does_not_end() -> None:
    manager = Manager()
    restarted(manager, reload=True)
    assert manager.told == [
        "systemctl reload-or-restart -- shop",
        "systemctl start -- shop",
    ]


def test_one_that_has_ended_since_is_started() -> None:
    manager = Manager(active=False)
    restarted(manager, reload=True)
    assert manager.told == ["systemctl start -- shop"]


def test_any_other_ends_with_what_was_connected_to_it() -> None:
    manager = Manager()
    restarted(manager)
    assert manager.told == ["systemctl stop -- shop", "systemctl start -- shop"]


def test_where_none_can_ask_it_is_started_anew() -> None:
    manager = Manager()
    restarted(manager, "launchd", reload=True)
    stopped, started = manager.told
    assert stopped.startswith("launchctl unload")
    assert started.startswith("launchctl load")


def test_one_that_does_not_take_its_new_files_is_named_with_its_log() -> None:
    with pytest.raises(StepFailed) as caught:
        restarted(Manager(broken="reload"), reload=True)
    assert "key values mismatch" in str(caught.value.hint)
