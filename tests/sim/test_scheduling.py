"""Exclusion, order, timers and fairness, each over many seeds."""

from __future__ import annotations

from typing import Any

import vista
from tests.sim.conftest import Simulate
from vista.testing import Failure, World

# --- exclusion -----------------------------------------------------------------------------


class Account(vista.Object, namespace="Simulation"):
    """Reads, waits, and writes what it read and one more."""

    def create(self) -> None:
        self.value = 0

    @vista.exclusive
    def add_exclusively(self, seconds: float) -> None:
        before = self.value
        vista.sleep(seconds)
        self.value = before + 1

    @vista.exclusive
    async def add_exclusively_in_a_coroutine(self, seconds: float) -> None:
        before = self.value
        await vista.aio.sleep(seconds)
        self.value = before + 1

    @vista.native
    def add_in_a_kernel_thread(self, seconds: float) -> None:
        before = self.value
        vista.sleep(seconds)
        self.value = before + 1

    def add(self, seconds: float) -> None:
        before = self.value
        vista.sleep(seconds)
        self.value = before + 1

    def read(self) -> int:
        return self.value


def _add_from_everywhere(world: World, *methods: str) -> int:
    node = world.node()
    account = node.call(vista.create, Account)

    def add(method: str) -> None:
        vista.send(account, method, world.hub.random.random() * 0.01)

    callers = [node.spawn(add, method) for method in methods for _ in range(4)]
    world.drive(lambda: all(caller.done() for caller in callers))
    world.run_until_idle()
    world.check_rest()
    value: int = account.read()
    return value


def test_nobody_comes_in_while_an_exclusive_or_native_method_waits(simulate: Simulate) -> None:
    methods = (
        "add_exclusively",
        "add_exclusively_in_a_coroutine",
        "add_in_a_kernel_thread",
    )

    def scenario(world: World) -> None:
        # Each kind of method adds 4 times.
        assert _add_from_everywhere(world, *methods) == 4 * len(methods)

    simulate(scenario)


def test_a_plain_method_lets_others_in_while_it_waits(simulate: Simulate) -> None:
    left: list[int] = []
    simulate(lambda world: left.append(_add_from_everywhere(world, "add")))
    assert max(left) < 4


class Entry(vista.Object, namespace="Simulation"):
    """Lets one thread in after another, each for a while."""

    def create(self) -> None:
        self.order: list[int] = []

    @vista.exclusive
    def stay(self, number: int) -> None:
        self.order.append(number)
        vista.sleep(0.01)

    def read(self) -> list[int]:
        return self.order


def test_those_who_wait_for_an_object_come_in_in_the_order_they_came(simulate: Simulate) -> None:
    def scenario(world: World) -> None:
        node = world.node()
        entry = node.call(vista.create, Entry)
        waiting = []
        for number in range(8):
            waiting.append(node.spawn(vista.send, entry, "stay", number))
            world.pass_time(0.001)
        world.drive(lambda: all(future.done() for future in waiting))
        assert entry.read() == list(range(8))

    simulate(scenario)


# --- order ---------------------------------------------------------------------------------


class Receiver(vista.Object, namespace="Simulation", version=0):
    """Notes what arrives, by every kind of method that takes its turn."""

    def create(self) -> None:
        self.seen: list[tuple[int, int]] = []

    def note(self, sender: int, number: int) -> None:
        self.seen.append((sender, number))

    def note_and_wait(self, sender: int, number: int) -> None:
        self.seen.append((sender, number))
        vista.sleep(0.001)

    async def note_in_a_coroutine(self, sender: int, number: int) -> None:
        self.seen.append((sender, number))
        await vista.aio.sleep(0.001)

    @vista.native
    def note_in_a_kernel_thread(self, sender: int, number: int) -> None:
        self.seen.append((sender, number))

    @vista.exclusive
    def note_exclusively(self, sender: int, number: int) -> None:
        self.seen.append((sender, number))
        vista.sleep(0.001)

    def read(self) -> list[tuple[int, int]]:
        return self.seen


NOTING = tuple(name for name in vars(Receiver) if name.startswith("note"))
MESSAGES = 30


def _upgraded_receiver() -> type[vista.Object]:
    class Later(Receiver, namespace="Simulation", version=1):
        """What a receiver becomes while messages are under way."""

    Later.__vista_class__ = type(Receiver.__vista_class__)("Simulation", "Receiver", 1)
    return Later


LATER = _upgraded_receiver()


def _send_in_any_way(world: World, receiver: vista.Ref, sender: int) -> None:
    dice = world.hub.random
    for number in range(MESSAGES):
        method = dice.choice(NOTING)
        how = dice.random()
        if how < 0.5:
            vista.post(receiver, method, sender, number)
        elif how < 0.75:
            vista.future(receiver, method, sender, number)
        else:
            vista.send(receiver, method, sender, number)


def test_messages_of_one_sender_arrive_in_the_order_sent(simulate: Simulate) -> None:
    def scenario(world: World) -> None:
        node = world.node()
        receiver = node.call(vista.create, Receiver)
        for sender in range(4):
            node.spawn(_send_in_any_way, world, receiver, sender)
        world.pass_time(0.01)
        receiver.upgrade(1)
        world.run_until_idle()
        seen = receiver.read()
        assert len(seen) == 4 * MESSAGES
        for sender in range(4):
            assert [number for other, number in seen if other == sender] == list(range(MESSAGES))
        world.check_rest()

    # Half of the seeds: a run takes 20 ms, and there are two of each.
    simulate(scenario, every=2)


