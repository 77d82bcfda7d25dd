"""Which services of a node its peers hear of."""

from __future__ import annotations

import pytest

import vista
from tests.peers.system import PROMPT, LinkedBell, bell, chain, limits, peering
from tests.peers.test_moves import at_rest, move
from vista.testing import SimulatedNode, World


@pytest.mark.parametrize(
    ("patterns", "heard"),
    [
        ((), ["Bells/one", "Other"]),
        (("Bells/*",), ["Bells/one"]),
        (("Statistics", "Bells/*"), ["Bells/one", "Statistics"]),
    ],
)
def test_services_that_match_and_none_that_are_about_their_node(
    patterns: tuple[str, ...], heard: list[str]
) -> None:
    with World(1) as world:
        near, far = chain(world, "ab")

        def provide() -> None:
            vista.create("Statistics")
            vista.create("ShutdownService")
            vista.create("AnnounceServices", *patterns)
            for name in ("Bells/one", "Other"):
                vista.register_service(name, vista.create(LinkedBell))

        far.call(provide)
        world.pass_time(5.0)
        names = ["Bells/one", "Other", "Statistics", "ShutdownService", "ObjectCreator"]
        provider = peering(near).provider
        assert [name for name in names if provider(name) is not None] == heard


def provide_more_than_may_be(node: SimulatedNode) -> None:
    vista.create("AnnounceServices")
    for name in ("One", "Two"):
        vista.register_service(name, vista.create(LinkedBell))


def test_one_more_than_a_node_may_announce_serves_there_and_the_log_tells_of_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with World(1, conditions=PROMPT) as world:
        near, far = chain(world, "ab", limits=limits(announced_names_max=1))
        far.call(provide_more_than_may_be, far)
        world.pass_time(5.0)
        assert far.call(lambda: vista.send("Two", "echo", 2)) == 2
        provider = peering(near).provider
        assert [name for name in ("One", "Two") if provider(name) is not None] == ["One"]
        assert "service 'Two' of this node is not announced" in caplog.text
        assert "limit announced_names_max" in caplog.text


def test_an_object_moves_to_where_its_name_is_one_too_many() -> None:
    with World(1, conditions=PROMPT) as world:
        nodes = near, far = chain(world, "ab", limits=limits(announced_names_max=1))
        far.call(provide_more_than_may_be, far)
        moved = bell(near)
        near.call(lambda: vista.register_service("Three", moved))
        move(near, moved, far)
        assert far.call(lambda: vista.send("Three", "echo", 3)) == 3
        assert moved._id not in near.kernel.table.records
        at_rest(world, nodes)
