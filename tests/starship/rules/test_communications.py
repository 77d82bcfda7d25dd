"""COM: credit, help, deliveries and what a captain hears (design, section 6.3)."""

from __future__ import annotations

from apps.starship.rules.commands import Command
from apps.starship.rules.objects import Com, Delivery, Mission, Record, Thing
from apps.starship.rules.step import advance
from tests.starship.rules.galaxy import changed, galaxy, thing

LEXINGTON = thing("Lexington", next_mission_at=9_999)
NEAR = (1_000_000, 1_100_000)


def after(ship: Thing, *orders: Command, others: tuple[Thing, ...] = (), step: int = 9) -> Com:
    return advance(galaxy(ship, *others, step=step), {ship.name: orders}).objects[ship.name].com


def notes(com: Com, key: str) -> list[Record]:
    return [record for record in com.log if record.key == key]


# --- credit --------------------------------------------------------------------------------


def wreck(name: str = "Gath", kind: str = "starship", last: int = 8, killer: str = "Lexington",
          **changes: object) -> Thing:  # fmt: skip
    damage = {"Lexington": (40, last)}
    return thing(name, "K", kind, at=(3_000_000, 3_000_000), dead_at=9, hull=0, killer=killer,
                 damage_from=damage, **changes)  # fmt: skip


def test_the_last_hit_on_a_ship_pays_40_and_5_for_each_level() -> None:
    com = after(LEXINGTON, others=(wreck(upgrades=(1, 0, 2, 0, 0, 0)),))
    assert (com.points, com.score, com.kills) == (55, 55, 1)
    assert dict(notes(com, "killed")[0].params) == {"name": "Gath", "points": 55}


def test_a_starbase_pays_200() -> None:
    com = after(LEXINGTON, others=(wreck("Ironhold", "starbase"),))
    assert (com.points, com.kills) == (200, 1)


def test_others_who_damaged_it_get_half() -> None:
    com = after(LEXINGTON, others=(wreck(killer="Yorktown", upgrades=(1, 0, 0, 0, 0, 0)),))
    assert (com.points, com.kills) == (22, 0)


def test_damage_of_long_ago_pays_nothing() -> None:
    old = changed(wreck(killer="Yorktown"), damage_from={"Lexington": (40, 8)}, dead_at=68)
    assert after(LEXINGTON, others=(old,), step=68).points == 20
    older = changed(old, dead_at=69)
    assert after(LEXINGTON, others=(older,), step=69).points == 0


def test_a_wreck_pays_once() -> None:
    state = galaxy(LEXINGTON, wreck(), step=9)
    for _ in range(3):
        state = advance(state)
    com = state.objects["Lexington"].com
    assert (com.points, com.credited) == (40, ("Gath@9",))


def test_what_was_paid_is_forgotten_with_the_wreck() -> None:
    state = galaxy(LEXINGTON, wreck(), step=9)
    for _ in range(6):
        state = advance(state)
    assert "Gath" not in state.objects
    assert state.objects["Lexington"].com.credited == ()


def test_a_silenced_planet_pays_30_once() -> None:
    planet = thing("Durash", "K", "planet", at=(3_000_000, 3_000_000),
                   suppressed_at=9, suppressed_by="Lexington")  # fmt: skip
    state = galaxy(LEXINGTON, planet, step=9)
    for _ in range(3):
        state = advance(state)
    assert state.objects["Lexington"].com.points == 30


def test_nobody_is_paid_for_his_own_race() -> None:
    own = thing("Yorktown", dead_at=9, hull=0, killer="Lexington",
                damage_from={"Lexington": (40, 8)})  # fmt: skip
    assert after(LEXINGTON, others=(own,)).points == 0


# --- calls for help ------------------------------------------------------------------------


def caller(**changes: object) -> Thing:
    return thing("Yorktown", at=NEAR, next_mission_at=9_999, **changes)


def test_a_call_is_heard_one_step_later() -> None:
    attacked = caller(last_hit=9, attackers={"Gath": 9, "Vorn": 8})
    state = galaxy(LEXINGTON, attacked, step=9)
    called = advance(state, {"Yorktown": [Command("distress")]})
    assert notes(called.objects["Yorktown"].com, "distress_sent")
    assert not notes(called.objects["Lexington"].com, "distress")
    heard = advance(called).objects["Lexington"].com
    assert dict(notes(heard, "distress")[0].params) == {
        "name": "Yorktown", "quadrant": "C6", "bearing": 0, "distance": 100, "attackers": 2,
    }  # fmt: skip
    assert len(notes(advance(advance(called)).objects["Lexington"].com, "distress")) == 1


