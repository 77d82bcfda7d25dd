"""What a server tells those who show the game: screens, lists, the map, past steps, watchers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

import vista
from apps.starship.objects import showing
from apps.starship.objects.primary import StarshipPrimary
from apps.starship.objects.secondary import StarshipSecondary
from tests.peers.system import PROMPT, add_node, join
from tests.starship.objects.games import add
from vista.testing import SimulatedNode, World

SEED = 42
INTERVAL = 5.0


class StepHearer(vista.Object):
    """Hears of steps."""

    def create(self) -> None:
        self.steps: list[int] = []

    def step_committed(self, step: int) -> None:
        self.steps.append(step)

    def get_steps(self) -> list[int]:
        return self.steps


class Shown:
    """A primary on one node, a server of the game on another."""

    def __init__(self, world: World, **settings: Any) -> None:
        world.network.conditions = PROMPT
        self.world = world
        self.home, self.far = (add(world, name) for name in ("home", "far"))
        join(self.far, self.home)
        settings = {"interval": INTERVAL, "seed": SEED, **settings}
        self.primary = self.home.call(lambda: vista.create(StarshipPrimary, **settings))
        self.server = self.far.call(vista.create, StarshipSecondary)
        world.pass_time(INTERVAL + 4.0)

    def ask(self, method: str, *words: Any) -> Any:
        return self.far.call(getattr(self.server, method), *words)

    def screen(self, ship: str, **look: Any) -> Any:
        [text] = self.ask("get_screens", [(ship, look)])
        return json.loads(text) if text else None

    def step(self) -> int:
        found: int = self.home.call(self.primary.get_step)
        return found


@pytest.fixture
def world() -> Iterator[World]:
    with World(4) as made:
        yield made


@pytest.fixture
def shown(world: World) -> Shown:
    return Shown(world)


def test_a_screen_of_a_ship(shown: Shown) -> None:
    screen = shown.screen("lexington", radius=100, mode="scan")
    assert screen["ship"]["full_name"] == "Federation Starship Lexington"
    assert (screen["step"], screen["srs"]["radius"]) == (shown.step(), 100)
    assert (screen["frozen"], screen["interval"], screen["warning"]) == (False, INTERVAL, "")
    assert 0 < screen["next_in"] <= INTERVAL
    assert shown.screen("nobody") is None


def test_the_time_to_the_next_step_runs_down(shown: Shown) -> None:
    first = shown.ask("get_next_in")
    shown.world.pass_time(0.5)
    later = shown.ask("get_next_in")
    assert later == pytest.approx(first - 0.5, abs=0.1) or later > first


def test_who_watches_is_told_of_each_step_once(shown: Shown) -> None:
    hearer = shown.far.call(vista.create, StepHearer)
    for _ in range(2):
        shown.ask("add_watcher", hearer)
    first = shown.step()
    shown.world.pass_time(3 * INTERVAL)
    assert shown.far.call(hearer.get_steps) == [first + 1, first + 2, first + 3]
    shown.ask("remove_watcher", hearer)
    shown.world.pass_time(INTERVAL)
    assert len(shown.far.call(hearer.get_steps)) == 3


def test_watchers_are_bounded(shown: Shown, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(showing, "WATCHERS_MAX", 1)
    shown.ask("add_watcher", shown.far.call(vista.create, StepHearer))
    with pytest.raises(vista.Overloaded, match=r"1 watchers at most"):
        shown.ask("add_watcher", shown.far.call(vista.create, StepHearer))


def test_without_its_primary_the_screen_is_frozen_and_watchers_are_told(shown: Shown) -> None:
    hearer = shown.far.call(vista.create, StepHearer)
    shown.ask("add_watcher", hearer)
    step = shown.step()
    shown.world.crash("home")
    shown.world.pass_time(3.0)
    assert shown.far.call(hearer.get_steps) == [step]
    screen = shown.screen("Lexington")
    assert (screen["frozen"], screen["step"], screen["next_in"]) == (True, step, 0.0)


def test_a_primary_that_is_deleted_freezes_the_screens_of_its_servers(shown: Shown) -> None:
    shown.home.call(vista.delete, shown.primary)
    shown.world.pass_time(1.0)
    assert shown.ask("is_frozen")


def test_captains_are_known_to_every_server(shown: Shown) -> None:
    shown.home.call(shown.primary.enlist, "Bounty", "F", 7)
    shown.world.pass_time(INTERVAL)
    assert shown.ask("get_captain", "bounty") == 7
    assert shown.ask("get_captain", "Lexington") is None
    assert shown.ask("get_captain", "nobody") is None


def test_lists_map_and_leaderboard(shown: Shown) -> None:
    lists = shown.ask("get_lists")
    assert [row["key"] for row in lists["races"]] == ["F", "K", "R", "O"]
    found = json.loads(shown.ask("get_map"))
    assert found["step"] == shown.step()
    assert "Lexington" in [thing["name"] for thing in found["things"]]
    assert "Lexington" in [row["name"] for row in json.loads(shown.ask("get_table"))]


def test_spectators_are_as_late_as_was_configured(world: World) -> None:
    shown = Shown(world, scan_delay=2)
    world.pass_time(4 * INTERVAL)
    step = shown.step()
    assert shown.screen("Lexington", mode="scan")["step"] == step - 2
    assert shown.screen("Lexington", mode="captain")["step"] == step
    assert json.loads(shown.ask("get_map"))["step"] == step - 2
    frames = json.loads(shown.ask("get_frames", 0, -1))["frames"]
    assert max(frame["t"] for frame in frames) == step - 2


def test_spectators_see_nothing_until_a_server_that_joined_has_a_state_that_is_late_enough(
    world: World,
) -> None:
    shown = Shown(world, scan_delay=4)
    waits = []
    for _ in range(12):
        seen = shown.screen("Lexington", mode="scan"), shown.ask("get_map")
        step, wait = shown.step(), shown.ask("get_scan_wait")
        waits.append(wait)
        if wait:
            assert seen == (None, "")
        else:
            assert seen[0]["step"] == json.loads(seen[1])["step"] == step - 4
        world.pass_time(INTERVAL)
    assert 0 < waits[0] <= 4 and waits[-1] == 0
    assert shown.screen("Lexington", mode="captain")["step"] == shown.step()


def test_frames_of_the_steps_since_a_server_joined(shown: Shown) -> None:
    shown.world.pass_time(3 * INTERVAL)
    frames = json.loads(shown.ask("get_frames", 0, -1))["frames"]
    steps = [frame["t"] for frame in frames]
    assert steps == list(range(steps[0], shown.step() + 1)) and len(steps) >= 3


def begin_another_game(shown: Shown) -> int:
    """Go on with a galaxy of one ship, as the next step; return the step before it."""
    before = shown.step()
    ship = {"name": "Gath", "race": "K", "kind": "starship", "x": 1_000, "y": 1_000}
    galaxy = {"seed": SEED, "step": before + 1, "objects": [ship]}
    shown.home.call(shown.primary.load_scenario, json.dumps(galaxy))
    shown.world.pass_time(2.0)
    return before


def both(shown: Shown) -> list[tuple[SimulatedNode, vista.Ref]]:
    """The server that joined and the primary's own one, with their nodes."""
    own = shown.home.call(shown.primary.get_own_server)
    return [(shown.far, shown.server), (shown.home, own)]


