"""What a pair is made of now, and where a run keeps what it knows of it.

Of a pair that is made anew the run's directory has public things alone: the old CA's
certificate, the new public half, the new certificate, and who has shown the old key.
"""

from __future__ import annotations

from dataclasses import dataclass

from cryptography import x509

from reseal.errors import NotFound, ParseError, StepFailed
from reseal.site.context import Context
from reseal.site.pairs import Pair
from reseal.site.target import Target
from reseal.site.transport import read
from reseal.x509.bundle import load_certificate
from reseal.x509.certificate import common_name, public_key
from reseal.x509.keys import PublicKey, load_public


@dataclass(frozen=True, slots=True)
class Material:
    """What a pair is made of now.

    Attributes:
        key: The public half.
        certificate: Its certificate; None for a pair that nobody has one of.
    """

    key: PublicKey
    certificate: x509.Certificate | None


def pair_path(at: Target, pair: Pair) -> str:
    """Return where a new key lies on its maker until the run is proven."""
    return f"{at.backup}/pairs/{pair.name}.pem"


def public_name(pair: Pair) -> str:
    """Return the name of the public half in the run's directory."""
    return f"{pair.name}.pub"


def old_name(pair: Pair) -> str:
    """Return the name of the old CA's certificate in the run's directory."""
    return f"{pair.name}.old.pem"


def certificate_name(pair: Pair) -> str:
    """Return the name of the new certificate in the run's directory."""
    return f"{pair.name}.pem"


def proof_name(pair: Pair, node: str) -> str:
    """Return the name of what says, in the run's directory, that a node has a key."""
    return f"{pair.name}-{node}.proven"


def is_holder(run: Context, pair: Pair, node: str) -> bool:
    """Tell whether a node has shown that it had the private half."""
    return run.directory.kept(proof_name(pair, node)) is not None


async def material_of(run: Context, pair: Pair) -> Material:
    """Return what a pair is made of now.

    Raises:
        StepFailed: It has not been made, or its owner has no certificate of the new CA.
    """
    if pair.owner:
        return await _of_owner(run, pair)
    public = run.directory.kept(public_name(pair))
    pem = run.directory.kept(certificate_name(pair))
    if public is None or (pair.subject and pem is None):
        raise StepFailed(f"{pair.title}: its key has not been made anew yet")
    return Material(load_public(public), load_certificate(pem) if pem else None)


async def _of_owner(run: Context, pair: Pair) -> Material:
    if not is_holder(run, pair, pair.owner):
        raise StepFailed(f"{pair.owner}: the CA has not been seen to know its key")
    owner = await run.target(pair.owner)
    try:
        data = await read(owner.transport, owner.setting("hostcert"))
        certificate = load_certificate(data)
    except (NotFound, ParseError) as error:
        raise StepFailed(f"{pair.owner}: {error}") from None
    if not run.is_new(certificate):
        hint = "resume when that node is done: reseal site resume"
        raise StepFailed(f"{pair.owner}: has no certificate of the new CA", hint=hint)
    if common_name(certificate) != owner.facts.certname:
        raise StepFailed(f"{pair.owner}: has a certificate of another name")
    return Material(public_key(certificate), certificate)
