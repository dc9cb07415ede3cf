"""Transports and the survey on real nodes: sshd, systemd and three Puppets."""

from __future__ import annotations

import asyncio
import re
import subprocess
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest
from innet import inside
from labsite import PUPPET5, PUPPET7, PUPPET8, SMALL5, Site, on_sites

from reseal.clock import SystemClock
from reseal.errors import (
    AccessDenied,
    CommandFailed,
    HostKeyRejected,
    TimedOut,
    TransportError,
    Unreachable,
)
from reseal.site.discover import discover, site_file, ssh_hosts
from reseal.site.facts import NodeFacts
from reseal.site.fleet import Fleet
from reseal.site.roster import Roster, load_roster
from reseal.site.survey import survey
from reseal.site.transport import Transport, check, read
from reseal.site.transport import replace as replace_file

pytestmark = pytest.mark.real

T = TypeVar("T")


def roster_of(site: Site, directory: Path, **ssh: Any) -> Roster:
    """Return the roster of a site, with other SSH settings as given."""
    lines = [f'[ssh]\nconfig = "{site.ssh_config}"']
    for host in site.hosts:
        lines.append(f'[[node]]\ncertname = "{host.fqdn}"')
        if host.role == "server":
            lines.append('roles = ["ca"]')
    path = directory / "site.toml"
    path.write_text("\n".join(lines) + "\n")
    roster = load_roster(path)
    return replace(roster, ssh=replace(roster.ssh, **ssh))


def on_agent(
    site: Site, roster: Roster, work: Callable[[Transport], Awaitable[T]]
) -> T:
    """Do some work on the transport of agent1."""

    async def main() -> T:
        async with Fleet(roster) as fleet:
            return await work(await fleet.connect(roster.agents[0]))

    return inside(site, main)


def surveyed(site: Site, directory: Path) -> dict[str, NodeFacts]:
    """Return the facts of every node, by the host's short name."""
    roster = roster_of(site, directory)

    async def main() -> tuple[NodeFacts, ...]:
        async with Fleet(roster) as fleet:
            return await survey(fleet, roster, SystemClock())

    return {facts.name.partition(".")[0]: facts for facts in inside(site, main)}


async def nothing(transport: Transport) -> bytes:
    return await check(transport, "true")


def fingerprint(site: Site, host: str, path: str) -> str:
    command = f"openssl x509 -in {path} -noout -fingerprint -sha256"
    return site.text(host, command).partition("=")[2]


@on_sites(PUPPET5, PUPPET7, PUPPET8)
def test_a_survey_finds_what_is_there(untouched_site: Site, tmp_path: Path) -> None:
    site = untouched_site
    begun = time.monotonic()
    facts = surveyed(site, tmp_path)
    assert time.monotonic() - begun < 60
    assert list(facts) == [host.name for host in site.hosts]
    for host in site.hosts:
        node = facts[host.name]
        assert node.faults == (), node.faults
        assert node.reachable
        assert node.certname == host.fqdn
        assert node.platform.startswith("linux debian ")
        assert node.service_manager == "systemd"
        assert node.puppet_version == site.text(host.name, "puppet --version")
        assert (node.puppet, node.ruby) == ("/usr/bin/puppet", "/usr/bin/ruby")
        assert node.owner == "puppet:puppet"
        assert node.hostcert is not None
        path = f"{site.ssldir}/certs/{host.fqdn}.pem"
        assert node.hostcert.fingerprint == fingerprint(site, host.name, path)
        assert node.key_matches is True
        assert len(node.crls) == len(node.trusted)
        assert node.agent is not None
        assert (node.agent.active, node.agent.enabled) == (True, True)
        assert (node.agent_mode, node.disabled) == ("daemon", None)
        assert abs(node.clock_skew) <= 2
        assert node.settings["ssldir"] == site.ssldir


