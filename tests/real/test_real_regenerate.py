"""One command regenerates real sites; killed anywhere, it goes on or goes back.

Sources: Puppet, "SSL: Regenerating All Certificates in a Puppet Deployment".
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hostinstall import install, serve, take_over
from labsite import MIXED, PUPPET5, PUPPET7, PUPPET8, Site, on_sites
from regeneration import Deployment

pytestmark = pytest.mark.real


@pytest.fixture
def deployment(site: Site, tmp_path: Path) -> Deployment:
    """A real site with its site file."""
    deployment = Deployment(site, tmp_path)
    deployment.describe()
    return deployment


@pytest.fixture
def serverless_deployment(serverless_site: Site, tmp_path: Path) -> Deployment:
    """A real site with its site file, for another server than its own."""
    deployment = Deployment(serverless_site, tmp_path)
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
    # A run that was killed leaves it: the policy, and the room for who waits.
    assert len(held(site)) == (0 if site.shape == PUPPET5 else 2)
    deployment.reseal("rollback", "--yes")
    assert deployment.files() == before
    assert held(site) == []
    site.check()


def held(site: Site) -> list[str]:
    """Return what has requests wait on the CA's host: a policy and a directory."""
    places = "/etc/puppet/autosign.conf /etc/puppet/puppetserver/ca/held-*"
    return site.text("puppet", f"ls -d {places} 2>/dev/null; true").split()


_CRON = "* * 31 2 * root /usr/bin/puppet agent --onetime --no-daemonize\n"

_STRANGER = r"""
cd $(mktemp -d)
openssl req -new -newkey rsa:2048 -nodes -keyout key.pem -subj /CN={name} -out csr.pem \
    2>/dev/null
curl -sS --fail -k -X PUT -H 'Content-Type: text/plain' --data-binary @csr.pem \
    https://{server}:8140/puppet-ca/v1/certificate_request/{name}
"""


@on_sites(PUPPET7)
def test_agents_are_left_as_they_were_found(deployment: Deployment) -> None:
    """One stopped, one that waits long and splays, one run from cron."""
    site = deployment.site
    site.on("agent1", "systemctl disable --now puppet")
    site.on(
        "agent2",
        "sed -i 's/^waitforcert.*/waitforcert = 120/' /etc/puppet/puppet.conf && "
        "systemctl restart puppet",
    )
    site.on(
        "agent3",
        "systemctl disable --now puppet && "
        f"printf '%s' '{_CRON}' >/etc/cron.d/puppet && "
        "sed -i 's/^waitforcert.*/splay = true/' /etc/puppet/puppet.conf",
    )
    before, units = deployment.fingerprints(), deployment.units()
    started = "journalctl -u puppet -o cat | grep -c 'Starting Puppet client'"
    starts = int(site.text("agent2", started))
    survey = json.loads(deployment.reseal("survey", "--json").stdout)
    assert [n["agent_mode"] for n in survey] == ["daemon", "stopped", "daemon", "cron"]

    deployment.reseal("regenerate", "--yes")

    assert not set(before.values()) & set(deployment.fingerprints().values())
    assert deployment.units() == units
    assert int(site.text("agent2", started)) == starts + 1, "it looked in vain"
    assert held(site) == []
    for host in ("agent1", "agent3"):
        log = site.text(host, "cat /var/backups/reseal/*/agent.log")
        assert "Applied catalog" in log


@on_sites(PUPPET7)
def test_a_request_of_a_strangers_key_is_never_signed(deployment: Deployment) -> None:
    """It stands at the new CA before the node's own; its node fails, others do not."""
    site, name = deployment.site, deployment.site.fqdn("agent3")
    facts = "extension_requests:\n  pp_role: stolen\n"
    site.on("agent2", f"printf '{facts}' >/etc/puppet/csr_attributes.yaml")
    log = deployment.here / "log"
    words = deployment.words("regenerate", "--yes", "--json")
    with site.spawn(*words, log=log) as process:
        deployment.wait_for("done", f"{site.fqdn('puppet')}/server.start", process)
        script = _STRANGER.format(name=name, server=site.fqdn("puppet"))
        site.on("puppet", script)
        assert process.wait(timeout=600) == 3, log.read_text()
    text = log.read_text()
    assert f"{name}: the request at the CA is not signed: its key is not" in text
    assert "extension 1.3.6.1.4.1.34380.1.1.13 was absent and would be 'stolen'" in text
    assert not deployment.signed(name)

    # A waiting agent sends its request again every few seconds: it is stopped first.
    forget = f"rm /etc/puppet/csr_attributes.yaml; rm -r {site.ssldir}/*"
    site.on("agent2", f"systemctl stop puppet; {forget}")
    for host in ("agent2", "agent3"):
        site.on("puppet", f"puppetserver ca clean --certname {site.fqdn(host)} || true")
    site.on("agent2", "systemctl start puppet")
    deployment.reseal("resume")
    site.check()


