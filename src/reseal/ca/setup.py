"""Make a new CA, as the tool of each layout would leave it.

`new_authority` is pure: it takes signers, whose keys may be on another machine, and
returns files without a private key among them.  Guarantee: every certificate was
drafted and linted before a CA's key was used.

Sources: puppetserver-ca-cli, `action/setup.rb` (chain); Puppet Server,
`certificate_authority.clj` (`generate-ssl-files!`, single); Puppet 5.5,
`ssl/certificate_authority.rb` (ruby).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from cryptography import x509

from reseal.ca.lint import lint
from reseal.ca.newca import Authorities, Leaf, NewAuthority, Shape
from reseal.ca.profile import (
    BACKDATE,
    CRL_LIFE,
    Dialect,
    ca_extensions,
    leaf_extensions,
    puppet_values,
)
from reseal.certname import Certname
from reseal.errors import AuthorityError
from reseal.store.protocol import InventoryRow
from reseal.x509 import bundle, crl, keys, names, oids
from reseal.x509.certificate import (
    Template,
    common_name,
    seal,
    subject,
    subject_key_id,
    tbs,
    to_pem,
)
from reseal.x509.crl import RevocationList
from reseal.x509.keys import Signer


@dataclass(frozen=True, slots=True)
class _Maker:
    """Signs the certificates of one new CA."""

    dialect: Dialect
    ttl: timedelta
    now: datetime

    def authority(
        self,
        name: str,
        signer: Signer,
        *,
        serial: int = 1,
        above: tuple[x509.Certificate, Signer] | None = None,
    ) -> x509.Certificate:
        issuer, issuer_signer = above or (None, signer)
        extensions = ca_extensions(
            self.dialect, name, signer.public_key, issuer, serial
        )
        template = Template(
            subject=name,
            issuer=subject(issuer) if issuer else names.common_name(name),
            issuer_key=issuer_signer.public_key,
            serial=serial,
            not_before=self.now - BACKDATE,
            not_after=self.now + self.ttl,
            public_key=signer.public_key,
            extensions=extensions,
        )
        return _sign(template, issuer_signer, issuer, ca=True)

    def server(
        self, leaf: Leaf, ca: x509.Certificate, signer: Signer, serial: int
    ) -> x509.Certificate:
        values = dict(leaf.extensions)
        if self.dialect != "ruby":
            values.setdefault(oids.PP_CLI_AUTH, "true")
        names = server_names(leaf, self.dialect)
        whole = replace(leaf, alt_names=names, extensions=values)
        return self.leaf(whole, ca, signer, serial)

    def leaf(
        self, leaf: Leaf, ca: x509.Certificate, signer: Signer, serial: int
    ) -> x509.Certificate:
        template = Template(
            subject=leaf.certname,
            issuer=subject(ca),
            issuer_key=signer.public_key,
            serial=serial,
            not_before=self.now - BACKDATE,
            not_after=min(self.now + self.ttl, ca.not_valid_after_utc),
            public_key=leaf.public_key,
            extensions=leaf_extensions(
                self.dialect,
                ca,
                leaf.public_key,
                leaf.alt_names,
                puppet_values(leaf.extensions),
            ),
        )
        return _sign(template, signer, ca)

    def leaves(
        self, wanted: Sequence[Leaf], ca: x509.Certificate, signer: Signer, first: int
    ) -> tuple[x509.Certificate, ...]:
        numbered = enumerate(wanted, first)
        return tuple(self.leaf(each, ca, signer, number) for number, each in numbered)

    def single(self, name: str, signer: Signer, first: int) -> Authorities:
        ca = self.authority(name, signer, serial=first)
        return (ca,), (self.crl(ca, signer),)

    def chain(
        self, ca: tuple[str, Signer], root: tuple[str, Signer], first: int
    ) -> Authorities:
        top = self.authority(*root, serial=first)
        signing = self.authority(*ca, serial=first + 1, above=(top, root[1]))
        return (signing, top), (self.crl(signing, ca[1]), self.crl(top, root[1]))

    def crl(self, ca: x509.Certificate, signer: Signer) -> RevocationList:
        return first_crl(ca, signer, self.dialect, self.now, self.ttl)


def new_authority(
    *,
    shape: Shape,
    ruby: bool,
    ca: tuple[str, Signer],
    root: tuple[str, Signer] | None,
    server: Leaf | None,
    ttl: timedelta,
    now: datetime,
    first_serial: int | None = None,
    others: Sequence[Leaf] = (),
) -> NewAuthority:
    """Return a new CA.

    Args:
        shape: One self-signed CA, or an intermediate one under a root.
        ruby: As the CA of Puppet 3 to 5 leaves it; it knows `single` only.
        ca: Name and signer of the signing CA; each generation has its own name.
        root: The same of a chain's root.
        server, others: Who gets a certificate: the server, if it shall, then others.
        ttl: From now (aware, UTC) to the end of every certificate here.
        first_serial: Serials count on from here, for a CA that follows another;
            None numbers as the layout's tool, a chain's root and first leaf both 1.

    Raises:
        AuthorityError: A chain without a root, or a Ruby CA that is a chain.
    """
    now, first = now.replace(microsecond=0), first_serial or 1
    if shape == "chain" and not ruby and root:
        maker = _Maker("cli", ttl, now)
        cas, crls = maker.chain(ca, root, first)
    elif shape == "single":
        maker = _Maker("ruby" if ruby else "server", ttl, now)
        cas, crls = maker.single(*ca, first)
    else:
        raise AuthorityError(f"{ca[0]}: a chain needs a root, and no Ruby CA")
    serial = 1 if shape == "chain" and not first_serial else first + len(cas)
    leaf = maker.server(server, cas[0], ca[1], serial) if server else None
    rest = maker.leaves(others, cas[0], ca[1], serial + bool(leaf))
    return _gather(maker.dialect, ca[1], cas, crls, leaf, rest)


def assemble(
    signer: Signer,
    authorities: Authorities,
    server: Leaf,
    *,
    serial: int,
    ttl: timedelta,
    now: datetime,
) -> NewAuthority:
    """Return a CA that exists, as `puppetserver ca import` leaves it.

    Args:
        signer: Signs with the signing CA's key.
        authorities: The chain, signing CA first, and its lists in the same order.
        server: The server's own certificate, which is made now.
        serial: Its serial number.
        ttl: From now to its end, unless the CA ends before.
        now: Aware, UTC.
    """
    maker = _Maker("cli", ttl, now.replace(microsecond=0))
    leaf = maker.server(server, authorities[0][0], signer, serial)
    return _gather("cli", signer, *authorities, leaf)


def server_names(leaf: Leaf, dialect: Dialect) -> tuple[str, ...]:
    """Return the names a server's certificate is for, as the dialect's tool adds."""
    own = f"DNS:{leaf.certname}"
    if not leaf.alt_names:
        return () if dialect == "ruby" else tuple(dict.fromkeys(("DNS:puppet", own)))
    return tuple(dict.fromkeys((*leaf.alt_names, own)))


def first_crl(
    ca: x509.Certificate,
    signer: Signer,
    dialect: Dialect,
    now: datetime,
    ttl: timedelta,
) -> RevocationList:
    """Return an empty revocation list, number 0, as the dialect's tool begins one."""
    begin = {"server": now, "cli": now - BACKDATE, "ruby": now - timedelta(seconds=1)}
    return crl.build(
        signer,
        subject(ca),
        number=0,
        this_update=begin[dialect],
        next_update=now + (ttl if dialect == "cli" else CRL_LIFE),
        key_id=subject_key_id(ca),
        number_first=dialect == "server",
    )


