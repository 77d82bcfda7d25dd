"""Games that are saved: whatever falls when, they go on at the exact step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

import pytest

import vista
from apps.starship.objects.archive import (
    SavedState,
    StarshipArchive,
    StarshipSavedStep,
    found,
)
from apps.starship.objects.primary import StarshipPrimary
from apps.starship.objects.saving import STATE_SECONDS
from apps.starship.rules.commands import Command
from apps.starship.rules.replay import Played, write_step
from apps.starship.rules.step import Structure
from tests.persistence.simulated import Shelf, settings_of
from tests.starship.objects.games import INTERVAL, SEED, SavedGame, alone, digest, secondary
from vista.testing import World


@pytest.fixture
def world() -> Iterator[World]:
    with World(5) as made:
        yield made


def test_a_primary_that_falls_goes_on_at_the_exact_step_with_the_same_hash(world: World) -> None:
    game = SavedGame(world)
    for _ in range(2):
        game.steps(3)
        step, hash = game.step(), game.hash()
        game.fall()
        assert (game.step(), game.hash()) == (step, hash)
    game.steps(2)
    assert game.hash() == digest(alone(game.step()))


@pytest.mark.parametrize("after", [0.0, 0.001, 0.01, 0.1, 1.0, 2.5, 4.9])
def test_at_whatever_instant_it_falls(world: World, after: float) -> None:
    game = SavedGame(world)
    game.steps(2)
    step = game.step()
    world.pass_time(INTERVAL - 0.5 + after)
    heard = game.step()
    game.fall()
    # What somebody may have heard of is there; at most one step more, which nobody heard of.
    assert heard <= game.step() <= heard + 1
    assert heard >= step
    assert game.hash() == digest(alone(game.step()))


def test_nobody_hears_of_a_step_before_it_is_safe(world: World) -> None:
    game = SavedGame(world)
    game.steps(1)
    node, server = secondary(game, "far")
    world.pass_time(2 * INTERVAL)
    seen: list[tuple[int, int]] = []
    for _ in range(200):
        world.pass_time(0.05)
        safe = max(_steps_on(game), default=0)
        seen.append((node.call(server.get_step), safe))
    assert max(step for step, _ in seen) > 2
    assert all(step <= safe for step, safe in seen)


def _steps_on(game: SavedGame) -> list[int]:
    """The steps whose lines or states are on the disk, as their objects' variables say."""
    found = []
    for row in game.shelf.rows.values():
        text = row.data.decode("latin-1")
        if '"hash":"' in text or "StarshipSaved" in text:
            found += [n for n in range(200) if _has_step(row.data, n)]
    return found


def _has_step(data: bytes, step: int) -> bool:
    name = b"\xa4step"
    at = data.find(name)
    packed = bytes([step]) if step < 128 else b"\xcc" + bytes([step])
    return at >= 0 and data[at + len(name) :].startswith(packed)


def test_a_step_is_told_as_soon_as_it_is_safe_and_nothing_is_lost_meanwhile(world: World) -> None:
    game = SavedGame(world)
    node, server = secondary(game, "far")
    game.wait(lambda: [row["state"] for row in game.call("get_servers")] == ["ready"] * 2)
    game.steps(1)
    for _ in range(4):
        game.steps(1)
        world.pass_time(1.0)
        assert node.call(server.get_step) == game.step()
    assert [(row["late"], row["lost"]) for row in game.call("get_servers")] == [(0, 0)] * 2
    assert "silent" not in repr(game.call("get_servers"))


def test_captains_keep_their_ships_and_servers_come_back(world: World) -> None:
    game = SavedGame(world)
    node, server = secondary(game, "far")
    assert game.call("enlist", "Bounty", "F", 7)[0]
    game.steps(2)
    game.fall()
    assert game.call("order", "Bounty", 7, "k", "course", ["90"])[0]
    game.steps(1)
    assert game.things()["Bounty"]["nav"]["want_heading"] == 900
    game.wait(lambda: [row["state"] for row in game.call("get_servers")] == ["ready"] * 2)
    game.wait(lambda: node.call(server.get_step) == game.step())
    assert node.call(server.get_hash) == game.hash()


