"""Whether a request is signed without asking anybody.

The setting is `true`, `false`, or the path of a file: a list of names, or a program
that judges.  The file is looked at on each request, as Puppet Server does; what a
program says is in the log.  Guarantee: no program runs longer than its limit, no
more of them than theirs, and whoever gets no answer is not signed.

Sources: Puppet Server, `certificate_authority.clj` (`autosign-csr?`,
`whitelist-matches?`, `execute-autosign-command!`).
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import threading
from dataclasses import dataclass, field
from pathlib import Path

from reseal import files
from reseal.certname import Certname
from reseal.errors import NotFound
from reseal.server.options import CaOptions

_LOG = logging.getLogger("reseal.autosign")
_SHOWN = 4000
"""Characters of a program's output that go to the log."""


@dataclass(frozen=True, slots=True)
class Autosign:
    """Decides by the setting `autosign`.

    Attributes:
        options: The setting, and the limits of programs.
    """

    options: CaOptions
    _running: threading.BoundedSemaphore = field(init=False)

    def __post_init__(self) -> None:
        running = threading.BoundedSemaphore(self.options.autosign_at_once)
        object.__setattr__(self, "_running", running)

    def __call__(self, certname: Certname, pem: bytes) -> bool:
        """Say whether to sign now.

        Args:
            certname: Whose request it is.
            pem: The request as it was sent.
        """
        setting = self.options.autosign
        if setting in ("true", "false"):
            return setting == "true"
        path = Path(setting)
        if not path.exists():
            return False
        if path.is_file() and os.access(path, os.X_OK):
            return self._judged(path, certname, pem)
        try:
            return is_listed(files.read(path).decode("utf-8", "replace"), certname)
        except NotFound:
            return False

    def _judged(self, path: Path, certname: Certname, pem: bytes) -> bool:
        limit = self.options.autosign_timeout.total_seconds()
        if not self._running.acquire(timeout=limit):
            _LOG.error("%s: %s: not asked, too many run", certname, path)
            return False
        try:
            return _run(path, certname, pem, limit)
        finally:
            self._running.release()


def is_listed(text: str, certname: str) -> bool:
    """Say whether a list names a certname, by Puppet Server's reading of it.

    A line is a name, or begins with `*`: then its first label is dropped and what is
    left must be the certname's last labels.  `*` alone is every name.
    """
    return any(_fits(line, certname) for line in text.splitlines() if _counts(line))


def _counts(line: str) -> bool:
    if not line.strip() or line.startswith("#"):
        return False
    if " " in line or "#" in line:
        _LOG.warning("Invalid pattern '%s' found in autosign's list", line)
        return False
    return True


def _fits(line: str, certname: str) -> bool:
    if not line.startswith("*"):
        return line == certname
    if line == "*":
        return True
    wanted = line.lower().split(".")[1:]
    return bool(wanted) and certname.split(".")[-len(wanted) :] == wanted


def _run(path: Path, certname: Certname, pem: bytes, limit: float) -> bool:
    """Run a program in a session of its own, so that its children end with it."""
    try:
        process = subprocess.Popen(
            [path, certname],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as error:
        _LOG.error("%s: %s: cannot be run: %s", certname, path, error.strerror)
        return False
    try:
        out, err = process.communicate(pem, timeout=limit)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        _LOG.error("%s: %s: no answer in %g s, not signed", certname, path, limit)
        return False
    if out:
        _LOG.debug("%s: %s: %s", certname, path, _text(out))
    if err:
        _LOG.warning("%s: %s: stderr: %s", certname, path, _text(err))
    if process.returncode:
        _LOG.warning(
            "%s: %s: exit code %d, not signed", certname, path, process.returncode
        )
    return process.returncode == 0


def _text(output: bytes) -> str:
    return output[:_SHOWN].decode("utf-8", "replace").strip()
