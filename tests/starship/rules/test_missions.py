"""Missions: assigned by chance, pursued, paid (design, section 10)."""

from __future__ import annotations

from typing import Any

import pytest

from apps.starship.rules.geography import NEUTRAL, Geography
from apps.starship.rules.missions import next_stop
from apps.starship.rules.objects import Com, Delivery, Mission, Thing
from apps.starship.rules.state import State
from apps.starship.rules.step import advance
from apps.starship.rules.tables import WHEELS
from tests.starship.rules.galaxy import changed, galaxy, thing

HERE = (1_000_000, 1_000_000)
BASE = thing("Aegis", kind="starbase", at=(1_005_000, 1_000_000))
BUSY = Mission("deliver", 1, 300, 20, "Vulcan")
PLANET = thing("Vulcan", kind="planet", at=(1_000_000, 2_229_000))


def after(ship: Thing, *others: Thing, step: int = 9, seed: int = 42) -> Com:
    return advance(galaxy(ship, *others, step=step, seed=seed)).objects[ship.name].com


def on(kind: str, target: str | None = None, **changes: Any) -> Thing:
    """A ship with a mission that has 100 points for its end."""
    members = {"begun": 5, "limit": 300, "reward": 100, **changes}
    mission = Mission(kind, members.pop("begun"), members.pop("limit"), members.pop("reward"),
                      target, **members)  # fmt: skip
    return thing("Lexington", mission=mission)


def outcome(com: Com) -> str:
    keys = [record.key for record in com.log if record.key.startswith("mission_")]
    return keys[0] if keys else "open"


# --- assigning -----------------------------------------------------------------------------


def test_the_first_mission_of_a_captain_is_a_delivery_to_the_nearest_own_planet() -> None:
    far = thing("Terra", kind="planet", at=(1_000_000, 3_000_000))
    ship = thing("Lexington", human=True, number=1)
    com = after(ship, BASE, PLANET, far, step=4)
    assert com.mission is not None
    # 5 units to the base, 1,229.01 from it to the planet: 1,234 units in all.
    assert com.mission == Mission("deliver", 5, 5 + 150 + 61, 44, "Vulcan")


def test_no_mission_before_its_time() -> None:
    assert after(thing("Lexington"), BASE, PLANET, step=3).mission is None


def test_without_any_target_it_tries_again_later() -> None:
    alone = [after(thing("Lexington"), step=9, seed=seed) for seed in range(60)]
    waiting = [com for com in alone if com.mission is None]
    assert waiting
    assert {com.next_mission_at for com in waiting} == {16}


def full(race: str) -> tuple[Thing, ...]:
    """Targets for every kind of mission."""
    return (
        thing("Aegis", race, "starbase", at=(1_005_000, 1_000_000)),
        thing("Vulcan", race, "planet", at=(1_200_000, 1_000_000), emergency=3),
        thing("Terra", race, "planet", at=(800_000, 1_000_000)),
        thing("Solace", "N", "planet", at=(900_000, 1_000_000)),
        thing("Yorktown", race, at=(1_000_000, 800_000), mission=BUSY),
        thing("Merlin", race, at=(1_000_000, 700_000), next_mission_at=999),
        thing("Foe", "O" if race != "O" else "K", at=(1_000_000, 1_900_000), truce_until=0),
    )  # fmt: skip


_LETTERS = {
    "deliver": "D", "patrol": "P", "explore": "E", "rendezvous": "R", "escort": "R",
    "attack": "A", "defend": "F", "rescue": "G",
}  # fmt: skip


@pytest.mark.parametrize("race", ["F", "K", "R", "O"])
def test_missions_come_as_often_as_the_wheel_has_them(race: str) -> None:
    ship = thing("Lexington", race)
    counts = dict.fromkeys("DPERAFG", 0)
    for seed in range(600):
        mission = after(ship, *full(race), seed=seed).mission
        assert mission is not None
        counts[_LETTERS[mission.kind]] += 1
    for letter, count in counts.items():
        assert abs(count - 50 * WHEELS[race].count(letter)) <= 45, (letter, counts)


def every_kind() -> dict[str, Mission]:
    found: dict[str, Mission] = {}
    for seed in range(300):
        mission = after(thing("Lexington"), *full("F"), seed=seed).mission
        assert mission is not None
        found.setdefault(mission.kind, mission)
    return found


