"""What may be wrong with a node or a site, as a table.

Guarantee: every rule looks at facts alone and says what to do.  `stop` is what makes
any change to the site a mistake, `fault` what keeps one node out of a run, `warning`
what a regeneration heals or survives.

Sources: Puppet Server, `certificate_authority.clj` (notBefore lies one day back, so
that smaller errors of a clock do no harm); the page ssl_regenerate.md (Puppet
Enterprise); Puppet's settings `certname`, `autosign`, `agent_disabled_lockfile`.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import replace
from datetime import datetime

from reseal.certname import Certname
from reseal.errors import InvalidCertname
from reseal.extensions.declared import presets
from reseal.site.copies import Own, disagreements, unsafe
from reseal.site.facts import Fault, NodeFacts, Severity
from reseal.site.material import CertificateFacts
from reseal.site.pairs import strays
from reseal.site.platform import PE_PAGES

_SKEW_TOLD = 60
_SKEW_HARMS = 12 * 3600
_SPACE = 3
_SPARE = 16 * 1024 * 1024
_ORDER: tuple[Severity, ...] = ("stop", "fault", "warning")

Rule = Callable[[NodeFacts, datetime], Iterator[Fault]]


def unreachable(facts: NodeFacts, message: str, hint: str | None) -> NodeFacts:
    """Return the facts of a node that no command reached."""
    severity: Severity = "stop" if "ca" in facts.roles else "fault"
    remedy = hint or "look whether the node is up and in the site file as it should be"
    text = message.removeprefix(f"{facts.name}: ")
    return replace(facts, reachable=False, faults=(Fault(severity, text, remedy),))


def judge(facts: NodeFacts, met: Sequence[Fault], now: datetime) -> NodeFacts:
    """Return facts with their faults, worst first.

    Args:
        facts: A node that was reached.
        met: Faults met while reading.
        now: The time now.
    """
    found = [*met, *(fault for rule in RULES for fault in rule(facts, now))]
    ordered = sorted(dict.fromkeys(found), key=lambda each: _ORDER.index(each.severity))
    return replace(facts, faults=tuple(ordered))


def compare(nodes: Sequence[NodeFacts]) -> tuple[NodeFacts, ...]:
    """Return the facts of a site with the faults that only all of them show."""
    holder = next((node for node in nodes if "ca" in node.roles), None)
    server = holder.server if holder else None
    roots = {cert.fingerprint for cert in server.ca} if server else set()
    bearers: dict[str, list[str]] = {}
    for node in nodes:
        bearers.setdefault(node.certname, []).append(node.name)
    compared, stray = [], list(strays(nodes))
    for node in nodes:
        met = [*node.faults, *_twins(node, bearers), *_stranger(node, roots)]
        met += [fault for whose, fault in stray if whose is node]
        met.sort(key=lambda fault: _ORDER.index(fault.severity))
        compared.append(replace(node, faults=tuple(met)))
    return tuple(compared)


def _twins(node: NodeFacts, bearers: Mapping[str, Sequence[str]]) -> Iterator[Fault]:
    others = [name for name in bearers[node.certname] if name != node.name]
    if others and node.reachable:
        message = f"certname {node.certname}: also of {', '.join(others)}"
        yield Fault("fault", message, "give each node a certname of its own")


def _stranger(node: NodeFacts, roots: Set[str]) -> Iterator[Fault]:
    trusted = {cert.fingerprint for cert in node.trusted}
    if roots and trusted and not trusted & roots:
        remedy = "a regeneration gives it the new CA; until then its agent fails"
        yield Fault("warning", "trusts another CA than the site's", remedy)


def _enterprise(node: NodeFacts, now: datetime) -> Iterator[Fault]:
    if node.flavour == "pe":
        pages = " or ".join(PE_PAGES)
        message = f"is Puppet Enterprise; reseal changes nothing there, see {pages}"
        remedy = "follow Puppet Enterprise's own documentation, for split or monolithic"
        yield Fault("stop", message, remedy)


def _certname(node: NodeFacts, now: datetime) -> Iterator[Fault]:
    try:
        Certname(node.certname)
    except InvalidCertname as error:
        severity: Severity = "stop" if "ca" in node.roles else "fault"
        message = f"certname of puppet.conf: {error}"
        yield Fault(severity, message, "correct it in puppet.conf on the node")
        return
    if node.certname != node.name:
        message = f"certname: Puppet says {node.certname}, the site file {node.name}"
        yield Fault(
            "fault", message, "correct the site file, or certname in puppet.conf"
        )


def _manager(node: NodeFacts, now: datetime) -> Iterator[Fault]:
    if node.service_manager in ("none", "windows"):
        remedy = "reseal drives systemd, OpenRC, SysV init and launchd"
        yield Fault("fault", "service manager: none that is known", remedy)
    elif node.agent is None and node.puppet:
        message = "puppet: has no service; its agent will be run once and not started"
        yield Fault("warning", message, "nothing, if the agent is run in another way")


def _clock(node: NodeFacts, now: datetime) -> Iterator[Fault]:
    skew = abs(node.clock_skew)
    if skew > _SKEW_TOLD:
        way = "ahead of" if node.clock_skew > 0 else "behind"
        message = f"clock: is {skew:.0f} s {way} ours"
        severity: Severity = "fault" if skew > _SKEW_HARMS else "warning"
        yield Fault(
            severity, message, "set the clock (NTP) before certificates are made"
        )


def _space(node: NodeFacts, now: datetime) -> Iterator[Fault]:
    need = _SPACE * node.ssldir_bytes + _SPARE
    if node.disk_free < need:
        message = (
            f"{node.backups}: has {_mebibytes(node.disk_free)} free, "
            f"the backup needs {_mebibytes(need)}"
        )
        severity: Severity = "stop" if "ca" in node.roles else "fault"
        yield Fault(severity, message, "make room on that file system")


def _mebibytes(size: int) -> str:
    return f"{size / 1024 / 1024:.1f} MiB"


def _hostcert(node: NodeFacts, now: datetime) -> Iterator[Fault]:
    heals = "a regeneration replaces it"
    if node.hostcert is None:
        if node.puppet:
            yield Fault("warning", "hostcert: is missing", "a regeneration makes one")
        return
    yield from _expired("hostcert", node.hostcert, now)
    if node.hostcert.subject != node.certname:
        message = f"hostcert: is for {node.hostcert.subject}, not {node.certname}"
        yield Fault("warning", message, heals)
    if node.key_matches is False:
        message = "private key: does not belong to the hostcert"
        yield Fault("warning", message, heals)
    if _is_weak(node.hostcert.key):
        yield Fault("warning", f"hostcert: has a weak key, {node.hostcert.key}", heals)


def _trusted(node: NodeFacts, now: datetime) -> Iterator[Fault]:
    for cert in node.trusted:
        yield from _expired(f"CA {cert.subject}", cert, now)
    for crl in node.crls:
        if crl.next_update is not None and crl.next_update <= now:
            message = f"CRL of {crl.issuer}: expired on {crl.next_update:%F}"
            yield Fault("warning", message, "a regeneration replaces it")


def _expired(what: str, cert: CertificateFacts, now: datetime) -> Iterator[Fault]:
    if cert.not_after <= now:
        message = f"{what}: expired on {cert.not_after:%F}"
        yield Fault("warning", message, "a regeneration replaces it")


def _is_weak(key: str) -> bool:
    kind, _, size = key.partition(":")
    return kind == "rsa" and size.isdecimal() and int(size) < 2048


def _disabled(node: NodeFacts, now: datetime) -> Iterator[Fault]:
    if node.disabled is not None:
        message = f"agent: is disabled: {node.disabled}"
        program = posixpath.basename(node.puppet) or "puppet"
        remedy = f"{program} agent --enable, when its time has come"
        yield Fault("warning", message, remedy)


def _server(node: NodeFacts, now: datetime) -> Iterator[Fault]:
    server = node.server
    if server is None and "server" in node.roles and node.puppet:
        severity: Severity = "stop" if "ca" in node.roles else "fault"
        remedy = "correct its roles in the site file, or install the server"
        yield Fault(severity, "server: none is installed", remedy)
    if server is not None and "server" not in node.roles:
        message = f"server: there is a {server.kind}, which the site file does not name"
        yield Fault("warning", message, 'give the node the role "server" or "ca"')
    if server is not None and server.is_ca and "ca" not in node.roles:
        remedy = 'give the node the role "ca", or take the old CA\'s files away'
        yield Fault("fault", f"CA: there is one in {server.cadir}", remedy)


def _rack(node: NodeFacts, now: datetime) -> Iterator[Fault]:
    server, known = node.server, {each.name for each in presets()}
    if server is None or server.kind != "rack" or not server.proxied:
        return
    if all(each.name in known for each in node.extensions):
        message = "server: what runs Puppet behind the web server keeps the old CA"
        remedy = "name its service as an extension in the site file, to start it anew"
        yield Fault("warning", message, remedy)


def _authority(node: NodeFacts, now: datetime) -> Iterator[Fault]:
    server = node.server
    if "ca" not in node.roles or server is None:
        return
    if not server.is_ca:
        remedy = 'give the role "ca" to the node that holds the CA'
        yield Fault("stop", "CA: there is none on this node", remedy)
        return
    for cert in server.ca:
        if _is_weak(cert.key):
            remedy = "a regeneration makes a stronger one"
            yield Fault(
                "warning", f"{cert.subject}: has a weak key, {cert.key}", remedy
            )
    if server.autosign != "false":
        message = f"autosign: is on ({server.autosign}): the CA signs without asking"
        remedy = "turn it off for the time of a regeneration: autosign = false"
        yield Fault("warning", message, remedy)


def _copies(node: NodeFacts, now: datetime) -> Iterator[Fault]:
    own = Own(
        certificate=node.hostcert.fingerprint if node.hostcert else None,
        key=node.hostcert.key_fingerprint if node.hostcert else None,
        ca=frozenset(each.fingerprint for each in node.trusted),
        crls=frozenset(each.issuer for each in node.crls),
    )
    for extension in node.extensions:
        for copy in (each for each in extension.copies if not each.own):
            for text in () if copy.pair else disagreements(copy, own):
                message = f"{extension.title}: {copy.path}: {text}"
                yield Fault("warning", message, "a regeneration renews it")
            if unsafe(copy):
                message = f"{extension.title}: {copy.path}: everybody can read the key"
                yield Fault("warning", message, "a regeneration takes that right away")


RULES: tuple[Rule, ...] = (
    _enterprise,
    _certname,
    _manager,
    _clock,
    _space,
    _hostcert,
    _trusted,
    _disabled,
    _server,
    _rack,
    _authority,
    _copies,
)
