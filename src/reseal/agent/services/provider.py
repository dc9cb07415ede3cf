"""What every service manager can do for a service, and what goes wrong with it.

Sources: Puppet, `type/service.rb`, `provider/service/base.rb`, `service.rb`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from reseal.agent.host import Host, ProgramFailed, checked
from reseal.errors import ResealError

RUNNING, STOPPED = "running", "stopped"
TRUE, FALSE = "true", "false"


class ServiceFailed(ResealError):
    """A service could not be brought into a state; in Puppet's words."""


class Services(ABC):
    """The services of a host, under one service manager.

    Attributes:
        name: Puppet's name of the provider.
        enableable: Services can be enabled and disabled.
        maskable: They can be masked.
        manual: They can be started by hand only (`enable => manual`).
    """

    name: str
    enableable = True
    maskable = False
    manual = False

    def __init__(self, host: Host) -> None:
        self.host = host

    @abstractmethod
    def instances(self) -> list[str]:
        """Return the names of the services there are."""

    @abstractmethod
    def status(self, service: str) -> str:
        """Return `running` or `stopped`; `stopped` for one there is not."""

    @abstractmethod
    def enabled(self, service: str) -> str:
        """Return `true`, `false` or another value of `enable`."""

    @abstractmethod
    def start(self, service: str) -> None:
        """Start a service; ServiceFailed."""

    @abstractmethod
    def stop(self, service: str) -> None:
        """Stop a service; ServiceFailed."""

    def restart(self, service: str) -> None:
        """Stop a service and start it again; ServiceFailed."""
        self.stop(service)
        self.start(service)

    @abstractmethod
    def enable(self, service: str, wanted: str) -> None:
        """Bring `enable` of a service to a value; ServiceFailed."""

    def settled(self, service: str, current: str, wanted: str) -> bool:
        """Say whether `enable` of a service is as wanted, as far as it can be."""
        return current == wanted

    def does(self, action: str, service: str, argv: Sequence[str]) -> None:
        """Run a program that brings a service into a state.

        Args:
            action: `start`, `stop` or `restart`.
            service: Its name.
            argv: The program.

        Raises:
            ServiceFailed: It failed.
        """
        try:
            checked(self.host, argv)
        except ProgramFailed as error:
            text = f"Could not {action} Service[{service}]: {error}"
            raise ServiceFailed(text) from None

    def sure(self, argv: Sequence[str]) -> str:
        """Return what a program prints; ServiceFailed with Puppet's words alone."""
        try:
            return checked(self.host, argv)
        except ProgramFailed as error:
            raise ServiceFailed(str(error)) from None
