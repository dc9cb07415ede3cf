"""What puppet.conf says, with Puppet's own defaults for what it does not.

Guarantee: a value here is the one Puppet's tools would use: same sections, same
precedence, same interpolation, same default paths for each way Puppet is packaged.
Settings that reseal has no use for are ignored.

Sources: Puppet, `defaults.rb` and `settings/ini_file.rb`; puppetserver-ca-cli,
`puppet_config.rb` (agent < main < master < server, ca_ttl 15y for a new CA).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from reseal import files
from reseal.certname import Certname
from reseal.errors import NotFound
from reseal.settingvalues import SECTIONS, KeyType, Mode, Values, parse_puppet_conf


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
    "key_type": "rsa",
    "named_curve": "prime256v1",
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


_CURVES = {"prime256v1": "secp256r1"}
"""OpenSSL's names of curves that have another by the standards."""


@dataclass(frozen=True, slots=True)
class PuppetSettings:
    """Puppet's settings that matter to certificates, under Puppet's own names.

    Attributes:
        ca_ttl: How long a certificate lives.
        ca_ttl_given: puppet.conf sets it; if not, a new CA lives 15 years.
        keylength: Bits of a new RSA key.
        key_type, named_curve: Of the host's own new key: `rsa`, or `ec` and its curve.
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
    key_type: KeyType
    named_curve: str
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

    @property
    def key_kind(self) -> str:
        """What a new key of the host is, as `keys.generate` takes it."""
        return key_kind(self.key_type, self.named_curve, self.keylength)


def key_kind(key_type: KeyType, named_curve: str, keylength: int) -> str:
    """Return what a new key of a host is, by Puppet's settings of these names."""
    if key_type == "ec":
        return f"ec:{_CURVES.get(named_curve, named_curve)}"
    return f"rsa:{keylength}"


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
    values = read_values(
        flavour, certname=certname, mode=mode, overrides=overrides or {}
    )
    known = {"ca_ttl_given"} | ({"cadir"} - values.given)
    fields = values.fields(PuppetSettings, leave=known)
    fields["ca_ttl_given"] = "ca_ttl" in values.given
    if "cadir" not in values.given:
        fields["cadir"] = default_cadir(fields["ssldir"], flavour)
    return PuppetSettings(**fields)


def read_values(
    flavour: Flavour,
    *,
    certname: str,
    mode: Mode,
    overrides: Mapping[str, str],
    defaults: Mapping[str, str] | None = None,
) -> Values:
    """Return what puppet.conf says, with Puppet's defaults, before it has types.

    Args:
        flavour: How Puppet is packaged.
        certname: The machine's name, for when puppet.conf gives none.
        mode: Whose sections count.
        overrides: Settings from the command line; they win over the file.
        defaults: Of settings that `PuppetSettings` does not have.

    Raises:
        SettingsError: Every fault of the file, with its line.
    """
    given = dict(overrides)
    path = Path(given.get("confdir", flavour.confdir)) / "puppet.conf"
    try:
        sections = parse_puppet_conf(files.read(path).decode("utf-8", "replace"), path)
    except NotFound:
        sections = {}
    confdir, ssldir = str(path.parent), str(flavour.ssldir)
    if "confdir" in given and flavour.ssldir.is_relative_to(flavour.confdir):
        ssldir = str(path.parent / flavour.ssldir.relative_to(flavour.confdir))
    values = {**_DEFAULTS, **(defaults or {}), "certname": certname}
    values |= {"confdir": confdir, "ssldir": ssldir}
    for section in SECTIONS[mode]:
        values.update(sections.get(section, {}))
    values.update(given)
    values["certname"] = values["certname"].lower()
    said = {name for each in SECTIONS[mode] for name in sections.get(each, {})}
    return Values(values, path, frozenset(said | set(given)))


def default_cadir(ssldir: Path, flavour: Flavour) -> Path:
    """Return where the CA is when puppet.conf does not say.

    A directory `$ssldir/ca` is used wherever it exists, and a link there followed;
    without it the CA is outside the ssldir where Puppet Server is installed.

    Raises:
        StoreError: This user may not look into the ssldir.
    """
    inside = ssldir / "ca"
    try:
        if inside.is_dir():
            return inside.resolve()
    except PermissionError as error:
        raise files.failed(inside, error) from error
    if flavour.cadir and flavour.cadir.parent.is_dir():
        return flavour.cadir
    return inside
