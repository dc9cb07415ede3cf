"""What is done to keys that several nodes share: make them anew, carry them.

A new key is made on one node and certified with the new CA; when every node has its
own new certificate, it is carried to the nodes that had the old one, through this
machine's memory, and all change over together.

Guarantee: a private key is carried over the authenticated ways to nodes alone, and
only to nodes that had the private half of the one it replaces; it is in no argument,
no journal and on no disk on the way.

Sources: MCollective, "SSL security plugin"; docs/reference/extensions.md.
"""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import AsyncIterator, Iterator
from typing import Any

from cryptography import x509

from reseal.certname import Certname
from reseal.errors import NotFound, ParseError, ResealError, StepFailed
from reseal.site.context import Context
from reseal.site.copies import mode_for
from reseal.site.copyfacts import CopyFacts
from reseal.site.extension_steps import restart, what_it_does
from reseal.site.generation import server_of
from reseal.site.pair_material import (
    Material,
    is_holder,
    material_of,
    old_name,
    pair_path,
    proof_name,
    public_name,
)
from reseal.site.pairs import Pair
from reseal.site.places import Place
from reseal.site.survey_copies import read_copies
from reseal.site.target import Target
from reseal.site.transport import check, exists, read
from reseal.x509.bundle import load_certificate, load_crls
from reseal.x509.certificate import fingerprint, issuer, public_key, to_pem
from reseal.x509.keys import (
    dump_private,
    dump_public,
    key_fingerprint,
    load_private,
    load_public,
    load_public_der,
    same_key,
    signature_algorithm,
)
from reseal.x509.signatures import scheme_of, verify

PAIRED = "pairs-copied"
"""Mark of what is done."""

WORDS = b"reseal: who has this key\0"
"""What a node signs a challenge behind (`node/vouch.rb`)."""


class MakePairs:
    """Prove that this node has the keys it is said to have; make some of them anew."""

    async def done(self, at: Target, run: Context) -> bool:
        if await at.has("finished"):
            return True
        for pair in run.plan.pairs:
            proven = is_holder(run, pair, at.name)
            if at.name in (*pair.holders, pair.owner) and not proven:
                return False
        for pair in _made_on(at, run):
            known = run.directory.kept(public_name(pair)) is not None
            if not known or not await exists(at.transport, pair_path(at, pair)):
                return False
        return True

    async def do(self, at: Target, run: Context) -> None:
        held = [(c, p) for c, p in pair_copies(at, run) if "key" in c.holds]
        # Each copy: a file may be another user's than the next.
        for copy, pair in held:
            await _vouch(at, copy, pair)
        for pair in run.plan.pairs:
            if pair.owner == at.name:
                await _certified(pair, run, at.facts.certname)
            if pair.owner == at.name or pair in (each for _, each in held):
                run.directory.keep(proof_name(pair, at.name), b"")
        pairs, bits = _made_on(at, run), run.plan.new_ca.key_bits
        for pair in pairs:
            if pair.subject:
                old = await _certified(pair, run, pair.subject)
                run.directory.keep(old_name(pair), old)
        await check(at.transport, 'umask 077; mkdir -p "$1"', f"{at.backup}/pairs")
        wishes = [f"{pair_path(at, pair)}={bits}" for pair in pairs]
        made = await at.ask("make_keys", at.backup, *wishes, timeout=900)
        for pair in pairs:
            public = load_public(made[pair_path(at, pair)].encode())
            run.directory.keep(public_name(pair), dump_public(public))


async def _vouch(at: Target, copy: CopyFacts, pair: Pair) -> None:
    """Have a node show that it has the private half of a pair's key of today.

    A survey tells what a node says, and public halves are known to many.

    Raises:
        StepFailed: It does not.
    """
    challenge = secrets.token_bytes(32)
    data = base64.b64encode(challenge)
    told = await at.ask("vouch", copy.path, stdin=data, timeout=60)
    public = load_public_der(base64.b64decode(told["public"]))
    signature = base64.b64decode(told["signature"])
    hint = "put the right key there, or --skip the extension"
    if key_fingerprint(public) != pair.key:
        message = f"{at.name}: {copy.path}: is another key than it was"
        raise StepFailed(message, hint=hint)
    scheme = scheme_of(signature_algorithm(public))
    if not verify(public, scheme, signature, WORDS + challenge):
        message = f"{at.name}: {copy.path}: does not sign what it should"
        raise StepFailed(message, hint=hint)


