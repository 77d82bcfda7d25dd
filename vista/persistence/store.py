"""What a store is: rows by Id, changed in batches that happen whole or not at all.

Three rules. `Store.commit` returns when its batch is safe and raises `StoreError` when nothing of
it was done. Every method blocks, so it is called in a kernel thread. One process has a store at a
time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

RESTORE_ALWAYS = 0
"""The object comes back when the service starts."""
RESTORE_WHEN_REFERENCED = 1
"""The object comes back when a message for it arrives."""
TRANSIENT = 2
"""The object does not come back: its row is removed when the service starts."""

LEAVING = 8
"""Added to the flags of an object that may have moved away: ``data`` is then the encoding of a
tuple, the object's own and the parts of a `vista.kernel.keeping.Departure`."""

FLAGS = (RESTORE_ALWAYS, RESTORE_WHEN_REFERENCED, TRANSIENT)


@dataclass(frozen=True, slots=True)
class Row:
    """One object as it is stored.

    ``data`` is its encoding; ``acl`` the encoding of its access list, empty without one;
    ``durable`` whether its replies wait for the commit.
    """

    key: bytes
    flags: int
    durable: bool
    services: tuple[str, ...]
    acl: bytes
    data: bytes


@dataclass(frozen=True, slots=True)
class Known:
    """What is kept in memory of an object that is not here: a row without its bytes."""

    key: bytes
    flags: int
    services: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Batch:
    """Changes that are committed together. With ``durable`` they outlive the machine's fall."""

    rows: tuple[Row, ...]
    removed: tuple[bytes, ...]
    durable: bool


class Store(Protocol):
    """Keeps rows. ``words`` say where, for messages. Every method may raise `StoreError`."""

    words: str

    def open(self) -> None:
        """Take the store for this process, check it and make it ready."""

    def known(self) -> list[Known]:
        """Return what there is, in the order of the Ids."""

    def read(self, key: bytes) -> Row | None:
        """Return one row, None when there is none."""

    def read_rows(self, keys: Sequence[bytes]) -> list[Row]:
        """Return those of some hundred rows that there are, by one question."""

    def commit(self, batch: Batch) -> None:
        """Do all of a batch, or nothing and raise `StoreError`."""

    def close(self) -> None:
        """Let the store go; harmless when it is closed."""
