"""Where Puppet's files are, by its own settings and what the command line says.

Sources: Puppet, `defaults.rb`; puppetserver-ca-cli, `config/puppet.rb` (`--config`).
"""

from __future__ import annotations

import contextlib
import os
import pwd
import socket
from collections.abc import Mapping
from pathlib import Path

from reseal.errors import StoreError, UsageError
from reseal.settings import Flavour, PuppetSettings, flavour_for, load_settings


def settings_for(given: Mapping[str, str | None]) -> PuppetSettings:
    """Return Puppet's settings as the server on this machine has them.

    Args:
        given: Settings of the command line by Puppet's names; None for what is not
            given.  `config` is the path of a puppet.conf.

    Raises:
        UsageError: There is no such puppet.conf.
        SettingsError: puppet.conf, or a value of the command line, is wrong.
    """
    overrides = overrides_of(given)
    return load_settings(flavour(), certname=host_name(), overrides=overrides)


def overrides_of(given: Mapping[str, str | None]) -> dict[str, str]:
    """Return what the command line gives, with a puppet.conf as its confdir.

    Raises:
        UsageError: There is no such puppet.conf.
    """
    overrides = {name: value for name, value in given.items() if value is not None}
    if (config := overrides.pop("config", None)) is not None:
        overrides["confdir"] = _confdir_of(Path(config))
    return overrides


def host_name() -> str:
    """Return the certname of this machine when puppet.conf gives none."""
    return socket.getfqdn().lower()


def new_cadir(config: str | None) -> Path:
    """Return where Puppet Server 7 and later keep a CA.

    Args:
        config: The path of a puppet.conf elsewhere than usual; the cadir is then
            beside it.

    Raises:
        UsageError: Puppet of this user has no such place.
    """
    found = flavour().cadir
    if config is not None:
        return Path(_confdir_of(Path(config))) / "puppetserver" / "ca"
    if found is None:
        raise UsageError("no place to migrate to is known", hint="say it with --to")
    return found


def flavour() -> Flavour:
    """Return how Puppet is packaged here, for this user."""
    return flavour_for(None if os.geteuid() == 0 else Path.home())


def service_flavour() -> Flavour:
    """Return how Puppet is packaged here, for a server.

    Puppet's other programs keep the files of each user but root in the user's home;
    the user that the system's puppet.conf names serves the system's CA nevertheless,
    as it does with Puppet Server's unit.

    Raises:
        SettingsError: The system's puppet.conf is wrong.
    """
    system = flavour_for(None)
    # Who may not read the system's files is not the user that serves them.
    with contextlib.suppress(KeyError, StoreError):
        name = pwd.getpwuid(os.geteuid()).pw_name
        if name == load_settings(system, certname=host_name()).user:
            return system
    return flavour()


def _confdir_of(config: Path) -> str:
    if not config.is_file():
        raise UsageError(f"Could not read file '{config}'")
    if config.name != "puppet.conf":
        hint = "its directory is taken as Puppet's confdir"
        raise UsageError(f"{config}: is not called puppet.conf", hint=hint)
    return str(config.parent.absolute())
