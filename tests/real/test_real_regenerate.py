"""One command regenerates real sites; killed anywhere, it goes on or goes back.

Sources: Puppet, "SSL: Regenerating All Certificates in a Puppet Deployment".
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from labsite import MIXED, PUPPET5, PUPPET7, PUPPET8, Site, on_sites
from regeneration import Deployment

pytestmark = pytest.mark.real


@pytest.fixture
def deployment(site: Site, tmp_path: Path) -> Deployment:
    """A real site with its site file."""
    deployment = Deployment(site, tmp_path)
    deployment.describe()
    return deployment


@on_sites(PUPPET5, PUPPET7, PUPPET8, MIXED)
def test_one_command_regenerates_every_certificate(deployment: Deployment) -> None:
    site, plan = deployment.site, deployment.here / "plan.json"
    before, serials = deployment.fingerprints(), deployment.serials()
    files = deployment.files()
    deployment.reseal("survey")
    deployment.reseal("plan", "--out", str(plan))
    deployment.reseal("regenerate", "--dry-run")
    assert deployment.files() == files, "seeing changes nothing"

    deployment.reseal("regenerate", "--plan", str(plan), "--yes")

    after = deployment.fingerprints()
    assert not set(before.values()) & set(after.values())
    assert not serials & deployment.serials()
    assert set(deployment.units().values()) == {"active"}
    site.check()
    for host in site.hosts:
        answer = deployment.old_certificate_answer(host.name)
        assert "BEGIN CERTIFICATE" not in answer, f"{host.name}: {answer}"
    checks = json.loads(deployment.reseal("verify", "--json").stdout)
    assert len(checks) == 5 * len(site.hosts)
    page = deployment.here / "report.html"
    deployment.reseal("report", "--html", str(page))
    assert "Proven" in page.read_text()
    report = json.loads(deployment.reseal("report").stdout)
    assert report["ended_as"] == "proven"
    again = deployment.site.reseal(
        *deployment.words("regenerate", "--plan", str(plan), "--yes")
    )
    assert again.returncode == 1
    assert "the plan is stale" in again.stderr


@on_sites(PUPPET5, PUPPET7)
def test_killed_in_the_ca_step_and_in_a_batch_it_resumes_or_goes_back(
    deployment: Deployment,
) -> None:
    site = deployment.site
    deployment.kill_at("begun", f"{site.fqdn('puppet')}/server.start")
    second = deployment.site.reseal(*deployment.words("regenerate", "--yes"))
    assert second.returncode != 0
    assert "unfinished" in second.stderr
    deployment.reseal("resume")
    site.check()
    middle = deployment.fingerprints()

    deployment.kill_at("begun", f"{site.fqdn('agent2')}/agent.enrol")
    deployment.reseal("resume")
    site.check()
    assert not set(middle.values()) & set(deployment.fingerprints().values())
    for journal in deployment.journals():
        done = [line["step"] for line in journal if line["event"] == "done"]
        assert len(done) == len(set(done)), "a deed was repeated"


@on_sites(PUPPET5, PUPPET7)
def test_rollback_gives_back_every_file_and_a_site_that_works(
    deployment: Deployment,
) -> None:
    site, before = deployment.site, deployment.files()
    deployment.kill_at("done", f"{site.fqdn('puppet')}/server.start")
    deployment.reseal("rollback", "--yes")
    assert deployment.files() == before
    site.check()

    before = deployment.files()
    deployment.kill_at("done", f"{site.fqdn('agent2')}/agent.enrol")
    deployment.reseal("rollback", "--yes")
    assert deployment.files() == before
    site.check()
