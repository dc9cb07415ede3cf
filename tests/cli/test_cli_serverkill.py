"""A server that is killed in the middle of its work keeps what it has answered."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import threading
import time
from pathlib import Path

import pytest
from serverprocess import Process, Site, running

from reseal.certname import Certname
from reseal.store import open_cadir
from reseal.x509 import keys
from reseal.x509.csr import build_request

CA = "/puppet-ca/v1"
KEY = keys.LocalSigner(keys.generate("ec:secp256r1"))
CLIENTS, ROUNDS, SECONDS = 4, 3, 0.8


def enrol(server: Process, prefix: str, answered: list[str]) -> None:
    """Enrol one name after the other on one connection, until it breaks."""
    with contextlib.suppress(OSError, http.client.HTTPException):
        connection = server.connect()
        for number in range(10_000):
            name = f"{prefix}x{number}.example.com"
            pem = build_request(KEY, name).pem
            connection.request("PUT", f"{CA}/certificate_request/{name}", pem)
            answer = connection.getresponse()
            answer.read()
            if answer.status == 200:
                answered.append(name)


def kill_while_enrolling(server: Process, word: str) -> list[str]:
    """Kill every process at once; return the names that were answered before."""
    answered: list[str] = []
    threads = [
        threading.Thread(target=enrol, args=(server, f"{word}{n}", answered))
        for n in range(CLIENTS)
    ]
    for each in threads:
        each.start()
    time.sleep(SECONDS)
    os.killpg(server.process.pid, signal.SIGKILL)
    server.process.wait(30)
    for each in threads:
        each.join(30)
    return answered


@pytest.mark.timeout(120)
def test_nothing_that_was_answered_is_lost_and_no_serial_is_given_twice(
    tmp_path: Path,
) -> None:
    site = Site(tmp_path, {"autosign": "true"})
    site.toml = "[listener]\nworkers = 2\nanonymous_rate = 0\n"
    names: list[str] = []
    for number in range(ROUNDS):
        with running(site) as server:
            names += kill_while_enrolling(server, f"r{number}c")
    assert len(names) > ROUNDS * CLIENTS
    store = open_cadir(site.cadir)
    rows = {row.serial: row for row in store.inventory()}
    lines = (site.cadir / "inventory.txt").read_bytes().splitlines()
    assert len(rows) == len(lines), "a serial number was given twice"
    for name in names:
        assert store.get(Certname(name)).serial_number in rows
    with running(site) as server:
        path = f"{CA}/certificate/{names[-1]}"
        assert server.ask("GET", path)[0] == 200
