"""What replicas execute: calls, bounds, the state and its pages, without a network."""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

import vista
from apps.solidstate.errors import (
    EndlessMethodError,
    OutsideCallError,
    RefusedOperationError,
    StateTooLargeError,
)
from apps.solidstate.objects.classes import ReplicatedClass, find_class, snake_case
from apps.solidstate.objects.differing import differences
from apps.solidstate.objects.operations import RESULT_BYTES_MAX, read_result
from apps.solidstate.objects.postings import OUTBOX_MAX
from apps.solidstate.objects.replicated import ReplicatedObject, read_only
from apps.solidstate.objects.service import MissingClassError, ObjectService
from apps.solidstate.objects.variables import ANSWERS_MAX, PAGE_BYTES
from apps.solidstate.pbft.service import Context
from vista.testing import World

SEQUENCE = itertools.count(1)

EVERYTHING = BaseException
"""A name by which a class is not seen to catch everything."""


class LabShelf(ReplicatedObject):
    """A replicated object with every vice."""

    def create(self, *first: str) -> None:
        self.things = list(first)
        self.twice: list[Any] = []

    def put(self, thing: Any) -> int:
        self.things.append(thing)
        return len(self.things)

    @read_only
    def list_things(self) -> list[Any]:
        return self.things

    @read_only
    def count_secretly(self) -> int:
        self.things.append("secret")
        return len(self.things)

    def fail(self) -> None:
        self.things.append("half")
        raise KeyError("no such thing")

    def fail_strangely(self) -> None:
        raise LabError(lambda: 0)

    def spin(self) -> None:
        while True:
            self.things.append("turn")

    def spin_and_catch(self) -> str:
        try:
            self.spin()
        except EVERYTHING:
            return "caught"
        return "never"

    def dig(self) -> None:
        self.dig()

    def call_out(self, target: Any) -> None:
        vista.send(target, "echo", 1)

    def post_out(self, target: Any) -> None:
        target.echo.post(1)

    def keep_open(self) -> None:
        self.hole = lambda: 0

    def grow(self, size: int) -> None:
        self.things.append("x" * size)

    def shrink(self) -> None:
        self.things.clear()

    def tell(self, size: int) -> str:
        return "x" * size

    def when(self) -> float:
        return self.agreed_time

    def throw(self) -> list[int]:
        return [self.agreed_random.randrange(10**9) for _ in range(3)]

    def send_later(self, *words: str) -> None:
        for word in words:
            self.outbox.post("Bell", "ring", word)

    def share(self) -> None:
        self.twice = [self.things, self.things]

    def push(self) -> Any:
        self.twice[0].append("one")
        return self.twice


class LabError(Exception):
    """An error with an argument that is no value."""


class LabClock(ReplicatedObject):
    """Looks at a clock of its own."""

    def look(self) -> float:
        return time.time()


class LabCalendar(ReplicatedObject):
    """Looks at a clock of its own in another way."""

    def look(self) -> Any:
        return [datetime.now() for _ in range(1)]


class LabCatcher(ReplicatedObject):
    """Could not be ended."""

    def work(self) -> None:
        while True:
            try:
                self.work()
            except:  # noqa: E722
                self.failed = True


class LabLastCatcher(ReplicatedObject):
    """Could not be ended either, nor by what its first handler is for."""

    def work(self) -> None:
        while True:
            try:
                self.work()
            except ValueError:
                return
            except:  # noqa: E722
                pass


class LabNamedCatcher(ReplicatedObject):
    """Names what it catches, which is everything."""

    def work(self) -> None:
        with contextlib.suppress(BaseException):
            self.work()


class LabGoer(ReplicatedObject):
    """Goes on whatever happens."""

    def work(self) -> None:
        while True:
            try:
                self.work()
            finally:
                continue  # noqa: B012


class LabCareful(ReplicatedObject):
    """Catches errors, and undoes things, as any class may."""

    def work(self) -> int:
        try:
            with contextlib.suppress(KeyError):
                raise ValueError("one")
        except (ValueError, TypeError):
            return 1
        except Exception:
            raise
        finally:
            for one in (1, 2):
                self.done = one
        return 0


