"""The twelve worked examples of the design, section 17, to the digit (the twelfth is elsewhere).

Example 12, the partition of units over servers, stands in test_partition.
"""

from __future__ import annotations

import pytest

from apps.starship.rules.arithmetic import angdiff, bearing, cos10, dist, rng, sin10
from apps.starship.rules.commands import Command, Refusal, admit
from apps.starship.rules.gunnery import absorb, chance_at, damage_at, facing_of, penetrate
from apps.starship.rules.navigation import step_distance, stop_distance, turn_limit
from apps.starship.rules.objects import Shot
from apps.starship.rules.step import advance
from apps.starship.rules.tables import STARSHIPS, WEAPON_TYPES, upgrade_cost
from tests.starship.rules.galaxy import CAPTAIN, aimed, changed, galaxy, thing


@pytest.mark.parametrize(("speed", "way"), [(30, 9_000), (60, 36_000), (80, 64_000), (90, 81_000)])
def test_1_distance_per_step(speed: int, way: int) -> None:
    assert step_distance(speed) == way


@pytest.mark.parametrize(
    ("start", "heading", "speed", "end"),
    [
        ((1_000_000, 1_000_000), 900, 60, (1_036_000, 1_000_000)),
        ((1_000_000, 1_000_000), 450, 30, (1_006_364, 1_006_364)),
        ((1_000_000, 1_000_000), 2_250, 30, (993_636, 993_636)),
        ((2_000_000, 2_000_000), 3_300, 45, (1_989_875, 2_017_537)),
    ],
)
def test_2_position(start: tuple[int, int], heading: int, speed: int, end: tuple[int, int]) -> None:
    ship = thing(
        "Lexington", at=start, heading=heading, want_heading=heading, speed=speed, want_speed=speed
    )
    nav = advance(galaxy(ship)).objects["Lexington"].nav
    assert (nav.x, nav.y) == end


@pytest.mark.parametrize(
    ("race", "limits"),
    [
        ("F", (900, 818, 654, 409, 245)),
        ("K", (1_000, 909, 727, 454, 272)),
        ("R", (800, 727, 581, 363, 218)),
        ("O", (950, 863, 690, 431, 259)),
    ],
)
def test_3_turn_limit(race: str, limits: tuple[int, ...]) -> None:
    turn = STARSHIPS[race].turn
    assert tuple(turn_limit(turn, speed) for speed in (0, 10, 30, 60, 80)) == limits


def test_3_a_half_turn_goes_to_port() -> None:
    ship = thing("Lexington", speed=60, want_speed=60, want_heading=1_800)
    assert advance(galaxy(ship)).objects["Lexington"].nav.heading == 3_191


def test_3_difference_of_angles() -> None:
    assert (angdiff(3_500, 100), angdiff(100, 3_500)) == (-200, 200)


def test_4_speeding_up() -> None:
    state = galaxy(thing("Lexington", want_speed=60))
    speeds, ways = [], []
    for _ in range(11):
        state = advance(state)
        nav = state.objects["Lexington"].nav
        speeds.append(nav.speed)
        ways.append(nav.y - 1_000_000)
    assert speeds == [6, 12, 18, 24, 30, 36, 42, 48, 54, 60, 60]
    assert ways[9:] == [138_600, 174_600]


@pytest.mark.parametrize(
    ("speed", "way"), [(20, 1_600), (30, 7_160), (40, 19_200), (60, 72_800), (80, 182_400)]
)
def test_4_stopping(speed: int, way: int) -> None:
    assert stop_distance(speed, 8) == way


@pytest.mark.parametrize(
    ("dx", "dy", "angle", "way"),
    [
        (300_000, 400_000, 369, 500_000),
        (-100_000, -100_000, 2_250, 141_421),
        (0, -5, 1_800, 5),
        (100_000, 0, 900, 100_000),
        (-1, 1_000_000, 0, 1_000_000),
    ],
)
def test_5_bearing_and_distance(dx: int, dy: int, angle: int, way: int) -> None:
    assert (bearing(dx, dy), dist(dx, dy)) == (angle, way)


