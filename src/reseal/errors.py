"""Every error of reseal, in one tree.

A message says the object first, in the words of the trade, in lower case and
without a full stop (`web01: certificate has expired`).  The way out, where there
is one, stands in `hint`.  Only `reseal.cli` turns errors into exit codes.
"""

from __future__ import annotations

from collections.abc import Sequence


class ResealError(Exception):
    """An error to show to the operator.

    Attributes:
        hint: What to do about it, or None.
    """

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class FaultsError(ResealError):
    """Several faults of one input, reported at once.

    Attributes:
        faults: Each fault in a sentence of its own.
    """

    def __init__(
        self, subject: str, faults: Sequence[str], *, hint: str | None = None
    ) -> None:
        super().__init__(f"{subject}: {'; '.join(faults)}", hint=hint)
        self.faults = tuple(faults)


class UsageError(ResealError):
    """The command line asks for something that makes no sense."""


class SettingsError(FaultsError):
    """A settings or site file is wrong; faults name file and line."""


class InvalidCertname(ResealError):
    """A name that Puppet does not allow for a node."""


class ParseError(ResealError):
    """Bytes that are not what they should be: certificate, request, CRL, key."""


class InvalidRequest(FaultsError, ParseError):
    """A request that cannot be read; every reason is listed."""


class ChainInvalid(ResealError):
    """A certificate that must not be trusted.

    Attributes:
        reason: Why, in OpenSSL's words, as `certificate revoked`.
    """

    def __init__(self, subject: str, reason: str, *, hint: str | None = None) -> None:
        super().__init__(f"{subject}: {reason}", hint=hint)
        self.reason = reason


class UnsuitableKey(ResealError):
    """A key that is too weak, of the wrong kind, or unknown to a peer."""


class StoreError(ResealError):
    """The CA's files cannot be read or written."""


class StoreCorrupt(StoreError):
    """The CA's files contradict their format or each other."""


class StoreLocked(StoreError):
    """Another process holds the CA's files."""


class NotFound(StoreError):
    """No certificate, request or serial number of that name."""


class DuplicateCertificate(StoreError):
    """There is already a certificate or request of that name."""


class TooManyRequests(StoreError):
    """More requests wait for a signature than the CA is allowed to keep."""


class PolicyError(FaultsError):
    """A request that must not be signed; every reason is listed."""


class LintError(FaultsError):
    """A draft that breaks a cited rule; the CA's key was not used."""


class IssuanceError(ResealError):
    """A certificate could not be issued."""


class AuthorityError(ResealError):
    """A CA cannot be set up, imported, loaded or asked."""


class AuthorityExists(FaultsError, AuthorityError):
    """There are files of a CA already; each is named."""


class ServerRefused(AuthorityError):
    """A CA's HTTP API answered with an error.

    Attributes:
        status: The HTTP status.
    """

    def __init__(self, message: str, *, status: int, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.status = status


class CatalogError(ResealError):
    """There is no catalog for a node, or none can be made."""


class CatalogFaults(FaultsError, CatalogError):
    """Files that catalogs are made of are wrong; faults name file and line."""


class UnknownEnvironment(CatalogError):
    """There is no environment of that name."""


class TransportError(ResealError):
    """A node cannot be reached, or the way to it broke."""


class Unreachable(TransportError):
    """No connection to the node."""


class HostKeyRejected(TransportError):
    """The node's SSH host key is unknown or has changed."""


class AccessDenied(TransportError):
    """The node does not let us in, or not become root."""


class TimedOut(TransportError):
    """A command on a node took longer than its limit."""


class CommandFailed(TransportError):
    """A command on a node ended with an exit status that says failure."""


class SiteError(ResealError):
    """Something about the site as a whole stops the work."""


class PuppetEnterprise(SiteError):
    """The site is Puppet Enterprise; reseal changes nothing there."""


class PlanStale(SiteError):
    """The world is no longer what the plan was made for."""


class StepFailed(SiteError):
    """A step of a run could not be carried out or proven."""


class Interrupted(SiteError):
    """The operator stopped a run; it can be resumed or taken back."""


class JournalError(SiteError):
    """A run's directory is missing, unreadable or in use."""


class VerificationFailed(SiteError):
    """The proof at the end found something wrong."""
