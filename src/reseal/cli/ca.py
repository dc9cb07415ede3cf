"""`reseal ca`: what `puppetserver ca` does for the CA itself, and a check of it.

Success is said in the words of `puppetserver ca`; errors are reseal's.  Whatever
changes the CA's files is refused while a Puppet Server runs on them.

Sources: puppetserver-ca-cli, `action/{setup,import,prune,migrate}.rb`; transcripts
under `tests/data/transcripts/puppetserver-*`.
"""

from __future__ import annotations

from pathlib import Path

import typer

from reseal.ca import check as checks
from reseal.ca import upkeep
from reseal.ca.authority import Authority, Peer, check_peers, load
from reseal.ca.create import DEFAULT_TTL, Order, set_up
from reseal.ca.takeover import take_over
from reseal.certname import Certname
from reseal.cli import caview
from reseal.cli.caoptions import (
    AltNames,
    Cadir,
    CaName,
    CaServer,
    CertBundle,
    Certnames,
    Config,
    CrlChain,
    Duplicates,
    Entries,
    Expired,
    Json,
    Kind,
    Layout,
    LayoutOption,
    Name,
    PassphraseFile,
    PrivateKey,
    Repair,
    ResealOnly,
    RootName,
    Serials,
    Ssldir,
    To,
    Ttl,
    Where,
    examples,
    hexadecimal,
)
from reseal.cli.caparts import read_material
from reseal.cli.exits import DONE, FINDINGS
from reseal.cli.output import print_json
from reseal.cli.where import new_cadir
from reseal.clock import SystemClock
from reseal.durations import parse as parse_duration
from reseal.errors import UsageError
from reseal.settings import PuppetSettings
from reseal.store import open_cadir
from reseal.x509 import keys

app = typer.Typer(
    no_args_is_help=True,
    help="Set up, import, look after and check the CA itself.",
    rich_markup_mode=None,
)


@app.command(
    epilog=examples(
        "reseal ca setup",
        "reseal ca setup --layout single --ca-name 'Puppet CA: 2027'",
        "reseal ca setup --subject-alt-names puppet,puppet.example.com",
    )
)
def setup(
    layout: LayoutOption = "chain",
    ca_name: CaName = "",
    root_ca_name: RootName = "",
    key: Kind = "",
    subject_alt_names: AltNames = "",
    certname: Name = None,
    reseal_only: ResealOnly = False,
    config: Config = None,
    ssldir: Ssldir = None,
    cadir: Cadir = None,
    ca_server: CaServer = None,
    json: Json = False,
) -> None:
    """Make a new CA, and the certificate of its server."""
    settings = Where(config, ssldir, cadir, ca_server, certname).stopped()
    kind = key or f"rsa:{settings.keylength}"
    if kind.startswith("ec:"):
        check_peers(keys.generate(kind).public_key(), _peers(layout, reseal_only))
    order = Order(
        shape="chain" if layout == "chain" else "single",
        ruby=layout == "puppet5",
        key=kind,
        ca_name=ca_name,
        root_name=root_ca_name,
        alt_names=_split(subject_alt_names),
    )
    made = set_up(settings, order, SystemClock())
    caview.say_made(made, "Generation", settings.cadir, json)


@app.command(
    "import",
    epilog=examples(
        "reseal ca import --private-key ca.key --cert-bundle ca.pem --crl-chain crl.pem"
    ),
)
def import_(
    private_key: PrivateKey,
    cert_bundle: CertBundle,
    crl_chain: CrlChain,
    passphrase_file: PassphraseFile = None,
    subject_alt_names: AltNames = "",
    certname: Name = None,
    reseal_only: ResealOnly = False,
    config: Config = None,
    ssldir: Ssldir = None,
    cadir: Cadir = None,
    ca_server: CaServer = None,
    json: Json = False,
) -> None:
    """Take over a CA that was made elsewhere; make its server's certificate."""
    settings = Where(config, ssldir, cadir, ca_server, certname).stopped()
    material = read_material(private_key, cert_bundle, crl_chain, passphrase_file)
    made = take_over(
        settings,
        material,
        SystemClock(),
        alt_names=_split(subject_alt_names),
        peers=_peers("chain", reseal_only),
    )
    caview.say_made(made, "Import", settings.cadir, json)


