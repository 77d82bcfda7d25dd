"""Running nodes, in a simulated world and in the real one, that a test must leave at rest."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

import vista
from tests.conftest import world_seed
from tests.kernel.cast import Gate, Journal, until
from vista.limits import Limits
from vista.testing import World, unrest

NodeMaker = Callable[..., vista.Node]


@pytest.fixture(params=["real", "simulated"])
def make_node(request: pytest.FixtureRequest) -> Iterator[NodeMaker]:
    """Make the node of a test: ``make_node(user="anna", call_seconds=2)``; others are limits.

    A test runs with the real hub and with a simulated one, which orders threads in another way.
    At its end the node must be at rest.
    """
    seed = None if request.param == "real" else world_seed(request)
    with ExitStack() as stack:
        yield _maker(stack, seed)


@pytest.fixture
def node(make_node: NodeMaker) -> vista.Node:
    """A node of the usual limits, which the functions of `vista` use."""
    return make_node()


@pytest.fixture
def gate(node: vista.Node) -> vista.Ref:
    """A gate that is closed."""
    return vista.create(Gate)


@pytest.fixture
def journal(node: vista.Node) -> vista.Ref:
    """A journal in which nothing is written."""
    return vista.create(Journal)


@pytest.fixture
def virtual_node(request: pytest.FixtureRequest) -> Iterator[vista.Node]:
    """A node in simulated time only: for what takes minutes."""
    with ExitStack() as stack:
        yield _maker(stack, world_seed(request))()


@pytest.fixture
def real_node() -> Iterator[vista.Node]:
    """A node with the real hub only: for what needs other OS threads."""
    with ExitStack() as stack:
        yield _maker(stack, None)()


def _maker(stack: ExitStack, seed: int | None) -> NodeMaker:
    def make(*, user: str = "operator", **limits: Any) -> vista.Node:
        bounds = Limits(**limits)
        if seed is None:
            node = vista.Node(limits=bounds, user=user)
        else:
            world = stack.enter_context(World(seed))
            node = world.node(limits=bounds, user=user)
        stack.enter_context(node)
        stack.callback(_check_rest, node)
        return node

    return make


def _check_rest(node: vista.Node) -> None:
    """Fail when a thread, a timer or an object that is held is left."""

    def left() -> list[str]:
        # The thread that looks is alive itself.
        return [words for words in unrest(node.kernel) if words != "live threads: 1"]

    def wait() -> None:
        until(lambda: not left())

    try:
        node.call(wait)
    except AssertionError:
        pytest.fail(f"the node is not at rest: {node.call(left)}")
