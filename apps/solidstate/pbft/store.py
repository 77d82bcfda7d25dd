"""A replicated key-value store: the reference service, after the example of the SMR literature.

Operations and results are packed lists: ``["put", key, value]`` answers ``["ok", old or None]``,
``["get", key]`` and ``["remove", key]`` answer ``["ok", value or None]``, ``["list"]`` answers
``["ok", [key, ...]]``; anything else answers ``["bad", words]``. Keys are text, values bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from zlib import crc32

from apps.solidstate.pbft.canonical import MalformedMessage, pack, unpack
from apps.solidstate.pbft.service import Context

LISTED_KEYS_MAX = 10_000
"""Keys that one list answers with."""


class KeyValueStore:
    """A `Service` that keeps values under keys, in ``pages`` pages.

    >>> store = KeyValueStore()
    """

    def __init__(self, pages: int = 16) -> None:
        self._buckets: list[dict[str, bytes]] = [{} for _ in range(pages)]
        self._pages: list[bytes | None] = [None] * pages

    def execute(self, operation: bytes, context: Context) -> bytes:
        """Carry out put, get, remove or list."""
        match _read(operation):
            case ["put", str(key), bytes(value)]:
                bucket = self._changed(key)
                old = bucket.get(key)
                bucket[key] = value
                return pack(["ok", old])
            case ["remove", str(key)]:
                return pack(["ok", self._changed(key).pop(key, None)])
        return self.execute_read_only(operation) or pack(["bad", "no such operation"])

    def execute_read_only(self, operation: bytes) -> bytes | None:
        """Answer get or list; None for anything else."""
        match _read(operation):
            case ["get", str(key)]:
                return pack(["ok", self._buckets[self._place(key)].get(key)])
            case ["list"]:
                keys = sorted(key for bucket in self._buckets for key in bucket)
                return pack(["ok", keys[:LISTED_KEYS_MAX]])
        return None

    def snapshot(self) -> Sequence[bytes]:
        """Return one page for each bucket; only those that changed are packed again."""
        for place, page in enumerate(self._pages):
            if page is None:
                items = sorted(self._buckets[place].items())
                self._pages[place] = pack([list(item) for item in items])
        return [page for page in self._pages if page is not None]

    def restore(self, pages: Sequence[bytes]) -> None:
        """Take over the pages of another store."""
        self._buckets = [dict(unpack(page)) for page in pages]
        self._pages = list(pages)

    def _place(self, key: str) -> int:
        return crc32(key.encode()) % len(self._buckets)

    def _changed(self, key: str) -> dict[str, bytes]:
        place = self._place(key)
        self._pages[place] = None
        return self._buckets[place]


def _read(operation: bytes) -> Any:
    try:
        return unpack(operation)
    except MalformedMessage:
        return None
