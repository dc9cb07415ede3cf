"""Transcripts: what a command line tool said and did, as text that can be replayed.

`play` walks through a transcript, does its steps with some tool in a fresh
directory and gives back the transcript as that tool would have it.  Recording is
playing with the real tool and keeping the result; testing is playing with ours and
comparing.  Fingerprints, times, hex dumps and the directory are placeholders; equal
fingerprints have equal placeholders.

Lines:
    # text          a remark
    @ VERB ARG…     a step that prepares files, see `Stage`
    $ WORDS         a command, where <root> is the directory;
                    `< text` under it is what is typed
    1> / 2>         a line of standard output, of standard error
    = N             the exit status
    ~ + / * / -     a file that was made, changed, removed: mode, path, content
"""

from __future__ import annotations

import re
import shlex
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from cryptography import x509

from reseal.locks import LOCK

DATA = Path(__file__).parent.parent / "data" / "transcripts"

CONFS = {
    "ruby": """\
[main]
certname = puppet.example.com
keylength = 2048
ca_server = localhost
ca_port = 1
""",
    "server": """\
[main]
certname = puppet.example.com
ssldir = {root}/ssl/agent
ca_server = localhost
ca_port = 1

[server]
cadir = {root}/ssl/ca
keylength = 2048
""",
}
"""The puppet.conf of a stage: for a CA of Ruby, and of Puppet Server 6 and later."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command left behind: exit status and both streams."""

    exit: int
    stdout: str
    stderr: str


class Tool(Protocol):
    """Runs the words of a command that stand after its name."""

    def run(self, words: list[str], stdin: str) -> Outcome:
        """Run one command in the stage's directory."""


