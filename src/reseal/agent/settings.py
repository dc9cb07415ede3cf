"""What an agent is told by puppet.conf and the command line, under Puppet's names.

Sources: Puppet 8, `defaults.rb`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from reseal.agent.servers import Address, Candidates, parse_server_list
from reseal.certname import Certname
from reseal.errors import ParseError, SettingsError
from reseal.settings import Flavour, key_kind, read_values
from reseal.settingvalues import KeyType, Values

_VARDIRS = {
    "aio": "/opt/puppetlabs/puppet/cache",
    "debian": "/var/cache/puppet",
    "puppet3": "/var/lib/puppet",
    "aio-user": "~/.puppetlabs/opt/puppet/cache",
    "debian-user": "~/.puppet/cache",
}
_RUNDIRS = {
    "aio": "/var/run/puppetlabs",
    "debian": "/run/puppet",
    "puppet3": "/var/run/puppet",
    "aio-user": "~/.puppetlabs/var/run",
    "debian-user": "~/.puppet/var/run",
}
_PUBLICDIRS = {
    "aio": "/opt/puppetlabs/puppet/public",
    "debian": "/var/cache/puppet/public",
    "puppet3": "$statedir",
    "aio-user": "~/.puppetlabs/opt/puppet/public",
    "debian-user": "~/.puppet/cache/public",
}
_DEFAULTS = {
    "server_list": "",
    "environment": "production",
    "key_type": "rsa",
    "named_curve": "prime256v1",
    "waitforcert": "2m",
    "maxwaitforcert": "unlimited",
    "ca_fingerprint": "",
    "ca_refresh_interval": "1d",
    "crl_refresh_interval": "1d",
    "hostcert_renewal_interval": "30d",
    "runinterval": "30m",
    "splay": "false",
    "splaylimit": "$runinterval",
    "noop": "false",
    "report": "true",
    "show_diff": "false",
    "statedir": "$vardir/state",
    "client_datadir": "$vardir/client_data",
    "clientbucketdir": "$vardir/clientbucket",
    "agent_catalog_run_lockfile": "$statedir/agent_catalog_run.lock",
    "agent_disabled_lockfile": "$statedir/agent_disabled.lock",
    "lastrunreport": "$statedir/last_run_report.yaml",
    "lastrunfile": "$publicdir/last_run_summary.yaml",
    "classfile": "$statedir/classes.txt",
    "pidfile": "$rundir/agent.pid",
    "ssl_lockfile": "$ssldir/ssl.lock",
}


@dataclass(frozen=True, slots=True)
class _Servers:
    """The settings that say who serves what."""

    server: str
    serverport: int
    ca_server: str
    ca_port: int
    server_list: str


@dataclass(frozen=True, slots=True)
class AgentSettings:
    """Settings of an agent.

    Attributes:
        servers, ca_servers: Of `server`, or `server_list`; and of `ca_server`.
        dns_alt_names: As written.
        certificate_revocation: `chain`, `true`, `leaf` or `false`.
        maxwaitforcert: A duration, or `unlimited`.
    """

    certname: Certname
    confdir: Path
    ssldir: Path
    servers: Candidates
    ca_servers: Candidates
    environment: str
    keylength: int
    key_type: KeyType
    named_curve: str
    dns_alt_names: str
    csr_attributes: Path
    trusted_oid_mapping_file: Path
    certificate_revocation: str
    ca_fingerprint: str
    waitforcert: timedelta
    maxwaitforcert: str
    ca_refresh_interval: timedelta
    crl_refresh_interval: timedelta
    hostcert_renewal_interval: timedelta
    hostcert: Path
    hostprivkey: Path
    hostpubkey: Path
    localcacert: Path
    hostcrl: Path
    certdir: Path
    privatekeydir: Path
    publickeydir: Path
    requestdir: Path
    ssl_lockfile: Path
    user: str
    group: str
    vardir: Path
    statedir: Path
    client_datadir: Path
    clientbucketdir: Path
    agent_catalog_run_lockfile: Path
    agent_disabled_lockfile: Path
    lastrunreport: Path
    lastrunfile: Path
    classfile: Path
    pidfile: Path
    runinterval: timedelta
    splay: bool
    splaylimit: timedelta
    noop: bool
    report: bool
    show_diff: bool

    @property
    def key_kind(self) -> str:
        """What a new key is, as `keys.generate` takes it."""
        return key_kind(self.key_type, self.named_curve, self.keylength)

    @property
    def revocation(self) -> str:
        """`chain`, `leaf` or nothing."""
        told = self.certificate_revocation.lower()
        return {"true": "chain", "chain": "chain", "leaf": "leaf"}.get(told, "")


_SERVERS = ("servers", "ca_servers")
NAMES = {*_Servers.__annotations__, *AgentSettings.__annotations__} - {*_SERVERS}
"""Puppet's names of every setting that an agent reads."""


def load_agent_settings(
    flavour: Flavour, *, certname: str, overrides: Mapping[str, str]
) -> AgentSettings:
    """Read puppet.conf as an agent does.

    Args:
        flavour: How Puppet is packaged.
        certname: The machine's name, for when puppet.conf gives none.
        overrides: Settings of the command line.

    Raises:
        SettingsError: Every fault of the file, with its line.
    """
    values = _values(flavour, certname, overrides)
    servers = _candidates(values)
    return AgentSettings(**servers, **values.fields(AgentSettings, leave=_SERVERS))


def agent_fields(
    flavour: Flavour, *, certname: str, overrides: Mapping[str, str]
) -> dict[str, Any]:
    """Return every setting that an agent reads, by Puppet's names, in its type.

    Args and errors are those of `load_agent_settings`.
    """
    values = _values(flavour, certname, overrides)
    return {
        **values.fields(_Servers),
        **values.fields(AgentSettings, leave=_SERVERS),
    }


def _values(flavour: Flavour, certname: str, overrides: Mapping[str, str]) -> Values:
    places = {
        "vardir": _VARDIRS.get(flavour.name, _VARDIRS["aio"]),
        "rundir": _RUNDIRS.get(flavour.name, _RUNDIRS["aio"]),
        "publicdir": _PUBLICDIRS.get(flavour.name, _PUBLICDIRS["aio"]),
    }
    return read_values(
        flavour,
        certname=certname,
        mode="agent",
        overrides=overrides,
        defaults={**_DEFAULTS, **places},
    )


def _candidates(values: Values) -> dict[str, Any]:
    """Return who serves what; a CA's server that is told by name is no list's."""
    told = values.fields(_Servers)
    one = Candidates((Address(told["server"], told["serverport"]),), listed=False)
    ca = Candidates((Address(told["ca_server"], told["ca_port"]),), listed=False)
    try:
        found = parse_server_list(told["server_list"], told["serverport"])
    except ParseError as error:
        raise SettingsError(str(values.path), [f"server_list: {error}"]) from None
    if not found:
        return {"servers": one, "ca_servers": ca}
    by_name = "ca_server" in values.given
    listed = Candidates(found)
    return {"servers": listed, "ca_servers": ca if by_name else listed}
