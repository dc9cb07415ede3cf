"""Services that keep copies of certificates on a node, and what these copies hold."""

from __future__ import annotations

from dataclasses import dataclass

from reseal.extensions.protocol import DoorRule, Format, Material, QuestionRule
from reseal.site.material import CertificateFacts, CrlFacts, ServiceFacts


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
        key: Fingerprint of the public half of the key in it; of a pair's copy also of
            the key that a certificate is for.
        keys: How many private keys are in it, as PEM.
        alias: The key's name in a key store.
        jks: A key store is one of Java's own kind, and not PKCS #12.
        password: Where its password stands: file and setting.
        key_password: The same of the key in it, where that may have its own.
        pair: Whose it is, if not the node's: the name of a pair, as `client alice`.
        bare: Of a pair's certificate there is the public key alone.
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
    key_password: tuple[str, str] | None = None
    pair: str = ""
    bare: bool = False


@dataclass(frozen=True, slots=True)
class ExtensionFacts:
    """A service on a node that keeps copies.

    Attributes:
        name, title: Of the extension.
        services: Its services, in the order of a start.
        copies: Its copies, and Puppet's own files that it reads.
        door: Where it answers; None for one that does not.
        first: It is renewed before the other agents.
        identity: The node's name for others, if that is not its certname.
        question: What shows whether it works, across nodes.
        heard: An answer to such a question had this node in it; None where nobody
            asked, or nobody was heard.
        reload: Its services are asked to read their files again, and do not end.
    """

    name: str
    title: str
    services: tuple[ServiceFacts, ...]
    copies: tuple[CopyFacts, ...]
    door: DoorRule | None = None
    first: bool = True
    identity: str = ""
    question: QuestionRule | None = None
    heard: bool | None = None
    reload: bool = False
