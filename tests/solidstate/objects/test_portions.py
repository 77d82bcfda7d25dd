"""Portions of what users want, bundles of calls, and letters that are packed once for all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import vista
from apps.solidstate.objects.classes import find_class
from apps.solidstate.objects.mail import PACKED_BYTES_MAX
from apps.solidstate.objects.operations import read_result
from apps.solidstate.objects.portions import Portions
from apps.solidstate.objects.proxy import BEGIN_BYTES_MAX, BEGINS_MAX, ReplicaClientProxy
from apps.solidstate.objects.reading import ReadService
from apps.solidstate.objects.replicated import ReplicatedObject
from apps.solidstate.objects.service import ObjectService
from apps.solidstate.objects.wishes import Wish, Wishes
from apps.solidstate.pbft.bundles import BundledService
from apps.solidstate.pbft.canonical import pack, unpack
from apps.solidstate.pbft.effects import Answer, Send
from apps.solidstate.pbft.service import Context
from tests.solidstate.lab import CLIENTS, Lab
from tests.solidstate.objects.test_parts import Two
from vista.testing import World

# --- portions ------------------------------------------------------------------------------


class Asked:
    """A client with the wishes of users ``0``, ``1``, ...: ``r`` for what reads, ``w`` else."""

    def __init__(self, *kinds: str, at_once: int = 3) -> None:
        self.wishes = Wishes(at_once, 1_000)
        for number, kind in enumerate(kinds):
            self.wishes.add(Wish(number, b"%d" % number, "v", "m", kind == "r"))
        self.client = Lab().clients[CLIENTS[0]]
        self.portions = Portions(self.client, self.wishes)

    def ask(self) -> list[bytes]:
        """Ask for the next portion and return its operations."""
        sent = [one for one in self.portions.ask(1.0) if isinstance(one, Send)]
        self.client._request = None
        found: list[bytes] = unpack(sent[0].message.operation)  # type: ignore[union-attr]
        return found

    def answer(self, *results: bytes | None) -> list[tuple[object, bytes]]:
        """Return who is answered what."""
        answer = Answer(1, pack(list(results)), 0)
        return [(wish.user, result) for wish, result in self.portions.answered([answer])]


def test_each_user_gets_the_result_of_its_own_wish() -> None:
    asked = Asked("w", "w", "w")
    assert asked.ask() == [b"0", b"1", b"2"]
    assert asked.answer(b"a", b"b", b"c") == [(0, b"a"), (1, b"b"), (2, b"c")]
    assert not asked.wishes


def test_what_the_group_did_not_come_to_goes_first_in_the_next_portion() -> None:
    asked = Asked("w", "w", "w", "w")
    asked.ask()
    assert asked.answer(b"a", None, None) == [(0, b"a")]
    assert asked.ask() == [b"1", b"2", b"3"]


def test_a_read_that_was_not_come_to_is_a_read_the_next_time_too() -> None:
    asked = Asked("r", "r", "r")
    asked.ask()
    assert asked.answer(b"a", None, None) == [(0, b"a")]
    portion = asked.wishes.take()
    assert [(one.user, one.tried) for one in portion] == [(1, True), (2, True)]


def test_a_read_that_was_not_come_to_is_ordered_with_what_is_ordered() -> None:
    asked = Asked("r", "r", "w", "w", "w")
    assert asked.wishes.take()[0].tried is False
    asked = Asked("r", "r", "r", "w")
    first = asked.ask()
    assert first == [b"0", b"1", b"2"]
    asked.answer(b"a", b"b", None)
    # Reads went the last time, and something else waits.
    assert [(one.user, one.tried) for one in asked.wishes.take()] == [(2, False), (3, False)]


def test_a_portion_that_the_group_refused_says_what_its_replicas_lack() -> None:
    asked = Asked("w", "w")
    asked.ask()
    with pytest.raises(vista.LocalProtocolError, match="refused a bundle of 2 operations"):
        asked.answer()


def test_what_is_no_answer_answers_nobody() -> None:
    asked = Asked("w")
    assert asked.portions.answered(asked.portions.ask(1.0)) == []


# --- bundles of calls ----------------------------------------------------------------------


class PortionDice(ReplicatedObject):
    """Throws dice, also when it is made."""

    def create(self) -> None:
        self.first = self.throw()

    def throw(self) -> int:
        return self.agreed_random.randrange(10**12)

    def tell_first(self) -> int:
        return self.first


@pytest.fixture
def node() -> Iterator[None]:
    with World(1) as world, world.node():
        yield


BUNDLE = [
    ["create", "dice", ["Local", "PortionDice", 0], [], {}],
    ["call", "dice", "throw", [], {}, None],
    ["call", "dice", "throw", [], {}, "key"],
    ["call", "dice", "tellFirst", [], {}, None],
    ["call", "nobody", "throw", [], {}, None],
    ["create", "more dice", ["Local", "PortionDice", 0], [], {}],
    ["call", "more dice", "tell_first", [], {}, None],
]


def results_of(bundled: BundledService) -> list[bytes]:
    operations = pack([vista.encode_value(one) for one in BUNDLE])
    found: list[bytes] = unpack(bundled.execute(operations, Context("c", 1, 1, b"r" * 32)))
    return found


@pytest.mark.usefixtures("node")
def test_dice_that_are_made_when_they_are_thrown_fall_as_those_of_any_bundle() -> None:
    mine = results_of(ReadService(ObjectService(find_class, "c"), 200))
    assert mine == results_of(BundledService(ObjectService(find_class, "c"), 200))
    thrown = [read_result(mine[place])[0] for place in (1, 2, 3, 6)]
    assert len(set(thrown)) == 4


@pytest.mark.usefixtures("node")
def test_a_bundle_has_no_more_results_than_its_bound_and_the_rest_is_not_executed() -> None:
    service = ObjectService(find_class, "c")
    found = results_of(ReadService(service, 200, results_bytes_max=1))
    assert [one is None for one in found] == [False, *[True] * 6]
    assert list(service.variables) == ["dice"]


# --- how calls begin -----------------------------------------------------------------------


@pytest.mark.usefixtures("node")
def test_how_calls_begin_is_kept_of_so_many_methods_and_of_no_long_names() -> None:
    proxy = object.__new__(ReplicaClientProxy)
    proxy._begins = {}
    for number in range(BEGINS_MAX + 1):
        begin = proxy._begin_of("cart", f"m{number}")
        operation = vista.encode_value(["call", "cart", f"m{number}", [1], {}, None])
        assert operation.startswith(begin)
        assert proxy._begin_of("cart", f"m{number}") is begin
        assert len(proxy._begins) <= BEGINS_MAX
    assert list(proxy._begins) == [("cart", f"m{BEGINS_MAX}")]
    assert proxy._begin_of("cart", "x" * BEGIN_BYTES_MAX).endswith(b"x")
    assert len(proxy._begins) == 1


# --- letters -------------------------------------------------------------------------------


@pytest.mark.usefixtures("node")
def test_a_letter_to_all_is_packed_once_and_sealed_for_each(tmp_path: Path) -> None:
    two = Two(tmp_path)
    messages = [b"one", b"two"]
    [first], [second] = two.replica.seal(1, messages), two.replica.seal(two.name, list(messages))
    assert first != second
    data = two.client.unseal(0, second)
    assert data is not None
    assert unpack(data)[1:] == messages
    assert two.client.unseal(0, first) is None


@pytest.mark.usefixtures("node")
def test_a_letter_is_not_the_one_that_was_packed_before(tmp_path: Path) -> None:
    two = Two(tmp_path)
    messages = [b"one"]
    two.replica.seal(two.name, messages)
    messages.append(b"two")
    [letter] = two.replica.seal(two.name, messages)
    assert unpack(two.client.unseal(0, letter) or b"")[1:] == [b"one", b"two"]


@pytest.mark.usefixtures("node")
def test_a_large_letter_is_not_kept_and_no_messages_are_no_letter(tmp_path: Path) -> None:
    two = Two(tmp_path)
    assert two.replica.seal(two.name, []) == []
    large = [bytes(PACKED_BYTES_MAX)]
    assert len(two.replica.seal(two.name, large)) == 1
    assert two.replica._packed_of != large
