"""The classes of rc/demo.rc: a small harbour at work.

The tide rises and falls, ships come, unload and sail. A ship whose keel is deeper than the water is
refused with an exception; it waits for the tide and asks again. An hour there is a second here.
"""

from __future__ import annotations

import math

from vista import Object, Ref, create, delete, gather, post, register_service, self_ref, send

TIDE_HOURS = 12
LOW_WATER_METRES = 2.0
HIGH_WATER_METRES = 8.0
HOURS_BETWEEN_SHIPS = 2

SHIPS = (
    ("Albatross", 2.2, 3),
    ("Leviathan", 6.5, 4),
    ("Puffin", 2.1, 2),
    ("Marie Celeste", 5.0, 3),
    ("Sandpiper", 2.6, 2),
    ("Great Eastern", 7.6, 5),
)
"""Each ship's name, how deep its keel is in metres, and how many hours it takes to unload."""

WELCOME = """\
A harbour, an hour a second. Each line below is objects sending messages. Ctrl-C ends it.
"""

FAREWELL = """\
The harbour is closed. What to type next:
    vista repl rc/demo.rc        the same harbour with a prompt: send("Harbour", "berths")
    vista doc VirtualConsole     what a class of the rc file is for
    docs/tutorial.rst            write a class of your own
"""


class Refused(Exception):
    """The harbour master does not let a ship in, for the time being."""


class Tide(Object):
    """The depth of the water. rc line: ``tide = Tide``."""

    def create(self) -> None:
        """Begin at low water."""
        self.hour = 0

    def hour_passed(self) -> float:
        """Let the water rise or fall for an hour; return its depth in metres."""
        self.hour += 1
        return self.depth()

    def depth(self) -> float:
        """Return the depth in metres."""
        risen = (1 - math.cos(2 * math.pi * self.hour / TIDE_HOURS)) / 2
        return LOW_WATER_METRES + (HIGH_WATER_METRES - LOW_WATER_METRES) * risen


class HarbourMaster(Object):
    """Gives the berths to ships. rc line: ``HarbourMaster $tide 3``.

    It is the service ``Harbour``, so a ship need not know it: ``send("Harbour", "moor", ...)``.
    """

    def create(self, tide: Ref, berths: int = 3) -> None:
        """Open the harbour."""
        self.tide = tide
        self.free = berths
        self.moored: list[str] = []
        register_service("Harbour", self)

    def moor(self, ship: str, keel_metres: float) -> None:
        """Give a ship a berth. Raises `Refused` when the water is too low or no berth is free."""
        depth = self.tide.depth()
        if depth < keel_metres:
            raise Refused(f"{depth:.1f} m of water is too little for a keel of {keel_metres:.1f} m")
        if not self.free:
            raise Refused("every berth is taken")
        self.free -= 1
        self.moored.append(ship)

    def cast_off(self, ship: str) -> None:
        """Let a ship go."""
        self.free += 1
        self.moored.remove(ship)

    def berths(self) -> list[str]:
        """Return the names of the ships that lie here."""
        return list(self.moored)


class Ship(Object):
    """A ship that comes, unloads and sails. The pilot makes them."""

    def create(self, name: str, keel_metres: float, hours: int) -> None:
        """Arrive off the harbour."""
        self.name = name
        self.keel_metres = keel_metres
        self.hours = hours
        self.moored = False
        self.refusal = ""

    def hour_passed(self) -> str:
        """Do what there is to do in this hour and tell what it was, if it is worth telling."""
        if not self.moored:
            return self._ask_for_a_berth()
        self.hours -= 1
        if self.hours:
            return ""
        send("Harbour", "cast_off", self.name)
        return f"{self.name} is unloaded and sails"

    def has_sailed(self) -> bool:
        """Return whether the ship is done here."""
        return not self.hours

    def _ask_for_a_berth(self) -> str:
        try:
            send("Harbour", "moor", self.name, self.keel_metres)
        except Refused as refusal:
            told, self.refusal = self.refusal, str(refusal).partition(" ")[2]
            return "" if told == self.refusal else f"{self.name} waits: {refusal}"
        self.moored = True
        return f"{self.name} comes in and moors"


class Pilot(Object):
    """Lets the hours pass and tells a console. rc line: ``Pilot $tide $console $display 12``.

    It is the service ``Pilot``, told by a timer of each hour. After ``hours_max`` hours it closes
    the harbour; without that it goes on for ever.
    """

    def create(self, tide: Ref, console: Ref, display: Ref, hours_max: int | None = None) -> None:
        """Begin at midnight."""
        self.tide = tide
        self.console = console
        self.display = display
        self.hours_max = hours_max
        self.hour = 0
        self.ships: list[Ref] = []
        register_service("Pilot", self)
        send("ShutdownService", "register", self_ref(self))
        console.append_text(WELCOME)

    def timer_expired(self, timer: Ref, extra_data: object) -> None:
        """Let an hour pass: the tide first, then every ship at the same time."""
        depth = self.tide.hour_passed()
        if self.hour % HOURS_BETWEEN_SHIPS == 0:
            ship = SHIPS[self.hour // HOURS_BETWEEN_SHIPS % len(SHIPS)]
            self.ships.append(create(Ship, *ship))
        self.hour += 1
        events = gather(*[ship.hour_passed.future() for ship in self.ships])
        self._tell(depth, [event for event in events if event])
        self._let_go()
        if self.hour == self.hours_max:
            post("ShutdownService", "shutdown", "the last hour of the demo has passed")

    def system_shutdown(self) -> None:
        """Say goodbye. The display is deleted, which waits until everything is shown."""
        self.console.append_text(FAREWELL)
        delete(self.display)

    def _tell(self, depth: float, events: list[str]) -> None:
        water = "~" * round(2 * depth)
        berths = ", ".join(send("Harbour", "berths")) or "no ship"
        lines = [f"{self.hour % 24:02}:00 {water:16} {depth:.1f} m  {berths}", *events]
        self.console.append_text(f"\n{' ':31}".join(lines) + "\n")

    def _let_go(self) -> None:
        for ship in list(self.ships):
            if ship.has_sailed():
                self.ships.remove(ship)
                delete(ship)
