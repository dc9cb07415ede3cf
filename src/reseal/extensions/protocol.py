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


Format = Literal["pem", "der", "java"]
"""`pem` holds one thing after the other; `der` one of them, a key as PKCS #8; `java`
is a key store of Java, JKS or PKCS #12, with the node's key and certificate, or with
the CA's certificates."""


Before = Literal["", "line", "postgres"]
"""`line`: the server says a line first, as NATS; `postgres`: PostgreSQL is asked for
TLS."""


@dataclass(frozen=True, slots=True)
class CopyRule:
    """Where a copy is.

    Attributes:
        holds: What is in it, in order.
        path: Its place; empty where a setting of the service tells.
        setting: That setting's name.
        parameter: In the setting's value, a URL, the parameter that is meant.
        format: How it is held.
        password_setting: The setting that is a key store's password.
        key_password_setting: The same of the key in it, where that has its own.
        optional: A service works without it.
        pair: Whose key or certificate it is, if not the node's: the name of a pair
            that several nodes have, where `*` stands for the name of its file.
        named_by: The setting whose file that is, if it is not its own.
        folder: The setting names a directory; each file NAME.pem in it is such a copy.
        own: The service works with Puppet's own file, and its configuration need not
            say so.
    """

    holds: tuple[Material, ...]
    path: str = ""
    setting: str = ""
    parameter: str = ""
    format: Format = "pem"
    password_setting: str = ""
    key_password_setting: str = ""
    optional: bool = False
    pair: str = ""
    named_by: str = ""
    folder: bool = False
    own: bool = False

    @property
    def place(self) -> str:
        """The setting that says where it is, with the parameter: `subname?sslkey`."""
        return f"{self.setting}?{self.parameter}" if self.parameter else self.setting


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
        before: What comes in clear before TLS.
    """

    port: int
    port_setting: str = ""
    path: str = "/"
    say: str = ""
    answer: tuple[str, ...] = ()
    client: bool = True
    address: str = ""
    before: Before = ""


@dataclass(frozen=True, slots=True)
class QuestionRule:
    """A command that shows whether a service works, across nodes.

    Attributes:
        command: Its words; it ends with exit status 0.
        hears: The extension whose nodes are in what it prints, each by its identity.
    """

    command: tuple[str, ...]
    hears: str = ""


@dataclass(frozen=True, slots=True)
class Extension:
    """A service with copies.

    Attributes:
        name: Short, unique.
        title: For people.
        services: Names in the service manager, in the order of a start; empty for a
            program that people start, which is there if one of `configs` is.
        configs: Patterns of configuration files, `*` for any name.
        apart: Each of these files stands for itself, as each user's own.
        mixed: They name files of other CAs, too, which are left alone; a setting may
            be said often.
        base: Where relative paths in them begin; empty: beside the file.
        copies: Its copies.
        door: Where it answers; None for one that does not.
        first: It is renewed before the other agents, which need it.
        nodes: Certnames it is on; empty: wherever one of its services is.
        identity_setting: A setting with the name that the node has for others, if that
            is not its certname.
        question: Asked on one node that has it.
        reload: Its services read their files again without ending; connections that
            were made with old certificates last.
    """

    name: str
    title: str
    services: tuple[str, ...]
    copies: tuple[CopyRule, ...]
    configs: tuple[str, ...] = ()
    door: DoorRule | None = None
    first: bool = True
    nodes: tuple[str, ...] = ()
    apart: bool = False
    mixed: bool = False
    base: str = ""
    identity_setting: str = ""
    question: QuestionRule | None = None
    reload: bool = False

    @property
    def settings(self) -> tuple[str, ...]:
        """The names of settings that tell where copies are."""
        names = [each for c in self.copies for each in (c.place, c.named_by)]
        names += [self.door.port_setting] if self.door else []
        names.append(self.identity_setting)
        return tuple(name for name in dict.fromkeys(names) if name)
