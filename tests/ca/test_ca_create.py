"""A CA is made, or taken over, on this machine, and nothing is overwritten."""

from __future__ import annotations

import stat
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from reseal import locks
from reseal.ca.authority import Authority, Layout, load
from reseal.ca.check import check
from reseal.ca.create import Order, set_up
from reseal.ca.ownhost import provide_host
from reseal.ca.profile import Profile
from reseal.ca.sign import generate
from reseal.ca.takeover import Material, take_over
from reseal.certname import Certname
from reseal.clock import Clock
from reseal.errors import AuthorityError, AuthorityExists, ParseError, UnsuitableKey
from reseal.settings import Flavour, PuppetSettings, load_settings
from reseal.store import open_cadir
from reseal.x509 import bundle, certexts, keys
from reseal.x509.certificate import common_name, public_key, to_pem

SMALL = "rsa:2048"


@pytest.fixture
def settings(tmp_path: Path) -> PuppetSettings:
    cadir = tmp_path / "etc" / "puppetserver" / "ca"
    flavour = Flavour("test", tmp_path / "etc", tmp_path / "ssl", cadir)
    flavour.ssldir.mkdir()
    cadir.parent.mkdir(parents=True)
    overrides = {"keylength": "2048"}
    return load_settings(flavour, certname="ca.example.com", overrides=overrides)


def modes(directory: Path) -> dict[str, int]:
    return {
        str(path.relative_to(directory)): stat.S_IMODE(path.stat().st_mode)
        for path in directory.rglob("*")
        if path.name != locks.LOCK
    }


def test_a_chain_as_puppetserver_ca_setup_makes_it(
    settings: PuppetSettings, clock: Clock
) -> None:
    made = set_up(settings, Order(key=SMALL), clock)
    cadir = settings.cadir
    found = modes(cadir)
    secret = {name for name, mode in found.items() if mode == 0o640}
    assert secret == {"ca_key.pem", "root_key.pem"}
    assert found["signed"] == found["requests"] == 0o755
    assert (settings.ssldir / "ca").resolve() == cadir
    authority = load(cadir, open_cadir(cadir))
    assert authority.layout == Layout("chain", ruby=False)
    assert common_name(authority.bundle[0]) == "Puppet CA: ca.example.com"
    assert common_name(authority.bundle[1]).startswith("Puppet Root CA: ")
    assert check(cadir, authority.store, clock) == ()
    assert settings.localcacert.read_bytes() == made.bundle_pem
    assert settings.hostcrl.read_bytes() == made.crl_pem
    host = keys.load_private(settings.hostprivkey.read_bytes())
    assert made.server_certificate is not None
    assert keys.same_key(host.public_key(), public_key(made.server_certificate))
    ours = modes(settings.ssldir)
    assert ours["private_keys"] == 0o750
    assert ours["private_keys/ca.example.com.pem"] == 0o640
    assert ours["certs/ca.example.com.pem"] == 0o644
    life = authority.issuer.certificate.not_valid_after_utc - clock.now()
    assert life == timedelta(days=15 * 365)


def test_the_ca_that_puppet_cert_list_makes(
    settings: PuppetSettings, clock: Clock
) -> None:
    order = Order(shape="single", ruby=True, key=SMALL, server=False)
    set_up(settings, order, clock)
    found = modes(settings.cadir)
    assert found.pop("private") == 0o750
    assert found.pop("private/ca.pass") == found.pop("ca_key.pem") == 0o640
    assert len((settings.cadir / "private" / "ca.pass").read_bytes()) == 20
    assert set(found) == {
        "ca_crt.pem",
        "ca_crl.pem",
        "ca_pub.pem",
        "inventory.txt",
        "serial",
        "signed",
        "requests",
    }
    authority = load(settings.cadir, open_cadir(settings.cadir))
    assert authority.layout == Layout("single", ruby=True)
    life = authority.issuer.certificate.not_valid_after_utc - clock.now()
    assert life == timedelta(days=5 * 365)
    assert not settings.hostcert.exists()
    assert check(settings.cadir, authority.store, clock) == ()


