"""Copies of all kinds on a node: parameters of a URL, DER, each user's, folders."""

from __future__ import annotations

import asyncio
import base64
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)
from nodetree import certificate, key
from test_site_extensions import Place as Home
from test_site_extensions import SystemTime, told

from reseal.certname import Certname
from reseal.errors import ParseError
from reseal.extensions.protocol import CopyRule, Extension
from reseal.node.verbs import carry_out
from reseal.site.facts import NodeFacts
from reseal.site.local import LocalTransport
from reseal.site.roster import Node
from reseal.site.survey import survey_node
from reseal.x509 import keys

SERVERS, CLIENTS = "mcollective servers", "mcollective client *"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def survey(home: Home, *copies: CopyRule, **more: object) -> NodeFacts:
    """Return what is known of a node with one service of these copies."""
    rule = Extension("shop", "The shop", ("shop",), copies, nodes=("web01",))
    rule = replace(rule, configs=(f"{home.conf}/*.conf",), **more)  # type: ignore[arg-type]
    node = Node(Certname("web01"), transport="local", home=str(home.home))
    way = LocalTransport("web01", str(home.home))
    return asyncio.run(survey_node(way, node, SystemTime(), (rule,)))


def fingerprint(name: str) -> str:
    return keys.key_fingerprint(key(name).public_key())


def pkcs8(name: str) -> bytes:
    return key(name).private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


# -- a parameter of a URL, and DER ----------------------------------------------------


def url(home: Home) -> CopyRule:
    """Have the service's configuration name a key in a URL with a password."""
    text = f"url = //db:1/x?ssl=true&password=hidden&sslkey={home.home}/a.pk8&a=b\n"
    (home.conf / "shop.conf").write_text(text)
    return CopyRule(("key",), setting="url", parameter="sslkey", format="der")


def test_a_parameter_of_a_url_says_where_a_key_is(home: Home) -> None:
    rule = url(home)
    (home.home / "a.pk8").write_bytes(pkcs8("web01"))
    (home.home / "a.pk8").chmod(0o600)
    facts = survey(home, rule)
    (copy,) = facts.extensions[0].copies
    assert (copy.path, copy.format) == (f"{home.home}/a.pk8", "der")
    assert (copy.key, copy.keys) == (fingerprint("web01"), 0)
    assert told(facts) == []


def test_a_key_that_is_pem_stays_pem(home: Home) -> None:
    rule = url(home)
    (home.home / "a.pk8").write_bytes(keys.dump_private(key("web01")))
    (copy,) = survey(home, rule).extensions[0].copies
    assert (copy.format, copy.keys, copy.key) == ("pem", 1, fingerprint("web01"))


def test_a_certificate_may_be_der(home: Home) -> None:
    rule = CopyRule(("certificate",), path=f"{home.conf}/a.der", format="der")
    pem = (home.home / "ssl/cert.pem").read_bytes()
    body = b"".join(pem.split(b"-----")[2].split())
    (home.conf / "a.der").write_bytes(base64.b64decode(body))
    facts = survey(home, rule)
    assert [c.subject for c in facts.extensions[0].copies[0].certificates] == ["web01"]
    assert told(facts) == []
    (home.conf / "a.der").write_bytes(b"nothing of the kind")
    facts = survey(home, rule)
    assert any("a.der: cannot be read: " in f.message for f in facts.faults)


def test_copies_are_made_as_der(home: Home) -> None:
    ssl = home.home / "ssl"
    me = f"{os.getuid()}:{os.getgid()}"
    order = {"path": f"{home.conf}/new", "mode": "0600", "owner": me}

    def renew(source: str, form: str) -> bytes:
        whole = order | {"from": [str(ssl / source)], "der": form}
        carry_out("copies", [], lambda: json.dumps([whole]).encode())
        return (home.conf / "new").read_bytes()

    made = renew("key.pem", "key")
    assert made == pkcs8("web01")
    assert load_der_private_key(made, None)
    pem = (ssl / "cert.pem").read_bytes()
    body = b"".join(pem.split(b"-----")[2].split())
    assert renew("cert.pem", "certificate") == base64.b64decode(body)
    with pytest.raises(ParseError):
        renew("cert.pem", "key")


