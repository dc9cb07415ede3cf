"""`reseal cert`: the verbs of `puppet cert`, with its options, lines and exit codes.

Sources: Puppet 5.5, `application/cert.rb`; transcripts under `tests/data/transcripts`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from reseal.cli import certoptions as options
from reseal.cli.certdesk import Call, known_names, run
from reseal.cli.colour import Colour, colour_of
from reseal.cli.desk import CertOptions
from reseal.cli.exits import FAILED
from reseal.cli.hands import Allowances
from reseal.cli.output import Screen
from reseal.cli.puppetargs import ACTIONS, SETTINGS, arrange
from reseal.errors import ResealError, UsageError

_HELP: dict[str, tuple[str, str]] = {
    "list": (
        "List requests; with -a certificates too, with names those.",
        "reseal cert list -a\n  reseal cert list --signed -H\n"
        "  reseal cert list web01.example.com",
    ),
    "sign": (
        "Sign the requests of these names, or --all that wait.",
        "reseal cert sign web01.example.com\n  reseal cert sign --all\n"
        "  reseal cert sign --allow-dns-alt-names www.example.com\n"
        "  reseal cert sign -i web01.example.com",
    ),
    "clean": (
        "Revoke what these names have, and remove certificate, request and key.",
        "reseal cert clean web01.example.com",
    ),
    "revoke": (
        "Put certificates on the CRL, by name or by serial number in hexadecimal.",
        "reseal cert revoke web01.example.com\n  reseal cert revoke 0x1F",
    ),
    "generate": (
        "Make key, request and certificate here, for each of these names.",
        "reseal cert generate web01.example.com\n"
        "  reseal cert generate --dns_alt_names www,www.example.com web01.example.com",
    ),
    "print": (
        "Print certificates as OpenSSL's text.",
        "reseal cert print web01.example.com\n  reseal cert print ca",
    ),
    "verify": (
        "Prove that certificates stand; silence is success.",
        "reseal cert verify web01.example.com\n  reseal cert verify --all",
    ),
    "fingerprint": (
        "Print the fingerprint of the certificate, or of the request without one.",
        "reseal cert fingerprint web01.example.com\n"
        "  reseal cert fingerprint --all --digest SHA1",
    ),
    "reinventory": (
        "Write inventory.txt anew from the certificates that are there.",
        "reseal cert reinventory",
    ),
}

_SETTINGS_HELP = (
    "Settings of puppet.conf may be given as options: "
    + ", ".join(f"--{name}" for name in SETTINGS)
    + "; --config takes the path of a puppet.conf. Options may stand before or after "
    "the action. Exit codes: 0 done, 1 options, 23 no usable CA, 24 refused or failed."
)


def _known(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the names that a verb could be meant for, for the shell's completion."""
    try:
        return [
            name for name in known_names(ctx.info_name) if name.startswith(incomplete)
        ]
    except ResealError:
        return []


Names = Annotated[
    list[str] | None, typer.Argument(metavar="NAME...", autocompletion=_known)
]


class ActionCommand(TyperCommand):
    """An action, after which the options of `reseal cert` are completed too."""

    def shell_complete(self, ctx: Any, incomplete: str) -> list[Any]:
        """Return what may stand here."""
        found = super().shell_complete(ctx, incomplete)
        if incomplete.startswith("-"):
            found += ctx.parent.command.shell_complete(ctx.parent, incomplete)
        return found


class PuppetGroup(TyperGroup):
    """Takes arguments in any order that `puppet cert` takes."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put options before the action; complain as Puppet does."""
        try:
            arranged = args if ctx.resilient_parsing else arrange(args)
        except UsageError as error:
            Screen().error(str(error))
            ctx.exit(FAILED)
        return super().parse_args(ctx, arranged)


app = typer.Typer(
    cls=PuppetGroup,
    help="List, sign, revoke and clean certificates as `puppet cert` did.",
    epilog=_SETTINGS_HELP,
    invoke_without_command=True,
    rich_markup_mode=None,
)


@app.callback()
def _options(
    ctx: typer.Context,
    every: options.Every = False,
    signed: options.Signed = False,
    alt_names: options.AltNames = False,
    authorization: options.Authorization = False,
    human: options.Human = False,
    machine: options.Machine = False,
    ask: options.Ask = False,
    yes: options.Yes = False,
    digest: options.Digest = "SHA256",
    verbose: options.Verbose = False,
    debug: options.Debug = False,
    json: options.Json = False,
    color: Colour = "",
    setting: options.Setting = None,
) -> None:
    """Keep the options for the action; without one, explain."""
    if ctx.invoked_subcommand is None:
        typer.echo(ctx.get_help())
        raise typer.Exit
    wordy = verbose or debug
    given = dict(each.partition("=")[::2] for each in setting or ())
    ctx.obj = Call(
        screen=Screen(colour_of(color), wordy, json),
        given=given,
        options=CertOptions(
            all=every,
            signed=signed,
            style="human" if human else "machine" if machine or wordy else "default",
            digest=digest,
            allow=Allowances(alt_names, authorization),
            ask=ask,
            assume_yes=yes,
            alt_names=given.get("dns_alt_names", ""),
        ),
    )


def _action(verb: str) -> Callable[..., None]:
    def act(ctx: typer.Context, names: Names = None) -> None:
        raise typer.Exit(run(ctx.obj, verb, names or []))

    return act


def _unknown(ctx: typer.Context, verb: str, names: Names = None) -> None:
    raise typer.Exit(run(ctx.obj, verb, names or []))


for _verb in ACTIONS:
    _text, _examples = _HELP[_verb]
    _epilog = f"\b\nExamples:\n  {_examples}"
    app.command(_verb, cls=ActionCommand, help=_text, epilog=_epilog)(_action(_verb))
app.command("apply", hidden=True)(_unknown)
