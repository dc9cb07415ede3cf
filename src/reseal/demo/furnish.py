"""Writes a demo's site: programs, services, settings and catalogs of every node.

Guarantee: nothing of it lies outside of its directory, no setting of this machine's
Puppet is read, and whoever makes it owns all of it.

Sources: docs/reference/site-file.md (`home`); docs/reference/catalogs.md.
"""

from __future__ import annotations

import os
import shlex
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from shlex import quote

import yaml

from reseal.agent.accounts import group_name, user_name
from reseal.demo.place import (
    AGENT,
    CA,
    CERT,
    GUEST,
    KEY,
    PUPPET,
    SERVER,
    SHOP,
    Home,
    Place,
)

MODULE = (sys.executable, "-P", "-m")
"""How a module of reseal is run; never one that lies in the current directory."""

PUPPETS = (
    ("/opt/puppetlabs/bin/puppet", "/opt/puppetlabs/puppet/bin/ruby"),
    ("/usr/bin/puppet", "/usr/bin/ruby"),
)
"""Where Puppet's agent is installed, with its Ruby."""

_AGENT_WORDS = "agent --verbose --color=false"
_DIRECTORIES = ("bin", "services", "etc", "run", "log", "var", "var/state", "copies")

_PROGRAM = """\
#!/bin/sh
# reseal as it is on {name}: with the settings of its home.
case $1 in
    agent | cert | config | server | ssl) exec {reseal} "$@" --confdir {home}/etc ;;
    ca) exec {reseal} "$@" --config {home}/etc/puppet.conf ;;
    *) exec {reseal} "$@" ;;
esac
"""

_PUPPET = """\
#!/bin/sh
# puppet as it is on {name}: with the settings of its home.
exec {puppet} "$@" --confdir {home}/etc
"""

_SERVICE = """\
#!/bin/sh
# The service {service} of {name}, as an init script is asked.
log={home}/log/{service}.log pid={home}/run/{service}.pid
ask() {{ {home}/bin/reseal node "$@"; }}
case $1 in
    start) ask launch -- "$log" "$pid" {command} ;;
    stop) ask launch -- "$log" "$pid" ;;
    status) case $(ask running -- "$pid") in *[0-9]*) ;; *) exit 3 ;; esac ;;
    restart) "$0" stop && "$0" start ;;
    *) echo "usage: $0 start|stop|status|restart" >&2; exit 2 ;;
esac >/dev/null
"""

_PUPPET_CONF = """\
[main]
certname = {name}
server = localhost
serverport = {port}
masterport = {port}
ssldir = {home}/ssl
vardir = {home}/var
statedir = {home}/var/state
publicdir = {home}/var/public
rundir = {home}/run
logdir = {home}/log
keylength = 2048
user = {user}
group = {group}
{more}
[agent]
waitforcert = 5
pluginsync = false
"""


def furnish(place: Place) -> None:
    """Write everything but certificates, which the site makes for itself."""
    place.mark.touch()
    port, shop = _free_ports(2)
    guest = next((pair for pair in PUPPETS if all(map(_is_program, pair))), None)
    if guest is not None:
        place.home(GUEST).path.mkdir(parents=True)
    for home in place.homes:
        _node(home, port, f"cadir = {place.cadir}" if home == place.primary else "")
    for home in place.agents:
        if guest is not None and home.path.name == GUEST:
            _guest(home, *guest)
        else:
            _service(home, AGENT, f"{_q(home.reseal)} {_AGENT_WORDS}")
    _primary(place.primary, port)
    _keep_copies(place.keeper, shop)
    _catalogs(place)
    place.site_file.write_text("\n".join(_site_lines(place, shop)))


def _is_program(path: str) -> bool:
    return os.access(path, os.X_OK)


def _q(path: Path) -> str:
    """Return a path as a word of a shell."""
    return quote(str(path))


def _python() -> str:
    """Return how a module is run, as a shell's words, whatever the environment is."""
    path = os.environ.get("PYTHONPATH", "")
    given = f"env PYTHONPATH={quote(path)} " if path else ""
    return given + shlex.join(MODULE)


