"""What an extension is: a service with copies of a node's certificates.

A *copy* is which material, at which place; an extension is a set of
copies, the services that read them, and a question that shows whether it works.

Sources: issue "Site extensions"; docs/reference/extensions.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Material = Literal["certificate", "key", "ca", "crl"]
"""What a copy holds: of the node its certificate and key, of the CA the bundle and
the revocation lists."""


Format = Literal["pem", "java"]
"""`pem` holds one thing after the other; `java` is a key store of Java, JKS or PKCS
#12, with the node's key and certificate, or with the CA's certificates."""


@dataclass(frozen=True, slots=True)
class CopyRule:
    """Where a copy is.

    Attributes:
        holds: What is in it, in order.
        path: Its place; empty where a setting of the service tells.
        setting: That setting's name.
        format: How it is held.
        password_setting: The setting that is a key store's password.
        optional: A service works without it.
    """

    holds: tuple[Material, ...]
    path: str = ""
    setting: str = ""
    format: Format = "pem"
    password_setting: str = ""
    optional: bool = False


@dataclass(frozen=True, slots=True)
class DoorRule:
    """Where a service answers over TLS, and with what it shows that it works.

    Attributes:
        port: TCP.
        port_setting: A setting of the service that may say otherwise.
        path: What is asked for with HTTP; answered with status 200.
        say: What is said instead, of a service that does not speak HTTP.
        answer: What the first line of its answer begins with: one of these.
        client: It wants certificates of its clients.
        address: Where it is asked, if not under the node's certname.
    """

    port: int
    port_setting: str = ""
    path: str = "/"
    say: str = ""
    answer: tuple[str, ...] = ()
    client: bool = True
    address: str = ""


@dataclass(frozen=True, slots=True)
class Extension:
    """A service with copies.

    Attributes:
        name: Short, unique.
        title: For people.
        services: Names in the service manager, in the order of a start.
        configs: Patterns of configuration files, `*` for any name.
        copies: Its copies.
        door: Where it answers; None for one that does not.
        first: It is renewed before the other agents, which need it.
        nodes: Certnames it is on; empty: wherever one of its services is.
    """

    name: str
    title: str
    services: tuple[str, ...]
    copies: tuple[CopyRule, ...]
    configs: tuple[str, ...] = ()
    door: DoorRule | None = None
    first: bool = True
    nodes: tuple[str, ...] = ()

    @property
    def settings(self) -> tuple[str, ...]:
        """The names of settings that tell where copies are."""
        names = [copy.setting for copy in self.copies]
        names += [self.door.port_setting] if self.door else []
        return tuple(name for name in dict.fromkeys(names) if name)
