"""The options of `reseal ca`, what several of its verbs take, and from where.

Sources: puppetserver-ca-cli, `action/*.rb` (names of options).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from reseal.cli.where import settings_for
from reseal.errors import AuthorityError, UsageError
from reseal.settings import PuppetSettings

Layout = Literal["chain", "single", "puppet5"]

Config = Annotated[
    str | None, typer.Option(metavar="PATH", help="puppet.conf, elsewhere than usual.")
]
Ssldir = Annotated[str | None, typer.Option(metavar="DIR", help="As in puppet.conf.")]
Cadir = Annotated[str | None, typer.Option(metavar="DIR", help="As in puppet.conf.")]
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


def settings_of(
    config: str | None,
    ssldir: str | None,
    cadir: str | None,
    certname: str | None = None,
) -> PuppetSettings:
    """Return Puppet's settings with what the command line says of them."""
    given = {"config": config, "ssldir": ssldir, "cadir": cadir, "certname": certname}
    return settings_for(given)


def stopped(settings: PuppetSettings) -> PuppetSettings:
    """Return the settings again if no server runs the CA.

    Raises:
        AuthorityError: One does.
    """
    # An HTTP client takes long to load, and verbs that only look need none.
    from reseal.cli.remote_ca import is_running

    if is_running(settings):
        raise AuthorityError(
            "Puppetserver service is running",
            hint="stop it before attempting to run this command",
        )
    return settings


def hexadecimal(text: str) -> int:
    """Return the number of a serial, or raise `UsageError`."""
    try:
        return int(text, 16)
    except ValueError:
        raise UsageError(f"{text}: not a hexadecimal serial number") from None
