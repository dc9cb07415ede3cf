"""A server's files to try settings on, and the real ones of Debian's packages."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from reseal.server.config import Config, Given, load_config
from reseal.settings import Flavour

GOLDEN = Path(__file__).parent.parent / "data" / "serverconf"


@dataclass(frozen=True)
class Place:
    """Where a flavour's files are."""

    flavour: Flavour

    @property
    def confdir(self) -> Path:
        return self.flavour.confdir

    @property
    def confd(self) -> Path:
        return self.confdir / "puppetserver/conf.d"

    @property
    def toml(self) -> Path:
        return self.confdir / "reseal.toml"

    def write(self, name: str, text: str) -> Path:
        """Write a file of conf.d."""
        self.confd.mkdir(parents=True, exist_ok=True)
        path = self.confd / name
        path.write_text(text)
        return path

    def install(self, version: str) -> None:
        """Take the conf.d of a real Puppet Server."""
        shutil.copytree(GOLDEN / version, self.confd)

    def puppet_conf(self, text: str) -> None:
        (self.confdir / "puppet.conf").write_text(text)

    @property
    def here(self) -> Given:
        """A command line that names this confdir, whatever conf.d says."""
        return Given(puppet={"confdir": str(self.confdir)})

    def load(self, given: Given | None = None) -> Config:
        return load_config(self.flavour, certname="ca.example.com", given=given)


def place_in(root: Path) -> Place:
    """Return a place like Debian's, below a directory."""
    confdir = root / "etc/puppet"
    confdir.mkdir(parents=True)
    cadir = confdir / "puppetserver/ca"
    return Place(Flavour("debian", confdir, root / "var/ssl", cadir))


def sources(config: Config) -> Mapping[str, str]:
    return {setting.name: setting.source for setting in config.settings}


def values(config: Config) -> Mapping[str, object]:
    return {setting.name: setting.value for setting in config.settings}