def test_nothing_is_overwritten_but_the_hosts_key_is_used(
    settings: PuppetSettings, clock: Clock, node_key: keys.PrivateKey
) -> None:
    settings.privatekeydir.mkdir()
    settings.hostprivkey.write_bytes(keys.dump_private(node_key))
    order = Order(shape="single", key="ec:secp256r1", alt_names=("a", "IP:10.0.0.1"))
    made = set_up(settings, order, clock)
    assert made.server_certificate is not None
    assert keys.same_key(public_key(made.server_certificate), node_key.public_key())
    extensions = certexts.extensions_of(made.server_certificate)
    names = ("DNS:a", "DNS:ca.example.com", "IP:10.0.0.1")
    assert certexts.alt_names(extensions) == names
    before = {p: p.read_bytes() for p in settings.cadir.rglob("*.pem")}
    with pytest.raises(AuthorityError) as caught:
        set_up(settings, order, clock)
    assert f"Existing file at '{settings.cadir / 'ca_crt.pem'}'" in str(caught.value)
    assert f"Existing file at '{settings.hostcert}'" in str(caught.value)
    assert {p: p.read_bytes() for p in settings.cadir.rglob("*.pem")} == before


@dataclass
class Together:
    """A clock that lets two go on at the same moment."""

    time: datetime
    barrier: threading.Barrier

    def now(self) -> datetime:
        self.barrier.wait(timeout=30)
        return self.time


def test_of_two_at_once_one_makes_the_ca_and_the_other_is_refused(
    settings: PuppetSettings, clock: Clock
) -> None:
    together = Together(clock.now(), threading.Barrier(2))
    order = Order(shape="single", key="ec:secp256r1")
    with ThreadPoolExecutor(2) as pool:
        tried = [pool.submit(set_up, settings, order, together) for _ in range(2)]
    (error,) = [each.exception() for each in tried if each.exception()]
    assert isinstance(error, AuthorityExists)
    (made,) = [each.result() for each in tried if not each.exception()]
    authority = load(settings.cadir, open_cadir(settings.cadir))
    assert authority.issuer.certificate == made.ca_certificate
    assert made.server_certificate is not None
    assert settings.hostcert.read_bytes() == to_pem(made.server_certificate)
    host = keys.load_private(settings.hostprivkey.read_bytes())
    assert keys.same_key(host.public_key(), public_key(made.server_certificate))


def test_a_real_ca_is_taken_over(
    settings: PuppetSettings, clock: Clock, golden: Callable[[str], Path]
) -> None:
    old = golden("puppetserver-8")
    material = Material(
        (old / "ca_key.pem").read_bytes(),
        (old / "ca_crt.pem").read_bytes(),
        (old / "ca_crl.pem").read_bytes(),
    )
    made = take_over(settings, material, clock, alt_names=("ca",))
    assert made.server_certificate is not None
    assert made.server_certificate.serial_number == 4
    authority = load(settings.cadir, open_cadir(settings.cadir))
    lists = bundle.load_crls(authority.store.crls())
    assert lists[0].serials() == {3}
    bundle.verify_chain(made.server_certificate, authority.bundle, lists, clock.now())
    assert authority.store.next_serial() == 5
    codes = {f.rule for f in check(settings.cadir, authority.store, clock)}
    assert codes == {"revoked-known"}


def test_a_chain_without_its_own_list_gets_one(
    settings: PuppetSettings, clock: Clock, golden: Callable[[str], Path]
) -> None:
    old = golden("puppetserver-7")
    root_list = bundle.load_crls((old / "ca_crl.pem").read_bytes())[1]
    material = Material(
        (old / "ca_key.pem").read_bytes(),
        (old / "ca_crt.pem").read_bytes(),
        root_list.pem,
    )
    made = take_over(settings, material, clock)
    own, upper = bundle.load_crls(made.crl_pem)
    assert (own.number, len(own)) == (0, 0)
    assert upper.der == root_list.der


