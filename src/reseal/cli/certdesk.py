"""Open the CA that `reseal cert` works on, and carry out one verb.

On an empty cadir the CA is made first, as `puppet cert` does.  Verbs that change
something ask whether a Puppet Server runs the CA; those that only look do not.

Sources: Puppet 5.5, `application/cert.rb` (order, exit codes 23 and 24).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from reseal.ca import authority
from reseal.ca.create import Order, set_up
from reseal.cli.certverbs import perform
from reseal.cli.desk import CertOptions, Desk
from reseal.cli.direct import DirectHand
from reseal.cli.exits import CA_UNUSABLE, CERT_FAILED, DONE, FAILED
from reseal.cli.hands import Hand
from reseal.cli.output import Screen, print_json
from reseal.cli.ownfiles import OwnFiles
from reseal.cli.running import is_served, refuse_served, runs_elsewhere
from reseal.cli.standing import Standing
from reseal.cli.where import settings_for
from reseal.clock import SystemClock
from reseal.errors import AuthorityError, ParseError, PolicyError, ResealError
from reseal.settings import PuppetSettings
from reseal.store import open_cadir
from reseal.store.protocol import Store

CHANGING = ("sign", "clean", "revoke", "generate", "reinventory")


@dataclass(frozen=True, slots=True)
class Call:
    """One use of `reseal cert`.

    Attributes:
        screen: Says things.
        given: Puppet's settings from the command line.
        options: The rest of it.
    """

    screen: Screen
    given: Mapping[str, str]
    options: CertOptions


def run(call: Call, verb: str, names: Sequence[str]) -> int:
    """Carry out one verb and return the exit code; errors are said in its words."""
    try:
        settings = settings_for(call.given)
    except ResealError as error:
        complain(call.screen, error)
        return FAILED
    try:
        desk = open_desk(call, settings, changing=verb in CHANGING)
    except ResealError as error:
        complain(call.screen, error)
        return CA_UNUSABLE
    code = DONE
    try:
        perform(desk, verb, names)
    except ResealError as error:
        complain(call.screen, error)
        code = CERT_FAILED
    if call.screen.json:
        print_json(desk.done)
    return code


def known_names(verb: str | None) -> list[str]:
    """Return the names in the usual cadir that a verb could be meant for.

    Raises:
        ResealError: The settings or the CA cannot be read.
    """
    store = open_cadir(settings_for({}).cadir)
    waiting = [str(name) for name, _ in store.requests()]
    if verb == "sign":
        return waiting
    return sorted({*waiting, *store.certnames()})


def open_desk(call: Call, settings: PuppetSettings, *, changing: bool) -> Desk:
    """Return the desk for the CA in the cadir, which is made if there is none.

    Raises:
        ResealError: The CA cannot be loaded, made or asked.
    """
    clock = SystemClock()
    if not authority.exists(settings.cadir):
        _make(call, settings)
    store = open_cadir(settings.cadir)
    standing = Standing(store, clock.now())
    try:
        _ = standing.chain
    except ParseError as error:
        where = settings.cadir / "ca_crt.pem"
        raise AuthorityError(f"{where}: {error}", hint=error.hint) from None
    hand = _hand(call, settings, store) if changing else None
    return Desk(
        settings=settings,
        store=store,
        standing=standing,
        hand=hand or DirectHand(settings, store, clock),
        own=OwnFiles(settings, store, hand is not None, _is_copy(call.given)),
        screen=call.screen,
        options=call.options,
    )


def complain(screen: Screen, error: ResealError) -> None:
    """Say every fault of an error, and the way out where there is one."""
    judged = isinstance(error, PolicyError)
    for fault in error.faults if isinstance(error, PolicyError) else [str(error)]:
        screen.error(fault)
    if error.hint and not judged:
        screen.hint(error.hint)


def _is_copy(given: Mapping[str, str]) -> bool:
    """Say whether the CA is a copy and the host's own files are those of the live."""
    return "ssldir" not in given and runs_elsewhere(given)


def _hand(call: Call, settings: PuppetSettings, store: Store) -> Hand | None:
    """Return the hand for a running CA, or None."""
    if not is_served(settings, call.given):
        return None
    from reseal.cli.remote_ca import served_hand  # takes long to load

    ttl = settings.ca_ttl if "ca_ttl" in call.given else None
    return served_hand(settings, store, ttl)


def _make(call: Call, settings: PuppetSettings) -> None:
    """Make a CA in an empty cadir, in the layout of where it lies.

    Raises:
        AuthorityError: The cadir has certificates although it has no CA, or the
            server that would use it is running.
    """
    left = [*(settings.cadir / "signed").glob("*.pem")]
    if left:
        hint = "restore the CA's files from a backup, or move the directory away"
        raise AuthorityError(f"{settings.cadir}: certificates without a CA", hint=hint)
    refuse_served(settings, call.given)
    ruby = settings.cadir.resolve().is_relative_to(settings.ssldir.resolve())
    order = Order(
        shape="single" if ruby else "chain",
        ruby=ruby,
        key=f"rsa:{settings.keylength}",
        server=False,
    )
    call.screen.info("Creating a new SSL key for ca")
    call.screen.info("Creating a new SSL certificate request for ca")
    set_up(settings, order, SystemClock())
    call.screen.notice("Signed certificate request for ca")
    call.screen.info("Creating a new certificate revocation list")
