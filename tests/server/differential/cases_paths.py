"""Cases: paths, methods, and what every answer has.

Sources: Puppet Server, `certificate_authority_core.clj`; trapperkeeper-authorization;
comidi (paths); Jetty (what no handler takes).
"""

from __future__ import annotations

from .model import Case, Scenario, ask, scenario

_QUERIES = (
    (
        "environment",
        "an environment is ignored",
        "certificate/ca?environment=production",
    ),
    ("dangling", "and an ampersand after it", "certificate/ca?environment=production&"),
    ("unknown", "other keys too", "certificate/ca?fail_on_404=true&state=signed"),
    ("bad-escape", "a query with a broken escape", "certificate/ca?x=%zz"),
    ("twice", "a key that stands twice", "certificate/ca?x=1&x=2"),
)
_LEGACY = (
    ("legacy-ca", "Puppet 3's path of the CA", "/production/certificate/ca"),
    ("legacy-list", "and of its list", "/production/certificate_revocation_list/ca"),
    ("legacy-request", "and of a request", "/production/certificate_request/x"),
    ("no-mount", "the API without /puppet-ca", "/v1/certificate/ca"),
    ("outside", "a path outside of every mount", "/nothing"),
    ("root", "the root", "/"),
    ("mount-like", "a path that begins as the mount", "/puppet-cafe/v1/certificate/ca"),
)
_NORMALISED = (
    ("dots", "a .. segment", "/puppet-ca/v1/certificate/../certificate/ca"),
    ("dots-encoded", "percent-encoded", "certificate/%2e%2e%2fcertificate/ca"),
    ("dots-half", "half of it encoded", "certificate/.%2E/certificate/ca"),
    ("dots-end", "at the end", "certificate/.."),
    ("dot", "a . segment", "/puppet-ca/v1/./certificate/ca"),
    ("dot-encoded", "percent-encoded", "certificate/%2e/ca"),
    ("dots-outside", "that leaves the mount", "/puppet-ca/../status/v1/simple"),
    ("dots-above", "that leaves the root", "/../puppet-ca/v1/certificate/ca"),
    ("three-dots", "three dots are a name", "certificate/..."),
    ("semicolon", "what follows a semicolon", "certificate/ca;x=1"),
    ("semicolon-early", "in a segment before the last", "certificate;x=1/ca"),
    ("semicolon-encoded", "an encoded semicolon", "certificate/ca%3bx"),
    ("semicolon-dots", "dots after a semicolon", "certificate/ca;/../x"),
    ("slashes", "doubled slashes", "/puppet-ca//v1//certificate//ca"),
    ("slashes-first", "doubled at the start", "//puppet-ca/v1/certificate/ca"),
    ("encoded", "encoded letters", "%63ertificate/c%61"),
    ("encoded-mount", "in the mount", "/puppet-c%61/v1/certificate/ca"),
    ("encoded-twice", "encoded twice", "certificate/%2563a"),
)
_SUBJECTS = (
    ("star", "a name with a star", "certificate/*"),
    ("star-encoded", "encoded", "certificate/%2a"),
    ("space", "a name with a space", "certificate/a%20b"),
    ("plus", "a name with a plus", "certificate/a+b"),
    ("at", "a name with an at", "certificate/a@b"),
    ("colon", "a name with a colon", "certificate/a:b"),
    ("comma", "a name with a comma", "certificate/a,b"),
    ("tilde", "a name with a tilde", "certificate/a~b"),
    ("umlaut", "a name beyond ASCII", "certificate/%c3%a9"),
    ("not-utf8", "bytes that are not UTF-8", "certificate/%ff"),
    ("slash", "an encoded slash", "certificate/a%2fb"),
    ("backslash", "an encoded backslash", "certificate/a%5cb"),
    ("newline", "an encoded newline", "certificate/a%0ab"),
    ("null", "an encoded zero", "certificate/a%00b"),
    ("escape", "a broken escape", "certificate/%zz"),
    ("escape-end", "a percent at the end", "certificate/a%"),
    ("upper", "upper case is a name", "certificate/ABC"),
    ("dash", "a dash at the start is one", "certificate/-a"),
    ("empty", "no name", "certificate/"),
    ("trailing", "a slash after the name", "certificate/ca/"),
    ("deeper", "a segment too many", "certificate/ca/x"),
    ("no-slash", "no slash either", "certificate"),
    ("hash", "an encoded hash", "certificate/a%23b"),
    ("long", "a name of 3,000 characters", f"certificate/{'a' * 3000}"),
    ("very-long", "a path that no server takes", f"certificate/{'a' * 20000}"),
)
_UNKNOWN = (
    ("noun", "a noun that there is not", "nothing"),
    ("mount", "the mount alone", "/puppet-ca"),
    ("mount-slash", "and a slash", "/puppet-ca/"),
    ("version", "the version alone", "/puppet-ca/v1"),
    ("version-slash", "and a slash", "/puppet-ca/v1/"),
    ("version-2", "a version that there is not", "/puppet-ca/v2/certificate/ca"),
    ("case", "nouns are lower case", "Certificate/ca"),
    ("mount-case", "so is the mount", "/Puppet-CA/v1/certificate/ca"),
    (
        "list-prefix",
        "a longer name has the prefix",
        "certificate_revocation_list/cafoo",
    ),
    ("list-other", "another name has not", "certificate_revocation_list/x"),
    ("list-slash", "nor has an empty one", "certificate_revocation_list/"),
    ("list-none", "nor none", "certificate_revocation_list"),
    ("list-deeper", "a segment after it", "certificate_revocation_list/ca/x"),
    ("request-prefix", "a noun with the prefix", "certificate_requestfoo/x"),
    ("request-empty", "a request of no name", "certificate_request/"),
    ("request-none", "nor a slash", "certificate_request"),
)
_METHODS = ("HEAD", "OPTIONS", "PATCH", "POST", "PUT", "DELETE", "TRACE", "BREW")


