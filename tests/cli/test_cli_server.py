"""A server as a process: its start, its signals, its workers and its end."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from serverprocess import NAME, Site, running

from reseal.ca.authority import load
from reseal.store import open_cadir
from reseal.x509 import bundle, crl, keys
from reseal.x509.csr import build_request

CA = "/puppet-ca/v1"
PRIVATE = keys.generate("ec:secp256r1")
KEY = keys.LocalSigner(PRIVATE)


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A site whose server was started once, with what it made then."""
    site = Site(tmp_path_factory.mktemp("made"))
    with running(site, "--workers", "1") as server:
        site.puppet["out"] = server.out
        site.puppet["err"] = server.err
    return site


@pytest.fixture
def site(made: Site, tmp_path: Path) -> Site:
    shutil.copytree(made.cadir, tmp_path / "ca")
    shutil.copytree(made.ssldir, tmp_path / "ssl", symlinks=True)
    return Site(tmp_path)


def enrol(name: str) -> tuple[str, bytes]:
    return f"{CA}/certificate_request/{name}", build_request(KEY, name).pem


def audited(text: str) -> list[dict[str, str]]:
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def test_the_first_start_makes_a_ca_and_a_certificate(made: Site) -> None:
    out, err = made.puppet["out"], made.puppet["err"]
    assert "Notice: Generation succeeded. Find your files in" in out
    assert re.search(r"^Notice: Starting Puppet master \d+\.\d+\.\d+$", out, re.M)
    assert [entry["event"] for entry in audited(out)] == ["authority.created"]
    assert "requests are answered as root" in err or os.geteuid() != 0
    assert load(made.cadir, open_cadir(made.cadir)).layout.shape == "chain"
    for path, mode in (
        (made.cadir / "ca_key.pem", 0o640),
        (made.ssldir / f"private_keys/{NAME}.pem", 0o640),
        (made.ssldir / f"certs/{NAME}.pem", 0o644),
    ):
        assert path.stat().st_mode & 0o777 == mode


def test_a_later_start_makes_nothing(site: Site) -> None:
    before = {p: p.read_bytes() for p in site.root.rglob("*.pem") if p.is_file()}
    with running(site) as server:
        assert server.out == "Notice: Starting Puppet master 8.10.0\n"
        assert server.ask("GET", "/status/v1/simple") == (200, b"running")
    after = {p: p.read_bytes() for p in site.root.rglob("*.pem") if p.is_file()}
    assert after == before
    assert server.process.returncode == 0


def test_a_ca_without_a_certificate_of_its_host_gives_it_one(site: Site) -> None:
    shutil.rmtree(site.ssldir)
    (site.cadir / f"signed/{NAME}.pem").unlink()
    with running(site) as server:
        assert f"Notice: Signed certificate request for {NAME}" in server.out
        path = f"{CA}/certificate_statuses/all"
        assert server.ask("GET", path, client=NAME)[0] == 200


def test_a_certificate_whose_key_is_gone_is_not_replaced(site: Site) -> None:
    shutil.rmtree(site.ssldir)
    site.write()
    ended = site.run("--port", "0")
    assert ended.returncode == 1
    assert f"{NAME}: has a certificate whose key is not at" in ended.stderr
    assert f"reseal cert clean {NAME}" in ended.stderr


def test_puppets_old_words_are_taken(site: Site) -> None:
    site.write()
    command = site.command("--check", "--no-daemonize", "--verbose")
    command[command.index("server")] = "master"
    found = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert found.returncode == 0
    assert "listener.port" in found.stdout


def test_check_tells_each_setting_and_where_it_is_from(site: Site) -> None:
    site.toml = "[ca]\nserials = 'random'\n"
    site.write()
    table = site.run("--check", "--port", "1234").stdout
    assert re.search(r"^listener.port +1234 +command line$", table, re.M)
    assert re.search(r"^ca.serials +random +reseal.toml line 2$", table, re.M)
    told = json.loads(site.run("--check", "--json").stdout)
    found = {each["name"]: each for each in told["settings"]}
    assert found["ca.serials"]["value"] == "random"
    assert found["hostcrl"]["value"] == str(site.cadir / "ca_crl.pem")


