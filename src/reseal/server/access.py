"""Who may call what, as one table.

Authorization comes before routing: what no rule names is forbidden, whether it
exists or not.  Guarantee: the first rule that fits a request decides it; within a
rule what denies goes before what allows, and what fits nothing is denied.

Sources: Puppet Server's `auth.conf` (default rules); trapperkeeper-authorization,
`rules.clj` (order, path and regex), `acl.clj` (entries, denials first).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from reseal.server.caller import Caller
from reseal.x509 import oids

API = "/puppet-ca/v1"
_RUNS = "/puppet/v3"
ORDER = 500
"""The place of a rule that does not say it, and of all of Puppet's own."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a rule's list: all it says must fit.

    Attributes:
        deny: It denies what it fits.
        certname: As auth.conf has it: a name, `*`, `*.example.com`, `/regex/`;
            `$1` is what the rule's own pattern found.  Empty fits every name.
        extensions: Dotted OID to the values that fit, one of each.
    """

    certname: str = ""
    extensions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    deny: bool = False

    def fits(self, caller: Caller, found: Sequence[str]) -> bool:
        """Say whether the entry is about a caller.

        Args:
            caller: One with a name.
            found: What the groups of the rule's pattern matched.
        """
        named = (caller.name, *caller.alt_names)
        wanted = _filled(self.certname, found)
        # What a path says is a name, whatever it looks like: `*` in it is no pattern.
        called = _is_called if wanted == self.certname else _is_same
        if wanted and not any(called(name, wanted) for name in named):
            return False
        return all(
            caller.extensions.get(oid) in values
            for oid, values in self.extensions.items()
        )


@dataclass(frozen=True, slots=True)
class Rule:
    """Who may do something.

    Attributes:
        name: For people.
        path: The beginning of a path, or a pattern if `regex`.
        methods: In upper case; none stands for all.
        entries: Whom it allows and denies.
        unauthenticated: Everybody may, with a certificate or without.
        regex: `path` is searched for as a pattern.
        query: Parameters a request must have, each with one of these values.
        order: Rules are looked at in this order, then by name.
    """

    name: str
    path: str
    methods: frozenset[str] = frozenset()
    entries: tuple[Entry, ...] = ()
    unauthenticated: bool = False
    regex: bool = False
    query: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    order: int = ORDER

    def fits(
        self, method: str, path: str, query: Mapping[str, Sequence[str]]
    ) -> Sequence[str] | None:
        """Return what the pattern's groups matched if the rule is about a request."""
        if self.methods and method not in self.methods:
            return None
        for name, values in self.query.items():
            if not set(values) & set(query.get(name, ())):
                return None
        if not self.regex:
            return () if path.startswith(self.path) else None
        found = re.search(self.path, path)
        return None if found is None else [text or "" for text in found.groups()]

    def allows(self, caller: Caller, found: Sequence[str]) -> bool:
        """Say whether a caller may do what the rule is about."""
        if self.unauthenticated:
            return True
        if not caller.authenticated:
            return False
        ordered = sorted(self.entries, key=lambda entry: not entry.deny)
        return next((not e.deny for e in ordered if e.fits(caller, found)), False)


def allowed(
    rules: Iterable[Rule],
    method: str,
    path: str,
    caller: Caller,
    query: Mapping[str, Sequence[str]] | None = None,
) -> bool:
    """Say whether a caller may do something.

    Args:
        rules: In the order of `ordered`.
        method: In upper case.
        path: Normalised.
        caller: Who asks.
        query: The parameters of the request.
    """
    for rule in rules:
        found = rule.fits(method, path, query or {})
        if found is not None:
            return rule.allows(caller, found)
    return False


def ordered(rules: Iterable[Rule]) -> tuple[Rule, ...]:
    """Return rules in the order in which they are looked at."""
    return tuple(sorted(rules, key=lambda rule: (rule.order, rule.name)))


