"""The roster: which nodes a site has, what they do, how they are reached.

Guarantee: a `Roster` is whole.  Every name in it is a certname, no node stands in
it twice, exactly one holds the CA, and nothing in the file was misspelt; whatever
is wrong is reported at once, each fault with its line.

Sources: docs/reference/site-file.md (the file's format); ssh_config(5).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast, get_args

from reseal.certname import Certname
from reseal.errors import InvalidCertname
from reseal.extensions.declared import declared
from reseal.extensions.protocol import Extension
from reseal.site.facts import Role
from reseal.tomlfile import Table, open_toml

TransportKind = Literal["ssh", "local"]
HostKeyPolicy = Literal["strict", "accept-new"]

_HINT = "the site file is described in docs/reference/site-file.md"
_TOP = ("ssh", "group", "node", "extension")
_SSH = (
    *("config", "known_hosts", "host_keys", "user"),
    *("connect_timeout", "command_timeout", "limit"),
)
_WAY = ("transport", "user", "port", "roles")
_LOCAL_HOME = 'home: is for nodes with transport = "local"'
_GROUP = ("certnames", *_WAY)
_NODE = ("certname", "address", "groups", "home", *_WAY)
_RANGE = re.compile(r"\[(\d+)-(\d+)\]")
_MOST_OF_A_RANGE = 100_000


@dataclass(frozen=True, slots=True)
class Node:
    """A node of the site.

    Attributes:
        name: Its certname.
        roles: `agent`, and before it `ca` and `server` where they apply.
        address: Host name, address or SSH alias to connect to.
        transport: How it is reached.
        user: User to log in as; None leaves it to the SSH configuration.
        port: TCP port of its sshd; None leaves it to the SSH configuration.
        groups: Groups of the site file it belongs to.
        home: The directory where all of it lies, if it is not the machine itself:
            programs, services, settings, certificates, backups.
    """

    name: Certname
    roles: tuple[Role, ...] = ("agent",)
    address: str = ""
    transport: TransportKind = "ssh"
    user: str | None = None
    port: int | None = None
    groups: tuple[str, ...] = ()
    home: str | None = None


@dataclass(frozen=True, slots=True)
class SshSettings:
    """How SSH connections are made.

    Attributes:
        config: SSH configuration, as `ssh -F`; None means `~/.ssh/config`.
        known_hosts: Files of known host keys; empty leaves it to the configuration.
        host_keys: `strict` refuses unknown host keys, `accept-new` records them;
            a key that has changed is always refused.
        user: User to log in as; None leaves it to the SSH configuration.
        connect_timeout: Seconds until a connection must stand.
        command_timeout: Seconds a command may take unless its caller says more.
        limit: How many nodes are worked on at once.
    """

    config: Path | None = None
    known_hosts: tuple[Path, ...] = ()
    host_keys: HostKeyPolicy = "strict"
    user: str | None = None
    connect_timeout: int = 15
    command_timeout: int = 120
    limit: int = 50


@dataclass(frozen=True, slots=True)
class Roster:
    """Every node of a site, in the file's order, and how to reach them.

    Its `extensions` are the site's own services that keep copies.
    """

    nodes: tuple[Node, ...]
    ssh: SshSettings = field(default_factory=SshSettings)
    extensions: tuple[Extension, ...] = ()

    @property
    def ca(self) -> Node:
        """The node that holds the CA."""
        return next(node for node in self.nodes if "ca" in node.roles)

    @property
    def agents(self) -> tuple[Node, ...]:
        """Every node but the CA's host, compilers among them."""
        return tuple(node for node in self.nodes if "ca" not in node.roles)

    def node(self, name: str) -> Node | None:
        """Return the node of that certname, or None."""
        return next((node for node in self.nodes if node.name == name), None)


@dataclass(frozen=True, slots=True)
class _Group:
    """A group of the site file: what its nodes share, and which it names itself."""

    shared: dict[str, Any]
    certnames: dict[Certname, None]


def load_roster(path: Path) -> Roster:
    """Read a site file.

    Raises:
        SettingsError: Every fault of the file, each with its line.
        StoreError: The file cannot be read.
    """
    top = open_toml(path, hint=_HINT)
    ssh = _ssh(top.table("ssh"), path.parent)
    groups = _groups(top)
    nodes = tuple(_nodes(top, groups, path.parent.absolute()))
    names = {node.name for node in nodes}
    extensions = tuple(declared(top.table("extension"), names))
    top.done(_TOP)
    _check_ca(top, nodes)
    top.faults.check()
    return Roster(nodes, ssh, extensions)


def _ssh(table: Table, base: Path) -> SshSettings:
    config = table.string("config")
    known = table.strings("known_hosts") or ()
    policy = table.choice("host_keys", get_args(HostKeyPolicy)) or "strict"
    default = SshSettings()
    settings = SshSettings(
        config=_path(base, config) if config else None,
        known_hosts=tuple(_path(base, name) for name in known),
        host_keys=cast(HostKeyPolicy, policy),
        user=table.string("user"),
        connect_timeout=table.integer("connect_timeout", 1, 600)
        or default.connect_timeout,
        command_timeout=table.integer("command_timeout", 1, 86400)
        or default.command_timeout,
        limit=table.integer("limit", 1, 1000) or default.limit,
    )
    table.done(_SSH)
    return settings


