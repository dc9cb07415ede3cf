"""auth.conf decides as Puppet Server has it decide, and every fault is told."""

from __future__ import annotations

import pytest
from serverconf import Place

from reseal.errors import SettingsError
from reseal.server import access
from reseal.server.access import API, Entry, Rule
from reseal.server.caller import ANONYMOUS, Caller
from reseal.x509 import oids

NODE = Caller("web01.example.com", ("www.example.com",))
CLI = Caller("ca.example.com", (), {oids.PP_CLI_AUTH: "true"})
FALSE_CLI = Caller("web02.example.com", (), {oids.PP_CLI_AUTH: "false"})
CALLERS = {"anonymous": ANONYMOUS, "node": NODE, "cli": CLI, "false cli": FALSE_CLI}
PATHS = [
    *(f"{API}/certificate/{name}" for name in ("ca", "web01.example.com", "")),
    f"{API}/certificate",
    *(f"{API}/certificate_revocation_list{rest}" for rest in ("", "/", "/ca", "/cax")),
    *(f"{API}/certificate_request{rest}" for rest in ("", "/web01.example.com")),
    *(f"{API}/certificate_status{rest}" for rest in ("", "/web01.example.com")),
    *(f"{API}/certificate_statuses{rest}" for rest in ("", "/any")),
    *(f"{API}/{name}" for name in ("expirations", "clean", "certificate_renewal")),
    *(f"{API}/sign{rest}" for rest in ("", "/all", "/else")),
    *("/status/v1/services", "/status/v1/services/ca", "/status/v1/simple"),
    *("/status/v1/simple/ca", "/status/v2", "/", API, "/puppet-ca", "/nothing"),
]
METHODS = ("GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS", "PATCH")


def rule(body: str, match: str = "path: /x, type: path") -> str:
    text = f'match-request: {{{match}}}, sort-order: 500, name: "one", {body}'
    return f"authorization: {{version: 1, rules: [{{{text}}}]}}"


def rules(place: Place, text: str) -> tuple[Rule, ...]:
    place.write("auth.conf", text)
    return place.load().options.rules


def faults(place: Place, text: str) -> list[str]:
    path = place.write("auth.conf", text)
    with pytest.raises(SettingsError) as caught:
        place.load()
    return [fault.removeprefix(f"{path}: ") for fault in caught.value.faults]


def test_the_rules_of_puppet_server_8_are_the_default_ones(place: Place) -> None:
    place.install("8")
    found = place.load(place.here).options.rules
    assert len(found) == 25
    for path in PATHS:
        for method in METHODS:
            for kind, caller in CALLERS.items():
                expected = access.allowed(access.DEFAULT, method, path, caller)
                decided = access.allowed(found, method, path, caller)
                assert decided is expected, (kind, method, path)


def test_puppet_server_7_has_neither_renewal_nor_sign(place: Place) -> None:
    place.install("7")
    found = place.load(place.here).options.rules
    differing = {
        path
        for path in PATHS
        for method in METHODS
        for caller in CALLERS.values()
        if access.allowed(found, method, path, caller)
        is not access.allowed(access.DEFAULT, method, path, caller)
    }
    assert differing == {
        f"{API}/{name}"
        for name in ("certificate_renewal", "sign", "sign/all", "sign/else")
    }


def test_without_auth_conf_the_default_rules_hold(place: Place) -> None:
    config = place.load()
    assert config.options.rules == access.DEFAULT
    assert config.rules_source == "default"


@pytest.mark.parametrize(
    ("allow", "who"),
    [
        ("web01.example.com", {"node"}),
        ('"WEB01.example.com"', {"node"}),
        ("www.example.com", {"node"}),
        ('"*"', {"node", "cli", "false cli"}),
        ('"*.example.com"', {"node", "cli", "false cli"}),
        ('"*.example.org"', set()),
        ('"/^web\\\\d+\\\\./"', {"node", "false cli"}),
        ("{certname: web01.example.com}", {"node"}),
        ('[web01.example.com, {certname: "ca.example.com"}]', {"node", "cli"}),
        ('{extensions: {pp_cli_auth: "true"}}', {"cli"}),
        ('{extensions: {pp_cli_auth: ["true", "false"]}}', {"cli", "false cli"}),
        ('{extensions: {"1.3.6.1.4.1.34380.1.3.39": "true"}}', {"cli"}),
        ('{extensions: {pp_cli_auth: "true", pp_role: "x"}}', set()),
        ("[]", set()),
    ],
)
def test_forms_of_an_entry(place: Place, allow: str, who: set[str]) -> None:
    found = rules(place, rule(f"allow: {allow}"))
    allowed = {
        kind
        for kind, caller in CALLERS.items()
        if access.allowed(found, "GET", "/x", caller)
    }
    assert allowed == who


