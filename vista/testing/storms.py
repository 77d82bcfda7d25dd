"""Storms: faults that the seed draws for a while, until the calm."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final

from vista.errors import BadValueError
from vista.testing.disk import Medium
from vista.testing.wires import call_at

if TYPE_CHECKING:
    from vista.testing.world import World

_SLOWNESS: Final = (3.0, 30.0, 300.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """How often which faults come in a storm: in the mean per virtual second of a whole world.

    ``losses`` break the connections of two nodes; ``partitions`` part some nodes from the others,
    both ways or, ``one_way``, only one; ``slow_phases`` slow two nodes down; ``refusals`` let
    nobody connect to a node; ``crashes`` end a node, which comes back. ``full_disks``,
    ``read_errors``, ``failed_syncs`` and ``corruptions`` befall its disk.

    What lasts does so for ``lasting_seconds`` in the mean, and a crashed node comes back after
    ``down_seconds`` in the mean. At most ``down_max`` nodes are down at a time, and nodes in
    ``spared`` have neither crashes nor bad disks.
    """

    losses: float = 0.2
    partitions: float = 0.05
    one_way: float = 0.05
    slow_phases: float = 0.05
    refusals: float = 0.05
    crashes: float = 0.05
    full_disks: float = 0.0
    read_errors: float = 0.0
    failed_syncs: float = 0.0
    corruptions: float = 0.0
    lasting_seconds: float = 5.0
    down_seconds: float = 5.0
    down_max: int = 1
    spared: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name != "spared" and not 0 <= value < math.inf:
                raise BadValueError(f"{field.name} of a storm must be 0 or more, not {value!r}")
        if not (self.lasting_seconds and self.down_seconds):
            raise BadValueError("lasting_seconds and down_seconds of a storm must be more than 0")


class Storm:
    """One storm in a world, for ``seconds`` of virtual time or until `end`."""

    def __init__(self, world: World, faults: Faults, seconds: float) -> None:
        self.over = False
        self._world = world
        self._hub = world.hub
        self._faults = faults
        self._down: set[str] = set()
        for rate, strike in (
            (faults.losses, self._lose),
            (faults.partitions, lambda: self._part(one_way=False)),
            (faults.one_way, lambda: self._part(one_way=True)),
            (faults.slow_phases, self._slow),
            (faults.refusals, self._refuse),
            (faults.crashes, self._crash),
            (faults.full_disks, self._fill),
            (faults.read_errors, lambda: self._befall(Medium.spoil)),
            (faults.failed_syncs, lambda: self._befall(Medium.fail_sync)),
            (faults.corruptions, lambda: self._befall(Medium.corrupt)),
        ):
            self._await(rate, strike)
        call_at(self._hub, self._hub.now + seconds, self.end)

    def end(self) -> None:
        """Let no more faults come, heal what can be healed and bring back who is down."""
        if self.over:
            return
        self.over = True
        self._world.network.heal()
        for name in self._world.disks:
            self._world.medium(name).heal()
        for name in sorted(self._down):
            self._revive(name)
        self._world.network.note_fault("the storm is over")

    def _await(self, rate: float, strike: Callable[[], Any]) -> None:
        """Let ``strike`` happen ``rate`` times a second in the mean."""
        if rate:
            due = self._hub.now + self._hub.dice.expovariate(rate)
            call_at(self._hub, due, self._strike, rate, strike)

    def _strike(self, rate: float, strike: Callable[[], Any]) -> None:
        if self.over:
            return
        # With no node left there is nothing that could be struck.
        if self._names():
            strike()
        self._await(rate, strike)

    def _later(self, mean_seconds: float, callback: Callable[..., Any], *args: Any) -> None:
        due = self._hub.now + self._hub.dice.expovariate(1.0 / mean_seconds)
        call_at(self._hub, due, self._unless_over, callback, *args)

    def _unless_over(self, callback: Callable[..., Any], *args: Any) -> None:
        if not self.over:
            callback(*args)

    def _names(self) -> list[str]:
        return [node.name for node in self._world.nodes if not node.stopped]

    def _pair(self) -> tuple[str, str]:
        names = self._names()
        one, other = self._hub.dice.sample(names, 2) if len(names) > 1 else (names[0], names[0])
        return one, other

    def _victim(self) -> str:
        """Draw a node that is not spared; if all are, nobody."""
        names = [name for name in self._names() if name not in self._faults.spared]
        return self._hub.dice.choice(names) if names else ""

    # --- the faults ------------------------------------------------------------------------

    def _lose(self) -> None:
        self._world.network.lose(*self._pair())

    def _part(self, one_way: bool) -> None:
        names = self._names()
        if len(names) < 2:
            return
        self._hub.dice.shuffle(names)
        cut = self._hub.dice.randrange(1, len(names))
        partition = self._world.network.partition(names[:cut], names[cut:], one_way=one_way)
        self._later(self._faults.lasting_seconds, partition.heal)

    def _slow(self) -> None:
        pair = self._pair()
        self._world.network.slow(*pair, self._hub.dice.choice(_SLOWNESS))
        self._later(self._faults.lasting_seconds, self._world.network.slow, *pair, 1.0)

    def _refuse(self) -> None:
        name = self._pair()[0]
        self._world.network.refuse(name)
        self._later(self._faults.lasting_seconds, self._world.network.refuse, name, False)

    def _crash(self) -> None:
        name = self._victim()
        if name and len(self._down) < self._faults.down_max:
            self._down.add(name)
            self._world.crash(name)
            self._later(self._faults.down_seconds, self._revive, name)

    def _revive(self, name: str) -> None:
        if name in self._down:
            self._down.discard(name)
            if name in self._world.crashed:
                self._world.restart(name)

    def _fill(self) -> None:
        medium = self._befall(Medium.fill)
        if medium is not None:
            self._later(self._faults.lasting_seconds, medium.empty)

    def _befall(self, fault: Callable[[Medium], Any]) -> Medium | None:
        """Have a fault befall the disk of a node that the seed draws; return the disk."""
        name = self._victim()
        if not name:
            return None
        medium = self._world.medium(name)
        fault(medium)
        return medium