def _node(home: Home, port: int, more: str) -> None:
    """Make a node's directories, its settings and its `reseal`."""
    for name in _DIRECTORIES:
        (home.path / name).mkdir(parents=True)
    text = _PUPPET_CONF.format(
        name=home.name,
        port=port,
        home=home.path,
        user=user_name(os.getuid()),
        group=group_name(os.getgid()),
        more=more,
    )
    (home.path / "etc/puppet.conf").write_text(text)
    reseal = f"{_python()} reseal"
    text = _PROGRAM.format(name=home.name, reseal=reseal, home=_q(home.path))
    _script(home.reseal, text)


def _guest(home: Home, puppet: str, ruby: str) -> None:
    """Make a node of Puppet's agent."""
    path = home.path / "bin/puppet"
    _script(path, _PUPPET.format(name=home.name, puppet=puppet, home=_q(home.path)))
    (home.path / "bin/ruby").symlink_to(ruby)
    _service(home, PUPPET, f"{_q(path)} agent --no-daemonize --verbose")


def _primary(home: Home, port: int) -> None:
    text = (
        f'[listener]\nhost = "127.0.0.1"\nport = {port}\nworkers = 2\n\n'
        '[primary]\ncatalogs = "static"\n'
    )
    (home.path / "etc/reseal.toml").write_text(text)
    words = "server --no-daemonize --dns-alt-names localhost"
    _service(home, SERVER, f"{_q(home.reseal)} {words}")
    _service(home, AGENT, f"{_q(home.reseal)} {_AGENT_WORDS}")


def _keep_copies(home: Home, port: int) -> None:
    """Make the service that holds copies."""
    module = f"{_python()} reseal.demo.copies"
    _service(home, SHOP, f"{module} {port} {_q(home.copies)}")
    (home.path / "etc/shop.port").write_text(f"{port}\n")


def _site_lines(place: Place, shop: int) -> Iterator[str]:
    yield f"# The site of a demo: {len(place.homes)} nodes in directories."
    for home in place.homes:
        yield f'\n[[node]]\ncertname = "{home.name}"\ntransport = "local"'
        yield f'home = "nodes/{home.path.name}"'
        if home == place.primary:
            yield 'roles = ["ca", "server"]'
    yield from _shop_lines(place.keeper, shop)


def _shop_lines(home: Home, port: int) -> Iterator[str]:
    """Yield what the site file says of the service that holds copies."""
    yield f'\n[extension.{SHOP}]\ntitle = "The shop"\nnodes = ["{home.name}"]'
    yield f'services = ["{SHOP}"]\nfirst = false'
    for holds, name in (("certificate", CERT), ("key", KEY), ("ca", CA)):
        yield f'\n[[extension.{SHOP}.copy]]\nholds = ["{holds}"]'
        yield f'path = "{home.copies / name}"'
    yield f'\n[extension.{SHOP}.door]\nport = {port}\naddress = "127.0.0.1"\n'


def _catalogs(place: Place) -> None:
    folder = place.primary.path / "etc/catalogs/nodes"
    folder.mkdir(parents=True)
    (folder.parent / "default.yaml").write_text("resources: {}\n")
    for home in place.homes:
        text = f"{home.name} is managed by reseal.\n"
        motd = {f"{home.path}/motd": {"content": text, "mode": "0644"}}
        told = yaml.safe_dump({"resources": {"file": motd}}, sort_keys=False)
        (folder / f"{home.name}.yaml").write_text(told)


def _service(home: Home, service: str, command: str) -> None:
    text = _SERVICE.format(
        name=home.name, service=service, command=command, home=_q(home.path)
    )
    _script(home.service(service), text)


def _script(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


def _free_ports(count: int) -> list[int]:
    """Return TCP ports of loopback that nobody listens on now."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        return [int(each.getsockname()[1]) for each in held]
    finally:
        for each in held:
            each.close()
