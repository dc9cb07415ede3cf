"""The page followed line by line: with Puppet 5.5, and with reseal on its own site.

Each step's command is typed, and each of its promises held; both sites say and do the
same.  Sources: `tests/page/steps.py`, `tests/page/ssl_regenerate.md`.
"""

from __future__ import annotations

import re
import runpy
import shutil
from collections.abc import Mapping

import pytest
from hostinstall import install
from labsite import PROJECT, SMALL5, SMALL7, Site, on_sites

pytestmark = pytest.mark.real

STEPS = runpy.run_path(str(PROJECT / "tests/page/steps.py"))["STEPS"]
SSLDIR = "/var/lib/puppet/ssl"
CTRL_C = """
{command} >/root/page.log 2>&1 </dev/null & pid=$!
for i in $(seq 600); do grep -q '{until}' /root/page.log && break; sleep 0.1; done
kill -INT $pid
wait $pid
cat /root/page.log
grep -q '{until}' /root/page.log
"""
CATALOG = "resources: {file: {/tmp/page: {content: from the catalog}}}\n"
PUPPET_CONF = """[main]
server = puppet.lab.test
cadir = /var/lib/puppet/ssl/ca
keylength = 2048
waitforcert = 3
runinterval = 120
"""


def follow(site: Site, names: Mapping[str, str]) -> list[list[str]]:
    """Type every step of the page; return what the lists of certificates said."""
    told = {**names, "ssldir": SSLDIR, "node": site.agents[0].fqdn}
    hosts = {"server": "puppet", "agent": site.agents[0].name}
    lists: list[list[str]] = []
    for step in STEPS:
        command = fill(step.command, told)
        if re.match(rf"{names['tool']} (cert|agent) ", command):
            command += " --color=false"
        if step.until:
            command = CTRL_C.format(command=command, until=step.until)
        if step.part == "3.2":
            # What a run with the old certificate has left is no sign of the next one.
            site.on(hosts["agent"], "rm -f /tmp/page")
        done = site.on(hosts[step.host], f"{{ {command}\n}} 2>&1", check=False)
        where = f"{step.part} {fill(step.command, told)}:\n{done.stdout}{done.stderr}"
        if step.code is not None:
            assert done.returncode == step.code, where
        for pattern in step.says:
            said = re.search(fill(pattern, told), done.stdout, re.MULTILINE)
            assert said is not None, f"{pattern} is missing in {where}"
        if " cert list" in command:
            lists.append(listed(done.stdout))
    return lists


def fill(text: str, names: Mapping[str, str]) -> str:
    """Put names in; other braces stay as they are."""
    return re.sub(r"\{(\w+)\}", lambda found: names.get(found[1], found[0]), text)


def listed(said: str) -> list[str]:
    """Return the lines of a list of certificates, without what differs anyway.

    Requests of agents that renew by themselves, Puppet 8's and ours, are marked `**`.
    """
    lines = [x.removesuffix(" **") for x in said.splitlines() if "(SHA256)" in x]
    found = [re.sub(r"([0-9A-F]{2}:)+[0-9A-F]{2}", "DIGEST", line) for line in lines]
    return [
        re.sub(r" +", " ", re.sub(r" \(alt names:.*\)", "", line)) for line in found
    ]


def at_rest(site: Site, agent: str) -> None:
    """Hold that the agents' services run in the end, as they did in the beginning."""
    for host in ("puppet", site.agents[0].name):
        assert site.text(host, f"systemctl is-active {agent}") == "active"


def puppets(site: Site) -> None:
    """Give a site of Puppet's the catalog that the last promises are about."""
    code = "/etc/puppet/code/environments/production/manifests"
    text = "file { '/tmp/page': content => \"from the catalog\\n\" }"
    site.on("puppet", f"mkdir -p {code}")
    (site.root("puppet") / f"{code[1:]}/site.pp").write_text(text)


def reseals(site: Site) -> None:
    """Turn a site of Puppet's into one of reseal's own, server and agents."""
    agent, name = site.agents[0].name, site.agents[0].fqdn
    for host, more in (
        ("puppet", "dns_alt_names = puppet,puppet.lab.test\n"),
        (agent, ""),
    ):
        site.on(host, "systemctl disable --now puppet")
        install(site, host)
        unit = site.root(host) / "etc/systemd/system/reseal-agent.service"
        shutil.copy(PROJECT / "packaging/reseal-agent.service", unit)
        (site.root(host) / "etc/puppet/puppet.conf").write_text(PUPPET_CONF + more)
        site.on(host, f"rm -rf {SSLDIR}/*; systemctl daemon-reload")
    site.on("puppet", "systemctl disable --now puppetserver")
    site.on("puppet", "rm -r /etc/puppet/puppetserver")
    root = site.root("puppet") / "etc/puppet"
    (root / "reseal.toml").write_text('[primary]\ncatalogs = "static"\n')
    (root / "catalogs").mkdir()
    (root / "catalogs/default.yaml").write_text(CATALOG)
    site.on("puppet", "reseal cert list -a")
    site.on("puppet", "systemctl enable --now reseal-server reseal-agent", timeout=60)
    site.on(agent, "systemctl enable --now reseal-agent")
    waits = until(f"reseal cert list | grep -q {name}")
    site.on("puppet", f"{waits}; reseal cert sign {name}")
    site.on(agent, f"{until('test -e /tmp/page')}; rm /tmp/page")


def until(condition: str) -> str:
    """Return a script that waits for a condition, for a minute at most."""
    return f"for i in $(seq 300); do {condition} && break; sleep 0.2; done"


WANTED = [
    [],
    ['"new.agent1.lab.test" (SHA256) DIGEST'],
    ['"agent1.lab.test" (SHA256) DIGEST'],
    ['+ "agent1.lab.test" (SHA256) DIGEST', '+ "puppet.lab.test" (SHA256) DIGEST'],
]


def alike(lists: list[list[str]]) -> list[list[str]]:
    return [sorted(line.strip() for line in each) for each in lists]


@on_sites(SMALL5)
def test_the_page_holds_with_puppet_5(site: Site) -> None:
    puppets(site)
    names = {"tool": "puppet", "agent": "puppet", "server": "puppet-master"}
    assert alike(follow(site, names)) == WANTED
    at_rest(site, "puppet")


@on_sites(SMALL7)
def test_the_page_holds_with_reseal_in_puppets_place(serverless_site: Site) -> None:
    site = serverless_site
    reseals(site)
    names = {"tool": "reseal", "agent": "reseal", "server": "resealserver"}
    assert alike(follow(site, names)) == WANTED
    at_rest(site, "reseal")
