"""Which service manager a host has, as Puppet finds it out.

Sources: Puppet 8, `provider/service/*.rb` (`confine`, `defaultfor`).
"""

from __future__ import annotations

import re

from reseal.agent.host import Host
from reseal.agent.services.launchd import Launchd
from reseal.agent.services.openrc import OpenRc
from reseal.agent.services.provider import Services
from reseal.agent.services.systemd import Systemd
from reseal.agent.services.sysv import Debian, Init, RedHat
from reseal.agent.services.windows import Windows

PROVIDERS: dict[str, type[Services]] = {
    each.name: each
    for each in (Systemd, Debian, RedHat, OpenRc, Launchd, Windows, Init)
}
"""Puppet's names of providers, in the order in which they are asked."""

_RED_HAT = {"rhel", "centos", "fedora", "amzn", "ol", "sles", "suse", "opensuse"}
_LIKE = re.compile(r'^(?:ID|ID_LIKE)="?([^"\n]*)"?$', re.MULTILINE)


def suitable(host: Host) -> list[type[Services]]:
    """Return the service managers a host can have, the one it has first."""
    return [each for each in PROVIDERS.values() if _suits(each, host)]


def choose(host: Host) -> Services:
    """Return the services of a host."""
    found = suitable(host)
    return (found[0] if found else Init)(host)


def _suits(provider: type[Services], host: Host) -> bool:
    if host.platform == "win32":
        return provider is Windows
    if host.platform == "darwin":
        return provider is Launchd
    first = host.read("/proc/1/comm") or ""
    like = " ".join(_LIKE.findall(host.read("/etc/os-release") or "")).split()
    if provider is Systemd:
        return "systemd" in first
    if provider is Debian:
        return "systemd" not in first and host.is_program("/usr/sbin/update-rc.d")
    if provider is RedHat:
        return bool(_RED_HAT & set(like)) and host.is_program("/sbin/chkconfig")
    if provider is OpenRc:
        return host.is_program("/sbin/rc-service")
    own = {"debian", "ubuntu", *_RED_HAT} & set(like)
    return provider is Init and not own
