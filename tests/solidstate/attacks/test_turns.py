"""What drives a core while others send it as much as they can."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Iterator
from typing import Any

import pytest

import vista
from apps.solidstate.objects.challenges import CHALLENGE_SECONDS, Challenges
from apps.solidstate.objects.correspondent import PAUSE_SECONDS, Correspondent
from apps.solidstate.objects.mail import MESSAGES_MAX, _letters
from apps.solidstate.objects.steady import SteadyClock
from apps.solidstate.pbft.authentication import Principal
from tests.solidstate.objects.pool import SimulatedPlace, make_world, use
from vista.testing import World

LETTERS = 300_000


class OneMessageMail:
    """Mail of letters with one message each."""

    def read(self, sender: Principal, data: bytes) -> list[Any]:
        return [data]


class CrowdedCorrespondent(Correspondent, namespace="SolidState"):
    """Drives nothing; its mailbox is small."""

    def create(self, simulated: bool = True) -> None:
        if simulated:
            self._place = SimulatedPlace(vista.here().get_name())
        self._clock = SteadyClock()
        self._loop_time = asyncio.get_running_loop().time
        self._letters: dict[Principal, deque[bytes]] = {}
        self._waiting_bytes: dict[Principal, int] = {}
        self._awaited = self._in_turn = self._closed = False
        self._alarm = math.inf
        self._alarms = 0
        self._timer = None
        self.turns = 0

    def crowd(self) -> None:
        """Fill the mailbox, and want a turn."""
        try:
            while True:
                vista.self_ref(self).nothing.post()
        except vista.Overloaded:
            self._await_turn()

    def nothing(self) -> None:
        """Do nothing."""

    def read_all(self, count: int) -> int:
        """Return how many of so many letters are handled in one turn."""
        self._mail = OneMessageMail()  # type: ignore[assignment]
        for number in range(count):
            self._letters.setdefault(number % 4, deque()).append(b"letter")
            self._waiting_bytes[number % 4] = count
        return sum(1 for _ in self._received())

    def get_turns(self) -> int:
        return self.turns

    def _take_turn(self) -> None:
        self.turns += 1

    def _deadline(self) -> float:
        return math.inf


@pytest.fixture
def world() -> Iterator[World]:
    with make_world(71) as made:
        use(made)
        yield made


def test_a_turn_for_which_there_is_no_room_comes_later(world: World) -> None:
    node = world.node("crowded", limits=vista.Limits(mailbox_messages_max=10))
    made = node.call(vista.create, CrowdedCorrespondent)
    node.call(made.crowd)
    world.pass_time(2 * PAUSE_SECONDS)
    assert node.call(made.get_turns) == 1


def test_letters_without_end_have_a_turn_come_to_its_end() -> None:
    # On a node whose time passes while it works; as many take it a tenth of a second at least.
    with vista.Node() as node:
        made = node.call(vista.create, CrowdedCorrespondent, False)
        assert 0 < node.call(made.read_all, LETTERS) < LETTERS


def test_what_is_many_messages_makes_several_letters() -> None:
    sizes = [len(one) for one in _letters([b"x"] * (2 * MESSAGES_MAX + 1))]
    assert sizes == [MESSAGES_MAX, MESSAGES_MAX, 1]


def test_a_challenge_counts_once_and_for_half_a_minute() -> None:
    made = Challenges(b"k" * 32)
    first, second = (made.draw(100.0, bytes([n]) * 16) for n in range(2))
    assert made.use(first, 100.0 + CHALLENGE_SECONDS)
    assert not made.use(first, 100.0)
    assert not made.use(second, 100.1 + CHALLENGE_SECONDS)
    assert not Challenges(b"o" * 32).use(second, 100.0)


def test_what_nobody_drew_is_no_challenge() -> None:
    made = Challenges(b"k" * 32)
    right = made.draw(100.0, bytes(16))
    for place in range(len(right)):
        changed = bytearray(right)
        changed[place] ^= 1
        assert not made.use(bytes(changed), 100.0), place
        assert not made.use(right[:place], 100.0)
    assert made.use(right, 100.0)
