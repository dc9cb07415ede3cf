"""SSH transports against SSH servers on loopback."""

from __future__ import annotations

import asyncio
import os
import resource
import time
from pathlib import Path

import asyncssh
import pytest
from sshnode import SUDO, SshNode, program

from reseal.certname import Certname
from reseal.errors import (
    AccessDenied,
    HostKeyRejected,
    SettingsError,
    TimedOut,
    TransportError,
    Unreachable,
)
from reseal.site.fleet import Fleet
from reseal.site.local import LocalTransport
from reseal.site.roster import Node, Roster, load_roster
from reseal.site.transport import Result, Transport


@pytest.fixture
def node(tmp_path: Path) -> SshNode:
    program(tmp_path / "bin", "sudo", SUDO)
    return SshNode(tmp_path)


async def run(fleet: Fleet, script: str, *args: str, stdin: bytes = b"") -> Result:
    transport = await fleet.connect(fleet.roster.ca)
    return await transport.run(script, *args, stdin=stdin)


async def refusal(fleet: Fleet) -> TransportError:
    with pytest.raises(TransportError) as caught:
        await run(fleet, "true")
    assert str(caught.value).startswith("web01: ")
    assert caught.value.hint
    return caught.value


def test_a_script_gets_arguments_and_input_and_gives_all_it_has(node: SshNode) -> None:
    async def main() -> Result:
        async with node.running():
            node.write_files()
            async with node.fleet() as fleet:
                script = 'echo "$1|$2"; cat; echo no >&2; exit 7'
                return await run(fleet, script, "it's", "a\nb $HOME", stdin=b"\0\xff")

    assert asyncio.run(main()) == Result(7, b"it's|a\nb $HOME\n\0\xff", b"no\n")


def test_large_input_goes_whole_and_unread_input_harms_nothing(node: SshNode) -> None:
    async def main() -> None:
        data = os.urandom(3_000_000)
        async with node.running():
            node.write_files()
            async with node.fleet() as fleet:
                assert (await run(fleet, "cat", stdin=data)).stdout == data
                result = await run(fleet, "exit 3", stdin=data)
                assert result.exit == 3

    asyncio.run(main())


def test_commands_share_one_connection(node: SshNode) -> None:
    async def main() -> None:
        async with node.running():
            node.write_files()
            async with node.fleet() as fleet:
                results = await asyncio.gather(
                    *(run(fleet, "echo $1", str(number)) for number in range(30))
                )
                assert [int(result.stdout) for result in results] == list(range(30))
                assert len(node.connections) == 1
            await asyncio.sleep(0.1)
            assert node.connections[0].is_closed()

    asyncio.run(main())


def test_a_connection_that_dropped_between_commands_is_made_anew(node: SshNode) -> None:
    async def main() -> None:
        async with node.running():
            node.write_files()
            async with node.fleet() as fleet:
                await run(fleet, "true")
                node.drop()
                assert (await run(fleet, "echo again")).stdout == b"again\n"

    asyncio.run(main())


def test_a_command_under_way_is_not_repeated(node: SshNode, tmp_path: Path) -> None:
    async def main() -> None:
        async with node.running():
            node.write_files()
            async with node.fleet() as fleet:
                script = 'echo x >>"$1"; sleep 1'
                task = asyncio.create_task(run(fleet, script, str(tmp_path / "log")))
                while not (tmp_path / "log").exists():
                    await asyncio.sleep(0.02)
                node.drop()
                with pytest.raises(Unreachable, match="web01: the connection broke"):
                    await task

    asyncio.run(main())
    assert (tmp_path / "log").read_text() == "x\n"


def test_a_command_out_of_time_ends_on_the_node(node: SshNode, tmp_path: Path) -> None:
    async def main() -> float:
        async with node.running():
            node.write_files()
            async with node.fleet() as fleet:
                transport = await fleet.connect(fleet.roster.ca)
                await transport.run("true")
                begun = time.monotonic()
                script = '(sleep 2.5; echo late >"$1") & wait'
                with pytest.raises(TimedOut, match="web01: a command took over 1 s"):
                    await transport.run(script, str(tmp_path / "late"), timeout=1)
                took = time.monotonic() - begun
                await asyncio.sleep(2)
                return took

    assert asyncio.run(main()) < 2
    assert not (tmp_path / "late").exists()


def test_without_a_timer_on_the_node_our_own_ends_the_command(node: SshNode) -> None:
    async def main() -> None:
        program(node.directory / "bin", "timeout", "#!/bin/sh\nexit 1\n")
        async with node.running():
            node.write_files()
            async with node.fleet() as fleet:
                transport = await fleet.connect(fleet.roster.ca)
                with pytest.raises(TimedOut):
                    await transport.run("sleep 9", timeout=1)
                assert (await transport.run("echo on")).stdout == b"on\n"

    asyncio.run(main())


