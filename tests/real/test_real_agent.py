"""`reseal agent` against a real Puppet Server, beside Puppet's own agent on that host.

Sources: issue "A whole site of our own", 2 and 6.
"""

from __future__ import annotations

import re
import time

import pytest
import yaml
from hostinstall import install
from labsite import PROJECT, SMALL7, SMALL8, Site, on_sites

pytestmark = pytest.mark.real

CODE = "/etc/puppet/code/environments/production"
PREPARE = PROJECT / "tests/data/primary/prepare.sh"
UNIT = "/etc/systemd/system/t-good.service"
SERVICE = (
    "[Service]\\nExecStart=/bin/sleep 1000\\n[Install]\\nWantedBy=multi-user.target\\n"
)
MANIFEST = r"""
notify { 'hi': message => 'hello there' }
file { '/tmp/t': ensure => directory, mode => '0750' }
file { '/tmp/t/a':
  content => "CONTENT\n", mode => '0640', notify => Exec['refreshed'], backup => puppet,
}
file { '/tmp/t/link': ensure => link, target => '/tmp/t/a' }
file { '/tmp/t/src':
  source => 'puppet:///modules/demo/hello.txt', owner => 'daemon', group => 'daemon',
}
file { '/tmp/gone': ensure => absent }
exec { 'refreshed':
  command => 'echo refreshed >> /tmp/t/log', path => '/bin', refreshonly => true,
}
exec { 'once': command => '/bin/touch /tmp/t/once', creates => '/tmp/t/once' }
exec { 'guarded': command => '/bin/touch /tmp/t/guarded', unless => '/bin/true' }
exec { 'loud': command => '/bin/echo loud', onlyif => '/bin/true', logoutput => true }
exec { '/bin/false': }
file { '/tmp/t/after': content => 'x', require => Exec['/bin/false'] }
service { 't-good': ensure => running, enable => true, subscribe => File['/tmp/t/a'] }
package { 'sudo': ensure => installed }
"""
SUMMARY = "/var/cache/puppet/public/last_run_summary.yaml"
REPORT = "/var/cache/puppet/state/last_run_report.yaml"
LEFT_OUT = (
    r"^Info: (Retrieving|Loading facts|Refreshed CRL|csr_attributes)",
    r"^Info: (Creating|Certificate Request|Certificate for|Downloaded|Using env)",
    r"Unscheduling|Creating state file",
    r"^Notice: (Requesting|Catalog compiled by|Applied catalog)",
    r"^Info: (Caching catalog|Applying configuration)",
    r"^Notice: /File\[/var/cache/puppet/|^Notice: (Class|Stage)\[",
)
"""What Puppet does that reseal does not, or that has a time or an address in it."""


def said(text: str) -> list[str]:
    """Return what two agents are to say alike."""
    found = []
    for line in text.splitlines():
        if line.strip() and not any(re.search(sign, line) for sign in LEFT_OUT):
            kept = re.sub(r"/tmp/puppet-file\S+", "/tmp/t/a", line)
            if not re.match(r"(---|\+\+\+) ", kept):
                found.append(kept.rstrip().removesuffix(" (corrective)"))
    return found


def reset(site: Site, host: str) -> None:
    """Bring a host to where no agent has been."""
    script = (
        f"systemctl disable --now t-good; rm -rf /tmp/t; printf '{SERVICE}' >{UNIT}"
    )
    site.on(host, f"{script}; systemctl daemon-reload; echo x >/tmp/gone", check=False)


def manifest(site: Site, content: str) -> None:
    path = site.root("puppet") / f"{CODE[1:]}/manifests/site.pp"
    path.write_text(MANIFEST.replace("CONTENT", content))


def run(site: Site, host: str, agent: str, more: str = "") -> tuple[int, list[str]]:
    command = f"{agent} --test --color=false {more} 2>&1; echo exit $?"
    *lines, code = site.text(host, command).splitlines()
    return int(code.split()[1]), said("\n".join(lines))


def summary_of(site: Site, host: str) -> dict[str, set[str]]:
    """Return what the summary of the last run has, but for how long what took."""
    told = yaml.safe_load(site.text(host, f"cat {SUMMARY}"))
    assert told["time"]["last_run"] > time.time() - 600
    return {name: {*part} for name, part in told.items() if name != "time"}


