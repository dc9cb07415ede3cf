"""Cases: requests that are sent, as good and as odd as clients send them.

Sources: Puppet Server, `certificate_authority.clj` (`validate-csr-…`, texts);
RFC 2986; the list of tricks in issue "`reseal server`", 6.
"""

from __future__ import annotations

from reseal.x509 import certexts, der, oids

from .bodies import LABEL, changed, cn, csr, ext, joined, text_attribute, to_der, wanted
from .model import Body, Case, Scenario, scenario
from .steps import fetch, put, signed, state, whole

_CA_TRUE = certexts.basic_constraints(ca=True)
_SIGNS = certexts.key_usage("key_cert_sign", "crl_sign")
_ROLE = certexts.text_extension(oids.PP_AUTH_ROLE, "compiler")
_CLI = certexts.text_extension(oids.PP_CLI_AUTH, "true")
_TRUSTED = certexts.text_extension(f"{oids.REGISTERED}.1", "a-uuid")
_UNKNOWN = ext("1.2.3.4.5", "x")

_GOOD: tuple[tuple[str, str, Body], ...] = (
    ("plain", "as an agent sends it", csr()),
    ("printable", "a PrintableString", csr(cn("{name}", der.PRINTABLE_STRING))),
    ("p256", "a key on P-256", csr(key="p256")),
    ("sha512", "SHA-512", csr(digest="SHA512")),
    ("version", "version 2, as the CLI's", csr(version=2)),
    ("puppet-ext", "an extension of Puppet's arc", csr(extensions=(_TRUSTED,))),
    (
        "attribute",
        "a challenge password",
        csr(attributes=(text_attribute("1.2.840.113549.1.9.7", "secret"),)),
    ),
    (
        "microsoft",
        "extensions in Microsoft's attribute",
        csr(attributes=(wanted(_TRUSTED, oid="1.3.6.1.4.1.311.2.1.14"),)),
    ),
    ("new-label", "the label NEW", csr(label=f"NEW {LABEL}")),
    ("before", "text before it", joined(b"text\n", csr())),
    ("after", "text after it", joined(csr(), b"text\n")),
    (
        "crlf",
        "lines that end as DOS's",
        changed(csr(), lambda b: b.replace(b"\n", b"\r\n")),
    ),
)
_BAD: tuple[tuple[str, str, Body], ...] = (
    ("empty", "nothing", lambda _: b""),
    ("garbage", "no PEM", b"garbage"),
    ("der", "DER", changed(csr(), to_der)),
    ("two", "two requests", joined(csr(), csr())),
    ("truncated", "half of one", changed(csr(), lambda b: b[: len(b) // 2])),
    (
        "cut-der",
        "half of its DER",
        b"-----BEGIN CERTIFICATE REQUEST-----\nMIIC\n"
        b"-----END CERTIFICATE REQUEST-----\n",
    ),
    ("label", "another label", csr(label="CERTIFICATE")),
    ("broken", "a signature that is false", csr(broken=True)),
    ("other-key", "signed by another key", csr(signed_by="foreign")),
    ("md5", "MD5", csr(digest="MD5")),
    ("sha1", "SHA-1", csr(digest="SHA1")),
    ("rsa512", "an RSA key of 512 bits", csr(key="rsa512")),
    ("mismatch", "another name inside", csr(cn("other.diff.test"))),
    ("upper", "upper case inside", csr(cn("Upper.diff.test"))),
    ("no-cn", "no common name", csr(("2.5.4.10", "{name}", 12))),
    ("two-cn", "two common names", csr(cn("{name}"), cn("other.diff.test"))),
    ("null", "a NUL inside", csr(cn("{name}\x00.evil"))),
    ("wildcard", "a wildcard inside", csr(cn("*.diff.test"))),
    ("look-alike", "a letter of another script", csr(cn("r\u0435quest.diff.test"))),
    ("alt", "an alternative name", csr(alt=("DNS:{name}", "DNS:x.diff.test"))),
    ("alt-own", "its own name alone as such", csr(alt=("DNS:{name}",))),
    ("alt-wild", "a wildcard as such", csr(alt=("DNS:*.diff.test",))),
    ("alt-ip", "an address as such", csr(alt=("IP:192.0.2.1",))),
    ("alt-uri", "a URI as such", csr(alt=("URI:spiffe://x/admin",))),
    ("ca", "wants to be a CA", csr(extensions=(_CA_TRUE,))),
    ("ca-usage", "wants to sign certificates", csr(extensions=(_SIGNS,))),
    ("role", "wants a role", csr(extensions=(_ROLE,))),
    ("cli", "wants pp_cli_auth", csr(extensions=(_CLI,))),
    ("unknown", "wants an unknown extension", csr(extensions=(_UNKNOWN,))),
    ("several", "several faults at once", csr(extensions=(_UNKNOWN, _ROLE, _CA_TRUE))),
)
_NAMES = (
    ("upper", "upper case", "Upper.diff.test"),
    ("dots", "two dots", "a..b"),
    ("parent", "the parent", ".."),
    ("slash", "an encoded slash", "a%2fb"),
    ("null", "an encoded NUL", "a%00b"),
    ("wildcard", "a wildcard", "*.diff.test"),
    ("dash", "a dash at the start", "-a.diff.test"),
    ("under", "an underscore", "_a.diff.test"),
    ("unicode", "beyond ASCII", "%d1%80.diff.test"),
    ("space", "a space", "a%20b"),
    ("long", "300 characters", "a" * 300),
    ("ca", "the CA's", "ca"),
)


def _sent(rows: tuple[tuple[str, str, Body], ...], prefix: str) -> list[Scenario]:
    return [
        scenario(f"{prefix}-{word}", *whole(says, body)) for word, says, body in rows
    ]


def _allowed() -> list[Scenario]:
    """What the configuration `open` lets pass, and what nothing does."""
    kinds = ("alt", "alt-ip", "alt-wild", "role", "cli", "ca", "unknown", "alt-own")
    rows = [row for row in _BAD if row[0] in kinds]
    return [
        scenario(f"open-{word}", *whole(says, body), on="open")
        for word, says, body in rows
    ]


def _at_once() -> list[Scenario]:
    """Requests to a server that signs each at once."""
    kinds = ("plain", "alt", "cli", "ca", "broken", "sha1", "garbage", "mismatch")
    rows = [row for row in (*_GOOD, *_BAD) if row[0] in kinds]
    return [
        scenario(
            f"auto-{word}",
            put("put", f"{says}: signed at once", body),
            fetch("certificate", f"{says}: the certificate"),
            Case("left", f"{says}: what waits", "GET", "certificate_request/{name}"),
            on="autosign",
        )
        for word, says, body in rows
    ]


def _path_names() -> list[Case]:
    return [
        Case(
            word,
            f"a request for {says}",
            "PUT",
            f"certificate_request/{name}",
            body=csr(cn(name if name.isascii() and "%" not in name else "{name}")),
            headers=(("Content-Type", "text/plain"),),
        )
        for word, says, name in _NAMES
    ]


_LISTED = (
    "exact.list.test", "other.list.test", "x.glob.test", "glob.test", "x.y.glob.test",
    "indented.list.test", "trailing.list.test", "with.list.test", "x.case.test",
    "regex.list.test", "upper.list.test", "x.bare.word.test",
)  # fmt: skip
_JUDGED = ("yes-a", "no-a", "odd-a", "killed-a", "noise-a", "one-a", "input-a")


def _judged(on: str, names: tuple[str, ...]) -> list[Scenario]:
    return [
        scenario(
            f"{on}-{name.replace('.', '-')}",
            put("put", f"{name} is judged", csr(cn(name)), name),
            fetch("certificate", f"{name}: whether it was signed", name),
            on=on,
        )
        for name in names
    ]


SCENARIOS: tuple[Scenario, ...] = (
    *_sent(_GOOD, "good"),
    *_sent(_BAD, "bad"),
    *_allowed(),
    *_at_once(),
    scenario("names", _path_names()),
    *_judged("list", _LISTED),
    *_judged("infra", _JUDGED),
    scenario(
        "twice",
        put("first", "a request"),
        put("same", "the same again"),
        put("other", "another key's", csr(key="p256")),
        state("sign", "what is signed"),
        fetch("certificate", "whose key it has"),
    ),
    scenario("again", signed(), put("put", "who has a certificate")),
    scenario(
        "again-revoked",
        signed(),
        state("revoke", "it is revoked", b'{"desired_state":"revoked"}'),
        put("put", "who had one"),
        state("sign", "it is signed"),
    ),
    scenario(
        "again-open",
        signed(),
        put("put", "duplicates are allowed"),
        state("sign", "a second certificate"),
        fetch("certificate", "it is the new one"),
        on="open",
    ),
)
