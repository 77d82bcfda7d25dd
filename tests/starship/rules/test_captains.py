"""Computer captains: what they order when (design, section 11)."""

from __future__ import annotations

from typing import Any

from apps.starship.rules.captains import decide
from apps.starship.rules.commands import COMMANDS, Command, is_permitted, read_command
from apps.starship.rules.creating import new_game
from apps.starship.rules.objects import Mission, Thing
from apps.starship.rules.step import advance
from tests.starship.rules.galaxy import THEME, aimed, changed, galaxy, thing

HOME = (250_000, 3_750_000)
"""Deep in Federation space."""


def ship(**changes: Any) -> Thing:
    return thing("Lexington", at=HOME, captain=None, **changes)


def foe(way: int, name: str = "Gath", **changes: Any) -> Thing:
    """A Kolvar ship ``way`` units ahead of HOME, no longer in truce."""
    return thing(name, "K", at=(HOME[0], HOME[1] - way * 1_000),
                 **{"truce_until": 0, **changes})  # fmt: skip


def orders(me: Thing, *others: Thing, step: int = 99) -> list[str]:
    """Return what an object orders, as one would type it."""
    found = decide(galaxy(me, *others, step=step).view(), me)
    return [" ".join(map(str, (order.name, *order.args))) for order in found]


SOUTH = ship(heading=1_800, want_heading=1_800, truce_until=0)
BASE = thing("Aegis", kind="starbase", at=(255_000, 3_750_000))


# --- enemies -------------------------------------------------------------------------------


def test_intruders_are_fought() -> None:
    found = orders(SOUTH, foe(100))
    assert found == ["shields up", "lock all Gath", "dest Gath"]


def test_ships_in_truce_are_left_alone() -> None:
    assert orders(SOUTH, foe(100, truce_until=100)) == []
    assert orders(SOUTH, foe(100, truce_until=99)) != []


def test_attackers_are_fought_even_in_truce() -> None:
    attacked = changed(SOUTH, attackers={"Gath": 99})
    assert "lock all Gath" in orders(attacked, foe(100, truce_until=120))


def test_independents_are_never_fought() -> None:
    planet = thing("Solace", "N", "planet", at=(250_000, 3_700_000))
    assert orders(changed(SOUTH, attackers={"Solace": 99}), planet) == []


def test_planets_and_bases_are_left_alone_unless_they_attack() -> None:
    planet = thing("Durash", "K", "planet", at=(250_000, 3_650_000))
    assert orders(SOUTH, planet) == []
    assert "lock all Durash" in orders(changed(SOUTH, attackers={"Durash": 99}), planet)


def test_the_target_of_a_mission_is_fought_from_afar() -> None:
    # Neither in the own space nor hostile by chance in these steps: only the mission makes it one.
    me = changed(SOUTH, x=2_250_000, mission=Mission("attack", 1, 300, 60, "Gath"))
    target = thing("Gath", "K", at=(2_250_000, 3_350_000), truce_until=0)
    assert "lock all Gath" in orders(me, target)
    assert "lock all Gath" not in orders(me, changed(target, y=3_349_999))


def test_some_pairs_of_ships_are_enemies_by_chance_and_for_50_steps() -> None:
    neutral = changed(SOUTH, x=2_250_000)

    def fights(step: int, name: str) -> bool:
        other = thing(name, "K", at=(2_250_000, 3_650_000), truce_until=0)
        return "lock all " + name in orders(neutral, other, step=step)

    names = [f"Krag{number}" for number in range(300)]
    hostile = [name for name in names if fights(99, name)]
    assert 75 <= len(hostile) <= 135, "about 35 in 100"
    assert [name for name in names if fights(148, name)] == hostile
    assert [name for name in names if fights(149, name)] != hostile


# --- rules ---------------------------------------------------------------------------------


def test_a_docked_ship_waits_until_it_is_full() -> None:
    hurt = ship(hull=200, mission=Mission("patrol", 1, 400, 30, places=((0, 0),) * 3))
    assert orders(hurt, BASE) == []
    assert orders(changed(hurt, want_speed=10), BASE) == ["speed 0"]
    assert orders(changed(hurt, hull=250), BASE) == ["course_to 0 0", "speed 60"]


def test_a_docked_ship_buys_the_first_upgrade_it_can_pay() -> None:
    rich = ship(points=60, hull=200)
    assert orders(rich, BASE) == ["upgrade shield"]
    better = changed(rich, upgrades=(1, 1, 0, 0, 0, 0))
    assert orders(better, BASE) == ["upgrade reactor"]
    assert orders(changed(rich, points=49), BASE) == []


