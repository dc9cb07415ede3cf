"""The survey's scripts, run for real, and what is read out of them."""

from __future__ import annotations

import asyncio
import os
import subprocess
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from nodetree import NOW, NodeTree, certificate, told
from sshnode import program

from reseal.certname import Certname
from reseal.errors import Unreachable
from reseal.site import survey_script
from reseal.site.facts import Fault, NodeFacts, Role
from reseal.site.fleet import Fleet
from reseal.site.hold import OURS
from reseal.site.local import LocalTransport
from reseal.site.material import ServiceFacts
from reseal.site.roster import Node, Roster
from reseal.site.survey import survey, survey_node
from reseal.site.survey_parse import agent_service, node_facts, services
from reseal.site.survey_script import Sections, look, split
from reseal.site.survey_server import server_facts
from reseal.site.transport import Result

NODE = Node(Certname("web01"), address="web01", transport="local")


@dataclass
class Fixed:
    time: datetime = NOW

    def now(self) -> datetime:
        return self.time


class SystemTime:
    def now(self) -> datetime:
        return datetime.now(UTC)


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> NodeTree:
    """A node whose `puppet` and `ruby` are a test's."""
    bin_ = tmp_path / "bin"
    monkeypatch.setenv("PATH", f"{bin_}:{os.environ['PATH']}")
    monkeypatch.setattr(survey_script, "PUPPET_COMMANDS", (str(bin_ / "puppet"),))
    rubies = {str(bin_ / "puppet"): (str(bin_ / "ruby"),)}
    monkeypatch.setattr(survey_script, "RUBIES", rubies)
    configs = (str(tmp_path / "puppetserver"),)
    monkeypatch.setattr(survey_script, "SERVER_CONFIGS", configs)
    backups = str(tmp_path / "var" / "backups")
    monkeypatch.setattr(survey_script, "BACKUPS", backups)
    return NodeTree.made(tmp_path)


def agent(tree: NodeTree) -> tuple[NodeFacts, list[Fault]]:
    tree.write_puppet()
    sections = asyncio.run(look(LocalTransport("web01"), "agent"))
    return node_facts(NODE, sections, SystemTime())


def server_sections(tree: NodeTree, service: str = "puppetserver yes yes") -> Sections:
    """Look at a server; the service managers of this machine do not know it."""
    tree.write_puppet()
    sections = asyncio.run(look(LocalTransport("web01"), "server"))
    return Sections(sections.found | {"services": f"{service}\n".encode()})


def test_an_agent_as_it_should_be(tree: NodeTree) -> None:
    facts, faults = agent(tree)
    assert faults == []
    assert facts.reachable
    assert facts.certname == "web01"
    assert facts.puppet == str(tree.root / "bin" / "puppet")
    assert facts.ruby == str(tree.root / "bin" / "ruby")
    assert (facts.puppet_version, facts.flavour) == ("7.23.0", "puppet")
    assert facts.platform.startswith(f"{os.uname().sysname.lower()} ")
    assert facts.platform.endswith(f" {os.uname().machine}")
    assert "ldapserver" not in facts.settings
    assert facts.settings["hostcert"] == str(tree.root / "ssl" / "cert.pem")
    assert abs(facts.clock_skew) <= 2
    assert facts.disk_free > 0
    assert facts.ssldir_bytes > 0
    assert facts.owner.count(":") == 1
    assert facts.disabled is None


def test_an_ssldir_behind_a_link_is_named_by_its_real_path(tree: NodeTree) -> None:
    tree.add_ca(inside=True)
    real = tree.root / "data" / "tls"
    real.parent.mkdir()
    (tree.root / "ssl").rename(real)
    (tree.root / "ssl").symlink_to(real)
    facts, faults = agent(tree)
    assert faults == []
    names = ("hostcert", "hostprivkey", "localcacert", "hostcrl")
    assert facts.settings["ssldir"] == str(real)
    assert {Path(facts.settings[name]).parent for name in names} == {real}
    assert facts.settings["certname"] == "web01"
    assert facts.hostcert is not None
    server, _ = server_facts(facts, server_sections(tree))
    assert server is not None
    assert (server.cadir, server.cadir_link) == (str(real / "ca"), None)


