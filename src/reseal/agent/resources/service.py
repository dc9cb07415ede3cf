"""The type `service`.

Sources: Puppet 8, `type/service.rb` (values; `ensure` brings `enable` with it).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from reseal.agent.host import Host, ProgramFailed
from reseal.agent.resources.model import (
    BadResource,
    Name,
    Property,
    Resource,
    ResourceFailed,
    UnusableProvider,
    text_of,
)
from reseal.agent.services.choose import PROVIDERS, choose, suitable
from reseal.agent.services.provider import (
    FALSE,
    RUNNING,
    STOPPED,
    TRUE,
    ServiceFailed,
    Services,
)

_ENSURE = {"running": RUNNING, "true": RUNNING, "stopped": STOPPED, "false": STOPPED}
_ENABLE = (TRUE, FALSE, "manual", "mask", "delayed")
_COMMANDS = ("start", "stop", "restart", "status")
_TAKEN = ("ensure", "enable", "provider", "name", "hasstatus", "hasrestart", *_COMMANDS)
_KNOWN: tuple[str, ...] = (
    "binary",
    "control",
    "flags",
    "logonaccount",
    "logonpassword",
    "manifest",
)
_KNOWN += ("path", "pattern", "timeout")


class Service(Resource):
    """A service of this host.

    Attributes:
        services: The service manager.
        service: Its name there.
        ensure: `running`, `stopped`, or None.
        enable: `true`, `false`, `manual`, `mask`, `delayed`, or None.
    """

    def __init__(
        self, title: str, parameters: Mapping[str, object], host: Host
    ) -> None:
        """Read what shall be.

        Raises:
            BadResource: A parameter or a value makes no sense, in Puppet's words.
        """
        super().__init__(Name("Service", title))
        told = {name: text_of(value) for name, value in parameters.items()}
        for name in told:
            if name in _KNOWN:
                raise BadResource(f"parameter '{name}' is not supported by reseal")
            if name not in _TAKEN:
                raise BadResource(f"no parameter named '{name}'")
        self.host = host
        self.service = told.get("name") or title
        self.services = self._provider(told.get("provider"))
        self.ensure = self._value("ensure", told.get("ensure"))
        self.enable = self._value("enable", told.get("enable"))
        self.commands = {name: told[name] for name in _COMMANDS if told.get(name)}

    def properties(self) -> Sequence[Property]:
        found: list[Property] = []
        if self.ensure is not None:
            found.append(_Ensure(self, self.ensure))
        if self.enable is not None:
            found.append(_Enable(self, self.enable))
        return found

    def state(self) -> dict[str, str]:
        """Return `ensure` and `enable` as they are."""
        return {"ensure": self.running(), "enable": self.enabled()}

    def running(self) -> str:
        """Return `running` or `stopped`."""
        command = self.commands.get("status")
        if command is None:
            return self.services.status(self.service)
        return (
            RUNNING
            if self.host.run(["/bin/sh", "-c", command]).status == 0
            else STOPPED
        )

    def enabled(self) -> str:
        """Return `enable` as it is; a mask counts only for who wants it."""
        if not self.services.enableable:
            return FALSE
        found = self.services.enabled(self.service)
        return FALSE if found == "mask" and self.enable != "mask" else found

    def refresh(self) -> str:
        """Restart the service, if it runs."""
        if self.running() != RUNNING:
            return ""
        self.act("restart")
        return "Triggered 'refresh' from 1 event"

    def act(self, action: str) -> None:
        """Start, stop or restart; ResourceFailed."""
        try:
            if action in self.commands:
                argv = ["/bin/sh", "-c", self.commands[action]]
                self.services.does(action, self.service, argv)
            else:
                {
                    "start": self.services.start,
                    "stop": self.services.stop,
                    "restart": self.services.restart,
                }[action](self.service)
        except (ServiceFailed, ProgramFailed) as error:
            raise ResourceFailed(str(error)) from None

    def _provider(self, name: str | None) -> Services:
        if not name:
            return choose(self.host)
        if name not in PROVIDERS:
            raise self._wrong("provider", f"Invalid service provider '{name}'")
        found = PROVIDERS[name]
        if found not in suitable(self.host):
            raise UnusableProvider(f"Provider {name} is not functional on this host")
        return found(self.host)

    def _value(self, name: str, value: str | None) -> str | None:
        if value is None:
            return None
        if name == "ensure":
            if value not in _ENSURE:
                text = f'Invalid value "{value}". Valid values are stopped, running.'
                raise self._wrong(name, text)
            return _ENSURE[value]
        if value not in _ENABLE:
            text = f'Invalid value "{value}". Valid values are {", ".join(_ENABLE)}.'
            raise self._wrong(name, text)
        able = {
            "mask": self.services.maskable,
            "manual": self.services.manual,
            "delayed": self.services.manual,
        }.get(value, self.services.enableable)
        if not able:
            feature = {"mask": "maskable", "manual": "manual_startable"}
            feature["delayed"] = "delayed_startable"
            text = (
                f"Provider {self.services.name} must have features "
                f"'{feature.get(value, 'enableable')}' to set 'enable' to '{value}'"
            )
            raise self._wrong(name, text)
        return value

    def _wrong(self, parameter: str, text: str) -> BadResource:
        return BadResource(f"Parameter {parameter} failed on {self.name}: {text}")


class _Ensure(Property):
    def __init__(self, service: Service, should: str) -> None:
        super().__init__("ensure", should)
        self.service = service

    def retrieve(self) -> str:
        try:
            return self.service.running()
        except (ServiceFailed, ProgramFailed) as error:
            raise ResourceFailed(str(error)) from None

    def sync(self) -> None:
        self.service.act("start" if self.should == RUNNING else "stop")
        if self.service.enable is not None:
            enable = _Enable(self.service, self.service.enable)
            if not enable.in_sync(enable.retrieve()):
                enable.sync()


class _Enable(Property):
    def __init__(self, service: Service, should: str) -> None:
        super().__init__("enable", should)
        self.service = service

    def retrieve(self) -> str:
        try:
            return self.service.enabled()
        except (ServiceFailed, ProgramFailed) as error:
            raise ResourceFailed(str(error)) from None

    def in_sync(self, current: str) -> bool:
        return self.service.services.settled(self.service.service, current, self.should)

    def sync(self) -> None:
        try:
            self.service.services.enable(self.service.service, self.should)
        except (ServiceFailed, ProgramFailed) as error:
            raise ResourceFailed(str(error)) from None
