"""Ask a real Puppet Server and reseal the same, now: `python -m differential.live N`.

Run as `record` is.  Prints each difference that is no betterment, and each answer that
is not the recorded one; the exit code is 1 if there is any.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from .betterments import explained
from .cases import scenarios
from .configurations import CONFIGURATIONS
from .driver import drive_all
from .model import Configuration
from .normalise import Answer
from .ours import serving
from .record import answers_of, read


def main(version: int, only: list[str]) -> int:
    faults = 0
    for configuration in CONFIGURATIONS:
        if only and configuration.name not in only:
            continue
        theirs = answers_of(configuration, version)
        ours = of_reseal(configuration, version)
        for fault in compare(version, configuration, theirs, ours):
            print(fault)
            faults += 1
        print(f"{configuration.name}: {len(theirs)} requests", flush=True)
    return 1 if faults else 0


def of_reseal(configuration: Configuration, version: int) -> dict[str, Answer]:
    """Return what reseal answers in a configuration."""
    with (
        tempfile.TemporaryDirectory() as root,
        serving(configuration, version, Path(root)) as aim,
    ):
        return drive_all(aim, scenarios(configuration.name, version))


def compare(
    version: int,
    configuration: Configuration,
    theirs: dict[str, Answer],
    ours: dict[str, Answer],
) -> Iterator[str]:
    """Yield what is not as it is recorded, or as a betterment explains it."""
    recorded = read(version, configuration.name)
    for case in sorted({*theirs, *ours, *recorded}):
        one, other = theirs.get(case, {}), ours.get(case, {})
        if not explained(version, case, one, other):
            yield f"{case}: Puppet Server: {one}\n  reseal: {other}"
        if one != recorded.get(case):
            yield f"{case}: Puppet Server: {one}\n  recorded: {recorded.get(case)}"


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))
