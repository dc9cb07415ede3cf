"""A request is signed for the right reasons or refused in Puppet's own words."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from reseal.ca.policy import admit, judge, vouch, weaknesses
from reseal.ca.rules import Rules
from reseal.certname import Certname
from reseal.errors import PolicyError
from reseal.x509 import certexts, der, generalname, keys, names, oids
from reseal.x509.certexts import Extension
from reseal.x509.csr import Request, build_request, parse_der

WEB = "web01.example.com"
KEY = keys.LocalSigner(keys.generate("ec:secp256r1"))
ROLE = Extension("1.3.6.1.4.1.34380.1.1.13", False, b"\x0c\x03web")
AUTH = certexts.text_extension(oids.PP_AUTHORIZATION, "x")
CLI = certexts.text_extension(oids.PP_CLI_AUTH, "true")
CA = certexts.basic_constraints(ca=True)
USAGE = certexts.key_usage("key_cert_sign")

SERVER, RUBY = Rules(), Rules(ruby=True)
OPEN = Rules(allow_subject_alt_names=True, allow_authorization_extensions=True)
RUBY_OPEN = replace(OPEN, ruby=True)

_RESTART = (
    " in your ca.conf file. Then restart the puppetserver and try signing this "
    "certificate again."
)
SAN_TEXT = (
    "CSR 'web01.example.com' contains extra subject alternative names (IP:10.0.0.1, "
    "DNS:a.example.com), which are disallowed. To allow subject alternative names, "
    "set allow-subject-alt-names to true" + _RESTART
)
AUTH_TEXT = (
    "CSR 'web01.example.com' contains an authorization extension, which is "
    "disallowed. To allow authorization extensions, set "
    "allow-authorization-extensions to true" + _RESTART
)
RUBY_SAN = (
    "CSR 'web01.example.com' contains subject alternative names (DNS:a, DNS:b), which "
    "are disallowed. Use `puppet cert --allow-dns-alt-names sign web01.example.com` "
    "to sign this request."
)
RUBY_AUTH = (
    "CSR 'web01.example.com' contains authorization extensions (pp_authorization), "
    "which are disallowed by default. Use `puppet cert "
    "--allow-authorization-extensions sign web01.example.com` to sign this request."
)
CLEAN = "  To continue, this CSR needs to be cleaned."


def ask(
    *alt_names: str, name: str = WEB, extensions: tuple[Extension, ...] = ()
) -> Request:
    return build_request(KEY, name, alt_names, extensions)


def forged() -> Request:
    return replace(ask(), signature_valid=False)


@pytest.mark.parametrize(
    ("why", "rules", "request_", "name", "texts"),
    [
        (
            "another name",
            SERVER,
            ask(name="other"),
            WEB,
            [f'Instance name "other" does not match requested key "{WEB}"'],
        ),
        (
            "upper case",
            SERVER,
            ask(name="WEB"),
            "WEB",
            ["Certificate names must be lower case."],
        ),
        (
            "wildcard",
            SERVER,
            ask(name="*.x"),
            "*.x",
            ["Subject contains a wildcard, which is not allowed: *.x"],
        ),
        *(
            (
                "format",
                SERVER,
                ask(name=bad),
                bad,
                ["Subject hostname format is invalid"],
            )
            for bad in ("-a", "a-", "a-.b", ".a", "a..b", "a b", "a@b")
        ),
        (
            "names, IP first",
            SERVER,
            ask("DNS:a.example.com", "IP:10.0.0.1", f"DNS:{WEB}"),
            WEB,
            [SAN_TEXT],
        ),
        ("authorization", SERVER, ask(extensions=(AUTH,)), WEB, [AUTH_TEXT]),
        (
            "not permitted, critical first",
            SERVER,
            ask(extensions=(replace(ROLE, oid="1.2.3.4"), CA)),
            WEB,
            ["Found extensions that are not permitted: 2.5.29.19, 1.2.3.4"],
        ),
        (
            "arcs are compared by component, and strictly",
            SERVER,
            ask(
                extensions=(
                    replace(ROLE, oid="1.3.6.1.4.1.34380.1.10.1"),
                    replace(ROLE, oid="1.3.6.1.4.1.34380.1.1"),
                )
            ),
            WEB,
            [
                "Found extensions that are not permitted: "
                "1.3.6.1.4.1.34380.1.10.1, 1.3.6.1.4.1.34380.1.1"
            ],
        ),
        (
            "pp_cli_auth is never signed",
            OPEN,
            ask(extensions=(CLI,)),
            WEB,
            [f"Found extensions that are not permitted: {oids.PP_CLI_AUTH}"],
        ),
        (
            "signature",
            SERVER,
            forged(),
            WEB,
            ["CSR contains a public key that does not correspond to the signing key"],
        ),
        ("Ruby: names", RUBY, ask("DNS:a", "DNS:b"), WEB, [RUBY_SAN]),
        ("Ruby: authorization", RUBY, ask(extensions=(AUTH,)), WEB, [RUBY_AUTH]),
        (
            "Ruby: not permitted",
            RUBY,
            ask(extensions=(USAGE, CA)),
            WEB,
            [
                "CSR has request extensions that are not permitted: "
                "basicConstraints, keyUsage"
            ],
        ),
        (
            "Ruby: another name",
            RUBY,
            ask(name="other"),
            WEB,
            [
                'CSR subject common name "other" does not match expected certname '
                f'"{WEB}"'
            ],
        ),
        (
            "Ruby: wildcard",
            RUBY,
            ask(name="*.x"),
            "*.x",
            ["CSR subject contains a wildcard, which is not allowed: /CN=*.x"],
        ),
        (
            "Ruby: unprintable",
            RUBY,
            ask(name="wéb"),
            "wéb",
            ['CSR "wéb" subject contains unprintable or non-ASCII characters'],
        ),
        (
            "Ruby: wildcard among the names",
            RUBY_OPEN,
            ask("DNS:*.x"),
            WEB,
            [
                f"CSR '{WEB}' subjectAltName contains a wildcard, which is not "
                f"allowed: DNS:*.x.{CLEAN}"
            ],
        ),
        (
            "Ruby: an address among the names",
            RUBY_OPEN,
            ask("DNS:a", "IP:10.9.8.7"),
            WEB,
            [
                f"CSR '{WEB}' contains a subjectAltName outside the DNS label space: "
                f"DNS:a, IP Address:10.9.8.7.{CLEAN}"
            ],
        ),
        (
            "everything at once, in the order of the rules",
            SERVER,
            replace(
                ask("DNS:a.example.com", "IP:10.0.0.1", extensions=(AUTH, CA)),
                signature_valid=False,
            ),
            WEB,
            [
                SAN_TEXT,
                AUTH_TEXT,
                "Found extensions that are not permitted: 2.5.29.19",
                "CSR contains a public key that does not correspond to the signing key",
            ],
        ),
    ],
)
def test_refusals(
    why: str, rules: Rules, request_: Request, name: str, texts: list[str]
) -> None:
    with pytest.raises(PolicyError) as caught:
        judge(request_, name, rules)
    assert list(caught.value.faults) == texts, why


def test_a_weak_key_is_refused_unless_the_site_wants_it() -> None:
    weak = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    request = build_request(keys.LocalSigner(weak), WEB)
    for ruby in (False, True):
        with pytest.raises(PolicyError, match="rsa:1024 is weaker than rsa:2048"):
            judge(request, WEB, Rules(ruby=ruby))
    assert judge(request, WEB, Rules(allow_weak_keys=True)).certname == WEB


@pytest.mark.parametrize("name", ["_x", "a_b.c_d", "a.-b", "name.", "x" * 89])
def test_odd_names_that_puppet_server_accepts(name: str) -> None:
    assert judge(ask(name=name), name, SERVER).certname == name


def test_puppet_server_writes_the_name_alone_and_adds_it_to_the_names() -> None:
    request = ask("DNS:b", "IP:10.0.0.1", "email:a@b", "DNS:a", extensions=(ROLE,))
    approved = judge(request, WEB, OPEN)
    shown = [generalname.show(name) for name in approved.alt_names]
    assert shown == ["IP:10.0.0.1", "DNS:b", "DNS:a", "email:a@b", f"DNS:{WEB}"]
    assert approved.subject == names.common_name(WEB)
    assert approved.extensions == (ROLE,)


def test_its_own_name_is_always_allowed_and_always_there() -> None:
    for request in (ask(), ask(f"DNS:{WEB}")):
        (own,) = judge(request, WEB, SERVER).alt_names
        assert generalname.show(own) == f"DNS:{WEB}"


def test_the_ruby_ca_writes_what_was_asked() -> None:
    assert judge(ask(), WEB, RUBY).alt_names == ()
    approved = judge(ask("DNS:b", "DNS:a"), WEB, RUBY_OPEN)
    shown = [generalname.show(name) for name in approved.alt_names]
    assert shown == ["DNS:b", "DNS:a"]
    own = replace(RUBY, own_certname=WEB)
    assert judge(ask("DNS:a"), WEB, own).alt_names


def test_values_become_utf8_strings_and_keep_their_criticality() -> None:
    odd = (
        Extension("1.3.6.1.4.1.34380.1.1.1", True, b"\x13\x03abc"),
        Extension("1.3.6.1.4.1.34380.1.2.7", False, b"raw!"),
    )
    first, second = judge(ask(extensions=odd), WEB, SERVER).extensions
    assert (first.critical, first.value) == (True, b"\x0c\x03abc")
    assert (second.critical, second.value) == (False, b"\x0c\x04raw!")


def test_puppet_server_does_not_read_microsofts_attribute() -> None:
    request = replace(ask(extensions=(CA,)), microsoft=True)
    assert judge(request, WEB, SERVER).extensions == ()
    with pytest.raises(PolicyError, match="basicConstraints"):
        judge(request, WEB, RUBY)


@pytest.mark.parametrize(
    ("value", "renews"), [("true", True), ("True", False), ("", False)]
)
def test_agents_say_whether_they_renew(value: str, renews: bool) -> None:
    attributes = [(oids.PP_AUTH_AUTO_RENEW, value)]
    request = build_request(KEY, WEB, attributes=attributes)
    assert judge(request, WEB, SERVER).auto_renew is renews


def test_the_operator_vouches_for_what_has_no_request() -> None:
    approved = vouch(Certname(WEB), KEY.public_key, ("DNS:x",), (CLI,))
    assert approved.extensions == (CLI,)
    assert [generalname.show(n) for n in approved.alt_names] == ["DNS:x"]


def _named(*pairs: tuple[str, str]) -> Request:
    parts = (der.sequence(der.oid(oid), der.utf8(value)) for oid, value in pairs)
    return replace(ask(), subject=der.sequence(*(der.set_of([p]) for p in parts)))


def test_a_second_common_name_is_refused_where_the_subject_is_copied() -> None:
    request = _named((oids.COMMON_NAME, WEB), (oids.COMMON_NAME, "puppet.lab.test"))
    with pytest.raises(PolicyError) as caught:
        judge(request, WEB, RUBY)
    assert caught.value.faults == (
        f"CSR subject contains more than one common name: /CN={WEB}/CN=puppet.lab.test",
    )
    assert judge(request, WEB, SERVER).subject == names.common_name(WEB)


def test_control_characters_are_refused_where_the_subject_is_copied() -> None:
    request = _named(("2.5.4.10", "x\n0x0002 /CN=evil"), (oids.COMMON_NAME, WEB))
    with pytest.raises(PolicyError) as caught:
        judge(request, WEB, RUBY)
    text = f'CSR "{WEB}" subject contains control characters'
    assert caught.value.faults == (text,)


@pytest.mark.parametrize("rules", [OPEN, RUBY_OPEN])
def test_nobody_gets_the_name_of_the_ca(rules: Rules) -> None:
    with pytest.raises(PolicyError, match="ca: is the CA's own name"):
        judge(ask(name="ca"), "ca", rules)
    with pytest.raises(PolicyError, match="ca: is the CA's own name"):
        vouch(Certname("ca"), KEY.public_key)


def test_on_arrival_only_what_nobody_could_mend_is_refused() -> None:
    admit(ask("DNS:a.example.com", extensions=(AUTH,)), WEB, SERVER)
    with pytest.raises(PolicyError, match="does not match requested key"):
        admit(ask(), "web02.example.com", SERVER)


def test_digests_that_can_be_forged_are_refused_where_the_site_says_so() -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    info = der.parse(build_request(keys.LocalSigner(private), WEB).der).children()[0]
    algorithm = der.sequence(der.oid("1.2.840.10045.4.1"))
    signature = private.sign(info.raw, ec.ECDSA(hashes.SHA1()))
    sha1 = parse_der(der.sequence(info.raw, algorithm, der.bit_string(signature)))
    judge(sha1, sha1.certname, SERVER)
    with pytest.raises(PolicyError, match="signed over SHA1"):
        admit(sha1, sha1.certname, replace(SERVER, allow_weak_digests=False))
    assert weaknesses(sha1, sha1.certname) == (
        f"CSR '{sha1.certname}' is signed over SHA1, which can be forged",
    )
    assert weaknesses(ask(), WEB) == ()
