"""A harbour on several nodes, with the object browser: what its tests and pictures show."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import vista
from apps.http.browser.service import HTTPcreateObjectBrowserSession
from apps.http.objects.daemon import HTTPdaemon

KEY = {"secret_key": b"k" * 32}
LIMITS = vista.Limits(drain_seconds=0.05)
PLACES = ("north-quay", "south-quay", "roadstead", "dry-dock")
SHIPS = ("Albatross", "Cormorant", "Leviathan", "Petrel", "Guillemot", "Fulmar", "Shearwater")


class HarbourShip(vista.Object):
    """A ship, with what it carries.

    It knows the berth where it lies, and asks a crane to unload it.
    """

    def create(self, name: str, metres: float = 80.0) -> None:
        """Begin at sea."""
        self.name = name
        self.metres = metres
        self.cargo = {"containers": 40, "grain_tonnes": 1_250.5, "crew": ["Ana", "Björn", "Chidi"]}
        self.berth: vista.Ref | None = None

    def moor(self, berth: vista.Ref) -> None:
        """Lie down at a berth."""
        self.berth = berth
        berth.take(vista.self_ref(self))

    def unload(self, containers: int = 1) -> int:
        """Unload containers and return how many are left. Raises ValueError for too many."""
        if containers > self.cargo["containers"]:
            raise ValueError(f"{self.name} has no {containers} containers")
        self.cargo["containers"] -= containers
        left: int = self.cargo["containers"]
        return left


class HarbourBerth(vista.Object):
    """A place where one ship lies at a time."""

    def create(self, number: int, depth: float) -> None:
        """Begin empty."""
        self.number = number
        self.depth = depth
        self.ship: vista.Ref | None = None
        self.visits: list[str] = []

    def take(self, ship: vista.Ref) -> None:
        """Let a ship lie here."""
        self.ship = ship
        self.visits.append(str(vista.id_of(ship)))

    def is_free(self) -> bool:
        """Return whether no ship lies here."""
        return self.ship is None


class HarbourCrane(vista.Object):
    """Lifts containers, one at a time, and takes its time for each."""

    def create(self) -> None:
        """Begin with an empty hook."""
        self.lifted = 0
        self.waiting_for: str | None = None

    def lift(self) -> int:
        """Lift one container and return how many there were so far."""
        self.lifted += 1
        return self.lifted

    @vista.preemptable
    def watch(self, seconds: float) -> None:
        """Stand by, as a thread that can be seen waiting."""
        vista.sleep(seconds)

    @vista.exclusive
    def overhaul(self) -> str:
        """Have the crane overhauled, during which nobody uses it."""
        return "as new"


class HarbourOffice(vista.Object):
    """Knows the berths. <Only> the harbour master & "friends" may close it."""

    def create(self, berths: list[vista.Ref]) -> None:
        """Open the office."""
        self.berths = berths
        self.open = True
        self.hours = ("06:00", "22:00")
        self.rules = "No ship leaves <b>without</b> a pilot & its papers."

    def close(self) -> bool:
        """Close the office and return whether it was open."""
        was, self.open = self.open, False
        return was

    def note(self, ship: vista.Ref) -> None:
        """Keep a ship in mind."""
        self.expected = ship

    def free_berths(self) -> list[vista.Ref]:
        """Return the berths where no ship lies."""
        return [berth for berth in self.berths if berth.is_free()]

    def slow_count(self) -> int:
        """Count the berths by hand."""
        vista.sleep(0.01)
        return len(self.berths)


class Harbour:
    """The nodes, and where the browser is."""

    def __init__(self, nodes: list[vista.Node], link: str, service: vista.Ref, office: vista.Ref):
        self.nodes = nodes
        self.link = link
        self.service = service
        self.office = office
        self.root = link.partition("?")[0].rstrip("/")

    @property
    def hub(self) -> vista.Node:
        """The node that has the browser."""
        return self.nodes[0]

    @property
    def office_id(self) -> vista.Id:
        """The office of the hub."""
        return vista.id_of(self.office)

    def node_text(self, place: int) -> str:
        """The identity of a node in text form."""
        return str(self.nodes[place].call(lambda: vista.id_of(vista.here()))).partition("-")[0]

    def ship(self, place: int) -> vista.Id:
        """The first ship of a node."""
        rows = self.nodes[place].call(vista.objects)
        return next(row.id for row in rows if row.class_name == "Local.HarbourShip")

    def lift(self, times: int) -> None:
        """Have a crane of the calling code's node lift so many containers."""
        rows = vista.objects()
        crane = next(row.id for row in rows if row.class_name == "Local.HarbourCrane")
        for _ in range(times):
            vista.send(crane, "lift")

    def add(self, name: str) -> None:
        """Link one node more."""
        self.nodes.append(vista.Node(name, settings=dict(KEY), limits=LIMITS).start())
        _link(self.hub, self.nodes[-1])

    def new_link(self) -> str:
        """A link that lets in whoever opens it first."""
        made: str = self.hub.call(self.service.new_link)
        return made


def settle(ships: int) -> vista.Ref:
    """Make what a quay has, on the node of the calling code."""
    berths = [vista.create(HarbourBerth, number, 5.0 + number / 2) for number in range(1, 9)]
    acl = vista.AccessControlList.of("allow harbour_master *", "deny * close", "allow * *")
    office = vista.create(HarbourOffice, berths, acl=acl)
    cranes = [vista.create(HarbourCrane) for _ in range(4)]
    for number in range(ships):
        name = f"{SHIPS[number % len(SHIPS)]} {number // len(SHIPS) + 1}"
        ship = vista.create(HarbourShip, name, 60.0 + 7 * number)
        if number < 5:
            ship.moor(berths[number])
            ship.unload(number)
    for crane in cranes:
        for _ in range(200):
            crane.lift()
    cranes[0].watch.post(3600.0)
    office.slow_count()
    office.free_berths()
    return office


@contextmanager
def harbour(places: tuple[str, ...] = PLACES, ships: int = 40) -> Iterator[Harbour]:
    """A hub with the object browser, linked with a node for each place."""
    nodes = [
        vista.Node(place, settings=dict(KEY), limits=LIMITS).start()
        for place in ("harbour", *places)
    ]
    hub, *others = nodes
    try:
        office: vista.Ref = hub.call(lambda: _furnish(ships))
        for node in others:
            _link(hub, node)
            node.call(settle, ships)
        if len(others) > 3:
            _link(others[0], others[3])
        daemon: vista.Ref = hub.call(vista.create, HTTPdaemon, "-", "tcp:127.0.0.1:0", "localhost")
        service: vista.Ref = hub.call(vista.create, HTTPcreateObjectBrowserSession, "localhost")
        assert daemon is not None
        link: str = hub.call(service.new_link)
        yield Harbour(nodes, link.replace("localhost", "127.0.0.1"), service, office)
    finally:
        for node in reversed(nodes):
            node.stop()


def _furnish(ships: int) -> vista.Ref:
    office = settle(ships)
    vista.register_service("Harbour/office", office)
    vista.create("PeerRegistry")
    vista.create("RepeatingTimerEvent", "Harbour/office", 3600.0)
    return office


def _link(near: vista.Node, far: vista.Node) -> None:
    def accept() -> Any:
        return vista.create("AcceptPeerConnections", "tcp:127.0.0.1:0").get_url()

    url = far.call(accept)
    near.call(lambda: vista.create("ConnectToPeer", url).wait(30.0))
