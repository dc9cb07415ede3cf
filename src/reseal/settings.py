"""What puppet.conf says, with Puppet's own defaults for what it does not.

Guarantee: a value here is the one Puppet's tools would use: same sections, same
precedence, same interpolation, same default paths for each way Puppet is packaged.
Settings that reseal has no use for are ignored.

Sources: Puppet, `defaults.rb` and `settings/ini_file.rb`; puppetserver-ca-cli,
`puppet_config.rb` (agent < main < master < server, ca_ttl 15y for a new CA).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

from reseal import files
from reseal.certname import Certname
from reseal.durations import parse as parse_duration
from reseal.errors import NotFound, ParseError, ResealError, SettingsError

Mode = Literal["server", "agent"]
SECTIONS: dict[Mode, tuple[str, ...]] = {
    "server": ("agent", "main", "master", "server"),
    "agent": ("main", "agent"),
}
"""The sections each kind of program reads; what stands later wins."""

_SECTION = re.compile(r"\[(\w+)\]")
_SETTING = re.compile(r"(\w+)\s*=\s*(.*?)\s*(?:\{\s*\w+\s*=[^}]*\})?")
_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")


@dataclass(frozen=True, slots=True)
class Flavour:
    """Where a way of packaging Puppet puts things.

    Attributes:
        name: `aio` (Puppet's own packages) or `debian`, with `-user` for a user
            other than root, or `puppet3`.
        confdir: Puppet's configuration.
        ssldir: The node's certificates, unless puppet.conf says otherwise.
        cadir: Where Puppet Server 7 and later keep a CA; None before them.
    """

    name: str
    confdir: Path
    ssldir: Path
    cadir: Path | None


_AIO, _DEBIAN = Path("/etc/puppetlabs"), Path("/etc/puppet")
AIO = Flavour("aio", _AIO / "puppet", _AIO / "puppet/ssl", _AIO / "puppetserver/ca")
DEBIAN = Flavour(
    "debian", _DEBIAN, Path("/var/lib/puppet/ssl"), _DEBIAN / "puppetserver/ca"
)
PUPPET3 = Flavour("puppet3", _DEBIAN, Path("/var/lib/puppet/ssl"), None)


def flavour_for(home: Path | None) -> Flavour:
    """Return how Puppet is packaged here.

    Args:
        home: The home directory of a user who is not root; None for root.
    """
    debian = not _AIO.is_dir() and (_DEBIAN / "puppet.conf").exists()
    if home is None:
        return DEBIAN if debian else AIO
    if debian:
        confdir = home / ".puppet/etc"
        return Flavour("debian-user", confdir, confdir / "ssl", None)
    confdir = home / ".puppetlabs/etc/puppet"
    cadir = home / ".puppetlabs/etc/puppetserver/ca"
    return Flavour("aio-user", confdir, confdir / "ssl", cadir)


_DEFAULTS: dict[str, str] = {
    "server": "puppet",
    "serverport": "8140",
    "ca_server": "$server",
    "ca_port": "$serverport",
    "ca_name": "Puppet CA: $certname",
    "ca_ttl": "5y",
    "keylength": "4096",
    "dns_alt_names": "",
    "csr_attributes": "$confdir/csr_attributes.yaml",
    "trusted_oid_mapping_file": "$confdir/custom_trusted_oid_mapping.yaml",
    "autosign": "$confdir/autosign.conf",
    "allow_duplicate_certs": "false",
    "certificate_revocation": "chain",
    "certdir": "$ssldir/certs",
    "privatekeydir": "$ssldir/private_keys",
    "publickeydir": "$ssldir/public_keys",
    "requestdir": "$ssldir/certificate_requests",
    "hostcert": "$certdir/$certname.pem",
    "hostprivkey": "$privatekeydir/$certname.pem",
    "hostpubkey": "$publickeydir/$certname.pem",
    "localcacert": "$certdir/ca.pem",
    "hostcrl": "$ssldir/crl.pem",
    "user": "puppet",
    "group": "puppet",
}
_OLD_NAMES = {"masterport": "serverport"}


@dataclass(frozen=True, slots=True)
class PuppetSettings:
    """Puppet's settings that matter to certificates, under Puppet's own names.

    Attributes:
        ca_ttl: How long a certificate lives.
        ca_ttl_given: puppet.conf sets it; if not, a new CA lives 15 years.
        keylength: Bits of a new RSA key.
        dns_alt_names: As written, without `DNS:` where it was left out.
        autosign: `true`, `false` or a path.
    """

    certname: Certname
    confdir: Path
    ssldir: Path
    cadir: Path
    server: str
    ca_server: str
    ca_port: int
    ca_name: str
    ca_ttl: timedelta
    ca_ttl_given: bool
    keylength: int
    dns_alt_names: tuple[str, ...]
    csr_attributes: Path
    trusted_oid_mapping_file: Path
    autosign: str
    allow_duplicate_certs: bool
    certificate_revocation: str
    certdir: Path
    privatekeydir: Path
    publickeydir: Path
    requestdir: Path
    hostcert: Path
    hostprivkey: Path
    hostpubkey: Path
    localcacert: Path
    hostcrl: Path
    user: str
    group: str


def load_settings(
    flavour: Flavour,
    *,
    certname: str,
    mode: Mode = "server",
    overrides: Mapping[str, str] | None = None,
) -> PuppetSettings:
    """Read puppet.conf of a flavour's confdir; without the file, the defaults.

    Args:
        flavour: How Puppet is packaged.
        certname: The machine's name, for when puppet.conf gives none.
        mode: Whose sections count.
        overrides: Settings from the command line; they win over the file.

    Raises:
        SettingsError: Every fault of the file, with its line.
    """
    given = dict(overrides or {})
    path = Path(given.get("confdir", flavour.confdir)) / "puppet.conf"
    try:
        sections = parse_puppet_conf(files.read(path).decode("utf-8", "replace"), path)
    except NotFound:
        sections = {}
    confdir, ssldir = str(path.parent), str(flavour.ssldir)
    if "confdir" in given and flavour.ssldir.is_relative_to(flavour.confdir):
        ssldir = str(path.parent / flavour.ssldir.relative_to(flavour.confdir))
    values = {**_DEFAULTS, "confdir": confdir, "ssldir": ssldir, "certname": certname}
    for section in SECTIONS[mode]:
        values.update(sections.get(section, {}))
    values.update(given)
    values["certname"] = values["certname"].lower()
    set_by_site = {"cadir", "ca_ttl"} & {
        name for section in SECTIONS[mode] for name in sections.get(section, {})
    } | set(given)
    return _Reader(values, path).settings(flavour, set_by_site)


def parse_puppet_conf(text: str, path: Path) -> dict[str, dict[str, str]]:
    """Return section, setting, value as they stand in the file.

    Args:
        text: The file's content.
        path: Where it came from, for messages.

    Raises:
        SettingsError: Lines that are neither section, setting, comment nor blank.
    """
    sections: dict[str, dict[str, str]] = {"main": {}}
    current, faults = "main", []
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if not line or line.startswith(("#", ";")):
            continue
        if section := _SECTION.match(line):
            current = section[1]
            sections.setdefault(current, {})
        elif setting := _SETTING.fullmatch(line):
            name = _OLD_NAMES.get(setting[1], setting[1])
            sections[current][name] = setting[2].strip("'\"")
        else:
            faults.append(f"line {number}: not a setting: {line!r}")
    if faults:
        raise SettingsError(str(path), faults)
    return sections


@dataclass(frozen=True, slots=True)
class _Reader:
    """Turns the merged text values into typed settings, collecting every fault."""

    values: dict[str, str]
    path: Path

    def settings(self, flavour: Flavour, given: set[str]) -> PuppetSettings:
        faults: list[str] = []
        fields: dict[str, Any] = {"ca_ttl_given": "ca_ttl" in given}
        for name, kind in PuppetSettings.__annotations__.items():
            if name in fields or (name == "cadir" and "cadir" not in given):
                continue
            try:
                fields[name] = self._typed(kind, self.text(name))
            except (ResealError, ValueError) as error:
                faults.append(f"{name}: {error}")
        if faults:
            raise SettingsError(str(self.path), faults)
        if "cadir" not in given:
            fields["cadir"] = default_cadir(fields["ssldir"], flavour)
        return PuppetSettings(**fields)

    def text(self, name: str, seen: tuple[str, ...] = ()) -> str:
        """Return a setting with every `$variable` in it replaced."""
        if name in seen:
            raise ParseError(f"refers to itself through ${name}")
        if name not in self.values:
            raise ParseError(f"refers to ${name}, which reseal does not know")
        return _VARIABLE.sub(
            lambda found: self.text(found[1] or found[2], (*seen, name)),
            self.values[name],
        )

    def _typed(self, kind: str, text: str) -> object:
        if kind == "Path":
            return Path(text).expanduser().absolute()
        if kind == "Certname":
            return Certname(text)
        if kind == "timedelta":
            return parse_duration(text)
        if kind == "bool":
            return _boolean(text)
        if kind.startswith("tuple"):
            return tuple(part.strip() for part in text.split(",") if part.strip())
        return int(text) if kind == "int" else text


def default_cadir(ssldir: Path, flavour: Flavour) -> Path:
    """Return where the CA is when puppet.conf does not say.

    A directory `$ssldir/ca` is used wherever it exists, and a link there followed;
    without it the CA is outside the ssldir where Puppet Server is installed.
    """
    inside = ssldir / "ca"
    if inside.is_dir():
        return inside.resolve()
    if flavour.cadir and flavour.cadir.parent.is_dir():
        return flavour.cadir
    return inside


def _boolean(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ParseError(f"{text!r} is neither true nor false")
    return text.lower() == "true"
