"""What a node sends when it asks for its catalog.

Sources: Puppet, `indirector/catalog/rest.rb` and `configurer/fact_handler.rb` (facts
are percent-encoded twice); `indirector/catalog/compiler.rb` (formats, wrong node).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs, unquote

from reseal.primary.answers import RICH_JSON, Refused
from reseal.primary.protocol import Asked, Wanted
from reseal.x509 import oids

_ENVIRONMENT = re.compile(r"[A-Za-z0-9_]+")
_FIELDS = 100
_FORMATS = ("", "application/json", "json", "pson", "text/pson")

Parameters = Mapping[str, Sequence[str]]


def environment_of(query: Parameters) -> str:
    """Return the environment of a request.

    Raises:
        Refused: 400, it is missing or no name of one.
    """
    found = next(iter(query.get("environment", ())), "")
    if not found:
        raise Refused(400, "An environment parameter must be specified")
    if not _ENVIRONMENT.fullmatch(found):
        text = f"The environment must be purely alphanumeric, not '{found[:100]}'"
        raise Refused(400, text)
    return found


def parameters_of(asked: Asked) -> Parameters:
    """Return query and form together; the form goes before the query.

    Raises:
        Refused: 400, the form cannot be read; 415, the body is none.
    """
    if asked.method != "POST":
        return asked.query
    sent = asked.headers.get("content-type", "").partition(";")[0].strip().lower()
    if sent != "application/x-www-form-urlencoded":
        raise Refused(415, f"Client sent a mime-type ({sent}) that is no form")
    try:
        text = asked.body.decode("ascii")
        form = parse_qs(text, keep_blank_values=True, max_num_fields=_FIELDS)
    except ValueError as error:
        raise Refused(400, f"The request body is invalid: {error}") from None
    return {**asked.query, **form}


def wanted_of(asked: Asked, media_type: str) -> Wanted:
    """Return the catalog that a request wants.

    Args:
        asked: The request, whose certname has been proven.
        media_type: What the answer is to be in.

    Raises:
        Refused: 400, with what is wrong.
    """
    parameters = parameters_of(asked)
    return Wanted(
        certname=asked.certname,
        environment=environment_of(parameters),
        facts=_facts(parameters, asked.certname),
        extensions={
            oids.PUPPET.get(oid, oid): value for oid, value in asked.extensions.items()
        },
        rich=media_type == RICH_JSON,
    )


def _facts(parameters: Parameters, certname: str) -> dict[str, Any] | None:
    sent = next(iter(parameters.get("facts", ())), "")
    if not sent:
        return None
    kind = next(iter(parameters.get("facts_format", ())), "")
    if kind not in _FORMATS:
        raise Refused(400, f"Unsupported facts format: {kind[:100]}")
    try:
        found = json.loads(unquote(sent, errors="strict"))
    except (ValueError, RecursionError) as error:
        raise Refused(400, f"The facts are invalid: {error}") from None
    return checked_facts(found, certname)


def checked_facts(found: object, certname: str) -> dict[str, Any]:
    """Return a document of facts.

    Raises:
        Refused: 400, it is none, or another node's.
    """
    if not isinstance(found, dict) or not isinstance(found.get("values"), dict):
        raise Refused(400, "The facts are invalid: they have no values")
    if found.get("name") != certname:
        text = (
            f'Catalog for "{certname}" was requested with fact definition for the '
            f'wrong node ("{str(found.get("name"))[:300]}").'
        )
        raise Refused(400, text)
    return found
