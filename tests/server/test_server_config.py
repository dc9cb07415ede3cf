"""Settings come from many files; each knows its source, and none is lost."""

from __future__ import annotations

import ipaddress
import json
from datetime import timedelta
from pathlib import Path

import pytest
from serverconf import Place, sources

from reseal.errors import NotFound, SettingsError
from reseal.server.config import Given, confd_of
from reseal.server.effective import document, rows, rule_rows
from reseal.server.options import CaOptions, ListenerOptions
from reseal.settings import AIO, DEBIAN, Flavour


def faults(place: Place, given: Given | None = None) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as caught:
        place.load(given)
    return caught.value.faults


def test_without_files_everything_is_a_default(place: Place) -> None:
    config = place.load()
    autosign = str(place.confdir / "autosign.conf")
    assert config.options.ca == CaOptions(autosign=autosign)
    assert config.options.listener == ListenerOptions()
    assert set(sources(config).values()) == {"default"}
    assert config.tls.hostcert == config.puppet.ssldir / "certs/ca.example.com.pem"
    assert (config.warnings, config.unused) == ((), ())


@pytest.mark.parametrize(("version", "ttl"), [("7", 90), ("8", 60)])
def test_debian_s_own_files_are_obeyed(place: Place, version: str, ttl: int) -> None:
    place.install(version)
    config = place.load(place.here)
    assert config.options.ca.auto_renewal_cert_ttl == timedelta(days=ttl)
    found = config.options.listener
    assert (found.host, found.port, found.tls) == ("0.0.0.0", 8140, True)
    assert sources(config)["listener.port"] == str(place.confd / "webserver.conf")
    assert config.rules_source == str(place.confd / "auth.conf")
    assert config.warnings == ()
    reasons = {text.split(": ")[1] for text in config.unused}
    assert reasons == {
        *("global.logging-config", "jruby-puppet", "metrics"),
        *("web-router-service", "webserver.access-log-config"),
    }


def test_later_layers_win_and_keep_their_source(place: Place) -> None:
    place.puppet_conf(
        "[main]\nautosign = true\nca_ttl = 2y\n[server]\nallow_duplicate_certs = true\n"
    )
    path = place.write(
        "ca.conf",
        "certificate-authority: {allow-subject-alt-names: true, "
        'enable-infra-crl: true, ca-ttl: "1y 2d"}',
    )
    place.toml.write_text(
        '[ca]\nenable_infra_crl = false\nserials = "random"\n\n[listener]\nport = 1\n'
    )
    config = place.load(Given(options={"listener.port": 2, "ca.autosign": "false"}))
    found, told = config.options.ca, sources(config)
    assert found.allow_duplicate_certs
    assert told["ca.allow_duplicate_certs"] == "puppet.conf [server]"
    assert found.ca_ttl == timedelta(days=367)
    assert told["ca.ca_ttl"] == str(path)
    assert found.allow_subject_alt_names
    assert told["ca.allow_subject_alt_names"] == str(path)
    assert not found.enable_infra_crl
    assert told["ca.enable_infra_crl"] == "reseal.toml line 2"
    assert told["ca.serials"] == "reseal.toml line 3"
    assert (config.options.listener.port, told["listener.port"]) == (2, "command line")
    assert (found.autosign, told["ca.autosign"]) == ("false", "command line")
    assert config.warnings == (
        f"puppet.conf [main]: ca_ttl: is not obeyed: ca-ttl in {path} goes before it",
    )


def test_the_command_line_s_puppet_settings_win(place: Place, tmp_path: Path) -> None:
    place.puppet_conf("[server]\ncadir = /one\n")
    config = place.load(Given(puppet={"cadir": str(tmp_path / "two")}))
    assert config.puppet.cadir == tmp_path / "two"
    assert sources(config)["cadir"] == "command line"


