"""The factory of the primary server's room: picks what is behind its door.

Sources: docs/reference/server-settings.md, `[primary]`.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path

from reseal.clock import Clock
from reseal.primary.behind import Behind
from reseal.primary.compiler import Compiler
from reseal.primary.endpoints import Compiling
from reseal.primary.mounts import Mounts, read_fileserver_conf
from reseal.primary.options import PrimaryOptions, data_of, folder_of
from reseal.primary.protocol import Catalogs, Primary
from reseal.primary.records import Records
from reseal.primary.static import StaticCatalogs
from reseal.settings import PuppetSettings

_AIO = Path("/etc/puppetlabs/puppet")


def make_primary(
    options: PrimaryOptions,
    settings: PuppetSettings,
    context: Callable[[], ssl.SSLContext],
    clock: Clock,
) -> Primary | None:
    """Return what answers nodes, or None if only the CA is served.

    Args:
        options: What the server was told.
        settings: puppet.conf, read.
        context: Makes TLS for a server behind this one.
        clock: The time now.
    """
    if not options.serves_runs:
        return None
    records = records_of(options, settings, clock)
    if options.catalogs == "proxy":
        return Behind(options.url, context, options.timeout, records)
    extra = read_fileserver_conf(settings.confdir / "fileserver.conf")
    catalogs = _catalogs(options, settings)
    return Compiling(catalogs, Mounts(catalogs, extra), records, settings.certname)


def records_of(
    options: PrimaryOptions, settings: PuppetSettings, clock: Clock
) -> Records:
    """Return what is kept of nodes."""
    root = data_of(options, settings)
    return Records(root, options.reports, options.free_space, clock)


def _catalogs(options: PrimaryOptions, settings: PuppetSettings) -> Catalogs:
    if options.catalogs == "static":
        return StaticCatalogs(folder_of(options, settings))
    aio = settings.confdir == _AIO
    usual = settings.confdir.parent / "code" if aio else settings.confdir / "code"
    return Compiler(
        command=options.puppet,
        confdir=settings.confdir,
        codedir=options.codedir or usual,
        timeout=options.timeout,
        at_once=options.at_once,
    )
