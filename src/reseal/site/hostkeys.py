"""Which SSH host keys are believed.

Guarantee: no setting and no line of an SSH configuration turns the check off.  A
key that differs from a known one is refused under every policy.

asyncssh alone would not hold that: it reads `UserKnownHostsFile none` as leave to
accept any key, and it does not look at `StrictHostKeyChecking` at all.

Sources: sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT"; ssh_config(5),
`StrictHostKeyChecking` (`accept-new`); asyncssh, `SSHClient`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import asyncssh

from reseal.errors import HostKeyRejected, SettingsError
from reseal.site.roster import HostKeyPolicy

_STANDARD_PORT = 22
_DEFAULT = ("~/.ssh/known_hosts", "~/.ssh/known_hosts2", "/etc/ssh/ssh_known_hosts")


class HostKeys:
    """The known host keys of some files, and what becomes of others.

    Attributes:
        files: Where known keys stand; new ones go to the first.
        policy: What becomes of a key of an unknown host.
    """

    def __init__(self, files: Sequence[Path], policy: HostKeyPolicy) -> None:
        self.files = tuple(files) or tuple(Path(p).expanduser() for p in _DEFAULT)
        self.policy = policy

    def known(self) -> asyncssh.SSHKnownHosts:
        """Return the keys the files hold now; a missing file holds none.

        Raises:
            SettingsError: A file is not in the format of known_hosts.
        """
        found = asyncssh.import_known_hosts("")
        for path in self.files:
            if path.is_file():
                try:
                    found.load(path.read_text())
                except (ValueError, OSError) as error:
                    raise SettingsError(str(path), [str(error).lower()]) from error
        return found

    def remember(self, host: str, port: int, key: asyncssh.SSHKey) -> None:
        """Add a line to the first file, in one write."""
        path = self.files[0]
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        name = host if port == _STANDARD_PORT else f"[{host}]:{port}"
        text = key.export_public_key("openssh").split()
        line = b" ".join([name.encode(), *text[:2]]) + b"\n"
        with path.open("ab") as file:
            file.write(line if _ends_a_line(path) else b"\n" + line)


class Gatekeeper(asyncssh.SSHClient):
    """Answers asyncssh's question about a host key no file vouches for.

    Attributes:
        refusal: Why a key was refused; None when none was.
    """

    def __init__(self, name: str, keys: HostKeys) -> None:
        self.refusal: HostKeyRejected | None = None
        self._name = name
        self._keys = keys

    def validate_host_public_key(
        self, host: str, addr: str, port: int, key: asyncssh.SSHKey
    ) -> bool:
        """Tell whether a key is believed that is not among the host's known ones."""
        others = self._keys.known().match(
            host, addr, port if port != _STANDARD_PORT else None
        )
        digest = key.get_fingerprint()
        file = self._keys.files[0]
        if others[0]:
            self.refusal = HostKeyRejected(
                f"{self._name}: the SSH host key of {host} has changed to {digest}",
                hint=f"find out why; if it is right, ssh-keygen -R {host} -f {file}",
            )
        elif self._keys.policy == "strict":
            self.refusal = HostKeyRejected(
                f"{self._name}: the SSH host key of {host} is unknown: {digest}",
                hint=f"compare it, then: ssh-keyscan {host} >> {file}; or set "
                'host_keys = "accept-new" in [ssh]',
            )
        else:
            self._keys.remember(host, port, key)
        return self.refusal is None


def _ends_a_line(path: Path) -> bool:
    """Tell whether a line can be added to a file as it is."""
    text = path.read_bytes()
    return not text or text.endswith(b"\n")
