"""Whether a Puppet Server runs the CA in a cadir.

puppet.conf says where the server is and where its CA is.  A cadir that the command
line names instead is, unless it also names a server, a copy or a new one that nobody
runs: what is done to it must not reach the live CA, and the other way round.

Sources: puppetserver-ca-cli, `utils/http_client.rb` (`check_server_online`).
"""

from __future__ import annotations

from collections.abc import Mapping

from reseal.cli.where import settings_for
from reseal.errors import AuthorityError
from reseal.settings import PuppetSettings


def runs_elsewhere(given: Mapping[str, str | None]) -> bool:
    """Say whether the command line names a cadir that is not the server's.

    Args:
        given: Puppet's settings from the command line, as `settings_for` takes them.
    """
    if given.get("ca_server") is not None:
        return False
    places = ("cadir", "ssldir")
    usual = settings_for({k: v for k, v in given.items() if k not in places})
    return settings_for(given).cadir.resolve() != usual.cadir.resolve()


def is_served(settings: PuppetSettings, given: Mapping[str, str | None]) -> bool:
    """Say whether a server runs the CA of these settings.

    Raises:
        AuthorityError: A server answers but is not ready.
    """
    # An HTTP client takes long to load, and verbs that only look need none.
    from reseal.cli.remote_ca import is_running

    return not runs_elsewhere(given) and is_running(settings)


def refuse_served(settings: PuppetSettings, given: Mapping[str, str | None]) -> None:
    """Raise `AuthorityError` if a server runs the CA of these settings."""
    if is_served(settings, given):
        raise AuthorityError(
            "Puppetserver service is running",
            hint="stop it before attempting to run this command",
        )
