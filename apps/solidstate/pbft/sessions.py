"""What is kept of each client: its last request and the result; part of the replicated state.

At most once rests on it (OSDI 1999, section 4.1). It is in the state that is digested and fetched,
so that a replica which fetched a state still knows what was executed before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from zlib import crc32

from apps.solidstate.pbft.canonical import pack, unpack

PAGES = 8
"""Pages the sessions stand in."""


@dataclass(frozen=True, slots=True)
class Session:
    """The timestamp of a client's last executed request, and its result."""

    timestamp: int
    result: bytes


_NEVER = Session(-1, b"")


class Sessions:
    """The sessions of all clients."""

    def __init__(self) -> None:
        self._buckets: list[dict[str, Session]] = [{} for _ in range(PAGES)]
        self._pages: list[bytes | None] = [None] * PAGES

    def last(self, client: str) -> Session:
        """Return a client's session; one with timestamp -1 if it never asked."""
        return self._buckets[crc32(client.encode()) % PAGES].get(client, _NEVER)

    def note(self, client: str, timestamp: int, result: bytes) -> None:
        """Keep the result of a client's latest request."""
        place = crc32(client.encode()) % PAGES
        self._buckets[place][client] = Session(timestamp, result)
        self._pages[place] = None

    def snapshot(self) -> list[bytes]:
        """Return the pages; those that did not change are the same objects as before."""
        for place, page in enumerate(self._pages):
            if page is None:
                rows = sorted(self._buckets[place].items())
                self._pages[place] = pack(
                    [[name, session.timestamp, session.result] for name, session in rows]
                )
        return [page for page in self._pages if page is not None]

    def restore(self, pages: Sequence[bytes]) -> None:
        """Take over the pages of another replica."""
        self._buckets = [
            {name: Session(timestamp, result) for name, timestamp, result in unpack(page)}
            for page in pages
        ]
        self._pages = list(pages)
