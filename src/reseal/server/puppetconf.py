"""puppet.conf, as far as a server goes by it, and what of it a server does not obey.

Values come from `reseal.settings`; here each gets its source, and every setting of
the file that has no effect is named.

Sources: Puppet, `defaults.rb`; Puppet Server, `ca.conf` (`ca-ttl` before `ca_ttl`).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from reseal import durations, files
from reseal.errors import NotFound
from reseal.server.findings import Findings
from reseal.server.layers import COMMAND_LINE, DEFAULT, Layer, Setting
from reseal.server.unused import ELSEWHERE, PUPPET
from reseal.settings import PuppetSettings
from reseal.settingvalues import SECTIONS, parse_puppet_conf

FILES = ("hostcert", "hostprivkey", "localcacert", "hostcrl")
"""The files of the server's own TLS, under Puppet's names."""

_CA = ("autosign", "allow_duplicate_certs", "ca_ttl")
_SHOWN = ("certname", "cadir", "ssldir", "trusted_oid_mapping_file")
_OLD_NAMES = ("masterport",)
_KNOWN = {*PuppetSettings.__annotations__, "serverport", *_OLD_NAMES}


def read_sources(confdir: Path, given: Mapping[str, str]) -> dict[str, str]:
    """Return where each setting of puppet.conf was said.

    Args:
        confdir: Where puppet.conf is; it may be missing.
        given: What the command line says instead.

    Raises:
        SettingsError: The file has lines that are no settings.
    """
    found: dict[str, str] = {}
    sections = _sections(confdir)
    for section in SECTIONS["server"]:
        for name in sections.get(section, {}):
            found[name] = f"puppet.conf [{section}]"
    return found | dict.fromkeys(given, COMMAND_LINE)


def puppet_layer(
    settings: PuppetSettings, sources: Mapping[str, str], findings: Findings
) -> Layer:
    """Return what puppet.conf sets; its defaults count as defaults.

    Args:
        settings: puppet.conf, read.
        sources: Where each setting was said.
        findings: Where faults go.
    """
    layer: Layer = {}
    for name in (*_CA, *FILES, *_SHOWN):
        shown = f"ca.{name}" if name in _CA else name
        value = getattr(settings, name)
        layer[shown] = Setting(shown, value, sources.get(name, DEFAULT))
    if settings.autosign.lower() in ("true", "false"):
        text = settings.autosign.lower()
        layer["ca.autosign"] = Setting("ca.autosign", text, layer["ca.autosign"].source)
    elif not Path(settings.autosign).is_absolute():
        text = f"autosign: {settings.autosign!r} is not true, false or an absolute path"
        findings.fault(sources.get("autosign", DEFAULT), text)
    if not 0 < settings.ca_ttl.total_seconds() <= durations.LONGEST.total_seconds():
        text = "ca_ttl: must be more than nothing and at most 50 years"
        findings.fault(sources.get("ca_ttl", DEFAULT), text)
    return layer


def warn_of_puppet_conf(confdir: Path, findings: Findings) -> None:
    """Name every setting of puppet.conf that has no effect on the server."""
    path = confdir / "puppet.conf"
    idle: list[str] = []
    for section, values in _sections(confdir).items():
        if section not in SECTIONS["server"]:
            if values:
                findings.ignore(path, f"[{section}]: no server reads this section")
            continue
        for name in values:
            if name in PUPPET:
                idle.append(name)
            elif name in ELSEWHERE:
                findings.warn(path, f"{name}: is not obeyed: {ELSEWHERE[name]}")
            elif name not in _KNOWN:
                findings.warn(path, f"{name}: is unknown and has no effect")
    if idle:
        names = ", ".join(sorted(set(idle)))
        findings.ignore(path, f"{names}: not used by reseal: not about a CA")


def _sections(confdir: Path) -> dict[str, dict[str, str]]:
    path = confdir / "puppet.conf"
    try:
        text = files.read(path).decode("utf-8", "replace")
    except NotFound:
        return {}
    return parse_puppet_conf(text, path)
