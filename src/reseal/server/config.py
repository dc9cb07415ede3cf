"""Everything a server is told, from all files, as options that know their sources.

Layers, the later before the earlier: Puppet's and reseal's defaults, puppet.conf,
Puppet Server's conf.d, reseal.toml, the command line.  Guarantee: settings that
contradict each other or their types stop here, all at once and each with its file;
a setting that has no effect is named.

Sources: Puppet Server, `puppetserver.conf`, `ca.conf`, `auth.conf`, `webserver.conf`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reseal import files
from reseal.errors import NotFound, SettingsError
from reseal.primary.options import PrimaryOptions
from reseal.server import access, authconf
from reseal.server.caconf import read_ca_conf
from reseal.server.findings import Findings
from reseal.server.hocon import Conf, dotted, read_confd
from reseal.server.layers import DEFAULT, Layer, Setting, defaults, layer_of
from reseal.server.options import CaOptions, ListenerOptions, Options, TlsFiles
from reseal.server.ownfile import NAME, read_command_line, read_own_file
from reseal.server.puppetconf import (
    FILES,
    puppet_layer,
    read_sources,
    warn_of_puppet_conf,
)
from reseal.server.unused import reason
from reseal.server.webserverconf import read_webserver_conf
from reseal.settings import Flavour, PuppetSettings, load_settings
from reseal.x509.oidmapping import read_oid_mapping

_HEADERS = ("authorization", "allow-header-cert-info")
_PROXY_HINT = (
    "headers are believed only from named proxies, as anybody can send headers: "
    "list the proxies' addresses in reseal.toml, [listener], proxies"
)
_OF_SOURCE = {
    "folder": ("static",),
    "puppet": ("puppet",),
    "codedir": ("puppet",),
    "at_once": ("puppet",),
    "url": ("proxy",),
    "timeout": ("puppet", "proxy"),
    "data": ("static", "puppet", "proxy"),
    "reports": ("static", "puppet", "proxy"),
    "body_limit": ("static", "puppet", "proxy"),
    "free_space": ("static", "puppet", "proxy"),
}
"""Settings of the primary's side that mean something with some sources only."""

_MOUNTS = {
    "puppetlabs.services.ca.certificate-authority-service/"
    "certificate-authority-service": "/puppet-ca",
    "puppetlabs.trapperkeeper.services.status.status-service/status-service": "/status",
}


@dataclass(frozen=True, slots=True)
class Given:
    """What the command line says.

    Attributes:
        puppet: Settings of puppet.conf, `confdir` among them, as text.
        options: `listener.port` and the like, of reseal.toml's types.
        file: Where reseal.toml is; it must be there.  None for the usual place,
            where it may be missing.
    """

    puppet: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, object] = field(default_factory=dict)
    file: Path | None = None


@dataclass(frozen=True, slots=True)
class Config:
    """A server's settings in force.

    Attributes:
        options: For the server.
        tls: Certificate, key, CA certificates and revocation lists.
        puppet: puppet.conf, read.
        settings: Every setting in force, in the order of reseal.toml.
        rules_source: Where the rules are from.
        warnings: What is unknown or not obeyed.
        unused: What has no bearing on a CA.
    """

    options: Options
    tls: TlsFiles
    puppet: PuppetSettings
    settings: tuple[Setting, ...]
    rules_source: str = DEFAULT
    warnings: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()


def confd_of(flavour: Flavour, confdir: str | None = None) -> Path | None:
    """Return Puppet Server's conf.d, or None if there is none.

    Args:
        flavour: How Puppet is packaged.
        confdir: What the command line says instead of the flavour's.
    """
    if confdir is not None and Path(confdir) != flavour.confdir:
        found = Path(confdir) / "puppetserver/conf.d"
    elif flavour.cadir is not None:
        found = flavour.cadir.parent / "conf.d"
    else:
        found = flavour.confdir / "puppetserver/conf.d"
    return found if found.is_dir() else None


def load_config(
    flavour: Flavour, *, certname: str, given: Given | None = None
) -> Config:
    """Read every file of settings.

    Args:
        flavour: How Puppet is packaged.
        certname: The machine's name, for when puppet.conf gives none.
        given: What the command line says.

    Raises:
        SettingsError: Every fault of every file.
        StoreError: A file cannot be read.
    """
    told, findings = given or Given(), Findings()
    conf = read_confd(confd_of(flavour, told.puppet.get("confdir")), findings)
    puppet, layer = _puppet(flavour, certname, told, conf, findings)
    rules, rules_source = _rules(conf, puppet, findings)
    layer |= _trust(puppet) | _confd(conf, puppet, layer, findings)
    own = told.file or puppet.confdir / NAME
    try:
        layer |= read_own_file(own, findings).layer
    except NotFound:
        if told.file is not None:
            raise
    except SettingsError as error:
        findings.take(error)
    layer |= read_command_line(told.options, findings)
    _warn_of_the_rest(conf, findings)
    warn_of_puppet_conf(puppet.confdir, findings)
    _check(layer, findings)
    findings.check()
    return _config(layer, puppet, rules, rules_source, findings)


