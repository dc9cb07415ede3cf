"""What Puppet's tools signed is built again, byte for byte.

RSA signatures of PKCS #1 v1.5 have no chance in them, so the same contents and the
same key give the same certificate.  The cadirs under `tests/data/cadir` were made by
the real tools and keep their keys.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
from cryptography import x509
from x509_world import CADIRS

from reseal.x509 import bundle, certexts, crl, der, keys, names, oids
from reseal.x509 import certificate as certs
from reseal.x509.certexts import Extension
from reseal.x509.crl import RevocationList
from reseal.x509.crlentry import Entry
from reseal.x509.keys import LocalSigner, PublicKey

SERVERS = ("puppetserver-7", "puppetserver-8")
SERVER_COMMENT = certexts.comment("Puppet Server Internal Certificate")
RUBY_COMMENT = certexts.comment("Puppet Ruby/OpenSSL Internal Certificate", utf8=True)
CA = certexts.basic_constraints(True)
CA_USAGE = certexts.key_usage("key_cert_sign", "crl_sign")
LEAF = certexts.basic_constraints(False)
LEAF_USAGE = certexts.key_usage("digital_signature", "key_encipherment")
PURPOSES = certexts.extended_key_usage(oids.SERVER_AUTH, oids.CLIENT_AUTH)
CLI_AUTH = certexts.text_extension(oids.PP_CLI_AUTH, "true")


@dataclass(frozen=True)
class Made:
    """A certificate of a real tool and its issuer's."""

    certificate: x509.Certificate
    issuer: x509.Certificate
    signer: LocalSigner

    @property
    def key(self) -> PublicKey:
        return certs.public_key(self.certificate)


@cache
def load_signer(path: Path) -> LocalSigner:
    return LocalSigner(keys.load_private(path.read_bytes()))


def ca_of(cadir: str) -> Made:
    """Return the signing CA of a cadir, as the issuer of what it signed."""
    root = CADIRS / cadir
    first, *above = bundle.load_certificates((root / "ca_crt.pem").read_bytes())
    key = root / ("root_key.pem" if above else "ca_key.pem")
    return Made(first, above[0] if above else first, load_signer(key))


def root_of(cadir: str) -> Made:
    ca = ca_of(cadir)
    return Made(ca.issuer, ca.issuer, ca.signer)


def leaf_of(cadir: str, name: str) -> Made:
    found = bundle.load_certificate(
        (CADIRS / cadir / "signed" / f"{name}.pem").read_bytes()
    )
    signer = load_signer(CADIRS / cadir / "ca_key.pem")
    return Made(found, ca_of(cadir).certificate, signer)


def ski(made: Made) -> Extension:
    return certexts.subject_key_id(keys.key_id(made.key))


def aki(made: Made) -> Extension:
    return certexts.authority_key_id(certs.subject_key_id(made.issuer))


def full_aki(made: Made) -> Extension:
    issuer, key_id = made.issuer, certs.subject_key_id(made.issuer)
    return certexts.authority_key_id(key_id, certs.issuer(issuer), issuer.serial_number)


def cli_ca(made: Made) -> list[Extension]:
    return [CA, CA_USAGE, ski(made), SERVER_COMMENT, aki(made)]


def cli_server(made: Made) -> list[Extension]:
    names = ["DNS:puppet.lab.test", "DNS:puppet", "DNS:puppet.lab.test"]
    san = certexts.subject_alt_name(names)
    first = [LEAF, SERVER_COMMENT, aki(made), PURPOSES, LEAF_USAGE, ski(made)]
    return [*first, CLI_AUTH, san]


def server_leaf(made: Made) -> list[Extension]:
    san = certexts.subject_alt_name(["DNS:web01.example.com"])
    first = [san, SERVER_COMMENT, full_aki(made), ski(made)]
    return [*first, LEAF, PURPOSES, LEAF_USAGE]


def ruby_ca(made: Made) -> list[Extension]:
    own = certexts.authority_key_id(None, certs.subject(made.certificate), 1)
    return [RUBY_COMMENT, CA_USAGE, CA, ski(made), own]


def ruby_leaf(made: Made) -> list[Extension]:
    return [RUBY_COMMENT, LEAF_USAGE, PURPOSES, LEAF, ski(made), aki(made)]


def ruby_alt_names(made: Made) -> list[Extension]:
    comment, *rest = ruby_leaf(made)
    names = ["DNS:web02.example.com", "DNS:www.example.com"]
    return [comment, certexts.subject_alt_name(names), *rest]


RUBY = "puppet-5.5"
Profile = Callable[[Made], list[Extension]]
PROFILES: list[tuple[str, str, Profile]] = [
    (RUBY, "ca", ruby_ca),
    (RUBY, "web01.example.com", ruby_leaf),
    (RUBY, "web02.example.com", ruby_alt_names),
    *((server, "root", cli_ca) for server in SERVERS),
    *((server, "ca", cli_ca) for server in SERVERS),
    *((server, "puppet.lab.test", cli_server) for server in SERVERS),
    *((server, "web01.example.com", server_leaf) for server in SERVERS),
]


@pytest.mark.parametrize(("cadir", "name", "profile"), PROFILES)
def test_certificates_are_built_again(cadir: str, name: str, profile: Profile) -> None:
    authorities = {"ca": ca_of, "root": root_of}
    made = authorities[name](cadir) if name in authorities else leaf_of(cadir, name)
    real = made.certificate
    template = certs.Template(
        certs.common_name(real),
        certs.subject(made.issuer),
        made.signer.public_key,
        real.serial_number,
        real.not_valid_before_utc,
        real.not_valid_after_utc,
        made.key,
        tuple(profile(made)),
    )
    again = certs.seal(certs.tbs(template), made.signer)
    assert (
        certexts.differences(
            certexts.extensions_of(again), certexts.extensions_of(real)
        )
        == ()
    )
    assert certs.to_pem(again) == certs.to_pem(real)


def every_entry(real: RevocationList) -> list[Entry]:
    """Return the entries, those too that list a serial number again."""
    found = []
    for element in der.elements(real.revoked_entries):
        serial, date, _ = element.children()
        found.append(Entry(der.read_integer(serial), der.read_time(date)))
    return found


def crls_of(cadir: str) -> list[tuple[str, int]]:
    path = CADIRS / cadir / "ca_crl.pem"
    return [(cadir, n) for n in range(len(bundle.load_crls(path.read_bytes())))]


@pytest.mark.parametrize(
    ("cadir", "position"), [each for c in (RUBY, *SERVERS) for each in crls_of(c)]
)
def test_revocation_lists_are_built_again(cadir: str, position: int) -> None:
    """Every list of a real cadir, own and root's: order, numbers, entries, bytes."""
    root = CADIRS / cadir
    real = bundle.load_crls((root / "ca_crl.pem").read_bytes())[position]
    signer = load_signer(root / ("root_key.pem" if position else "ca_key.pem"))
    entries = every_entry(real)
    assert real.next_update is not None
    again = crl.build(
        signer,
        names.common_name(real.issuer_common_name),
        number=real.number or 0,
        this_update=real.this_update,
        next_update=real.next_update,
        key_id=keys.key_id(signer.public_key),
        entries=entries,
        number_first=real.extensions[0].oid == oids.CRL_NUMBER,
    )
    assert again.pem == real.pem