def test_all_of_reseal_toml(place: Place) -> None:
    place.toml.write_text(
        """[ca]
allow_subject_alt_names = true
allow_authorization_extensions = true
allow_duplicate_certs = true
allow_auto_renewal = true
auto_renewal_cert_ttl = "30d"
ca_ttl = "1y"
enable_infra_crl = true
autosign = "/usr/bin/judge"
autosign_timeout = "10s"
autosign_at_once = 2
key_policy = "warn"
serials = "random"
waiting_requests = 10
[listener]
host = "::1"
port = 0
tls = false
workers = 3
allow_header_cert_info = true
proxies = ["10.0.0.1", "fd00::/8"]
body_limit = 2048
anonymous_rate = 0
idle_timeout = 5
request_timeout = "1m"
connections = 7
access_log = "/var/log/access"
audit_log = "/var/log/audit"
"""
    )
    options = place.load().options
    assert options.ca == CaOptions(
        *(True, True, True, True, timedelta(days=30), timedelta(days=365), True),
        *("/usr/bin/judge", timedelta(seconds=10), 2, "warn", "random", 10),
    )
    assert options.listener == ListenerOptions(
        *("::1", 0, False, 3, True),
        (ipaddress.ip_network("10.0.0.1"), ipaddress.ip_network("fd00::/8")),
        *(2048, 0, timedelta(seconds=5), timedelta(minutes=1), 7),
        *(Path("/var/log/access"), Path("/var/log/audit")),
    )


def test_every_fault_of_every_file_is_told_at_once(place: Place) -> None:
    place.puppet_conf("[server]\nautosign = maybe.conf\nca_ttl = 0\n")
    ca = place.write(
        "ca.conf",
        'certificate-authority: {allow-auto-renewal: "yes", ca-ttl: "60y"}\n',
    )
    web = place.write("webserver.conf", "webserver: {ssl-port: 65536, ssl-host: 7}\n")
    broken = place.write("x.conf", "a: {\n")
    place.toml.write_text(
        """[ca]
autosign = "relative"
autosign_timeout = "0s"
key_policy = "allow"
lif = 1
[listener]
workers = -1
port = 65536
proxies = ["10.0.0.1/8", "proxy.example.com"]
audit_log = "log"
[other]
"""
    )
    found = faults(place, Given(options={"listener.workers": -2, "ca.x": 1}))
    assert found == (
        f"{broken}: line 2: expected }}",
        "puppet.conf [server]: autosign: 'maybe.conf' is not true, false or an "
        "absolute path",
        "puppet.conf [server]: ca_ttl: must be more than nothing and at most 50 years",
        f"{ca}: certificate-authority.allow-auto-renewal: must be true or false",
        f'{ca}: certificate-authority.ca-ttl: must be a duration, like "90d", of at '
        "most 50 years",
        f"{web}: webserver.ssl-host: must be a text",
        f"{web}: webserver.ssl-port: must be a whole number from 0 to 65535",
        f'{place.toml}: line 2: autosign: must be "true", "false" or an absolute path',
        f"{place.toml}: line 3: autosign_timeout: must be more than nothing and at "
        "most 1d",
        f"{place.toml}: line 4: key_policy: 'allow' is not one of refuse, warn",
        f"{place.toml}: line 5: lif: unknown key; known are "
        + ", ".join(CaOptions.__annotations__),
        f"{place.toml}: line 7: workers: must be a whole number from 0 to 1024",
        f"{place.toml}: line 8: port: must be a whole number from 0 to 65535",
        f"{place.toml}: line 9: proxies: '10.0.0.1/8' is no IP address or network",
        f"{place.toml}: line 9: proxies: 'proxy.example.com' is no IP address or "
        "network",
        f"{place.toml}: line 10: audit_log: must be an absolute path",
        f"{place.toml}: line 11: other: unknown key; known are ca, listener, primary",
        "command line: x: unknown key; known are "
        + ", ".join(CaOptions.__annotations__),
        "command line: workers: must be a whole number from 0 to 1024",
    )


