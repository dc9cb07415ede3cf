"""Extensions as TOML: what comes with reseal, a site's own, and every mistake."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest

from reseal.errors import SettingsError
from reseal.extensions.declared import declared, presets
from reseal.extensions.protocol import CopyRule, DoorRule, Extension, QuestionRule
from reseal.extensions.settings import settings_of
from reseal.tomlfile import open_toml

GOOD = """\
[extension.shop]
title = "The shop"
nodes = ["db01"]
services = ["shop", "shop-worker@1"]
configs = ["/etc/shop/*.conf"]
first = false
reload = true

[[extension.shop.copy]]
holds = ["key", "certificate", "ca"]
path = "/etc/shop/all.pem"

[[extension.shop.copy]]
holds = "crl"
setting = "crl.file"

[extension.shop.door]
port = 8443
port_setting = "port"
path = "/status"
client = false
address = "127.0.0.1"
"""


def read(directory: Path, text: str) -> tuple[object, ...]:
    path = directory / "site.toml"
    path.write_text(text)
    top = open_toml(path, hint="look there")
    found = tuple(declared(top.table("extension"), {"db01", "web01"}))
    top.faults.check()
    return found


def test_what_comes_with_reseal_is_sound() -> None:
    puppetdb, activemq, mcollective, *others = presets()
    assert (puppetdb.name, puppetdb.title) == ("puppetdb", "PuppetDB")
    assert puppetdb.settings == (
        *("ssl-cert", "ssl-key", "ssl-ca-cert", "ssl-crl-path"),
        *("subname?sslcert", "subname?sslkey", "subname?sslrootcert"),
        "ssl-port",
    )
    assert puppetdb.first
    assert puppetdb.door == DoorRule(8081, "ssl-port", "/pdb/meta/v1/version")
    assert [copy.format for copy in activemq.copies] == ["java", "java", "pem"]
    assert activemq.door is not None
    assert activemq.door.say == "CONNECT\n\n\0"
    assert not any("Password" in name for name in activemq.settings)
    assert (activemq.first, mcollective.first) == (True, False)
    assert [each.name for each in others] == [
        *("mcollective-client", "nats", "choria", "foreman-proxy", "rabbitmq"),
        *("nginx", "apache", "puppetboard", "puppet-dashboard"),
    ]


LIKE = """\
[extension.alice]
nodes = ["db01"]
like = "mcollective-client"
configs = ["/home/alice/.mcollective"]

