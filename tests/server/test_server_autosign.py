"""Autosign reads the list as Puppet Server does, and runs programs within limits."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from reseal.certname import Certname
from reseal.server.autosign import Autosign, is_listed
from reseal.server.options import CaOptions

WEB = Certname("web01.example.com")
OPTIONS = CaOptions(autosign_timeout=timedelta(seconds=5))


def program(path: Path, body: str) -> Autosign:
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return Autosign(replace(OPTIONS, autosign=str(path)))


@pytest.mark.parametrize(
    ("line", "name", "listed"),
    [
        ("web01.example.com", "web01.example.com", True),
        ("Web01.example.com", "web01.example.com", False),
        ("*", "anything", True),
        ("*.example.com", "a.example.com", True),
        ("*.example.com", "a.b.example.com", True),
        ("*.example.com", "example.com", True),
        ("*.example.com", "aexample.com", False),
        ("*bare.example", "x.example", True),
        ("*bare.example", "example", True),
        ("*.EXAMPLE.com", "a.example.com", True),
        ("*solo", "zsolo", False),
        ("*.*.deep.x", "a.b.deep.x", False),
        ("# web01", "web01", False),
        (" web01", "web01", False),
        ("web01 ", "web01", False),
        ("web01 # mine", "web01", False),
        ("", "web01", False),
    ],
)
def test_lines_of_the_list(line: str, name: str, listed: bool) -> None:
    assert is_listed(f"other\n{line}\n", name) is listed


def test_odd_lines_are_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    assert is_listed(" web02\nweb01\n", "web01")
    assert "Invalid pattern ' web02' found" in caplog.text


def test_the_setting_may_be_a_word_or_a_path(tmp_path: Path) -> None:
    path = tmp_path / "autosign.conf"
    asked = Autosign(replace(OPTIONS, autosign=str(path)))
    assert Autosign(replace(OPTIONS, autosign="true"))(WEB, b"")
    assert not Autosign(OPTIONS)(WEB, b"")
    assert not asked(WEB, b"")
    path.write_text(f"{WEB}\n")
    assert asked(WEB, b"")
    path.write_text("")
    assert not asked(WEB, b"")


def test_a_program_gets_name_and_request_and_its_exit_code_decides(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    body = 'echo "$# $1 $(cat)"; echo careful >&2; [ "$1" = web01.example.com ]'
    asked = program(tmp_path / "policy", body)
    assert asked(WEB, b"the request")
    assert "1 web01.example.com the request" in caplog.text
    assert "stderr: careful" in caplog.text
    assert not asked(Certname("web02"), b"")
    assert "exit code 1, not signed" in caplog.text


def test_a_program_that_hangs_is_ended_with_its_children(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path, seen = tmp_path / "policy", tmp_path / "seen"
    program(path, f"(sleep 1; touch {seen}) & sleep 30")
    options = replace(
        OPTIONS, autosign=str(path), autosign_timeout=timedelta(seconds=0.3)
    )
    begun = time.monotonic()
    assert not Autosign(options)(WEB, b"")
    assert time.monotonic() - begun < 5
    assert "no answer in 0.3 s, not signed" in caplog.text
    time.sleep(1.2)
    assert not seen.exists()


def test_a_program_that_cannot_be_run_signs_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "policy"
    path.write_text("#!/no/such/interpreter\n")
    path.chmod(0o755)
    assert not Autosign(replace(OPTIONS, autosign=str(path)))(WEB, b"")
    assert "cannot be run" in caplog.text


def test_no_more_programs_run_than_may(tmp_path: Path) -> None:
    running, most = tmp_path / "running", tmp_path / "most"
    running.mkdir()
    most.mkdir()
    body = (
        f"touch {running}/$$; sleep 0.2; touch {most}/$(ls {running} | wc -l); "
        f"rm {running}/$$"
    )
    path = tmp_path / "policy"
    program(path, body)
    asked = Autosign(replace(OPTIONS, autosign=str(path), autosign_at_once=2))
    threads = [threading.Thread(target=asked, args=(WEB, b"")) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert max(int(each.name) for each in most.iterdir()) <= 2
