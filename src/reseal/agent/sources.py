"""Where the content of a file comes from: `puppet:///modules/x/y`, or a path.

Guarantee: what is fetched has the checksum that the server told of it.

Sources: Puppet 8, `type/file/source.rb`, `http/service/file_server.rb`.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import quote, unquote, urlencode, urlsplit

from reseal.agent.remote import Answer, NoConnection, Remote, Trust
from reseal.agent.resources.model import ResourceFailed
from reseal.wire import JSON, Request

API = "/puppet/v3"


@dataclass(frozen=True, slots=True)
class Found:
    """A source.

    Attributes:
        digest: SHA-256 of its bytes, in hexadecimal; empty for a directory.
        directory: It is one.
        path: To fetch it by.
    """

    digest: str
    directory: bool
    path: str


class Sources(Protocol):
    """Finds and fetches sources."""

    def find(self, source: str) -> Found | None:
        """Return a source, or None if there is none; ResourceFailed."""

    def fetch(self, found: Found) -> bytes:
        """Return the bytes of a source; ResourceFailed."""


class ServerSources:
    """Sources of this machine, and of the primary server."""

    def __init__(self, remote: Remote, environment: str) -> None:
        self._remote, self._environment = remote, environment

    def find(self, source: str) -> Found | None:
        if source.startswith("/"):
            return _local(Path(source))
        if source.startswith("file:///"):
            return _local(Path(unquote(urlsplit(source).path)))
        if not source.startswith("puppet://"):
            text = f"Cannot use URLs of type '{source.partition(':')[0]}' as source"
            raise ResourceFailed(text)
        parts = urlsplit(source)
        if parts.hostname and parts.hostname != self._remote.host:
            raise ResourceFailed(
                f"{source}: of another server than {self._remote.host}"
            )
        path = unquote(parts.path).strip("/")
        query = {
            "links": "follow",
            "checksum_type": "sha256",
            "source_permissions": "ignore",
        }
        answer = self._ask("file_metadata", path, query, JSON)
        if answer.response.status == 404:
            return None
        _check(answer, source)
        try:
            told = json.loads(answer.response.body)
            kind, value = told["type"], str(told["checksum"]["value"])
        except (ValueError, KeyError, TypeError):
            raise ResourceFailed(f"{source}: its metadata cannot be read") from None
        return Found(value.rpartition("}")[2], kind == "directory", path)

    def fetch(self, found: Found) -> bytes:
        if found.path.startswith("/"):
            try:
                return Path(found.path).read_bytes()
            except OSError as error:
                raise ResourceFailed(f"{found.path}: {error.strerror}") from None
        answer = self._ask("file_content", found.path, {}, "application/octet-stream")
        _check(answer, found.path)
        data = answer.response.body
        if hashlib.sha256(data).hexdigest() != found.digest:
            raise ResourceFailed(f"{found.path}: is not what its checksum says")
        return data

    def _ask(self, noun: str, path: str, query: dict[str, str], accept: str) -> Answer:
        asked = urlencode({**query, "environment": self._environment})
        target = f"{API}/{noun}/{quote(path)}?{asked}"
        try:
            return self._remote.ask(
                Request("GET", target, headers={"Accept": accept}), Trust.MUTUAL
            )
        except NoConnection as error:
            raise ResourceFailed(str(error)) from None


def _local(path: Path) -> Found | None:
    try:
        if path.is_dir():
            return Found("", directory=True, path=str(path))
        return Found(hashlib.sha256(path.read_bytes()).hexdigest(), False, str(path))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ResourceFailed(f"{path}: {error.strerror}") from None


def _check(answer: Answer, what: str) -> None:
    if answer.response.status != 200:
        status, said = answer.response.status, answer.response.text[:300]
        raise ResourceFailed(f"Error {status} on SERVER: {said or what}")
