"""Services of systemd.

Sources: Puppet 8, `provider/service/systemd.rb`; systemctl(1).
"""

from __future__ import annotations

import re

from reseal.agent.services.provider import (
    FALSE,
    RUNNING,
    STOPPED,
    TRUE,
    ServiceFailed,
    Services,
)

_CTL = "systemctl"
_UNIT = re.compile(
    r"^(\S+)\s+(?:disabled|enabled|masked|indirect|bad|static)\s*(?:[^-]\S+)?\s*$",
    re.IGNORECASE | re.MULTILINE,
)
_LISTED = ("list-unit-files", "--type", "service", "--full", "--all", "--no-pager")
_QUERIED_ON = (104, 106)
_NOT_QUERIED = (101, 105)
_LINKS = 4
"""Runlevels in which a script of SysV must be started to count as enabled."""


class Systemd(Services):
    """Units; `.service` may be left out of their names."""

    name = "systemd"
    maskable = True

    def instances(self) -> list[str]:
        done = self.host.run([_CTL, *_LISTED])
        return _UNIT.findall(done.output) if done.status == 0 else []

    def status(self, service: str) -> str:
        done = self.host.run([_CTL, "is-active", "--", service])
        return RUNNING if done.status == 0 else STOPPED

    def enabled(self, service: str) -> str:
        done = self.host.run([_CTL, "is-enabled", "--", service])
        said = done.output.strip()
        if said == "indirect":
            return FALSE
        if said == "masked":
            return "mask"
        if done.status == 0:
            return TRUE
        return self._enabled_by_script(service) if not said else FALSE

    def settled(self, service: str, current: str, wanted: str) -> bool:
        done = self.host.run([_CTL, "is-enabled", "--", service])
        if done.output.strip() == "indirect":
            return True
        if done.output.strip() == "static" and wanted != "mask":
            return True
        return current == wanted or (current, wanted) == ("mask", FALSE)

    def start(self, service: str) -> None:
        self._reload(service)
        self._change("unmask", service)
        self._act("start", service)

    def stop(self, service: str) -> None:
        self._act("stop", service)

    def restart(self, service: str) -> None:
        self._reload(service)
        self._act("restart", service)

    def enable(self, service: str, wanted: str) -> None:
        if wanted == TRUE:
            self._change("unmask", service)
            self._change("enable", service)
        elif wanted == "mask":
            if self.host.run([_CTL, "cat", "--", service]).status == 0:
                self._change("disable", service)
            self._change("mask", service)
        else:
            self._change("disable", service)

    def _act(self, action: str, service: str) -> None:
        if self.host.run([_CTL, action, "--", service]).status == 0:
            return
        # The unit's own words are in the journal, not in what systemctl prints.
        words = ["-n", "50", "--since", "5 minutes ago", "-u", service, "--no-pager"]
        said = self.host.run(["journalctl", *words]).output
        text = f"Systemd {action} for {service} failed!\njournalctl log for {service}:"
        raise ServiceFailed(f"{text}\n{said}".rstrip("\n"))

    def _change(self, action: str, service: str) -> None:
        done = self.host.run([_CTL, action, "--", service])
        if done.status != 0:
            text = f"Could not {action} {service}: {done.output.strip()}"
            raise ServiceFailed(text)

    def _reload(self, service: str) -> None:
        """Have systemd read a unit again whose file has changed."""
        words = ["show", "--property=NeedDaemonReload", "--", service]
        if self.host.run([_CTL, *words]).output.strip().endswith("=yes"):
            self.host.run([_CTL, "daemon-reload"])

    def _enabled_by_script(self, service: str) -> str:
        """Say whether a script of SysV is enabled for which there is no unit."""
        query = "/usr/sbin/invoke-rc.d"
        if not self.host.is_program(query):
            return FALSE
        done = self.host.run([query, "--quiet", "--query", service, "start"])
        if done.status in _QUERIED_ON:
            return TRUE
        if done.status in _NOT_QUERIED and links(self, service) >= _LINKS:
            return TRUE
        return FALSE


def links(services: Services, service: str) -> int:
    """Return in how many runlevels a script of SysV is started."""
    name = service.removesuffix(".service")
    wanted = re.compile(rf"S..{re.escape(name)}")
    directories = [
        n for n in services.host.names("/etc") if re.fullmatch(r"rc.*\.d", n)
    ]
    return sum(
        wanted.fullmatch(each) is not None
        for directory in directories
        for each in services.host.names(f"/etc/{directory}")
    )