def test_reseal_toml_that_is_no_toml(place: Place) -> None:
    place.toml.write_text("[ca]\nx = \n")
    assert faults(place)[0].startswith(f"{place.toml}: line 2: not TOML: ")


def test_a_file_that_was_named_must_be_there(place: Place, tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        place.load(Given(file=tmp_path / "none.toml"))
    named = tmp_path / "mine.toml"
    named.write_text("[listener]\nport = 9\n")
    config = place.load(Given(file=named))
    assert sources(config)["listener.port"] == "mine.toml line 2"


def test_headers_are_believed_from_named_proxies_only(place: Place) -> None:
    text = "authorization: {version: 1, rules: [], allow-header-cert-info: true}"
    path = place.write("auth.conf", text)
    with pytest.raises(SettingsError) as caught:
        place.load()
    text = "listener.allow_header_cert_info: needs proxies, and there are none"
    assert caught.value.faults == (f"{path}: {text}",)
    assert "anybody can send headers" in str(caught.value.hint)
    place.toml.write_text('[listener]\nproxies = "10.0.0.1"\n')
    config = place.load()
    assert config.options.listener.allow_header_cert_info
    assert sources(config)["listener.allow_header_cert_info"] == str(path)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ssl-host: 0.0.0.0, ssl-port: 8141", ("0.0.0.0", 8141, True)),
        ("ssl-port: 8141", ("localhost", 8141, True)),
        ("ssl-host: a", ("a", 8081, True)),
        ("ssl-port: 1, port: 2", ("localhost", 1, True)),
        ("host: a, port: 80", ("a", 80, False)),
        ("host: a", ("a", 8080, False)),
        ("port: 80", ("localhost", 80, False)),
        ("client-auth: want", ("0.0.0.0", 8140, True)),
        ("one: {ssl-port: 1}", ("localhost", 1, True)),
        (
            "one: {ssl-port: 1}, two: {ssl-port: 2, default-server: true}",
            ("localhost", 2, True),
        ),
        ("one: {ssl-port: 1}, two: {ssl-port: 2}", ("0.0.0.0", 8140, True)),
    ],
)
def test_where_webserver_conf_has_it_listen(
    place: Place, text: str, expected: tuple[str, int, bool]
) -> None:
    place.write("webserver.conf", f"webserver: {{{text}}}")
    found = place.load().options.listener
    assert (found.host, found.port, found.tls) == expected


def test_files_of_webserver_conf_go_before_puppet_conf(place: Place) -> None:
    place.puppet_conf("[main]\nhostcrl = /p/crl.pem\n")
    text = "webserver: {ssl-cert: /w/cert.pem, ssl-key: /w/key.pem, ssl-ca-cert: /w/ca}"
    path = place.write("webserver.conf", text)
    config = place.load()
    tls = config.tls
    assert (tls.hostcert, tls.hostprivkey) == (Path("/w/cert.pem"), Path("/w/key.pem"))
    crl = config.puppet.cadir / "ca_crl.pem"
    assert (tls.localcacert, tls.hostcrl) == (Path("/w/ca"), crl)
    assert sources(config)["hostcert"] == str(path)
    assert sources(config)["hostcrl"] == "default"


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        (
            "webserver.client-auth: need",
            "webserver.client-auth: need is not obeyed: a certificate is asked for "
            "and may be missing",
        ),
        (
            "webserver.ssl-protocols: [TLSv1.1, TLSv1.2]",
            "webserver.ssl-protocols: is not obeyed: TLS 1.2 and 1.3 are spoken",
        ),
        (
            "webserver.cipher-suites: [X]",
            "webserver.cipher-suites: is not obeyed: the suites are reseal's own",
        ),
        (
            "webserver.ssl-cert-chain: /x",
            "webserver.ssl-cert-chain: is not obeyed: the certificate is sent alone",
        ),
        (
            "webserver: {ssl-port: 1, port: 2}",
            "webserver.port: is not obeyed: the listener with TLS is the only one",
        ),
        (
            "webserver: {port: 2}",
            "listener.tls: without TLS and without allow_header_cert_info nobody can "
            "prove a name; only what needs none is answered",
        ),
        ("webserver.keystore: /x", "webserver.keystore: is unknown and has no effect"),
        ("webservr.port: 1", "webservr.port: is unknown and has no effect"),
        (
            "certificate-authority.allow-san: true",
            "certificate-authority.allow-san: is unknown and has no effect",
        ),
        (
            "certificate-authority.infra-crl-path: /x",
            "certificate-authority.infra-crl-path: is not obeyed, ",
        ),
        ("authorization2: 1", "authorization2: is unknown and has no effect"),
        (
            'web-router-service: {"puppetlabs.services.ca.certificate-authority-'
            'service/certificate-authority-service": "/ca"}',
            "web-router-service: puppetlabs.services.ca.certificate-authority-service/"
            "certificate-authority-service: is not obeyed: it is /puppet-ca",
        ),
    ],
)
def test_what_is_not_obeyed_is_named(place: Place, text: str, warning: str) -> None:
    path = place.write("some.conf", text)
    (found,) = place.load().warnings
    assert found.startswith(f"{path}: {warning}")