def _filled(text: str, found: Sequence[str]) -> str:
    def group(match: re.Match[str]) -> str:
        number = int(match[1])
        return found[number - 1] if 0 < number <= len(found) else match[0]

    return re.sub(r"\$(\d)", group, text)


def _is_called(name: str, wanted: str) -> bool:
    if wanted == "*":
        return True
    if len(wanted) > 1 and wanted[0] == wanted[-1] == "/":
        return re.search(wanted[1:-1], name) is not None
    if wanted.startswith("*."):
        return name.lower().endswith(wanted[1:].lower())
    return _is_same(name, wanted)


def _is_same(name: str, wanted: str) -> bool:
    return name.lower() == wanted.lower()


_ANY = (Entry("*"),)
_CLI = (Entry(extensions={oids.PP_CLI_AUTH: ("true",)}),)


_OWN = (Entry("$1"),)


def _own(name: str, noun: str, *methods: str) -> Rule:
    """Return the rule of what is a node's own, named at the end of the path."""
    path = f"^{_RUNS}/{noun}/([^/]+)$"
    return Rule(name, path, frozenset(methods), _OWN, regex=True)


def _any(name: str, noun: str, *methods: str) -> Rule:
    return Rule(name, f"{_RUNS}/{noun}", frozenset(methods), _ANY)


def _open(name: str, path: str, *methods: str) -> Rule:
    return Rule(name, path, frozenset(methods), unauthenticated=True)


DEFAULT = ordered(
    (
        _open("puppetlabs certificate", f"{API}/certificate/", "GET"),
        _open("puppetlabs crl", f"{API}/certificate_revocation_list/ca", "GET"),
        _open("puppetlabs csr", f"{API}/certificate_request", "GET", "PUT"),
        Rule(
            "puppetlabs cert status",
            f"{API}/certificate_status",
            frozenset({"GET", "PUT", "DELETE"}),
            _CLI,
        ),
        Rule(
            "puppetlabs cert statuses",
            f"{API}/certificate_statuses",
            frozenset({"GET"}),
            _CLI,
        ),
        Rule(
            "puppetlabs CRL update",
            f"^{API}/certificate_revocation_list$",
            frozenset({"PUT"}),
            _CLI,
            regex=True,
        ),
        Rule(
            "puppetlabs CA cert and CRL expirations",
            f"{API}/expirations",
            frozenset({"GET"}),
            _ANY,
        ),
        Rule("puppetlabs cert clean", f"{API}/clean", frozenset({"PUT"}), _CLI),
        Rule(
            "puppetlabs certificate renewal",
            f"{API}/certificate_renewal",
            frozenset({"POST"}),
            _ANY,
        ),
        Rule("puppetlabs cert sign", f"{API}/sign", frozenset({"POST"}), _CLI),
        _open("puppetlabs status service - full", "/status/v1/services", "GET"),
        _open("puppetlabs status service - simple", "/status/v1/simple", "GET"),
        _own("puppetlabs v3 catalog from agents", "catalog", "GET", "POST"),
        _own("puppetlabs node", "node", "GET"),
        _own("puppetlabs report", "report", "PUT"),
        _own("puppetlabs facts", "facts", "PUT"),
        _any("puppetlabs environments", "environments", "GET"),
        _any(
            "puppetlabs file bucket file",
            "file_bucket_file",
            *("GET", "HEAD", "POST", "PUT"),
        ),
        _any("puppetlabs file content", "file_content", "GET", "POST"),
        _any("puppetlabs file metadata", "file_metadata", "GET", "POST"),
        _any("puppetlabs static file content", "static_file_content", "GET"),
        _any("puppet tasks information", "tasks"),
        Rule(
            "puppetlabs v4 catalog for services",
            "^/puppet/v4/catalog/?$",
            frozenset({"POST"}),
            (Entry("*", deny=True),),
            regex=True,
        ),
        Rule("puppetlabs deny all", "/", entries=(Entry("*", deny=True),), order=999),
    )
)
"""Puppet Server's own rules; the names are auth.conf's."""
