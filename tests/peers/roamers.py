"""Objects of the tests of moves that write down the numbers they are told, wherever they are."""

from __future__ import annotations

from collections.abc import Iterable

import vista
from tests.peers.system import seen
from vista.testing import SimulatedNode


class Roamer(vista.Object):
    """Writes down what it is told."""

    def create(self) -> None:
        self.numbers: list[int] = []

    def write(self, number: int) -> int:
        self.numbers.append(number)
        return len(self.numbers)

    @vista.preemptable
    def note(self, number: int) -> int:
        self.numbers.append(number)
        return len(self.numbers)

    def read(self) -> list[int]:
        return self.numbers


def roamer_at(node: SimulatedNode) -> vista.Ref:
    """A roamer that is born on a node."""
    made: vista.Ref = node.call(vista.create, Roamer)
    return made


def post_numbers(node: SimulatedNode, roamer: vista.Ref, numbers: Iterable[int]) -> None:
    """Have a node tell a roamer numbers, by one post in each of its turns."""
    for number in numbers:
        node.call(lambda n=number: seen(node, roamer).write.post(n))
