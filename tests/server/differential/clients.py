"""Who calls: certificates that the CA gave, and some that it did not.

Sources: RFC 5280 section 6.1; Puppet Server, webserver.conf (`client-auth: want`).
"""

from __future__ import annotations

from datetime import timedelta

from reseal.x509 import certexts, der, names, oids, pem
from reseal.x509.certexts import Extension

from . import parsed
from .bodies import key_pem, public_info, sign
from .model import Credential, World
from .parsed import LABEL, Certificate

IMITATED = (certexts.text_extension(oids.PP_CLI_AUTH, "true"),)


def credential(world: World, caller: str) -> Credential | None:
    """Return the certificate and key of a caller; None for an anonymous one."""
    kind, _, name = caller.partition(":")
    if kind == "anonymous":
        return None
    if kind == "cli":
        return world.cli
    if kind == "selfsigned":
        return issued(world, names.common_name(world.name), "rsa", ())
    if kind == "foreign":
        return issued(world, names.common_name("Another CA"), "foreign", ())
    if kind == "imitated":
        return issued(world, world.bundle[0].subject, "foreign", IMITATED)
    served = world.certificates[world.expand(name)]
    found = served[0 if kind == "node" else -1]
    return Credential(found.pem, key_pem("rsa"))


def issued(
    world: World, issuer: bytes, by: str, extensions: tuple[Extension, ...]
) -> Credential:
    """Return a certificate of the scenario's name that the CA did not issue."""
    now = world.now().replace(microsecond=0)
    tbs_of = der.sequence(der.oid("1.2.840.113549.1.1.11"), der.null())
    tbs = der.sequence(
        der.explicit(0, der.integer(2)),
        der.integer(4711),
        tbs_of,
        issuer,
        der.sequence(
            der.time(now - timedelta(days=1)), der.time(now + timedelta(days=1))
        ),
        names.common_name(world.name),
        public_info("rsa"),
        der.explicit(3, der.sequence(*(e.encode() for e in extensions)))
        if extensions
        else b"",
    )
    algorithm, signature = sign(by, "SHA256", tbs)
    made = der.sequence(tbs, algorithm, der.bit_string(signature))
    return Credential(pem.encode(LABEL, made), key_pem("rsa"))


def certificate_of(world: World, caller: str) -> Certificate:
    """Return the certificate of a caller that has one."""
    found = credential(world, caller)
    assert found is not None, caller
    return parsed.load(found.certificate)[0]
