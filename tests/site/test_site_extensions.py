"""Services that keep copies: found on a node, judged, planned and renewed."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from nodetree import certificate, crl, key
from site_samples import NOW, site
from sshnode import program

from reseal.certname import Certname
from reseal.errors import PlanStale, SiteError, StoreError
from reseal.extensions.protocol import CopyRule, DoorRule, Extension
from reseal.node.verbs import carry_out
from reseal.site.check import refusal
from reseal.site.copies import Own, disagreements, mode_for, obstacles, unsafe
from reseal.site.copyfacts import CopyFacts, ExtensionFacts
from reseal.site.drift import require_unmoved
from reseal.site.extension_steps import speaks
from reseal.site.facts import NodeFacts
from reseal.site.local import LocalTransport
from reseal.site.material import CertificateFacts, ServiceFacts
from reseal.site.plan import Choices, make_plan
from reseal.site.roster import Node
from reseal.site.survey import survey_node
from reseal.site.survey_extensions import extension_facts, functions_for
from reseal.site.survey_script import look
from reseal.x509 import keys

SHOP = Extension(
    name="shop",
    title="The shop",
    services=("shop",),
    configs=("/etc/of the*/shop.conf",),
    copies=(
        CopyRule(("certificate", "ca"), setting="cert"),
        CopyRule(("key",), setting="key"),
        CopyRule(("crl",), path="/nowhere"),
    ),
    door=DoorRule(8443, "port"),
    nodes=("web01",),
    reload=True,
)
"""Its paths are moved into a test's directory by `moved`."""

_RESEAL = r"""#!/bin/sh
case "$*" in
    "config print --section agent") cat "{home}/settings" ;;
    "node contract") echo '{{"contract": 3}}' ;;
    "node public_keys -- "*) shift 3; exec {python} -c '{public_keys}' "$@" ;;
    --version) echo 0.1.0 ;;
    *) exec {python} -m reseal "$@" ;;
esac
"""

_PUBLIC_KEYS = """
import json, sys
from pathlib import Path
from reseal.node.keys import public_half
pairs = zip(sys.argv[1::2], sys.argv[2::2])
print(json.dumps([public_half(Path(k), Path(p) if p else None) for k, p in pairs]))
"""
"""What `reseal node public_keys` does, begun in half the time."""


class SystemTime:
    def now(self) -> datetime:
        return datetime.now(UTC)


class Place:
    """A node in a directory, with a service that keeps copies."""

    def __init__(self, root: Path) -> None:
        self.home, self.conf = root / "home", root / "home/etc/of the shop"
        for path in (self.home / "ssl", self.home / "services", self.conf):
            path.mkdir(parents=True)
        text = _RESEAL.format(
            home=self.home,
            python=f"{sys.executable} -P",
            public_keys=_PUBLIC_KEYS,
        )
        program(self.home / "bin", "reseal", text)
        self.service("shop")
        self.service("reseal-agent")
        names = {
            "hostcert": "cert.pem",
            "hostprivkey": "key.pem",
            "localcacert": "ca.pem",
            "hostcrl": "crl.pem",
        }
        settings = {name: str(self.home / "ssl" / n) for name, n in names.items()}
        settings |= {"certname": "web01", "ssldir": str(self.home / "ssl")}
        lines = [f"{name} = {value}\n" for name, value in settings.items()]
        (self.home / "settings").write_text("".join(lines))
        self.material("web01", "Puppet CA: one")
        self.put("all.crt", "cert.pem", "ca.pem")
        self.put("all.key", "key.pem")
        self.put("lists", "crl.pem")
        (self.conf / "shop.conf").write_text(
            f"cert {self.conf}/all.crt;\nkey = {self.conf}/all.key\n"
            "password = hidden\nport: 9443\n"
        )

    def service(self, name: str) -> None:
        program(self.home / "services", name, "#!/bin/sh\nexit 0\n")

    def material(self, name: str, ca: str) -> None:
        """Give the node a certificate of a CA."""
        ssl = self.home / "ssl"
        (ssl / "cert.pem").write_bytes(certificate(name, ca))
        (ssl / "ca.pem").write_bytes(certificate(ca, ca))
        (ssl / "crl.pem").write_bytes(crl(ca))
        (ssl / "key.pem").write_bytes(keys.dump_private(key(name)))

    def put(self, name: str, *parts: str) -> Path:
        """Make a copy of files of the SSL directory."""
        path = self.conf / name
        texts = [(self.home / "ssl" / part).read_bytes() for part in parts]
        path.write_bytes(b"".join(texts))
        path.chmod(0o640)
        return path

    def survey(self) -> NodeFacts:
        pattern = str(self.conf.parent / "of the*/shop.conf")
        rules = (*SHOP.copies[:2], CopyRule(("crl",), path=str(self.conf / "lists")))
        shop = replace(SHOP, configs=(pattern,), copies=rules)
        node = Node(Certname("web01"), transport="local", home=str(self.home))
        way = LocalTransport("web01", str(self.home))
        return asyncio.run(survey_node(way, node, SystemTime(), (shop,)))


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def refused(facts: NodeFacts) -> list[str]:
    """Return why its copies cannot be renewed."""
    return [text for each in facts.extensions for text in obstacles(each, facts)]


