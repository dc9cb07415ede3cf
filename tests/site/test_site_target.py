"""Scripts on a node: by which Ruby, and with what of it."""

from __future__ import annotations

import asyncio
import re
from importlib.resources import files

import pytest
from site_samples import node

from reseal.site.target import Target
from reseal.site.transport import Result

DEEDS = sorted(
    path.name.removesuffix(".rb")
    for path in (files("reseal.site") / "node").iterdir()
    if path.name.endswith(".rb") and path.name != "public_keys.rb"
)


class Ruby:
    """A node that keeps what it was asked to execute."""

    name = "web01.lab.test"

    def __init__(self) -> None:
        self.asked: tuple[str, ...] = ()

    async def run(
        self,
        script: str,
        *args: str,
        stdin: bytes = b"",
        timeout: float | None = None,
    ) -> Result:
        self.asked = args
        return Result(0, b"{}", b"")

    async def close(self) -> None:
        return None


def asked(deed: str, version: str) -> tuple[str, ...]:
    ruby = Ruby()
    at = Target(node(ruby.name, puppet_version=version), ruby, "run1")
    asyncio.run(at.ask(deed, "one", "two"))
    return ruby.asked


@pytest.mark.parametrize("deed", DEEDS)
def test_a_script_starts_without_gems_and_with_them_where_it_must(deed: str) -> None:
    """What it needs is tried first, all of it; gems are loaded if that fails."""
    program, option, _, text, *rest = asked(deed, "7.23.0")
    assert (program, option) == ("/usr/bin/ruby", "--disable-gems")
    assert rest == ["--", "one", "two"]
    first, _, script = text.partition("\n")
    needs = re.findall(r"\brequire\b\W+(\w[\w/]*)", script)
    assert needs
    tried = "; ".join(f"require '{name}'" for name in needs)
    assert first == f"begin; {tried}; rescue LoadError; require 'rubygems'; end"


@pytest.mark.parametrize("version", ["3.8.7", "2.7.26", ""])
def test_an_old_ruby_is_told_nothing_that_it_does_not_know(version: str) -> None:
    assert asked("identity", version)[1] == "-e"
