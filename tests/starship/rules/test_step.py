"""Steps: units in any order, merging, and what only the primary decides (sections 6 and 12)."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from apps.starship.errors import MergeError
from apps.starship.game.texts import read_deltas, write_deltas
from apps.starship.rules import step as rules_step
from apps.starship.rules.commands import Command
from apps.starship.rules.creating import new_game
from apps.starship.rules.encoding import Encoder, canonical, digest
from apps.starship.rules.objects import Thing
from apps.starship.rules.state import State
from apps.starship.rules.step import (
    Delta,
    Enlistment,
    Structure,
    Worker,
    advance,
    commit,
    merge,
    units_of,
)
from tests.hash_seeds import printed_under
from tests.starship.rules.alone import STUCK_STEPS, Galaxy
from tests.starship.rules.galaxy import THEME, changed, galaxy, thing


def played(steps: int, seed: int = 3) -> State:
    state = new_game(seed, THEME)
    for _ in range(steps):
        state = advance(state)
    return state


# --- the same result whoever computes it in whatever order ---------------------------------


def test_the_order_of_units_does_not_matter() -> None:
    state = played(60)
    expected = digest(advance(state))
    for attempt in range(3):
        view = state.view()
        worker, units = Worker(view, {}), units_of(view)
        random.Random(attempt).shuffle(units)
        assert digest(commit(state, [worker.compute(*unit) for unit in units])) == expected


def test_the_place_of_units_does_not_matter() -> None:
    state = played(60)
    units = units_of(state.view())
    # Each unit by a worker of its own that has never seen anything else.
    deltas = [Worker(state.view(), {}).compute(*unit) for unit in units[::7]]
    whole = Worker(state.view(), {})
    assert deltas == [whole.compute(*unit) for unit in units[::7]]


def test_the_order_of_objects_does_not_matter() -> None:
    state = played(60)
    names = list(state.objects)
    random.Random(1).shuffle(names)
    objects = {name: state.objects[name] for name in names}
    shuffled = State(
        state.seed, state.step, state.settings, state.theme, objects, state.next_id,
        state.ruins, state.names,
    )  # fmt: skip
    assert digest(advance(shuffled)) == digest(advance(state))


def test_a_delta_survives_the_way_over_the_wire() -> None:
    state = played(60)
    view = state.view()
    worker = Worker(view, {})
    deltas = [worker.compute(*unit) for unit in units_of(view)]
    received = list(read_deltas(write_deltas(deltas)))
    assert received == deltas
    assert digest(commit(state, received)) == digest(commit(state, deltas))


PROGRAM = """
from apps.starship.rules.creating import new_game
from apps.starship.rules.encoding import Encoder
from apps.starship.rules.step import advance
from apps.starship.themes import shipped_theme
state, encoder = new_game(11, shipped_theme()), Encoder()
for _ in range(60):
    state = advance(state)
