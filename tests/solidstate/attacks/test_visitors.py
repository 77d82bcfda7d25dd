"""Visitors without end: what one who only wants the room leaves to others."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import vista
from apps.solidstate.objects.classes import load_class
from apps.solidstate.objects.service import ObjectService
from tests.solidstate.objects.pool import (
    SimulatedPoolMember,
    SimulatedReplicaServer,
    make_world,
)
from tests.solidstate.web.shop import (
    SITE,
    TEMPLATES,
    Browser,
    Shop,
    SimulatedHTTPproxy,
    SimulatedHTTPsessions,
)

ROOM = 24
ONE, TWO = "server-0", "server-1"


class NarrowServer(SimulatedReplicaServer, namespace="SolidState"):
    """A replica of a group that has room for few variables."""

    def _make_service(self) -> ObjectService:
        return ObjectService(load_class, self._charter.founder, variables_max=ROOM, faults=0)


class NarrowPoolMember(SimulatedPoolMember, namespace="SolidState"):
    """The machine of such a replica."""

    server_class = NarrowServer


class PatientSessions(SimulatedHTTPsessions, namespace="SolidState"):
    """Begins sessions, and has the group look for those that are over when it has to alone."""

    retire_seconds = 100_000.0


def serve() -> None:
    """What the rc file of a server does; any number may begin sessions, as behind a front end."""
    vista.create("URLdirectory", SITE)
    vista.create("RegisterReplicaHTTPclass", SITE, "shop", "WebCart", TEMPLATES)
    proxy = SimulatedHTTPproxy.__name__
    vista.create(PatientSessions, SITE, proxy, "", "/transactions", 0)


@pytest.fixture
def shop() -> Iterator[Shop]:
    """A shop whose group has room for few."""
    with make_world(61) as world:
        members = {f"server-{number}": NarrowPoolMember for number in range(4)}
        yield Shop(world, serve=serve, members=members)


def begin(shop: Shop, server: str, client: str) -> Browser | None:
    """Somebody who begins a session; None where there is no room."""
    browser = shop.browser(client)
    if browser.ask(server, "GET", "/transactions?type=shop").status != 303:
        return None
    browser.look(server)
    return browser


def test_who_fills_the_room_with_sessions_keeps_others_out_for_minutes_and_not_for_hours(
    shop: Shop,
) -> None:
    ann = begin(shop, ONE, "ann")
    assert ann is not None
    ann.put(ONE, "tea")
    flood = [begin(shop, name, "evil") for name in (ONE, TWO) for _ in range(ROOM)]
    assert None in flood
    assert begin(shop, ONE, "ben") is None
    shop.pool.world.pass_time(200.0)
    # The one who is turned away has the group look, and the next one finds room.
    found = [begin(shop, name, f"ben-{n}") for n in range(3) for name in (ONE, TWO)]
    shop.pool.world.pass_time(1.0)
    assert any(found) or begin(shop, ONE, "ben") is not None
    ann.look(TWO)
    assert "<li>tea: 1</li>" in ann.text


def test_one_server_that_takes_all_visitors_leaves_room_for_those_of_others(shop: Shop) -> None:
    found = [begin(shop, ONE, "evil") for _ in range(ROOM)]
    assert sum(one is not None for one in found) == ROOM // 2
    assert begin(shop, TWO, "ben") is not None
