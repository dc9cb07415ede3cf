"""Whose Puppet it is: the system's or a user's own."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from reseal import settings
from reseal.cli import where
from reseal.settings import Flavour


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Flavour:
    """Puppet's packages, as another user than root sees them."""
    found = Flavour("aio", tmp_path, tmp_path / "ssl", tmp_path / "ca")
    for name in ("AIO", "DEBIAN"):
        monkeypatch.setattr(settings, name, found)
    user = pwd.getpwuid(1)
    monkeypatch.setattr(os, "geteuid", lambda: user.pw_uid)
    (tmp_path / "puppet.conf").write_text(f"[server]\nuser = {user.pw_name}\n")
    return found


def test_puppets_own_user_serves_the_systems_ca(system: Flavour) -> None:
    assert where.service_flavour() == system


def test_every_other_user_has_puppet_at_home(system: Flavour) -> None:
    (system.confdir / "puppet.conf").write_text("[server]\nuser = puppet\n")
    assert where.service_flavour() == where.flavour()
    assert where.flavour().confdir.is_relative_to(Path.home())


def test_so_has_every_user_with_other_commands(system: Flavour) -> None:
    assert where.flavour() != system