def test_shields_go_down_when_all_is_quiet() -> None:
    up = changed(SOUTH, shields_up=True)
    assert orders(up) == ["shields down"]
    assert orders(changed(up, last_hit=95)) == []
    assert "shields down" not in orders(up, foe(449, truce_until=0))


def test_shields_go_up_only_when_an_enemy_is_close() -> None:
    assert "shields up" in orders(SOUTH, foe(300))
    assert "shields up" not in orders(SOUTH, foe(301))


def test_a_weak_ship_goes_home() -> None:
    far = thing("Bastion", kind="starbase", at=(1_750_000, 3_750_000))
    for weakness in ({"hull": 149}, {"energy": 119}, {"supplies": 59},
                     {"systems": (29, 100, 100, 100)}):  # fmt: skip
        found = orders(changed(SOUTH, **weakness), far)
        assert found[0] == "dest Bastion", weakness
    strong = changed(SOUTH, hull=150, energy=120, supplies=60, systems=(30, 100, 100, 100))
    assert orders(strong, far) == []


def test_a_retreating_ship_calls_and_shoots_with_what_is_left() -> None:
    far = thing("Bastion", kind="starbase", at=(1_750_000, 3_750_000))
    weak = changed(SOUTH, hull=100, last_hit=98, shields_up=True)
    assert orders(weak, far, foe(100)) == ["distress", "dest Bastion", "speed 80"]
    going = changed(weak, distress_at=98, dest="Bastion", want_speed=80)
    found = orders(aimed(going, "Gath"), far, foe(100))
    assert found == ["fire P1", "fire T1", "fire T2"]


def test_a_retreat_with_little_energy_is_slow() -> None:
    far = thing("Bastion", kind="starbase", at=(1_750_000, 3_750_000))
    assert orders(changed(SOUTH, hull=100, energy=200), far) == ["dest Bastion", "speed 60"]


def test_an_outnumbered_ship_goes_home() -> None:
    far = thing("Bastion", kind="starbase", at=(1_750_000, 3_750_000))
    two = foe(100), foe(120, "Vorn")
    up = changed(SOUTH, shields_up=True)
    assert orders(up, far, *two)[0] == "dest Bastion"
    friend = thing("Yorktown", at=(260_000, 3_750_000))
    assert orders(up, far, *two, friend)[0] == "lock all Gath"
    third = foe(140, "Krag")
    assert orders(up, far, *two, third, foe(150, "Skarn"), friend)[0] == "dest Bastion"


def test_one_starbase_outnumbers_a_ship() -> None:
    base = thing("Ironhold", "K", "starbase", at=(250_000, 3_600_000))
    up = changed(SOUTH, shields_up=True, attackers={"Ironhold": 99})
    far = thing("Bastion", kind="starbase", at=(1_750_000, 3_750_000))
    assert orders(up, base, far)[0] == "dest Bastion"
    assert orders(up, base, BASE)[0] == "lock all Ironhold", "an own starbase is near as well"


def test_who_is_ready_fires_and_follows() -> None:
    ready = aimed(changed(SOUTH, shields_up=True, dest="Gath"), "Gath", P1=101)
    found = orders(ready, foe(100))
    assert found == ["fire T1", "fire T2", "speed 35"]


def test_speed_in_a_fight_falls_with_the_distance() -> None:
    ready = aimed(changed(SOUTH, shields_up=True, dest="Gath"), "Gath",
                  P1=999, P2=999, T1=999, T2=999)  # fmt: skip
    assert orders(ready, foe(181)) == ["speed 60"]
    assert orders(ready, foe(180)) == ["speed 35"]
    assert orders(ready, foe(60)) == ["speed 20"]


def test_targets_by_score() -> None:
    up = changed(SOUTH, shields_up=True)
    friend = thing("Yorktown", at=(260_000, 3_750_000))
    near, far = foe(100), foe(150, "Vorn")
    assert orders(up, near, far, friend)[0] == "lock all Gath"
    attacked = changed(up, attackers={"Vorn": 99})
    assert orders(attacked, near, far, friend)[0] == "lock all Vorn"
    assert orders(aimed(up, "Vorn"), near, far, friend)[0] == "dest Vorn"


def test_abroad_a_captain_engages_late() -> None:
    abroad = thing("Lexington", at=(3_000_000, 3_000_000), captain=None, heading=1_800,
                   want_heading=1_800, truce_until=0, shields_up=True,
                   attackers={"Gath": 99})  # fmt: skip

    def engages(way: int) -> bool:
        other = thing("Gath", "K", at=(3_000_000, 3_000_000 - way * 1_000), truce_until=0)
        return "lock all Gath" in orders(abroad, other)

    assert (engages(150), engages(151)) == (True, False)


