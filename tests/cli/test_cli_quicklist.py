"""A list of many certificates says the same from its index as from the files."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cahost import CaHost
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from reseal.ca.authority import load
from reseal.ca.profile import Profile
from reseal.ca.sign import generate, revoke_name
from reseal.certname import Certname
from reseal.clock import SystemClock
from reseal.store import open_cadir
from reseal.x509 import keys, oids
from reseal.x509.certexts import text_extension
from reseal.x509.certificate import to_pem

COUNT = 110
"""More than are read anew each time."""

KEY = keys.generate("ec:secp256r1").public_key()
ROLE = text_extension(oids.PP_AUTH_ROLE, "web")


@pytest.fixture(scope="session")
def grown(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CA with many certificates, among them such as lists tell more of."""
    root = Path(shutil.copytree(made, tmp_path_factory.mktemp("grown") / "stage"))
    cadir, clock = root / "ssl/ca", SystemClock()
    authority = load(cadir, open_cadir(cadir))
    profile = Profile(timedelta(days=100), authority.layout.dialect)

    def issue(name: str, **more: Any) -> None:
        generate(authority, Certname(name), KEY, profile=profile, clock=clock, **more)

    for number in range(COUNT):
        issue(f"n{number:03d}.example.com")
    issue("role.example.com", extensions=(ROLE,))
    issue("names.example.com", alt_names=("DNS:a.example.com", "IP:192.0.2.1"))
    revoke_name(authority, Certname("n007.example.com"), clock)
    return root


@pytest.fixture
def many(grown: Path, host: CaHost) -> CaHost:
    shutil.rmtree(host.root)
    shutil.copytree(grown, host.root)
    return host


def index(host: CaHost) -> Path:
    return host.cadir / "derived/list"


@pytest.mark.parametrize("style", [(), ("-m",), ("-H",), ("--json",)])
@pytest.mark.parametrize("which", ["--all", "--signed"])
def test_the_index_changes_nothing(
    many: CaHost, which: str, style: tuple[str, ...]
) -> None:
    words = ("cert", "list", which, *style)
    first = many.run(*words)
    assert first[0] == 0
    assert index(many).exists()
    assert many.run(*words) == first
    index(many).unlink()
    assert many.run(*words) == first
    assert "n007.example.com" in first[1]
    assert "certificate revoked" in first[1]


def test_only_what_is_new_is_read(
    many: CaHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    many.run("cert", "list", "--all")
    store = type(open_cadir(many.cadir))
    read: list[str] = []
    real = store.get

    def get(self: Any, certname: Certname) -> Any:
        read.append(certname)
        return real(self, certname)

    monkeypatch.setattr(store, "get", get)
    many.run("cert", "clean", "n008.example.com")
    many.run("cert", "list", "--all")
    read.clear()
    _, stdout, _ = many.run("cert", "list", "--all")
    assert read == []
    assert "n008.example.com" not in stdout


def test_another_digest_is_taken_of_the_files(many: CaHost) -> None:
    many.run("cert", "list", "--all")
    _, stdout, _ = many.run("cert", "list", "--all", "--digest", "SHA1")
    assert "(SHA1) " in stdout
    assert "(SHA256)" not in stdout


def test_a_certificate_of_another_ca_is_judged_each_time(many: CaHost) -> None:
    name, key = "foreign.example.com", ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = SystemClock().now()
    foreign = x509.CertificateBuilder(
        issuer_name=subject,
        subject_name=subject,
        public_key=key.public_key(),
        serial_number=7,
        not_valid_before=now - timedelta(days=1),
        not_valid_after=now + timedelta(days=1),
    ).sign(key, hashes.SHA256())
    (many.cadir / f"signed/{name}.pem").write_bytes(to_pem(foreign))
    first = many.run("cert", "list", "--all")
    assert many.run("cert", "list", "--all") == first
    line = next(line for line in first[1].splitlines() if name in line)
    assert line.startswith(f'- "{name}"')