def test_a_wrong_setting_is_named_and_nothing_is_started(site: Site) -> None:
    site.toml = "[listener]\nprot = 1\n"
    site.write()
    ended = site.run("--port", "0")
    assert ended.returncode == 2
    assert "prot" in ended.stderr
    assert "reseal.toml" in ended.stderr
    assert "Starting" not in ended.stdout


def test_a_port_that_is_taken_is_an_error_with_a_way_out(site: Site) -> None:
    site.write()
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        ended = site.run("--host", "127.0.0.1", "--port", port)
    assert ended.returncode == 1
    assert f"port {port}: cannot be listened on: Address already in use" in ended.stderr
    assert "systemctl stop puppetserver" in ended.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_when_what_is_in_flight_is_answered(
    site: Site, tmp_path: Path, number: signal.Signals
) -> None:
    policy = tmp_path / "policy"
    policy.write_text("#!/bin/sh\nsleep 1\n")
    policy.chmod(0o755)
    site.puppet["autosign"] = str(policy)
    found: list[int] = []
    with running(site, "--workers", "2") as server:
        path, pem = enrol("slow.example.com")
        asking = threading.Thread(
            target=lambda: found.append(server.ask("PUT", path, pem)[0])
        )
        asking.start()
        time.sleep(0.4)
        workers = server.workers
        server.signal(number)
        assert server.process.wait(20) == 0
        asking.join(10)
    assert found == [200]
    assert (site.cadir / "signed/slow.example.com.pem").exists()
    assert not any(Path(f"/proc/{pid}").exists() for pid in workers)


def test_a_reload_drops_no_connection(site: Site) -> None:
    stop, statuses = threading.Event(), list[int]()

    def ask_always() -> None:
        kept = server.connect()
        while not stop.is_set():
            kept.request("GET", f"{CA}/certificate/ca")
            answer = kept.getresponse()
            answer.read()
            statuses.append(answer.status)
            statuses.append(server.ask("GET", f"{CA}/certificate/ca")[0])

    with running(site, "--workers", "2") as server:
        first = server.workers
        asking = [threading.Thread(target=ask_always) for _ in range(3)]
        for each in asking:
            each.start()
        for count in range(1, 4):
            server.signal(signal.SIGHUP)
            limit = time.monotonic() + 20
            while server.err.count("the settings were read again") < count:
                assert time.monotonic() < limit
                time.sleep(0.02)
        time.sleep(0.3)
        stop.set()
        for each in asking:
            each.join(20)
        assert not any(each.is_alive() for each in asking)
        assert not server.workers & first
    assert len(statuses) > 30
    assert set(statuses) == {200}


def test_a_reload_takes_settings_and_certificate(site: Site) -> None:
    with running(site, "--workers", "1") as server:
        path, pem = enrol("one.example.com")
        assert server.ask("PUT", path, pem)[0] == 200
        assert not (site.cadir / "signed/one.example.com.pem").exists()
        site.puppet["autosign"] = "true"
        site.write()
        first = server.workers
        server.signal(signal.SIGHUP)
        server.wait_until("the settings were read again")
        limit = time.monotonic() + 20
        while first & server.workers:  # an old one may still take what comes now
            assert time.monotonic() < limit
            time.sleep(0.02)
        path, pem = enrol("two.example.com")
        assert server.ask("PUT", path, pem)[0] == 200
        assert (site.cadir / "signed/two.example.com.pem").exists()