@on_sites(PUPPET5, PUPPET7, PUPPET8)
def test_a_survey_finds_the_server_and_its_ca(
    untouched_site: Site, tmp_path: Path
) -> None:
    site = untouched_site
    server = surveyed(site, tmp_path)["puppet"].server
    assert server is not None
    assert server.service is not None
    assert (server.service.name, server.service.active) == (site.server_unit, True)
    old = site.release == "bullseye"
    assert server.kind == ("webrick" if old else "puppetserver")
    assert server.version == site.text(
        "puppet",
        "puppet --version"
        if old
        else "dpkg-query -W -f '${Version}' puppetserver | sed 's/-.*//'",
    )
    assert (server.is_ca, server.cadir) == (True, site.cadir)
    assert server.cadir_link == (None if old else f"{site.ssldir}/ca")
    assert server.shape == ("single" if old else "chain")
    ca = f"{site.cadir}/ca_crt.pem"
    assert server.ca[0].fingerprint == fingerprint(site, "puppet", ca)
    assert (server.ca_key, server.ca_key_encrypted) == (f"rsa:{site.shape.bits}", False)
    assert server.next_serial == int(
        site.text("puppet", f"cat {site.cadir}/serial"), 16
    )
    assert server.certificates == len(site.hosts)
    assert (server.autosign, server.port) == ("false", 8140)


@on_sites(PUPPET5, PUPPET7, PUPPET8)
def test_a_survey_changes_nothing(site: Site, tmp_path: Path) -> None:
    # Daemons that write at their own time are stopped; logs are not looked at.
    for host in site.hosts:
        site.on(host.name, "systemctl stop puppet; touch /run/stamp; sleep 1")
    sums = f"find {site.ssldir} {site.cadir} /etc -xdev -type f -print0 | sort -z"
    state = f"{sums} | xargs -0 sha256sum; find {site.ssldir} /etc/puppet -ls"
    before = {host.name: site.text(host.name, state) for host in site.hosts}
    surveyed(site, tmp_path)
    newer = (
        "find / -xdev -path /var/log -prune -o -path /run -prune -o "
        r"\( -newermm /run/stamp -o -newercm /run/stamp \) -print"
    )
    for host in site.hosts:
        assert site.text(host.name, state) == before[host.name]
        assert site.text(host.name, newer) == ""


@on_sites(PUPPET5, PUPPET7)
def test_what_is_wrong_is_found(site: Site, tmp_path: Path) -> None:
    agents = [host.name for host in site.agents]
    own = f"{site.ssldir}/private_keys/{site.fqdn(agents[0])}.pem"
    site.on(
        agents[0],
        "puppet agent --disable 'by Ann'; systemctl stop puppet; "
        f"openssl ecparam -name prime256v1 -genkey -noout -out {own}; "
        "mkdir -p /etc/cron.d; "
        "echo '0 * * * * root puppet agent --onetime' >/etc/cron.d/puppet",
    )
    unit = "[Service]\nExecStart=/usr/bin/puppet agent --onetime\n"
    timer = "[Timer]\nOnCalendar=daily\n"
    site.on(
        agents[1],
        "systemctl disable --now puppet; cd /etc/systemd/system; "
        f"printf '{unit}' >my-run.service; printf '{timer}' >my-run.timer; "
        "systemctl daemon-reload; systemctl start my-run.timer; "
        f"rm {site.ssldir}/certs/ca.pem; mkdir -p /opt/puppetlabs/server/pe_build",
    )
    site.on(agents[2], "sed -i '1a certname = ../x' /etc/puppet/puppet.conf")
    site.on(
        "puppet",
        f"cd {site.cadir}; echo nonsense >>inventory.txt; touch signed/..pem; "
        "echo '*' >/etc/puppet/autosign.conf; "
        "openssl rsa -aes128 -passout pass:secret -in ca_key.pem -out k 2>/dev/null; "
        "mv k ca_key.pem",
    )
    facts = surveyed(site, tmp_path)
    one, two, three = (facts[name] for name in agents)
    assert (one.agent_mode, one.disabled, one.key_matches) == ("cron", "by Ann", False)
    assert two.agent_mode == "timer"
    assert two.agent is not None
    assert (two.agent.active, two.agent.enabled) == (False, False)
    assert (two.flavour, two.faults[0].severity) == ("pe", "stop")
    assert two.trusted == ()
    assert "certname of puppet.conf: '../x'" in three.faults[0].message
    stops = [f.message for f in facts["puppet"].faults if f.severity == "stop"]
    assert any("is broken: 'nonsense'" in stop for stop in stops)
    assert any(stop.startswith("signed/..pem") for stop in stops)
    assert "ca_key.pem: is encrypted and cannot be opened" in stops
    server = facts["puppet"].server
    assert server is not None
    assert (server.ca_key, server.ca_key_encrypted) == (None, True)
    assert server.autosign == "list /etc/puppet/autosign.conf"


