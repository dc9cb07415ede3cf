"""What `cert list` believes, and what `cert verify` proves."""

from __future__ import annotations

from datetime import timedelta

from cahost import CaHost

from reseal.ca.authority import load
from reseal.ca.profile import leaf_extensions
from reseal.clock import SystemClock
from reseal.store import open_cadir
from reseal.x509 import keys
from reseal.x509.certificate import Template, seal, tbs, to_pem
from reseal.x509.keys import LocalSigner, Signer

IMPOSTOR = "impostor.example.com"


def plant(host: CaHost, signer: Signer | None, age: timedelta = timedelta()) -> None:
    """Put a certificate of `IMPOSTOR` into `signed`, by the CA or by another key."""
    authority = load(host.cadir, open_cadir(host.cadir))
    now, key = SystemClock().now(), keys.generate("ec:secp256r1").public_key()
    ca = authority.issuer.certificate
    template = Template(
        subject=IMPOSTOR,
        issuer=authority.issuer.name,
        issuer_key=authority.issuer.signer.public_key,
        serial=99,
        not_before=now - timedelta(days=1) + age,
        not_after=now + timedelta(days=1) + age,
        public_key=key,
        extensions=leaf_extensions("ruby", ca, key, (), ()),
    )
    made = seal(tbs(template), signer or authority.issuer.signer)
    (host.cadir / "signed" / f"{IMPOSTOR}.pem").write_bytes(to_pem(made))


def line(host: CaHost) -> str:
    _, stdout, _ = host.run("cert", "list", IMPOSTOR)
    return stdout


def test_a_forged_signature_is_found_by_verify(host: CaHost) -> None:
    plant(host, LocalSigner(keys.generate("rsa:2048")))
    assert line(host).startswith(f'+ "{IMPOSTOR}"')
    code, stdout, stderr = host.run("cert", "verify", IMPOSTOR)
    assert (code, stdout) == (24, "")
    assert stderr == "Error: unable to get local issuer certificate\n"


def test_a_certificate_of_the_ca_stands(host: CaHost) -> None:
    plant(host, None)
    assert line(host).startswith(f'+ "{IMPOSTOR}"')
    assert host.run("cert", "verify", IMPOSTOR) == (0, "", "")


def test_what_is_not_yet_valid_does_not_stand(host: CaHost) -> None:
    plant(host, None, age=timedelta(days=10))
    assert line(host).endswith("(certificate is not yet valid)\n")


def test_a_certificate_of_an_earlier_ca_does_not_stand(host: CaHost) -> None:
    signed = host.cadir / "signed" / "web01.example.com.pem"
    old = signed.read_bytes()
    for path in (*host.cadir.glob("*.pem"), *host.cadir.glob("signed/*.pem")):
        path.unlink()
    for name in ("serial", "inventory.txt"):
        (host.cadir / name).unlink()
    assert host.run("cert", "list")[0] == 0
    signed.write_bytes(old)
    _, stdout, _ = host.run("cert", "list", "--all")
    assert stdout.startswith('- "web01.example.com" (SHA256) ')
    assert stdout.endswith("(unable to get local issuer certificate)\n")


def test_a_cadir_with_certificates_but_no_ca_is_left_alone(host: CaHost) -> None:
    for path in host.cadir.glob("*.pem"):
        path.unlink()
    for name in ("serial", "inventory.txt"):
        (host.cadir / name).unlink()
    code, stdout, stderr = host.run("cert", "list", "--all")
    assert (code, stdout) == (23, "")
    assert stderr.startswith(f"Error: {host.cadir}: certificates without a CA\n")
    assert not list(host.cadir.glob("*.pem"))
