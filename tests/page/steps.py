"""The page `ssl_regenerate.md`, step by step, as commands and promises.

{tool} is `puppet`, or `reseal`; {agent} and {server} are the services' names, {ssldir}
Puppet's, {node} an agent's certname.  `tests/real/test_real_page.py` runs this file
where it stands, so that it imports nothing of the tests.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Step:
    """A step of the page.

    Attributes:
        part: Its number there.
        host: `server` or `agent`.
        command: What is typed; empty for a promise of the text alone.
        says: Patterns, each of which is in what is printed.
        code: The exit code; None for any.
        until: The command is ended with Ctrl-C once this is said.
    """

    part: str
    host: str
    command: str
    says: tuple[str, ...] = ()
    code: int | None = 0
    until: str = ""


def service(part: str, host: str, which: str, wanted: str) -> Step:
    """Return the step that starts or stops a service, from the other state."""
    was = {"running": "stopped", "stopped": "running"}[wanted]
    changed = f"Notice: /Service\\[.*\\]/ensure: ensure changed '{was}' to '{wanted}'"
    command = f"{{tool}} resource service {{{which}}} ensure={wanted}"
    return Step(part, host, command, (changed, f"ensure +=> '{wanted}'"))


ASKS = "{tool} agent --test --waitforcert 0"
ELSEWHERE = "--certname new.{node} --ssldir /var/tmp/new"
FAILED = "certificate verify failed"

STEPS = (
    Step("1.1", "server", "cp -a {ssldir} /root/ssl.before"),
    service("1.2", "server", "agent", "stopped"),
    service("1.3", "server", "server", "stopped"),
    Step("1.4", "server", "rm -r {ssldir}"),
    Step(
        "1.5",
        "server",
        "{tool} cert list -a",
        ("^Notice: Signed certificate request for ca$",),
    ),
    Step(
        "1.6",
        "server",
        "{tool} master --no-daemonize --verbose",
        ("Notice: Signed certificate request for puppet.lab.test",),
        None,
        "Notice: Starting Puppet master",
    ),
    service("1.8", "server", "server", "running"),
    service("1.9", "server", "agent", "running"),
    # "You have a brand new CA certificate and key."
    Step(
        "promise",
        "server",
        "! cmp -s {ssldir}/ca/ca_crt.pem /root/ssl.before/ca/ca_crt.pem && "
        "! cmp -s {ssldir}/ca/ca_key.pem /root/ssl.before/ca/ca_key.pem",
    ),
    # "Your Puppet master has a certificate from the new CA"
    Step(
        "promise",
        "server",
        "openssl verify -CAfile {ssldir}/ca/ca_crt.pem "
        "{ssldir}/certs/puppet.lab.test.pem",
        (": OK$",),
    ),
    # "reject any requests for configuration catalogs from nodes that haven't replaced
    # their certificates"
    Step("promise", "agent", ASKS, (FAILED,), 1),
    # "it can once again field new certificate requests"
    Step("promise", "agent", f"{ASKS} {ELSEWHERE}", ("Exiting",), 1),
    Step("promise", "server", "{tool} cert list", ('^  "new.{node}" +\\(SHA256\\) ',)),
    Step(
        "promise", "server", "{tool} cert clean new.{node}", ("^Notice: Removing file",)
    ),
    # "all of them except itself"
    Step("promise", "server", "{tool} agent --test", ("Applied catalog",), None),
    service("3.1", "agent", "agent", "stopped"),
    Step("3.2", "agent", "rm -r {ssldir}/*"),
    service("3.3", "agent", "agent", "running"),
    # "it will automatically generate keys and request a new certificate"
    Step(
        "promise",
        "server",
        "for i in $(seq 300); do {tool} cert list 2>&1 | grep -q {node} && break; "
        "sleep 0.2; done; {tool} cert list",
        ('^  "{node}" +\\(SHA256\\) ',),
    ),
    Step(
        "3.4",
        "server",
        "{tool} cert sign {node}",
        ("^Notice: Signed certificate request for {node}$",),
    ),
    # "it will fetch it automatically within a few minutes and begin a Puppet run"
    Step(
        "promise",
        "agent",
        "for i in $(seq 600); do test -e /tmp/page && break; sleep 0.2; done; "
        "cat /tmp/page",
        ("^from the catalog$",),
    ),
    Step(
        "promise",
        "agent",
        "openssl verify -CAfile {ssldir}/certs/ca.pem {ssldir}/certs/{node}.pem",
        (": OK$",),
    ),
    # "everything should now be back to normal and fully functional under the new CA"
    Step("promise", "agent", "{tool} agent --test", ("Applied catalog",), None),
    Step("promise", "server", "{tool} cert list -a", ('^\\+ "{node}" ',)),
)
