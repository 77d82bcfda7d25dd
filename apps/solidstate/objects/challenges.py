"""Numbers that a replica has signed before it hands out its state: so no signature serves twice.

Two rules. Who is given a number is not remembered, as anybody may ask for one: it proves by itself
when it was drawn. Those that were used are, as long as they would count.
"""

from __future__ import annotations

import hmac

CHALLENGE_SECONDS = 30.0
"""How long a number counts: the administrator signs it at once."""

_TIME_BYTES = 8
_DICE_BYTES = 16


class Challenges:
    """The numbers of one replica; ``key`` are 32 bytes that nobody else knows.

    Times are seconds of a clock that does not go back.

    >>> made = Challenges(bytes(32))
    >>> number = made.draw(7.0, bytes(16))
    >>> made.use(number, 8.0), made.use(number, 8.0), made.use(bytes(56), 8.0)
    (True, False, False)
    """

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._used: dict[bytes, float] = {}

    def draw(self, now: float, dice: bytes) -> bytes:
        """Return a number; ``dice`` are 16 bytes that nobody can foresee."""
        told = int(now * 1_000_000).to_bytes(_TIME_BYTES, "big") + dice
        return told + self._mac(told)

    def use(self, number: bytes, now: float) -> bool:
        """Tell whether a number was drawn here, is not old and was not used; it is used then."""
        self._used = {one: at for one, at in self._used.items() if now - at <= CHALLENGE_SECONDS}
        told, mac = number[: _TIME_BYTES + _DICE_BYTES], number[_TIME_BYTES + _DICE_BYTES :]
        if not hmac.compare_digest(self._mac(told), mac) or number in self._used:
            return False
        drawn = int.from_bytes(told[:_TIME_BYTES], "big") / 1_000_000
        if now - drawn > CHALLENGE_SECONDS:
            return False
        self._used[number] = now
        return True

    def _mac(self, told: bytes) -> bytes:
        return hmac.digest(self._key, told, "sha256")
