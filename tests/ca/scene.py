"""A CA with two certificates, for tests that put it out of order."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from reseal import files
from reseal.ca.authority import Authority
from reseal.certname import Certname
from reseal.clock import Clock
from reseal.x509 import keys

WEB = Certname("web01.example.com")
HOST = "puppet.example.com"


@dataclass
class Fixed:
    """A clock that stands."""

    time: datetime

    def now(self) -> datetime:
        return self.time


@dataclass
class Scene:
    """A CA with certificates for its host (serial 2) and for WEB (serial 3)."""

    authority: Authority
    key: keys.PrivateKey
    other: Path
    clock: Clock

    @property
    def cadir(self) -> Path:
        return self.authority.cadir

    def write(self, name: str, content: bytes, mode: int = 0o644) -> None:
        files.replace(self.cadir / name, content, mode=mode)

    def read(self, name: str) -> bytes:
        return (self.cadir / name).read_bytes()

    def append(self, name: str, content: bytes) -> None:
        self.write(name, self.read(name) + content, 0o640)

    def chmod(self, name: str, mode: int) -> None:
        (self.cadir / name).chmod(mode)

    def borrow(self, name: str) -> None:
        """Put another CA's file in the place of ours."""
        self.write(name, (self.other / name).read_bytes())
