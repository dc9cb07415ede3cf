"""What differs between kinds of node, as tables.

Guarantee: nothing else of reseal names a service manager's command, a distribution's
path or a product's marks; a new kind of node is a new row here.

Sources: systemctl(1), service(8), rc-service(8), launchctl(1); Puppet's service
providers (`lib/puppet/provider/service/`); paths and units of Debian's, Puppet's and
OpenVox's packages; docs of Puppet Enterprise, `pe_build`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from shlex import quote
from typing import Literal

from reseal.errors import SiteError
from reseal.site.facts import ServerKind, ServiceManager

Verb = Literal["start", "stop", "reload", "status", "enabled", "log"]


@dataclass(frozen=True, slots=True)
class Manager:
    """A service manager's commands; `{}` stands for the service, quoted.

    Attributes:
        start: Starts it and waits until the manager calls it started.
        stop: Stops it; no error when it does not run.
        reload: Has it read its files again, while it runs, or restarts one that cannot;
            empty where the manager has no word for it.
        status: Ends with 0 if it runs.
        enabled: Ends with 0 if it starts at boot; empty where nothing tells.
        known: Ends with 0 if there is such a service.
        log: Prints the last lines of its log; empty where none is kept.
    """

    start: str
    stop: str
    status: str
    enabled: str
    known: str
    reload: str = ""
    log: str = ""


MANAGERS: Mapping[ServiceManager, Manager] = {
    "systemd": Manager(
        start="systemctl start -- {}",
        stop="systemctl stop -- {}",
        status="systemctl --quiet is-active -- {}",
        enabled="systemctl --quiet is-enabled -- {}",
        known="systemctl cat -- {} >/dev/null 2>&1",
        reload="systemctl reload-or-restart -- {}",
        log="journalctl --no-pager -q -n 5 -o cat --unit={} 2>/dev/null",
    ),
    "openrc": Manager(
        start="rc-service -- {} start",
        stop="rc-service --ifstarted -- {} stop",
        status="rc-service -- {} status >/dev/null 2>&1",
        enabled="test -e /etc/runlevels/default/{}",
        known="test -x /etc/init.d/{}",
        reload="rc-service -- {} reload || rc-service -- {} restart",
    ),
    "sysv": Manager(
        start="service {} start </dev/null",
        stop="service {} stop </dev/null",
        status="service {} status >/dev/null 2>&1",
        enabled="ls /etc/rc[2345].d/S[0-9][0-9]{} >/dev/null 2>&1",
        known="test -x /etc/init.d/{}",
        reload="service {} reload </dev/null || service {} restart </dev/null",
    ),
    "launchd": Manager(
        start="launchctl load -w /Library/LaunchDaemons/com.puppetlabs.{}.plist",
        stop="launchctl unload -w /Library/LaunchDaemons/com.puppetlabs.{}.plist",
        status="launchctl list com.puppetlabs.{} >/dev/null 2>&1",
        enabled="",
        known="test -f /Library/LaunchDaemons/com.puppetlabs.{}.plist",
    ),
    "scripts": Manager(
        start='"$node_home"/services/{} start',
        stop='"$node_home"/services/{} stop',
        status='"$node_home"/services/{} status >/dev/null 2>&1',
        enabled="",
        known='test -x "$node_home"/services/{}',
        log='tail -n 5 "$node_home"/log/{}.log 2>/dev/null',
    ),
}
"""POSIX service managers that reseal drives; a node with another is left alone."""


@dataclass(frozen=True, slots=True)
class ServerProgram:
    """A service that answers agents.

    Attributes:
        service: Its name.
        kind: What runs behind it.
        port: Where it listens unless its settings say otherwise.
    """

    service: str
    kind: ServerKind
    port: int = 8140


SERVERS = (
    ServerProgram("puppetserver", "puppetserver"),
    ServerProgram("pe-puppetserver", "puppetserver"),
    ServerProgram("reseal-server", "reseal"),
    ServerProgram("puppet-master", "webrick"),
    ServerProgram("puppetmaster", "webrick"),
    ServerProgram("pe-httpd", "rack"),
    ServerProgram("apache2", "rack"),
    ServerProgram("httpd", "rack"),
    ServerProgram("nginx", "rack"),
)
"""In the order they are looked for; a web server counts only with a Puppet site."""

AGENT_SERVICES = ("puppet", "pe-puppet", "puppet-agent")
"""Of Puppet's agent; where none of them is used, the node's agent may be ours."""

OUR_AGENT = "reseal-agent"
"""The service of `reseal agent`."""

OUR_COMMANDS = ("/usr/local/bin/reseal", "/usr/bin/reseal", "/opt/reseal/bin/reseal")

PUPPET_COMMANDS = (
    "/opt/puppetlabs/bin/puppet",
    "/opt/puppet/bin/puppet",
    "/usr/bin/puppet",
    "/usr/local/bin/puppet",
)

RUBIES: Mapping[str, tuple[str, ...]] = {
    "/opt/puppetlabs/bin/puppet": ("/opt/puppetlabs/puppet/bin/ruby",),
    "/opt/puppet/bin/puppet": ("/opt/puppet/bin/ruby",),
    "/usr/bin/puppet": ("/usr/bin/ruby",),
    "/usr/local/bin/puppet": ("/usr/local/bin/ruby", "/usr/bin/ruby"),
}
"""Which Ruby a `puppet` command runs on, by its path."""

PE_MARKS = (
    "/opt/puppetlabs/server/pe_build",
    "/opt/puppetlabs/server/pe_version",
    "/opt/puppet/pe_build",
    "/opt/puppet/pe_version",
    "/etc/puppetlabs/enterprise",
)
"""Files and directories that only Puppet Enterprise has."""

PE_PAGES = (
    "/pe/latest/trouble_regenerate_certs_split.html",
    "/pe/latest/trouble_regenerate_certs_monolithic.html",
)
"""Where Puppet Enterprise's own documentation says how it is done there."""

OPENVOX_MARKS = ("/opt/puppetlabs/puppet/share/doc/openvox-agent",)

SERVER_CONFIGS = ("/etc/puppetlabs/puppetserver", "/etc/puppet/puppetserver")
"""Where Puppet Server's packages keep its configuration."""


def can(manager: ServiceManager, verb: Verb) -> bool:
    """Tell whether a service manager has a way to do that."""
    row = MANAGERS.get(manager)
    return row is not None and bool(getattr(row, verb))


def service_command(manager: ServiceManager, verb: Verb, service: str) -> str:
    """Return the shell command for one deed of a service manager.

    Raises:
        SiteError: reseal does not drive that manager, or it cannot tell.
    """
    if not can(manager, verb):
        raise SiteError(
            f"{service}: no way to {verb} a service with {manager}",
            hint="reseal drives systemd, OpenRC, SysV init and launchd",
        )
    return str(getattr(MANAGERS[manager], verb)).replace("{}", quote(service))
