"""A CA behind its API."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from serverconf import Place, place_in
from serverscene import Fixed, Scene, make_authority

from reseal.server.options import CaOptions
from reseal.x509 import der, keys, pem
from reseal.x509.csr import build_request

NOW = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_authority(tmp_path_factory.mktemp("template") / "ca", NOW)


@pytest.fixture(scope="session")
def template_of_today(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CA for real handshakes, which go by the real clock."""
    now = datetime.now(UTC)
    return make_authority(tmp_path_factory.mktemp("today") / "ca", now)


@pytest.fixture
def today(template_of_today: Path, tmp_path: Path) -> Scene:
    cadir = Path(shutil.copytree(template_of_today, tmp_path / "ca"))
    return Scene(cadir, Fixed(datetime.now(UTC)), CaOptions())


@pytest.fixture
def scene(template: Path, tmp_path: Path) -> Scene:
    cadir = Path(shutil.copytree(template, tmp_path / "ca"))
    return Scene(cadir, Fixed(NOW), CaOptions())


@pytest.fixture(scope="session")
def weak() -> Callable[[str], bytes]:
    """Make a request that is signed over SHA-1."""

    def make(name: str) -> bytes:
        private = ec.generate_private_key(ec.SECP256R1())
        request = build_request(keys.LocalSigner(private), name)
        info = der.parse(request.der).children()[0].raw
        algorithm = der.sequence(der.oid("1.2.840.10045.4.1"))
        signature = der.bit_string(private.sign(info, ec.ECDSA(hashes.SHA1())))
        return pem.encode(
            "CERTIFICATE REQUEST", der.sequence(info, algorithm, signature)
        )

    return make


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return place_in(tmp_path)
