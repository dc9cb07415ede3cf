"""Infrastructure nodes: who they are, and the serial numbers they were given.

Sources: Puppet Server, `certificate_authority.clj` (`infra_inventory.txt`,
`infra_serials`; `enable-infra-crl`).
"""

from __future__ import annotations

from pathlib import Path

from reseal import files
from reseal.certname import Certname
from reseal.errors import NotFound, StoreCorrupt
from reseal.store.formats import parse_lines, render_infra_serials


def note_infra(cadir: Path, certname: Certname, serial: int, *, mode: int) -> None:
    """Add a new serial number of an infrastructure node, as Puppet Server 8 does.

    Args:
        cadir: Of a CA that may have no such nodes; its lock is held.
        certname: Of any node.
        serial: The node's.
        mode: Permission bits of the file.
    """
    try:
        listed = parse_lines(files.read(f"{cadir}/infra_inventory.txt"))
    except NotFound:
        return
    if certname in listed:
        serials = infra_serials(cadir) | {serial}
        path = cadir / "infra_serials"
        files.replace(path, render_infra_serials(serials), mode=mode)


def infra_serials(cadir: Path) -> frozenset[int]:
    """Return the serial numbers of infrastructure nodes.

    Raises:
        StoreCorrupt: The file holds something else.
    """
    path = cadir / "infra_serials"
    try:
        return frozenset(int(line) for line in parse_lines(files.read(path)))
    except NotFound:
        return frozenset()
    except ValueError:
        raise StoreCorrupt(f"{path}: not decimal serial numbers") from None