async def _certified(pair: Pair, run: Context, name: str) -> bytes:
    """Return the certificate that the old CA had given a name for a pair's key.

    What lies where a node's service may write proves neither: it could bear the name
    of any node, or more names and rights than were granted.

    Raises:
        StepFailed: The CA has none.
    """
    host = await run.target(run.plan.ca.name)
    cadir = server_of(host.facts).cadir or ""
    path = f"{cadir}/signed/{Certname(name)}.pem"
    hint = "--skip the extension, or put there what the CA has given that name"
    try:
        data = await read(host.transport, path)
        certificate = load_certificate(data)
    except (NotFound, ParseError) as error:
        raise StepFailed(f"{pair.title}: {error}", hint=hint) from None
    if key_fingerprint(public_key(certificate)) != pair.key:
        message = f"{pair.title}: the CA has given that name to another key: {path}"
        raise StepFailed(message, hint=hint)
    if await _is_revoked(certificate, host, cadir):
        hint = "remove its files wherever they are; then plan anew"
        raise StepFailed(f"{pair.title}: the CA has revoked it", hint=hint)
    return data


async def _is_revoked(certificate: x509.Certificate, host: Target, cadir: str) -> bool:
    lists = load_crls(await read(host.transport, f"{cadir}/ca_crl.pem"))
    return any(
        each.issuer == issuer(certificate) and each.revoked(certificate.serial_number)
        for each in lists
    )


def _made_on(at: Target, run: Context) -> list[Pair]:
    return [pair for pair in run.plan.pairs if pair.maker == at.name]


def pair_copies(at: Target, run: Context) -> Iterator[tuple[CopyFacts, Pair]]:
    """Yield a node's copies of pairs that the plan makes anew, each with its pair."""
    pairs, seen = {pair.key: pair for pair in run.plan.pairs}, set()
    for extension in at.facts.extensions:
        for copy in extension.copies:
            shared = copy.pair and copy.there and copy.key in pairs
            if shared and copy.path not in seen:
                seen.add(copy.path)
                yield copy, pairs[copy.key or ""]


class CopyPairs:
    """Put the new keys and certificates where the old ones were."""

    async def done(self, at: Target, run: Context) -> bool:
        if not await at.has(PAIRED):
            return False
        return not [text async for _, text in disagreements(at, run) if text]

    async def do(self, at: Target, run: Context) -> None:
        if not await at.has("manifest"):
            raise StepFailed(f"{at.name}: has no backup, no copy is replaced")
        failures: list[ResealError] = []
        mine = set()
        for copy, pair in pair_copies(at, run):
            try:
                order = await _order(at, run, copy, pair)
                data = json.dumps([order]).encode()
                await at.ask("copies", stdin=data, timeout=300)
            except ResealError as error:
                failures.append(error)
            else:
                mine.add(copy.path)
        for extension in at.facts.extensions:
            if mine & {copy.path for copy in extension.copies}:
                run.tell(f"{at.name}/pair.copy", what_it_does(extension))
                try:
                    await restart(at, extension)
                except ResealError as error:
                    failures.append(error)
        if failures:
            # What could be carried is, and understood by whoever has it, too.
            raise failures[0]
        await at.mark(PAIRED)


async def _order(at: Target, run: Context, copy: CopyFacts, pair: Pair) -> Any:
    now = await material_of(run, pair)
    parts = []
    for held in copy.holds:
        if held == "key":
            if not is_holder(run, pair, at.name):
                raise StepFailed(f"{at.name}: has not shown that it had {pair.title}")
            parts.append(await _private_half(run, pair, now))
        elif copy.bare or now.certificate is None:
            parts.append(dump_public(now.key))
        else:
            parts.append(to_pem(now.certificate))
    return {
        "path": copy.path,
        "owner": copy.owner,
        "mode": mode_for(copy),
        "content": base64.b64encode(b"".join(parts)).decode(),
    }


async def _private_half(run: Context, pair: Pair, now: Material) -> bytes:
    """Read a new key where it was made; it is the one that was certified."""
    maker = await run.target(pair.maker)
    key = load_private(await read(maker.transport, pair_path(maker, pair)))
    if not same_key(key.public_key(), now.key):
        raise StepFailed(f"{pair.maker}: {pair.title}: is not the key that was made")
    return dump_private(key)


async def disagreements(
    at: Target, run: Context
) -> AsyncIterator[tuple[CopyFacts, str]]:
    """Yield each of a node's copies of pairs, and in what it differs; else nothing."""
    wanted = list(pair_copies(at, run))
    places = [Place(c.holds, c.path, pair=c.pair) for c, _ in wanted]
    copies, _ = await read_copies(at.facts, at.transport, places)
    for copy, (_, pair) in zip(copies, wanted, strict=True):
        try:
            yield copy, _difference(copy, await material_of(run, pair))
        except ResealError as error:
            yield copy, str(error)


def _difference(copy: CopyFacts, now: Material) -> str:
    if not copy.there:
        return "is missing"
    if copy.key != key_fingerprint(now.key):
        return "holds another key than the new one"
    held = [each.fingerprint for each in copy.certificates[:1]]
    if held and now.certificate and held != [fingerprint(now.certificate)]:
        return "holds another certificate than the new one"
    return ""
