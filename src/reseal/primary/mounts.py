"""Puppet's file server: which file of which module a node means.

Guarantee: nothing is served that does not lie in a module, or below the path of a
mount; links are followed where whoever wrote the module put them, as Puppet does.

Sources: Puppet, `file_serving/mount/*.rb` (modules, plugins, pluginfacts, locales),
`file_serving/configuration/parser.rb` (fileserver.conf); `module.rb` (names).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reseal import files
from reseal.errors import NotFound
from reseal.primary.answers import Refused
from reseal.primary.metadata import Look, describe, walk
from reseal.primary.protocol import Catalogs

_MODULE = re.compile(r"[a-z][a-z0-9_]*")
_MERGED = {"plugins": "lib", "pluginfacts": "facts.d", "locales": "locales"}
"""Mounts that are one directory of every module, laid over each other."""

_SECTION = re.compile(r"\[\s*([-\w]+)\s*\]")
_PATH = re.compile(r"path\s*=?\s*(\S.*)")


@dataclass(frozen=True, slots=True)
class Mounts:
    """What nodes may be served of.

    Attributes:
        catalogs: Knows where modules are.
        extra: Mounts of fileserver.conf: name to directory.
    """

    catalogs: Catalogs
    extra: Mapping[str, Path]

    def find(self, path: str, environment: str) -> Path:
        """Return the file that a path means.

        Args:
            path: `plugins/facter/x.rb`, `modules/NAME/x`, `MOUNT/x`.
            environment: Of the node.

        Raises:
            NotFound: There is none.
            Refused: 400 or 404, there cannot be one.
            UnknownEnvironment: There is no such environment.
        """
        _, _, below = path.partition("/")
        if path.startswith("modules/"):
            below = below.partition("/")[2]
        for root in self._roots(path, environment):
            found = root / below if below else root
            if _exists(found):
                return found
        raise NotFound(path)

    def search(self, path: str, environment: str, look: Look) -> list[dict[str, Any]]:
        """Return the metadata of everything at and below a path.

        Takes and raises what `find` does.
        """
        mount, _, below = path.partition("/")
        if mount not in _MERGED:
            return list(_listed([self.find(path, environment)], look))
        roots = [root / below for root in self._roots(path, environment)]
        found = [root for root in roots if root.is_dir()]
        if found:
            return list(_listed(found, look))
        if below:
            raise NotFound(path)
        return [_nothing(self.catalogs.modulepath(environment), look)]

    def _roots(self, path: str, environment: str) -> Sequence[Path]:
        """Return the directories in which the rest of a path may lie."""
        mount, _, below = path.partition("/")
        if mount in _MERGED:
            modules = self._modules(environment).values()
            return [module / _MERGED[mount] for module in modules]
        if mount == "modules":
            name = below.partition("/")[0]
            if not name:
                raise Refused(400, "No module specified")
            module = self._modules(environment).get(name)
            return [module / "files"] if module else []
        if mount in self.extra:
            return [self.extra[mount]]
        raise Refused(404, f"There is no mount {mount!r}")

    def _modules(self, environment: str) -> dict[str, Path]:
        """Return each module's directory, the first of a name before the others."""
        found: dict[str, Path] = {}
        for directory in self.catalogs.modulepath(environment):
            for name in _names_of_modules(directory):
                found.setdefault(name, directory / name)
        return dict(sorted(found.items()))


def read_fileserver_conf(path: Path) -> dict[str, Path]:
    """Return the mounts of a fileserver.conf; none without the file.

    Who may have them is auth.conf's to say, here as in Puppet since version 5.
    """
    try:
        text = files.read(path).decode("utf-8", "replace")
    except NotFound:
        return {}
    found: dict[str, Path] = {}
    name = ""
    for raw in text.splitlines():
        line = raw.partition("#")[0].strip()
        if section := _SECTION.fullmatch(line):
            name = section[1]
        elif name and (said := _PATH.fullmatch(line)):
            found[name] = Path(said[1])
    return {name: path for name, path in found.items() if name not in _MERGED}


def _names_of_modules(directory: Path) -> list[str]:
    try:
        names = os.listdir(directory)  # noqa: PTH208 - names are all that is wanted
    except OSError:
        return []
    return [name for name in names if _MODULE.fullmatch(name)]


def _exists(path: Path) -> bool:
    try:
        return path.exists() or path.is_symlink()
    except (OSError, ValueError):
        return False


def _listed(roots: Sequence[Path], look: Look) -> Iterator[dict[str, Any]]:
    """Yield metadata of what lies in directories that are laid over each other.

    A link that leads nowhere is passed over, and so is what has just gone away.
    """
    seen: set[str] = set()
    for root in roots:
        found = walk(root, look) if root.is_dir() else iter(["."])
        for relative in found:
            if relative in seen:
                continue
            seen.add(relative)
            where = root if relative == "." else root / relative
            try:
                yield describe(root, relative, look, path=where)
            except FileNotFoundError:
                continue


def _nothing(modulepath: Sequence[Path], look: Look) -> dict[str, Any]:
    """Return the answer of a mount that no module has anything for."""
    flat = Look(look.checksum_type, look.follow, look.use_permissions)
    first = next((path for path in modulepath if path.is_dir()), None)
    if first is not None:
        return describe(first, ".", flat)
    return {
        "path": str(next(iter(modulepath), "/")),
        "relative_path": ".",
        "links": "follow" if look.follow else "manage",
        "owner": os.geteuid(),
        "group": os.getegid(),
        "mode": 0o755 if look.use_permissions else 0o644,
        "checksum": {"type": "ctime", "value": "{ctime}1970-01-01 00:00:00 +0000"},
        "type": "directory",
        "destination": None,
    }
