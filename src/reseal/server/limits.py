"""How much callers without a certificate may ask for.

A node that has no certificate yet needs a handful of requests; one that sends
thousands fills the disk and keeps others waiting.  Each address has a bucket that
fills evenly and holds one minute's worth.

Guarantee: the memory for addresses is bounded; IPv6 addresses count by their /64,
which one host may have to itself.
"""

from __future__ import annotations

import ipaddress
from collections import OrderedDict

ADDRESSES = 20_000
"""How many addresses are remembered; the one seen longest ago goes first."""


class Rates:
    """Counts requests by address.

    Args:
        per_minute: How many an address may send a minute; 0 is no limit.
    """

    def __init__(self, per_minute: int) -> None:
        self._limit = per_minute
        self._seen: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def admit(self, address: str, now: float) -> bool:
        """Count a request, and say whether it is within the limit.

        Args:
            address: Where it comes from.
            now: Seconds of a clock that never goes back.
        """
        if self._limit == 0:
            return True
        key = _network(address)
        tokens, last = self._seen.pop(key, (float(self._limit), now))
        tokens = min(self._limit, tokens + (now - last) * self._limit / 60)
        admitted = tokens >= 1
        self._seen[key] = (tokens - 1 if admitted else tokens, now)
        if len(self._seen) > ADDRESSES:
            self._seen.popitem(last=False)
        return admitted


def _network(address: str) -> str:
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped:
            return str(found.ipv4_mapped)
        return str(ipaddress.IPv6Network((found, 64), strict=False))
    return str(found)
