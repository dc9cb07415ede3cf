"""An agent from its first look at its certificate to its end.

Guarantee: a signal ends it between two resources, with its locks let go.

Sources: Puppet 8, `application/agent.rb`, `daemon.rb` (signals: TERM and INT end it,
USR1 runs now), `agent.rb` (splay), `configurer.rb`.
"""

from __future__ import annotations

import random
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from types import FrameType

from reseal.agent.enrolment import Enrolment, GivenUp
from reseal.agent.host import ThisHost
from reseal.agent.lock import Held, pid_lock
from reseal.agent.run import NoRun, Run
from reseal.agent.settings import AgentSettings
from reseal.cli.agentlog import UNSIGNED, log_to
from reseal.cli.output import Screen
from reseal.clock import SystemClock
from reseal.errors import ResealError
from reseal.server.notify import READY, STOPPING, notify

_CLOCK = SystemClock()


@dataclass(frozen=True, slots=True)
class Manner:
    """How an agent runs.

    Attributes:
        once: One run, and end.
        detailed: The exit code says what the run did.
        wait_given: The command line says how long to wait for a certificate; without
            it, one run does not wait at all.
    """

    once: bool
    detailed: bool
    wait_given: bool


class _Stopped(ResealError):
    """A signal has ended the agent."""


class Loop:
    """Runs an agent."""

    def __init__(self, settings: AgentSettings, screen: Screen, manner: Manner) -> None:
        self.settings, self.screen, self.manner = settings, screen, manner
        self.log = log_to(screen)
        self.node = Enrolment(settings, self.log, _CLOCK)
        self._wake = threading.Event()
        self._ending = False

    def run(self) -> int:
        """Run until there is no more to do, and return the exit code."""
        with self._signals(), ExitStack() as held:
            try:
                if self.manner.once:
                    return self._one()
                path = self.settings.pidfile
                path.parent.mkdir(parents=True, exist_ok=True)
                text = "Could not run: Could not create PID file: another agent runs"
                held.enter_context(pid_lock(path, text))
                notify(READY)
                self._forever()
                notify(STOPPING)
            except _Stopped:
                return 0 if not self.manner.once else 1
            except Held as error:
                self._tell(error)
                return 1
        return 0

    def _forever(self) -> None:
        if self.settings.splay:
            limit = self.settings.splaylimit.total_seconds()
            pause = random.uniform(0, limit)  # noqa: S311 - nobody has to guess it
            self.log("info", "", f"Sleeping for {pause:.0f} seconds (splay is enabled)")
            self._sleep(pause)
        while not self._ending:
            self._one()
            self._sleep(self.settings.runinterval.total_seconds())

    def _one(self) -> int:
        """Make one run, with everything before it; the exit code of that."""
        try:
            self._enrol()
            report = Run(
                self.settings,
                ThisHost(),
                self.node,
                self.log,
                _CLOCK,
                lambda: self._ending,
            ).run()
        except GivenUp as error:
            if error.unsigned:
                print(UNSIGNED.format(self.settings.certname), flush=True)
            print(error, flush=True)
            return 1
        except NoRun as error:
            self.log("notice", "", str(error))
            if error.hint:
                self.screen.hint(error.hint)
            return 1
        except _Stopped:
            raise
        except ResealError as error:
            self._tell(error)
            return 1
        if report.failed:
            return 1
        return report.exit_code() if self.manner.detailed else 0

    def _enrol(self) -> None:
        """Have a certificate; a single run waits only if it is told to."""
        wait = self.settings.waitforcert
        if self.manner.once and not self.manner.wait_given:
            wait = timedelta()
        self.node.until(onetime=self.manner.once, waitforcert=wait, sleep=self._sleep)

    def _sleep(self, seconds: float) -> None:
        """Pause until it is time, or a signal comes; `_Stopped` if that ends us."""
        self._wake.wait(seconds)
        self._wake.clear()
        if self._ending:
            raise _Stopped("stopped")

    @contextmanager
    def _signals(self) -> Iterator[None]:
        def end(number: int, frame: FrameType | None) -> None:
            self._ending = True
            self._wake.set()

        def now(number: int, frame: FrameType | None) -> None:
            self._wake.set()

        wanted = {signal.SIGTERM: end, signal.SIGINT: end, signal.SIGUSR1: now}
        before = {each: signal.signal(each, does) for each, does in wanted.items()}
        try:
            yield
        finally:
            for each, did in before.items():
                signal.signal(each, did)

    def _tell(self, error: ResealError) -> None:
        self.log("err", "", str(error))
        if error.hint:
            self.screen.hint(error.hint)
