"""A service that holds copies of its node's certificates, as a database does.

It reads its copies when it starts and never again, and talks to nobody who does not
show a certificate of the CA it has a copy of.

Run as `python -m reseal.demo.copies PORT DIRECTORY`; it stays in the foreground.
"""

from __future__ import annotations

import contextlib
import ssl
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from reseal.demo.place import CA, CERT, KEY

_PATIENCE, _LINGER = 10.0, 0.2
"""Seconds a caller may say nothing, and has to read why it is refused."""


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing of what succeeds."""


class Copies(ThreadingHTTPServer):
    """Listens on loopback with the copies of a directory."""

    daemon_threads = True

    def __init__(self, port: int, directory: Path) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(directory / CERT, directory / KEY)
        context.load_verify_locations(directory / CA)
        context.verify_mode = ssl.CERT_REQUIRED
        self._context = context

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Serve one connection, in its own thread; a stranger's is closed."""
        request.settimeout(_PATIENCE)
        wrapped = self._context.wrap_socket(
            request, server_side=True, do_handshake_on_connect=False
        )
        with contextlib.suppress(OSError), wrapped:
            try:
                wrapped.do_handshake()
            except OSError:
                # Closed at once, its end could overtake the reason we have sent.
                time.sleep(_LINGER)
                raise
            super().finish_request(wrapped, client_address)


if __name__ == "__main__":
    with Copies(int(sys.argv[1]), Path(sys.argv[2])) as server:
        server.serve_forever()
