"""Proof: real handshakes between real nodes, judged by keys.

Guarantee: what is called proven was seen.  Each node shows, with its own files,
that it accepts the server and the server accepts it; with its old certificate,
where a backup still has it, that the server refuses it.  With TLS 1.3 a refusal
shows only when the answer is read, so an answer is always read.

Sources: docs/explanation/proof.md; RFC 5280 section 6.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any

from cryptography import x509

from reseal.errors import ChainInvalid, NotFound, ParseError, ResealError
from reseal.site.check import BAD_CERTIFICATE, Check, refusal
from reseal.site.enrol import look
from reseal.site.extension_proof import prove_extensions
from reseal.site.facts import NodeFacts
from reseal.site.generation import server_of
from reseal.site.server_steps import checks_revocation, server_name
from reseal.site.target import Target
from reseal.site.transport import read
from reseal.x509.bundle import (
    load_certificate,
    load_certificates,
    load_crls,
    verify_chain,
)
from reseal.x509.certificate import fingerprint, public_key
from reseal.x509.keys import key_fingerprint


@dataclass(frozen=True, slots=True)
class Standard:
    """What a site is held against.

    Attributes:
        bundle: The CA's certificates, the signing one first.
        crls: Their revocation lists, PEM.
        old_keys: Fingerprints of the old CA's keys; nothing may trust them.
        port: TCP port.
        at: The time now.
    """

    bundle: tuple[x509.Certificate, ...]
    crls: bytes
    old_keys: frozenset[str]
    port: int
    at: datetime


def standard_for(
    facts: NodeFacts, bundle: bytes, crls: bytes, old_keys: frozenset[str], at: datetime
) -> Standard:
    """Return the standard of a site whose CA's host is `facts`."""
    certificates = load_certificates(bundle)
    current = {key_fingerprint(public_key(each)) for each in certificates}
    port = server_of(facts).port
    return Standard(certificates, crls, old_keys - current, port, at)


async def verify_node(at: Target, standard: Standard) -> list[Check]:
    """Prove one node.

    A node that cannot be reached gives one failed check and raises nothing.
    """
    try:
        checks = [
            await _certificate(at, standard),
            *await _trust(at, standard),
            *await _handshakes(at, standard),
            *await prove_extensions(at),
        ]
    except ResealError as error:
        return [Check(at.name, "reachable", False, str(error))]
    return checks


async def _certificate(at: Target, standard: Standard) -> Check:
    """The node's certificate chains to the CA, and belongs to the node's key."""
    seen = await look(at, 0)
    name = "certificate"
    if not seen["certificate"]:
        return Check(at.name, name, False, "there is none, or no key")
    try:
        certificate = load_certificate(seen["certificate"].encode())
        verify_chain(
            certificate, standard.bundle, load_crls(standard.crls), standard.at
        )
    except (ParseError, ChainInvalid) as error:
        return Check(at.name, name, False, str(error))
    if key_fingerprint(public_key(certificate)) != seen["key"]:
        return Check(at.name, name, False, "does not belong to the node's key")
    shown = f"{certificate.serial_number:04X} {fingerprint(certificate)[:23]}…"
    return Check(at.name, name, True, f"chains to the new CA, matches the key: {shown}")


async def _trust(at: Target, standard: Standard) -> list[Check]:
    """The node trusts the CA and nothing else."""
    current = {key_fingerprint(public_key(each)) for each in standard.bundle}
    found = []
    for setting in ("localcacert", "hostcrl")[: 1 + checks_revocation(at)]:
        try:
            data = await read(at.transport, at.setting(setting))
        except NotFound as error:
            found.append(Check(at.name, setting, False, str(error)))
            continue
        faults = list(_trust_faults(data, setting, current, standard))
        note = "; ".join(faults) or "the new CA's and nothing else"
        found.append(Check(at.name, setting, not faults, note))
    return found


def _trust_faults(
    data: bytes, setting: str, current: set[str], standard: Standard
) -> Iterator[str]:
    try:
        if setting == "hostcrl":
            keys = _crl_keys(data, standard)
        else:
            keys = {key_fingerprint(public_key(c)) for c in load_certificates(data)}
    except ParseError as error:
        yield str(error)
        return
    if keys & standard.old_keys:
        yield "still holds the old CA"
    elif foreign := keys - current:
        yield f"holds {len(foreign)} that are not the CA's"
    if not keys & current:
        yield "does not hold the CA"


def _crl_keys(data: bytes, standard: Standard) -> set[str]:
    """Return whose revocation lists these are: key fingerprints, or `unknown`."""
    keys = [public_key(each) for each in standard.bundle]
    return {
        next((key_fingerprint(k) for k in keys if crl.is_signed_by(k)), "unknown")
        for crl in load_crls(data)
    }


async def _handshakes(at: Target, standard: Standard) -> list[Check]:
    setting = at.facts.settings.get
    way = {
        "host": server_name(at),
        "port": standard.port,
        "path": "/puppet-ca/v1/certificate/ca?environment=production",
    }
    files = {"certificate": setting("hostcert"), "key": setting("hostprivkey")}
    trust = {"bundle": setting("localcacert")}
    if checks_revocation(at):
        trust["crls"] = setting("hostcrl")
    probes = [way | files | trust]
    if at.facts.key_matches and await at.has("manifest"):
        old = {name: at.kept(path or "") for name, path in files.items()}
        probes.append(way | old)
    data = json.dumps(probes).encode()
    answers = await at.ask("probe", stdin=data, timeout=30 + 25 * len(probes))
    return list(judge(at, answers))


def judge(at: Target, answers: Sequence[Mapping[str, Any]]) -> Iterator[Check]:
    """Judge what a node's probes saw: with its new certificate, then with its old.

    A refusal counts only if the new certificate was accepted a moment before.
    """
    new = answers[0]
    reached = "error" not in new
    if not reached:
        yield Check(at.name, "handshake", False, str(new["error"]))
    else:
        note = f"both sides accept each other, HTTP status {new['status']}"
        yield Check(at.name, "handshake", True, note)
    for old in answers[1:]:
        if at.facts.hostcert is None:
            continue
        statuses = {BAD_CERTIFICATE} if new.get("status") == HTTPStatus.OK else ()
        name = "old certificate"
        yield refusal(at.name, name, old, reached=reached, statuses=statuses)
