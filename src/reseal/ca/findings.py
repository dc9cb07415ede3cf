"""The rules a CA's files must keep, as a table with citations.

Each rule looks at a `World` and yields faults; a fault may bring a remedy, which
is safe to repeat and rests on nothing but what the files prove.

Sources: in each row.
"""

from __future__ import annotations

import stat
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from cryptography import x509

from reseal import files
from reseal.ca import remedies
from reseal.ca.authority import REQUIRED
from reseal.ca.profile import BACKDATE
from reseal.ca.world import World, leftovers
from reseal.errors import ParseError, ResealError
from reseal.x509 import bundle, keys
from reseal.x509 import certificate as certs
from reseal.x509.csr import parse_request

SOON = timedelta(days=30)
"""What ends within this time is warned about; as Puppet Server 8.4's refresh."""

IN_PROGRESS = timedelta(minutes=10)
"""How long an intent, or a temporary file, may belong to work that is going on."""

SECRET = ("ca_key.pem", "root_key.pem", "private/ca.pass")


@dataclass(frozen=True, slots=True)
class Fault:
    """What a rule found.

    Attributes:
        message: The object first.
        remedy: Does what is provable; None if nothing is.
        warning: It is not wrong yet.
    """

    message: str
    remedy: Callable[[], None] | None = None
    warning: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule.

    Attributes:
        name: In kebab case.
        citation: Where it is written.
        find: Yields what is wrong.
    """

    name: str
    citation: str
    find: Callable[[World], Iterator[Fault]]


def _complete(world: World) -> Iterator[Fault]:
    for name in REQUIRED:
        if not (world.cadir / name).exists():
            yield Fault(f"{world.cadir / name}: is missing")


def _leftovers(world: World) -> Iterator[Fault]:
    for path in leftovers(world.cadir, world.now - IN_PROGRESS):
        yield Fault(f"{path}: left by a crash", partial(files.remove, path))


def _modes(world: World) -> Iterator[Fault]:
    paths = [world.cadir / name for name in SECRET]
    for path in (path for path in paths if path.exists()):
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & ~0o640:
            message = f"{path}: mode {mode:04o} lets others read or write it"
            yield Fault(message, partial(remedies.set_mode, path, 0o640))
    for path in sorted(world.cadir.rglob("*")):
        mode = stat.S_IMODE(path.lstat().st_mode)
        if not path.is_symlink() and mode & 0o022 and path not in paths:
            message = f"{path}: mode {mode:04o} lets others write it"
            yield Fault(message, partial(remedies.set_mode, path, mode & ~0o022))


def _owners(world: World) -> Iterator[Fault]:
    if not world.cadir.is_dir():
        return
    status = world.cadir.stat()
    owner = (status.st_uid, status.st_gid)
    for path in sorted(world.cadir.rglob("*")):
        found = path.lstat()
        if found.st_uid != owner[0]:
            message = f"{path}: belongs to user {found.st_uid}, not {owner[0]}"
            yield Fault(message, partial(remedies.give, path, owner))


def _keys(world: World) -> Iterator[Fault]:
    if world.key is None:
        return
    public = world.key.public_key()
    if world.ca is None:
        yield Fault(
            f"{world.cadir / 'ca_key.pem'}: no certificate in ca_crt.pem has it"
        )
        return
    path = world.cadir / "ca_pub.pem"
    try:
        same = keys.same_key(keys.load_public(files.read(path)), public)
    except ResealError:
        same = not path.exists() and world.dialect == "ruby"
    if not same:
        mend = partial(files.replace, path, keys.dump_public(public), mode=0o644)
        yield Fault(f"{path}: is not the public half of ca_key.pem", mend)


def _first(world: World) -> Iterator[Fault]:
    """The signing certificate and its list stand first: Puppet edits the first."""
    if world.ca is not None and world.bundle[0] != world.ca:
        mend = partial(remedies.put_ca_first, world)
        yield Fault(f"{world.cadir / 'ca_crt.pem'}: signing CA is not first", mend)
    if world.own_crl is not None and world.crls[0] is not world.own_crl:
        mend = partial(remedies.put_crl_first, world)
        yield Fault(f"{world.cadir / 'ca_crl.pem'}: the CA's list is not first", mend)


def _chain(world: World) -> Iterator[Fault]:
    if world.ca is None:
        return
    try:
        chain = bundle.order(world.bundle, certs.public_key(world.ca))
    except ResealError as error:
        yield Fault(f"{world.cadir / 'ca_crt.pem'}: {error}")
        return
    for ca in chain:
        found, name = bundle.own_crl(ca, world.crls), certs.common_name(ca)
        mend = None
        if ca == world.ca and world.issuer is not None:
            mend = partial(remedies.publish_list, world)
        where = f"{world.cadir / 'ca_crl.pem'}: list of {name}"
        if found is None:
            yield Fault(f"{where} is missing", None)
        elif found.next_update and found.next_update <= world.now:
            yield Fault(f"{where} ended on {found.next_update:%F}", mend)
        elif found.next_update and found.next_update <= world.now + SOON:
            yield Fault(f"{where} ends on {found.next_update:%F}", mend, warning=True)


def _validity(world: World) -> Iterator[Fault]:
    owners = [(f"CA {certs.common_name(ca)}", ca) for ca in world.bundle]
    for name, certificate in [*owners, *world.signed.items()]:
        end = certificate.not_valid_after_utc
        if end <= world.now:
            yield Fault(f"{name}: certificate expired on {end:%F}")
        elif end <= world.now + SOON:
            yield Fault(f"{name}: certificate expires on {end:%F}", warning=True)


def _signed(world: World) -> Iterator[Fault]:
    for name, certificate in world.signed.items():
        found = certs.common_name(certificate)
        if found != name:
            yield Fault(f"{name}: file holds the certificate of {found}")
        if world.ca and not certs.is_signed_by(certificate, certs.public_key(world.ca)):
            yield Fault(f"{name}: certificate was not signed by this CA")


def _inventory(world: World) -> Iterator[Fault]:
    if world.inventory is None:
        return
    known = {row.serial for row in world.rows}
    for name, certificate in world.signed.items():
        serial = certificate.serial_number
        if serial not in known and _ours(world, certificate):
            mend = partial(world.store.add_rows, [certificate])
            yield Fault(f"{name}: serial {serial:04X} is not in the inventory", mend)


def _unique(world: World) -> Iterator[Fault]:
    users: dict[int, set[str]] = defaultdict(set)
    for row in world.rows:
        users[row.serial].add(f"{row.subject} of {row.not_before:%FT%T}")
    for name, certificate in world.signed.items():
        begin = certificate.not_valid_before_utc
        users[certificate.serial_number].add(f"/CN={name} of {begin:%FT%T}")
    for serial, names in sorted(users.items()):
        if len(names) > 1:
            listed = ", ".join(sorted(names))
            yield Fault(f"serial {serial:04X}: used more than once: {listed}")


def _next_serial(world: World) -> Iterator[Fault]:
    path = world.cadir / "serial"
    try:
        following = int(files.read(path).strip(), 16)
    except (ValueError, ResealError):
        following = 0
    if following <= world.highest:
        mend = partial(remedies.set_serial, world)
        message = (
            f"{path}: would give {following:04X} again"
            if following
            else (f"{path}: holds no serial number")
        )
        yield Fault(message, mend if world.rows else None)


def _revoked(world: World) -> Iterator[Fault]:
    if world.own_crl is None or world.inventory is None:
        return
    known = {row.serial for row in world.rows}
    known |= {c.serial_number for c in world.signed.values()}
    for serial in sorted(world.own_crl.serials() - known):
        message = f"serial {serial:04X}: is revoked, but not in the inventory"
        yield Fault(message, warning=True)


def _intents(world: World) -> Iterator[Fault]:
    for draft in world.intents:
        serial, name = draft.serial_number, certs.common_name(draft)
        if world.now < draft.not_valid_before_utc + BACKDATE + IN_PROGRESS:
            message = (
                f"{name}: serial {serial:04X} is being issued, or was a moment ago"
            )
            yield Fault(message, warning=True)
        else:
            message = f"{name}: issuing serial {serial:04X} was cut short by a crash"
            mend = partial(remedies.settle, world, draft)
            yield Fault(message, mend if world.issuer else None)


def _requests(world: World) -> Iterator[Fault]:
    """A crash after signing leaves the request of a certificate that exists."""
    for name, pem in world.requests.items():
        try:
            key = parse_request(pem).public_key
        except ParseError as error:
            yield Fault(f"{name}: request cannot be read: {error}")
            continue
        current = world.signed.get(name)
        if current is not None and keys.same_key(certs.public_key(current), key):
            mend = partial(world.store.remove_request, name)
            yield Fault(f"{name}: its request waits, but is signed", mend)


def _ours(world: World, certificate: x509.Certificate) -> bool:
    if world.ca is None:
        return False
    return certs.is_signed_by(certificate, certs.public_key(world.ca))


_SERVER = "Puppet Server, certificate_authority.clj"

RULES: tuple[Rule, ...] = (
    Rule("complete", f"{_SERVER}, validate-ca-files!", _complete),
    Rule("no-leftovers", "POSIX rename", _leftovers),
    Rule("modes", f"{_SERVER}, private-key-perms", _modes),
    Rule("owners", "puppetserver-ca-cli, utils/file_system.rb", _owners),
    Rule("keys-match", "RFC 5280, 6.1.4", _keys),
    Rule("signing-ca-first", f"{_SERVER}, update-crls!", _first),
    Rule("lists", "RFC 5280, 6.3.3; certificate_revocation = chain", _chain),
    Rule("validity", "RFC 5280, 6.1.3 (a)(2)", _validity),
    Rule("signed", "RFC 5280, 6.1.3 (a)(1); signeddir", _signed),
    Rule("intents", "reseal: record, then act", _intents),
    Rule("in-inventory", f"{_SERVER}, write-cert-to-inventory!", _inventory),
    Rule("serials-unique", "RFC 5280, 4.1.2.2", _unique),
    Rule("next-serial", f"{_SERVER}, next-serial-number!", _next_serial),
    Rule("revoked-known", "RFC 5280, 5.3", _revoked),
    Rule("requests", f"{_SERVER}, autosign-certificate-request!", _requests),
)
"""Every rule; each has a cadir that keeps it and one that breaks it in the tests."""
