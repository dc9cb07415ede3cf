"""The rules requests are judged by, as tables with Puppet's own words.

One table is Puppet Server's, the other that of Puppet 3 to 5.  The latter copies the
whole subject of a request, so it also refuses subjects that read as another's.

Sources: Puppet Server, `certificate_authority.clj` (`validate-subject!`,
`validate-extensions!`); Puppet 5.5, `certificate_authority.rb`
(`check_internal_signing_policies`); NIST SP 800-57 part 1 (size of keys).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from reseal.ca import rulechecks
from reseal.ca.rules import Case


@dataclass(frozen=True, slots=True)
class Row:
    """One rule.

    Attributes:
        name: In kebab case.
        text: The dialect's own words; fields in braces come from `find`.
        find: Returns the fields when the rule is broken, else None.
        arrival: A server holds requests to it when they arrive; to the others only
            when they are to be signed.
    """

    name: str
    text: str
    find: Callable[[Case], dict[str, str] | None]
    arrival: bool = False

    def fault(self, case: Case) -> str | None:
        """Return the text if the rule is broken."""
        fields = self.find(case)
        return None if fields is None else self.text.format(cn=case.name, **fields)


OWN_NAME = "{cn}: is the CA's own name"
"""Not Puppet's words: its CA would sign, and the leaf would take the CA's place."""

_SETTING = (
    "To allow {what}, set {setting} to true in your ca.conf file. Then restart the "
    "puppetserver and try signing this certificate again."
)
_LENGTH = "CSR '{cn}' has a name of more than {longest} characters"
"""Not Puppet's words: its CA fails when it comes to write the file."""

_SIGNATURE = "CSR contains a public key that does not correspond to the signing key"
_WEAK = "CSR '{cn}' has a key that today's peers refuse: {why}"
_DIGEST = "CSR '{cn}' is signed over {digest}, which can be forged"
_CLEAN = "  To continue, this CSR needs to be cleaned."

SERVER: tuple[Row, ...] = (
    Row("own-name", OWN_NAME, rulechecks.own_name, arrival=True),
    Row(
        "certname",
        'Instance name "{found}" does not match requested key "{cn}"',
        rulechecks.other_name,
        arrival=True,
    ),
    Row(
        "lower-case",
        "Certificate names must be lower case.",
        rulechecks.upper_case,
        arrival=True,
    ),
    Row(
        "wildcard",
        "Subject contains a wildcard, which is not allowed: {cn}",
        rulechecks.wildcard,
        arrival=True,
    ),
    Row(
        "host-format",
        "Subject hostname format is invalid",
        rulechecks.host_format,
        arrival=True,
    ),
    Row("length", _LENGTH, rulechecks.too_long, arrival=True),
    Row(
        "alt-names",
        "CSR '{cn}' contains extra subject alternative names ({names}), which are "
        "disallowed. "
        + _SETTING.format(
            what="subject alternative names", setting="allow-subject-alt-names"
        ),
        rulechecks.alt_names,
    ),
    Row(
        "authorization",
        "CSR '{cn}' contains an authorization extension, which is disallowed. "
        + _SETTING.format(
            what="authorization extensions", setting="allow-authorization-extensions"
        ),
        rulechecks.authorization,
    ),
    Row(
        "permitted",
        "Found extensions that are not permitted: {found}",
        rulechecks.not_permitted,
    ),
    Row("signature", _SIGNATURE, rulechecks.signature, arrival=True),
    Row("weak-key", _WEAK, rulechecks.weak_key, arrival=True),
    Row("weak-digest", _DIGEST, rulechecks.weak_digest, arrival=True),
)
"""Puppet Server's rules, in the order it looks at them."""

RUBY: tuple[Row, ...] = (
    Row("own-name", OWN_NAME, rulechecks.own_name),
    Row(
        "permitted",
        "CSR has request extensions that are not permitted: {found}",
        rulechecks.not_permitted,
    ),
    Row(
        "certname",
        'CSR subject common name "{found}" does not match expected certname "{cn}"',
        rulechecks.other_name,
    ),
    Row("length", _LENGTH, rulechecks.too_long),
    Row(
        "printable",
        'CSR "{cn}" subject contains unprintable or non-ASCII characters',
        rulechecks.unprintable,
    ),
    Row(
        "control-characters",
        'CSR "{cn}" subject contains control characters',
        rulechecks.control,
    ),
    Row(
        "second-name",
        "CSR subject contains more than one common name: {subject}",
        rulechecks.second_name,
    ),
    Row(
        "wildcard",
        "CSR subject contains a wildcard, which is not allowed: {subject}",
        rulechecks.wildcard_anywhere,
    ),
    Row("signature", _SIGNATURE, rulechecks.signature),
    Row(
        "authorization",
        "CSR '{cn}' contains authorization extensions ({found}), which are "
        "disallowed by default. Use `puppet cert --allow-authorization-extensions "
        "sign {cn}` to sign this request.",
        rulechecks.authorization,
    ),
    Row(
        "alt-names",
        "CSR '{cn}' contains subject alternative names ({names}), which are "
        "disallowed. Use `puppet cert --allow-dns-alt-names sign {cn}` to sign this "
        "request.",
        rulechecks.ruby_alt_names,
    ),
    Row(
        "dns-only",
        "CSR '{cn}' contains a subjectAltName outside the DNS label space: {names}."
        + _CLEAN,
        rulechecks.not_dns,
    ),
    Row(
        "alt-wildcard",
        "CSR '{cn}' subjectAltName contains a wildcard, which is not allowed: {names}."
        + _CLEAN,
        rulechecks.alt_wildcard,
    ),
    Row("weak-key", _WEAK, rulechecks.weak_key),
)
"""The Ruby CA's rules, in the order it looks at them."""
