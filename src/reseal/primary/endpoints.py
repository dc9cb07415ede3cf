"""A primary server that has catalogs of its own: one function for each endpoint.

Guarantee: what a node sends is kept only as that node's, and only once it has been
read; every error becomes an answer whose message the agent prints.

Sources: Puppet, `network/http/api/indirection_type.rb` and `indirected_routes.rb`;
the answers of a real Puppet Server (`tests/data/primary/`); where ours are better
stands in `docs/reference/primary.md`.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from reseal.certname import Certname
from reseal.errors import (
    CatalogError,
    InvalidCertname,
    NotFound,
    ResealError,
    StoreLocked,
    UnknownEnvironment,
)
from reseal.primary.answers import (
    CATALOGS,
    DOCUMENTS,
    OCTETS,
    Refused,
    accepted,
    content,
    document,
    dumped,
    problem,
    read_json,
)
from reseal.primary.bucket import Bucket, key_of
from reseal.primary.form import (
    checked_facts,
    environment_of,
    parameters_of,
    wanted_of,
)
from reseal.primary.metadata import describe, look_of
from reseal.primary.mounts import Mounts
from reseal.primary.protocol import MOUNT, Asked, Catalogs, Wanted
from reseal.primary.records import Records
from reseal.wire import Response

_LOG = logging.getLogger("reseal.primary")
_USUAL = "production"
Handler = Callable[["Compiling", Asked, str], Response]


@dataclass(frozen=True, slots=True)
class Compiling:
    """A primary server with catalogs of its own.

    Attributes:
        catalogs: Where they come from.
        mounts: Which files nodes may have.
        records: What is kept of nodes.
        name: The server's certname, for the agent's log.
    """

    catalogs: Catalogs
    mounts: Mounts
    records: Records
    name: str
    bucket: Bucket = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "bucket", Bucket(self.records))

    def answer(self, asked: Asked) -> Response:
        """Return the answer; never raises for what was sent."""
        for methods, pattern, handler in ROUTES:
            found = pattern.fullmatch(asked.path.removeprefix(MOUNT))
            if found is not None and asked.method in methods:
                name = found[1] if pattern.groups else ""
                return safely(partial(handler, self, asked, name))
        return problem(404, f"{asked.method} {asked.path[:300]} is not known here")


def safely(answer: Callable[[], Response]) -> Response:
    """Turn errors into answers: the caller's in words, ours to the log alone."""
    try:
        return answer()
    except Refused as error:
        return problem(error.status, str(error))
    except UnknownEnvironment as error:
        return problem(404, str(error), "RUNTIME_ERROR")
    except CatalogError as error:
        _LOG.error("%s", error)
        return problem(500, str(error))
    except OSError as error:
        what = f"{error.filename}: {(error.strerror or str(error)).lower()}"
        _LOG.error("%s", what)
        return problem(500, what)
    except StoreLocked as error:
        _LOG.error("%s", error)
        return problem(503, "the server is busy; try again later")
    except ResealError as error:
        _LOG.error("%s", error)
        return problem(500, "see the server's log")


def _node(primary: Compiling, asked: Asked, name: str) -> Response:
    """GET node/NAME: who it is, and that it is in the environment it says."""
    own, environment = _own(asked, name), environment_of(asked.query)
    primary.catalogs.modulepath(environment)
    told = {"name": own, "environment": environment, "parameters": {}, "classes": {}}
    return document(told, asked.headers.get("accept", ""))


def _catalog(primary: Compiling, asked: Asked, name: str) -> Response:
    """GET or POST catalog/NAME: its facts are kept, and its catalog is made."""
    own = _own(asked, name)
    media_type = accepted(asked.headers.get("accept", ""), CATALOGS)
    wanted = _settled(primary, wanted_of(asked, media_type))
    if wanted.facts is not None:
        primary.records.keep_facts(own, dict(wanted.facts))
    made = content(primary.catalogs.catalog(wanted), media_type)
    headers = {"X-Puppet-Compiler-Name": primary.name}
    return Response(made.status, made.media_type, made.body, headers)


def _settled(primary: Compiling, wanted: Wanted) -> Wanted:
    """Return what is wanted, of an environment that there is.

    A node in one that is unknown gets the usual one's catalog, as Puppet Server gives
    it; its agent then changes over.
    """
    try:
        primary.catalogs.modulepath(wanted.environment)
    except UnknownEnvironment:
        if _USUAL in primary.catalogs.environments():
            return replace(wanted, environment=_USUAL)
        raise
    return wanted


def _metadata(primary: Compiling, asked: Asked, path: str) -> Response:
    """GET file_metadata/MOUNT/PATH: of one file."""
    accept = asked.headers.get("accept", "")
    accepted(accept, DOCUMENTS)
    parameters = parameters_of(asked)
    with _finding("file_metadata", path):
        found = primary.mounts.find(path, environment_of(parameters))
        told = describe(found, None, look_of(parameters))
    return document(told, accept)


