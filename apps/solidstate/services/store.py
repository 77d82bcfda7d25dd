"""A replicated key-value store, and a Python mapping that stands for one.

The operations are those of the state machine replication literature's example: put, get, remove,
list.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, MutableMapping, Sequence
from itertools import accumulate
from typing import Any

from apps.solidstate.objects.replicated import ReplicatedObject, read_only
from vista import BadValueError, Ref, encode_value

KEY_CHARACTERS_MAX = 1_000
KEYS_MAX = 1_000_000
"""Keys of one store; its values are bounded by what a state variable may have."""
VALUE_BYTES_MAX = 250_000
"""Bytes of a value as it is sent: it has to fit into an answer, which has 256 KiB at most."""
LISTED_MAX = 1_000
"""Keys that one call returns."""
LISTED_BYTES_MAX = 200_000
"""Bytes of keys that one call returns: an answer has 256 KiB at most."""

_NOTHING = object()


class ReplicatedStore(ReplicatedObject, namespace="SolidState"):
    """A key-value store that a group of replicas keeps. Keys are text, values any values.

    rc line: ``CreateReplicasOnServers shop 1 ReplicatedStore prices``

    ``create()`` makes an empty one. `StoreMapping` makes a Python mapping of it.
    """

    def create(self) -> None:
        """Begin without keys."""
        self.items: dict[str, Any] = {}

    def put(self, key: str, value: Any) -> Any:
        """Keep a value under a key; return the one that was there, None if there was none.

        Raises `BadValueError` for a key that is none, or one too many, and for a value that is too
        large.
        """
        self._check(key, value)
        before = self.items.get(key)
        self.items[key] = value
        return before

    def put_if(self, key: str, expected: Any, value: Any) -> bool:
        """Keep a value if the present one equals ``expected``, None for no key: compare and swap.

        Returns whether it did.
        """
        self._check(key, value)
        if self.items.get(key) != expected:
            return False
        self.items[key] = value
        return True

    def put_new(self, key: str, value: Any) -> tuple[bool, Any]:
        """Keep a value under a key that is not there; return whether it did, and what is there.

        Raises as `put` does.
        """
        self._check(key, value)
        if key in self.items:
            return False, self.items[key]
        self.items[key] = value
        return True, value

    def remove(self, key: str) -> Any:
        """Forget a key; return its value, None if there was none."""
        _check_key(key)
        return self.items.pop(key, None)

    def remove_key(self, key: str) -> bool:
        """Forget a key; return whether it was there."""
        return self.take(key)[0]

    def take(self, key: str) -> tuple[bool, Any]:
        """Forget a key; return whether it was there, and its value."""
        _check_key(key)
        found = self.items.pop(key, _NOTHING)
        return (False, None) if found is _NOTHING else (True, found)

    def clear(self) -> int:
        """Forget all keys; return how many there were."""
        count = len(self.items)
        self.items = {}
        return count

    @read_only
    def get(self, key: str, default: Any = None) -> Any:
        """Return the value of a key, ``default`` if there is none."""
        _check_key(key)
        return self.items.get(key, default)

    @read_only
    def has(self, key: str) -> bool:
        """Tell whether a key is there."""
        _check_key(key)
        return key in self.items

    @read_only
    def count(self) -> int:
        """Return the number of keys."""
        return len(self.items)

    @read_only
    def list(self, after: str = "", most: int = LISTED_MAX) -> Sequence[str]:
        """Return the keys behind ``after`` in the order of the alphabet, ``most`` at most.

        Fewer where keys are long, and none where none are left.
        """
        if not isinstance(after, str):
            raise BadValueError(f"keys are listed behind a text, not {after!r:.60}")
        if not isinstance(most, int):
            raise BadValueError(f"a whole number of keys is listed, not {most!r:.60}")
        # Nothing here goes by lines of Python for each key: a call has a bound of those.
        found = filter(after.__lt__, self.items) if after else iter(self.items)
        keys = heapq.nsmallest(max(0, min(most, LISTED_MAX)), found)
        sizes = accumulate(len(key.encode("utf-8", "surrogatepass")) for key in keys)
        return keys[: sum(size <= LISTED_BYTES_MAX for size in sizes)]

    def _check(self, key: str, value: Any) -> None:
        _check_key(key)
        if len(self.items) >= KEYS_MAX and key not in self.items:
            raise BadValueError(f"a store has room for {KEYS_MAX} keys: remove some")
        size = len(encode_value(value))
        if size > VALUE_BYTES_MAX:
            raise BadValueError(f"a value has {VALUE_BYTES_MAX} bytes at most, not {size}")


def _check_key(key: str) -> None:
    if not _is_key(key):
        raise BadValueError(
            f"a key is a text of {KEY_CHARACTERS_MAX} characters at most, not {key!r:.60}"
        )


def _is_key(key: object) -> bool:
    return isinstance(key, str) and len(key) <= KEY_CHARACTERS_MAX


class StoreMapping(MutableMapping[str, Any]):
    """A `ReplicatedStore` as a mapping: each access is one call that the replicas agree on.

    ``store`` is the Ref of the store. A value is a copy: changing it changes nothing until it is
    put again. Going through the keys takes them in portions; keys that come or go meanwhile may be
    among them or not. What looks and then changes is one call as well: of two programs that
    `setdefault` a key both get what the first one set, and an item is popped by one of them.

    >>> prices = StoreMapping(vista.service("prices"))
    >>> prices["tea"] = 4
    """

    def __init__(self, store: Ref) -> None:
        self._store = store

    def __getitem__(self, key: str) -> Any:
        if not _is_key(key):
            raise KeyError(key)
        found = self._store.get(key, None)
        # None may be the value: only then is it asked whether the key is there.
        if found is None and not self._store.has(key):
            raise KeyError(key)
        return found

    def __setitem__(self, key: str, value: Any) -> None:
        self._store.put(key, value)

    def __delitem__(self, key: str) -> None:
        if not (_is_key(key) and self._store.remove_key(key)):
            raise KeyError(key)

    def __contains__(self, key: object) -> bool:
        return _is_key(key) and bool(self._store.has(key))

    def __len__(self) -> int:
        count: int = self._store.count()
        return count

    def __iter__(self) -> Iterator[str]:
        keys: Sequence[str] = self._store.list()
        while keys:
            yield from keys
            if not keys[-1]:
                return  # the empty key alone: behind "" would begin anew
            keys = self._store.list(keys[-1])

    def setdefault(self, key: str, default: Any = None) -> Any:
        """Return the value of a key; set it to ``default`` where there is none."""
        return self._store.put_new(key, default)[1]

    def pop(self, key: str, default: Any = _NOTHING) -> Any:
        """Forget a key and return its value; where it is not there ``default``, or KeyError."""
        there, value = self._store.take(key) if _is_key(key) else (False, None)
        if not there and default is _NOTHING:
            raise KeyError(key)
        return value if there else default

    def popitem(self) -> tuple[str, Any]:
        """Forget a key and return it with its value; KeyError where there is none."""
        for key in self:
            there, value = self._store.take(key)
            if there:
                return key, value
        raise KeyError("the store is empty")

    def clear(self) -> None:
        """Forget all keys, at once."""
        self._store.clear()

    def swap(self, key: str, expected: Any, value: Any) -> bool:
        """Set a key if its value equals ``expected``, None for no key; return whether it did."""
        done: bool = self._store.put_if(key, expected, value)
        return done
