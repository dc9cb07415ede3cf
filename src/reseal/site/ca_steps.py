"""What is done to the CA's host: prepare a new CA aside, swap it in.

Everything of the new CA is made and proven in the run's own directory while the
old site still works; what stops the site is a swap and a restart.  Guarantee: the
CA's private keys are made on the CA's host and never leave it; what this machine
signs with is a `Signer` that asks there.

Sources: Puppet, "SSL: Regenerating All Certificates in a Puppet Deployment",
step 1; docs/reference/ca.md (files, owners and modes).
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Collection
from dataclasses import dataclass

from reseal.ca.newca import Leaf, NewAuthority
from reseal.ca.setup import new_authority
from reseal.certname import Certname
from reseal.errors import NotFound, ResealError, StepFailed
from reseal.site.agent_steps import Backup
from reseal.site.ca_tree import (
    Staging,
    cadir_of,
    key_path,
    server_leaf,
    stage_cadir,
    stage_ssldir,
)
from reseal.site.context import Context
from reseal.site.generation import Generation, server_of
from reseal.site.pair_material import certificate_name, old_name, public_name
from reseal.site.pairs import Pair
from reseal.site.rundir import BUNDLE, CRLS
from reseal.site.server_steps import UNREACHED, fault_of, server_name
from reseal.site.target import Target
from reseal.site.transport import check, read
from reseal.x509.bundle import load_certificate
from reseal.x509.certexts import alt_names, extensions_of, puppet_extensions
from reseal.x509.certificate import to_pem
from reseal.x509.keys import PublicKey, load_public

_SAME = r"""
for file in serial inventory.txt ca_crl.pem; do
    [ "$(sha256sum <"$1/$file")" = "$(sha256sum <"$2/$file")" ] || exit 1
done
"""


@dataclass(frozen=True, slots=True)
class NodeSigner:
    """Signs with a key that stays on its node.

    Attributes:
        public_key: The public half.
        at: The node.
        path: The private half, there.
        loop: The event loop that reaches the node; `sign` is called in a thread.
    """

    public_key: PublicKey
    at: Target
    path: str
    loop: asyncio.AbstractEventLoop

    def sign(self, data: bytes) -> bytes:
        asked = self.at.ask("sign", self.path, stdin=base64.b64encode(data))
        answer = asyncio.run_coroutine_threadsafe(asked, self.loop).result()
        return base64.b64decode(answer["signature"])


class Prepare:
    """Make the new CA and the server's certificate in the run's directory."""

    async def done(self, at: Target, run: Context) -> bool:
        made = await at.has("prepared") or await at.has("installed")
        return made and run.directory.kept(BUNDLE) is not None

    async def do(self, at: Target, run: Context) -> None:
        if await at.has("installed"):
            raise StepFailed(
                f"{at.name}: a new CA is in place, but this machine has no copy of it",
                hint="copy its ca_crt.pem and ca_crl.pem into the run's directory",
            )
        await _require_answer(at)
        keys = await self._keys(at, run.plan.new_ca)
        made = await self._authority(at, run, keys)
        await self._stage(at, made, keys)
        for pair, certificate in zip(_certified(run), made.others, strict=True):
            run.directory.keep(certificate_name(pair), to_pem(certificate))
        run.directory.keep(CRLS, made.crl_pem)
        run.directory.keep(BUNDLE, made.bundle_pem)
        await at.mark("prepared")

    async def _keys(self, at: Target, generation: Generation) -> dict[str, PublicKey]:
        """Make the keys on the node and return their public halves by name."""
        names = ["ca", "server"] + ["root"] * (generation.shape == "chain")
        paths = {name: key_path(at, name) for name in names}
        await check(at.transport, 'umask 077; mkdir -p "$1"', f"{at.backup}/keys")
        wishes = [f"{path}={generation.key_bits}" for path in paths.values()]
        made = await at.ask("make_keys", at.backup, *wishes, timeout=900)
        return {name: load_public(made[path].encode()) for name, path in paths.items()}

    async def _authority(
        self, at: Target, run: Context, keys: dict[str, PublicKey]
    ) -> NewAuthority:
        loop = asyncio.get_running_loop()
        signers = {n: NodeSigner(k, at, key_path(at, n), loop) for n, k in keys.items()}
        wanted, root = run.plan.new_ca, signers.get("root")
        return await asyncio.to_thread(
            new_authority,
            shape=wanted.shape,
            ruby=wanted.ruby,
            ca=(wanted.ca_name, signers["ca"]),
            root=(wanted.root_name, root) if root and wanted.root_name else None,
            server=server_leaf(at, keys["server"]),
            others=[pair_leaf(run, pair) for pair in _certified(run)],
            ttl=wanted.ttl,
            now=run.clock.now(),
            first_serial=max(wanted.first_serial, await next_serial(at)),
        )

    async def _stage(
        self, at: Target, made: NewAuthority, keys: Collection[str]
    ) -> None:
        if made.server_certificate is None:
            raise StepFailed(f"{at.name}: the server's certificate was not made")
        trees = {"ssl": stage_ssldir(at, made, made.server_certificate)}
        inside = cadir_of(at)[1]
        if inside is None:
            trees["ca"] = Staging()
            stage_cadir(trees["ca"], "", at, made, keys)
        else:
            trees["ssl"].directory(inside, "0755")
            stage_cadir(trees["ssl"], inside + "/", at, made, keys)
        owner = server_of(at.facts).owner
        await check(at.transport, 'umask 077; mkdir -p "$1"', f"{at.backup}/new")
        for name, tree in trees.items():
            text = json.dumps(tree.entries).encode()
            await at.ask("stage", f"{at.backup}/new/{name}", owner, stdin=text)


class Install:
    """Set the old directories' contents aside and move the new ones in."""

    async def done(self, at: Target, run: Context) -> bool:
        return await at.has("installed")

    async def do(self, at: Target, run: Context) -> None:
        if not await at.has("setting-aside"):
            try:
                await self._catch_up(at, run)
            except ResealError:
                await _start_again(at)
                raise
        cadir, inside = cadir_of(at)
        pairs = [f"{at.setting('ssldir')}={at.backup}/new/ssl"]
        if inside is None:
            pairs.append(f"{cadir}={at.backup}/new/ca")
        await at.ask("install", at.backup, *pairs, timeout=900)

    async def _catch_up(self, at: Target, run: Context) -> None:
        """Take in what the old CA has signed or revoked since the backup.

        The server is stopped now, so that what is there stays as it is.
        """
        if not (await at.has("manifest") and await at.has("prepared")):
            raise StepFailed(f"{at.name}: no proven backup, or no new CA to put there")
        cadir = cadir_of(at)[0]
        moved = await at.transport.run(_SAME, cadir, at.kept(cadir))
        if moved.exit != 0:
            run.tell(f"{at.name}/ca.install", "the CA was at work since its backup")
            # From here on what was prepared is of no use, if this breaks off, too.
            await check(at.transport, 'rm -f "$1"; sync', f"{at.backup}/prepared")
            await Backup().do(at, run)
            await Prepare().do(at, run)