def test_tls_1_2_and_1_3_are_what_is_spoken_anyway(place: Place) -> None:
    place.write("webserver.conf", "webserver.ssl-protocols: [TLSv1.3, TLSv1.2]")
    assert place.load().warnings == ()


def test_what_a_ca_has_no_use_for_is_named_once(place: Place) -> None:
    path = place.write("p.conf", "jruby-puppet: {a: 1, b: 2}, webserver.max-threads: 3")
    assert place.load().unused == (
        f"{path}: jruby-puppet: not used by reseal: no Ruby runs in the server",
        f"{path}: webserver.max-threads: not used by reseal: reseal.toml has its own "
        "limits, in [listener]",
    )


def test_puppet_conf_s_settings_are_all_accounted_for(place: Place) -> None:
    place.puppet_conf(
        "[main]\nserver = p\ncakey = /k\nfrobnicate = 1\n"
        "[agent]\nruninterval = 1h\nnoop = true\n[user]\ngraph = true\n"
    )
    path = place.confdir / "puppet.conf"
    config = place.load()
    assert config.warnings == (
        f"{path}: cakey: is not obeyed: files of the CA are where they usually are "
        "in cadir",
        f"{path}: frobnicate: is unknown and has no effect",
    )
    assert config.unused == (
        f"{path}: [user]: no server reads this section",
        f"{path}: noop, runinterval: not used by reseal: not about a CA",
    )


def test_a_setting_in_two_files_is_refused(place: Place) -> None:
    first = place.write("a.conf", "webserver.ssl-port: 1")
    second = place.write("b.conf", "webserver: {ssl-port: 1}")
    third = place.write("c.conf", "webserver.ssl-port: {x: 1}")
    assert faults(place) == (
        f"{second}: webserver.ssl-port: stands in {first} too",
        f"{third}: webserver.ssl-port.x: stands in {first} too",
    )


def test_a_section_may_be_in_two_files(place: Place) -> None:
    place.write("a.conf", "webserver.ssl-port: 1")
    place.write("b.json", '{"webserver": {"ssl-host": "h"}}')
    found = place.load().options.listener
    assert (found.host, found.port) == ("h", 1)


