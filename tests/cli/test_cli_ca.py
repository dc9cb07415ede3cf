"""`reseal ca` beyond the transcripts: what it says, refuses and repairs."""

from __future__ import annotations

import re

import pytest
from cahost import CaHost
from cryptography import x509

from reseal.cli.exits import FINDINGS, USAGE

WEB01, WEB02 = "web01.example.com", "web02.example.com"


def test_show_is_read_by_people(host: CaHost) -> None:
    code, stdout, _ = host.run("ca", "show")
    assert code == 0
    assert "one self-signed CA of Puppet 3 to 5" in stdout
    assert re.search(r"^next serial +0004$", stdout, re.MULTILINE)
    assert re.search(r"^revoked +1$", stdout, re.MULTILINE)


def test_extend_gives_the_host_the_new_bundle(host: CaHost) -> None:
    assert host.run("cert", "clean", WEB02)[0] == 0
    trusted = host.ssl / "certs" / "ca.pem"
    old = x509.load_pem_x509_certificate(trusted.read_bytes())
    code, stdout, _ = host.run("ca", "extend", "--ttl", "20y")
    assert code == 0
    assert f"Give every node the new bundle: {host.cadir}/ca_crt.pem" in stdout
    new = x509.load_pem_x509_certificate(trusted.read_bytes())
    assert new.not_valid_after_utc > old.not_valid_after_utc
    assert host.run("cert", "verify", WEB01) == (0, "", "")


def test_extend_leaves_a_host_alone_that_trusts_another_ca(host: CaHost) -> None:
    trusted = host.ssl / "certs" / "ca.pem"
    trusted.parent.mkdir()
    trusted.write_text("another\n")
    assert host.run("ca", "extend")[0] == 0
    assert trusted.read_text() == "another\n"


def test_prune_takes_a_revocation_back_only_if_told_so(host: CaHost) -> None:
    code, _, stderr = host.run("ca", "prune", "--serial", "3")
    assert code == USAGE
    assert "say so with --remove-entries" in stderr
    assert host.run("cert", "verify", WEB02)[0] == 24
    code, stdout, _ = host.run("ca", "prune", "--remove-entries", "--serial", "3")
    assert code == 0
    assert "Removed 1 certs from Puppet's CRL.\n" in stdout
    assert host.run("cert", "verify", WEB02)[0] == 0


def test_prune_by_name(host: CaHost) -> None:
    words = ("ca", "prune", "--remove-entries", "--certname", WEB02)
    assert "Removed 1 certs" in host.run(*words)[1]


def test_check_names_what_is_wrong_and_repairs_what_is_provable(host: CaHost) -> None:
    inventory = host.cadir / "inventory.txt"
    lines = inventory.read_text().splitlines(keepends=True)
    inventory.write_text("".join(line for line in lines if WEB01 not in line))
    before = inventory.read_text()
    code, stdout, _ = host.run("ca", "check")
    assert code == FINDINGS
    assert WEB01 in stdout
    assert stdout.endswith("Settle what is repairable with: reseal ca check --repair\n")
    assert inventory.read_text() == before
    code, stdout, _ = host.run("ca", "check", "--repair")
    assert code == 0
    assert "repaired: " in stdout
    assert WEB01 in inventory.read_text()


def test_check_tells_what_it_cannot_repair(host: CaHost) -> None:
    (host.cadir / "signed" / f"{WEB01}.pem").write_text("nonsense")
    code, stdout, _ = host.run("ca", "check", "--repair")
    assert code == FINDINGS
    assert WEB01 in stdout


@pytest.mark.parametrize(
    ("layout", "who"), [("chain", "Puppet Server"), ("puppet5", "puppet cert")]
)
def test_a_key_that_a_peer_cannot_take_is_refused(
    host: CaHost, layout: str, who: str
) -> None:
    new = host.root / "new"
    words = ("ca", "setup", f"--cadir={new}", "--key=ec:secp256r1")
    code, _, stderr = host.run(*words, f"--layout={layout}")
    assert code == 1
    assert f"{who} cannot take it" in stderr
    assert not new.exists()
    assert host.run(*words, "--layout=single", "--reseal-only")[0] == 0


def test_a_missing_ca_is_said_with_the_way_out(host: CaHost) -> None:
    code, _, stderr = host.run("ca", "extend", f"--cadir={host.root}/none")
    assert code == 1
    assert stderr == (
        f"reseal: error: {host.root}/none: has no CA\n"
        "reseal: hint: make one with: reseal ca setup\n"
    )


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (("ca", "extend", "--ttl", "soon"), "'soon': not a duration"),
        (("ca", "prune", "--remove-entries", "--serial", "xyz"), "xyz: not a hexadec"),
    ],
)
def test_bad_values_change_nothing(
    host: CaHost, words: tuple[str, ...], fault: str
) -> None:
    before = (host.cadir / "ca_crl.pem").read_bytes()
    code, stdout, stderr = host.run(*words)
    assert (code != 0, stdout) == (True, "")
    assert fault in stderr
    assert (host.cadir / "ca_crl.pem").read_bytes() == before
