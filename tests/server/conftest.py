"""A CA behind its API."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from serverconf import Place, place_in
from serverscene import HOST, NODE, WEB, Fixed, Scene

from reseal import files
from reseal.ca.authority import load
from reseal.ca.profile import Profile
from reseal.ca.setup import ServerLeaf, new_authority
from reseal.ca.sign import generate
from reseal.certname import Certname
from reseal.server.options import CaOptions
from reseal.store import open_cadir
from reseal.x509 import der, keys, pem
from reseal.x509.csr import build_request

NOW = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    cadir = tmp_path_factory.mktemp("template") / "ca"
    key = keys.generate("rsa:2048")
    made = new_authority(
        shape="single",
        ruby=False,
        ca_name="Puppet CA: test",
        root_name=None,
        signer=keys.LocalSigner(key),
        root_signer=None,
        server=ServerLeaf(Certname(HOST), NODE.public_key),
        ttl=timedelta(days=1825),
        now=NOW - timedelta(hours=1),
    )
    (cadir / "signed").mkdir(parents=True)
    (cadir / "requests").mkdir()
    for name, content in made.files.items():
        files.replace(cadir / name, content, mode=0o644)
    files.replace(cadir / "ca_key.pem", keys.dump_private(key), mode=0o640)
    generate(
        load(cadir, open_cadir(cadir)),
        WEB,
        NODE.public_key,
        profile=Profile(timedelta(days=1825)),
        clock=Fixed(NOW),
        alt_names=(f"DNS:{WEB}",),
    )
    return cadir


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