class LabSleeper(ReplicatedObject):
    """Waits."""

    async def wait(self) -> None:
        """Wait."""


@pytest.fixture(autouse=True)
def node() -> Iterator[None]:
    with World(1) as world, world.node():
        yield


def make(**options: Any) -> ObjectService:
    return ObjectService(find_class, "founder", **options)


def context(client: str = "founder") -> Context:
    number = next(SEQUENCE)
    return Context(client, number, number * 1_000_000, number.to_bytes(32, "big"))


def ask(service: ObjectService, *operation: Any, client: str = "founder") -> Any:
    """Have an operation executed and return its value, or raise what it raised."""
    return read_result(service.execute(vista.encode_value([*operation]), context(client)))[0]


def call(service: ObjectService, method: str, *args: Any, key: str | None = None) -> Any:
    return ask(service, "call", "shelf", method, [*args], {}, key)


@pytest.fixture
def service() -> ObjectService:
    made = make()
    assert ask(made, "create", "shelf", ["Local", "LabShelf", 0], ["book"], {}) is True
    return made


def copy_of(service: ObjectService, **options: Any) -> ObjectService:
    """A replica that fetched the state."""
    made = make(**options)
    made.restore(list(service.snapshot()))
    return made


# --- calls ---------------------------------------------------------------------------------


def test_a_call_changes_the_variables(service: ObjectService) -> None:
    assert call(service, "put", "pen") == 2
    assert call(service, "list_things") == ["book", "pen"]


def test_the_original_names_of_messages_are_the_same_messages(service: ObjectService) -> None:
    assert call(service, "listThings") == ["book"]


def test_an_exception_is_an_answer_and_what_was_changed_stays(service: ObjectService) -> None:
    with pytest.raises(KeyError, match="no such thing"):
        call(service, "fail")
    assert call(service, "list_things") == ["book", "half"]


def test_an_exception_that_is_no_value_is_told_in_words(service: ObjectService) -> None:
    with pytest.raises(vista.RemoteFailure, match=r"^LabError: "):
        call(service, "fail_strangely")


def test_the_answer_to_an_exception_is_the_same_bytes_at_all_replicas(
    service: ObjectService,
) -> None:
    other = copy_of(service)
    operation = vista.encode_value(["call", "shelf", "fail", [], {}, None])
    agreed = context()
    assert service.execute(operation, agreed) == other.execute(operation, agreed)


def test_arguments_that_do_not_fit_are_an_answer(service: ObjectService) -> None:
    with pytest.raises(TypeError, match=r"put\(\) takes 2 positional arguments but 3 were given"):
        call(service, "put", 1, 2)


def test_private_functions_and_hooks_are_no_methods(service: ObjectService) -> None:
    for name in ("create", "_record", "__init__", "delete", "agreed_time"):
        with pytest.raises(vista.NoSuchMethod):
            call(service, name)


@pytest.mark.parametrize(
    "operation",
    [
        b"", b"\xc1", vista.encode_value(5), vista.encode_value([]),
        vista.encode_value(["call", "shelf"]), vista.encode_value(["call", 1, 2, [], {}, None]),
        vista.encode_value(["call", "shelf", "put", [], {}, "k" * 201]),
        vista.encode_value(["create", "x", ["Local"], [], {}]),
        vista.encode_value(["burn", "shelf"]),
    ],
    ids=["empty", "garbage", "number", "nothing", "short", "types", "key", "class", "unknown"],
)  # fmt: skip
def test_what_is_no_operation_is_refused(service: ObjectService, operation: bytes) -> None:
    before = list(service.snapshot())
    with pytest.raises(RefusedOperationError):
        read_result(service.execute(operation, context()))
    assert list(service.snapshot()) == before


def test_a_request_with_a_key_is_executed_once(service: ObjectService) -> None:
    assert [call(service, "put", "pen", key="a") for _ in range(3)] == [2, 2, 2]
    assert call(service, "put", "pen", key="b") == 3