def told(facts: NodeFacts) -> list[str]:
    """Return the faults of a node that are about its service, but for its silence."""
    found = [f.message for f in facts.faults if "shop" in f.message]
    return [text for text in found if SILENT not in text]


SILENT = "does not answer as it should"
"""Nobody is behind the door of this service."""


# -- found and judged -----------------------------------------------------------------


def test_copies_are_found_by_the_services_own_settings(place: Place) -> None:
    (shop,) = place.survey().extensions
    assert (shop.name, shop.title, shop.first) == ("shop", "The shop", True)
    assert shop.services == (ServiceFacts("shop", active=True, enabled=None),)
    assert shop.door == DoorRule(9443, "port")
    assert shop.reload
    one, two, three = shop.copies
    assert [one.path, two.path] == [f"{place.conf}/all.crt", f"{place.conf}/all.key"]
    assert [each.there for each in shop.copies] == [True] * 3
    assert {each.mode for each in shop.copies} == {"0640"}
    assert not any(each.own or each.link for each in shop.copies)
    assert [cert.subject for cert in one.certificates] == ["web01", "Puppet CA: one"]
    assert two.key == keys.key_fingerprint(key("web01").public_key())
    assert (two.certificates, [each.number for each in three.crls]) == ((), [5])
    assert told(place.survey()) == []


def test_a_service_that_does_not_answer_is_told_before(place: Place) -> None:
    silent = [f for f in place.survey().faults if SILENT in f.message]
    assert [fault.severity for fault in silent] == ["warning"]
    assert silent[0].message.startswith(f"The shop: {SILENT}: ")


def test_what_is_not_there_is_not_looked_at(place: Place) -> None:
    (place.home / "services/shop").unlink()
    facts = place.survey()
    assert facts.extensions == ()