class Follower(vista.Object, namespace="Simulation"):
    """Has a method that needs no exclusion besides one that does."""

    def create(self) -> None:
        self.value = 0

    @vista.preemptable
    def put(self, value: int) -> None:
        self.value = value

    @vista.preemptable
    def get(self) -> int:
        return self.value


def test_a_call_without_exclusion_does_not_overtake_a_post_of_its_sender(
    simulate: Simulate,
) -> None:
    def put_and_get(follower: vista.Ref) -> list[int]:
        found = []
        for value in range(40):
            follower.put.post(value)
            found.append(follower.get())
        return found

    def scenario(world: World) -> None:
        node = world.node()
        assert node.call(put_and_get, node.call(vista.create, Follower)) == list(range(40))

    simulate(scenario)


# --- timers --------------------------------------------------------------------------------


def test_sleepers_wake_after_their_time_and_in_its_order(simulate: Simulate) -> None:
    def sleep(world: World, seconds: float, woken: list[float]) -> float:
        due = world.time + seconds
        vista.sleep(seconds)
        woken.append(seconds)
        return world.time - due

    def scenario(world: World) -> None:
        node = world.node()
        woken: list[float] = []
        times = [0.0, 1e-3, *(0.5 * step for step in range(1, 20)), 50.0]
        mixed = world.hub.random.sample(times, len(times))
        sleepers = [node.spawn(sleep, world, seconds, woken) for seconds in mixed]
        world.run_until_idle()
        for sleeper in sleepers:
            assert 0.0 <= sleeper.result() < 0.1
        assert [value for value in woken if value >= 0.5] == times[2:]
        world.check_rest()

    simulate(scenario)


class Sleeper(vista.Object, namespace="Simulation"):
    """Sleeps, alone or in a chain, and says if it was let sleep."""

    def create(self) -> None:
        self.rested = 0

    def nap(self, seconds: float) -> None:
        vista.sleep(seconds)
        self.rested += 1

    def have_nap(self, other: vista.Ref, seconds: float) -> None:
        other.nap(seconds)
        self.rested += 1

    def read(self) -> int:
        return self.rested


def test_a_timeout_ends_the_whole_chain_of_calls_in_time(simulate: Simulate) -> None:
    def call_in_time(world: World, near: vista.Ref, far: vista.Ref) -> float:
        started = world.time
        try:
            with vista.timeout(1.0):
                near.have_nap(far, 30.0)
        except vista.CallTimeout:
            return world.time - started
        raise Failure("the call did not end")

    def scenario(world: World) -> None:
        node = world.node()
        near, far = node.call(vista.create, Sleeper), node.call(vista.create, Sleeper)
        assert 1.0 <= node.call(call_in_time, world, near, far) < 1.1
        world.pass_time(0.1)
        world.check_rest()
        world.run_until_idle()
        # No thread of the chain went on.
        assert (near.read(), far.read()) == (0, 0)

    simulate(scenario)


# --- fairness ------------------------------------------------------------------------------

LATE_SECONDS_MAX = 0.03
"""Two turns of 5 ms, if chance puts the busy thread first, and passes of the simulated loop."""


class Busy(vista.Object, namespace="Simulation"):
    """Is sent many messages."""

    def create(self) -> None:
        self.count = 0

    def touch(self) -> None:
        self.count += 1

    def go_on(self, left: int) -> None:
        self.count += 1
        if left:
            vista.self_ref(self).go_on.post(left - 1)


def _tick(world: World, busy: Any) -> list[float]:
    """Sleep 10 ms again and again while ``busy`` is not done; return how late each sleep ended."""
    late = []
    while not busy.done():
        due = world.time + 0.01
        vista.sleep(0.01)
        late.append(world.time - due)
    return late


def test_a_thread_that_sends_without_end_does_not_hold_up_timers(simulate: Simulate) -> None:
    def send_on_and_on(world: World, busy: vista.Ref) -> None:
        end = world.time + 0.2
        for _ in range(600):
            if world.time > end:
                return
            busy.touch()

    ticks: list[float] = []

    def scenario(world: World) -> None:
        node = world.node()
        busy = node.call(vista.create, Busy)
        sending = node.spawn(send_on_and_on, world, busy)
        ticking = node.spawn(_tick, world, sending)
        world.run_until_idle()
        late = ticking.result()
        assert max(late, default=0.0) <= LATE_SECONDS_MAX
        ticks.extend(late)

    digests = simulate(scenario)
    # Some begin when all is sent, but there are timers that come meanwhile.
    assert len(ticks) > len(digests)


def test_posts_that_bring_about_posts_do_not_hold_up_timers(simulate: Simulate) -> None:
    def wait_meanwhile(busy: vista.Ref) -> int:
        # A turn of the loop takes 1,024 at most, and a timer may come after the second.
        busy.go_on.post(2500)
        vista.sleep(0.0)
        count: int = busy._record.instance.count
        return count

    def scenario(world: World) -> None:
        node = world.node()
        # So many posts were done when a timer came that was due at once.
        assert node.call(wait_meanwhile, node.call(vista.create, Busy)) < 2200

    simulate(scenario, every=10)
