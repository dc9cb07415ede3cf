"""What the rules look at: a request, and what the site allows.

Sources: Puppet Server, `ca.conf`; Puppet 5.5, `puppet cert help`.
"""

from __future__ import annotations

from dataclasses import dataclass

from reseal.x509 import certexts, oids
from reseal.x509.certexts import Extension
from reseal.x509.csr import Request


@dataclass(frozen=True, slots=True)
class Rules:
    """What the site allows.

    Attributes:
        ruby: Judge as `puppet cert` did, not as Puppet Server.
        allow_subject_alt_names: Requests may ask for further names.
        allow_authorization_extensions: Requests may ask for `pp_auth_role` and the
            like; never for `pp_cli_auth` over HTTP.
        allow_weak_keys: RSA keys under 2048 bits, as Puppet does.
        allow_weak_digests: Requests signed over MD5 or SHA-1, as Puppet does.
        own_certname: The CA's own host; to the Ruby CA its names are always allowed.
    """

    ruby: bool = False
    allow_subject_alt_names: bool = False
    allow_authorization_extensions: bool = False
    allow_weak_keys: bool = False
    allow_weak_digests: bool = True
    own_certname: str = ""


@dataclass(frozen=True, slots=True)
class Case:
    """A request, the certname it is to be signed for, and what the site allows."""

    request: Request
    name: str
    rules: Rules

    @property
    def extensions(self) -> tuple[Extension, ...]:
        """What is asked for; Puppet Server does not read Microsoft's attribute."""
        hidden = self.request.microsoft and not self.rules.ruby
        return () if hidden else self.request.extensions

    @property
    def alt_names(self) -> tuple[str, ...]:
        """Alternative names asked for, as text, in the request's order."""
        return certexts.alt_names(self.extensions)


def is_own_name(name: str) -> bool:
    """Say whether a name is the CA's own, under which Puppet keeps its certificate."""
    return name == "ca"


def is_san(extension: Extension) -> bool:
    """Say whether an extension is a subjectAltName."""
    return extension.oid == oids.SUBJECT_ALT_NAME