def test_nothing_secret_leaves_the_node(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[bytes] = []
    real = LocalTransport._execute

    async def execute(self: LocalTransport, *args: Any) -> Any:
        result = await real(self, *args)
        seen.append(result.stdout + result.stderr)
        return result

    monkeypatch.setattr(LocalTransport, "_execute", execute)
    place.put("all.key", "key.pem", "cert.pem")
    place.survey()
    text = b"".join(seen)
    assert b"BEGIN CERTIFICATE" in text
    assert b"hidden" not in text
    assert b"PRIVATE" not in text


def test_a_stale_copy_is_named_and_no_other(place: Place) -> None:
    place.material("web01", "Puppet CA: two")
    place.put("all.key", "key.pem")
    place.put("lists", "crl.pem")
    assert told(place.survey()) == [
        f"The shop: {place.conf}/all.crt: holds another certificate than the node has",
        f"The shop: {place.conf}/all.crt: holds CA certificates that the node does "
        "not trust: 1",
    ]


def test_links_to_puppets_own_files_are_its_own(place: Place) -> None:
    path = place.conf / "all.key"
    path.unlink()
    path.symlink_to(place.home / "ssl/key.pem")
    (shop,) = place.survey().extensions
    assert shop.copies[1].own
    assert shop.copies[1].path == f"{place.home}/ssl/key.pem"
    path.unlink()
    path.symlink_to("/etc/passwd")
    (shop,) = place.survey().extensions
    copy = shop.copies[1]
    assert (copy.own, copy.path, copy.link) == (False, str(path), "/etc/passwd")
    assert refused(place.survey()) == [
        f"The shop: {path}: is a link to /etc/passwd",
        f"The shop: {path}: holds no key that can be read",
    ]


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        ("all.crt", b"", "holds no certificate"),
        ("all.crt", certificate("other", "CA"), "is for other, whom no run renews"),
        ("all.crt", certificate("web01", "R3"), "is of another CA, R3"),
        (
            "all.crt",
            certificate("web01", "Puppet CA: one") + certificate("X1", "X1"),
            "holds certificates of other CAs, as X1",
        ),
        (
            "all.crt",
            certificate("web01", "Puppet CA: one")
            + certificate("Puppet CA: one", "Puppet CA: one")
            + b"-----BEGIN RSA PRIVATE KEY-----\n",
            "holds a private key besides",
        ),
        ("all.key", b"root:x:0:0", "holds no key that can be read"),
        (
            "all.key",
            keys.dump_private(key("stranger")),
            "holds a key that belongs to no certificate of the node",
        ),
        ("lists", b"nothing", "holds no revocation list"),
    ],
)
def test_what_is_no_copy_is_never_replaced(
    place: Place, name: str, content: bytes, fault: str
) -> None:
    (place.conf / name).write_bytes(content)
    assert f"The shop: {place.conf}/{name}: {fault}" in refused(place.survey())


def test_a_directory_is_no_copy(place: Place) -> None:
    (place.conf / "all.key").unlink()
    (place.conf / "all.key").mkdir()
    facts = place.survey()
    assert facts.extensions[0].copies[1].there
    assert "holds no key that can be read" in "".join(refused(facts))


def test_a_copy_where_a_run_clears_is_refused(place: Place) -> None:
    path = place.home / "ssl/shop.pem"
    (place.conf / "all.key").rename(path)
    text = (place.conf / "shop.conf").read_text()
    (place.conf / "shop.conf").write_text(
        text.replace(f"{place.conf}/all.key", str(path))
    )
    assert refused(place.survey()) == [
        f"The shop: {path}: lies where a run clears everything"
    ]


def test_what_a_site_declares_must_be_there(place: Place) -> None:
    (place.home / "services/shop").unlink()
    facts = place.survey()
    assert told(facts) == ["The shop: no service of it is known: shop"]
    place.service("shop")
    text = (place.conf / "shop.conf").read_text()
    (place.conf / "shop.conf").write_text(text.replace("cert ", "certs "))
    assert told(place.survey()) == ["The shop: its configuration has no cert"]


def test_a_service_cannot_forge_what_the_survey_prints(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mark between sections is in no argument that others can see."""
    seen: list[list[str]] = []
    real = LocalTransport._execute

    async def execute(self: LocalTransport, command: list[str], *rest: Any) -> Any:
        seen.append(command)
        return await real(self, command, *rest)

    monkeypatch.setattr(LocalTransport, "_execute", execute)
    monkeypatch.setattr("secrets.token_hex", lambda size: "the-mark-of-this-look")
    place.survey()
    assert len(seen) >= 3
    assert not any("the-mark-of-this-look" in word for each in seen for word in each)


def test_a_key_that_everybody_can_read_is_told_and_mended(place: Place) -> None:
    (place.conf / "all.key").chmod(0o644)
    (place.conf / "all.crt").chmod(0o644)
    facts = place.survey()
    assert told(facts) == [
        f"The shop: {place.conf}/all.key: everybody can read the key"
    ]
    one, two, _ = facts.extensions[0].copies
    assert [unsafe(one), unsafe(two)] == [False, True]
    assert [mode_for(one), mode_for(two)] == ["0644", "0640"]


def test_what_is_missing_is_told(place: Place) -> None:
    (place.conf / "lists").unlink()
    facts = place.survey()
    assert told(facts) == [f"The shop: {place.conf}/lists: is missing"]
    assert refused(facts) == told(facts)


# -- key stores of Java ---------------------------------------------------------------

DATA = Path(__file__).parents[1] / "data/extensions"
XML = """<beans><!-- <sslContext keyStore="file:/old" keyStorePassword="gone"/>
 --> <sslContext keyStore="stores/key.jks" keyStorePassword="s&amp;cret&quot;"
       trustStore="file:{conf}/stores/trust.jks"
       trustStorePassword='oth"er!'/></beans>
"""
BROKER = Extension(
    name="broker",
    title="The broker",
    services=("shop",),
    copies=(
        CopyRule(
            holds=("key", "certificate"),
            setting="keyStore",
            format="java",
            password_setting="keyStorePassword",
            key_password_setting="keyStoreKeyPassword",
        ),
        CopyRule(
            holds=("ca",),
            setting="trustStore",
            format="java",
            password_setting="trustStorePassword",
        ),
    ),
    door=DoorRule(61614, say="CONNECT", answer=("CONNECTED", "ERROR")),
    nodes=("web01",),
)
_KEYTOOL = r"""#!/bin/sh
printf '%s\n' "$STORE_PASSWORD" "$*" >>"{log}"
for word; do last=$before before=$word; done
case "$*" in
    *"-list"*key.jks*) cat "{data}/keytool-key.txt" ;;
    *"-list"*) cat "{data}/keytool-trust.txt" ;;
    *-importkeystore*) : >"{work}"; echo made >"{work}" ;;
    *-importcert*) echo made >>"{work}" ;;
