"""A store in Puppet's cadir forgets nothing, whoever writes at the same time."""

from __future__ import annotations

import fcntl
import multiprocessing
import os
import shutil
import threading
import time
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from cryptography import x509

from reseal import files
from reseal.certname import Certname
from reseal.errors import NotFound, StoreCorrupt, StoreError
from reseal.store import hex_case_of, open_cadir
from reseal.store.cadir import CadirStore
from reseal.x509 import keys, names
from reseal.x509.certificate import Template, seal, tbs, to_pem

GOLDEN = Path(__file__).parent.parent / "data" / "cadir"
NOW = datetime(2026, 11, 24, tzinfo=UTC)
PROCESSES, EACH = 8, 250
KEY = keys.generate("ec:secp256r1")


def certificate(name: str, serial: int) -> x509.Certificate:
    template = Template(
        subject=name,
        issuer=names.common_name("test"),
        issuer_key=KEY.public_key(),
        serial=serial,
        not_before=NOW,
        not_after=NOW + timedelta(days=1825),
        public_key=KEY.public_key(),
    )
    return seal(tbs(template), keys.LocalSigner(KEY))


@pytest.fixture
def store(tmp_path: Path) -> CadirStore:
    files.replace(tmp_path / "serial", b"0001", mode=0o644)
    files.replace(tmp_path / "inventory.txt", b"", mode=0o640)
    return CadirStore(tmp_path)


def test_serials_count_up_in_hexadecimal(store: CadirStore) -> None:
    files.replace(store.root / "serial", b"00fe\n", mode=0o644)
    assert [store.next_serial() for _ in range(3)] == [0xFE, 0xFF, 0x100]
    assert (store.root / "serial").read_bytes() == b"0101"


def test_the_last_serial_is_the_last(store: CadirStore) -> None:
    files.replace(store.root / "serial", b"7FFFFFFF", mode=0o644)
    assert store.next_serial() == 0x7FFFFFFF
    with pytest.raises(StoreError, match="no serial number is left"):
        store.next_serial()


def test_a_certificate_is_kept_and_its_intent_settled(store: CadirStore) -> None:
    one = certificate("web01", 1)
    store.record_intent(one)
    assert list(store.intents()) == [one]
    store.add(one)
    assert list(store.intents()) == []
    assert store.get(Certname("web01")) == one
    assert list(store.certificates()) == [("web01", one)]
    (row,) = store.inventory()
    assert (row.serial, row.certname, row.not_before) == (1, "web01", NOW)


def test_a_new_certificate_of_a_name_replaces_the_old_and_adds_a_row(
    store: CadirStore,
) -> None:
    store.add(certificate("web01", 1))
    store.add(certificate("web01", 2))
    assert store.get(Certname("web01")).serial_number == 2
    assert [row.serial for row in store.inventory()] == [1, 2]


def test_what_is_not_there_is_not_found(store: CadirStore) -> None:
    name = Certname("nobody")
    for call in (
        store.get,
        store.request,
        store.remove_certificate,
        store.remove_request,
    ):
        with pytest.raises(NotFound, match="nobody: has no"):
            call(name)
    assert (list(store.certnames()), list(store.requests())) == ([], [])
    store.drop_intent(99)


def test_requests_wait_until_they_are_removed(store: CadirStore) -> None:
    store.save_request(Certname("web02"), b"two")
    store.save_request(Certname("web01"), b"one")
    assert list(store.requests()) == [("web01", b"one"), ("web02", b"two")]
    store.remove_request(Certname("web01"))
    assert store.request(Certname("web02")) == b"two"
    assert [name for name, _ in store.requests()] == ["web02"]


def test_removing_a_certificate_keeps_its_row(store: CadirStore) -> None:
    store.add(certificate("web01", 1))
    store.remove_certificate(Certname("web01"))
    assert list(store.certnames()) == []
    assert len(list(store.inventory())) == 1


def test_broken_files_are_named(store: CadirStore) -> None:
    (store.root / "signed").mkdir()
    (store.root / "signed" / "web01.pem").write_text("not PEM")
    (store.root / "signed" / "UPPER.pem").write_text("no certname")
    with pytest.raises(StoreCorrupt, match=r"web01\.pem: not a certificate"):
        store.get(Certname("web01"))
    assert list(store.certnames()) == ["web01"]
    (store.root / "infra_serials").write_text("0xAB\n")
    (store.root / "infra_inventory.txt").write_text("web02\n")
    with pytest.raises(StoreCorrupt, match="not decimal"):
        store.add(certificate("web02", 2))


def test_rows_are_added_once_and_the_inventory_can_be_rebuilt(
    store: CadirStore,
) -> None:
    one, two = certificate("web01", 1), certificate("web02", 2)
    store.add(one)
    store.add_rows([one, two])
    assert [row.serial for row in store.inventory()] == [1, 2]
    store.rebuild_inventory()
    assert [row.certname for row in store.inventory()] == ["web01"]


def test_a_new_serial_of_an_infrastructure_node_is_noted(store: CadirStore) -> None:
    (store.root / "infra_inventory.txt").write_text("\nweb01\n")
    (store.root / "infra_serials").write_text("\n")
    store.add(certificate("web02", 2))
    store.add(certificate("web01", 10))
    assert (store.root / "infra_serials").read_bytes() == b"10\n"


