"""A run's directory on the operator's machine: plan, journal, new CA, report.

Guarantee: nothing secret lies here; whoever reads it learns names, times and
public certificates.  Only one process at a time works on a run.  A run's directory
is whole, with a plan that can be read back, or it is not there.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError

from reseal.errors import JournalError, NotFound
from reseal.files import read, remove, replace
from reseal.site.journal import sync_directory
from reseal.site.plan import Plan
from reseal.site.roster import Roster

_PLAN = TypeAdapter(Plan)
_ROSTER = TypeAdapter(Roster)
PLAN, ROSTER, JOURNAL = "plan.json", "roster.json", "journal.jsonl"
REPORT, PAGE = "report.json", "report.html"
BUNDLE, CRLS = "ca_crt.pem", "ca_crl.pem"
_RUN = re.compile(r"[0-9A-Za-z][0-9A-Za-z-]*")
"""A run's name: it becomes a path and an argument of shell scripts."""


def runs_directory() -> Path:
    """Return where runs are kept: /var/lib/reseal/runs for root, else XDG's state."""
    if given := os.environ.get("RESEAL_RUNS"):
        return Path(given)
    if os.geteuid() == 0:
        return Path("/var/lib/reseal/runs")
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "reseal" / "runs"


def dump_plan(plan: Plan) -> bytes:
    """Return a plan as JSON.

    Raises:
        JournalError: It holds what JSON cannot say.
    """
    try:
        return _PLAN.dump_json(plan, indent=2) + b"\n"
    except PydanticSerializationError as error:
        raise JournalError(f"{plan.run}: cannot be written: {error}") from None


def parse_plan(data: bytes, name: str) -> Plan:
    """Return the plan in `data`.

    Raises:
        JournalError: `name`, the file it came from, is no plan of this version.
    """
    hint = "make a new one: reseal site plan"
    try:
        plan = _PLAN.validate_json(data, strict=False)
    except ValidationError as error:
        fault = error.errors()[0]
        where = ".".join(str(part) for part in fault["loc"])
        raise JournalError(
            f"{name}: not a plan: {where}: {fault['msg'].lower()}", hint=hint
        ) from None
    if not _RUN.fullmatch(plan.run):
        raise JournalError(f"{name}: not a plan: {plan.run!r} names no run", hint=hint)
    return plan


def _readable(plan: Plan) -> bytes:
    """Return a plan as JSON that was read back.

    Raises:
        JournalError: What is read back is no plan, or another one.
    """
    data = dump_plan(plan)
    if parse_plan(data, plan.run) != plan:
        raise JournalError(f"{plan.run}: reads back as another plan")
    return data


@dataclass(frozen=True, slots=True)
class RunDirectory:
    """The files of one run under `path`."""

    path: Path

    @classmethod
    def create(cls, parent: Path, plan: Plan, roster: Roster) -> RunDirectory:
        """Make the directory of a new run and keep its plan and roster there.

        Raises:
            JournalError: There is a run of that name already, or its plan cannot be
                read back.
        """
        path, data = parent / plan.run, _readable(plan)
        try:
            parent.mkdir(parents=True, exist_ok=True)
            fresh = Path(tempfile.mkdtemp(prefix=".new-", dir=parent))
        except OSError as error:
            hint = "choose another directory: --runs, or RESEAL_RUNS"
            raise JournalError(f"{path}: {error.strerror}", hint=hint) from error
        try:
            replace(fresh / ROSTER, _ROSTER.dump_json(roster, indent=2), mode=0o600)
            replace(fresh / PLAN, data, mode=0o600)
            fresh.rename(path)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise JournalError(f"{path}: {error.strerror}") from error
            hint = f"go on with it: reseal site resume {plan.run}"
            raise JournalError(
                f"{plan.run}: this plan has been begun", hint=hint
            ) from None
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
        sync_directory(parent)
        return cls(path)

    @classmethod
    def find(cls, parent: Path, run: str | None) -> RunDirectory:
        """Return the directory of `run`, or of the latest run.

        Raises:
            JournalError: There is no such run.
        """
        found = (path.parent.name for path in parent.glob(f"*/{PLAN}"))
        names = sorted(name for name in found if _RUN.fullmatch(name))
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
