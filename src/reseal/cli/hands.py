"""The two ways to change a CA: by hand, or by asking the server that runs it.

Guarantee: while a Puppet Server runs the CA, its files are never changed behind its
back.  Reading them is harmless, for both replace files whole.

Sources: puppetserver-ca-cli, `utils/http_client.rb` (`check_server_online`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from reseal.certname import Certname


@dataclass(frozen=True, slots=True)
class Allowances:
    """What a request may ask for beyond a name.

    Attributes:
        alt_names: Other names than its own.
        authorization: Extensions that other programs take as a permission.
    """

    alt_names: bool = False
    authorization: bool = False


class Hand(Protocol):
    """Changes a CA.  Every method raises when the CA refuses, and changes nothing."""

    def submit(self, certname: Certname, pem: bytes) -> None:
        """Leave a request with the CA."""

    def check(self, certname: Certname, allow: Allowances) -> None:
        """Raise if the request that waits under a name will not be signed.

        A CA that judges by itself may let it pass here and refuse it in `sign`.
        """

    def sign(self, certname: Certname, allow: Allowances) -> None:
        """Sign the request that waits under a name; the request is gone then."""

    def revoke(self, serials: Sequence[int]) -> None:
        """Put serial numbers on the CRL, those that are not on it."""

    def remove(self, certname: Certname) -> None:
        """Remove the certificate and the request of a name, as far as there are."""

    def reinventory(self) -> None:
        """Make the inventory of the current certificates alone."""
