"""Reads that are not ordered: what they see, what has to be ordered, and what is found out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import pytest

import vista
from apps.solidstate.errors import PoolError
from apps.solidstate.objects.charter import read_charter, reads_of
from apps.solidstate.objects.classes import find_class
from apps.solidstate.objects.operations import READ, READABLE, TOLD, read_result
from apps.solidstate.objects.reading import (
    FIRST_READS,
    READ_LINES_MAX,
    READS_BYTES_MAX,
    READS_LINES_MAX,
    ReadService,
)
from apps.solidstate.objects.replicated import ReplicatedObject, read_only
from apps.solidstate.objects.service import ObjectService
from apps.solidstate.pbft.canonical import pack, unpack
from apps.solidstate.pbft.service import Context
from tests.solidstate.objects.pool import POOL, Pool, make_world
from tests.solidstate.objects.test_parts import charter

TIME = 1_700_000_000_000_000


class ReadShelf(ReplicatedObject):
    """Methods that read, or say so."""

    hears: ClassVar[str] = "PoolBell"

    def create(self, size: int = 0) -> None:
        self.content: dict[str, Any] = {}
        self.log: list[str] = []
        self.filling = b"x" * size
        self.count = 0

    def put(self, key: str, value: Any) -> Any:
        self.content[key] = value
        return value

    def set_log(self, log: list[str]) -> None:
        self.log = log

    @read_only
    def get(self, key: str) -> Any:
        return self.content.get(key)

    @read_only
    def fail(self, words: str) -> None:
        raise KeyError(words)

    @read_only
    def get_time(self) -> float:
        return self.agreed_time

    @read_only
    def get_time_if_there_is_one(self) -> float:
        try:
            return self.agreed_time
        except Exception:
            return 0.0

    @read_only
    def roll(self) -> float:
        return self.agreed_random.random()

    @read_only
    def get_client(self) -> str:
        return self.asking_client

    @read_only
    def ring(self) -> None:
        self.outbox.post("bell", "hear")

    @read_only
    def send(self) -> None:
        vista.service("bell")

    @read_only
    def repeat(self, times: int) -> int:
        done = 0
        for _ in range(times):
            done += 1
        return done

    @read_only
    def assign(self) -> int:
        self.count += 1
        return self.count

    @read_only
    def assign_alike(self) -> None:
        self.count = float(self.count)  # type: ignore[assignment]

    @read_only
    def forget(self) -> None:
        del self.log

    @read_only
    def assign_and_append(self) -> None:
        self.log.append("deep")
        self.count += 1

    @read_only
    def append(self, word: str) -> int:
        self.log.append(word)
        return len(self.log)

    @read_only
    def append_and_fail(self) -> None:
        self.log.append("failed")
        raise ValueError("failed")

    @read_only
    def append_when_told(self, word: str) -> int:
        if word:
            self.log.append(word)
        return len(self.log)

    @read_only
    def append_no_value(self) -> None:
        self.log.append(object())  # type: ignore[arg-type]

    @read_only
    def get_blob(self, size: int) -> bytes:
        return b"x" * size


class Shelf:
    """A service with one shelf, which is asked and told by what stands in operations."""

    def __init__(self, reads: bool = True, size: int = 0) -> None:
        self.service = ObjectService(find_class, "founder", reads=reads)
        self.time = TIME
        made = self.service.execute(create("shelf", size), self._context())
        assert read_result(made) == (True, 0)

    def _context(self) -> Context:
        self.time += 1
        return Context("founder", 1, self.time, bytes(32))

    def order(self, method: str, *args: Any, key: str | None = None) -> bytes:
        return self.service.execute(call("shelf", method, *args, key=key), self._context())

    def read(self, method: str, *args: Any, key: str | None = None) -> bytes | None:
        return self.service.execute_read_only(call("shelf", method, *args, key=key))

    @property
    def variables(self) -> dict[str, Any]:
        return self.service.variables["shelf"].variables()


def create(name: str, *args: Any) -> bytes:
    named = ReadShelf.__vista_class__
    cls = [named.namespace, named.name, named.version]
    return vista.encode_value(["create", name, cls, list(args), {}])


def call(variable: str, method: str, *args: Any, key: str | None = None) -> bytes:
    return vista.encode_value(["call", variable, method, list(args), {}, key])


# --- what is answered ----------------------------------------------------------------------


def test_a_read_is_answered_from_the_state_as_it_is() -> None:
    shelf = Shelf()
    shelf.order("put", "tea", 3)
    result = shelf.read("get", "tea")
    assert result is not None
    assert result.startswith(READ)
    assert read_result(result) == (3, 0)


def test_what_a_read_raises_is_its_answer() -> None:
    result = Shelf().read("fail", "tea")
    assert result is not None
    assert result.startswith(READ)
    with pytest.raises(KeyError, match=r"tea"):
        read_result(result)


def test_two_states_of_a_variable_give_two_answers_also_where_they_hold_the_same() -> None:
    shelf = Shelf()
    answers = []
    for value in (1, 2, 1):
        shelf.order("put", "tea", value)
        answers.append(shelf.read("get", "tea"))
    assert len({*answers}) == 3
    assert [read_result(one or b"")[0] for one in answers] == [1, 2, 1]


def test_two_changes_at_one_agreed_time_are_two_states() -> None:
    shelf = Shelf()
    answers = []
    for value in (1, 2, 1):
        shelf.time = TIME
        shelf.order("put", "tea", value)
        answers.append(shelf.read("get", "tea"))
    assert len({*answers}) == 3


def test_an_agreed_time_that_lies_behind_an_older_one_makes_another_state_all_the_same() -> None:
    shelf = Shelf()
    answers = []
    for time in (TIME + 1_000, TIME, TIME + 1_000):
        shelf.time = time
        shelf.order("put", "tea", 1)
        answers.append(shelf.read("get", "tea"))
    assert len({*answers}) == 3


def test_two_variables_of_one_name_are_never_taken_for_one_another() -> None:
    shelf = Shelf()
    before = shelf.read("get", "tea")
    shelf.service.execute(vista.encode_value(["drop", "shelf"]), shelf._context())
    shelf.service.execute(create("shelf"), shelf._context())
    after = shelf.read("get", "tea")
    assert before is not None
    assert after is not None
    assert before != after


def test_the_version_of_a_variable_is_in_its_pages() -> None:
    shelf, other = Shelf(), ObjectService(find_class, "founder", reads=True)
    shelf.order("put", "tea", 3)
    other.restore(shelf.service.snapshot())
    assert other.execute_read_only(call("shelf", "get", "tea")) == shelf.read("get", "tea")


def test_messages_that_wait_make_no_two_answers_of_one_state() -> None:
    shelf = Shelf()
    before = shelf.read("get", "tea")
    shelf.service.variables["shelf"].outbox.add([("bell", "hear", ())], "shelf", "founder")
    assert shelf.read("get", "tea") == before


# --- what has to be ordered ----------------------------------------------------------------


@pytest.mark.parametrize(
    "asked",
    [
        ("put", "tea", 3),
        ("get_time",),
        ("get_time_if_there_is_one",),
        ("roll",),
        ("get_client",),
        ("ring",),
        ("send",),
        ("repeat", READ_LINES_MAX),
        ("get_blob", 300_000),
        ("dance",),
        ("get", "tea", {"set"}),
    ],
    ids=lambda asked: str(asked[0]),
)
def test_what_has_to_be_ordered_is_left_to_that(asked: tuple[Any, ...]) -> None:
    shelf = Shelf()
    before = shelf.variables
    assert shelf.read(*asked) is None
    assert shelf.variables == before
    assert not shelf.service.reader.false_readers


@pytest.mark.parametrize(
    "operation",
    [
        b"garbage",
        vista.encode_value(["list", ""]),
        vista.encode_value(["drop", "shelf"]),
        vista.encode_value(["outbox", "shelf", 0]),
        call("nothing", "get", "tea"),
        call("shelf", "get", "tea", key="once"),
    ],
    ids=["garbage", "list", "drop", "outbox", "unknown", "key"],
)
def test_only_calls_without_a_key_are_read(operation: bytes) -> None:
    assert Shelf().service.execute_read_only(operation) is None


def test_a_method_is_read_whatever_the_spelling_of_its_name() -> None:
    shelf = Shelf()
    assert shelf.read("getBlob", 3) == shelf.read("get_blob", 3)


# --- whether a call need have been ordered -------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "begin"),
    [
        (("get", "tea"), READABLE),
        (("put", "tea", 1), TOLD),
        (("get_time",), TOLD),
        (("roll",), TOLD),
        (("get_client",), TOLD),
        (("ring",), TOLD),
        (("repeat", READ_LINES_MAX), TOLD),
    ],
    ids=lambda value: str(value[0]) if isinstance(value, tuple) else value[2:].decode(),
)
def test_an_ordered_answer_says_whether_the_call_need_have_been(
    asked: tuple[Any, ...], begin: bytes
) -> None:
    assert Shelf().order(*asked).startswith(begin)


def test_a_group_without_unordered_reads_says_nothing_of_that() -> None:
    assert Shelf(reads=False).order("get", "tea").startswith(TOLD)


# --- methods that say they read and do not -------------------------------------------------

CHANGING = [
    ("assign",), ("assign_alike",), ("forget",), ("append", "x"), ("append_and_fail",),
    ("append_no_value",),
]  # fmt: skip


@pytest.mark.parametrize("asked", CHANGING, ids=lambda asked: str(asked[0]))
@pytest.mark.parametrize("size", [0, 100_000], ids=["small", "large"])
def test_what_a_read_changes_is_undone_and_it_is_ordered_from_then_on(
    asked: tuple[Any, ...], size: int, caplog: pytest.LogCaptureFixture
) -> None:
    shelf = Shelf(size=size)
    before = vista.encode_value(shelf.variables)
    assert shelf.read(*asked) is None
    assert vista.encode_value(shelf.variables) == before
    assert f"ReadShelf.{asked[0]} is declared read-only" in caplog.text
    caplog.clear()
    assert shelf.read(*asked) is None
    assert not caplog.text
    assert shelf.read("get", "tea") is not None


@pytest.mark.parametrize("method", ["assign", "assign_alike", "forget"])
def test_an_attribute_that_is_assigned_is_found_with_every_read(method: str) -> None:
    shelf = Shelf(size=100_000)
    shelf.service.reader._reads[shelf.service.variables["shelf"].kind.full_name, method] = 10
    before = vista.encode_value(shelf.variables)
    assert shelf.read(method) is None
    assert vista.encode_value(shelf.variables) == before


def test_what_slipped_through_is_undone_as_well_where_nothing_else_was_changed() -> None:
    shelf = Shelf(size=100_000)
    for method in ("append_when_told", "assign_and_append"):
        shelf.service.reader._reads[shelf.service.variables["shelf"].kind.full_name, method] = 10
    shelf.service.snapshot()
    assert shelf.read("append_when_told", "slips through") is not None
    assert shelf.read("assign_and_append") is None
    assert shelf.variables["log"] == []
    assert shelf.variables["count"] == 0


def test_what_was_changed_since_the_checkpoint_is_kept_where_a_read_is_undone() -> None:
    shelf = Shelf()
    shelf.service.snapshot()
    shelf.order("put", "tea", 3)
    assert shelf.read("append", "x") is None
    assert shelf.variables["log"] == []
    assert shelf.variables["content"] == {"tea": 3}


def test_of_a_small_variable_what_lies_deep_is_found_with_every_read() -> None:
    shelf = Shelf()
    for _ in range(FIRST_READS):
        assert shelf.read("append_when_told", "") is not None
    assert shelf.read("append_when_told", "late") is None
    assert shelf.variables["log"] == []


def test_of_a_large_variable_what_lies_deep_is_found_in_the_end() -> None:
    shelf = Shelf(size=10_000)
    for _ in range(FIRST_READS):
        assert shelf.read("append_when_told", "") is not None
    asked = 0
    while shelf.read("append_when_told", "late") is not None and asked < 100:
        asked += 1
    assert 0 < asked <= 10_000 // 256 + 1


def test_reads_of_what_cannot_be_encoded_are_ordered() -> None:
    shelf = Shelf()
    vars(shelf.service.variables["shelf"].instance)["odd"] = object()
    assert shelf.read("get", "tea") is None


def test_a_false_reader_of_one_class_is_no_matter_of_its_other_methods() -> None:
    shelf = Shelf()
    assert shelf.read("append", "x") is None
    assert [name for _, name in shelf.service.reader.false_readers] == ["append"]


# --- bundles of reads ----------------------------------------------------------------------


def bundled(shelf: Shelf) -> ReadService:
    return ReadService(shelf.service, 200, work=shelf.service.meter.read, work_max=1_000_000)


def test_a_bundle_of_reads_is_answered_whole() -> None:
    shelf = Shelf()
    operation = call("shelf", "get", "tea")
    answer = bundled(shelf).execute_read_only(pack([operation, operation]))
    assert answer == pack([shelf.read("get", "tea")] * 2)


def test_a_bundle_with_one_that_has_to_be_ordered_is_left_to_that() -> None:
    reads = bundled(Shelf())
    read, change = call("shelf", "get", "tea"), call("shelf", "put", "tea", 1)
    assert reads.execute_read_only(pack([read, change])) is None


@pytest.mark.parametrize(
    ("asked", "bound"),
    [
        (("get_blob", 200_000), READS_BYTES_MAX // 200_000 + 1),
        (("repeat", READ_LINES_MAX // 4), READS_LINES_MAX // (READ_LINES_MAX // 2) + 1),
    ],
    ids=["bytes", "lines"],
)
def test_reads_beyond_the_bounds_of_a_bundle_are_left_for_the_next_one(
    asked: tuple[Any, ...], bound: int
) -> None:
    operations = [call("shelf", *asked)] * (2 * bound)
    answer = bundled(Shelf()).execute_read_only(pack(operations))
    assert answer is not None
    found = unpack(answer)
    done = sum(one is not None for one in found)
    assert 0 < done <= bound
    assert all(one is None for one in found[done:])


# --- the charter ---------------------------------------------------------------------------


def test_a_group_says_in_its_charter_that_its_reads_are_unordered() -> None:
    made = charter(unordered_reads=True)
    assert read_charter(made.text()) == made
    assert made.digest != charter().digest
    assert made.config(0).fast_reads
    assert not charter().config(0).fast_reads


def test_a_charter_of_a_group_with_ordered_reads_is_what_it_was_before() -> None:
    assert "reads" not in charter().text()


def test_with_trusted_counters_reads_are_ordered_and_it_is_said_why() -> None:
    assert reads_of("minbft") == "ordered"
    with pytest.raises(vista.BadValueError, match=r"with minbft reads are ordered: .* byzantine"):
        reads_of("minbft", "unordered")


def test_reads_of_another_kind_are_refused() -> None:
    with pytest.raises(vista.BadValueError, match=r"ordered or unordered, not 'fast'"):
        reads_of("byzantine", "fast")


# --- whole groups --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def standing() -> Iterator[Pool]:
    """A pool whose group answers reads without ordering them."""
    with make_world(21) as world:
        pool = Pool(world)
        pool.found(POOL, 1, ReadShelf.__name__, "shelf", reads="unordered")
        yield pool


def executed(pool: Pool) -> int:
    """How many batches the first server has executed."""
    pool.world.pass_time(1.0)
    return int(pool.status("server-0")["executed"])


def test_a_group_learns_which_calls_only_read_and_orders_them_no_longer(standing: Pool) -> None:
    shelf = standing.proxy("front").get_state_variable
    ref = standing.front.call(lambda: shelf("shelf"))
    standing.call(ref, "put", "tea", 3)
    assert standing.call(ref, "get", "tea") == 3
    before = executed(standing)
    assert [standing.call(ref, "get", "tea") for _ in range(5)] == [3] * 5
    assert executed(standing) == before
    standing.call(ref, "put", "tea", 4)
    assert standing.call(ref, "get", "tea") == 4
    assert executed(standing) == before + 1


def test_issue_request_reads_without_ordering_as_well(standing: Pool) -> None:
    proxy = standing.proxy("front")
    told = ("issue_request", "get", ["milk"], "shelf")
    standing.call(proxy, *told)
    before = executed(standing)
    assert standing.call(proxy, *told) is None
    assert executed(standing) == before


def test_a_request_with_a_key_is_executed_and_its_answer_kept(standing: Pool) -> None:
    proxy = standing.proxy("front")
    standing.call(proxy, "issue_request", "put", ["milk", 1], "shelf")
    told = ("issue_request", "get", ["milk"], "shelf", "once")
    assert standing.call(proxy, *told) == 1
    standing.call(proxy, "issue_request", "put", ["milk", 2], "shelf")
    assert standing.call(proxy, *told) == 1


def test_what_says_that_it_reads_and_changes_something_is_ordered(standing: Pool) -> None:
    proxy = standing.proxy("front")
    told = ("issue_request", "append_when_told", ["x"], "shelf")
    before = executed(standing)
    for _ in range(3):
        standing.call(proxy, *told)
    assert executed(standing) == before + 3


def test_a_call_that_is_said_to_be_another_one_is_refused(standing: Pool) -> None:
    proxy, operation = standing.proxy("front"), call("shelf", "put", "tea", 1)
    with pytest.raises(vista.BadValueError, match=r"no call of a state variable"):
        standing.call(proxy, "call_encoded", operation, "shelf", "get")


def test_who_calls_a_variable_by_what_is_no_text_holds_up_nobody(standing: Pool) -> None:
    proxy = standing.proxy("front")
    standing.call(proxy, "issue_request", "get", ["tea"], "shelf")

    def ask() -> list[BaseException | None]:
        told = [("get", ["tea"], "shelf"), ("put", ["x", 1], ["shelf"], "key")]
        asked = [vista.future(proxy, "issue_request", *one) for one in (*told, told[0])]
        return [one.exception() for one in asked]

    errors = standing.front.call(ask)
    assert [type(error) for error in errors] == [type(None), vista.BadValueError, type(None)]
    assert str(errors[1]) == "a state variable is called by a text, not ['shelf']"


def test_a_group_stays_as_it_was_founded(standing: Pool) -> None:
    told = (POOL, 1, ReadShelf.__name__, "shelf")
    standing.found(*told)
    standing.found(*told, reads="unordered")
    with pytest.raises(PoolError, match=r"founded with reads that are not ordered, which stays so"):
        standing.found(*told, reads="ordered")


def test_reads_go_on_while_one_server_is_down() -> None:
    with make_world(22) as world:
        pool = Pool(world)
        ref = pool.found(POOL, 1, ReadShelf.__name__, "shelf", reads="unordered")
        pool.call(ref, "put", "tea", 3)
        pool.call(ref, "get", "tea")
        pool.node("server-3").crash()
        world.pass_time(1.0)
        before = executed(pool)
        assert [pool.call(ref, "get", "tea") for _ in range(5)] == [3] * 5
        assert executed(pool) == before
