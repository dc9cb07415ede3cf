"""`reseal agent`: a node's certificate life and its runs, as `puppet agent`.

Without `--onetime` or `--test` it stays in the foreground, as a service manager wants
it, and makes a run every `runinterval`.

Sources: Puppet 8, `application/agent.rb` (options, exit codes), `daemon.rb`.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Annotated

import typer

from reseal.agent.enrolment import Enrolment
from reseal.agent.run import disable, enable
from reseal.agent.settings import AgentSettings
from reseal.agent.single import own_fingerprint
from reseal.cli.agentargs import SettingsCommand, agent_settings
from reseal.cli.agentlog import log_to
from reseal.cli.agentloop import Loop, Manner
from reseal.cli.caoptions import examples
from reseal.cli.colour import Colour, colour_of
from reseal.cli.output import Screen
from reseal.clock import SystemClock
from reseal.errors import UsageError

Test = Annotated[
    bool,
    typer.Option("--test", "-t", help="One run, verbose, with detailed exit codes."),
]
Onetime = Annotated[bool, typer.Option("--onetime", help="One run, and end.")]
Noop = Annotated[bool, typer.Option("--noop", help="Say only what would be done.")]
Fingerprint = Annotated[
    bool,
    typer.Option("--fingerprint", help="Say the certificate's, or the request's."),
]
Verbose = Annotated[
    bool, typer.Option("--verbose", "-v", help="Also what is informative.")
]
Debug = Annotated[bool, typer.Option("--debug", "-d", help="Say everything.")]
NoDaemonize = Annotated[
    bool, typer.Option("--no-daemonize", help="Always so; for Puppet's habits.")
]
Detailed = Annotated[
    bool,
    typer.Option(
        "--detailed-exitcodes", help="2 for changes, 4 for failures, 6 for both."
    ),
]
ShowDiff = Annotated[
    bool, typer.Option("--show_diff", "--show-diff", help="Show how files change.")
]
Splay = Annotated[
    bool | None, typer.Option("--splay/--no-splay", help="Begin at a time of its own.")
]
Enable = Annotated[bool, typer.Option("--enable", help="Have runs made again.")]
Disable = Annotated[
    str | None,
    typer.Option("--disable", metavar="REASON", help="Have no more runs made."),
]


def agent(
    context: typer.Context,
    test: Test = False,
    onetime: Onetime = False,
    noop: Noop = False,
    fingerprint: Fingerprint = False,
    verbose: Verbose = False,
    debug: Debug = False,
    no_daemonize: NoDaemonize = False,
    detailed_exitcodes: Detailed = False,
    show_diff: ShowDiff = False,
    splay: Splay = None,
    enable_runs: Enable = False,
    disable_runs: Disable = None,
    color: Colour = "",
) -> None:
    """Enrol this node, and apply its catalog: once, or every half an hour."""
    _refuse_words(context)
    once = test or onetime
    screen = Screen(colour_of(color), verbose=test or verbose or debug)
    settings = agent_settings(context)
    settings = replace(
        settings,
        noop=noop or settings.noop,
        show_diff=test or show_diff or settings.show_diff,
        splay=(settings.splay if splay is None else splay) and not once,
    )
    if enable_runs or disable_runs is not None:
        _switch(settings, disable_runs)
        return
    if fingerprint:
        _say_fingerprint(settings, screen)
        return
    manner = Manner(
        once=once,
        detailed=test or detailed_exitcodes,
        wait_given="waitforcert" in context.meta["reseal.settings"],
    )
    raise typer.Exit(Loop(settings, screen, manner).run())


def register(app: typer.Typer) -> None:
    """Add the command, which has no verbs, to the program."""
    app.command(
        "agent",
        cls=SettingsCommand,
        context_settings={"allow_extra_args": True},
        epilog=examples(
            "reseal agent --test",
            "reseal agent --test --noop",
            "reseal agent --onetime --server puppet.example.com --waitforcert 60",
            "reseal agent --verbose        # stays, and runs every runinterval",
            "Every setting of Puppet's agents is an option: --ssldir DIR, --server X.",
        ),
    )(agent)


def _refuse_words(context: typer.Context) -> None:
    if context.args:
        text = "The puppet agent command does not take parameters"
        raise UsageError(f"Could not prepare for execution: {text}")


def _switch(settings: AgentSettings, reason: str | None) -> None:
    if reason is None:
        enable(settings)
    else:
        disable(settings, reason)


def _say_fingerprint(settings: AgentSettings, screen: Screen) -> None:
    found = own_fingerprint(Enrolment(settings, log_to(screen), SystemClock()))
    if found is None:
        text = (
            "Fingerprint asked but neither the certificate, nor the certificate "
            "request have been issued"
        )
        print(text, file=sys.stderr)
        raise typer.Exit(1)
    screen.plain(f"(SHA256) {found}")
