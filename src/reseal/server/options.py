"""What a server was told to do, as frozen values.

They are made by the readers of Puppet's files and of reseal's own, or by a test, and
hold for the life of a process: like Puppet Server, a server reads its settings when
it starts and when it is told to read them again.

Sources: Puppet Server, `ca.conf`, `webserver.conf`; Puppet, `defaults.rb`
(`autosign`, `allow_duplicate_certs`, `ca_ttl`).
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Literal

from reseal.primary.options import PrimaryOptions
from reseal.server import access
from reseal.server.access import Rule

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
KeyPolicy = Literal["refuse", "warn"]
Serials = Literal["sequential", "random"]


@dataclass(frozen=True, slots=True)
class CaOptions:
    """How the CA decides.

    Attributes:
        allow_subject_alt_names: Requests may ask for further names.
        allow_authorization_extensions: They may ask for `pp_auth_role` and the like.
        allow_duplicate_certs: A name that has a certificate may get another.
        allow_auto_renewal: `certificate_renewal` answers.
        auto_renewal_cert_ttl: Life of a renewed certificate.
        ca_ttl: Life of every other one.
        enable_infra_crl: Nodes get the list of infrastructure nodes alone.
        autosign: `true`, `false` or the path of a list or a program.
        autosign_timeout: How long the program may take.
        autosign_at_once: How many of them may run.
        key_policy: Whether weak keys and digests are refused or only warned of.
        serials: As Puppet's, or random numbers of 127 bits, which Puppet Server
            cannot read.
        waiting_requests: How many requests may wait for a signature.
    """

    allow_subject_alt_names: bool = False
    allow_authorization_extensions: bool = False
    allow_duplicate_certs: bool = False
    allow_auto_renewal: bool = False
    auto_renewal_cert_ttl: timedelta = timedelta(days=90)
    ca_ttl: timedelta = timedelta(days=5 * 365)
    enable_infra_crl: bool = False
    autosign: str = "false"
    autosign_timeout: timedelta = timedelta(seconds=30)
    autosign_at_once: int = 4
    key_policy: KeyPolicy = "refuse"
    serials: Serials = "sequential"
    waiting_requests: int = 20_000


@dataclass(frozen=True, slots=True)
class ListenerOptions:
    """Where the server listens and how much it takes.

    Attributes:
        host: Address to listen on.
        port: TCP port; 0 lets the system choose.
        tls: The listener speaks TLS; without it, a proxy in front does.
        workers: Processes that share the port; 0 is one for each core.
        allow_header_cert_info: Who calls is told by `X-Client-…`, by `proxies` only.
        proxies: Where the proxies that may tell it are.
        body_limit: Bytes of the largest body that is read.
        anonymous_rate: Requests a minute and address from callers who show no
            certificate; 0 sets no limit.
        idle_timeout: How long a connection may say nothing.
        request_timeout: How long a whole request may take to arrive.
        connections: How many a worker holds open at once.
        access_log: File with a line for each request; None keeps none.
        audit_log: File with a line of JSON for each deed; None is standard output.
    """

    host: str = "0.0.0.0"  # noqa: S104 - Puppet Server's `ssl-host`
    port: int = 8140
    tls: bool = True
    workers: int = 0
    allow_header_cert_info: bool = False
    proxies: tuple[Network, ...] = ()
    body_limit: int = 1024 * 1024
    anonymous_rate: int = 600
    idle_timeout: timedelta = timedelta(seconds=30)
    request_timeout: timedelta = timedelta(seconds=30)
    connections: int = 2000
    access_log: Path | None = None
    audit_log: Path | None = None


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """The files the listener's TLS is made of, under Puppet's names.

    Attributes:
        hostcert: The server's own certificate.
        hostprivkey: Its private key.
        localcacert: Certificates of the CAs whose clients are believed.
        hostcrl: A revocation list of each of these CAs.
    """

    hostcert: Path
    hostprivkey: Path
    localcacert: Path
    hostcrl: Path


@dataclass(frozen=True, slots=True)
class Options:
    """Everything a server was told.

    Attributes:
        ca: How the CA decides.
        listener: Where the server listens.
        primary: What nodes get for their runs.
        rules: Who may do what.
        puppet_version: What the header `X-Puppet-Version` says.
    """

    ca: CaOptions = field(default_factory=CaOptions)
    listener: ListenerOptions = field(default_factory=ListenerOptions)
    primary: PrimaryOptions = field(default_factory=PrimaryOptions)
    rules: tuple[Rule, ...] = access.DEFAULT
    puppet_version: str = "8.10.0"
