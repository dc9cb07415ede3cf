"""Read the parts of a CA to be imported, and tell every fault of them at once.

Sources: puppetserver-ca-cli, `x509_loader.rb`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from reseal import files
from reseal.ca.takeover import Material
from reseal.errors import FaultsError, ResealError
from reseal.x509 import bundle, keys


def read_material(
    private_key: Path, cert_bundle: Path, crl_chain: Path, passphrase_file: Path | None
) -> Material:
    """Return what was read of these files, each of which is what it should be.

    Raises:
        FaultsError: Some are missing or something else; each is named.
    """
    faults: list[str] = []
    opened = None
    if passphrase_file is not None:
        opened = _read(passphrase_file, _anything, faults).strip()
    material = Material(
        _read(private_key, partial(keys.load_private, passphrase=opened), faults),
        _read(cert_bundle, bundle.load_certificates, faults),
        _read(crl_chain, _lists, faults),
        opened,
    )
    if faults:
        raise FaultsError("the CA cannot be imported", faults)
    return material


def _read(path: Path, parse: Callable[[bytes], object], faults: list[str]) -> bytes:
    try:
        data = files.read(path)
    except ResealError as error:
        faults.append(str(error))
        return b""
    try:
        parse(data)
    except ResealError as error:
        faults.append(f"{path}: {error}")
    return data


def _anything(data: bytes) -> None:
    """Take any bytes."""


def _lists(data: bytes) -> None:
    """Take no list at all too: the CA's own is then made."""
    if data.strip():
        bundle.load_crls(data)
