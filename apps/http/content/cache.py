"""What is kept until there is too much of it: least recently used first out.

One rule: the sum of the sizes never stays over the bound, and what is larger than a quarter of the
bound is not kept at all, or one large file would empty the cache.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

Kept = TypeVar("Kept")

SHARE_MAX = 4
"""The largest entry is this part of the bound."""


ASKED_MAX = 8_192
"""Names that `AskedLately` remembers at least, 60 bytes each."""


class LeastRecentlyUsed(Generic[Kept]):
    """Entries by name, their sizes in bytes bounded together by ``bytes_max``.

    >>> cache = LeastRecentlyUsed(100)
    >>> cache.put("/a", "A", 20), cache.put("/b", "B", 25), cache.get("/a")
    ([], [], 'A')
    """

    __slots__ = ("_entries", "_sizes", "bytes", "bytes_max", "evictions", "hits", "misses")

    def __init__(self, bytes_max: int) -> None:
        self.bytes_max = bytes_max
        self.bytes = 0
        self.hits = self.misses = self.evictions = 0
        self._entries: OrderedDict[str, Kept] = OrderedDict()
        self._sizes: dict[str, int] = {}

    def get(self, name: str) -> Kept | None:
        """Return an entry, which is the most recently used one thereby; None when not there."""
        entry = self._entries.get(name)
        if entry is None:
            self.misses += 1
        else:
            self.hits += 1
            self._entries.move_to_end(name)
        return entry

    def peek(self, name: str) -> Kept | None:
        """Return an entry without using it."""
        return self._entries.get(name)

    def fits(self, size: int) -> bool:
        """Tell whether an entry of so many bytes is kept."""
        return size * SHARE_MAX <= self.bytes_max

    def put(self, name: str, entry: Kept, size: int) -> list[Kept]:
        """Keep an entry and return those that had to go for it, the old one of its name too."""
        gone = []
        old = self.remove(name)
        if old is not None:
            gone.append(old)
        if not self.fits(size):
            return [*gone, entry]
        self._entries[name] = entry
        self._sizes[name] = size
        self.bytes += size
        return [*gone, *self._make_room()]

    def resize(self, name: str, size: int) -> list[Kept]:
        """Take note that an entry has so many bytes by now; return those that had to go for it.

        That may be the entry itself, when it is larger than what is kept. Nothing happens to a name
        that is not there.
        """
        if name not in self._entries:
            return []
        if not self.fits(size):
            self.evictions += 1
            return [dropped for dropped in (self.remove(name),) if dropped is not None]
        self.bytes += size - self._sizes[name]
        self._sizes[name] = size
        return self._make_room()

    def _make_room(self) -> list[Kept]:
        gone = []
        while self.bytes > self.bytes_max:
            oldest, dropped = self._entries.popitem(last=False)
            self.bytes -= self._sizes.pop(oldest)
            self.evictions += 1
            gone.append(dropped)
        return gone

    def figures(self) -> dict[str, int]:
        """Return the ``files`` and ``bytes`` kept, the ``hits``, ``misses`` and ``evictions``."""
        return {
            "files": len(self._entries),
            "bytes": self.bytes,
            "hits": self.hits,
            "misses": self.misses,
            "evictions": self.evictions,
        }

    def remove(self, name: str) -> Kept | None:
        """Forget an entry and return it; None when it is not there."""
        self.bytes -= self._sizes.pop(name, 0)
        return self._entries.pop(name, None)

    def names(self) -> list[str]:
        """Return the names, least recently used first."""
        return list(self._entries)

    def __len__(self) -> int:
        return len(self._entries)


class AskedLately:
    """Names that were asked for lately, so that what is asked for once can be told from the rest.

    It remembers `ASKED_MAX` names at least and twice as many at most, by numbers; now and then it
    takes one name for another, so nothing but work must depend on it.

    >>> asked = AskedLately()
    >>> asked.has("/a"), asked.has("/a"), asked.has("/b")
    (False, True, False)
    """

    __slots__ = ("_before", "_numbers")

    def __init__(self) -> None:
        self._numbers: set[int] = set()
        self._before: set[int] = set()

    def has(self, name: str) -> bool:
        """Tell whether a name was asked for, and take note that it is by now."""
        number = hash(name)
        if number in self._numbers or number in self._before:
            return True
        if len(self._numbers) >= ASKED_MAX:
            self._before, self._numbers = self._numbers, set()
        self._numbers.add(number)
        return False
