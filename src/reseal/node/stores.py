"""Make key stores of Java anew from this node's material.

`keytool` writes them, so that the Java beside it reads them, whatever its age.

Guarantee: nothing of an old store is in the new one; passwords are taken from the
service's own configuration, and are in no argument, no answer and no message.

Sources: `site/node/stores.rb`, which does the same; keytool(1).
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from xml.sax.saxutils import unescape

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import PrivateFormat, pkcs12

from reseal import files
from reseal.errors import NotFound, StoreError
from reseal.node import tree
from reseal.node.stage import owner_of
from reseal.x509.bundle import dump_certificates, load_certificate, load_certificates
from reseal.x509.keys import load_private

_ENTITIES = {"&quot;": '"', "&apos;": "'"}


def renew_stores(
    backup: Path, orders: Iterable[Mapping[str, Any]]
) -> dict[str, list[str]]:
    """Renew key stores; which they were.

    Args:
        backup: The run's directory.
        orders: Each with `path`, `mode`, `owner`, `jks` (or else PKCS #12), `password`
            (a file and the setting in it) and `ca`; with `key`, `certificate` and
            `alias` where it holds a key, and without them the CA's certificates.
            `key_password` is the same as `password` for the key, if there is one.

    Raises:
        StoreError: There is no password or no keytool, or a store cannot be made.
    """
    renewed = []
    work = backup / "stores"
    for order in orders:
        file, name = order["password"]
        password = secret(Path(file), name)
        if password is None:
            raise StoreError(f"{order['path']}: {file}: {name}: no password")
        try:
            tree.remove(work)
            work.mkdir(mode=0o700)
            make = _with_key if "key" in order else _with_trust
            content = files.read(make(order, password, work))
        finally:
            tree.remove(work)
        mode, owner = int(order["mode"], 8), owner_of(order["owner"])
        path = Path(order["path"])
        tree.require_straight(path.parent)
        files.replace(path, content, mode=mode, owner=owner, follow=False)
        renewed.append(order["path"])
    tree.relabel(renewed)
    os.sync()
    return {"renewed": renewed}


def secret(file: Path, name: str) -> str | None:
    """Return the last value of a setting, of XML an attribute's; None without it."""
    text = files.read(file).decode(errors="surrogateescape")
    if file.suffix != ".xml":
        found = re.findall(
            rf"^\s*{re.escape(name)}\s*[=:]\s*(.*?);?\s*$", text, re.MULTILINE
        )
        return found[-1] if found else None
    text = re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)
    found = re.findall(rf"""\b{re.escape(name)}\s*=\s*("[^"]*"|'[^']*')""", text)
    return unescape(found[-1][1:-1], _ENTITIES) if found else None


def _with_key(order: Mapping[str, Any], password: str, work: Path) -> Path:
    """Make a store with the key: as PKCS #12 here, then by Java as Java wants it."""
    key = load_private(files.read(Path(order["key"])))
    leaf = load_certificate(files.read(Path(order["certificate"])))
    chain = load_certificates(files.read(Path(order["ca"])))
    old = PrivateFormat.PKCS12.encryption_builder().kdf_rounds(10000)
    old = old.key_cert_algorithm(pkcs12.PBES.PBESv1SHA1And3KeyTripleDESCBC)
    made = pkcs12.serialize_key_and_certificates(
        order["alias"].encode(),
        key,
        leaf,
        chain,
        old.hmac_hash(hashes.SHA1()).build(password.encode()),  # noqa: S303
    )
    passing, fresh = work / "passing.p12", work / "fresh"
    files.replace(passing, made, mode=0o600)
    _keytool(
        password,
        *("-importkeystore", "-noprompt", "-srckeystore", str(passing)),
        *("-srcstoretype", "PKCS12", "-srcstorepass:env", "STORE_PASSWORD"),
        *("-destkeystore", str(fresh), "-deststoretype", _kind(order)),
        *("-deststorepass:env", "STORE_PASSWORD"),
    )
    own = _key_password(order)
    if own is not None and own != password and order["jks"]:
        _keytool(
            password,
            *("-keypasswd", "-alias", order["alias"], "-keystore", str(fresh)),
            *("-storepass:env", "STORE_PASSWORD", "-keypass:env", "STORE_PASSWORD"),
            *("-new:env", "KEY_PASSWORD"),
            KEY_PASSWORD=own,
        )
    return fresh


def _key_password(order: Mapping[str, Any]) -> str | None:
    """Return the password that the key has for itself; None without one."""
    if not order.get("key_password"):
        return None
    file, name = order["key_password"]
    return secret(Path(file), name)


def _with_trust(order: Mapping[str, Any], password: str, work: Path) -> Path:
    fresh = work / "fresh"
    for number, each in enumerate(load_certificates(files.read(Path(order["ca"])))):
        passing = work / f"ca{number}.pem"
        files.replace(passing, dump_certificates([each]), mode=0o600)
        _keytool(
            password,
            *("-importcert", "-noprompt", "-alias", f"puppet-ca-{number}"),
            *("-file", str(passing), "-keystore", str(fresh)),
            *("-storetype", _kind(order), "-storepass:env", "STORE_PASSWORD"),
        )
    return fresh


def _kind(order: Mapping[str, Any]) -> str:
    return "JKS" if order["jks"] else "PKCS12"


def _keytool(password: str, *words: str, **more: str) -> None:
    """Run Java's keytool; `StoreError` with what it said if it fails.

    Args:
        password: In the environment as STORE_PASSWORD, with
        more: other variables.
        words: Its arguments.
    """
    variables = {**os.environ, "STORE_PASSWORD": password, "LC_ALL": "C", **more}
    done = subprocess.run(
        [_program(), "-J-Duser.language=en", *words],
        env=variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode != 0:
        found = re.search(r"^keytool error: .*$", done.stdout, re.MULTILINE)
        status = f"keytool: exit status {done.returncode}"
        raise StoreError(found[0] if found else status)


def _program() -> str:
    """Return the keytool on the PATH, or the one beside Java; `NotFound` without."""
    if found := shutil.which("keytool"):
        return found
    if java := shutil.which("java"):
        beside = Path(os.path.realpath(java)).with_name("keytool")
        if os.access(beside, os.X_OK):
            return str(beside)
    raise NotFound("no keytool is there")
