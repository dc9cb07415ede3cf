"""The steps are the page's own, and none of its commands is missing.

`ssl_regenerate.md` is the page as it was published; `tests/real/test_real_page.py`
follows it on real hosts, with Puppet 5.5 and with reseal.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from steps import STEPS

PAGE = (Path(__file__).parent / "ssl_regenerate.md").read_text()
COMMANDS = re.findall(r"`sudo ([^`]+)`", PAGE)
NAMES = {
    "tool": "puppet",
    "agent": "puppet",
    "server": "puppetserver",
    "ssldir": "/etc/puppetlabs/puppet/ssl",
    "node": "<NAME>",
}


@pytest.mark.parametrize("command", sorted(set(COMMANDS)))
def test_every_command_of_the_page_is_a_step(command: str) -> None:
    typed = {step.command.format(**NAMES) for step in STEPS}
    assert command in typed


def test_the_commands_stand_in_the_pages_order() -> None:
    numbers = [tuple(map(int, s.part.split("."))) for s in STEPS if s.part != "promise"]
    assert numbers == sorted(numbers)


@pytest.mark.parametrize(
    ("said", "pattern"),
    [
        ("Notice: Signed certificate request for ca", "1.5"),
        ("Notice: Starting Puppet master", "1.6"),
    ],
)
def test_every_message_of_the_page_is_a_promise(said: str, pattern: str) -> None:
    assert said in PAGE
    step = next(each for each in STEPS if each.part == pattern)
    assert any(said in each for each in (*step.says, step.until))
