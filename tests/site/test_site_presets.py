"""The extensions that come with reseal, on configuration as each one's manual has it.

Those that Debian has are tried on the real program in tests/real.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from nodetree import certificate, key
from test_site_extensions import Place as Home
from test_site_extensions import SystemTime, refused

from reseal.certname import Certname
from reseal.extensions.declared import presets
from reseal.site.extension_proof import prove_extensions
from reseal.site.facts import NodeFacts
from reseal.site.local import LocalTransport
from reseal.site.roster import Node
from reseal.site.survey import survey_node
from reseal.site.target import Target
from reseal.x509 import keys


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A node with a service's copies of Puppet's files, and another CA's files."""
    home = Home(tmp_path)
    place = home.home / "svc"
    place.mkdir()
    ssl = home.home / "ssl"
    for name in ("cert", "key", "ca", "crl"):
        (place / f"{name}.pem").write_bytes((ssl / f"{name}.pem").read_bytes())
    whole = (ssl / "cert.pem").read_bytes() + (ssl / "ca.pem").read_bytes()
    (place / "chain.pem").write_bytes(whole)
    (place / "web.pem").write_bytes(certificate("shop.example.com", "Let's Try"))
    (place / "web.key").write_bytes(keys.dump_private(key("shop.example.com")))
    (place / "public.pem").write_bytes(keys.dump_public(key("dashboard").public_key()))
    (place / "dashboard.pem").write_bytes(certificate("dashboard", "Puppet CA: one"))
    (place / "dashboard.key").write_bytes(keys.dump_private(key("dashboard")))
    for path in place.iterdir():
        path.chmod(0o600)
    return home


NATS = """
port: 4223
tls {{
  cert_file: "{svc}/cert.pem"
  key_file:  "{svc}/key.pem"
  ca_file:   "{svc}/ca.pem"
  verify:    true
}}
"""
CHORIA = """
plugin.security.provider = file
plugin.security.file.certificate = {svc}/cert.pem
plugin.security.file.key = {svc}/key.pem
plugin.security.file.ca = {svc}/ca.pem
identity = one.example.com
"""
PROXY = """---
:settings_directory: /etc/foreman-proxy/settings.d
:ssl_ca_file: {svc}/ca.pem
:ssl_certificate: {svc}/cert.pem
:ssl_private_key: {svc}/key.pem
#:foreman_ssl_ca: /nowhere/ca.pem
:foreman_ssl_cert: {svc}/web.pem
:foreman_ssl_key: {svc}/web.key
:trusted_hosts:
  - foreman.example.com
:https_port: 8443
"""
RABBITMQ = """
listeners.ssl.default = 61614
ssl_options.cacertfile = {svc}/ca.pem
ssl_options.certfile   = {svc}/cert.pem
ssl_options.keyfile    = {svc}/key.pem
ssl_options.verify     = verify_peer
management.ssl.certfile = {svc}/web.pem
management.ssl.keyfile = {svc}/web.key
"""
NGINX = """
server {{
    listen 443 ssl;
    ssl_certificate      {svc}/web.pem;
    ssl_certificate_key  {svc}/web.key;
}}
server {{
    listen 8140 ssl;
    ssl_certificate      svc/chain.pem;
    ssl_certificate_key  {svc}/key.pem;
    ssl_client_certificate {svc}/ca.pem;
    ssl_crl {svc}/crl.pem;
    ssl_verify_client optional;
    # ssl_trusted_certificate /nowhere;
}}
"""
APACHE = """
Listen 8140
<VirtualHost *:8140>
    SSLEngine on
    SSLCertificateFile      {home}/ssl/cert.pem
    SSLCertificateKeyFile   {home}/ssl/key.pem
    SSLCertificateChainFile {svc}/ca.pem
    SSLCACertificateFile    "{svc}/ca.pem"
    SSLCARevocationFile     {svc}/crl.pem
</VirtualHost>
<VirtualHost *:443>
    SSLCertificateFile      {svc}/web.pem
    SSLCertificateKeyFile   {svc}/web.key
</VirtualHost>
"""
BOARD = """
PUPPETDB_HOST = 'puppetdb.example.com'
PUPPETDB_PORT = 8081
PUPPETDB_SSL_VERIFY = "{svc}/ca.pem"
PUPPETDB_KEY = "{svc}/key.pem"
PUPPETDB_CERT = "{svc}/cert.pem"
"""
DASHBOARD = """---
cn_name: 'dashboard'
ca_crl_path: '{svc}/crl.pem'
ca_certificate_path: '{svc}/ca.pem'
certificate_path: 'svc/dashboard.pem'
private_key_path: 'svc/dashboard.key'
public_key_path: 'svc/public.pem'
ca_server: 'puppet'
key_length: 1024
"""