@pytest.mark.parametrize("as_state", [False, True], ids=["in a line", "in a state"])
def test_an_order_that_is_sent_again_after_a_fall_is_answered_alike_and_admitted_once(
    world: World, as_state: bool
) -> None:
    game = SavedGame(world)
    assert game.call("enlist", "Bounty", "F", 7)[0]
    game.steps(1)
    first = game.call("order", "Bounty", 7, "k", "speed", ["3"])
    game.steps(1)
    if as_state:
        game.call("save_state")
    game.fall()
    assert first[0]
    assert game.call("order", "Bounty", 7, "k", "speed", ["3"]) == first
    assert game.call("get_orders", "Bounty")[1] == []


def test_an_order_whose_step_was_not_made_before_a_fall_is_admitted_for_another(
    world: World,
) -> None:
    game = SavedGame(world)
    assert game.call("enlist", "Bounty", "F", 7)[0]
    game.steps(1)
    assert game.call("order", "Bounty", 7, "k", "course", ["90"])[0]
    game.call("save_state")
    game.fall()
    game.call("order", "Bounty", 7, "k", "course", ["90"])
    assert len(game.call("get_orders", "Bounty")[1]) == 1


@pytest.mark.parametrize("as_state", [False, True], ids=["in a line", "in a state"])
def test_the_orders_of_a_deferred_unit_are_not_lost_in_a_fall(world: World, as_state: bool) -> None:
    game = SavedGame(world)
    assert game.call("enlist", "Bounty", "F", 7)[0]
    game.steps(1)
    orders = {"Bounty": (Command("course", (900,)),)}
    line = write_step(Played(orders, (("Bounty", "nav"),), Structure(), "another"))
    game.node.call(_archive(game).write_step, game.step() + 1, line, game.primary)
    game.fall()
    if as_state:
        game.call("save_state")
        game.fall()
    game.steps(1)
    assert game.things()["Bounty"]["nav"]["want_heading"] == 900


def _archive(game: SavedGame) -> vista.Ref:
    rows = game.node.call(vista.objects)
    id = next(row.id for row in rows if row.class_name.endswith("StarshipArchive"))
    found: vista.Ref = game.node.call(vista.ref_of, id)
    return found


def test_the_epoch_counts_the_lives(world: World) -> None:
    game = SavedGame(world)
    for life in range(3):
        assert game.call("get_epoch") == life
        game.fall()


def test_states_are_written_now_and_then_and_lines_are_deleted(world: World) -> None:
    game = SavedGame(world, interval=0.5)
    game.steps(70)
    rows = game.node.call(vista.objects)
    lines = [row for row in rows if row.class_name.endswith("StarshipSavedStep")]
    assert 5 <= len(lines) <= 15
    step, hash = game.step(), game.hash()
    game.fall()
    assert (game.step(), game.hash()) == (step, hash)


def test_a_full_disk_stops_no_game_and_is_told(world: World) -> None:
    game = SavedGame(world)
    game.steps(1)
    game.shelf.full = True
    game.steps(3)
    assert "full" in game.call("get_servers_table")["saving"]
    game.shelf.full = False
    game.steps(3)
    table = game.call("get_servers_table")
    assert table["saving"] == ""
    kinds = [report["kind"] for report in table["reports"]]
    assert [kind for kind in kinds if "saved" in kind] == ["saved", "unsaved"]
    step, hash = game.step(), game.hash()
    assert hash == digest(alone(step))
    game.fall()
    assert (game.step(), game.hash()) == (step, hash)


def test_lines_stay_until_a_state_that_has_them_in_it_is_safe(world: World) -> None:
    game = SavedGame(world)
    game.steps(3)
    rows = game.shelf.rows.items()
    game.shelf.refused = {key for key, row in rows if b'"next_id"' in row.data}
    assert len(game.shelf.refused) == 1
    game.call("save_state")
    assert game.call("get_servers_table")["saving"]
    world.pass_time(1.0)
    step, hash = game.step(), game.hash()
    game.fall()
    assert (game.step(), game.hash()) == (step, hash)


def test_a_fall_while_the_disk_is_full_loses_what_could_not_be_saved(world: World) -> None:
    game = SavedGame(world)
    game.steps(2)
    safe = game.step()
    game.shelf.full = True
    game.steps(2)
    game.shelf.full = False
    game.fall()
    assert game.step() >= safe
    assert game.hash() == digest(alone(game.step()))


class MuteArchive(vista.Object):
    """A store that has hung."""

    def write_step(self, step: int, line: str, primary: vista.Ref, promised: str) -> None:
        """Never answer."""

    def write_state(self, step: int, hash: str, text: str, promised: str) -> str:
        """Answer when nobody waits any longer."""
        vista.sleep(1_000.0)
        return "too late"


