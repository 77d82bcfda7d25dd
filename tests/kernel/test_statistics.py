"""Statistics: what a node counts, and what each key means."""

from __future__ import annotations

from typing import Any

import pytest

import vista
from tests.kernel.cast import Counter, Gate, runs, until
from vista import Limits, Object
from vista.kernel.statistics import Counters

pytestmark = pytest.mark.usefixtures("node")


class BusyBee(Object):
    """Is called in many ways."""

    def work(self) -> int:
        return 1

    def work_many(self, other: Any, times: int) -> int:
        return sum(other.work() for _ in range(times))

    def post_many(self, other: Any, times: int) -> None:
        for _ in range(times):
            other.work.post()

    def fail(self) -> None:
        raise RuntimeError("on purpose")

    @vista.exclusive
    def hold(self, gate: Any) -> None:
        gate.pass_through()


def figures(method: str) -> dict[str, Any]:
    """Return the figures of a method of `BusyBee`."""
    found: dict[str, Any] = vista.statistics()["methods"][f"Local.BusyBee/0.{method}"]
    return found


def test_every_key_is_explained_where_the_user_looks() -> None:
    vista.create(BusyBee).work()
    statistics = vista.statistics()
    words = vista.statistics.__doc__ or ""
    keys = [*statistics, *statistics["methods"]["Local.BusyBee/0.work"]]
    assert [key for key in keys if f"``{key}``" not in words] == []


def test_statistics_are_a_value_that_can_be_sent() -> None:
    class Teller(Object):
        def tell(self) -> Any:
            return vista.statistics()

    assert vista.create(Teller).tell().keys() == vista.statistics().keys()


# --- methods -----------------------------------------------------------------------------------


def test_calls_of_a_method_are_counted_whatever_the_way() -> None:
    busy = vista.create(BusyBee)
    busy.work()
    busy.work.future().result()
    busy.work.post()
    vista.create(BusyBee).work_many(busy, 10)
    until(lambda: figures("work")["calls"] > 12)
    assert figures("work")["calls"] == 13


def test_calls_are_counted_for_all_objects_of_a_class_together() -> None:
    for _ in range(4):
        vista.create(BusyBee).work()
    assert figures("work")["calls"] == 4


def test_a_method_that_raises_is_counted() -> None:
    with pytest.raises(RuntimeError):
        vista.create(BusyBee).fail()
    assert figures("fail")["calls"] == 1


def test_create_is_counted_as_a_method() -> None:
    vista.create(Counter)
    vista.create(Counter)
    assert vista.statistics()["methods"]["Local.Counter/0.create"]["calls"] == 2


def test_versions_of_a_class_are_counted_apart() -> None:
    class Twofold(Object, version=0):
        def work(self) -> int:
            return 0

    first = Twofold

    class Twofold(Object, version=1):  # type: ignore[no-redef]
        def work(self) -> int:
            return 1

    vista.create(first).work()
    vista.create(Twofold).work()
    vista.create(Twofold).work()
    methods = vista.statistics()["methods"]
    calls = [methods[f"Local.Twofold/{version}.work"]["calls"] for version in (0, 1)]
    assert calls == [1, 2]


def test_a_method_that_was_never_called_is_not_listed() -> None:
    vista.create(BusyBee).work()
    assert "Local.BusyBee/0.fail" not in vista.statistics()["methods"]


def test_a_sample_of_nested_calls_is_timed() -> None:
    vista.create(BusyBee).work_many(vista.create(BusyBee), 2_000)
    timed = figures("work")
    assert 0 < timed["timed_calls"] < timed["calls"]
    assert 0 <= timed["longest_seconds"] <= timed["timed_seconds"]


def test_a_sample_of_posts_is_timed() -> None:
    busy = vista.create(BusyBee)
    for _ in range(200):
        busy.work.post()
    until(lambda: figures("work")["calls"] == 200)
    assert 0 < figures("work")["timed_calls"] <= 200


# --- messages and threads ----------------------------------------------------------------------


def test_each_method_invoked_is_a_thread_started() -> None:
    busy, other = vista.create(BusyBee), vista.create(BusyBee)
    before = vista.statistics()["threads_started"]
    busy.work_many(other, 100)
    assert vista.statistics()["threads_started"] == before + 101


def test_messages_that_stood_in_a_queue_are_counted() -> None:
    busy, other = vista.create(BusyBee), vista.create(BusyBee)
    before = vista.statistics()["messages_queued"]
    busy.post_many(other, 100)
    until(lambda: figures("work")["calls"] == 100)
    assert vista.statistics()["messages_queued"] >= before + 100


