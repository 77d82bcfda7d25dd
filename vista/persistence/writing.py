"""What is written to a store when: the part that decides, told what happened and what time it is.

Four rules. One batch is under way at a time; what changes meanwhile goes into the next one. Of
several states of one object only the last is written. A durable change is written at once, any
other when ``delay_seconds`` have passed since the first one that waits. A batch that failed is
tried again, object by object and behind the others, so that one which cannot be written holds up
nobody: at once when somebody needs it, and else after pauses that double.
"""

from __future__ import annotations

from dataclasses import dataclass

from vista.persistence.store import Batch, Row

# --- events ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Changed:
    """An object has another state; ``row`` None says that it is kept no more."""

    key: bytes
    row: Row | None
    durable: bool


@dataclass(frozen=True, slots=True)
class Wanted:
    """Somebody waits until the last change of an object is safe, or with None every change."""

    key: bytes | None


@dataclass(frozen=True, slots=True)
class Done:
    """The batch under way is safe."""


@dataclass(frozen=True, slots=True)
class Failed:
    """Nothing of the batch under way was done."""

    reason: str


@dataclass(frozen=True, slots=True)
class Passed:
    """Time has passed."""


Event = Changed | Wanted | Done | Failed | Passed

# --- effects --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Write:
    """Commit a batch, and say `Done` or `Failed`."""

    batch: Batch


@dataclass(frozen=True, slots=True)
class Safe:
    """Every change up to ``number`` of these objects is safe."""

    keys: tuple[bytes, ...]
    number: int


@dataclass(frozen=True, slots=True)
class Refused:
    """The changes up to ``number`` of these objects could not be written; they are tried again."""

    keys: tuple[bytes, ...]
    number: int
    reason: str


Effect = Write | Safe | Refused


@dataclass(slots=True)
class _Change:
    """A change that is not safe. ``since`` is the number of the first one that it stands for."""

    number: int
    row: Row | None
    durable: bool
    since: int
    failed: bool = False


class Writer:
    """Decides what is written when.

    ``delay_seconds`` is how long changes that are not durable wait for others, ``objects_max`` and
    ``bytes_max`` bound a batch, and the pauses after failures double from the delay to
    ``pause_seconds_max``.
    """

    def __init__(
        self, delay_seconds: float, objects_max: int, bytes_max: int, pause_seconds_max: float
    ) -> None:
        self._delay = delay_seconds
        self._objects_max = objects_max
        self._bytes_max = bytes_max
        self._pause_max = pause_seconds_max
        self._number = 0
        self._waiting: dict[bytes, _Change] = {}
        self._writing: dict[bytes, _Change] = {}
        self._due: float | None = None
        self._pause = 0.0
        self._room = objects_max

    def number_of(self, key: bytes) -> int | None:
        """Return the number of an object's last durable change if that is not safe, or None."""
        change = self._waiting.get(key) or self._writing.get(key)
        return change.number if change is not None and change.durable else None

    def last_of(self, key: bytes) -> int | None:
        """Return the number of an object's last change if that is not safe, or None."""
        change = self._waiting.get(key) or self._writing.get(key)
        return None if change is None else change.number

    @property
    def last_number(self) -> int:
        """The number of the last change."""
        return self._number

    def is_safe_up_to(self, number: int) -> bool:
        """Whether every change up to a number is safe, whatever came after."""
        return all(
            change.since > number
            for changes in (self._waiting, self._writing)
            for change in changes.values()
        )

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits and nothing is under way."""
        return not self._waiting and not self._writing

    def next_deadline(self) -> float | None:
        """Return when `Passed` is to be told, or None."""
        return None if self._writing else self._due

    def handle(self, event: Event, now: float) -> list[Effect]:
        """Take note of an event at ``now`` (seconds) and return what is to be done."""
        if isinstance(event, Changed):
            self._take(event, now)
        elif isinstance(event, Wanted):
            self._want(event.key, now)
        elif isinstance(event, Done):
            return [*self._end_batch(), *self._begin(now)]
        elif isinstance(event, Failed):
            return self._give_back(event.reason, now)
        return self._begin(now)

    def take_all(self) -> list[Batch]:
        """Return everything that is not known to be safe, in batches: the node stops."""
        self._waiting = {**self._writing, **self._waiting}
        batches = []
        while self._waiting:
            batches.append(self._batch())
        self._writing = {}
        return batches

    def _take(self, event: Changed, now: float) -> None:
        self._number += 1
        # One that waits already goes to the end: a batch never has a later state of one object
        # without the earlier changes of the others.
        earlier = self._waiting.pop(event.key, None)
        durable = event.durable or (earlier is not None and earlier.durable)
        since = self._number if earlier is None else earlier.since
        self._waiting[event.key] = _Change(self._number, event.row, durable, since)
        due = now if durable else now + self._delay
        if self._due is None or due < self._due:
            self._due = due

    def _want(self, key: bytes | None, now: float) -> None:
        for wanted in self._waiting if key is None else (key,):
            change = self._waiting.get(wanted)
            if change is not None:
                change.failed = False
                self._due = now

    def _begin(self, now: float) -> list[Effect]:
        if self._writing or self._due is None or now < self._due:
            return []
        batch = self._batch()
        # What does not fit goes right after it.
        self._due = now if self._waiting else None
        return [Write(batch)]

    def _batch(self) -> Batch:
        """Move the first changes that wait into a batch."""
        self._writing = {}
        size = 0
        for key, change in list(self._waiting.items()):
            size += 0 if change.row is None else len(change.row.data)
            if self._writing and size > self._bytes_max:
                break
            self._writing[key] = self._waiting.pop(key)
            if len(self._writing) >= self._room:
                break
        changes = self._writing.items()
        return Batch(
            tuple(change.row for _, change in changes if change.row is not None),
            tuple(key for key, change in changes if change.row is None),
            any(change.durable for _, change in changes),
        )

    def _end_batch(self) -> list[Effect]:
        self._pause = 0.0
        self._room = min(2 * self._room, self._objects_max)
        safe = Safe(tuple(self._writing), self._last_of_batch())
        self._writing = {}
        return [safe]

    def _give_back(self, reason: str, now: float) -> list[Effect]:
        refused = Refused(tuple(self._writing), self._last_of_batch(), reason)
        urgent = any(change.durable and not change.failed for change in self._waiting.values())
        for key, change in self._writing.items():
            change.failed = True
            later = self._waiting.setdefault(key, change)
            later.durable = later.durable or change.durable
            later.since = min(later.since, change.since)
        self._writing = {}
        self._room = 1
        self._pause = min(max(2 * self._pause, self._delay), self._pause_max)
        self._due = now if urgent else now + self._pause
        return [refused, *self._begin(now)]

    def _last_of_batch(self) -> int:
        return max(change.number for change in self._writing.values())
