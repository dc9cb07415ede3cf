"""What a node has itself, and what its copies hold, looked at during a run."""

from __future__ import annotations

from reseal.errors import NotFound
from reseal.site.copies import Own, disagreements
from reseal.site.copyfacts import CopyFacts, ExtensionFacts
from reseal.site.enrol import look
from reseal.site.facts import Fault
from reseal.site.places import Place
from reseal.site.survey_copies import read_copies
from reseal.site.survey_script import printable
from reseal.site.target import Target
from reseal.site.transport import read
from reseal.x509.bundle import load_certificate, load_certificates, load_crls
from reseal.x509.certificate import fingerprint


async def own_of(at: Target) -> Own:
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
        crls=frozenset(printable(each.issuer_common_name) for each in crls),
    )


async def read_again(
    at: Target, extension: ExtensionFacts
) -> tuple[list[CopyFacts], list[Fault]]:
    """Return what an extension's copies hold now, and what cannot be read of them.

    Those of pairs are not among them.
    """
    places = [
        Place(copy.holds, copy.path, copy.format, copy.password)
        for copy in extension.copies
        if not copy.own and not copy.pair
    ]
    return await read_copies(at.facts, at.transport, places)


async def agree(at: Target) -> bool:
    """Tell whether every copy of a node is as the node has it."""
    own = await own_of(at)
    for extension in at.facts.extensions:
        copies, faults = await read_again(at, extension)
        if faults or any([*disagreements(copy, own)] for copy in copies):
            return False
    return True
