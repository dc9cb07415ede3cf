"""A real server goes on with a cadir that reseal has worked on, and gives it back."""

from __future__ import annotations

import subprocess
from datetime import timedelta
from pathlib import Path

from labsite import SMALL5, SMALL7, SMALL8, Site, on_sites

from reseal.ca.authority import Authority, load
from reseal.ca.check import check
from reseal.ca.profile import Profile
from reseal.ca.sign import generate, revoke_name
from reseal.certname import Certname
from reseal.clock import SystemClock
from reseal.store import open_cadir
from reseal.x509 import bundle, keys

CLOCK = SystemClock()
OURS, GONE = Certname("ours.lab.test"), Certname("gone.lab.test")
AFTER, THEIRS = Certname("after.lab.test"), Certname("theirs.lab.test")


def opened(site: Site) -> Authority:
    cadir = site.root("puppet") / site.cadir.lstrip("/")
    return load(cadir, open_cadir(cadir))


def issue(authority: Authority, name: Certname) -> int:
    key = keys.generate("rsa:2048")
    profile = Profile(timedelta(days=1825), authority.layout.dialect)
    names = () if authority.layout.ruby else (f"DNS:{name}",)
    public = key.public_key()
    made = generate(
        authority, name, public, profile=profile, clock=CLOCK, alt_names=names
    )
    return made.serial_number


def tool(site: Site, verb: str, name: str) -> None:
    """Let the release's own tool generate or revoke."""
    if site.release == "bullseye":
        site.on("puppet", f"puppet cert {verb} {name}")
    else:
        site.on("puppet", f"puppetserver ca {verb} --certname {name}")


def start(site: Site) -> None:
    """Start the server; the packages' units fail a start now and then."""
    unit = site.server_unit
    wait = "for i in $(seq 90); do curl -sk -o /dev/null https://localhost:8140/ && "
    site.on(
        "puppet",
        f"systemctl start {unit} || {{ sleep 3; systemctl restart {unit}; }}; "
        f"{wait} exit 0; sleep 1; done; exit 1",
    )


def verified(authority: Authority, name: str, scratch: Path) -> str:
    """Return what `openssl verify -crl_check_all` says of a name's certificate."""
    trusted = scratch / "trusted.pem"
    trusted.write_bytes(authority.store.bundle() + authority.store.crls())
    leaf = authority.cadir / "signed" / f"{name}.pem"
    command = ["openssl", "verify", "-crl_check_all", "-CAfile", str(trusted)]
    done = subprocess.run(
        [*command, str(leaf)], capture_output=True, text=True, check=False
    )
    return done.stdout + done.stderr


@on_sites(SMALL5, SMALL7, SMALL8)
def test_the_real_server_goes_on_and_gives_back(
    serverless_site: Site, tmp_path: Path
) -> None:
    site = serverless_site
    authority = opened(site)
    assert check(authority.cadir, authority.store, CLOCK) == ()
    first, second = issue(authority, OURS), issue(authority, GONE)
    assert revoke_name(authority, GONE, CLOCK).added == (second,)
    assert verified(authority, OURS, tmp_path).rstrip().endswith("OK")
    assert "certificate revoked" in verified(authority, GONE, tmp_path)
    owner = authority.cadir.stat().st_uid
    assert {path.stat().st_uid for path in authority.cadir.rglob("*")} == {owner}

    start(site)
    site.check()
    tool(site, "generate", THEIRS)
    tool(site, "revoke", OURS)

    site.on("puppet", f"systemctl stop {site.server_unit}")
    authority = opened(site)
    assert check(authority.cadir, authority.store, CLOCK) == ()
    assert authority.store.get(THEIRS).serial_number == second + 1
    listed = bundle.load_crls(authority.store.crls())[0].serials()
    assert {first, second} <= listed
    assert verified(authority, THEIRS, tmp_path).rstrip().endswith("OK")
    assert "certificate revoked" in verified(authority, OURS, tmp_path)
    assert issue(authority, AFTER) == second + 2
    assert verified(authority, AFTER, tmp_path).rstrip().endswith("OK")
    start(site)
    site.check()