def three_runs(site: Site, host: str, agent: str) -> list[tuple[int, list[str]]]:
    reset(site, host)
    manifest(site, "a")
    found = [run(site, host, agent, "--noop"), run(site, host, agent)]
    found.append(run(site, host, agent))
    manifest(site, "b")
    return [*found, run(site, host, agent)]


@on_sites(SMALL8)
def test_runs_are_told_as_puppet_tells_them(site: Site) -> None:
    host = site.agents[0].name
    site.on(host, "systemctl stop puppet")
    site.on("puppet", PREPARE.read_text())
    install(site, host)
    theirs = three_runs(site, host, "puppet agent")
    shape = summary_of(site, host)
    ours = three_runs(site, host, "reseal agent")
    assert summary_of(site, host) == shape
    for mine, real in zip(ours, theirs, strict=True):
        apart = set(mine[1]) ^ set(real[1])
        assert not apart, "\n".join(["ours:", *mine[1], "Puppet's:", *real[1]])
        assert mine[0] == real[0]
    files = "cat /tmp/t/a /tmp/t/src /tmp/t/log; stat -c '%a %U %n' /tmp/t /tmp/t/src"
    wanted = "b\nhello\nrefreshed\nrefreshed\n750 root /tmp/t\n644 daemon /tmp/t/src"
    assert site.text(host, files) == wanted
    assert site.text(host, "test -e /tmp/gone -o -e /tmp/t/after; echo $?") == "1"

    again = "systemctl is-active t-good; systemctl is-enabled t-good"
    assert site.text(host, again).split() == ["active", "enabled"]
    (root := site.root("puppet")).joinpath(f"{CODE[1:]}/manifests/site.pp").write_text(
        "package { 'curl': ensure => absent }  cron { 'x': command => 'y' }"
    )
    assert root
    code, lines = run(site, host, "reseal agent")
    assert code == 6
    assert "Notice: /Stage[main]/Main/Package[curl]/ensure: removed" in lines
    cron = "Error: /Stage[main]/Main/Cron[x]: Could not evaluate:"
    assert f"{cron} reseal has no type 'cron'" in lines
    assert site.on(host, "command -v curl", check=False).returncode != 0


@on_sites(SMALL7, SMALL8)
def test_a_node_waits_runs_and_reports_and_puppet_goes_on(site: Site) -> None:
    agent = site.agents[0]
    site.on(agent.name, "systemctl stop puppet")
    install(site, agent.name)
    path = site.root("puppet") / f"{CODE[1:]}/manifests/site.pp"
    site.on("puppet", f"mkdir -p {CODE}/manifests")
    path.write_text("file { '/tmp/whole': content => $facts['resealversion'] }")
    site.on("puppet", "puppet config set reports store --section server")
    site.on("puppet", "systemctl reload puppetserver", timeout=300)
    site.on(agent.name, "rm -rf /var/lib/puppet/ssl")
    site.on("puppet", f"puppetserver ca clean --certname {agent.fqdn}")

    log = "/root/agent.log"
    start = (
        f"(reseal agent --test --waitforcert 2; echo exit $?) >{log} 2>&1 </dev/null &"
    )
    site.on(agent.name, start)
    limit = time.monotonic() + 60
    while "has not been signed yet" not in site.text(agent.name, f"cat {log}"):
        assert time.monotonic() < limit, site.text(agent.name, f"cat {log}")
        time.sleep(0.3)
    site.on("puppet", f"puppetserver ca sign --certname {agent.fqdn}")
    wait = f"for i in $(seq 300); do grep -q ^exit {log} && break; sleep 0.1; done"
    told = site.text(agent.name, f"{wait}; cat {log}")
    assert told.endswith("exit 2"), told
    assert site.text(agent.name, "cat /tmp/whole")
    listed = "--server_list puppet.lab.test:1,puppet.lab.test:8140"
    code, lines = run(site, agent.name, "reseal agent", listed)
    assert code == 0, lines
    assert lines[0].startswith("Warning: Unable to connect to server from server_list")
    last = yaml.safe_load(site.text(agent.name, f"cat {REPORT}"))
    assert last["host"] == agent.fqdn
    reports = f"ls /var/lib/puppetserver/reports/{agent.fqdn}"
    assert site.text("puppet", reports), "Puppet Server has kept none"
    after = "puppet agent --test --color=false 2>&1; echo exit $?"
    real = site.text(agent.name, after)
    assert real.endswith("exit 0"), real
    assert "Creating a new" not in real
