"""Every verb of `cert` and `ca` speaks JSON too, and only JSON."""

from __future__ import annotations

import json
from pathlib import Path

from cahost import CaHost

WEB01, WEB02, WEB03 = (f"web0{number}.example.com" for number in (1, 2, 3))


def test_list_says_state_serial_and_fingerprint(host: CaHost) -> None:
    host.put("alt.pem", "alt.example.com")
    found = host.json("cert", "list", "--all")["certificates"]
    shown = [(each["name"], each["state"], each["serial"]) for each in found]
    assert shown == [
        ("alt.example.com", "requested", None),
        (WEB01, "signed", "0002"),
        (WEB02, "invalid", "0003"),
    ]
    assert found[0]["alt_names"] == ["DNS:alt.example.com", "DNS:www.example.com"]
    assert found[2]["problem"] == "certificate revoked"
    assert [len(each["fingerprint"]) for each in found] == [95, 95, 95]


def test_sign_says_what_was_signed_and_removed(host: CaHost) -> None:
    host.put("web03.pem", WEB03)
    found = host.json("cert", "sign", WEB03)
    assert [each["name"] for each in found["signed"]] == [WEB03]
    assert found["signed"][0]["serial"] == "0004"
    path = str(host.cadir / "requests" / f"{WEB03}.pem")
    assert [each["path"] for each in found["removed"]] == [path]


def test_revoke_clean_and_generate_say_serials_and_files(host: CaHost) -> None:
    assert host.json("cert", "revoke", WEB01) == {"revoked": [{"serial": "0002"}]}
    cleaned = host.json("cert", "clean", WEB01)
    assert [Path(each["path"]).parent.name for each in cleaned["removed"]] == [
        "signed",
        "certs",
    ]
    made = host.json("cert", "generate", "made.example.com")
    assert [each["name"] for each in made["signed"]] == ["made.example.com"]


def test_print_verify_fingerprint_reinventory(host: CaHost) -> None:
    printed = host.json("cert", "print", WEB01)["certificates"]
    assert printed[0]["text"].startswith("Certificate:\n")
    assert host.json("cert", "verify", WEB01) == {
        "verified": [{"name": WEB01, "problem": None}]
    }
    taken = host.json("cert", "fingerprint", WEB01, "--digest", "sha1")
    assert taken["fingerprints"][0]["digest"] == "SHA1"
    assert host.json("cert", "reinventory") == {"rebuilt": ["inventory.txt"]}


def test_a_failure_half_way_tells_what_was_done_before_it(host: CaHost) -> None:
    code, stdout, stderr = host.run("cert", "revoke", WEB01, "nobody", "--json")
    assert code == 24
    assert json.loads(stdout) == {"revoked": [{"serial": "0002"}]}
    assert stderr == "Error: Could not find a serial number for nobody\n"


def test_a_problem_found_by_verify_is_told(host: CaHost) -> None:
    code, stdout, _ = host.run("cert", "verify", WEB02, "--json")
    assert code == 24
    assert json.loads(stdout)["verified"][0]["problem"] == "certificate revoked"


def test_show_tells_certificates_lists_and_numbers(host: CaHost) -> None:
    found = host.json("ca", "show")
    assert found["layout"] == {"shape": "single", "ruby": True}
    assert found["next_serial"] == "0004"
    assert (found["signed"], found["requests"]) == (2, 0)
    assert found["certificates"][0]["key"] == "rsa:2048"
    assert found["revocation_lists"][0]["revoked"] == 1


def test_extend_prune_and_check_tell_what_they_did(host: CaHost) -> None:
    extended = host.json("ca", "extend", "--ttl", "20y")["certificates"]
    assert (
        extended[0]["not_after"]
        > host.json("ca", "show")["certificates"][0]["not_before"]
    )
    pruned = host.json("ca", "prune")
    assert pruned == {"total": 1, "duplicates": 0, "removed": []}
    assert host.json("ca", "check") == {"findings": []}
    assert host.json("ca", "check", "--repair")["repaired"] == []


def test_setup_and_migrate_tell_where(host: CaHost, tmp_path: Path) -> None:
    new = tmp_path / "elsewhere" / "ca"
    moved = host.json("ca", "migrate", f"--to={new}")
    assert moved == {"cadir": str(new), "link": str(host.cadir)}
    assert host.cadir.readlink() == new
    made = host.json("ca", "setup", f"--cadir={tmp_path}/other", "--layout=single")
    assert made["cadir"] == f"{tmp_path}/other"
