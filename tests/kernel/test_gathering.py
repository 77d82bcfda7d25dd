"""Turns that follow what was read at once, and what is left for their end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import vista
from vista.testing import SimulatedNode, World


class GatheredList(vista.Object):
    """Keeps what it is told, and in which order."""

    def create(self) -> None:
        self.items: list[str] = []

    def add_and_leave_one(self) -> None:
        kernel = self._record.kernel
        kernel.threads.gathering.at_end(lambda: self.items.append("at the end"))
        self.items.append("in the turn")


@pytest.fixture
def node() -> Iterator[SimulatedNode]:
    with World(1) as world:
        yield world.node("here")


def test_what_is_left_for_the_end_of_a_turn_is_done_at_its_end(node: SimulatedNode) -> None:
    made = node.call(vista.create, GatheredList)
    items = made._record.instance.items
    node.call(made.add_and_leave_one)
    assert items == ["in the turn", "at the end"]


def test_what_is_left_outside_of_a_turn_is_done_soon(node: SimulatedNode) -> None:
    done: list[str] = []
    node.kernel.threads.gathering.at_end(lambda: done.append("soon"))
    assert done == []
    node.call(lambda: None)
    assert done == ["soon"]


def test_what_was_read_is_run_before_the_loop_goes_round(node: SimulatedNode) -> None:
    done: list[str] = []
    gathering = node.kernel.threads.gathering
    node.call(lambda: None)
    gathering.begin()
    node.kernel.spawn(lambda: done.append("run"))
    assert done == []
    gathering.end()
    assert done == ["run"]


def test_what_is_sent_while_reading_leaves_when_it_ends(node: SimulatedNode) -> None:
    done: list[str] = []
    gathering = node.kernel.threads.gathering
    gathering.begin()
    gathering.at_end(lambda: done.append("sent"))
    assert done == []
    gathering.end()
    assert done == ["sent"]