def test_lists_are_replaced_under_the_lock_or_left(store: CadirStore) -> None:
    files.replace(store.root / "ca_crl.pem", b"old", mode=0o644)
    before = (store.root / "ca_crl.pem").stat().st_mtime_ns
    store.update_crls(lambda old: None)
    assert (store.root / "ca_crl.pem").stat().st_mtime_ns == before
    store.update_crls(lambda old: old + b" and new")
    assert store.crls() == b"old and new"


def test_the_infrastructures_lists_are_optional(store: CadirStore) -> None:
    store.update_infra_crls(lambda old, serials: pytest.fail("there is no list"))
    files.replace(store.root / "infra_crl.pem", b"old", mode=0o644)
    (store.root / "infra_serials").write_text("7\n8\n")
    store.update_infra_crls(lambda old, serials: b"%d" % sum(serials))
    assert (store.root / "infra_crl.pem").read_bytes() == b"15"


@pytest.mark.parametrize(
    ("golden", "case"),
    [("puppet-5.5", "lower"), ("puppetserver-7", "upper"), ("puppetserver-8", "upper")],
)
def test_the_inventorys_case_follows_the_tool(golden: str, case: str) -> None:
    assert hex_case_of(GOLDEN / golden) == case


def test_an_empty_cadir_gets_puppet_servers_case(tmp_path: Path) -> None:
    assert hex_case_of(tmp_path) == "upper"


@pytest.mark.parametrize(
    ("golden", "certname"),
    [("puppet-5.5", "web02.example.com"), ("puppetserver-8", "web01.example.com")],
)
def test_a_real_inventory_is_rebuilt_byte_for_byte(
    tmp_path: Path, golden: str, certname: str
) -> None:
    cadir = Path(shutil.copytree(GOLDEN / golden, tmp_path / "ca"))
    rows = (cadir / "inventory.txt").read_bytes().splitlines(keepends=True)
    store = open_cadir(cadir)
    assert certname in list(store.certnames())
    store.rebuild_inventory()
    kept = rows if golden != "puppet-5.5" else rows[1:]  # the CA's row is lost
    assert (cadir / "inventory.txt").read_bytes() == b"".join(kept)


def test_the_ruby_ca_waits_for_us_and_we_for_it(store: CadirStore) -> None:
    with (store.root / "serial").open("rb") as ruby:
        fcntl.flock(ruby, fcntl.LOCK_EX)
        given: list[int] = []
        thread = threading.Thread(target=lambda: given.append(store.next_serial()))
        thread.start()
        time.sleep(0.1)
        assert given == []
        fcntl.flock(ruby, fcntl.LOCK_UN)
        thread.join()
    assert given == [1]


def add_line(serial: int, old: bytes) -> bytes:
    return old + b"%d\n" % serial


def issue_many(root: Path, worker: int) -> None:
    store = CadirStore(root)
    for number in range(EACH):
        serial = store.next_serial()
        one = certificate(f"w{worker}n{number}", serial)
        store.record_intent(one)
        store.add(one)
        if number % 50 == 0:
            store.update_crls(partial(add_line, serial))


def test_processes_never_share_a_serial_or_lose_a_line(
    store: CadirStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The disk's speed is not what is tested: a power cut spares nobody here.
    monkeypatch.setattr(os, "fsync", lambda handle: None)
    files.replace(store.root / "ca_crl.pem", b"", mode=0o644)
    context = multiprocessing.get_context("fork")
    workers = [
        context.Process(target=issue_many, args=(store.root, worker))
        for worker in range(PROCESSES)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0] * PROCESSES
    rows = list(store.inventory())
    total = PROCESSES * EACH
    assert sorted(row.serial for row in rows) == list(range(1, total + 1))
    assert {row.certname: row.serial for row in rows} == {
        name: kept.serial_number for name, kept in store.certificates()
    }
    assert store.next_serial() == total + 1
    assert list(store.intents()) == []
    assert len(store.crls().splitlines()) == PROCESSES * EACH // 50
    for name, kept in store.certificates():
        assert (store.root / "signed" / f"{name}.pem").read_bytes() == to_pem(kept)


def test_random_serials_leave_the_counter_alone(store: CadirStore) -> None:
    drawn = CadirStore(store.root, serials="random").next_serial()
    assert drawn.bit_length() > 64
    assert store.next_serial() == 1


def test_a_name_is_held_by_one_at_a_time(store: CadirStore) -> None:
    order: list[str] = []

    def second() -> None:
        with store.claim(Certname("web01")):
            order.append("second")

    with store.claim(Certname("web01")):
        thread = threading.Thread(target=second)
        thread.start()
        time.sleep(0.05)
        order.append("first")
    thread.join(5)
    assert order == ["first", "second"]


def test_what_is_published_has_its_time_and_another_stamp(store: CadirStore) -> None:
    path = store.root / "ca_crt.pem"
    files.replace(path, b"one", mode=0o644)
    before = store.stamp("bundle")
    os.utime(path, ns=(0, 1_500_000_000))
    published = store.published("bundle")
    assert (published.pem, published.modified.timestamp()) == (b"one", 1.5)
    files.replace(path, b"two", mode=0o644)
    assert store.stamp("bundle") != before
    with pytest.raises(NotFound):
        store.published("infra_crls")
    with pytest.raises(NotFound):
        store.published_certificate(Certname("nobody"))


def test_waiting_requests_are_counted(store: CadirStore) -> None:
    assert store.count_requests() == 0
    for name in ("a", "b"):
        store.save_request(Certname(name), b"")
    assert store.count_requests() == 2