def test_a_denial_goes_before_an_allowance(place: Place) -> None:
    found = rules(place, rule('allow: "*", deny: web01.example.com'))
    assert not access.allowed(found, "GET", "/x", NODE)
    assert access.allowed(found, "GET", "/x", CLI)


def test_a_reference_is_what_the_path_held(place: Place) -> None:
    match = 'path: "^/x/([^/]+)$", type: regex, method: [get, PUT]'
    found = rules(place, rule('allow: "$1"', match))
    assert access.allowed(found, "PUT", "/x/web01.example.com", NODE)
    assert not access.allowed(found, "PUT", "/x/web02.example.com", NODE)
    assert not access.allowed(found, "POST", "/x/web01.example.com", NODE)


def test_query_parameters_narrow_a_rule(place: Place) -> None:
    match = "path: /x, type: path, query-params: {env: [a, b]}"
    found = rules(place, rule('allow: "*"', match))
    assert access.allowed(found, "GET", "/x", NODE, {"env": ["b"]})
    assert not access.allowed(found, "GET", "/x", NODE, {"env": ["c"]})
    assert not access.allowed(found, "GET", "/x", NODE)


def test_rules_are_ordered_by_number_then_name(place: Place) -> None:
    body = 'match-request: {path: /, type: path}, allow: "*"'
    entries = ", ".join(
        f"{{{body}, sort-order: {order}, name: {name}}}"
        for order, name in ((500, "b"), (999, "a"), (500, "a2"), (1, "z"))
    )
    found = rules(place, f"authorization: {{version: 1, rules: [{entries}]}}")
    assert [each.name for each in found] == ["z", "a2", "b", "a"]


def test_a_site_s_own_extension_names_are_known(place: Place) -> None:
    oid = "1.3.6.1.4.1.34380.1.2.7"
    mapping = f"oid_mapping:\n  {oid}:\n    shortname: tier\n    longname: Tier\n"
    (place.confdir / "custom_trusted_oid_mapping.yaml").write_text(mapping)
    found = rules(place, rule('allow: {extensions: {tier: "one"}}'))
    assert found[0].entries == (Entry(extensions={oid: ("one",)}),)


def test_java_s_names_of_groups_are_understood(place: Place) -> None:
    match = 'path: "^/x/(?<name>[a-z]+)$", type: regex'
    assert rules(place, rule('allow: "$1"', match))[0].path == "^/x/(?P<name>[a-z]+)$"


@pytest.mark.parametrize(
    ("entry", "what"),
    [
        ('{rbac: {permission: "a:b:c"}}', "rbac is Puppet Enterprise's"),
        (
            '{extensions: {subject-alt-name: {dns-name: "a"}}}',
            "subject-alt-name is not an extension of Puppet's",
        ),
        ('{extensions: {"1.2.3": "a"}}', "1.2.3 is not an extension of Puppet's"),
        ('{extensions: {tier: "a"}}', "tier is not the name of an extension"),
    ],
)
def test_who_cannot_be_judged_is_not_let_in(
    place: Place, entry: str, what: str
) -> None:
    path = place.write("auth.conf", rule(f"allow: [{entry}, ca.example.com]"))
    config = place.load()
    assert f'{path}: rule 1 "one": allow: {what}; this allows nobody' in config.warnings
    assert access.allowed(config.options.rules, "GET", "/x", CLI)
    assert not access.allowed(config.options.rules, "GET", "/x", NODE)
    text = f'rule 1 "one": deny: {what}; reseal cannot tell whom this denies'
    assert faults(place, rule(f"deny: {entry}")) == [text]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (rule(""), "must have allow, deny or allow-unauthenticated"),
        (
            rule('allow: "*", allow-unauthenticated: true'),
            "allow-unauthenticated leaves no room for allow",
        ),
        (
            rule("allow-unauthenticated: maybe"),
            "allow-unauthenticated: must be true or false",
        ),
        (rule('allow: "a b"'), "allow: 'a b' is no name, *.domain, * or /pattern/"),
        (rule("allow: 7"), "allow: 7 is neither a name nor an object"),
        (
            rule("allow: {certname: a, extensions: {}}"),
            "allow: holds certname, extensions instead of one of certname, extensions",
        ),
        (
            rule("deny: {extensions: {}}"),
            "deny: extensions must name an extension and its value",
        ),
        (
            rule("allow: {extensions: {pp_cli_auth: true}}"),
            "allow: pp_cli_auth: the value must be a text, and it and an OID in quotes",
        ),
        (
            rule('allow: {extensions: {1.3.6: "a"}}'),
            "allow: 1: the value must be a text, and it and an OID in quotes",
        ),
        (
            rule('allow: "$1"'),
            "allow: '$1' refers to a group that the path has not, of 0",
        ),
        (
            rule('allow: "$2"', 'path: "/(x)", type: regex'),
            "allow: '$2' refers to a group that the path has not, of 1",
        ),
        (rule('allow: "*"', "type: path"), "path: must be a text"),
        (rule('allow: "*"', "path: /x"), "type: must be path or regex"),
        (rule('allow: "*"', "path: /x, type: glob"), "type: must be path or regex"),
        (
            rule('allow: "*"', "path: /x, type: path, method: fetch"),
            "method: must be one or more of get, post, put, delete, head",
        ),
        (
            rule('allow: "*"', "path: /x, type: path, method: []"),
            "method: must be one or more of get, post, put, delete, head",
        ),
        (
            rule('allow: "*"', "path: /x, type: path, query-params: {a: 1}"),
            "query-params: a: must be a text or a list of texts",
        ),
    ],
)
def test_faults_name_the_rule(place: Place, text: str, fault: str) -> None:
    assert faults(place, text) == [f'rule 1 "one": {fault}']


