"""Settings of services, as far as their files say where copies are.

Sources: PuppetDB's jetty.ini, postgresql.conf, nginx's and MCollective's
configuration: a name, then `=`, `:` or a blank, then the value, quoted or not, with
or without a semicolon.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping


def settings_of(text: str, names: Iterable[str]) -> Mapping[str, str]:
    """Return the settings of these names; of one that is there twice, the last."""
    found = {}
    for line in text.splitlines():
        for name in names:
            if match := re.fullmatch(
                rf"\s*{re.escape(name)}(?:\s*[=:]\s*|\s+)(.*?);?\s*", line
            ):
                found[name] = _unquoted(match[1])
    return {name: value for name, value in found.items() if value}


def _unquoted(text: str) -> str:
    for quote in "\"'":
        if len(text) > 1 and text[0] == quote and quote in text[1:]:
            return text[1:].partition(quote)[0]
    return text.strip()
