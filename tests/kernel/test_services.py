"""Services: names for objects, usable wherever an Id may stand."""

from __future__ import annotations

from typing import Any

import pytest

import vista
from tests.kernel.cast import Counter, runs, until
from vista import BadValueError, CallTimeout, NoSuchService, Object, ServiceTaken

pytestmark = pytest.mark.usefixtures("node")


class ServicesWaiter(Object):
    """Waits for services."""

    def wait_for(self, name: str, seconds: float | None = None) -> Any:
        return vista.wait_for_service(name, seconds)

    async def wait_async(self, name: str) -> Any:
        return await vista.aio.wait_for_service(name)

    def wait_within(self, name: str, seconds: float) -> Any:
        with vista.timeout(seconds):
            return vista.wait_for_service(name)

    @vista.native
    def wait_native(self, name: str) -> Any:
        return vista.wait_for_service(name, 5)


def names() -> list[str]:
    """Return the service names of the node, without those it has from the start."""
    return [row.name for row in vista.services() if row.class_name.startswith("Local.")]


# --- names stand for objects -----------------------------------------------------------------


def test_a_message_goes_to_a_service() -> None:
    vista.register_service("counting", vista.create(Counter, 3))
    assert vista.send("counting", "increment") == 4


def test_posts_and_calls_in_flight_go_to_a_service() -> None:
    vista.register_service("counting", vista.create(Counter))
    vista.post("counting", "increment", 2)
    assert vista.future("counting", "increment", 3).result() == 5


def test_a_service_gives_the_ref_of_its_provider() -> None:
    counter = vista.create(Counter)
    vista.register_service("counting", counter)
    assert vista.service("counting") == vista.ref_of("counting") == counter
    assert vista.id_of("counting") == vista.id_of(counter)


def test_an_object_registers_itself() -> None:
    class Provider(Object):
        def create(self) -> None:
            vista.register_service("provided", self)

        def hello(self) -> str:
            return "hello"

    vista.create(Provider)
    assert vista.send("provided", "hello") == "hello"


def test_an_object_may_be_registered_by_its_id() -> None:
    counter = vista.create(Counter)
    vista.register_service("by id", vista.id_of(counter))
    assert vista.service("by id") == counter


def test_a_service_may_be_given_another_name_through_the_first() -> None:
    counter = vista.create(Counter)
    vista.register_service("first", counter)
    vista.register_service("second", "first")
    assert vista.service("second") == counter


def test_an_object_may_have_several_names() -> None:
    counter = vista.create(Counter)
    for name in ("b", "a", "c"):
        vista.register_service(name, counter)
    assert counter.describe()["services"] == ["b", "a", "c"]
    assert names() == ["a", "b", "c"]


def test_of_many_names_each_can_be_withdrawn(node: vista.Node) -> None:
    counter = vista.create(Counter)
    given = [f"counting/{number:03}" for number in range(100)]
    for name in given:
        vista.register_service(name, counter)
    for name in given[:99]:
        vista.unregister_service(name)
    assert names() == given[99:]
    assert counter.describe()["services"] == given[99:]
    vista.unregister_service(given[99])
    vista.register_service("counting", counter)
    assert names() == ["counting"]


def test_withdrawing_one_of_many_names_compares_it_with_few(node: vista.Node) -> None:
    counter = vista.create(Counter)
    for number in range(1000):
        vista.register_service(ComparedName(f"counting/{number}"), counter)
    ComparedName.comparisons = 0
    vista.unregister_service("counting/500")
    assert ComparedName.comparisons < 20
    assert len(names()) == 999