def test_a_link_to_the_cadir_lies_in_the_real_ssldir(tree: NodeTree) -> None:
    cadir = tree.add_ca()
    (tree.root / "ssl").rename(tree.root / "tls")
    (tree.root / "ssl").symlink_to(tree.root / "tls")
    server, _ = server_facts(BASE, server_sections(tree))
    assert server is not None
    assert server.cadir == str(cadir)
    assert server.cadir_link == str(tree.root / "tls" / "ca")


def test_what_a_certificate_asks_for_is_not_read(tree: NodeTree) -> None:
    (tree.root / "csr_attributes.yaml").write_text("challengePassword: s3cret\n")
    tree.write_puppet()
    sections = asyncio.run(look(LocalTransport("web01"), "agent"))
    assert not [name for name, data in sections.found.items() if b"s3cret" in data]


def test_the_certificates_of_an_agent(tree: NodeTree) -> None:
    facts, _ = agent(tree)
    assert facts.hostcert is not None
    assert (facts.hostcert.subject, facts.hostcert.serial) == ("web01", 17)
    assert facts.hostcert.key == "ec:secp256r1"
    assert facts.hostcert.alt_names == ("DNS:web01",)
    assert facts.key_matches is True
    assert [cert.subject for cert in facts.trusted] == ["Puppet CA: puppet"]
    assert [(crl.number, crl.entries) for crl in facts.crls] == [(5, 2)]


def test_an_agent_before_its_first_certificate(tree: NodeTree) -> None:
    for path in (tree.root / "ssl").iterdir():
        path.unlink()
    tree.answer("missing")
    facts, faults = agent(tree)
    assert (facts.hostcert, facts.key_matches, facts.trusted) == (None, None, ())
    assert faults == []


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ("missing", "private key: is missing"),
        ("locked", "private key: is encrypted and cannot be opened"),
        ("broken not a key", "private key: cannot be read: not a key"),
        ("plain AAAA", "private key: cannot be read: "),
        ("plain !", "private key: cannot be read: "),
        ("sh: ruby: gone", "private key: cannot be read: "),
    ],
)
def test_private_keys_that_cannot_be_used(
    tree: NodeTree, answer: str, message: str
) -> None:
    tree.answer(answer)
    facts, faults = agent(tree)
    assert facts.key_matches is None
    assert [fault.severity for fault in faults] == ["warning"]
    assert faults[0].message.startswith(message)


def test_a_key_of_another_certificate(tree: NodeTree) -> None:
    tree.answer(told("other"))
    assert agent(tree)[0].key_matches is False


def test_files_that_are_not_what_they_should_be(tree: NodeTree) -> None:
    for name in ("cert.pem", "ca.pem", "crl.pem"):
        (tree.root / "ssl" / name).write_text("nonsense")
    facts, faults = agent(tree)
    assert (facts.hostcert, facts.trusted, facts.crls) == (None, (), ())
    assert sorted(fault.message.split(":")[0] for fault in faults) == [
        "hostcert",
        "hostcrl",
        "localcacert",
    ]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"disabled_message":"by Ann"}', "by Ann"),
        ("", "reason not specified"),
        ("{}", "reason not specified"),
        ("[1]", "reason not specified"),
    ],
)
def test_a_disabled_agent_says_why(tree: NodeTree, text: str, reason: str) -> None:
    (tree.root / "disabled.lock").write_text(text)
    assert agent(tree)[0].disabled == reason


def test_a_node_without_puppet(tree: NodeTree, monkeypatch: pytest.MonkeyPatch) -> None:
    found = {"puppet": b"\n", "manager": b"none\n", "clock": b"1\n"}
    _, faults = node_facts(NODE, Sections(found), Fixed())
    assert [fault.message for fault in faults] == [
        "puppet: is not installed, nor is reseal"
    ]


