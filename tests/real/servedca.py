"""`reseal server` in a real site, in the place of the site's own CA.

The process runs on this machine, in the network of one of the site's hosts: to every
other host it is that host's server.

Sources: lab/README.md (namespaces).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from labsite import Completed, Site

_PATIENCE = 30.0


@dataclass(frozen=True, slots=True)
class ServedCa:
    """A CA that reseal serves.

    Attributes:
        site: Where.
        host: On which of its hosts.
        name: The server's certname.
        root: Its puppet.conf, and beside it cadir and ssldir.
    """

    site: Site
    host: str
    name: str
    root: Path

    @property
    def cadir(self) -> Path:
        return self.root / "ca"

    @property
    def said(self) -> str:
        """Everything it printed."""
        return (self.root / "log").read_text()

    def reseal(self, *words: str, timeout: float = 60) -> Completed:
        """Run another command of reseal on this CA, beside the server."""
        config = str(self.root / "puppet.conf")
        return self.site.reseal(*words, "--config", config, timeout=timeout)

    def waits_for(self, name: str) -> None:
        """Wait until a request of that name is there."""
        limit = time.monotonic() + _PATIENCE
        while not (self.cadir / f"requests/{name}.pem").exists():
            assert time.monotonic() < limit, f"{name} sent no request:\n{self.said}"
            time.sleep(0.1)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Serve for a `with` block; SIGTERM ends it with 0."""
        command = ["ip", "netns", "exec", f"{self.site.name}-{self.host}"]
        command += [sys.executable, "-m", "reseal", "server", "--verbose"]
        command += ["--config", str(self.root / "puppet.conf")]
        with (self.root / "log").open("wb") as log:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        try:
            limit = time.monotonic() + _PATIENCE
            while "Notice: Starting Puppet master" not in self.said:
                assert process.poll() is None, self.said
                assert time.monotonic() < limit, self.said
                time.sleep(0.05)
            yield
        finally:
            process.terminate()
            code = process.wait(90)
        assert code == 0, self.said


def take_over(
    site: Site, tmp_path: Path, *, host: str = "puppet", **settings: str
) -> ServedCa:
    """Stop a site's server, and prepare to serve a copy of its CA.

    Args:
        site: The site.
        tmp_path: Where the copy goes.
        host: Where reseal is to serve; a certificate for it is made there.
        settings: Of puppet.conf.
    """
    site.on("puppet", f"systemctl stop puppet {site.server_unit}")
    for agent in site.agents:
        site.on(agent.name, "systemctl stop puppet")
    name = f"ca.{site.fqdn(host)}"
    found = ServedCa(site, host, name, tmp_path)
    source = site.root("puppet") / site.cadir.lstrip("/")
    shutil.copytree(source, found.cadir)
    for path in [found.cadir, *found.cadir.rglob("*")]:
        os.chown(path, 0, 0)
    told = {
        "certname": name,
        "dns_alt_names": f"{site.fqdn(host)},{host}",
        "ca_server": site.fqdn(host),
        "ssldir": str(tmp_path / "ssl"),
        "cadir": str(found.cadir),
        "keylength": "2048",
        **settings,
    }
    lines = "".join(f"{key} = {value}\n" for key, value in told.items())
    (tmp_path / "puppet.conf").write_text(f"[main]\n{lines}")
    return found
