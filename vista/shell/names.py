"""Asks a node for names: of services, classes, objects, threads, and of an object's methods.

Whoever presses TAB waits, so every question has half a second; what comes too late counts as
nothing. The methods of an object are kept for two seconds: completion asks again with each key.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

import vista
from vista.errors import CallError
from vista.kernel.current import current
from vista.kernel.rows import ClassRow, MethodRow

if TYPE_CHECKING:
    from vista.kernel.node import Node

ANSWER_SECONDS_MAX = 0.5
"""How long a question may take: what comes later feels like a prompt that hangs."""

PEER_SECONDS_MAX = 0.4
"""How long peers have for their part of an answer, so that the other ones' comes in time."""

ASKED_PEERS_MAX = 16
"""Peers that are asked for their classes; more of them know the same ones."""

KEPT_SECONDS = 2.0
"""How long the methods of an object are remembered: a user types on, a class changes seldom."""

KEPT_OBJECTS_MAX = 100
"""Objects whose methods are remembered."""

Answer = TypeVar("Answer")


class NodeNames:
    """The names on a node that runs in another OS thread; see `vista.shell.complete.Names`.

    ``clock`` gives seconds that never go back.
    """

    def __init__(self, node: Node, clock: Callable[[], float] = time.monotonic) -> None:
        self._node = node
        self._clock = clock
        self._kept: dict[object, tuple[float, Mapping[str, MethodRow]]] = {}
        self._kept_classes: tuple[float, Sequence[ClassRow]] = (-math.inf, ())

    def services(self) -> Iterable[str]:
        """Return the names of all services."""
        return [row.name for row in self._ask(vista.services) or ()]

    def classes(self) -> Iterable[str]:
        """Return the names of all classes, bare and with their name space.

        Those that peers know are among them: an object may be made there.
        """
        rows = [*(self._ask(vista.classes) or ()), *self._peers_classes()]
        return [name for row in rows for name in (row.name, f"{row.namespace}.{row.name}")]

    def _peers_classes(self) -> Sequence[ClassRow]:
        until, rows = self._kept_classes
        if self._clock() >= until:
            rows = self._ask(_classes_of_peers) or []
            self._kept_classes = (self._clock() + KEPT_SECONDS, rows)
        return rows

    def ids(self) -> Iterable[str]:
        """Return the text form of the Ids of objects."""
        return [str(row.id) for row in self._ask(vista.objects) or ()]

    def threads(self) -> Iterable[str]:
        """Return the text form of the Ids of living threads."""
        return [str(row.id) for row in self._ask(vista.threads) or ()]

    def methods(self, target: object) -> Iterable[str]:
        """Return the names of the messages an object takes; ``target`` may stand for none."""
        return list(self.method_rows(target))

    def method_rows(self, target: object) -> Mapping[str, MethodRow]:
        """Return what an object answers, by message name; nothing when it does not tell soon."""
        until, rows = self._kept.get(target, (0.0, {}))
        if rows and self._clock() < until:
            return rows
        rows = _rows(self._ask(lambda: vista.send(target, "methods")))
        if len(self._kept) >= KEPT_OBJECTS_MAX:
            self._kept.clear()
        self._kept[target] = (self._clock() + KEPT_SECONDS, rows)
        return rows

    def _ask(self, question: Callable[[], Answer]) -> Answer | None:
        """Run a question as a vista thread; None when it fails or takes too long.

        The bound is on this side: a method that keeps the node's loop busy must not hang TAB.
        """
        asked = self._node.kernel.call_in_flight(current(), question)
        try:
            answer: Answer = asked.result(timeout=ANSWER_SECONDS_MAX)
        except CallError:
            asked.cancel()
            return None
        return answer


def _classes_of_peers() -> list[ClassRow]:
    """Return the classes that peers know, of those that tell in time."""
    asked = [peer.list_classes.future() for peer in vista.peers()[:ASKED_PEERS_MAX]]
    told = vista.gather(*asked, timeout=PEER_SECONDS_MAX, return_exceptions=True)
    return [row for rows in told if isinstance(rows, list) for row in rows]


def _rows(answer: object) -> Mapping[str, MethodRow]:
    """Take an answer to ``methods``: a class may have given the word another sense."""
    if not isinstance(answer, dict):
        return {}
    return {name: row for name, row in answer.items() if isinstance(row, MethodRow)}
