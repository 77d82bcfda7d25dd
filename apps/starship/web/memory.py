"""What a site remembers for a while: bounded in number and in time. No clock here."""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

Kept = TypeVar("Kept")


class Memory(Generic[Kept]):
    """Values by key, ``most`` of them for ``seconds`` each.

    >>> memory = Memory[str](most=2, seconds=10.0)
    >>> memory.put("a", "one", now=0.0)
    >>> memory.get("a", now=9.0), memory.get("a", now=11.0)
    ('one', None)
    """

    def __init__(self, most: int, seconds: float) -> None:
        self._most = most
        self._seconds = seconds
        self._kept: OrderedDict[object, tuple[float, Kept]] = OrderedDict()

    def put(self, key: object, value: Kept, now: float) -> None:
        """Keep a value; the oldest goes if there are too many."""
        self._kept[key] = now, value
        self._kept.move_to_end(key)
        while len(self._kept) > self._most:
            self._kept.popitem(last=False)

    def get(self, key: object, now: float) -> Kept | None:
        """Return the value of a key, None if there is none any longer."""
        since, value = self._kept.get(key, (0.0, None))
        return value if value is not None and now - since <= self._seconds else None

    def take(self, key: object, now: float) -> Kept | None:
        """Return the value of a key and forget it."""
        value = self.get(key, now)
        self._kept.pop(key, None)
        return value

    def forget(self, key: object) -> None:
        """Forget a key."""
        self._kept.pop(key, None)

    def __len__(self) -> int:
        return len(self._kept)
