"""The options of `reseal ca`, what several of its verbs take, and from where.

Sources: puppetserver-ca-cli, `action/*.rb` (names of options).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import typer

from reseal.cli.running import refuse_served
from reseal.cli.where import settings_for
from reseal.errors import UsageError
from reseal.settings import PuppetSettings

Layout = Literal["chain", "single", "puppet5"]

Config = Annotated[
    str | None, typer.Option(metavar="PATH", help="puppet.conf, elsewhere than usual.")
]
Ssldir = Annotated[str | None, typer.Option(metavar="DIR", help="As in puppet.conf.")]
Cadir = Annotated[str | None, typer.Option(metavar="DIR", help="As in puppet.conf.")]
CaServer = Annotated[
    str | None,
    typer.Option(
        "--ca-server", metavar="NAME", help="The server that runs the cadir given."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Results as JSON.")]
AltNames = Annotated[
    str,
    typer.Option(
        "--subject-alt-names",
        metavar="NAME[,NAME]",
        help="Further names of the server's certificate: www.example.com,IP:10.0.0.1.",
    ),
]
Name = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="The server's name in its certificate."),
]
ResealOnly = Annotated[
    bool,
    typer.Option("--reseal-only", help="No Puppet Server will ever run this CA."),
]
LayoutOption = Annotated[
    Layout,
    typer.Option(
        help="chain: a root and an intermediate, as Puppet Server 6 and later; "
        "single: one self-signed CA; puppet5: the same as Puppet 3 to 5 have it."
    ),
]
CaName = Annotated[str, typer.Option(metavar="NAME", help="Name of the signing CA.")]
RootName = Annotated[str, typer.Option(metavar="NAME", help="Name of the root.")]
Kind = Annotated[str, typer.Option(metavar="KIND", help="rsa:4096, ec:secp256r1, …")]
PrivateKey = Annotated[Path, typer.Option(metavar="PATH", help="The CA's key, in PEM.")]
CertBundle = Annotated[
    Path, typer.Option(metavar="PATH", help="Its certificate and those above it.")
]
CrlChain = Annotated[
    Path, typer.Option(metavar="PATH", help="The revocation list of each.")
]
PassphraseFile = Annotated[
    Path | None, typer.Option(metavar="PATH", help="Opens the key.")
]
Ttl = Annotated[
    str, typer.Option(metavar="DURATION", help="From now to the new end: 15y.")
]
Duplicates = Annotated[bool, typer.Option("--remove-duplicates", help="Always done.")]
Expired = Annotated[
    bool, typer.Option("--remove-expired", help="Also what has expired.")
]
Entries = Annotated[
    bool, typer.Option("--remove-entries", help="Also --serial and --certname.")
]
Serials = Annotated[
    list[str] | None, typer.Option(metavar="HEX", help="Valid again afterwards.")
]
Certnames = Annotated[
    list[str] | None, typer.Option(metavar="NAME", help="Valid again afterwards.")
]
To = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Where Puppet Server 7 looks.")
]
Repair = Annotated[
    bool, typer.Option("--repair", help="Settle what the CA's files prove.")
]


def examples(*lines: str) -> str:
    """Return the end of a verb's help."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


@dataclass(frozen=True, slots=True)
class Where:
    """What the command line says of where the CA is.

    Attributes:
        config: Path of a puppet.conf.
        ssldir: As in puppet.conf.
        cadir: As in puppet.conf.
        server: The server that runs this cadir, where puppet.conf means another.
        certname: The server's name.
    """

    config: str | None
    ssldir: str | None
    cadir: str | None
    server: str | None
    certname: str | None = None

    @property
    def given(self) -> dict[str, str | None]:
        """The settings by Puppet's names."""
        return {
            "config": self.config,
            "ssldir": self.ssldir,
            "cadir": self.cadir,
            "ca_server": self.server,
            "certname": self.certname,
        }

    def settings(self) -> PuppetSettings:
        """Return Puppet's settings with what the command line says."""
        return settings_for(self.given)

    def stopped(self) -> PuppetSettings:
        """Return the settings of a CA that no server runs.

        Raises:
            AuthorityError: One does.
        """
        settings = self.settings()
        refuse_served(settings, self.given)
        return settings


def hexadecimal(text: str) -> int:
    """Return the number of a serial, or raise `UsageError`."""
    try:
        return int(text, 16)
    except ValueError:
        raise UsageError(f"{text}: not a hexadecimal serial number") from None
