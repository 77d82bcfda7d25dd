"""An object does not become one of another class that has the name and version of its own."""

from __future__ import annotations

from typing import Any

import pytest

import vista
from tests.mobility.test_code import coded
from tests.peers.system import chain, seen
from tests.peers.test_moves import at_rest, creator, move
from vista.errors import BadValueError
from vista.mobility.code import take_class
from vista.standard.creator import ObjectCreator
from vista.testing import SimulatedNode, World

SOURCE = """
import vista
class Namesake(vista.Object):
    def create(self):
        self.number = 0
    def add(self):
        self.number += 1
        return self.number
    def fill(self, size):
        self.filling = bytes(size)
"""


def know(node: SimulatedNode, source: str) -> None:
    node.call(take_class, node.kernel, coded("Namesake", source))


def namesake(world: World, other: str) -> tuple[list[SimulatedNode], vista.Ref]:
    """An object of node a, and a node b that knows its class by a source of its own."""
    nodes = a, b = chain(world, "ab")
    know(a, SOURCE)
    made: vista.Ref = a.call(vista.create, "Namesake")
    # In a process with both a name means what was defined last.
    know(b, other)
    assert a.call(lambda: made.add()) == 1
    return nodes, made


# By one message if it is small, else by two.
@pytest.mark.parametrize("size", [10, 100_000])
def test_it_stays_where_another_class_has_the_name_and_the_error_says_what_to_do(
    world: World, size: int
) -> None:
    nodes, made = namesake(world, SOURCE.replace("+= 1", "+= 2"))
    a, b = nodes
    a.call(lambda: made.fill(size))
    words = rf"{creator(a)}.*{creator(b)}.*offer_class_code\(here\(\)\.get_class_code\('Local\.Nam"
    with pytest.raises(BadValueError, match=words):
        move(a, made, b)
    assert a.call(lambda: made.add()) == 2
    assert made._id not in b.kernel.table.records
    at_rest(world, nodes)


def test_it_moves_when_its_class_has_taken_the_place_of_the_other(world: World) -> None:
    nodes, made = namesake(world, SOURCE.replace("+= 1", "+= 2"))
    a, b = nodes
    a.call(
        lambda: a.kernel.ref(creator(b)).offer_class_code(vista.here().get_class_code("Namesake"))
    )
    move(a, made, b)
    assert a.call(lambda: seen(a, made).add()) == 2
    at_rest(world, nodes)


def test_it_moves_where_only_the_comments_of_its_class_are_others(world: World) -> None:
    nodes, made = namesake(world, f"# Another file.{SOURCE}")
    a, b = nodes
    move(a, made, b)
    assert b.call(lambda: seen(b, made).add()) == 2
    at_rest(world, nodes)


def test_it_moves_with_its_class_where_there_is_none_and_back(world: World) -> None:
    nodes = a, b = chain(world, "ab")
    know(a, SOURCE)
    made = a.call(vista.create, "Namesake")
    move(a, made, b)
    move(b, made, a)
    assert a.call(lambda: made.add()) == 1
    at_rest(world, nodes)


def compare_nothing(node: SimulatedNode) -> None:
    """Have a node take an object as a vista did that knew no likenesses."""
    methods = node.kernel.record_of(creator(node)).entry.methods

    def prepare(self: ObjectCreator, data: bytes, acl: Any, *rest: Any) -> bytes:
        services, watchers, token = _taken(rest, 3)
        return ObjectCreator.prepare_object(self, data, acl, services, watchers, token)

    def take(self: ObjectCreator, data: bytes, acl: Any, *rest: Any) -> None:
        services, watchers, token, run = _taken(rest, 4)
        ObjectCreator.take_object(self, data, acl, services, watchers, token, run)

    methods["prepare_object"].run = prepare
    methods["take_object"].run = take


def _taken(arguments: tuple[Any, ...], count: int) -> tuple[Any, ...]:
    if len(arguments) != count:
        raise TypeError(f"takes {count} positional arguments but {len(arguments)} were given")
    return arguments


@pytest.mark.parametrize("size", [10, 100_000])
def test_it_moves_to_a_node_that_compares_nothing(world: World, size: int) -> None:
    nodes, made = namesake(world, SOURCE)
    a, b = nodes
    compare_nothing(b)
    a.call(lambda: made.fill(size))
    move(a, made, b)
    assert b.call(lambda: seen(b, made).add()) == 2
    at_rest(world, nodes)
