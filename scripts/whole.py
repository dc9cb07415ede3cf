"""Hold that a test report is whole: whole.py REPORT SUITE…

A suite is a directory of tests.  Each must have run, and nothing may have been
skipped, have failed as expected, or have failed.  pytest counts a skipped test as
a success; here it is none.

Sources: pytest, `--junitxml` (the JUnit XML format; xfail is `skipped` there).
"""

from __future__ import annotations

import sys
from collections import Counter
from xml.etree import ElementTree


def faults(report: str, suites: list[str]) -> list[str]:
    """Return what is wrong with the report, one line for each fault."""
    found = []
    ran: Counter[str] = Counter()
    # The report is our own: nobody else writes it.
    for case in ElementTree.parse(report).iter("testcase"):  # noqa: S314
        name = case.get("classname", "").replace(".", "/")
        ran.update(suite for suite in suites if f"{name}/".startswith(f"{suite}/"))
        for kind in ("skipped", "failure", "error"):
            if case.find(kind) is not None:
                found.append(f"{kind}: {name}::{case.get('name')}")
    found += [f"no test ran: {suite}" for suite in suites if not ran[suite]]
    counts = ", ".join(f"{suite} {ran[suite]}" for suite in suites)
    print(f"{report}: {counts}; {len(found)} faults")
    return found


def main() -> int:
    """Print the faults and return the exit code: 1 if there is one."""
    found = faults(sys.argv[1], sys.argv[2:])
    print("\n".join(found), end="\n" if found else "", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
