"""Site files: what they say, and every way they can be wrong."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from reseal.errors import SettingsError
from reseal.site.roster import load_roster

CA = '[[node]]\ncertname = "puppet.example.com"\nroles = ["ca"]\n'


def write(directory: Path, text: str) -> Path:
    path = directory / "site.toml"
    path.write_text(text)
    return path


def faults(directory: Path, text: str) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as caught:
        load_roster(write(directory, text))
    assert str(directory / "site.toml") in str(caught.value)
    return caught.value.faults


def test_the_smallest_site_is_a_ca(tmp_path: Path) -> None:
    roster = load_roster(write(tmp_path, CA))
    assert roster.ca.name == "puppet.example.com"
    assert roster.ca.address == "puppet.example.com"
    assert roster.ca.roles == ("ca", "server", "agent")
    assert roster.agents == ()
    assert roster.ssh.host_keys == "strict"


def test_a_node_says_how_it_is_reached(tmp_path: Path) -> None:
    text = CA + (
        '[[node]]\ncertname = "web01"\naddress = "10.0.0.1"\nuser = "admin"\n'
        'port = 2222\ntransport = "local"\nroles = "server"\n'
    )
    node = load_roster(write(tmp_path, text)).node("web01")
    assert node is not None
    assert (node.address, node.user, node.port) == ("10.0.0.1", "admin", 2222)
    assert node.transport == "local"
    assert node.roles == ("server", "agent")


def test_a_node_may_lie_in_a_directory(tmp_path: Path) -> None:
    text = CA + '[[node]]\ncertname = "web01"\ntransport = "local"\nhome = "a/web01"\n'
    roster = load_roster(write(tmp_path, text))
    node = roster.node("web01")
    assert node is not None
    assert node.home == str(tmp_path / "a/web01")
    assert roster.ca.home is None
    far = CA + '[[node]]\ncertname = "web01"\nhome = "/srv/web01"\n'
    (fault,) = faults(tmp_path, far)
    assert fault == 'line 6: home: is for nodes with transport = "local"'


def test_groups_make_nodes_and_lend_them_settings(tmp_path: Path) -> None:
    text = CA + (
        '[group.web]\ncertnames = ["web[08-11].example.com", "www"]\nuser = "w"\n'
        "port = 23\n"
        '[[node]]\ncertname = "web09.example.com"\nport = 24\n'
    )
    roster = load_roster(write(tmp_path, text))
    assert [node.name for node in roster.agents] == [
        "web09.example.com",
        "web08.example.com",
        "web10.example.com",
        "web11.example.com",
        "www",
    ]
    own = roster.node("web09.example.com")
    assert own is not None
    assert (own.user, own.port, own.groups) == ("w", 24, ("web",))


def test_the_first_of_two_groups_decides(tmp_path: Path) -> None:
    text = CA + (
        '[group.a]\nuser = "a"\n[group.b]\nuser = "b"\nport = 25\n'
        '[[node]]\ncertname = "n"\ngroups = ["a", "b"]\n'
    )
    node = load_roster(write(tmp_path, text)).node("n")
    assert node is not None
    assert (node.user, node.port) == ("a", 25)


def test_ssh_settings_begin_at_the_file(tmp_path: Path) -> None:
    text = (
        '[ssh]\nconfig = "ssh_config"\nknown_hosts = ["/k", "~/k"]\nlimit = 7\n'
        'host_keys = "accept-new"\nuser = "ops"\nconnect_timeout = 3\n'
        "command_timeout = 9\n"
    )
    ssh = load_roster(write(tmp_path, text + CA)).ssh
    assert ssh.config == tmp_path / "ssh_config"
    assert ssh.known_hosts == (Path("/k"), Path.home() / "k")
    assert (ssh.limit, ssh.user, ssh.host_keys) == (7, "ops", "accept-new")
    assert (ssh.connect_timeout, ssh.command_timeout) == (3, 9)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (
            'rolls = "x"\n' + CA,
            "line 1: rolls: unknown key; known are ssh, group, node",
        ),
        (CA + 'roels = "x"\n', "line 4: roels: unknown key"),
        ("[ssh]\nconfg = 1\n" + CA, "line 2: confg: unknown key"),
        ("[ssh]\n\nlimit = 0\n" + CA, "line 3: limit: must be a whole number from 1"),
        ("[ssh]\nlimit = true\n" + CA, "line 2: limit: must be a whole number"),
        ('[ssh]\nhost_keys = "no"\n' + CA, "line 2: host_keys: 'no' is not one of"),
        ("[ssh]\nuser = 5\n" + CA, "line 2: user: must be a string"),
        ("ssh = 5\n" + CA, "line 1: ssh: must be a table"),
        ("node = 5\n", "line 1: node: must be an array of tables"),
        (CA + 'port = "22"\n', "line 4: port: must be a whole number"),
        (CA + "address = []\n", "line 4: address: must be a string"),
        (CA + 'groups = ["g"]\n', "line 4: groups: there is no [group.g]"),
        (CA + CA, "line 5: certname: puppet.example.com has a table already"),
        (CA + '[[node]]\naddress = "x"\n', "line 4: certname: is missing"),
        (
            CA + '[[node]]\ncertname = "a/b"\n',
            "line 5: certname: 'a/b': not a certname",
        ),
        (CA + '[[node]]\ncertname = "../x"\n', "line 5: certname: '../x': not a"),
        (
            CA + '[[node]]\ncertname = "Web"\n',
            "line 5: certname: 'Web': has upper-case",
        ),
        (CA + '[group.g]\ncertnames = ["a", "a"]\n', "line 5: certnames: a stands"),
        (CA + '[group.g]\ncertnames = ["a[3-1]"]\n', "line 5: certnames: [3-1] is not"),
        (CA + '[group.g]\ncertnames = ["a[1-"]\n[x]', "line 6: x: unknown key"),
        (CA + '[group.g]\nroles = ["ca"]\n', "line 5: roles: the CA is one node"),
        (CA + '[group.g]\nroles = ["web"]\n', "line 5: roles: 'web' is not one of"),
        ("", "line 1: no node has the role ca"),
        ('[[node]]\ncertname = "x"\nroles = ["ca"]\n' + CA, "2 nodes have the role ca"),
        ("[ssh\n", "line 1: not TOML: expected"),
        (
            's = """\nlimit = 1\n"""\n[ssh]\nlimit = "x"\n' + CA,
            "line 5: limit: must be",
        ),
    ],
)
def test_a_fault_names_its_line(tmp_path: Path, text: str, fault: str) -> None:
    assert any(fault in found for found in faults(tmp_path, text)), faults(
        tmp_path, text
    )


def test_all_faults_come_at_once(tmp_path: Path) -> None:
    text = '[ssh]\nlimit = 0\nx = 1\n[[node]]\ncertname = "a/b"\nroles = ["boss"]\n'
    found = faults(tmp_path, text)
    assert [fault.split(":")[0] for fault in found] == [
        "line 1",
        "line 2",
        "line 3",
        "line 5",
        "line 6",
    ]


def test_text_that_is_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "site.toml"
    path.write_bytes(b"\xff")
    with pytest.raises(SettingsError, match="line 1: not UTF-8"):
        load_roster(path)


def test_many_nodes_are_read_quickly(tmp_path: Path) -> None:
    text = CA + '[group.all]\ncertnames = "n[00001-20000].example.com"\n'
    begun = time.monotonic()
    roster = load_roster(write(tmp_path, text))
    assert len(roster.agents) == 20_000
    assert time.monotonic() - begun < 10
