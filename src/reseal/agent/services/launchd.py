"""Services of macOS's launchd.

A job is known by the label in its plist.  Overrides of what a plist says are asked and
set with `launchctl`, which since macOS 10.11 is the only way that launchd believes;
Puppet writes launchd's file, which counts after the next boot.

Sources: Puppet 8, `provider/service/launchd.rb` (paths, states); launchctl(1),
launchd.plist(5).
"""

from __future__ import annotations

import plistlib
import re
from xml.parsers.expat import ExpatError

from reseal.agent.services.provider import (
    FALSE,
    RUNNING,
    STOPPED,
    TRUE,
    ServiceFailed,
    Services,
)

_CTL = "/bin/launchctl"
_PATHS = (
    "/Library/LaunchAgents",
    "/Library/LaunchDaemons",
    "/System/Library/LaunchAgents",
    "/System/Library/LaunchDaemons",
)
_OVERRIDE = re.compile(r'"([^"]+)" => (true|false|disabled|enabled)')


class Launchd(Services):
    """Jobs of the system's domain."""

    name = "launchd"

    def instances(self) -> list[str]:
        return sorted(self._jobs())

    def status(self, service: str) -> str:
        listed = self.sure([_CTL, "list"]).splitlines()
        loaded = {line.split()[-1] for line in listed if line.split()}
        return RUNNING if service in loaded else STOPPED

    def enabled(self, service: str) -> str:
        jobs = self._jobs()
        if service not in jobs:
            return FALSE
        said = self.host.run([_CTL, "print-disabled", "system"]).output
        overrides = dict(_OVERRIDE.findall(said))
        if service in overrides:
            return FALSE if overrides[service] in ("true", "disabled") else TRUE
        return FALSE if jobs[service][1] else TRUE

    def start(self, service: str) -> None:
        self._job("start", service, "load")

    def stop(self, service: str) -> None:
        self._job("stop", service, "unload")

    def enable(self, service: str, wanted: str) -> None:
        verb = "enable" if wanted == TRUE else "disable"
        self.sure([_CTL, verb, f"system/{service}"])

    def _job(self, action: str, service: str, verb: str) -> None:
        """Load or unload a job, and leave whether it is enabled as it was."""
        jobs = self._jobs()
        if service not in jobs:
            raise ServiceFailed(f"Unable to find launchd plist for job: {service}")
        before = self.enabled(service)
        path = jobs[service][0]
        try:
            self.sure([_CTL, verb, "-w", path])
        except ServiceFailed:
            text = f"Unable to {action} service: {service} at path: {path}"
            raise ServiceFailed(text) from None
        if self.enabled(service) != before:
            self.enable(service, before)

    def _jobs(self) -> dict[str, tuple[str, bool]]:
        """Return label to path and whether the plist says that it is disabled."""
        found: dict[str, tuple[str, bool]] = {}
        for directory in _PATHS:
            for name in self.host.names(directory):
                path = f"{directory}/{name}"
                told = self._plist(path)
                if "Label" in told:
                    found[str(told["Label"])] = path, bool(told.get("Disabled"))
        return found

    def _plist(self, path: str) -> dict[str, object]:
        text = self.host.read(path)
        if text is None or text.startswith("bplist"):
            # A binary plist is no text; the system's own tool turns it into one.
            text = self.host.run(
                ["/usr/bin/plutil", "-convert", "xml1", "-o", "-", path]
            ).output
        try:
            found = plistlib.loads(text.encode())
        except (plistlib.InvalidFileException, ExpatError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}
