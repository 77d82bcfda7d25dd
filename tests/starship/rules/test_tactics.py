"""TAC: fire, hits, energy, shields, repair, docks, death (design, sections 6.2, 7 and 8)."""

from __future__ import annotations

from typing import Any

import pytest

from apps.starship.rules.commands import Command
from apps.starship.rules.objects import Shot, Tac, Thing
from apps.starship.rules.state import State
from apps.starship.rules.step import Worker, advance, commit, units_of
from tests.starship.rules.galaxy import aimed, changed, galaxy, thing, weapon

HERE = (1_000_000, 1_000_000)
AHEAD = (1_000_000, 1_050_000)


def after(ship: Thing, *orders: Command, others: tuple[Thing, ...] = (), step: int = 0) -> Tac:
    return advance(galaxy(ship, *others, step=step), {ship.name: orders}).objects[ship.name].tac


def tac_keys(ship: Thing) -> list[str]:
    return [record.key for record in ship.tac.log]


def struck(ship: Thing, *shots: Shot, step: int = 9, others: tuple[Thing, ...] = ()) -> Thing:
    """Return a ship after the step in which shots of Gath, far away, strike it."""
    gath = thing("Gath", "K", at=(3_000_000, 3_000_000), shots=shots)
    return advance(galaxy(ship, gath, *others, step=step)).objects[ship.name]


def hit(damage: int, back: int = 0, step: int = 9, weapon_id: str = "D1") -> Shot:
    return Shot(step, weapon_id, "Lexington", damage, back)


LEXINGTON = thing("Lexington")


# --- fire ----------------------------------------------------------------------------------


def fired(ship: Thing, *orders: Command, foe: tuple[int, int] = AHEAD, **foes: Any) -> Thing:
    state = galaxy(aimed(ship, "Gath"), thing("Gath", "K", at=foe, **foes))
    return advance(state, {ship.name: orders}).objects[ship.name]


def test_a_shot_is_in_the_ledger_with_its_damage_and_the_way_back() -> None:
    ship = fired(LEXINGTON, Command("fire", ("P1",)))
    assert ship.tac.shots == (Shot(1, "P1", "Gath", 15, 1_800),)
    assert tac_keys(ship) == ["shot_hit"]
    assert weapon(ship, "P1").ready_at == 3


def test_a_miss_costs_as_much_as_a_hit() -> None:
    # The roll of seed 42 in step 100 is 43, which misses at 200 units and speed 6.0.
    ship = aimed(LEXINGTON, "Gath")
    foe = thing("Gath", "K", at=(1_000_000, 1_200_000), speed=60)
    state = galaxy(ship, foe, step=99)
    left = advance(state, {"Lexington": [Command("fire", ("T1",))]}).objects["Lexington"]
    assert left.tac.shots[0].damage == 0
    assert left.tac.ammo == 11
    assert "shot_miss" in tac_keys(left)


@pytest.mark.parametrize(
    ("changes", "foe", "key"),
    [
        ({}, (1_000_000, 1_150_001), "no_range"),
        ({"heading": 1_800, "want_heading": 1_800}, AHEAD, "no_arc"),
        ({"energy": 19}, AHEAD, "no_energy"),
    ],
)
def test_a_shot_that_cannot_be_fired_changes_nothing_else(
    changes: dict[str, Any], foe: tuple[int, int], key: str
) -> None:
    ship = fired(changed(LEXINGTON, **changes), Command("fire", ("P1",)), foe=foe)
    assert tac_keys(ship) == [key]
    assert ship.tac.shots == ()
    assert weapon(ship, "P1").ready_at == 0


def test_a_torpedo_needs_one() -> None:
    ship = fired(changed(LEXINGTON, ammo=0), Command("fire", ("T1",)))
    assert tac_keys(ship) == ["no_ammo"]


@pytest.mark.parametrize(("angle", "keys"), [(1_200, ["shot_hit"]), (1_201, ["no_arc"])])
def test_the_edge_of_an_arc(angle: int, keys: list[str]) -> None:
    heading = -angle % 3_600  # the target, due north, lies at `angle` to starboard
    ship = changed(LEXINGTON, heading=heading, want_heading=heading)
    assert tac_keys(fired(ship, Command("fire", ("P1",)))) == keys


def test_a_shot_ends_the_truce() -> None:
    assert LEXINGTON.tac.truce_until == 24
    assert fired(LEXINGTON, Command("fire", ("P1",))).tac.truce_until == 0
    assert fired(LEXINGTON).tac.truce_until == 24