print(encoder.digest(state))
"""


def test_hash_randomisation_does_not_matter() -> None:
    found = {printed_under(seed, "-c", PROGRAM) for seed in ("0", "1", "4242")}
    assert len(found) == 1


def test_a_game_gives_the_same_hash_everywhere() -> None:
    # On whatever machine and Python this runs: the figure is part of the rules.
    assert digest(played(150, seed=2026)) == GAME_2026_AFTER_150


GAME_2026_AFTER_150 = "ea52e170117f087e1e634ca79a946fdcab8ba712b248fb64a2da0d8061f11362"


def test_the_hash_by_an_encoder_that_saw_the_states_before_is_the_same() -> None:
    state, encoder = new_game(5, THEME), Encoder()
    for _ in range(40):
        state = advance(state)
        found = encoder.digest(state)
    assert found == digest(state)


def test_every_attribute_counts_for_the_hash() -> None:
    ship = thing("Lexington")
    before = digest(galaxy(ship))
    for name, value in {"captain": 7, "x": 5, "crew": 99, "cargo": 1, "power": "shields"}.items():
        assert digest(galaxy(changed(ship, **{name: value}))) != before, name


def test_no_value_of_a_state_is_a_float() -> None:
    def check(value: Any) -> None:
        assert not isinstance(value, float)
        for member in value.values() if isinstance(value, dict) else ():
            check(member)
        for member in value if isinstance(value, list) else ():
            check(member)

    for made in played(100).objects.values():
        for group in (made.meta, made.nav, made.tac, made.com):
            for name in group.names:
                check(json.loads(canonical(getattr(group, name))))


# --- merging -------------------------------------------------------------------------------


def test_a_delta_has_only_what_changed() -> None:
    state = galaxy(thing("Lexington", speed=30, want_speed=30))
    delta = Worker(state.view(), {}).compute("Lexington", "nav")
    assert delta.changes == {"y": 1_009_000}


def test_applying_a_delta_twice_is_applying_it_once() -> None:
    nav = thing("Lexington").nav
    once = nav.changed({"y": 5, "dest": "Gath"})
    assert once.changed({"y": 5, "dest": "Gath"}) == once
    assert nav.y == 1_000_000, "the old one stays as it is"


def test_two_deltas_for_one_unit_are_an_error() -> None:
    state = galaxy(thing("Lexington"))
    delta = Delta("Lexington", "nav", {"y": 5})
    with pytest.raises(MergeError, match="Lexington nav twice"):
        merge(state, [delta, delta])


@pytest.mark.parametrize(
    "delta",
    [
        Delta("Nobody", "nav", {}), Delta("Lexington", "meta", {"captain": 3}),
        Delta("Gath", "tac", {"hull": 250}),
    ],
    ids=["nobody", "meta", "wreck"],
)  # fmt: skip
def test_a_delta_for_no_unit_is_an_error(delta: Delta) -> None:
    state = galaxy(thing("Lexington"), thing("Gath", "K", dead_at=0, hull=0))
    with pytest.raises(MergeError, match="no unit"):
        merge(state, [delta])


def test_a_deferred_unit_keeps_its_values() -> None:
    state = galaxy(thing("Lexington", speed=30, want_speed=30, energy=100))
    view = state.view()
    after = commit(state, [Worker(view, {}).compute("Lexington", "tac")])
    assert after.objects["Lexington"].nav is state.objects["Lexington"].nav
    assert after.objects["Lexington"].tac.energy == 147


def test_orders_are_for_captained_ships_only() -> None:
    state = galaxy(thing("Lexington"), thing("Merlin", captain=None))
    orders = {name: [Command("speed", (30,))] for name in ("Lexington", "Merlin")}
    after = advance(state, orders)
    speeds = [after.objects[name].nav.want_speed for name in ("Lexington", "Merlin")]
    assert speeds == [30, 0]


# --- wrecks, names, reinforcements ---------------------------------------------------------


def test_a_wreck_is_there_for_four_steps() -> None:
    state = galaxy(thing("Gath", "K", dead_at=10, hull=0), step=10)
    present = []
    for _ in range(5):
        state = advance(state)
        present.append("Gath" in state.objects)
    assert present == [True, True, True, False, False]


def test_a_wreck_does_nothing() -> None:
    wreck = thing("Gath", "K", dead_at=10, hull=0, speed=30, want_speed=30, energy=5)
    state = advance(galaxy(wreck, step=10))
    assert state.objects["Gath"] == galaxy(wreck).objects["Gath"]


def test_the_name_of_a_wreck_is_free_200_steps_later() -> None:
    from apps.starship.rules.creating import is_free

    state = galaxy(thing("Gath", "K", dead_at=10, hull=0), step=13)
    state = advance(state)
    for _ in range(199):
        state = advance(state)
        assert not is_free(state, "gath")
    assert is_free(advance(state), "Gath")


def test_a_destroyed_starbase_is_rebuilt_in_its_place() -> None:
    base = thing("Aegis", kind="starbase", at=(5_000, 7_000), dead_at=10, hull=0)
    state = galaxy(base, step=13)
    steps = 0
    state = advance(state)
    assert "Aegis" not in state.objects
    while "Aegis" not in state.objects and steps < 700:
        state = advance(state)
        steps += 1
    made = state.objects["Aegis"]
    assert (state.step, made.nav.x, made.nav.y, made.tac.hull) == (610, 5_000, 7_000, 1_000)
    assert made.meta.id == 2


BASES = tuple(
    thing(name, race, "starbase", at=at)
    for name, race, at in (
        ("Aegis", "F", (250_000, 3_750_000)), ("Ironhold", "K", (3_750_000, 3_750_000)),
        ("Veil", "R", (250_000, 250_000)), ("Moneta", "O", (3_750_000, 250_000)),
    )
)  # fmt: skip


def ships(state: State, race: str) -> list[Thing]:
    return [t for t in state.objects.values() if t.kind == "starship" and t.race == race]


def test_every_twelfth_step_each_race_gets_one_ship_until_it_has_enough() -> None:
    state = galaxy(*BASES, ships=2)
    counts = []
    for _ in range(48):
        state = advance(state)
        counts.append([len(ships(state, race)) for race in "FKRO"])
    assert counts[10:12] == [[0] * 4, [1] * 4]
    assert counts[22:24] == [[1] * 4, [2] * 4]
    assert counts[-1] == [2] * 4


def test_captained_ships_do_not_count_for_reinforcements() -> None:
    state = galaxy(*BASES, thing("Lexington"), ships=1, step=11)
    assert sorted(made.meta.captain or 0 for made in ships(advance(state), "F")) == [0, 1]


def test_reinforcements_leave_room_for_captains() -> None:
    state = galaxy(*BASES, ships=10, starships_max=6, human_reserve=3, step=11)
    after = advance(state)
    assert sum(len(ships(after, race)) for race in "FKRO") == 3


def test_a_race_without_starbase_gets_its_ships_beside_a_planet() -> None:
    planet = thing("Vulcan", kind="planet", at=(100_000, 3_900_000))
    made = ships(advance(galaxy(planet, *BASES[1:], step=11)), "F")[0]
    assert (made.nav.x, made.nav.y) == (105_000, 3_900_000)


def test_a_race_without_any_place_gets_no_ships() -> None:
    assert ships(advance(galaxy(*BASES[1:], step=11)), "F") == []


# --- captains ------------------------------------------------------------------------------


def test_a_captain_gets_the_ship_he_made() -> None:
    structure = Structure(enlisted=(Enlistment("Bounty", "F", 77),))
    after = advance(galaxy(*BASES), structure=structure)
    made = after.objects["Bounty"]
    assert (made.meta.captain, made.meta.human, made.meta.created_at) == (77, True, 1)
    assert (made.nav.x, made.nav.y) == (255_000, 3_750_000)
    assert (made.tac.truce_until, made.com.next_mission_at) == (25, 6)


def test_captains_come_and_go() -> None:
    state = galaxy(thing("Lexington", captain=None))
    taken = advance(state, structure=Structure(captains=(("Lexington", 5),)))
    assert taken.objects["Lexington"].meta.captain == 5
    left = advance(taken, structure=Structure(captains=(("Lexington", None), ("Nobody", 1))))
    meta = left.objects["Lexington"].meta
    assert (meta.captain, meta.human) == (None, True), "the computer is its caretaker"


def test_emergencies_begin_and_end() -> None:
    state = played(0, seed=8)
    begun: dict[str, int] = {}
    longest = 0
    for _ in range(450):
        state = advance(state)
        for made in state.objects.values():
            since = made.com.emergency
            if since is not None:
                begun[made.name] = since
                longest = max(longest, state.step - since)
    assert begun
    assert all(step % 40 == 0 for step in begun.values())
    assert longest < 400


# --- a galaxy left alone -------------------------------------------------------------------


def test_a_galaxy_left_alone_stays_alive() -> None:
    # ``python -m tests.starship.rules.alone`` plays 5,000 steps.
    left = Galaxy(1)
    left.advance(600)
    assert left.wrong() == []


def test_a_galaxy_in_which_nobody_gives_orders_is_not_taken_for_alive(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rules_step, "decide", lambda view, thing: ())
    left = Galaxy(1)
    left.advance(STUCK_STEPS + 1)
    told = " ".join(left.wrong())
    for words in (f"stood for {STUCK_STEPS} steps", "0 ships left a fleet", "missions were done"):
        assert words in told
