"""Settings in force, as a table for people and as a document for machines.

Pure functions of a `Config`; who calls them prints.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from reseal import durations
from reseal.server.access import Entry, Rule
from reseal.server.config import Config
from reseal.x509 import oids

Row = tuple[str, str, str]


def rows(config: Config) -> list[Row]:
    """Return name, value and source of each setting in force."""
    found = [(s.name, _text(s.value), s.source) for s in config.settings]
    count = f"{len(config.options.rules)} rules"
    return [*found, ("rules", count, config.rules_source)]


def rule_rows(config: Config) -> list[Row]:
    """Return of each rule, in order, its name, what it is about and who may."""
    return [(rule.name, _about(rule), _who(rule)) for rule in config.options.rules]


def document(config: Config) -> dict[str, Any]:
    """Return everything as plain values for JSON."""
    return {
        "settings": [
            {"name": s.name, "value": _plain(s.value), "source": s.source}
            for s in config.settings
        ],
        "rules": {
            "source": config.rules_source,
            "rules": [_rule(rule) for rule in config.options.rules],
        },
        "warnings": list(config.warnings),
        "unused": list(config.unused),
    }


def _plain(value: object) -> object:
    if isinstance(value, tuple):
        return [str(each) for each in value]
    return value if isinstance(value, (bool, int, type(None))) else _text(value)


def _text(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, timedelta):
        return durations.render(value)
    if isinstance(value, tuple):
        return ", ".join(str(each) for each in value) or "none"
    return str(value)


def _about(rule: Rule) -> str:
    methods = ", ".join(sorted(rule.methods)) or "any method"
    pairs = [f"{name}={'|'.join(values)}" for name, values in rule.query.items()]
    query = f"?{'&'.join(pairs)}" if pairs else ""
    return f"{methods} {'~ ' if rule.regex else ''}{rule.path}{query}"


def _who(rule: Rule) -> str:
    if rule.unauthenticated:
        return "everybody"
    said = [f"{'not ' if e.deny else ''}{_entry(e)}" for e in rule.entries]
    return ", ".join(said) or "nobody"


def _entry(entry: Entry) -> str:
    pairs = entry.extensions.items()
    said = [f"{oids.name_of(oid)}={'|'.join(values)}" for oid, values in pairs]
    return " ".join([entry.certname, *said] if entry.certname else said)


def _rule(rule: Rule) -> dict[str, Any]:
    return {
        "name": rule.name,
        "order": rule.order,
        "path": rule.path,
        "regex": rule.regex,
        "methods": sorted(rule.methods),
        "query": {name: list(values) for name, values in rule.query.items()},
        "unauthenticated": rule.unauthenticated,
        "allow": [_entry_of(entry) for entry in rule.entries if not entry.deny],
        "deny": [_entry_of(entry) for entry in rule.entries if entry.deny],
    }


def _entry_of(entry: Entry) -> dict[str, Any]:
    extensions = {oid: list(values) for oid, values in entry.extensions.items()}
    return {"certname": entry.certname or None, "extensions": extensions}
