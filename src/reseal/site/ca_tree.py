"""The files of a new CA on its host: what goes where, with which mode.

Sources: docs/reference/ca.md (files, owners and modes).
"""

from __future__ import annotations

import base64
import posixpath
from collections.abc import Collection
from dataclasses import dataclass, field

from cryptography import x509

from reseal.ca.newca import Leaf, NewAuthority
from reseal.certname import Certname
from reseal.errors import StepFailed
from reseal.site.generation import server_of
from reseal.site.target import Target
from reseal.x509.certificate import public_key, to_pem
from reseal.x509.keys import PublicKey, dump_public

_SSL_DIRECTORIES = {
    "certs": "0755",
    "certificate_requests": "0755",
    "private": "0750",
    "private_keys": "0750",
    "public_keys": "0755",
}
_KEY = "0640"
_PUBLIC = "0644"


@dataclass(slots=True)
class Staging:
    """A tree to be made on a node: directories, files, keys that are there."""

    entries: list[dict[str, str]] = field(default_factory=list)

    def directory(self, path: str, mode: str) -> None:
        """Add a directory; its parent stands before it."""
        self.entries.append({"path": path, "mode": mode})

    def file(self, path: str, content: bytes, mode: str = _PUBLIC) -> None:
        """Add a file."""
        text = base64.b64encode(content).decode()
        self.entries.append({"path": path, "mode": mode, "content": text})

    def key(self, path: str, kept: str) -> None:
        """Add a private key that lies at `kept` on the node."""
        self.entries.append({"path": path, "mode": _KEY, "from": kept})


def key_path(at: Target, name: str) -> str:
    """Return where the run keeps a new key on the node until it is in place."""
    return f"{at.backup}/keys/{name}.pem"


def cadir_of(at: Target) -> tuple[str, str | None]:
    """Return the cadir, and its path inside the ssldir; None if it lies elsewhere.

    Raises:
        StepFailed: The survey found none.
    """
    cadir, ssldir = server_of(at.facts).cadir, at.setting("ssldir")
    if cadir is None:
        raise StepFailed(f"{at.name}: no CA was found there")
    inside = posixpath.relpath(cadir, ssldir)
    return cadir, None if inside.startswith("..") else inside


def server_leaf(at: Target, key: PublicKey) -> Leaf:
    """Return what the server's certificate says: the old one's names and facts."""
    old, name = at.facts.hostcert, at.facts.certname
    extensions = dict(old.extensions) if old else {}
    names = old.alt_names if old else ("DNS:puppet", f"DNS:{name}")
    return Leaf(Certname(name), key, names, extensions)


def stage_ssldir(
    at: Target, made: NewAuthority, certificate: x509.Certificate
) -> Staging:
    """Return the server's own SSL directory, as Puppet lays it out."""
    tree, name = Staging(), at.facts.certname
    ssldir = at.setting("ssldir")
    for directory, mode in _SSL_DIRECTORIES.items():
        tree.directory(directory, mode)
    place = {key: _inside(at, key, ssldir) for key in ("hostcert", "hostprivkey")}
    place |= {key: _inside(at, key, ssldir) for key in ("localcacert", "hostcrl")}
    tree.file(place["localcacert"], made.bundle_pem)
    tree.file(place["hostcrl"], made.crl_pem)
    tree.file(place["hostcert"], to_pem(certificate))
    tree.key(place["hostprivkey"], key_path(at, "server"))
    tree.file(f"public_keys/{name}.pem", dump_public(public_key(certificate)))
    return tree


def stage_cadir(
    tree: Staging, prefix: str, at: Target, made: NewAuthority, keys: Collection[str]
) -> None:
    """Add the CA's directory to a tree; `keys` names the keys that were made."""
    for directory in ("requests", "signed"):
        tree.directory(prefix + directory, "0755")
    for path, content in made.files.items():
        tree.file(prefix + path, content)
    tree.key(f"{prefix}ca_key.pem", key_path(at, "ca"))
    if "root" in keys:
        tree.key(f"{prefix}root_key.pem", key_path(at, "root"))


def _inside(at: Target, setting: str, ssldir: str) -> str:
    path = posixpath.relpath(at.setting(setting), ssldir)
    if path.startswith(".."):
        hint = "set it back to its default for the time of the regeneration"
        raise StepFailed(f"{at.name}: {setting} lies outside of ssldir", hint=hint)
    return path
