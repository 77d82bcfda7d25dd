"""Words: what neighbours tell one another about announced services, and how it is read.

A message about services is an array that begins with the number of its `Word`. A list of services
is named by the node whose it is (10 bytes), the run of that node (8 bytes) and a version, which
counts the changes of the list.

====== ====================================== ======================================================
HAVE   [[node, epoch, version], ...]          the sender holds these lists
GONE   [node, ...]                            the sender holds the lists of these nodes no more
WANT   node, epoch                            the list is wanted from the receiver
PART   node, epoch, version, index, last,     part ``index`` of the list; ``last`` for the last one
       [[name, id], ...]
CHANGE node, epoch, version, [[name, id],     the changes that led to the version, one for each step
       ...]                                   of it; an id of None withdraws
====== ====================================== ======================================================
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from vista.errors import RemoteProtocolError
from vista.ids import ID_BYTES, NODE_BYTES, Id
from vista.limits import Limits
from vista.peering.paths import EPOCH_BYTES, is_bytes

VERSION_MAX = 2**48


class Word(IntEnum):
    """What a message about services is for. The numbers are for ever."""

    HAVE = 1
    """These lists can be had here."""
    GONE = 2
    """These lists can be had here no more."""
    WANT = 3
    """Send this list."""
    PART = 4
    """A part of a wanted list."""
    CHANGE = 5
    """What changed in a list."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnouncementBounds:
    """The bounds of announced services; units stand at the end of the names."""

    nodes_max: int = 4_096
    """Nodes whose lists one link may tell of."""
    names_max: int = 16_384
    """Names one node may announce."""
    names_all_max: int = 262_144
    """Names of all nodes together: about 80 MB."""
    name_characters_max: int = 255
    """Characters in a service name."""
    told_nodes_max: int = 256
    """Nodes in one message: 8 KiB."""
    part_names_max: int = 256
    """Names in one message: 10 KiB with names of 20 characters, 260 KiB at most."""
    pull_seconds: float = 10.0
    """How long the next part of a wanted list is awaited before another neighbour is asked."""


def announcement_bounds(limits: Limits) -> AnnouncementBounds:
    """Return the bounds of announced services that a node's limits ask for."""
    return AnnouncementBounds(
        nodes_max=limits.nodes_max,
        names_max=limits.announced_names_max,
        names_all_max=limits.announced_names_all_max,
        name_characters_max=limits.name_characters_max,
        told_nodes_max=limits.told_nodes_max,
        part_names_max=limits.announced_part_names_max,
        pull_seconds=limits.announced_pull_seconds,
    )


Item = tuple[str, Id | None]


class Reader:
    """Checks messages about services within bounds."""

    def __init__(self, bounds: AnnouncementBounds) -> None:
        self._bounds = bounds
        self._checks: dict[str, Callable[[Any], bool]] = {
            "node": lambda value: is_bytes(value, NODE_BYTES),
            "epoch": lambda value: is_bytes(value, EPOCH_BYTES),
            "version": lambda value: type(value) is int and 0 < value <= VERSION_MAX,
            "index": lambda value: type(value) is int and 0 <= value <= bounds.names_max,
            "last": lambda value: type(value) is bool,
            "items": self._are_items,
            "services": lambda value: self._are_items(value) and all(item[1] for item in value),
            "lists": self._are_lists,
            "nodes": self._are_nodes,
        }

    def read(self, message: Any) -> tuple[Word, list[Any]]:
        """The kind of a message and its fields, the ids in it as `Id`.

        Raises `RemoteProtocolError` for anything else than a message about services.
        """
        if type(message) is not list or not message or type(message[0]) is not int:
            raise RemoteProtocolError("a message about services begins with its number")
        fields = FIELDS.get(message[0])
        if fields is None or len(message) != 1 + len(fields):
            raise RemoteProtocolError("a message about services of no known form")
        word = Word(message[0])
        for name, value in zip(fields, message[1:], strict=True):
            if not self._checks[name](value):
                raise RemoteProtocolError(f"{word.name} with wrong {name}")
        values = message[1:]
        if fields[-1] in ("items", "services"):
            values[-1] = [(name, None if id is None else Id(id)) for name, id in values[-1]]
        return word, values

    def is_name(self, value: Any) -> bool:
        """Whether the value can be the name of a service: text of the right length."""
        if type(value) is not str or not 0 < len(value) <= self._bounds.name_characters_max:
            return False
        return value.isascii() or value.encode("utf-8", "replace").decode() == value

    def _are_items(self, value: Any) -> bool:
        return (
            type(value) is list
            and len(value) <= self._bounds.part_names_max
            and all(
                type(item) is list
                and len(item) == 2
                and self.is_name(item[0])
                and (item[1] is None or is_bytes(item[1], ID_BYTES))
                for item in value
            )
        )

    def _are_lists(self, value: Any) -> bool:
        return (
            type(value) is list
            and len(value) <= self._bounds.told_nodes_max
            and all(
                type(item) is list
                and len(item) == 3
                and self._checks["node"](item[0])
                and self._checks["epoch"](item[1])
                and self._checks["version"](item[2])
                for item in value
            )
        )

    def _are_nodes(self, value: Any) -> bool:
        return (
            type(value) is list
            and len(value) <= self._bounds.told_nodes_max
            and all(map(self._checks["node"], value))
        )


FIELDS: dict[int, tuple[str, ...]] = {
    Word.HAVE: ("lists",),
    Word.GONE: ("nodes",),
    Word.WANT: ("node", "epoch"),
    Word.PART: ("node", "epoch", "version", "index", "last", "services"),
    Word.CHANGE: ("node", "epoch", "version", "items"),
}
"""The fields of each message, in their order."""