def test_a_request_that_failed_is_not_executed_again_under_its_key(
    service: ObjectService,
) -> None:
    for _ in range(2):
        with pytest.raises(KeyError):
            call(service, "fail", key="a")
    assert call(service, "list_things") == ["book", "half"]


def test_answers_under_keys_are_kept_within_bounds(service: ObjectService) -> None:
    for number in range(ANSWERS_MAX + 1):
        call(service, "put", number, key=f"{number}")
    assert call(service, "put", "again", key=f"{ANSWERS_MAX}") == ANSWERS_MAX + 2
    assert call(service, "put", "again", key="0") == ANSWERS_MAX + 3


def test_answers_under_keys_survive_a_fetch(service: ObjectService) -> None:
    call(service, "put", "pen", key="a")
    assert call(copy_of(service), "put", "pen", key="a") == 2


# --- what was agreed -----------------------------------------------------------------------


def test_time_and_dice_are_those_that_were_agreed(service: ObjectService) -> None:
    other = copy_of(service)
    for method in ("when", "throw"):
        operation = vista.encode_value(["call", "shelf", method, [], {}, None])
        agreed = context()
        assert service.execute(operation, agreed) == other.execute(operation, agreed)
    assert len({tuple(call(service, "throw")) for _ in range(5)}) == 5


def test_an_ordinary_object_of_the_class_has_the_worlds_time_and_dice() -> None:
    with World(2) as world:
        node = world.node("plain")
        shelf = node.call(vista.create, LabShelf)
        assert node.call(shelf.when) > 1_600_000_000
        assert node.call(shelf.throw) != node.call(shelf.throw)


def test_what_is_to_be_sent_waits_until_it_was_delivered(service: ObjectService) -> None:
    call(service, "send_later", "ding", "dong")
    assert ask(service, "waiting", "") == ["shelf"]
    founded, rows = ask(service, "outbox", "shelf")
    assert [row[1:] for row in rows] == [["Bell", "ring", ("ding",)], ["Bell", "ring", ("dong",)]]
    ask(service, "delivered", "shelf", founded, [rows[0][0]])
    assert [row[0] for row in ask(service, "outbox", "shelf")[1]] == [rows[1][0]]
    ask(copy_of(service), "delivered", "shelf", founded, [rows[1][0]])


def test_what_was_delivered_for_a_former_variable_of_the_name_is_not_taken_away(
    service: ObjectService,
) -> None:
    call(service, "send_later", "ding")
    founded, rows = ask(service, "outbox", "shelf")
    ask(service, "drop", "shelf")
    ask(service, "create", "shelf", ["Local", "LabShelf", 0], [], {})
    call(service, "send_later", "dong")
    ask(service, "delivered", "shelf", founded, [row[0] for row in rows])
    assert len(ask(service, "outbox", "shelf")[1]) == 1


def test_an_outbox_has_a_bound(service: ObjectService) -> None:
    call(service, "send_later", *["ding"] * OUTBOX_MAX)
    with pytest.raises(StateTooLargeError, match=r"^1000 messages of shelf wait"):
        call(service, "send_later", "dong")


# --- bounds --------------------------------------------------------------------------------


def test_a_method_that_never_ends_does_so_at_the_same_place_everywhere(
    service: ObjectService,
) -> None:
    services = [copy_of(service, lines_max=1_000) for _ in range(2)]
    for one in services:
        with pytest.raises(EndlessMethodError, match=r"^LabShelf\.spin took more than 1000 lines"):
            call(one, "spin")
    turns = [call(one, "list_things") for one in services]
    assert turns[0] == turns[1]
    assert 400 < len(turns[0]) < 600


def test_a_method_that_catches_everything_does_not_hide_that_it_never_ends(
    service: ObjectService,
) -> None:
    with pytest.raises(EndlessMethodError):
        call(copy_of(service, lines_max=1_000), "spin_and_catch")


def test_a_method_that_calls_itself_for_ever_ends(service: ObjectService) -> None:
    with pytest.raises(EndlessMethodError, match=r"^LabShelf\.dig calls itself 150 deep$"):
        call(service, "dig")


