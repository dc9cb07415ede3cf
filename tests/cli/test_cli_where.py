"""Whose Puppet it is: the system's or a user's own."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from reseal import settings
from reseal.cli import where
from reseal.errors import StoreError
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


def test_who_may_not_look_at_the_systems_ca_has_puppet_at_home(
    system: Flavour, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root may look everywhere, so that it is told here who may not."""
    looks = Path.is_dir

    def is_dir(path: Path) -> bool:
        if path == system.ssldir / "ca":
            raise PermissionError(13, "Permission denied", str(path))
        return looks(path)

    monkeypatch.setattr(Path, "is_dir", is_dir)
    assert where.service_flavour() == where.flavour()
    with pytest.raises(StoreError, match="ssl/ca: permission denied"):
        settings.load_settings(system, certname="web01")
