"""Base64 in lines is the same whatever was seen before."""

from __future__ import annotations

import base64
import binascii
import random
from collections.abc import Callable

import pytest

from reseal.x509 import armour

SIZE = 72_000


def plain(data: bytes) -> bytes:
    """Return bytes as base64 in lines, as the standard library has it."""
    lines = (data[start : start + 48] for start in range(0, len(data), 48))
    return b"".join(base64.b64encode(line) + b"\n" for line in lines)


def some(seed: int, size: int = SIZE) -> bytes:
    return random.Random(seed).randbytes(size)


def changed(data: bytes, seed: int) -> bytes:
    """Return bytes with something else at their beginning, at their end, or inside."""
    chance = random.Random(seed)
    head, tail = chance.randrange(400), chance.randrange(400)
    data = some(seed, head) + data[head:] if seed % 2 else data
    data = data + some(seed + 1, tail) if seed % 3 else data[: len(data) - tail]
    if seed % 5 == 0:
        middle = chance.randrange(len(data))
        data = data[:middle] + b"x" + data[middle + 1 :]
    if seed % 7 == 0:
        data = some(seed + 2, chance.randrange(100)) + data
    return data


@pytest.mark.parametrize("seed", range(40))
def test_it_says_what_it_would_say_alone(seed: int) -> None:
    first = some(seed, SIZE + seed)
    second = changed(first, seed)
    assert armour.encode(first) == plain(first)
    assert armour.encode(second) == plain(second)
    assert armour.decode(plain(first)) == first
    assert armour.decode(plain(second)) == second


@pytest.mark.parametrize("size", [0, 1, 47, 48, 49, 65_535, 65_536, 65_568])
def test_any_length_is_whole(size: int) -> None:
    data = some(1, size)
    armour.encode(data)
    assert armour.encode(data) == plain(data)
    assert armour.decode(plain(data)) == data


def spoilt(text: bytes, seed: int) -> bytes:
    """Return a text with lines of other lengths, or what is no base64 in it."""
    chance = random.Random(seed)
    at = chance.choice((64, 65 * 100 + 3, len(text) - 66, len(text) - 1))
    cut, extra = chance.choice((0, 1)), chance.choice((b"", b" ", b"\n", b"=", b"A"))
    if seed % 4 == 0:
        return text[: at + 65].replace(b"\n", b"\r\n") + text[at + 65 :]
    if seed % 4 == 1:
        return text[:3] + b" " + text[3:-1]
    return text[:at] + extra + text[at + cut :]


@pytest.mark.parametrize("seed", range(48))
@pytest.mark.parametrize("size", [SIZE, 71_999, 71_998])
def test_a_text_is_judged_alike_whatever_was_seen(seed: int, size: int) -> None:
    known = plain(some(1, size))
    text = spoilt(known, seed)

    def judged() -> bytes | None:
        try:
            return armour.decode(text)
        except binascii.Error:
            return None

    armour.encode(some(2))
    alone = judged()
    armour.encode(some(1, size))
    assert judged() == alone
    # What was taken in is not a beginning for what is said next.
    assert armour.encode(some(1, size)) == known
    assert armour.decode(known) == some(1, size)


def test_what_follows_the_end_is_no_base64() -> None:
    data = some(1, 71_998)
    text = plain(data)
    assert text.endswith(b"=\n")
    assert armour.decode(text) == data
    with pytest.raises(binascii.Error):
        armour.decode(text + plain(some(3, 48)))


def test_of_the_next_list_only_what_is_new_is_worked_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data, given = some(1), list[bytes]()
    armour.encode(data)

    def watched(work: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
        def kept(part: bytes) -> bytes:
            given.append(part)
            return work(part)

        return kept

    monkeypatch.setattr(armour, "_encode", watched(armour._encode))
    monkeypatch.setattr(armour, "_decode", watched(armour._decode))
    second, third = (word + data[2:] + b"more" for word in (b"12", b"34"))
    assert armour.encode(second) == plain(second)
    assert armour.decode(plain(third)) == third
    assert 0 < len(b"".join(given)) < 500
