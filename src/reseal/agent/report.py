"""What is told of a run: Puppet's report, format 12.

Sources: Puppet 8, `transaction/report.rb`, `resource/status.rb`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypedDict

import yaml

from reseal import __version__
from reseal.agent.catalog import Catalog, Declared
from reseal.agent.resources.model import Event, Level

_FORMAT = 12
_LABELS = {"out_of_sync": "Out of sync", "failed_to_restart": "Failed to restart"}


class Metric(TypedDict):
    """Numbers of one kind; each with its name and its label."""

    name: str
    label: str
    values: list[tuple[str, str, float]]


@dataclass(slots=True)
class Status:
    """What became of a resource.

    Attributes:
        declared: The resource.
        path: Its place, as it is told.
        events: What happened.
        skipped: It was not looked at.
        failed, failed_to_restart, restarted: What went wrong, and what was refreshed.
        seconds: How long it took.
        time: When.
    """

    declared: Declared
    path: str
    time: datetime
    events: list[Event] = field(default_factory=list)
    skipped: bool = False
    failed: bool = False
    failed_to_restart: bool = False
    restarted: bool = False
    seconds: float = 0.0

    @property
    def changed(self) -> bool:
        """Whether something was changed."""
        return any(each.status == "success" for each in self.events)

    @property
    def out_of_sync(self) -> bool:
        """Whether something was not as it shall be."""
        return bool(self.events)


@dataclass(slots=True)
class Report:
    """A run, while it goes on.

    Attributes:
        host: The node.
        time: When it began.
        uuid: Of the run.
        environment: In which it is.
        configured: The environment that the node itself would be in.
        noop: Nothing is changed.
        logs: What was told: level, source, message, time.
        statuses: What became of each resource.
        catalog: What was applied; None if there was none.
        failed: The run as a whole could not be made.
        seconds: What took how long.
        server_used: `HOST:PORT`, of a list; empty without one.
    """

    host: str
    time: datetime
    uuid: str
    environment: str
    configured: str
    noop: bool
    logs: list[tuple[Level, str, str, datetime]] = field(default_factory=list)
    statuses: list[Status] = field(default_factory=list)
    catalog: Catalog | None = None
    failed: bool = False
    seconds: dict[str, float] = field(default_factory=dict)
    server_used: str = ""

    @property
    def status(self) -> str:
        """Puppet's word for the whole."""
        if self.failed or any(s.failed or s.failed_to_restart for s in self.statuses):
            return "failed"
        return "changed" if any(s.changed for s in self.statuses) else "unchanged"

    def exit_code(self) -> int:
        """Return the detailed exit code: 2 for changes, 4 for failures, 6 for both."""
        wrong = any(s.failed or s.failed_to_restart for s in self.statuses)
        changes = any(s.changed for s in self.statuses)
        return (2 if changes else 0) | (4 if wrong else 0)

    def encode(self) -> bytes:
        """Return the document that is sent, in JSON."""
        return _json(self._document())

    def encode_yaml(self) -> bytes:
        """Return the document that is kept, as `lastrunreport`."""
        return _yaml(self._document())

    def encode_summary(self, now: datetime) -> bytes:
        """Return the numbers of the run, as `lastrunfile`; in Puppet's shape.

        Args:
            now: When the run ended, aware.
        """
        told: dict[str, dict[str, object]] = {
            "version": {
                "config": self.catalog.version if self.catalog else None,
                "puppet": f"reseal {__version__}",
            },
            "application": {
                "run_mode": "agent",
                "initial_environment": self.configured,
                "converged_environment": self.environment,
            },
        }
        for name, metric in self._metrics().items():
            told[name] = {key: value for key, _, value in metric["values"]}
        told["time"]["last_run"] = int(now.timestamp())
        return _yaml(told)

    def _document(self) -> dict[str, object]:
        pending = any(e.status == "noop" for s in self.statuses for e in s.events)
        catalog = self.catalog
        told: dict[str, object] = {
            "host": self.host,
            "time": self.time.isoformat(),
            "configuration_version": catalog.version if catalog else None,
            "transaction_uuid": self.uuid,
            "report_format": _FORMAT,
            "puppet_version": f"reseal {__version__}",
            "status": self.status,
            "transaction_completed": not self.failed,
            "noop": self.noop,
            "noop_pending": pending,
            "environment": self.environment,
            "logs": [_log(*each) for each in self.logs],
            "metrics": self._metrics(),
            "resource_statuses": {
                str(s.declared.name): _status(s) for s in self.statuses
            },
            "corrective_change": False,
            "catalog_uuid": catalog.uuid if catalog else None,
            "cached_catalog_status": "not_used",
        }
        if self.server_used:
            told["server_used"] = self.server_used
        return told

    def _metrics(self) -> dict[str, Metric]:
        found = self.statuses
        counts = {
            "total": len(found),
            "skipped": sum(s.skipped for s in found),
            "failed": sum(s.failed for s in found),
            "failed_to_restart": sum(s.failed_to_restart for s in found),
            "restarted": sum(s.restarted for s in found),
            "changed": sum(s.changed for s in found),
            "out_of_sync": sum(s.out_of_sync for s in found),
            "scheduled": 0,
            "corrective_change": 0,
        }
        events = [e for s in found for e in s.events]
        by = {
            name: sum(e.status == name for e in events)
            for name in ("success", "failure")
        }
        return {
            "resources": _metric("resources", counts),
            "time": _metric(
                "time", {**self.seconds, "total": sum(self.seconds.values())}
            ),
            "changes": _metric("changes", {"total": by["success"]}),
            "events": _metric("events", {"total": len(events), **by}),
        }


