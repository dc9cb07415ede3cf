"""A server from its first look at the CA to its end.

Guarantee: what needs root is done first; requests are answered as the user that
puppet.conf names, when root starts the server.
"""

from __future__ import annotations

import os
import pwd
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from math import ceil

from reseal import files
from reseal.audit import Sink, auditing
from reseal.ca.authority import load
from reseal.ca.create import Order, service_owner, set_up
from reseal.ca.ownhost import provide_host
from reseal.ca.refresh import refresh_lists
from reseal.cli.serverlog import inform, notice, say_deed, warn
from reseal.clock import SystemClock
from reseal.errors import ResealError
from reseal.primary.options import data_of
from reseal.primary.protocol import Primary
from reseal.server.balance import Place
from reseal.server.config import Config
from reseal.server.handlers import Api
from reseal.server.linelog import LineLog
from reseal.server.listener import Listener
from reseal.server.office import Office
from reseal.server.options import Options
from reseal.server.supervisor import Generation, Supervisor
from reseal.server.tls import Contexts
from reseal.server.worker import Strings, work
from reseal.settings import PuppetSettings
from reseal.store import open_cadir

_DAILY = timedelta(days=1)
_AGAIN = timedelta(minutes=10)
_CLOCK = SystemClock()


class Server:
    """Serves a CA with settings that may be read again."""

    def __init__(self, load_settings: Callable[[], Config]) -> None:
        """Prepare to serve; `load_settings` reads every file anew."""
        self._load_settings = load_settings

    def run(self) -> None:
        """Serve until a signal ends it.

        Raises:
            ResealError: The server could not be started.
        """
        config = self._load_settings()
        _make_logs(config)
        _make_data(config)
        with _audited(config):
            _provide(config.puppet)
        Supervisor(
            self._generation,
            bound=lambda: _become(config.puppet),
            started=_say_started,
        ).run()

    def _generation(self) -> Generation:
        config = self._load_settings()
        for text in config.warnings:
            warn(text)
        _look(config)
        return Generation(
            config.options.listener,
            lambda listening, strings: _serve(config, listening, strings),
            lambda: _care(config),
        )


def _say_started(port: int) -> None:
    inform(f"answering on port {port}")
    notice(f"Starting Puppet master {Options().puppet_version}")


def _make_logs(config: Config) -> None:
    """Make the log files, for the user who will add to them."""
    owner = service_owner(config.puppet)
    for path in (config.options.listener.access_log, config.options.listener.audit_log):
        if path is not None:
            LineLog(path).close()
            if owner is not None:
                os.chown(path, *owner)


def _make_data(config: Config) -> None:
    """Make the directory for what is kept of nodes, for the user who keeps it."""
    if config.options.primary.serves_runs:
        root = data_of(config.options.primary, config.puppet)
        files.make_directory(root, mode=0o750, owner=service_owner(config.puppet))


def _provide(settings: PuppetSettings) -> None:
    """Make a CA if there is none, and a certificate for its host."""
    if not (settings.cadir / "ca_crt.pem").exists():
        made = set_up(settings, Order(key=f"rsa:{settings.keylength}"), _CLOCK)
        notice(f"Generation succeeded. Find your files in {settings.cadir}")
        if made.server_certificate is not None:
            return
    authority = load(settings.cadir, open_cadir(settings.cadir))
    if provide_host(authority, settings, _CLOCK) is not None:
        notice(f"Signed certificate request for {settings.certname}")


def _become(settings: PuppetSettings) -> None:
    """Give root's rights up for those of Puppet's user."""
    if os.geteuid() != 0:
        return
    owner = service_owner(settings)
    if owner is None:
        warn(f"there is no user {settings.user!r}: requests are answered as root")
        return
    user, group = owner
    os.initgroups(pwd.getpwuid(user).pw_name, group)
    os.setgid(group)
    os.setuid(user)


def _look(config: Config) -> None:
    """Read everything that a worker will need; ResealError if it cannot be served."""
    load(config.puppet.cadir, open_cadir(config.puppet.cadir))
    if config.options.listener.tls:
        Contexts(config.tls)


def _serve(config: Config, listening: socket.socket, strings: Strings) -> None:
    """Serve in a worker."""
    with _audited(config):
        work(lambda place: _listener(config, place), listening, strings)


def _listener(config: Config, place: Place) -> Listener:
    """Return what a worker serves; bounds of the whole server are shared by all."""
    limits = config.options.listener
    workers = limits.workers or os.cpu_count() or 1
    at_once = ceil(config.options.ca.autosign_at_once / workers)
    options = replace(config.options.ca, autosign_at_once=at_once)
    cadir = config.puppet.cadir
    store = open_cadir(cadir, serials=options.serials)
    primary = _primary(config) if config.options.primary.serves_runs else None
    office = Office(cadir, store, options, _CLOCK)
    return Listener(
        Api(office, config.options.rules, primary),
        config.options,
        Contexts(config.tls, lambda: office.own) if limits.tls else None,
        _CLOCK,
        LineLog(limits.access_log) if limits.access_log else None,
        place,
    )


def _primary(config: Config) -> Primary | None:
    """Return what answers nodes; its modules are loaded only where it is wanted."""
    from reseal.primary.make import make_primary

    return make_primary(
        config.options.primary, config.puppet, lambda: _client(config), _CLOCK
    )


def _client(config: Config) -> ssl.SSLContext:
    """Return TLS for a server behind this one: by the site's CA, as this host."""
    context = ssl.create_default_context(cafile=str(config.tls.localcacert))
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT  # an old root has no key id
    context.load_cert_chain(config.tls.hostcert, config.tls.hostprivkey)
    return context


def _care(config: Config) -> float:
    """Renew lists that end soon, and tell of what cannot be renewed here.

    Returns:
        Seconds until it is to be done again.
    """
    try:
        authority = load(config.puppet.cadir, open_cadir(config.puppet.cadir))
        with _audited(config):
            found = refresh_lists(authority, _CLOCK)
    except ResealError as error:
        warn(f"the CA could not be looked after: {error}")
        return _AGAIN.total_seconds()
    for name in found.renewed:
        notice(f"The revocation list of {name} was about to end and was renewed")
    for each in found.ending:
        verb = "ended" if each.end <= _CLOCK.now() else "ends"
        warn(f"{each.what} {verb} on {each.end:%Y-%m-%d}, and is not renewed here")
    return _DAILY.total_seconds()


@contextmanager
def _audited(config: Config) -> Iterator[None]:
    path = config.options.listener.audit_log
    sink: Sink = LineLog(path, durable=True) if path else say_deed
    with auditing(sink, _CLOCK):
        yield
