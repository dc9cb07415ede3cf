"""Private keys that stay on their node: made, used and told of by their public halves.

Guarantee: a private key is in no answer and no message.

Sources: `site/node/make_keys.rb`, `sign.rb`, `vouch.rb` and `public_keys.rb`, which do
the same.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from reseal import files
from reseal.errors import NotFound, ParseError, ResealError, StoreError
from reseal.node import tree
from reseal.x509.keys import (
    LocalSigner,
    PrivateKey,
    dump_private,
    dump_public,
    generate,
    load_private,
    public_info,
)

WORDS = b"reseal: who has this key\0"
"""What a challenge is signed behind."""


def make_keys(backup: Path, wishes: Iterable[tuple[Path, int]]) -> dict[str, str]:
    """Make RSA keys; the public half (PEM) of each by its path.

    A key that is there already is kept, so that an interrupted run goes on with it.

    Args:
        backup: The run's directory.
        wishes: Where, and how many bits.
    """
    with tree.alone(backup):
        made = {str(path): _key(path, bits) for path, bits in wishes}
    return {
        path: dump_public(key.public_key()).decode("ascii")
        for path, key in made.items()
    }


def _key(path: Path, bits: int) -> PrivateKey:
    with suppress(NotFound):
        if found := files.read(path):
            return load_private(found)
    key = generate(f"rsa:{bits}")
    files.replace(path, dump_private(key), mode=0o600, follow=False)
    return key


def sign(path: Path, data: bytes) -> dict[str, str]:
    """Sign with a key of this node: SHA-256 with PKCS #1 v1.5 or ECDSA, in base64."""
    signature = LocalSigner(load_private(files.read(path))).sign(data)
    return {"signature": base64.b64encode(signature).decode("ascii")}


def vouch(path: Path, challenge: bytes) -> dict[str, str]:
    """Show that this node has a private key: sign with it what was asked.

    Args:
        path: The key.
        challenge: Signed behind `WORDS`, which nothing else begins with.

    Returns:
        The `public` half (SubjectPublicKeyInfo) and the `signature`, in base64.

    Raises:
        StoreError: It is a link, or cannot be read.
        ParseError: It is no key.
    """
    if path.is_symlink():
        raise StoreError(f"{path}: is a link")
    key = load_private(files.read(path))
    signature = LocalSigner(key).sign(WORDS + challenge)
    public = public_info(key.public_key())
    return {
        "public": base64.b64encode(public).decode("ascii"),
        "signature": base64.b64encode(signature).decode("ascii"),
    }


def public_half(path: Path, passfile: Path | None) -> str:
    """Tell of the key of a file, in one line.

    Returns:
        `missing`, `locked` (encrypted, and no passphrase opens it), `broken WHY`, or
        `plain` or `encrypted` with the SubjectPublicKeyInfo in base64.
    """
    try:
        if not path.is_file():
            return "missing"
        text = files.read(path)
        encrypted = b"ENCRYPTED" in text
        key = _opened(text, passfile)
        if key is None:
            return "locked" if encrypted else "broken not a private key"
    except ResealError as error:
        return f"broken {error}"
    info = base64.b64encode(public_info(key.public_key())).decode("ascii")
    return f"{'encrypted' if encrypted else 'plain'} {info}"


def _opened(text: bytes, passfile: Path | None) -> PrivateKey | None:
    words = [b""]
    if passfile is not None and passfile.is_file():
        word = files.read(passfile)
        words += [word, word.rstrip(b"\r\n")]
    for word in words:
        with suppress(ParseError):
            return load_private(text, word)
    return None
