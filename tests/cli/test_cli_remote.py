"""While a Puppet Server runs the CA, it is asked; its files are only read."""

from __future__ import annotations

import errno
import shutil
import socketserver
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from fakeserver import FakeServer
from transcripts import DATA

from reseal.ca.create import Order, set_up
from reseal.cli.main import main
from reseal.cli.remote_ca import _is_refused
from reseal.cli.where import settings_for
from reseal.clock import SystemClock
from reseal.settings import PuppetSettings
from reseal.x509 import bundle

WEB01, ALT = "web01.example.com", "alt.example.com"


@dataclass(frozen=True, slots=True)
class Host:
    """The CA's host, in a directory, with a server that may run."""

    settings: PuppetSettings
    out: Callable[[], tuple[str, str]]

    @property
    def cadir(self) -> Path:
        return self.settings.cadir

    def put(self, request: str, name: str) -> None:
        target = self.cadir / "requests" / f"{name}.pem"
        shutil.copyfile(DATA / "requests" / request, target)

    def run(self, port: int, *words: str) -> tuple[int, str, str]:
        conf = self.settings.confdir / "puppet.conf"
        lines = conf.read_text().splitlines()
        kept = [line for line in lines if not line.startswith("ca_port")]
        conf.write_text("\n".join([*kept, f"ca_port = {port}"]) + "\n")
        code = main([*words, f"--config={conf}"])
        return code, *self.out()

    def serial(self) -> int:
        return int((self.cadir / "serial").read_text(), 16)

    @contextmanager
    def served(
        self,
        state: str = "running",
        *,
        forbids: bool = False,
        blind: bool = False,
        autosigns: bool = False,
    ) -> Iterator[FakeServer]:
        with FakeServer(self.settings, state, forbids, blind, autosigns) as server:
            yield server


def make_host(root: Path) -> PuppetSettings:
    conf = root / "puppet.conf"
    root.mkdir()
    conf.write_text(
        f"[main]\ncertname = localhost\nssldir = {root}/ssl\ncadir = {root}/ca\n"
        "ca_server = localhost\nkeylength = 2048\n"
    )
    settings = settings_for({"config": str(conf)})
    set_up(settings, Order(key="rsa:2048"), SystemClock())
    return settings


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("served") / "host"
    make_host(root)
    return root


