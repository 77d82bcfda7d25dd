"""State variables that nobody uses: when a group forgets them, without a network."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest

import vista
from apps.solidstate.errors import StateTooLargeError
from apps.solidstate.objects.classes import find_class
from apps.solidstate.objects.operations import read_result
from apps.solidstate.objects.replicated import ReplicatedObject, read_only
from apps.solidstate.objects.service import NAMES_AT_ONCE, ObjectService
from apps.solidstate.pbft.service import Context
from vista.testing import World

SEQUENCE = itertools.count(1)


class RetiringTray(ReplicatedObject):
    """A variable that ends when nobody uses it."""

    idle_seconds: ClassVar[float] = 60.0
    unused_seconds: ClassVar[float] = 10.0
    answers_max: ClassVar[int] = 3

    def create(self) -> None:
        self.count = 0

    def add(self) -> int:
        self.count += 1
        return self.count

    @read_only
    def look(self) -> int:
        return self.count

    def announce(self) -> None:
        self.outbox.post("Bell", "ring")

    def fail(self) -> None:
        raise ValueError("no")


class RetiringHeap(ReplicatedObject):
    """A variable that has much to tell and to keep, and says when it grew."""

    def create(self) -> None:
        self.count = 0
        self.kept = ""

    def tell(self) -> str:
        self.count += 1
        return "x" * 1_000

    @read_only
    def told(self) -> int:
        return self.count

    def grow(self) -> None:
        self.kept += "x" * 2_000
        self.outbox.post("Bell", "ring")


class RetiringStone(ReplicatedObject):
    """A variable that stays."""


@pytest.fixture(autouse=True)
def node() -> Iterator[None]:
    with World(1) as world, world.node():
        yield


@pytest.fixture
def service() -> ObjectService:
    """A group with a tray, made at second 0."""
    made = ObjectService(find_class, "founder")
    create(made, "tray")
    return made


def ask(service: ObjectService, at: float, *operation: Any) -> Any:
    """Have an operation executed at a time in seconds; return its value or raise what it raised."""
    number = next(SEQUENCE)
    context = Context("founder", number, int(at * 1_000_000), number.to_bytes(32, "big"))
    return read_result(service.execute(vista.encode_value([*operation]), context))[0]


def create(service: ObjectService, name: str, cls: str = "RetiringTray", at: float = 0) -> None:
    ask(service, at, "create", name, ["Local", cls, 0], [], {})


def call(service: ObjectService, at: float, method: str, key: str | None = None) -> Any:
    return ask(service, at, "call", "tray", method, [], {}, key)


def test_what_was_never_used_ends_soon(service: ObjectService) -> None:
    assert ask(service, 10, "retire", "") == ["", 0]
    assert ask(service, 11, "retire", "") == ["", 1]
    assert service.variables == {}


@pytest.mark.parametrize("method", ["add", "announce", "fail"])
def test_what_was_used_stays_longer(service: ObjectService, method: str) -> None:
    if method == "fail":
        with pytest.raises(ValueError, match=r"^no$"):
            call(service, 5, method)
    else:
        call(service, 5, method)
    ask(service, 65, "retire", "")
    assert "tray" in service.variables


def test_what_was_not_used_for_long_ends(service: ObjectService) -> None:
    call(service, 5, "add")
    assert ask(service, 66, "retire", "") == ["", 1]


def test_a_look_is_no_use(service: ObjectService) -> None:
    call(service, 9, "look")
    assert ask(service, 11, "retire", "") == ["", 1]


def test_an_answer_that_is_given_again_is_no_use(service: ObjectService) -> None:
    call(service, 5, "add", "key")
    call(service, 60, "add", "key")
    assert ask(service, 66, "retire", "") == ["", 1]


def test_what_has_messages_to_send_stays(service: ObjectService) -> None:
    call(service, 5, "announce")
    assert ask(service, 1_000, "retire", "") == ["", 0]
    founded, rows = ask(service, 1_000, "outbox", "tray")
    ask(service, 1_000, "delivered", "tray", founded, [row[0] for row in rows])
    assert ask(service, 1_000, "retire", "") == ["", 1]


def test_what_does_not_say_when_it_ends_stays(service: ObjectService) -> None:
    create(service, "stone", "RetiringStone")
    assert ask(service, 1e9, "retire", "") == ["", 1]
    assert list(service.variables) == ["stone"]


def test_a_replica_that_fetched_the_state_forgets_the_same(service: ObjectService) -> None:
    call(service, 5, "add")
    copy = ObjectService(find_class, "founder")
    copy.restore(list(service.snapshot()))
    for one in (service, copy):
        assert ask(one, 65, "retire", "") == ["", 0]
        assert ask(one, 66, "retire", "") == ["", 1]
    assert copy.snapshot() == service.snapshot()


def test_variables_are_looked_at_in_portions() -> None:
    service = ObjectService(find_class, "founder")
    for number in range(NAMES_AT_ONCE + 5):
        create(service, f"{number:05}")
    told = ask(service, 0, "list", "")
    assert [len(told), told[0]] == [NAMES_AT_ONCE, ["00000", ["Local", "RetiringTray", 0]]]
    assert len(ask(service, 0, "list", told[-1][0])) == 5
    after, gone = ask(service, 100, "retire", "")
    assert (after, gone) == (f"{NAMES_AT_ONCE - 1:05}", NAMES_AT_ONCE)
    assert ask(service, 100, "retire", after) == ["", 5]


def heap(service: ObjectService, method: str, key: str | None = None) -> Any:
    return ask(service, 1, "call", "heap", method, [], {}, key)


def test_answers_that_are_kept_are_part_of_the_bytes_of_a_group() -> None:
    service = ObjectService(find_class, "founder", state_bytes_max=10_000)
    create(service, "heap", "RetiringHeap")
    for number in range(10):
        assert len(heap(service, "tell", f"{number}")) == 1_000
    with pytest.raises(StateTooLargeError, match=r"^the group holds as much as it may"):
        create(service, "other")
    copy = ObjectService(find_class, "founder", state_bytes_max=10_000)
    copy.restore(list(service.snapshot()))
    with pytest.raises(StateTooLargeError):
        create(copy, "other")
    ask(copy, 1, "drop", "heap")
    create(copy, "other")


def test_a_group_without_room_for_answers_executes_nothing_that_has_to_be_kept() -> None:
    service = ObjectService(find_class, "founder", state_bytes_max=10_000)
    create(service, "heap", "RetiringHeap")
    for number in range(13):
        heap(service, "tell", f"{number}")
    for key in ("a", "b"):
        with pytest.raises(StateTooLargeError, match=r"^the group has no room for an answer"):
            heap(service, "tell", key)
    assert heap(service, "told") == 13
    assert len(heap(service, "tell", "0")) == 1_000
    assert heap(service, "told") == 13


def test_a_call_that_is_refused_for_want_of_room_sends_nothing() -> None:
    service = ObjectService(find_class, "founder", state_bytes_max=1_000)
    create(service, "heap", "RetiringHeap")
    heap(service, "grow")
    with pytest.raises(StateTooLargeError, match=r"^heap has \d+ bytes"):
        heap(service, "grow")
    assert len(ask(service, 1, "outbox", "heap")[1]) == 1


def test_a_class_says_how_many_answers_are_kept(service: ObjectService) -> None:
    for number in range(4):
        call(service, 1, "add", f"{number}")
    assert call(service, 1, "add", "1") == 2
    assert call(service, 1, "add", "0") == 5