def test_a_puppet_that_fails(tree: NodeTree) -> None:
    tree.write_puppet()
    (tree.root / "bin" / "puppet").write_text("#!/bin/sh\necho broken >&2; exit 1\n")
    sections = asyncio.run(look(LocalTransport("web01"), "agent"))
    facts, faults = node_facts(NODE, sections, SystemTime())
    assert [fault.message for fault in faults] == ["puppet config print: fails: broken"]
    assert facts.certname == "web01"


def test_an_old_puppet_tells_its_version_when_asked(tree: NodeTree) -> None:
    tree.write_puppet()
    path = tree.root / "bin" / "puppet"
    version = "3.8.7 (Puppet Enterprise 3.8.5)"
    path.write_text(f'#!/bin/sh\ncase $1 in --version) echo "{version}" ;; esac\n')
    sections = asyncio.run(look(LocalTransport("web01"), "agent"))
    facts, _ = node_facts(NODE, sections, SystemTime())
    assert (facts.puppet_version, facts.flavour) == ("3.8.7", "pe")


@pytest.mark.parametrize(
    ("found", "mode"),
    [
        (
            {"agents": b"puppet yes yes\n", "cron": b"* * * * * puppet agent -t\n"},
            "daemon",
        ),
        ({"agents": b"puppet no no\n", "cron": b"* * * * * puppet agent -t\n"}, "cron"),
        ({"agents": b"puppet no no\n", "timers": b"puppet-run.timer\n"}, "timer"),
        ({"agents": b"puppet no no\n"}, "stopped"),
        ({}, "stopped"),
    ],
)
def test_how_the_agent_is_run(found: dict[str, bytes], mode: str) -> None:
    facts, _ = node_facts(NODE, Sections(found), Fixed())
    assert facts.agent_mode == mode


def test_services_and_their_states() -> None:
    sections = Sections({"agents": b"a no unknown\nb yes no\nnoise\n"})
    one, other = ServiceFacts("a", False, None), ServiceFacts("b", True, False)
    assert services(sections, "agents") == (one, other)
    assert agent_service(sections) == other
    assert agent_service(Sections({})) is None


@pytest.mark.parametrize(
    ("found", "attribute", "value"),
    [
        ({"manager": b"s6"}, "service_manager", "none"),
        ({"manager": b"openrc"}, "service_manager", "openrc"),
        (
            {"platform": b"linux \x1b[2J\x07 12 x86_64"},
            "platform",
            "linux \ufffd[2J\ufffd 12 x86_64",
        ),
        (
            {"disabled": b'{"disabled_message":"\\ud800\\u001b"}'},
            "disabled",
            "\ufffd" * 2,
        ),
        ({"version": b"5.5.22\x1b[0m"}, "puppet_version", "5.5.22"),
    ],
)
def test_nothing_a_node_prints_is_believed_unseen(
    found: dict[str, bytes], attribute: str, value: str
) -> None:
    facts, _ = node_facts(NODE, Sections(found), Fixed())
    assert getattr(facts, attribute) == value


@pytest.mark.parametrize(
    ("serial", "conf", "next_serial", "port"),
    [
        (b"0x1F", b"ssl-port: 8141", 0x1F, 8141),
        (b"-1", b"ssl-port: 99999", None, 8140),
        (b"1" * 5000, b"ssl-port: " + b"1" * 5000, None, 8140),
    ],
)
def test_absurd_numbers_of_a_server(
    tree: NodeTree, serial: bytes, conf: bytes, next_serial: int | None, port: int
) -> None:
    tree.add_ca()
    found = server_sections(tree).found | {"serial": serial, "conf.d": conf}
    server, _ = server_facts(BASE, Sections(found))
    assert server is not None
    assert (server.next_serial, server.port) == (next_serial, port)


def ours(**sections: bytes) -> tuple[NodeFacts, list[Fault]]:
    """Return what is read of a node that has reseal in Puppet's place."""
    found = {
        "puppet": b"/usr/local/bin/reseal\n",
        "manager": b"systemd\n",
        "clock": b"1\n",
        "version": b"0.1.0\n",
        "config": b"certname = web01\n",
        "agents": b"reseal-agent yes yes\n",
        "contract": b'{"contract": 3}\n',
    }
    return node_facts(NODE, Sections(found | sections), Fixed())


