r"""Read Puppet's custom_trusted_oid_mapping.yaml: a site's own names for OIDs.

The file is one mapping from dotted OIDs to a short and a long name, and that much of
YAML is read here: block mappings, comments, plain and quoted scalars.  Guarantee:
anything else is refused with its line, so that no name means another OID than it
does to Puppet.

Sources: Puppet, `ssl/oids.rb` (`parse_custom_oid_file`: both names are needed).
"""

from __future__ import annotations

import re

from reseal.errors import SettingsError
from reseal.x509 import oids

_TOP = "oid_mapping"
_NAMES = ("shortname", "longname")
_QUOTED = r"""'(?:[^']|'')*'|"[^"\\]*\""""
_LINE = re.compile(
    rf"""(?P<indent>\ *)(?P<key>{_QUOTED}|[\w.]+)\s*:
    (?:\s+(?P<value>{_QUOTED}|[^\s'"#\[\]{{}}&*!|>%@`](?:[^#:]|(?<=\S)\#)*?))?
    \s*(?:\s\#.*)?""",
    re.VERBOSE,
)


def read_oid_mapping(text: str, path: str) -> dict[str, str]:
    """Return short names of a site's own and the dotted OIDs they stand for.

    Args:
        text: The file's content; empty names nothing.
        path: Where it came from, for messages.

    Raises:
        SettingsError: Every fault, with its line.
    """
    faults: list[str] = []
    found: dict[str, tuple[int, dict[str, str]]] = {}
    levels: list[tuple[int, str]] = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() in ("", "---", "...") or line.lstrip().startswith("#"):
            continue
        try:
            levels = _entered(line, levels, found, number)
        except ValueError as error:
            faults.append(f"line {number}: {error}")
    names: dict[str, str] = {}
    for oid, (number, both) in found.items():
        missing = [name for name in _NAMES if not both.get(name)]
        if missing:
            faults.append(f"line {number}: {oid} has no {' and no '.join(missing)}")
        elif both["shortname"] in names:
            faults.append(f"line {number}: {both['shortname']} stands here twice")
        else:
            names[both["shortname"]] = oid
    if faults:
        hint = "see Puppet's documentation of custom_trusted_oid_mapping.yaml"
        raise SettingsError(path, faults, hint=hint)
    return names


def _entered(
    line: str,
    levels: list[tuple[int, str]],
    found: dict[str, tuple[int, dict[str, str]]],
    number: int,
) -> list[tuple[int, str]]:
    """Take a line into `found`; return the indents and keys that are open after it."""
    match = _LINE.fullmatch(line.rstrip())
    if match is None:
        raise ValueError("is not `name: value`")
    indent, key = len(match["indent"]), _plain(match["key"])
    value = _plain(match["value"] or "")
    deeper = not levels or indent > levels[-1][0]
    outer = [level for level in levels if level[0] < indent]
    if not deeper and indent not in [level[0] for level in levels]:
        raise ValueError("is indented unlike the lines before")
    if not outer:
        if key != _TOP or value:
            raise ValueError(f"{key} is not the mapping {_TOP}")
    elif len(outer) == 1:
        _check_oid(key, value)
        if key in found:
            raise ValueError(f"{key} stands here twice")
        found[key] = (number, {})
    elif len(outer) > 2 or key not in _NAMES or not value:
        raise ValueError(f"{key} is not one of {' and '.join(_NAMES)} with its name")
    elif outer[1][1] in found:
        found[outer[1][1]][1][key] = value
    return [*outer, (indent, key)]


def _check_oid(key: str, value: str) -> None:
    if oids.dotted(key) != key:
        raise ValueError(f"{key} is not a dotted OID")
    if value:
        raise ValueError(f"{key} has no mapping of names but {value}")


def _plain(written: str) -> str:
    if written[:1] == "'":
        return written[1:-1].replace("''", "'")
    return written[1:-1] if written[:1] == '"' else written
