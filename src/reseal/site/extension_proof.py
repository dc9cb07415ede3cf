"""Proof that services work with the node's new material, and with nothing else.

Guarantee: every copy is read again after the run; a service is asked with the node's
new certificate, and with its old one where a backup still has it.

Sources: docs/explanation/proof.md; docs/reference/extensions.md.
"""

from __future__ import annotations

import json
import posixpath
from collections.abc import Iterator

from reseal.errors import NotFound
from reseal.site.check import Check, refusal
from reseal.site.copies import Own, disagreements
from reseal.site.enrol import look
from reseal.site.extension_steps import door_probe, is_answering
from reseal.site.facts import CopyFacts, ExtensionFacts
from reseal.site.survey_extensions import read_copies
from reseal.site.target import Target
from reseal.site.transport import read
from reseal.x509.bundle import load_certificate, load_certificates, load_crls
from reseal.x509.certificate import fingerprint


async def prove_extensions(at: Target) -> list[Check]:
    """Prove every copy and every service of a node."""
    if not at.facts.extensions:
        return []
    own = await _own(at)
    checks: list[Check] = []
    for extension in at.facts.extensions:
        places = [(copy.holds, copy.path) for copy in extension.copies]
        found, faults = await read_copies(at.facts, at.transport, places)
        checks += (_copy(at, extension, copy, own) for copy in found)
        checks += (
            Check(at.name, extension.name, False, fault.message) for fault in faults
        )
        checks += await _doors(at, extension)
    return checks


async def _own(at: Target) -> Own:
    """Return what the node has now."""
    seen = await look(at, 0)
    pem = (seen["certificate"] or "").encode()
    trusted = load_certificates(await read(at.transport, at.setting("localcacert")))
    try:
        crls = load_crls(await read(at.transport, at.setting("hostcrl")))
    except NotFound:
        crls = ()
    return Own(
        certificate=fingerprint(load_certificate(pem)) if pem else None,
        key=seen["key"],
        ca=frozenset(map(fingerprint, trusted)),
        crls=frozenset(fingerprint(each.der) for each in crls),
    )


def _copy(at: Target, extension: ExtensionFacts, copy: CopyFacts, own: Own) -> Check:
    name = f"{extension.name} {posixpath.basename(copy.path)}"
    wrong = "; ".join(disagreements(copy, own))
    note = wrong or ("Puppet's own file" if copy.own else "as the node has it")
    return Check(at.name, name, not wrong, note)


async def _doors(at: Target, extension: ExtensionFacts) -> Iterator[Check]:
    if extension.door is None or not is_answering(extension):
        return iter(())
    new = door_probe(at, extension.door) | {"expected": at.setting("hostcert")}
    probes = [new]
    if at.facts.key_matches and await at.has("manifest"):
        old = {n: new[n] for n in ("host", "port", "path")}
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
    good = new.get("status") == 200 and new.get("server") == new.get("expected")
    said = str(new.get("error") or f"answers with HTTP status {new.get('status')}")
    if not good and "error" not in new and new.get("server") != new.get("expected"):
        said = "shows another certificate than the node has"
    yield Check(at.name, extension.name, good, said)
    for old in answers[1:]:
        yield refusal(at.name, f"{extension.name}, old one", old, reached=good)