def survey(home: Home, name: str, text: str) -> NodeFacts:
    """Return what is known of a node with the service of a preset."""
    preset = next(each for each in presets() if each.name == name)
    svc = home.home / "svc"
    (home.conf / "service.conf").write_text(text.format(svc=svc, home=home.home))
    base = str(home.home) if preset.base else ""
    moved = replace(
        preset,
        name="mine",
        services=("shop",),
        configs=(f"{home.conf}/service.conf",),
        nodes=("web01",),
        base=base,
    )
    node = Node(Certname("web01"), transport="local", home=str(home.home))
    way = LocalTransport("web01", str(home.home))
    return asyncio.run(survey_node(way, node, SystemTime(), (moved,)))


OWN = ("own", "own", "own")
THREE = ("cert.pem", "key.pem", "ca.pem")


@pytest.mark.parametrize(
    ("name", "text", "files"),
    [
        ("nats", NATS, THREE),
        ("choria", CHORIA, (*OWN, *THREE)),
        ("foreman-proxy", PROXY, THREE),
        ("rabbitmq", RABBITMQ, THREE),
        ("nginx", NGINX, ("chain.pem", "key.pem", "ca.pem", "crl.pem")),
        ("apache", APACHE, ("own", "own", "ca.pem", "crl.pem")),
        ("puppetboard", BOARD, THREE),
        (
            "puppet-dashboard",
            DASHBOARD,
            ("dashboard.key", "public.pem", "dashboard.pem", "ca.pem", "crl.pem"),
        ),
    ],
)
def test_what_the_manual_has_is_understood(
    home: Home, name: str, text: str, files: tuple[str, ...]
) -> None:
    facts = survey(home, name, text)
    (found,) = (each for each in facts.extensions if each.name == "mine")
    told = ["own" if copy.own else Path(copy.path).name for copy in found.copies]
    assert sorted(told) == sorted(files)
    assert refused(facts) == []
    ports = {"nats": 4223, "rabbitmq": 61614}
    assert (found.door and found.door.port) == ports.get(name)
    assert found.identity == ("one.example.com" if name == "choria" else "")
    if name == "nginx":
        kinds = [copy.holds for copy in found.copies]
        assert kinds == [("certificate", "ca"), ("key",), ("ca",), ("crl",)]