@pytest.mark.parametrize("method", ["call_out", "post_out"])
def test_a_method_that_sends_is_refused(service: ObjectService, method: str) -> None:
    with pytest.raises(OutsideCallError, match=r"self\.outbox\.post"):
        call(service, method, vista.here())


def test_lines_are_counted_no_more_when_the_call_has_ended(service: ObjectService) -> None:
    import sys

    before = sys.gettrace()
    call(service, "put", "pen")
    with pytest.raises(KeyError):
        call(service, "fail")
    assert sys.gettrace() is before


def test_results_have_a_bound(service: ObjectService) -> None:
    with pytest.raises(StateTooLargeError, match=r"^LabShelf\.tell returned "):
        call(service, "tell", RESULT_BYTES_MAX)
    assert len(call(service, "tell", RESULT_BYTES_MAX - 100)) == RESULT_BYTES_MAX - 100


def test_a_full_state_takes_only_calls_that_do_not_make_it_larger(service: ObjectService) -> None:
    full = copy_of(service, state_bytes_max=10_000)
    call(full, "grow", 20_000)
    for _ in range(2):
        with pytest.raises(StateTooLargeError, match=r"^shelf has \d+ bytes"):
            call(full, "grow", 100)
    assert len(call(full, "list_things")) == 2
    with pytest.raises(StateTooLargeError):
        ask(full, "create", "other", ["Local", "LabShelf", 0], [], {})
    call(full, "shrink")
    call(full, "grow", 100)
    assert len(call(full, "list_things")) == 1


def test_a_variable_that_is_no_value_is_refused_and_taken_away(service: ObjectService) -> None:
    with pytest.raises(vista.NotAValueError, match=r"^shelf\.hole: function is not a value"):
        call(service, "keep_open")
    assert list(service.variables["shelf"].variables()) == ["things", "twice"]


# --- classes -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("LabClock", r"^LabClock\.look uses module time, which differs from replica to replica"),
        ("LabCalendar", r"^LabCalendar\.look uses datetime\.now"),
        ("LabSleeper", r"^LabSleeper\.wait waits: a replicated method is a plain one$"),
        ("LabCatcher", r"^LabCatcher\.work catches everything, .*: write except Exception, or fin"),
        ("LabLastCatcher", r"^LabLastCatcher\.work catches everything"),
        ("LabNamedCatcher", r"^LabNamedCatcher\.work catches everything"),
        ("LabGoer", r"^LabGoer\.work catches everything"),
    ],
)
def test_classes_that_ask_the_world_are_refused(name: str, words: str) -> None:
    with pytest.raises(vista.BadValueError, match=words):
        ask(make(), "create", "x", ["Local", name, 0], [], {})


def test_a_class_that_catches_errors_and_undoes_things_is_taken() -> None:
    made = make()
    assert ask(made, "create", "x", ["Local", "LabCareful", 0], [], {}) is True
    assert ask(made, "call", "x", "work", [], {}, None) == 1


def test_a_class_that_is_not_loaded_stops_the_replica_and_is_no_answer() -> None:
    with pytest.raises(MissingClassError, match=r"^class Local\.Nowhere version 0 is not loaded$"):
        make().execute(
            vista.encode_value(["create", "x", ["Local", "Nowhere", 0], [], {}]), context()
        )


def test_others_than_the_founder_cannot_stop_replicas_by_a_class(service: ObjectService) -> None:
    for other in (service, copy_of(service)):
        with pytest.raises(RefusedOperationError, match=r"and not by somebody$"):
            ask(other, "create", "x", ["Local", "Nowhere", 0], [], {}, client="somebody")
        ask(other, "create", "x", ["Local", "LabShelf", 0], [], {}, client="somebody")
        with pytest.raises(RefusedOperationError, match=r"^x is dropped by somebody, who had it "):
            ask(other, "drop", "x", client="anybody")
        ask(other, "drop", "x", client="somebody")


def test_a_create_that_fails_makes_nothing() -> None:
    service = make()
    with pytest.raises(TypeError):
        ask(service, "create", "x", ["Local", "LabShelf", 0], [], {"what": 1})
    assert ask(service, "list", "") == []