def test_a_call_from_afar_is_not_heard() -> None:
    far = changed(caller(distress_at=9), x=1_000_000, y=2_500_001)
    assert not notes(after(LEXINGTON, others=(far,)), "distress")
    at_the_edge = changed(far, y=2_500_000)
    assert notes(after(LEXINGTON, others=(at_the_edge,)), "distress")


def test_calls_of_other_races_are_not_heard() -> None:
    foe = thing("Gath", "K", at=NEAR, distress_at=9)
    assert not notes(after(LEXINGTON, others=(foe,)), "distress")


def test_a_deferred_unit_hears_later_what_it_missed() -> None:
    ship = changed(LEXINGTON, seen_through=6)
    assert notes(after(ship, others=(caller(distress_at=7),)), "distress")
    assert not notes(after(changed(ship, seen_through=7), others=(caller(distress_at=7),)),
                     "distress")  # fmt: skip


def test_whoever_comes_is_announced() -> None:
    state = galaxy(LEXINGTON, caller(distress_at=9), step=9)
    coming = advance(state, {"Lexington": [Command("respond", ("Yorktown",))]})
    assert coming.objects["Lexington"].com.responding_to == "Yorktown"
    told = advance(coming).objects["Yorktown"].com
    assert dict(notes(told, "help_coming")[0].params) == {"name": "Lexington"}


def test_arriving_pays_15_once_for_each_call() -> None:
    ship = changed(LEXINGTON, responding_to="Yorktown", responding_at=9)
    state = galaxy(ship, caller(distress_at=9), step=9)
    for _ in range(3):
        state = advance(state)
    com = state.objects["Lexington"].com
    assert (com.points, com.score, com.assists) == (15, 15, ("Yorktown@9",))


def test_who_is_too_far_is_not_paid() -> None:
    ship = changed(LEXINGTON, responding_to="Yorktown", responding_at=9, y=899_999)
    assert after(ship, others=(caller(distress_at=9),)).points == 0
    assert after(changed(ship, y=900_000), others=(caller(distress_at=9),)).points == 15


def test_a_call_is_open_for_20_steps_and_longer_under_attack() -> None:
    def is_open(step: int, **changes: int) -> bool:
        made = caller(**changes)
        return galaxy(made, step=step).view().calls_for_help(made)

    assert is_open(28, distress_at=9)
    assert not is_open(29, distress_at=9)
    assert is_open(29, distress_at=9, last_hit=19)
    assert not is_open(29, distress_at=9, last_hit=18)
    assert not is_open(209, distress_at=9, last_hit=209), "that is another fight"
    assert not is_open(50, last_hit=50), "it never called"


def test_answering_ends_when_the_caller_is_safe() -> None:
    ship = changed(LEXINGTON, responding_to="Yorktown", responding_at=9, y=100_000)
    safe = caller(distress_at=9)
    assert after(ship, others=(safe,), step=28).responding_to == "Yorktown"
    assert after(ship, others=(safe,), step=29).responding_to is None
    attacked = changed(safe, last_hit=20)
    assert after(ship, others=(attacked,), step=29).responding_to == "Yorktown"


def test_answering_ends_when_the_caller_is_gone() -> None:
    ship = changed(LEXINGTON, responding_to="Yorktown", responding_at=9)
    assert after(ship).responding_to is None


def test_answering_ends_after_200_steps() -> None:
    ship = changed(LEXINGTON, responding_to="Yorktown", responding_at=9, y=100_000)
    attacked = caller(distress_at=200, last_hit=208)
    assert after(ship, others=(attacked,), step=207).responding_to == "Yorktown"
    assert after(ship, others=(attacked,), step=208).responding_to is None


# --- intruders -----------------------------------------------------------------------------

HOME = thing("Yorktown", at=(250_000, 3_750_000), next_mission_at=9_999)


def test_an_intruder_is_reported_to_owners_nearby() -> None:
    foe = thing("Gath", "K", at=(900_000, 3_750_000), entered_at=9)
    com = after(HOME, others=(foe,))
    assert dict(notes(com, "intruder")[0].params) == {"name": "Gath", "quadrant": "B1"}


