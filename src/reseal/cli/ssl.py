"""`reseal ssl`: a node's way to its certificate, one step at a time, as `puppet ssl`.

What is printed, on which stream and with which exit code is Puppet 8's; `bootstrap`
also says what is informative.

Sources: Puppet 8, `application/ssl.rb`; transcripts in `tests/data/ssl/`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from cryptography import x509

from reseal.agent.enrolment import Enrolment, GivenUp
from reseal.agent.lock import Held
from reseal.agent.single import (
    Refused,
    clean_node,
    download,
    prove_node,
    submit_request,
)
from reseal.cli.agentargs import SettingsCommand, agent_settings
from reseal.cli.agentlog import UNSIGNED, log_to
from reseal.cli.caoptions import examples
from reseal.cli.colour import Colour, colour_of
from reseal.cli.output import Screen
from reseal.clock import SystemClock
from reseal.errors import ResealError
from reseal.x509 import certificate as certs
from reseal.x509.text import render_text

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="A node's own key and certificate, one step at a time.",
)

Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Say more.")]
LocalCa = Annotated[
    bool, typer.Option("--localca", help="Also the CA and its revocation lists.")
]
Target = Annotated[
    str | None, typer.Option("--target", metavar="NAME", help="Of another certname.")
]
_SETTINGS = (
    "Every setting of Puppet's agents is an option: --ssldir DIR, --certname NAME."
)


@app.command(cls=SettingsCommand, epilog=examples("reseal ssl bootstrap", _SETTINGS))
def bootstrap(context: typer.Context, color: Colour = "") -> None:
    """Do everything until there is a certificate, and wait for it."""
    screen = Screen(colour_of(color), verbose=True)
    node = _node(context, screen)
    with _told(screen, bare=True):
        try:
            wait = node.settings.waitforcert
            node.until(onetime=False, waitforcert=wait)
        except GivenUp as error:
            if error.unsigned:
                print(UNSIGNED.format(node.settings.certname))
            screen.error(str(error))
            raise typer.Exit(1) from None
        screen.notice("Completed SSL initialization")


@app.command(
    "submit_request",
    cls=SettingsCommand,
    epilog=examples("reseal ssl submit_request", _SETTINGS),
)
def submit(
    context: typer.Context, color: Colour = "", verbose: Verbose = False
) -> None:
    """Send a request for a certificate; a key is made if there is none."""
    screen = Screen(colour_of(color), verbose)
    node = _node(context, screen)
    with _told(screen):
        submit_request(node)


@app.command(
    "download_cert",
    cls=SettingsCommand,
    epilog=examples("reseal ssl download_cert", _SETTINGS),
)
def download_cert(
    context: typer.Context, color: Colour = "", verbose: Verbose = False
) -> None:
    """Fetch the certificate, and keep it if it is good."""
    screen = Screen(colour_of(color), verbose)
    node = _node(context, screen)
    with _told(screen):
        if not download(node):
            name = node.settings.certname
            raise Refused(f"The certificate for '{name}' has not yet been signed")


@app.command(cls=SettingsCommand, epilog=examples("reseal ssl verify", _SETTINGS))
def verify(context: typer.Context, color: Colour = "") -> None:
    """Prove that key, certificate, CA and revocation lists fit together."""
    screen = Screen(colour_of(color))
    node = _node(context, screen)
    with _told(screen):
        chain = prove_node(node)
        for each in reversed(chain[1:]):
            screen.notice(f"Verified CA certificate {_named(each)}")
        screen.notice(f"Verified client certificate {_named(chain[0])}")


@app.command(cls=SettingsCommand, epilog=examples("reseal ssl show", _SETTINGS))
def show(context: typer.Context, color: Colour = "") -> None:
    """Print the certificate."""
    screen = Screen(colour_of(color))
    node = _node(context, screen)
    with _told(screen):
        screen.plain(render_text(certs.to_der(prove_node(node)[0])))


@app.command(
    cls=SettingsCommand,
    epilog=examples("reseal ssl clean", "reseal ssl clean --localca", _SETTINGS),
)
def clean(
    context: typer.Context,
    localca: LocalCa = False,
    target: Target = None,
    color: Colour = "",
) -> None:
    """Remove key, request and certificate; the CA keeps its own."""
    screen = Screen(colour_of(color))
    if target is not None:
        context.meta["reseal.settings"]["certname"] = target
    node = _node(context, screen)
    with _told(screen):
        for what, path in clean_node(node, localca=localca):
            screen.notice(f"Removed {what} {path}")


def _node(context: typer.Context, screen: Screen) -> Enrolment:
    return Enrolment(agent_settings(context), log_to(screen), SystemClock())


@contextmanager
def _told(screen: Screen, *, bare: bool = False) -> Iterator[None]:
    """Turn errors into Puppet's lines and exit code 1.

    Args:
        screen: Where they are said.
        bare: Without `Could not run:`.
    """
    try:
        yield
    except Held as error:
        screen.error(str(error))
        _hint(screen, error)
        raise typer.Exit(1) from None
    except ResealError as error:
        screen.error(str(error) if bare else f"Could not run: {error}")
        _hint(screen, error)
        raise typer.Exit(1) from None


def _hint(screen: Screen, error: ResealError) -> None:
    if error.hint:
        screen.hint(error.hint)


def _named(certificate: x509.Certificate) -> str:
    name = certs.common_name(certificate)
    return f"'CN={name}' fingerprint (SHA256) {certs.fingerprint(certificate)}"
