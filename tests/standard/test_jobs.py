"""JobController and JobServer on one node, in virtual time under several seeds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import vista
from tests.conftest import world_seed
from tests.standard.listener import Listener
from vista.errors import (
    AccessDenied,
    BadValueError,
    CallTimeout,
    NoSuchClass,
    ObjectDeleted,
    Overloaded,
    PeerLost,
    ServiceTaken,
    ThreadKilled,
)
from vista.limits import Limits
from vista.testing import SimulatedNode, World, unrest


class TimedSquare(vista.Object):
    """A job that takes a while."""

    def create(self, number: int, seconds: float = 1.0) -> None:
        self.number, self.seconds = number, seconds
        vista.post("Diary", "begun", number)

    def run(self) -> int:
        vista.sleep(self.seconds)
        return self.number**2


class RaisingJob(vista.Object):
    """A job that fails, at its creation or later."""

    def create(self, when: str) -> None:
        self.when = when
        if when == "create":
            raise KeyError("at once")

    def run(self) -> None:
        if self.when == "peer":
            raise PeerLost("another peer of the job's own")
        raise KeyError("later")


class WhoeverJob(vista.Object):
    """A job that says for whom it runs."""

    def run(self) -> str:
        return vista.current_user()


class CallbackJob(vista.Object):
    """A job that ends by a message to its controller, as in the original."""

    def create(self, seconds: float = 1.0) -> None:
        self.seconds = seconds

    def start_job(self, controller: vista.Ref, transaction: int) -> None:
        vista.post(vista.self_ref(self), "finish", controller, transaction)

    def finish(self, controller: vista.Ref, transaction: int) -> None:
        vista.sleep(self.seconds)
        vista.post("Diary", "taken", controller.return_job_result(transaction, "sent"))
        vista.post("Diary", "taken", controller.return_job_result(transaction, "again"))


class AtOnceJob(vista.Object):
    """A job that answers while it is begun."""

    def start_job(self, controller: vista.Ref, transaction: int) -> None:
        controller.return_job_result(transaction, "at once")
        vista.sleep(1000)


class ServerEnder(vista.Object):
    """A job that takes its server with it."""

    def run(self) -> None:
        for row in vista.objects():
            if row.class_name == "Standard.JobServer":
                vista.post(row.id, "delete_yourself")
        vista.sleep(1000)


class Diary(Listener):
    """Keeps what it is told, as service Diary."""

    def create(self) -> None:
        super().create()
        vista.register_service("Diary", self)

    def list_heard(self) -> list[Any]:
        return [[name, *args] for name, args in self.heard]


@pytest.fixture(params=range(3), autouse=True)
def node(request: pytest.FixtureRequest) -> Iterator[SimulatedNode]:
    """A node in a world, which the functions of vista use; at the end nothing is left in it."""
    with World(world_seed(request)) as world, world.node(limits=Limits(jobs_queued_max=10)) as node:
        vista.create(Diary)
        for cls in (TimedSquare, RaisingJob, WhoeverJob, CallbackJob, AtOnceJob, ServerEnder):
            node.kernel.classes.add(cls)
        yield node
        world.pass_time(1.0)
        assert unrest(node.kernel) == []
        jobs = [row.class_name for row in vista.objects() if row.class_name.startswith("Local")]
        assert jobs == ["Local.Diary"]


def controller(concurrent_max: int | None = None, servers: int = 1) -> vista.Ref:
    """A controller with servers that do two jobs at a time."""
    for _ in range(servers):
        vista.create("JobServer", "sums", 2)
    return vista.create("JobController", "sums", concurrent_max)


def heard(name: str) -> list[Any]:
    """What the diary was told in messages of a name."""
    return [entry[1:] for entry in vista.send("Diary", "list_heard") if entry[0] == name]


# --- ordinary callers ----------------------------------------------------------------------


def test_a_job_is_run_and_its_result_returned() -> None:
    assert controller().run_job("TimedSquare", 7) == 49


def test_many_jobs_are_run_together_and_their_results_stand_in_order() -> None:
    jobs = controller(servers=2)
    begun = vista.statistics()["uptime_seconds"]
    assert jobs.map_jobs("TimedSquare", [[1, 4.0], [2, 3.0], [3, 2.0], [4, 1.0]]) == [1, 4, 9, 16]
    assert vista.statistics()["uptime_seconds"] - begun < 4.5


def test_no_jobs_have_no_results() -> None:
    assert controller().map_jobs("TimedSquare", []) == []


@pytest.mark.parametrize("when", ["create", "run"])
def test_what_a_job_raises_is_raised_with_its_traceback(when: str) -> None:
    with pytest.raises(KeyError) as caught:
        controller().run_job("RaisingJob", when)
    assert caught.value.args == ({"create": "at once", "run": "later"}[when],)


def test_an_error_that_looks_like_the_loss_of_the_server_is_one_of_the_job() -> None:
    jobs = controller()
    with pytest.raises(PeerLost, match="another peer"):
        jobs.run_job("RaisingJob", "peer")
    assert jobs.get_state()["retried"] == 0


def test_the_first_error_of_many_cancels_the_others() -> None:
    jobs = controller()
    vista.create("JobServer", "sums", 4)
    with pytest.raises(BadValueError, match=r"a job's arguments are a list, not 7"):
        jobs.map_jobs("TimedSquare", [[1, 900.0], [2, 900.0], 7])
    assert (jobs.get_state()["running"], jobs.get_state()["failed"]) == (0, 2)


def test_a_class_that_nobody_knows_is_named() -> None:
    with pytest.raises(NoSuchClass, match='no class "TimedSqare"; did you mean TimedSquare'):
        controller().run_job("TimedSqare", 7)


def test_a_caller_that_gives_up_cancels_its_job() -> None:
    jobs = controller()
    with pytest.raises(CallTimeout), vista.timeout(2.0):
        jobs.run_job("TimedSquare", 7, 900.0)
    vista.sleep(0.1)
    assert jobs.get_state()["running"] == 0


# --- queued jobs ---------------------------------------------------------------------------


def test_a_client_is_told_of_the_end_of_each_job_once() -> None:
    jobs = controller()
    numbers = [jobs.queue_job("Diary", f"job {n}", "TimedSquare", None, [n]) for n in range(5)]
    failing = jobs.queue_job("Diary", "bad", "RaisingJob", None, ["run"])
    jobs.wait_idle()
    vista.sleep(1.0)
    assert [*numbers, failing] == [1, 2, 3, 4, 5, 6]
    assert sorted(heard("job_complete")) == [[f"job {n}", n * n] for n in range(5)]
    assert [(info, repr(error)) for info, error in heard("job_failed")] == [
        ("bad", "KeyError('later')")
    ]


def test_jobs_begin_in_the_order_they_were_queued() -> None:
    jobs = controller(concurrent_max=1, servers=2)
    for number in range(6):
        jobs.queue_job(None, None, "TimedSquare", None, [number])
    jobs.wait_idle()
    assert heard("begun") == [[number] for number in range(6)]


def test_no_more_run_than_the_controller_and_the_servers_allow() -> None:
    jobs = controller(concurrent_max=3, servers=2)
    for number in range(5):
        jobs.queue_job(None, None, "TimedSquare", None, [number])
    state = jobs.get_state()
    while state["queued"]:
        assert state["running"] <= 3
        vista.sleep(0.3)
        state = jobs.get_state()
    assert [row["concurrent"] for row in state["servers"]] == [2, 2]
    jobs.wait_idle()


def test_jobs_wait_for_a_server() -> None:
    jobs = controller(servers=0)
    jobs.queue_job("Diary", None, "TimedSquare", None, [3])
    vista.sleep(100.0)
    assert jobs.get_state()["queued"] == 1
    vista.create("JobServer", "sums")
    jobs.wait_idle()
    vista.sleep(0.1)
    assert heard("job_complete") == [[None, 9]]


def test_the_servers_of_another_pool_get_nothing() -> None:
    vista.create("JobServer", "others")
    vista.create("JobServer", "sum")
    jobs = controller(servers=0)
    vista.sleep(1.0)
    assert jobs.get_state()["servers"] == []


def test_a_job_more_than_may_wait_is_refused() -> None:
    jobs = controller(servers=0)
    for number in range(10):
        jobs.queue_job(None, None, "TimedSquare", None, [number])
    with pytest.raises(Overloaded, match="jobs_queued_max"):
        jobs.queue_job(None, None, "TimedSquare", None, [10])
    assert jobs.get_state()["queued"] == 10
    jobs.delete_yourself()


def test_a_job_has_its_own_time() -> None:
    jobs = controller()
    jobs.queue_job("Diary", "late", "TimedSquare", None, [1, 900.0], 5.0)
    jobs.wait_idle()
    vista.sleep(0.1)
    [[info, error]] = heard("job_failed")
    assert (info, type(error)) == ("late", CallTimeout)


@pytest.mark.parametrize("seconds", [0, -1.0, float("nan")])
def test_a_job_without_time_is_refused(seconds: float) -> None:
    with pytest.raises(BadValueError, match="more than 0 seconds"):
        controller().queue_job(None, None, "TimedSquare", None, [1], seconds)


def test_a_client_that_is_gone_stops_nothing() -> None:
    jobs = controller()
    client = vista.create(Listener)
    jobs.queue_job(client, None, "TimedSquare", None, [1])
    client.delete_yourself()
    jobs.queue_job("Nobody", None, "TimedSquare", None, [2])
    jobs.wait_idle()
    assert jobs.get_state()["finished"] == 2


def test_a_waiting_and_a_running_job_are_cancelled() -> None:
    jobs = controller(concurrent_max=1)
    running, waiting = (
        jobs.queue_job("Diary", n, "TimedSquare", None, [n, 900.0]) for n in range(2)
    )
    assert (jobs.cancel_job(waiting), jobs.cancel_job(running)) == (True, True)
    assert (jobs.cancel_job(waiting), jobs.cancel_job(99)) == (False, False)
    vista.sleep(0.1)
    assert {info: type(error) for info, error in heard("job_failed")} == {
        0: ThreadKilled,
        1: ThreadKilled,
    }


def test_jobs_run_as_the_user_who_queued_them(node: SimulatedNode) -> None:
    jobs = controller()
    assert node.call(lambda: jobs.run_job("WhoeverJob"), user="alice") == "alice"


def test_another_user_cancels_no_job(node: SimulatedNode) -> None:
    jobs = controller()
    number = jobs.queue_job(None, None, "TimedSquare", None, [1])
    with pytest.raises(AccessDenied, match="user 'alice' may not cancel job 1"):
        node.call(lambda: jobs.cancel_job(number), user="alice")
    jobs.wait_idle()


def test_a_thread_that_is_killed_counts_as_lost_and_the_job_is_begun_again() -> None:
    jobs = controller()
    call = jobs.run_job.future("TimedSquare", 7, 5.0)
    vista.sleep(1.0)
    [thread] = [row for row in vista.threads() if row.method == "perform_job"]
    vista.kill(thread.id)
    assert call.result() == 49
    assert jobs.get_state()["retried"] == 1


def test_a_job_whose_wait_is_killed_is_begun_again() -> None:
    jobs = controller()
    call = jobs.run_job.future("TimedSquare", 7, 5.0)
    vista.sleep(1.0)
    waiting = [row for row in vista.threads() if "JobServer.perform_job" in row.waiting_for]
    vista.kill(waiting[0].id)
    assert call.result() == 49
    assert (len(waiting), jobs.get_state()["retried"]) == (1, 1)


def test_the_jobs_of_a_server_that_is_deleted_go_to_others() -> None:
    first = vista.create("JobServer", "sums")
    jobs = vista.create("JobController", "sums")
    call = jobs.run_job.future("TimedSquare", 7, 5.0)
    vista.sleep(1.0)
    vista.create("JobServer", "sums")
    first.delete_yourself()
    assert call.result() == 49
    assert heard("begun") == [[7], [7]]


def test_a_job_that_takes_servers_down_fails_after_some() -> None:
    jobs = controller()
    call = jobs.run_job.future("ServerEnder")
    for _ in range(2):
        vista.sleep(1.0)
        vista.create("JobServer", "sums")
    with pytest.raises(PeerLost, match=r"job 1 of class ServerEnder was lost .* 3 attempts"):
        call.result()


# --- the original's form -------------------------------------------------------------------


def test_a_job_ends_by_a_message_to_its_controller() -> None:
    jobs = controller()
    assert jobs.run_job("CallbackJob") == "sent"
    vista.sleep(0.1)
    assert heard("taken")[:1] in ([], [[True]])


def test_a_job_answers_while_it_is_begun() -> None:
    assert controller().run_job("AtOnceJob") == "at once"


def test_a_result_that_nobody_awaits_is_dropped() -> None:
    jobs = controller()
    assert jobs.return_job_result(5, "what?") is False
    jobs.run_job("TimedSquare", 7)
    assert jobs.return_job_result(1, "late") is False
    assert jobs.get_state()["finished"] == 1


def test_another_user_returns_no_result(node: SimulatedNode) -> None:
    jobs = controller()
    call = jobs.run_job.future("TimedSquare", 7)
    vista.sleep(0.5)
    with pytest.raises(AccessDenied, match="user 'alice' may not return the result of job 1"):
        node.call(lambda: jobs.return_job_result(1, 50), user="alice")
    assert call.result() == 49


# --- the objects themselves ----------------------------------------------------------------


def test_the_state_says_what_was_measured() -> None:
    jobs = controller()
    jobs.map_jobs("TimedSquare", [[1], [2]])
    state = jobs.get_state()
    [server] = state["servers"]
    assert [state[key] for key in ("pool", "queued", "running", "finished", "failed")] == [
        "sums",
        0,
        0,
        2,
        0,
    ]
    assert server["finished"] == 2
    assert server["seconds"]["TimedSquare"] == pytest.approx(1.0, abs=0.1)
    load = server["server"].get_load()
    assert (load.concurrent, load.running, load.finished, load.failed) == (2, 0, 2, 0)
    assert load.seconds_per_job == pytest.approx(1.0, abs=0.1)


def test_a_server_that_is_deleted_while_idle_is_shown_no_more() -> None:
    server = vista.create("JobServer", "sums")
    jobs = vista.create("JobController", "sums")
    jobs.run_job("TimedSquare", 7)
    server.delete_yourself()
    assert jobs.get_state()["servers"] == []


def test_a_controller_that_is_deleted_fails_its_jobs() -> None:
    jobs = controller(concurrent_max=1)
    for number in range(2):
        jobs.queue_job("Diary", number, "TimedSquare", None, [number, 900.0])
    vista.sleep(1.0)
    jobs.delete_yourself()
    vista.sleep(0.1)
    assert {info: type(error) for info, error in heard("job_failed")} == {
        0: ObjectDeleted,
        1: ObjectDeleted,
    }
    vista.create("JobServer", "sums")


def test_a_pool_has_one_controller_on_a_node() -> None:
    controller()
    with pytest.raises(ServiceTaken):
        vista.create("JobController", "sums")


@pytest.mark.parametrize("count", [0, 1_001])
def test_a_server_takes_a_sensible_number_of_jobs(count: int) -> None:
    with pytest.raises(BadValueError, match=f"concurrent is 1 to 1000 jobs, not {count}"):
        vista.create("JobServer", "sums", count)


def test_a_controller_that_runs_nothing_is_refused() -> None:
    with pytest.raises(BadValueError, match="concurrent_max is 1 or more jobs, not 0"):
        vista.create("JobController", "sums", 0)