def test_frames_of_two_games_are_never_joined(world: World) -> None:
    shown = Shown(world, interval=0, test_hooks=1)
    for _ in range(3):
        shown.home.call(shown.primary.step)
        world.pass_time(1.0)
    before = begin_another_game(shown)
    for node, server in both(shown):
        told = json.loads(node.call(server.get_frames, 0, -1))
        assert told["kept"] == [before + 1, before + 1]
        assert [row[0] for row in told["who"].values()] == ["Gath"]


def test_spectators_who_are_late_see_nothing_of_the_game_before(world: World) -> None:
    shown = Shown(world, interval=0, test_hooks=1, scan_delay=1)
    shown.home.call(shown.primary.step)
    world.pass_time(1.0)
    assert shown.screen("Lexington", mode="scan") is not None
    begin_another_game(shown)
    for node, server in both(shown):
        assert node.call(server.get_scan_wait) == 1
        assert node.call(server.get_screens, [("Lexington", {"mode": "scan"})]) == [""]


def test_the_table_of_servers_says_who_computed_what(shown: Shown) -> None:
    shown.world.pass_time(2 * INTERVAL)
    table = json.loads(shown.ask("get_servers_table"))
    ids = [row["id"] for row in table["servers"]]
    assert [row["state"] for row in table["servers"]] == ["ready", "ready"]
    assert [row["own"] for row in table["servers"]].count(True) == 1
    assert {author for row in table["computed"].values() for author in row} == set(ids)
    assert sum(row["units"] for row in table["servers"]) == 3 * len(table["computed"])
    assert sum(row["share"] for row in table["servers"]) == pytest.approx(100)


