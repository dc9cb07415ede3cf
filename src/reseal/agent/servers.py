"""Which server a node asks: the one it is told, or the first of a list that answers.

Sources: Puppet 8, `http/resolver/server_list.rb` (order, messages, what is exempt),
`http/client.rb` (`build_resolvers`), `http/service/puppetserver.rb` (the status that
is asked for).
"""

from __future__ import annotations

from dataclasses import dataclass

from reseal.agent.remote import Answer, NoConnection, Remote, Trust, TrustFiles
from reseal.agent.resources.model import Log
from reseal.errors import ParseError
from reseal.wire import TEXT, Request

_STATUS = "/status/v1/simple"
_LIMIT = 30.0
"""Seconds for which a server may keep silent about its status."""

_NEXT = "Trying with next server from server_list."


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server is.

    Attributes:
        host: Its name, which its certificate must have.
        port: TCP.
    """

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Candidates:
    """Servers that serve the same.

    Attributes:
        addresses: In the order in which they are tried; never empty.
        listed: They are a list, so that each is asked first whether it serves.
    """

    addresses: tuple[Address, ...]
    listed: bool = True


def parse_server_list(text: str, port: int) -> tuple[Address, ...]:
    """Return the servers of the setting `server_list`.

    Args:
        text: `HOST[:PORT],…`.
        port: Of those that name none.

    Raises:
        ParseError: An entry is none, and which.
    """
    found = []
    for entry in filter(None, (each.strip() for each in text.split(","))):
        host, colon, number = entry.partition(":")
        if not host or (colon and not _is_port(number)):
            raise ParseError(f"{entry!r} is not HOST or HOST:PORT")
        found.append(Address(host, int(number) if colon else port))
    return tuple(found)


class Servers:
    """Servers that serve the same, asked as if they were one.

    A list is gone through when something is first asked for, and again after `close`.
    """

    def __init__(self, candidates: Candidates, files: TrustFiles, log: Log) -> None:
        self._candidates, self._files, self._log = candidates, files, log
        self._found: Remote | None = None

    def ask(self, request: Request, trust: Trust) -> Answer:
        """Return the answer to a request; `NoConnection`."""
        return self.found(trust).ask(request, trust)

    def found(self, trust: Trust) -> Remote:
        """Return the server that is asked.

        Args:
            trust: How it has to prove itself.

        Raises:
            NoConnection: None of a list serves; `untrusted` if one of them was not.
        """
        if self._found is None:
            self._found = self._chosen(trust)
        return self._found

    def close(self) -> None:
        """Let go of the connection, and of the choice."""
        if self._found is not None:
            self._found.close()
        self._found = None

    def _chosen(self, trust: Trust) -> Remote:
        addresses, hint, untrusted = self._candidates.addresses, None, False
        for address in addresses:
            remote = Remote(address.host, address.port, self._files)
            if not self._candidates.listed:
                return remote
            try:
                answer = _status(remote, trust)
                if answer.response.status == 200:
                    return remote
                said = f"{answer.response.status} {answer.reason}"
                trouble = f"Puppet server {address} is unavailable: {said}"
            except NoConnection as error:
                hint = hint or error.hint
                untrusted = untrusted or error.untrusted
                setting = "Unable to connect to server from server_list setting"
                trouble = f"{setting}: {error}"
            remote.close()
            self._tell(trouble, last=address is addresses[-1])
        named = ",".join(map(str, addresses))
        text = "Could not select a functional puppet server from server_list"
        raise NoConnection(f"{text}: '{named}'", hint=hint, untrusted=untrusted)

    def _tell(self, trouble: str, *, last: bool) -> None:
        if last:
            self._log("err", "", trouble)
        else:
            self._log("warning", "", f"{trouble} {_NEXT}")


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and 0 < int(text) < 65536


def _status(remote: Remote, trust: Trust) -> Answer:
    """Ask a server whether it serves; those before Puppet 6 know another name."""
    headers = {"Accept": TEXT}
    newer = Request("GET", f"{_STATUS}/server", headers=headers)
    answer = remote.ask(newer, trust, limit=_LIMIT)
    if answer.response.status == 404:
        older = Request("GET", f"{_STATUS}/master", headers=headers)
        answer = remote.ask(older, trust, limit=_LIMIT)
    return answer