@pytest.mark.parametrize(
    ("back", "heading", "facing"),
    [
        (900, 300, 1), (299, 0, 0), (300, 0, 1), (3_301, 0, 0),
        (3_299, 0, 5), (1_800, 0, 3), (450, 3_300, 1),
    ],
)  # fmt: skip
def test_6_facing(back: int, heading: int, facing: int) -> None:
    assert facing_of(back, heading) == facing


@pytest.mark.parametrize(
    ("shields", "facing", "damage", "left", "through"),
    [
        ([100, 30, 100, 100, 100, 100], 1, 45, [96, 0, 96, 100, 100, 100], 7),
        ([2, 0, 100, 100, 100, 100], 1, 45, [0, 0, 96, 100, 100, 100], 39),
        ([100] * 6, 0, 20, [84, 98, 100, 100, 100, 98], 0),
    ],
)
def test_7_absorption(
    shields: list[int], facing: int, damage: int, left: list[int], through: int
) -> None:
    assert absorb(shields, facing, damage) == through
    assert shields == left


def test_7_what_penetrates_raised_shields() -> None:
    tac = thing("Lexington").tac.copy()
    penetrate(42, 100, "Lexington", tac, "Gath", Shot(99, "D1", "Lexington", 45, 600), 7)
    assert (tac.hull, tac.crew, tac.systems) == (243, 100, (100, 100, 100, 100))


def test_7_what_penetrates_lowered_shields() -> None:
    tac = thing("Lexington").tac.copy()
    penetrate(42, 100, "Lexington", tac, "Gath", Shot(99, "D1", "Lexington", 45, 600), 45)
    lost = 4 * 100 - sum(tac.systems) + sum(100 - weapon.health for weapon in tac.weapons)
    assert (tac.hull, tac.crew) == (205, 95)
    assert 4 * 10 <= lost <= 4 * 25, "four systems or weapons lose 10 to 25 percent each"


@pytest.mark.parametrize(
    ("kind", "way", "damage"),
    [
        ("phaser", 0, 20), ("phaser", 50, 15), ("phaser", 75, 12), ("phaser", 100, 10),
        ("phaser", 150, 5), ("disruptor", 0, 26), ("disruptor", 50, 20), ("disruptor", 100, 15),
        ("disruptor", 120, 13), ("plasma", 0, 100), ("plasma", 100, 70), ("plasma", 200, 40),
        ("torpedo", 1, 45), ("torpedo", 250, 45), ("missile", 300, 24),
    ],
)  # fmt: skip
def test_8_damage_by_range(kind: str, way: int, damage: int) -> None:
    assert damage_at(WEAPON_TYPES[kind], way * 1_000) == damage


@pytest.mark.parametrize(("level", "power", "damage"), [(0, "weapons", 16), (2, "weapons", 17)])
def test_8_damage_is_rounded_at_each_stage(level: int, power: str, damage: int) -> None:
    assert damage_at(WEAPON_TYPES["phaser"], 50_000, level, power) == damage


@pytest.mark.parametrize(
    ("kind", "way", "speed", "chance"),
    [
        ("torpedo", 100, 30, 65), ("torpedo", 200, 60, 35), ("torpedo", 250, 90, 15),
        ("torpedo", 5, 0, 94), ("plasma", 200, 80, 19), ("missile", 300, 85, 37),
    ],
)  # fmt: skip
def test_9_hit_chance(kind: str, way: int, speed: int, chance: int) -> None:
    assert chance_at(WEAPON_TYPES[kind], way * 1_000, speed) == chance


@pytest.mark.parametrize(
    ("step", "number", "roll"),
    [(100, 18_186_202_823_763_108_543, 43), (101, 15_605_389_655_751_599_822, 22)],
)
def test_9_roll(step: int, number: int, roll: int) -> None:
    found = rng(42, step, "hit", "Lexington", "T1", "Gath")
    assert (found, found % 100) == (number, roll)