def test_a_user_who_is_not_root_goes_through_sudo(node: SshNode) -> None:
    async def main() -> None:
        bin_ = node.directory / "bin"
        program(bin_, "id", "#!/bin/sh\necho 1000\n")
        program(bin_, "sudo", SUDO.replace("shift\n", "shift\nexport SUDO=yes\n"))
        async with node.running():
            node.write_files()
            async with node.fleet() as fleet:
                assert (await run(fleet, 'echo "$SUDO"')).stdout == b"yes\n"

    asyncio.run(main())


def test_sudo_that_wants_a_password_is_access_denied(node: SshNode) -> None:
    async def main() -> TransportError:
        bin_ = node.directory / "bin"
        program(bin_, "id", "#!/bin/sh\necho 1000\n")
        program(bin_, "sudo", "#!/bin/sh\necho a password is required >&2\nexit 1\n")
        async with node.running():
            node.write_files()
            async with node.fleet() as fleet:
                return await refusal(fleet)

    error = asyncio.run(main())
    assert isinstance(error, AccessDenied)
    assert "a password is required" in str(error)
    assert "sudo -n" in str(error.hint)


def test_an_unknown_host_key_is_refused(node: SshNode) -> None:
    async def main() -> TransportError:
        async with node.running():
            node.write_files()
            (node.directory / "known_hosts").write_text("")
            async with node.fleet() as fleet:
                return await refusal(fleet)

    error = asyncio.run(main())
    assert isinstance(error, HostKeyRejected)
    assert "is unknown: SHA256:" in str(error)
    assert (node.directory / "known_hosts").read_text() == ""


@pytest.mark.parametrize(
    "line",
    ["UserKnownHostsFile none", "StrictHostKeyChecking no\n  UserKnownHostsFile none"],
)
def test_no_ssh_configuration_turns_the_check_off(node: SshNode, line: str) -> None:
    async def main() -> TransportError:
        async with node.running():
            node.write_files()
            config = node.directory / "ssh_config"
            text = config.read_text()
            old = f"UserKnownHostsFile {node.directory / 'known_hosts'}"
            assert old in text
            config.write_text(text.replace(old, line))
            async with node.fleet() as fleet:
                return await refusal(fleet)

    assert isinstance(asyncio.run(main()), HostKeyRejected)


@pytest.mark.parametrize("policy", ["strict", "accept-new"])
def test_a_changed_host_key_is_refused_by_every_policy(
    node: SshNode, policy: str
) -> None:
    async def main() -> TransportError:
        async with node.running():
            node.write_files()
            node.host_key = asyncssh.generate_private_key("ssh-ed25519")
            (node.directory / "known_hosts").write_text(node.known_line())
            async with node.fleet(f'host_keys = "{policy}"') as fleet:
                return await refusal(fleet)

    error = asyncio.run(main())
    assert isinstance(error, HostKeyRejected)
    assert "has changed to SHA256:" in str(error)
    assert (node.directory / "known_hosts").read_text() == node.known_line()


def test_accept_new_records_a_key_once_and_holds_to_it(node: SshNode) -> None:
    async def main() -> str:
        async with node.running():
            node.write_files()
            known = node.directory / "known_hosts"
            known.write_text("# no end of line")
            for _ in range(2):
                async with node.fleet('host_keys = "accept-new"') as fleet:
                    await run(fleet, "true")
            return known.read_text()

    text = asyncio.run(main())
    public = " ".join(node.host_key.export_public_key().decode().split()[:2])
    assert text == f"# no end of line\n[127.0.0.1]:{node.port} {public}\n"


def test_a_key_nobody_knows_is_access_denied(node: SshNode) -> None:
    async def main() -> TransportError:
        async with node.running():
            node.write_files()
            key = node.directory / "key"
            asyncssh.generate_private_key("ssh-ed25519").write_private_key(key)
            async with node.fleet() as fleet:
                return await refusal(fleet)

    error = asyncio.run(main())
    assert isinstance(error, AccessDenied)
    assert "accepts none of our SSH keys" in str(error)


def test_nobody_there_is_unreachable(node: SshNode) -> None:
    async def main() -> TransportError:
        async with node.running():
            node.write_files()
        async with node.fleet() as fleet:
            return await refusal(fleet)

    error = asyncio.run(main())
    assert isinstance(error, Unreachable)
    assert f"127.0.0.1:{node.port} cannot be reached" in str(error)


def test_a_host_that_never_answers_is_unreachable_in_time(node: SshNode) -> None:
    async def main() -> TransportError:
        silent = await asyncio.start_server(lambda r, w: None, "127.0.0.1", 0)
        node.port = silent.sockets[0].getsockname()[1]
        node.write_files()
        async with silent, node.fleet() as fleet:
            return await refusal(fleet)

    error = asyncio.run(main())
    assert isinstance(error, Unreachable)
    assert "no answer within 2 s" in str(error)


def test_a_broken_ssh_configuration_names_its_line(node: SshNode) -> None:
    async def main() -> None:
        node.port = 1
        node.write_files()
        (node.directory / "ssh_config").write_text("Port x\n")
        async with node.fleet() as fleet:
            await run(fleet, "true")

    with pytest.raises(SettingsError, match="line 1"):
        asyncio.run(main())


