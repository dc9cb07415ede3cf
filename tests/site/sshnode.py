"""Nodes for tests: SSH servers on loopback that run commands on this machine.

They speak the real protocol; what they lack of a real sshd is proven in
`tests/real`.  Commands run with a `PATH` that begins with the test's own programs.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import asyncssh

from reseal.site.fleet import Fleet
from reseal.site.roster import Roster, load_roster

SUDO = '#!/bin/sh\n[ "$1" = -n ] || exit 9\nshift\nexec "$@"\n'


def program(directory: Path, name: str, text: str) -> None:
    """Put a program where a node's `PATH` begins."""
    directory.mkdir(exist_ok=True)
    path = directory / name
    path.write_text(text)
    path.chmod(0o755)


@dataclass
class SshNode:
    """An SSH server on loopback.

    Attributes:
        directory: Its keys, the client's, and the programs of its commands.
        port: Where it listens; 0 before it does.
        connections: Those it has accepted.
        forwards: Hosts and ports somebody was forwarded to.
        commands: Those that run now.
    """

    directory: Path
    host_key: asyncssh.SSHKey = field(
        default_factory=lambda: asyncssh.generate_private_key("ssh-ed25519")
    )
    client_key: asyncssh.SSHKey = field(
        default_factory=lambda: asyncssh.generate_private_key("ssh-ed25519")
    )
    port: int = 0
    connections: list[asyncssh.SSHServerConnection] = field(default_factory=list)
    forwards: list[tuple[str, int]] = field(default_factory=list)
    commands: set[asyncio.Task[None]] = field(default_factory=set)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[SshNode]:
        """Listen, with the client's key authorized."""
        keys = asyncssh.import_authorized_keys(
            self.client_key.export_public_key().decode()
        )
        server = await asyncssh.listen(
            "127.0.0.1",
            self.port,
            server_host_keys=[self.host_key],
            authorized_client_keys=keys,
            process_factory=self._start,
            server_factory=lambda: _Server(self),
            encoding=None,
        )
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            self.drop()
            await server.wait_closed()
            await asyncio.gather(*self.commands, return_exceptions=True)

    def drop(self) -> None:
        """Break every connection, as a network does."""
        for connection in self.connections:
            connection.abort()
        self.connections.clear()

    def write_files(self) -> None:
        """Write the client's key and SSH configuration."""
        key = self.directory / "key"
        self.client_key.write_private_key(key)
        key.chmod(0o600)
        known = self.directory / "known_hosts"
        known.write_text(self.known_line())
        (self.directory / "ssh_config").write_text(
            f"Host *\n  IdentityFile {key}\n  IdentitiesOnly yes\n  User root\n"
            f"  UserKnownHostsFile {known}\n  GlobalKnownHostsFile /dev/null\n"
        )

    def known_line(self) -> str:
        """Return its line of a file of known hosts."""
        public = self.host_key.export_public_key().decode()
        return f"[127.0.0.1]:{self.port} {public}"

    def roster(self, ssh: str = "", node: str = "") -> Roster:
        """Return the roster of a site of this node alone."""
        path = self.directory / "site.toml"
        path.write_text(
            f'[ssh]\nconfig = "ssh_config"\nconnect_timeout = 2\n{ssh}\n'
            f'[[node]]\ncertname = "web01"\naddress = "127.0.0.1"\n'
            f'port = {self.port}\nroles = ["ca"]\n{node}\n'
        )
        return load_roster(path)

    def fleet(self, ssh: str = "", node: str = "") -> Fleet:
        """Return the fleet of that roster."""
        return Fleet(self.roster(ssh, node))

    async def _start(self, process: asyncssh.SSHServerProcess[bytes]) -> None:
        task = asyncio.create_task(self._run(process))
        self.commands.add(task)
        task.add_done_callback(self.commands.discard)

    async def _run(self, process: asyncssh.SSHServerProcess[bytes]) -> None:
        stdin = await process.stdin.read()
        path = f"{self.directory / 'bin'}:{os.environ['PATH']}"
        child = await asyncio.create_subprocess_shell(
            process.command or "true",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={"PATH": path, "HOME": str(self.directory)},
            start_new_session=True,
        )
        talk = asyncio.create_task(child.communicate(stdin))
        gone = asyncio.create_task(process.wait_closed())
        await asyncio.wait({talk, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not talk.done():
            os.killpg(child.pid, signal.SIGKILL)
        gone.cancel()
        stdout, stderr = await talk
        process.stdout.write(stdout)
        process.stderr.write(stderr)
        status = await child.wait()
        if status < 0:
            process.exit_with_signal(signal.Signals(-status).name[3:])
        else:
            process.exit(status)


class _Server(asyncssh.SSHServer):
    def __init__(self, node: SshNode) -> None:
        self._node = node

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._node.connections.append(conn)

    def connection_requested(
        self, dest_host: str, dest_port: int, orig_host: str, orig_port: int
    ) -> bool:
        self._node.forwards.append((dest_host, dest_port))
        return True
