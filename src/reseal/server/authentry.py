"""Entries of auth.conf's rules: whom a rule allows or denies.

Guarantee: an entry that reseal cannot judge allows nobody, which is warned of; where
it would deny it is a fault, since to leave it out would let somebody in.

Sources: trapperkeeper-authorization, `acl.clj` (`new-domain`: forms of a name),
`authorization_core.clj` (`validate-ace-config-map!`).
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass

from reseal.server.access import Entry
from reseal.server.findings import Findings
from reseal.x509 import oids

_NAME = re.compile(r"\*|\*(\.\w[-\w]*)+|\w[-.@\w]*", re.ASCII)
_REFERENCE = re.compile(r"\$(\d+)", re.ASCII)
_GROUP_NAME = re.compile(r"\(\?<(?=[A-Za-z])")
_FORMS = ("certname", "extensions", "rbac")


@dataclass(frozen=True, slots=True)
class Judge:
    """Reads the entries of one rule.

    Attributes:
        place: File and rule, for messages.
        findings: Where faults go.
        names: Short names of the site's own, to dotted OIDs.
        groups: How many groups the rule's pattern has.
    """

    place: str
    findings: Findings
    names: Mapping[str, str]
    groups: int

    def entries(self, value: object, *, deny: bool) -> tuple[Entry, ...]:
        """Return the entries of `allow` or `deny`."""
        items = value if isinstance(value, list) else [value]
        found = [self._entry(item, deny) for item in items]
        return tuple(entry for entry in found if entry is not None)

    def _entry(self, item: object, deny: bool) -> Entry | None:
        verb = "deny" if deny else "allow"
        if isinstance(item, str):
            return self._named(item, deny)
        if not isinstance(item, dict):
            self._fault(f"{verb}: {item!r} is neither a name nor an object")
            return None
        if len(item) != 1 or next(iter(item)) not in _FORMS:
            keys = ", ".join(item) or "nothing"
            self._fault(
                f"{verb}: holds {keys} instead of one of {', '.join(_FORMS[:2])}"
            )
            return None
        form, content = next(iter(item.items()))
        if form == "rbac":
            self._beyond("rbac is Puppet Enterprise's", deny)
            return None
        if form == "certname":
            if isinstance(content, str):
                return self._named(content, deny)
            self._fault(f"{verb}: certname must be a text")
            return None
        return self._extended(content, deny)

    def _named(self, name: str, deny: bool) -> Entry | None:
        verb = "deny" if deny else "allow"
        references = [int(number) for number in _REFERENCE.findall(name)]
        if references:
            if max(references) > min(self.groups, 9) or min(references) == 0:
                text = f"refers to a group that the path has not, of {self.groups}"
                self._fault(f"{verb}: {name!r} {text}")
            return Entry(name, deny=deny)
        if len(name) > 1 and name[0] == name[-1] == "/":
            try:
                return Entry(f"/{pattern(name[1:-1])}/", deny=deny)
            except ValueError as error:
                self._fault(f"{verb}: {name!r} {error}")
        elif _NAME.fullmatch(name):
            return Entry(name, deny=deny)
        else:
            self._fault(f"{verb}: {name!r} is no name, *.domain, * or /pattern/")
        return None

    def _extended(self, content: object, deny: bool) -> Entry | None:
        verb = "deny" if deny else "allow"
        if not isinstance(content, dict) or not content:
            self._fault(f"{verb}: extensions must name an extension and its value")
            return None
        wanted: dict[str, tuple[str, ...]] = {}
        for key, value in content.items():
            oid = oids.dotted(key) or self.names.get(key)
            values = value if isinstance(value, list) else [value]
            if key == "subject-alt-name" or (oid and not oids.is_below(oid, oids.ARC)):
                self._beyond(f"{key} is not an extension of Puppet's", deny)
            elif not values or not all(isinstance(each, str) for each in values):
                text = f"{key}: the value must be a text, and it and an OID in quotes"
                self._fault(f"{verb}: {text}")
            elif oid is None:
                self._beyond(f"{key} is not the name of an extension", deny)
            else:
                wanted[oid] = tuple(values)
        return (
            Entry(extensions=wanted, deny=deny) if len(wanted) == len(content) else None
        )

    def _beyond(self, what: str, deny: bool) -> None:
        """Note an entry that reseal has no way to judge."""
        if deny:
            self._fault(f"deny: {what}; reseal cannot tell whom this denies")
        else:
            self.findings.warn(self.place, f"allow: {what}; this allows nobody")

    def _fault(self, text: str) -> None:
        self.findings.fault(self.place, text)


def pattern(java: str) -> str:
    """Return a pattern that means to Python what it means to Java, or ValueError.

    What Python reads as something else (`[a-z&&[^b]]`) is refused like what it
    cannot read (`\\p{Alpha}`).
    """
    python = _GROUP_NAME.sub("(?P<", java)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            re.compile(python)
    except (re.error, Warning, OverflowError) as error:
        raise ValueError(f"is a pattern reseal cannot use: {error}") from None
    return python
