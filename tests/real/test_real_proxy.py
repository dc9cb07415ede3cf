"""The real nginx ends TLS in front of the server, as packaging/nginx.conf says.

Sources: issue "`reseal server`", 2; nginx, ngx_http_ssl_module.
"""

from __future__ import annotations

import http.client
import os
import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

pytestmark = pytest.mark.real

PROJECT = Path(__file__).parents[2]
NAME, NODE = "puppet.example.com", "web01.example.com"
STATUS = f"/puppet-ca/v1/certificate_status/{NODE}"
FORGED = {"X-Client-Verify": "SUCCESS", "X-Client-DN": f"CN={NAME}"}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
        return port


@dataclass
class Site:
    """A CA with two certificates, and the ports of nginx and of reseal."""

    root: Path
    proxy: int
    server: int

    def reseal(self, *words: str) -> None:
        """Run a command on the CA."""
        command = [sys.executable, "-m", "reseal", *words]
        command += ["--config", str(self.root / "puppet.conf")]
        subprocess.run(command, check=True, capture_output=True, timeout=60)

    def ask(
        self,
        who: str = "",
        headers: dict[str, str] | None = None,
        *,
        past: bool = False,
    ) -> int:
        """Return the status of a question about a node, past the proxy perhaps."""
        connection: http.client.HTTPConnection
        if past:
            connection = http.client.HTTPConnection(
                "127.0.0.1", self.server, timeout=20
            )
        else:
            context = ssl.create_default_context(cafile=self.root / "ca/ca_crt.pem")
            context.check_hostname = False
            if who:
                certificate = self.root / f"ssl/certs/{who}.pem"
                context.load_cert_chain(
                    certificate, self.root / f"ssl/private_keys/{who}.pem"
                )
            connection = http.client.HTTPSConnection(
                "127.0.0.1", self.proxy, context=context, timeout=20
            )
        try:
            connection.request("GET", STATUS, headers=headers or {})
            answer = connection.getresponse()
            answer.read()
            return answer.status
        finally:
            connection.close()


def write(site: Site, proxies: str) -> None:
    """Write the settings of reseal, and nginx's with this place's paths."""
    root = site.root
    root.joinpath("puppet.conf").write_text(
        f"[main]\ncertname = {NAME}\nssldir = {root}/ssl\ncadir = {root}/ca\n"
        "keylength = 2048\n"
    )
    root.joinpath("reseal.toml").write_text(
        f'[listener]\ntls = false\nhost = "127.0.0.1"\nport = {site.server}\n'
        f'allow_header_cert_info = true\nproxies = ["{proxies}"]\nworkers = 1\n'
    )
    block = (PROJECT / "packaging/nginx.conf").read_text()
    for told, here in (
        ("listen 8140", f"listen 127.0.0.1:{site.proxy}"),
        ("127.0.0.1:18140", f"127.0.0.1:{site.server}"),
        ("/etc/puppetlabs/puppet/ssl", f"{root}/ssl"),
        ("/etc/puppetlabs/puppetserver/ca", f"{root}/ca"),
    ):
        assert told in block
        block = block.replace(told, here)
    root.joinpath("nginx.conf").write_text(
        f"pid {root}/nginx.pid;\nerror_log {root}/nginx.log;\nevents {{}}\n"
        f"http {{\naccess_log off;\nclient_body_temp_path {root}/body;\n"
        f"proxy_temp_path {root}/proxy;\nfastcgi_temp_path {root}/fastcgi;\n"
        f"uwsgi_temp_path {root}/uwsgi;\nscgi_temp_path {root}/scgi;\n{block}}}\n"
    )


def wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    limit = time.monotonic() + 60
    while time.monotonic() < limit:
        assert process.poll() is None, log.read_text()
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
            continue
        return
    raise AssertionError(log.read_text())


@contextmanager
def running(command: list[str], port: int, log: Path) -> Iterator[None]:
    with log.open("ab") as to:
        process = subprocess.Popen(command, stdout=to, stderr=to)
    try:
        wait_for(port, process, log)
        yield
    finally:
        process.terminate()
        process.wait(60)


@contextmanager
def proxied(root: Path, proxies: str = "127.0.0.1") -> Iterator[Site]:
    """Run reseal's server behind nginx, with certificates for host and node."""
    nginx = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    assert nginx, "nginx is not installed: scripts/debian nginx"
    site = Site(root, free_port(), free_port())
    write(site, proxies)
    serve = [sys.executable, "-m", "reseal", "server", "--verbose"]
    serve += ["--config", str(root / "puppet.conf")]
    front = [nginx, "-p", str(root), "-c", str(root / "nginx.conf")]
    front += ["-g", "daemon off;"]
    with running(serve, site.server, root / "log"):
        site.reseal("cert", "generate", NODE)
        with running(front, site.proxy, root / "nginx.log"):
            yield site


def test_nginx_tells_who_calls(tmp_path: Path) -> None:
    with proxied(tmp_path) as site:
        assert site.ask(NAME) == 200
        assert site.ask(NODE) == 403
        assert site.ask() == 403
        assert site.ask(headers=FORGED) == 403
        assert site.ask(NODE, FORGED) == 403
        site.reseal("cert", "revoke", NAME)
        assert site.ask(NAME) == 403, "nginx goes by the list it has read at its start"


def test_who_is_no_named_proxy_is_not_believed(tmp_path: Path) -> None:
    with proxied(tmp_path, "10.0.0.0/8") as site:
        assert site.ask(NAME) == 403
        assert site.ask(headers=FORGED, past=True) == 403