@pytest.mark.parametrize(
    ("part", "value", "error", "text"),
    [
        ("key_pem", b"nonsense", ParseError, "not a key in PEM"),
        ("bundle_pem", b"", ParseError, "has no certificate"),
        ("crl_pem", b"", AuthorityError, "no revocation list of Puppet Root CA"),
    ],
)
def test_material_that_does_not_belong_together_writes_nothing(
    settings: PuppetSettings,
    clock: Clock,
    golden: Callable[[str], Path],
    part: str,
    value: bytes,
    error: type[Exception],
    text: str,
) -> None:
    old = golden("puppetserver-8")
    whole = Material(
        (old / "ca_key.pem").read_bytes(),
        (old / "ca_crt.pem").read_bytes(),
        (old / "ca_crl.pem").read_bytes(),
    )
    broken = {"key_pem": whole.key_pem, "bundle_pem": whole.bundle_pem}
    broken |= {"crl_pem": whole.crl_pem, part: value}
    with pytest.raises(error, match=text):
        take_over(settings, Material(**broken), clock)
    assert not settings.cadir.exists()
    assert not settings.hostprivkey.exists()


def test_an_elliptic_ca_is_taken_over_only_where_its_peers_can_take_it(
    settings: PuppetSettings, clock: Clock, cadir: Path
) -> None:
    material = Material(
        (cadir / "ca_key.pem").read_bytes(),
        (cadir / "ca_crt.pem").read_bytes(),
        (cadir / "ca_crl.pem").read_bytes(),
    )
    with pytest.raises(UnsuitableKey, match="Puppet Server cannot take it"):
        take_over(settings, material, clock)
    assert not settings.cadir.exists()
    made = take_over(settings, material, clock, peers=())
    assert common_name(made.ca_certificate) == "Puppet CA: test"
    assert made.ca_certificate.serial_number == 1
    assert made.server_certificate is not None
    assert made.server_certificate.serial_number == 2


def test_a_nodes_certificate_is_not_taken_over_as_a_ca(
    settings: PuppetSettings, clock: Clock, authority: Authority
) -> None:
    key = keys.generate(SMALL)
    node = Certname("web01.example.com")
    profile = Profile(timedelta(days=365))
    leaf = generate(authority, node, key.public_key(), profile=profile, clock=clock)
    cadir = authority.cadir
    material = Material(
        keys.dump_private(key),
        to_pem(leaf) + (cadir / "ca_crt.pem").read_bytes(),
        (cadir / "ca_crl.pem").read_bytes(),
    )
    with pytest.raises(AuthorityError, match="this is no CA: web01") as caught:
        take_over(settings, material, clock)
    assert caught.value.hint
    assert not settings.cadir.exists()
    assert not settings.hostprivkey.exists()


def test_the_setting_ca_ttl_counts(settings: PuppetSettings, clock: Clock) -> None:
    year = replace(settings, ca_ttl=timedelta(days=365), ca_ttl_given=True)
    order = Order(shape="single", key="ec:secp256r1", ca_name="Mine", server=False)
    made = set_up(year, order, clock)
    assert made.ca_certificate.not_valid_after_utc - clock.now() == timedelta(days=365)
    assert common_name(made.ca_certificate) == "Mine"


def test_the_setting_key_type_is_of_the_host_and_not_of_the_ca(
    settings: PuppetSettings, clock: Clock
) -> None:
    told = replace(settings, key_type="ec", named_curve="secp384r1")
    set_up(told, Order(key=SMALL, server=False), clock)
    authority = load(told.cadir, open_cadir(told.cadir))
    assert keys.describe(authority.issuer.signer.public_key) == SMALL
    found = provide_host(authority, told, clock)
    assert found is not None
    assert keys.describe(public_key(found)) == "ec:secp384r1"
    host = keys.load_private(told.hostprivkey.read_bytes())
    assert keys.same_key(host.public_key(), public_key(found))


def test_a_ca_and_its_server_may_have_keys_of_two_kinds(
    settings: PuppetSettings, clock: Clock
) -> None:
    made = set_up(replace(settings, key_type="ec"), Order(key=SMALL), clock)
    assert made.server_certificate is not None
    assert keys.describe(public_key(made.ca_certificate)) == SMALL
    kind = keys.describe(public_key(made.server_certificate))
    assert kind == "ec:secp256r1", "prime256v1, as OpenSSL calls it"


def test_an_unknown_curve_makes_nothing(settings: PuppetSettings, clock: Clock) -> None:
    told = replace(settings, key_type="ec", named_curve="secp999")
    with pytest.raises(UnsuitableKey, match="ec:secp999: not a kind of key to make"):
        set_up(told, Order(key=SMALL), clock)
    assert not told.cadir.exists()
    assert not told.hostprivkey.exists()