def test_a_node_with_reseal_in_puppets_place() -> None:
    facts, faults = ours()
    assert faults == []
    assert (facts.flavour, facts.puppet_version, facts.ruby) == ("reseal", "0.1.0", "")
    assert facts.puppet == "/usr/local/bin/reseal"
    assert facts.agent == ServiceFacts("reseal-agent", active=True, enabled=True)


@pytest.mark.parametrize(
    "told", [b'{"contract": 4}\n', b"reseal: error: No such command 'node'.\n", b""]
)
def test_a_reseal_that_we_cannot_work_with(told: bytes) -> None:
    facts, (fault,) = ours(contract=told)
    assert facts.flavour == "reseal"
    assert fault.severity == "fault"
    assert fault.message == "reseal 0.1.0: does not speak our contract"
    assert told.decode().strip() in fault.remedy


_OURS = r"""#!/bin/sh
case "$*" in
    "config print --section agent") cat "{root}/settings" ;;
    "node contract") echo '{{"contract": 3}}' ;;
    "node public_keys "*) echo '["missing"]' ;;
    --version) echo 0.1.0 ;;
    *) exit 9 ;;
esac
"""


def test_puppet_enterprise_is_what_it_is_with_reseal_too() -> None:
    facts, _ = ours(marks=b"pe /opt/puppetlabs/server/pe_build\n")
    assert facts.flavour == "pe"


@pytest.mark.parametrize(
    ("states", "schedule", "answer"),
    [
        ({}, "", "puppet"),
        ({"reseal-agent": "running"}, "", "reseal"),
        ({"reseal-agent": "running", "puppet": "enabled"}, "", "reseal"),
        ({"reseal-agent": "enabled"}, "", "reseal"),
        ({"reseal-agent": "enabled", "puppet": "known"}, "", "reseal"),
        ({"reseal-agent": "enabled", "puppet": "running"}, "", "puppet"),
        ({"reseal-agent": "enabled", "puppet": "enabled"}, "", "puppet"),
        ({"reseal-agent": "enabled"}, "0 * * * * root puppet agent -t", "puppet"),
        ({"reseal-agent": "known"}, "", "puppet"),
        ({"reseal-agent": "known", "puppet": "known"}, "", "puppet"),
    ],
)
def test_whose_agent_a_node_with_both_has(
    states: dict[str, str], schedule: str, answer: str
) -> None:
    text = survey_script.tables() + survey_script.source("survey_common.sh")
    functions = text[text.index("# is_ours:") :].partition("\n}\n")[0] + "\n}\n"
    kinds = {
        "known": ("known", "enabled", "running"),
        "status": ("running",),
        "enabled": ("enabled",),
    }
    for name, which in kinds.items():
        there = " | ".join(s for s, state in states.items() if state in which) or "-"
        functions += f"{name}() {{ case $1 in {there}) ;; *) return 1 ;; esac; }}\n"
    script = (
        f"{functions} scheduled() {{ echo '{schedule}'; }}\n timed() {{ :; }}\n"
        "our_agent=reseal-agent agent_services='puppet pe-puppet' puppets_agent=x\n"
        "if is_ours; then echo reseal; else echo puppet; fi"
    )
    done = subprocess.run(["sh", "-c", script], capture_output=True, check=True)
    assert done.stdout.decode().strip() == answer


@pytest.mark.parametrize("name", ["nowhere", "with blank"])
def test_a_directory_without_an_agent_is_not_the_machine(
    tree: NodeTree, tmp_path: Path, name: str
) -> None:
    """The machine's own programs are on the PATH, and are not the node's."""
    tree.write_puppet()
    program(tree.root / "bin", "reseal", _OURS.format(root=tree.root))
    home = tmp_path / name
    way = LocalTransport("web01", str(home))
    facts, faults = node_facts(NODE, asyncio.run(look(way, "agent")), SystemTime())
    assert (facts.puppet, facts.settings, facts.hostcert) == ("", {}, None)
    assert faults[0].message == "puppet: is not installed, nor is reseal"
    home.mkdir()
    program(home / "bin", "puppet", (tree.root / "bin/puppet").read_text())
    facts, faults = node_facts(NODE, asyncio.run(look(way, "agent")), SystemTime())
    assert facts.puppet == str(home / "bin/puppet")
    assert not faults


