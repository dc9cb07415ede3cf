"""auth.conf: who may call what, as the operator has it.

Guarantee: the rules that come out decide as Puppet Server's would, for names, domains
and Puppet's extensions; what cannot be judged allows nobody.  A file that Puppet
Server would refuse is refused, with every fault, each by the rule's number and name.
Rules about paths that reseal does not serve are kept.

Sources: trapperkeeper-authorization, `authorization_core.clj` (`validate-auth-
config!`); Puppet Server, `ca.conf` (`certificate-status`, deprecated).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import cast

from reseal.server.access import API, Entry, Rule, ordered
from reseal.server.authentry import Judge, pattern
from reseal.server.findings import Findings
from reseal.server.hocon import Conf

SECTION = "authorization"
METHODS = ("get", "post", "put", "delete", "head")
_RULE = (
    "match-request",
    "allow",
    "deny",
    "allow-unauthenticated",
    "sort-order",
    "name",
)
_MATCH = ("path", "type", "method", "query-params")
_LEGACY = ("certificate-authority", "certificate-status")
_LEGACY_NAME = "ca.conf certificate-status"


def read_rules(conf: Conf, names: Mapping[str, str]) -> tuple[Rule, ...] | None:
    """Return the rules in the order of `access.ordered`; None without the section.

    Args:
        conf: The whole conf.d; faults and warnings go to its findings.
        names: Short names of the site's own, to dotted OIDs.
    """
    if not conf.has(SECTION):
        return None
    version, listed = conf.leaf(SECTION, "version"), conf.leaf(SECTION, "rules")
    file = next(leaf.file for key, leaf in conf.leaves.items() if key[0] == SECTION)
    if version is None or type(version.value) is not int or version.value != 1:
        conf.findings.fault(file, f"{SECTION}.version: must be 1")
    if listed is None or not isinstance(listed.value, list):
        conf.findings.fault(file, f"{SECTION}.rules: must be a list of rules")
        return None
    found = [
        _RuleReader(item, number, listed.file, conf.findings).rule(names)
        for number, item in enumerate(listed.value, 1)
    ]
    rules = [rule for rule in found if rule is not None]
    for name, count in Counter(rule.name for rule in rules).items():
        if count > 1:
            conf.findings.fault(listed.file, f"{count} rules are named {name!r}")
    return ordered(rules)


def legacy_rules(conf: Conf) -> tuple[Rule, ...]:
    """Return the rule that ca.conf's `certificate-status` puts before all others."""
    required = conf.boolean(*_LEGACY, "authorization-required")
    listed = conf.strings(*_LEGACY, "client-whitelist") or ()
    if not conf.has(*_LEGACY):
        return ()
    leaf = next(leaf for key, leaf in conf.leaves.items() if key[:2] == _LEGACY)
    for name in listed:
        if not re.fullmatch(r"\w[-.@\w]*", name, re.ASCII):
            conf.findings.fault(leaf.file, f"client-whitelist: {name!r} is no certname")
    text = "certificate-status: is deprecated, write a rule of auth.conf instead"
    conf.findings.warn(leaf.file, text)
    if required is not False and not listed:
        return ()
    rule = Rule(
        _LEGACY_NAME,
        f"{API}/certificate_status",
        entries=tuple(Entry(name) for name in listed),
        unauthenticated=required is False,
        order=0,
    )
    return (rule,)


class _RuleReader:
    """Reads one rule; what nobody takes is warned of."""

    def __init__(
        self, item: object, number: int, file: Path, findings: Findings
    ) -> None:
        self.item = cast("dict[str, object]", item) if isinstance(item, dict) else None
        name = (self.item or {}).get("name")
        self.name = name if isinstance(name, str) else ""
        title = f' "{self.name}"' if self.name else ""
        self.place = f"{file}: rule {number}{title}"
        self.findings = findings

    def rule(self, names: Mapping[str, str]) -> Rule | None:
        """Return the rule, or None if it has a fault."""
        before = len(self.findings.faults)
        if self.item is None:
            self._fault("must be an object")
            return None
        match = self.item.get("match-request")
        if not isinstance(match, dict):
            self._fault("match-request: must say path and type")
            match = {"path": "/", "type": "path"}
        if not self.name:
            self._fault("name: must be given, as a text")
        order = self.item.get("sort-order")
        if type(order) is not int or not 1 <= order <= 999:
            self._fault("sort-order: must be a whole number from 1 to 999")
        regex, path, groups = self._path(match)
        judge = Judge(self.place, self.findings, names, groups)
        unauthenticated, entries = self._who(judge)
        methods, query = self._methods(match), self._query(match)
        self._unknown(self.item, _RULE)
        self._unknown(match, _MATCH)
        if len(self.findings.faults) > before:
            return None
        return Rule(
            self.name,
            path,
            methods,
            entries,
            unauthenticated=unauthenticated,
            regex=regex,
            query=query,
            order=cast(int, order),
        )

    def _path(self, match: Mapping[str, object]) -> tuple[bool, str, int]:
        """Return whether the path is a pattern, the path, how many groups it has."""
        kind, path = match.get("type"), match.get("path")
        if not isinstance(kind, str) or kind.lower() not in ("path", "regex"):
            self._fault("type: must be path or regex")
            kind = "path"
        if not isinstance(path, str):
            self._fault("path: must be a text")
            return False, "", 0
        if kind.lower() == "path":
            return False, path, 0
        try:
            found = pattern(path)
        except ValueError as error:
            self._fault(f"path: {error}")
            return True, path, 9
        return True, found, re.compile(found).groups

    def _methods(self, match: Mapping[str, object]) -> frozenset[str]:
        value = match.get("method")
        if value is None:
            return frozenset()
        listed = value if isinstance(value, list) else [value]
        if not listed or not all(str(each).lower() in METHODS for each in listed):
            self._fault(f"method: must be one or more of {', '.join(METHODS)}")
        return frozenset(str(each).upper() for each in listed)

    def _query(self, match: Mapping[str, object]) -> dict[str, tuple[str, ...]]:
        value = match.get("query-params") or {}
        found: dict[str, tuple[str, ...]] = {}
        if not isinstance(value, dict):
            self._fault("query-params: must be an object")
            return found
        for name, wanted in value.items():
            listed = wanted if isinstance(wanted, list) else [wanted]
            if not all(isinstance(each, str) for each in listed):
                self._fault(f"query-params: {name}: must be a text or a list of texts")
            found[name] = tuple(listed)
        return found

    def _who(self, judge: Judge) -> tuple[bool, tuple[Entry, ...]]:
        """Return whether everybody may, and the entries."""
        item = self.item or {}
        everybody = item.get("allow-unauthenticated", False)
        lists = [verb for verb in ("allow", "deny") if verb in item]
        if not isinstance(everybody, bool):
            self._fault("allow-unauthenticated: must be true or false")
        elif everybody and lists:
            self._fault(f"allow-unauthenticated leaves no room for {lists[0]}")
        elif not everybody and not lists:
            self._fault("must have allow, deny or allow-unauthenticated")
        entries = [judge.entries(item[verb], deny=verb == "deny") for verb in lists]
        return everybody is True, tuple(each for some in entries for each in some)

    def _unknown(self, item: Mapping[str, object], known: tuple[str, ...]) -> None:
        for key in item:
            if key not in known:
                self.findings.warn(self.place, f"{key}: is unknown and has no effect")

    def _fault(self, text: str) -> None:
        self.findings.fault(self.place, text)
