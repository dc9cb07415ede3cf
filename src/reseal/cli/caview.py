"""What `reseal ca` tells, as text and as JSON, and what it leaves on the host.

Sources: puppetserver-ca-cli, `action/*.rb` (sentences of success).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from cryptography import x509

from reseal import files
from reseal.ca.authority import Authority, detect
from reseal.ca.check import Finding, Repair
from reseal.ca.newca import NewAuthority
from reseal.ca.upkeep import Pruned
from reseal.cli.output import print_json, table
from reseal.cli.output import shown as safe
from reseal.errors import NotFound
from reseal.settings import PuppetSettings
from reseal.store.protocol import Store
from reseal.x509 import bundle, keys, names
from reseal.x509 import certificate as certs
from reseal.x509.crl import RevocationList

_SHAPES = {
    ("chain", False): "an intermediate CA under a root",
    ("single", False): "one self-signed CA",
    ("single", True): "one self-signed CA of Puppet 3 to 5",
}


def say_made(made: NewAuthority, deed: str, cadir: Path, json: bool) -> None:
    """Tell of a CA that was made or imported."""
    if json:
        chain = bundle.load_certificates(made.bundle_pem)
        print_json({"cadir": str(cadir), "certificates": [*map(_certificate, chain)]})
    else:
        print(f"{deed} succeeded. Find your files in {cadir}")


def say_extended(authority: Authority, json: bool) -> None:
    """Tell of a CA that lives longer."""
    if json:
        print_json({"certificates": [*map(_certificate, authority.bundle)]})
        return
    for each in authority.bundle:
        end = each.not_valid_after_utc
        print(f"{safe(certs.common_name(each))} is valid until {end:%Y-%m-%d}")
    print(f"Give every node the new bundle: {authority.cadir / 'ca_crt.pem'}")


def say_pruned(pruned: Pruned, json: bool) -> None:
    """Tell what was taken off the CA's list."""
    if json:
        removed = [f"{serial:04X}" for serial in pruned.removed]
        found = {"total": pruned.total, "duplicates": pruned.duplicates}
        print_json({**found, "removed": removed})
        return
    print(
        f"Total number of certificates found in Puppet's CRL is: {pruned.total}.",
    )
    if pruned.duplicates:
        print(f"Removed {pruned.duplicates} duplicated certs from Puppet's CRL.")
    if pruned.removed:
        print(f"Removed {len(pruned.removed)} certs from Puppet's CRL.")
    if not pruned.duplicates and not pruned.removed:
        print("No matching revocations found in the CRL for pruning")


def say_findings(findings: Iterable[Finding], json: bool) -> None:
    """Tell what is not in order, each with its rule and whether it can be repaired."""
    found = list(findings)
    if json:
        print_json({"findings": [*map(_finding, found)]})
        return
    print("\n".join(map(_sentence, found)) if found else "The CA is in order.")
    if any(each.repairable for each in found):
        print("Settle what is repairable with: reseal ca check --repair")


def say_repaired(repair: Repair, json: bool) -> None:
    """Tell what was repaired, what could not be, and what is left."""
    if json:
        done, left = (list(map(_finding, each)) for each in (repair.done, repair.left))
        print_json({"repaired": done, "failed": list(repair.failed), "findings": left})
        return
    for each in repair.done:
        print(safe(f"repaired: {each.message}"))
    for failure in repair.failed:
        print(safe(f"could not be repaired: {failure}"))
    for each in repair.left:
        print(_sentence(each))
    if not repair.left:
        print("The CA is in order.")


def look(cadir: Path, store: Store) -> dict[str, Any]:
    """Return what there is to know of a CA, for JSON.

    Raises:
        StoreError: There is no CA.
    """
    chain = bundle.load_certificates(store.bundle())
    layout = detect(cadir)
    return {
        "cadir": str(cadir),
        "layout": {"shape": layout.shape, "ruby": layout.ruby},
        "certificates": [_certificate(each) for each in chain],
        "revocation_lists": [_list(each) for each in bundle.load_crls(store.crls())],
        "next_serial": files.read(cadir / "serial").decode().strip(),
        "signed": sum(1 for _ in store.certnames()),
        "requests": sum(1 for _ in store.requests()),
    }


def shown(facts: Mapping[str, Any]) -> str:
    """Return what `look` found as text."""
    layout = facts["layout"]
    lines = [
        ("CA", facts["cadir"]),
        ("layout", _SHAPES[layout["shape"], layout["ruby"]]),
        ("next serial", facts["next_serial"]),
        ("certificates", f"{facts['signed']} signed, {facts['requests']} requested"),
    ]
    blocks = [table(lines)]
    for each in facts["certificates"]:
        rows = [(key.replace("_", " "), str(each[key])) for key in each]
        blocks.append(table([("certificate", each["subject"]), *rows[1:]]))
    for each in facts["revocation_lists"]:
        rows = [(key.replace("_", " "), str(each[key])) for key in each]
        blocks.append(table([("revocation list", each["issuer"]), *rows[1:]]))
    return "\n\n".join(blocks)


def refresh_host(settings: PuppetSettings, store: Store, before: bytes) -> None:
    """Give this host's own agent and server the new bundle and lists.

    Args:
        settings: Where they look.
        store: Has what is new.
        before: The old bundle; a host that trusts something else is left alone.
    """
    try:
        if files.read(settings.localcacert) != before:
            return
    except NotFound:
        return
    files.replace(settings.localcacert, store.bundle(), mode=0o644)
    files.replace(settings.hostcrl, store.crls(), mode=0o644)


def _certificate(found: x509.Certificate) -> dict[str, object]:
    return {
        "subject": names.commas(certs.subject(found)),
        "issuer": names.commas(certs.issuer(found)),
        "serial": f"{found.serial_number:04X}",
        "not_before": _time(found.not_valid_before_utc),
        "not_after": _time(found.not_valid_after_utc),
        "key": keys.describe(certs.public_key(found)),
        "fingerprint": certs.fingerprint(found),
    }


def _list(found: RevocationList) -> dict[str, object]:
    return {
        "issuer": names.commas(found.issuer),
        "number": found.number,
        "revoked": len(found),
        "this_update": _time(found.this_update),
        "next_update": found.next_update and _time(found.next_update),
    }


def _finding(each: Finding) -> dict[str, object]:
    return {
        "severity": "warning" if each.warning else "error",
        "rule": each.rule,
        "citation": each.citation,
        "message": each.message,
        "repairable": each.repairable,
    }


def _sentence(each: Finding) -> str:
    severity = "warning" if each.warning else "error"
    mark = ", repairable" if each.repairable else ""
    return safe(f"{severity}: {each.message} ({each.rule}{mark})")


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"
