"""Real agents and tools cannot tell reseal's server from Puppet Server.

Sources: issue "`reseal server`", 6.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from cryptography import x509
from labsite import MIXED, Host, Site, on_sites
from servedca import ServedCa, take_over

pytestmark = pytest.mark.real

SSLDIR = "/var/lib/puppet/ssl"
URL = "https://puppet.lab.test:8140/puppet-ca/v1"


def forget(site: Site, ca: ServedCa, host: Host) -> None:
    """Have a node and the CA forget the node's certificate."""
    site.on(host.name, f"rm -rf {SSLDIR}")
    cleaned = ca.reseal("cert", "clean", host.fqdn)
    assert cleaned.returncode == 0, cleaned.stderr


def enrol(site: Site, host: Host, log: str = "/root/enrol.log") -> None:
    """Start a node's own first enrolment in the background."""
    command = "puppet ssl bootstrap --waitforcert 1"
    if host.release == "bullseye":
        command = "puppet agent --onetime --no-daemonize --verbose --waitforcert 1"
    script = f"({command} --color=false; echo exit $?) >{log} 2>&1 </dev/null &"
    site.on(host.name, script)


def finished(site: Site, host: Host, log: str = "/root/enrol.log") -> str:
    """Wait for the end of an enrolment and return what it said."""
    wait = f"for i in $(seq 300); do grep -q ^exit {log} && break; sleep 0.1; done"
    return site.text(host.name, f"{wait}; cat {log}")


def serial(pem: str) -> int:
    return x509.load_pem_x509_certificate(pem.encode()).serial_number


def revoked(pem: str) -> set[int]:
    return {each.serial_number for each in x509.load_pem_x509_crl(pem.encode())}


def curl(site: Site, host: Host, path: str, more: str = "") -> str:
    """Ask the server with a node's certificate; return the status or the fault."""
    name = host.fqdn
    pair = f"--cert {SSLDIR}/certs/{name}.pem --key {SSLDIR}/private_keys/{name}.pem"
    script = (
        f"curl -sS -o /dev/null -w '%{{http_code}}' --cacert {SSLDIR}/certs/ca.pem "
        f"{pair} {more} {URL}/{path} 2>&1"
    )
    return site.on(host.name, script, check=False).stdout


@on_sites(MIXED)
def test_agents_of_three_generations_wait_are_signed_and_refused_again(
    site: Site, tmp_path: Path
) -> None:
    ca = take_over(site, tmp_path)
    with ca.running():
        for host in site.agents:
            forget(site, ca, host)
            enrol(site, host)
        for host in site.agents:
            ca.waits_for(host.fqdn)
        asked = ca.reseal("cert", "list").stdout
        assert all(host.fqdn in asked for host in site.agents)
        assert ca.reseal("cert", "sign", "--all").returncode == 0
        for host in site.agents:
            said = finished(site, host)
            got = site.text(host.name, f"cat {SSLDIR}/certs/{host.fqdn}.pem")
            kept = (ca.cadir / f"signed/{host.fqdn}.pem").read_text()
            assert got.strip() == kept.strip(), said
            assert curl(site, host, f"certificate/{host.fqdn}") == "200"
            assert curl(site, host, f"certificate_status/{host.fqdn}") == "403"

        gone = site.agents[0]
        assert ca.reseal("cert", "revoke", gone.fqdn).returncode == 0
        assert "revoked" in curl(site, gone, "certificate/ca")
        for host in site.agents[1:]:
            if host.release != "bullseye":
                refresh = "puppet ssl bootstrap --crl_refresh_interval 1"
                time.sleep(1.1)
                site.on(host.name, refresh, timeout=60)
                listed = revoked(site.text(host.name, f"cat {SSLDIR}/crl.pem"))
                assert serial((ca.cadir / "ca_crt.pem").read_text()) not in listed
                assert listed == revoked((ca.cadir / "ca_crl.pem").read_text())
                assert listed


@on_sites(MIXED)
def test_the_first_enrolment_does_not_stall_over_tls_1_3(
    site: Site, tmp_path: Path
) -> None:
    ca = take_over(site, tmp_path, autosign="true")
    agents = [host for host in site.agents if host.release != "bullseye"]
    assert {host.release for host in agents} == {"bookworm", "trixie"}
    with ca.running():
        for host in agents:
            forget(site, ca, host)
            begun = time.monotonic()
            enrol(site, host)
            said = finished(site, host)
            taken = time.monotonic() - begun
            assert "exit 0" in said, said
            assert taken < 15, f"{host.release}: {taken:.1f} s\n{said}"
            assert curl(site, host, "certificate/ca", "--tlsv1.3") == "200"
