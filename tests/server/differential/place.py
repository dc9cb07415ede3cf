"""A configuration as files: the same ones for Puppet Server and for reseal.

Sources: Puppet Server, documentation of ca.conf and auth.conf (settings of several
files are merged).
"""

from __future__ import annotations

from .model import Configuration

EXTRA = "differential.conf"
"""Name of the file in conf.d that goes beside those that are shipped."""


def puppet_settings(found: Configuration) -> str:
    """Return lines for the section [server] of puppet.conf."""
    return "".join(f"{name} = {value}\n" for name, value in found.puppet.items())


def ca_conf(found: Configuration, version: int) -> str:
    """Return ca.conf; it takes the place of the one that is shipped."""
    settings = {**found.ca, **(found.ca8 if version >= 8 else {})}
    lines = "".join(f"    {name}: {value}\n" for name, value in settings.items())
    return f"certificate-authority: {{\n{lines}}}\n"


def extra_conf(found: Configuration) -> str:
    """Return the file that is read beside auth.conf."""
    text = "authorization: {\n    allow-header-cert-info: true\n}\n"
    return text if found.headers else ""


def infra_inventory(found: Configuration) -> str:
    """Return the names of infrastructure nodes, one in a line."""
    return "".join(f"{name}\n" for name in found.infra)
