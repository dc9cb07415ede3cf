"""Who may call what: every endpoint, every method, every kind of caller."""

from __future__ import annotations

import pytest

from reseal.errors import ParseError
from reseal.server.access import API, DEFAULT, Entry, Rule, allowed, ordered
from reseal.server.caller import ANONYMOUS, Caller
from reseal.server.paths import parse_target
from reseal.x509 import oids

NODE = Caller("web01.example.com")
CLI = Caller("puppet.example.com", extensions={oids.PP_CLI_AUTH: "true"})
FALSE = Caller("liar.example.com", extensions={oids.PP_CLI_AUTH: "false"})
METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE")
EVERYBODY, CERTIFIED, OPERATOR = "everybody", "certified", "operator"
SELF = "the node itself"
TABLE: dict[str, dict[str, str]] = {
    f"{API}/certificate/ca": {"GET": EVERYBODY},
    f"{API}/certificate/web01": {"GET": EVERYBODY},
    f"{API}/certificate_request/web01": {"GET": EVERYBODY, "PUT": EVERYBODY},
    f"{API}/certificate_revocation_list/ca": {"GET": EVERYBODY},
    f"{API}/certificate_revocation_list/cafoo": {"GET": EVERYBODY},
    f"{API}/certificate_revocation_list": {"PUT": OPERATOR},
    f"{API}/certificate_status/web01": {
        "GET": OPERATOR,
        "PUT": OPERATOR,
        "DELETE": OPERATOR,
    },
    f"{API}/certificate_statuses/any": {
        "GET": OPERATOR,
        "PUT": OPERATOR,
        "DELETE": OPERATOR,
    },
    f"{API}/expirations": {"GET": CERTIFIED},
    f"{API}/clean": {"PUT": OPERATOR},
    f"{API}/sign": {"POST": OPERATOR},
    f"{API}/sign/all": {"POST": OPERATOR},
    f"{API}/certificate_renewal": {"POST": CERTIFIED},
    "/status/v1/simple": {"GET": EVERYBODY},
    "/status/v1/simple/ca": {"GET": EVERYBODY},
    "/status/v1/services": {"GET": EVERYBODY},
    "/status/v1/services/ca": {"GET": EVERYBODY},
    "/puppet/v3/catalog/web01.example.com": {"GET": SELF, "POST": SELF},
    "/puppet/v3/catalog/web02.example.com": {},
    "/puppet/v3/node/web01.example.com": {"GET": SELF},
    "/puppet/v3/node/web02.example.com": {},
    "/puppet/v3/report/web01.example.com": {"PUT": SELF},
    "/puppet/v3/report/web02.example.com": {},
    "/puppet/v3/facts/web01.example.com": {"PUT": SELF},
    "/puppet/v3/facts/web02.example.com": {},
    "/puppet/v3/file_metadata/plugins": {"GET": CERTIFIED, "POST": CERTIFIED},
    "/puppet/v3/file_metadatas/plugins": {"GET": CERTIFIED, "POST": CERTIFIED},
    "/puppet/v3/file_content/plugins/x": {"GET": CERTIFIED, "POST": CERTIFIED},
    "/puppet/v3/file_bucket_file/md5/x": dict.fromkeys(
        ("GET", "HEAD", "POST", "PUT"), CERTIFIED
    ),
    "/puppet/v3/static_file_content/x": {"GET": CERTIFIED},
    "/puppet/v3/environments": {"GET": CERTIFIED},
    "/puppet/v3/tasks": dict.fromkeys(METHODS, CERTIFIED),
    "/puppet/v3/environment/production": {},
    "/puppet/v3/compile": {},
    "/puppet/v4/catalog": {},
    "/puppet/experimental/x": {},
    f"{API}/unknown": {},
    "/puppet-ca/v2/certificate/ca": {},
    "/": {},
}
KINDS = {
    "anonymous": (ANONYMOUS, {EVERYBODY}),
    "node": (NODE, {EVERYBODY, CERTIFIED, SELF}),
    "false claim": (FALSE, {EVERYBODY, CERTIFIED}),
    "command line": (CLI, {EVERYBODY, CERTIFIED, OPERATOR}),
}


@pytest.mark.parametrize("path", TABLE)
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_cell_of_the_table(path: str, method: str, kind: str) -> None:
    caller, rights = KINDS[kind]
    needed = TABLE[path].get(method)
    assert allowed(DEFAULT, method, path, caller) is (needed in rights)


def rule(*entries: Entry, path: str = "/", regex: bool = False) -> Rule:
    return Rule("test", path, entries=entries, regex=regex)