def _gets(rows: tuple[tuple[str, str, str], ...]) -> list[Case]:
    return [ask(word, says, path) for word, says, path in rows]


def _methods(path: str) -> list[Case]:
    return [
        ask(method.lower(), f"{method} of what may be got", path, method=method)
        for method in _METHODS
    ]


def _gzip(word: str, says: str, path: str, offered: str) -> Case:
    return ask(word, says, path, headers=(("Accept-Encoding", offered),))


_COMPRESSED = (
    _gzip("ca", "gzip is offered", "certificate/ca", "gzip"),
    _gzip(
        "agent",
        "as agents offer it",
        "certificate_revocation_list/ca",
        "gzip;q=1.0,deflate;q=0.6,identity;q=0.3",
    ),
    _gzip("deflate", "deflate alone", "certificate/ca", "deflate"),
    _gzip("identity", "identity alone", "certificate/ca", "identity"),
    _gzip("refused", "gzip is refused", "certificate/ca", "gzip;q=0"),
    _gzip("any", "anything is offered", "certificate/ca", "*"),
    _gzip("missing", "gzip and a 404", "certificate/unknown", "gzip"),
    _gzip("forbidden", "gzip and a 403", "nothing", "gzip"),
    _gzip("relative", "gzip and a 400", "certificate/..", "gzip"),
    _gzip("page", "gzip and the web server's page", "/nothing", "gzip"),
    _gzip("running", "gzip and a short text", "/status/v1/simple", "gzip"),
)
_ASKED = (
    ask(
        "json",
        "JSON is asked for",
        "certificate/ca",
        headers=(("Accept", "application/json"),),
    ),
    ask("html", "HTML is", "certificate/ca", headers=(("Accept", "text/html"),)),
    ask(
        "agent",
        "as an agent asks",
        "certificate/ca",
        headers=(("Accept", "text/plain"), ("X-Puppet-Version", "7.23.0")),
    ),
    ask(
        "close",
        "the connection shall end",
        "certificate/ca",
        headers=(("Connection", "close"),),
    ),
    ask("get-body", "a GET with a body", "certificate/ca", body=b"x"),
    ask(
        "expect",
        "an expectation nobody can meet",
        "certificate/ca",
        headers=(("Expect", "x-nothing"),),
    ),
)

SCENARIOS: tuple[Scenario, ...] = (
    scenario("query", _gets(_QUERIES)),
    scenario("legacy", _gets(_LEGACY)),
    scenario("normal", _gets(_NORMALISED)),
    scenario("subject", _gets(_SUBJECTS)),
    scenario("unknown", _gets(_UNKNOWN)),
    scenario("method-ca", _methods("certificate/ca")),
    scenario("method-outside", _methods("/nothing")),
    scenario("method-simple", _methods("/status/v1/simple")),
    scenario("gzip", _COMPRESSED),
    scenario("asked", _ASKED),
)
