"""OpenSSL's text, held to what OpenSSL itself printed and prints here."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from reseal.x509 import bundle
from reseal.x509 import certificate as certs
from reseal.x509.csr import parse_request
from reseal.x509.text import render_request_text, render_text
from reseal.x509.textparts import OPENSSL, RUBY, Style

DATA = Path(__file__).parent.parent / "data" / "x509text"
NAMES = sorted(path.stem for path in DATA.glob("*.pem"))
STYLES = {"openssl": OPENSSL, "ruby": RUBY}


def rendered(name: str, style: Style) -> str:
    pem = (DATA / f"{name}.pem").read_bytes()
    if name.endswith("request"):
        return render_request_text(parse_request(pem), style)
    return render_text(certs.to_der(bundle.load_certificate(pem)), style)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("name", NAMES)
def test_text_is_what_openssl_printed(name: str, style: str) -> None:
    golden = (DATA / f"{name}.{style}.txt").read_bytes().decode()
    assert rendered(name, STYLES[style]) == golden


def without_fashions(text: str) -> list[str]:
    """Return the lines without what differs between releases of OpenSSL 3."""
    return [line.replace(" = ", "=").rstrip() for line in text.splitlines()]


@pytest.mark.parametrize("name", NAMES)
def test_text_is_what_this_openssl_prints(name: str) -> None:
    tool = "req" if name.endswith("request") else "x509"
    command = ["openssl", tool, "-in", str(DATA / f"{name}.pem"), "-noout", "-text"]
    run = subprocess.run(command, capture_output=True, check=True)
    ours = without_fashions(rendered(name, OPENSSL))
    assert ours == without_fashions(run.stdout.decode())


def test_there_are_certificates_of_every_server() -> None:
    assert {"puppet-5.5-ca", "puppetserver-7-leaf", "puppetserver-8-server"} <= {*NAMES}
