"""Where everything of a demo's site is: one directory, a home in it for every node.

Sources: docs/reference/site-file.md (`home`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

DOMAIN = "example.com"
PRIMARY, KEEPER = "puppet", "db01"
"""The CA's host, and the node whose service holds copies of its certificates."""

AGENTS = ("web01", "web02", "web03", KEEPER, "db02")
GUEST = "guest01"
"""The node whose agent is Puppet's, where that is installed."""

SERVER, AGENT, PUPPET, SHOP = "reseal-server", "reseal-agent", "puppet", "shop"
"""Services: of the CA's host, of nodes, and the one that holds copies."""


CERT, KEY, CA = "cert.pem", "key.pem", "ca.pem"
"""The copies of that service."""


@dataclass(frozen=True, slots=True)
class Home:
    """A node.

    Attributes:
        path: Its directory.
    """

    path: Path

    @property
    def name(self) -> str:
        """Its certname."""
        return f"{self.path.name}.{DOMAIN}"

    @property
    def reseal(self) -> Path:
        """The program, with the settings of this node."""
        return self.path / "bin/reseal"

    @property
    def copies(self) -> Path:
        """Where the service that holds copies has them."""
        return self.path / "copies"

    def service(self, name: str) -> Path:
        """Return the script of a service."""
        return self.path / "services" / name

    def certificate(self, run: str | None = None) -> tuple[Path, Path]:
        """Return its certificate and key; with a run's name those of its backup."""
        ssl = self.path / "ssl"
        if run is not None:
            ssl = self.path / "backups" / run / "tree" / ssl.relative_to("/")
        pem = f"{self.name}.pem"
        return ssl / "certs" / pem, ssl / "private_keys" / pem


@dataclass(frozen=True, slots=True)
class Place:
    """The site's directory.

    Attributes:
        path: It; absolute.
    """

    path: Path

    @property
    def site_file(self) -> Path:
        """For `reseal site`."""
        return self.path / "site.toml"

    @property
    def mark(self) -> Path:
        """What shows that a directory is a demo's."""
        return self.path / ".reseal-demo"

    @property
    def runs(self) -> Path:
        """Where `reseal site` keeps its runs."""
        return self.path / "runs"

    @property
    def cadir(self) -> Path:
        """The CA's directory."""
        return self.primary.path / "ca"

    @property
    def primary(self) -> Home:
        """The CA's host."""
        return self.home(PRIMARY)

    @property
    def keeper(self) -> Home:
        """The node with a service that holds copies."""
        return self.home(KEEPER)

    @property
    def agents(self) -> tuple[Home, ...]:
        """Every node but the CA's host."""
        names = [*AGENTS, *[GUEST] * self.home(GUEST).path.is_dir()]
        return tuple(self.home(name) for name in names)

    @property
    def homes(self) -> tuple[Home, ...]:
        """Every node, the CA's host first."""
        return self.primary, *self.agents

    def home(self, name: str) -> Home:
        """Return a node by its short name."""
        return Home(self.path / "nodes" / name)

    def scripts(self) -> Iterator[Path]:
        """Yield every service's script, as far as they are made."""
        for home in self.homes:
            yield from sorted(home.path.glob("services/*"))
