"""A run's directory on the operator's machine: plan, journal, new CA, report.

Guarantee: nothing secret lies here; whoever reads it learns names, times and
public certificates.  Only one process at a time works on a run.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from reseal.errors import JournalError, NotFound
from reseal.files import read, remove, replace
from reseal.site.plan import Plan
from reseal.site.roster import Roster

_PLAN = TypeAdapter(Plan)
_ROSTER = TypeAdapter(Roster)
PLAN, ROSTER, JOURNAL = "plan.json", "roster.json", "journal.jsonl"
REPORT, PAGE = "report.json", "report.html"
BUNDLE, CRLS = "ca_crt.pem", "ca_crl.pem"


def runs_directory() -> Path:
    """Return where runs are kept: /var/lib/reseal/runs for root, else XDG's state."""
    if given := os.environ.get("RESEAL_RUNS"):
        return Path(given)
    if os.geteuid() == 0:
        return Path("/var/lib/reseal/runs")
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "reseal" / "runs"


def dump_plan(plan: Plan) -> bytes:
    """Return a plan as JSON."""
    return _PLAN.dump_json(plan, indent=2) + b"\n"


def parse_plan(data: bytes, name: str) -> Plan:
    """Return the plan in `data`.

    Raises:
        JournalError: `name`, the file it came from, is no plan of this version.
    """
    try:
        return _PLAN.validate_json(data, strict=False)
    except ValidationError as error:
        fault = error.errors()[0]
        where = ".".join(str(part) for part in fault["loc"])
        hint = "make a new one: reseal site plan"
        raise JournalError(
            f"{name}: not a plan: {where}: {fault['msg'].lower()}", hint=hint
        ) from None


@dataclass(frozen=True, slots=True)
class RunDirectory:
    """The files of one run under `path`."""

    path: Path

    @classmethod
    def create(cls, parent: Path, plan: Plan, roster: Roster) -> RunDirectory:
        """Make the directory of a new run and keep its plan and roster there.

        Raises:
            JournalError: There is a run of that name already.
        """
        path = parent / plan.run
        try:
            path.mkdir(parents=True, mode=0o700)
        except FileExistsError:
            hint = f"go on with it: reseal site resume {plan.run}"
            raise JournalError(
                f"{plan.run}: this plan has been begun", hint=hint
            ) from None
        except OSError as error:
            hint = "choose another directory: --runs, or RESEAL_RUNS"
            raise JournalError(f"{path}: {error.strerror}", hint=hint) from error
        replace(path / ROSTER, _ROSTER.dump_json(roster, indent=2), mode=0o600)
        replace(path / PLAN, dump_plan(plan), mode=0o600)
        return cls(path)

    @classmethod
    def find(cls, parent: Path, run: str | None) -> RunDirectory:
        """Return the directory of `run`, or of the latest run.

        Raises:
            JournalError: There is no such run.
        """
        names = sorted(p.parent.name for p in parent.glob(f"*/{PLAN}"))
        name = run or (names[-1] if names else None)
        if name is None or name not in names:
            known = f"known runs: {', '.join(names)}" if names else None
            what = f"{run}: no such run" if run else "no run"
            raise JournalError(f"{what} in {parent}", hint=known)
        return cls(parent / name)

    def plan(self) -> Plan:
        """Return the run's plan."""
        path = self.path / PLAN
        return parse_plan(read(path), str(path))

    def roster(self) -> Roster:
        """Return how the run's nodes are reached."""
        return _ROSTER.validate_json(read(self.path / ROSTER))

    def keep(self, name: str, data: bytes) -> None:
        """Keep a public file of the run."""
        replace(self.path / name, data, mode=0o600)

    def kept(self, name: str) -> bytes | None:
        """Return a kept file; None when there is none yet."""
        try:
            return read(self.path / name)
        except NotFound:
            return None

    def forget(self, name: str) -> None:
        """Remove a kept file, if it is there."""
        remove(self.path / name)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the run against other processes.

        Raises:
            JournalError: Another process works on it.
        """
        with (self.path / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                hint = "wait for it: reseal site status"
                raise JournalError(
                    f"{self.path.name}: another process works on this run", hint=hint
                ) from None
            yield
