"""Transcripts of `puppet ssl`, and what of them reseal does alike.

`python sslscript.py OURS GOLDEN` says where the first is not the second.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

_ALIKE = (
    (r"([0-9A-F]{2}:){15,}[0-9A-F]{2}", "DIGEST"),
    (r"Puppet Root CA: \S+'", "Puppet Root CA: X'"),
)
_LEFT_OUT = (
    r"reseal: hint: ",
    r"Info: Downloaded certificate for",
    r"Info: csr_attributes file loading",
    r"Info: Creating a new SSL certificate request",
    r"Info: Certificate Request fingerprint",
    r"Wrapped exception:",
    r"Failed to open TCP connection",
    r"SSL_connect",
    r"Error: Connection to ",
    r"Error: No more routes to ca",
    r"Could not parse PKey",
)
"""What only one of the two says: reseal's hints, how the other one is built, and that a
request is made anew in each round, where reseal asks for the certificate first."""

OTHERWISE = (
    r"^ssl $|^ssl nosuch|^ssl clean extra",
    r"^ssl show$",
    r"^agent ",
)
"""Words that are read by another library, or told elsewhere."""


@dataclass(frozen=True)
class Case:
    """A command, its code, what it said on each stream, and the files it left."""

    words: str
    code: int
    out: tuple[str, ...]
    err: tuple[str, ...]
    files: tuple[str, ...]


def cases(text: str) -> Iterator[Case]:
    for block in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        words, *lines = block.splitlines()
        if any(re.search(sign, words) for sign in OTHERWISE):
            continue
        told = {kind: tuple(_said(lines, kind)) for kind in "12f"}
        code = next(int(line[2:]) for line in lines if line.startswith("= "))
        yield Case(words, code, told["1"], told["2"], told["f"])


def _said(lines: list[str], kind: str) -> Iterator[str]:
    for line in lines:
        if not line.startswith(f"{kind} ") or any(
            re.search(s, line) for s in _LEFT_OUT
        ):
            continue
        found = line[2:]
        for pattern, instead in _ALIKE:
            found = re.sub(pattern, instead, found)
        yield found


def _without_a_keyless_certificate(real: Case) -> Case:
    """Return what reseal leaves: no certificate whose key was lost."""
    if not any("does not match" in line or "is revoked" in line for line in real.err):
        return real
    return replace(real, files=tuple(f for f in real.files if "certs/new" not in f))


def differences(ours: str, golden: str) -> list[str]:
    """Return where a transcript of reseal's is not Puppet's, though it should be."""
    found: list[str] = []
    for mine, real in zip(cases(ours), cases(golden), strict=True):
        if mine != real and mine != _without_a_keyless_certificate(real):
            found.append(f"{real.words}:\n  {mine}\n  {real}")
    return found


if __name__ == "__main__":
    texts = [Path(name).read_text().replace("\0", "") for name in sys.argv[1:3]]
    apart = differences(*texts)
    print("\n".join(apart) or f"{len(list(cases(texts[0])))} commands are told alike")
    sys.exit(bool(apart))