@on_sites(SMALL5)
def test_a_ca_key_with_a_passphrase_and_one_that_is_gone(
    site: Site, tmp_path: Path
) -> None:
    key = f"{site.cadir}/ca_key.pem"
    site.on(
        "puppet",
        f"printf secret >{site.cadir}/private/ca.pass; "
        f"openssl rsa -aes128 -passout pass:secret -in {key} -out {key}",
    )
    server = surveyed(site, tmp_path)["puppet"].server
    assert server is not None
    assert (server.ca_key, server.ca_key_encrypted) == (f"rsa:{site.shape.bits}", True)
    site.on("puppet", f"rm {key}")
    holder = surveyed(site, tmp_path)["puppet"]
    assert holder.server is not None
    assert holder.server.ca_key is None
    assert [(fault.severity, fault.message) for fault in holder.faults] == [
        ("stop", "ca_key.pem: is missing in the CA's directory")
    ]


@on_sites(SMALL5, PUPPET8)
def test_discover_writes_the_site(untouched_site: Site, tmp_path: Path) -> None:
    site = untouched_site
    roster = roster_of(site, tmp_path)

    async def main() -> str:
        async with Fleet(roster) as fleet:
            found = await discover(await fleet.connect(roster.ca))
        return site_file(found, ssh_hosts(site.ssh_config), site.ssh_config)

    path = tmp_path / "found.toml"
    path.write_text(inside(site, main))
    found = load_roster(path)
    assert [n.name for n in found.nodes] == [n.name for n in roster.nodes]
    assert found.ca.name == roster.ca.name


@on_sites(SMALL5, PUPPET7, PUPPET8)
def test_a_command_out_of_time_is_killed_on_the_node(
    untouched_site: Site, tmp_path: Path
) -> None:
    async def work(transport: Transport) -> bytes:
        with pytest.raises(TimedOut, match=r"agent1.*over 1 s"):
            await transport.run("sleep 4711 & sleep 4712", timeout=1)
        return await check(transport, "ps ax | grep '[s]leep 471' || true")

    for user in ("root", "operator"):
        roster = roster_of(untouched_site, tmp_path, user=user)
        assert on_agent(untouched_site, roster, work) == b""


@on_sites(SMALL5, PUPPET7, PUPPET8)
def test_one_connection_and_a_new_one_when_it_dropped(
    untouched_site: Site, tmp_path: Path
) -> None:
    # Kills the sshd of this very connection a moment after the command has ended.
    drop = """
        pid=$$
        until ps -o comm= -p "$pid" | grep -q '^sshd'; do
            pid=$(ps -o ppid= -p "$pid" | tr -d ' ')
        done
        (sleep 0.3; kill "$pid") >/dev/null 2>&1 &
    """

    async def work(transport: Transport) -> None:
        printed = [check(transport, "echo $SSH_CONNECTION") for _ in range(40)]
        (first,) = set(await asyncio.gather(*printed))
        await check(transport, drop)
        await asyncio.sleep(1)
        assert await check(transport, "echo $SSH_CONNECTION") != first

    on_agent(untouched_site, roster_of(untouched_site, tmp_path), work)