def _path(base: Path, name: str) -> Path:
    """Return a path of the file: `~` is the user's, others begin at the file."""
    return base / Path(name).expanduser()


def _way(table: Table) -> dict[str, Any]:
    """Take what groups and nodes have in common; only what is there."""
    found = {
        "transport": table.choice("transport", get_args(TransportKind)),
        "user": table.string("user"),
        "port": table.integer("port", 1, 65535),
        "roles": _roles(table),
    }
    return {key: value for key, value in found.items() if value is not None}


def _roles(table: Table) -> tuple[str, ...] | None:
    """Take roles; every node is an agent, and a CA's host is a server."""
    named = table.strings("roles")
    if named is None:
        return None
    known = get_args(Role)
    for role in named:
        if role not in known:
            table.fault(f"roles: {role!r} is not one of {', '.join(known)}", "roles")
    implied = {"agent", *named} | ({"server"} if "ca" in named else set())
    return tuple(role for role in known if role in implied)


def _groups(top: Table) -> dict[str, _Group]:
    table = top.table("group")
    return {name: _group(table.table(name)) for name in table.names()}


def _group(table: Table) -> _Group:
    shared = _way(table)
    if shared.get("roles") and "ca" in shared["roles"]:
        table.fault("roles: the CA is one node, not a group", "roles")
    certnames: dict[Certname, None] = {}
    for pattern in table.strings("certnames") or ():
        for name in _expand(pattern, table):
            certname = _certname(name, table, "certnames")
            if certname in certnames:
                table.fault(f"certnames: {certname} stands here twice", "certnames")
            elif certname is not None:
                certnames[certname] = None
    table.done(_GROUP)
    return _Group(shared, certnames)


def _expand(pattern: str, table: Table) -> Iterator[str]:
    """Yield the names of `web[01-20].example.com`, or the name itself."""
    found = _RANGE.search(pattern)
    if found is None:
        yield pattern
        return
    first, last = int(found[1]), int(found[2])
    if not first <= last < first + _MOST_OF_A_RANGE:
        table.fault(f"certnames: {found[0]} is not a range", "certnames")
        return
    for number in range(first, last + 1):
        name = f"{number:0{len(found[1])}d}"
        yield from _expand(pattern.replace(found[0], name, 1), table)


def _certname(name: str | None, table: Table, key: str) -> Certname | None:
    if name is None:
        return None
    try:
        return Certname(name)
    except InvalidCertname as error:
        table.fault(f"{key}: {error} ({error.hint})", key)
        return None


def _nodes(top: Table, groups: dict[str, _Group], base: Path) -> Iterator[Node]:
    """Yield the nodes that have tables of their own, then those of groups alone."""
    seen: set[str] = set()
    for table in top.tables("node"):
        node = _node(table, groups, base)
        if node is not None and node.name in seen:
            table.fault(f"certname: {node.name} has a table already", "certname")
        elif node is not None:
            seen.add(node.name)
            yield node
    for group in groups.values():
        for name in group.certnames:
            if name not in seen:
                seen.add(name)
                yield _made(name, {}, (), groups)


def _node(table: Table, groups: dict[str, _Group], base: Path) -> Node | None:
    given = table.string("certname")
    if given is None:
        table.fault("certname: is missing")
    name = _certname(given, table, "certname")
    own = _way(table)
    address = table.string("address")
    named = table.strings("groups") or ()
    for group in named:
        if group not in groups:
            table.fault(f"groups: there is no [group.{group}]", "groups")
    home = table.string("home")
    table.done(_NODE)
    if name is None:
        return None
    own |= {"address": address} if address else {}
    own |= {"home": str(_path(base, home))} if home else {}
    node = _made(name, own, named, groups)
    if home and node.transport != "local":
        table.fault(_LOCAL_HOME, "home")
    return node


def _made(
    name: Certname,
    own: dict[str, Any],
    named: tuple[str, ...],
    groups: dict[str, _Group],
) -> Node:
    """Put a node together: its own settings go before those of its groups."""
    member = [group for group in groups if name in groups[group].certnames]
    all_groups = tuple(dict.fromkeys((*named, *member)))
    values: dict[str, Any] = {"address": str(name)}
    for group in reversed([group for group in all_groups if group in groups]):
        values |= groups[group].shared
    return Node(name=name, groups=all_groups, **values | own)


def _check_ca(top: Table, nodes: tuple[Node, ...]) -> None:
    holders = [node.name for node in nodes if "ca" in node.roles]
    if not holders:
        top.fault('no node has the role ca: roles = ["ca", "server"]')
    elif len(holders) > 1:
        top.fault(f"{len(holders)} nodes have the role ca: {', '.join(holders)}")
