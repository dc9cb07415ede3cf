"""What must not be begun on a real site: an error that names node and way out.

Each case breaks something on a real site, asks for a regeneration, and holds that
it ended before any change: every file as it was, every agent running, no run.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from labsite import SMALL7, Site, on_sites
from regeneration import Deployment

pytestmark = pytest.mark.real

CADIR = "/etc/puppet/puppetserver/ca"


@contextmanager
def broken(site: Site, host: str, breaks: str, heals: str) -> Iterator[None]:
    """Break something on a host, and heal it afterwards."""
    site.on(host, breaks)
    try:
        yield
    finally:
        site.on(host, heals)


def refused(deployment: Deployment, *words: str) -> str:
    """Ask for a regeneration that must be refused; return what was said."""
    before = deployment.files()
    done = deployment.site.reseal(*deployment.words("regenerate", "--yes", *words))
    assert done.returncode in (1, 2), done.stdout + done.stderr
    assert deployment.files() == before
    assert not list((deployment.here / "runs").glob("*"))
    assert set(deployment.units().values()) == {"active"}
    assert "reseal: error: " in done.stderr
    assert "reseal: hint: " in done.stderr
    return done.stderr


@pytest.fixture
def deployment(untouched_site: Site, tmp_path: Path) -> Deployment:
    """A real site with its site file."""
    deployment = Deployment(untouched_site, tmp_path)
    deployment.describe()
    return deployment


@on_sites(SMALL7)
@pytest.mark.parametrize(
    ("host", "breaks", "heals", "said"),
    [
        pytest.param(
            "puppet",
            "mkdir -p /var/backups/reseal && "
            "mount -t tmpfs -o size=64k full /var/backups/reseal",
            "umount /var/backups/reseal",
            "puppet.lab.test: ",
            id="no room for the backup",
        ),
        pytest.param(
            "puppet",
            f"mv {CADIR}/ca_key.pem {CADIR}/away",
            f"mv {CADIR}/away {CADIR}/ca_key.pem",
            "ca_key.pem",
            id="no CA key",
        ),
        pytest.param(
            "puppet",
            f"cd {CADIR}; cp -p inventory.txt away; echo rubbish >>inventory.txt",
            f"mv {CADIR}/away {CADIR}/inventory.txt",
            "inventory",
            id="a broken inventory",
        ),
        pytest.param(
            "agent1",
            "mkdir -p /opt/puppetlabs/server && touch /opt/puppetlabs/server/pe_build",
            "rm -r /opt/puppetlabs/server",
            "/pe/latest/trouble_regenerate_certs_split.html",
            id="Puppet Enterprise",
        ),
    ],
)
def test_a_site_that_is_broken_is_not_begun(
    deployment: Deployment, host: str, breaks: str, heals: str, said: str
) -> None:
    with broken(deployment.site, host, breaks, heals):
        text = refused(deployment)
    assert f"{deployment.site.fqdn(host)}: " in text
    assert said in text


@on_sites(SMALL7)
def test_a_node_that_is_not_there_is_named_and_may_be_left_out(
    deployment: Deployment,
) -> None:
    missing = '\n[[node]]\ncertname = "gone.lab.test"\naddress = "10.90.0.99"\n'
    deployment.site_file.write_text(deployment.site_file.read_text() + missing)
    text = refused(deployment)
    assert "gone.lab.test: " in text
    planned = deployment.reseal("plan", "--without", "gone.lab.test")
    assert "Left out: gone.lab.test" in planned.stdout


@on_sites(SMALL7)
def test_a_wrong_key_of_ours_is_told_for_each_node(deployment: Deployment) -> None:
    site, here = deployment.site, deployment.here
    site.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(here / "wrong"))
    text = site.ssh_config.read_text().replace(
        str(site.ssh_config.parent / "key"), str(here / "wrong"), 1
    )
    (here / "config").write_text(text)
    told = deployment.site_file.read_text()
    changed = told.replace(str(site.ssh_config), str(here / "config"))
    deployment.site_file.write_text(changed)
    said = refused(deployment)
    assert "puppet.lab.test: " in said
    assert "agent1.lab.test: " in said


@on_sites(SMALL7)
def test_a_changed_host_key_is_refused(deployment: Deployment) -> None:
    site, here = deployment.site, deployment.here
    known = (site.ssh_config.parent / "known_hosts").read_text().splitlines()
    server, agent = (line.split() for line in known[:2])
    swapped = [" ".join([agent[0], *server[1:]])]
    (here / "known_hosts").write_text("\n".join([known[0], *swapped]) + "\n")
    text = site.ssh_config.read_text().replace(
        str(site.ssh_config.parent / "known_hosts"), str(here / "known_hosts")
    )
    (here / "config").write_text(text)
    told = deployment.site_file.read_text()
    changed = told.replace(str(site.ssh_config), str(here / "config"))
    deployment.site_file.write_text(changed)
    said = refused(deployment)
    assert "agent1.lab.test: " in said
    assert "host key" in said


@on_sites(SMALL7)
def test_a_certname_that_leads_out_of_the_directory_names_its_line(
    deployment: Deployment,
) -> None:
    text = deployment.site_file.read_text() + '\n[[node]]\ncertname = "../evil"\n'
    deployment.site_file.write_text(text)
    line = text.splitlines().index('certname = "../evil"') + 1
    done = deployment.site.reseal(*deployment.words("regenerate", "--yes"))
    assert done.returncode == 2
    assert f"site.toml: line {line}: " in done.stderr
    assert "../evil" in done.stderr
