"""Read what the survey's scripts printed into facts.

Guarantee: nothing is guessed.  What could not be read is None or empty, and a
`Fault` beside the facts says so.  Private keys are not among what is read.

Sources: `node/survey_agent.sh`; Puppet, `settings.rb` (`puppet config print`) and
`agent/disabler.rb` (the lock's JSON).
"""

from __future__ import annotations

import json
import re
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Callable, Iterable
from typing import Any, Literal, TypeVar, cast, get_args

from cryptography import x509

from reseal.clock import Clock
from reseal.errors import ParseError, ResealError
from reseal.site.facts import (
    BACKUPS,
    AgentMode,
    Fault,
    Flavour,
    NodeFacts,
    ServiceManager,
)
from reseal.site.material import CertificateFacts, CrlFacts, ServiceFacts
from reseal.site.roster import Node
from reseal.site.survey_complaints import complaints
from reseal.site.survey_script import Sections, printable
from reseal.x509 import bundle, certexts, certificate, keys, oids
from reseal.x509.crl import RevocationList

_WANTED = """
    agent_catalog_run_lockfile agent_disabled_lockfile ca_fingerprint ca_port ca_server
    certdir certificate_revocation certname confdir config csr_attributes daemonize
    digest_algorithm dns_alt_names environment group hostcert hostcrl hostcsr
    hostprivkey hostpubkey key_type keylength lastrunfile lastrunreport localcacert
    logdir masterport maxwaitforcert named_curve noop passfile pidfile privatedir
    privatekeydir publicdir publickeydir requestdir rundir runinterval runtimeout server
    server_list serverport splay splaylimit ssl_lockfile ssldir statedir
    use_cached_catalog use_srv_records usecacheonfailure user vardir waitforcert
    waitforlock
    """
SETTINGS = frozenset(_WANTED.split())
"""Settings a plan may need; the other hundreds would only make it long."""

KeyState = Literal["missing", "locked", "broken", "plain", "encrypted"]

_AGENT = re.compile(r"Puppet/(\d{1,4}[\w.]{,40})", re.ASCII)
_VERSION = re.compile(r"(\d{1,4}\.\d[\w.]{,40})", re.ASCII)
_REPAIR = "repair or remove the file; a regeneration makes a new one"

T = TypeVar("T")


def node_facts(
    node: Node, sections: Sections, clock: Clock
) -> tuple[NodeFacts, list[Fault]]:
    """Return a node's facts, and the faults met while reading what `agent` printed.

    Our clock is read at once, for the script has just told the node's time.
    """
    skew = sections.number("clock") - clock.now().timestamp()
    settings = _physical(sections.settings(), sections.text("physical"))
    faults = complaints(sections)
    hostcert = reading(faults, "hostcert", sections, load_one)
    state, public = key_line(sections, faults)
    agent = agent_service(sections)
    facts = NodeFacts(
        name=node.name,
        certname=settings.get("certname", node.name),
        roles=node.roles,
        reachable=True,
        platform=" ".join(sections.text("platform").split()),
        service_manager=_manager(sections),
        puppet=sections.text("puppet"),
        puppet_version=_version(sections, settings),
        flavour=_flavour(sections),
        ruby=sections.text("ruby"),
        settings={k: settings[k] for k in sorted(settings.keys() & SETTINGS)},
        owner=next(iter(sections.lines("ssldir")), ""),
        ssldir_bytes=1024 * sections.number("ssldir", line=1),
        backups=sections.text("backups") or BACKUPS,
        disk_free=1024 * sections.number("free"),
        clock_skew=float(round(skew)),
        hostcert=certificate_facts(hostcert) if hostcert else None,
        key_matches=_matches(hostcert, public),
        trusted=certificates(reading(faults, "localcacert", sections, load_many)),
        crls=crl_facts(reading(faults, "hostcrl", sections, bundle.load_crls)),
        agent=agent,
        agent_mode=_mode(agent, sections),
        disabled=_disabled(sections),
    )
    return facts, faults + _key_faults(state, facts)


def load_one(data: bytes) -> x509.Certificate:
    """Return the first certificate of a file."""
    return bundle.load_certificates(data)[0]


load_many = bundle.load_certificates


def reading(
    faults: list[Fault],
    name: str,
    sections: Sections,
    load: Callable[[bytes], T],
    label: str = "",
) -> T | None:
    """Read a section; None and a fault, of its name or `label`, if it is broken."""
    if not sections.has(name):
        return None
    try:
        return load(sections.data(name))
    except ParseError as error:
        message = f"{label or name}: cannot be read: {error}"
        faults.append(Fault("warning", message, _REPAIR))
        return None


def certificate_facts(cert: x509.Certificate) -> CertificateFacts:
    """Return a certificate by what tells it apart."""
    public = certificate.public_key(cert)
    extensions = certexts.extensions_of(cert)
    return CertificateFacts(
        subject=printable(certificate.common_name(cert)),
        issuer=printable(certificate.issuer_common_name(cert)),
        serial=cert.serial_number,
        fingerprint=certificate.fingerprint(cert),
        key_fingerprint=keys.key_fingerprint(public),
        key=keys.describe(public),
        not_before=cert.not_valid_before_utc,
        not_after=cert.not_valid_after_utc,
        alt_names=certexts.alt_names(extensions),
        extensions=certexts.puppet_extensions(extensions),
        identifier=_key_id(extensions, oids.SUBJECT_KEY_ID),
        authority=_key_id(extensions, oids.AUTHORITY_KEY_ID),
    )


