"""What `reseal site` asks of a node, by the names of the scripts of `site/node`.

Guarantee: arguments and answers are those of the scripts; whoever changes either
changes `CONTRACT`, so that two versions that differ do not talk past each other.

Sources: docs/reference/node.md.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from yaml import YAMLError

from reseal import files
from reseal.errors import ResealError, UsageError
from reseal.node.backup import back_up
from reseal.node.copies import renew_copies
from reseal.node.identity import identity, outcome
from reseal.node.install import install
from reseal.node.keys import make_keys, public_half, sign, vouch
from reseal.node.launch import end, launch, running
from reseal.node.probe import probe_all
from reseal.node.restore import restore
from reseal.node.signing import sign_requests
from reseal.node.stage import stage
from reseal.node.stores import renew_stores

CONTRACT = 3
"""Which arguments and answers these are."""

Read = Callable[[], bytes]
"""Reads standard input, if a verb wants it."""

Verb = Callable[[Sequence[str], Read], Any]


def carry_out(verb: str, args: Sequence[str], read: Read) -> Any:
    """Carry out a verb and return its answer.

    Raises:
        UsageError: There is no such verb, or its arguments are wrong.
        ResealError: It could not be done.
    """
    if verb not in VERBS:
        hint = "reseal site knows them; docs/reference/node.md has them all"
        raise UsageError(f"{verb}: no verb of reseal node", hint=hint)
    try:
        return VERBS[verb](args, read)
    except ResealError:
        raise
    except OSError as error:
        raise files.failed(Path(str(error.filename or verb)), error) from error
    except (ValueError, LookupError, TypeError, AttributeError, YAMLError) as error:
        what = f"{type(error).__name__}: {error}"
        raise UsageError(f"reseal node {verb}: cannot be asked so: {what}") from error


def _contract(args: Sequence[str], read: Read) -> Any:
    return {"contract": CONTRACT}


def _back_up(args: Sequence[str], read: Read) -> Any:
    return back_up(Path(args[0]), _paths(args[1:]))


def _restore(args: Sequence[str], read: Read) -> Any:
    return restore(Path(args[0]), _paths(args[1:]))


def _install(args: Sequence[str], read: Read) -> Any:
    pairs = (each.partition("=") for each in args[1:])
    return install(Path(args[0]), [(Path(one), Path(two)) for one, _, two in pairs])


def _make_keys(args: Sequence[str], read: Read) -> Any:
    wishes = (each.rpartition("=") for each in args[1:])
    return make_keys(Path(args[0]), [(Path(path), int(n)) for path, _, n in wishes])


def _sign(args: Sequence[str], read: Read) -> Any:
    return sign(Path(args[0]), base64.b64decode(read()))


def _vouch(args: Sequence[str], read: Read) -> Any:
    return vouch(Path(args[0]), base64.b64decode(read()))


def _public_keys(args: Sequence[str], read: Read) -> Any:
    pairs = zip(args[::2], args[1::2], strict=True)
    return [public_half(Path(key), Path(word) if word else None) for key, word in pairs]


def _identity(args: Sequence[str], read: Read) -> Any:
    key, certificate, limit, wanted = args
    whole = wanted == "certificate"
    return identity(Path(key), Path(certificate), float(limit), whole=whole)


def _run(args: Sequence[str], read: Read) -> Any:
    summary, report, mark, limit = args
    return outcome(Path(summary), Path(report), Path(mark), float(limit))


def _launch(args: Sequence[str], read: Read) -> Any:
    log, pid_file, *command = args
    if not command:
        return end(Path(pid_file))
    return launch(Path(log), Path(pid_file), command)


def _running(args: Sequence[str], read: Read) -> Any:
    return {"pid": running(Path(args[0]))}


def _stage(args: Sequence[str], read: Read) -> Any:
    base, owner = args
    return stage(Path(base), owner, json.loads(read()))


def _copies(args: Sequence[str], read: Read) -> Any:
    return renew_copies(json.loads(read()))


def _stores(args: Sequence[str], read: Read) -> Any:
    return renew_stores(Path(args[0]), json.loads(read()))


def _probe(args: Sequence[str], read: Read) -> Any:
    return probe_all(json.loads(read()))


def _ca_api(args: Sequence[str], read: Read) -> Any:
    host, port, certificate, key, bundle, crls = args
    way = {"host": host, "port": int(port), "certificate": certificate, "key": key}
    way |= {"bundle": bundle, "crls": crls}
    return sign_requests(way, read().decode().split())


def _paths(words: Sequence[str]) -> list[Path]:
    return [Path(word) for word in words]


VERBS: Mapping[str, Verb] = {
    "contract": _contract,
    "backup": _back_up,
    "restore": _restore,
    "install": _install,
    "make_keys": _make_keys,
    "sign": _sign,
    "vouch": _vouch,
    "public_keys": _public_keys,
    "identity": _identity,
    "run": _run,
    "launch": _launch,
    "running": _running,
    "stage": _stage,
    "copies": _copies,
    "stores": _stores,
    "probe": _probe,
    "ca_api": _ca_api,
}
"""Every verb; each takes its arguments as words and answers what turns into JSON."""