def test_a_name_that_is_taken_is_that_variable(service: ObjectService) -> None:
    again = ask(service, "create", "shelf", ["Local", "LabShelf", 0], ["other"], {})
    assert (again, call(service, "list_things")) == (False, ["book"])
    with pytest.raises(RefusedOperationError, match=r"^shelf is a LabShelf already, and no Lab"):
        ask(service, "create", "shelf", ["Local", "LabClock", 0], [], {})


def test_a_class_is_known_by_its_newest_definition() -> None:
    found = find_class(["Local", "LabShelf", 0])
    assert isinstance(found, ReplicatedClass)
    assert found.cls is LabShelf
    assert find_class(["Local", "LabShelf", 1]) is None
    assert find_class(["SolidState", "ReplicatedObject", 0]) is None


@pytest.mark.parametrize(
    ("name", "snake"),
    [("processRequest", "process_request"), ("add", "add"), ("getURL", "get_url"), ("a1B", "a1_b")],
)
def test_names_of_messages_in_both_forms(name: str, snake: str) -> None:
    assert snake_case(name) == snake


# --- the state -----------------------------------------------------------------------------


def test_a_replica_that_fetched_the_state_goes_on_as_the_others(service: ObjectService) -> None:
    for number in range(30):
        call(service, "put", number, key=f"{number}")
    other = copy_of(service)
    for _ in range(30):
        operation = vista.encode_value(["call", "shelf", "put", ["x"], {}, None])
        agreed = context()
        assert service.execute(operation, agreed) == other.execute(operation, agreed)
    assert list(service.snapshot()) == list(other.snapshot())


def test_one_list_at_two_places_becomes_two_at_every_replica(service: ObjectService) -> None:
    call(service, "share")
    other = copy_of(service)
    expected = [["book", "one"], ["book"]]
    assert call(service, "push") == call(other, "push") == expected


def test_pages_that_did_not_change_are_the_same_objects(service: ObjectService) -> None:
    ask(service, "create", "other", ["Local", "LabShelf", 0], ["o" * 3 * PAGE_BYTES], {})
    before = list(service.snapshot())
    ask(service, "call", "other", "put", ["pen"], {}, None)
    after = list(service.snapshot())
    same = [old is new for old, new in zip(before, after, strict=True)]
    # The head, the other variable, and of this one what lies between its beginning and its end.
    assert same == [True, True, False, True, True, False]


def test_changes_by_methods_declared_read_only_are_undone(service: ObjectService) -> None:
    service.snapshot()
    assert call(service, "count_secretly") == 2
    before = list(service.snapshot())
    assert call(service, "list_things") == ["book"]
    assert list(service.snapshot()) == before


def test_a_state_that_was_wrong_is_reported_by_its_first_variable(service: ObjectService) -> None:
    wrong = copy_of(service)
    wrong.variables["shelf"].instance.things = ["stolen"]  # type: ignore[attr-defined]
    wrong.suspected = True
    wrong.restore(list(service.snapshot()))
    assert wrong.differences == ["shelf: variable things is ['stolen'], and ['book'] elsewhere"]
    assert call(wrong, "list_things") == ["book"]


def test_differences_name_variables_that_one_side_lacks(service: ObjectService) -> None:
    other = copy_of(service)
    ask(other, "create", "more", ["Local", "LabShelf", 0], [], {})
    del other.variables["shelf"].instance.twice  # type: ignore[attr-defined]
    assert differences(service.variables, other.variables) == [
        "more: not here",
        "shelf: variable twice is there",
    ]


def test_reads_that_are_not_ordered_are_answered_where_they_may(service: ObjectService) -> None:
    read = vista.encode_value(["call", "shelf", "list_things", [], {}, None])
    found = service.execute_read_only(read)
    assert found is not None
    assert read_result(found) == (["book"], 0)
    for operation in (["call", "shelf", "put", [1], {}, None], ["drop", "shelf"], ["x"]):
        assert service.execute_read_only(vista.encode_value(operation)) is None
