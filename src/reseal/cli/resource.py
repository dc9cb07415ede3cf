"""`reseal resource service`: as `puppet resource service`.

What is printed, on which stream and with which exit code is Puppet 8's: a service that
could not be started ends with 0 unless `--fail` is given.

Sources: Puppet 8, `application/resource.rb`, `resource.rb` (`to_manifest`,
`to_hiera_hash`); transcripts of 5.5, 7 and 8 in `tests/data/resource/`.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping
from typing import Annotated

import typer
import yaml

from reseal.agent.host import ProgramFailed, ThisHost
from reseal.agent.resources.harness import apply, failed
from reseal.agent.resources.model import BadResource, Level, UnusableProvider
from reseal.agent.resources.service import Service
from reseal.agent.services.choose import choose
from reseal.agent.services.provider import ServiceFailed
from reseal.cli.caoptions import Json, examples
from reseal.cli.colour import Colour, colour_of
from reseal.cli.output import Screen, print_json, shown

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Look at a node's services and change them, as `puppet resource`.",
)

_SETTING = re.compile(r"(\w+)=(.+)", re.DOTALL)
_TAKEN_BY_SERVICE = ("ensure", "enable", "provider")

Title = Annotated[
    str | None, typer.Argument(metavar="NAME", help="Of the service; all without it.")
]
Settings = Annotated[
    list[str] | None,
    typer.Argument(metavar="SETTING=VALUE...", help="ensure=running, enable=true, …"),
]
Noop = Annotated[bool, typer.Option("--noop", help="Say only what would be done.")]
Fail = Annotated[
    bool, typer.Option("--fail", "-f", help="End with 1 if it could not be changed.")
]
ToYaml = Annotated[bool, typer.Option("--to_yaml", "--to-yaml", "-y", help="As YAML.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Taken for Puppet's.")]


@app.callback()
def _nouns() -> None:
    """Keep the type of resource a word of its own."""


@app.command(
    epilog=examples(
        "reseal resource service",
        "reseal resource service puppet",
        "reseal resource service puppet ensure=stopped",
        "reseal resource service puppet ensure=running enable=true --fail",
    )
)
def service(
    name: Title = None,
    settings: Settings = None,
    noop: Noop = False,
    fail: Fail = False,
    to_yaml: ToYaml = False,
    json: Json = False,
    verbose: Verbose = False,
    color: Colour = "",
) -> None:
    """List services, show one, or bring one into a state."""
    screen = Screen(colour_of(color), verbose)
    try:
        found = _found(name, settings or [], screen, noop=noop, fail=fail)
    except (BadResource, ServiceFailed, ProgramFailed) as error:
        if isinstance(error, UnusableProvider):
            screen.error(f"/Service[{name}]: {error}")
        screen.error(f"Could not run: {error}")
        raise typer.Exit(1) from None
    if json:
        print_json([{"name": title, **state} for title, state in found])
    elif to_yaml:
        sys.stdout.write(_yaml(found))
    else:
        print("\n".join(_manifest(title, state) for title, state in found))


Found = list[tuple[str, Mapping[str, str]]]


def _found(
    name: str | None, words: Iterable[str], screen: Screen, *, noop: bool, fail: bool
) -> Found:
    host = ThisHost()
    if name is None:
        services = choose(host)
        return [
            (each, _state(Service(each, {}, host))) for each in services.instances()
        ]
    if not name:
        raise BadResource("Title or name must be provided")
    given = dict(map(_setting, words))
    resource = Service(name, given, host)
    if not given:
        return [(name, _state(resource))]
    if not _manage(resource, screen, noop=noop) and fail:
        raise BadResource(f"Failed to manage resource {resource.name}")
    state = _state(resource)
    wanted = {key for key in given if key in _TAKEN_BY_SERVICE} | {"provider"}
    return [(name, {key: value for key, value in state.items() if key in wanted})]


def _setting(word: str) -> tuple[str, str]:
    found = _SETTING.fullmatch(word)
    if found is None:
        raise BadResource(f"Invalid parameter setting {word}")
    return found[1], found[2]


def _manage(resource: Service, screen: Screen, *, noop: bool) -> bool:
    """Bring a service into its state; False if that failed."""

    def log(level: Level, source: str, message: str) -> None:
        text = f"{source}: {message}" if source else message
        say = {"notice": screen.notice, "err": screen.error}.get(level, screen.info)
        say(text)

    return not failed(apply(resource, f"/{resource.name}", log, noop=noop))


def _state(resource: Service) -> dict[str, str]:
    state = resource.state()
    if not resource.services.enableable:
        del state["enable"]
    return {**state, "provider": resource.services.name}


def _manifest(title: str, state: Mapping[str, str]) -> str:
    """Return a resource in Puppet's language."""
    width = max(map(len, state))
    lines = [f"  {name.ljust(width)} => '{value}',\n" for name, value in state.items()]
    escaped = shown(title).replace("'", "\\'")
    return f"service {{ '{escaped}':\n{''.join(lines)}}}"


def _yaml(found: Found) -> str:
    told = {"service": {title: dict(state) for title, state in found}}
    text: str = yaml.safe_dump(told, explicit_start=True, sort_keys=False)
    return text
