"""Proof that keys which several nodes share are the new ones, wherever they were.

Sources: docs/explanation/proof.md; docs/reference/extensions.md.
"""

from __future__ import annotations

import posixpath

from reseal.site.check import Check
from reseal.site.context import Context
from reseal.site.copyfacts import CopyFacts, ExtensionFacts
from reseal.site.pair_steps import disagreements
from reseal.site.places import Place
from reseal.site.survey_copies import read_copies
from reseal.site.target import Target


async def prove_pairs(at: Target, run: Context) -> list[Check]:
    """Prove every copy of a shared key on a node."""
    names = {
        copy.path: f"{each.name} {posixpath.basename(copy.path)}"
        for each in reversed(at.facts.extensions)
        for copy in each.copies
    }
    checks = [
        Check(at.name, names[copy.path], not text, text or "the new one")
        async for copy, text in disagreements(at, run)
    ]
    return checks + await _left(at, run)


async def _left(at: Target, run: Context) -> list[Check]:
    """Look whether somebody has renewed what no run could, for lack of its key."""
    # A node that is left out keeps its own key, which others know: that is as it was.
    own = {n.hostcert.key_fingerprint for n in run.plan.facts if n.hostcert}
    pairs = {pair.key for pair in run.plan.pairs} | own
    found = [
        (each, copy)
        for each in at.facts.extensions
        for copy in each.copies
        if copy.pair and copy.there and copy.key not in pairs
    ]
    places = [Place(copy.holds, copy.path, pair=copy.pair) for _, copy in found]
    now, _ = await read_copies(at.facts, at.transport, places)
    rows = zip(found, now, strict=True)
    return [_renewed(at, each, copy, new) for (each, copy), new in rows]


def _renewed(
    at: Target, extension: ExtensionFacts, old: CopyFacts, new: CopyFacts
) -> Check:
    """Judge a copy whose private half is on no node."""
    name = f"{extension.name} {posixpath.basename(old.path)}"
    if not new.there:
        return Check(at.name, name, True, "is gone")
    if new.key is not None and new.key != old.key:
        return Check(at.name, name, True, "was renewed by hand")
    note = "is the one of before, for its private key was on no node: renew it by hand"
    return Check(at.name, name, False, note)
