"""Puppet Server's conf.d: HOCON files that make one tree of settings.

Guarantee: what is read is what Puppet Server reads.  Each file is parsed by itself,
its substitutions resolved in it or from the environment; all of them together make
the tree, in which no setting may stand in two files.  Each value remembers its file,
and each key nobody asked for can be listed.

Sources: HOCON's specification, by the library `hocon`; trapperkeeper, `config.clj`
(`parse-config-path`: which files, each by itself, duplicates refused).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import hocon

from reseal import durations, files
from reseal.errors import NotFound, ParseError, SettingsError, StoreError
from reseal.server.findings import Findings

Key = tuple[str, ...]
"""Where a setting stands: `("webserver", "ssl-port")`."""

_READ = (".conf", ".json")
_OTHERS = (".ini", ".properties", ".edn", ".yaml", ".yml")
"""What trapperkeeper reads too, and nobody was seen to use for Puppet Server."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """One setting: a scalar or a list.

    Attributes:
        value: As the library gives it: text, number, boolean, None, list.
        file: Where it stands.
    """

    value: object
    file: Path


def read_hocon(path: Path) -> dict[str, object]:
    """Return what a HOCON file says.

    Raises:
        SettingsError: It is not HOCON, or a substitution has no value.
        StoreError: It cannot be read.
    """
    try:
        text = files.read(path).decode()
        found = hocon.parse(text, base_dir=str(path.parent)).to_object()
    except UnicodeDecodeError:
        raise SettingsError(str(path), ["not UTF-8 text"]) from None
    except (hocon.ParseError, hocon.ResolveError) as error:
        raise SettingsError(str(path), [f"line {error.line}: {error}"]) from None
    except (hocon.ConfigError, OSError) as error:
        raise SettingsError(str(path), [str(error)]) from None
    return dict(found) if isinstance(found, dict) else {}


@dataclass(slots=True)
class Conf:
    """The settings of a conf.d; what is asked for counts as known.

    Attributes:
        findings: Where faults go.
        leaves: Every setting.
    """

    findings: Findings
    leaves: dict[Key, Leaf] = field(default_factory=dict)
    _asked: set[Key] = field(default_factory=set)

    def add(self, path: Path, values: Mapping[str, object], at: Key = ()) -> None:
        """Add the settings of a file."""
        for name, value in values.items():
            key = (*at, name)
            if isinstance(value, dict):
                self.add(path, value, key)
            elif other := self._rival(key):
                text = f"{dotted(key)}: stands in {other.file} too"
                self.findings.fault(path, text)
            else:
                self.leaves[key] = Leaf(value, path)

    def leaf(self, *key: str) -> Leaf | None:
        """Return a setting; None without it, or when it is null."""
        self._asked.add(key)
        found = self.leaves.get(key)
        return None if found is None or found.value is None else found

    def boolean(self, *key: str) -> bool | None:
        """Return true or false; None without the setting."""
        leaf = self.leaf(*key)
        if leaf is None or isinstance(leaf.value, bool):
            return None if leaf is None else bool(leaf.value)
        self._refuse(key, leaf, "must be true or false")
        return None

    def integer(self, low: int, high: int, *key: str) -> int | None:
        """Return a whole number; None without the setting."""
        leaf = self.leaf(*key)
        if leaf is None:
            return None
        text = str(leaf.value)
        if not isinstance(leaf.value, bool) and text.isascii() and text.isdigit():
            number = int(text)
            if low <= number <= high:
                return number
        self._refuse(key, leaf, f"must be a whole number from {low} to {high}")
        return None

    def string(self, *key: str) -> str | None:
        """Return a text that is not empty; None without the setting."""
        leaf = self.leaf(*key)
        if leaf is None or (isinstance(leaf.value, str) and leaf.value):
            return None if leaf is None else str(leaf.value)
        self._refuse(key, leaf, "must be a text")
        return None

    def strings(self, *key: str) -> tuple[str, ...] | None:
        """Return a list of texts, which may be written as one with commas."""
        leaf = self.leaf(*key)
        if leaf is None:
            return None
        value = leaf.value.split(",") if isinstance(leaf.value, str) else leaf.value
        if isinstance(value, list) and all(isinstance(each, str) for each in value):
            return tuple(each.strip() for each in value if each.strip())
        self._refuse(key, leaf, "must be a list of texts")
        return None

    def life(self, *key: str) -> timedelta | None:
        """Return how long a certificate lives; None without the setting."""
        text = self.string(*key)
        if text is None:
            return None
        try:
            found = durations.parse(text)
        except ParseError:
            found = timedelta()
        if timedelta() < found <= durations.LONGEST:
            return found
        reason = 'must be a duration, like "90d", of at most 50 years'
        self._refuse(key, self.leaves[key], reason)
        return None

    def names(self, *section: str) -> tuple[str, ...]:
        """Return the names that stand in a section, in the file's order."""
        depth = len(section)
        found = (key[depth] for key in self.leaves if key[:depth] == section)
        return tuple(dict.fromkeys(found))

    def has(self, *section: str) -> bool:
        """Say whether a section holds any setting."""
        return bool(self.names(*section))

    def left(self) -> Iterator[tuple[Key, Leaf]]:
        """Yield the settings nobody asked for."""
        for key, leaf in self.leaves.items():
            if key not in self._asked:
                yield key, leaf

    def _rival(self, key: Key) -> Leaf | None:
        shorter = (self.leaves.get(key[:end]) for end in range(1, len(key) + 1))
        longer = (leaf for k, leaf in self.leaves.items() if k[: len(key)] == key)
        return next((leaf for leaf in (*shorter, *longer) if leaf is not None), None)

    def _refuse(self, key: Key, leaf: Leaf, reason: str) -> None:
        self.findings.fault(leaf.file, f"{dotted(key)}: {reason}")


def read_confd(directory: Path | None, findings: Findings) -> Conf:
    """Return the settings of a conf.d; none without a directory.

    Args:
        directory: Puppet Server's `--config`.
        findings: Where the faults of the files go.
    """
    conf = Conf(findings)
    for path in sorted(directory.iterdir()) if directory else ():
        if path.suffix in _OTHERS:
            findings.warn(path, "reseal reads *.conf and *.json only; put it into one")
        if path.suffix not in _READ or not path.is_file():
            continue
        try:
            conf.add(path, read_hocon(path))
        except SettingsError as error:
            findings.take(error)
        except NotFound:
            continue
        except StoreError as error:
            findings.faults.append(str(error))
    return conf


def dotted(key: Key) -> str:
    """Return a key as it would be written."""
    return ".".join(f'"{name}"' if "." in name else name for name in key)
