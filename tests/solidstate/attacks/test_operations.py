"""Operations of a client that does not keep to the rules, as the replicas execute them.

What they must not reach: replicas that differ, a state or a result beyond its bounds, more than a
client's share of the room, messages of others that are not sent.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest

import vista
from apps.solidstate.errors import RefusedOperationError, StateTooLargeError
from apps.solidstate.objects.bounded import LINES_MAX
from apps.solidstate.objects.classes import find_class
from apps.solidstate.objects.operations import RESULT_BYTES_MAX, read_result
from apps.solidstate.objects.postings import OUTBOX_BYTES_MAX, POSTING_BYTES_MAX
from apps.solidstate.objects.replicated import ReplicatedObject
from apps.solidstate.objects.service import NAMES_AT_ONCE, ObjectService
from apps.solidstate.pbft.bundles import RESULTS_BYTES_MAX, BundledService
from apps.solidstate.pbft.canonical import pack, unpack
from apps.solidstate.pbft.service import Context
from vista.testing import World

SEQUENCE = itertools.count(1)
DAY = 86_400


class AttackedShelf(ReplicatedObject):
    """What a client may do anything to."""

    idle_seconds = DAY
    unused_seconds = 3_600.0

    def create(self) -> None:
        self.things: list[Any] = []

    def put(self, thing: Any) -> int:
        self.things.append(thing)
        return len(self.things)

    def refuse(self, thing: Any) -> None:
        raise ValueError(thing)

    def tell(self, size: int) -> str:
        return "x" * size

    def spin(self, turns: int) -> int:
        for _ in range(turns):
            self.things = []
        return turns

    def send(self, *words: str) -> None:
        for word in words:
            self.outbox.post("Bell", "ring", word)


@pytest.fixture(autouse=True)
def node() -> Iterator[None]:
    with World(1) as world, world.node():
        yield


def make(**options: Any) -> ObjectService:
    """A group that tolerates one fault, with a shelf of its founder."""
    made = ObjectService(find_class, "founder", **{"faults": 1, **options})
    assert ask(made, "create", "shelf", NAME, [], {}) is True
    return made


NAME = ["Local", "AttackedShelf", 0]


@pytest.fixture
def service() -> ObjectService:
    return make()


def context(client: str, seconds: float = 0.0) -> Context:
    number = next(SEQUENCE)
    return Context(client, number, int(seconds * 1_000_000) + number, number.to_bytes(32, "big"))


def ask(service: ObjectService, *operation: Any, client: str = "founder", at: float = 0.0) -> Any:
    """Have an operation executed and return its value, or raise what it raised."""
    return read_result(service.execute(vista.encode_value([*operation]), context(client, at)))[0]


def call(service: ObjectService, method: str, *args: Any, client: str = "evil") -> Any:
    return ask(service, "call", "shelf", method, [*args], {}, None, client=client)


# --- replicas that would differ ------------------------------------------------------------


@pytest.mark.parametrize(
    "thing",
    [{"a", "b"}, frozenset("ab"), [["x", {"a", "b"}]], {"k": ({"a"},)}, ValueError({"a", "b"})],
    ids=["set", "frozenset", "deep", "mapped", "error"],
)
def test_a_set_reaches_no_method_as_its_order_is_another_one_in_each_process(
    service: ObjectService, thing: Any
) -> None:
    before = list(service.snapshot())
    for method in ("put", "refuse"):
        with pytest.raises(RefusedOperationError, match=r"^an argument holds a set, whose order"):
            call(service, method, thing)
    with pytest.raises(RefusedOperationError, match=r"^an argument holds a set"):
        ask(service, "call", "shelf", "put", [], {"thing": thing}, None)
    with pytest.raises(RefusedOperationError, match=r"^an argument holds a set"):
        ask(service, "create", "other", NAME, [thing], {})
    assert list(service.snapshot()) == before


def test_arguments_without_a_set_pass(service: ObjectService) -> None:
    things = ([1, ("a", {"b": 2.5})], {"k": [b"x"]}, KeyError("x"), None)
    assert [call(service, "put", thing) for thing in things] == [1, 2, 3, 4]


# --- results -------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["x" * 2_000_000, "é" * 200_000], ids=["long", "wide"])
def test_an_error_is_no_larger_than_a_result_may_be(service: ObjectService, text: str) -> None:
    operation = vista.encode_value(["call", "shelf", "refuse", [text], {}, "key"])
    result = service.execute(operation, context("evil"))
    assert len(result) < 1_000
    with pytest.raises(StateTooLargeError, match=r"^ValueError of \d+ bytes: too many$"):
        read_result(result)
    assert service.execute(operation, context("evil")) == result


def test_names_are_bounded_whatever_is_done_with_them(service: ObjectService) -> None:
    for operation in (
        ["call", "n" * 300_000, "put", [], {}, None], ["drop", "n" * 201], ["outbox", "n" * 201, 0],
        ["delivered", "n" * 201, "1", [], []], ["retire", "n" * 201], ["list", "n" * 201],
    ):  # fmt: skip
        with pytest.raises(RefusedOperationError, match=r"^a name has 1 to 200 characters$"):
            ask(service, *operation)
    result = service.execute(
        vista.encode_value(["call", "shelf", "m" * 300_000, [], {}, None]), context("evil")
    )
    assert len(result) < 1_000


def test_a_list_of_long_names_comes_in_parts() -> None:
    service = make()
    for number in range(NAMES_AT_ONCE + 5):
        ask(service, "create", f"{number:04}" + "\U0001f600" * 196, NAME, [], {})
    after, found = "", []
    for _ in range(20):
        result = service.execute(vista.encode_value(["list", after]), context("evil"))
        assert len(result) <= RESULT_BYTES_MAX
        rows = read_result(result)[0]
        found += [row[0] for row in rows if row is not None]
        after = found[-1]
        if rows[-1:] != [None] and len(rows) < NAMES_AT_ONCE:
            break
    assert len(found) == len(set(found)) == NAMES_AT_ONCE + 6


# --- bundles -------------------------------------------------------------------------------


def bundle(service: ObjectService, *operations: list[Any]) -> list[Any]:
    """Have a bundle executed as a replica does."""
    bundled = BundledService(service, 200, work=service.meter.read, work_max=LINES_MAX)
    data = pack([vista.encode_value(one) for one in operations])
    found: list[Any] = unpack(bundled.execute(data, context("evil")))
    return found


def test_a_bundle_has_no_more_results_than_its_bytes(service: ObjectService) -> None:
    one = ["call", "shelf", "tell", [200_000], {}, None]
    found = bundle(service, *[one] * 200)
    sizes = [len(result) for result in found if result is not None]
    assert len(found) == 200
    assert RESULTS_BYTES_MAX <= sum(sizes) < RESULTS_BYTES_MAX + RESULT_BYTES_MAX
    assert found[len(sizes) :] == [None] * (200 - len(sizes))


def test_a_bundle_takes_no_more_lines_than_one_call_and_one_more() -> None:
    service = make(lines_max=2_000)
    bundled = BundledService(service, 200, work=service.meter.read, work_max=2_000)
    one = vista.encode_value(["call", "shelf", "spin", [400], {}, None])
    found = unpack(bundled.execute(pack([one] * 100), context("evil")))
    done = sum(result is not None for result in found)
    assert 2 <= done <= 5
    assert service.meter.lines < 4_001


def test_what_a_bundle_did_not_come_to_was_not_executed(service: ObjectService) -> None:
    tell = ["call", "shelf", "tell", [250_000], {}, None]
    put = ["call", "shelf", "put", ["pen"], {}, None]
    assert bundle(service, *[tell] * 5, put)[-1] is None
    assert service.variables["shelf"].variables() == {"things": []}


# --- room ----------------------------------------------------------------------------------


def test_one_client_has_no_more_than_its_share_of_the_variables() -> None:
    service = make(variables_max=40)
    for number in range(10):
        ask(service, "make", f"evil/{number}", NAME, [], {}, client="evil")
    with pytest.raises(StateTooLargeError, match=r"^evil has 10 state variables, the most that"):
        ask(service, "make", "evil/10", NAME, [], {}, client="evil")
    assert ask(service, "make", "good/0", NAME, [], {}, client="good") is True
    copy = ObjectService(find_class, "founder", variables_max=40, faults=1)
    copy.restore(list(service.snapshot()))
    for one in (service, copy):
        with pytest.raises(StateTooLargeError):
            ask(one, "make", "evil/10", NAME, [], {}, client="evil")
        ask(one, "drop", "evil/3", client="evil")
        assert ask(one, "make", "evil/10", NAME, [], {}, client="evil") is True


def test_names_are_bytes_of_the_state_that_have_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apps.solidstate.objects.service.HEADS_BYTES_MAX", 100_000)
    service, long = make(variables_max=10_000), "\U0001f600" * 190

    def fill(client: str, most: int = 200) -> int:
        for count in range(most):
            try:
                ask(service, "make", f"{client}/{count}{long}", NAME, [], {}, client=client)
            except StateTooLargeError as error:
                assert str(error).startswith("the names of the state variables of ")
                return count
        return most

    # A quarter of it each, and half is left when as many are faulty as are tolerated.
    assert 25 <= fill("evil") <= 100_000 // 4 // 760
    assert fill("good", 25) == 25
    assert fill("third") + fill("fourth") + fill("fifth") < 80
    assert 95_000 < len(service.snapshot()[0]) <= 100_100
    copy = ObjectService(find_class, "founder", variables_max=10_000, faults=1)
    copy.restore(list(service.snapshot()))
    for one in (service, copy):
        with pytest.raises(StateTooLargeError, match=r"^the names of the state variables of all"):
            ask(one, "make", f"good{long}", NAME, [], {}, client="good")
        ask(one, "drop", f"evil/3{long}")
        assert ask(one, "make", f"good{long}", NAME, [], {}, client="good") is True


def test_where_room_is_scarce_what_nobody_uses_goes_sooner() -> None:
    service = make(variables_max=100)

    def fill(count: int) -> None:
        for number in range(len(service.variables), count):
            ask(service, "create", f"{number:03}", NAME, [], {})

    def gone(at: float) -> int:
        after, count = ask(service, "retire", "", at=at)
        assert after == ""
        found: int = count
        return found

    fill(50)
    assert gone(3_599) == 0
    fill(75)
    assert gone(1_799) == 0
    assert gone(1_801) == 75
    fill(100)
    # Filled to the last, an unused one stays for two minutes and a half, and a used one an hour.
    ask(service, "call", "007", "put", ["x"], {}, None)
    assert gone(149) == 0
    assert gone(152) == 99
    assert list(service.variables) == ["007"]


# --- messages ------------------------------------------------------------------------------


def waiting(service: ObjectService, client: str = "good") -> list[Any]:
    found: list[Any] = ask(service, "outbox", "shelf", 0, client=client)[1]
    return [row[0] for row in found]


def say(service: ObjectService, client: str, done: list[int], refused: list[int]) -> None:
    founded = service.variables["shelf"].founded
    ask(service, "delivered", "shelf", founded, done, refused, client=client)


def test_one_client_alone_does_not_take_the_messages_of_others_away(
    service: ObjectService,
) -> None:
    call(service, "send", "order", client="good")
    for _ in range(3):
        say(service, "evil", [1], [])
        say(service, "evil", [], [1])
    assert waiting(service) == [1]
    assert waiting(service, "evil") == []
    say(service, "third", [1], [])
    assert waiting(service) == []


def test_whose_call_it_was_says_alone_that_a_message_was_delivered(service: ObjectService) -> None:
    call(service, "send", "order", client="good")
    say(service, "good", [1], [])
    assert len(service.variables["shelf"].outbox) == 0


def test_what_is_refused_for_good_goes_when_enough_were_refused(service: ObjectService) -> None:
    call(service, "send", "order", client="good")
    say(service, "good", [], [1])
    assert waiting(service, "third") == [1]
    assert ask(service, "waiting", "", client="good") == []
    say(service, "third", [], [1])
    assert len(service.variables["shelf"].outbox) == 0


def test_what_clients_said_survives_a_fetch(service: ObjectService) -> None:
    call(service, "send", "order", client="good")
    say(service, "evil", [1], [])
    copy = ObjectService(find_class, "founder", faults=1)
    copy.restore(list(service.snapshot()))
    say(copy, "third", [1], [])
    assert len(copy.variables["shelf"].outbox) == 0
    assert list(service.snapshot())[1] != list(copy.snapshot())[1]


@pytest.mark.parametrize("numbers", [["1"], [None], [[1]], [True], [2**80]], ids=str)
def test_numbers_that_are_none_take_nothing_away(service: ObjectService, numbers: Any) -> None:
    call(service, "send", "order", client="good")
    say(service, "good", numbers, numbers)
    assert waiting(service) == [1]


def test_messages_are_bytes_of_the_state(service: ObjectService) -> None:
    before = service.variables["shelf"].weight
    call(service, "send", "x" * 50_000, client="evil")
    service.snapshot()
    assert service.variables["shelf"].weight - before > 50_000
    full = make(state_bytes_max=100_000)
    call(full, "send", "x" * 90_000)
    call(full, "send", "x" * 90_000)
    with pytest.raises(StateTooLargeError, match=r"^shelf has \d+ bytes, and the call would make"):
        call(full, "send", "x")
    with pytest.raises(StateTooLargeError, match=r"^the group holds as much as it may"):
        ask(full, "create", "other", NAME, [], {})
    say(full, "evil", [1, 2], [])
    assert ask(full, "create", "other", NAME, [], {}) is True


def test_a_flood_of_messages_has_bounds(service: ObjectService) -> None:
    with pytest.raises(StateTooLargeError, match=r"^a message of shelf has \d+ bytes; 131072 are"):
        call(service, "send", "x" * (POSTING_BYTES_MAX + 1))
    each = POSTING_BYTES_MAX - 1_000
    for _ in range(OUTBOX_BYTES_MAX // each):
        call(service, "send", "x" * each)
    with pytest.raises(StateTooLargeError, match=r"^\d+ bytes of messages of shelf wait"):
        call(service, "send", "x" * each)


def test_messages_are_told_in_portions_that_are_results(service: ObjectService) -> None:
    for _ in range(8):
        call(service, "send", "x" * 100_000)
    after, seen = 0, []
    for _ in range(9):
        operation = vista.encode_value(["outbox", "shelf", after])
        result = service.execute(operation, context("good"))
        assert len(result) <= RESULT_BYTES_MAX
        rows = read_result(result)[0][1]
        seen += [row[0] for row in rows]
        if not rows:
            break
        after = rows[-1][0]
    assert seen == list(range(1, 9))