@on_sites(SMALL5)
def test_a_file_goes_with_owner_and_mode_through_sudo(
    site: Site, tmp_path: Path
) -> None:
    data = bytes(range(256)) * 4000

    async def work(transport: Transport) -> bytes:
        await replace_file(
            transport, "/root/x", data, mode=0o640, owner="puppet:puppet"
        )
        return await read(transport, "/root/x")

    roster = roster_of(site, tmp_path, user="operator")
    assert on_agent(site, roster, work) == data
    assert site.text("agent1", "stat -c '%a %U:%G' /root/x") == "640 puppet:puppet"


@on_sites(SMALL5)
def test_a_full_disk_leaves_the_old_file(site: Site, tmp_path: Path) -> None:
    site.on(
        "agent1",
        "mkdir /full; mount -t tmpfs -o size=64k tmpfs /full; echo old >/full/x",
    )

    async def work(transport: Transport) -> None:
        data = b"x" * 200_000
        with pytest.raises(CommandFailed, match=r"agent1.*No space left"):
            await replace_file(
                transport, "/full/x", data, mode=0o600, owner="root:root"
            )

    on_agent(site, roster_of(site, tmp_path), work)
    assert site.text("agent1", "cat /full/x; ls -A /full") == "old\nx"


@on_sites(SMALL5)
def test_ways_that_are_closed(untouched_site: Site, tmp_path: Path) -> None:
    site = untouched_site

    def refusal(kind: type[TransportError], **ssh: Any) -> str:
        with pytest.raises(kind) as caught:
            on_agent(site, roster_of(site, tmp_path, **ssh), nothing)
        assert caught.value.hint
        assert "agent1" in str(caught.value)
        return str(caught.value)

    empty, changed = tmp_path / "empty", tmp_path / "changed"
    empty.touch()
    known = (site.ssh_config.parent / "known_hosts").read_text()
    (server,) = re.findall(r"^puppet,.*? (\S+ \S+)$", known, re.MULTILINE)
    changed.write_text(re.sub(r"^(agent1,\S+) .*$", rf"\1 {server}", known, flags=re.M))
    assert "is unknown" in refusal(HostKeyRejected, known_hosts=(empty,))
    assert "has changed" in refusal(HostKeyRejected, known_hosts=(changed,))
    new = refusal(HostKeyRejected, known_hosts=(changed,), host_keys="accept-new")
    assert "has changed" in new
    assert "accepts none of our" in refusal(AccessDenied, user="nobody")
    assert "cannot become root" in refusal(AccessDenied, user="guest")
    config = tmp_path / "nowhere"
    text = site.ssh_config.read_text().replace("HostName", "Port 23\n    HostName")
    config.write_text(text)
    assert ":23 cannot be reached" in refusal(Unreachable, config=config)


@on_sites(SMALL5)
def test_a_node_behind_a_jump_host(untouched_site: Site, tmp_path: Path) -> None:
    site = untouched_site
    config = tmp_path / "ssh_config"
    jump = "Host agent1*\n    ProxyJump operator@puppet\n"
    config.write_text(jump + site.ssh_config.read_text())
    roster = roster_of(site, tmp_path, config=config)
    server = next(host for host in site.hosts if host.role == "server")

    async def work(transport: Transport) -> bytes:
        return await check(transport, "echo $SSH_CONNECTION")

    assert on_agent(site, roster, work).decode().split()[0] == server.address


@on_sites(SMALL5)
def test_the_ssh_agent_is_asked_for_keys(
    untouched_site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = untouched_site
    text = site.ssh_config.read_text()
    (key,) = re.findall(r"IdentityFile (\S+)", text)
    config, socket = tmp_path / "ssh_config", tmp_path / "agent"
    config.write_text(re.sub(r"Identit\S+ \S+", "", text))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SSH_AUTH_SOCK", str(socket))
    roster = roster_of(site, tmp_path, config=config)
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", socket])
    try:
        while not socket.exists():
            time.sleep(0.05)
        with pytest.raises(AccessDenied):
            on_agent(site, roster, nothing)
        subprocess.run(["ssh-add", key], check=True)
        assert on_agent(site, roster, nothing) == b""
    finally:
        agent.terminate()
        agent.wait()
