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


@dataclass(frozen=True, slots=True)
class CopyRule:
    """Where a copy is.

    Attributes:
        holds: What is in it, in order, as PEM.
        path: Its place; empty where a setting of the service tells.
        setting: That setting's name.
    """

    holds: tuple[Material, ...]
    path: str = ""
    setting: str = ""


@dataclass(frozen=True, slots=True)
class DoorRule:
    """Where a service answers over TLS, and with what it shows that it works.

    Attributes:
        port: TCP.
        port_setting: A setting of the service that may say otherwise.
        path: What is asked for; answered with status 200.
    """

    port: int
    port_setting: str = ""
    path: str = "/"


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
