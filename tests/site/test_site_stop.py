"""An agent or server that does not run is found stopped: a look at the node tells."""

from __future__ import annotations

import asyncio
import os
import subprocess
from pathlib import Path
from typing import cast

import pytest
from site_samples import ca_host, node
from sshnode import program

from reseal.site.agent_steps import StopAgent
from reseal.site.context import Context
from reseal.site.facts import NodeFacts
from reseal.site.server_steps import StopServer
from reseal.site.steps import Act
from reseal.site.target import Target
from reseal.site.transport import Result

SYSTEMCTL = '#!/bin/sh\n[ "$2" = is-active ] && [ -e {state}/"$4" ]\n'


class Here:
    """This machine, with a systemctl that says what the test wants."""

    name = "web01.lab.test"

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        program(directory, "systemctl", SYSTEMCTL.format(state=directory))

    async def run(
        self,
        script: str,
        *args: str,
        stdin: bytes = b"",
        timeout: float | None = None,
    ) -> Result:
        path = f"{self.directory}:{os.environ['PATH']}"
        command = ("sh", "-c", script, "sh", *args)
        done = subprocess.run(
            command, env={"PATH": path}, input=stdin, capture_output=True, timeout=20
        )
        return Result(done.returncode, done.stdout, done.stderr)

    async def close(self) -> None:
        return None


@pytest.fixture
def here(tmp_path: Path) -> Here:
    return Here(tmp_path)


def is_done(act: Act, facts: NodeFacts, here: Here) -> bool:
    at = Target(facts, here, "no-such-run")
    return asyncio.run(act.done(at, cast(Context, None)))


def test_an_agent_that_runs_is_not_found_stopped(here: Here) -> None:
    (here.directory / "puppet").touch()
    assert not is_done(StopAgent(), node(here.name), here)


def test_an_agent_that_does_not_run_is_found_stopped(here: Here) -> None:
    assert is_done(StopAgent(), node(here.name), here)


def test_an_agent_in_the_middle_of_a_run_is_not_found_stopped(here: Here) -> None:
    lock = here.directory / "agent_catalog_run.lock"
    facts = node(here.name)
    facts.settings["agent_catalog_run_lockfile"] = str(lock)
    lock.write_text(str(os.getpid()))
    assert not is_done(StopAgent(), facts, here)
    lock.write_text("")
    assert is_done(StopAgent(), facts, here)


def test_a_server_is_found_stopped_when_it_does_not_run(here: Here) -> None:
    assert is_done(StopServer(), ca_host(), here)
    (here.directory / "puppetserver").touch()
    assert not is_done(StopServer(), ca_host(), here)
