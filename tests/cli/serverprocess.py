"""`reseal server` as a process on loopback, with everything it says."""

from __future__ import annotations

import http.client
import os
import re
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

NAME = "puppet.example.com"


@dataclass
class Site:
    """Where a server's files are."""

    root: Path
    puppet: dict[str, str] = field(default_factory=dict)
    toml: str = ""

    @property
    def cadir(self) -> Path:
        return self.root / "ca"

    @property
    def ssldir(self) -> Path:
        return self.root / "ssl"

    def write(self) -> None:
        """Write puppet.conf and reseal.toml."""
        settings = {
            "certname": NAME,
            "ssldir": str(self.ssldir),
            "cadir": str(self.cadir),
            "keylength": "2048",
            "user": "nobody-of-that-name",
            **self.puppet,
        }
        lines = [f"{name} = {value}" for name, value in settings.items()]
        self.root.joinpath("puppet.conf").write_text("\n".join(["[main]", *lines, ""]))
        self.root.joinpath("reseal.toml").write_text(self.toml)

    def command(self, *words: str) -> list[str]:
        """Return the command line of a server on these files."""
        config = str(self.root / "puppet.conf")
        first = [sys.executable, "-m", "reseal", "server", "--config", config]
        return [*first, *words]

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a server that is to end by itself."""
        return subprocess.run(
            self.command(*words), capture_output=True, text=True, timeout=60
        )


@dataclass
class Process:
    """A server that answers."""

    site: Site
    process: subprocess.Popen[bytes]
    port: int

    @property
    def out(self) -> str:
        return (self.site.root / "out").read_text()

    @property
    def err(self) -> str:
        return (self.site.root / "err").read_text()

    @property
    def workers(self) -> set[int]:
        """Process ids of the children."""
        pid = self.process.pid
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
        return {int(word) for word in text.split()}

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def connect(self, client: str = "") -> http.client.HTTPSConnection:
        """Return a connection, with a node's certificate if it is named."""
        ssldir = self.site.ssldir
        context = ssl.create_default_context(cafile=self.site.cadir / "ca_crt.pem")
        context.check_hostname = False
        if client:
            context.load_cert_chain(
                ssldir / f"certs/{client}.pem", ssldir / f"private_keys/{client}.pem"
            )
        return http.client.HTTPSConnection(
            "127.0.0.1", self.port, timeout=20, context=context
        )

    def ask(
        self, method: str, path: str, body: bytes = b"", client: str = ""
    ) -> tuple[int, bytes]:
        """Send one request on a connection of its own."""
        connection = self.connect(client)
        try:
            connection.request(method, path, body or None)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def wait_until(self, text: str, stream: str = "err", seconds: float = 20) -> None:
        """Wait until the server says something."""
        limit = time.monotonic() + seconds
        while text not in getattr(self, stream):
            assert time.monotonic() < limit, f"{text!r} was not said: {self.err}"
            time.sleep(0.02)


@contextmanager
def running(
    site: Site, *words: str, env: dict[str, str] | None = None
) -> Iterator[Process]:
    """Run a server for a `with` block; it is ended with SIGTERM if it still runs."""
    site.write()
    with (site.root / "out").open("wb") as out, (site.root / "err").open("wb") as err:
        process = subprocess.Popen(
            site.command("--port", "0", "--host", "127.0.0.1", "-v", *words),
            stdout=out,
            stderr=err,
            env={**os.environ, **(env or {})},
            start_new_session=True,
        )
    found = Process(site, process, 0)
    try:
        found.wait_until("answering on port")
        port = re.search(r"answering on port (\d+)", found.err)
        assert port is not None
        found.port = int(port[1])
        yield found
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            raise
