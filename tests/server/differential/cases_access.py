"""Cases: who may call what, and who is let in at all.

Sources: Puppet Server, auth.conf as shipped; RFC 8446 section 6.2 (alerts).
"""

from __future__ import annotations

from .bodies import csr
from .model import Case, Scenario, ask, scenario
from .steps import JSON, REVOKED, SIGNED, before, put, signed, state, waits

_GUARDED = (
    ("status", "GET", "certificate_status/{name}", b""),
    ("sign-one", "PUT", "certificate_status/{name}", SIGNED),
    ("delete", "DELETE", "certificate_status/{name}", b""),
    ("statuses", "GET", "certificate_statuses/all", b""),
    ("upload", "PUT", "certificate_revocation_list", b""),
    ("clean", "PUT", "clean", b'{"certnames":[]}'),
    ("sign", "POST", "sign", b'{"certnames":[]}'),
    ("sign-all", "POST", "sign/all", b""),
    ("delete-request", "DELETE", "certificate_request/{name}", b""),
)
_ADMIN = (
    ("request", "DELETE", "certificate_request/{name}", "no rule allows it"),
    ("list-put", "PUT", "certificate_revocation_list/ca", "the path has no name"),
    ("list-slash", "PUT", "certificate_revocation_list/", "nor a slash"),
    ("status-post", "POST", "certificate_status/{name}", "an unlisted method"),
    ("status-head", "HEAD", "certificate_status/{name}", "nor HEAD"),
    ("statuses-put", "PUT", "certificate_statuses/all", "PUT has the prefix"),
    ("statuses-delete", "DELETE", "certificate_statuses/all", "so has DELETE"),
    ("status-prefix", "GET", "certificate_statusfoo/x", "the rule is a prefix"),
    ("status-none", "GET", "certificate_status", "no name"),
    ("status-empty", "GET", "certificate_status/", "an empty one"),
    ("clean-get", "GET", "clean", "an unlisted method"),
    ("clean-prefix", "PUT", "cleanfoo", "the rule is a prefix"),
    ("clean-slash", "PUT", "clean/", "a slash after it"),
    ("sign-get", "GET", "sign", "an unlisted method"),
    ("sign-prefix", "POST", "signfoo", "the rule is a prefix"),
    ("sign-other", "POST", "sign/other", "only `all` is below"),
    ("expirations-prefix", "GET", "expirationsfoo", "the rule is a prefix"),
    ("expirations-put", "PUT", "expirations", "an unlisted method"),
    ("ca-put", "PUT", "certificate/ca", "nobody may write the CA"),
    ("unknown", "GET", "nothing", "unknown is forbidden to all"),
)
_BAD_CLIENTS = (
    ("selfsigned", "a certificate that signed itself"),
    ("foreign", "a certificate of another CA"),
    ("imitated", "one that another CA issued under this CA's name"),
)


def _guarded(caller: str) -> list[Case]:
    return [
        ask(word, f"{caller} asks", path, method=m, caller=caller, body=b, headers=JSON)
        for word, m, path, b in _GUARDED
    ]


def _admin() -> list[Case]:
    return [
        ask(word, says, path, method=method, caller="cli")
        for word, method, path, says in _ADMIN
    ]


def _let_in(word: str, says: str, caller: str, path: str = "certificate/ca") -> Case:
    return ask(word, says, path, caller=caller)


def _shut_out(word: str, says: str, caller: str, pause: float = 0) -> Case:
    """Return a case in which the server may need a moment to refuse."""
    return Case(word, says, "GET", "certificate/ca", caller, patience=20, pause=pause)


_BRIEF = {"desired_state": "signed", "cert_ttl": 1}

SCENARIOS: tuple[Scenario, ...] = (
    scenario("access-none", waits(), _guarded("anonymous")),
    scenario("access-node", signed(), _guarded("node:{name}")),
    scenario("access-cli", signed(), _admin()),
    scenario(
        "expirations",
        ask("anonymous", "needs a certificate", "expirations"),
        signed(),
        before(ask("ca", "the CA was seen", "certificate/ca")),
        ask("node", "any certificate will do", "expirations", caller="node:{name}"),
        ask("cli", "the CLI's too", "expirations", caller="cli"),
        ask("slash", "a slash after it", "expirations/", caller="cli"),
        ask(
            "html",
            "HTML is asked for",
            "expirations",
            caller="cli",
            headers=(("Accept", "text/html"),),
        ),
    ),
    scenario(
        "tls-good",
        signed(),
        _let_in("public", "a node at what all may see", "node:{name}"),
        _let_in(
            "own", "a node at its own certificate", "node:{name}", "certificate/{name}"
        ),
        _let_in("unknown", "a node at what is not", "node:{name}", "nothing"),
        _let_in("cli", "the CLI at what all may see", "cli"),
    ),
    scenario("tls-bad", [_shut_out(word, says, word) for word, says in _BAD_CLIENTS]),
    scenario(
        "tls-revoked",
        signed(),
        before(state("revoke", "it is revoked", REVOKED)),
        _shut_out("refused", "a revoked certificate, a moment later", "node:{name}"),
        ask("again", "the node without it", "certificate/{name}"),
    ),
    scenario(
        "tls-expired",
        before(put("put", "a request waits", csr())),
        before(state("sign", "it is signed for a second", _BRIEF)),
        before(ask("fetch", "it is fetched", "certificate/{name}")),
        _shut_out("refused", "an expired certificate", "node:{name}", pause=2),
        ask("again", "it is served all the same", "certificate/{name}"),
        ask(
            "status",
            "and its state is signed",
            "certificate_status/{name}",
            caller="cli",
            headers=(("Accept", "application/json"),),
        ),
    ),
    scenario(
        "ignored-headers",
        signed(),
        ask(
            "verify",
            "headers of a proxy are ignored",
            "certificate_statuses/all",
            headers=(("X-Client-Verify", "SUCCESS"), ("X-Client-DN", "CN=puppet")),
        ),
        ask(
            "broken",
            "broken ones too",
            "certificate/ca",
            headers=(("X-Client-Cert", "%zz"),),
        ),
    ),
)
