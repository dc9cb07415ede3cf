"""Wait until this node's agent has what it needs: its key, its certificate, a run.

Sources: `site/node/identity.rb` and `run.rb`, which do the same; Puppet,
`transaction/report.rb` (`last_run_summary.yaml`, `last_run_report.yaml`).
"""

from __future__ import annotations

import re
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

from reseal import files
from reseal.errors import NotFound, ResealError, StoreError
from reseal.x509.bundle import load_certificate
from reseal.x509.keys import PrivateKey, key_fingerprint, load_private

_PAUSE = 0.2
_CACHED = re.compile(rb"^cached_catalog_status: '?on_failure", re.MULTILINE)


def identity(
    key: Path, certificate: Path, limit: float, *, whole: bool
) -> dict[str, str | None]:
    """Wait for a node's key, and tell its fingerprint and the certificate (PEM).

    Args:
        key: The private key's file.
        certificate: The certificate's file.
        limit: Seconds to wait.
        whole: Wait for the certificate too.
    """
    end = time.monotonic() + limit
    while True:
        found, text = _key(key), _text(certificate)
        if (found and (not whole or _is_whole(text))) or time.monotonic() > end:
            break
        time.sleep(_PAUSE)
    return {
        "key": key_fingerprint(found.public_key()) if found else None,
        "certificate": text.decode(errors="replace") if text else None,
    }


def _key(path: Path) -> PrivateKey | None:
    """Return the key; None without it, or while it is still being written."""
    with suppress(ResealError):
        return load_private(files.read(path))
    return None


def _text(path: Path) -> bytes | None:
    with suppress(NotFound):
        return files.read(path) or None
    return None


def _is_whole(text: bytes | None) -> bool:
    with suppress(ResealError):
        return text is not None and load_certificate(text) is not None
    return False


def outcome(summary: Path, report: Path, mark: Path, limit: float) -> dict[str, Any]:
    """Wait for the end of an agent run that began after a mark was made.

    Args:
        summary: `last_run_summary.yaml`.
        report: `last_run_report.yaml`.
        mark: The file whose time counts.
        limit: Seconds to wait.

    Returns:
        `ended`; and if it is true `version` of its configuration, how many resources
        (`total`), how many of them `failed`, and whether a cached catalog was applied.
    """
    since, end = files.stamp(mark)[0], time.monotonic() + limit
    while not _is_newer(summary, since):
        if time.monotonic() > end:
            return {"ended": False}
        time.sleep(_PAUSE)
    told = _mapping(yaml.safe_load(files.read(summary)))
    counts = _mapping(told.get("resources"))
    version = _mapping(told.get("version")).get("config")
    newer = _is_newer(report, since)
    return {
        "ended": True,
        "version": None if version is None else str(version),
        "total": _number(counts, "total"),
        "failed": _number(counts, "failed") + _number(counts, "failed_to_restart"),
        "cached": newer and _CACHED.search(files.read(report)) is not None,
    }


def _is_newer(path: Path, since: int) -> bool:
    with suppress(StoreError):
        changed, _, size = files.stamp(path)
        return size > 0 and changed > since
    return False


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _number(counts: dict[str, Any], name: str) -> int:
    value = counts.get(name)
    return value if isinstance(value, int) else 0
