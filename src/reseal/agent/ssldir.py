"""A node's keys and certificates, in Puppet's ssldir.

Guarantee: a file is the old one or the new one, whole, with its mode before its first
byte; Puppet's agent can take the directory over at any time, and its can be taken over.

Sources: Puppet 8, `x509/cert_provider.rb` (files, what is read of them), `defaults.rb`
(modes: directories of keys 0750, keys 0640, everything else 0755 and 0644).
"""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from reseal import files
from reseal.agent.settings import AgentSettings
from reseal.errors import NotFound
from reseal.files import Owner

_PUBLIC, _KEY = 0o644, 0o640


@dataclass(frozen=True, slots=True)
class SslDir:
    """The files of a node.

    Attributes:
        settings: Say where they are.
    """

    settings: AgentSettings

    @property
    def localcacert(self) -> Path:
        """The CA's bundle."""
        return self.settings.localcacert

    @property
    def hostcrl(self) -> Path:
        """The CAs' revocation lists."""
        return self.settings.hostcrl

    @property
    def hostprivkey(self) -> Path:
        """The node's private key."""
        return self.settings.hostprivkey

    @property
    def hostcert(self) -> Path:
        """The node's certificate."""
        return self.settings.hostcert

    @property
    def hostpubkey(self) -> Path:
        """The node's public key, which Puppet 5 keeps."""
        return self.settings.hostpubkey

    @property
    def hostcsr(self) -> Path:
        """The node's request, while it waits."""
        return self.settings.requestdir / f"{self.settings.certname}.pem"

    def make(self) -> None:
        """Make the directories, with Puppet's modes."""
        settings, owner = self.settings, self.owner()
        _make(settings.ssldir, 0o771, owner)
        for path in (settings.certdir, settings.publickeydir, settings.requestdir):
            _make(path, 0o755, owner)
        for path in (settings.privatekeydir, settings.ssldir / "private"):
            _make(path, 0o750, owner)

    def read(self, path: Path) -> bytes | None:
        """Return a file, or None if there is none; StoreError if it is unreadable."""
        try:
            return files.read(path)
        except NotFound:
            return None

    def modified(self, path: Path) -> datetime:
        """Return when a file was written last."""
        return datetime.fromtimestamp(path.stat().st_mtime, UTC).replace(microsecond=0)

    def save(self, path: Path, data: bytes) -> None:
        """Put a file in place; a private key is readable by its owner and group."""
        self.make()
        mode = _KEY if path == self.hostprivkey else _PUBLIC
        # The directory is Puppet's account's, and we may be root: a link that somebody
        # has put there must not lead us elsewhere.
        files.replace(path, data, mode=mode, owner=self.owner(), follow=False)

    def remove(self, path: Path) -> bool:
        """Remove a file; False if there was none."""
        if not path.exists():
            return False
        files.remove(path)
        return True

    def owner(self) -> Owner | None:
        """Return whose the files are: Puppet's account's, if there is one."""
        if os.geteuid() != 0:
            return None
        with contextlib.suppress(KeyError):
            user = pwd.getpwnam(self.settings.user).pw_uid
            return user, grp.getgrnam(self.settings.group).gr_gid
        return 0, 0


def _make(path: Path, mode: int, owner: Owner | None) -> None:
    for parent in reversed(path.parents):
        if not parent.is_dir():
            files.make_directory(parent, mode=0o755)
    files.make_directory(path, mode=mode, owner=owner)
