"""Arguments of a client that a class may keep, and that must do no harm where they are kept.

A checkpoint encodes all that is kept, on every replica: what cannot be encoded there would end all
of them, and again whenever they start. What each process decodes another way has them differ.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import msgpack
import pytest

import vista
from apps.solidstate.errors import RefusedOperationError
from apps.solidstate.objects.classes import find_class
from apps.solidstate.objects.operations import ARGUMENT_DEPTH_MAX, read_result
from apps.solidstate.objects.replicated import ReplicatedObject
from apps.solidstate.objects.service import ObjectService
from apps.solidstate.pbft.service import Context
from apps.solidstate.services.store import ReplicatedStore
from apps.solidstate.services.transactions import TransactionalStore
from apps.solidstate.services.tuple_space import TupleSpace
from vista.testing import World

SEQUENCE = itertools.count(1)
TOO_DEEP = r"^an argument nests deeper than 50 containers: send it in parts$"


class GivenShelf(ReplicatedObject):
    """What keeps what it is given, and passes it on."""

    def create(self) -> None:
        self.things: list[Any] = []

    def put(self, thing: Any) -> int:
        self.things.append(thing)
        return len(self.things)

    def fill(self, place: int, size: int) -> None:
        self.things[place].append("x" * size)

    def send(self, thing: Any) -> None:
        self.outbox.post("Bell", "ring", thing)

    def send_wrapped(self, thing: Any, times: int) -> None:
        for _ in range(times):
            thing = [thing]
        self.outbox.post("Bell", "ring", thing)

    def send_things(self) -> None:
        self.outbox.post("Bell", "ring", self.things)


@pytest.fixture(autouse=True)
def node() -> Iterator[None]:
    with World(1) as world, world.node():
        yield


def execute(service: ObjectService, operation: bytes) -> Any:
    """Have an operation executed and return its value, or raise what it raised."""
    number = next(SEQUENCE)
    context = Context("evil", number, number, number.to_bytes(32, "big"))
    return read_result(service.execute(operation, context))[0]


def make(cls: type[ReplicatedObject] = GivenShelf) -> ObjectService:
    """A group that tolerates one fault, with a variable of a class, behind a checkpoint."""
    made = ObjectService(find_class, "evil", faults=1)
    named = cls.__vista_class__
    name = [named.namespace, named.name, named.version]
    assert execute(made, vista.encode_value(["create", "shelf", name, [], {}])) is True
    made.snapshot()
    return made


def call(service: ObjectService, method: str, *args: Any, **kwargs: Any) -> Any:
    told = ["call", "shelf", method, [*args], kwargs, None]
    return execute(service, vista.encode_value(told))


def nested(
    depth: int, inside: Any = 1, around: Callable[[Any], Any] = lambda value: [value]
) -> Any:
    """A value in so many containers."""
    for _ in range(depth):
        inside = around(inside)
    return inside


def assert_goes_on(service: ObjectService) -> None:
    """There is a checkpoint, and another replica can take it over."""
    copy = ObjectService(find_class, "evil", faults=1)
    copy.restore(list(service.snapshot()))
    assert list(copy.snapshot()) == list(service.snapshot())


# --- depth ---------------------------------------------------------------------------------


@pytest.mark.parametrize("depth", range(93, 99))
def test_a_deep_value_takes_nothing_else_out_of_a_store(depth: int) -> None:
    service = make(ReplicatedStore)
    call(service, "put", "tea", 3)
    with pytest.raises(RefusedOperationError, match=TOO_DEEP):
        call(service, "put", "deep", nested(depth))
    assert_goes_on(service)
    assert call(service, "get", "tea") == 3


@pytest.mark.parametrize("depth", range(93, 98))
def test_a_deep_value_takes_nothing_else_out_of_a_store_with_transactions(depth: int) -> None:
    service = make(TransactionalStore)
    call(service, "commit", call(service, "begin"), {"tea": 3})
    with pytest.raises(RefusedOperationError, match=TOO_DEEP):
        call(service, "commit", call(service, "begin"), {"deep": nested(depth)})
    assert_goes_on(service)
    assert call(service, "get", "tea") == 3


@pytest.mark.parametrize("depth", [ARGUMENT_DEPTH_MAX, ARGUMENT_DEPTH_MAX + 1])
@pytest.mark.parametrize(
    "around",
    [lambda one: [one], lambda one: (one,), lambda one: {"k": one}, lambda one: KeyError(one)],
    ids=["list", "tuple", "dict", "error"],
)
def test_the_depth_of_an_argument_has_a_bound(depth: int, around: Callable[[Any], Any]) -> None:
    service, thing = make(), nested(depth, 1, around)
    if depth > ARGUMENT_DEPTH_MAX:
        with pytest.raises(RefusedOperationError, match=TOO_DEEP):
            call(service, "put", thing)
        with pytest.raises(RefusedOperationError, match=TOO_DEEP):
            call(service, "put", thing=thing)
    else:
        assert call(service, "put", thing) == 1
    assert_goes_on(service)


@pytest.mark.parametrize("times", range(40, 47))
def test_a_message_that_is_too_deep_for_the_state_is_refused(times: int) -> None:
    service = make()
    try:
        call(service, "send_wrapped", nested(ARGUMENT_DEPTH_MAX), times)
    except vista.NotAValueError:
        assert len(service.variables["shelf"].outbox) == 0
    assert_goes_on(service)


# --- messages ------------------------------------------------------------------------------


def test_a_message_stays_what_it_was_whatever_becomes_of_what_it_was_made_of() -> None:
    service = make()
    call(service, "put", ["first"])
    before = service.variables["shelf"].outbox.bytes
    call(service, "send_things")
    size = service.variables["shelf"].outbox.bytes - before
    call(service, "fill", 0, 100_000)
    assert service.variables["shelf"].outbox.portion(0, "evil")[0][3] == ([["first"]],)
    service.snapshot()
    assert service.variables["shelf"].outbox.bytes == before + size
    assert_goes_on(service)


def test_messages_that_would_grow_after_they_were_counted_end_no_replica() -> None:
    service = make()
    call(service, "put", [])
    for _ in range(20):
        call(service, "send_things")
    for _ in range(10):
        call(service, "fill", 0, 400_000)
    assert_goes_on(service)


# --- errors --------------------------------------------------------------------------------


def error_of(name: str, *args: Any) -> bytes:
    """A call of ``put`` with an error that only somebody who writes bytes himself can send."""
    mark = msgpack.ExtType(127, b"\xc1x")
    found = [mark, name, "", [*args], {}, [], ""]
    data: bytes = msgpack.packb(["call", "shelf", "put", [found], {}, None])
    return data


@pytest.mark.parametrize("deep", [False, True], ids=["plain", "within"])
def test_a_set_comes_in_by_no_error_whose_class_nobody_knows(deep: bool) -> None:
    service = make()
    kept = [msgpack.ExtType(127, b"\xc1s"), "a", "b", "c"]
    with pytest.raises(RefusedOperationError, match=r"^an argument holds an error of a class that"):
        execute(service, error_of("nowhere:Error", [kept] if deep else kept))
    assert call(service, "put", 1) == 1


def test_an_error_that_only_some_replicas_know_is_refused_by_all_with_the_same_words() -> None:
    service, results = make(), set()
    for name in ("apps.solidstate.errors:ConflictError", "nowhere:ConflictError"):
        number = next(SEQUENCE)
        context = Context("evil", number, number, bytes(32))
        results.add(service.execute(error_of(name, "x"), context))
    assert len(results) == 1
    with pytest.raises(RefusedOperationError):
        read_result(results.pop())


def test_an_error_of_python_with_arguments_that_it_does_not_take_is_refused() -> None:
    service = make()
    with pytest.raises(RefusedOperationError):
        execute(service, error_of("builtins:UnicodeDecodeError", "x"))
    assert execute(service, error_of("builtins:KeyError", "x")) == 1


# --- watches -------------------------------------------------------------------------------


def test_who_watches_with_much_to_be_told_spoils_nobodys_tuples() -> None:
    service = make(TupleSpace)
    session = call(service, "open_session")
    for target, tag in (("Bell", "x" * 200_000), ("x" * 200_000, 1), ("Bell", ["x" * 1_000])):
        with pytest.raises(vista.BadValueError, match=r"^target and tag of a watch have 1000 byte"):
            call(service, "rd_or_watch", ["job", None], session, target, tag)
    assert call(service, "count_watches") == 0
    assert call(service, "rd_or_watch", ["job", None], session, "Bell", 7) is None
    assert call(service, "out", ["job", 1]) > 0
    assert_goes_on(service)