@pytest.mark.parametrize(
    ("sentence", "entry", "name", "fits"),
    [
        ("a name is itself", "web01.example.com", "web01.example.com", True),
        ("in whatever case", "WEB01.example.com", "web01.example.com", True),
        ("and no other", "web01.example.com", "web011.example.com", False),
        ("a star is everybody", "*", "anybody", True),
        ("a domain is what lies below it", "*.example.com", "a.b.example.com", True),
        ("not itself", "*.example.com", "example.com", False),
        ("nor what ends alike", "*.example.com", "badexample.com", False),
        ("a pattern is searched for", "/^web\\d+/", "web01.example.com", True),
        ("and not found elsewhere", "/^web\\d+/", "db.example.com", False),
    ],
)
def test_forms_of_names(sentence: str, entry: str, name: str, fits: bool) -> None:
    assert allowed([rule(Entry(entry))], "GET", "/", Caller(name)) is fits, sentence


def test_a_name_may_also_be_an_alternative_name() -> None:
    caller = Caller("x", alt_names=("web01.example.com",))
    assert allowed([rule(Entry("web01.example.com"))], "GET", "/", caller)


def test_what_denies_goes_before_what_allows() -> None:
    both = rule(Entry("*"), Entry("web01.example.com", deny=True))
    assert not allowed([both], "GET", "/", NODE)
    assert allowed([both], "GET", "/", CLI)


def test_what_the_path_says_can_be_who_may() -> None:
    own = rule(Entry("$1"), path="^/catalog/([^/]+)$", regex=True)
    assert allowed([own], "GET", "/catalog/web01.example.com", NODE)
    assert not allowed([own], "GET", "/catalog/web02.example.com", NODE)
    for pattern in ("*", "*.example.com", "$1"):
        assert not allowed([own], "GET", f"/catalog/{pattern}", NODE)


def test_every_extension_must_fit() -> None:
    two = Entry(extensions={oids.PP_CLI_AUTH: ("true",), oids.PP_AUTH_ROLE: ("a", "b")})
    assert not allowed([rule(two)], "GET", "/", CLI)
    roles = {oids.PP_CLI_AUTH: "true", oids.PP_AUTH_ROLE: "b"}
    assert allowed([rule(two)], "GET", "/", Caller("x", extensions=roles))


def test_rules_have_an_order_and_the_first_that_fits_decides() -> None:
    late = Rule("a", "/", entries=(Entry("*"),), order=600)
    early = Rule("b", "/", entries=(Entry("*", deny=True),), order=400)
    assert ordered([late, early]) == (early, late)
    assert not allowed(ordered([late, early]), "GET", "/", NODE)


def test_a_rule_may_ask_for_parameters() -> None:
    asked = Rule("q", "/", entries=(Entry("*"),), query={"environment": ("test",)})
    assert allowed([asked], "GET", "/", NODE, {"environment": ["test"]})
    assert not allowed([asked], "GET", "/", NODE, {"environment": ["live"]})
    assert not allowed([asked], "GET", "/", NODE)


@pytest.mark.parametrize(
    ("target", "path"),
    [
        (f"{API}/certificate/ca?environment=production&", f"{API}/certificate/ca"),
        ("//puppet-ca///v1/certificate//ca", f"{API}/certificate/ca"),
        (f"{API}/certificate/%63a", f"{API}/certificate/ca"),
        (f"{API}/certificate/ca;x=y", f"{API}/certificate/ca"),
        (f"{API}/certificate/ca%3bx", f"{API}/certificate/ca;x"),
        ("/production/certificate/ca", f"{API}/certificate/ca"),
        ("/production/certificate_statuses/all", f"{API}/certificate_statuses/all"),
        ("/production/catalog/web01", "/production/catalog/web01"),
    ],
)
def test_a_path_has_one_form(target: str, path: str) -> None:
    assert parse_target(target).path == path


@pytest.mark.parametrize(
    "target",
    [
        f"{API}/certificate/../certificate_status/x",
        f"{API}/certificate/%2e%2e%2fcertificate_status/x",
        f"{API}/certificate/./ca",
        f"{API}/certificate/..;/x",
        "*",
        "http://elsewhere/puppet-ca/v1/certificate/ca",
        "/%ff",
    ],
)
def test_a_path_that_climbs_or_is_none_is_refused(target: str) -> None:
    with pytest.raises(ParseError, match="Invalid"):
        parse_target(target)


def test_parameters_are_read_within_limits() -> None:
    assert parse_target("/x?state=signed&a").query == {"state": ["signed"], "a": [""]}
    assert parse_target("/x?" + "a=1&" * 1000).query == {}