def test_a_node_in_a_directory(tree: NodeTree, tmp_path: Path) -> None:
    """The machine's own `puppet`, which is on the PATH, has nothing to do with it."""
    tree.write_puppet()
    home = tmp_path / "home"
    for path in ("services", "backups"):
        (home / path).mkdir(parents=True)
    program(home / "bin", "reseal", _OURS.format(root=home))
    script = "#!/bin/sh\n[ $1 = status ] && [ -e $0.on ]\n"
    program(home / "services", "reseal-agent", script)
    lines = (f"{name} = {value}\n" for name, value in tree.settings.items())
    (home / "settings").write_text("".join(lines))

    def looked() -> tuple[NodeFacts, list[Fault]]:
        way = LocalTransport("web01", str(home))
        return node_facts(NODE, asyncio.run(look(way, "agent")), SystemTime())

    facts, _ = looked()
    assert (facts.flavour, facts.ruby) == ("reseal", "")
    assert facts.puppet == str(home / "bin/reseal")
    assert (facts.service_manager, facts.agent_mode) == ("scripts", "stopped")
    assert facts.backups == str(home / "backups")
    (home / "services/reseal-agent.on").touch()
    facts, _ = looked()
    assert facts.agent == ServiceFacts("reseal-agent", active=True, enabled=None)
    assert facts.agent_mode == "daemon"

    program(home / "bin", "puppet", (tree.root / "bin/puppet").read_text())
    program(home / "services", "puppet", "#!/bin/sh\nexit 0\n")
    (home / "services/reseal-agent.on").unlink()
    facts, _ = looked()
    assert (facts.flavour, facts.puppet) == ("puppet", str(home / "bin/puppet"))
    assert facts.agent == ServiceFacts("puppet", active=True, enabled=None)


def test_marks_of_other_flavours() -> None:
    for mark, flavour in ((b"pe /opt/x", "pe"), (b"openvox /opt/y", "openvox")):
        assert (
            node_facts(NODE, Sections({"marks": mark}), Fixed())[0].flavour == flavour
        )


BASE = NodeFacts(
    name="web01",
    certname="web01",
    roles=("ca", "server", "agent"),
    reachable=True,
    puppet_version="7.23.0",
)


def test_a_ca_of_puppet_server(tree: NodeTree) -> None:
    cadir = tree.add_ca()
    sections = server_sections(tree)
    more = {
        "packages": b"puppetserver 1:7.9.5-2+deb12u1\n",
        "conf.d": b"ssl-port: 8141\n",
    }
    server, faults = server_facts(BASE, Sections(sections.found | more))
    assert list(faults) == []
    assert server is not None
    assert (server.kind, server.version, server.port) == ("puppetserver", "7.9.5", 8141)
    assert server.is_ca
    assert server.cadir == str(cadir)
    assert server.cadir_link == str(tree.root / "ssl" / "ca")
    assert server.shape == "chain"
    assert [cert.subject for cert in server.ca] == ["Puppet CA: puppet", "Root"]
    assert (server.ca_key, server.ca_key_encrypted) == ("ec:secp256r1", False)
    assert (server.next_serial, server.certificates) == (0x12, 1)
    assert server.autosign == "false"


def test_a_single_ca_of_a_webrick_master(tree: NodeTree) -> None:
    cadir = tree.add_ca()
    (cadir / "ca_crt.pem").write_bytes(certificate("CA", "CA"))
    tree.answer(told("web01"), told("CA", "encrypted"))
    tree.master["masterport"] = "8150"
    sections = server_sections(tree, "puppet-master no no\npuppetmaster yes yes")
    server, faults = server_facts(BASE, sections)
    assert list(faults) == []
    assert server is not None
    assert (server.kind, server.shape, server.port) == ("webrick", "single", 8150)
    assert server.service == ServiceFacts("puppetmaster", True, True)
    assert server.version == "7.23.0"
    assert server.ca_key_encrypted


