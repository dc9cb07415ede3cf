"""What every act of a run needs: the plan, the ways to the nodes, the new CA.

Guarantee: the new CA is known by its keys, never by its names or serial numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from cryptography import x509

from reseal.clock import Clock
from reseal.errors import NotFound, StepFailed
from reseal.site.authority import authority_of
from reseal.site.desk import SigningDesk
from reseal.site.fleet import Fleet
from reseal.site.plan import Plan
from reseal.site.roster import Roster
from reseal.site.rundir import BUNDLE, RunDirectory
from reseal.site.target import Target
from reseal.x509.bundle import load_certificates
from reseal.x509.certificate import is_signed_by, public_key


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a run waits, in seconds, and how much may fail.

    Attributes:
        request: For an agent to make its key and send its request.
        certificate: For a signed certificate to reach its node.
        run: For an agent run to end.
        server: For a server to answer after its start.
        current_run: For an agent run that goes on when we come.
        failures: How many nodes may fail before no further batch begins.
    """

    request: int = 300
    certificate: int = 300
    run: int = 1800
    server: int = 300
    current_run: int = 900
    failures: int = 3


@dataclass(slots=True)
class Context:
    """One run, while it is carried out.

    Attributes:
        plan: What is to be done.
        roster: How nodes are reached.
        fleet: The open ways to them.
        directory: The run's directory on this machine.
        limits: How long to wait.
        clock: Tells the time.
        tell: Told what a step is waiting for: step id, words.
        warn: Told what went wrong without harm to the run.
        requests_wait: False once it was seen that they cannot, as the plan has it.
    """

    plan: Plan
    roster: Roster
    fleet: Fleet
    directory: RunDirectory
    limits: Limits
    clock: Clock
    tell: Callable[[str, str], None]
    warn: Callable[[str], None]
    requests_wait: bool = True
    _desk: SigningDesk | None = field(default=None)

    async def target(self, name: str) -> Target:
        """Return a node of the plan, connected."""
        node = self.roster.node(name)
        if node is None:
            hint = "the site file has changed since the plan was made"
            raise NotFound(f"{name}: not in the roster", hint=hint)
        transport = await self.fleet.connect(node)
        whole = self.plan.goal == "regenerate"
        return Target(self.plan.node(name), transport, self.plan.run, whole)

    async def desk(self) -> SigningDesk:
        """Return the desk where requests are signed, the same for all nodes."""
        if self._desk is None:
            host = await self.target(self.plan.ca.name)
            self._desk = self._desk or SigningDesk(authority_of(host))
        return self._desk

    async def close(self) -> None:
        """End what runs in the background."""
        if self._desk is not None:
            await self._desk.close()

    @property
    def authority(self) -> tuple[x509.Certificate, ...]:
        """The new CA's bundle, the signing certificate first.

        Raises:
            StepFailed: It has not been made yet.
        """
        data = self.directory.kept(BUNDLE)
        if data is None:
            raise StepFailed("the new CA is not there yet", hint="reseal site resume")
        return load_certificates(data)

    def is_new(self, certificate: x509.Certificate) -> bool:
        """Tell whether the new CA signed a certificate, by its key."""
        if self.directory.kept(BUNDLE) is None:
            return False
        return is_signed_by(certificate, public_key(self.authority[0]))
