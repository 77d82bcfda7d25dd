"""A class that does not do the same on each server: who finds it, and what is said of it."""

from __future__ import annotations

import contextlib
import itertools
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

import vista
from apps.solidstate.objects.classes import find_class
from apps.solidstate.objects.differing import _first_difference, page_differences
from apps.solidstate.objects.mail import service_name
from apps.solidstate.objects.replicated import ReplicatedObject
from apps.solidstate.objects.service import ObjectService
from apps.solidstate.objects.showing import state_words
from apps.solidstate.pbft.authentication import Principal
from apps.solidstate.pbft.canonical import pack
from apps.solidstate.pbft.encoding import decode, encode
from apps.solidstate.pbft.messages import Blobs, Message
from apps.solidstate.pbft.service import Context
from apps.solidstate.pbft.sessions import PAGES
from apps.solidstate.status import is_well
from tests.solidstate.objects.pool import (
    POOL,
    Pool,
    SimulatedPoolMember,
    SimulatedReplicaServer,
    make_world,
)
from vista.testing import World

STAMPS = itertools.count(1)
"""What differs from server to server, as the order of a set and the address of an object do."""


class PoolDrifter(ReplicatedObject):
    """What keeps, or answers, something else on each server."""

    def create(self) -> None:
        self.added = 0
        self.stamp = 0
        self.tail: list[int] = []

    def add(self) -> int:
        self.added += 1
        return self.added

    def drift(self) -> None:
        self.stamp = next(STAMPS)
        self.tail.append(self.stamp)

    def answer(self) -> int:
        return next(STAMPS)


@pytest.fixture
def world() -> Iterator[World]:
    with make_world(3) as made:
        yield made


def go_on(pool: Pool, ref: vista.Ref, method: str, times: int = 40) -> None:
    """Call until the group stands still, at most so often."""

    def hurried() -> None:
        with vista.timeout(10.0):
            vista.send(ref, method)

    with contextlib.suppress(vista.CallTimeout):
        for _ in range(times):
            pool.front.call(hurried)


def reports(pool: Pool, name: str, kind: str) -> list[str]:
    """What the replica of a server reported of one kind."""
    return [words for _, said, words, _ in pool.status(name)["reports"] if said == kind]


@pytest.mark.parametrize(("mode", "servers"), [("byzantine", 4), ("crash", 3), ("minbft", 3)])
def test_a_class_that_differs_everywhere_is_reported_with_its_first_variable(
    world: World, mode: str, servers: int
) -> None:
    pool = Pool(world, servers)
    drifter = pool.found(POOL, 1, "PoolDrifter", "drifter", mode=mode)
    go_on(pool, drifter, "add", 6)
    go_on(pool, drifter, "drift")
    world.pass_time(20.0)
    for number in range(servers):
        status = pool.status(f"server-{number}")
        [words] = reports(pool, f"server-{number}", "divided")
        assert words.startswith(f"no state at {status['stable'] + 4} is proven")
        assert "drifter: variable stamp is " in words
        assert "class PoolDrifter does not do the same everywhere" in words
        assert (status["divided"], is_well(status)) == (True, False)
        assert state_words(status) == "holds what too few others do"
        [difference] = status["differences"]
        assert difference.startswith("drifter: variable stamp is ")


@pytest.mark.parametrize(("mode", "servers"), [("byzantine", 4), ("minbft", 3)])
def test_a_method_that_answers_otherwise_everywhere_is_named_by_who_asked(
    world: World, mode: str, servers: int, caplog: pytest.LogCaptureFixture
) -> None:
    pool = Pool(world, servers)
    drifter = pool.found(POOL, 1, "PoolDrifter", "drifter", mode=mode)
    go_on(pool, drifter, "answer")
    [words] = [one.getMessage() for one in caplog.records if "no answer to" in one.getMessage()]
    assert words.startswith("group carts: no answer to drifter.answer is proven, as replicas give ")
    assert [f"replica {number}: " in words for number in range(servers)] == [True] * servers


def test_what_was_answered_otherwise_is_reported_where_no_variable_differs(world: World) -> None:
    pool = Pool(world, 3)
    drifter = pool.found(POOL, 1, "PoolDrifter", "drifter", mode="crash")
    go_on(pool, drifter, "answer", 10)
    world.pass_time(20.0)
    for number in range(3):
        [words] = reports(pool, f"server-{number}", "divided")
        assert "what client-" in words


def test_one_server_that_is_wrong_divides_nobody(world: World) -> None:
    pool = Pool(world)
    cart = pool.found()
    pool.call(cart, "add", "tea")
    world.pass_time(1.0)
    server = pool.front.call(vista.service, service_name(POOL, 2))
    pool.front.call(server.spoil, "cart", {"owner": "thief", "items": {}})
    for _ in range(12):
        pool.call(cart, "add", "tea")
    world.pass_time(20.0)
    assert reports(pool, "server-2", "diverged") != []
    assert [reports(pool, f"server-{number}", "divided") for number in range(4)] == [[]] * 4
    assert not any(pool.status(f"server-{number}")["divided"] for number in range(4))


