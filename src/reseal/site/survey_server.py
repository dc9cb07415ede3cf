"""Read what the survey's script printed about a server and a CA.

Sources: `node/survey_server.sh`; docs/reference of Puppet Server: `webserver.conf`
(`ssl-port`), `services.d/ca.cfg`; Puppet's settings `autosign`, `cadir`, `ca`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from cryptography import x509

from reseal.certname import Certname
from reseal.errors import InvalidCertname
from reseal.site.facts import (
    CaShape,
    Fault,
    NodeFacts,
    ServerFacts,
    ServerKind,
    Severity,
)
from reseal.site.material import ServiceFacts
from reseal.site.platform import SERVERS, ServerProgram
from reseal.site.sequence import HELD
from reseal.site.survey_parse import (
    certificates,
    key_line,
    load_many,
    reading,
    services,
)
from reseal.site.survey_script import Sections
from reseal.x509 import certificate, keys

_PORT = re.compile(r"\d+", re.ASCII)
_FEW = re.compile(r"\d{1,6}", re.ASCII)
_THREADS = 4 * HELD
"""Of a web server, so that requests which wait leave it most of them."""
_SERIAL = re.compile(r"(0x)?[0-9A-Fa-f]{1,64}")
_UPSTREAM = re.compile(r"(?:\d+:)?([0-9][0-9A-Za-z.]*)")
_NO_CA = "certificate-authority-disabled-service"
_NEEDED = ("ca_key.pem", "ca_crl.pem", "inventory.txt", "serial")
_REPLACED = ("hostcert", "hostprivkey", "localcacert", "hostcrl", "cacert", "cacrl")
_RESTORE = "restore it from a backup of the CA; reseal ca check tells more"


def server_facts(
    node: NodeFacts, sections: Sections
) -> tuple[ServerFacts | None, list[Fault]]:
    """Return the facts of the server on a node, and the faults met on the way.

    Args:
        node: What is known of the node already.
        sections: What the script `server` printed.
    """
    faults: list[Fault] = []
    found = _program(services(sections, "services"))
    if found is None:
        return None, faults
    program, service = found
    is_ca = _is_ca(program.kind, sections)
    bundle = reading(faults, "ca_crt", sections, load_many) if is_ca else None
    state, public = key_line(sections, faults) if is_ca else ("missing", None)
    signing_first = _signing_first(bundle or (), public)
    facts = ServerFacts(
        kind=program.kind,
        version=_version(program, sections) or node.puppet_version,
        service=service,
        is_ca=is_ca,
        cadir=sections.text("cadir") if is_ca else None,
        cadir_link=(sections.text("link") or None) if is_ca else None,
        owner=sections.text("owner") if is_ca else node.owner,
        shape=_shape(signing_first),
        ca=certificates(signing_first),
        ca_key=keys.describe(public) if public else None,
        ca_key_encrypted=state in ("encrypted", "locked"),
        autosign=sections.text("autosign") or "false",
        next_serial=_serial(sections),
        certificates=sections.number("count"),
        port=_port(program, sections),
        infra="infra_crl.pem" in sections.lines("files"),
        proxied=service.name in sections.lines("proxied"),
        policy=_policy(sections) if is_ca else "",
    )
    more = _ca_faults(sections, state, bundle, public) if is_ca else ()
    return facts, [*faults, *more, *_own_files(node, facts, sections)]


def size(sections: Sections) -> int:
    """Return the size of the CA's directory, in bytes."""
    return 1024 * sections.number("size")


def _program(
    found: tuple[ServiceFacts, ...],
) -> tuple[ServerProgram, ServiceFacts] | None:
    """Return the server that runs, or the first that is installed."""
    known = {each.name: each for each in found}
    pairs = [(row, known[row.service]) for row in SERVERS if row.service in known]
    return min(pairs, key=lambda pair: not pair[1].active, default=None)


def _is_ca(kind: ServerKind, sections: Sections) -> bool:
    """Tell whether the server is a CA: it has the files and is not turned off."""
    disabled = kind == "puppetserver" and _NO_CA in sections.text("conf.d")
    files = set(sections.lines("files"))
    there = bool(files & {"ca_crt.pem", "ca_key.pem"})
    return there and not disabled and sections.settings().get("ca", "true") != "false"


def _version(program: ServerProgram, sections: Sections) -> str:
    """Return the version of a package, without what the distribution adds."""
    if program.kind == "reseal":
        return dict(_pairs(sections)).get("version", "")
    if program.kind != "puppetserver":
        return ""
    for row in sections.rows("packages"):
        version = _UPSTREAM.match(row[-1])
        if len(row) == 2 and version:
            return version[1]
    return ""


