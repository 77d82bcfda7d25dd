"""The log of a replica: what is known about each sequence number between the watermarks.

Three rules. Numbers outside of the window take no memory (OSDI 1999, section 4.2). An entry's
pre-prepare, prepares and commits are of the current view; its certificate is of the latest view in
which it prepared. A batch stays as long as somebody may have a certificate for it.
"""

from __future__ import annotations

from collections.abc import Iterator

from apps.solidstate.pbft.messages import NULL_BATCH, Batch, Prepare, Prepared, PrePrepare


class Entry:
    """What is known about one sequence number.

    ``decided`` is the digest of the batch that was committed; it outlives views. ``claims`` are the
    digests that others say they executed. ``votes`` has, where votes are counted, the view and the
    digest of each replica's latest one: it outlives views as well.
    """

    __slots__ = (
        "claims",
        "commits",
        "committing",
        "decided",
        "pre_prepare",
        "prepared",
        "prepares",
        "sequence",
        "votes",
    )

    def __init__(self, sequence: int) -> None:
        self.sequence = sequence
        self.pre_prepare: PrePrepare | None = None
        self.prepares: dict[int, Prepare] = {}
        self.commits: dict[int, bytes] = {}
        self.committing = False
        self.prepared: Prepared | None = None
        self.decided: bytes | None = None
        self.claims: dict[int, bytes] = {}
        self.votes: dict[int, tuple[int, bytes]] = {}

    def leave_view(self) -> None:
        """Forget what counts in one view only."""
        self.pre_prepare = None
        self.prepares = {}
        self.commits = {}
        self.committing = False

    def digests(self) -> set[bytes]:
        """Return the digests of the batches this entry needs."""
        found = {self.decided} if self.decided is not None else set()
        if self.pre_prepare is not None:
            found.add(self.pre_prepare.batch)
        if self.prepared is not None:
            found.add(self.prepared.pre_prepare.batch)
        return found


class Log:
    """The entries above ``low``, the last stable checkpoint, up to ``low + window``."""

    def __init__(self, window: int, spare_batches_max: int) -> None:
        self.low = 0
        self._window = window
        self._spare = spare_batches_max
        self._entries: dict[int, Entry] = {}
        self._batches: dict[int, dict[bytes, Batch]] = {}

    @property
    def high(self) -> int:
        """The high watermark."""
        return self.low + self._window

    def holds(self, sequence: int) -> bool:
        """Tell whether a sequence number is between the watermarks."""
        return self.low < sequence <= self.high

    def get(self, sequence: int) -> Entry | None:
        """Return the entry of a number, None where nothing is known about it."""
        return self._entries.get(sequence)

    def entry(self, sequence: int) -> Entry:
        """Return the entry of a number between the watermarks, made if there is none."""
        assert self.holds(sequence)
        entry = self._entries.get(sequence)
        if entry is None:
            entry = self._entries[sequence] = Entry(sequence)
        return entry

    def entries(self) -> Iterator[Entry]:
        """Go through all entries by sequence number, but those that are cut off meanwhile."""
        for sequence in sorted(self._entries):
            entry = self._entries.get(sequence)
            if entry is not None:
                yield entry

    def keep_batch(self, sequence: int, batch: Batch) -> None:
        """Keep a batch for a sequence number; the oldest that no entry needs makes way."""
        kept = self._batches.setdefault(sequence, {})
        kept[batch.digest] = batch
        if len(kept) > self._spare:
            needed = self.entry(sequence).digests() | {batch.digest}
            for digest in [digest for digest in kept if digest not in needed][:1]:
                del kept[digest]

    def batch(self, sequence: int, digest: bytes) -> Batch | None:
        """Return the batch of a digest kept for a sequence number, None if there is none."""
        if digest == NULL_BATCH.digest:
            return NULL_BATCH
        return self._batches.get(sequence, {}).get(digest)

    def find_batch(self, digest: bytes) -> Batch | None:
        """Return the batch of a digest, whatever number it is kept for."""
        for kept in self._batches.values():
            if digest in kept:
                return kept[digest]
        return None

    def batches(self, sequence: int) -> list[Batch]:
        """Return all batches kept for a sequence number."""
        return list(self._batches.get(sequence, {}).values())

    def missing(self, most: int) -> dict[bytes, int]:
        """Return up to ``most`` digests of batches that entries need and lack, with the number."""
        found: dict[bytes, int] = {}
        for entry in self.entries():
            for digest in sorted(entry.digests()):
                if self.batch(entry.sequence, digest) is None and len(found) < most:
                    found[digest] = entry.sequence
        return found

    def leave_view(self) -> None:
        """Forget what counts in one view only."""
        for entry in self._entries.values():
            entry.leave_view()

    def truncate(self, low: int) -> None:
        """Forget everything up to ``low`` and move the watermarks there."""
        self.low = max(self.low, low)
        for kept in (self._entries, self._batches):
            for sequence in [number for number in kept if number <= self.low]:
                del kept[sequence]

    def restart(self, low: int) -> None:
        """Forget everything, on both sides of ``low``, and move the watermarks there."""
        self.low = low
        self._entries.clear()
        self._batches.clear()

    def size(self) -> dict[str, int]:
        """Return how many entries and batches are held, for checks of the bounds."""
        return {
            "entries": len(self._entries),
            "batches": max((len(kept) for kept in self._batches.values()), default=0),
        }
