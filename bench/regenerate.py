"""reseal beside the documented procedure by hand, on the same site of the lab.

For each site: raise it, save it, carry out the procedure by hand (`lab
regenerate-by-hand`: commands only, nobody reads or types between them), put the
site back, let `reseal site regenerate` do it, proof included, and hold that every
agent runs.  Prints both times, their ratio, and where reseal's time went.

Run as root on Debian: python bench/regenerate.py [RELEASE:AGENTS…]
The exit status is 1 when a ratio misses its goal.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[1]
SITES = ("bookworm:3", "bookworm:10")
RESEAL = (sys.executable, "-m", "reseal")
ENVIRONMENT = {**os.environ, "LAB_NAME": f"bench{os.getpid()}", "LAB_NET": "10.91.0"}


def goal(agents: int) -> float:
    """Return the part of the time by hand that reseal may take."""
    return 1 / 3 if agents >= 10 else 1 / 2


def lab(*words: str) -> tuple[str, float]:
    """Run a command of the lab; return what it printed and its seconds."""
    begun = time.monotonic()
    done = subprocess.run(
        [PROJECT / "lab/lab", *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
    )
    if done.returncode != 0:
        sys.exit(f"lab {' '.join(words)}: {done.stdout}{done.stderr}")
    return done.stdout, time.monotonic() - begun


def by_hand() -> float:
    """Carry out the procedure by hand; print its steps and return its seconds."""
    load = os.getloadavg()[0]
    steps, seconds = lab("regenerate-by-hand")
    print(steps, end="")
    print(f"by hand: {seconds:.1f} s (load before: {load:.1f})\n", flush=True)
    return seconds


def with_reseal(directory: Path) -> float:
    """Let reseal do it; print where the time went and return its seconds."""
    site = directory / "site.toml"
    site.write_text(lab("site-file")[0])
    runs = ("--runs", str(directory / "runs"))
    load = os.getloadavg()[0]
    words = ("site", "regenerate", "--site", str(site), *runs, "--yes", "--json")
    told, seconds = lab("run", *RESEAL, *words)
    report = json.loads(told)
    spent(report, seconds)
    print(f"reseal: {seconds:.1f} s (load before: {load:.1f})\n", flush=True)
    return seconds


def spent(report: dict[str, Any], seconds: float) -> None:
    """Print the wall time of each phase and its longest steps."""
    bars: list[dict[str, Any]] = report["timeline"]
    for phase in dict.fromkeys(bar["phase"] for bar in bars):
        mine = [bar for bar in bars if bar["phase"] == phase]
        print(f"{length(mine):7.1f}s  {phase}")
        longest = sorted(mine, key=lambda bar: bar["start"] - bar["end"])[:5]
        for bar in longest:
            taken = bar["end"] - bar["start"]
            print(f"{'':9}{taken:7.1f}s  {bar['node']}: {bar['title']}")
    print(f"{seconds - length(bars):7.1f}s  before and after: survey, start, proof")


def length(bars: Iterable[dict[str, Any]]) -> float:
    """Return the seconds from the first begin to the last end."""
    some = list(bars)
    if not some:
        return 0
    return float(max(b["end"] for b in some) - min(b["start"] for b in some))


def measure(release: str, agents: int) -> float:
    """Raise one site, regenerate it both ways and return the ratio."""
    print(f"== {release}, {agents} agents", flush=True)
    lab("down")
    lab("up", "--release", release, "--agents", str(agents))
    lab("check")
    lab("snapshot", "before")
    hand = by_hand()
    lab("check")
    lab("restore", "before")
    lab("check")
    with tempfile.TemporaryDirectory() as directory:
        ours = with_reseal(Path(directory))
    print(lab("check")[0])
    return ours / hand


def main() -> int:
    """Measure every site named; return 1 if a goal was missed."""
    rows = []
    for name in sys.argv[1:] or SITES:
        release, _, agents = name.partition(":")
        try:
            ratio = measure(release, int(agents))
        finally:
            lab("down")
        rows.append((name, ratio, goal(int(agents))))
    for name, ratio, most in rows:
        verdict = "ok" if ratio <= most else "MISSED"
        print(f"{name:14} reseal / by hand = {ratio:.2f}, goal {most:.2f}: {verdict}")
    return int(any(ratio > most for _, ratio, most in rows))


if __name__ == "__main__":
    sys.exit(main())
