"""What a crash leaves of a file whose last writes were not synced.

A disk writes sectors of 512 bytes; each is written whole or not at all, in any order. How long the
file is then is another write of its own, so a file may have grown by zeros that nobody wrote.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Final, NamedTuple

SECTOR_BYTES: Final = 512

_VERSIONS_MIXED: Final = 8
"""Of how many versions of a file a torn one has its sectors; each costs a copy of the file."""


class _Change(NamedTuple):
    """A write at ``offset``; with ``data`` None the file was emptied."""

    offset: int
    data: bytes | None


class File:
    """One file: ``data`` is what is read, ``durable`` what is surely there after a crash.

    ``changes`` lead from the one to the other unless a sync failed, which forgets some.
    """

    def __init__(self) -> None:
        self.data = bytearray()
        self.durable = bytearray()
        self.changes: list[_Change] = []

    def write(self, offset: int, data: bytes) -> None:
        """Write ``data`` at ``offset``."""
        self._change(_Change(offset, bytes(data)))

    def truncate(self) -> None:
        """Empty the file."""
        self._change(_Change(0, None))

    def commit(self, count: int) -> None:
        """Make the first ``count`` changes durable."""
        for change in self.changes[:count]:
            _apply(change, self.durable)
        del self.changes[:count]

    def forget(self, count: int) -> None:
        """Let the first ``count`` changes never become durable."""
        del self.changes[:count]

    def settle(self, content: bytes) -> None:
        """Hold ``content`` durably."""
        self.durable = bytearray(content)
        self.data = bytearray(content)
        self.changes.clear()

    def flip(self, place: int) -> None:
        """Flip bit ``place`` of what is read, and of what is durable if it is that long."""
        for content in (self.data, self.durable):
            if place // 8 < len(content):
                content[place // 8] ^= 1 << place % 8

    def versions(self, numbers: Iterable[int]) -> list[bytes]:
        """Return what the file was after each of these numbers of changes; 0 is the durable one."""
        wanted = set(numbers)
        content = bytearray(self.durable)
        found = [bytes(content)] if 0 in wanted else []
        for number, change in enumerate(self.changes, 1):
            _apply(change, content)
            if number in wanted:
                found.append(bytes(content))
        return found

    def _change(self, change: _Change) -> None:
        _apply(change, self.data)
        self.changes.append(change)


def survivors(file: File, dice: random.Random) -> bytes:
    """Draw what a crash leaves of a file: all, nothing or a part of what was not synced."""
    if not file.changes:
        return bytes(file.durable)
    return dice.choice((_lost, _kept, _prefix, _sectors))(file, dice)


def _lost(file: File, _: random.Random) -> bytes:
    return bytes(file.durable)


def _kept(file: File, _: random.Random) -> bytes:
    return file.versions([len(file.changes)])[0]


def _prefix(file: File, dice: random.Random) -> bytes:
    """The changes up to one of them, of which a part was written, from its beginning."""
    number = dice.randint(1, len(file.changes))
    before, after = file.versions([number - 1, number])
    cut = dice.randint(0, len(after))
    return after[:cut] + before[cut:]


def _sectors(file: File, dice: random.Random) -> bytes:
    """Each sector as one of a few versions has it, and a length of its own."""
    last = len(file.changes)
    drawn = [dice.randint(0, last) for _ in range(_VERSIONS_MIXED - 2)]
    versions = file.versions([0, *drawn, last])
    size = len(dice.choice(versions))
    found = bytearray(size)
    for start in range(0, size, SECTOR_BYTES):
        piece = dice.choice(versions)[start : min(start + SECTOR_BYTES, size)]
        found[start : start + len(piece)] = piece
    return bytes(found)


def _apply(change: _Change, content: bytearray) -> None:
    if change.data is None:
        content.clear()
        return
    end = change.offset + len(change.data)
    if len(content) < end:
        content.extend(bytes(end - len(content)))
    content[change.offset : end] = change.data