def test_power_ordered_before_a_shot_counts_for_it() -> None:
    power, fire = Command("power", ("weapons",)), Command("fire", ("P1",))
    assert fired(LEXINGTON, power, fire).tac.shots[0].damage == 16
    assert fired(LEXINGTON, fire, power).tac.shots[0].damage == 15


def test_each_weapon_has_a_target_of_its_own() -> None:
    state = galaxy(
        LEXINGTON, thing("Gath", "K", at=AHEAD), thing("Vorn", "K", at=(1_000_000, 950_000))
    )
    orders = [Command("lock", ("all", "Gath")), Command("lock", ("P2", "Vorn"))]
    ship = advance(state, {"Lexington": orders}).objects["Lexington"]
    assert [weapon(ship, name).lock for name in ("P1", "P2", "T1")] == ["Gath", "Vorn", "Gath"]


def test_locks_on_what_is_destroyed_are_released() -> None:
    wreck = thing("Gath", "K", at=AHEAD, dead_at=0, hull=0)
    ship = advance(galaxy(aimed(LEXINGTON, "Gath"), wreck)).objects["Lexington"]
    assert [made.lock for made in ship.tac.weapons] == [None] * 4
    assert tac_keys(ship) == ["lock_lost"]


def test_two_ships_can_destroy_each_other() -> None:
    one = aimed(changed(LEXINGTON, hull=1), "Gath")
    two = aimed(thing("Gath", "K", at=AHEAD, hull=1, heading=1_800, want_heading=1_800),
                "Lexington")  # fmt: skip
    orders = {"Lexington": [Command("fire", ("P1",))], "Gath": [Command("fire", ("D1",))]}
    state = advance(advance(galaxy(one, two), orders))
    dead = {name: made.tac.killer for name, made in state.objects.items()}
    assert dead == {"Lexington": "Gath", "Gath": "Lexington"}


# --- hits ----------------------------------------------------------------------------------


def test_a_shot_strikes_one_step_after_it_was_fired() -> None:
    state = galaxy(aimed(LEXINGTON, "Gath"), thing("Gath", "K", at=AHEAD))
    first = advance(state, {"Lexington": [Command("fire", ("P1",))]})
    assert first.objects["Gath"].tac.hull == 250
    second = advance(first)
    assert second.objects["Gath"].tac.hull == 235
    assert advance(second).objects["Gath"].tac.hull == 235


def test_a_shot_strikes_once_though_the_unit_was_deferred() -> None:
    ship = changed(LEXINGTON, repair_first=None)
    gath = thing("Gath", "K", at=(3_000_000, 3_000_000), shots=(hit(20),))
    state = galaxy(ship, gath, step=9)
    for deferred in (True, True, False, False):
        view = state.view()
        worker = Worker(view, {})
        left_out = ("Lexington", "tac")
        units = [unit for unit in units_of(view) if not (deferred and unit == left_out)]
        state = commit(state, [worker.compute(*unit) for unit in units])
    tac = state.objects["Lexington"].tac
    assert (tac.hull, tac.last_hit) == (230, 12)


def test_a_shot_is_forgotten_when_all_could_read_it() -> None:
    old, kept = Shot(1, "P1", "Gath", 5, 0), Shot(2, "P2", "Gath", 5, 0)
    ship = changed(LEXINGTON, shots=(old, kept))
    assert after(ship, step=9).shots == (kept,)


def test_raised_shields_take_the_hit() -> None:
    tac = struck(changed(LEXINGTON, shields_up=True), hit(45, back=600)).tac
    # Struck facings do not recharge in that step: the one in the middle is the one struck.
    assert tac.shields == (99, 63, 99, 100, 100, 100)
    assert tac.hull == 250


def test_a_struck_facing_does_not_recharge_and_its_neighbours_do() -> None:
    tac = struck(changed(LEXINGTON, shields_up=True, shields=(50,) * 6), hit(20)).tac
    assert tac.shields == (34, 51, 53, 53, 53, 51)


def test_lowered_shields_take_nothing() -> None:
    tac = struck(LEXINGTON, hit(8)).tac
    assert (tac.hull, tac.shields) == (242, (100,) * 6)


def test_the_heading_of_the_old_state_decides_which_shield_is_struck() -> None:
    ship = changed(LEXINGTON, shields_up=True, want_heading=900)
    tac = struck(ship, hit(20, back=0)).tac
    assert tac.shields[0] == 84


