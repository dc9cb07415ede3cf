"""The door to a site's CA: who has asked, and the CA's own way of signing.

A running Puppet Server, or ours, is asked through its HTTP API, with its host's
certificate and from its host, so that the key to it stays there.  Puppet 3 to 5 is
asked through its own `puppet cert`.  Neither's files are written behind its back.

Sources: Puppet Server, `PUT /puppet-ca/v1/certificate_status`; Puppet 5.5,
`application/cert.rb`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from reseal.certname import Certname
from reseal.site.generation import major, server_of
from reseal.site.target import Target

_SIGNED = 204

_REQUESTS = r"""
cd "$1" || exit 1
while read -r name; do
    [ -s "$name.pem" ] || continue
    printf '=== %s\n' "$name"
    cat -- "$name.pem"
    echo
done
"""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a CA did with the requests it was asked to sign.

    Attributes:
        signed: Certnames it has signed.
        refused: Certnames it will not sign, each with the reason.
        failed: Certnames to ask for again, each with what went wrong.
    """

    signed: frozenset[str]
    refused: Mapping[str, str]
    failed: Mapping[str, str]


class SiteAuthority(Protocol):
    """A site's CA, as far as a regeneration needs it."""

    async def requests(self, names: Sequence[Certname]) -> Mapping[str, bytes]:
        """Return the waiting requests (PEM) of these certnames, as far as any wait."""

    async def sign(self, names: Sequence[Certname]) -> Answer:
        """Sign these certnames' requests."""


@dataclass(frozen=True, slots=True)
class PuppetServer:
    """The CA of a running server, Puppet's or ours, asked through its HTTP API."""

    host: Target

    async def requests(self, names: Sequence[Certname]) -> Mapping[str, bytes]:
        return await _read_requests(self.host, names)

    async def sign(self, names: Sequence[Certname]) -> Answer:
        setting = self.host.setting
        answers = await self.host.ask(
            "ca_api",
            self.host.facts.settings.get("ca_server") or self.host.facts.certname,
            str(server_of(self.host.facts).port),
            *(setting("hostcert"), setting("hostprivkey")),
            *(setting("localcacert"), setting("hostcrl")),
            stdin="\n".join(names).encode(),
            timeout=60 + 30 * len(names),
        )
        told = {
            name: f"HTTP status {answer['status']}: {answer['body']}".strip()
            for name, answer in answers.items()
        }
        status = {name: int(answer["status"]) for name, answer in answers.items()}
        return Answer(
            signed=frozenset(n for n in told if status[n] == _SIGNED),
            refused={n: told[n] for n in told if 400 <= status[n] < 500},
            failed={n: told[n] for n in told if not 200 <= status[n] < 500},
        )


@dataclass(frozen=True, slots=True)
class PuppetCert:
    """The CA of Puppet 3 to 5, asked through `puppet cert`."""

    host: Target

    async def requests(self, names: Sequence[Certname]) -> Mapping[str, bytes]:
        return await _read_requests(self.host, names)

    async def sign(self, names: Sequence[Certname]) -> Answer:
        refused: dict[str, str] = {}
        why = await self._sign(names)
        if why and len(names) > 1:
            # `puppet cert sign` stops at the first one that it refuses.
            waiting = await self.requests(names)
            told = {n: await self._sign([n]) for n in names if n in waiting}
            refused = {name: text for name, text in told.items() if text}
        elif why:
            refused = dict.fromkeys(names, why)
        return Answer(frozenset(names) - refused.keys(), refused, {})

    async def _sign(self, names: Sequence[Certname]) -> str:
        """Sign, and return what `puppet cert` had against it; empty for nothing."""
        result = await self.host.transport.run(
            'exec "$@" 2>&1 >/dev/null',
            *(self.host.facts.puppet, "cert", "sign", "--color=false"),
            *("--allow-dns-alt-names", *names),
            timeout=60 + 10 * len(names),
        )
        if result.exit == 0:
            return ""
        text = (result.stdout + result.stderr).decode(errors="replace")
        said = [line for line in text.splitlines() if line.startswith("Error:")]
        return said[-1].removeprefix("Error: ") if said else text.strip()


def authority_of(host: Target) -> SiteAuthority:
    """Return the way to ask the CA on `host`."""
    server = server_of(host.facts)
    served = server.kind == "reseal" or major(server.version) >= 6
    return PuppetServer(host) if served else PuppetCert(host)


async def _read_requests(host: Target, names: Sequence[Certname]) -> dict[str, bytes]:
    result = await host.transport.run(
        _REQUESTS,
        f"{server_of(host.facts).cadir}/requests",
        stdin="".join(f"{name}\n" for name in names).encode(),
    )
    found: dict[str, bytes] = {}
    for part in result.stdout.split(b"=== ")[1:]:
        name, _, pem = part.partition(b"\n")
        found[name.decode()] = pem
    return found
