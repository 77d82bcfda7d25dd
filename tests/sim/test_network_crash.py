"""Crashes: what of a node may still be seen after one, and how it comes back."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses

import pytest

import vista
from tests.sim.test_network import IPC, SURE, Side, connect, linked, listen
from vista.testing import SimulatedNode, World


async def _pause(seconds: float) -> None:
    """Wait by the loop alone: a crash takes the timers of a kernel anyway."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await asyncio.get_running_loop().create_future()


class Doomed(vista.Object, namespace="Simulation"):
    """Waits in each way that there is."""

    def create(self) -> None:
        self.number = 0

    def wait(self, seconds: float) -> int:
        vista.sleep(seconds)
        self.number += 1
        return self.number

    def count(self) -> int:
        self.number += 1
        return self.number

    async def wait_as_a_coroutine(self, seconds: float) -> int:
        await _pause(seconds)
        return self.count()

    @vista.exclusive
    def wait_exclusively(self, seconds: float) -> int:
        return self.wait(seconds)

    def post_at_the_end(self, other: vista.Ref) -> None:
        try:
            vista.sleep(1000.0)
        finally:
            other.count.post()

    @vista.native
    def count_in_a_kernel_thread(self) -> int:
        return self.count()

    @vista.native
    def wait_in_a_kernel_thread(self, other: vista.Ref, seconds: float) -> int:
        answer: int = other.wait(seconds)
        return answer


def _stubborn(ended: list[str]) -> None:
    while not ended:
        try:
            vista.sleep(1000.0)
        except BaseException:
            continue


def test_a_crash_ends_every_thread_of_a_node_however_it_waits() -> None:
    for seed in range(10):
        with World(seed) as world:
            node = world.node("a")
            plain, other, third = (node.call(vista.create, Doomed) for _ in range(3))
            futures = [
                plain.wait.future(50.0),
                plain.wait_exclusively.future(50.0),
                plain.count.future(),
                other.wait_as_a_coroutine.future(50.0),
                third.wait_in_a_kernel_thread.future(other, 50.0),
            ]
            world.pass_time(1.0)
            late = third.wait_in_a_kernel_thread.future(other, 50.0)
            world.crash("a")
            world.pass_time(1.0)
            assert node.kernel.threads.live() == []
            for future in (futures[0], futures[1], futures[3], futures[4], late):
                assert future.exception() is not None
            world.run_until_idle()


def test_no_method_begins_after_a_crash() -> None:
    for seed in range(10):
        with World(seed) as world:
            node = world.node("a")
            doomed, other, last = (node.call(vista.create, Doomed) for _ in range(3))
            last.post_at_the_end.post(other)
            begun: list[str] = []
            doomed.wait_exclusively.post(5.0)
            world.pass_time(1.0)
            for _ in range(5):
                doomed.count.post()
            other.count_in_a_kernel_thread.post()
            instance = node.kernel.table.records[vista.id_of(other)].instance
            counted = instance.number
            node.spawn(begun.append, "begun")
            world.crash("a")
            world.pass_time(10.0)
            assert begun == []
            assert (doomed._record.instance.number, instance.number) == (0, counted)


def test_code_outside_cannot_call_a_node_that_crashed() -> None:
    with World(0) as world:
        node = world.node("a")
        doomed = node.call(vista.create, Doomed)
        world.crash("a")
        with pytest.raises(vista.WrongContextError, match=r"has crashed"):
            doomed.count()


def test_what_dying_threads_send_and_write_has_no_effect() -> None:
    with World(0, conditions=SURE) as world:
        _, far = listen(world, "b")
        node = world.node("a")
        tried: list[str] = []

        def live() -> None:
            channel = node.network.connect(IPC, secret_key=None)
            channel.send([b"0"])
            node.disk.write("file", b"alive")
            try:
                vista.sleep(1000.0)
            finally:
                assert channel.send([b"1"])
                node.network.connect(IPC, secret_key=None).send([b"2"])
                tried.append("sent")
                with pytest.raises(OSError, match=r"the node has crashed"):
                    node.disk.write("file", b"dead")
                tried.append("written")

        node.spawn(live)
        world.pass_time(1.0)
        world.crash("a")
        world.pass_time(10.0)
        assert tried == ["sent", "written"]
        assert far.numbers == [0]
        assert far.lost == ["the peer's process ended"]
        assert world.disk("a").names() in ([], ["file"])


def test_a_thread_that_swallows_every_kill_is_left_where_it_waits() -> None:
    ended: list[str] = []
    with World(0) as world:
        world.node("a").spawn(_stubborn, ended)
        world.pass_time(1.0)
        world.crash("a")
        assert world.nodes == []
        world.run_until_idle()
        ended.append("ended")


