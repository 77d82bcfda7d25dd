"""NAV: speed, turns, borders and the edge of the map (design, section 6.1)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.starship.rules.commands import Command
from apps.starship.rules.objects import Nav, Thing
from apps.starship.rules.step import advance
from tests.starship.rules.galaxy import changed, galaxy, thing


def after(ship: Thing, *orders: Command, others: tuple[Thing, ...] = ()) -> Thing:
    return advance(galaxy(ship, *others), {ship.name: orders}).objects[ship.name]


def nav_keys(ship: Thing) -> list[str]:
    return [record.key for record in ship.nav.log]


def test_a_course_clears_the_destination() -> None:
    ship = thing("Lexington", dest="Solace")
    nav = after(ship, Command("course", (900,))).nav
    assert (nav.dest, nav.want_heading, nav.heading) == (None, 900, 900)


def test_a_destination_clears_the_way_point() -> None:
    planet = thing("Solace", "N", "planet", at=(2_000_000, 1_000_000))
    ship = thing("Lexington", point=(0, 0))
    nav = after(ship, Command("dest", ("Solace",)), others=(planet,)).nav
    assert (nav.dest, nav.point) == ("Solace", None)


def test_a_way_point_clears_the_destination() -> None:
    planet = thing("Solace", "N", "planet", at=(2_000_000, 1_000_000))
    ship = thing("Lexington", dest="Solace")
    nav = after(ship, Command("course_to", (1_000_000, 500_000)), others=(planet,)).nav
    assert (nav.dest, nav.point, nav.want_heading) == (None, (1_000_000, 500_000), 1_800)


def test_orders_of_one_step_are_carried_out_in_their_order() -> None:
    nav = after(thing("Lexington"), Command("speed", (80,)), Command("speed", (3,))).nav
    assert (nav.want_speed, nav.speed) == (3, 3)


def test_a_destination_that_is_gone_is_dropped() -> None:
    ship = thing("Lexington", dest="Solace", heading=450, want_heading=450, speed=20, want_speed=20)
    left = after(ship)
    assert (left.nav.dest, left.nav.heading) == (None, 450)
    assert nav_keys(left) == ["dest_gone"]


def test_a_wreck_is_no_destination() -> None:
    wreck = thing("Gath", "K", at=(1_200_000, 1_000_000), dead_at=0, hull=0)
    left = after(thing("Lexington", dest="Gath"), others=(wreck,))
    assert left.nav.dest is None


def test_a_ship_follows_what_moves() -> None:
    foe = thing("Gath", "K", at=(1_000_000, 1_400_000), heading=900, want_heading=900,
                speed=80, want_speed=80)  # fmt: skip
    state = galaxy(thing("Lexington", dest="Gath", want_speed=60), foe)
    headings = []
    for _ in range(5):
        state = advance(state)
        headings.append(state.objects["Lexington"].nav.heading)
    assert headings == sorted(headings)
    assert headings[-1] > headings[0]


def test_damaged_engines_slow_a_ship() -> None:
    ship = thing("Lexington", speed=80, want_speed=80, systems=(50, 100, 100, 100))
    assert after(ship).nav.speed == 72, "by its deceleration towards 40"
    slow = changed(ship, speed=40)
    assert after(slow).nav.speed == 40


def test_engines_never_fail_wholly() -> None:
    ship = thing("Lexington", speed=16, want_speed=80, systems=(0, 100, 100, 100))
    assert after(ship).nav.speed == 16, "a fifth of the top speed is left"


def test_low_energy_slows_a_ship() -> None:
    ship = thing("Lexington", speed=20, want_speed=60, energy=39)
    assert after(ship).nav.speed == 20
    assert after(changed(ship, energy=40)).nav.speed == 26


def test_power_to_the_engines() -> None:
    ship = thing("Lexington", want_speed=60, want_heading=1_799, power="engines")
    nav = after(ship).nav
    assert (nav.speed, nav.heading) == (8, 990)


def test_power_ordered_in_a_step_moves_the_ship_from_the_next_on() -> None:
    nav = after(thing("Lexington", want_speed=60), Command("power", ("engines",))).nav
    assert nav.speed == 6


def test_better_engines_go_faster() -> None:
    ship = thing("Lexington", speed=80, want_speed=95, upgrades=(0, 0, 0, 5, 0, 0))
    assert after(ship).nav.speed == 86
    assert after(changed(ship, speed=95)).nav.speed == 95


def test_the_autopilot_slows_for_a_sharp_turn_nearby() -> None:
    planet = thing("Solace", "N", "planet", at=(1_000_000, 600_000))
    ship = thing("Lexington", dest="Solace", speed=60, want_speed=60)
    assert after(ship, others=(planet,)).nav.speed == 52
    far = thing("Solace", "N", "planet", at=(1_000_000, 400_000))
    assert after(ship, others=(far,)).nav.speed == 60


def test_the_autopilot_does_not_stop_at_a_ship() -> None:
    foe = thing("Gath", "K", at=(1_000_000, 1_020_000))
    ship = thing("Lexington", dest="Gath", speed=30, want_speed=30)
    assert after(ship, others=(foe,)).nav.speed == 30


@pytest.mark.parametrize(
    ("place", "heading", "end"),
    [
        ((1_000_000, 3_999_000), 0, (1_000_000, 3_999_999)),
        ((1_000_000, 10), 1_800, (1_000_000, 0)),
        ((3_999_990, 1_000_000), 900, (3_999_999, 1_000_000)),
        ((0, 1_000_000), 2_700, (0, 1_000_000)),
    ],
)
def test_the_barrier_stops_a_ship(
    place: tuple[int, int], heading: int, end: tuple[int, int]
) -> None:
    ship = thing(
        "Lexington", at=place, heading=heading, want_heading=heading, speed=30, want_speed=30
    )
    left = after(ship)
    assert (left.nav.x, left.nav.y) == end
    assert left.nav.speed == 0
    assert "barrier" in nav_keys(left)


def crossing(x: int, heading: int) -> Thing:
    """A Federation ship in row 1 that goes past a border in one step."""
    return thing("Lexington", at=(x, 3_600_000), heading=heading, want_heading=heading,
                 speed=60, want_speed=60)  # fmt: skip


def test_entering_foreign_space() -> None:
    left = after(crossing(2_480_000, 900))
    assert nav_keys(left) == ["border_in"]
    assert dict(left.nav.log[0].params) == {"race": "K", "quadrant": "F1"}
    assert left.nav.entered_at == 1


def test_leaving_foreign_space() -> None:
    left = after(crossing(2_520_000, 2_700))
    assert nav_keys(left) == ["border_out"]
    assert dict(left.nav.log[0].params) == {"race": "K"}


def test_from_quadrant_to_quadrant_of_one_race_is_an_entry_without_a_warning() -> None:
    left = after(crossing(2_980_000, 900))
    assert nav_keys(left) == []
    assert left.nav.entered_at == 1


def test_moving_inside_of_a_quadrant_is_no_entry() -> None:
    assert after(crossing(2_600_000, 900)).nav.entered_at == 0


def test_what_cannot_move_keeps_its_place() -> None:
    state = galaxy(thing("Aegis", kind="starbase"), thing("Solace", "N", "planet", at=(5, 5)))
    later = advance(state)
    assert later.objects["Aegis"].nav is state.objects["Aegis"].nav
    assert later.objects["Solace"].nav is state.objects["Solace"].nav


@given(
    st.integers(0, 3_999_999), st.integers(0, 3_999_999), st.integers(0, 3_599),
    st.integers(0, 95), st.integers(0, 3_599), st.integers(0, 95), st.sampled_from("FKRO"),
    st.sampled_from(["balanced", "engines"]), st.integers(0, 100), st.integers(0, 1_000),
)  # fmt: skip
def test_a_ship_stays_on_the_map_and_within_its_limits(
    x: int, y: int, heading: int, speed: int, want_heading: int, want_speed: int, race: str,
    power: str, engines: int, energy: int,
) -> None:  # fmt: skip
    ship = thing(
        "Lexington", race, at=(x, y), heading=heading, speed=speed, want_heading=want_heading,
        want_speed=want_speed, power=power, systems=(engines, 100, 100, 100), energy=energy,
    )  # fmt: skip
    nav = after(ship).nav
    assert isinstance(nav, Nav)
    assert 0 <= nav.x < 4_000_000
    assert 0 <= nav.y < 4_000_000
    assert 0 <= nav.heading < 3_600
    assert 0 <= nav.speed <= 95
    assert nav.speed <= speed + 10
    way = (nav.x - x) ** 2 + (nav.y - y) ** 2
    assert way <= (10 * max(nav.speed, speed + 10) ** 2 + 2) ** 2