def test_calls_for_help_are_answered_by_the_willing() -> None:
    caller = thing("Merlin", at=(350_000, 3_750_000), distress_at=98)
    found = [orders(thing(f"Ship{number}", at=HOME, captain=None), caller) for number in range(50)]
    coming = [each for each in found if each]
    assert coming[0] == ["respond Merlin", "dest Merlin", "speed 80"]
    assert 38 <= len(coming) <= 49, "about 86 in 100"


def test_only_the_fit_answer() -> None:
    caller = thing("Merlin", at=(350_000, 3_750_000), distress_at=98)
    willing = next(
        made
        for number in range(50)
        if orders(made := thing(f"Ship{number}", at=HOME, captain=None), caller)
    )
    for weakness in ({"supplies": 149}, {"energy": 399}):
        assert orders(changed(willing, **weakness), caller) == [], weakness


def test_four_are_enough() -> None:
    caller = thing("Merlin", at=(350_000, 3_750_000), distress_at=98)
    others = [
        thing(f"Help{number}", at=(1_900_000, 3_750_000), responding_to="Merlin")
        for number in range(4)
    ]
    ships = [thing(f"Ship{number}", at=HOME, captain=None) for number in range(20)]
    assert any(orders(made, caller, *others[:3]) for made in ships)
    assert not any(orders(made, caller, *others) for made in ships)


def test_who_answered_goes_on() -> None:
    caller = thing("Merlin", at=(950_000, 3_750_000), distress_at=98)
    going = ship(responding_to="Merlin", dest="Merlin", want_speed=80, supplies=100)
    assert orders(going, caller) == []


def test_missions_are_pursued() -> None:
    planet = thing("Vulcan", kind="planet", at=(1_250_000, 3_750_000))
    far = changed(BASE, x=755_000)
    delivery = ship(mission=Mission("deliver", 1, 300, 20, "Vulcan"))
    assert orders(delivery, far, planet) == ["dest Aegis", "speed 70"]
    loaded = ship(mission=Mission("deliver", 1, 300, 20, "Vulcan", stage=1), energy=300)
    assert orders(loaded, far, planet) == ["dest Vulcan", "speed 50"]


def test_a_ship_without_anything_to_do_stops() -> None:
    assert orders(ship(want_speed=60)) == ["speed 0"]
    assert orders(ship()) == []


def test_starbases_fight_who_comes_near() -> None:
    base = changed(BASE, captain=None)
    intruder = thing("Gath", "K", at=(255_000, 3_550_000), truce_until=0)
    assert orders(base, intruder) == ["shields up", "lock all Gath", "fire P1"]
    assert orders(base, changed(intruder, y=3_449_999)) == []
    raised = changed(base, shields_up=True)
    assert orders(raised) == ["shields down"]


def test_bases_call_for_help() -> None:
    base = changed(BASE, last_hit=98, shields_up=True, attackers={"Gath": 98})
    intruder = thing("Gath", "K", at=(255_000, 3_650_000), truce_until=0)
    assert orders(base, intruder)[0] == "distress"
    assert "distress" not in orders(changed(base, distress_at=91), intruder)


def test_planets_fire_only_at_attackers_and_intruders() -> None:
    planet = thing("Durash", "K", "planet", at=(3_750_000, 3_750_000))
    visitor = thing("Lexington", at=(3_750_000, 3_700_000), truce_until=0)
    assert orders(planet, visitor) == ["lock all Lexington", "fire B1", "fire B2"]
    free = thing("Solace", "N", "planet", at=(2_250_000, 3_750_000))
    guest = thing("Lexington", at=(2_250_000, 3_700_000), truce_until=0)
    assert orders(free, guest) == []
    assert orders(changed(free, attackers={"Lexington": 99}), guest) != []


# --- everybody's rules hold for the computer -----------------------------------------------


def test_computers_give_no_order_that_a_captain_would_be_refused() -> None:
    state = new_game(7, THEME)
    seen = set()
    for _ in range(250):
        view = state.view()
        for name in view.names:
            me = state.objects[name]
            if not me.alive:
                continue
            given: list[Command] = []
            for order in decide(view, me):
                assert is_permitted(view, me, order, given)
                if order.name not in ("course_to", "speed"):
                    assert read_command(view, me, order.name, order.args) == order
                assert tuple(map(type, order.args)) == COMMANDS[order.name].types
                given.append(order)
                seen.add(order.name)
            assert len(given) <= 3
        state = advance(state)
    assert seen >= {"dest", "speed", "shields", "lock", "fire", "distress", "respond", "course_to"}
