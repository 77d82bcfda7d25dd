"""An object is upgraded, guarded, watched and put under a meta object while messages pour in.

Whatever the order of threads, no message is lost or doubled, each sender's arrive in the order sent
(where no meta object forwards them), and at the end nothing is left to happen.
"""

from __future__ import annotations

import random
from typing import Any

import vista
from tests.sim.conftest import Simulate
from vista import Object
from vista.testing import World, unrest

MESSAGES = 30
SENDERS = 3


class Pot(Object, version=0):
    """Keeps what is put into it, by methods of every kind."""

    def create(self) -> None:
        self.log: list[Any] = []

    def put(self, who: int, number: int) -> None:
        self.log.append((who, number))

    def put_slowly(self, who: int, number: int) -> None:
        self.log.append((who, number))
        vista.sleep(0.002)

    async def put_async(self, who: int, number: int) -> None:
        await vista.aio.sleep(0.001)
        self.log.append((who, number))

    @vista.exclusive
    def put_exclusive(self, who: int, number: int) -> None:
        vista.sleep(0.001)
        self.log.append((who, number))

    @vista.preemptable
    def count(self) -> int:
        return len(self.log)

    def read(self) -> list[Any]:
        return self.log

    def handle_unknown_message(self, name: str, args: list[Any], kwargs: dict[str, Any]) -> None:
        self.log.append(tuple(args))


FirstPot = Pot


class Pot(FirstPot, version=1):  # type: ignore[no-redef, valid-type, misc]
    """Takes over by a hook."""

    def upgraded_from(self, version: int, state: dict[str, Any]) -> None:
        self.log = state["log"]


SecondPot = Pot


class Pot(FirstPot, version=2):  # type: ignore[no-redef, valid-type, misc]
    """Takes over without one."""


class Overseer(Object):
    """A meta object that passes everything on."""

    def forward_method_invocation(
        self, target: Any, name: str, args: list[Any], sender: Any, named: Any = None
    ) -> Any:
        return vista.send(target, name, *args, **(named or {}))


class Onlooker(Object):
    """Is told of changes."""

    def object_modified(self, id: vista.Id) -> None:
        pass


class Cook(Object):
    """Puts things into a pot in every way there is."""

    def work(self, pot: Any, who: int, seed: int) -> None:
        dice = random.Random(seed)
        in_flight = []
        for number in range(MESSAGES):
            method = dice.choice(["put", "put", "put", "unknown_thing"])
            way = dice.randrange(6)
            if way < 2:
                vista.post(pot, method, who, number)
            elif way == 2:
                vista.send(pot, method, who, number)
            elif way == 3:
                in_flight.append(vista.future(pot, method, who, number))
            elif way == 4:
                slow = dice.choice(["put_slowly", "put_async", "put_exclusive"])
                vista.send(pot, slow, who, number)
            else:
                pot.count()
                vista.post(pot, method, who, number)
        vista.gather(*in_flight)


class Warden(Object):
    """Administers a pot without asking what goes on in it."""

    def work(self, pot: Any, overseer: Any, onlooker: Any, seed: int) -> None:
        dice = random.Random(seed)
        for _ in range(12):
            choice = dice.randrange(7)
            if choice == 0:
                pot.upgrade(dice.choice([0, 1, 2]))
            elif choice == 1:
                pot.add_notify_when_modified(onlooker)
            elif choice == 2:
                pot.remove_notify_when_modified(onlooker)
            elif choice == 3:
                pot.set_acl(vista.make_default_acl())
            elif choice == 4:
                pot.set_acl(None)
            elif choice == 5 and overseer is not None:
                pot.set_meta(dice.choice([overseer, None]))
            else:
                vista.sleep(0.001)
        pot.set_meta(None)


def _live(world: World, *, forwarded: bool) -> list[list[int]]:
    """Run everybody, and return the numbers that arrived of each sender, in their order."""
    with world.node() as node:
        pot, onlooker = vista.create(FirstPot), vista.create(Onlooker)
        overseer = vista.create(Overseer) if forwarded else None
        seed = world.hub.random.getrandbits(32)
        work = [vista.create(Cook).work.future(pot, who, seed + who) for who in range(SENDERS)]
        work.append(vista.create(Warden).work.future(pot, overseer, onlooker, seed))
        vista.gather(*work)
        log = pot.read()
        assert unrest(node.kernel) == []
    return [[number for who, number in log if who == sender] for sender in range(SENDERS)]


def test_administration_loses_doubles_and_reorders_nothing(simulate: Simulate) -> None:
    def scenario(world: World) -> None:
        assert _live(world, forwarded=False) == [list(range(MESSAGES))] * SENDERS

    # Half of the seeds: a run takes 20 ms, and there are two of each.
    simulate(scenario, every=2)


def test_administration_under_a_meta_object_loses_and_doubles_nothing(simulate: Simulate) -> None:
    def scenario(world: World) -> None:
        arrived = _live(world, forwarded=True)
        assert [sorted(numbers) for numbers in arrived] == [list(range(MESSAGES))] * SENDERS

    # Half of the seeds: a run takes 20 ms, and there are two of each.
    simulate(scenario, every=2)
