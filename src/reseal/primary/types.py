"""What is known of Puppet's own types: their parameters, and what names a resource.

A type that is not known here is a module's, and may have any parameter.

Sources: `types.json`, which says of what it was made.
"""

from __future__ import annotations

import difflib
import json
from functools import lru_cache
from importlib import resources
from typing import Any

RELATIONS = ("before", "notify", "require", "subscribe")
"""Metaparameters whose values are references to other resources."""


_NOT_ALONE = ("exec", "tidy", "package")
"""Types of which several resources may be about the same thing (Puppet's
`isomorphic?`; packages of the same name are told apart by their provider)."""


@lru_cache(maxsize=1)
def _document() -> dict[str, Any]:
    text = resources.files("reseal.primary").joinpath("types.json").read_text()
    found: dict[str, Any] = json.loads(text)
    return found


def unknown_parameter(kind: str, name: str) -> str | None:
    """Return what is wrong with a parameter's name, or None.

    Args:
        kind: A type, in lower case.
        name: The parameter.
    """
    known = _document()["types"].get(kind)
    if known is None:
        return None
    names = [*known["parameters"], *_document()["metaparameters"]]
    if name in names:
        return None
    close = difflib.get_close_matches(name, names, 1)
    meant = f"; is {close[0]} meant?" if close else ""
    return f"{kind} has no parameter {name!r}{meant}"


def key_of(kind: str) -> str | None:
    """Return the parameter that names what a resource is, instead of its title.

    None where two resources may be about the same thing, and where that is unknown.
    """
    known = _document()["types"].get(kind)
    return None if known is None or kind in _NOT_ALONE else str(known["key"])


def is_known(kind: str) -> bool:
    """Say whether a type is one of Puppet's own, or of its own modules."""
    return kind in _document()["types"]


def alike(kind: str) -> str:
    """Return the end of a message about a type nobody has: what may be meant."""
    close = difflib.get_close_matches(kind, list(_document()["types"]), 1)
    return f"; is {close[0]} meant?" if close else ""
