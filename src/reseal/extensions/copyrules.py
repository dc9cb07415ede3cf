"""A copy as TOML: what is in it, where it is, whose it is.

Guarantee: what cannot be renewed cannot be said: every contradiction is a fault that
names its line.

Sources: docs/reference/extensions.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import cast, get_args

from reseal.extensions.protocol import CopyRule, Format, Material
from reseal.tomlfile import Table

_KEYS = (
    *("holds", "format", "path", "setting", "parameter", "folder", "optional"),
    *("password_setting", "key_password_setting", "pair", "named_by", "own"),
)
_STORES = ({"key", "certificate"}, {"ca"})
"""What a key store of Java can hold."""

_PAIRS = {"key", "certificate"}
"""What a copy of a pair can hold."""

_SETTING = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*", re.ASCII)
_PAIR = re.compile(r"[a-z][a-z ]*\*?", re.ASCII)


def copy_rules(table: Table) -> Iterator[CopyRule]:
    """Yield the copies of an extension's table; faults are noted."""
    for each in table.tables("copy"):
        holds = each.strings("holds") or ()
        known = cast(tuple[Material, ...], holds)
        rule = CopyRule(
            holds=known,
            path=each.string("path") or "",
            setting=each.string("setting") or "",
            parameter=each.string("parameter") or "",
            format=cast(Format, each.choice("format", get_args(Format)) or "pem"),
            password_setting=each.string("password_setting") or "",
            key_password_setting=each.string("key_password_setting") or "",
            optional=each.boolean("optional") is True,
            pair=each.string("pair") or "",
            named_by=each.string("named_by") or "",
            folder=each.boolean("folder") is True,
            own=each.boolean("own") is True,
        )
        each.done(_KEYS)
        strange = [name for name in holds if name not in get_args(Material)]
        for name in strange:
            words = ", ".join(get_args(Material))
            each.fault(f"holds: {name!r} is not one of {words}", "holds")
        if not holds:
            each.fault("holds: is missing")
        for key, fault in (*_of_place(rule), *_of_format(rule), *_of_pair(rule)):
            if not (strange and key == "holds"):
                each.fault(f"{key}: {fault}", key if key in _KEYS else None)
        if holds and not strange:
            yield rule


def check_setting(table: Table, key: str, name: str) -> None:
    """Note a fault if that is no name of a setting."""
    if name and not _SETTING.fullmatch(name):
        table.fault(f"{key}: {name!r} is no setting's name", key)


Faults = Iterator[tuple[str, str]]
"""The key that is wrong, and why."""


def _of_place(rule: CopyRule) -> Faults:
    if bool(rule.path) + bool(rule.setting) + rule.own != 1:
        yield "path or setting", "one of them says where it is"
    if rule.own and (rule.pair or rule.format != "pem" or len(rule.holds) != 1):
        yield "own", "is a file of Puppet's, with one thing in it"
    if rule.path and not rule.path.startswith("/"):
        yield "path", f"{rule.path}: must be an absolute path"
    names = {
        "setting": rule.setting,
        "parameter": rule.parameter,
        "password_setting": rule.password_setting,
        "key_password_setting": rule.key_password_setting,
        "named_by": rule.named_by,
    }
    for key, name in names.items():
        if name and not _SETTING.fullmatch(name):
            yield key, f"{name!r} is no setting's name"
    if rule.parameter and not rule.setting:
        yield "parameter", "is part of a setting, which is missing"
    if rule.folder and not (rule.setting or rule.path):
        yield "folder", "needs a setting or a path"


def _of_format(rule: CopyRule) -> Faults:
    java = rule.format == "java"
    if java and {*rule.holds} not in _STORES:
        yield "holds", "a key store holds key and certificate, or ca"
    if java != bool(rule.password_setting):
        yield "password_setting", "is for key stores, and they need it"
    if rule.key_password_setting and not (java and "key" in rule.holds):
        yield "key_password_setting", "is for key stores with a key"
    if java and rule.path:
        yield "path", "of a key store, a setting says where it is"
    if rule.format == "der" and (len(rule.holds) > 1 or {*rule.holds} & {"ca", "crl"}):
        yield "holds", "a file of DER holds key or certificate"


def _of_pair(rule: CopyRule) -> Faults:
    if rule.pair and not _PAIR.fullmatch(rule.pair):
        yield "pair", "is some small letters, which * may follow"
    if rule.pair and (not {*rule.holds} <= _PAIRS or rule.format != "pem"):
        yield "holds", "a pair's copy holds its key or certificate, as PEM"
    if rule.named_by and "*" not in rule.pair:
        yield "named_by", "says what * stands for in pair"
    if rule.folder and "*" not in rule.pair:
        yield "folder", "holds a pair's copies: pair needs a *"
