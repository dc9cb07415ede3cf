"""What the fuzzers share: seeds, a key, and a mutation that keeps PEM whole."""

from __future__ import annotations

import random
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

import atheris

from reseal.errors import ParseError
from reseal.x509 import der, keys, oids, pem
from reseal.x509.certexts import Extension, text_extension
from reseal.x509.csr import LABEL, build_request

PROJECT = Path(__file__).resolve().parents[1]
NAME = "fuzz.example.com"
KEY = keys.LocalSigner(keys.generate("ec:secp256r1"))


def seeds() -> list[bytes]:
    """Return requests of real agents and tools, and some that want too much."""
    found = [p.read_bytes() for p in (PROJECT / "tests/data/requests").glob("*.pem")]
    ca = Extension(oids.BASIC_CONSTRAINTS, True, der.sequence(der.boolean(True)))
    role = text_extension(f"{oids.AUTHORIZATION}.13", "admin")
    for alt_names, extensions, attributes in (
        ((), (), ()),
        ((f"DNS:{NAME}",), (), ((oids.PP_AUTH_AUTO_RENEW, "true"),)),
        (("DNS:*.example.com", "IP:192.0.2.1"), (role,), ()),
        ((), (ca,), ((oids.CHALLENGE, "secret"),)),
    ):
        found.append(build_request(KEY, NAME, alt_names, extensions, attributes).pem)
    return found


def mutate_pem(data: bytes, most: int, seed: int) -> bytes:
    """Change what a PEM block holds, or the text itself now and then."""
    if seed % 8:
        try:
            inside = atheris.Mutate(pem.decode(data)[0].der, max(1, most * 2 // 3 - 64))
            return pem.encode(LABEL, inside)
        except (ParseError, IndexError):
            pass
    changed: bytes = atheris.Mutate(data, most)
    return changed


def signed_again(data: bytes) -> bytes:
    """Sign what a request says with our own key; ParseError if it says nothing.

    Else a changed request is refused for its signature, and nothing behind that
    check is ever reached.
    """
    info = der.parse(data).children()[0].raw
    algorithm = keys.signature_algorithm(KEY.public_key)
    return der.sequence(info, algorithm, der.bit_string(KEY.sign(info)))


def fuzz(
    one: Callable[[bytes], None],
    start: Iterable[bytes],
    mutate: Callable[[bytes, int, int], bytes],
) -> None:
    """Fuzz until the time or the number of runs of the command line is used up."""
    random.seed(0)
    with tempfile.TemporaryDirectory() as corpus:
        for number, seed in enumerate(start):
            Path(corpus, f"seed{number}").write_bytes(seed)
        words = [*sys.argv, "-max_len=8192", "-timeout=20", "-print_final_stats=1"]
        atheris.Setup([*words, corpus], one, custom_mutator=mutate)
        atheris.Fuzz()
