"""What the primary server's side was told to do, as frozen values.

Sources: docs/reference/server-settings.md, `[primary]`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Literal

from reseal.settings import PuppetSettings

_DATA = Path("/var/lib/reseal-server")
Source = Literal["none", "static", "puppet", "proxy"]


@dataclass(frozen=True, slots=True)
class PrimaryOptions:
    """What nodes get for their runs.

    Attributes:
        catalogs: Where catalogs come from; `none` serves the CA alone.
        folder: Of `static`; None is `catalogs` in the confdir.
        puppet: Of `puppet`: the program.
        codedir: Of `puppet`: where environments are; None is Puppet's own place.
        url: Of `proxy`: the Puppet Server behind.
        timeout: How long a catalog may take.
        at_once: How many are compiled at once.
        data: Where facts, reports and the file bucket are kept; None is
            `/var/lib/reseal-server`, or beside the confdir of a user.
        reports: How many reports of each node are kept.
        body_limit: Bytes of the largest body that a node may send for its run.
        free_space: Bytes of the disk that stay free.
    """

    catalogs: Source = "none"
    folder: Path | None = None
    puppet: str = "puppet"
    codedir: Path | None = None
    url: str = ""
    timeout: timedelta = timedelta(minutes=5)
    at_once: int = 2
    data: Path | None = None
    reports: int = 30
    body_limit: int = 64 * 1024 * 1024
    free_space: int = 256 * 1024 * 1024

    @property
    def serves_runs(self) -> bool:
        """Whether nodes get anything for their runs."""
        return self.catalogs != "none"


def folder_of(options: PrimaryOptions, settings: PuppetSettings) -> Path:
    """Return where static catalogs are."""
    return options.folder or settings.confdir / "catalogs"


def data_of(options: PrimaryOptions, settings: PuppetSettings) -> Path:
    """Return where facts, reports and the file bucket are kept."""
    system = settings.confdir.is_relative_to("/etc")
    return options.data or (_DATA if system else settings.confdir / "reseal")