esac
"""


class Broker(Place):
    """A node whose service has key stores, with what a real keytool said of some."""

    def __init__(self, root: Path, wrong: bool = False) -> None:
        super().__init__(root)
        self.run, self.log = root / "run", root / "keytool.log"
        self.run.mkdir()
        (self.conf / "broker.xml").write_text(XML.format(conf=self.conf))
        (self.conf / "stores").mkdir()
        (self.conf / "stores/key.jks").write_bytes(b"\x30\x82")
        (self.conf / "stores/trust.jks").write_bytes(b"\xfe\xed\xfe\xed\0")
        work = self.run / "stores/fresh"
        text = _KEYTOOL.format(log=self.log, data=DATA, work=work)
        if wrong:
            text = f"#!/bin/sh\ncat {DATA}/keytool-wrong.txt; exit 1\n"
        program(self.home / "bin", "keytool", text)

    def survey(self) -> NodeFacts:
        broker = replace(BROKER, configs=(str(self.conf / "broker.xml"),))
        node = Node(Certname("web01"), transport="local", home=str(self.home))
        way = LocalTransport("web01", str(self.home))
        return asyncio.run(survey_node(way, node, SystemTime(), (broker,)))


def test_key_stores_are_told_by_keytool(tmp_path: Path) -> None:
    broker = Broker(tmp_path)
    (found,) = broker.survey().extensions
    store, trust = found.copies
    assert store.path == f"{broker.conf}/stores/key.jks"
    assert (store.alias, store.jks) == ("broker.lab.test", False)
    assert [cert.subject for cert in store.certificates][:1] == ["broker.lab.test"]
    assert len(store.certificates) == 3
    assert store.key == store.certificates[0].key_fingerprint
    assert trust.jks
    assert [cert.subject[:14] for cert in trust.certificates] == [
        "Puppet CA: pup",
        "Puppet Root CA",
    ]
    assert (trust.alias, trust.key) == ("", None)
    assert store.password == (f"{broker.conf}/broker.xml", "keyStorePassword")
    answer = ("CONNECTED", "ERROR")
    assert found.door == DoorRule(61614, say="CONNECT", answer=answer)
    passwords = broker.log.read_text().splitlines()[::2]
    assert passwords == ['s&cret"', 'oth"er!']
    assert "cret" not in "".join(broker.log.read_text().splitlines()[1::2])


def test_a_key_store_that_cannot_be_opened_is_told(tmp_path: Path) -> None:
    facts = Broker(tmp_path, wrong=True).survey()
    assert [f.message for f in facts.faults if "incorrect" in f.message] == [
        f"{tmp_path}/home/etc/of the shop/stores/{name}.jks: "
        "java.io.IOException: keystore password was incorrect"
        for name in ("key", "trust")
    ]
    (store, trust) = facts.extensions[0].copies
    assert not store.certificates
    assert f"The broker: {trust.path}: holds no certificate of a CA" in refused(facts)
    assert f"The broker: {store.path}: holds no certificate" in refused(facts)


def changed(broker: Broker, old: str, new: str) -> list[str]:
    """Return the faults of a node whose service's configuration is changed."""
    path = broker.conf / "broker.xml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    facts = broker.survey()
    return [
        f.message.rpartition(".jks")[2].removeprefix(": ") for f in facts.faults
    ] + (refused(facts))