def test_a_ca_of_reseals_server(tree: NodeTree) -> None:
    cadir = tree.add_ca()
    (cadir / "infra_crl.pem").touch()
    sections = server_sections(tree, "puppetserver no no\nreseal-server yes yes")
    more = {
        "packages": b"puppetserver 7.9.5\n",
        "conf.d": b"ssl-port: 8141\nx/certificate-authority-disabled-service\n",
        "reseal": b"version 0.1.0\nport 8150\n",
    }
    server, faults = server_facts(BASE, Sections(sections.found | more))
    assert list(faults) == []
    assert server is not None
    assert (server.kind, server.version, server.port) == ("reseal", "0.1.0", 8150)
    assert server.service == ServiceFacts("reseal-server", True, True)
    assert (server.is_ca, server.infra, server.shape) == (True, True, "chain")
    quiet = {**more, "reseal": b"version 0.1.0\n"}
    server, _ = server_facts(BASE, Sections(sections.found | quiet))
    assert server is not None
    assert server.port == 8140


def test_the_signing_certificate_comes_first(tree: NodeTree) -> None:
    cadir = tree.add_ca()
    bundle = certificate("Root", "Root") + certificate("Puppet CA: puppet", "Root")
    (cadir / "ca_crt.pem").write_bytes(bundle)
    server, _ = server_facts(BASE, server_sections(tree))
    assert server is not None
    assert [cert.subject for cert in server.ca] == ["Puppet CA: puppet", "Root"]
    assert server.shape == "chain"


@pytest.mark.parametrize(
    ("settings", "conf"),
    [
        ({"ca": "false"}, b""),
        ({}, b"puppetlabs.services.ca.certificate-authority-disabled-service/x\n"),
    ],
)
def test_a_compiler_is_no_ca(
    tree: NodeTree, settings: dict[str, str], conf: bytes
) -> None:
    tree.add_ca()
    tree.master |= settings
    found = server_sections(tree).found | {"conf.d": conf}
    server, faults = server_facts(BASE, Sections(found))
    assert list(faults) == []
    assert server is not None
    assert (server.is_ca, server.cadir, server.ca, server.shape) == (
        False,
        None,
        (),
        None,
    )


PACKAGED = """webserver: {
    access-log-config: /etc/puppetlabs/puppetserver/request-logging.xml
    client-auth: want
    ssl-host: 0.0.0.0
    ssl-port: 8140
    # ssl-cert: /etc/ssl/x.pem
    // ssl-key: /etc/ssl/x.key
}
"""


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("", []),
        ("ssl-cert: /etc/ssl/x.pem", ["ssl-cert is /etc/ssl/x.pem"]),
        ('"ssl-key" = "/etc/ssl/x.key"', ["ssl-key is /etc/ssl/x.key"]),
        (
            "webserver { ssl-ca-cert: /a, ssl-crl-path=/b }",
            ["ssl-ca-cert is /a", "ssl-crl-path is /b"],
        ),
        ("webserver.ssl-cert-chain: ${chain}", ["ssl-cert-chain is $"]),
        ("ssl-cert: {root}/ssl/cert.pem", []),
        ("ssl-cipher-suites: [a, b]", []),
    ],
)
@pytest.mark.parametrize(
    ("roles", "severity"), [(("ca", "server"), "stop"), (("server",), "fault")]
)
def test_a_web_server_with_certificates_of_its_own(
    tree: NodeTree,
    line: str,
    told: list[str],
    roles: tuple[Role, ...],
    severity: str,
) -> None:
    path = tree.root / "puppetserver" / "conf.d" / "webserver.conf"
    path.parent.mkdir(parents=True)
    path.write_text(f"{PACKAGED}{line}\n".replace("{root}", str(tree.root)))
    node = replace(BASE, roles=roles)
    server, faults = server_facts(node, server_sections(tree))
    assert server is not None
    assert server.port == 8140
    assert [(fault.severity, fault.message) for fault in faults] == [
        (severity, f"{path}: {each}, which no run replaces") for each in told
    ]


