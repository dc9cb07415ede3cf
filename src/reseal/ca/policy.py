"""Judge a request: who may have a certificate, and with what in it.

Guarantee: only this module makes an `Approved`; a refusal lists every rule that was
broken, in the dialect's order, so that the first is the one Puppet would say.

Sources: Puppet Server, `certificate_authority.clj` (`ensure-subject-alternative-
names-allowed!` and what follows it); Puppet 5.5, `certificate_authority.rb`.
"""

from __future__ import annotations

from dataclasses import dataclass

from cryptography import x509

from reseal.ca.rules import Case, Rules, is_own_name, is_san
from reseal.ca.rulesets import OWN_NAME, RUBY, SERVER
from reseal.certname import Certname
from reseal.errors import InvalidCertname, PolicyError
from reseal.x509 import certexts, der, names, oids
from reseal.x509 import certificate as certs
from reseal.x509.certexts import Extension
from reseal.x509.csr import Request
from reseal.x509.keys import PublicKey


@dataclass(frozen=True, slots=True)
class Approved:
    """A request that may be signed; only `judge` and `vouch` make it.

    Attributes:
        certname: The node's name.
        subject: DER of the name the certificate will have.
        public_key: The node's.
        alt_names: DER of each subject alternative name, in order.
        extensions: Below Puppet's arc, their values UTF8Strings.
        auto_renew: The agent says that it renews its certificate by itself.
        kept: Every extension of the certificate that is renewed, in its order; the
            others are then not looked at.
    """

    certname: Certname
    subject: bytes
    public_key: PublicKey
    alt_names: tuple[bytes, ...] = ()
    extensions: tuple[Extension, ...] = ()
    auto_renew: bool = False
    kept: tuple[Extension, ...] = ()


def judge(request: Request, name: str, rules: Rules) -> Approved:
    """Decide whether a request may be signed for `name`.

    Args:
        request: As it was read.
        name: The certname; from the URL, the file's name or the command line.
        rules: What the site allows.

    Raises:
        PolicyError: It may not; every reason is listed, in the dialect's words.
    """
    case = Case(request, name, rules)
    table = RUBY if rules.ruby else SERVER
    faults = [fault for row in table if (fault := row.fault(case))]
    if faults:
        raise PolicyError(name, faults)
    renew = request.attribute(oids.PP_AUTH_AUTO_RENEW)
    return Approved(
        certname=Certname(name),
        subject=request.subject if rules.ruby else names.common_name(name),
        public_key=request.public_key,
        alt_names=_granted_names(case),
        extensions=tuple(_as_text(e) for e in case.extensions if not is_san(e)),
        auto_renew=renew is not None and renew.text == "true",
    )


def admit(request: Request, name: str, rules: Rules) -> None:
    """Hold a request that arrives to what no later decision could mend.

    Unlike `judge`, it lets through what an operator may still allow.

    Args:
        request: As it was read.
        name: The certname of the URL, not yet checked.
        rules: What the site allows.

    Raises:
        PolicyError: It is not to be kept; every reason is listed.
    """
    case = Case(request, name, rules)
    rows = (row for row in SERVER if row.arrival)
    if faults := [fault for row in rows if (fault := row.fault(case))]:
        raise PolicyError(name, faults)


def weaknesses(request: Request, name: str) -> tuple[str, ...]:
    """Return why a request would be refused where weak keys and digests are not."""
    case = Case(request, name, Rules(allow_weak_digests=False))
    rows = (row for row in SERVER if row.name in ("weak-key", "weak-digest"))
    return tuple(fault for row in rows if (fault := row.fault(case)))


def vouch(
    certname: Certname,
    public_key: PublicKey,
    alt_names: tuple[str, ...] = (),
    extensions: tuple[Extension, ...] = (),
) -> Approved:
    """Approve what the operator asks for at the CA's own host, without a request.

    Args:
        certname: The name.
        public_key: Made here, or read on the node itself.
        alt_names: `DNS:x` and `IP:y`, all of them.
        extensions: Below Puppet's arc; `pp_cli_auth` may be among them.

    Raises:
        PolicyError: The name is the CA's own.
    """
    refuse_own_name(certname)
    san = certexts.subject_alt_name(alt_names) if alt_names else None
    encoded = certexts.read_general_names(san) if san else ()
    subject = names.common_name(certname)
    return Approved(certname, subject, public_key, encoded, extensions)


def approve_renewal(certificate: x509.Certificate) -> Approved:
    """Approve the successor of a certificate that was proven to be this CA's.

    Raises:
        PolicyError: Its name is none that a node may have.
    """
    name = certs.common_name(certificate)
    try:
        certname = Certname(name)
    except InvalidCertname as error:
        raise PolicyError(name, [str(error)]) from None
    refuse_own_name(certname)
    return Approved(
        certname=certname,
        subject=certs.subject(certificate),
        public_key=certs.public_key(certificate),
        kept=certexts.extensions_of(certificate),
    )


def refuse_own_name(name: str) -> None:
    """Raise `PolicyError` if a node's name would take the CA's own place, `ca.pem`."""
    if is_own_name(name):
        raise PolicyError(name, [OWN_NAME.format(cn=name)])


def _granted_names(case: Case) -> tuple[bytes, ...]:
    """Return the names to write: Puppet Server sorts IP first and adds the certname."""
    found = certexts.find(case.extensions, oids.SUBJECT_ALT_NAME)
    asked = certexts.read_general_names(found) if found else ()
    if case.rules.ruby:
        return asked
    own = der.tlv(0x82, case.name.encode())
    kinds = {0x87: 0, 0x82: 1}
    ordered = sorted(asked, key=lambda name: kinds.get(name[0], 2))
    return (*ordered, *(() if own in ordered else (own,)))


def _as_text(extension: Extension) -> Extension:
    value = certexts.read_text(extension.value)
    return certexts.text_extension(extension.oid, value, extension.critical)
