"""What a node tells of itself: a small set, and nothing that is guessed.

Names and shapes are Facter's; what cannot be found out is left out.

Sources: Facter 4, core facts (`os`, `networking`, `kernel`, `memory`, `processors`).
"""

from __future__ import annotations

import os
import platform
import re
import socket
from datetime import datetime, timedelta

from reseal import __version__
from reseal.agent.host import Host

_PAIR = re.compile(r'^([A-Z_]+)="?([^"\n]*)"?$', re.MULTILINE)
_FAMILIES = {
    "debian": "Debian",
    "ubuntu": "Debian",
    "rhel": "RedHat",
    "fedora": "RedHat",
    "centos": "RedHat",
    "suse": "Suse",
    "opensuse": "Suse",
    "gentoo": "Gentoo",
    "alpine": "Alpine",
    "arch": "Archlinux",
}
_LIFE = timedelta(minutes=30)


def facts_of(
    host: Host, certname: str, now: datetime, *, noop: bool, server: str
) -> dict[str, object]:
    """Return the document of facts, as it is sent with the request for a catalog.

    Args:
        host: The machine.
        certname: The node's name.
        now: The time, aware.
        noop: Nothing is to be changed.
        server: An address of which tells which of ours is used.
    """
    system, _, release, _, machine = platform.uname()[:5]
    values: dict[str, object] = {
        "clientcert": certname,
        "clientnoop": noop,
        "clientversion": __version__,
        "resealversion": __version__,
        "kernel": system,
        "kernelrelease": release,
        **_kernel(release),
        "os": _os(host, machine),
        "networking": _networking(server),
        "processors": {"count": os.cpu_count() or 1, "isa": machine},
        "memory": _memory(host),
        "system_uptime": _uptime(host),
        "identity": {"uid": os.geteuid(), "gid": os.getegid()},
        "path": os.environ.get("PATH", ""),
        "timezone": now.astimezone().tzname(),
        "service_provider": _service_provider(host),
    }
    known = {name: value for name, value in values.items() if value not in ({}, None)}
    return {
        "name": certname,
        "values": known,
        "timestamp": now.isoformat(),
        "expiration": (now + _LIFE).isoformat(),
    }


def _os(host: Host, machine: str) -> dict[str, object]:
    told = dict(_PAIR.findall(host.read("/etc/os-release") or ""))
    if not told:
        return {"name": platform.system(), "hardware": machine}
    like = [told.get("ID", ""), *told.get("ID_LIKE", "").split()]
    family = next((_FAMILIES[each] for each in like if each in _FAMILIES), None)
    full = (host.read("/etc/debian_version") or "").strip()
    if told.get("ID") != "debian" or not re.fullmatch(r"\d+(\.\d+)*", full):
        full = told.get("VERSION_ID", "")
    major, _, minor = full.partition(".")
    release = {"full": full, "major": major} | ({"minor": minor} if minor else {})
    name = told.get("NAME", "").split(" ")[0]
    return {
        "name": name,
        "family": family or name,
        "release": release,
        "distro": {
            "id": name,
            "release": release,
            "codename": told.get("VERSION_CODENAME", ""),
            "description": told.get("PRETTY_NAME", ""),
        },
        "hardware": machine,
        "architecture": "amd64"
        if (family, machine) == ("Debian", "x86_64")
        else machine,
    }


def _networking(server: str) -> dict[str, object]:
    fqdn = socket.getfqdn().lower()
    hostname, _, domain = fqdn.partition(".")
    found: dict[str, object] = {"hostname": hostname, "fqdn": fqdn}
    if domain:
        found["domain"] = domain
    for kind, key in ((socket.AF_INET, "ip"), (socket.AF_INET6, "ip6")):
        if (address := _address(kind, server)) is not None:
            found[key] = address
    return found


def _address(kind: socket.AddressFamily, server: str) -> str | None:
    """Return our address on the way to a server; nothing is sent."""
    try:
        with socket.socket(kind, socket.SOCK_DGRAM) as probe:
            probe.connect((server, 9))
            address: str = probe.getsockname()[0]
            return address
    except OSError:
        return None


def _memory(host: Host) -> dict[str, object]:
    said = host.read("/proc/meminfo") or ""
    sizes = {n: int(v) * 1024 for n, v in re.findall(r"^(\w+):\s+(\d+) kB", said, re.M)}
    if "MemTotal" not in sizes:
        return {}
    free = sizes.get("MemAvailable", sizes.get("MemFree", 0))
    system = {"total_bytes": sizes["MemTotal"], "available_bytes": free}
    return {"system": system}


def _uptime(host: Host) -> dict[str, object]:
    said = (host.read("/proc/uptime") or "").split()
    if not said:
        return {}
    seconds = int(float(said[0]))
    return {"seconds": seconds, "hours": seconds // 3600, "days": seconds // 86400}


def _service_provider(host: Host) -> str | None:
    first = host.read("/proc/1/comm") or ""
    return "systemd" if "systemd" in first else None


def _kernel(release: str) -> dict[str, object]:
    parts = re.split(r"[^0-9.]", release)[0].split(".")
    whole, major = ".".join(parts[:3]), ".".join(parts[:2])
    return {"kernelversion": whole, "kernelmajversion": major}