@pytest.mark.parametrize(
    ("speed", "up", "fires", "energy"),
    [(60, True, (), 514), (80, False, (), 492), (30, True, ("P1", "P2", "T1"), 491)],
)
def test_10_energy(speed: int, up: bool, fires: tuple[str, ...], energy: int) -> None:
    ship = thing("Lexington", energy=500, speed=speed, want_speed=speed, shields_up=up)
    # One target ahead for P1 and T1, one astern for P2.
    ahead = thing("Gath", "K", at=(1_000_000, 1_050_000))
    astern = thing("Vorn", "K", at=(1_000_000, 950_000))
    weapons = tuple(
        weapon._replace(lock="Vorn" if weapon.id == "P2" else "Gath") for weapon in ship.tac.weapons
    )
    state = galaxy(changed(ship, weapons=weapons), ahead, astern)
    after = advance(state, {"Lexington": [Command("fire", (w,)) for w in fires]})
    assert len(after.objects["Lexington"].tac.shots) == len(fires)
    assert after.objects["Lexington"].tac.energy == energy


def test_10_recycling() -> None:
    ship = aimed(thing("Lexington"), "Gath")
    state = galaxy(ship, thing("Gath", "K", at=(1_000_000, 1_050_000)), step=99)
    fired = advance(state, {"Lexington": [Command("fire", ("P1",)), Command("fire", ("T1",))]})

    def ask(weapon: str, step: int) -> object:
        later = galaxy(*fired.objects.values(), step=step - 1)
        return admit(later.view(), "Lexington", CAPTAIN, "fire", [weapon], [])

    refused = ask("P1", 101)
    assert isinstance(refused, Refusal)
    assert refused.code == "E_RECYCLING"
    assert "step 102" in refused.text
    assert ask("P1", 102) == Command("fire", ("P1",))
    assert isinstance(ask("T1", 103), Refusal)
    assert ask("T1", 104) == Command("fire", ("T1",))


def test_11_autopilot() -> None:
    planet = thing("Solace", "N", "planet", at=(1_000_000, 1_600_000))
    state = galaxy(thing("Lexington"), planet)
    orders = {"Lexington": [Command("dest", ("Solace",)), Command("speed", (60,))]}
    tracks = [(0, 0)]
    for step in range(27):
        state = advance(state, orders if step == 0 else {})
        nav = state.objects["Lexington"].nav
        tracks.append((nav.y, nav.speed))
    assert tracks[10][0] == 1_138_600
    assert tracks[20] == (1_498_600, 60)
    assert tracks[21] == (1_529_960, 56)
    assert tracks[25] == (1_586_140, 25)
    assert tracks[27] == (1_590_030, 10)
    assert [speed for _y, speed in tracks[21:]] == [56, 48, 40, 33, 25, 17, 10]
    orbit = state.view().orbit_of(state.objects["Lexington"])
    assert orbit is not None
    assert orbit.name == "Solace"


def test_12_upgrade_cost() -> None:
    base = thing("Aegis", kind="starbase", at=(1_005_000, 1_000_000))
    poor = thing("Lexington", points=149, upgrades=(2, 0, 0, 0, 0, 0))
    refused = admit(galaxy(poor, base).view(), "Lexington", CAPTAIN, "upgrade", ["shield"], [])
    assert upgrade_cost(2) == 150
    assert isinstance(refused, Refusal)
    assert refused == Refusal("E_POINTS", "150 points needed.")
    rich = changed(poor, points=150)
    admitted = admit(galaxy(rich, base).view(), "Lexington", CAPTAIN, "upgrade", ["shield"], [])
    assert admitted == Command("upgrade", ("shield",))


def test_the_sine_of_every_tenth_of_a_degree() -> None:
    import math

    for angle in range(3_600):
        assert abs(sin10(angle) - 1_000_000 * math.sin(math.radians(angle / 10))) <= 0.5001
        assert abs(cos10(angle) - 1_000_000 * math.cos(math.radians(angle / 10))) <= 0.5001