def _certified(run: Context) -> list[Pair]:
    """Return the pairs of the plan that get a certificate of their own."""
    return [pair for pair in run.plan.pairs if pair.maker and pair.subject]


def pair_leaf(run: Context, pair: Pair) -> Leaf:
    """Return what the certificate of a pair says: what the old CA's one said.

    Raises:
        StepFailed: Its key has not been made.
    """
    public = run.directory.kept(public_name(pair))
    old = run.directory.kept(old_name(pair))
    if public is None or old is None:
        raise StepFailed(f"{pair.title}: its key has not been made anew yet")
    said = extensions_of(load_certificate(old))
    values = puppet_extensions(said)
    return Leaf(Certname(pair.subject), load_public(public), alt_names(said), values)


async def next_serial(at: Target) -> int:
    """Return what the old CA's `serial` file says now; 1 when it says nothing."""
    cadir = cadir_of(at)[0]
    try:
        return int(await read(at.transport, f"{cadir}/serial"), 16)
    except (NotFound, ValueError):
        return 1


async def _require_answer(at: Target) -> None:
    """Hold that the server can be asked the way its start will be proven.

    Raises:
        StepFailed: It runs, and its own host does not find it by its name.
    """
    service = server_of(at.facts).service
    if service is None or await at.has("setting-aside"):
        return
    if not await at.is_active(service):
        return
    fault = await fault_of(at)
    if fault is not None and fault.startswith(UNREACHED):
        name = server_name(at)
        hint = f"make {name} lead to the server there (DNS or /etc/hosts)"
        raise StepFailed(f"{at.name}: {name} does not lead there: {fault}", hint=hint)


async def _start_again(at: Target) -> None:
    """Start what was stopped for a change that did not come."""
    service, agent = server_of(at.facts).service, at.facts.agent
    if service is not None and service.active:
        await at.start(service)
    if agent is not None and agent.active:
        await at.start(agent)