@pytest.mark.parametrize(
    ("name", "text", "stale"),
    [
        ("nats", NATS, "cert.pem"),
        ("choria", CHORIA, "cert.pem"),
        ("foreman-proxy", PROXY, "ca.pem"),
        ("rabbitmq", RABBITMQ, "key.pem"),
        ("nginx", NGINX, "chain.pem"),
        ("apache", APACHE, "crl.pem"),
        ("puppetboard", BOARD, "cert.pem"),
        ("puppet-dashboard", DASHBOARD, "ca.pem"),
    ],
)
def test_where_some_copies_are_renewed_the_stale_one_is_named(
    home: Home, name: str, text: str, stale: str
) -> None:
    svc, ssl = home.home / "svc", home.home / "ssl"
    old = (svc / stale).read_bytes()
    home.material("web01", "Puppet CA: two")
    if stale == "key.pem":
        old = keys.dump_private(key("of before"))
    for file in ("cert", "key", "ca", "crl"):
        (svc / f"{file}.pem").write_bytes((ssl / f"{file}.pem").read_bytes())
    whole = (ssl / "cert.pem").read_bytes() + (ssl / "ca.pem").read_bytes()
    (svc / "chain.pem").write_bytes(whole)
    facts = survey(home, name, text)
    assert not [f for f in facts.faults if str(svc) in f.message], "all is as it should"

    (svc / stale).write_bytes(old)
    facts = survey(home, name, text)
    named = {f.message for f in facts.faults if str(svc) in f.message}
    assert named
    assert all(f"{svc}/{stale}: holds " in message for message in named), named
    at = Target(facts, LocalTransport("web01", str(home.home)), "run1")
    checks = asyncio.run(prove_extensions(at))
    assert [each.name for each in checks if not each.ok and "." in each.name] == [
        f"mine {stale}"
    ]


def test_a_dashboard_has_a_name_of_its_own(home: Home) -> None:
    (dashboard,) = survey(home, "puppet-dashboard", DASHBOARD).extensions
    shared = [copy for copy in dashboard.copies if copy.pair]
    assert {copy.key for copy in shared} == {
        keys.key_fingerprint(key("dashboard").public_key())
    }
    assert [copy.bare for copy in shared] == [False, True, False]


def test_a_web_server_without_puppets_files_is_nobodys_care(home: Home) -> None:
    foreign = NGINX.partition("server {{\n    listen 8140")[0]
    facts = survey(home, "nginx", foreign)
    assert facts.extensions == ()
    assert not [fault for fault in facts.faults if "nginx" in fault.message]


def test_a_stale_certificate_does_not_make_other_keys_puppets(home: Home) -> None:
    """Its key has been renewed: the key that is missing is another's."""
    (home.home / "svc/web.pem").unlink()
    (home.home / "svc/web.key").unlink()
    home.material("web01", "Puppet CA: two")
    (home.home / "svc/key.pem").write_bytes(keys.dump_private(key("new")))
    (home.home / "ssl/key.pem").write_bytes(keys.dump_private(key("new")))
    renewed = certificate("web01", "Puppet CA: two", owner="new")
    (home.home / "ssl/cert.pem").write_bytes(renewed)
    assert refused(survey(home, "nginx", NGINX)) == []


_OWN_TOO = """
server {{
    listen 8141 ssl;
    ssl_certificate {home}/ssl/cert.pem;
    ssl_certificate_key {home}/ssl/key.pem;
}}
"""


@pytest.mark.parametrize(
    ("more", "content", "fault"),
    [
        ("", "of before", "holds a key that belongs to no certificate of the node"),
        (
            _OWN_TOO,
            "of before",
            "holds a key that belongs to no certificate of the node",
        ),
        ("", "", "holds no key that can be read"),
        ("", None, "is missing"),
    ],
)
def test_a_key_that_does_not_fit_is_not_passed_over(
    home: Home, more: str, content: str | None, fault: str
) -> None:
    path = home.home / "svc/key.pem"
    path.unlink()
    if content is not None:
        path.write_bytes(keys.dump_private(key(content)) if content else b"no key")
    assert refused(survey(home, "nginx", NGINX + more)) == [f"nginx: {path}: {fault}"]


def test_a_file_with_puppets_ca_and_others_is_not_passed_over(home: Home) -> None:
    path = home.home / "svc/ca.pem"
    other = certificate("Another CA", "Another CA")
    path.write_bytes(path.read_bytes() + other)
    facts = survey(home, "nginx", NGINX)
    assert refused(facts) == [
        f"nginx: {path}: holds certificates of other CAs, as Another CA"
    ]
