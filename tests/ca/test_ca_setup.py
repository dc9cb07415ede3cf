"""A new CA is what the tool of its layout would have made."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import pytest
from cryptography import x509

from reseal.ca.newca import Leaf, NewAuthority, Shape
from reseal.ca.setup import new_authority
from reseal.certname import Certname
from reseal.errors import AuthorityError, LintError
from reseal.x509 import bundle, certexts, keys, oids
from reseal.x509 import certificate as certs

GOLDEN = Path(__file__).parent.parent / "data" / "cadir"
NOW = datetime(2026, 11, 23, 12, 0, 1, 5, tzinfo=UTC)
TTL = timedelta(days=15 * 365)
NAME = Certname("puppet.lab.test")


@cache
def signer(which: str) -> keys.Signer:
    return keys.LocalSigner(
        keys.generate("ec:secp256r1" if which == "ec" else "rsa:2048")
    )


def leaf(*alt_names: str, extensions: Mapping[str, str] | None = None) -> Leaf:
    return Leaf(NAME, signer("server").public_key, alt_names, extensions or {})


def make(
    shape: Shape, *, ruby: bool = False, server: Leaf | None = None
) -> NewAuthority:
    return new_authority(
        shape=shape,
        ruby=ruby,
        ca=("Puppet CA: puppet.lab.test", signer("ca")),
        root=("Puppet Root CA: 0123456789abcd", signer("root")),
        server=server or leaf(),
        ttl=TTL,
        now=NOW,
    )


def shape_of(certificate: x509.Certificate) -> list[tuple[str, bool, bytes]]:
    """Return extensions in order, without values that hold a key, name or serial."""
    keyed = (oids.SUBJECT_KEY_ID, oids.AUTHORITY_KEY_ID, oids.SUBJECT_ALT_NAME)
    return [
        (each.oid, each.critical, b"" if each.oid in keyed else each.value)
        for each in certexts.extensions_of(certificate)
    ]


def hints(certificate: x509.Certificate) -> tuple[bool, bool, int | None]:
    """Return which parts an authorityKeyIdentifier has, and its serial number."""
    found = certexts.find(certexts.extensions_of(certificate), oids.AUTHORITY_KEY_ID)
    assert found is not None
    aki = certexts.read_authority_key_id(found)
    return aki.key_id is not None, aki.issuer is not None, aki.serial


@pytest.mark.parametrize(
    ("golden", "shape", "ruby"),
    [
        ("puppet-5.5", "single", True),
        ("puppetserver-7", "chain", False),
        ("puppetserver-8", "chain", False),
    ],
)
def test_certificates_equal_those_of_the_real_tool(
    golden: str, shape: Shape, ruby: bool
) -> None:
    server = leaf("DNS:puppet") if not ruby else leaf()
    ours = make(shape, ruby=ruby, server=server)
    theirs = bundle.load_certificates((GOLDEN / golden / "ca_crt.pem").read_bytes())
    made = bundle.load_certificates(ours.bundle_pem)
    for mine, real in zip(made, theirs, strict=True):
        assert shape_of(mine) == shape_of(real)
        assert hints(mine) == hints(real)
        assert mine.serial_number == real.serial_number
    real = bundle.load_certificate(
        (GOLDEN / golden / "signed" / f"{NAME}.pem").read_bytes()
    )
    assert ours.server_certificate is not None
    san = oids.SUBJECT_ALT_NAME
    mine_shape = [e for e in shape_of(ours.server_certificate) if e[0] != san]
    assert mine_shape == [e for e in shape_of(real) if e[0] != san]
    assert hints(ours.server_certificate) == hints(real)
    assert ours.server_certificate.serial_number == real.serial_number


@pytest.mark.parametrize(
    ("golden", "shape", "ruby"),
    [("puppet-5.5", "single", True), ("puppetserver-8", "chain", False)],
)
def test_files_are_those_of_the_real_tool(
    golden: str, shape: Shape, ruby: bool
) -> None:
    keys_and_later = ("_key.pem", "ca.pass", "web01", "web02", "web03", "pending")
    real = {
        str(path.relative_to(GOLDEN / golden))
        for path in (GOLDEN / golden).rglob("*")
        if path.is_file() and not any(part in str(path) for part in keys_and_later)
    }
    assert set(make(shape, ruby=ruby).files) == real


def test_a_chain_begins_as_the_command_line_tool_leaves_it() -> None:
    made = make("chain")
    assert made.files["serial"] == b"002\n"
    assert made.files["inventory.txt"] == (
        b"0x0001 2026-11-22T12:00:01UTC 2041-11-19T12:00:01UTC /CN=puppet.lab.test\n"
    )
    assert made.files["infra_inventory.txt"] == made.files["infra_serials"] == b"\n"
    assert made.files["ca_crl.pem"] == made.files["infra_crl.pem"] == made.crl_pem
    own, root = bundle.load_crls(made.crl_pem)
    assert (own.number, root.number) == (0, 0)
    assert own.this_update == NOW.replace(microsecond=0) - timedelta(days=1)
    assert own.next_update == NOW.replace(microsecond=0) + TTL
    assert own.extensions[0].oid == oids.AUTHORITY_KEY_ID


def test_a_single_root_begins_as_puppet_server_leaves_it() -> None:
    made = make("single")
    assert made.files["serial"] == b"0003"
    rows = made.files["inventory.txt"].splitlines()
    assert [row.split(b" ", 3)[::3] for row in rows] == [
        [b"0x0001", b"/CN=Puppet CA: puppet.lab.test"],
        [b"0x0002", b"/CN=puppet.lab.test"],
    ]
    assert made.server_certificate is not None
    assert hints(made.server_certificate) == (True, True, 1)
    (own,) = bundle.load_crls(made.crl_pem)
    assert own.this_update == NOW.replace(microsecond=0)
    assert own.extensions[0].oid == oids.CRL_NUMBER


def test_a_ruby_ca_has_no_infra_files_and_no_cli_extension() -> None:
    made = make("single", ruby=True)
    assert not [name for name in made.files if name.startswith("infra")]
    assert made.server_certificate is not None
    extensions = certexts.extensions_of(made.server_certificate)
    assert certexts.find(extensions, oids.PP_CLI_AUTH) is None
    assert certexts.alt_names(extensions) == ()


@pytest.mark.parametrize("shape", ["single", "chain"])
@pytest.mark.parametrize("ruby", [False, True])
def test_everything_verifies_with_revocation(shape: Shape, ruby: bool) -> None:
    if ruby and shape == "chain":
        with pytest.raises(AuthorityError, match="no Ruby CA"):
            make(shape, ruby=ruby)
        return
    made = make(shape, ruby=ruby)
    assert made.server_certificate is not None
    chain = bundle.verify_chain(
        made.server_certificate,
        bundle.load_certificates(made.bundle_pem),
        bundle.load_crls(made.crl_pem),
        NOW + timedelta(minutes=1),
    )
    assert len(chain) == (2 if shape == "single" else 3)


def test_names_and_extensions_of_the_server_are_kept() -> None:
    server = leaf(
        "IP:10.0.0.1",
        "DNS:ca.example.com",
        extensions={"1.3.6.1.4.1.34380.1.1.13": "primary"},
    )
    shapes: tuple[tuple[Shape, bool], ...] = (
        ("single", True),
        ("single", False),
        ("chain", False),
    )
    for shape, ruby in shapes:
        made = make(shape, ruby=ruby, server=server).server_certificate
        assert made is not None
        extensions = certexts.extensions_of(made)
        names = ("IP:10.0.0.1", "DNS:ca.example.com", f"DNS:{NAME}")
        assert certexts.alt_names(extensions) == names
        values = certexts.puppet_extensions(extensions)
        assert values.pop(oids.PP_CLI_AUTH, None) == (None if ruby else "true")
        assert values == {"1.3.6.1.4.1.34380.1.1.13": "primary"}


def test_without_names_puppet_servers_certificate_is_for_puppet_too() -> None:
    made = make("chain").server_certificate
    assert made is not None
    names = certexts.alt_names(certexts.extensions_of(made))
    assert names == ("DNS:puppet", f"DNS:{NAME}")


def test_no_private_key_is_among_the_files() -> None:
    for content in make("chain").files.values():
        assert b"PRIVATE" not in content


def test_an_elliptic_key_and_no_server() -> None:
    made = new_authority(
        shape="single",
        ruby=False,
        ca=("x" * 70, signer("ec")),
        root=None,
        server=None,
        ttl=TTL,
        now=NOW,
    )
    assert made.server_certificate is None
    assert certs.common_name(made.ca_certificate) == "x" * 70
    assert made.files["serial"] == b"0002"


def test_a_chain_needs_its_root() -> None:
    with pytest.raises(AuthorityError, match="a chain needs a root"):
        new_authority(
            shape="chain",
            ruby=False,
            ca=("ca", signer("ca")),
            root=None,
            server=None,
            ttl=TTL,
            now=NOW,
        )


class Counting:
    """A signer that tells how often it was used."""

    def __init__(self) -> None:
        self.public_key = signer("ca").public_key
        self.used = 0

    def sign(self, data: bytes) -> bytes:
        self.used += 1
        return signer("ca").sign(data)


def test_what_breaks_a_rule_is_never_signed() -> None:
    counting = Counting()
    with pytest.raises(LintError, match="ends before it begins"):
        new_authority(
            shape="single",
            ruby=False,
            ca=("ca", counting),
            root=None,
            server=None,
            ttl=timedelta(days=-2),
            now=NOW,
        )
    assert counting.used == 0


def test_a_new_generation_can_begin_above_the_old_ones_serials() -> None:
    made = new_authority(
        shape="chain",
        ruby=False,
        ca=("ca", signer("ca")),
        root=("root", signer("root")),
        server=leaf(),
        ttl=TTL,
        now=NOW,
        first_serial=0x20,
    )
    numbers = [c.serial_number for c in bundle.load_certificates(made.bundle_pem)]
    assert made.server_certificate is not None
    assert [*numbers, made.server_certificate.serial_number] == [0x21, 0x20, 0x22]
    assert made.files["serial"] == b"023\n"
