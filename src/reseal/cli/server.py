"""`reseal server`, also `reseal master`: the CA's HTTPS API.

It stays in the foreground, as a service manager wants it; `--no-daemonize` is taken
for that reason and means nothing.  Notices go to standard output, as Puppet's do in
the foreground, and so does the audit log unless a file is set for it.

Sources: Puppet 5.5, `application/master.rb` (options, the notice of the start).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from reseal.cli.caoptions import Cadir, Json, Ssldir, examples
from reseal.cli.caoptions import Config as ConfigPath
from reseal.cli.output import print_json, shown, table
from reseal.cli.serverlog import set_up_log, warn
from reseal.cli.serverrun import Server
from reseal.cli.where import host_name, overrides_of, service_flavour
from reseal.server.config import Config, Given, load_config
from reseal.server.effective import document, rows, rule_rows

app = typer.Typer(
    help="Serve the CA to agents and tools, over HTTPS.",
    rich_markup_mode=None,
    subcommand_metavar="",
)

Check = Annotated[
    bool, typer.Option("--check", help="Print the settings in force, and end.")
]
NoDaemonize = Annotated[
    bool, typer.Option("--no-daemonize", help="Always so; for Puppet's habits.")
]
Verbose = Annotated[
    bool, typer.Option("--verbose", "-v", help="Also say what is informative.")
]
Debug = Annotated[bool, typer.Option("--debug", "-d", help="Say everything.")]
SettingsFile = Annotated[
    Path | None,
    typer.Option("--settings", metavar="PATH", help="reseal.toml, elsewhere."),
]
Host = Annotated[
    str | None, typer.Option(metavar="ADDRESS", help="Where to listen: 0.0.0.0, ::.")
]
Port = Annotated[
    int | None, typer.Option(metavar="N", help="TCP port; 0 takes a free one.")
]
Workers = Annotated[
    int | None, typer.Option(metavar="N", help="Processes; 0 is one for each core.")
]
AutosignOption = Annotated[
    str | None,
    typer.Option("--autosign", metavar="WHAT", help="true, false, a list, a program."),
]
Certname = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="The server's name in its certificate."),
]
AltNames = Annotated[
    str | None,
    typer.Option(
        "--dns-alt-names",
        "--dns_alt_names",
        metavar="NAME[,NAME]",
        help="Further names of a certificate that is made for the server now.",
    ),
]
Confdir = Annotated[str | None, typer.Option(metavar="DIR", help="Of puppet.conf.")]


@app.callback(
    invoke_without_command=True,
    epilog=examples(
        "reseal server --check",
        "reseal server --no-daemonize --verbose",
        "reseal server --port 18140 --ssldir /tmp/try/ssl --cadir /tmp/try/ca",
        "kill -HUP PID    # read certificate, lists and settings again",
    ),
)
def serve(
    check: Check = False,
    json: Json = False,
    no_daemonize: NoDaemonize = False,
    verbose: Verbose = False,
    debug: Debug = False,
    host: Host = None,
    port: Port = None,
    workers: Workers = None,
    autosign: AutosignOption = None,
    certname: Certname = None,
    dns_alt_names: AltNames = None,
    settings: SettingsFile = None,
    config: ConfigPath = None,
    confdir: Confdir = None,
    ssldir: Ssldir = None,
    cadir: Cadir = None,
) -> None:
    """Serve Puppet's CA API until SIGINT or SIGTERM; SIGHUP reads settings again.

    Without a CA, one is made, and a certificate for this host.
    """
    puppet = {
        "config": config,
        "confdir": confdir,
        "ssldir": ssldir,
        "cadir": cadir,
        "certname": certname,
        "dns_alt_names": dns_alt_names,
        "autosign": autosign,
    }
    options = {"host": host, "port": port, "workers": workers}
    load = partial(_load, puppet, options, settings)
    set_up_log(verbose=verbose, debug=debug)
    if check:
        _say(load(), json)
    else:
        Server(load).run()


def _load(
    puppet: Mapping[str, str | None],
    options: Mapping[str, str | int | None],
    settings: Path | None,
) -> Config:
    """Return the settings in force, with what the command line gives."""
    listener = {f"listener.{k}": v for k, v in options.items() if v is not None}
    given = Given(overrides_of(puppet), listener, settings)
    return load_config(service_flavour(), certname=host_name(), given=given)


def _say(config: Config, json: bool) -> None:
    """Print the settings in force, each with its source, and what is not obeyed."""
    if json:
        print_json(document(config))
        return
    print(table(rows(config)))
    print()
    print(table(rule_rows(config)))
    for text in config.warnings:
        warn(text)
    for text in config.unused:
        print(shown(f"\n{text}") if text == config.unused[0] else shown(text))
