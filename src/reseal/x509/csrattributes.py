r"""Read Puppet's csr_attributes.yaml.

The file says what a node puts into its request beyond its name.  It is two mappings
of plain text, and that much of YAML is read here: block mappings, comments, plain
and quoted scalars.  What YAML would turn into something else than its text (lists,
octal numbers, anchors) is refused with its line, so that nothing is ever signed that
differs from what Puppet itself would have asked for.

Sources: Puppet, `ssl/certificate_request_attributes.rb`, `ssl/
certificate_request.rb`; YAML 1.1 sections 5.6, 7.3 and 10.2.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from reseal.errors import SettingsError
from reseal.x509 import oids
from reseal.x509.certexts import Extension, text_extension

_ATTRIBUTES, _EXTENSIONS = "custom_attributes", "extension_requests"
_OURS = {
    _ATTRIBUTES: (oids.EXTENSION_REQUEST, oids.MS_EXTENSION_REQUEST),
    _EXTENSIONS: (oids.SUBJECT_ALT_NAME,),
}
_WHAT = {_ATTRIBUTES: "CSR attribute", _EXTENSIONS: "CSR extension request"}

_QUOTED = r"""'(?:[^']|'')*'|"(?:[^"\\]|\\.)*\""""
_LINE = re.compile(
    rf"""(?P<indent>\ *)(?P<key>{_QUOTED}|[^\s'"#:\[{{&*!|>%@-][^:#]*?)\s*:
    (?:\s+(?P<value>{_QUOTED}|[^#\s'"](?:[^#]|(?<=\S)\#)*?))?\s*(?:\s\#.*)?""",
    re.VERBOSE,
)
_PLAIN = re.compile(r"[^\s\[\]{}&*!|>%@`\"',:?-].*|[-:?][^\s:].*", re.DOTALL)
_CHANGED = re.compile(
    r"""[-+]?0[0-9_]+ | [-+]?[0-9][0-9,_]*[,_][0-9,_]* | [-+]?0[xob].*  # integers
    | [-+]?[0-9]*\.[0-9]*0 | [-+]?[0-9]+\. | [-+]?\.[0-9]+ | \+[0-9.]+  # fractions
    | [-+]?[0-9.]+e[-+]?[0-9]+ | [-+]?\.(inf|nan)
    | [-+]?[0-9]+(:[0-9]+)+(\.[0-9]*)? | [0-9]{4}-[0-9]+-[0-9]+[t\ ].*  # times
    | .*:\ .* | .*:""",
    re.IGNORECASE | re.VERBOSE,
)
"""Plain text that YAML reads as something whose text is another."""

_WORDS = {"~": "", "null": "", "true": "true", "yes": "true", "on": "true"}
_WORDS |= {"false": "false", "no": "false", "off": "false", "{}": ""}
_MARKS = ("---", "...", "--- {}", "{}")
_ESCAPES = {"n": "\n", "t": "\t", '"': '"', "\\": "\\", "/": "/", "0": "\0"}


@dataclass(frozen=True, slots=True)
class CsrAttributes:
    """What a node's requests carry beside its name.

    Attributes:
        attributes: Dotted OID and text of each attribute.
        extensions: The extensions to ask for, each a UTF8String.
    """

    attributes: tuple[tuple[str, str], ...] = ()
    extensions: tuple[Extension, ...] = ()


def read_csr_attributes(
    text: str, path: str, names: Mapping[str, str] | None = None
) -> CsrAttributes:
    """Return what the text of a csr_attributes.yaml asks for.

    Args:
        text: The file's contents; empty asks for nothing.
        path: For messages.
        names: Short names of the site's own (`custom_trusted_oid_mapping.yaml`),
            to dotted OIDs.

    Raises:
        SettingsError: Every fault, with its line.
    """
    faults: list[str] = []
    found: dict[str, list[tuple[str, str]]] = {_ATTRIBUTES: [], _EXTENSIONS: []}
    for line, section, name, value in _entries(text, faults):
        if section not in found:
            faults.append(f"line {line}: unexpected attribute {section!r}")
            continue
        oid = (names or {}).get(name) or oids.dotted(name)
        if oid is None:
            faults.append(f"line {line}: {name!r} is not a name or OID that is known")
        elif oid in _OURS[section]:
            what = f"{_WHAT[section]} {name}"
            faults.append(f"line {line}: {what} conflicts with one used internally")
        else:
            found[section].append((oid, value))
    if faults:
        hint = "see Puppet's documentation of csr_attributes.yaml"
        raise SettingsError(path, faults, hint=hint)
    wanted = tuple(text_extension(oid, value) for oid, value in found[_EXTENSIONS])
    return CsrAttributes(tuple(found[_ATTRIBUTES]), wanted)


def _entries(text: str, faults: list[str]) -> Iterator[tuple[int, str, str, str]]:
    """Yield line number, section, name and value of each entry."""
    section, depth = "", 0
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#") or line.strip() in _MARKS:
            continue
        match = _LINE.fullmatch(line.rstrip())
        try:
            if match is None:
                raise ValueError("is not `name: value`")
            key, indent = _scalar(match["key"]), len(match["indent"])
            value = _scalar(match["value"] or "")
            if indent == 0:
                section, depth = _section(key, value, match["value"]), 0
                if key not in _OURS:
                    yield number, key, "", ""
                continue
            depth = depth or indent
            if indent != depth or not section:
                raise ValueError("is indented unlike the line before")
        except ValueError as error:
            faults.append(f"line {number}: {error}")
            continue
        if section in _OURS:
            yield number, section, key, value


def _section(key: str, value: str, written: str | None) -> str:
    if value:
        raise ValueError(f"{key} is not a mapping but {written}")
    return key


def _scalar(written: str) -> str:
    """Return the text of a scalar as Ruby's `to_s` has it, or raise `ValueError`."""
    if written[:1] == "'":
        return written[1:-1].replace("''", "'")
    if written[:1] == '"':
        return re.sub(r"\\(.)", _unescape, written[1:-1])
    if written.lower() in _WORDS:
        return _WORDS[written.lower()]
    if written and (not _PLAIN.fullmatch(written) or _CHANGED.fullmatch(written)):
        raise ValueError(f"{written} means something else to YAML; put it in quotes")
    return written


def _unescape(match: re.Match[str]) -> str:
    if match[1] not in _ESCAPES:
        raise ValueError(f"the escape {match[0]} is not supported")
    return _ESCAPES[match[1]]
