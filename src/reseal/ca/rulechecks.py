"""What the rules for requests look at, one function for each.

A function returns the fields for its rule's text when the rule is broken, else None.

Sources: Puppet Server, `certificate_authority.clj` (`validate-subject!`,
`validate-extensions!`); Puppet 5.5, `certificate_authority.rb`
(`check_internal_signing_policies`); NIST SP 800-57 part 1 (size of keys).
"""

from __future__ import annotations

import re

from reseal.ca.rules import Case, is_own_name, is_san
from reseal.certname import LONGEST, Certname
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


def other_name(case: Case) -> dict[str, str] | None:
    """The request is for another name."""
    found = case.request.certname
    return None if found == case.name else {"found": found}


def own_name(case: Case) -> dict[str, str] | None:
    """It would take the CA's own name."""
    return {} if is_own_name(case.name) else None


def upper_case(case: Case) -> dict[str, str] | None:
    """The name has an upper-case letter."""
    return {} if case.name != case.name.lower() else None


def wildcard(case: Case) -> dict[str, str] | None:
    """The common name has a wildcard."""
    return {} if "*" in case.request.certname else None


def host_format(case: Case) -> dict[str, str] | None:
    """Hold to Puppet Server's pattern: labels of letters, digits, _ and inner -."""
    parts = case.request.certname.split(".")
    while parts and not parts[-1]:
        parts.pop()
    if "*" in case.request.certname:
        return None  # has a row of its own
    good = parts and re.match(r"[A-Za-z0-9_]", parts[0])
    pattern = re.compile(r"[A-Za-z0-9_-]*[A-Za-z0-9_]")
    return None if good and all(map(pattern.fullmatch, parts)) else {}


def too_long(case: Case) -> dict[str, str] | None:
    """No file can have the name."""
    return {"longest": str(LONGEST)} if len(case.name) > LONGEST else None


def unprintable(case: Case) -> dict[str, str] | None:
    """The name has what Puppet does not take for a name."""
    try:
        Certname(case.name.lower().replace("*", "x")[:LONGEST])
    except InvalidCertname:
        return {}
    return None


def control(case: Case) -> dict[str, str] | None:
    """The subject has control characters."""
    values = (each.value for each in names.attributes(case.request.subject))
    return {} if re.search(r"[\x00-\x1f\x7f-\x9f]", "".join(values)) else None


def second_name(case: Case) -> dict[str, str] | None:
    """The subject has more than one common name."""
    parts = names.attributes(case.request.subject)
    found = [each for each in parts if each.oid == oids.COMMON_NAME]
    return {"subject": names.slashes(case.request.subject)} if found[1:] else None


def wildcard_anywhere(case: Case) -> dict[str, str] | None:
    """Some part of the subject has a wildcard."""
    subject = names.slashes(case.request.subject)
    return {"subject": subject} if "*" in subject else None


def alt_names(case: Case) -> dict[str, str] | None:
    """Refuse further names; a request may always have its own alone.

    Puppet Server, which tells IP addresses before DNS names, lets names of other kinds
    pass; here they need leave as those do.
    """
    own = f"DNS:{case.name}"
    by_kind = sorted(case.alt_names, key=lambda n: (n[:3] != "IP:", n[:3] != "DNS"))
    if case.rules.allow_subject_alt_names or by_kind in ([], [own]):
        return None
    return {"names": ", ".join(name for name in by_kind if name != own)}


def ruby_alt_names(case: Case) -> dict[str, str] | None:
    """There are names that the Ruby CA has not been told to allow."""
    allowed = case.rules.allow_subject_alt_names or case.name == case.rules.own_certname
    return None if allowed or not case.alt_names else _listed(case)


def not_dns(case: Case) -> dict[str, str] | None:
    """An allowed name is no DNS name."""
    if ruby_alt_names(case) or all(n.startswith("DNS:") for n in case.alt_names):
        return None
    return _listed(case)


def alt_wildcard(case: Case) -> dict[str, str] | None:
    """An allowed name has a wildcard."""
    if ruby_alt_names(case) or not any("*" in n for n in case.alt_names):
        return None
    return _listed(case)


def _listed(case: Case) -> dict[str, str]:
    shown = ", ".join(case.alt_names)
    return {"names": re.sub(r"\bIP:", "IP Address:", shown)}


def authorization(case: Case) -> dict[str, str] | None:
    """It asks for an extension of Puppet's authorization arc."""
    if case.rules.allow_authorization_extensions:
        return None
    found = [e for e in case.extensions if oids.is_below(e.oid, oids.AUTHORIZATION)]
    return {"found": ", ".join(each.name for each in found)} if found else None


def not_permitted(case: Case) -> dict[str, str] | None:
    """It asks for extensions that no node may have."""
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


def signature(case: Case) -> dict[str, str] | None:
    """Its signature was not made with the request's own key."""
    return None if case.request.signature_valid else {}


def weak_key(case: Case) -> dict[str, str] | None:
    """Its key is too weak."""
    why = keys.weakness(case.request.public_key)
    return {"why": why} if why and not case.rules.allow_weak_keys else None


def weak_digest(case: Case) -> dict[str, str] | None:
    """It is signed over a digest that can be forged."""
    digest = case.request.digest
    weak = digest in ("MD5", "SHA1") and not case.rules.allow_weak_digests
    return {"digest": digest} if weak else None
