"""Two machines that run from copies of one folder: each finds the other out, and neither votes."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from typing import Any

import pytest

import vista
from apps.solidstate.objects.mail import pool_service, service_name
from apps.solidstate.objects.places import AnyPlace, folder_of
from apps.solidstate.objects.server import STARTED_FILE
from apps.solidstate.objects.twins import COPIED_FILE
from tests.solidstate.objects.pool import (
    POOL,
    TIN,
    Pool,
    SimulatedPlace,
    SimulatedPoolMember,
    make_world,
)
from vista.testing import World

FOLDER = folder_of(POOL)
FOUND_SECONDS = 12.0
"""Twice what a member waits before it looks again, and what links take to stand."""


class CopiedPoolMember(SimulatedPoolMember, namespace="SolidState"):
    """A machine that was given a copy of the folder of server-1.

    Its node has that name as well: that of the simulated one is another, as each has to differ.
    """

    def create(self, *args: Any) -> None:
        TIN.files["copy"] = {**TIN.files["server-1"], "node": b"copy"}
        there, here = SimulatedPlace("server-1")._disk, SimulatedPlace("copy")._disk
        for name in there.names(f"{FOLDER}"):
            here.write(f"{FOLDER}/{name}", there.read(f"{FOLDER}/{name}"))
            vista.wait(here.sync(f"{FOLDER}/{name}"))
        vista.wait(here.sync(FOLDER))
        super().create(*args)


class FullPlace(SimulatedPlace):
    """A folder that has no room for the word that it was copied."""

    is_full = True

    def write(self, path: str, data: bytes) -> None:
        if self.is_full and path.endswith(f"/{COPIED_FILE}"):
            raise OSError(errno.ENOSPC, "no space left")
        super().write(path, data)


class FullPoolMember(SimulatedPoolMember, namespace="SolidState"):
    """A machine whose folder is full when it finds another one that runs from it."""

    def _make_place(self) -> AnyPlace:
        return FullPlace(self.node_name)


class BlankPoolMember(SimulatedPoolMember, namespace="SolidState"):
    """A machine whose replicas wrote nothing yet."""

    def create(self, *args: Any) -> None:
        SimulatedPlace(vista.here().get_name()).forget(FOLDER, STARTED_FILE)
        super().create(*args)


class RelayingPoolMember(SimulatedPoolMember, namespace="SolidState"):
    """A machine that has challenges answered by the one that it would be taken for."""

    def answer_challenge(self, challenge: bytes) -> bytes:
        rows = [row.object for row in vista.services() if row.name == pool_service(POOL)]
        others = sorted(set(rows) - {vista.id_of(vista.self_ref(self))})
        for one in others:
            answer: bytes = vista.send(one, "answer_challenge", challenge)
            self.relayed = vars(self).get("relayed", 0) + 1
        return answer

    def count_relayed(self) -> int:
        return int(vars(self).get("relayed", 0))


@pytest.fixture
def world() -> Iterator[World]:
    with make_world(53) as made:
        yield made


def servers_of(pool: Pool, name: str) -> dict[str, Any]:
    """The replicas of a machine."""
    member = pool.node(name).call(vista.service, pool_service(POOL))
    told: dict[str, Any] = pool.node(name).call(member.get_status)["servers"]
    return told


def test_two_machines_with_copies_of_one_folder_stop_both_and_one_votes_again_later(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    pool = Pool(world, 4, {"copy": CopiedPoolMember})
    cart = pool.found()
    pool.call(cart, "add", "tea")
    pool.grow("copy")
    world.pass_time(FOUND_SECONDS)
    assert (servers_of(pool, "server-1"), servers_of(pool, "copy")) == ({}, {})
    assert caplog.text.count("the replicas of both stop. End the one whose folder is the") == 2
    assert pool.call(cart, "add", "tea") == 2

    world.crash("copy")
    world.crash("server-1")
    world.restart("server-1")
    world.pass_time(3.0)
    assert not pool.status("server-1")["voting"]
    assert TIN.files["server-1"][f"{FOLDER}/{COPIED_FILE}"] == b""
    for number in range(40):
        assert pool.call(cart, "add", "tea") == number + 3
    world.pass_time(3.0)
    told = pool.status("server-1")
    assert (told["voting"], told["counts"]["damaged"], told["counts"]["rejoined"]) == (True, 1, 1)
    # And it is a replica like any other when it starts another time.
    world.crash("server-1")
    world.restart("server-1")
    world.pass_time(FOUND_SECONDS)
    assert pool.status("server-1")["voting"]


def test_a_machine_that_passes_challenges_on_is_taken_for_nobody(world: World) -> None:
    pool = Pool(world, 3, {"relay": RelayingPoolMember})
    cart = pool.found(POOL, 1, "PoolCart", "cart", mode="crash")
    pool.grow("relay")
    world.pass_time(FOUND_SECONDS)
    member = pool.node("relay").call(vista.service, pool_service(POOL))
    assert pool.node("relay").call(member.count_relayed) >= 3
    assert all(POOL in servers_of(pool, f"server-{number}") for number in range(3))
    assert pool.call(cart, "add", "tea") == 1


def test_what_is_no_challenge_is_not_answered(world: World) -> None:
    pool = Pool(world, 1)
    member = pool.front.call(vista.service, pool_service(POOL))
    with pytest.raises(vista.BadValueError, match=r"^a challenge has 32 bytes$"):
        pool.front.call(member.answer_challenge, b"short")


def test_a_replica_that_cannot_note_that_it_ran_twice_stops_and_notes_it_later(
    world: World,
) -> None:
    pool = Pool(world, 4, {"copy": CopiedPoolMember, "server-1": FullPoolMember})
    FullPlace.is_full = True
    cart = pool.found()
    pool.found(POOL, 1, "PoolCart", "books", proxy_object_name="books")
    pool.grow("copy")
    world.pass_time(FOUND_SECONDS)
    assert (servers_of(pool, "server-1"), servers_of(pool, "copy")) == ({}, {})
    assert pool.call(cart, "add", "tea") == 1
    FullPlace.is_full = False
    world.pass_time(FOUND_SECONDS)
    files = TIN.files["server-1"]
    noted = [files.get(f"{folder_of(name)}/{COPIED_FILE}") for name in (POOL, "books")]
    assert noted == [b"copied", b"copied"]


def test_a_replica_that_left_while_the_other_run_is_found_keeps_no_other_one_voting(
    world: World,
) -> None:
    pool = Pool(world, 4, {"copy": CopiedPoolMember})
    pool.found()
    pool.found(POOL, 1, "PoolCart", "books", proxy_object_name="books")
    node = pool.node("server-1")
    member = node.call(vista.service, pool_service(POOL))
    gone = node.call(vista.service, service_name(POOL, 1))
    node.call(gone.delete_yourself)
    pool.grow("copy")
    world.pass_time(FOUND_SECONDS)
    told = node.call(member.get_status)
    assert told["servers"] == {}
    assert TIN.files["server-1"][f"{folder_of('books')}/{COPIED_FILE}"] == b"copied"


def test_a_replica_that_kept_nothing_does_not_vote_after_it_ran_at_two_places(
    world: World,
) -> None:
    pool = Pool(world, 4, {"server-1": BlankPoolMember})
    cart = pool.found()
    world.crash("server-1")
    TIN.files["server-1"][f"{FOLDER}/{COPIED_FILE}"] = b"copied"
    world.restart("server-1")
    world.pass_time(3.0)
    told = pool.status("server-1")
    # Its own folder says so, before the others do.
    assert told["reports"][0][2] == "records were lost that were safe once: it does not vote"
    assert not told["voting"]
    assert pool.call(cart, "add", "tea") == 1
