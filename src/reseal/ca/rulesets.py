"""The rules requests are judged by, as tables with Puppet's own words.

One table is Puppet Server's, the other that of Puppet 3 to 5.  The latter copies the
whole subject of a request, so it also refuses subjects that read as another's.

Sources: Puppet Server, `certificate_authority.clj` (`validate-subject!`,
`validate-extensions!`); Puppet 5.5, `certificate_authority.rb`
(`check_internal_signing_policies`); NIST SP 800-57 part 1 (size of keys).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from reseal.ca.rules import Case, is_own_name, is_san
from reseal.certname import Certname
from reseal.errors import InvalidCertname
from reseal.x509 import keys, names, oids

_OPENSSL_NAMES = {
    oids.SUBJECT_KEY_ID: "subjectKeyIdentifier",
    oids.KEY_USAGE: "keyUsage",
    oids.BASIC_CONSTRAINTS: "basicConstraints",
    oids.AUTHORITY_KEY_ID: "authorityKeyIdentifier",
    oids.EXTENDED_KEY_USAGE: "extendedKeyUsage",
    oids.NETSCAPE_COMMENT: "nsComment",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One rule.

    Attributes:
        name: In kebab case.
        text: The dialect's own words; fields in braces come from `find`.
        find: Returns the fields when the rule is broken, else None.
    """

    name: str
    text: str
    find: Callable[[Case], dict[str, str] | None]

    def fault(self, case: Case) -> str | None:
        """Return the text if the rule is broken."""
        fields = self.find(case)
        return None if fields is None else self.text.format(cn=case.name, **fields)


def _other_name(case: Case) -> dict[str, str] | None:
    found = case.request.certname
    return None if found == case.name else {"found": found}


def _own_name(case: Case) -> dict[str, str] | None:
    return {} if is_own_name(case.name) else None


def _upper_case(case: Case) -> dict[str, str] | None:
    return {} if case.name != case.name.lower() else None


def _wildcard(case: Case) -> dict[str, str] | None:
    return {} if "*" in case.request.certname else None


def _host_format(case: Case) -> dict[str, str] | None:
    """Hold to Puppet Server's pattern: labels of letters, digits, _ and inner -."""
    parts = case.request.certname.split(".")
    while parts and not parts[-1]:
        parts.pop()
    if "*" in case.request.certname:
        return None  # has a row of its own
    good = parts and re.match(r"[A-Za-z0-9_]", parts[0])
    pattern = re.compile(r"[A-Za-z0-9_-]*[A-Za-z0-9_]")
    return None if good and all(map(pattern.fullmatch, parts)) else {}


def _unprintable(case: Case) -> dict[str, str] | None:
    try:
        Certname(case.name.lower().replace("*", "x"))
    except InvalidCertname:
        return {}
    return None


def _control(case: Case) -> dict[str, str] | None:
    values = (each.value for each in names.attributes(case.request.subject))
    return {} if re.search(r"[\x00-\x1f\x7f-\x9f]", "".join(values)) else None


def _second_name(case: Case) -> dict[str, str] | None:
    parts = names.attributes(case.request.subject)
    found = [each for each in parts if each.oid == oids.COMMON_NAME]
    return {"subject": names.slashes(case.request.subject)} if found[1:] else None


def _wildcard_anywhere(case: Case) -> dict[str, str] | None:
    subject = names.slashes(case.request.subject)
    return {"subject": subject} if "*" in subject else None


def _alt_names(case: Case) -> dict[str, str] | None:
    """Refuse further names; a request may always have its own alone."""
    own = f"DNS:{case.name}"
    by_kind = [n for kind in ("IP:", "DNS") for n in case.alt_names if n[:3] == kind]
    if case.rules.allow_subject_alt_names or by_kind in ([], [own]):
        return None
    return {"names": ", ".join(name for name in by_kind if name != own)}


def _ruby_alt_names(case: Case) -> dict[str, str] | None:
    allowed = case.rules.allow_subject_alt_names or case.name == case.rules.own_certname
    return None if allowed or not case.alt_names else _listed(case)


def _not_dns(case: Case) -> dict[str, str] | None:
    if _ruby_alt_names(case) or all(n.startswith("DNS:") for n in case.alt_names):
        return None
    return _listed(case)


def _alt_wildcard(case: Case) -> dict[str, str] | None:
    if _ruby_alt_names(case) or not any("*" in n for n in case.alt_names):
        return None
    return _listed(case)


def _listed(case: Case) -> dict[str, str]:
    shown = ", ".join(case.alt_names)
    return {"names": re.sub(r"\bIP:", "IP Address:", shown)}


def _authorization(case: Case) -> dict[str, str] | None:
    if case.rules.allow_authorization_extensions:
        return None
    found = [e for e in case.extensions if oids.is_below(e.oid, oids.AUTHORIZATION)]
    return {"found": ", ".join(each.name for each in found)} if found else None


