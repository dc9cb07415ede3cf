"""Real agents and tools cannot tell reseal's server from Puppet Server.

Sources: issue "`reseal server`", 6.
"""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest
from cryptography import x509
from labsite import MIXED, SMALL7, SMALL8, Host, Site, on_sites
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
    serverless_site: Site, tmp_path: Path
) -> None:
    site = serverless_site
    ca = take_over(site, tmp_path, key_type="ec")
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
    serverless_site: Site, tmp_path: Path
) -> None:
    site = serverless_site
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


SEQUENCE = (
    "list --all",
    "list",
    "list --certname waits{n}.lab.test,nobody{n}.lab.test",
    "sign --certname waits{n}.lab.test",
    "sign --certname nobody{n}.lab.test",
    "list --all --format json",
    "sign --all",
    "sign --all",
    "revoke --certname waits{n}.lab.test",
    "revoke --certname nobody{n}.lab.test",
    "clean --certname also{n}.lab.test",
    "clean --certname more{n}.lab.test,nobody{n}.lab.test",
    "generate --certname made{n}.lab.test",
    "generate --certname made{n}.lab.test",
    "generate --certname alt{n}.lab.test --subject-alt-names x{n}.lab.test",
    "list --all",
)
"""What an operator may type; {n} keeps the names of two servers apart."""


OURS = "ca.puppet.lab.test"
"""The name of reseal's server, which has a certificate more."""


_HERE = re.compile(rf"{re.escape(OURS)}|/puppetserver/ca/signed/")
"""Of one of the two only: that name, and files that the tool finds on its own host."""


def leave_request(site: Site, agent: Host, name: str) -> None:
    """Have an agent send a request under another name."""
    script = (
        f"puppet ssl submit_request --certname {name} --ssldir /root/ssl-{name} "
        "--color=false"
    )
    site.on(agent.name, script, timeout=60)


def transcript(site: Site, number: int) -> list[str]:
    """Return what the tool prints for the sequence, with what differs made alike."""
    agent = next(host for host in site.agents if host.release != "bullseye")
    for name in ("waits", "also", "more"):
        leave_request(site, agent, f"{name}{number}.lab.test")
    found = []
    for words in SEQUENCE:
        command = f"puppetserver ca {words.format(n=number)}"
        done = site.on("puppet", f"{command}; echo exit $?", timeout=120)
        found.append(f"$ {words}\n{alike(done.stdout + done.stderr, number)}")
    return found


def alike(text: str, number: int) -> str:
    """Take out what no two servers have in common: names, digests, times, order."""
    text = re.sub(rf"\b(waits|also|more|made|alt|x|nobody){number}\b", r"\1N", text)
    text = re.sub(r"\b([0-9A-F]{2}:){15,}[0-9A-F]{2}\b", "DIGEST", text)
    text = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dUTC", "TIME", text)
    text = re.sub(r'("serial_number": ?)\d+', r"\g<1>0", text)
    text = re.sub(r" +", " ", text)
    lines = [in_order(line) for line in text.splitlines()]
    return "".join(f"{line}\n" for line in sorted(lines) if not _HERE.search(line))


def in_order(line: str) -> str:
    """Bring a line of JSON into an order: a server's is its directory's."""
    if not line.startswith("{"):
        return line
    found = {
        state: sorted(
            (each for each in hosts if each["name"] != OURS),
            key=lambda each: each["name"],
        )
        for state, hosts in json.loads(line).items()
    }
    return json.dumps(found, sort_keys=True)


@on_sites(SMALL7, SMALL8)
def test_the_ca_tool_prints_what_it_prints_of_its_own_server(
    site: Site, tmp_path: Path
) -> None:
    for agent in site.agents:
        site.on(agent.name, "systemctl stop puppet")
    own = transcript(site, 1)
    names = [f"{each}1.lab.test" for each in ("waits", "more", "made", "alt")]
    clean = f"puppetserver ca clean --certname {','.join(names)}"
    site.on("puppet", clean, check=False)
    site.on("puppet", f"rm -f {SSLDIR}/*/made1* {SSLDIR}/*/alt1*")
    ca = take_over(site, tmp_path)
    with ca.running():
        ours = transcript(site, 2)
    for one, other in zip(own, ours, strict=True):
        assert other == one


WITHOUT_CA = r"""
cd /etc/puppet/puppetserver/services.d
service=puppetlabs.services.ca.certificate-authority
sed -i "/^$service-service/d; s/^#\($service-disabled-service\)/\1/" ca.cfg
python3 - <<'END'
from pathlib import Path
from zipfile import ZipFile

name = "puppetlabs/services/ca/certificate_authority_disabled_service.clj"
source = ZipFile("/usr/share/puppetserver/puppetserver.jar").read(name).decode()
fixed = Path("/usr/local/share/fixed", name)
fixed.parent.mkdir(parents=True)
fixed.write_text(source.replace("trapperkeeper.core", "trapperkeeper.services"))
END
jar=/usr/share/puppetserver/puppetserver.jar
main=puppetlabs.trapperkeeper.main
mkdir -p /etc/systemd/system/puppetserver.service.d
{
    printf '[Service]\nExecStart=\n'
    sed -n '/^ExecStart=/,/TK_ARGS/p' /usr/lib/systemd/system/puppetserver.service |
        sed "s#-jar $jar#-cp /usr/local/share/fixed:$jar $main#"
} >/etc/systemd/system/puppetserver.service.d/without-ca.conf
systemctl daemon-reload
"""
"""Take Puppet Server's CA service away, as its documentation says.

The service that then takes its place does not compile in Debian's packages (7.9, 8.7:
their `trapperkeeper.core/defservice` is no macro); the same source with the macro's
own name is put before it.
"""
WEBSERVER = f"""webserver: {{
    client-auth: want
    ssl-host: 0.0.0.0
    ssl-port: 8140
    ssl-cert: {SSLDIR}/certs/puppet.lab.test.pem
    ssl-key: {SSLDIR}/private_keys/puppet.lab.test.pem
    ssl-ca-cert: {SSLDIR}/certs/ca.pem
    ssl-crl-path: {SSLDIR}/crl.pem
}}
"""


@on_sites(SMALL7, SMALL8)
def test_a_puppet_server_without_a_ca_of_its_own_has_ours(
    serverless_site: Site, tmp_path: Path
) -> None:
    site = serverless_site
    agent = site.agents[0]
    ca = take_over(site, tmp_path, host=agent.name, autosign="true")
    conf = "/etc/puppet/puppetserver"
    told = f"s/^\\[main\\]/[main]\\nca_server = {agent.fqdn}/"
    for host in ("puppet", agent.name):
        site.on(host, f"sed -i '{told}' /etc/puppet/puppet.conf; rm -rf {SSLDIR}")
    site.on("puppet", f"rm -rf {site.cadir}")
    site.on("puppet", WITHOUT_CA)
    site.on("puppet", f"cat >{conf}/conf.d/webserver.conf <<'END'\n{WEBSERVER}END")
    with ca.running():
        names = ("puppet.lab.test", agent.fqdn)
        assert ca.reseal("cert", "clean", *names).returncode == 0
        for host in ("puppet", agent.name):
            site.on(host, "puppet ssl bootstrap --waitforcert 0", timeout=60)
        site.on("puppet", f"chown -R puppet: {SSLDIR}")
        start = "systemctl start puppetserver || journalctl -u puppetserver -n 30"
        assert site.on("puppet", start).stdout == ""
        run = "puppet agent --test --color=false; test $? = 0 -o $? = 2"
        said = site.on(agent.name, run, timeout=200).stdout
        assert "Applied catalog" in said
