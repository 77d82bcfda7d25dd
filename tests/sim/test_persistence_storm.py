"""Persistent objects through crashes and full disks: nothing acknowledged is lost."""

from __future__ import annotations

import vista
from tests.persistence.simulated import Shelf, settings_of
from tests.sim.conftest import Simulate
from vista.errors import CallTimeout, PeerLost, StoreError
from vista.standard.persistence import PersistentObject
from vista.testing import Failure, Faults, SimulatedNode, World

PURSES = 4
STORM_SECONDS = 30.0
FAULTS = Faults(crashes=0.3, down_seconds=1.0, full_disks=0.1, spared=frozenset({"clerk"}))


class StormPurse(PersistentObject, namespace="Simulation"):
    """Two counts that are equal whenever a method has ended."""

    def create(self, flags: int) -> None:
        """Begin empty."""
        self.left = self.right = 0
        self.initialize(flags=flags, durable=True)

    @vista.exclusive
    def put(self) -> int:
        """Count both, waiting in between, also when the caller gives up meanwhile."""
        self.left += 1
        try:
            vista.sleep(0.01)
        finally:
            self.right += 1
        return self.right

    def look(self) -> tuple[int, int]:
        """Return both."""
        return self.left, self.right


def _begin_bank(node: SimulatedNode) -> None:
    """Restore before anybody can ask, then let peers in."""
    vista.create("PersistenceService")
    vista.create("AcceptPeerConnections", "tcp:127.0.0.1:4500")


def _pay(world: World, purse: vista.Ref, tally: dict[str, int]) -> None:
    """Put in coins until the storm is over, and complain of a coin that was lost."""
    while world.time < STORM_SECONDS:
        tally["asked"] += 1
        try:
            with vista.timeout(5.0):
                count = purse.put()
        except (PeerLost, CallTimeout, StoreError):
            tally["failed"] += 1
            vista.sleep(0.5)
            continue
        if count <= tally["told"]:
            world.complain(f"{purse} had {tally['told']} and has {count}")
        tally["told"] = count
        tally["paid"] += 1


def _look(purse: vista.Ref) -> tuple[int, int]:
    """Look into a purse; after a storm it takes a while until there is a link again."""
    for _ in range(100):
        try:
            counts: tuple[int, int] = purse.look()
        except (PeerLost, CallTimeout, StoreError):
            vista.sleep(1.0)
        else:
            return counts
    raise Failure(f"{purse} is not reached again")


def _scenario(world: World) -> dict[str, int]:
    shelf = Shelf()
    bank = world.node("bank", settings=settings_of(shelf, "bank"), boot=_begin_bank)
    assert bank.booted is not None
    bank.booted.result()
    url = bank.call(lambda: vista.create("AcceptPeerConnections", "tcp:127.0.0.1:4501").get_url())
    purses = [bank.call(lambda flags=n % 2: vista.create(StormPurse, flags)) for n in range(PURSES)]
    clerk = world.node("clerk", settings={"secret_key": b"k" * 32})
    clerk.call(lambda: vista.create("ConnectToPeer", url.replace(":4501", ":4500")).wait(100.0))
    remote = [clerk.kernel.ref(vista.id_of(purse)) for purse in purses]
    tallies = [dict.fromkeys(("asked", "paid", "told", "failed"), 0) for _ in remote]
    world.storm(STORM_SECONDS, FAULTS)
    payers = [clerk.spawn(_pay, world, *pair) for pair in zip(remote, tallies, strict=True)]
    world.drive(lambda: all(payer.done() for payer in payers), 1000.0)
    world.calm()
    for payer in payers:
        payer.result()
    for purse, tally in zip(remote, tallies, strict=True):
        left, right = clerk.call(_look, purse)
        if left != right or not tally["told"] <= right <= tally["asked"]:
            raise Failure(f"{purse} holds {left} and {right}: {tally}")
    return {word: sum(tally[word] for tally in tallies) for word in tallies[0]}


def test_nothing_acknowledged_is_lost_in_a_storm(simulate: Simulate) -> None:
    totals = dict.fromkeys(("asked", "paid", "told", "failed"), 0)

    def scenario(world: World) -> None:
        for word, count in _scenario(world).items():
            totals[word] += count

    simulate(scenario, every=10)
    assert totals["paid"] > 0
    assert totals["failed"] > 0