def test_shields_that_are_ordered_up_do_not_stop_the_first_volley() -> None:
    gath = thing("Gath", "K", at=(3_000_000, 3_000_000), shots=(hit(20),))
    state = galaxy(LEXINGTON, gath, step=9)
    tac = advance(state, {"Lexington": [Command("shields", ("up",))]}).objects["Lexington"].tac
    assert (tac.hull, tac.shields_up) == (230, True)


def test_shields_that_are_ordered_down_are_down_at_once() -> None:
    gath = thing("Gath", "K", at=(3_000_000, 3_000_000), shots=(hit(20),))
    state = galaxy(changed(LEXINGTON, shields_up=True), gath, step=9)
    tac = advance(state, {"Lexington": [Command("shields", ("down",))]}).objects["Lexington"].tac
    assert (tac.hull, tac.shields_up) == (230, False)


def test_a_miss_is_an_attack_without_damage() -> None:
    tac = struck(LEXINGTON, hit(0)).tac
    assert (tac.last_hit, tac.attackers, tac.damage_from) == (10, {"Gath": 10}, {})
    assert tac.log == ()


def test_a_hit_is_remembered_with_its_shooter() -> None:
    ship = struck(changed(LEXINGTON, damage_from={"Gath": (30, 4)}), hit(20))
    assert ship.tac.damage_from == {"Gath": (50, 10)}
    assert ship.tac.attackers == {"Gath": 10}
    assert dict(ship.tac.log[0].params) == {
        "name": "Gath", "weapon": "D1", "damage": 20, "facing": 0, "lost": 20, "hull": 230,
    }  # fmt: skip


def test_attackers_are_forgotten_after_ten_steps() -> None:
    ship = changed(LEXINGTON, attackers={"Gath": 9, "Vorn": 10})
    assert after(ship, step=19).attackers == {"Vorn": 10}


def test_the_oldest_of_thirteen_who_damaged_a_ship_is_forgotten() -> None:
    ledger = {f"Ship{number:02}": (1, number) for number in range(12)}
    tac = struck(changed(LEXINGTON, damage_from=ledger), hit(20)).tac
    assert sorted(tac.damage_from) == ["Gath", *(f"Ship{number:02}" for number in range(1, 12))]


def test_penetration_wounds_crew_and_systems() -> None:
    tac = struck(LEXINGTON, hit(40)).tac
    assert tac.crew == 95
    healths = [*tac.systems, *(made.health for made in tac.weapons)]
    assert sum(100 - health for health in healths) > 0


def test_one_of_the_crew_survives() -> None:
    assert struck(changed(LEXINGTON, crew=3, hull=250), hit(100)).tac.crew == 1


def test_the_shot_that_takes_the_hull_below_zero_kills() -> None:
    vorn = thing("Vorn", "K", at=(3_100_000, 3_000_000), shots=(hit(30, weapon_id="D2"),))
    ship = struck(changed(LEXINGTON, hull=40), hit(20), others=(vorn,))
    assert (ship.tac.dead_at, ship.tac.killer) == (10, "Vorn")


def test_a_dead_ship_is_not_mended_in_the_step_it_dies() -> None:
    base = thing("Aegis", kind="starbase", at=(1_005_000, 1_000_000))
    ship = struck(changed(LEXINGTON, hull=20), hit(20), others=(base,))
    assert ship.tac.dead_at == 10


# --- energy and shields --------------------------------------------------------------------


def test_a_damaged_reactor_gives_less() -> None:
    ship = changed(LEXINGTON, energy=100, systems=(100, 50, 100, 100))
    assert after(ship).energy == 100 + 30 - 4
    worse = changed(LEXINGTON, energy=100, systems=(100, 0, 100, 100))
    assert after(worse).energy == 100 + 15 - 4


def test_without_supplies_the_reactor_gives_half() -> None:
    assert after(changed(LEXINGTON, energy=100, supplies=0)).energy == 100 + 30 - 4


def test_a_better_reactor_gives_more() -> None:
    ship = changed(LEXINGTON, energy=100, upgrades=(0, 0, 2, 0, 0, 0))
    assert after(ship).energy == 100 + 72 - 4


def test_energy_has_a_maximum() -> None:
    assert after(LEXINGTON).energy == 1_000


