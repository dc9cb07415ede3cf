"""A CA lives longer, its list gets shorter, its directory moves."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from reseal.ca.authority import Authority, load
from reseal.ca.check import check
from reseal.ca.sign import revoke_serials
from reseal.ca.upkeep import Pruned, extend, migrate, prune
from reseal.certname import Certname
from reseal.clock import Clock
from reseal.errors import AuthorityError
from reseal.store import open_cadir
from reseal.x509 import bundle, certexts
from reseal.x509 import certificate as certs

TWENTY_YEARS = timedelta(days=20 * 365)


@pytest.mark.parametrize("name", ["puppet-5.5", "puppetserver-7", "puppetserver-8"])
def test_a_longer_life_keeps_name_key_serial_and_every_leaf(
    golden: Callable[[str], Path], clock: Clock, name: str
) -> None:
    cadir = golden(name)
    authority = load(cadir, open_cadir(cadir))
    old = authority.bundle
    longer = extend(authority, TWENTY_YEARS, clock)
    end = clock.now() + TWENTY_YEARS
    for before, after in zip(old, longer.bundle, strict=True):
        assert after.not_valid_after_utc == end
        assert certs.subject(after) == certs.subject(before)
        assert after.serial_number == before.serial_number
        assert certexts.extensions_of(after) == certexts.extensions_of(before)
    again = load(cadir, open_cadir(cadir))
    assert again.bundle == longer.bundle
    lists = bundle.load_crls(again.store.crls())
    assert all(each.next_update == end for each in lists)
    leaf = again.store.get(Certname("web01.example.com"))
    bundle.verify_chain(leaf, again.bundle, lists, clock.now())
    revoked = lists[0].serials()
    assert revoked == ({5} if name == "puppet-5.5" else {3})
    assert check(cadir, again.store, clock) == ()


def test_without_the_roots_key_nothing_is_extended(
    golden: Callable[[str], Path], clock: Clock
) -> None:
    cadir = golden("puppetserver-8")
    authority = load(cadir, open_cadir(cadir))
    before = (cadir / "ca_crt.pem").read_bytes()
    (cadir / "root_key.pem").rename(cadir / "elsewhere")
    with pytest.raises(AuthorityError, match="its key is not at"):
        extend(authority, TWENTY_YEARS, clock)
    shutil.copy(cadir / "ca_key.pem", cadir / "root_key.pem")
    with pytest.raises(AuthorityError, match="is another key"):
        extend(authority, TWENTY_YEARS, clock)
    assert (cadir / "ca_crt.pem").read_bytes() == before


def test_lists_never_end_before_the_certificates(
    golden: Callable[[str], Path], clock: Clock
) -> None:
    cadir = golden("puppetserver-8")
    authority = load(cadir, open_cadir(cadir))
    old = authority.bundle
    longer = extend(authority, timedelta(days=1), clock)
    lists = bundle.load_crls(authority.store.crls())
    root_end = old[-1].not_valid_after_utc
    for after in longer.bundle:
        own = bundle.own_crl(after, lists)
        assert own is not None
        assert own.next_update is not None
        assert own.next_update >= after.not_valid_after_utc
        assert after.not_valid_after_utc == root_end < old[0].not_valid_after_utc


@pytest.mark.parametrize("days", [0, -1])
def test_no_time_to_live_is_refused(
    authority: Authority, clock: Clock, days: int
) -> None:
    before = (authority.cadir / "ca_crt.pem").read_bytes()
    with pytest.raises(AuthorityError, match="is no time to live"):
        extend(authority, timedelta(days=days), clock)
    assert (authority.cadir / "ca_crt.pem").read_bytes() == before


def test_the_ruby_cas_duplicates_are_pruned(
    golden: Callable[[str], Path], clock: Clock
) -> None:
    cadir = golden("puppet-5.5")
    authority = load(cadir, open_cadir(cadir))
    number = bundle.load_crls(authority.store.crls())[0].number
    assert number is not None
    assert prune(authority, clock) == Pruned(total=2, duplicates=1, removed=())
    (own,) = bundle.load_crls(authority.store.crls())
    assert (set(own.serials()), own.number) == ({5}, number + 1)
    before = authority.store.crls()
    assert prune(authority, clock) == Pruned(total=1, duplicates=0, removed=())
    assert authority.store.crls() == before


def test_what_has_expired_or_is_named_is_pruned(
    authority: Authority, clock: Clock, cadir: Path
) -> None:
    with (cadir / "inventory.txt").open("ab") as inventory:
        inventory.write(
            b"0x0003 2019-01-01T00:00:00UTC 2020-01-01T00:00:00UTC /CN=old\n"
            b"0x0004 2026-01-01T00:00:00UTC 2030-01-01T00:00:00UTC /CN=new\n"
        )
    revoke_serials(authority, (2, 3, 4, 5), clock)
    done = prune(authority, clock, expired=True)
    assert done == Pruned(total=4, duplicates=0, removed=(3,))
    assert prune(authority, clock, serials=[5, 99]).removed == (5,)
    assert prune(authority, clock, certnames=[Certname("new")]).removed == (4,)
    assert bundle.load_crls(authority.store.crls())[0].serials() == {2}


def test_a_cadir_moves_out_and_leaves_a_link(cadir: Path, tmp_path: Path) -> None:
    new = tmp_path / "puppetserver" / "ca"
    content = (cadir / "ca_crt.pem").read_bytes()
    migrate(cadir, new)
    assert cadir.is_symlink()
    assert not new.is_symlink()
    assert (cadir / "ca_crt.pem").read_bytes() == content
    with pytest.raises(AuthorityError, match="has been migrated"):
        migrate(cadir, new)


def test_a_cadir_moves_to_where_a_relative_path_leads(
    cadir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    migrate(Path("..") / cadir.name, Path("new") / "ca")
    assert cadir.readlink() == tmp_path / "work" / "new" / "ca"
    assert (cadir / "ca_crt.pem").exists()


def test_a_move_that_was_cut_short_is_finished(cadir: Path, tmp_path: Path) -> None:
    new = tmp_path / "moved"
    (tmp_path / ".reseal-link").symlink_to(new)
    cadir.rename(new)
    migrate(cadir, new)
    assert cadir.resolve() == new
    assert not (tmp_path / ".reseal-link").is_symlink()


def test_nothing_to_move_or_something_in_the_way(cadir: Path, tmp_path: Path) -> None:
    with pytest.raises(AuthorityError, match="no CA dir found"):
        migrate(tmp_path / "none", tmp_path / "new")
    (tmp_path / "new").mkdir()
    with pytest.raises(AuthorityError, match="exists, and is not overwritten"):
        migrate(cadir, tmp_path / "new")
    assert (cadir / "ca_crt.pem").exists()
    assert not cadir.is_symlink()