class ComparedName(str):
    """A name that counts how often names like it are compared."""

    __slots__ = ()
    comparisons = 0

    def __eq__(self, other: object) -> bool:
        ComparedName.comparisons += 1
        return str(self) == str(other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(str(self))


def test_the_same_object_may_be_registered_again() -> None:
    counter = vista.create(Counter)
    vista.register_service("again", counter)
    vista.register_service("again", counter)
    assert counter.describe()["services"] == ["again"]


def test_a_name_that_is_taken_is_refused() -> None:
    first = vista.create(Counter)
    vista.register_service("taken", first)
    with pytest.raises(ServiceTaken, match=f"'taken' is provided by .*{vista.id_of(first)}"):
        vista.register_service("taken", vista.create(Counter))
    assert vista.service("taken") == first


def test_a_name_that_reads_like_an_id_means_the_service() -> None:
    first, second = vista.create(Counter, 1), vista.create(Counter, 2)
    vista.register_service(str(vista.id_of(first)), second)
    assert vista.send(str(vista.id_of(first)), "get") == 2
    assert vista.send(vista.id_of(first), "get") == 1


def test_the_text_of_an_id_means_the_object_when_no_service_has_that_name() -> None:
    counter = vista.create(Counter, 7)
    assert vista.send(str(vista.id_of(counter)), "get") == 7


# --- names that cannot be --------------------------------------------------------------------


@pytest.mark.parametrize("name", ["", "x" * 256, "two\nlines", "bell\a", 5, None, ["a"], b"name"])
def test_what_cannot_be_a_name_is_refused(name: Any) -> None:
    counter = vista.create(Counter)
    with pytest.raises(BadValueError, match="cannot be a service name"):
        vista.register_service(name, counter)


@pytest.mark.parametrize("name", ["x" * 255, "two words", "/ObjectPager", "Zähler", "日本", "é"])
def test_any_printable_text_can_be_a_name(name: str) -> None:
    vista.register_service(name, vista.create(Counter, 1))
    assert vista.send(name, "get") == 1


@pytest.mark.parametrize("function", [vista.service, vista.unregister_service])
@pytest.mark.parametrize("name", [5, None, ["a"]])
def test_what_cannot_be_a_name_is_not_looked_up(function: Any, name: Any) -> None:
    with pytest.raises(BadValueError, match="cannot be a service name"):
        function(name)


def test_an_unknown_service_names_near_misses() -> None:
    vista.register_service("PeerRegistry", vista.create(Counter))
    with pytest.raises(NoSuchService, match="no service 'PeerRegistri'; did you mean 'PeerReg"):
        vista.send("PeerRegistri", "get")


def test_an_unknown_service_with_nothing_near_says_only_that() -> None:
    with pytest.raises(NoSuchService, match=r"^no service 'zzz'$"):
        vista.service("zzz")


def test_a_deleted_object_cannot_be_registered() -> None:
    counter = vista.create(Counter)
    vista.delete(counter)
    with pytest.raises(vista.ObjectDeleted):
        vista.register_service("late", counter)
    assert "late" not in names()


def test_what_is_no_object_cannot_be_registered() -> None:
    with pytest.raises(BadValueError, match="no target"):
        vista.register_service("thing", 5)


# --- the end of a name -----------------------------------------------------------------------


def test_an_unregistered_name_is_gone() -> None:
    vista.register_service("brief", vista.create(Counter))
    vista.unregister_service("brief")
    with pytest.raises(NoSuchService):
        vista.send("brief", "get")


def test_an_unregistered_name_is_gone_from_rows_and_description() -> None:
    counter = vista.create(Counter)
    vista.register_service("stays", counter)
    vista.register_service("goes", counter)
    vista.unregister_service("goes")
    assert names() == ["stays"]
    assert counter.describe()["services"] == ["stays"]


def test_unregistering_an_unknown_name_names_near_misses() -> None:
    vista.register_service("brief", vista.create(Counter))
    with pytest.raises(NoSuchService, match="did you mean 'brief'"):
        vista.unregister_service("breif")


def test_another_object_may_take_a_name_that_was_given_up() -> None:
    vista.register_service("seat", vista.create(Counter, 1))
    vista.unregister_service("seat")
    vista.register_service("seat", vista.create(Counter, 2))
    assert vista.send("seat", "get") == 2


def test_every_name_of_a_deleted_object_vanishes() -> None:
    counter, other = vista.create(Counter), vista.create(Counter)
    for name in ("one", "two"):
        vista.register_service(name, counter)
    vista.register_service("three", other)
    vista.delete(counter)
    assert names() == ["three"]


def test_the_names_of_an_object_whose_create_fails_vanish() -> None:
    class Doomed(Object):
        def create(self) -> None:
            vista.register_service("doomed", self)
            raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        vista.create(Doomed)
    assert names() == []


def test_the_delete_hook_still_has_its_names() -> None:
    class Orderly(Object):
        def create(self, counter: Any) -> None:
            self.counter = counter
            vista.register_service("orderly", self)

        def delete(self) -> None:
            if vista.service("orderly") == vista.self_ref(self):
                self.counter.increment()

    counter = vista.create(Counter)
    vista.delete(vista.create(Orderly, counter))
    assert counter.get() == 1
    assert names() == []


# --- waiting for a service -------------------------------------------------------------------


def test_a_service_that_is_there_is_not_waited_for() -> None:
    counter = vista.create(Counter)
    vista.register_service("here", counter)
    assert vista.wait_for_service("here", 0) == counter


@pytest.mark.parametrize("method", ["wait_for", "wait_async", "wait_native"])
def test_a_thread_waits_until_the_service_appears(method: str) -> None:
    waiter, counter = vista.create(ServicesWaiter), vista.create(Counter)
    waiting = vista.future(waiter, method, "late")
    until(lambda: runs(method))
    vista.register_service("late", counter)
    assert waiting.result() == counter


def test_several_threads_wait_for_one_service() -> None:
    counter = vista.create(Counter)
    waiting = [vista.create(ServicesWaiter).wait_for.future("late") for _ in range(5)]
    vista.register_service("late", counter)
    assert vista.gather(*waiting) == [counter] * 5


def test_a_thread_that_waits_says_for_what() -> None:
    waiting = vista.create(ServicesWaiter).wait_for.future("late")
    until(lambda: runs("wait_for"))
    [row] = [row for row in vista.threads() if row.method == "wait_for"]
    assert row.waiting_for == "service 'late'"
    vista.register_service("late", vista.create(Counter))
    waiting.result()


def test_a_wait_ends_after_its_time() -> None:
    with pytest.raises(CallTimeout, match="no service 'never' appeared in time"):
        vista.create(ServicesWaiter).wait_for("never", 0.01)


def test_a_wait_from_outside_ends_after_its_time() -> None:
    with pytest.raises(CallTimeout, match="no service 'never' appeared in time"):
        vista.wait_for_service("never", 0.01)


def test_a_wait_of_no_time_only_looks() -> None:
    with pytest.raises(CallTimeout):
        vista.wait_for_service("never", 0)


def test_a_wait_ends_with_the_enclosing_timeout() -> None:
    with pytest.raises(CallTimeout):
        vista.create(ServicesWaiter).wait_within("never", 0.01)


@pytest.mark.parametrize("seconds", [-1, float("nan")])
def test_a_wait_of_less_than_no_time_is_refused(seconds: float) -> None:
    with pytest.raises(BadValueError, match="from 0"):
        vista.wait_for_service("never", seconds)


def test_a_wait_without_a_time_is_bounded_by_the_limit_of_calls(make_node: Any) -> None:
    make_node(call_seconds=0.01)
    with pytest.raises(CallTimeout):
        vista.wait_for_service("never")


def test_a_service_withdrawn_before_the_waiter_ran_is_waited_for_again() -> None:
    class Blinker(Object):
        def blink(self, counter: Any) -> None:
            vista.register_service("blink", counter)
            vista.unregister_service("blink")

    counter = vista.create(Counter)
    waiting = vista.create(ServicesWaiter).wait_for.future("blink")
    until(lambda: runs("wait_for"))
    vista.create(Blinker).blink(counter)
    vista.sleep(0.005)
    assert not waiting.done()
    vista.register_service("blink", counter)
    assert waiting.result() == counter


def test_a_waiting_thread_can_be_killed() -> None:
    waiting = vista.create(ServicesWaiter).wait_for.future("never")
    until(lambda: runs("wait_for"))
    waiting.cancel()
    until(lambda: not runs("wait_for"))
    with pytest.raises(vista.ThreadKilled):
        waiting.result()


def test_waits_that_ended_leave_nothing_behind(node: vista.Node) -> None:
    for number in range(10):
        with pytest.raises(CallTimeout):
            vista.wait_for_service(f"never {number}", 0.001)
    assert node.kernel.services.waited_for() == []


def test_a_waiting_thread_lets_others_into_its_object() -> None:
    waiter = vista.create(ServicesWaiter)
    first = waiter.wait_for.future("one")
    second = waiter.wait_for.future("two")
    vista.register_service("two", vista.create(Counter))
    assert second.result() == vista.service("two")
    assert not first.done()
    vista.register_service("one", vista.create(Counter))
    first.result()