def _key_id(extensions: tuple[certexts.Extension, ...], oid: str) -> str:
    """Return a key identifier in hex; empty without one, or one that is broken."""
    found = certexts.find(extensions, oid)
    if found is None:
        return ""
    try:
        if oid == oids.SUBJECT_KEY_ID:
            return certexts.read_subject_key_id(found).hex()
        return (certexts.read_authority_key_id(found).key_id or b"").hex()
    except ParseError:
        return ""


def certificates(
    found: Iterable[x509.Certificate] | None,
) -> tuple[CertificateFacts, ...]:
    """Return the facts of a bundle, in its order; empty without one."""
    return tuple(certificate_facts(cert) for cert in found or ())


def key_line(
    sections: Sections,
    faults: list[Fault],
    section: str = "key",
    label: str = "private key",
) -> tuple[KeyState, keys.PublicKey | None]:
    """Return what `public_keys` told of one private key."""
    state, _, rest = sections.text(section).partition(" ")
    if state in ("missing", "locked"):
        return cast(KeyState, state), None
    try:
        if state in ("plain", "encrypted"):
            public = keys.load_public_der(b64decode(rest, validate=True))
            return cast(KeyState, state), public
    except (ResealError, Base64Error) as error:
        rest = str(error)
    if sections.has(section):
        message = f"{label}: cannot be read: {rest or state or 'no answer'}"
        faults.append(Fault("warning", message, _REPAIR))
    return "broken", None


def services(sections: Sections, name: str) -> tuple[ServiceFacts, ...]:
    """Return the services a section lists."""
    enabled = {"yes": True, "no": False}
    return tuple(
        ServiceFacts(name=row[0], active=row[1] == "yes", enabled=enabled.get(row[2]))
        for row in sections.rows(name)
        if len(row) == 3
    )


def agent_service(sections: Sections) -> ServiceFacts | None:
    """Return the agent's service: one that runs goes before one that does not."""
    found = sorted(services(sections, "agents"), key=lambda each: not each.active)
    return found[0] if found else None


def _physical(settings: dict[str, str], ssldir: str) -> dict[str, str]:
    """Return settings whose paths in the ssldir have no link on the way to it."""
    told = settings.get("ssldir", "").rstrip("/")
    if not told or not ssldir:
        return settings
    return {
        name: ssldir + value.removeprefix(told)
        if value.rstrip("/") == told or value.startswith(f"{told}/")
        else value
        for name, value in settings.items()
    }


def _version(sections: Sections, settings: dict[str, str]) -> str:
    found = _AGENT.search(settings.get("http_user_agent", ""))
    found = found or _VERSION.search(sections.text("version"))
    return found[1] if found else ""


def _manager(sections: Sections) -> ServiceManager:
    """Return the service manager; one that is unknown is none, which is a fault."""
    told = sections.text("manager")
    return cast(ServiceManager, told) if told in get_args(ServiceManager) else "none"


def _flavour(sections: Sections) -> Flavour:
    marks = {row[0] for row in sections.rows("marks")}
    if "pe" in marks or "Puppet Enterprise" in sections.text("version"):
        return "pe"
    if sections.has("contract"):
        return "reseal"
    return "openvox" if "openvox" in marks else "puppet"


def _matches(
    cert: x509.Certificate | None, public: keys.PublicKey | None
) -> bool | None:
    if cert is None or public is None:
        return None
    return keys.same_key(certificate.public_key(cert), public)


def crl_facts(found: Iterable[RevocationList] | None) -> tuple[CrlFacts, ...]:
    return tuple(
        CrlFacts(
            issuer=printable(crl.issuer_common_name),
            number=crl.number,
            next_update=crl.next_update,
            entries=len(crl),
            fingerprint=certificate.fingerprint(crl.der),
        )
        for crl in found or ()
    )


def _mode(agent: ServiceFacts | None, sections: Sections) -> AgentMode:
    if agent is not None and agent.active:
        return "daemon"
    if sections.lines("cron"):
        return "cron"
    return "timer" if sections.lines("timers") else "stopped"


def _disabled(sections: Sections) -> str | None:
    """Return why the agent is disabled; older agents leave an empty file."""
    if not sections.has("disabled"):
        return None
    try:
        told: Any = json.loads(sections.text("disabled"))
    except ValueError:
        return "reason not specified"
    reason = told.get("disabled_message") if isinstance(told, dict) else None
    return printable(str(reason or "reason not specified"))


def _key_faults(state: KeyState, facts: NodeFacts) -> list[Fault]:
    if state == "locked":
        hint = f"its passphrase belongs into {facts.settings.get('passfile', '')}"
        return [
            Fault("warning", "private key: is encrypted and cannot be opened", hint)
        ]
    if state == "missing" and facts.hostcert is not None:
        hint = "a regeneration makes a new key; until then the agent cannot connect"
        return [Fault("warning", "private key: is missing", hint)]
    return []
