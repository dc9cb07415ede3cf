"""The program as a whole: help, version, completion, exit codes."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from cahost import CaHost

from reseal import __version__
from reseal.cli.main import NOUNS, main
from reseal.cli.puppetargs import ACTIONS

HIDDEN = ("master", "node")
"""Nouns of Puppet's past, and for programs."""


def said(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(words)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_version_and_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, "--version") == (0, f"{__version__}\n", "")
    code, stdout, _ = said(capsys, "--help")
    assert code == 0
    assert all(f"\n  {noun} " in stdout for noun in NOUNS if noun not in HIDDEN)


@pytest.mark.parametrize("verb", ACTIONS)
def test_every_action_explains_itself_by_example(
    capsys: pytest.CaptureFixture[str], verb: str
) -> None:
    code, stdout, stderr = said(capsys, "cert", verb, "--help")
    assert (code, stderr) == (0, "")
    assert f"  Examples:\n    reseal cert {verb}" in stdout


@pytest.mark.parametrize(
    "verb", ["setup", "import", "show", "extend", "prune", "migrate", "check"]
)
def test_every_verb_of_ca_explains_itself_by_example(
    capsys: pytest.CaptureFixture[str], verb: str
) -> None:
    code, stdout, _ = said(capsys, "ca", verb, "--help")
    assert code == 0
    assert f"reseal ca {verb}" in stdout.partition("Examples:")[2]


def test_cert_without_an_action_explains_itself_and_makes_no_ca(
    host: CaHost, capsys: pytest.CaptureFixture[str]
) -> None:
    empty = host.root / "empty"
    code, stdout, _ = said(capsys, "cert", f"--ssldir={empty}")
    assert code == 0
    assert all(f"\n  {verb} " in stdout for verb in ACTIONS)
    assert not empty.exists()


@pytest.mark.parametrize(
    ("words", "code", "fault"),
    [
        (("nonsense",), 2, "No such command 'nonsense'"),
        (("ca", "nonsense"), 2, "No such command 'nonsense'"),
        (("ca", "show", "--nonsense"), 2, "No such option: --nonsense"),
        (("ca", "show", "--config=/nowhere"), 2, "Could not read file '/nowhere'"),
        (("cert", "list", "--nonsense"), 1, "invalid option: --nonsense"),
        (("cert", "list", "--config=/nowhere"), 1, "Could not read file '/nowhere'"),
    ],
)
def test_a_wrong_command_line(
    capsys: pytest.CaptureFixture[str], words: tuple[str, ...], code: int, fault: str
) -> None:
    found, stdout, stderr = said(capsys, *words)
    assert (found, stdout) == (code, "")
    assert fault in stderr


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("reseal cert si", ["sign"]),
        ("reseal ca ext", ["extend"]),
        (
            "reseal cert sign --al",
            ["--all", "--allow-dns-alt-names", "--allow-authorization-extensions"],
        ),
    ],
)
def test_the_shell_completes(line: str, offered: list[str]) -> None:
    number = len(line.split()) - 1
    asking = {"COMP_WORDS": line, "COMP_CWORD": str(number)}
    done = subprocess.run(
        [sys.executable, "-c", "from reseal.__main__ import main; main()"],
        env={**os.environ, "_RESEAL_COMPLETE": "complete_bash", **asking},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == offered


def test_an_interrupted_command_says_so(
    host: CaHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("reseal.cli.caview.look", interrupt)
    code, _, stderr = host.run("ca", "show")
    assert code == 130
    assert stderr == "reseal: error: interrupted\n"
