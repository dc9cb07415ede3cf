"""Services of Windows's Service Control Manager, by its own program.

Sources: Puppet 8, `provider/service/windows.rb` (states, what `enable` means); `sc.exe`
(`query`, `qc`, `config`, `start`, `stop`).
"""

from __future__ import annotations

import re
import time

from reseal.agent.services.provider import (
    FALSE,
    RUNNING,
    STOPPED,
    TRUE,
    ServiceFailed,
    Services,
)

_SC = "sc.exe"
_STATE = re.compile(r"^\s*STATE\s*:\s*(\d+)", re.MULTILINE)
_TYPE = re.compile(r"^\s*START_TYPE\s*:\s*(\d+)\s+\S+(\s+\(DELAYED\))?", re.MULTILINE)
_NAME = re.compile(r"^SERVICE_NAME:\s*(.+?)\s*$", re.MULTILINE)
_RUNNING = ("4", "5", "2")
"""Running, about to go on, about to run."""

_TYPES = {"0": TRUE, "1": TRUE, "2": TRUE, "3": "manual", "4": FALSE}
_WANTED = {
    TRUE: "auto",
    FALSE: "disabled",
    "manual": "demand",
    "delayed": "delayed-auto",
}
_PATIENCE, _PAUSE = 30.0, 0.25


class Windows(Services):
    """Services of the Service Control Manager."""

    name = "windows"
    manual = True

    def instances(self) -> list[str]:
        return _NAME.findall(self.sure([_SC, "query", "state=", "all"]))

    def status(self, service: str) -> str:
        found = _STATE.search(self.host.run([_SC, "query", service]).output)
        return RUNNING if found and found[1] in _RUNNING else STOPPED

    def enabled(self, service: str) -> str:
        found = _TYPE.search(self.host.run([_SC, "qc", service]).output)
        if found is None:
            return FALSE
        return "delayed" if found[2] else _TYPES.get(found[1], FALSE)

    def start(self, service: str) -> None:
        if self.enabled(service) == FALSE:
            text = (
                f"Will not start disabled service {service} without managing enable. "
                "Specify 'enable => false' to override."
            )
            raise ServiceFailed(text)
        self.does("start", service, [_SC, "start", service])
        self._until("start", service, RUNNING)

    def stop(self, service: str) -> None:
        self.does("stop", service, [_SC, "stop", service])
        self._until("stop", service, STOPPED)

    def enable(self, service: str, wanted: str) -> None:
        self.sure([_SC, "config", service, "start=", _WANTED[wanted]])

    def _until(self, action: str, service: str, wanted: str) -> None:
        """Wait until a service is in a state: `sc` does not."""
        end = time.monotonic() + _PATIENCE
        while self.status(service) != wanted:
            if time.monotonic() > end:
                text = f"Could not {action} Service[{service}]: it is not {wanted}"
                raise ServiceFailed(text)
            time.sleep(_PAUSE)