def test_power_failure_lowers_the_shields() -> None:
    ship = changed(LEXINGTON, energy=0, shields_up=True, speed=80, want_speed=80,
                   systems=(100, 0, 100, 100))  # fmt: skip
    state = advance(galaxy(ship))
    left = state.objects["Lexington"]
    assert (left.tac.energy, left.tac.shields_up) == (0, False)
    assert "power_fail" in tac_keys(left)


def test_shields_do_not_go_up_in_a_step_without_power() -> None:
    ship = changed(LEXINGTON, energy=0, speed=80, want_speed=80, systems=(100, 0, 100, 100))
    assert not after(ship, Command("shields", ("up",))).shields_up


@pytest.mark.parametrize(
    ("power", "rate"), [("balanced", 3), ("shields", 4), ("weapons", 1), ("engines", 1)]
)
def test_recharge_of_shields(power: str, rate: int) -> None:
    ship = changed(LEXINGTON, shields=(50,) * 6, power=power)
    assert after(ship).shields == (50 + rate,) * 6


def test_recharge_leaves_a_reserve_of_energy() -> None:
    # 0 + 60 - 4 = 56: two facings at 2 each leave 52, a third would leave 50, a fourth 48.
    ship = changed(LEXINGTON, shields=(50,) * 6, energy=0)
    tac = after(ship)
    assert tac.shields == (53, 53, 53, 50, 50, 50)
    assert tac.energy == 50


def test_a_damaged_generator_bounds_the_shields() -> None:
    ship = changed(LEXINGTON, systems=(100, 100, 50, 100))
    assert after(ship).shields == (50,) * 6
    worse = changed(LEXINGTON, systems=(100, 100, 0, 100))
    assert after(worse).shields == (20,) * 6


# --- repair, docks, supplies ---------------------------------------------------------------


def test_under_way_the_crew_repairs_the_worst_first() -> None:
    ship = changed(LEXINGTON, systems=(90, 40, 40, 100))
    tac = after(ship)
    assert tac.systems == (90, 42, 42, 100)
    assert tac.supplies == 499


def test_repair_of_what_was_ordered_first() -> None:
    ship = changed(LEXINGTON, systems=(90, 40, 40, 100))
    assert after(ship, Command("repair", ("ENG",))).systems == (94, 40, 40, 100)


def test_points_that_are_left_mend_what_is_worst() -> None:
    ship = changed(LEXINGTON, systems=(99, 40, 40, 100), repair_first="ENG")
    tac = after(ship)
    assert tac.systems == (100, 42, 41, 100)


def test_what_is_whole_again_is_noted() -> None:
    ship = advance(galaxy(changed(LEXINGTON, systems=(99, 100, 100, 100)))).objects["Lexington"]
    assert tac_keys(ship) == ["repaired"]


def test_without_supplies_nothing_is_repaired() -> None:
    ship = changed(LEXINGTON, systems=(90, 100, 100, 100), supplies=0)
    assert after(ship).systems == (90, 100, 100, 100)


def test_a_small_crew_repairs_less() -> None:
    ship = changed(LEXINGTON, systems=(40, 100, 100, 100), crew=26)
    assert after(ship).systems == (41, 100, 100, 100)


def test_a_badly_damaged_hull_is_patched_under_way() -> None:
    assert after(changed(LEXINGTON, hull=149)).hull == 150
    assert after(changed(LEXINGTON, hull=150)).hull == 150


def test_supplies_are_used_up_every_second_step() -> None:
    assert after(LEXINGTON, step=0).supplies == 500
    assert after(LEXINGTON, step=1).supplies == 499


@pytest.mark.parametrize(
    ("supplies", "percent"), [(126, None), (125, None), (61, 12), (60, None), (1, 0)]
)
def test_warnings_about_supplies(supplies: int, percent: int | None) -> None:
    ship = advance(galaxy(changed(LEXINGTON, supplies=supplies), step=1)).objects["Lexington"]
    found = [dict(r.params)["percent"] for r in ship.tac.log if r.key == "supplies_low"]
    expected = {126: [25]}.get(supplies, [] if percent is None else [percent])
    assert found == expected


BASE = thing("Aegis", kind="starbase", at=(1_005_000, 1_000_000))


def test_a_dock_serves_a_ship() -> None:
    ship = changed(
        LEXINGTON, energy=100, hull=100, shields=(50,) * 6, crew=50, supplies=100, ammo=3,
        systems=(50, 100, 100, 100),
    )  # fmt: skip
    tac = after(ship, others=(BASE,))
    assert tac.energy == 100 + 60 + 150 - 4 - 12
    assert tac.hull == 110
    assert tac.shields == (63,) * 6
    assert (tac.crew, tac.supplies, tac.ammo) == (54, 124, 4)
    assert tac.systems[0] == 72


