"""A node for tests of the survey: a `puppet`, a `ruby` and the files they speak of.

The survey's scripts run for real on this machine; only the programs they ask are
ours, so that a test can say what they answer.  What real ones answer is tested in
`tests/real`.
"""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from cryptography.x509.oid import NameOID
from sshnode import SUDO, program

NOW = datetime(2026, 6, 1, tzinfo=UTC)


@cache
def key(name: str) -> ec.EllipticCurvePrivateKey:
    """Return the key of that name, the same each time."""
    return ec.generate_private_key(ec.SECP256R1())


def certificate(name: str, issuer: str, *, owner: str | None = None) -> bytes:
    """Return a certificate of `name` for the key of `owner`, which is `name`'s own."""
    builder = x509.CertificateBuilder(
        issuer_name=x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]),
        subject_name=x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]),
        public_key=key(owner or name).public_key(),
        serial_number=17,
        not_valid_before=NOW - timedelta(days=1),
        not_valid_after=NOW + timedelta(days=100),
    )
    alt_names = x509.SubjectAlternativeName([x509.DNSName(name.split()[0].lower())])
    signed = builder.add_extension(alt_names, critical=False).sign(
        key(issuer), hashes.SHA256()
    )
    return signed.public_bytes(Encoding.PEM)


def crl(issuer: str) -> bytes:
    """Return a list of `issuer` with two entries and the number 5."""
    builder = x509.CertificateRevocationListBuilder(
        issuer_name=x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]),
        last_update=NOW - timedelta(days=1),
        next_update=NOW + timedelta(days=9),
    ).add_extension(x509.CRLNumber(5), critical=False)
    for serial in (3, 4):
        entry = x509.RevokedCertificateBuilder(serial, NOW - timedelta(days=1)).build()
        builder = builder.add_revoked_certificate(entry)
    return builder.sign(key(issuer), hashes.SHA256()).public_bytes(Encoding.PEM)


def told(name: str, state: str = "plain") -> str:
    """Return what `public_keys.rb` says of the key of that name."""
    info = (
        key(name)
        .public_key()
        .public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    )
    return f"{state} {b64encode(info).decode()}"


@dataclass
class NodeTree:
    """A node under a directory.

    Attributes:
        root: Its files.
        settings: What `puppet config print` says for the agent.
        master: What it says besides for the server.
    """

    root: Path
    settings: dict[str, str]
    master: dict[str, str]

    @classmethod
    def made(cls, root: Path, certname: str = "web01") -> NodeTree:
        """Make an agent's node with a certificate of the CA."""
        ssl = root / "ssl"
        names = {"hostcert": "cert.pem", "hostprivkey": "key.pem", "hostcrl": "crl.pem"}
        settings = {
            "certname": certname,
            "http_user_agent": "Puppet/7.23.0 Ruby/3.1.7-p261 (x86_64-linux-gnu)",
            "ssldir": str(ssl),
            "localcacert": str(ssl / "ca.pem"),
            "agent_disabled_lockfile": str(root / "disabled.lock"),
            "csr_attributes": str(root / "csr_attributes.yaml"),
            "passfile": str(ssl / "password"),
            "ldapserver": "not wanted",
            **{name: str(ssl / file) for name, file in names.items()},
        }
        ssl.mkdir()
        (ssl / "cert.pem").write_bytes(certificate(certname, "Puppet CA: puppet"))
        (ssl / "ca.pem").write_bytes(certificate("Puppet CA: puppet", "Root"))
        (ssl / "crl.pem").write_bytes(crl("Puppet CA: puppet"))
        tree = cls(root, settings, {})
        tree.answer(told(certname))
        return tree

    def add_ca(self, *, inside: bool = False) -> Path:
        """Put a CA's directory there, as Puppet Server 7 or 6 (inside) lays it out."""
        cadir = self.root / ("ssl" if inside else "puppetserver") / "ca"
        (cadir / "signed").mkdir(parents=True)
        if not inside:
            (self.root / "ssl" / "ca").symlink_to(cadir)
        bundle = certificate("Puppet CA: puppet", "Root") + certificate("Root", "Root")
        (cadir / "ca_crt.pem").write_bytes(bundle)
        (cadir / "ca_crl.pem").write_bytes(crl("Puppet CA: puppet"))
        (cadir / "ca_key.pem").write_bytes(
            key("Puppet CA: puppet").private_bytes(
                Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()
            )
        )
        (cadir / "serial").write_text("0012")
        row = "0x0011 2026-01-01T00:00:00UTC 2031-01-01T00:00:00UTC /CN=web01\n"
        (cadir / "inventory.txt").write_text(row)
        (cadir / "signed" / "web01.pem").touch()
        self.master = {"cadir": str(self.root / "ssl" / "ca"), "autosign": "false"}
        return cadir

    def answer(self, host: str, ca: str | None = None) -> None:
        """Say what `ruby` tells of the node's key and of the CA's; write programs."""
        bin_ = self.root / "bin"
        ca = told("Puppet CA: puppet") if ca is None else ca
        choice = f'*ca_key*) echo "{ca}" ;; *) echo "{host}" ;;'
        program(bin_, "ruby", f"#!/bin/sh\ncase $3 in {choice} esac\n")
        program(bin_, "sudo", SUDO)

    def write_puppet(self) -> None:
        """Write the `puppet` that prints the settings as they are now."""
        master = self.settings | self.master
        lines = ["#!/bin/sh", "echo Warning: something is deprecated >&2"]
        for section, settings in (("agent", self.settings), ("master", master)):
            printed = "".join(f"{k} = {v}\n" for k, v in sorted(settings.items()))
            lines += [
                f'if [ "$4" = {section} ]; then',
                f"cat <<'EOF'\n{printed}EOF",
                "fi",
            ]
        program(self.root / "bin", "puppet", "\n".join(lines) + "\n")