def test_what_java_would_not_take_is_refused_before(tmp_path: Path) -> None:
    broker = Broker(tmp_path)
    short = changed(broker, "s&amp;cret&quot;", "s&amp;cr&quot;")
    assert "its password has less than 6 characters" in short
    assert "The broker: " in short[-1]


def test_a_key_with_a_password_of_its_own_is_taken(tmp_path: Path) -> None:
    broker = Broker(tmp_path)
    own = " keyStoreKeyPassword='own one' trustStore="
    changed(broker, " trustStore=", own)
    (found,) = broker.survey().extensions
    place = f"{broker.conf}/broker.xml"
    assert found.copies[0].key_password == (place, "keyStoreKeyPassword")
    assert found.copies[0].certificates
    assert found.copies[1].key_password is None


def test_two_places_for_one_store_are_refused(tmp_path: Path) -> None:
    found = changed(Broker(tmp_path), "</beans>", '<s keyStore="/other"/></beans>')
    assert " and /other" in found


def test_a_store_with_more_in_it_is_refused(tmp_path: Path) -> None:
    broker = Broker(tmp_path)
    told = [(DATA / f"keytool-{name}.txt").read_text() for name in ("trust", "key")]
    (tmp_path / "both.txt").write_text("".join(told))
    program(broker.home / "bin", "keytool", f"#!/bin/sh\ncat {tmp_path}/both.txt\n")
    facts = broker.survey()
    others = "it holds trustedCertEntry, trustedCertEntry, PrivateKeyEntry"
    assert len([f for f in facts.faults if f.message.endswith(others)]) == 2
    assert refused(facts)


def test_a_service_without_tls_has_nothing_to_renew(tmp_path: Path) -> None:
    broker = Broker(tmp_path)
    (broker.conf / "broker.xml").write_text("<beans/>")
    node = Node(Certname("web01"), transport="local", home=str(broker.home))
    way = LocalTransport("web01", str(broker.home))
    preset = replace(BROKER, configs=(str(broker.conf / "broker.xml"),), nodes=())
    facts = asyncio.run(survey_node(way, node, SystemTime(), ()))
    assert facts.extensions == ()
    sections = asyncio.run(look(way, "agent", more=functions_for([preset])))
    found, faults = asyncio.run(extension_facts(facts, way, sections, [preset]))
    assert (found, faults) == ((), [])


def test_a_plan_without_an_extension_is_not_stale_for_it() -> None:
    names = [node.name for node in site(3)]
    facts = with_shops(**{names[1].partition(".")[0]: shop_of(names[1])})
    plan = make_plan(facts, Choices(skip=("the shop",)), run="run1", now=NOW)
    require_unmoved(plan, facts)
    whole = make_plan(facts, Choices(), run="run1", now=NOW)
    with pytest.raises(PlanStale, match="copies"):
        require_unmoved(whole, site(3))