def test_the_dead_leave_nothing_in_the_trace() -> None:
    with World(0) as world:
        node = world.node("a")
        node.spawn(vista.sleep, 1000.0)
        world.pass_time(1.0)
        world.crash("a")
        assert world.trace.events[-1].detail == "crash"


def test_a_node_may_crash_itself_and_others_from_its_own_threads() -> None:
    with World(0) as world:
        node, other = world.node("a"), world.node("b")
        waiting = other.spawn(vista.sleep, 1000.0)
        after: list[str] = []

        def crash_all() -> None:
            world.crash("b")
            world.crash("a")
            vista.sleep(1.0)
            after.append("lived on")

        node.spawn(crash_all)
        world.pass_time(10.0)
        assert waiting.done()
        assert (after, world.nodes) == ([], [])


def test_peers_learn_of_a_crash_soon_late_or_never() -> None:
    conditions = dataclasses.replace(SURE, late_chance=0.4, half_open_chance=0.3)
    soon = late = never = 0
    for seed in range(40):
        with World(seed, conditions=conditions) as world:
            world.node("b")
            _, far = linked(world)
            world.crash("b")
            world.pass_time(0.2)
            soon += bool(far.lost)
            world.pass_time(15.0)
            late += bool(far.lost)
            never += not far.lost
    assert 0 < soon < late < 40
    assert never > 0


def test_what_was_sent_just_before_a_crash_arrives_in_part() -> None:
    arrived = set()
    for seed in range(30):
        with World(seed, conditions=SURE) as world:
            world.node("b")
            near, far = linked(world)
            for number in range(1, 4):
                near.channel.send([b"%d" % number])
            world.crash("b")
            world.pass_time(1.0)
            assert far.numbers == list(range(len(far.numbers)))
            arrived.add(len(far.numbers))
            assert near.lost == []
    assert arrived == {1, 2, 3, 4}


def test_a_crashed_node_listens_no_more_and_comes_back_by_its_boot() -> None:
    sides: list[Side] = []

    def boot(node: SimulatedNode) -> None:
        sides.append(listen(world, node.name)[1])

    with World(0, conditions=SURE) as world:
        first = world.node("a", boot=boot, user="somebody")
        world.pass_time(0.1)
        world.crash("a")
        near = connect(world, "b")
        near.channel.send([b"0"])
        world.pass_time(10.0)
        assert sides[0].channel is None
        again = world.restart("a")
        world.pass_time(10.0)
        assert sides[1].numbers == [0]
        assert again is not first
        assert again.kernel.limits is first.kernel.limits
        assert again.kernel.user == "somebody"
        assert again.kernel.table.node != first.kernel.table.node


def test_a_node_that_comes_back_while_the_world_moves_is_whole() -> None:
    async def ask(doomed: vista.Ref) -> int:
        answer: int = await doomed.count.future()
        return answer

    def boot(node: SimulatedNode) -> None:
        doomed = vista.create(Doomed)
        counted.append(vista.wait(ask(doomed)))

    counted: list[int] = []
    with World(0) as world:
        world.node("a", boot=boot)
        world.drive(lambda: len(counted) == 1, 10.0)

        def renew() -> None:
            world.crash("a")
            world.restart("a")

        world.node("b").spawn(renew)
        world.drive(lambda: len(counted) > 1, 10.0)
    assert counted == [1, 1]


def test_a_node_that_runs_is_not_restarted_and_one_that_is_down_not_crashed() -> None:
    with World(0) as world:
        world.node("a")
        with pytest.raises(vista.BadValueError, match=r"no node 'a' has crashed"):
            world.restart("a")
        world.crash("a")
        with pytest.raises(vista.BadValueError, match=r"no node 'a' runs"):
            world.crash("a")
        with pytest.raises(vista.BadValueError, match=r"in this world already"):
            world.node("a")


def test_a_node_that_stopped_comes_back_with_all_it_wrote() -> None:
    with World(0) as world:
        node = world.node("a")
        node.disk.write("file", b"text")
        node.stop()
        assert world.restart("a").disk.read("file") == b"text"


def test_tasks_and_timers_of_a_crashed_node_run_no_more() -> None:
    with World(0) as world:
        node = world.node("a")
        ran: list[str] = []

        async def go_on() -> None:
            asyncio.get_running_loop().call_later(5.0, ran.append, "timer")
            while True:
                await _pause(1.0)
                ran.append("task")

        async def begin() -> None:
            ran.append(asyncio.create_task(go_on()).get_name())

        node.call(lambda: vista.wait(begin()))
        world.pass_time(3.5)
        assert ran.count("task") == 3
        world.crash("a")
        world.run_until_idle()
        assert ran.count("task") == 3
        assert "timer" not in ran