def _pairs(sections: Sections) -> Iterator[tuple[str, str]]:
    """Yield what reseal's server says of itself."""
    for row in sections.rows("reseal"):
        if len(row) == 2:
            yield row[0], row[1]


def _shape(signing_first: tuple[x509.Certificate, ...]) -> CaShape | None:
    if not signing_first:
        return None
    return "single" if certificate.is_self_issued(signing_first[0]) else "chain"


def _signing_first(
    bundle: tuple[x509.Certificate, ...], public: keys.PublicKey | None
) -> tuple[x509.Certificate, ...]:
    """Return a bundle with the certificate of the CA's key first, as servers see it."""
    if public is None:
        return bundle

    def order(cert: x509.Certificate) -> bool:
        return not keys.same_key(certificate.public_key(cert), public)

    return tuple(sorted(bundle, key=order))


def _serial(sections: Sections) -> int | None:
    text = sections.text("serial")
    return int(text, 16) if _SERIAL.fullmatch(text) else None


def _port(program: ServerProgram, sections: Sections) -> int:
    """Return the server's port: its own configuration, Puppet's settings, the usual."""
    settings = sections.settings()
    texts = [settings.get("serverport", ""), settings.get("masterport", "")]
    if program.kind == "puppetserver":
        texts = [
            *(line for line in sections.lines("conf.d") if "ssl-port" in line),
            *texts,
        ]
    elif program.kind == "reseal":
        texts.insert(0, dict(_pairs(sections)).get("port", ""))
    found = (_PORT.search(text) for text in texts)
    ports = (int(match[0]) for match in found if match and len(match[0]) <= 5)
    return next((port for port in ports if 0 < port < 65536), program.port)


def _policy(sections: Sections) -> str:
    """Return where an autosign policy would be read, if enough threads could wait."""
    told = sections.lines("threads")
    enough = all(_FEW.fullmatch(each) and int(each) >= _THREADS for each in told)
    return sections.text("policy") if enough else ""


def _ca_faults(
    sections: Sections,
    state: str,
    bundle: tuple[x509.Certificate, ...] | None,
    public: keys.PublicKey | None,
) -> Iterator[Fault]:
    files = set(sections.lines("files"))
    for name in _NEEDED:
        if name not in files:
            yield Fault("stop", f"{name}: is missing in the CA's directory", _RESTORE)
    if bundle is None:
        yield Fault("stop", "ca_crt.pem: has no certificate", _RESTORE)
    elif public and not any(
        keys.same_key(certificate.public_key(cert), public) for cert in bundle
    ):
        yield Fault("stop", "ca_key.pem: belongs to no certificate of ca_crt", _RESTORE)
    if state == "locked":
        hint = "put its passphrase into private/ca.pass, or decrypt the key"
        yield Fault("stop", "ca_key.pem: is encrypted and cannot be opened", hint)
    if state == "broken":
        yield Fault("stop", "ca_key.pem: is not a private key", _RESTORE)
    if "serial" in files and _serial(sections) is None:
        yield Fault("stop", "serial: is not a hexadecimal number", _RESTORE)
    yield from _record_faults(sections)


def _own_files(
    node: NodeFacts, server: ServerFacts, sections: Sections
) -> Iterator[Fault]:
    """Find files the web server uses that a regeneration does not replace."""
    if server.kind != "puppetserver":
        return
    settings = sections.settings()
    replaced = {settings[name] for name in _REPLACED if name in settings}
    severity: Severity = "stop" if "ca" in node.roles else "fault"
    for row in sections.rows("own-files"):
        if len(row) == 3 and row[1] not in replaced:
            message = f"{row[2]}: {row[0]} is {row[1]}, which no run replaces"
            remedy = f"remove {row[0]} there, so that the server uses Puppet's own file"
            yield Fault(severity, message, remedy)


def _record_faults(sections: Sections) -> Iterator[Fault]:
    """Find what the CA's records should not hold."""
    hint = "reseal ca check tells what can be repaired"
    for line in sections.lines("inventory"):
        number, _, text = line.partition(":")
        message = f"inventory.txt: line {number} is broken: {text[:60]!r}"
        yield Fault("stop", message, hint)
    for line in sections.lines("strangers"):
        number, _, text = line.partition(":")
        name = text.rpartition("/CN=")[2] if "/CN=" in text else text
        message = f"inventory.txt: line {number} has the certname {name[:60]!r}"
        yield Fault(
            "stop", message, "find out who issued it; no node can have that name"
        )
    for name in sections.lines("names"):
        try:
            Certname(name.removesuffix(".pem"))
        except InvalidCertname as error:
            message = f"signed/{name}: {error}"
            yield Fault("stop", message, "move the file out of the CA's directory")
