"""What strangers leave with the CA does not turn its operator's tools against it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from cahost import CaHost
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed448

from reseal.cli.main import main
from reseal.cli.output import Screen
from reseal.x509 import certexts, keys
from reseal.x509.csr import build_request

KEY = keys.LocalSigner(keys.generate("ec:secp256r1"))


def put(host: CaHost, name: str) -> Path:
    target = host.cadir / "requests" / f"{name}.pem"
    target.write_bytes(build_request(KEY, name).pem)
    return target


def publish(host: CaHost) -> None:
    """Have the CA's certificate and list where the host's agent looks for them."""
    assert host.run("cert", "clean", "nobody")[0] == 24


def everything(directory: Path) -> dict[Path, bytes]:
    return {p: p.read_bytes() for p in directory.rglob("*") if p.is_file()}


def test_the_name_of_the_ca_is_not_signed(host: CaHost) -> None:
    put(host, "ca")
    code, _, stderr = host.run("cert", "sign", "ca")
    assert (code, stderr) == (24, "Error: ca: is the CA's own name\n")
    assert not (host.cadir / "signed" / "ca.pem").exists()


def test_the_name_of_the_ca_is_not_generated(host: CaHost) -> None:
    publish(host)
    before = everything(host.ssl)
    code, _, stderr = host.run("cert", "generate", "ca")
    assert (code, stderr) == (24, "Error: ca: is the CA's own name\n")
    assert everything(host.ssl) == before


def test_cleaning_ca_removes_the_request_only(host: CaHost) -> None:
    publish(host)
    before = everything(host.ssl)
    assert host.ssl / "certs" / "ca.pem" in before
    put(host, "ca")
    code, stdout, _ = host.run("cert", "clean", "ca")
    assert code == 0
    assert stdout.count("Removing file") == 1
    assert everything(host.ssl) == before


def test_work_on_a_copy_leaves_the_live_host_alone(host: CaHost) -> None:
    name = "web01.example.com"
    publish(host)
    for directory in ("certs", "private_keys"):
        (host.ssl / directory).mkdir(exist_ok=True)
        (host.ssl / directory / f"{name}.pem").write_text("of the live host")
    copy = host.root / "copy"
    shutil.copytree(host.cadir, copy)
    conf = host.root / "conf" / "puppet.conf"
    conf.write_text(f"{conf.read_text()}ssldir = {host.ssl}\n")
    before = everything(host.ssl)
    assert main(["cert", "clean", name, f"--config={conf}", f"--cadir={copy}"]) == 0
    assert not (copy / "signed" / f"{name}.pem").exists()
    assert str(host.ssl) not in host.out()[0]
    assert everything(host.ssl) == before


def test_a_request_does_not_steer_the_terminal(host: CaHost) -> None:
    text = 'x"\x1b[2J\n+ "evil" \x01\U000e0001'
    extension = certexts.text_extension("1.3.6.1.4.1.34380.1.1.13", text)
    target = host.cadir / "requests" / "node.pem"
    target.write_bytes(build_request(KEY, "node", extensions=(extension,)).pem)
    code, stdout, _ = host.run("cert", "list", "-m")
    assert code == 0
    assert r'"x\"\e[2J\n+ \"evil\" \u0001\u{E0001}"' in stdout
    assert len(stdout.splitlines()) == 1


def test_what_is_said_does_not_steer_the_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    screen = Screen(colour=False)
    for say in (screen.plain, screen.notice, screen.error, screen.hint):
        say("a\x1b]0;b\x07")
    captured = capsys.readouterr()
    assert captured.out.count("a\ufffd]0;b\ufffd\n") == 2
    assert captured.err.count("a\ufffd]0;b\ufffd\n") == 2


def test_a_request_that_cannot_be_signed_does_not_hide_others(host: CaHost) -> None:
    key = ed448.Ed448PrivateKey.generate()
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "aaa")])
    request = x509.CertificateSigningRequestBuilder(subject).sign(key, None)
    target = host.cadir / "requests" / "aaa.pem"
    target.write_bytes(request.public_bytes(serialization.Encoding.PEM))
    put(host, "node")
    for words in (("list",), ("fingerprint", "--all")):
        code, stdout, stderr = host.run("cert", *words)
        assert (code, stderr) == (0, ""), words
        assert "aaa" in stdout
        assert "node" in stdout
    assert "(request" in host.run("cert", "list")[1]
    assert host.run("cert", "sign", "aaa")[0] == 24
    assert not (host.cadir / "signed" / "aaa.pem").exists()
