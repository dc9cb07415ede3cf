"""Record what a real Puppet Server answers: `lab run python -m differential.record N`.

Run in tests/server with a site up (`lab up --agents 1 --release bookworm` for 7,
`trixie` for 8) and its agents' services stopped.  Writes tests/data/server/N.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from .cases import scenarios
from .configurations import CONFIGURATIONS
from .driver import drive_all
from .model import Configuration
from .normalise import Answer
from .theirs import set_up, target, wait

RECORDED = Path(__file__).parents[2] / "data" / "server"


def on(script: str) -> str:
    """Run a script on the host `puppet`."""
    config = os.environ["LAB_SSH_CONFIG"]
    command = ["ssh", "-F", config, "puppet", "bash -s"]
    done = subprocess.run(command, input=script, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{script}\n{done.stderr}")
    return done.stdout


def write(version: int, name: str, answers: dict[str, Answer]) -> None:
    """Write the answers of one configuration, a case in each line."""
    path = RECORDED / str(version) / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [f"{json.dumps(k)}: {json.dumps(v)}" for k, v in answers.items()]
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")


def read(version: int, name: str) -> dict[str, Answer]:
    """Return the recorded answers of one configuration."""
    found: dict[str, Answer] = json.loads(
        (RECORDED / str(version) / f"{name}.json").read_text()
    )
    return found


def answers_of(configuration: Configuration, version: int) -> dict[str, Answer]:
    """Set the site's server up, and return what it answers."""
    address = on("hostname -I").split()[0]
    set_up(on, configuration, version)
    wait(address)
    aim = target(on, configuration, address)
    return drive_all(aim, scenarios(configuration.name, version))


def main(version: int, only: list[str]) -> None:
    for configuration in CONFIGURATIONS:
        if only and configuration.name not in only:
            continue
        write(version, configuration.name, answers_of(configuration, version))
        print(configuration.name, "is recorded", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
