"""Machines that lie while a group is founded or found again, and peers who would found one.

What they must not reach: a group of their own in the place of another; a founder that does not come
to its end; threads, names and places that grow on other machines.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

import vista
from apps.solidstate.errors import PinnedKeyError
from apps.solidstate.objects.creating import NUMBERS_MAX
from apps.solidstate.objects.identity import CHARTER_FILE, Identity
from apps.solidstate.objects.places import folder_of
from tests.solidstate.objects.pool import (
    POOL,
    TIN,
    Pool,
    SimulatedCreateReplicas,
    SimulatedPlace,
    SimulatedPoolMember,
    make_world,
)
from vista.testing import World

FOLDER = folder_of(POOL)


@pytest.fixture
def world() -> Iterator[World]:
    with make_world(41) as made:
        yield made


def pinned_text(node: str) -> str:
    """The charter that a machine has pinned."""
    return TIN.files[node][f"{FOLDER}/{CHARTER_FILE}"].decode()


class ForgingPoolMember(SimulatedPoolMember, namespace="SolidState"):
    """A machine that shows a charter of which all replicas are its own."""

    def forged(self, group: str) -> str:
        """The charter: it names all others as clients, by their right keys."""
        own = [Identity(SimulatedPlace("server-3")).keys(f"{group}-{n}")[0] for n in range(4)]
        offer = super().offer(group)
        return json.dumps(
            {
                "format": 1, "name": group, "nonce": "f" * 32, "mode": "byzantine", "faults": 1,
                "replicas": [key.hex() for key in own],
                "clients": {offer["client"]: offer["client_key"].hex()},
                "founder": offer["client"],
            }
        )  # fmt: skip

    def offer(self, group: str) -> dict[str, Any]:
        return {**super().offer(group), "charter": self.forged(group)}


class ImpersonatingPoolMember(SimulatedPoolMember, namespace="SolidState"):
    """A machine that calls itself by the name of the founder's client."""

    def offer(self, group: str) -> dict[str, Any]:
        front = Identity(SimulatedPlace("front")).client_name
        return {**super().offer(group), "client": front}


class SilentPoolMember(SimulatedPoolMember, namespace="SolidState"):
    """A machine that takes any message and answers none."""

    def offer(self, group: str) -> dict[str, Any]:
        vista.sleep(10_000.0)
        return {}


class MumblingPoolMember(SimulatedPoolMember, namespace="SolidState"):
    """A machine that answers with what is no answer."""

    def offer(self, group: str) -> Any:
        return {"node": 7, "charter": None}


class GreatPoolMember(SimulatedPoolMember, namespace="SolidState"):
    """A machine that says its replica has a number beyond all bounds."""

    def take_charter(self, text: str) -> vista.Ref | None:
        super().take_charter(text)
        return vista.create(GreatServer)


class GreatServer(vista.Object):
    """What it says its replica is."""

    def get_status(self) -> dict[str, Any]:
        return {"id": 10**12, "runs": False}


class StubbornPoolMember(SimulatedPoolMember, namespace="SolidState"):
    """A machine that refuses everything once the group is there."""

    def has_class(self, class_name: list[Any]) -> bool:
        if self._proxies:
            raise ValueError("I will not")
        return super().has_class(class_name)


# --- charters ------------------------------------------------------------------------------


def test_a_founder_with_nothing_pinned_believes_no_charter_that_is_shown(world: World) -> None:
    pool = Pool(world, members={"server-3": ForgingPoolMember})
    with pytest.raises(PinnedKeyError, match=r"^server-3 has such a group, and this node, which"):
        pool.found()
    assert f"{FOLDER}/{CHARTER_FILE}" not in TIN.files["front"]


def test_a_charter_that_is_shown_keeps_no_founder_from_its_group(world: World) -> None:
    pool = Pool(world, servers=5)
    pool.call(pool.found(), "add", "tea")
    world.crash("server-3")
    pool._members["server-3"] = ForgingPoolMember
    world.restart("server-3")
    world.pass_time(3.0)
    assert pool.call(pool.found(), "add", "tea") == 2


def test_the_founder_has_its_own_group_pinned_before_anybody_else(world: World) -> None:
    # Cut off in the middle, it finds the group again: by its own word, and by no other.
    pool = Pool(world)
    founding = pool.front.spawn(
        lambda: vista.create(SimulatedCreateReplicas, POOL, 1, "PoolCart", "cart")
    )

    def some_have_it() -> bool:
        return any(f"{FOLDER}/{CHARTER_FILE}" in TIN.files[name] for name in pool.names)

    world.drive(some_have_it, 30.0)
    assert f"{FOLDER}/{CHARTER_FILE}" in TIN.files["front"]
    world.crash("front")
    world.restart("front")
    world.pass_time(3.0)
    assert pool.call(pool.found(), "add", "tea") == 1
    assert len({pinned_text(name) for name in pool.names}) == 1
    del founding


def test_two_machines_of_one_name_are_no_group(world: World) -> None:
    pool = Pool(world, members={"server-3": ImpersonatingPoolMember})
    with pytest.raises(PinnedKeyError, match=r"^front and server-3 show the same client: one has"):
        pool.found()


# --- machines that hold back ---------------------------------------------------------------


@pytest.mark.parametrize(
    "member", [SilentPoolMember, MumblingPoolMember], ids=["silent", "mumbling"]
)
def test_a_machine_that_does_not_say_who_it_is_keeps_no_group_from_being_founded(
    world: World, member: type[SimulatedPoolMember]
) -> None:
    pool = Pool(world, servers=5, members={"server-4": member})
    assert pool.call(pool.found(), "add", "tea") == 1


def test_a_replica_of_a_number_beyond_all_bounds_takes_no_memory(world: World) -> None:
    pool = Pool(world, members={"server-3": GreatPoolMember})
    assert pool.call(pool.found(), "add", "tea") == 1
    maker = pool.front.call(
        lambda: vista.create(SimulatedCreateReplicas, POOL, 1, "PoolCart", "cart")
    )
    assert len(pool.front.call(maker.get_replicas)) == 4 < NUMBERS_MAX


def test_a_machine_that_refuses_later_keeps_no_founder_from_its_group(world: World) -> None:
    pool = Pool(world, members={"server-3": StubbornPoolMember})
    pool.call(pool.found(), "add", "tea")
    assert pool.call(pool.found(), "add", "tea") == 2
