"""CAs of every layout are loaded, and half of one is not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
)

from reseal import files
from reseal.ca.authority import (
    Authority,
    Layout,
    check_peers,
    detect,
    exists,
    load,
    load_key,
)
from reseal.ca.issue import issue
from reseal.ca.policy import vouch
from reseal.ca.profile import Profile
from reseal.certname import Certname
from reseal.clock import Clock
from reseal.errors import AuthorityError, ParseError, UnsuitableKey
from reseal.store import open_cadir
from reseal.x509 import bundle, certexts, keys, oids
from reseal.x509.certificate import common_name

LAYOUTS = [
    ("puppet-5.5", Layout("single", ruby=True)),
    ("puppetserver-7", Layout("chain", ruby=False)),
    ("puppetserver-8", Layout("chain", ruby=False)),
]


@pytest.mark.parametrize(("name", "layout"), LAYOUTS)
def test_real_cadirs_are_loaded_and_signed_on(
    golden: Callable[[str], Path],
    clock: Clock,
    node_key: keys.PrivateKey,
    name: str,
    layout: Layout,
) -> None:
    cadir = golden(name)
    authority = load(cadir, open_cadir(cadir))
    assert authority.layout == layout == detect(cadir)
    assert common_name(authority.issuer.certificate) == "Puppet CA: puppet.lab.test"
    before = (cadir / "inventory.txt").read_bytes()
    serial = int((cadir / "serial").read_text(), 16)
    profile = Profile(timedelta(days=1825), authority.layout.dialect)
    new = Certname("new.example.com")
    made = issue(
        vouch(new, node_key.public_key(), (f"DNS:{new}",)),
        issuer=authority.issuer,
        profile=profile,
        store=authority.store,
        clock=clock,
    )
    assert made.serial_number == serial
    crls = bundle.load_crls(authority.store.crls())
    bundle.verify_chain(made, authority.bundle, crls, clock.now())
    assert (cadir / "inventory.txt").read_bytes().startswith(before)
    old = authority.store.get(Certname("web01.example.com"))
    order = [e.oid for e in certexts.extensions_of(made)]
    theirs = [e.oid for e in certexts.extensions_of(old)]
    san = oids.SUBJECT_ALT_NAME
    assert [o for o in order if o != san] == [o for o in theirs if o != san]
    if not layout.ruby:
        assert order == theirs


def test_a_single_root_on_the_new_layout(authority: Authority) -> None:
    assert authority.layout == Layout("single", ruby=False)
    assert authority.layout.dialect == "server"


def test_a_ruby_ca_that_puppet_server_took_over_is_puppet_servers(
    golden: Callable[[str], Path],
) -> None:
    cadir = golden("puppet-5.5")
    files.replace(cadir / "infra_crl.pem", b"", mode=0o644)
    assert detect(cadir) == Layout("single", ruby=False)


def test_the_signing_certificate_is_found_by_its_key(
    golden: Callable[[str], Path],
) -> None:
    cadir = golden("puppetserver-8")
    first, root = bundle.load_certificates((cadir / "ca_crt.pem").read_bytes())
    turned = bundle.dump_certificates([root, first])
    files.replace(cadir / "ca_crt.pem", turned, mode=0o644)
    assert load(cadir, open_cadir(cadir)).bundle == (first, root)


def test_no_ca_and_half_a_ca(cadir: Path, tmp_path: Path) -> None:
    with pytest.raises(AuthorityError, match="has no CA") as caught:
        load(tmp_path / "none", open_cadir(tmp_path / "none"))
    assert "reseal ca setup" in str(caught.value.hint)
    (cadir / "serial").unlink()
    (cadir / "ca_key.pem").unlink()
    with pytest.raises(AuthorityError, match="partial state") as caught:
        exists(cadir)
    assert str(caught.value).endswith(
        "found ca_crt.pem, ca_crl.pem, inventory.txt; missing ca_key.pem, serial"
    )


def test_a_key_of_another_ca_is_refused(cadir: Path) -> None:
    other = keys.dump_private(keys.generate("ec:secp256r1"))
    files.replace(cadir / "ca_key.pem", other, mode=0o640)
    with pytest.raises(AuthorityError, match="certificate matching private key"):
        load(cadir, open_cadir(cadir))


def test_an_encrypted_key_opens_with_ca_pass(
    cadir: Path, ec_key: keys.PrivateKey
) -> None:
    locked = ec_key.private_bytes(
        Encoding.PEM, PrivateFormat.TraditionalOpenSSL, BestAvailableEncryption(b"pw")
    )
    files.replace(cadir / "ca_key.pem", locked, mode=0o640)
    with pytest.raises(ParseError, match=r"ca_key\.pem: private key: is encrypted"):
        load(cadir, open_cadir(cadir))
    (cadir / "private").mkdir()
    files.replace(cadir / "private" / "ca.pass", b"pw", mode=0o640)
    loaded = load_key(cadir / "ca_key.pem")
    assert keys.same_key(loaded.public_key(), ec_key.public_key())
    files.replace(cadir / "private" / "ca.pass", b"wrong", mode=0o640)
    with pytest.raises(ParseError, match="does not open") as caught:
        load(cadir, open_cadir(cadir))
    assert "wrong" not in str(caught.value)
    assert load(cadir, open_cadir(cadir), passphrase=b"pw").layout.shape == "single"


def test_peers_that_know_rsa_only_are_named(ec_key: keys.PrivateKey) -> None:
    with pytest.raises(UnsuitableKey) as caught:
        check_peers(ec_key.public_key(), ["Puppet Server", "MCollective"])
    assert "ec:secp256r1: Puppet Server cannot take it" in str(caught.value)
    assert "MCollective cannot take it" in str(caught.value)
    check_peers(ec_key.public_key(), [])
    check_peers(keys.generate("rsa:2048").public_key(), ["puppet cert"])
