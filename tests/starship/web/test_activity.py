"""What goes by the clock: who is there keeps his ship, who went away does not; the next step."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

import vista
from apps.http.content.resources import Request
from apps.starship.objects.primary import StarshipPrimary
from apps.starship.web.captaincy import COOKIE, Captain, new_captain
from apps.starship.web.setup import StarshipHTTPsetup
from tests.peers.system import PROMPT, add_node
from vista.testing import SimulatedNode, World

INTERVAL = 30.0
"""Seconds between two steps: a ship that its captain left is left with the next one."""


class StarshipDeafReceiver(vista.Object):
    """A connection that takes everything."""

    def push(self, number: int, data: bytes) -> None:
        """Take it."""

    def end_feed(self, number: int) -> None:
        """Take it."""


class Shore:
    """A game with its site in a world of its own, and who asks it without any connection."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.node: SimulatedNode = add_node(world, "home")
        self.node.call(vista.create, "URLdirectory", "localhost")
        self.setup = self.node.call(vista.create, StarshipHTTPsetup, "localhost")
        self.primary = self.node.call(vista.create, StarshipPrimary, INTERVAL, 42)
        world.pass_time(2.0)
        self.site = self.node.call(self.setup.get_site)
        self.server = self.node.call(self.setup.get_server)

    def ask(self, captain: Captain, method: str, path: str, body: Any = None) -> Any:
        """The answer to a request."""
        path, _, query = path.partition("?")
        names, values = "cookie\ncontent-type", f"{COOKIE}={captain.secret}\napplication/json"
        data = b"" if body is None else json.dumps(body).encode()
        request = Request(method, path, query, names, values, data, client="10.0.0.1")
        return self.node.call(getattr(self.site, f"{method.lower()}_request"), request)

    def enlist(self, name: str) -> Captain:
        """A captain with a ship."""
        captain = new_captain()
        assert self.ask(captain, "POST", "/starship/create", {"name": name}).status == 200
        self.world.pass_time(INTERVAL + 1.0)
        assert self.commands(name, captain)
        return captain

    def commands(self, name: str, captain: Captain) -> bool:
        """Whether somebody is in command of a ship."""
        found: int | None = self.node.call(self.server.get_captain, name)
        return found == captain.number


@pytest.fixture
def shore() -> Iterator[Shore]:
    """A game with its site."""
    with World(3) as world:
        world.network.conditions = PROMPT
        yield Shore(world)


def test_who_went_away_has_left_his_ship(shore: Shore) -> None:
    captain = shore.enlist("Bounty")
    shore.world.pass_time(50.0)
    assert shore.commands("Bounty", captain)
    shore.world.pass_time(90.0)
    assert not shore.commands("Bounty", captain)


def test_who_looks_now_and_then_keeps_his_ship(shore: Shore) -> None:
    captain = shore.enlist("Bounty")
    for _ in range(4):
        shore.world.pass_time(80.0)
        shore.ask(captain, "GET", "/starship/bridge?ship=Bounty")
    assert shore.commands("Bounty", captain)


def test_who_looks_from_outside_does_not_keep_the_ship(shore: Shore) -> None:
    captain = shore.enlist("Bounty")
    for _ in range(4):
        shore.world.pass_time(40.0)
        shore.ask(new_captain(), "GET", "/starship/bridge?ship=Bounty")
    assert not shore.commands("Bounty", captain)


def test_an_open_stream_keeps_the_ship_until_it_is_closed(shore: Shore) -> None:
    captain = shore.enlist("Bounty")
    answer = shore.ask(captain, "GET", "/starship/events?ship=Bounty")
    receiver = shore.node.call(vista.create, StarshipDeafReceiver)
    streams = answer.source.target
    shore.node.call(streams.feed_opened, answer.source.note, receiver, 1)
    shore.world.pass_time(300.0)
    assert shore.commands("Bounty", captain)
    shore.node.call(streams.feed_closed, receiver, 1)
    shore.world.pass_time(150.0)
    assert not shore.commands("Bounty", captain)


def test_a_long_interval_is_waited_for(shore: Shore) -> None:
    captain = shore.enlist("Bounty")
    names = "cookie"
    values = f"{COOKIE}={captain.secret}; starship-settings=300.1"
    request = Request("GET", "/starship/bridge", "ship=Bounty", names, values, client="10.0.0.1")
    shore.world.pass_time(30.0)
    shore.node.call(shore.site.get_request, request)
    shore.world.pass_time(600.0)
    assert shore.commands("Bounty", captain)
    shore.world.pass_time(450.0)
    assert not shore.commands("Bounty", captain)


def test_a_fourth_order_says_when_the_next_step_is(shore: Shore) -> None:
    captain = shore.enlist("Bounty")
    shore.world.pass_time(10.0)
    order = {"ship": "Bounty", "cmd": "speed", "args": ["1.0"]}
    for _ in range(3):
        shore.ask(captain, "POST", "/starship/order", order)
    found = json.loads(shore.ask(captain, "POST", "/starship/order", order).body)
    told = re.fullmatch(r"Only 3 orders per step\. Next step in (\d+) s\.", found["text"])
    assert told is not None and 15 <= int(told[1]) <= 20
