"""`reseal node` beside the Ruby scripts it stands in for, on one host of a real site.

Sources: docs/reference/node.md; `src/reseal/site/node/*.rb`.
"""

from __future__ import annotations

import base64
import json
from base64 import b64encode
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hostinstall import install
from labsite import PROJECT, SMALL7, Site, on_sites

from reseal.x509 import der
from reseal.x509.bundle import load_certificate
from reseal.x509.certificate import public_key

pytestmark = pytest.mark.real

SCRIPTS = PROJECT / "src/reseal/site/node"
SSL, CA = "/var/lib/puppet/ssl", "/etc/puppet/puppetserver/ca"
NAME = "puppet.lab.test"
FILES = f"find {SSL} {CA} -printf '%p %y %m %U:%G %s %l\\n' | sort"
Ask = Callable[..., Any]


@pytest.fixture
def both(serverless_site: Site) -> dict[str, Ask]:
    """The two ways of asking the host, by name."""
    site = serverless_site
    install(site)
    root = site.root("puppet") / "opt/scripts"
    root.mkdir()
    for path in SCRIPTS.glob("*.rb"):
        (root / path.name).write_bytes(path.read_bytes())

    def asking(program: str) -> Ask:
        def ask(deed: str, *args: object, stdin: str = "") -> Any:
            (root / "stdin").write_text(stdin)
            words = " ".join(str(each) for each in args)
            command = program.format(deed)
            text = site.text("puppet", f"{command} -- {words} </opt/scripts/stdin")
            return json.loads(text)

        return ask

    return {
        "ruby": asking('ruby -e "$(cat /opt/scripts/{}.rb)"'),
        "ours": asking("reseal node {}"),
    }


@on_sites(SMALL7)
def test_both_do_the_same(serverless_site: Site, both: dict[str, Ask]) -> None:
    site = serverless_site
    key, certificate = f"{SSL}/private_keys/{NAME}.pem", f"{SSL}/certs/{NAME}.pem"
    site.on("puppet", "for one in ruby ours; do install -d -m 700 /run/t/$one; done")
    # A running Puppet Server looks at its files now and then, and writes some anew.
    _backups_are_each_others(site, both)
    site.on("puppet", "systemctl start puppetserver")
    for told in (
        _of(both, "identity", key, certificate, 0, "certificate"),
        _of(both, "sign", f"{CA}/ca_key.pem", stdin=b64encode(b"what").decode()),
        _runs(site, both),
    ):
        assert told["ruby"] == told["ours"]
    _trees_are_alike(site, both)
    _copies_are_alike(site, both)
    _keys_are_told_alike(site, both)
    _probes_see_the_same(both, key, certificate)


def _of(both: dict[str, Ask], deed: str, *args: object, stdin: str = "") -> Any:
    return {name: ask(deed, *args, stdin=stdin) for name, ask in both.items()}


def _backups_are_each_others(site: Site, both: dict[str, Ask]) -> None:
    told = {
        name: ask("backup", f"/run/t/{name}", SSL, CA) for name, ask in both.items()
    }
    assert told["ruby"]["entries"] == told["ours"]["entries"]
    sorts = [f"sort /run/t/{name}/manifest | sha256sum" for name in both]
    one, other = (site.text("puppet", each) for each in sorts)
    assert one == other
    before = site.text("puppet", FILES)
    for name, another in (("ruby", "ours"), ("ours", "ruby")):
        site.on("puppet", f"rm -rf {SSL}/certs; rm {CA}/serial; echo x >{SSL}/new")
        put_back = both[another]("restore", f"/run/t/{name}", SSL, CA)
        assert put_back["entries"] == told[name]["entries"]
        assert site.text("puppet", FILES) == before


def _runs(site: Site, both: dict[str, Ask]) -> Any:
    public, state = "/var/cache/puppet/public", "/var/cache/puppet/state"
    site.on("puppet", ": >/run/t/mark; sleep 1; puppet agent --onetime --no-daemonize")
    return _of(
        both,
        "run",
        f"{public}/last_run_summary.yaml",
        f"{state}/last_run_report.yaml",
        "/run/t/mark",
        5,
    )


def _trees_are_alike(site: Site, both: dict[str, Ask]) -> None:
    entries: list[dict[str, str]] = [
        {"path": "certs", "mode": "0755"},
        {"path": "certs/a", "mode": "0644", "content": b64encode(b"\xff").decode()},
        {"path": "key", "mode": "0640", "from": f"{CA}/ca_key.pem"},
    ]
    seen = set()
    for name, ask in both.items():
        base = f"/run/t/{name}/new"
        ask("stage", base, "puppet:puppet", stdin=json.dumps(entries))
        seen.add(
            site.text("puppet", f"cd {base}; find . -printf '%p %m %u:%g %s\\n' | sort")
        )
        site.on("puppet", f"mkdir /run/t/{name}/live; echo old >/run/t/{name}/live/a")
        ask("install", f"/run/t/{name}", f"/run/t/{name}/live={base}")
        where = f"cd /run/t/{name}; find live aside -printf '%p %m %u:%g %s\\n' | sort"
        seen.add(site.text("puppet", where))
    assert len(seen) == 2, seen


