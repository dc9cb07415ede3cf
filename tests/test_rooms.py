"""No import goes against the arrows of docs/explanation/rooms.md."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src" / "reseal"

BASE = {
    "errors",
    "clock",
    "certname",
    "files",
    "folders",
    "locks",
    "audit",
    "settings",
    "settingvalues",
    "durations",
    "tomlfile",
    "fresh",
}
ALLOWED: dict[str, set[str]] = {
    "x509": BASE,
    "store": BASE | {"x509"},
    "extensions": BASE | {"x509"},
    "ca": BASE | {"x509", "store.protocol"},
    "wire": BASE | {"x509"},
    "primary": BASE | {"x509", "wire"},
    "server": BASE
    | {"x509", "wire", "ca", "store.protocol"}
    | {"primary.options", "primary.protocol"},
    "agent": BASE | {"x509", "wire"},
    "node": BASE | {"x509"},
    "demo": BASE | {"node", "site.check", "agent.accounts"},
    "site": BASE | {"x509", "ca", "extensions"},
}
EVERYTHING = {"cli", "__main__"}


def modules() -> Iterator[tuple[str, Path]]:
    for path in sorted(SOURCE.rglob("*.py")):
        relative = path.relative_to(SOURCE).with_suffix("")
        yield ".".join(relative.parts), path


def imports(path: Path) -> Iterator[str]:
    """Yield what `path` imports of reseal, without the leading `reseal.`."""
    for node in ast.walk(ast.parse(path.read_text())):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            names = [node.module or ""]
        for name in names:
            if name.startswith("reseal."):
                yield name.removeprefix("reseal.")


def room_of(module: str) -> str:
    return module.split(".")[0]


def is_allowed(importer: str, imported: str) -> bool:
    room = room_of(importer)
    if room in EVERYTHING or room == room_of(imported):
        return True
    allowed = BASE if room in BASE else ALLOWED.get(room, set())
    return room_of(imported) in allowed or imported in allowed


@pytest.mark.parametrize(
    ("importer", "imported"),
    [(name, target) for name, path in modules() for target in imports(path)],
)
def test_imports_follow_the_arrows(importer: str, imported: str) -> None:
    assert is_allowed(importer, imported), f"{importer} may not import {imported}"


def test_every_module_is_in_a_room() -> None:
    rooms = BASE | set(ALLOWED) | EVERYTHING | {"__init__"}
    assert {room_of(name) for name, _ in modules()} <= rooms


@pytest.mark.parametrize(
    ("importer", "imported", "allowed"),
    [
        ("ca.issue", "store.protocol", True),
        ("ca.issue", "store.cadir", False),
        ("x509.crl", "store.formats", False),
        ("files", "x509.der", False),
        ("server.handlers", "primary.protocol", True),
        ("server.handlers", "primary.static", False),
        ("site.run", "cli.main", False),
        ("site.run", "ca.setup", True),
    ],
)
def test_the_arrows_themselves(importer: str, imported: str, allowed: bool) -> None:
    assert is_allowed(importer, imported) is allowed
