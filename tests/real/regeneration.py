"""What the tests of `reseal site` look at on a real site.

A `Deployment` is a lab site with a site file and a place for runs.  What it tells
is read with openssl, find and sha256sum, never with reseal's own eyes.
"""

from __future__ import annotations

import json
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labsite import Completed, Site

_FILES = r"""
for dir in {dirs}; do
    find "$dir" -printf '%p %y %m %U:%G %l\n'
    find "$dir" -type f -exec sha256sum {{}} +
done | sort
"""

_REFUSED = r"""
cd /var/backups/reseal/*/tree/var/lib/puppet/ssl || exit 9
timeout 20 openssl s_client -connect {server}:8140 -quiet -no_ign_eof \
    -cert certs/$(hostname).lab.test.pem -key private_keys/$(hostname).lab.test.pem \
    2>&1 <<EOF
GET /puppet-ca/v1/certificate/ca?environment=production HTTP/1.0

EOF
"""


@dataclass(frozen=True, slots=True)
class Deployment:
    """A lab site as `reseal site` sees it.

    Attributes:
        site: The lab's site.
        here: Where the site file and the runs lie.
    """

    site: Site
    here: Path

    @property
    def site_file(self) -> Path:
        """The site file."""
        return self.here / "site.toml"

    def describe(self, **changes: str) -> None:
        """Write the site file; `changes` are more lines for a host's table."""
        text = f'[ssh]\nconfig = "{self.site.ssh_config}"\n'
        for host in self.site.hosts:
            text += f'\n[[node]]\ncertname = "{host.fqdn}"\n'
            if host.role == "server":
                text += 'roles = ["ca", "server", "agent"]\n'
            text += changes.get(host.name, "")
        self.site_file.write_text(text)

    def words(self, verb: str, *more: str) -> list[str]:
        """Return the command line of a verb of `reseal site`."""
        words = ["site", verb, *more]
        if verb in ("survey", "plan", "regenerate"):
            words += ["--site", str(self.site_file)]
        if verb not in ("survey", "plan"):
            words += ["--runs", str(self.here / "runs")]
        return words

    def reseal(self, verb: str, *more: str, code: int = 0) -> Completed:
        """Run a verb of `reseal site`; it must end with `code`."""
        done = self.site.reseal(*self.words(verb, *more))
        assert done.returncode == code, f"{verb}:\n{done.stdout}\n{done.stderr}"
        return done

    def kill_at(
        self, event: str, step: str, verb: str = "regenerate", *more: str
    ) -> None:
        """Regenerate, and kill reseal with SIGKILL once a step is begun or done.

        Args:
            event, step: When.
            verb: `resume`, to go on with the only run there is.
            more: Options of the verb.
        """
        log = self.here / "killed.log"
        earlier = 0 if verb == "resume" else len(self.journals())
        words = self.words(verb, *more, *(["--yes"] if verb != "resume" else []))
        with self.site.spawn(*words, log=log) as process:
            try:
                self.wait_for(event, step, process, earlier)
            finally:
                process.send_signal(signal.SIGKILL)
        assert process.returncode == -signal.SIGKILL, log.read_text()

    def wait_for(
        self,
        event: str,
        step: str,
        process: subprocess.Popen[bytes],
        earlier: int = 0,
    ) -> None:
        """Wait until a run after the first `earlier` ones has begun or done a step."""
        wanted = {"event": event, "step": step}
        end = time.monotonic() + 300
        while time.monotonic() < end and process.poll() is None:
            lines = [line for run in self.journals()[earlier:] for line in run]
            if any(wanted.items() <= line.items() for line in lines):
                return
            time.sleep(0.05)
        raise AssertionError(f"{step} was never {event}")

    def journals(self) -> list[list[dict[str, Any]]]:
        """Return the lines of every run's journal."""
        paths = sorted((self.here / "runs").glob("*/journal.jsonl"))
        return [
            [
                json.loads(line)
                for line in path.read_text().splitlines()
                if line[-1:] == "}"
            ]
            for path in paths
        ]

    def files(self) -> dict[str, str]:
        """Return every file of every ssldir and the cadir: names, modes, hashes."""
        found = {}
        for host in self.site.hosts:
            dirs = [self.site.ssldir]
            if host.role == "server" and not self.site.cadir.startswith(dirs[0]):
                dirs.append(self.site.cadir)
            script = _FILES.format(dirs=" ".join(dirs))
            found[host.name] = self.site.text(host.name, script)
        return found

    def fingerprints(self) -> dict[str, str]:
        """Return the SHA-256 of each host's certificate."""
        return {host.name: self.fingerprint(host.name) for host in self.site.hosts}

    def fingerprint(self, host: str) -> str:
        """Return the SHA-256 of a host's certificate."""
        path = f"{self.site.ssldir}/certs/{self.site.fqdn(host)}.pem"
        return self.site.text(
            host, f"openssl x509 -noout -fingerprint -sha256 -in {path}"
        )

    def serials(self) -> set[int]:
        """Return the serial numbers in the CA's inventory."""
        text = self.site.text(
            "puppet", f"cut -d' ' -f1 {self.site.cadir}/inventory.txt"
        )
        return {int(word, 16) for word in text.split()}

    def old_certificate_answer(self, host: str) -> str:
        """Return what the server answers to a host's certificate in the backup."""
        script = _REFUSED.format(server=self.site.fqdn("puppet"))
        return self.site.on(host, script, check=False).stdout

    def signed(self, name: str) -> bool:
        """Tell whether the CA has a certificate of that name."""
        path = f"{self.site.cadir}/signed/{name}.pem"
        return self.site.on("puppet", f"test -e {path}", check=False).returncode == 0

    def units(self) -> dict[str, str]:
        """Return whether each host's agent is active."""
        ask = "systemctl is-active puppet || true"
        return {host.name: self.site.text(host.name, ask) for host in self.site.hosts}