def _copies_are_alike(site: Site, both: dict[str, Ask]) -> None:
    site.on("puppet", "cd /run/t; printf 'no end' >part; : >empty; ln -s part link")
    parts = ["/run/t/part", "/run/t/empty", f"{SSL}/certs/ca.pem"]
    seen = set()
    for ask in both.values():
        site.on("puppet", "cd /run/t; rm -f copy link; ln -s part link; echo x >copy")
        orders = [
            {"path": f"/run/t/{name}", "mode": "0640", "owner": owner, "from": parts}
            for name, owner in (("copy", "puppet:puppet"), ("link", "0:101"))
        ]
        told = [ask("copies", stdin=json.dumps(orders)) for _ in range(2)]
        assert told == [{"renewed": ["/run/t/copy", "/run/t/link"]}, {"renewed": []}]
        look = (
            "cd /run/t; stat -c '%n %F %a %U:%G %s' copy link part; sha256sum copy link"
        )
        seen.add(site.text("puppet", f"{look}; ls -A | grep -c '^[.]reseal' || :"))
        lost = [{**orders[0], "from": ["/none"]}]
        with pytest.raises(AssertionError, match="/none"):
            ask("copies", stdin=json.dumps(lost))
    assert len(seen) == 1, seen
    order = {"mode": "0600", "owner": "0:0", "path": "/run/t/copy"}
    shapes: list[dict[str, object]] = [
        {"from": [f"{CA}/ca_key.pem"], "der": "key"},
        {"from": [f"{CA}/ca_crt.pem"], "der": "certificate"},
        {"content": b64encode(b"what is meant").decode()},
    ]
    for shape in shapes:
        made = set()
        for ask in both.values():
            site.on("puppet", "rm /run/t/copy")
            ask("copies", stdin=json.dumps([order | shape]))
            made.add(site.text("puppet", "sha256sum </run/t/copy"))
        assert len(made) == 1, shape


def _keys_are_told_alike(site: Site, both: dict[str, Ask]) -> None:
    site.on(
        "puppet",
        f"cd /run/t; openssl rsa -aes128 -passout pass:x -in {CA}/ca_key.pem -out l "
        "2>/dev/null; echo x >pass; echo noise >noise; "
        "openssl ecparam -name prime256v1 -genkey -noout -out ec",
    )
    keys = (f"{CA}/ca_key.pem", "/run/t/ec", "/run/t/l", "/run/t/noise", "/none")
    for passfile in ("/none", "/run/t/pass"):
        words = [word for key in keys for word in (key, passfile)]
        ruby = site.text(
            "puppet",
            f'ruby -e "$(cat /opt/scripts/public_keys.rb)" -- {" ".join(words)}',
        )
        assert both["ours"]("public_keys", *words) == ruby.splitlines()
    _forged_keys_are_none(site, both)
    vouched = _of(both, "vouch", f"{CA}/ca_key.pem", stdin=b64encode(b"x").decode())
    assert vouched["ruby"] == vouched["ours"]
    for name, ask in both.items():
        (public,) = ask("make_keys", "/run/t", f"/run/t/{name}.key=2048").values()
        told = site.text("puppet", f"openssl pkey -pubout -in /run/t/{name}.key")
        assert told == public.strip()
        assert site.text("puppet", f"stat -c %a /run/t/{name}.key") == "600"


def _forged_keys_are_none(site: Site, both: dict[str, Ask]) -> None:
    """Files with the public half of another's key, and numbers of their own."""
    pem = site.text("puppet", f"cat {SSL}/certs/{NAME}.pem").encode()
    public = public_key(load_certificate(pem))
    assert isinstance(public, rsa.RSAPublicKey)
    theirs = public.public_numbers()
    numbers = (0, theirs.n, theirs.e, *(3,) * 6)
    forged = der.sequence(*(der.integer(each) for each in numbers))
    other, mine = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    form = (Encoding.X962, PublicFormat.UncompressedPoint)
    scalar = mine.private_numbers().private_value.to_bytes(32, "big")
    point = der.bit_string(other.public_key().public_bytes(*form))
    curve = der.explicit(0, der.oid("1.2.840.10045.3.1.7"))
    sec1 = der.sequence(
        der.integer(1), der.octet_string(scalar), curve, der.explicit(1, point)
    )
    for label, data in (("RSA", forged), ("EC", sec1)):
        text, label = base64.encodebytes(data).decode(), f"{label} PRIVATE KEY"
        block = f"-----BEGIN {label}-----\n{text}-----END {label}-----\n"
        (site.root("puppet") / "opt/forged").write_text(block)
        ruby = site.text(
            "puppet",
            'ruby -e "$(cat /opt/scripts/public_keys.rb)" -- /opt/forged /none',
        )
        (ours,) = both["ours"]("public_keys", "/opt/forged", "/none")
        assert ruby.startswith("broken"), (label, ruby)
        assert ours.startswith("broken"), (label, ours)


def _probes_see_the_same(both: dict[str, Ask], key: str, certificate: str) -> None:
    way = {"host": NAME, "port": 8140, "path": "/puppet-ca/v1/certificate/ca"}
    files = {"certificate": certificate, "key": key}
    trust = {"bundle": f"{SSL}/certs/ca.pem", "crls": f"{SSL}/crl.pem"}
    probes = [
        way | files | trust | {"expected": certificate},
        way,
        way | trust | {"host": "localhost"},
        way | files | {"key": f"{CA}/ca_key.pem"},
    ]
    told = _of(both, "probe", stdin=json.dumps(probes))
    for ours, ruby in zip(told["ours"], told["ruby"], strict=True):
        failed = "error" in ours, "error" in ruby
        assert failed[0] == failed[1], (ours, ruby)
        ours.pop("error", None)
        ruby.pop("error", None)
        if "status" not in ruby:
            # Python has the names compared before it gives out the certificate.
            ruby.pop("server", None)
            ours.pop("server", None)
        assert ours == ruby
    args = (NAME, 8140, certificate, key, trust["bundle"], trust["crls"])
    signed = _of(both, "ca_api", *args, stdin="nobody.example.com\nweb01")
    assert signed["ours"] == signed["ruby"]
    assert {answer["status"] for answer in signed["ours"].values()} == {404}