def test_targets_limits_and_rewards_of_every_kind() -> None:
    found = every_kind()
    assert set(found) == set(_LETTERS)
    facts = {kind: (m.limit - m.begun, m.reward) for kind, m in found.items()}
    # 5 units to the base and 195 or so from it to a planet.
    assert facts["deliver"] in {(160, 24), (155, 22)}
    assert facts["rendezvous"] in {(200, 19), (200, 21)}
    assert facts["patrol"] == (400, 30)
    assert facts["explore"] == (500, 60)
    assert facts["escort"] == (300, 40)
    assert facts["attack"] == (300, 60)
    assert facts["defend"] == (300, 40)
    # 200 units to the planet and 195 back.
    assert facts["rescue"] == (300, 47)
    targets = {kind: mission.target for kind, mission in found.items()}
    assert (targets["escort"], targets["attack"], targets["defend"], targets["rescue"]) == (
        "Yorktown", "Foe", "Aegis", "Vulcan",
    )  # fmt: skip


@pytest.mark.parametrize(("kind", "owner"), [("patrol", "F"), ("explore", NEUTRAL)])
def test_tours_lead_through_three_different_quadrants(kind: str, owner: str) -> None:
    geography = Geography()
    places = every_kind()[kind].places
    assert len({geography.place(x, y) for x, y in places}) == 3
    assert {geography.owner(x, y) for x, y in places} == {owner}


def test_ships_in_truce_and_far_ships_are_no_targets() -> None:
    def attacked(*foes: Thing) -> set[str | None]:
        ship = thing("Lexington", "K")
        found = (after(ship, *foes, BASE, seed=seed).mission for seed in range(60))
        return {m.target for m in found if m is not None and m.kind == "attack"}

    near = thing("Near", "O", at=(1_000_000, 3_000_000), truce_until=9)
    far = thing("Far", "O", at=(1_000_000, 3_000_001), truce_until=0)
    protected = thing("Safe", "O", at=(1_000_000, 1_100_000), truce_until=10)
    assert attacked(near, far, protected) == {"Near"}


def test_a_caretaker_gets_no_dangerous_mission() -> None:
    ship = thing("Lexington", "K", captain=None, human=True, missions_done=1)
    kinds = {
        mission.kind
        for seed in range(120)
        if (mission := after(ship, *full("K"), seed=seed).mission) is not None
    }
    assert not kinds & {"attack", "explore"}
    assert "deliver" in kinds


# --- pursuing ------------------------------------------------------------------------------


def test_a_delivery_from_loading_to_pay() -> None:
    market = thing("Vulcan", kind="planet", at=(1_010_000, 1_000_000))
    state: State = galaxy(on("deliver", "Vulcan"), BASE, market, step=9)
    loaded = advance(state)
    com = loaded.objects["Lexington"].com
    assert com.mission is not None
    assert (com.cargo, com.mission.stage) == (50, 1)
    away = changed(loaded.objects["Lexington"], x=1_020_000, y=1_017_000)
    done = advance(galaxy(away, BASE, market, step=10)).objects["Lexington"].com
    assert outcome(done) == "mission_done"
    assert done.deliveries == (Delivery(11, "Vulcan", 50),)
    assert (done.points, done.score, done.missions_done, done.cargo) == (100, 100, 1, 0)
    assert (done.mission, done.next_mission_at) == (None, 17)


def test_cargo_for_one_planet_is_not_taken_by_another() -> None:
    wrong = thing("Terra", kind="planet", at=(1_010_000, 1_000_000))
    com = after(on("deliver", "Vulcan", stage=1), PLANET, wrong)
    assert outcome(com) == "open"


def test_a_mission_ends_with_its_time() -> None:
    ship = on("deliver", "Vulcan", limit=11)
    assert outcome(after(ship, PLANET, step=9)) == "open"
    late = after(ship, PLANET, step=10)
    assert (outcome(late), late.points, late.next_mission_at) == ("mission_failed", 0, 17)


def test_success_in_the_last_step_counts() -> None:
    other = thing("Yorktown", at=(1_000_000, 1_030_000))
    assert outcome(after(on("rendezvous", "Yorktown", limit=10), other)) == "mission_done"


def test_rendezvous() -> None:
    ship = on("rendezvous", "Yorktown")
    near, far = (thing("Yorktown", at=(1_000_000, y)) for y in (1_030_000, 1_030_001))
    assert outcome(after(ship, near)) == "mission_done"
    assert outcome(after(ship, far)) == "open"
    assert outcome(after(ship)) == "mission_failed"


