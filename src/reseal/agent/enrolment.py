"""A node's way to its certificate, done: files, requests, waiting.

A server that knows `Prefer: wait` (ours) holds its answer until the certificate is
there, so that a node has it at once and asks once a minute; with any other server the
pauses between two questions grow up to `waitforcert`.

Sources: Puppet 8, `ssl/state_machine.rb` (lock, Wait); RFC 7240 section 4.3.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

from reseal import files
from reseal.agent.acts import (
    Act,
    Ask,
    Drop,
    EnrolmentFailed,
    File,
    Keep,
    Known,
    MakeKey,
    Outcome,
    ReadAttributes,
    Ready,
    Say,
    Touch,
    Unsigned,
    Wishes,
)
from reseal.agent.lock import pid_lock
from reseal.agent.proof import NotProven
from reseal.agent.remote import NoConnection, TrustFiles
from reseal.agent.resources.model import Log
from reseal.agent.servers import Servers
from reseal.agent.settings import AgentSettings
from reseal.agent.ssldir import SslDir
from reseal.agent.states import enrol
from reseal.clock import Clock
from reseal.durations import parse
from reseal.errors import NotFound
from reseal.x509 import keys
from reseal.x509.csrattributes import CsrAttributes, read_csr_attributes
from reseal.x509.oidmapping import read_oid_mapping

T = TypeVar("T")

HELD = 60
"""Seconds for which a server is asked to hold its answer."""

_LOCKED = (
    "Another puppet instance is already running and the waitforlock setting is set to "
    "0; exiting"
)
_FIRST_PAUSE = 2.0


class GivenUp(EnrolmentFailed):
    """There is no certificate yet, and there is to be no more waiting.

    Attributes:
        unsigned: The server has none yet; nothing else went wrong.
    """

    def __init__(self, message: str, *, unsigned: bool) -> None:
        super().__init__(message)
        self.unsigned = unsigned


class Enrolment:
    """Enrols one node.

    Attributes:
        settings: The node's.
        ssldir: Its files.
        servers: The CA's.
        log: Takes what is told.
        clock: The time now.
    """

    def __init__(self, settings: AgentSettings, log: Log, clock: Clock) -> None:
        self.settings, self.log, self.clock = settings, log, clock
        self.ssldir = SslDir(settings)
        self.trust_files = TrustFiles(
            settings.localcacert,
            settings.hostcrl,
            settings.hostcert,
            settings.hostprivkey,
            settings.revocation,
        )
        self.servers = Servers(settings.ca_servers, self.trust_files, log)

    def known(self) -> Known:
        """Return what the node has."""
        found = {each: self.ssldir.read(self.path(each)) for each in File}
        ca, crl = found[File.CA], found[File.CRL]
        modified = self.ssldir.modified
        return Known(
            now=self.clock.now(),
            ca=ca,
            ca_modified=None if ca is None else modified(self.ssldir.localcacert),
            crl=crl,
            crl_modified=None if crl is None else modified(self.ssldir.hostcrl),
            key=found[File.KEY],
            certificate=found[File.CERTIFICATE],
            request=found[File.REQUEST],
        )

    def wishes(self, wait: int = 0) -> Wishes:
        """Return how the node wants to enrol."""
        told, curve = self.settings, self.settings.named_curve
        ec = f"EC SSL key using curve {curve}"
        return Wishes(
            certname=told.certname,
            kind=ec if told.key_type == "ec" else "RSA SSL key",
            alt_names=told.dns_alt_names,
            ca_fingerprint=told.ca_fingerprint,
            revocation=told.revocation,
            ca_refresh=told.ca_refresh_interval,
            crl_refresh=told.crl_refresh_interval,
            renewal=told.hostcert_renewal_interval,
            wait=wait,
        )

    def once(self, wait: int = 0) -> Ready | Unsigned:
        """Go as far as one can; a lock keeps Puppet's agent and ours apart.

        Raises:
            EnrolmentFailed, NotProven: The node cannot go on.
            Held: Another process is at it.
        """
        self.ssldir.make()
        with pid_lock(self.settings.ssl_lockfile, _LOCKED):
            try:
                return self.carry_out(enrol(self.known(), self.wishes(wait)))
            finally:
                self.servers.close()

    def until(
        self,
        *,
        onetime: bool,
        waitforcert: timedelta,
        sleep: Callable[[float], None] = time.sleep,
    ) -> Ready:
        """Go on until there is a certificate.

        Args:
            onetime: A failure ends it; otherwise it is told, and tried again.
            waitforcert: The longest pause; zero does not wait at all.
            sleep: Pauses.

        Raises:
            GivenUp: There is none, and there is to be no more waiting.
            EnrolmentFailed, NotProven, Held: As `once`, with `onetime`.
        """
        end, longest = self._end(), waitforcert.total_seconds()
        pause, held = min(_FIRST_PAUSE, longest), 0
        while True:
            begun = time.monotonic()
            found, unsigned = self._tried(held, onetime=onetime)
            if isinstance(found, Ready):
                return found
            if not longest:
                text = "Exiting now because the waitforcert setting is set to 0."
                raise GivenUp(text, unsigned=unsigned)
            if end is not None and time.monotonic() >= end:
                text = (
                    "Exiting now because the maxwaitforcert timeout has been exceeded."
                )
                raise GivenUp(text, unsigned=unsigned)
            if not found.waited or time.monotonic() - begun < held / 2:
                self.log("info", "", f"Will try again in {pause:g} seconds.")
                sleep(pause)
                pause = min(pause * 2, longest)
            held = HELD

    def _tried(self, held: int, *, onetime: bool) -> tuple[Ready | Unsigned, bool]:
        """Return how far one got, and whether only the signature is missing."""
        try:
            return self.once(held), True
        except (EnrolmentFailed, NotProven) as error:
            if onetime:
                raise
            self._tell(error)
            return Unsigned(waited=False), False

    def carry_out(self, steps: Generator[Act, Outcome, T]) -> T:
        """Do what a generator of acts yields, and return what it returns."""
        outcome: Outcome = None
        while True:
            try:
                act = steps.send(outcome)
            except StopIteration as ended:
                found: T = ended.value
                return found
            outcome = self.do(act)

    def do(self, act: Act) -> Outcome:
        """Do one act and return what came of it."""
        if isinstance(act, Ask):
            try:
                return self.servers.ask(act.request, act.trust)
            except NoConnection as error:
                return error
        if isinstance(act, Keep):
            self.ssldir.save(self.path(act.file), act.data)
            if act.file in (File.CA, File.CRL):
                self.servers.close()  # what is trusted has changed
        elif isinstance(act, Drop):
            self.ssldir.remove(self.path(act.file))
        elif isinstance(act, Touch):
            self.path(act.file).touch()
        elif isinstance(act, Say):
            self.log(act.level, "", act.text)
        elif isinstance(act, MakeKey):
            return keys.generate(self.settings.key_kind)
        elif isinstance(act, ReadAttributes):
            return self._attributes()
        return None

    def path(self, file: File) -> Path:
        """Return where a file is."""
        found: Path = getattr(self.ssldir, file.value)
        return found

    def _attributes(self) -> CsrAttributes:
        path = self.settings.csr_attributes
        self.log("info", "", f"csr_attributes file loading from {path}")
        try:
            text = files.read(path).decode("utf-8", "replace")
        except NotFound:
            return CsrAttributes()
        mapping, names = self.settings.trusted_oid_mapping_file, dict[str, str]()
        if mapping.exists():
            said = files.read(mapping).decode("utf-8", "replace")
            names = read_oid_mapping(said, str(mapping))
        return read_csr_attributes(text, str(path), names)

    def _end(self) -> float | None:
        told = self.settings.maxwaitforcert
        if told in ("unlimited", ""):
            return None
        return time.monotonic() + parse(told).total_seconds()

    def _tell(self, error: EnrolmentFailed | NotProven) -> None:
        self.log("err", "", str(error))
        if error.hint:
            self.log("hint", "", error.hint)
