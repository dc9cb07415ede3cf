"""Write a site file from what is there: the CA's certificates and an SSH config.

Guarantee: a node the CA has signed for is in the file, and what is only in the SSH
configuration is not, for the CA does not know it.  Certificates whose names no node
can have are left out and told.

Sources: Puppet's settings `signeddir` and `cert_inventory` (`inventory.txt`, one
line per certificate ever signed); ssh_config(5), `Host` and `Include`.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from reseal.certname import Certname
from reseal.errors import InvalidCertname, SettingsError, SiteError
from reseal.site.platform import PUPPET_COMMANDS
from reseal.site.transport import Transport, check

_LIST = r"""
for puppet in %s "$(command -v puppet)" "$(command -v reseal)"; do
    [ ! -x "$puppet" ] || break
done
cadir=$1
if [ -z "$cadir" ]; then
    cadir=$("$puppet" config print --section master cadir) || exit 1
fi
"$puppet" config print --section agent certname || exit 1
if [ -d "$cadir/signed" ]; then
    ls -1 -- "$cadir/signed" | sed -n 's/\.pem$//p'
elif [ -f "$cadir/inventory.txt" ]; then
    sed -n 's|.*/CN=||p' "$cadir/inventory.txt" | sort -u
else
    echo "$cadir: is not the directory of a CA" >&2
    exit 1
fi
"""
_DEEPEST = 16
_HINT = "run it with the host that holds the CA"


@dataclass(frozen=True, slots=True)
class Discovered:
    """What was found of a site.

    Attributes:
        ca: The CA's host.
        nodes: Every other node the CA has signed for.
        strange: Names of certificates that no node can have.
    """

    ca: Certname
    nodes: tuple[Certname, ...]
    strange: tuple[str, ...]


async def discover(transport: Transport, cadir: str = "") -> Discovered:
    """Read the certnames a CA has signed for.

    Args:
        transport: The way to the CA's host.
        cadir: The CA's directory; empty asks Puppet there.

    Raises:
        SiteError: There is no CA on that host.
        TransportError: The host cannot be reached.
    """
    script = _LIST % " ".join(PUPPET_COMMANDS)
    printed = (await check(transport, script, cadir)).decode(errors="replace")
    own, *names = printed.splitlines() or [""]
    known, strange = _sort(names)
    if own not in known:
        raise SiteError(
            f"{transport.name}: the CA has no certificate for it", hint=_HINT
        )
    ca = Certname(own)
    return Discovered(ca, tuple(name for name in known if name != ca), strange)


def _sort(names: Sequence[str]) -> tuple[tuple[Certname, ...], tuple[str, ...]]:
    """Tell names that nodes can have from others; the CA's own is neither."""
    known: list[Certname] = []
    strange: list[str] = []
    for name in sorted(set(names)):
        if name == "ca" or name.startswith(("Puppet CA", "Puppet Root CA")):
            continue
        try:
            known.append(Certname(name))
        except InvalidCertname:
            strange.append(name)
    return tuple(known), tuple(strange)


def ssh_hosts(path: Path) -> dict[str, str]:
    """Return the hosts of an SSH configuration: each alias to where it leads.

    Patterns are passed over; files it includes are read.

    Raises:
        SettingsError: The configuration cannot be read.
    """
    found: dict[str, str] = {}
    aliases: list[str] = []
    for word, values in _lines(path, depth=0):
        if word == "host":
            aliases = [name for name in values if not set(name) & set("*?!")]
            for alias in aliases:
                found.setdefault(alias, alias)
        elif word == "match":
            aliases = []
        elif word == "hostname" and values:
            for alias in aliases:
                found[alias] = values[0] if found[alias] == alias else found[alias]
    return found


def _lines(path: Path, depth: int) -> Iterator[tuple[str, list[str]]]:
    """Yield keyword and arguments of each line, of included files too."""
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(str(path), [f"cannot be read: {error}"]) from error
    for number, line in enumerate(text.splitlines(), 1):
        try:
            words = shlex.split(line.replace("=", " ", 1), comments=True)
        except ValueError as error:
            raise SettingsError(str(path), [f"line {number}: {error}"]) from error
        if words and words[0].lower() == "include" and depth < _DEEPEST:
            for included in _included(words[1:]):
                yield from _lines(included, depth + 1)
        elif words:
            yield words[0].lower(), words[1:]


def _included(patterns: Sequence[str]) -> Iterator[Path]:
    """Yield the files an `Include` names; relative ones lie in `~/.ssh`."""
    for pattern in patterns:
        place = Path("~/.ssh").expanduser() / Path(pattern).expanduser()
        yield from sorted(place.parent.glob(place.name))


def site_file(
    found: Discovered, hosts: Mapping[str, str], ssh_config: Path | None = None
) -> str:
    """Return the text of a site file.

    Args:
        found: The CA's host and the nodes.
        hosts: Hosts of an SSH configuration; a node goes by its alias there.
        ssh_config: The configuration, if it is not the user's own.
    """
    lines = [f"# {len(found.nodes) + 1} nodes the CA on {found.ca} has signed for."]
    lines += [
        f"# Left out, for no node can have that name: {n!r}" for n in found.strange
    ]
    if ssh_config is not None:
        lines += ["", "[ssh]", f"config = {_quoted(str(ssh_config))}"]
    lines += ["", *_node(found.ca, hosts), 'roles = ["ca", "server"]']
    for name in found.nodes:
        lines += ["", *_node(name, hosts)]
    return "\n".join(lines) + "\n"


def _node(name: Certname, hosts: Mapping[str, str]) -> list[str]:
    """Return the lines of a node, with its alias if it is not its certname."""
    lines = ["[[node]]", f"certname = {_quoted(name)}"]
    alias = _alias(name, hosts)
    return lines if alias == name else [*lines, f"address = {_quoted(alias)}"]


def _alias(name: str, hosts: Mapping[str, str]) -> str:
    """Return the alias of a node: its name, what leads to it, its short name."""
    by_target = [alias for alias, target in hosts.items() if target == name]
    short = name.partition(".")[0]
    if name in hosts or not (by_target or short in hosts):
        return name
    return by_target[0] if by_target else short


def _quoted(text: str) -> str:
    """Return a TOML basic string."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