class HangingPrimary(StarshipPrimary, namespace="StarShip"):
    """A primary whose store may be taken away."""

    def hang(self) -> None:
        """Have a store that hangs."""
        self._kept, self._archive = self._archive, vista.create(MuteArchive)

    def go_on(self) -> None:
        """Have the store back."""
        self._archive = self._kept


def test_a_store_that_hangs_is_waited_for_once_and_used_when_it_is_back(world: World) -> None:
    node = world.node("home", settings=settings_of(Shelf(), "home"))
    node.call(vista.create, "PersistenceService")
    primary = node.call(vista.create, HangingPrimary, INTERVAL, SEED)
    world.pass_time(2 * INTERVAL)
    node.call(primary.hang)
    before = node.call(primary.get_step)
    world.pass_time(12 * INTERVAL)
    assert node.call(primary.get_step) >= before + 10
    assert "the store has not answered for" in node.call(primary.get_servers_table)["saving"]
    node.call(primary.go_on)
    # The state that it never answered for is waited for no longer than another would take.
    world.pass_time(STATE_SECONDS + 2 * INTERVAL)
    assert node.call(primary.get_servers_table)["saving"] == ""


def test_another_seed_begins_another_game(world: World) -> None:
    game = SavedGame(world)
    game.steps(2)
    game.fall(seed=SEED + 1)
    assert game.step() == 0
    game.steps(1)
    assert game.hash() == digest(alone(game.step(), SEED + 1))
    game.fall()
    assert game.step() >= 1


def test_a_new_game_in_the_place_of_the_old_one(world: World) -> None:
    game = SavedGame(world)
    game.steps(2)
    game.fall(new_game=True)
    assert game.step() == 0


def test_a_new_game_that_cannot_be_saved_leaves_the_old_one_whole(world: World) -> None:
    game = SavedGame(world)
    game.steps(2)
    step, hash = game.step(), game.hash()
    game.node.call(vista.delete, game.primary)
    # Too little room for a whole state, and enough for all else.
    rows = game.shelf.rows.items()
    game.shelf.refused = {key for key, row in rows if b'"next_id"' in row.data}
    with pytest.raises(vista.StoreError, match=r"is full; the one that was saved before is untou"):
        game.node.call(lambda: vista.create(StarshipPrimary, INTERVAL, SEED, new_game=True))
    # What could not be stored is tried again by the node: it must not be the new game then.
    game.shelf.refused = set()
    game.node.call(lambda: vista.create(StarshipPrimary, INTERVAL, SEED))
    assert (game.step(), game.hash()) == (step, hash)
    game.fall()
    assert game.step() >= step
    assert game.hash() == digest(alone(game.step()))


def test_lines_of_the_game_before_are_none_of_a_new_one(world: World) -> None:
    game = SavedGame(world)
    line = write_step(Played({}, (), Structure(), "another"))
    # As if the machine had fallen after the state was safe, and before they were forgotten.
    words = (StarshipSavedStep, "StarShip", 1, line, "", 0)
    game.node.call(vista.create, *words)
    game.fall()
    assert game.step() == 0


def test_what_was_admitted_before_a_polite_end_takes_effect_after_it(world: World) -> None:
    game = SavedGame(world)
    assert game.call("enlist", "Bounty", "F", 7)[0]
    game.steps(1)
    first = game.call("order", "Bounty", 7, "k", "course", ["90"])
    assert game.call("enlist", "Gallant", "F", 8)[0]
    game.call("system_shutdown")
    game.fall()
    assert game.call("order", "Bounty", 7, "k", "course", ["90"]) == first
    assert len(game.call("get_orders", "Bounty")[1]) == 1
    game.fall()
    game.steps(1)
    assert game.things()["Bounty"]["nav"]["want_heading"] == 900
    assert "Gallant" in game.things()
    game.fall()
    assert game.call("get_orders", "Bounty")[1] == []


def test_what_is_asked_while_the_game_is_stopped_is_refused_and_not_lost(world: World) -> None:
    game = SavedGame(world)
    assert game.call("enlist", "Bounty", "F", 7)[0]
    game.steps(1)
    game.call("system_shutdown")
    assert game.call("order", "Bounty", 7, "k", "course", ["90"])[:2] == (False, "E_LINK")
    assert game.call("enlist", "Gallant", "F", 8)[:2] == (False, "E_LINK")
    assert game.call("take", "Lexington", 9)[:2] == (False, "E_LINK")


