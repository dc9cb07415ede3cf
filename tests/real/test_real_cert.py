"""reseal works on the CA of a real Puppet, and the real one goes on with it.

Sources: issue "One command regenerates every certificate", 2 and 3: after reseal has
issued, revoked and re-published, the real CA goes on and OpenSSL verifies it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from labsite import SMALL5, SMALL7, SMALL8, Completed, Site, on_sites

pytestmark = pytest.mark.real

REQUESTS = Path(__file__).parent.parent / "data" / "transcripts" / "requests"
SERVER = "puppet"


@dataclass(frozen=True, slots=True)
class RealCa:
    """The CA of a site, on this machine's side of its files."""

    site: Site

    @property
    def cadir(self) -> Path:
        return self.site.root(SERVER) / self.site.cadir.lstrip("/")

    def reseal(self, *words: str) -> Completed:
        root = self.site.root(SERVER)
        ssldir = root / self.site.ssldir.lstrip("/")
        where = [f"--config={root}/etc/puppet/puppet.conf", f"--ssldir={ssldir}"]
        where += [f"--cadir={self.cadir}", f"--ca-server={self.site.fqdn(SERVER)}"]
        return self.site.reseal(*words, *where)

    def cert(self, *words: str) -> Completed:
        certname = self.site.fqdn(SERVER)
        return self.reseal("cert", *words, f"--certname={certname}")

    def listed(self) -> dict[str, dict[str, Any]]:
        found = json.loads(self.cert("list", "--all", "--json").stdout)
        return {each["name"]: each for each in found["certificates"]}

    def request(self, file: str, name: str) -> None:
        """Leave a request as the CA itself would: with its owner."""
        target = self.cadir / "requests" / f"{name}.pem"
        shutil.copyfile(REQUESTS / file, target)
        status = self.cadir.stat()
        os.chown(target, status.st_uid, status.st_gid)

    def real(self, verb: str, name: str) -> Completed:
        """Have the real tool sign or revoke a name."""
        if self.site.release == "bullseye":
            return self.site.on(SERVER, f"puppet cert {verb} {name}")
        return self.site.on(SERVER, f"puppetserver ca {verb} --certname {name}")

    def openssl(self, name: str) -> str:
        """Return what `openssl verify` says of a signed certificate."""
        command = ["openssl", "verify", "-crl_check_all"]
        command += ["-CAfile", str(self.cadir / "ca_crt.pem")]
        command += ["-CRLfile", str(self.cadir / "ca_crl.pem")]
        command.append(str(self.cadir / "signed" / f"{name}.pem"))
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.stdout + done.stderr

    def serials(self) -> list[int]:
        """Return the serial numbers of the inventory, the CA's own left out."""
        rows = (self.cadir / "inventory.txt").read_text().splitlines()
        return [int(row.split()[0], 16) for row in rows if "Puppet CA" not in row]

    def revoked(self) -> set[int]:
        crl = x509.load_pem_x509_crl((self.cadir / "ca_crl.pem").read_bytes())
        return {entry.serial_number for entry in crl}


def wait_for_server(site: Site) -> None:
    """Wait until the server answers on its port, whatever it says."""
    script = "for i in $(seq 300); do : </dev/tcp/puppet/8140 && exit; sleep 1; done"
    site.on(SERVER, f"bash -c '{script}; exit 1' 2>/dev/null")


def serial_of(listed: dict[str, dict[str, Any]], name: str) -> int:
    return int(listed[name]["serial"], 16)


