"""Catalogs from the real compiler: `puppet catalog compile`, of Puppet 6 and later.

Each compilation has a vardir of its own, with the node's facts and a node terminus
that says what the node's certificate says; nothing of it stays.  Guarantee: what a
node sends reaches the compiler as values in files, never as words of a command line.

Sources: Puppet 7 and 8, `face/catalog.rb` (`compile`), `indirector/catalog/
compiler.rb` (trusted data), `indirector/facts/yaml.rb`; what the real ones printed
stands in `docs/reference/primary.md`.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import tempfile
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from importlib import resources
from pathlib import Path
from typing import Any

from reseal import files
from reseal.errors import CatalogError, NotFound, UnknownEnvironment
from reseal.fresh import Fresh
from reseal.primary.protocol import Wanted

_CONTROL = re.compile(r"[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_NAMED = re.compile(r"[A-Za-z0-9_]+")
_SETTINGS = ("modulepath", "node_terminus")
_WHAT = "catalogs are compiled by Puppet 6 or later: puppet catalog compile"


@dataclass(frozen=True, slots=True)
class Compiler:
    """Puppet's compiler, run as a program.

    Attributes:
        command: `puppet`, or its path.
        confdir: Puppet's configuration.
        codedir: Where environments and modules are, unless puppet.conf says else.
        timeout: How long a catalog may take.
        at_once: How many run; others wait for as long as one may take.
    """

    command: str
    confdir: Path
    codedir: Path
    timeout: timedelta
    at_once: int
    _turns: threading.Semaphore = field(init=False)
    _known: dict[str, Fresh[dict[str, str]]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_turns", threading.Semaphore(self.at_once))

    def catalog(self, wanted: Wanted) -> bytes:
        if wanted.certname.startswith("-"):
            raise CatalogError(f"{wanted.certname}: would be taken for an option")
        settings = self._settings(wanted.environment)
        with tempfile.TemporaryDirectory(prefix="reseal-compile-") as name:
            vardir = Path(name)
            _prepare(vardir, wanted, settings["node_terminus"])
            words = ["catalog", "compile", wanted.certname, "--vardir", name]
            words += ["--environment", wanted.environment, "--facts_terminus", "yaml"]
            words += ["--node_terminus", "reseal", "--catalog_cache_terminus", ""]
            words += ["--render-as", "rich_data_json" if wanted.rich else "json"]
            return _document(self._run(words), wanted.certname)

    def modulepath(self, environment: str) -> Sequence[Path]:
        listed = self._settings(environment)["modulepath"]
        return tuple(Path(each) for each in listed.split(os.pathsep) if each)

    def environments(self) -> Sequence[str]:
        root = self._root
        found = sorted(root.iterdir()) if root.is_dir() else []
        return tuple(p.name for p in found if p.is_dir() and _NAMED.fullmatch(p.name))

    @property
    def _root(self) -> Path:
        return self.codedir / "environments"

    def _settings(self, environment: str) -> dict[str, str]:
        """Return Puppet's settings in an environment, as long as its files stay."""
        watched = (
            self.confdir / "puppet.conf",
            self._root / environment / "environment.conf",
            self._root / environment,
        )

        def ask() -> dict[str, str]:
            words = ["config", "print", "--section", "server", "--environment"]
            said = self._run([*words, environment, *_SETTINGS, "environmentpath"])
            rows = (line.partition(" = ") for line in said.splitlines())
            return {name.strip(): value.strip() for name, _, value in rows}

        fresh = self._known.setdefault(
            environment, Fresh(lambda: tuple(_stamp(path) for path in watched), ask)
        )
        found = fresh.get()
        if missing := [name for name in _SETTINGS if name not in found]:
            raise CatalogError(f"{self.command}: does not say {', '.join(missing)}")
        path = found.get("environmentpath", str(self._root))
        if not any((Path(p) / environment).is_dir() for p in path.split(os.pathsep)):
            raise UnknownEnvironment(f"Could not find environment '{environment}'")
        return found

    def _run(self, words: Sequence[str]) -> str:
        """Return what Puppet prints.

        Raises:
            CatalogError: It failed, and why; or it took too long.
        """
        limit = self.timeout.total_seconds()
        argv = [self.command, *words, "--confdir", str(self.confdir)]
        argv += ["--codedir", str(self.codedir), "--color=false"]
        if not self._turns.acquire(timeout=limit):
            raise CatalogError("too many catalogs are being compiled; try again later")
        try:
            return _printed(argv, limit)
        finally:
            self._turns.release()


def _printed(argv: Sequence[str], limit: float) -> str:
    """Run a program in a group of its own, which ends with it."""
    environ = {k: v for k, v in os.environ.items() if k in ("PATH", "HOME", "TZ")}
    try:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            env={**environ, "LANG": "C.UTF-8"},
        )
    except OSError as error:
        text = f"{argv[0]}: cannot be run: {error.strerror}"
        raise CatalogError(text, hint=_WHAT) from None
    try:
        out, err = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise CatalogError(f"took longer than {limit:g} s to compile") from None
    said = out.decode("utf-8", "replace")
    if process.returncode != 0:
        raise CatalogError(_reason(err.decode("utf-8", "replace") + said))
    return said


def _reason(said: str) -> str:
    """Return the first error of what Puppet printed, without its repetitions."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    for line in lines:
        if line.startswith("Error: "):
            return line.removeprefix("Error: ")[:2000]
    return (lines[0] if lines else "the compiler failed without a word")[:2000]


def _document(said: str, certname: str) -> bytes:
    """Return the catalog among what was printed: notices may stand before it."""
    for line in reversed(said.splitlines()):
        if line.startswith("{"):
            return line.encode()
    raise CatalogError(f"{certname}: the compiler printed no catalog")


def _prepare(vardir: Path, wanted: Wanted, terminus: str) -> None:
    """Write what the compiler is told of a node."""
    facts = wanted.facts or {"name": wanted.certname, "values": {}}
    _write(vardir / f"yaml/facts/{wanted.certname}.yaml", _yaml(facts))
    told = {
        "certname": wanted.certname,
        "extensions": dict(wanted.extensions),
        "terminus": terminus,
    }
    _write(vardir / "trusted.json", json.dumps(told))
    source = resources.files("reseal.primary").joinpath("ruby/node.rb").read_text()
    _write(vardir / "lib/puppet/indirector/node/reseal.rb", source)


def _yaml(facts: Mapping[str, Any]) -> str:
    """Return facts as the file of Puppet's terminus: JSON is YAML's flow style."""
    kept = ("name", "values", "timestamp", "expiration")
    text = json.dumps({k: facts[k] for k in kept if k in facts}, ensure_ascii=False)
    escaped = _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
    return f"--- !ruby/object:Puppet::Node::Facts\n{escaped}\n"


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", errors="replace")


def _stamp(path: Path) -> object:
    try:
        return files.stamp(path)
    except NotFound:
        return None
