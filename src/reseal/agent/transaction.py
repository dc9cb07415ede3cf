"""Apply the resources of a catalog, in order, with refreshes.

Guarantee: what depends on a resource that failed is not touched; what cannot be applied
here (a type, a parameter) is told and counted as failed, never passed over.

Sources: Puppet 8, `transaction.rb`, `transaction/event_manager.rb`,
`transaction/resource_harness.rb` (messages).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from reseal.agent.catalog import Catalog, Declared
from reseal.agent.clientbucket import ClientBucket
from reseal.agent.host import Host
from reseal.agent.order import RELATIONS, Order, order_of
from reseal.agent.report import Status
from reseal.agent.resources.exec import Exec
from reseal.agent.resources.file import File
from reseal.agent.resources.harness import apply
from reseal.agent.resources.model import (
    BadResource,
    Event,
    Level,
    Log,
    Name,
    Resource,
    ResourceFailed,
    truth_of,
)
from reseal.agent.resources.notify import Notify
from reseal.agent.resources.package import Package
from reseal.agent.resources.service import Service
from reseal.agent.sources import Sources
from reseal.clock import Clock
from reseal.errors import ResealError

_META = frozenset(
    (*RELATIONS, "alias", "audit", "loglevel", "noop", "schedule", "stage", "tag")
)
_PASSED = ("Schedule", "Filebucket")
"""Types that change nothing by themselves."""

Make = Callable[[str, Mapping[str, object]], Resource]


@dataclass
class Transaction:
    """A catalog being applied.

    Attributes:
        catalog: What shall be.
        host: The machine.
        sources: Where files come from.
        bucket: Where what files held before is kept.
        log: Takes what is told.
        clock: The time now.
        noop: Tell only what would be done.
        show_diff: Show how files change.
        stopped: Says whether to go no further.
    """

    catalog: Catalog
    host: Host
    sources: Sources
    bucket: ClientBucket
    log: Log
    clock: Clock
    noop: bool = False
    show_diff: bool = False
    stopped: Callable[[], bool] = lambda: False
    statuses: dict[Name, Status] = field(default_factory=dict)
    _due: dict[Name, list[Name]] = field(default_factory=dict)

    def run(self) -> list[Status]:
        """Apply everything, and return what became of it.

        Raises:
            BadCatalog: The relations make no sense; nothing was applied.
        """
        order = order_of(self.catalog)
        for each in order.resources:
            if self.stopped():
                break
            begun = time.monotonic()
            path = self.catalog.path(each.name)
            status = Status(each, path, self.clock.now())
            self.statuses[each.name] = status
            self._one(each, status, order)
            status.seconds = round(time.monotonic() - begun, 6)
        return list(self.statuses.values())

    def _one(self, each: Declared, status: Status, order: Order) -> None:
        broken = sorted(
            (name for name in order.needs[each.name] if self._has_failed(name)), key=str
        )
        if broken:
            for name in broken:
                text = f"Dependency {name} has failures: true"
                self.log("notice", status.path, text)
            text = "Skipping because of failed dependencies"
            self.log("warning", status.path, text)
            status.skipped = True
            return
        if each.name.kind in _PASSED:
            return
        try:
            resource = self._made(each, status.path)
        except ResealError as error:
            text = f"Could not evaluate: {error}"
            text = each.hide(text)
            self.log("err", status.path, text)
            status.events.append(Event("", "", "", text, "failure"))
            status.failed = True
            return
        noop = self.noop or truth_of(each.parameters.get("noop", False))
        events = apply(resource, status.path, self._hiding(each), noop=noop)
        status.events += [_hidden(event, each) for event in events]
        status.failed = any(e.status == "failure" for e in status.events)
        self._refresh(resource, status, noop=noop)
        if status.restarted or any(e.status != "failure" for e in status.events):
            for name in order.refreshes[each.name]:
                self.log("info", status.path, f"Scheduling refresh of {name}")
                self._due.setdefault(name, []).append(each.name)

    def _refresh(self, resource: Resource, status: Status, *, noop: bool) -> None:
        """Do what changes before this resource call for."""
        due = self._due.pop(resource.name, [])
        started = any(each.name == "ensure" for each in status.events)
        if not due or status.failed or (started and isinstance(resource, Service)):
            return  # a service that is started finds everything before it in place
        many = f"{len(due)} event{'' if len(due) == 1 else 's'}"
        if noop:
            self.log(
                "notice", status.path, f"Would have triggered 'refresh' from {many}"
            )
            return
        try:
            said = resource.refresh()
        except ResourceFailed as error:
            text = status.declared.hide(f"Failed to call refresh: {error}")
            self.log("err", status.path, text)
            status.failed_to_restart = True
            return
        if said:
            self.log("notice", status.path, f"Triggered 'refresh' from {many}")
            status.restarted = True

    def _hiding(self, each: Declared) -> Log:
        """Return the log of a resource, which tells nothing that is secret."""

        def log(level: Level, source: str, message: str) -> None:
            self.log(level, each.hide(source), each.hide(message))

        return log if each.secrets else self.log

    def _has_failed(self, name: Name) -> bool:
        """Say whether a resource failed, or was not touched because another did."""
        status = self.statuses.get(name)
        return status is not None and (status.failed or status.skipped)

    def _made(self, each: Declared, path: str) -> Resource:
        """Return a resource that can be applied; BadResource if there is none."""
        kind, title = each.name.kind, each.name.title
        given = {n: v for n, v in each.parameters.items() if n not in _META}

        tell = self._hiding(each)

        def log(level: Level, source: str, message: str) -> None:
            tell(
                level,
                path + source.removeprefix(str(each.name)) if source else "",
                message,
            )

        if kind == "File":
            shows = self.show_diff and not each.secrets
            return File(
                title, given, self.sources, bucket=self.bucket, log=log, show_diff=shows
            )
        if kind == "Service":
            return Service(title, given, self.host)
        if kind == "Exec":
            return Exec(title, given, log)
        if kind == "Package":
            return Package(title, given, self.host)
        if kind == "Notify":
            return Notify(title, given, log)
        raise BadResource(f"reseal has no type '{kind.lower()}'")


def _hidden(event: Event, each: Declared) -> Event:
    """Return an event that tells nothing that is secret."""
    if not each.secrets:
        return event
    before, wanted = each.hide(event.before), each.hide(event.wanted)
    message = each.hide(event.message)
    return replace(event, before=before, wanted=wanted, message=message)
