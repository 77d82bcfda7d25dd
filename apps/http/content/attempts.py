"""How often an address may try a password: after a few mistakes ever more slowly.

An attempt counts when it begins and is taken back when it was right; counted at its end, a hundred
at once would be one. No clock here: the time is an argument.
"""

from __future__ import annotations

from collections import OrderedDict
from ipaddress import AddressValueError, IPv6Address

FREE_ATTEMPTS = 5
"""Mistakes without consequence: people mistype, and browsers try the old password first."""
WAIT_SECONDS_MAX = 60.0
"""How long an address waits at most. Longer would lock out all who share it."""
FORGOTTEN_SECONDS = 900.0
"""How long after its last mistake an address begins anew."""
ADDRESSES_MAX = 4_096
"""Addresses that are remembered, about 200 bytes each; then the one that tried longest ago goes."""


class Attempts:
    """The attempts of each address. Addresses of IPv6 count by their network of 64 bits, of which
    everybody has one for himself.

    >>> attempts = Attempts()
    >>> [attempts.begin("10.0.0.1", 1000.0) for _ in range(7)]
    [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0]
    """

    def __init__(self, addresses_max: int = ADDRESSES_MAX) -> None:
        self._max = addresses_max
        # Address to (mistakes, when the last attempt began).
        self._known: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def begin(self, address: str, now: float) -> float:
        """Begin an attempt and return 0.0, or how many seconds to wait with it, if it may not be.

        ``now`` is in seconds, of any clock that runs evenly.
        """
        place = place_of(address)
        mistakes, last = self._known.get(place, (0, now))
        if now - last >= FORGOTTEN_SECONDS:
            mistakes = 0
        wait = last + _wait(mistakes) - now
        if wait > 0:
            return wait
        self._known[place] = (mistakes + 1, now)
        self._known.move_to_end(place)
        if len(self._known) > self._max:
            self._known.popitem(last=False)
        return 0.0

    def forgive(self, address: str) -> None:
        """Take back an attempt that was right."""
        place = place_of(address)
        mistakes, last = self._known.get(place, (0, 0.0))
        if mistakes > 1:
            self._known[place] = (mistakes - 1, last)
        else:
            self._known.pop(place, None)

    def __len__(self) -> int:
        return len(self._known)


def _wait(mistakes: int) -> float:
    over = mistakes - FREE_ATTEMPTS
    return min(WAIT_SECONDS_MAX, 2.0 ** min(over - 1, 10)) if over > 0 else 0.0


def place_of(address: str) -> str:
    """Return by what an address counts: IPv6 by its network of 64 bits, IPv4 as it is."""
    if ":" not in address:
        return address
    try:
        number = IPv6Address(address.partition("%")[0])
    except AddressValueError:
        return address
    if number.ipv4_mapped is not None:
        return str(number.ipv4_mapped)
    return number.exploded[:19]
