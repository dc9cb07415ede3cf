"""One run of a node: certificate, facts, catalog, resources, report.

Guarantee: of Puppet's agent and ours one runs at a time; without a catalog nothing is
changed; a report is sent of every run that had a server.

Sources: Puppet 8, `agent.rb`, `configurer.rb` (order, messages), `agent/locker.rb`,
`agent/disabler.rb`.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlencode

from reseal import files
from reseal.agent.catalog import BadCatalog, Catalog, parse_catalog
from reseal.agent.clientbucket import ClientBucket
from reseal.agent.enrolment import Enrolment
from reseal.agent.facts import facts_of
from reseal.agent.host import Host
from reseal.agent.lock import Held, pid_lock
from reseal.agent.regular import ROOT
from reseal.agent.remote import NoConnection, Remote, Trust
from reseal.agent.report import Report
from reseal.agent.resources.model import Level, Log
from reseal.agent.servers import Servers
from reseal.agent.settings import AgentSettings
from reseal.agent.sources import API, ServerSources
from reseal.agent.transaction import Transaction
from reseal.clock import Clock
from reseal.errors import NotFound, ResealError, StoreError
from reseal.wire import JSON, Request

_RICH = "application/vnd.puppet.rich+json"
_ROUNDS = 4
"""How often the server may send a node to another environment."""


class NoRun(ResealError):
    """There was no run, and why; nothing was changed."""


class NoServer(ResealError):
    """None of the listed servers serves; nothing was changed."""


@dataclass
class Run:
    """A run of a node.

    Attributes:
        settings: The node's.
        host: The machine.
        node: Its way to its certificate, and its files.
        log: Takes what is told.
        clock: The time now.
        stopped: Says whether to go no further.
    """

    settings: AgentSettings
    host: Host
    node: Enrolment
    log: Log
    clock: Clock
    stopped: Callable[[], bool] = lambda: False

    def run(self) -> Report:
        """Make a run; the node has its certificate.

        Raises:
            NoRun: Another one goes on, or runs are disabled.
            NoServer: None of the listed servers serves.
            StoreError: The node's own files cannot be written.
        """
        self._check_enabled()
        _make(self.settings.statedir)
        path = self.settings.agent_catalog_run_lockfile
        text = (
            "Run of Puppet configuration client already in progress; skipping  "
            f"({path} exists)"
        )
        try:
            with pid_lock(path, text):
                return self._locked()
        except Held as error:
            raise NoRun(str(error), hint=error.hint) from None

    def _locked(self) -> Report:
        told = self.settings
        report = Report(
            host=told.certname,
            time=self.clock.now(),
            uuid=str(uuid.uuid4()),
            environment=told.environment,
            configured=told.environment,
            noop=told.noop,
        )
        log = self._recording(report)
        servers = Servers(told.servers, self.node.trust_files, log)
        try:
            remote = self._remote(servers, report)
            log("info", "", f"Using environment '{told.environment}'")
            catalog = self._catalog(remote, report, log)
            if catalog is None:
                report.failed = True
            else:
                report.catalog = catalog
                self._apply(catalog, remote, report, log)
            self._report(remote, report)
        finally:
            servers.close()
        return report

    def _remote(self, servers: Servers, report: Report) -> Remote:
        try:
            remote = servers.found(Trust.MUTUAL)
        except NoConnection as error:
            text = f"Could not run Puppet configuration client: {error}"
            raise NoServer(text, hint=error.hint) from None
        if self.settings.servers.listed:
            report.server_used = f"{remote.host}:{remote.port}"
        return remote

    def _recording(self, report: Report) -> Log:
        def log(level: Level, source: str, message: str) -> None:
            self.log(level, source, message)
            if level != "hint":
                report.logs.append((level, source, message, self.clock.now()))

        return log

    def _catalog(self, remote: Remote, report: Report, log: Log) -> Catalog | None:
        """Fetch the catalog, in the environment where the server wants the node."""
        begun = time.monotonic()
        log("info", "", "Loading facts")
        told = self.settings
        facts = facts_of(
            self.host,
            told.certname,
            self.clock.now(),
            noop=told.noop,
            server=remote.host,
        )
        report.seconds["fact_generation"] = round(time.monotonic() - begun, 6)
        begun = time.monotonic()
        for _ in range(_ROUNDS):
            found = self._fetched(remote, facts, report, log)
            if found is None or found.environment in ("", report.environment):
                report.seconds["config_retrieval"] = round(time.monotonic() - begun, 6)
                return found
            text = (
                f"Local environment: '{report.environment}' doesn't match server "
                f"specified environment '{found.environment}', restarting agent run "
                f"with environment '{found.environment}'"
            )
            log("notice", "", text)
            report.environment = found.environment
        text = f"Catalog environment didn't stabilize after {_ROUNDS} fetches"
        log("err", "", f"{text}, aborting run")
        return None

    def _fetched(
        self, remote: Remote, facts: dict[str, object], report: Report, log: Log
    ) -> Catalog | None:
        name = self.settings.certname
        log("notice", "", f"Requesting catalog from {remote.host}:{remote.port}")
        form = {
            "environment": report.environment,
            "configured_environment": self.settings.environment,
            "facts_format": JSON,
            "facts": quote(json.dumps(facts), safe=""),
            "transaction_uuid": report.uuid,
            "static_catalog": "false",
            "checksum_type": "sha256",
            "check_environment": "true",
        }
        path = f"{API}/catalog/{quote(name, safe='')}"
        target = f"{path}?{urlencode({'environment': report.environment})}"
        headers = {
            "Accept": f"{_RICH}, {JSON}",
            "Content-Type": "application/x-www-form-urlencoded",
            "X-Puppet-Version": "8.10.0",
        }
        try:
            asked = Request("POST", target, urlencode(form).encode(), headers)
            answer = remote.ask(asked, Trust.MUTUAL)
            if answer.response.status != 200:
                status, said = answer.response.status, answer.response.text[:2000]
                raise BadCatalog(f"Error {status} on SERVER: {said}")
            found = parse_catalog(answer.response.body)
        except (NoConnection, BadCatalog) as error:
            log("err", "", f"Could not retrieve catalog from remote server: {error}")
            if error.hint:
                log("hint", "", error.hint)
            log("err", "", "Could not retrieve catalog; skipping run")
            return None
        compiler = answer.response.headers.get("x-puppet-compiler-name")
        if compiler:
            log("notice", "", f"Catalog compiled by {compiler}")
        return found

    def _apply(
        self, catalog: Catalog, remote: Remote, report: Report, log: Log
    ) -> None:
        if not self.settings.noop:
            log("info", "", f"Caching catalog for {catalog.name}")
            directory = self.settings.client_datadir / "catalog"
            _keep(directory / f"{self.settings.certname}.json", catalog.raw)
        log("info", "", f"Applying configuration version '{catalog.version}'")
        begun = time.monotonic()
        transaction = Transaction(
            catalog=catalog,
            host=self.host,
            sources=ServerSources(remote, report.environment),
            bucket=ClientBucket(self.settings.clientbucketdir),
            log=log,
            clock=self.clock,
            noop=self.settings.noop,
            show_diff=self.settings.show_diff,
            stopped=self.stopped,
        )
        try:
            transaction.run()
        except BadCatalog as error:
            log("err", "", f"Failed to apply catalog: {error}")
            report.failed = True
            return
        finally:
            report.statuses = list(transaction.statuses.values())
        seconds = time.monotonic() - begun
        report.seconds["catalog_application"] = round(seconds, 6)
        log("notice", "", f"Applied catalog in {seconds:.2f} seconds")
        classes = "".join(f"{each}\n" for each in catalog.classes)
        _keep(self.settings.classfile, classes.encode())

    def _report(self, remote: Remote, report: Report) -> None:
        """Keep the report, and send it; that neither can be done fails no run."""
        try:
            _keep(self.settings.lastrunreport, report.encode_yaml())
            summary = report.encode_summary(self.clock.now())
            _keep(self.settings.lastrunfile, summary)
        except StoreError as error:
            self.log("err", "", f"Could not save last run local report: {error}")
        if not self.settings.report:
            return
        name = quote(self.settings.certname, safe="")
        query = urlencode({"environment": report.environment})
        headers = {"Accept": JSON, "Content-Type": JSON, "X-Puppet-Version": "8.10.0"}
        put = Request("PUT", f"{API}/report/{name}?{query}", report.encode(), headers)
        try:
            answer = remote.ask(put, Trust.MUTUAL)
        except NoConnection as error:
            self.log("err", "", f"Could not send report: {error}")
            return
        if answer.response.status != 200:
            status, said = answer.response.status, answer.response.text[:300]
            text = f"Could not send report: Error {status} on SERVER: {said}"
            self.log("err", "", text)

    def _check_enabled(self) -> None:
        try:
            told = files.read(self.settings.agent_disabled_lockfile)
        except NotFound:
            return
        try:
            reason = json.loads(told)["disabled_message"]
        except (ValueError, KeyError, TypeError):
            reason = "reason not specified"
        text = (
            "Skipping run of Puppet configuration client; administratively disabled "
            f"(Reason: '{reason}');\nUse 'puppet agent --enable' to re-enable."
        )
        raise NoRun(text, hint="or: reseal agent --enable")


def disable(settings: AgentSettings, reason: str) -> None:
    """Have no more runs made, Puppet's or ours."""
    told = json.dumps({"disabled_message": reason or "reason not specified"})
    _keep(settings.agent_disabled_lockfile, told.encode())


def enable(settings: AgentSettings) -> None:
    """Have runs made again."""
    settings.agent_disabled_lockfile.unlink(missing_ok=True)


def _keep(path: Path, data: bytes) -> None:
    _make(path.parent)
    files.replace(path, data, mode=0o640, owner=ROOT, follow=False)


def _make(directory: Path) -> None:
    for each in [*reversed(directory.parents), directory]:
        if not each.is_dir():
            files.make_directory(each, mode=0o755, owner=ROOT)