@pytest.mark.parametrize("kind", ["patrol", "explore"])
def test_tours_go_in_order(kind: str) -> None:
    places = ((1_000_000, 1_100_000), (1_000_000, 1_000_000), (2_000_000, 1_000_000))
    first = after(on(kind, places=places)).mission
    assert first is not None
    assert first.stage == 1
    far = ((1_000_000, 1_100_001), *places[1:])
    waiting = after(on(kind, places=far)).mission
    assert waiting is not None
    assert waiting.stage == 0
    assert outcome(after(on(kind, places=places, stage=1))) == "open"
    last = (places[2], places[2], places[1])
    assert outcome(after(on(kind, places=last, stage=2))) == "mission_done"


def escorted(**changes: Any) -> Thing:
    return thing("Yorktown", at=(1_000_000, 1_100_000), **changes)


def test_escort_counts_steps_nearby() -> None:
    com = after(on("escort", "Yorktown", progress=58), escorted(mission=BUSY))
    assert com.mission is not None
    assert com.mission.progress == 59
    done = after(on("escort", "Yorktown", progress=59), escorted(mission=BUSY))
    assert outcome(done) == "mission_done"
    far = changed(escorted(mission=BUSY), y=1_100_001)
    waiting = after(on("escort", "Yorktown", progress=59), far)
    assert outcome(waiting) == "open"


def test_escort_ends_with_the_delivery() -> None:
    delivered = escorted(deliveries=(Delivery(9, "Vulcan", 50),))
    assert outcome(after(on("escort", "Yorktown"), delivered)) == "mission_done"
    before = escorted(deliveries=(Delivery(4, "Vulcan", 50),), mission=BUSY)
    assert outcome(after(on("escort", "Yorktown"), before)) == "open"


def test_escort_fails_with_its_ship() -> None:
    assert outcome(after(on("escort", "Yorktown"))) == "mission_failed"
    assert outcome(after(on("escort", "Yorktown"), escorted())) == "mission_failed"


def test_attack_pays_who_damaged_the_wreck() -> None:
    def end(**changes: Any) -> str:
        return outcome(after(on("attack", "Gath"), thing("Gath", "K", at=(5, 5), **changes)))

    assert end() == "open"
    assert end(dead_at=9, hull=0, damage_from={"Lexington": (5, 9)}) == "mission_done"
    assert end(dead_at=9, hull=0, damage_from={"Yorktown": (5, 9)}) == "mission_failed"
    assert outcome(after(on("attack", "Gath"))) == "mission_failed"


def test_defend_counts_steps_nearby() -> None:
    done = after(on("defend", "Aegis", progress=79), BASE)
    assert outcome(done) == "mission_done"
    far = changed(BASE, x=1_200_001)
    assert outcome(after(on("defend", "Aegis", progress=79), far)) == "open"
    assert outcome(after(on("defend", "Aegis"))) == "mission_failed"


def test_rescue_from_orbit_to_dock() -> None:
    stricken = thing("Vulcan", kind="planet", at=(1_005_000, 1_000_000), emergency=3)
    state: State = galaxy(on("rescue", "Vulcan"), stricken, step=9)
    for _ in range(3):
        state = advance(state)
    ship = state.objects["Lexington"]
    assert ship.com.mission is not None
    assert (ship.com.evacuees, ship.com.mission.stage) == (20, 1)
    assert state.objects["Vulcan"].com.emergency is None, "its people are aboard"
    docked = after(ship, BASE, step=12)
    assert (outcome(docked), docked.evacuees) == ("mission_done", 0)


def test_rescue_fails_when_somebody_else_was_first() -> None:
    calm = thing("Vulcan", kind="planet", at=(1_500_000, 1_000_000))
    assert outcome(after(on("rescue", "Vulcan"), calm)) == "mission_failed"


def test_where_a_mission_leads() -> None:
    def stop(ship: Thing) -> tuple[str | None, tuple[int, int] | None]:
        view = galaxy(ship, BASE, PLANET).view()
        assert ship.com.mission is not None
        return next_stop(view, ship, ship.com.mission)

    assert stop(on("deliver", "Vulcan")) == ("Aegis", None)
    assert stop(on("deliver", "Vulcan", stage=1)) == ("Vulcan", None)
    assert stop(on("rescue", "Vulcan")) == ("Vulcan", None)
    assert stop(on("rescue", "Vulcan", stage=1)) == ("Aegis", None)
    assert stop(on("patrol", places=((1, 2), (3, 4), (5, 6)), stage=1)) == (None, (3, 4))