@dataclass
class Names:
    """Gives every fingerprint a number in the order of appearance."""

    root: str
    seen: dict[str, str] = field(default_factory=dict)

    def clean(self, line: str) -> str:
        line = line.replace(self.root, "<root>")
        line = re.sub(r"\b(?:[0-9A-F]{2}:){15,}[0-9A-F]{2}\b", self._number, line)
        line = re.sub(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(UTC|Z)", r"<time>\1", line)
        line = re.sub(r"\w{3} [ \d]\d \d\d:\d\d:\d\d \d{4} GMT", "<time>", line)
        return re.sub(r"^( +)(?:[0-9a-f]{2}:)+(?:[0-9a-f]{2})?$", r"\1<hex>", line)

    def _number(self, match: re.Match[str]) -> str:
        found = match.group()
        name = f"<fingerprint {len(self.seen) + 1}>"
        return self.seen.setdefault(found, name)


@dataclass(frozen=True, slots=True)
class Stage:
    """A scratch directory with `conf`, `ssl` and `var`, and the steps that prepare it.

    Steps:
        conf KIND           puppet.conf is the one of `CONFS`; without it, that of ruby
        put REQUEST NAME    a request of `requests/` waits to be signed as NAME
        copy FROM TO, write PATH TEXT, remove PATH, mode PATH OCTAL, sleep SECONDS

    Attributes:
        root: The directory, on this machine.
        seen_as: The same directory, as the tool has to call it.
    """

    root: Path
    seen_as: str

    @property
    def ssl(self) -> Path:
        return self.root / "ssl"

    def prepare(self) -> None:
        for name in ("conf", "ssl", "var"):
            (self.root / name).mkdir(parents=True)
        self.step("conf", "ruby")

    def step(self, verb: str, *args: str) -> None:
        match verb, args:
            case "conf", (kind,):
                text = CONFS[kind].format(root=self.seen_as)
                (self.root / "conf" / "puppet.conf").write_text(text)
            case "put", (request, name):
                target = self.ssl / "ca" / "requests" / f"{name}.pem"
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(DATA / "requests" / request, target)
                target.chmod(0o644)
            case "copy", (source, target_name):
                (self.ssl / target_name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(self.ssl / source, self.ssl / target_name)
            case "write", (path, text):
                (self.ssl / path).parent.mkdir(parents=True, exist_ok=True)
                (self.ssl / path).write_text(text)
            case "remove", (path,):
                if (self.ssl / path).is_dir():
                    shutil.rmtree(self.ssl / path)
                else:
                    (self.ssl / path).unlink()
            case "mode", (path, octal):
                (self.ssl / path).chmod(int(octal, 8))
            case "sleep", (seconds,):
                time.sleep(float(seconds))
            case _:
                raise AssertionError(f"no such step: {verb} {args}")

    def files(self) -> dict[str, tuple[int, bytes]]:
        """Return mode and content of every file below ssl but locks, by path."""
        found = {}
        for path in sorted(self.ssl.rglob("*")):
            if path.is_file() and path.name != LOCK:
                mode = path.stat().st_mode & 0o7777
                found[str(path.relative_to(self.ssl))] = mode, path.read_bytes()
        return found


def changes(
    before: Mapping[str, tuple[int, bytes]], after: Mapping[str, tuple[int, bytes]]
) -> Iterator[str]:
    """Yield a line for each file that differs."""
    for path in sorted({*before, *after}):
        if path not in after:
            yield f"~ - {path}"
        elif before.get(path) != after[path]:
            mode, data = after[path]
            old = before[path][1] if path in before else b""
            mark = "*" if path in before else "+"
            yield f"~ {mark} {mode:04o} {path}{_content(path, old, data)}"


def _content(path: str, old: bytes, data: bytes) -> str:
    name = path.rpartition("/")[2]
    if name in ("serial", "infra_serials"):
        return f": {data.decode().strip()}"
    if name in ("inventory.txt", "infra_inventory.txt"):
        text = data.removeprefix(old) if old else data
        return ": " + text.decode().rstrip("\n").replace("\n", " | ")
    if name.endswith("crl.pem"):
        blocks = re.findall(rb"-----BEGIN.+?-----END[^\n]+", data, re.DOTALL)
        return ": " + "; ".join(map(_crl, blocks))
    return ""


def _crl(pem: bytes) -> str:
    crl = x509.load_pem_x509_crl(pem)
    number = crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    serials = "".join(f" {entry.serial_number:X}" for entry in crl)
    return f"number {number}, revoked{serials or ' none'}"


def play(text: str, tool: Tool, stage: Stage) -> str:
    """Return the transcript `text` with what `tool` says and does in its steps."""
    stage.prepare()
    names = Names(stage.seen_as)
    lines = []
    for head, typed in _steps(text):
        lines.append(head)
        if head.startswith("@ "):
            stage.step(*shlex.split(head[2:]))
        elif head.startswith("$ "):
            lines += [f"< {line}" for line in typed]
            before = stage.files()
            stdin = "".join(f"{line}\n" for line in typed)
            words = shlex.split(head[2:].replace("<root>", stage.seen_as))
            outcome = tool.run(words, stdin)
            said = [f"1> {line}" for line in outcome.stdout.splitlines()]
            said += [f"2> {line}" for line in outcome.stderr.splitlines()]
            said += [f"= {outcome.exit}", *changes(before, stage.files())]
            lines += [_mark(line, names) for line in said]
    return "".join(f"{line}\n" for line in lines)


def _mark(line: str, names: Names) -> str:
    if line.startswith(("1> ", "2> ")):
        return (line[:3] + names.clean(line[3:])).rstrip()
    return names.clean(line)


def _steps(text: str) -> Iterator[tuple[str, list[str]]]:
    """Yield each line that is not a result, with what is typed under it."""
    result = ("1>", "2>", "= ", "~ ", "< ")
    lines = text.splitlines()
    for index, line in enumerate(lines):
        if not line.startswith(result):
            typed = []
            for following in lines[index + 1 :]:
                if not following.startswith("< "):
                    break
                typed.append(following[2:])
            yield line, typed
