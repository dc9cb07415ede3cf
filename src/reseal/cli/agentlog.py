"""What an agent says, in Puppet's words and on Puppet's streams.

Sources: Puppet 8, `util/log/destinations.rb`.
"""

from __future__ import annotations

from reseal.agent.resources.model import Level, Log
from reseal.cli.output import Screen

UNSIGNED = (
    "Couldn't fetch certificate from CA server; you might still need to sign this "
    "agent's certificate ({0})."
)
"""What is said, without a label, before an agent gives up."""


def log_to(screen: Screen) -> Log:
    """Return a log that prints to a screen."""

    def log(level: Level, source: str, message: str) -> None:
        text = f"{source}: {message}" if source else message
        if level == "hint":
            screen.hint(text)
        elif level == "err":
            screen.error(text)
        elif level == "warning":
            screen.warning(text)
        elif level == "notice":
            screen.notice(text)
        elif level == "info":
            screen.info(text)

    return log
