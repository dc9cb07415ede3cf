"""Each rule has a draft that passes and one that fails."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from reseal.ca.lint import RULES, lint
from reseal.ca.profile import ca_extensions, leaf_extensions
from reseal.errors import LintError
from reseal.x509 import certexts, der, keys, names, oids
from reseal.x509.certexts import Extension
from reseal.x509.certificate import Template, load_der, seal, tbs

NOW = datetime(2026, 11, 24, tzinfo=UTC)
SIGNER = keys.LocalSigner(keys.generate("ec:secp256r1"))
ROOT = Template(
    subject="Puppet CA: test",
    issuer=names.common_name("Puppet CA: test"),
    issuer_key=SIGNER.public_key,
    serial=1,
    not_before=NOW,
    not_after=NOW + timedelta(days=100),
    public_key=SIGNER.public_key,
    extensions=ca_extensions("server", "Puppet CA: test", SIGNER.public_key),
)
CA = seal(tbs(ROOT), SIGNER)
LEAF = replace(
    ROOT,
    subject="web01.example.com",
    serial=2,
    extensions=leaf_extensions(
        "server", CA, SIGNER.public_key, ("DNS:web01.example.com",), ()
    ),
)


def without(*found: str) -> tuple[Extension, ...]:
    return tuple(each for each in LEAF.extensions if each.oid not in found)


def swapped(new: Extension) -> tuple[Extension, ...]:
    return tuple(new if each.oid == new.oid else each for each in LEAF.extensions)


BROKEN = {
    "serial": replace(LEAF, serial=2**31),
    "validity": replace(LEAF, not_after=NOW + timedelta(days=101)),
    "issuer-name": replace(LEAF, issuer=names.common_name("other")),
    "subject": replace(LEAF, subject="WEB01"),
    "unique-extensions": replace(LEAF, extensions=LEAF.extensions * 2),
    "basic-constraints": replace(
        LEAF, extensions=swapped(certexts.basic_constraints(ca=True))
    ),
    "key-usage": replace(LEAF, extensions=swapped(certexts.key_usage("key_cert_sign"))),
    "extended-key-usage": replace(LEAF, extensions=without(oids.EXTENDED_KEY_USAGE)),
    "subject-key-id": replace(
        LEAF, extensions=swapped(certexts.subject_key_id(b"0" * 20))
    ),
    "authority-key-id": replace(
        LEAF, extensions=swapped(certexts.authority_key_id(b"0" * 20))
    ),
    "alt-names": replace(
        LEAF, extensions=swapped(certexts.subject_alt_name(["DNS:a b"]))
    ),
    "puppet-values": replace(
        LEAF,
        extensions=(*LEAF.extensions, Extension(oids.PP_AUTH_ROLE, False, b"raw")),
    ),
}


@pytest.mark.parametrize("rule", BROKEN)
def test_a_broken_rule_is_named_alone(rule: str) -> None:
    with pytest.raises(LintError) as caught:
        lint(seal(tbs(BROKEN[rule]), SIGNER), CA)
    assert [fault.count(f"({rule}: ") for fault in caught.value.faults] == [1]


def test_version_1_is_refused_with_all_it_lacks() -> None:
    """A version 1 certificate has no extensions, so that other rules break too."""
    fields = der.parse(tbs(replace(LEAF, extensions=()))).children()
    plain = der.sequence(*(field.raw for field in fields[1:]))
    algorithm = keys.signature_algorithm(SIGNER.public_key)
    signature = der.bit_string(SIGNER.sign(plain))
    with pytest.raises(LintError) as caught:
        lint(load_der(der.sequence(plain, algorithm, signature)), CA)
    lacking = [
        "version-3",
        "basic-constraints",
        "key-usage",
        "extended-key-usage",
        "subject-key-id",
        "authority-key-id",
    ]
    assert len(caught.value.faults) == len(lacking)
    for rule, fault in zip(lacking, caught.value.faults, strict=True):
        assert f"({rule}: " in fault


def test_good_drafts_pass() -> None:
    lint(CA, None, ca=True)
    lint(seal(tbs(LEAF), SIGNER), CA)
    for dialect in ("server", "cli", "ruby"):
        extensions = leaf_extensions(dialect, CA, SIGNER.public_key, (), ())
        lint(seal(tbs(replace(LEAF, extensions=extensions)), SIGNER), CA)
    ruby = ca_extensions("ruby", "Puppet CA: test", SIGNER.public_key)
    lint(seal(tbs(replace(ROOT, extensions=ruby)), SIGNER), None, ca=True)


def test_a_ca_is_held_to_a_cas_rules() -> None:
    with pytest.raises(LintError) as caught:
        lint(seal(tbs(replace(LEAF, subject="")), SIGNER), CA, ca=True)
    assert len(caught.value.faults) == 4


def test_every_rule_is_tried_and_cites_its_source() -> None:
    assert {rule.name for rule in RULES} - set(BROKEN) == {"version-3"}
    assert all(rule.citation for rule in RULES)