def _gather(
    dialect: Dialect,
    signer: Signer,
    cas: tuple[x509.Certificate, ...],
    crls: tuple[RevocationList, ...],
    leaf: x509.Certificate | None,
    others: tuple[x509.Certificate, ...] = (),
) -> NewAuthority:
    """Put together the files that the dialect's tool leaves."""
    leaves = ((leaf,) if leaf else ()) + others
    rows = (() if dialect == "cli" else cas) + leaves
    last = max((row.serial_number for row in rows), default=0)
    bundle_pem, crl_pem = bundle.dump_certificates(cas), bundle.dump_crls(crls)
    ruby = dialect != "server"  # the command line tool writes as the Ruby CA does
    lines = (InventoryRow.of(row, ruby=ruby).line(ruby=ruby) for row in rows)
    found = {
        "ca_crt.pem": bundle_pem,
        "ca_crl.pem": crl_pem,
        "ca_pub.pem": keys.dump_public(signer.public_key),
        "serial": b"%03X\n" % (last + 1) if dialect == "cli" else b"%04X" % (last + 1),
        "inventory.txt": b"".join(lines),
    }
    if dialect != "ruby":
        blank = b"\n" if dialect == "cli" else b""
        infra = {"infra_inventory.txt": blank, "infra_serials": blank}
        found |= {"infra_crl.pem": crl_pem, **infra}
    for each in leaves:
        found[f"signed/{Certname(common_name(each))}.pem"] = to_pem(each)
    return NewAuthority(found, bundle_pem, crl_pem, cas[0], leaf, others)


def _sign(
    template: Template,
    signer: Signer,
    issuer: x509.Certificate | None,
    *,
    ca: bool = False,
) -> x509.Certificate:
    """Draft, lint, then sign."""
    contents = tbs(template)
    lint(seal(contents, keys.throwaway(signer.public_key)), issuer, ca=ca)
    return seal(contents, signer)
