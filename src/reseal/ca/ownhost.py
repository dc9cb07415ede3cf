"""The certificate of the CA's own host, when the CA is there and it is not.

Guarantee: a certificate or key that exists is never replaced.

Sources: Puppet Server, `certificate_authority.clj` (`initialize-master-ssl!`); Puppet
5.5, `ssl/host.rb` (what a master makes when it starts).
"""

from __future__ import annotations

from cryptography import x509

from reseal.ca.authority import Authority
from reseal.ca.create import Order, host_key, server_leaf, write_host
from reseal.ca.profile import Profile, puppet_values
from reseal.ca.setup import server_names
from reseal.ca.sign import generate
from reseal.clock import Clock
from reseal.errors import AuthorityError, NotFound
from reseal.settings import PuppetSettings
from reseal.x509 import certificate as certs
from reseal.x509 import keys, oids
from reseal.x509.keys import PrivateKey


def provide_host(
    authority: Authority, settings: PuppetSettings, clock: Clock
) -> x509.Certificate | None:
    """Give the host its certificate, and what goes with it, if it has none.

    Args:
        authority: The CA on this host.
        settings: Where the host's files are, and its names.
        clock: The time now.

    Returns:
        The certificate that was put in place; None if there was one.

    Raises:
        AuthorityError: The CA has one for this name, and its key is not here.
    """
    if settings.hostcert.exists():
        return None
    host = host_key(settings, settings.key_kind)
    try:
        found = authority.store.get(settings.certname)
    except NotFound:
        found = _issue(authority, settings, host, clock)
    if not keys.same_key(certs.public_key(found), host.public_key()):
        name = settings.certname
        raise AuthorityError(
            f"{name}: has a certificate whose key is not at {settings.hostprivkey}",
            hint=f"put the key back, or give the name up: reseal cert clean {name}",
        )
    write_host(
        settings,
        host,
        certificate=found,
        bundle_pem=authority.store.bundle(),
        crl_pem=authority.store.crls(),
    )
    return found


def _issue(
    authority: Authority, settings: PuppetSettings, host: PrivateKey, clock: Clock
) -> x509.Certificate:
    dialect = authority.layout.dialect
    leaf = server_leaf(settings, Order(), host)
    return generate(
        authority,
        settings.certname,
        leaf.public_key,
        profile=Profile(ttl=settings.ca_ttl, dialect=dialect),
        clock=clock,
        alt_names=server_names(leaf, dialect),
        extensions=puppet_values({oids.PP_CLI_AUTH: "true"}),
    )
