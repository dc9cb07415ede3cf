"""Services of SysV's scripts: anybody's, Debian's and Red Hat's.

Sources: Puppet 8, `provider/service/init.rb`, `debian.rb`, `redhat.rb`.  Better than
they are: `update-rc.d NAME disable` on every Debian, where Puppet removes the links of
a service that is to be disabled if the package sysv-rc is missing, so that it counts
as enabled again.
"""

from __future__ import annotations

from reseal.agent.host import Host
from reseal.agent.services.provider import (
    FALSE,
    RUNNING,
    STOPPED,
    TRUE,
    ServiceFailed,
    Services,
)
from reseal.agent.services.systemd import links

_DIRECTORIES = ("/etc/init.d", "/etc/rc.d/init.d", "/etc/rc.d")
_EXCLUDED = frozenset(
    (
        *("functions.sh", "reboot.sh", "shutdown.sh", "functions", "halt", "killall"),
        *("single", "linuxconf", "reboot", "boot", "wait-for-state", "portmap-wait"),
        *("rcS", "module-init-tools", "plymouth-ready", "idmapd-mounting"),
        *("startpar-bridge", "cryptdisks-udev", "statd-mounting", "gssd-mounting"),
    )
)
"""Scripts that do something else than start a service, or want more words."""


class Init(Services):
    """Scripts in /etc/init.d."""

    name = "init"
    enableable = False

    def __init__(self, host: Host) -> None:
        super().__init__(host)
        found = (each for each in _DIRECTORIES if host.names(each))
        self._directory = next(found, _DIRECTORIES[0])

    def instances(self) -> list[str]:
        return [
            name
            for name in self.host.names(self._directory)
            if not name.startswith(".")
            and name not in _EXCLUDED
            and self.host.is_program(f"{self._directory}/{name}")
        ]

    def status(self, service: str) -> str:
        script = self._found(service)
        if script is None:
            return STOPPED
        return RUNNING if self.host.run([script, "status"]).status == 0 else STOPPED

    def enabled(self, service: str) -> str:
        return FALSE

    def start(self, service: str) -> None:
        self.does("start", service, [self._script(service), "start"])

    def stop(self, service: str) -> None:
        self.does("stop", service, [self._script(service), "stop"])

    def enable(self, service: str, wanted: str) -> None:
        raise ServiceFailed(f"Could not enable {service}: {self.name} cannot")

    def _found(self, service: str) -> str | None:
        names = self.host.names(self._directory)
        for name in (service, f"{service}.sh"):
            if name in names:
                return f"{self._directory}/{name}"
        return None

    def _script(self, service: str) -> str:
        found = self._found(service)
        if found is None:
            raise ServiceFailed(f"Could not find init script for '{service}'")
        return found


class Debian(Init):
    """Debian's scripts without systemd: `update-rc.d`, `invoke-rc.d`, `service`."""

    name = "debian"
    enableable = True

    def status(self, service: str) -> str:
        done = self.host.run(["/usr/sbin/service", service, "status"])
        return RUNNING if done.status == 0 else STOPPED

    def enabled(self, service: str) -> str:
        words = ["--quiet", "--query", service, "start"]
        status = self.host.run(["/usr/sbin/invoke-rc.d", *words]).status
        if status in (104, 106):
            return TRUE
        return TRUE if status in (101, 105) and links(self, service) >= 4 else FALSE

    def enable(self, service: str, wanted: str) -> None:
        program = "/usr/sbin/update-rc.d"
        if wanted == TRUE:
            self.sure([program, "-f", service, "remove"])
            self.sure([program, service, "defaults"])
            self.sure([program, service, "enable"])
        else:
            self.sure([program, service, "disable"])


class RedHat(Init):
    """Red Hat's and SUSE's scripts without systemd: `service` and `chkconfig`."""

    name = "redhat"
    enableable = True

    def status(self, service: str) -> str:
        done = self.host.run(["/sbin/service", service, "status"])
        return RUNNING if done.status == 0 else STOPPED

    def enabled(self, service: str) -> str:
        done = self.host.run(["/sbin/chkconfig", service])
        if done.status != 0:
            return FALSE
        said = done.output.split()
        suse = len(said) == 2 and said[0] == service
        return TRUE if not suse or said[1] in ("on", "B") else FALSE

    def start(self, service: str) -> None:
        self.does("start", service, ["/sbin/service", service, "start"])

    def stop(self, service: str) -> None:
        self.does("stop", service, ["/sbin/service", service, "stop"])

    def enable(self, service: str, wanted: str) -> None:
        program, action = "/sbin/chkconfig", "enable" if wanted == TRUE else "disable"
        try:
            if wanted == TRUE:
                self.sure([program, "--add", service])
                self.sure([program, service, "on"])
            else:
                self.sure([program, "--level", "0123456", service, "off"])
        except ServiceFailed as error:
            raise ServiceFailed(f"Could not {action} {service}: {error}") from None
