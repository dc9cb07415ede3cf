"""reseal.toml: the settings of the server that are reseal's own.

The tables `[ca]`, `[listener]` and `[primary]` hold the fields of `CaOptions`,
`ListenerOptions` and `PrimaryOptions` under their names.  Guarantee: a key that is
unknown, a value of the wrong type or out of range is a fault with its line; all are
told at once.

Sources: docs/reference/server-settings.md (the file's format).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import get_args

from reseal import durations
from reseal.primary.options import Source
from reseal.server.findings import HINT, Findings
from reseal.server.layers import COMMAND_LINE, Layer, Setting
from reseal.server.options import KeyPolicy, Network, Serials
from reseal.tomlfile import Faults, Table, open_toml

NAME = "reseal.toml"
_DAY = timedelta(days=1)

_URL = re.compile(r"https?://(?:[\w.-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?", re.ASCII)

Take = Callable[[Table, str], object]
"""Takes a key of a table, in its type; None without it or with a fault."""


def _between(low: int, high: int) -> Take:
    return lambda table, key: table.integer(key, low, high)


def _words(*allowed: str) -> Take:
    return lambda table, key: table.choice(key, allowed)


def _lasting(longest: timedelta) -> Take:
    def take(table: Table, key: str) -> object:
        found = table.duration(key)
        if found is None or timedelta() < found <= longest:
            return found
        limit = durations.render(longest)
        table.fault(f"{key}: must be more than nothing and at most {limit}", key)
        return None

    return take


def _autosign(table: Table, key: str) -> object:
    found = table.string(key)
    if found is None or found in ("true", "false") or Path(found).is_absolute():
        return found
    table.fault(f'{key}: must be "true", "false" or an absolute path', key)
    return None


def _file(table: Table, key: str) -> object:
    found = table.string(key)
    if found is None:
        return None
    path = Path(found).expanduser()
    if not path.is_absolute():
        table.fault(f"{key}: must be an absolute path", key)
    return path


def _url(table: Table, key: str) -> object:
    found = table.string(key)
    if found is None or _URL.fullmatch(found):
        return found
    table.fault(f'{key}: must be like "https://puppet2.example.com:8140"', key)
    return None


def _networks(table: Table, key: str) -> object:
    listed = table.strings(key)
    found: list[Network] = []
    for text in listed or ():
        try:
            found.append(ipaddress.ip_network(text))
        except ValueError:
            table.fault(f"{key}: {text!r} is no IP address or network", key)
    return None if listed is None else tuple(found)


_TRUTH: Take = Table.boolean
SCHEMA: dict[str, dict[str, Take]] = {
    "ca": {
        "allow_subject_alt_names": _TRUTH,
        "allow_authorization_extensions": _TRUTH,
        "allow_duplicate_certs": _TRUTH,
        "allow_auto_renewal": _TRUTH,
        "auto_renewal_cert_ttl": _lasting(durations.LONGEST),
        "ca_ttl": _lasting(durations.LONGEST),
        "enable_infra_crl": _TRUTH,
        "autosign": _autosign,
        "autosign_timeout": _lasting(_DAY),
        "autosign_at_once": _between(1, 1000),
        "key_policy": _words(*get_args(KeyPolicy)),
        "serials": _words(*get_args(Serials)),
        "waiting_requests": _between(1, 10_000_000),
    },
    "listener": {
        "host": Table.string,
        "port": _between(0, 65535),
        "tls": _TRUTH,
        "workers": _between(0, 1024),
        "allow_header_cert_info": _TRUTH,
        "proxies": _networks,
        "body_limit": _between(1024, 1 << 30),
        "anonymous_rate": _between(0, 10_000_000),
        "idle_timeout": _lasting(_DAY),
        "request_timeout": _lasting(_DAY),
        "connections": _between(1, 1_000_000),
        "access_log": _file,
        "audit_log": _file,
    },
    "primary": {
        "catalogs": _words(*get_args(Source)),
        "folder": _file,
        "puppet": Table.string,
        "codedir": _file,
        "url": _url,
        "timeout": _lasting(_DAY),
        "at_once": _between(1, 1000),
        "data": _file,
        "reports": _between(1, 1_000_000),
        "body_limit": _between(1024, 1 << 31),
        "free_space": _between(0, 1 << 50),
    },
}
"""Every table and key, and how it is read."""


@dataclass(frozen=True, slots=True)
class OwnFile:
    """What reseal.toml says.

    Attributes:
        path: Where it is, or would be.
        layer: Its settings.
    """

    path: Path
    layer: Layer


def read_own_file(path: Path, findings: Findings) -> OwnFile:
    """Read reseal.toml; faults go to the findings.

    Raises:
        NotFound: There is no such file.
        SettingsError: It is not TOML.
        StoreError: It cannot be read.
    """
    top = open_toml(path, hint=HINT)
    layer = _layer(top, lambda table, key: f"{path.name} line {table.line(key)}")
    for text in top.faults.texts():
        findings.fault(path, text)
    return OwnFile(path, layer)


def read_command_line(given: Mapping[str, object], findings: Findings) -> Layer:
    """Return the layer of the command line's options.

    Args:
        given: `listener.port` to a value of the type reseal.toml would have.
        findings: Where faults go.
    """
    tables: dict[str, dict[str, object]] = {}
    for name, value in given.items():
        table, _, key = name.partition(".")
        tables.setdefault(table, {})[key] = value
    top = Table(tables, (), {}, Faults(Path(COMMAND_LINE), HINT))
    layer = _layer(top, lambda table, key: COMMAND_LINE)
    for _, text in top.faults.found:
        findings.fault(COMMAND_LINE, text)
    return layer


def _layer(top: Table, source: Callable[[Table, str], str]) -> Layer:
    layer: Layer = {}
    for section, keys in SCHEMA.items():
        table = top.table(section)
        for key, take in keys.items():
            value = take(table, key)
            if value is not None:
                name = f"{section}.{key}"
                layer[name] = Setting(name, value, source(table, key))
        table.done(tuple(keys))
    top.done(tuple(SCHEMA))
    return layer
