"""The rules every draft must keep, as a table with citations.

A draft is a certificate signed by a throwaway key, with the contents of the real
one.  Guarantee: when `lint` returns, every rule held; when it raises, every rule
that did not is named, and the CA's key was not used.

Sources: in each row.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from cryptography import x509

from reseal.certname import Certname
from reseal.errors import InvalidCertname, LintError, ParseError
from reseal.store.protocol import HIGHEST_SERIAL, is_random
from reseal.x509 import certexts, der, keys, oids
from reseal.x509 import certificate as certs
from reseal.x509.certexts import Extension


@dataclass(frozen=True)
class Draft:
    """A draft and what it is judged against.

    Attributes:
        certificate: Signed by a throwaway key.
        issuer: The certificate of the CA that will sign; None for a root.
        ca: It is to be a CA itself.
    """

    certificate: x509.Certificate
    issuer: x509.Certificate | None
    ca: bool = False

    @cached_property
    def extensions(self) -> tuple[Extension, ...]:
        """The draft's extensions, in order."""
        return certexts.extensions_of(self.certificate)

    def find(self, oid: str) -> Extension | None:
        """Return the first extension of an OID, or None."""
        return certexts.find(self.extensions, oid)


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule.

    Attributes:
        name: In kebab case, for messages and tests.
        citation: Where it is written.
        fault: Returns what is wrong, or None.
    """

    name: str
    citation: str
    fault: Callable[[Draft], str | None]


def lint(
    certificate: x509.Certificate, issuer: x509.Certificate | None, *, ca: bool = False
) -> None:
    """Hold a draft to every rule.

    Args:
        certificate: The draft.
        issuer: The CA's certificate; None for a root.
        ca: The draft is a CA's.

    Raises:
        LintError: Rules are broken; each is named with its citation.
    """
    draft = Draft(certificate, issuer, ca)
    found = ((rule, rule.fault(draft)) for rule in RULES)
    faults = [f"{text} ({rule.name}: {rule.citation})" for rule, text in found if text]
    if faults:
        raise LintError(f"draft {certificate.serial_number:04X}", faults)


def _version(draft: Draft) -> str | None:
    return None if draft.certificate.version is x509.Version.v3 else "is not version 3"


def _serial(draft: Draft) -> str | None:
    serial = draft.certificate.serial_number
    if 1 <= serial <= HIGHEST_SERIAL or is_random(serial):
        return None
    return f"serial {serial:X} is not positive or has more than 31 bits"


def _validity(draft: Draft) -> str | None:
    certificate, issuer = draft.certificate, draft.issuer
    if certificate.not_valid_before_utc >= certificate.not_valid_after_utc:
        return "ends before it begins"
    if issuer and certificate.not_valid_after_utc > issuer.not_valid_after_utc:
        return f"outlives its issuer, which ends on {issuer.not_valid_after_utc:%F}"
    return None


def _issuer_name(draft: Draft) -> str | None:
    above = draft.issuer or draft.certificate
    same = certs.issuer(draft.certificate) == certs.subject(above)
    return None if same else "issuer's name is not the CA's, byte for byte"


def _subject(draft: Draft) -> str | None:
    name = certs.common_name(draft.certificate)
    if draft.ca:
        return None if name else "subject has no common name"
    try:
        Certname(name)
    except InvalidCertname as error:
        return f"subject: {error}"
    return None


def _unique_extensions(draft: Draft) -> str | None:
    listed = [each.oid for each in draft.extensions]
    twice = sorted({oid for oid in listed if listed.count(oid) > 1})
    return f"has {', '.join(twice)} more than once" if twice else None


def _constraints(draft: Draft) -> str | None:
    found = draft.find(oids.BASIC_CONSTRAINTS)
    if found is None or not found.critical:
        return "has no critical basicConstraints"
    if certexts.read_basic_constraints(found)[0] is not draft.ca:
        return f"basicConstraints do not say CA:{str(draft.ca).upper()}"
    return None


def _key_usage(draft: Draft) -> str | None:
    found = draft.find(oids.KEY_USAGE)
    wanted = {"key_cert_sign", "crl_sign"}
    if not draft.ca:
        wanted = {"digital_signature", "key_encipherment"}
    if found is None or not found.critical:
        return "has no critical keyUsage"
    usages = certexts.read_key_usage(found)
    return None if usages == wanted else f"keyUsage is {', '.join(sorted(usages))}"


def _purposes(draft: Draft) -> str | None:
    found = draft.find(oids.EXTENDED_KEY_USAGE)
    if draft.ca:
        return None if found is None else "a CA's certificate has extendedKeyUsage"
    wanted = {oids.SERVER_AUTH, oids.CLIENT_AUTH}
    if found is None or set(certexts.read_extended_key_usage(found)) != wanted:
        return "extendedKeyUsage is not serverAuth and clientAuth"
    return None


def _subject_key(draft: Draft) -> str | None:
    found = draft.find(oids.SUBJECT_KEY_ID)
    key = keys.key_id(certs.public_key(draft.certificate))
    if found is None or certexts.read_subject_key_id(found) != key:
        return "subjectKeyIdentifier is not the SHA-1 of the key"
    return None


def _authority_key(draft: Draft) -> str | None:
    found = draft.find(oids.AUTHORITY_KEY_ID)
    if found is None:
        return "has no authorityKeyIdentifier"
    named = certexts.read_authority_key_id(found)
    if draft.issuer is None and named.key_id is None:
        return None  # the Ruby CA's root names itself by issuer and serial
    above = draft.issuer or draft.certificate
    if named.key_id != certs.subject_key_id(above):
        return "authorityKeyIdentifier is not the CA's subjectKeyIdentifier"
    return None


def _alt_names(draft: Draft) -> str | None:
    found = draft.find(oids.SUBJECT_ALT_NAME)
    if found is None:
        return None
    names = [der.parse(name) for name in certexts.read_general_names(found)]
    if not names:
        return "subjectAltName is empty"
    bad = [n.content for n in names if n.tag == 0x82 and not _is_dns(n.content)]
    return f"subjectAltName has {bad[0]!r}, not a DNS name" if bad else None


def _is_dns(name: bytes) -> bool:
    return bool(name) and name.isascii() and b" " not in name and b"\0" not in name


def _puppet_values(draft: Draft) -> str | None:
    for each in draft.extensions:
        if oids.is_below(each.oid, oids.ARC) and not _is_utf8(each.value):
            return f"{each.name} is not a UTF8String"
    return None


def _is_utf8(value: bytes) -> bool:
    try:
        return der.parse(value).tag == der.UTF8_STRING
    except ParseError:
        return False


RULES: tuple[Rule, ...] = (
    Rule("version-3", "RFC 5280, 4.1.2.1", _version),
    Rule("serial", "RFC 5280, 4.1.2.2; Puppet Server reads 31 bits", _serial),
    Rule("validity", "RFC 5280, 4.1.2.5 and 6.1.3", _validity),
    Rule("issuer-name", "RFC 5280, 4.1.2.4 and 6.1.3 (a)(4)", _issuer_name),
    Rule("subject", "Puppet, ssl/base.rb VALID_CERTNAME", _subject),
    Rule("unique-extensions", "RFC 5280, 4.2", _unique_extensions),
    Rule("basic-constraints", "RFC 5280, 4.2.1.9", _constraints),
    Rule("key-usage", "RFC 5280, 4.2.1.3", _key_usage),
    Rule("extended-key-usage", "RFC 5280, 4.2.1.12", _purposes),
    Rule("subject-key-id", "RFC 5280, 4.2.1.2 (1)", _subject_key),
    Rule("authority-key-id", "RFC 5280, 4.2.1.1", _authority_key),
    Rule("alt-names", "RFC 5280, 4.2.1.6", _alt_names),
    Rule("puppet-values", "Puppet, ssl/certificate_request_attributes", _puppet_values),
)
"""Every rule; each has one draft that passes and one that fails in the tests."""