@pytest.mark.parametrize("path", ['"/(x"', '"/[a-z&&[^b]]"', '"/\\\\p{Alpha}"'])
def test_patterns_that_are_not_the_same_to_python(place: Place, path: str) -> None:
    (fault,) = faults(place, rule('allow: "*"', f"path: {path}, type: regex"))
    assert "path: is a pattern reseal cannot use" in fault


def test_every_fault_of_the_file_is_told_at_once(place: Place) -> None:
    text = """authorization: {version: 2, allow-header-cert-info: maybe, rules: [
      {match-request: {path: /a, type: path}, allow: "*", sort-order: 1, name: a}
      {match-request: {path: /b, type: path}, allow: "*", sort-order: 1, name: a}
      {match-request: {path: /c}, allow: "a b", sort-order: 1000}
      7
      {allow: "*", name: d, sort-order: true}
    ]}"""
    assert faults(place, text) == [
        "authorization.version: must be 1",
        "rule 3: name: must be given, as a text",
        "rule 3: sort-order: must be a whole number from 1 to 999",
        "rule 3: type: must be path or regex",
        "rule 3: allow: 'a b' is no name, *.domain, * or /pattern/",
        "rule 4: must be an object",
        'rule 5 "d": match-request: must say path and type',
        'rule 5 "d": sort-order: must be a whole number from 1 to 999',
        "2 rules are named 'a'",
        "authorization.allow-header-cert-info: must be true or false",
    ]


def test_a_section_without_rules_is_refused(place: Place) -> None:
    assert faults(place, "authorization: {version: 1}") == [
        "authorization.rules: must be a list of rules"
    ]


def test_unknown_keys_of_a_rule_are_warned_of(place: Place) -> None:
    text = rule('allow: "*", comment: hello', "path: /x, type: path, methods: get")
    path = place.write("auth.conf", text)
    assert place.load().warnings == (
        f'{path}: rule 1 "one": comment: is unknown and has no effect',
        f'{path}: rule 1 "one": methods: is unknown and has no effect',
    )


@pytest.mark.parametrize(
    ("status", "who"),
    [
        ("client-whitelist: [web01.example.com]", {"node"}),
        ("client-whitelist: [], authorization-required: true", {"cli"}),
        ("authorization-required: false", set(CALLERS)),
    ],
)
def test_the_old_whitelist_goes_before_the_rules(
    place: Place, status: str, who: set[str]
) -> None:
    path = place.write(
        "ca.conf", f"certificate-authority: {{certificate-status: {{{status}}}}}"
    )
    config = place.load()
    for rest in ("status/web01", "statuses/any"):
        allowed = {
            kind
            for kind, caller in CALLERS.items()
            if access.allowed(
                config.options.rules, "GET", f"{API}/certificate_{rest}", caller
            )
        }
        assert allowed == who
    text = "certificate-status: is deprecated, write a rule of auth.conf instead"
    assert config.warnings == (f"{path}: {text}",)


def test_the_old_whitelist_holds_names_only(place: Place) -> None:
    text = 'certificate-authority.certificate-status.client-whitelist: ["*"]'
    path = place.write("ca.conf", text)
    with pytest.raises(SettingsError, match="is no certname") as caught:
        place.load()
    assert str(path) in str(caught.value)