def test_no_server_at_all(tree: NodeTree) -> None:
    assert server_facts(BASE, server_sections(tree, "")) == (None, [])


@pytest.mark.parametrize(
    ("name", "text", "mode", "meaning"),
    [
        (None, "", 0, "true"),
        ("none", None, 0, "false"),
        ("list", "*.example.com\n", 0o644, "list {path}"),
        ("empty", "# nobody\n\n", 0o644, "false"),
        ("program", "#!/bin/sh\n", 0o755, "program {path}"),
        ("held", f"#!/bin/sh\n{OURS}x, …\n", 0o755, "false"),
    ],
)
def test_what_autosign_means(
    tree: NodeTree, name: str | None, text: str | None, mode: int, meaning: str
) -> None:
    tree.add_ca()
    path = tree.root / str(name)
    tree.master["autosign"] = "true" if name is None else str(path)
    if name is not None and text is not None:
        path.write_text(text)
        path.chmod(mode)
    server, _ = server_facts(BASE, server_sections(tree))
    assert server is not None
    assert server.autosign == meaning.format(path=path)
    assert server.policy == (str(path) if name in ("none", "held") else "")


@pytest.mark.parametrize(
    ("why", "settings", "waits"),
    [
        ("200 threads, which it has unless told", "", True),
        ("as many", 'max-threads: "200"', True),
        ("too few for 50 that wait", "max-threads: 199", False),
        ("behind a tab", "\tmax-threads = 20", False),
        ("in one line", "client-auth: want, max-threads: 20", False),
        ("nobody knows how many", "max-threads: ${?THREADS}", False),
        ("a comment", "# max-threads: 20", True),
        ("another's", "max-threads-whatever: 1", True),
    ],
)
def test_requests_wait_where_there_are_threads_enough(
    tree: NodeTree, why: str, settings: str, waits: bool
) -> None:
    tree.add_ca()
    tree.master["autosign"] = str(tree.root / "autosign.conf")
    conf = tree.root / "puppetserver" / "conf.d" / "webserver.conf"
    conf.parent.mkdir(parents=True)
    conf.write_text(f"webserver: {{\n    {settings}\n    ssl-port: 8140\n}}\n")
    server, _ = server_facts(BASE, server_sections(tree))
    assert server is not None
    assert (server.policy != "") is waits, why


def test_nobody_waits_at_a_link_that_leads_nowhere(tree: NodeTree) -> None:
    tree.add_ca()
    path = tree.root / "autosign.conf"
    path.symlink_to("nowhere")
    tree.master["autosign"] = str(path)
    server, _ = server_facts(BASE, server_sections(tree))
    assert server is not None
    assert server.policy == ""


BAD_ROW = "0x0012 yesterday tomorrow /CN=x\n"
ROW = "0x0012 2026-01-01T00:00:00UTC 2031-01-01T00:00:00UTC /CN=../../etc/x\n"


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("ca_crl.pem", None, "ca_crl.pem: is missing in the CA's directory"),
        ("inventory.txt", None, "inventory.txt: is missing in the CA's directory"),
        ("inventory.txt", BAD_ROW, "inventory.txt: line 1 is broken: '0x0012 yest"),
        ("inventory.txt", ROW, "inventory.txt: line 1 has the certname '../../etc/x'"),
        ("serial", "zz", "serial: is not a hexadecimal number"),
        ("ca_crt.pem", "x", "ca_crt.pem: has no certificate"),
        ("signed/..pem", "", "signed/..pem: '.': not a certname"),
        ("signed/Web.pem", "", "signed/Web.pem: 'Web': has upper-case letters"),
    ],
)
def test_a_ca_that_must_not_be_touched(
    tree: NodeTree, name: str, text: str | None, message: str
) -> None:
    path = tree.add_ca() / name
    if text is None:
        path.unlink()
    else:
        path.write_text(text)
    _, faults = server_facts(BASE, server_sections(tree))
    stops = [fault.message for fault in faults if fault.severity == "stop"]
    assert any(stop.startswith(message) for stop in stops), stops


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ("locked", "ca_key.pem: is encrypted and cannot be opened"),
        ("broken x", "ca_key.pem: is not a private key"),
        (told("other"), "ca_key.pem: belongs to no certificate of ca_crt"),
    ],
)
def test_a_ca_key_that_is_not_one(tree: NodeTree, answer: str, message: str) -> None:
    tree.add_ca()
    tree.answer(told("web01"), answer)
    _, faults = server_facts(BASE, server_sections(tree))
    assert message in [fault.message for fault in faults if fault.severity == "stop"]