def _metric(name: str, values: dict[str, float] | dict[str, int]) -> Metric:
    rows = [(key, _label(key), value) for key, value in values.items()]
    return {"name": name, "label": _label(name), "values": rows}


def _json(told: object) -> bytes:
    return json.dumps(told, ensure_ascii=False).encode("utf-8", "replace")


def _yaml(told: object) -> bytes:
    plain = json.loads(_json(told))  # text of a catalog may not be Unicode's
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    found: bytes = yaml.dump(
        plain, Dumper=dumper, sort_keys=False, explicit_start=True, encoding="utf-8"
    )
    return found


def _label(key: str) -> str:
    return _LABELS.get(key, key.replace("_", " ").capitalize())


def _log(level: Level, source: str, message: str, time: datetime) -> dict[str, object]:
    return {
        "level": level,
        "message": message,
        "source": source or "Puppet",
        "tags": [level],
        "time": time.isoformat(),
        "file": None,
        "line": None,
    }


def _status(status: Status) -> dict[str, object]:
    name = status.declared.name
    return {
        "title": name.title,
        "file": status.declared.file or None,
        "line": status.declared.line or None,
        "resource": str(name),
        "resource_type": name.kind,
        "provider_used": None,
        "containment_path": status.path.strip("/").split("/"),
        "evaluation_time": status.seconds,
        "tags": list(status.declared.tags),
        "time": status.time.isoformat(),
        "failed": status.failed,
        "failed_to_restart": status.failed_to_restart,
        "changed": status.changed,
        "out_of_sync": status.out_of_sync,
        "skipped": status.skipped,
        "change_count": sum(e.status == "success" for e in status.events),
        "out_of_sync_count": len(status.events),
        "events": list(_events(status.events, status.time)),
        "corrective_change": False,
    }


def _events(events: Iterable[Event], time: datetime) -> Iterable[dict[str, object]]:
    for each in events:
        yield {
            "audited": False,
            "property": each.name,
            "previous_value": each.before,
            "desired_value": each.wanted,
            "historical_value": None,
            "message": each.message,
            "name": f"{each.name}_changed",
            "status": each.status,
            "time": time.isoformat(),
            "redacted": None,
            "corrective_change": False,
        }