@app.command(epilog=examples("reseal ca show", "reseal ca show --json"))
def show(
    config: Config = None,
    ssldir: Ssldir = None,
    cadir: Cadir = None,
    ca_server: CaServer = None,
    json: Json = False,
) -> None:
    """Tell the CA's certificates, lists, dates and numbers."""
    settings = Where(config, ssldir, cadir, ca_server).settings()
    facts = caview.look(settings.cadir, open_cadir(settings.cadir))
    if json:
        print_json(facts)
    else:
        print(caview.shown(facts))


@app.command(epilog=examples("reseal ca extend", "reseal ca extend --ttl 10y"))
def extend(
    ttl: Ttl = "",
    config: Config = None,
    ssldir: Ssldir = None,
    cadir: Cadir = None,
    ca_server: CaServer = None,
    json: Json = False,
) -> None:
    """Give the CA a longer life with the same key; nodes must get the new bundle."""
    settings = Where(config, ssldir, cadir, ca_server).stopped()
    authority = _load(settings)
    before = authority.store.bundle()
    life = parse_duration(ttl) if ttl else DEFAULT_TTL
    after = upkeep.extend(authority, life, SystemClock())
    caview.refresh_host(settings, authority.store, before)
    caview.say_extended(after, json)


@app.command(
    epilog=examples(
        "reseal ca prune",
        "reseal ca prune --remove-expired",
        "reseal ca prune --remove-entries --serial 1F --certname web01.example.com",
    )
)
def prune(
    remove_duplicates: Duplicates = False,
    remove_expired: Expired = False,
    remove_entries: Entries = False,
    serial: Serials = None,
    certname: Certnames = None,
    config: Config = None,
    ssldir: Ssldir = None,
    cadir: Cadir = None,
    ca_server: CaServer = None,
    json: Json = False,
) -> None:
    """Take duplicates off the CA's revocation list, and more if asked to."""
    if (serial or certname) and not remove_entries:
        hint = "what was revoked becomes valid again: say so with --remove-entries"
        raise UsageError("--serial and --certname need --remove-entries", hint=hint)
    authority = _load(Where(config, ssldir, cadir, ca_server).stopped())
    pruned = upkeep.prune(
        authority,
        SystemClock(),
        expired=remove_expired,
        serials=[hexadecimal(each) for each in serial or ()],
        certnames=[Certname(each) for each in certname or ()],
    )
    caview.say_pruned(pruned, json)


@app.command(epilog=examples("reseal ca migrate"))
def migrate(
    to: To = None,
    config: Config = None,
    ssldir: Ssldir = None,
    cadir: Cadir = None,
    ca_server: CaServer = None,
    json: Json = False,
) -> None:
    """Move the CA out of the ssldir, as Puppet Server 7 wants it; leave a link."""
    settings = Where(config, ssldir, cadir, ca_server).stopped()
    old = Path(cadir) if cadir else settings.ssldir / "ca"
    new = to or new_cadir(config)
    upkeep.migrate(old, new)
    if json:
        print_json({"cadir": str(new), "link": str(old)})
        return
    print(f"CA dir successfully migrated to {new}. Symlink placed at {old}")
    print("for backwards compatibility. The puppetserver can be safely restarted now.")


@app.command(epilog=examples("reseal ca check", "reseal ca check --repair"))
def check(
    repair: Repair = False,
    config: Config = None,
    ssldir: Ssldir = None,
    cadir: Cadir = None,
    ca_server: CaServer = None,
    json: Json = False,
) -> None:
    """Find what is not in order; exit with 3 if something is left."""
    where = Where(config, ssldir, cadir, ca_server)
    settings = where.settings()
    store, clock = open_cadir(settings.cadir), SystemClock()
    if repair:
        where.stopped()
        settled = checks.repair(settings.cadir, store, clock)
        caview.say_repaired(settled, json)
        left = settled.left
    else:
        left = checks.check(settings.cadir, store, clock)
        caview.say_findings(left, json)
    raise typer.Exit(FINDINGS if any(not each.warning for each in left) else DONE)


def _load(settings: PuppetSettings) -> Authority:
    return load(settings.cadir, open_cadir(settings.cadir))


def _peers(layout: Layout, reseal_only: bool) -> tuple[Peer, ...]:
    if reseal_only:
        return ()
    return ("puppet cert",) if layout == "puppet5" else ("Puppet Server",)


def _split(names: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in names.split(",") if name.strip())
