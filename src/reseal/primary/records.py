"""What a primary server keeps of its nodes: facts, and the newest reports.

A directory for each node; a report's name begins with the time of its arrival, so
that names sort as reports came.  Guarantee: a file is whole; of each node only so
many reports are kept; a disk that is nearly full takes nothing more.

Layout:
    facts/NAME.json              the facts that came last, as the node sent them
    reports/NAME/TIME-N-RUN.json a report, as the node sent it; N from 000 in a second
    bucket/                      see `bucket`
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reseal import files, folders
from reseal.certname import Certname
from reseal.clock import Clock
from reseal.errors import InvalidCertname, NotFound, StoreCorrupt
from reseal.locks import locked
from reseal.primary.answers import Refused, dumped

MODE, DIRECTORY = 0o640, 0o750
_TIME = "%Y%m%dT%H%M%SZ"
_RUN = re.compile(r"[0-9a-fA-F-]{1,64}")


@dataclass(frozen=True, slots=True)
class Records:
    """The directory of a primary server.

    Attributes:
        root: Where it is; made when something is kept.
        kept: How many reports of each node.
        free_space: Bytes of the disk that stay free.
        clock: The time now.
    """

    root: Path
    kept: int
    free_space: int
    clock: Clock

    def room_for(self, size: int) -> None:
        """Hold that the disk has room.

        Raises:
            Refused: 507, it has not.
        """
        if shutil.disk_usage(self.root).free - size < self.free_space:
            raise Refused(507, "the server's disk is nearly full; nothing is kept")

    def make(self, *names: str) -> Path:
        """Return a directory below the root, made with those above it."""
        directory = self.root
        files.make_directory(directory, mode=DIRECTORY)
        for name in names:
            directory /= name
            files.make_directory(directory, mode=DIRECTORY)
        return directory

    def keep_facts(self, certname: Certname, facts: dict[str, Any]) -> None:
        """Keep a node's facts in the place of older ones."""
        directory, data = self.make("facts"), dumped(facts)
        self.room_for(len(data))
        files.replace(directory / f"{certname}.json", data, mode=MODE)

    def facts(self, certname: Certname) -> dict[str, Any]:
        """Return a node's facts; NotFound without them."""
        return _read(self.root / f"facts/{certname}.json")

    def keep_report(self, certname: Certname, report: dict[str, Any]) -> None:
        """Keep a node's report, and let the oldest go."""
        directory, data = self.make("reports", certname), dumped(report)
        self.room_for(len(data))
        run = str(report.get("transaction_uuid", ""))
        moment = self.clock.now().strftime(_TIME)
        with locked(directory):
            there = folders.names_in(directory, ".json")
            same = [n for n in there if n.startswith(moment)]
            number = int(same[-1].split("-")[1]) + 1 if same else 0
            name = f"{moment}-{number:03}-{run if _RUN.fullmatch(run) else 'unknown'}"
            files.replace(directory / f"{name}.json", data, mode=MODE)
        for old in [*there, name][: -self.kept]:
            (directory / f"{old}.json").unlink(missing_ok=True)

    def nodes(self) -> list[Certname]:
        """Return the nodes of which there are reports, sorted."""
        found: list[Certname] = []
        for name in folders.names_in(self.root / "reports", ""):
            with contextlib.suppress(InvalidCertname):
                found.append(Certname(name))
        return found

    def reports(self, certname: Certname) -> list[str]:
        """Return the names of a node's reports, the newest last."""
        return folders.names_in(self.root / "reports" / certname, ".json")

    def report(self, certname: Certname, name: str) -> dict[str, Any]:
        """Return a report.

        Raises:
            NotFound: There is none of that name.
            StoreCorrupt: It is no report.
        """
        if name not in self.reports(certname):
            raise NotFound(f"{certname}: has no report {name}")
        return _read(self.root / "reports" / certname / f"{name}.json")


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(files.read(path))
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise StoreCorrupt(f"{path}: is no JSON document of a node")
    return found
