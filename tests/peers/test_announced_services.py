"""Which services of a node its peers hear of."""

from __future__ import annotations

import pytest

import vista
from tests.peers.system import LinkedBell, chain, peering
from vista.testing import World


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
