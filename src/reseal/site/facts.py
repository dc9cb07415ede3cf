"""What a survey knows of a node, as values.

Facts are read from a node and never guessed: what could not be read is None or
empty, and a `Fault` says so.  Everything here turns into JSON and back unchanged,
because a plan file carries the facts it was made for.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from reseal.extensions.protocol import Format, Material

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
class CertificateFacts:
    """A certificate, by what tells it apart.

    Attributes:
        subject: Common name.
        issuer: Common name of the issuer; never enough to tell two CAs apart.
        serial: Serial number.
        fingerprint: SHA-256 over the certificate's DER.
        key_fingerprint: SHA-256 over the DER of its SubjectPublicKeyInfo.
        key: Kind and size, as `rsa:4096` or `ec:secp256r1`.
        not_before: Aware, UTC.
        not_after: Aware, UTC.
        alt_names: As `DNS:name` and `IP:address`, in the certificate's order.
        extensions: Puppet's extensions: dotted OID to value.
    """

    subject: str
    issuer: str
    serial: int
    fingerprint: str
    key_fingerprint: str
    key: str
    not_before: datetime
    not_after: datetime
    alt_names: tuple[str, ...] = ()
    extensions: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CrlFacts:
    """A revocation list on a node.

    Attributes:
        issuer: Common name of the issuer.
        number: cRLNumber, or None where the list has none.
        next_update: Aware, UTC; None where the list has none.
        entries: How many serial numbers it lists.
        fingerprint: SHA-256 over its DER.
    """

    issuer: str
    number: int | None
    next_update: datetime | None
    entries: int
    fingerprint: str


@dataclass(frozen=True, slots=True)
class ServiceFacts:
    """A service of the node's service manager.

    Attributes:
        name: Its name there.
        active: It runs now.
        enabled: It starts at boot; None where the manager does not say.
    """

    name: str
    active: bool
    enabled: bool | None


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


@dataclass(frozen=True, slots=True)
class CopyFacts:
    """A copy of a node's material, as a service keeps it.

    Attributes:
        holds: What is meant to be in it, in order.
        format: How it is held.
        path: Its place; of Puppet's own file with links followed.
        own: It is no copy, but Puppet's own file.
        there: The file is there.
        link: Where it leads, if it is a link to what is not Puppet's own.
        cleared: It lies where a run clears or replaces everything.
        owner: `user:group`.
        mode: Permission bits in octal, as `0640`.
        certificates: The certificates in it.
        crls: The revocation lists in it.
        key: Fingerprint of the public half of the key in it.
        keys: How many private keys are in it, as PEM.
        alias: The key's name in a key store.
        jks: A key store is one of Java's own kind, and not PKCS #12.
        password: Where its password stands: file and setting.
    """

    holds: tuple[Material, ...]
    path: str
    own: bool
    there: bool
    link: str = ""
    cleared: bool = False
    owner: str = ""
    mode: str = ""
    certificates: tuple[CertificateFacts, ...] = ()
    crls: tuple[CrlFacts, ...] = ()
    key: str | None = None
    keys: int = 0
    format: Format = "pem"
    alias: str = ""
    jks: bool = False
    password: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class DoorFacts:
    """Where a service answers over TLS.

    Attributes:
        port: TCP.
        path: With HTTP, what has status 200.
        client: It wants certificates of its clients, and refuses old ones.
        address: Where it is asked, if not under the node's certname.
        say: What is said without HTTP.
        answer: What an answer to that begins with: one of these.
    """

    port: int
    path: str
    say: str = ""
    answer: tuple[str, ...] = ()
    client: bool = True
    address: str = ""


@dataclass(frozen=True, slots=True)
class ExtensionFacts:
    """A service on a node that keeps copies.

    Attributes:
        name, title: Of the extension.
        services: Its services, in the order of a start.
        copies: Its copies, and Puppet's own files that it reads.
        door: Where it answers; None for one that does not.
        first: It is renewed before the other agents.
    """

    name: str
    title: str
    services: tuple[ServiceFacts, ...]
    copies: tuple[CopyFacts, ...]
    door: DoorFacts | None = None
    first: bool = True


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
