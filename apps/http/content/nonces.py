"""The nonces of Digest authentication: each request of a client counts once, and none for long.

A nonce is made of the time, of random bytes and a code of both, so one that nobody used takes no
memory, however many are asked for. Only those with which somebody logged in are kept, with the uses
that were made of them. When there are too many, the least recently used one is forgotten, and with
it every unused one as old as it: what was forgotten must not count as unused.

No clock and no dice here: the time is an argument, random bytes as well. RFC 7616, section 3.3.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections import OrderedDict

NONCE_SECONDS = 300.0
"""How long a nonce can be used. A client whose nonce is over gets the next one without asking."""
NONCES_MAX = 4_096
"""Nonces in use at once, about 200 bytes each. With more the oldest client gets another one."""
WINDOW = 64
"""How far behind the latest use another one may come: requests on parallel connections overtake
each other, browsers have six."""
SALT_BYTES = 8
"""Random bytes of a nonce: two of the same millisecond are different."""

_TIME_BYTES = 8
_CODE_BYTES = 16


class _Uses:
    """Which uses of a nonce there were: the highest, and a bit for each of those before it."""

    __slots__ = ("bits", "highest", "owner")

    def __init__(self, owner: str) -> None:
        self.owner = owner
        self.highest = 0
        self.bits = 0

    def take(self, count: int) -> bool:
        """Take one use; return False if it was taken before or is too far behind."""
        ahead = count - self.highest
        if ahead > 0:
            self.bits = ((self.bits << min(ahead, WINDOW)) | 1) & ((1 << WINDOW) - 1)
            self.highest = count
            return True
        # The window first: a client may be four thousand million uses behind, of a bit each.
        if -ahead >= WINDOW or self.bits & (bit := 1 << -ahead):
            return False
        self.bits |= bit
        return True


class Nonces:
    """The nonces of one realm; ``key`` are secret random bytes, 16 to 64.

    >>> nonces = Nonces(b"k" * 16)
    >>> nonce = nonces.issue(1000.0, b"8 random")
    >>> nonces.take(nonce, 1, "kim", 1001.0), nonces.take(nonce, 1, "kim", 1002.0)
    (True, False)
    """

    def __init__(
        self, key: bytes, seconds: float = NONCE_SECONDS, nonces_max: int = NONCES_MAX
    ) -> None:
        self._key = key
        self._seconds = seconds
        self._max = nonces_max
        self._used: OrderedDict[bytes, _Uses] = OrderedDict()
        self._forgotten = -1

    def issue(self, now: float, salt: bytes) -> str:
        """Return a nonce; ``now`` in seconds since 1970, ``salt`` are `SALT_BYTES` random bytes."""
        body = int(now * 1000).to_bytes(_TIME_BYTES, "big") + salt
        return base64.urlsafe_b64encode(body + self._code(body)).decode("ascii")

    def take(self, nonce: str, count: int, owner: str, now: float) -> bool:
        """Use a nonce for the ``count``-th time; return whether that is possible.

        It is not for a nonce that is not ours, is over, was forgotten or is another user's, and for
        a use that was made before. To be called for right responses only, since it is remembered.
        """
        body = self._body(nonce)
        if body is None or count < 1:
            return False
        issued = int.from_bytes(body[:_TIME_BYTES], "big")
        if not 0 <= now * 1000 - issued <= self._seconds * 1000 + 1:
            return False
        uses = self._used.get(body)
        if uses is None:
            if issued <= self._forgotten:
                return False
            uses = self._remember(body, owner)
        else:
            self._used.move_to_end(body)
        return uses.owner == owner and uses.take(count)

    def is_owner(self, nonce: str, owner: str) -> bool:
        """Tell whether ``owner`` has used a nonce that is still kept."""
        body = self._body(nonce)
        uses = None if body is None else self._used.get(body)
        return uses is not None and uses.owner == owner

    def drop(self, nonce: str) -> None:
        """Forget a nonce: somebody else seems to have it."""
        body = self._body(nonce)
        if body is not None and self._used.pop(body, None) is not None:
            self._forget(body)

    def __len__(self) -> int:
        return len(self._used)

    def _remember(self, body: bytes, owner: str) -> _Uses:
        self._used[body] = uses = _Uses(owner)
        if len(self._used) > self._max:
            self._forget(self._used.popitem(last=False)[0])
        return uses

    def _forget(self, body: bytes) -> None:
        self._forgotten = max(self._forgotten, int.from_bytes(body[:_TIME_BYTES], "big"))

    def _body(self, nonce: str) -> bytes | None:
        try:
            data = base64.b64decode(nonce.encode("latin-1"), altchars=b"-_", validate=True)
        except (binascii.Error, UnicodeEncodeError):
            return None
        body, code = data[:-_CODE_BYTES], data[-_CODE_BYTES:]
        if len(body) != _TIME_BYTES + SALT_BYTES:
            return None
        return body if hmac.compare_digest(code, self._code(body)) else None

    def _code(self, body: bytes) -> bytes:
        return hashlib.blake2b(body, key=self._key, digest_size=_CODE_BYTES).digest()