@on_sites(SMALL5, SMALL7, SMALL8)
def test_the_real_one_goes_on_after_reseal(serverless_site: Site) -> None:
    site, ca = serverless_site, RealCa(serverless_site)
    one, two, three = (f"web0{n}.example.com" for n in (1, 2, 3))
    site.on(SERVER, "systemctl stop puppet")
    for number, name in enumerate((one, two, three), 1):
        ca.request(f"web0{number}.pem", name)

    signed = ca.cert("sign", one, two)
    assert (signed.returncode, signed.stderr) == (0, "")
    assert ca.cert("revoke", two).returncode == 0
    checked = ca.reseal("ca", "check")
    assert (checked.returncode, checked.stdout) == (0, "The CA is in order.\n")
    assert ca.openssl(one).endswith(": OK\n")
    assert "certificate revoked" in ca.openssl(two)

    site.on(SERVER, f"systemctl start {site.server_unit}")
    wait_for_server(site)
    ca.real("sign", three)
    ca.real("revoke", one)
    listed = ca.listed()
    states = {name: listed[name]["state"] for name in (one, two, three)}
    assert states == {one: "invalid", two: "invalid", three: "signed"}
    assert ca.revoked() >= {serial_of(listed, one), serial_of(listed, two)}
    assert len(ca.serials()) == len(set(ca.serials()))
    assert serial_of(listed, three) == serial_of(listed, two) + 1
    assert ca.openssl(three).endswith(": OK\n")
    assert "certificate revoked" in ca.openssl(one)
    assert ca.reseal("ca", "check").returncode == 0
    site.on(SERVER, "systemctl start puppet")
    site.check()


@on_sites(SMALL7, SMALL8)
def test_a_running_server_is_asked(site: Site) -> None:
    ca = RealCa(site)
    name, other, wider = (f"{n}.example.com" for n in ("web01", "web02", "alt"))
    for file, each in (("web01", name), ("web02", other), ("alt", wider)):
        ca.request(f"{file}.pem", each)

    signed = ca.cert("sign", name)
    assert (signed.returncode, signed.stderr) == (0, "")
    assert f"Notice: Signed certificate request for {name}\n" in signed.stdout
    refused = ca.cert("sign", wider)
    assert refused.returncode == 24
    assert refused.stderr.startswith(f"Error: CSR '{wider}' contains extra subject")
    revoked = ca.cert("revoke", name)
    assert revoked.returncode == 0
    assert serial_of(ca.listed(), name) in ca.revoked()
    cleaned = ca.cert("clean", name, other, wider)
    assert (cleaned.returncode, cleaned.stderr) == (0, "")
    assert set(ca.listed()) == {host.fqdn for host in site.hosts}
    made = ca.cert("generate", "made.example.com")
    assert (made.returncode, made.stderr) == (0, "")
    assert ca.openssl("made.example.com").endswith(": OK\n")
    assert not (ca.cadir / ".reseal.lock").exists(), "its files were changed by hand"

    for words in (("ca", "prune"), ("ca", "extend"), ("ca", "check", "--repair")):
        done = ca.reseal(*words)
        assert done.returncode == 1, words
        assert "Puppetserver service is running" in done.stderr
    asked = site.text(SERVER, "grep -h PUT /var/log/puppetserver/*access*.log")
    assert f'/certificate_status/{name} HTTP/1.1" 204' in asked
    site.check()


@on_sites(SMALL5)
def test_a_webrick_master_is_no_puppet_server(site: Site) -> None:
    ca = RealCa(site)
    ca.request("web01.pem", "web01.example.com")
    signed = ca.cert("sign", "web01.example.com")
    assert (signed.returncode, signed.stderr) == (0, "")
    listed = site.on(SERVER, "puppet cert list web01.example.com --color=false")
    assert listed.stdout.startswith('+ "web01.example.com" (SHA256) ')
    assert ca.real("clean", "web01.example.com").returncode == 0
    site.check()


@on_sites(SMALL5, SMALL7, SMALL8)
def test_extend_and_prune_leave_a_ca_that_serves(serverless_site: Site) -> None:
    site, ca = serverless_site, RealCa(serverless_site)
    site.on(SERVER, "systemctl stop puppet")
    agent = site.agents[0].fqdn
    before = x509.load_pem_x509_certificate((ca.cadir / "ca_crt.pem").read_bytes())
    assert ca.reseal("ca", "extend", "--ttl", "20y").returncode == 0
    after = x509.load_pem_x509_certificate((ca.cadir / "ca_crt.pem").read_bytes())
    assert after.not_valid_after_utc > before.not_valid_after_utc
    assert after.public_key() == before.public_key()
    assert ca.openssl(agent).endswith(": OK\n")
    assert ca.reseal("ca", "prune").returncode == 0
    assert ca.reseal("ca", "check").returncode == 0
    site.on(SERVER, f"systemctl start {site.server_unit}")
    wait_for_server(site)
    site.on(SERVER, "systemctl start puppet")
    site.check()
