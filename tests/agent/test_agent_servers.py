"""Which server of a list is asked."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from reseal.agent.remote import NoConnection, Trust, TrustFiles
from reseal.agent.servers import Address, Candidates, Servers, parse_server_list
from reseal.agent.settings import load_agent_settings
from reseal.errors import ParseError, SettingsError
from reseal.settings import Flavour
from reseal.wire import Request
from reseal.x509 import keys
from reseal.x509.certificate import to_pem

NEW, OLD = "/status/v1/simple/server", "/status/v1/simple/master"
NOTHING = Path("/nonexistent")
OTHER = Path(__file__).parents[1] / "data/cadir/puppet-5.5/ca_crt.pem"
TRYING = "Trying with next server from server_list."


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate that nobody needs to trust, with its key."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("servers") / "pair.pem"
    path.write_bytes(keys.dump_private(key) + to_pem(made))
    return path


@contextmanager
def serving(
    pair: Path, statuses: dict[str, int]
) -> Iterator[tuple[Address, list[str]]]:
    """A server that answers paths with statuses, and what it was asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(statuses.get(self.path, 404))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair)
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield Address("127.0.0.1", server.server_address[1]), asked
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def dead() -> Iterator[Address]:
    """An address where nobody listens, and nobody else can."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield Address("127.0.0.1", held.getsockname()[1])


class Asked:
    """Servers, and what they tell."""

    def __init__(
        self, *addresses: Address, listed: bool = True, ca: Path = NOTHING
    ) -> None:
        files = TrustFiles(ca, NOTHING, NOTHING, NOTHING)
        self.said: list[str] = []
        candidates = Candidates(addresses, listed=listed)
        self.servers = Servers(candidates, files, self._log)

    def _log(self, level: str, source: str, message: str) -> None:
        self.said.append(f"{level}: {message}")

    def ask(self) -> str:
        """Ask for something, and return who answered."""
        answer = self.servers.ask(Request("GET", "/x"), Trust.NOTHING)
        return answer.url


def test_the_first_that_serves_is_asked_and_the_others_are_told(pair: Path) -> None:
    with ExitStack() as stack:
        gone = stack.enter_context(dead())
        ill, _ = stack.enter_context(serving(pair, {NEW: 503}))
        well, asked = stack.enter_context(serving(pair, {NEW: 200}))
        spare, unasked = stack.enter_context(serving(pair, {NEW: 200}))
        tried = Asked(gone, ill, well, spare)
        assert tried.ask() == tried.ask() == f"https://{well}"
        assert asked == [NEW, "/x", "/x"]
        assert unasked == []
        tried.servers.close()
    assert tried.said == [
        "warning: Unable to connect to server from server_list setting: Connection to "
        f"https://{gone} failed: Connection refused {TRYING}",
        f"warning: Puppet server {ill} is unavailable: "
        f"503 Service Unavailable {TRYING}",
    ]


def test_a_server_before_puppet_6_is_asked_by_its_old_name(pair: Path) -> None:
    with serving(pair, {OLD: 200}) as (older, asked):
        tried = Asked(older)
        assert tried.ask() == f"https://{older}"
        assert asked == [NEW, OLD, "/x"]
        tried.servers.close()


def test_another_choice_is_made_after_the_connection_is_let_go(pair: Path) -> None:
    statuses = {NEW: 200}
    with (
        serving(pair, statuses) as (first, _),
        serving(pair, {NEW: 200}) as (second, _),
    ):
        tried = Asked(first, second)
        assert tried.ask() == f"https://{first}"
        statuses[NEW] = 503
        assert tried.ask() == f"https://{first}"
        tried.servers.close()
        assert tried.ask() == f"https://{second}"
        tried.servers.close()


def test_a_list_of_which_none_serves_is_told() -> None:
    with dead() as gone:
        tried = Asked(gone)
        with pytest.raises(NoConnection) as caught:
            tried.ask()
    wanted = "Could not select a functional puppet server from server_list"
    assert str(caught.value) == f"{wanted}: '{gone}'"
    assert caught.value.hint is not None
    assert [line.split(":")[0] for line in tried.said] == ["err"]
    assert TRYING not in tried.said[0]


def test_a_list_with_a_server_that_is_not_trusted_is_not_trusted(pair: Path) -> None:
    with serving(pair, {NEW: 200}) as (stranger, asked), dead() as gone:
        tried = Asked(stranger, gone, ca=OTHER)
        with pytest.raises(NoConnection) as caught:
            tried.servers.found(Trust.CA)
        assert caught.value.untrusted
        assert asked == []
        assert "certificate verify failed" in tried.said[0]


def test_a_single_server_is_not_asked_for_its_status(pair: Path) -> None:
    with serving(pair, {}) as (only, asked):
        tried = Asked(only, listed=False)
        assert tried.ask() == f"https://{only}"
        assert asked == ["/x"]
        tried.servers.close()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", ()),
        ("a", (Address("a", 8140),)),
        ("a:1, b ,,", (Address("a", 1), Address("b", 8140))),
        ("a:65535", (Address("a", 65535),)),
    ],
)
def test_a_list_is_read(text: str, found: tuple[Address, ...]) -> None:
    assert parse_server_list(text, 8140) == found


@pytest.mark.parametrize("entry", [":1", "a:", "a:0", "a:65536", "a:b", "a:1:2", "a:²"])
def test_what_is_no_server_is_told(entry: str) -> None:
    with pytest.raises(ParseError, match="is not HOST or HOST:PORT"):
        parse_server_list(f"a,{entry}", 8140)


def _settings(flavour: Flavour, **told: str) -> tuple[Candidates, Candidates]:
    found = load_agent_settings(flavour, certname="a.example.com", overrides=told)
    return found.servers, found.ca_servers


def test_a_ca_server_that_is_told_by_name_is_no_lists(tmp_path: Path) -> None:
    flavour = Flavour("aio", tmp_path, tmp_path / "ssl", tmp_path / "ca")
    one = Candidates((Address("puppet", 8140),), listed=False)
    assert _settings(flavour) == (one, one)
    listed = Candidates((Address("a", 8140), Address("b", 1)))
    assert _settings(flavour, server_list="a,b:1") == (listed, listed)
    ca = Candidates((Address("c", 8140),), listed=False)
    assert _settings(flavour, server_list="a,b:1", ca_server="c") == (listed, ca)
    with pytest.raises(SettingsError, match="server_list: 'a:b' is not HOST"):
        _settings(flavour, server_list="a:b")