def test_a_reload_of_wrong_settings_changes_nothing(site: Site) -> None:
    with running(site, "--workers", "1") as server:
        before = server.workers
        site.toml = "[ca]\nserials = 'odd'\n"
        site.write()
        server.signal(signal.SIGHUP)
        server.wait_until("nothing is changed")
        assert "serials" in server.err
        assert server.workers == before
        assert server.ask("GET", "/status/v1/simple")[0] == 200


def test_a_worker_that_dies_is_replaced(site: Site) -> None:
    with running(site, "--workers", "2") as server:
        time.sleep(1.1)
        before = server.workers
        killed = min(before)
        os.kill(killed, signal.SIGKILL)
        server.wait_until(f"worker {killed} ended with -9; another is started")
        limit = time.monotonic() + 10
        while len(server.workers) < 2:
            assert time.monotonic() < limit
            time.sleep(0.05)
        assert server.workers & before == before - {killed}
        assert server.ask("GET", "/status/v1/simple")[0] == 200


def test_workers_do_not_outlive_the_process_that_watches(site: Site) -> None:
    with running(site, "--workers", "2") as server:
        workers = server.workers
        server.signal(signal.SIGKILL)
        server.process.wait(10)
        limit = time.monotonic() + 10
        while any(Path(f"/proc/{pid}/exe").exists() for pid in workers):
            assert time.monotonic() < limit
            time.sleep(0.05)


def test_a_revocation_holds_in_every_worker(site: Site) -> None:
    name = "node.example.com"
    site.puppet["autosign"] = "true"
    with running(site, "--workers", "3") as server:
        path, pem = enrol(name)
        assert server.ask("PUT", path, pem)[0] == 200
        certs, private = site.ssldir / "certs", site.ssldir / "private_keys"
        certs.joinpath(f"{name}.pem").write_bytes(
            server.ask("GET", f"{CA}/certificate/{name}")[1]
        )
        private.joinpath(f"{name}.pem").write_bytes(keys.dump_private(PRIVATE))
        own = f"{CA}/certificate/{name}"
        assert {server.ask("GET", own, client=name)[0] for _ in range(12)} == {200}
        state = f"{CA}/certificate_status/{name}"
        body = b'{"desired_state": "revoked"}'
        assert server.ask("PUT", state, body, client=NAME)[0] == 204
        for _ in range(12):
            with pytest.raises((ssl.SSLError, ConnectionError)):
                server.ask("GET", own, client=name)


def test_many_at_once_in_several_workers_get_numbers_of_their_own(site: Site) -> None:
    site.puppet["autosign"] = "true"
    audit, access = site.root / "audit.log", site.root / "access.log"
    site.toml = (
        f'[listener]\nanonymous_rate = 0\naudit_log = "{audit}"\n'
        f'access_log = "{access}"\n'
    )
    found: list[int] = []
    with running(site, "--workers", "4") as server:

        def ask(number: int) -> None:
            for each in range(10):
                path, pem = enrol(f"n{number}x{each}.example.com")
                found.append(server.ask("PUT", path, pem)[0])

        asking = [threading.Thread(target=ask, args=(n,)) for n in range(8)]
        for each in asking:
            each.start()
        for each in asking:
            each.join(60)
        assert "{" not in server.out
    assert found == [200] * 80
    store = open_cadir(site.cadir)
    serials = [row.serial for row in store.inventory()]
    assert len(serials) == len(set(serials)) == 81
    issued = [
        e for e in audited(audit.read_text()) if e["event"] == "certificate.issued"
    ]
    assert len({entry["serial"] for entry in issued}) == 80
    assert {entry["address"] for entry in issued} == {"127.0.0.1"}
    lines = access.read_text().splitlines()
    assert len([line for line in lines if '"PUT /puppet-ca' in line]) == 80
    assert audit.stat().st_mode & 0o777 == access.stat().st_mode & 0o777 == 0o640