def _not_permitted(case: Case) -> dict[str, str] | None:
    arcs = (oids.REGISTERED, oids.PRIVATE, oids.AUTHORIZATION)
    ordered = sorted(case.extensions, key=lambda each: not each.critical)
    bad = [
        each.oid
        for each in ordered
        if not is_san(each)
        and (
            not any(oids.is_below(each.oid, arc) for arc in arcs)
            or (each.oid == oids.PP_CLI_AUTH and not case.rules.ruby)
        )
    ]
    if case.rules.ruby:
        bad = sorted({_OPENSSL_NAMES.get(oid, oid) for oid in bad})
    return {"found": ", ".join(bad)} if bad else None


def _signature(case: Case) -> dict[str, str] | None:
    return None if case.request.signature_valid else {}


def _weak_key(case: Case) -> dict[str, str] | None:
    why = keys.weakness(case.request.public_key)
    return {"why": why} if why and not case.rules.allow_weak_keys else None


OWN_NAME = "{cn}: is the CA's own name"
"""Not Puppet's words: its CA would sign, and the leaf would take the CA's place."""

_SETTING = (
    "To allow {what}, set {setting} to true in your ca.conf file. Then restart the "
    "puppetserver and try signing this certificate again."
)
_SIGNATURE = "CSR contains a public key that does not correspond to the signing key"
_WEAK = "CSR '{cn}' has a key that today's peers refuse: {why}"
_CLEAN = "  To continue, this CSR needs to be cleaned."

SERVER: tuple[Row, ...] = (
    Row("own-name", OWN_NAME, _own_name),
    Row(
        "certname",
        'Instance name "{found}" does not match requested key "{cn}"',
        _other_name,
    ),
    Row("lower-case", "Certificate names must be lower case.", _upper_case),
    Row(
        "wildcard",
        "Subject contains a wildcard, which is not allowed: {cn}",
        _wildcard,
    ),
    Row("host-format", "Subject hostname format is invalid", _host_format),
    Row(
        "alt-names",
        "CSR '{cn}' contains extra subject alternative names ({names}), which are "
        "disallowed. "
        + _SETTING.format(
            what="subject alternative names", setting="allow-subject-alt-names"
        ),
        _alt_names,
    ),
    Row(
        "authorization",
        "CSR '{cn}' contains an authorization extension, which is disallowed. "
        + _SETTING.format(
            what="authorization extensions", setting="allow-authorization-extensions"
        ),
        _authorization,
    ),
    Row(
        "permitted",
        "Found extensions that are not permitted: {found}",
        _not_permitted,
    ),
    Row("signature", _SIGNATURE, _signature),
    Row("weak-key", _WEAK, _weak_key),
)
"""Puppet Server's rules, in the order it looks at them."""

RUBY: tuple[Row, ...] = (
    Row("own-name", OWN_NAME, _own_name),
    Row(
        "permitted",
        "CSR has request extensions that are not permitted: {found}",
        _not_permitted,
    ),
    Row(
        "certname",
        'CSR subject common name "{found}" does not match expected certname "{cn}"',
        _other_name,
    ),
    Row(
        "printable",
        'CSR "{cn}" subject contains unprintable or non-ASCII characters',
        _unprintable,
    ),
    Row(
        "control-characters",
        'CSR "{cn}" subject contains control characters',
        _control,
    ),
    Row(
        "second-name",
        "CSR subject contains more than one common name: {subject}",
        _second_name,
    ),
    Row(
        "wildcard",
        "CSR subject contains a wildcard, which is not allowed: {subject}",
        _wildcard_anywhere,
    ),
    Row("signature", _SIGNATURE, _signature),
    Row(
        "authorization",
        "CSR '{cn}' contains authorization extensions ({found}), which are "
        "disallowed by default. Use `puppet cert --allow-authorization-extensions "
        "sign {cn}` to sign this request.",
        _authorization,
    ),
    Row(
        "alt-names",
        "CSR '{cn}' contains subject alternative names ({names}), which are "
        "disallowed. Use `puppet cert --allow-dns-alt-names sign {cn}` to sign this "
        "request.",
        _ruby_alt_names,
    ),
    Row(
        "dns-only",
        "CSR '{cn}' contains a subjectAltName outside the DNS label space: {names}."
        + _CLEAN,
        _not_dns,
    ),
    Row(
        "alt-wildcard",
        "CSR '{cn}' subjectAltName contains a wildcard, which is not allowed: {names}."
        + _CLEAN,
        _alt_wildcard,
    ),
    Row("weak-key", _WEAK, _weak_key),
)
"""The Ruby CA's rules, in the order it looks at them."""