def test_a_broken_file_of_known_hosts_is_named(node: SshNode) -> None:
    async def main() -> None:
        node.port = 1
        node.write_files()
        (node.directory / "known_hosts").write_text("nonsense\n")
        async with node.fleet() as fleet:
            await run(fleet, "true")

    with pytest.raises(SettingsError, match="known_hosts: invalid known hosts entry"):
        asyncio.run(main())


def test_an_error_on_one_node_ends_the_work_on_all(node: SshNode) -> None:
    async def work(each: Node, transport: Transport) -> None:
        raise Unreachable(f"{each.name}: gone")

    async def main() -> None:
        node.port = 1
        node.write_files()
        async with node.fleet() as fleet:
            await fleet.each(fleet.roster.nodes, work)

    with pytest.raises(ExceptionGroup) as caught:
        asyncio.run(main())
    assert [str(error) for error in caught.value.exceptions] == ["web01: gone"]


def test_a_jump_host_is_connected_to_once_for_all_nodes(tmp_path: Path) -> None:
    async def main() -> None:
        for name in ("jump", "one", "two"):
            (tmp_path / name).mkdir()
        jump = SshNode(tmp_path / "jump")
        nodes = [
            SshNode(tmp_path / name, client_key=jump.client_key)
            for name in ("one", "two")
        ]
        async with jump.running(), nodes[0].running(), nodes[1].running():
            roster = behind(jump, nodes)
            async with Fleet(roster) as fleet:
                names = await fleet.each(roster.nodes, lambda n, t: t.run("echo up"))
            assert [result.stdout for result in names] == [b"up\n", b"up\n"]
        assert len(jump.forwards) == 2
        assert len(jump.connections) == 0

    asyncio.run(main())


def test_jump_hosts_that_lead_to_each_other_end(node: SshNode) -> None:
    async def main() -> TransportError:
        node.port = 1
        node.write_files()
        (node.directory / "ssh_config").write_text(
            "Host 127.0.0.1\n  ProxyJump one\n"
            "Host one\n  HostName 127.0.0.2\n  Port 1\n  ProxyJump two\n"
            "Host two\n  HostName 127.0.0.3\n  Port 1\n  ProxyJump one\n"
        )
        async with node.fleet() as fleet:
            return await refusal(fleet)

    text = "web01: jump host one: jump host two: 127.0.0.3:1 cannot be reached"
    assert str(asyncio.run(main())).startswith(text)


class Counted(LocalTransport):
    """A way to a node that counts how often it was closed."""

    closed = 0

    async def close(self) -> None:
        self.closed += 1


@pytest.mark.parametrize(("size", "closed"), [(200, 0), (201, 1)])
def test_a_large_site_keeps_the_connection_to_its_ca_only(
    size: int, closed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = {f"n{n}": Counted(f"n{n}") for n in range(size)}
    monkeypatch.setattr(Fleet, "_made", lambda fleet, node: made[node.name])
    names = [Certname(name) for name in made]
    nodes = (
        Node(names[0], address="", roles=("ca",)),
        *(Node(name, address="", roles=("agent",)) for name in names[1:]),
    )

    async def work(node: Node, transport: Transport) -> str:
        return transport.name

    async def main() -> list[str]:
        async with Fleet(Roster(nodes)) as fleet:
            done = await fleet.each(nodes, work)
            assert [each.closed for each in made.values()] == [
                0,
                *[closed] * (size - 1),
            ]
            return done

    assert asyncio.run(main()) == names


def test_a_fleet_may_open_as_many_files_as_the_system_allows() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)

    async def main() -> tuple[int, int]:
        async with Fleet(Roster((Node(Certname("web01"), address=""),))):
            return resource.getrlimit(resource.RLIMIT_NOFILE)

    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard - 1, hard))
        assert asyncio.run(main()) == (hard, hard)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def behind(jump: SshNode, nodes: list[SshNode]) -> Roster:
    """Write a site whose nodes are reached through a jump host."""
    jump.write_files()
    known = jump.directory / "known_hosts"
    known.write_text("".join(node.known_line() for node in (jump, *nodes)))
    config = jump.directory / "ssh_config"
    config.write_text(config.read_text() + f"  ProxyJump root@127.0.0.1:{jump.port}\n")
    for node in nodes:
        node.write_files()
        text = "".join(
            f'[[node]]\ncertname = "n{number}"\naddress = "localhost"\n'
            f"port = {each.port}\nroles = [{quoted}]\n"
            for number, (each, quoted) in enumerate(
                zip(nodes, ('"ca"', '"agent"'), strict=True)
            )
        )
    known.write_text(
        known.read_text() + known.read_text().replace("127.0.0.1", "localhost")
    )
    site = jump.directory / "site.toml"
    site.write_text(f'[ssh]\nconfig = "ssh_config"\n{text}')
    return load_roster(site)