def test_messages_that_ran_nested_are_counted(real_node: vista.Node) -> None:
    busy, other = vista.create(BusyBee), vista.create(BusyBee)
    before = vista.statistics()
    busy.work_many(other, 1_000)
    after = vista.statistics()
    assert after["messages_nested"] - before["messages_nested"] >= 1_000
    assert after["messages_queued"] - before["messages_queued"] < 100


def test_messages_for_a_busy_object_are_waiting() -> None:
    gate, busy = vista.create(Gate), vista.create(BusyBee)
    holding = busy.hold.future(gate)
    until(lambda: gate.count() == 1)
    for _ in range(3):
        busy.work.post()
    assert vista.statistics()["messages_waiting"] == 3
    gate.open()
    holding.result()
    until(lambda: vista.statistics()["messages_waiting"] == 0)


def test_live_threads_are_counted() -> None:
    gate = vista.create(Gate)
    before = vista.statistics()["threads_live"]
    waiting = [gate.pass_through.future() for _ in range(5)]
    until(lambda: gate.count() == 5)
    assert vista.statistics()["threads_live"] == before + 5
    gate.open()
    vista.gather(*waiting)


def test_timers_are_counted() -> None:
    class Sleeper(Object):
        def nap(self) -> None:
            vista.sleep(30)

    before = vista.statistics()["timers"]
    napping = vista.create(Sleeper).nap.future()
    until(lambda: runs("nap"))
    assert vista.statistics()["timers"] > before
    napping.cancel()


def test_uptime_and_turns_go_on() -> None:
    before = vista.statistics()
    vista.sleep(0.01)
    after = vista.statistics()
    assert after["uptime_seconds"] >= before["uptime_seconds"] + 0.01
    assert after["turns"] > before["turns"]


# --- objects -----------------------------------------------------------------------------------


def test_objects_are_counted_by_class() -> None:
    made = [vista.create(BusyBee) for _ in range(3)]
    vista.delete(made[0])
    assert vista.statistics()["objects_by_class"]["Local.BusyBee"] == 2


def test_a_class_without_objects_is_not_listed() -> None:
    vista.delete(vista.create(BusyBee))
    assert "Local.BusyBee" not in vista.statistics()["objects_by_class"]


def test_an_object_whose_create_fails_is_not_counted() -> None:
    class Doomed(Object):
        def create(self) -> None:
            raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        vista.create(Doomed)
    assert "Local.Doomed" not in vista.statistics()["objects_by_class"]


def test_the_number_of_objects_is_the_number_of_rows() -> None:
    vista.create(BusyBee)
    assert vista.statistics()["objects"] == len(vista.objects())


def test_services_are_counted() -> None:
    before = vista.statistics()["services"]
    vista.register_service("busy", vista.create(BusyBee))
    assert vista.statistics()["services"] == before + 1


# --- what went wrong ---------------------------------------------------------------------------


def test_posts_whose_method_raises_are_counted() -> None:
    busy = vista.create(BusyBee)
    busy.fail.post()
    assert until(lambda: vista.statistics()["posts_failed"]) == 1


def test_posts_that_reach_nobody_are_counted() -> None:
    busy = vista.create(BusyBee)
    vista.delete(busy)
    busy.work.post()
    assert until(lambda: vista.statistics()["posts_lost"]) == 1


def test_messages_that_a_full_queue_refused_are_counted(make_node: Any) -> None:
    make_node(mailbox_messages_max=5)
    gate, busy = vista.create(Gate), vista.create(BusyBee)
    holding = busy.hold.future(gate)
    until(lambda: gate.count() == 1)
    for _ in range(5):
        busy.work.post()
    with pytest.raises(vista.Overloaded):
        busy.work.post()
    assert vista.statistics()["overloads"] == 1
    gate.open()
    holding.result()


def test_nodes_count_apart() -> None:
    vista.create(BusyBee).work()
    with vista.Node("other", limits=Limits()):
        assert "Local.BusyBee/0.work" not in vista.statistics()["methods"]


# --- the counters themselves -------------------------------------------------------------------


def test_the_lag_of_the_loop_is_a_mean_of_the_last_turns_and_the_longest_ever() -> None:
    counters = Counters()
    for seconds in [1.0] * 200 + [0.0] * 200:
        counters.note_lag(seconds)
    assert counters.loop_lag_seconds < 0.001
    assert counters.loop_lag_longest_seconds == 1.0


def test_what_a_class_counts_by_itself_is_among_the_statistics() -> None:
    class Harbour(Object):
        def create(self) -> None:
            self._counters = vista.counters()

        def moor(self, ships: int) -> None:
            self._counters["HarbourShipsMoored"] += ships

    harbour = vista.create(Harbour)
    assert "HarbourShipsMoored" not in vista.statistics()
    harbour.moor(2)
    harbour.moor(3)
    assert vista.statistics()["HarbourShipsMoored"] == 5