def _metadatas(primary: Compiling, asked: Asked, path: str) -> Response:
    """GET file_metadatas/MOUNT/PATH: of a file, or a directory and all below it."""
    accept = asked.headers.get("accept", "")
    accepted(accept, DOCUMENTS)
    parameters = parameters_of(asked)
    look = look_of(parameters)
    with _finding("file_metadata", path):
        told = primary.mounts.search(path, environment_of(parameters), look)
        if not told:
            raise NotFound(path)
    return document(told, accept)


def _content(primary: Compiling, asked: Asked, path: str) -> Response:
    """GET file_content/MOUNT/PATH: the bytes of a file."""
    accepted(asked.headers.get("accept", ""), (OCTETS,))
    with _finding("file_content", path):
        found = primary.mounts.find(path, environment_of(parameters_of(asked)))
        return content(found.read_bytes(), OCTETS)


@contextmanager
def _finding(noun: str, path: str) -> Iterator[None]:
    """Tell what is not found in Puppet's words."""
    try:
        yield
    except (NotFound, FileNotFoundError, IsADirectoryError):
        raise Refused(404, f"Could not find {noun} {path[:300]}") from None


def _facts(primary: Compiling, asked: Asked, name: str) -> Response:
    """PUT facts/NAME: keep them."""
    environment_of(asked.query)
    sent = read_json(asked.body, asked.headers.get("content-type", ""))
    facts = checked_facts(sent, asked.certname)
    primary.records.keep_facts(_own(asked, name), facts)
    return document(0, asked.headers.get("accept", ""))


def _report(primary: Compiling, asked: Asked, name: str) -> Response:
    """PUT report/NAME: keep it; the answer names who has taken it."""
    environment_of(asked.query)
    report = read_report(asked)
    primary.records.keep_report(_own(asked, name), report)
    return document(["store"], asked.headers.get("accept", ""))


def read_report(asked: Asked) -> dict[str, Any]:
    """Return the report that a node sends.

    Raises:
        Refused: 400 or 415, it is none, or another node's.
    """
    found = read_json(asked.body, asked.headers.get("content-type", ""))
    if not isinstance(found, dict) or "status" not in found:
        raise Refused(400, "The request body is invalid: it is no report")
    if found.get("host") != asked.certname:
        text = (
            f'Instance name "{str(found.get("host"))[:300]}" does not match requested '
            f'key "{asked.certname}"'
        )
        raise Refused(400, text)
    return found


def _has_file(primary: Compiling, asked: Asked, path: str) -> Response:
    """HEAD file_bucket_file/SUM[/PATH]: whether it is kept."""
    found = primary.bucket.has(key_of(path))
    return content(b"", OCTETS) if found else problem(404, "no such file")


def _get_file(primary: Compiling, asked: Asked, path: str) -> Response:
    """GET file_bucket_file/SUM[/PATH]: the file."""
    with _finding("file_bucket_file", path):
        return content(primary.bucket.get(key_of(path)), OCTETS)


def _put_file(primary: Compiling, asked: Asked, path: str) -> Response:
    """PUT file_bucket_file/SUM/PATH: keep it."""
    primary.bucket.put(key_of(path), asked.body)
    return content(b"", OCTETS)


def _environments(primary: Compiling, asked: Asked, name: str) -> Response:
    """GET environments: which there are, and where their modules are."""
    told = {
        each: {
            "settings": {
                "modulepath": [str(p) for p in primary.catalogs.modulepath(each)]
            }
        }
        for each in primary.catalogs.environments()
    }
    found = dumped({"search_paths": [], "environments": told})
    return content(found, accepted(asked.headers.get("accept", ""), DOCUMENTS))


def _own(asked: Asked, name: str) -> Certname:
    """Return the caller's own name, whatever auth.conf lets it ask for.

    Raises:
        Refused: 403, the name is another's; 400, it is no name of a node's.
    """
    if name != asked.certname:
        raise Refused(403, f"{asked.certname}: is not {name[:300]}")
    try:
        return Certname(name)
    except InvalidCertname as error:
        raise Refused(400, str(error)) from None


def _route(
    methods: str, pattern: str, handler: Handler
) -> tuple[frozenset[str], re.Pattern[str], Handler]:
    return frozenset(methods.split()), re.compile(pattern, re.DOTALL), handler


ROUTES = (
    _route("GET", "/node/([^/]+)", _node),
    _route("GET POST", "/catalog/([^/]+)", _catalog),
    _route("GET POST", "/file_metadata/(.+)", _metadata),
    _route("GET POST", "/file_metadatas/(.+)", _metadatas),
    _route("GET POST", "/file_content/(.+)", _content),
    _route("PUT", "/facts/([^/]+)", _facts),
    _route("PUT", "/report/([^/]+)", _report),
    _route("HEAD", "/file_bucket_file/(.+)", _has_file),
    _route("GET", "/file_bucket_file/(.+)", _get_file),
    _route("PUT", "/file_bucket_file/(.+)", _put_file),
    _route("GET", "/environments", _environments),
)
"""Methods, path below the mount, and what answers: the table of endpoints."""
