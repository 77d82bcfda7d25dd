"""Mistakes of classes that end no group: what no checkpoint could hold is found out before it.

A replica that fails at a checkpoint starts again from its disk, where the same requests lead to the
same checkpoint: what all of them fail at, they fail at for ever.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import Any

import pytest

import vista
from apps.solidstate.errors import StateTooLargeError
from apps.solidstate.objects.classes import find_class
from apps.solidstate.objects.operations import read_result
from apps.solidstate.objects.replicated import ReplicatedObject, read_only
from apps.solidstate.objects.service import VARIABLE_BYTES_MAX, ObjectService
from apps.solidstate.objects.variables import VARIABLES_BYTES_MAX, Variable
from apps.solidstate.pbft.service import Context
from vista import encode_value
from vista.testing import World

SEQUENCE = itertools.count(1)


class StateError(Exception):
    """One whose words fail."""

    def __str__(self) -> str:
        return str(self.args[7])


class StateShelf(ReplicatedObject):
    """A class with mistakes that its tests did not find."""

    def create(self) -> None:
        self.things: list[Any] = []

    def put(self, thing: Any) -> None:
        self.things.append(thing)

    def put_often(self, thing: bytes, times: int) -> None:
        # Each is bytes of its own in the state.
        self.things += [thing] * times

    def replace(self, thing: Any) -> None:
        self.things = [thing]

    def clear(self) -> None:
        self.things.clear()

    @read_only
    def count(self) -> int:
        return len(self.things)

    @read_only
    def match(self, text: str) -> bool:
        self.pattern = re.compile(text)
        return bool(self.pattern.fullmatch(text))

    @read_only
    def note(self) -> int:
        self.things.append(object())
        return len(self.things)

    def fail(self) -> None:
        raise StateError("once")

    def leave(self) -> None:
        raise SystemExit(2)

    def wrap(self, times: int) -> None:
        for _ in range(times):
            self.things = [self.things]

    def grow(self, size: int) -> None:
        self.more = b"x" * size


@pytest.fixture(autouse=True)
def node() -> Iterator[None]:
    with World(1) as world, world.node():
        yield


class Two:
    """Two replicas, of which the second one starts from each checkpoint of the first."""

    def __init__(self) -> None:
        self.first = ObjectService(find_class, "founder", faults=1)
        self.second = ObjectService(find_class, "founder", faults=1)
        named = StateShelf.__vista_class__
        name = [named.namespace, named.name, named.version]
        self._execute(["create", "shelf", name, [], {}])
        self.check()

    def call(self, method: str, *args: Any) -> Any:
        """Have both execute a call; return its value, or raise what it raised."""
        return self._execute(["call", "shelf", method, [*args], {}, None])

    def _execute(self, operation: list[Any]) -> Any:
        number, data = next(SEQUENCE), encode_value(operation)
        context = Context("founder", number, number, number.to_bytes(32, "big"))
        results = [one.execute(data, context) for one in (self.first, self.second)]
        assert results[0] == results[1]
        return read_result(results[0])[0]

    def check(self) -> None:
        """Both make a checkpoint, which is the same, and the second one fetches it."""
        pages = list(self.first.snapshot())
        if self.second.variables:
            assert list(self.second.snapshot()) == pages
        self.second.restore(pages)

    @property
    def shelf(self) -> Variable:
        """The variable of the first."""
        return self.first.variables["shelf"]


@pytest.mark.parametrize("asked", [("match", "tea"), ("note",)], ids=["assigned", "deep"])
def test_no_value_that_a_reader_leaves_is_undone_at_the_checkpoint(
    asked: tuple[Any, ...], caplog: pytest.LogCaptureFixture
) -> None:
    two = Two()
    two.call("put", "tea")
    two.check()
    two.call(*asked)
    two.check()
    assert two.shelf.variables() == {"things": ["tea"]}
    assert "a method that is declared read-only changed it; that is undone" in caplog.text


def test_no_value_that_a_reader_left_is_taken_away_by_who_changes_something() -> None:
    two = Two()
    two.call("match", "tea")
    with pytest.raises(vista.NotAValueError, match=r"^shelf\.pattern: Pattern is not a value"):
        two.call("put", "tea")
    two.check()
    assert two.shelf.variables() == {"things": ["tea"]}


def test_an_error_whose_words_fail_is_an_answer() -> None:
    two = Two()
    with pytest.raises(StateError):
        two.call("fail")
    two.check()


def test_a_method_that_ends_the_program_ends_its_call() -> None:
    two = Two()
    with pytest.raises(vista.RemoteFailure, match=r"SystemExit: 2$"):
        two.call("leave")
    two.check()


@pytest.mark.parametrize("times", range(95, 101))
def test_what_nests_deeper_than_a_state_is_taken_away(times: int) -> None:
    two = Two()
    two.call("grow", 10_000)
    two.check()
    # It is large, so it is not measured before the checkpoint.
    two.call("wrap", times)
    two.check()
    # The list itself, the dict of the variables, and the list that all of it stands in.
    assert ("things" in two.shelf.variables()) == (times + 3 <= 100)
    assert two.shelf.variables()["more"] == b"x" * 10_000


def variable_of(**sizes: int) -> Variable:
    """A variable by itself, with so many bytes under each name."""
    named = StateShelf.__vista_class__
    kind = find_class([named.namespace, named.name, named.version])
    assert kind is not None
    made = Variable("shelf", kind, "1", "founder")
    made.set_variables({name: bytes(size) for name, size in sizes.items()})
    return made


def test_what_is_larger_than_a_value_goes_until_the_rest_is_one() -> None:
    size = VARIABLES_BYTES_MAX // 2
    made = variable_of(one=size, two=size + 1, three=size + 2)
    words = made.measure()
    assert words.count("larger than a value can be") == 2
    assert words.startswith("shelf.three: larger")
    assert list(made.variables()) == ["one"]
    assert made.pages()[1] == ""


def test_answers_and_messages_have_room_beside_the_largest_variables() -> None:
    made = variable_of(one=VARIABLES_BYTES_MAX - 100)
    for number in range(5):
        made.keep_answer(f"{number}", b"x" * 200_000)
    made.outbox.add([("Bell", "ring", (b"x" * 120_000,))] * 34, "shelf", "founder")
    pages, wrong = made.pages()
    assert wrong == ""
    assert sum(map(len, pages)) > VARIABLES_BYTES_MAX + 5_000_000
    assert list(made.variables()) == ["one"]


def test_the_pages_are_what_all_of_it_is_encoded_as_at_once() -> None:
    two = Two()
    two.call("put", {"tea": (1, KeyError("x"), b"x")})
    shelf = two.shelf
    shelf.keep_answer("key", b"answer")
    shelf.outbox.add([("Bell", "ring", ("sold",))], "shelf", "founder")
    pages, _ = shelf.pages()
    counts = [0, len(encode_value(shelf.variables())), shelf.made, shelf.used]
    answers = [("key", b"answer")]
    row = [counts, shelf.outbox.row, answers, shelf.variables()]
    assert b"".join(pages) == encode_value(row)


# --- what does not fit ---------------------------------------------------------------------

LARGE = 500_000
"""Bytes of a thing: about as many as a request may have."""


def fill(two: Two, thing: bytes, most: int = 500) -> int:
    """Put a thing again and again, without a checkpoint; return how often until it is refused."""
    for count in range(most):
        try:
            two.call("put", thing)
        except StateTooLargeError:
            return count
    return most


def test_what_would_not_fit_is_refused_before_and_nothing_that_was_taken_is_lost() -> None:
    two = Two()
    count = fill(two, bytes(LARGE))
    assert VARIABLE_BYTES_MAX < count * LARGE + LARGE < VARIABLE_BYTES_MAX + 2 * LARGE
    two.check()
    assert two.call("count") == count
    with pytest.raises(StateTooLargeError, match=r"^shelf has \d+ bytes, and the call would make"):
        two.call("put", b"x")
    two.call("clear")
    assert fill(two, bytes(LARGE), 3) == 3


def test_what_a_class_keeps_twice_is_not_lost_either() -> None:
    two = Two()
    with pytest.raises(StateTooLargeError):
        for _ in range(500):
            two.call("put_often", bytes(LARGE), 3)
    kept = two.call("count")
    two.check()
    assert two.call("count") == kept > VARIABLE_BYTES_MAX // LARGE


def test_what_was_given_and_not_kept_leaves_the_room_to_others() -> None:
    two = Two()
    for _ in range(3 * VARIABLE_BYTES_MAX // LARGE):
        two.call("replace", bytes(LARGE))
    two.call("put", b"x")
    assert two.call("count") == 2


def test_all_variables_together_have_their_bound_before_a_checkpoint() -> None:
    service = ObjectService(find_class, "founder", state_bytes_max=4 * LARGE)
    named = StateShelf.__vista_class__
    name = [named.namespace, named.name, named.version]

    def ask(*operation: Any) -> Any:
        number = next(SEQUENCE)
        context = Context("founder", number, number, bytes(32))
        return read_result(service.execute(encode_value([*operation]), context))[0]

    for number in range(3):
        ask("create", f"{number}", name, [], {})
    # What is given to one and not kept takes no room of the others in the end.
    for _ in range(9):
        ask("call", "0", "replace", [bytes(LARGE)], {}, None)
    for number in (1, 2, 1):
        ask("call", f"{number}", "put", [bytes(LARGE)], {}, None)
    with pytest.raises(StateTooLargeError):
        ask("call", "2", "put", [bytes(LARGE)], {}, None)
    with pytest.raises(StateTooLargeError, match=r"^the group holds as much as it may"):
        ask("create", "more", name, [], {})
    sizes = sum(one.size for one in service.variables.values())
    assert 4 * LARGE < sizes < 5 * LARGE
