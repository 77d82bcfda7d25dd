"""A store and an identity in a simulated world: what they hold outlives the nodes."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

import vista
from vista.errors import StoreError
from vista.ids import NODE_BYTES
from vista.kernel.current import kernel
from vista.persistence.store import Batch, Known, Row
from vista.testing import SimulatedDisk, SimulatedNode, World

BLOCK = 1000


class Shelf:
    """What a store holds while nodes come and go.

    ``safe`` outlives the machine's fall. ``later`` are batches that were not durable: those
    committed last may be lost in it. ``full`` makes every commit fail, ``refused`` those that hold
    one of its keys. Rows of ``damaged`` keys cannot be read; ``questions`` counts reads.
    """

    def __init__(self) -> None:
        self.safe: dict[bytes, Row] = {}
        self.later: list[Batch] = []
        self.full = False
        self.refused: set[bytes] = set()
        self.damaged: set[bytes] = set()
        self.questions = 0
        self.commits: list[Batch] = []
        self.user: SimulatedStore | None = None

    @property
    def rows(self) -> dict[bytes, Row]:
        """What the process that has it reads."""
        rows = dict(self.safe)
        for batch in self.later:
            _apply(batch, rows)
        return rows

    def fall(self, kept: int) -> None:
        """Let the machine fall: of what was not durable the first ``kept`` batches stay."""
        for batch in self.later[:kept]:
            _apply(batch, self.safe)
        self.later.clear()


class SimulatedStore:
    """The view that one life of a node has of a `Shelf`; see `vista.persistence.store.Store`."""

    words = "the simulated store"

    def __init__(self, shelf: Shelf, disk: SimulatedDisk, dice: Random) -> None:
        self.shelf = shelf
        self.disk = disk
        self._dice = dice

    def open(self) -> None:
        """Take the shelf; another life that has it has fallen, and the seed draws what is left."""
        if self.shelf.user is not None:
            self.shelf.fall(self._dice.randint(0, len(self.shelf.later)))
        self.shelf.user = self

    def _check(self) -> None:
        if self.shelf.user is not self or not self.disk.mounted:
            raise StoreError(f"{self.words} is closed")

    def known(self) -> list[Known]:
        """Return what there is."""
        self._check()
        rows = sorted(self.shelf.rows.items())
        return [Known(key, row.flags, row.services) for key, row in rows]

    def read(self, key: bytes) -> Row | None:
        """Return one row."""
        return next(iter(self.read_rows([key])), None)

    def read_rows(self, keys: Sequence[bytes]) -> list[Row]:
        """Return some rows."""
        self._check()
        self.shelf.questions += 1
        if not self.shelf.damaged.isdisjoint(keys):
            raise StoreError("damaged")
        rows = self.shelf.rows
        return [rows[key] for key in keys if key in rows]

    def commit(self, batch: Batch) -> None:
        """Do all of a batch, or nothing."""
        self._check()
        full = self.shelf.full or self.disk.medium.capacity_bytes is not None
        if full or any(row.key in self.shelf.refused for row in batch.rows):
            raise StoreError(f"{self.words} is full")
        self.shelf.commits.append(batch)
        self.shelf.later.append(batch)
        if batch.durable:
            self.shelf.fall(len(self.shelf.later))

    def close(self) -> None:
        """Let the shelf go."""
        if self.shelf.user is self and self.disk.mounted:
            self.shelf.user = None


class SimulatedIdentity:
    """Who a node is, over its lives; see `vista.kernel.identity.Identity`."""

    def __init__(self, name: str) -> None:
        self.node = name.encode().rjust(NODE_BYTES, b"-")
        self.end = 1
        self.stores: set[str] = set()

    def take_block(self) -> range:
        """Return serial numbers that were given to nobody."""
        start, self.end = self.end, self.end + BLOCK
        return range(start, self.end)

    def note_store(self, name: str) -> None:
        """Remember a store."""
        self.stores.add(name)

    def close(self) -> None:
        """Do nothing: the lives of a simulated node do not overlap."""


def _apply(batch: Batch, rows: dict[bytes, Row]) -> None:
    for key in batch.removed:
        rows.pop(key, None)
    rows.update((row.key, row) for row in batch.rows)


def settings_of(shelf: Shelf, name: str) -> dict[str, Any]:
    """Return settings for `World.node` of a node that keeps its objects on ``shelf``."""
    return {
        "make_store": lambda words, service: make_store(shelf),
        "identity": SimulatedIdentity(name),
        "secret_key": b"k" * 32,
    }


def make_store(shelf: Shelf) -> SimulatedStore:
    """Return a view of the shelf for the calling node, which its fall takes away."""
    home = kernel()
    return SimulatedStore(shelf, home.settings["disk"], home.hub.random)


def open_store(node: SimulatedNode) -> None:
    """Make the service that keeps objects, as what a node does when it boots."""
    vista.create("PersistenceService")


def ready(node: SimulatedNode) -> SimulatedNode:
    """Wait until a node has booted, and return it."""
    assert node.booted is not None
    node.booted.result()
    return node


def restart(world: World, shelf: Shelf, name: str, kept: int = 0) -> SimulatedNode:
    """Let the machine of a node fall and come back; see `Shelf.fall`."""
    world.crash(name)
    shelf.user = None
    shelf.fall(kept)
    return world.restart(name)