def _puppet(
    flavour: Flavour, certname: str, told: Given, conf: Conf, findings: Findings
) -> tuple[PuppetSettings, Layer]:
    """Read puppet.conf, of the confdir that the command line or conf.d names."""
    overrides = dict(told.puppet)
    for name in ("server-conf-dir", "master-conf-dir"):
        confdir = conf.string("jruby-puppet", name)
        if confdir and Path(confdir) != flavour.confdir:
            overrides.setdefault("confdir", confdir)
    try:
        puppet = load_settings(flavour, certname=certname, overrides=overrides)
        sources = read_sources(puppet.confdir, told.puppet)
    except SettingsError as error:
        findings.take(error)
        findings.check()
        raise
    return puppet, defaults() | puppet_layer(puppet, sources, findings)


def _trust(puppet: PuppetSettings) -> Layer:
    """Return what clients are held to: the CA's files, not the host's copies.

    A copy would lag behind a revocation until the host's own agent fetches it.
    """
    own = {
        "localcacert": puppet.cadir / "ca_crt.pem",
        "hostcrl": puppet.cadir / "ca_crl.pem",
    }
    return layer_of(DEFAULT, own)


def _rules(
    conf: Conf, puppet: PuppetSettings, findings: Findings
) -> tuple[tuple[access.Rule, ...], str]:
    path, names = puppet.trusted_oid_mapping_file, dict[str, str]()
    try:
        text = files.read(path).decode("utf-8", "replace")
        names = read_oid_mapping(text, str(path))
    except NotFound:
        pass
    except SettingsError as error:
        findings.take(error)
    first = authconf.legacy_rules(conf)
    found = authconf.read_rules(conf, names)
    leaf = conf.leaf(authconf.SECTION, "rules")
    source = str(leaf.file) if leaf else DEFAULT
    return (*first, *(access.DEFAULT if found is None else found)), source


def _confd(
    conf: Conf, puppet: PuppetSettings, below: Layer, findings: Findings
) -> Layer:
    """Return what conf.d sets, with a warning where puppet.conf says it too."""
    layer = read_ca_conf(conf, puppet.cadir) | read_webserver_conf(conf)
    headers, leaf = conf.boolean(*_HEADERS), conf.leaf(*_HEADERS)
    if headers is not None and leaf is not None:
        name = "listener.allow_header_cert_info"
        layer[name] = Setting(name, headers, str(leaf.file))
    said, now = below["ca.ca_ttl"], layer.get("ca.ca_ttl")
    if now is not None and said.source != DEFAULT:
        text = f"ca_ttl: is not obeyed: ca-ttl in {now.source} goes before it"
        findings.warn(said.source, text)
    return layer


def _warn_of_the_rest(conf: Conf, findings: Findings) -> None:
    """Name what conf.d sets and nobody asked for."""
    for mount, usual in _MOUNTS.items():
        leaf = conf.leaf("web-router-service", mount)
        if leaf is not None and leaf.value != usual:
            text = f"web-router-service: {mount}: is not obeyed: it is {usual}"
            findings.warn(leaf.file, text)
    idle: dict[tuple[Path, str, str], None] = {}
    for key, leaf in conf.left():
        known = reason(key)
        if known is None:
            findings.warn(leaf.file, f"{dotted(key)}: is unknown and has no effect")
        else:
            idle[leaf.file, dotted(known[0]), known[1]] = None
    for file, name, why in idle:
        findings.ignore(file, f"{name}: not used by reseal: {why}")


def _check(layer: Layer, findings: Findings) -> None:
    """Find settings that do not go together."""
    headers = layer["listener.allow_header_cert_info"]
    if headers.value and not layer["listener.proxies"].value:
        text = "listener.allow_header_cert_info: needs proxies, and there are none"
        findings.fault(headers.source, text, _PROXY_HINT)
    tls = layer["listener.tls"]
    if not tls.value and not headers.value:
        text = (
            "listener.tls: without TLS and without allow_header_cert_info nobody can "
            "prove a name; only what needs none is answered"
        )
        findings.warn(tls.source, text)
    _check_primary(layer, findings)


def _check_primary(layer: Layer, findings: Findings) -> None:
    """Find settings of the primary's side that are missing, or of another source."""
    chosen = layer["primary.catalogs"]
    if chosen.value == "proxy" and not layer["primary.url"].value:
        text = "primary.catalogs: a proxy needs primary.url, the server behind"
        findings.fault(chosen.source, text)
    for name, sources in _OF_SOURCE.items():
        setting = layer[f"primary.{name}"]
        if setting.source != DEFAULT and chosen.value not in sources:
            text = f"{setting.name}: has no effect: catalogs is {chosen.value}"
            findings.warn(setting.source, text)


def _config(
    layer: Layer,
    puppet: PuppetSettings,
    rules: tuple[access.Rule, ...],
    rules_source: str,
    findings: Findings,
) -> Config:
    def part(prefix: str) -> dict[str, Any]:
        return {
            name.removeprefix(prefix): setting.value
            for name, setting in layer.items()
            if name.startswith(prefix)
        }

    options = Options(
        CaOptions(**part("ca.")),
        ListenerOptions(**part("listener.")),
        PrimaryOptions(**part("primary.")),
        rules,
    )
    paths: dict[str, Any] = {name: layer[name].value for name in FILES}
    return Config(
        options,
        TlsFiles(**paths),
        puppet,
        tuple(layer.values()),
        rules_source,
        tuple(findings.warnings),
        tuple(findings.unused),
    )