@on_sites(MIXED)
def test_a_site_of_our_own_server_is_regenerated(
    serverless_deployment: Deployment,
) -> None:
    deployment = serverless_deployment
    site = deployment.site
    install(site)
    folder = site.root("puppet") / "etc/puppet/catalogs"
    folder.mkdir()
    (folder / "default.yaml").write_text("resources: {file: {/tmp/made: {content: x}}}")
    site.on("puppet", "systemctl disable --now puppetserver")
    serve(site, '[primary]\ncatalogs = "static"\n')
    for host in site.hosts:
        site.on(host.name, "puppet agent --test", check=False)
    before, serials = deployment.fingerprints(), deployment.serials()
    files = deployment.files()
    survey = json.loads(deployment.reseal("survey", "--json").stdout)
    assert deployment.files() == files, "seeing changes nothing"
    server = next(node["server"] for node in survey if node["server"])
    assert (server["kind"], server["port"], server["infra"]) == ("reseal", 8140, True)
    assert server["service"] == {
        "name": "reseal-server",
        "active": True,
        "enabled": False,
    }

    deployment.reseal("regenerate", "--yes")

    assert not set(before.values()) & set(deployment.fingerprints().values())
    assert not serials & deployment.serials()
    assert set(deployment.units().values()) == {"active"}
    states = site.text("puppet", "systemctl is-active reseal-server puppetserver; true")
    assert states.split() == ["active", "inactive"]
    site.check()
    for host in site.hosts:
        answer = deployment.old_certificate_answer(host.name)
        assert "BEGIN CERTIFICATE" not in answer, f"{host.name}: {answer}"
    checks = json.loads(deployment.reseal("verify", "--json").stdout)
    assert len(checks) == 5 * len(site.hosts)
    site.on("puppet", "reseal ca check")


@on_sites(MIXED)
def test_a_site_of_our_own_agents_is_regenerated_and_taken_back(
    serverless_deployment: Deployment,
) -> None:
    """Neither Puppet nor Ruby is on any host but one, whose agent is Puppet 5.5."""
    deployment = serverless_deployment
    site, ours = deployment.site, ("puppet", "agent1", "agent3")
    for host in ours:
        install(site, host)
    folder = site.root("puppet") / "etc/puppet/catalogs"
    folder.mkdir()
    (folder / "default.yaml").write_text("resources: {file: {/tmp/made: {content: x}}}")
    site.on("puppet", "systemctl disable --now puppetserver")
    serve(site, '[primary]\ncatalogs = "static"\n')
    for host in ours:
        take_over(site, host)
        site.on(host, "reseal agent --test", check=False)
    before, serials = deployment.fingerprints(), deployment.serials()
    files = deployment.files()
    survey = json.loads(deployment.reseal("survey", "--json").stdout)
    assert deployment.files() == files, "seeing changes nothing"
    flavours = [node["flavour"] for node in survey]
    assert flavours == ["reseal", "reseal", "puppet", "reseal"]
    assert [node["ruby"] for node in survey] == ["", "", "/usr/bin/ruby", ""]
    assert {node["agent_mode"] for node in survey} == {"daemon"}
    assert not [node["faults"] for node in survey if node["faults"]]

    deployment.kill_at("done", f"{site.fqdn('agent3')}/agent.enrol")
    deployment.reseal("rollback", "--yes")
    assert deployment.files() == files

    deployment.reseal("regenerate", "--yes")

    assert not set(before.values()) & set(deployment.fingerprints().values())
    assert not serials & deployment.serials()
    for host in ours:
        assert site.text(host, "systemctl is-active reseal-agent") == "active"
        site.on(host, "reseal agent --test")
    site.on("agent2", "puppet agent --test")
    for each in site.hosts:
        answer = deployment.old_certificate_answer(each.name)
        assert "BEGIN CERTIFICATE" not in answer, f"{each.name}: {answer}"
    checks = json.loads(deployment.reseal("verify", "--json").stdout)
    assert len(checks) == 5 * len(site.hosts)
    site.on("puppet", "reseal ca check")