class SecretiveServer(SimulatedReplicaServer, namespace="SolidState"):
    """Signs checkpoints, and shows nothing of what it signed."""

    def _post(self, to: Principal, messages: list[bytes]) -> None:
        super()._post(to, [one for one in messages if not isinstance(decode(one), Blobs)])


class GarblingServer(SimulatedReplicaServer, namespace="SolidState"):
    """Signs checkpoints, and shows something else."""

    def _post(self, to: Principal, messages: list[bytes]) -> None:
        super()._post(to, [encode(self._garbled(decode(one))) for one in messages])

    def _garbled(self, message: Message) -> Message:
        return replace(message, blobs=(b"x",)) if isinstance(message, Blobs) else message


class SecretiveMember(SimulatedPoolMember, namespace="SolidState"):
    """A machine whose replica shows nothing."""

    server_class = SecretiveServer


class GarblingMember(SimulatedPoolMember, namespace="SolidState"):
    """A machine whose replica shows something else."""

    server_class = GarblingServer


@pytest.mark.parametrize("member", [SecretiveMember, GarblingMember])
def test_another_one_is_asked_where_one_shows_nothing(
    world: World, member: type[SimulatedPoolMember]
) -> None:
    pool = Pool(world, 4, {"server-0": member, "server-1": member})
    go_on(pool, pool.found(POOL, 1, "PoolDrifter", "drifter"), "drift")
    world.pass_time(30.0)
    told = [row for row in pool.status("server-3")["reports"] if row[1] == "divided"]
    assert [(row[3], "variable stamp is " in row[2]) for row in told] == [(2, True)]


def test_where_nobody_shows_anything_it_is_said_that_they_differ(world: World) -> None:
    pool = Pool(world, 4, {f"server-{number}": SecretiveMember for number in range(3)})
    go_on(pool, pool.found(POOL, 1, "PoolDrifter", "drifter"), "drift")
    world.pass_time(40.0)
    [words] = reports(pool, "server-3", "divided")
    assert words.endswith(" is proven, as replicas hold different ones")
    assert pool.status("server-3")["differences"] == []


# --- states as pages -----------------------------------------------------------------------


def state_of(*calls: tuple[str, list[Any], str | None]) -> list[bytes]:
    """The pages of a state in which a bell-ringer was called."""
    service = ObjectService(find_class, "founder")
    operations = [["create", "ringer", ["Local", "PoolRinger", 0], [], {}]]
    operations += [["call", "ringer", method, args, {}, key] for method, args, key in calls]
    for number, operation in enumerate(operations):
        context = Context("founder", number + 1, (number + 1) * 1_000, bytes(32))
        service.execute(vista.encode_value(operation), context)
    return [b"head", *[pack([])] * PAGES, *service.snapshot()]


class PoolRinger(ReplicatedObject):
    """What has something sent, and answers."""

    def ring(self, word: str) -> None:
        self.outbox.post("Bell", "hear", word)

    def say(self, word: str) -> str:
        return word


@pytest.mark.parametrize(
    ("mine", "theirs", "words"),
    [
        (("ring", ["a"], None), ("ring", ["b"], None), r"^ringer: what it wants sent is "),
        (("say", ["a"], "k"), ("say", ["b"], "k"), r"^ringer: the answer to the request 'k' is "),
        (("say", ["a"], None), ("none", [], None), r"^ringer: how often and when it was called is"),
    ],
    ids=["outbox", "answer", "counts"],
)  # fmt: skip
def test_what_else_may_differ_of_a_state_variable_is_said(
    mine: Any, theirs: Any, words: str
) -> None:
    with World(1) as world, world.node():
        [found] = page_differences(state_of(mine), state_of(theirs))
        assert found.class_name == "PoolRinger"
        assert re.search(words, found.words)
        [lacking] = page_differences(state_of(mine), [b"head", *[pack([])] * PAGES])
        assert lacking == ("ringer: only here", "PoolRinger")


@pytest.mark.parametrize(
    ("mine", "theirs", "words"),
    [
        ([*range(99)], [*range(98), 0], "variable x[98] is 98, and 0 elsewhere"),
        ([*range(99)], [*range(98)], "variable x in length is 99, and 98 elsewhere"),
        (
            {"a" * 54: {"n": [1]}, "b": 1}, {"a" * 54: {"n": [2]}, "b": 1},
            f"variable x['{'a' * 54}'] is {{'n': [1]}}, and {{'n': [2]}} elsewhere",
        ),
        ({"a" * 60: 1, "b": 1}, {"a" * 60: 1}, "variable x in its keys is ['b'], and [] elsewhere"),
        ({"a": [1] * 40}, {"a": [2] * 40}, None),
        ("x" * 99, "x" * 98, None),
    ],
    ids=["list", "shorter", "deep", "keys", "seen", "text"],
)  # fmt: skip
def test_where_two_values_look_the_same_it_is_said_where_they_differ(
    mine: Any, theirs: Any, words: str | None
) -> None:
    found = _first_difference({"x": mine}, {"x": theirs})
    assert "\n" not in found
    assert found == words if words else found.startswith("variable x is ")
