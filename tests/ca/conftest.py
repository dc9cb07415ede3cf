"""A CA to try things on, and cadirs of the real tools."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from scene import WEB, Fixed, Scene

from reseal import files
from reseal.ca.authority import Authority, load
from reseal.ca.newca import Leaf
from reseal.ca.profile import Profile
from reseal.ca.setup import new_authority
from reseal.ca.sign import generate
from reseal.certname import Certname
from reseal.store import open_cadir
from reseal.x509 import keys

GOLDEN = Path(__file__).parent.parent / "data" / "cadir"
NOW = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)


@pytest.fixture
def clock() -> Fixed:
    return Fixed(NOW)


@pytest.fixture(scope="session")
def ec_key() -> keys.PrivateKey:
    return keys.generate("ec:secp256r1")


@pytest.fixture(scope="session")
def node_key() -> keys.PrivateKey:
    return keys.generate("ec:secp256r1")


@pytest.fixture(scope="session")
def template_cadir(
    tmp_path_factory: pytest.TempPathFactory, ec_key: keys.PrivateKey
) -> Path:
    """A small EC CA, single root on the new layout, with a server's certificate."""
    cadir = tmp_path_factory.mktemp("template") / "ca"
    server = Leaf(Certname("puppet.example.com"), ec_key.public_key())
    made = new_authority(
        shape="single",
        ruby=False,
        ca=("Puppet CA: test", keys.LocalSigner(ec_key)),
        root=None,
        server=server,
        ttl=timedelta(days=1825),
        now=NOW - timedelta(hours=1),
    )
    (cadir / "signed").mkdir(parents=True)
    (cadir / "requests").mkdir()
    for name, content in made.files.items():
        files.replace(cadir / name, content, mode=0o644)
    files.replace(cadir / "ca_key.pem", keys.dump_private(ec_key), mode=0o640)
    return cadir


@pytest.fixture
def cadir(template_cadir: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(template_cadir, tmp_path / "ca"))


@pytest.fixture
def authority(cadir: Path) -> Authority:
    return load(cadir, open_cadir(cadir))


@pytest.fixture
def golden(tmp_path: Path) -> Callable[[str], Path]:
    """Return a copy of a real tool's cadir, with the modes it had."""

    def copy(name: str) -> Path:
        copied = Path(shutil.copytree(GOLDEN / name, tmp_path / name))
        for line in (GOLDEN / f"{name}.modes").read_text().splitlines():
            symbolic, _, path = line.partition(" ")
            bits = (symbolic[1:10][n] != "-" for n in range(9))
            mode = sum(1 << (8 - n) for n, bit in enumerate(bits) if bit)
            (copied / path).chmod(mode)
        return copied

    return copy


@pytest.fixture
def scene(
    authority: Authority,
    node_key: keys.PrivateKey,
    golden: Callable[[str], Path],
    clock: Fixed,
) -> Scene:
    profile = Profile(timedelta(days=1825))
    generate(authority, WEB, node_key.public_key(), profile=profile, clock=clock)
    return Scene(authority, node_key, golden("puppet-5.5"), clock)