def test_intruders_far_away_or_elsewhere_are_not_reported() -> None:
    far = thing("Gath", "K", at=(1_250_001, 3_750_000), entered_at=9)
    neutral = thing("Vorn", "K", at=(250_000, 2_400_000), entered_at=9)
    old = thing("Krag", "K", at=(900_000, 3_750_000), entered_at=8)
    own = thing("Merlin", at=(900_000, 3_750_000), entered_at=9)
    seen = changed(HOME, seen_through=8)
    assert not notes(after(seen, others=(far, neutral, old, own)), "intruder")


# --- trade ---------------------------------------------------------------------------------


def trade(stock: int, *deliveries: Delivery, step: int, through: int = 0) -> Com:
    planet = thing("Solace", "N", "planet", stock=stock, deliveries_through=through)
    return after(planet, others=(changed(HOME, deliveries=deliveries),), step=step)


def test_a_planet_takes_a_delivery_one_step_later_and_once() -> None:
    delivery = Delivery(9, "Solace", 50)
    assert trade(100, delivery, step=9).stock == 150
    assert trade(100, delivery, step=8).stock == 100
    assert trade(100, delivery, step=9, through=9).stock == 100


def test_a_delivery_to_another_planet_is_not_taken() -> None:
    assert trade(100, Delivery(9, "Tarn", 50), step=9).stock == 100


def test_a_planet_uses_its_stock_up() -> None:
    assert [trade(100, step=step).stock for step in (2, 3, 4)] == [100, 99, 100]
    assert trade(0, step=3).stock == 0


def test_stock_has_a_maximum() -> None:
    assert trade(980, Delivery(9, "Solace", 50), step=9).stock == 1_000


def test_deliveries_are_kept_for_eight_steps() -> None:
    delivery = Delivery(2, "Solace", 50)
    assert after(changed(HOME, deliveries=(delivery,)), step=9).deliveries == (delivery,)
    assert after(changed(HOME, deliveries=(delivery,)), step=10).deliveries == ()


# --- orders --------------------------------------------------------------------------------


def test_an_upgrade_is_bought() -> None:
    base = thing("Aegis", kind="starbase", at=(1_005_000, 1_000_000))
    ship = changed(LEXINGTON, points=160, score=200)
    com = after(ship, Command("upgrade", ("engine",)), others=(base,))
    assert (com.points, com.score, com.upgrades) == (110, 200, (0, 0, 0, 1, 0, 0))
    assert dict(notes(com, "upgraded")[0].params) == {"track": "engine", "level": 1}


def test_abandoning_a_mission_costs_five_points_and_never_more_than_there_are() -> None:
    mission = Mission("patrol", 1, 400, 30, places=((0, 0), (0, 0), (0, 0)))
    rich = changed(LEXINGTON, mission=mission, points=8, cargo=50)
    com = after(rich, Command("mission", ("abandon",)))
    assert (com.mission, com.points, com.cargo, com.next_mission_at) == (None, 3, 0, 16)
    assert notes(com, "mission_failed")
    assert after(changed(rich, points=2), Command("mission", ("abandon",))).points == 0


def test_docking_is_noted_once() -> None:
    base = thing("Aegis", kind="starbase", at=(1_005_000, 1_000_000))
    state = galaxy(LEXINGTON, base)
    for _ in range(4):
        state = advance(state)
    assert len(notes(state.objects["Lexington"].com, "docked")) == 1


def test_a_change_of_alert_is_noted_for_captains() -> None:
    ship = changed(LEXINGTON, last_hit=9, alert="yellow")
    assert dict(notes(after(ship), "alert")[0].params) == {"alert": "red"}
    computer = thing("Merlin", captain=None, last_hit=9)
    assert not notes(after(computer), "alert")


def test_alerts() -> None:
    home = thing("Lexington", at=(250_000, 3_750_000))
    foe = thing("Gath", "K", at=(250_000, 3_450_000))

    def alert(ship: Thing, *others: Thing) -> str:
        return galaxy(ship, *others, step=9).view().alert(ship)

    assert alert(home) == "green"
    assert alert(changed(home, last_hit=5)) == "red"
    assert alert(changed(home, last_hit=4)) == "green"
    assert alert(home, foe) == "yellow"
    assert alert(home, changed(foe, y=3_449_999)) == "green"
    assert alert(changed(home, hull=124)) == "yellow"
    assert alert(changed(home, energy=199)) == "yellow"
    assert alert(changed(home, supplies=74)) == "yellow"
    assert alert(changed(home, x=2_750_000)) == "yellow", "abroad"