@pytest.fixture
def host(template: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Host:
    root = tmp_path / "host"
    shutil.copytree(template, root, symlinks=True)
    conf = root / "puppet.conf"
    conf.write_text(conf.read_text().replace(str(template), str(root)))
    (root / "ssl" / "ca").unlink(missing_ok=True)
    settings = settings_for({"config": str(conf)})

    def out() -> tuple[str, str]:
        captured = capsys.readouterr()
        return captured.out, captured.err

    return Host(settings, out)


def test_sign_revoke_and_clean_are_asked_for(host: Host) -> None:
    host.put("web01.pem", WEB01)
    with host.served() as server:
        code, stdout, stderr = host.run(server.port, "cert", "sign", WEB01)
        assert (code, stderr) == (0, "")
        assert f"Notice: Signed certificate request for {WEB01}\n" in stdout
        assert host.serial() == 3
        assert host.run(server.port, "cert", "revoke", WEB01)[0] == 0
        assert host.run(server.port, "cert", "clean", WEB01)[0] == 0
        assert host.run(server.port, "cert", "clean", WEB01)[0] == 0
    status = f"certificate_status/{WEB01}"
    # What is revoked is not revoked again: the server may not know the name any more.
    assert server.asked == [("PUT", status), ("PUT", status), ("DELETE", status)]
    assert {each.client for each in server.seen if "puppet-ca" in each.path} == {
        "localhost"
    }
    assert not (host.cadir / "signed" / f"{WEB01}.pem").exists()


def test_generate_hands_in_a_request(host: Host) -> None:
    with host.served() as server:
        code, _, stderr = host.run(server.port, "cert", "generate", WEB01)
    assert (code, stderr) == (0, "")
    assert server.asked == [
        ("PUT", f"certificate_request/{WEB01}"),
        ("PUT", f"certificate_status/{WEB01}"),
    ]
    kept = (host.settings.certdir / f"{WEB01}.pem").read_bytes()
    assert kept == (host.cadir / "signed" / f"{WEB01}.pem").read_bytes()


def test_generate_takes_what_the_server_signs_by_itself(host: Host) -> None:
    with host.served(autosigns=True) as server:
        code, stdout, stderr = host.run(server.port, "cert", "generate", WEB01)
    assert (code, stderr) == (0, "")
    assert f"Notice: Signed certificate request for {WEB01}\n" in stdout
    assert server.asked == [("PUT", f"certificate_request/{WEB01}")]


def test_a_copy_of_the_cadir_is_not_the_servers(host: Host, tmp_path: Path) -> None:
    host.put("web01.pem", WEB01)
    copy = tmp_path / "copy"
    shutil.copytree(host.cadir, copy)
    with host.served() as server:
        code, _, stderr = host.run(
            server.port, "cert", "sign", WEB01, f"--cadir={copy}"
        )
        assert (code, stderr) == (0, "")
        assert server.seen == []
        words = ("cert", "clean", WEB01, f"--cadir={copy}", "--ca_server=localhost")
        assert host.run(server.port, *words)[0] == 24
    assert (copy / "signed" / f"{WEB01}.pem").exists()
    assert host.serial() == 2
    assert len(server.asked) == 1


def test_every_request_has_a_connection_of_its_own(host: Host) -> None:
    host.put("web01.pem", WEB01)
    with host.served() as server:
        host.run(server.port, "cert", "sign", WEB01)
        host.run(server.port, "cert", "clean", WEB01)
    ports = [each.port for each in server.seen]
    assert len(ports) == len(set(ports)) == 5


def test_looking_asks_nobody(host: Host) -> None:
    with host.served() as server:
        for words in (("list", "--all"), ("print", "localhost"), ("verify", "ca")):
            host.run(server.port, "cert", *words)
    assert server.seen == []


def test_a_refusal_is_said_in_the_servers_words(host: Host) -> None:
    host.put("alt.pem", ALT)
    with host.served() as server:
        code, _, stderr = host.run(server.port, "cert", "sign", ALT)
    assert code == 24
    assert stderr.startswith(f"Error: CSR '{ALT}' contains extra subject alternative")
    assert host.serial() == 2
    assert (host.cadir / "requests" / f"{ALT}.pem").exists()


def test_a_server_that_forbids_names_the_way_out(host: Host) -> None:
    host.put("web01.pem", WEB01)
    with host.served(forbids=True) as server:
        code, _, stderr = host.run(server.port, "cert", "sign", WEB01)
    assert code == 24
    assert f"localhost:{server.port}: answers 403 to PUT" in stderr
    assert "reseal: hint: " in stderr
    assert "pp_cli_auth" in stderr


def test_a_host_without_pp_cli_auth_is_told_before_it_asks(host: Host) -> None:
    host.put("web01.pem", WEB01)
    with host.served() as server:
        assert host.run(server.port, "cert", "generate", "plain")[0] == 0
        asked = len(server.asked)
        for setting in ("hostcert", "hostprivkey"):
            path: Path = getattr(host.settings, setting)
            shutil.copyfile(path.with_name("plain.pem"), path)
        code, _, stderr = host.run(server.port, "cert", "sign", WEB01)
    assert code == 23
    assert "has no pp_cli_auth" in stderr
    assert len(server.asked) == asked


def test_a_server_of_another_ca_is_not_trusted(host: Host, tmp_path: Path) -> None:
    host.put("web01.pem", WEB01)
    other = make_host(tmp_path / "other")
    with FakeServer(other) as server:
        code, _, stderr = host.run(server.port, "cert", "sign", WEB01)
    assert code == 24
    assert f"localhost:{server.port}: is not trusted" in stderr
    assert server.asked == []
    assert host.serial() == 2


@pytest.mark.parametrize("state", ["starting", "stopping", "error"])
def test_a_server_that_is_not_ready_stops_what_changes(host: Host, state: str) -> None:
    host.put("web01.pem", WEB01)
    with host.served(state=state) as server:
        code, _, stderr = host.run(server.port, "cert", "sign", WEB01)
        listed = host.run(server.port, "cert", "list")
    assert code == 23
    assert f"localhost:{server.port}: the CA is {state}" in stderr
    assert server.asked == []
    assert host.serial() == 2
    assert listed[0] == 0


def test_without_a_server_the_files_are_changed(host: Host) -> None:
    host.put("web01.pem", WEB01)
    with host.served() as server:
        port = server.port
    code, _, stderr = host.run(port, "cert", "sign", WEB01)
    assert (code, stderr) == (0, "")
    assert host.serial() == 3


def test_a_revocation_that_the_server_did_not_do_is_no_success(host: Host) -> None:
    with host.served(blind=True) as server:
        code, stdout, stderr = host.run(server.port, "cert", "revoke", "0x1")
    assert (code, stdout) == (24, "")
    assert "serial 0001: the running server does not revoke it" in stderr
    crl = bundle.load_crls((host.cadir / "ca_crl.pem").read_bytes())[0]
    assert len(crl) == 0


@pytest.mark.parametrize(
    "words",
    [
        ("ca", "setup"),
        ("ca", "extend"),
        ("ca", "prune"),
        ("ca", "migrate"),
        ("ca", "check", "--repair"),
    ],
)
def test_what_only_hands_can_do_waits_for_the_server_to_stop(
    host: Host, words: tuple[str, ...]
) -> None:
    before = (host.cadir / "ca_crt.pem").read_bytes()
    with host.served() as server:
        code, _, stderr = host.run(server.port, *words)
    assert code == 1
    assert stderr == (
        "reseal: error: Puppetserver service is running\n"
        "reseal: hint: stop it before attempting to run this command\n"
    )
    assert (host.cadir / "ca_crt.pem").read_bytes() == before


def test_reinventory_waits_too(host: Host) -> None:
    with host.served() as server:
        code, _, stderr = host.run(server.port, "cert", "reinventory")
    assert code == 24
    assert "the CA is running\nreseal: hint: stop it first\n" in stderr


def test_a_server_that_cannot_be_asked_is_not_taken_for_stopped(host: Host) -> None:
    host.put("web01.pem", WEB01)
    conf = host.settings.confdir / "puppet.conf"
    conf.write_text(conf.read_text().replace("localhost\nkey", "ca.invalid\nkey"))
    code, _, stderr = host.run(1, "cert", "sign", WEB01)
    assert code == 23
    assert "ca.invalid:1: cannot be asked whether it runs the CA" in stderr
    assert "--ca_server" in stderr
    assert not (host.cadir / "signed" / f"{WEB01}.pem").exists()


def test_something_without_tls_is_not_taken_for_stopped(host: Host) -> None:
    host.put("web01.pem", WEB01)
    with socketserver.TCPServer(("127.0.0.1", 0), Babbler) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        port = server.server_address[1]
        code, _, stderr = host.run(port, "cert", "sign", WEB01)
    assert code == 23
    assert f"localhost:{port}: " in stderr
    assert not (host.cadir / "signed" / f"{WEB01}.pem").exists()


def test_a_refusal_is_one_of_every_address() -> None:
    assert _is_refused(ConnectionRefusedError(errno.ECONNREFUSED, "no"))
    both = "Multiple exceptions: [Errno {}] a, [Errno {}] b"
    refused, lacking = errno.ECONNREFUSED, errno.EADDRNOTAVAIL
    assert _is_refused(OSError(both.format(lacking, refused)))
    assert not _is_refused(OSError(both.format(errno.EHOSTUNREACH, refused)))
    assert not _is_refused(OSError(errno.EHOSTUNREACH, "no"))
    assert not _is_refused(OSError(lacking, "no"))


class Babbler(socketserver.BaseRequestHandler):
    """Says something that is no TLS, and hangs up."""

    def handle(self) -> None:
        self.request.recv(4096)
        self.request.sendall(b"hello\r\n")


def test_a_root_has_a_list_whatever_python_takes_for_a_chain(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python 3.13 has chains end at the first certificate that is trusted."""
    make = ssl.create_default_context

    def newer(*args: Any, **options: Any) -> ssl.SSLContext:
        context = make(*args, **options)
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | ssl.VERIFY_X509_STRICT
        return context

    monkeypatch.setattr(ssl, "create_default_context", newer)
    host.put("web01.pem", WEB01)
    with host.served() as server:
        assert host.run(server.port, "cert", "sign", WEB01)[0] == 0
