"""Proof that services work with the node's new material, and with nothing else.

Guarantee: every copy is read again after the run; a service is asked with the node's
new certificate, and with its old one where a backup still has it.

Sources: docs/explanation/proof.md; docs/reference/extensions.md.
"""

from __future__ import annotations

import json
import posixpath
from collections.abc import Iterator
from typing import Any

from reseal.site.agreement import own_of, read_again
from reseal.site.check import BAD_CERTIFICATE, Check, refusal
from reseal.site.copies import Own, disagreements
from reseal.site.copyfacts import CopyFacts, ExtensionFacts
from reseal.site.extension_steps import answer_fault, door_probe, is_answering
from reseal.site.target import Target

_REFUSED = (BAD_CERTIFICATE, 401, 403)
"""What web servers answer to a certificate that they do not take, after a handshake."""
_WAY = ("host", "port", "path", "say", "enough", "before", "connect")


async def prove_extensions(at: Target) -> list[Check]:
    """Prove every copy and every service of a node."""
    checks: list[Check] = []
    copies = [copy for each in at.facts.extensions for copy in each.copies]
    own = None if all(copy.own for copy in copies) else await own_of(at)
    for extension in at.facts.extensions:
        checks += await _copies(at, extension, own)
        checks += await _doors(at, extension)
    return checks


async def _copies(
    at: Target, extension: ExtensionFacts, own: Own | None
) -> Iterator[Check]:
    copies, faults = await read_again(at, extension)
    return iter(
        [
            *(_copy(at, extension, copy, own) for copy in copies if own),
            *(Check(at.name, extension.name, False, each.message) for each in faults),
        ]
    )


def _copy(at: Target, extension: ExtensionFacts, copy: CopyFacts, own: Own) -> Check:
    name = f"{extension.name} {posixpath.basename(copy.path)}"
    wrong = "; ".join(disagreements(copy, own))
    return Check(at.name, name, not wrong, wrong or "as the node has it")


async def _doors(at: Target, extension: ExtensionFacts) -> Iterator[Check]:
    if extension.door is None or not is_answering(extension):
        return iter(())
    new = door_probe(at, extension.door) | {"expected": at.setting("hostcert")}
    probes: list[dict[str, Any]] = [new]
    old_one = at.whole and extension.door.client and at.facts.key_matches
    if old_one and await at.has("manifest"):
        old: dict[str, Any] = {n: new[n] for n in _WAY if n in new}
        for part in ("certificate", "key"):
            old[part] = at.kept(new[part])
        probes.append(old)
    data = json.dumps(probes).encode()
    answers = await at.ask("probe", stdin=data, timeout=30 + 25 * len(probes))
    return _judge(at, extension, answers)


def _judge(
    at: Target, extension: ExtensionFacts, answers: list[dict[str, object]]
) -> Iterator[Check]:
    new = answers[0]
    fault = answer_fault(extension.door, new)
    said = f"answers: {new.get('line')}"
    yield Check(at.name, extension.name, fault is None, fault or said)
    for old in answers[1:]:
        name, well = f"{extension.name}, old one", fault is None
        yield refusal(at.name, name, old, reached=well, statuses=_REFUSED)
