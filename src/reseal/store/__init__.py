"""The CA's durable memory; `protocol` is the door, and `open_cadir` the factory."""

from __future__ import annotations

from pathlib import Path

from reseal import files
from reseal.errors import NotFound
from reseal.store.cadir import CadirStore
from reseal.store.formats import HexCase, Serials
from reseal.store.protocol import Store
from reseal.x509 import pem

RUBY_COMMENT = b"Puppet Ruby/OpenSSL Internal Certificate"
"""What Puppet's Ruby CA writes into each certificate, its own too."""


def open_cadir(
    cadir: Path, hex_case: HexCase | None = None, serials: Serials = "sequential"
) -> Store:
    """Return the store in one of Puppet's cadirs.

    Args:
        cadir: The directory; it may still be empty.
        hex_case: How the inventory has hexadecimal; None finds out from the CA.
        serials: How serial numbers are chosen.
    """
    return CadirStore(cadir, hex_case or hex_case_of(cadir), serials)


def hex_case_of(cadir: Path) -> HexCase:
    """Return `lower` for a CA that the Ruby CA made and keeps, else `upper`."""
    try:
        bundle = pem.decode(files.read(cadir / "ca_crt.pem"))
    except NotFound:
        return "upper"
    ruby = bool(bundle) and RUBY_COMMENT in bundle[0].der
    return "lower" if ruby and not (cadir / "infra_crl.pem").exists() else "upper"