def test_key_stores_are_made_anew_by_keytool(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker = Broker(tmp_path)
    monkeypatch.setenv("PATH", f"{broker.home}/bin:{os.environ['PATH']}")
    ssl = broker.home / "ssl"
    trusted = (ssl / "ca.pem").read_bytes() + certificate("Root", "Root")
    (ssl / "ca.pem").write_bytes(trusted)
    order: dict[str, object] = {
        "mode": "0600",
        "owner": f"{os.getuid()}:{os.getgid()}",
        "password": [str(broker.conf / "broker.xml"), "keyStorePassword"],
        "ca": str(ssl / "ca.pem"),
    }
    key_store, trust = broker.conf / "stores/key.jks", broker.conf / "stores/trust.jks"
    of_key = {
        "path": str(key_store),
        "jks": False,
        "alias": "web01",
        "key": str(ssl / "key.pem"),
        "certificate": str(ssl / "cert.pem"),
    }
    data = json.dumps([order | of_key, order | {"path": str(trust), "jks": True}])
    told = carry_out("stores", [str(broker.run)], data.encode)
    assert told == {"renewed": [str(key_store), str(trust)]}
    assert key_store.read_text() == "made\n"
    assert trust.read_text() == "made\nmade\n", "each of the CA's certificates"
    assert key_store.stat().st_mode & 0o777 == 0o600
    assert not (broker.run / "stores").exists(), "no key is left in passing"
    log = broker.log.read_text().splitlines()
    assert {*log[::2]} == {'s&cret"'}
    assert not any("cret" in words for words in log[1::2])
    assert "-deststoretype PKCS12" in log[1]
    assert all("-storetype JKS" in words for words in log[3::2])

    program(
        broker.home / "bin", "keytool", "#!/bin/sh\necho keytool error: no; exit 1\n"
    )
    before = key_store.read_bytes()
    with pytest.raises(StoreError, match="keytool error: no"):
        carry_out("stores", [str(broker.run)], data.encode)
    lost = {"password": [str(broker.conf / "broker.xml"), "noPassword"]}
    orders = json.dumps([order | of_key | lost]).encode
    with pytest.raises(StoreError, match="noPassword: no password"):
        carry_out("stores", [str(broker.run)], orders)
    assert key_store.read_bytes() == before
    assert not (broker.run / "stores").exists()


def test_a_chain_of_the_old_ca_is_stale_too() -> None:
    copy = replace(
        shop_of("web01").copies[0],
        holds=("key", "certificate"),
        format="java",
        key="k",
        certificates=(fingerprinted("web01"), fingerprinted("old ca")),
    )
    own = Own("web01", "k", frozenset({"ca"}), frozenset())
    assert [*disagreements(copy, own)] == [
        "holds a chain of CA certificates that the node does not trust"
    ]
    both = (fingerprinted("web01"), fingerprinted("ca"))
    assert [*disagreements(replace(copy, certificates=both), own)] == []


# -- planned --------------------------------------------------------------------------


def fingerprinted(name: str) -> CertificateFacts:
    return CertificateFacts(
        subject=name,
        issuer="Puppet CA: one",
        serial=1,
        fingerprint=name,
        key_fingerprint=name,
        key="rsa:2048",
        not_before=NOW,
        not_after=NOW,
    )


def shop_of(name: str, *, first: bool = True, title: str = "The shop") -> Any:
    copy = CopyFacts(
        holds=("certificate",),
        path=f"/etc/{title}/cert.pem",
        own=False,
        there=True,
        owner="shop:shop",
        mode="0600",
        certificates=(fingerprinted(name),),
    )
    service = ServiceFacts("shop", active=True, enabled=True)
    return ExtensionFacts(title.lower(), title, (service,), (copy,), DoorRule(1), first)


def with_shops(**shops: ExtensionFacts) -> tuple[NodeFacts, ...]:
    found = site(3)
    return tuple(
        replace(node, extensions=(shops[node.name.partition(".")[0]],))
        if node.name.partition(".")[0] in shops
        else node
        for node in found
    )


def test_what_others_need_is_renewed_after_the_ca_and_before_them() -> None:
    names = [node.name for node in site(3)]
    host, second, last = names[0], names[2], names[3]
    short = [name.partition(".")[0] for name in names]
    facts = with_shops(
        **{
            short[0]: shop_of(host, title="Board"),
            short[2]: shop_of(second),
            short[3]: shop_of(last, first=False, title="Later"),
        }
    )
    plan = make_plan(facts, Choices(), run="run1", now=NOW)
    assert plan.phases == (
        "ca",
        f"Board on {host}",
        f"The shop on {second}",
        "canary",
        "batch 1",
        "server's run",
    )
    actions = {
        phase: [step.action for step in plan.of(phase)[name]]
        for phase, name in (
            (f"Board on {host}", host),
            (f"The shop on {second}", second),
            ("batch 1", last),
        )
    }
    assert actions[f"Board on {host}"] == ["extension.copy", "extension.start"]
    renewed = [
        *("agent.backup", "agent.stop", "agent.clear", "agent.enrol"),
        *("agent.settle", "extension.copy", "extension.start", "agent.run"),
    ]
    assert actions[f"The shop on {second}"] == actions["batch 1"] == renewed


def test_what_cannot_be_renewed_is_refused_or_skipped() -> None:
    names = [node.name for node in site(3)]
    facts = with_shops(**{names[1].partition(".")[0]: shop_of("other")})
    with pytest.raises(SiteError, match="is for other, whom no run renews") as caught:
        make_plan(facts, Choices(), run="run1", now=NOW)
    assert "--skip the shop" in str(caught.value.hint)
    plan = make_plan(facts, Choices(skip=("the shop",)), run="run1", now=NOW)
    assert not any(step.action.startswith("extension") for step in plan.steps)
    assert "the shop: its copies are left as they are" in plan.warnings
    assert not any(node.extensions for node in plan.facts)
    with pytest.raises(SiteError, match="nothing: on no node"):
        make_plan(facts, Choices(skip=("nothing",)), run="run1", now=NOW)


def test_disagreements_are_by_fingerprint() -> None:
    copy = shop_of("web01").copies[0]
    own = Own("web01", "k", frozenset({"ca"}), frozenset())
    assert [*disagreements(copy, own)] == []
    both = replace(copy, holds=("ca",), certificates=(fingerprinted("ca"),) * 2)
    assert [*disagreements(both, own)] == []
    less = replace(both, certificates=())
    assert [*disagreements(less, own)] == ["lacks CA certificates that the node trusts"]
    other = replace(copy, holds=("key",), key="other")
    assert [*disagreements(other, own)] == ["holds another key than the node has"]
    lists = replace(copy, holds=("crl",))
    assert [*disagreements(lists, own)] == []
    assert [*disagreements(replace(copy, there=False), own)] == ["is missing"]


# -- renewed --------------------------------------------------------------------------


def renew(*orders: dict[str, object]) -> list[str]:
    data = json.dumps(orders).encode()
    answer: dict[str, list[str]] = carry_out("copies", [], lambda: data)
    return answer["renewed"]


def test_copies_are_renewed_whole_with_mode_first(place: Place) -> None:
    me = f"{os.getuid()}:{os.getgid()}"
    ssl, path = place.home / "ssl", place.conf / "all.crt"
    place.material("web01", "Puppet CA: two")
    (ssl / "cert.pem").write_bytes((ssl / "cert.pem").read_bytes().rstrip(b"\n"))
    order: dict[str, object] = {"path": str(path), "mode": "0600", "owner": me}
    order["from"] = [str(ssl / "cert.pem"), str(ssl / "ca.pem")]
    assert renew(order) == [str(path)]
    assert oct(path.stat().st_mode)[-4:] == "0600"
    text = path.read_bytes()
    assert text.count(b"-----END CERTIFICATE-----\n-----BEGIN CERTIFICATE-----") == 1
    assert renew(order) == []
    link = place.conf / "link"
    link.symlink_to(ssl / "key.pem")
    secret = (ssl / "key.pem").read_bytes()
    assert renew(order | {"path": str(link)}) == [str(link)]
    assert not link.is_symlink()
    assert (ssl / "key.pem").read_bytes() == secret
    assert not [each for each in place.conf.iterdir() if each.name.startswith(".")]


def test_who_refuses_speaks_and_who_is_silent_does_not() -> None:
    assert speaks({"tried": True, "server": "AB", "status": 200})
    assert speaks({"tried": True, "error": "OpenSSL::SSL::SSLError: alert"})
    assert not speaks({"tried": True, "error": "Errno::ECONNREFUSED: nobody"})
    assert not speaks({"error": "OpenSSL::SSL::SSLError: our own key"})


def test_an_error_is_a_refusal_only_of_one_who_takes_others() -> None:
    seen = {"tried": True, "error": "SSLError: tlsv1 alert unknown ca"}
    assert refusal("n", "old", seen, reached=True).ok
    assert not refusal("n", "old", seen, reached=False).ok
    assert not refusal("n", "old", {"tried": True, "status": 200}, reached=True).ok
    broken = {"error": "NotFound: /x: no such file"}
    assert not refusal("n", "old", broken, reached=True).ok