[[extension.alice.copy]]
holds = ["ca"]
path = "/home/alice/ca.pem"
"""


def test_one_of_a_sites_own_may_be_like_one_of_reseals(tmp_path: Path) -> None:
    (alice,) = cast(tuple[Extension, ...], read(tmp_path, LIKE))
    model = next(each for each in presets() if each.name == "mcollective-client")
    assert alice.copies[1:] == model.copies
    assert alice.copies[0].path == "/home/alice/ca.pem"
    assert (alice.apart, alice.configs) == (True, ("/home/alice/.mcollective",))
    assert alice.question is None
    with pytest.raises(SettingsError) as caught:
        read(tmp_path, LIKE.replace("mcollective-client", "mcolective"))
    assert "line 3: like: mcolective is not one of puppetdb, " in str(caught.value)


def test_a_question_that_nobody_can_hear_is_a_mistake(tmp_path: Path) -> None:
    text = f"{GOOD}\n[extension.shop.question]\ncommand = ['x']\nhears = 'mco'\n"
    with pytest.raises(SettingsError, match="question: hears: mco is no extension"):
        read(tmp_path, text)
    (shop,) = read(tmp_path, text.replace("'mco'", "'mcollective'"))
    assert cast(Extension, shop).question == QuestionRule(("x",), "mcollective")
    with pytest.raises(SettingsError, match="command: is missing"):
        read(tmp_path, text.replace("command = ['x']\n", ""))


def test_only_a_door_shows_that_a_service_took_its_new_files(tmp_path: Path) -> None:
    text = GOOD.partition("[extension.shop.door]")[0]
    with pytest.raises(SettingsError, match="reload: without a door nothing shows"):
        read(tmp_path, text)
    assert read(tmp_path, text.replace("reload = true\n", ""))


def test_a_site_has_services_of_its_own(tmp_path: Path) -> None:
    (shop,) = read(tmp_path, GOOD)
    assert shop == shop.__class__(  # type: ignore[call-arg]
        name="shop",
        title="The shop",
        services=("shop", "shop-worker@1"),
        copies=(
            CopyRule(("key", "certificate", "ca"), path="/etc/shop/all.pem"),
            CopyRule(("crl",), setting="crl.file"),
        ),
        configs=("/etc/shop/*.conf",),
        door=DoorRule(8443, "port", "/status", client=False, address="127.0.0.1"),
        first=False,
        nodes=("db01",),
        reload=True,
    )


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("[extension.shop]", "[extension.puppetdb]\nx=1\n[extension.shop]", "comes wi"),
        ('nodes = ["db01"]\n', "", "extension.shop: nodes: is missing"),
        ('"db01"', '"db02"', "line 3: nodes: db02 is no node of the site"),
        ('"db01"', '"Db_01!"', "line 3: nodes: "),
        ('"shop", ', '"", ', "line 4: services: must be a list of strings"),
        ('"shop", ', '"sh op; rm", ', "line 4: services: 'sh op; rm' is no service"),
        ('"/etc/shop/*.conf"', '"etc/*"', "line 5: configs: etc/*: must be an absolu"),
        ('configs = ["/etc/shop/*.conf"]\n', "", "extension shop: configs: is missing"),
        ("first = false", 'first = "no"', "line 6: first: must be true or false"),
        ("reload = true", "reload = 1", "line 7: reload: must be true or false"),
        ('services = ["shop", "shop-worker@1"]\n', "", "reload: is a service's, and"),
        ("first = false", "frist = false", "line 6: frist: unknown key; known are"),
        ('"key", ', '"keys", ', "line 10: holds: 'keys' is not one of certificate, "),
        ('holds = "crl"\n', "", "line 13: holds: is missing"),
        ('path = "/etc/shop/all.pem"\n', "", "line 9: path or setting: one of them"),
        ('"/etc/shop/all.pem"', '"all.pem"', "line 11: path: all.pem: must be an abs"),
        ('"crl.file"', '"crl file"', "line 15: setting: 'crl file' is no setting's"),
        ("port = 8443\n", "", "line 17: port: is missing"),
        ("8443", "84430", "line 18: port: must be a whole number from 1 to 65535"),
        ('"/status"', '"/s"\nsay = "x"', "line 17: say and answer: belong together"),
        (
            'setting = "crl.file"',
            'setting = "a"\nformat = "java"\npassword_setting = "b"',
            "line 14: holds: a key store holds key and certificate, or ca",
        ),
        (
            'setting = "crl.file"',
            'setting = "a"\npassword_setting = "b"',
            "line 16: password_setting: is for key stores, and they need it",
        ),
        (
            'setting = "crl.file"',
            'setting = "a"\nformat = "jks"',
            "line 16: format: 'jks' is not one of pem, der, java",
        ),
        ('"/status"', '"status"', "line 20: path: status: must begin with a slash"),
    ],
)
def test_a_mistake_names_its_line(
    tmp_path: Path, old: str, new: str, fault: str
) -> None:
    assert old in GOOD
    with pytest.raises(SettingsError) as caught:
        read(tmp_path, GOOD.replace(old, new, 1))
    assert any(fault in each for each in caught.value.faults), caught.value.faults


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("ssl-cert = /a/b", "/a/b"),
        ("  ssl-cert=/a/b  ", "/a/b"),
        ("ssl-cert: '/a/b' # why", "/a/b"),
        ('ssl-cert "/a b/c";', "/a b/c"),
        ("ssl-cert /a/b;", "/a/b"),
        ("ssl-cert = /old\nssl-cert = /new", "/new"),
        ("# ssl-cert = /a/b", None),
        ("ssl-cert-chain = /a/b", None),
        ("ssl-cert =", None),
        ("xssl-cert = /a/b", None),
    ],
)
def test_settings_are_read_in_every_services_way(text: str, value: str | None) -> None:
    found = settings_of(text, ["ssl-cert"]).get("ssl-cert")
    assert (found and found.value) == value


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ("/a/b", "/a/b"),
        ("file:/a/b", "/a/b"),
        ("file:///a/b", "/a/b"),
        ("store.jks", "/etc/activemq/store.jks"),
        ("file:ssl/store.jks", "/etc/activemq/ssl/store.jks"),
    ],
)
def test_a_path_begins_at_its_file(value: str, path: str) -> None:
    text = (
        f'#file /etc/x/other.cfg\nx = y\n#file /etc/activemq/a.xml\nstore="{value}"\n'
    )
    found = settings_of(text, ["store"])["store"]
    assert (found.file, found.path) == ("/etc/activemq/a.xml", path)
