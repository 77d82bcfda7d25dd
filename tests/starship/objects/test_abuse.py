"""What operators, peers and chance do to a primary at the wrong moment: the game outlives it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

import vista
from apps.starship.game.conductor import Conductor
from apps.starship.game.events import Committed
from apps.starship.objects.captains import Activity
from apps.starship.objects.primary import StarshipPrimary
from apps.starship.objects.saving import GameKeeping
from apps.starship.objects.secondary import StarshipSecondary
from apps.starship.objects.tables import Ledger
from apps.starship.rules.creating import new_game
from apps.starship.rules.reading import read_state
from apps.starship.rules.step import NO_STRUCTURE
from tests.peers.system import PROMPT, join
from tests.starship.objects.games import INTERVAL, SEED, SavedGame, add
from tests.starship.rules.galaxy import THEME
from vista.testing import World

ME = 7


@pytest.fixture
def world() -> Iterator[World]:
    with World(11) as made:
        made.network.conditions = PROMPT
        yield made


# --- a second primary ----------------------------------------------------------------------


@pytest.mark.parametrize("settings", [{"seed": SEED + 1}, {"new_game": True}], ids=["seed", "new"])
def test_a_second_primary_on_the_node_leaves_the_saved_game_alone(
    world: World, settings: dict[str, Any]
) -> None:
    game = SavedGame(world)
    game.steps(2)
    with pytest.raises(vista.ServiceTaken, match=r"has a game already.*delete it first"):
        game.node.call(lambda: vista.create(StarshipPrimary, INTERVAL, **settings))
    game.steps(1)
    step, hash = game.step(), game.hash()
    game.fall()
    assert (game.step(), game.hash()) == (step, hash)


def test_a_primary_that_is_deleted_takes_its_objects_along(world: World) -> None:
    game = SavedGame(world)
    game.steps(1)
    game.node.call(vista.delete, game.primary)
    world.pass_time(1.0)
    kinds = {row.class_name.rpartition(".")[2] for row in game.node.call(vista.objects)}
    assert kinds.isdisjoint({"Starship", "Starbase", "Planet", "StarshipSecondary"})


# --- captains ------------------------------------------------------------------------------


@pytest.mark.parametrize("captain", ["seven", True, 7.5, -1, 0, 2**62, None], ids=repr)
def test_what_is_no_captain_gets_no_ship_and_spoils_no_saved_game(
    world: World, captain: Any
) -> None:
    game = SavedGame(world)
    computers = next(n for n, t in game.things().items() if t["meta"]["kind"] == "starship")
    assert game.call("enlist", "Bounty", "F", captain)[:2] == (False, "E_ARG")
    assert game.call("take", computers, captain)[:2] == (False, "E_ARG")
    assert game.call("leave", computers, captain) is False
    assert game.call("order", computers, captain, "k", "course", ["1"])[0] is False
    game.steps(1)
    step, hash = game.step(), game.hash()
    game.fall()
    assert (game.step(), game.hash()) == (step, hash)


def test_nobody_holds_a_ship_for_ever_by_the_interval_of_his_pages() -> None:
    activity = Activity(30.0)
    activity.hear(ME, 0.0, 1e300)
    assert activity.count(1_799.0) == 1
    assert activity.count(1_801.0) == 0


# --- states that are written ---------------------------------------------------------------


class ArchiveInTheMidst(vista.Object, namespace="StarShip"):
    """An archive to whose primary something happens while a state is written."""

    def create(self, keeper: vista.Ref, happens: str) -> None:
        """Begin without states."""
        self.keeper, self.happens = keeper, happens
        self.written: list[tuple[int, int]] = []

    def write_state(self, step: int, hash: str, text: str, promised: str) -> str:
        """Have it happen."""
        if self.happens:
            vista.send(self.keeper, self.happens)
        self.written.append((step, read_state(text, THEME).step))
        return ""

    def get_written(self) -> list[tuple[int, int]]:
        """Return the steps that were said and those of the states."""
        return self.written


class KeeperAlone(GameKeeping, vista.Object, namespace="StarShip"):
    """The part of a primary that keeps a game, without the rest."""

    def create(self, happens: str) -> None:
        """Begin with a state."""
        self._begin_keeping(vista.self_ref(self), "KeeperAlone")
        self._conductor = Conductor(new_game(SEED, THEME), 5.0, 0.0)
        self._clock = lambda: 0.0
        self._ledger = Ledger()
        self._go_on = lambda done: None
        self._archive = vista.create(ArchiveInTheMidst, vista.self_ref(self), happens)

    def go_on(self) -> Committed:
        """Have another state."""
        conductor = self._conductor
        conductor.state = replace(conductor.state, step=conductor.state.step + 1)
        return Committed(conductor.state, {}, (), NO_STRUCTURE, conductor.hash)

    def fail_step(self) -> None:
        """Have the line of the next step fail."""
        done = self._held = self.go_on()
        self.step_saved(done.state.step, "the disk is full")

    def save_two(self) -> list[tuple[int, int]]:
        """Have two states written at once, one of them older."""
        first = vista.future(self._me, "save_state")
        vista.sleep(0)
        self.go_on()
        second = vista.future(self._me, "save_state")
        first.result()
        second.result()
        assert self._archive is not None, "made by create"
        found: list[tuple[int, int]] = self._archive.get_written()
        return found

    def get_trouble(self) -> str:
        """Return what is wrong with the saving."""
        return self.trouble


def test_a_line_that_fails_while_a_state_is_written_is_not_forgotten(world: World) -> None:
    node = world.node("home")
    keeper = node.call(vista.create, KeeperAlone, "fail_step")
    node.call(keeper.save_state)
    assert node.call(keeper.get_trouble) == "the disk is full"


def test_states_are_written_one_after_another_and_each_under_its_own_step(world: World) -> None:
    node = world.node("home")
    keeper = node.call(vista.create, KeeperAlone, "")
    assert node.call(keeper.save_two) == [(0, 0), (1, 1)]


# --- servers -------------------------------------------------------------------------------


class TardySecondary(StarshipSecondary, namespace="StarShip"):
    """A server that sends what it had of a step that is over, of an object that is gone."""

    def work(self) -> None:
        """Work, and send that too."""
        assert self._primary is not None, "it has work"
        super().work()
        self._primary.server_sent.post(self._ticket, 0, self.get_step(), '[["tac","Nobody",{}]]')


def test_results_that_are_too_late_are_no_fault(world: World) -> None:
    home, far = add(world, "home"), add(world, "far")
    join(far, home)
    primary = home.call(vista.create, StarshipPrimary, INTERVAL, SEED)
    far.call(vista.create, TardySecondary)
    world.pass_time(5 * INTERVAL)
    rows = home.call(primary.get_servers)
    assert [(row["state"], row["faults"]) for row in rows] == [("ready", 0)] * 2
    assert sum(row["late"] for row in rows) > 0


class HungArchive(vista.Object):
    """A store that has hung."""

    def write_step(self, step: int, line: str, primary: vista.Ref, promised: str) -> None:
        """Never answer."""


class WeighedPrimary(StarshipPrimary, namespace="StarShip"):
    """A primary that says how much waits while a step is saved."""

    def hang(self, behind: float) -> None:
        """Have a store that hangs; with ``behind`` a game that is so many seconds late."""
        self._archive = vista.create(HungArchive)
        self._conductor._due -= behind

    def weigh(self) -> int:
        """Return the characters of what waits."""
        return sum(len(repr(event)) for event in self._events)


class TalkativeSecondary(StarshipSecondary, namespace="StarShip"):
    """A server that sends a great deal when nobody asked for it."""

    def talk(self) -> None:
        """Send results without end, and a hash that never ends."""
        assert self._primary is not None, "it is in the game"
        rows = ",".join('["com","Aegis",{"stock":5}]' for _ in range(1_000))
        for step in (0, 1, 2, 1_000):
            self._primary.server_sent.post(self._ticket, 0, step, f"[{rows}]")
        self._primary.server_ready.post(self._ticket, 0, 1, "x" * 1_000_000)


@pytest.mark.parametrize("behind", [0.0, 1_000.0], ids=["in time", "late"])
def test_what_servers_send_while_a_step_is_saved_takes_no_room(world: World, behind: float) -> None:
    home, far = add(world, "home"), add(world, "far")
    join(far, home)
    primary = home.call(vista.create, WeighedPrimary, INTERVAL, SEED)
    server = far.call(vista.create, TalkativeSecondary)
    world.pass_time(1.0)
    home.call(primary.hang, behind)
    world.pass_time(INTERVAL)
    for _ in range(3):
        far.call(server.talk)
    world.pass_time(1.0)
    # A step of two servers has other messages that wait as well.
    assert 0 < home.call(primary.weigh) < 10_000
    world.pass_time(2 * INTERVAL)
    assert sum(row["late"] for row in home.call(primary.get_servers)) >= 12_000


def test_a_server_without_a_primary_has_one_timer_however_many_peers_come(world: World) -> None:
    node = world.node("far")
    server = node.call(vista.create, StarshipSecondary)
    for _ in range(20):
        node.call(server.peer_registered, None)
    timers = [row for row in node.call(vista.objects) if row.class_name.endswith("TimerEvent")]
    # One to look for the primary, one to ask whether the server is still in the game.
    assert len(timers) == 2
