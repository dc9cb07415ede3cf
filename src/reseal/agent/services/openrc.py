"""Services of OpenRC.

Sources: Puppet 8, `provider/service/openrc.rb`; rc-service(8), rc-update(8).
"""

from __future__ import annotations

import re

from reseal.agent.services.provider import FALSE, RUNNING, STOPPED, TRUE, Services

_SERVICE, _UPDATE, _STATUS = "/sbin/rc-service", "/sbin/rc-update", "/bin/rc-status"
_LINE = re.compile(r"\s+(.*?)\s*\[\s*(.*)\s*\]")


class OpenRc(Services):
    """Scripts of openrc-run, in runlevels."""

    name = "openrc"

    def instances(self) -> list[str]:
        return self.sure([_SERVICE, "-C", "--list"]).splitlines()

    def status(self, service: str) -> str:
        done = self.host.run([_SERVICE, service, "status"])
        return RUNNING if done.status == 0 else STOPPED

    def enabled(self, service: str) -> str:
        """Say whether a service is in a runlevel, and not in a dynamic one alone."""
        found = FALSE
        for line in self.sure([_STATUS, "-C", "-a"]).splitlines():
            named = _LINE.fullmatch(line)
            if line.startswith("Runlevel: "):
                found = TRUE
            elif line[:1].strip():
                found = FALSE
            elif named is not None and named[1] == service:
                return found
        return FALSE

    def start(self, service: str) -> None:
        self.does("start", service, [_SERVICE, service, "start"])

    def stop(self, service: str) -> None:
        self.does("stop", service, [_SERVICE, service, "stop"])

    def enable(self, service: str, wanted: str) -> None:
        self.sure([_UPDATE, "-C", "add" if wanted == TRUE else "del", service])
