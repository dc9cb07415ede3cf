"""The type `package`: Debian's apt and Red Hat's dnf.

Sources: Puppet 8, `type/package.rb` (values, messages), `provider/package/apt.rb`,
`dpkg.rb`, `dnf.rb`, `rpm.rb` (programs and their words).
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

from reseal.agent.host import Host, ProgramFailed, checked
from reseal.agent.resources.model import (
    ABSENT,
    BadResource,
    Name,
    Property,
    Resource,
    ResourceFailed,
    UnusableProvider,
    text_of,
)

_TAKEN = ("ensure", "name", "provider")
_PATIENCE = 1800.0
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9+._:~@-]*")
_CANDIDATE = re.compile(r"^\s*Candidate:\s*(\S+)", re.MULTILINE)


class Packages(ABC):
    """The packages of a host."""

    name: str

    def __init__(self, host: Host) -> None:
        self.host = host

    @abstractmethod
    def version(self, package: str) -> str:
        """Return the version that is installed, or `absent`."""

    @abstractmethod
    def latest(self, package: str) -> str:
        """Return the newest version there is; the installed one if none is newer."""

    @abstractmethod
    def install(self, package: str, version: str | None) -> None:
        """Install a version, or the newest; ResourceFailed."""

    @abstractmethod
    def remove(self, package: str, *, purge: bool) -> None:
        """Remove a package; ResourceFailed."""

    def do(self, *argv: str) -> None:
        """Run a program; ResourceFailed in Puppet's words."""
        done = self.host.run(argv, timeout=_PATIENCE)
        if done.status != 0:
            said = f"Execution of '{' '.join(argv)}' returned {done.status}: "
            raise ResourceFailed((said + done.output).rstrip())


class Apt(Packages):
    """Debian's."""

    name = "apt"
    _QUERY = ("/usr/bin/dpkg-query", "-W", "--showformat", "${Status} ${Version}\\n")
    _GET = ("/usr/bin/apt-get", "-q", "-y", "-o", "DPkg::Options::=--force-confold")

    def version(self, package: str) -> str:
        done = self.host.run([*self._QUERY, package])
        words = done.output.split()
        return words[3] if done.status == 0 and words[2:3] == ["installed"] else ABSENT

    def latest(self, package: str) -> str:
        said = checked(self.host, ["/usr/bin/apt-cache", "policy", package])
        found = _CANDIDATE.search(said)
        return found[1] if found else self.version(package)

    def install(self, package: str, version: str | None) -> None:
        wanted = package if version is None else f"{package}={version}"
        self.do(*self._GET, "install", wanted)

    def remove(self, package: str, *, purge: bool) -> None:
        self.do(*self._GET, "purge" if purge else "remove", package)


class Dnf(Packages):
    """Red Hat's."""

    name = "dnf"

    def version(self, package: str) -> str:
        form = "%{VERSION}-%{RELEASE}\\n"
        done = self.host.run(["/usr/bin/rpm", "-q", "--qf", form, package])
        lines = done.output.split()
        return lines[0] if done.status == 0 and lines else ABSENT

    def latest(self, package: str) -> str:
        words = ("-d", "0", "-e", "1", "-q", "check-update", package)
        done = self.host.run(["/usr/bin/dnf", *words])
        if done.status == 100:
            for line in done.output.splitlines():
                found = line.split()
                if len(found) > 1 and found[0].rpartition(".")[0] == package:
                    return found[1].partition(":")[2] or found[1]
        return self.version(package)

    def install(self, package: str, version: str | None) -> None:
        wanted = package if version is None else f"{package}-{version}"
        self.do("/usr/bin/dnf", "-d", "0", "-e", "1", "-y", "install", wanted)

    def remove(self, package: str, *, purge: bool) -> None:
        self.do("/usr/bin/dnf", "-d", "0", "-e", "1", "-y", "remove", package)


PROVIDERS: dict[str, tuple[type[Packages], str]] = {
    "apt": (Apt, "/usr/bin/apt-get"),
    "dnf": (Dnf, "/usr/bin/dnf"),
}
"""Puppet's names of providers, each with the program that a host needs for it."""


class Package(Resource):
    """A package of this host."""

    def __init__(
        self, title: str, parameters: Mapping[str, object], host: Host
    ) -> None:
        """Read what shall be; BadResource in Puppet's words."""
        super().__init__(Name("Package", title))
        for name in parameters:
            if name not in _TAKEN:
                raise BadResource(f"parameter '{name}' is not supported by reseal")
        self.package = text_of(parameters.get("name", title))
        if not _NAME.fullmatch(self.package):
            raise BadResource(f"{self.package!r} is no name of a package")
        self.ensure = text_of(parameters.get("ensure", "present"))
        self.packages = _provider(parameters.get("provider"), host)

    def properties(self) -> Sequence[Property]:
        return [_Ensure(self)]


class _Ensure(Property):
    def __init__(self, resource: Package) -> None:
        super().__init__("ensure", resource.ensure)
        self.resource = resource
        self._wanted = resource.ensure

    def retrieve(self) -> str:
        try:
            if self.should == "latest":
                self._wanted = self.resource.packages.latest(self.resource.package)
            return self.resource.packages.version(self.resource.package)
        except ProgramFailed as error:
            raise ResourceFailed(str(error)) from None

    def in_sync(self, current: str) -> bool:
        if self.should in ("present", "installed"):
            return current != ABSENT
        if self.should in ("absent", "purged"):
            return current == ABSENT
        return current == self._wanted

    def sync(self) -> None:
        packages, name = self.resource.packages, self.resource.package
        try:
            if self.should in ("absent", "purged"):
                packages.remove(name, purge=self.should == "purged")
            elif self.should in ("present", "installed", "latest"):
                packages.install(name, None)
            else:
                packages.install(name, self.should)
        except ProgramFailed as error:
            raise ResourceFailed(str(error)) from None

    def told(self, current: str) -> str:
        if self.should in ("absent", "purged"):
            return "removed"
        if current == ABSENT:
            return "created"
        return f"ensure changed '{current}' to '{self._wanted}'"


def _provider(name: object, host: Host) -> Packages:
    if name is not None and name not in PROVIDERS:
        raise BadResource(f"Invalid package provider '{name}'")
    for each, (provider, program) in PROVIDERS.items():
        if (name is None or name == each) and host.is_program(program):
            return provider(host)
    text = f"Provider {name or 'apt or dnf'} is not functional on this host"
    raise UnusableProvider(text)
