"""Steps that many scenarios share: a request waits, is signed, is revoked.

Sources: Puppet Server, `certificate_authority_core.clj`; puppetserver-ca-cli,
`utils/http_client.rb` (headers).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

from .bodies import csr
from .model import Body, Case, Headers

JSON: Headers = (("Content-Type", "application/json"), ("Accept", "application/json"))
TEXT: Headers = (("Content-Type", "text/plain"), ("Accept", "text/plain"))
SIGNED = b'{"desired_state":"signed"}'
REVOKED = b'{"desired_state":"revoked"}'


def put(
    word: str,
    says: str,
    body: Body = b"",
    name: str = "{name}",
    headers: Headers = TEXT,
) -> Case:
    """Send a request; without a body, a plain one for the scenario's name."""
    body = body or csr()
    return Case(
        word, says, "PUT", f"certificate_request/{name}", body=body, headers=headers
    )


def fetch(word: str, says: str, name: str = "{name}") -> Case:
    """Ask for a certificate."""
    return Case(word, says, "GET", f"certificate/{name}")


def state(
    word: str,
    says: str,
    body: Body | Mapping[str, object] = SIGNED,
    name: str = "{name}",
    caller: str = "cli",
    headers: Headers = JSON,
) -> Case:
    """Change a state."""
    sent = json.dumps(body).encode() if isinstance(body, Mapping) else body
    path = f"certificate_status/{name}"
    return Case(word, says, "PUT", path, caller, sent, headers)


def status(
    word: str,
    says: str,
    name: str = "{name}",
    method: str = "GET",
    accept: str | None = "application/json",
) -> Case:
    """Look at a state, or delete it."""
    headers = () if accept is None else (("Accept", accept),)
    path = f"certificate_status/{name}"
    return Case(word, says, method, path, "cli", headers=headers)


def crl(word: str = "list", says: str = "the revocation lists") -> Case:
    """Ask for the revocation lists."""
    return Case(word, says, "GET", "certificate_revocation_list/ca")


def before(case: Case) -> Case:
    """Return the case as a step that is not compared."""
    return replace(case, setup=True)


def waits(name: str = "{name}", body: Body = b"") -> Case:
    """A request of `name` waits."""
    body = body or csr_for(name)
    return before(put(f"waits-{name}", f"a request of {name} waits", body, name))


def signed(name: str = "{name}", body: Body = b"") -> tuple[Case, ...]:
    """`name` has a certificate, which was fetched."""
    return (
        waits(name, body),
        before(state(f"sign-{name}", f"{name} is signed", name=name)),
        before(fetch(f"fetch-{name}", f"{name} fetches its certificate", name)),
    )


def revoked(name: str = "{name}") -> tuple[Case, ...]:
    """`name` had a certificate, which is revoked."""
    done = state(f"revoke-{name}", f"{name} is revoked", REVOKED, name)
    return (*signed(name), before(done))


def csr_for(name: str) -> Body:
    """Return a plain request for a name."""
    return csr(("2.5.4.3", name, 12))


def whole(
    says: str, body: Body = b"", name: str = "{name}"
) -> tuple[Case, Case, Case, Case]:
    """Send a request, sign it, fetch the certificate, look at the request left."""
    return (
        put("put", f"{says}: the request", body or csr_for(name), name),
        state("sign", f"{says}: it is signed", name=name),
        fetch("certificate", f"{says}: the certificate", name),
        Case(
            "left",
            f"{says}: the request after it",
            "GET",
            f"certificate_request/{name}",
        ),
    )