def test_a_dock_serves_nobody_under_attack() -> None:
    ship = changed(LEXINGTON, hull=200, last_hit=5, supplies=100)
    tac = after(ship, others=(BASE,), step=9)
    assert (tac.hull, tac.supplies) == (200, 99)
    later = after(ship, others=(BASE,), step=10)
    assert later.hull == 210


@pytest.mark.parametrize(
    "changes",
    [{"speed": 11, "want_speed": 11}, {"shields_up": True}, {"x": 984_999}],
)
def test_who_is_not_docked(changes: dict[str, Any]) -> None:
    ship = changed(LEXINGTON, hull=200, **changes)
    assert after(ship, others=(BASE,)).hull == 200


def test_no_dock_at_the_base_of_another_race() -> None:
    base = thing("Ironhold", "K", "starbase", at=(1_005_000, 1_000_000))
    ship = changed(LEXINGTON, hull=200)
    assert after(ship, others=(base,)).hull == 200


def test_an_orbit_serves_a_ship() -> None:
    planet = thing("Solace", "N", "planet", at=(1_005_000, 1_000_000))
    ship = changed(LEXINGTON, crew=50, supplies=100, systems=(50, 100, 100, 100))
    tac = after(ship, others=(planet,))
    assert (tac.crew, tac.supplies) == (51, 109)
    assert tac.systems[0] == 54


def test_a_poor_planet_gives_no_supplies() -> None:
    planet = thing("Solace", "N", "planet", at=(1_005_000, 1_000_000), stock=199)
    assert after(changed(LEXINGTON, supplies=100), others=(planet,)).supplies == 100


def test_nothing_exceeds_its_maximum_in_a_dock() -> None:
    tac = after(LEXINGTON, others=(BASE,))
    assert (tac.hull, tac.crew, tac.supplies, tac.ammo, tac.energy) == (250, 100, 500, 12, 1_000)


def test_upgrades_raise_the_maxima() -> None:
    ship = changed(LEXINGTON, upgrades=(1, 1, 0, 0, 0, 1))
    state: State = galaxy(ship, BASE)
    for _ in range(10):
        state = advance(state)
    tac = state.objects["Lexington"].tac
    assert (tac.hull, tac.shields, tac.ammo) == (270, (110,) * 6, 15)


# --- bases and planets ---------------------------------------------------------------------


def test_a_starbase_mends_itself() -> None:
    base = changed(BASE, hull=500, systems=(50, 100, 100, 100))
    tac = advance(galaxy(base, step=1)).objects["Aegis"].tac
    assert (tac.hull, tac.systems[0]) == (501, 58)
    assert advance(galaxy(base, step=2)).objects["Aegis"].tac.hull == 500


def silenced(step: int = 9, **changes: Any) -> Thing:
    planet = thing("Solace", "R", "planet", hull=10, **changes)
    gath = thing("Gath", "K", at=(3_000_000, 3_000_000),
                 shots=(Shot(step, "D1", "Solace", 20, 0),))  # fmt: skip
    return advance(galaxy(planet, gath, step=step)).objects["Solace"]


def test_a_planet_is_suppressed_and_not_destroyed() -> None:
    planet = silenced()
    tac = planet.tac
    assert (tac.hull, tac.dead_at) == (0, None)
    assert [made.health for made in tac.weapons] == [0, 0]
    assert (tac.suppressed_at, tac.suppressed_by) == (10, "Gath")
    assert "suppressed" in tac_keys(planet)


def test_suppressing_a_planet_counts_once_in_200_steps() -> None:
    again = silenced(step=208, suppressed_at=10, suppressed_by="Vorn")
    assert (again.tac.suppressed_at, again.tac.suppressed_by) == (10, "Vorn")
    later = silenced(step=209, suppressed_at=10, suppressed_by="Vorn")
    assert (later.tac.suppressed_at, later.tac.suppressed_by) == (210, "Gath")


def test_a_suppressed_planet_recovers() -> None:
    state = galaxy(silenced(), step=10)
    for _ in range(4):
        state = advance(state)
    tac = state.objects["Solace"].tac
    assert tac.hull == 2
    assert [made.health for made in tac.weapons] == [8, 8]
