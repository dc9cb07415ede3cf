"""Exit codes, and which error has which.

Sources: Puppet 5.5, `application/cert.rb` (23 and 24); puppetserver-ca-cli (24 for
what was done in part).  The codes are described in docs/reference/exit-codes.md.
"""

from __future__ import annotations

from reseal.errors import Interrupted, ResealError, SettingsError, UsageError

DONE = 0
FAILED = 1
USAGE = 2
FINDINGS = PARTLY = 3
UNPROVEN = 4
CA_UNUSABLE = 23
CERT_FAILED = 24
INTERRUPTED = 130


def exit_code(error: ResealError) -> int:
    """Return the exit code of a command that ends with an error."""
    if isinstance(error, Interrupted):
        return INTERRUPTED
    return USAGE if isinstance(error, UsageError | SettingsError) else FAILED
