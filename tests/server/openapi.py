"""The OpenAPI document, held against the server's routes and answers.

Sources: OpenAPI 3.1.0.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

PATH = Path(__file__).parents[2] / "docs/reference/openapi.json"


@dataclass(frozen=True, slots=True)
class Operation:
    """A method of a path.

    Attributes:
        method: In upper case.
        template: The path, with `{name}` and the like.
        responses: Status to what may come with it.
    """

    method: str
    template: str
    responses: Mapping[str, Mapping[str, Any]]

    def fits(self, method: str, path: str) -> bool:
        """Say whether a request is one of this operation."""
        pattern = re.sub(r"\{\w+\}", "[^/]+", self.template)
        return method == self.method and re.fullmatch(pattern, path) is not None

    def fault(self, status: int, media_type: str) -> str | None:
        """Return what of an answer is not in the document."""
        said = f"{self.method} {self.template}: {status}"
        found = self.responses.get(str(status))
        if found is None:
            return f"{said} is not documented"
        media_types, name = found.get("content", {}), media_type.partition(";")[0]
        # Puppet's own `pson` is no media type, and no document may have it as one.
        if media_types and name not in media_types and name != "pson":
            return f"{said} with {media_type} is not documented"
        return None


@cache
def operations() -> tuple[Operation, ...]:
    """Return every operation of the document."""
    document = json.loads(PATH.read_text())
    shared = document["components"]["responses"]

    def resolved(response: Mapping[str, Any]) -> Mapping[str, Any]:
        name: str = response.get("$ref", "").rpartition("/")[2]
        found: Mapping[str, Any] = shared[name] if name else response
        return found

    return tuple(
        Operation(
            method.upper(),
            template,
            {status: resolved(each) for status, each in told["responses"].items()},
        )
        for template, methods in document["paths"].items()
        for method, told in methods.items()
    )


def fault(method: str, path: str, status: int, media_type: str) -> str | None:
    """Return what of an answer is not in the document; None for what has no path."""
    for operation in operations():
        if operation.fits(method, path):
            return operation.fault(status, media_type)
    return None
