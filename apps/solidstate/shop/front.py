"""A front end that finds its servers among the machines of a pool, and leaves out liars."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Collection
from typing import Any

import vista
from apps.http.objects.forward import ForwardConnection
from apps.solidstate.objects.mail import pool_service
from apps.solidstate.shop.accusations import Accusations
from apps.solidstate.shop.server import HEALTH_PAGE

ASK_SECONDS = 3.0
"""How often the machines of the pool are asked what they know of one another. Each also asks its
group for something then: only who is answered sees who answers otherwise."""

ANSWER_SECONDS = 2.0
"""How long a machine may take to tell."""

ADDRESSES_MAX = 16
"""Sites of one machine that get clients: what it says it serves may be anything."""

NUMBERS_MAX = 8
"""Replicas that one machine is held to be, the first that it named: one that lies is no other one
by naming another number."""

LOOKS_ALONE_MAX = 2
"""Looks after which a front end is said to lack what tells it who lies: lines of an rc file go one
after the other."""

_DAEMON = "HTTPdaemon:"

_log = logging.getLogger("vista.solidstate")


class ForwardToPool(ForwardConnection, namespace="SolidState"):
    """Gives clients to the web servers of a pool's machines, and to none that lies.

    rc line: ``ForwardToPool tcp:0.0.0.0:80 carts``

    ``create(listen_address, pool, health_page="/health")``: all `HTTPdaemon` objects that listen at
    a ``tcp:`` address on nodes with a `ReplicaPoolMember` of the pool are its servers, but for
    those of its own node. They come and go with their nodes. What `ForwardConnection` does it does.
    Its own node needs a `ReplicaPoolMember` of the pool as well: else it takes no word for a lie,
    and the log says so.

    Besides, it asks the machines every three seconds whose answers disagreed with what the group
    proved. A machine that f + 1 others accuse gets no clients, and the log names it; 20 seconds
    after the last such answer it gets some again. What a machine that was broken into shows in its
    own pages can be seen by no front end.
    """

    def create(  # type: ignore[override]
        self, listen_address: str, pool: str, health_page: str = HEALTH_PAGE
    ) -> None:
        """Listen, and begin to look for servers."""
        self.pool = pool
        self._accusations = Accusations()
        self._places: dict[str, set[bytes]] = {}
        self._numbers: dict[bytes, set[int]] = {}
        self._needed = 0
        self._looks_alone = 0
        self._asking = False
        self.initialize(listen_address, *([health_page] if health_page else []))
        _log.info("the servers of pool %s are reached at %s", pool, self.get_url())
        vista.self_ref(self).look_at_pool.post()

    def timer_expired(self, timer: Any = None, extra: Any = None) -> None:
        """Ask again; the timer sends it."""
        vista.self_ref(self).look_at_pool.post()

    def look_at_pool(self) -> None:
        """Find the servers, and hear what the machines say; the object posts it to itself."""
        if self._asking:
            return
        self._asking = True
        try:
            rows = vista.services()
            name = pool_service(self.pool)
            members = {row.object.node: row.object for row in rows if row.name == name}
            self._find_servers(rows, members)
            self._hear(rows, members)
        finally:
            self._asking = False
            vista.create("TimerEvent", vista.self_ref(self), ASK_SECONDS)

    def _find_servers(self, rows: list[vista.ServiceRow], members: dict[bytes, vista.Id]) -> None:
        """Take what the machines serve; one that names what is no address harms no other one."""
        here = vista.id_of(vista.here()).node
        self._note_membership(bool(members) and here not in members)
        found = _addresses(rows, members.keys() - {here})
        for address, nodes in found.items():
            if address not in self._places:
                try:
                    self.add_server(address, address)
                except (vista.BadValueError, vista.Overloaded) as error:
                    _log.warning("pool %s: %r gets no clients: %s", self.pool, address, error)
            self._places[address] = nodes
        for address in [one for one in self._places if one not in found]:
            server = self._servers.get(address)
            # Not at once: a link may break whose node goes on serving.
            if server is None or server.fault or not self._places[address].isdisjoint(members):
                del self._places[address]
                self.remove_server(address)
        there = set().union(*self._places.values())
        self._numbers = {node: found for node, found in self._numbers.items() if node in there}

    def _note_membership(self, lacks: bool) -> None:
        """Tell once that nobody here says how many have to agree; its line may come a bit later."""
        self._looks_alone = self._looks_alone + 1 if lacks else 0
        if self._looks_alone == LOOKS_ALONE_MAX:
            _log.warning(
                "pool %s: this node has no line ReplicaPoolMember %s, so machines that lie keep "
                "their clients", self.pool, self.pool,
            )  # fmt: skip

    def _hear(self, rows: list[vista.ServiceRow], members: dict[bytes, vista.Id]) -> None:
        """Ask every machine, and have it ask the group, so that it can tell more the next time."""
        self._weigh(ask_members(members), asyncio.get_running_loop().time())
        for row in rows:
            if row.name == self.pool and row.object.node in members:
                # In flight and not waited for: it may be gone, or slow.
                with contextlib.suppress(vista.CallError):
                    vista.future(row.object, "look_for_messages")

    def _weigh(self, told: dict[bytes, dict[str, Any]], now: float) -> None:
        """Leave out the machines that enough others accuse; what each tells may be anything."""
        here = vista.id_of(vista.here()).node
        for node, status in told.items():
            for proxy in _dicts(status.get("proxies")):
                if proxy.get("group") == self.pool:
                    self._accusations.hear(node, _counts(proxy.get("disagreed")), now)
                    if node == here:  # how many have to agree is what this node's own proxy says
                        self._needed = int(proxy["enough"])
            for server in _dicts(status.get("servers")):
                if server.get("group") == self.pool and type(server.get("id")) is int:
                    numbers = self._numbers.setdefault(node, set())
                    if len(numbers) < NUMBERS_MAX:
                        numbers.add(server["id"])
        names = {node: str(status.get("node", ""))[:100] for node, status in told.items()}
        for address, nodes in self._places.items():
            self._judge(address, nodes, names, now)

    def _judge(self, address: str, nodes: set[bytes], names: dict[Any, str], now: float) -> None:
        """Leave out an address if all who say that they serve there are accused."""
        server = self._servers.get(address)
        if server is None:
            return
        for node in nodes & names.keys():
            server.name = f"{names[node]} at {address}"
        found = [self._accusers(node, now) for node in nodes]
        if not all(found):
            self.acquit(address)
            return
        number, accusers = next(iter(found[0].items()))
        if not server.accusation:
            said = ", ".join(sorted(str(names.get(one, "one that left")) for one in accusers))
            _log.warning("%s answers otherwise than was proven, say %s", server.name, said)
        self.accuse(address, f"replica {number} answers otherwise than was proven")

    def _accusers(self, node: bytes, now: float) -> dict[int, list[Any]]:
        """Return who accuses a machine, by its replica, where they are enough."""
        if not self._needed:
            return {}
        numbers = sorted(self._numbers.get(node, ()))
        said = {number: self._accusations.accusers(number, node, now) for number in numbers}
        return {number: them for number, them in said.items() if len(them) >= self._needed}


def _addresses(rows: list[vista.ServiceRow], nodes: Collection[bytes]) -> dict[str, set[bytes]]:
    """Return where nodes say that they serve, with those that say so."""
    found: dict[str, set[bytes]] = {}
    counts: dict[bytes, int] = {}
    for row in rows:
        node, address = row.object.node, row.name.removeprefix(_DAEMON)
        if node in nodes and row.name.startswith(f"{_DAEMON}tcp:"):
            counts[node] = counts.get(node, 0) + 1
            if counts[node] <= ADDRESSES_MAX:
                found.setdefault(address, set()).add(node)
    return found


def ask_members(members: dict[bytes, vista.Id]) -> dict[bytes, dict[str, Any]]:
    """Return what the members of a pool tell, by their nodes; those who do not are not in it."""
    told = {}
    with vista.timeout(ANSWER_SECONDS):
        asked = []
        for node, id in members.items():
            # One that reads nothing has its link filled, and keeps no other one from being asked.
            with contextlib.suppress(vista.CallError):
                asked.append((node, vista.future(id, "get_status")))
        for node, answer in asked:
            if answer.exception() is None and isinstance(status := answer.result(), dict):
                told[node] = status
    return told


def _dicts(value: Any) -> list[dict[str, Any]]:
    """What a machine says may be anything."""
    return [one for one in value.values() if isinstance(one, dict)] if type(value) is dict else []


def _counts(value: Any) -> dict[int, int]:
    if type(value) is not dict:
        return {}
    return {k: v for k, v in list(value.items())[:100] if type(k) is int and type(v) is int}