def test_players_of_a_server_that_goes_are_sent_to_another(shown: Shown) -> None:
    assert shown.ask("get_other_url") == ""
    own = shown.home.call(shown.primary.get_own_server)
    shown.home.call(own.set_url, "http://home:4321")
    shown.ask("set_url", "http://far:4321")
    shown.world.pass_time(2 * INTERVAL)
    assert shown.ask("get_other_url") == "http://home:4321"
    assert shown.home.call(own.get_other_url) == "http://far:4321"
    hearer = shown.far.call(vista.create, StepHearer)
    shown.ask("add_watcher", hearer)
    shown.ask("system_shutdown")
    assert shown.far.call(hearer.get_steps) == [shown.step()]
    words = "This server leaves the game. Go on at http://home:4321/starshipLogin.html"
    assert shown.screen("Lexington")["warning"] == words
    assert shown.ask("is_leaving")


def test_panels_and_pages_are_drawn_for_ships_that_are_there(shown: Shown) -> None:
    found = shown.ask("get_panels", [("Lexington", {}, {}), ("nobody", {}, {})])
    assert "srs" in found[0] and found[1] == {}
    assert "Federation Starship Lexington" in shown.ask("get_bridge", "Lexington", {}, {})
    assert shown.ask("get_bridge", "nobody", {}, {}) == ""


def test_before_its_first_state_a_server_has_nothing_to_show(world: World) -> None:
    node = add_node(world, "alone")
    server = node.call(vista.create, StarshipSecondary)
    world.pass_time(1.0)
    assert node.call(server.get_screens, [("Lexington", {})]) == [""]
    assert (node.call(server.get_lists), node.call(server.get_map)) == ({}, "")
    assert node.call(server.is_frozen) and node.call(server.get_step) == -1
    assert json.loads(node.call(server.get_servers_table))["servers"] == []


def test_too_many_screens_at_once_are_refused(
    shown: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(showing, "LOOKS_MAX", 1)
    with pytest.raises(vista.BadValueError, match=r"at most 1 screens"):
        shown.ask("get_screens", [("Lexington", {})] * 2)


class OlderSecondary(StarshipSecondary, namespace="StarShip"):
    """A server that has other rules."""

    def _offer(self) -> dict[str, Any]:
        return {**super()._offer(), "version": "0-old"}


def test_a_server_with_other_rules_is_refused_with_both_versions_named(shown: Shown) -> None:
    node = add(shown.world, "older")
    join(node, shown.home)
    server = node.call(vista.create, OlderSecondary)
    shown.world.pass_time(3.0)
    version = shown.home.call(shown.primary.get_version)
    refusal = node.call(server.get_refusal)
    assert refusal == f"this server has the rules 0-old, the game is played by {version}"
    assert node.call(server.is_frozen)
    table = shown.home.call(shown.primary.get_servers_table)
    assert table["refused"] == [
        {"name": "older", "why": f"it has the rules 0-old, the game is played by {version}"}
    ]
    assert len(table["servers"]) == 2
    assert [report["kind"] for report in table["reports"]].count("refused") == 1


def test_a_server_that_says_no_version_is_refused(shown: Shown) -> None:
    hearer = shown.far.call(vista.create, StepHearer)
    primary = shown.far.call(vista.service, "StarshipPrimary")
    answer = shown.far.call(lambda: primary.register_server(hearer, vista.here()))
    assert "this server has the rules none" in answer["refused"]
