"""What a survey knows of a node, as values.

Facts are read from a node and never guessed: what could not be read is None or
empty, and a `Fault` says so.  Everything here turns into JSON and back unchanged,
because a plan file carries the facts it was made for.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from reseal.site.copyfacts import ExtensionFacts
from reseal.site.material import CertificateFacts, CrlFacts, ServiceFacts

Role = Literal["ca", "server", "agent"]
ServiceManager = Literal[
    "systemd", "sysv", "openrc", "launchd", "scripts", "windows", "none"
]
BACKUPS = "/var/backups/reseal"
"""Where a node keeps what runs set aside; only root can enter it."""

AgentMode = Literal["daemon", "cron", "timer", "stopped"]
ServerKind = Literal["puppetserver", "reseal", "webrick", "rack"]
Flavour = Literal["puppet", "openvox", "pe", "reseal"]
CaShape = Literal["single", "chain"]
Severity = Literal["stop", "fault", "warning"]


@dataclass(frozen=True, slots=True)
class Fault:
    """Something wrong with a node.

    Attributes:
        severity: `stop` forbids any change to the site, `fault` keeps this node
            out of a run, `warning` is told and no more.
        message: The fault; the node's name is put before it where it is told.
        remedy: What to do about it.
    """

    severity: Severity
    message: str
    remedy: str


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """A primary server or compiler on the node.

    Attributes:
        kind: Which program answers agents.
        version: Its version.
        service: Its service; None where none was found.
        is_ca: It holds the site's CA.
        cadir: The CA's directory, links followed; None without a CA.
        cadir_link: A link that leads there (`$ssldir/ca` of Puppet 7), or None.
        owner: `user:group` that owns the CA's files.
        shape: One self-signed CA, or a chain up to a root; None without a CA.
        ca: The CA's bundle, the signing certificate first.
        ca_key: Kind and size of the CA's key; None when it is missing.
        ca_key_encrypted: The key needs a passphrase.
        autosign: The setting's value and what it means now: `false`, `true`,
            `list PATH` or `program PATH`.
        next_serial: What the CA's `serial` file says; None where it cannot be read.
        certificates: How many files lie in `signed`.
        port: TCP port of the server.
        infra: The CA's directory has the files that Puppet Server 6 and later keep
            for infrastructure nodes.
        proxied: A web server hands requests on to another service, which runs Puppet.
        policy: Where the CA looks for autosign's list or program while nothing is
            there, or what a run of ours has left; else empty, and where the setting
            is no path or the server has few threads.
    """

    kind: ServerKind
    version: str
    service: ServiceFacts | None
    is_ca: bool
    cadir: str | None
    cadir_link: str | None
    owner: str
    shape: CaShape | None
    ca: tuple[CertificateFacts, ...]
    ca_key: str | None
    ca_key_encrypted: bool
    autosign: str
    next_serial: int | None
    certificates: int
    port: int
    infra: bool = False
    proxied: bool = False
    policy: str = ""


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """What is true of one node.

    Attributes:
        name: The node's name in the roster.
        certname: Puppet's name for it; the roster's name when unreachable.
        roles: From the roster.
        reachable: A command could be run there as root.
        platform: Kernel, distribution and version, as `linux debian 12 x86_64`.
        service_manager: What starts and stops services there.
        puppet: Path of the `puppet` command, or of `reseal`, where that is the agent.
        puppet_version: Version of the agent.
        flavour: Whose agent it is: `puppet`, `openvox`, `pe`, or ours, `reseal`.
        ruby: Path of the Ruby that Puppet runs on; empty with reseal.
        settings: Puppet's settings for the agent, `puppet config print`; on the way
            to the ssldir links are followed.
        owner: `user:group` that owns the ssldir.
        ssldir_bytes: Size of the ssldir (and cadir) on disk.
        backups: The directory where backups go.
        disk_free: Bytes free there.
        clock_skew: Seconds the node's clock is ahead of ours.
        hostcert: The node's own certificate.
        key_matches: Its private key belongs to it; None if either is missing.
        trusted: The CA certificates the node trusts (`localcacert`).
        crls: The revocation lists it holds (`hostcrl`).
        agent: The agent's service.
        agent_mode: How the agent is run.
        disabled: Why the agent is administratively disabled; None if it is not.
        server: The server on this node, if there is one.
        extensions: Services that keep copies, in the order of their renewal.
        faults: What is wrong, worst first.
    """

    name: str
    certname: str
    roles: tuple[Role, ...]
    reachable: bool
    platform: str = ""
    service_manager: ServiceManager = "none"
    puppet: str = ""
    puppet_version: str = ""
    flavour: Flavour = "puppet"
    ruby: str = ""
    settings: dict[str, str] = field(default_factory=dict)
    owner: str = ""
    ssldir_bytes: int = 0
    backups: str = BACKUPS
    disk_free: int = 0
    clock_skew: float = 0.0
    hostcert: CertificateFacts | None = None
    key_matches: bool | None = None
    trusted: tuple[CertificateFacts, ...] = ()
    crls: tuple[CrlFacts, ...] = ()
    agent: ServiceFacts | None = None
    agent_mode: AgentMode = "stopped"
    disabled: str | None = None
    server: ServerFacts | None = None
    extensions: tuple[ExtensionFacts, ...] = ()
    faults: tuple[Fault, ...] = ()
