"""Answers as they are compared and recorded.

Guarantee: what a client could act on is in a normalised answer: status, media type
as it was spelt, the headers, and everything of the body that is not of one run.

Sources: RFC 9110 (HTTP); RFC 7468 (PEM).
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from reseal.errors import ParseError
from reseal.x509 import crl, pem

from . import parsed
from .describe import describe_certificate, describe_crl
from .known import Known

JSON = Any
Answer = dict[str, JSON]

_SILENT = {"date", "server", "content-length", "transfer-encoding", "content-type"}
_DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dUTC")


@dataclass(frozen=True, slots=True)
class Exchange:
    """What came back.

    Attributes:
        status: HTTP's.
        headers: In the answer's order.
        body: As it was sent, without the transfer's chunks.
    """

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


def normalise(
    found: Exchange, known: Known, names: Iterable[str], now: datetime
) -> Answer:
    """Return an answer as it is compared.

    Args:
        found: The answer.
        known: What the scenario has met; grows.
        names: Certnames of the scenario; lists are cut down to them.
        now: When it came.
    """
    fields: dict[str, str] = {}
    for name, value in found.headers:
        before = fields.get(name.lower())
        fields[name.lower()] = value if before is None else f"{before}, {value}"
    body = found.body
    if fields.get("content-encoding") == "gzip":
        body = gzip.decompress(body)
    answer: Answer = {"status": found.status, "type": fields.get("content-type")}
    headers = {n: known.replace(v) for n, v in fields.items() if n not in _SILENT}
    if "x-puppet-version" in headers:
        headers["x-puppet-version"] = "<version>"
    answer["headers"] = headers
    answer["body"] = _body(body, fields.get("content-type", ""), known, names, now)
    return answer


def _body(
    body: bytes, media_type: str, known: Known, names: Iterable[str], now: datetime
) -> JSON:
    if "json" in media_type or body[:2] in (b'{"', b"[{"):
        try:
            return {"json": _json(json.loads(body), known, frozenset(names))}
        except ValueError:
            pass
    if b"-----BEGIN " in body:
        return _pem(body, known, now)
    text = body.decode("utf-8", "backslashreplace")
    return known.replace(_DATE.sub("<date>", text))


def _pem(body: bytes, known: Known, now: datetime) -> JSON:
    try:
        blocks = pem.decode(body)
    except ParseError as error:
        return {"broken pem": str(error)}
    said: dict[str, JSON] = {"pem": [_block(each, known, now) for each in blocks]}
    if b"".join(pem.encode(each.label, each.der) for each in blocks) != body:
        said["layout"] = "not 64 columns and nothing else"
    return said


def _block(block: pem.Block, known: Known, now: datetime) -> JSON:
    if block.label == parsed.LABEL:
        found = parsed.parse(block.der)
        return {block.label: describe_certificate(found, known, now)}
    if block.label == crl.LABEL:
        return {block.label: describe_crl(crl.parse(block.der), known, now)}
    return {block.label: known.request(block.der)}


def _json(value: JSON, known: Known, names: frozenset[str]) -> JSON:
    if isinstance(value, dict):
        return {known.replace(k): _member(k, v, known, names) for k, v in value.items()}
    if isinstance(value, list):
        mine = [each for each in value if _is_ours(each, names)]
        made = [_json(each, known, names) for each in mine]
        return (
            sorted(made, key=_canonical)
            if any(isinstance(e, dict) for e in made)
            else made
        )
    if isinstance(value, str):
        return _string(value, known)
    return value


def _canonical(value: JSON) -> str:
    return json.dumps(value, sort_keys=True)


def _member(key: str, value: JSON, known: Known, names: frozenset[str]) -> JSON:
    if key == "serial_number" and isinstance(value, int):
        return known.serials.get(value, "a serial number")
    if key == "service_version":
        return "<version>"
    if key in ("signed", "no-csr", "signing-errors") and isinstance(value, list):
        return [each for each in value if each in names or not _is_stray(each)]
    return _json(value, known, names)


def _is_stray(name: JSON) -> bool:
    """Say whether a name is another scenario's, or a host's of the site."""
    return isinstance(name, str) and name.endswith(".test")


def _is_ours(element: JSON, names: frozenset[str]) -> bool:
    if isinstance(element, dict) and {"name", "state"} <= set(element):
        return element["name"] in names
    return True


def _string(text: str, known: Known) -> str:
    if _DATE.fullmatch(text):
        return known.time(text)
    digest = text.replace(":", "")
    if re.fullmatch(r"[0-9A-F]{40}|[0-9A-F]{64}|[0-9A-F]{128}", digest):
        spelt = "pairs" if ":" in text else "plain"
        label = known.digests.get(digest, "something unknown")
        return f"<digest of {label}, {len(digest) * 4} bits, {spelt}>"
    return known.replace(text)