def test_a_missing_ca_key(tree: NodeTree) -> None:
    (tree.add_ca() / "ca_key.pem").unlink()
    tree.answer(told("web01"), "missing")
    server, faults = server_facts(BASE, server_sections(tree))
    assert server is not None
    assert server.ca_key is None
    assert ("stop", "ca_key.pem: is missing in the CA's directory") in [
        (fault.severity, fault.message) for fault in faults
    ]


def test_a_whole_survey_of_this_machine(tree: NodeTree) -> None:
    tree.write_puppet()
    seen: list[str] = []
    other = replace(NODE, name=Certname("web02"))
    roster = Roster((NODE, other))

    async def main() -> tuple[NodeFacts, ...]:
        async with Fleet(roster) as fleet:
            return await survey(
                fleet, roster, SystemTime(), lambda f: seen.append(f.name)
            )

    first, second = asyncio.run(main())
    assert sorted(seen) == ["web01", "web02"]
    assert (first.name, second.name) == ("web01", "web02")
    messages = [fault.message for fault in second.faults]
    assert "certname web01: also of web01" in messages
    assert "certname: Puppet says web01, the site file web02" in messages


class Broken:
    """A transport that reaches nobody."""

    name = "web01"

    async def run(
        self,
        script: str,
        *args: str,
        stdin: bytes = b"",
        timeout: float | None = None,
    ) -> Result:
        raise Unreachable("web01: nobody answers", hint="switch it on")

    async def close(self) -> None:
        return None


@pytest.mark.parametrize(
    ("roles", "severity"), [(("agent",), "fault"), (("ca",), "stop")]
)
def test_a_node_that_cannot_be_reached(roles: tuple[Role, ...], severity: str) -> None:
    node = replace(NODE, roles=roles)
    facts = asyncio.run(survey_node(Broken(), node, Fixed()))
    assert not facts.reachable
    (fault,) = facts.faults
    assert (fault.severity, fault.message) == (severity, "nobody answers")
    assert fault.remedy == "switch it on"


class Garbled(Broken):
    """A transport to a node that prints what nobody asked for."""

    def __init__(self, **sections: bytes) -> None:
        self.sections = sections

    async def run(
        self,
        script: str,
        *args: str,
        stdin: bytes = b"",
        timeout: float | None = None,
    ) -> Result:
        mark = stdin.strip()
        parts = (
            b"\n%s %s\n%s" % (mark, k.encode(), v) for k, v in self.sections.items()
        )
        return Result(0, b"".join(parts), b"")


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"clock": b"9" * 5000}, "clock: 99999999999999999999… is no number of this"),
        ({"disabled": b"[" * 100_000}, "answers what cannot be read: RecursionError"),
    ],
)
def test_a_node_that_prints_nonsense_is_a_fault_of_its_own(
    sections: dict[str, bytes], message: str
) -> None:
    facts = asyncio.run(survey_node(Garbled(**sections), NODE, Fixed()))
    (fault,) = facts.faults
    assert (fault.severity, fault.message[: len(message)]) == ("fault", message)
    assert not facts.reachable


def test_a_mark_in_a_file_does_not_end_its_section() -> None:
    printed = b"\nm1 a\ntext\nm2 b\n\nm1 b\nend"
    assert split(printed, "m1").data("a") == b"text\nm2 b\n"
