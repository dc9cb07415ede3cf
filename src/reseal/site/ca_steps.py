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
import posixpath
from collections.abc import Collection
from dataclasses import dataclass, field

from cryptography import x509

from reseal.ca.setup import NewAuthority, ServerLeaf, new_authority
from reseal.certname import Certname
from reseal.errors import NotFound, ResealError, StepFailed
from reseal.site.agent_steps import Backup
from reseal.site.context import Context
from reseal.site.generation import Generation, server_of
from reseal.site.rundir import BUNDLE, CRLS
from reseal.site.server_steps import UNREACHED, fault_of, server_name
from reseal.site.target import Target
from reseal.site.transport import check, read
from reseal.x509.certificate import public_key, to_pem
from reseal.x509.keys import PublicKey, dump_public, load_public

_SSL_DIRECTORIES = {
    "certs": "0755",
    "certificate_requests": "0755",
    "private": "0750",
    "private_keys": "0750",
    "public_keys": "0755",
}
_KEY = "0640"
_SAME = r"""
for file in serial inventory.txt ca_crl.pem; do
    [ "$(sha256sum <"$1/$file")" = "$(sha256sum <"$2/$file")" ] || exit 1
done
"""
_PUBLIC = "0644"


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


@dataclass(slots=True)
class Staging:
    """A tree to be made on a node: directories, files, keys that are there."""

    entries: list[dict[str, str]] = field(default_factory=list)

    def directory(self, path: str, mode: str) -> None:
        """Add a directory; its parent stands before it."""
        self.entries.append({"path": path, "mode": mode})

    def file(self, path: str, content: bytes, mode: str = _PUBLIC) -> None:
        """Add a file."""
        text = base64.b64encode(content).decode()
        self.entries.append({"path": path, "mode": mode, "content": text})

    def key(self, path: str, kept: str) -> None:
        """Add a private key that lies at `kept` on the node."""
        self.entries.append({"path": path, "mode": _KEY, "from": kept})


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
        keys = await self._keys(at, run.plan.generation)
        made = await self._authority(at, run, keys)
        await self._stage(at, made, keys)
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
        wanted = run.plan.generation
        return await asyncio.to_thread(
            new_authority,
            shape=wanted.shape,
            ruby=wanted.ruby,
            ca_name=wanted.ca_name,
            root_name=wanted.root_name,
            signer=signers["ca"],
            root_signer=signers.get("root"),
            server=server_leaf(at, keys["server"]),
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
            await Backup().do(at, run)
            await Prepare().do(at, run)


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
    if service is None or not service.active or await at.has("setting-aside"):
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


def key_path(at: Target, name: str) -> str:
    """Return where the run keeps a new key on the node until it is in place."""
    return f"{at.backup}/keys/{name}.pem"


def cadir_of(at: Target) -> tuple[str, str | None]:
    """Return the cadir, and its path inside the ssldir; None if it lies elsewhere.

    Raises:
        StepFailed: The survey found none.
    """
    cadir, ssldir = server_of(at.facts).cadir, at.setting("ssldir")
    if cadir is None:
        raise StepFailed(f"{at.name}: no CA was found there")
    inside = posixpath.relpath(cadir, ssldir)
    return cadir, None if inside.startswith("..") else inside


def server_leaf(at: Target, key: PublicKey) -> ServerLeaf:
    """Return what the server's certificate says: the old one's names and facts."""
    old, name = at.facts.hostcert, at.facts.certname
    extensions = dict(old.extensions) if old else {}
    names = old.alt_names if old else ("DNS:puppet", f"DNS:{name}")
    return ServerLeaf(Certname(name), key, names, extensions)


def stage_ssldir(
    at: Target, made: NewAuthority, certificate: x509.Certificate
) -> Staging:
    """Return the server's own SSL directory, as Puppet lays it out."""
    tree, name = Staging(), at.facts.certname
    ssldir = at.setting("ssldir")
    for directory, mode in _SSL_DIRECTORIES.items():
        tree.directory(directory, mode)
    place = {key: _inside(at, key, ssldir) for key in ("hostcert", "hostprivkey")}
    place |= {key: _inside(at, key, ssldir) for key in ("localcacert", "hostcrl")}
    tree.file(place["localcacert"], made.bundle_pem)
    tree.file(place["hostcrl"], made.crl_pem)
    tree.file(place["hostcert"], to_pem(certificate))
    tree.key(place["hostprivkey"], key_path(at, "server"))
    tree.file(f"public_keys/{name}.pem", dump_public(public_key(certificate)))
    return tree


def stage_cadir(
    tree: Staging, prefix: str, at: Target, made: NewAuthority, keys: Collection[str]
) -> None:
    """Add the CA's directory to a tree; `keys` names the keys that were made."""
    for directory in ("requests", "signed"):
        tree.directory(prefix + directory, "0755")
    for path, content in made.files.items():
        tree.file(prefix + path, content)
    tree.key(f"{prefix}ca_key.pem", key_path(at, "ca"))
    if "root" in keys:
        tree.key(f"{prefix}root_key.pem", key_path(at, "root"))


def _inside(at: Target, setting: str, ssldir: str) -> str:
    path = posixpath.relpath(at.setting(setting), ssldir)
    if path.startswith(".."):
        hint = "set it back to its default for the time of the regeneration"
        raise StepFailed(f"{at.name}: {setting} lies outside of ssldir", hint=hint)
    return path