class WaitingArchive(StarshipArchive, namespace="StarShip"):
    """An archive whose store takes long for some states, and then fails."""

    slow: Mapping[int, float] = MappingProxyType({})
    failing: frozenset[int] = frozenset()

    def set_slow(self, slow: dict[int, float], failing: set[int]) -> None:
        """Have states of steps take seconds, and those of some steps fail after them."""
        self.slow, self.failing = slow, frozenset(failing)

    def _keep(self, state: SavedState) -> None:
        super()._keep(state)
        vista.sleep(self.slow.get(state.step, 0.0))
        if state.step in self.failing:
            raise vista.StoreError("the disk is gone")


@pytest.mark.parametrize(
    ("slow", "failing", "stays", "lines"),
    [
        ({10: 60.0}, {10}, 20, [30]),
        ({10: 60.0, 20: 90.0}, {10, 20}, 0, [5, 15, 30]),
        ({10: 60.0, 20: 1.0}, {20}, 0, [5, 15, 30]),
        ({10: 60.0}, set(), 20, [30]),
    ],
    ids=["the first fails", "both fail", "the second fails", "none fails"],
)
def test_a_state_that_is_given_up_does_not_take_the_place_of_the_next(
    world: World, slow: dict[int, float], failing: set[int], stays: int, lines: list[int]
) -> None:
    node = world.node("home", settings=settings_of(Shelf(), "home"))
    node.call(vista.create, "PersistenceService")
    archive = node.call(vista.create, WaitingArchive, "one")
    node.call(archive.open)
    assert node.call(archive.write_state, 0, "h", "s", "", True) == ""
    for step in (5, 15, 30):
        node.call(archive.write_step, step, "line", archive)
    node.call(archive.set_slow, slow, failing)
    for step in (10, 20):
        node.call(lambda step=step: vista.future(archive, "write_state", step, "h", "s"))
        world.pass_time(40.0)
    world.pass_time(100.0)
    kept = [node.call(ref.get_state_saved)[1] for ref in node.call(found, "StarshipSavedState")]
    steps = [node.call(ref.get_step_saved)[1] for ref in node.call(found, "StarshipSavedStep")]
    assert (kept, sorted(steps)) == ([stays], lines)


def test_each_state_that_cannot_be_stored_is_answered_with_what_is_against_it(world: World) -> None:
    shelf = Shelf()
    node = world.node("home", settings=settings_of(shelf, "home"))
    node.call(vista.create, "PersistenceService")
    archive = node.call(vista.create, StarshipArchive, "one")
    node.call(archive.open)
    assert node.call(archive.write_state, 0, "h", "s", "", True) == ""
    shelf.full = True
    for step in (1, 2):
        assert "is full" in node.call(archive.write_state, step, "h", "s")
    shelf.full = False
    assert node.call(archive.write_state, 3, "h", "s") == ""


def test_two_games_of_one_node_do_not_mix(world: World) -> None:
    game = SavedGame(world, save_as="one")
    game.steps(3)
    step, hash = game.step(), game.hash()
    game.fall(save_as="other", seed=7)
    assert game.step() == 0
    game.steps(1)
    game.fall(save_as="one", seed=SEED)
    assert (game.step(), game.hash()) == (step, hash)


def test_a_galaxy_of_another_size_is_refused(world: World) -> None:
    game = SavedGame(world)
    game.steps(1)
    game.node.call(vista.delete, game.primary)
    with pytest.raises(vista.BadValueError, match=r"another size; write new_game=yes"):
        game.node.call(lambda: vista.create(StarshipPrimary, INTERVAL, SEED, galaxy="large"))


def test_settings_that_somebody_changed_hold_from_the_step_on(world: World) -> None:
    game = SavedGame(world)
    game.steps(2)
    game.fall(commands_per_step=1)
    assert game.call("enlist", "Bounty", "F", 7)[0]
    game.steps(1)
    assert game.call("order", "Bounty", 7, "", "course", ["90"])[0]
    assert game.call("order", "Bounty", 7, "", "course", ["91"])[1] == "E_LIMIT"


def test_without_a_store_a_name_for_the_game_is_refused(world: World) -> None:
    node = world.node("bare")
    with pytest.raises(vista.BadValueError, match=r"save_as=x needs a line PersistenceService"):
        node.call(lambda: vista.create(StarshipPrimary, save_as="x"))


def test_a_game_may_be_left_unsaved(world: World) -> None:
    game = SavedGame(world, save_as="none")
    game.steps(2)
    game.fall()
    assert game.step() == 0