def test_substitutions_are_resolved(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CA_LIFE", "7d")
    place.write(
        "ca.conf",
        'here: {life: "9d"}\ncertificate-authority: {ca-ttl: ${CA_LIFE}, '
        "auto-renewal-cert-ttl: ${here.life}}",
    )
    found = place.load().options.ca
    assert (found.ca_ttl.days, found.auto_renewal_cert_ttl.days) == (7, 9)
    path = place.write("x.conf", "a: 1\nb: ${nothing}\n")
    assert faults(place)[0].startswith(f"{path}: line 2: ")


def test_other_kinds_of_files_are_named(place: Place) -> None:
    path = place.write("webserver.ini", "[webserver]\n")
    place.write("auth.conf.dpkg-old", "nothing")
    assert place.load().warnings == (
        f"{path}: reseal reads *.conf and *.json only; put it into one",
    )


def test_puppet_server_s_confdir_is_obeyed(place: Place, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "puppet.conf").write_text("[main]\nautosign = true\n")
    place.write("puppetserver.conf", f"jruby-puppet.server-conf-dir: {other}")
    config = place.load()
    assert config.puppet.confdir == other
    assert config.options.ca.autosign == "true"


def test_faults_of_puppet_conf_stop_at_once(place: Place) -> None:
    place.puppet_conf("[main]\nwhat\n")
    assert faults(place) == (
        f"{place.confdir / 'puppet.conf'}: line 2: not a setting: 'what'",
    )


@pytest.mark.parametrize(
    ("flavour", "confd"),
    [
        (DEBIAN, "/etc/puppet/puppetserver/conf.d"),
        (AIO, "/etc/puppetlabs/puppetserver/conf.d"),
        (
            Flavour("debian-user", Path("/home/u/.puppet/etc"), Path("/s"), None),
            "/home/u/.puppet/etc/puppetserver/conf.d",
        ),
    ],
)
def test_where_conf_d_is(
    flavour: Flavour, confd: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "is_dir", lambda self: True)
    assert confd_of(flavour) == Path(confd)
    assert confd_of(flavour, "/x") == Path("/x/puppetserver/conf.d")
    assert confd_of(flavour, str(flavour.confdir)) == Path(confd)


def test_settings_in_force_as_rows(place: Place) -> None:
    place.install("8")
    place.toml.write_text('[listener]\nproxies = ["10.0.0.1", "10.1.0.0/16"]\n')
    config = place.load(place.here)
    found = {name: (value, source) for name, value, source in rows(config)}
    ca_conf, auth_conf = place.confd / "ca.conf", place.confd / "auth.conf"
    assert found["ca.auto_renewal_cert_ttl"] == ("60d", str(ca_conf))
    assert found["ca.allow_auto_renewal"] == ("false", str(ca_conf))
    assert found["listener.access_log"] == ("none", "default")
    assert found["listener.proxies"] == (
        "10.0.0.1/32, 10.1.0.0/16",
        "reseal.toml line 2",
    )
    assert found["rules"] == ("25 rules", str(auth_conf))
    assert ("puppetlabs cert clean", "PUT /puppet-ca/v1/clean", "pp_cli_auth=true") in (
        rule_rows(config)
    )
    assert rule_rows(config)[-1] == ("puppetlabs deny all", "any method /", "not *")
    assert ("puppetlabs crl", f"GET {crl()}", "everybody") in rule_rows(config)


def crl() -> str:
    return "/puppet-ca/v1/certificate_revocation_list/ca"


def test_settings_in_force_as_a_document(place: Place) -> None:
    place.install("8")
    config = place.load(place.here)
    found = json.loads(json.dumps(document(config)))
    assert set(found) == {"settings", "rules", "warnings", "unused"}
    by_name = {each["name"]: each for each in found["settings"]}
    assert by_name["listener.port"] == {
        "name": "listener.port",
        "value": 8140,
        "source": str(place.confd / "webserver.conf"),
    }
    assert by_name["listener.proxies"]["value"] == []
    assert by_name["listener.audit_log"]["value"] is None
    assert by_name["ca.ca_ttl"]["value"] == "5y"
    clean = next(r for r in found["rules"]["rules"] if r["name"].endswith("cert clean"))
    assert clean == {
        "name": "puppetlabs cert clean",
        "order": 500,
        "path": "/puppet-ca/v1/clean",
        "regex": False,
        "methods": ["PUT"],
        "query": {},
        "unauthenticated": False,
        "allow": [
            {"certname": None, "extensions": {"1.3.6.1.4.1.34380.1.3.39": ["true"]}}
        ],
        "deny": [],
    }