def test_the_audit_log_tells_who_wanted_what(site: Site) -> None:
    with running(site) as server:
        path, pem = enrol("wanted.example.com")
        assert server.ask("PUT", path, pem)[0] == 200
        status = f"{CA}/certificate_status/wanted.example.com"
        wish = b'{"desired_state": "signed"}'
        assert server.ask("PUT", status, wish, NAME)[0] == 204
        assert server.ask("DELETE", status, client=NAME)[0] == 204
        told = [
            (entry["event"], entry.get("by"), entry["address"])
            for entry in audited(server.out)
        ]
    assert told == [
        ("request.received", None, "127.0.0.1"),
        ("certificate.issued", NAME, "127.0.0.1"),
        ("certificate.removed", NAME, "127.0.0.1"),
    ]


def test_a_log_that_was_moved_away_is_made_anew(site: Site) -> None:
    access = site.root / "access.log"
    site.toml = f'[listener]\naccess_log = "{access}"\n'
    with running(site, "--workers", "1") as server:
        server.ask("GET", "/one")
        time.sleep(0.3)
        access.rename(site.root / "access.log.1")
        server.ask("GET", "/two")
        time.sleep(0.3)
    assert "/two" in access.read_text()
    assert "/one" in (site.root / "access.log.1").read_text()


def test_lists_that_are_about_to_end_are_renewed_at_the_start(site: Site) -> None:
    path, soon = site.cadir / "ca_crl.pem", datetime.now(UTC) + timedelta(days=9)
    authority = load(site.cadir, open_cadir(site.cadir))
    old = bundle.load_crls(path.read_bytes())
    root = keys.LocalSigner(
        keys.load_private((site.cadir / "root_key.pem").read_bytes())
    )
    signers = (authority.issuer.signer, root)
    short = [
        crl.extend(each, (), signer, this_update=soon - timedelta(9), next_update=soon)
        for each, signer in zip(old, signers, strict=True)
    ]
    path.write_bytes(bundle.dump_crls(short))
    with running(site, "--workers", "1") as server:
        server.wait_until("was about to end and was renewed", "out")
        served = server.ask("GET", f"{CA}/certificate_revocation_list/ca")[1]
        renewed = bundle.load_crls(served)
        assert len(renewed) == 2
        for each in renewed:
            assert each.next_update is not None
            assert each.next_update > soon + timedelta(days=1000)
        assert audited(server.out)[-1]["event"] == "crl.renewed"


def test_a_list_that_cannot_be_renewed_is_warned_of(site: Site) -> None:
    path, soon = site.cadir / "ca_crl.pem", datetime.now(UTC) + timedelta(days=60)
    old = bundle.load_crls(path.read_bytes())
    key = site.cadir / "root_key.pem"
    root = keys.LocalSigner(keys.load_private(key.read_bytes()))
    short = crl.extend(
        old[1], (), root, this_update=soon - timedelta(60), next_update=soon
    )
    path.write_bytes(bundle.dump_crls((old[0], short)))
    key.unlink()
    before = path.read_bytes()
    with running(site, "--workers", "1") as server:
        server.wait_until("and is not renewed here")
        assert f"ends on {soon:%Y-%m-%d}" in server.err
        assert "the revocation list of Puppet Root CA" in server.err
    assert path.read_bytes() == before


def test_the_service_manager_is_told(site: Site, tmp_path: Path) -> None:
    address = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
        told.bind(address)
        told.settimeout(20)
        with running(site, env={"NOTIFY_SOCKET": address}) as server:
            assert told.recv(100) == b"READY=1"
            server.signal(signal.SIGHUP)
            assert re.fullmatch(rb"RELOADING=1\nMONOTONIC_USEC=\d+", told.recv(100))
            assert told.recv(100) == b"READY=1"
            server.signal(signal.SIGTERM)
            assert told.recv(100) == b"STOPPING=1"


def test_help_has_examples() -> None:
    command = [sys.executable, "-m", "reseal", "server", "--help"]
    found = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert "Examples:" in found.stdout
    assert "--check" in found.stdout