def test_a_copy_is_made_of_what_is_given(home: Home) -> None:
    me = f"{os.getuid()}:{os.getgid()}"
    content = base64.b64encode(b"the new key").decode()
    path = home.conf / "shared.pem"
    order = {"path": str(path), "mode": "0600", "owner": me, "content": content}
    answer = carry_out("copies", [], lambda: json.dumps([order]).encode())
    assert answer == {"renewed": [str(path)]}
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"the new key", 0o600)


# -- keys that nodes share ------------------------------------------------------------


def test_a_pairs_copies_are_told_by_their_key(home: Home) -> None:
    (home.conf / "one.key").write_bytes(keys.dump_private(key("shared")))
    (home.conf / "one.pem").write_bytes(certificate("shared", "Puppet CA: one"))
    bare = keys.dump_public(key("shared").public_key())
    (home.conf / "two.pem").write_bytes(bare)
    home.put("own.pem", "cert.pem")
    names = {"one.key": "key", "one.pem": "", "two.pem": "", "own.pem": ""}
    rules = (
        CopyRule((kind or "certificate",), path=f"{home.conf}/{name}", pair=SERVERS)  # type: ignore[arg-type]
        for name, kind in names.items()
    )
    one, two, three, own = survey(home, *rules).extensions[0].copies
    assert {each.key for each in (one, two, three)} == {fingerprint("shared")}
    assert [each.bare for each in (one, two, three)] == [False, False, True]
    assert {each.pair for each in (one, two, three)} == {SERVERS}
    assert (own.pair, own.certificates[0].subject) == ("", "web01")


def test_a_folder_has_a_copy_in_every_file(home: Home) -> None:
    folder = home.conf / "clients"
    folder.mkdir()
    for name in ("alice", "bob.smith"):
        pem = certificate(name, "Puppet CA: one")
        (folder / f"{name}.pem").write_bytes(pem)
    (folder / "README").write_text("no copy")
    (folder / "x\ny.pem").write_text("no name of a copy")
    (folder / "gone.pem").mkdir()
    (home.conf / "shop.conf").write_text(f"dir = {folder}\n")
    rule = CopyRule(("certificate",), setting="dir", pair=CLIENTS, folder=True)
    copies = survey(home, rule).extensions[0].copies
    assert [(copy.path, copy.pair) for copy in copies] == [
        (f"{folder}/alice.pem", "mcollective client alice"),
        (f"{folder}/bob.smith.pem", "mcollective client bob.smith"),
    ]
    assert copies[0].key == fingerprint("alice")


def test_each_users_configuration_stands_for_itself(home: Home) -> None:
    (home.conf / "shop.conf").unlink()
    for name in ("alice", "bob"):
        (home.conf / f"{name}.key").write_bytes(keys.dump_private(key(name)))
        text = f"key = {home.conf}/{name}.key\nname = {home.conf}/{name}.pem\n"
        (home.conf / f"{name}.conf").write_text(text)
    rule = CopyRule(("key",), setting="key", pair=CLIENTS, named_by="name")
    facts = survey(home, rule, services=(), apart=True)
    found = [(copy.pair, copy.key) for copy in facts.extensions[0].copies]
    assert found == [
        (f"mcollective client {name}", fingerprint(name)) for name in ("alice", "bob")
    ]
    assert facts.extensions[0].services == ()
    together = survey(home, rule, services=())
    assert any("key is said to be" in each for each in told(together))


def test_a_program_without_configuration_is_not_there(home: Home) -> None:
    (home.conf / "shop.conf").unlink()
    rule = CopyRule(("key",), setting="key")
    facts = survey(home, rule, services=())
    assert facts.extensions == ()
    assert told(facts) == [f"The shop: nothing of it is there: {home.conf}/*.conf"]
