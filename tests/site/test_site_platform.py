"""Service managers' commands, as tables and as shell functions."""

from __future__ import annotations

import subprocess

import pytest

from reseal.errors import SiteError
from reseal.site.facts import ServiceManager
from reseal.site.platform import MANAGERS, Verb, can, service_command
from reseal.site.survey_script import split, tables


@pytest.mark.parametrize("manager", MANAGERS)
@pytest.mark.parametrize("verb", ["start", "stop", "status"])
def test_every_manager_does_the_needful(manager: ServiceManager, verb: Verb) -> None:
    command = service_command(manager, verb, "my puppet")
    assert "my puppet" in command
    assert "{}" not in command
    subprocess.run(["sh", "-n", "-c", command], check=True)


def test_a_reload_is_asked_of_whoever_has_one() -> None:
    commands: dict[ServiceManager, str] = {
        "systemd": "systemctl reload-or-restart -- shop",
        "openrc": "rc-service -- shop reload || rc-service -- shop restart",
        "sysv": "service shop reload </dev/null || service shop restart </dev/null",
    }
    for manager, command in commands.items():
        assert can(manager, "reload")
        assert service_command(manager, "reload", "shop") == command
    assert not can("launchd", "reload")
    assert not can("none", "reload")


def test_names_are_quoted() -> None:
    assert service_command("systemd", "start", "a;b") == "systemctl start -- 'a;b'"


@pytest.mark.parametrize(
    ("manager", "verb"),
    [("none", "start"), ("windows", "stop"), ("launchd", "enabled")],
)
def test_what_cannot_be_done_is_said(manager: ServiceManager, verb: Verb) -> None:
    with pytest.raises(SiteError, match=f"puppet: no way to {verb} a service"):
        service_command(manager, verb, "puppet")


@pytest.mark.parametrize("manager", [*MANAGERS, "none"])
def test_the_tables_are_shell(manager: str) -> None:
    script = (
        f"{tables()}define_manager {manager}\n"
        'enabled "no such service" >/dev/null 2>&1; echo $?\n'
        'known "no such service" && echo known; echo "$puppet_commands"\n'
        "rubies /opt/puppetlabs/bin/puppet\n"
    )
    answer = subprocess.run(
        ["sh", "-c", script], capture_output=True, text=True, check=True
    )
    status, commands, ruby = answer.stdout.splitlines()
    assert (status == "44") is (manager in ("launchd", "scripts", "none"))
    assert status != "0"
    assert "/opt/puppetlabs/bin/puppet" in commands.split()
    assert ruby == "/opt/puppetlabs/puppet/bin/ruby"


def test_sections_keep_their_bytes() -> None:
    printed = b"noise\nmark a\n1\n\n\nmark b\n\nmark c\n\xff\nmark x"
    sections = split(printed, "mark")
    assert sections.data("a") == b"1\n\n"
    assert sections.has("b")
    assert sections.data("b") == b""
    assert not sections.has("d")
    assert sections.lines("d") == ()
    assert sections.text("c") == "\ufffd"
    assert sections.number("a") == 1
    assert sections.number("a", line=7) == 0
