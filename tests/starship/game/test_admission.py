"""Orders and captains of the step that is collected (design, sections 5 and 10)."""

from __future__ import annotations

import pytest

from apps.starship.errors import ScenarioError
from apps.starship.game.admission import KEYS_SAVED_STEPS, Admission
from apps.starship.game.promised import Promised, read_promised, write_promised
from apps.starship.rules.commands import Command, Refusal
from apps.starship.rules.objects import Thing
from apps.starship.rules.step import Enlistment, Structure
from tests.starship.rules.galaxy import CAPTAIN, aimed, galaxy, thing

BASE = thing("Aegis", kind="starbase", at=(250_000, 3_750_000))
FREE = thing("Merlin", captain=None, at=(900_000, 900_000))


def admission(*things: Thing, step: int = 9) -> Admission:
    return Admission(galaxy(thing("Lexington"), BASE, FREE, *things, step=step).view())


def code(found: Refusal | str) -> str:
    return found.code if isinstance(found, Refusal) else found


def test_three_orders_and_no_more() -> None:
    made = admission()
    answers = [
        made.order("Lexington", CAPTAIN, str(number), "speed", [number]) for number in range(4)
    ]
    assert [(answer.ok, answer.left) for answer in answers] == [
        (True, 2), (True, 1), (True, 0), (False, 0),
    ]  # fmt: skip
    assert answers[3].code == "E_LIMIT"
    assert [order.args for order in made.given("Lexington")] == [(0,), (10,), (20,)]


def test_a_refusal_uses_up_no_order() -> None:
    made = admission()
    assert made.order("Lexington", CAPTAIN, "", "fire", ["P1"]).left == 3


def test_the_same_key_is_answered_alike_and_admitted_once() -> None:
    made = admission()
    first = made.order("Lexington", CAPTAIN, "k", "speed", ["3"])
    assert made.order("LEXINGTON", CAPTAIN, "k", "speed", ["3"]) == first
    assert len(made.given("Lexington")) == 1


def test_keys_are_the_captains_own() -> None:
    made = admission()
    made.order("Lexington", CAPTAIN, "k", "speed", ["3"])
    assert made.order("Lexington", CAPTAIN + 1, "k", "speed", ["3"]).code == "E_CAPTAIN"
    stranger = made.order("Lexington", CAPTAIN + 1, "x", "speed", ["3"])
    assert made.order("Lexington", CAPTAIN, "x", "speed", ["3"]) != stranger


def test_a_key_is_remembered_over_steps() -> None:
    made = admission()
    first = made.order("Lexington", CAPTAIN, "k", "speed", ["3"])
    orders, _structure = made.close()
    made.begin(admission(step=10).view, orders, ())
    assert made.order("Lexington", CAPTAIN, "k", "speed", ["3"]) == first
    assert made.given("Lexington") == []


def test_orders_without_key_are_each_their_own() -> None:
    made = admission()
    made.order("Lexington", CAPTAIN, "", "speed", ["3"])
    made.order("Lexington", CAPTAIN, "", "speed", ["3"])
    assert len(made.given("Lexington")) == 2


def test_nobody_orders_ships_there_are_none() -> None:
    answer = admission().order("Nobody", CAPTAIN, "k", "speed", ["3"])
    assert (answer.ok, answer.code) == (False, "E_ARG")


def test_while_a_step_is_computed_orders_are_for_the_next() -> None:
    recycling = aimed(thing("Yorktown"), "Gath", P1=11)
    foe = thing("Gath", "K", at=(1_000_000, 1_050_000))
    made = admission(recycling, foe)
    assert made.order("Yorktown", CAPTAIN, "", "fire", ["P1"]).code == "E_RECYCLING"
    made.close()
    answer = made.order("Yorktown", CAPTAIN, "", "fire", ["P1"])
    assert (answer.ok, answer.step) == (True, 11)


def test_orders_of_a_deferred_unit_come_first_in_the_next_step() -> None:
    made = admission()
    made.order("Lexington", CAPTAIN, "", "speed", ["3"])
    made.order("Lexington", CAPTAIN, "", "power", ["shields"])
    orders, _structure = made.close()
    made.order("Lexington", CAPTAIN, "", "speed", ["4"])
    made.begin(admission(step=10).view, orders, [("Lexington", "nav")])
    assert made.left("Lexington") == 2
    later, _structure = made.close()
    assert later == {"Lexington": (Command("speed", (30,)), Command("speed", (40,)))}


def test_orders_of_lost_ships_are_dropped() -> None:
    made = admission()
    orders, _structure = made.close()
    made.order("Lexington", CAPTAIN, "", "speed", ["4"])
    gone = galaxy(BASE, thing("Lexington", dead_at=9, hull=0), step=10).view()
    made.begin(gone, orders, [("Lexington", "nav")])
    assert made.close()[0] == {}


# --- captains ------------------------------------------------------------------------------


def test_a_ship_is_made_with_the_next_commit() -> None:
    made = admission()
    assert made.enlist("Bounty", "F", 7) == "Bounty"
    assert made.close()[1] == Structure((Enlistment("Bounty", "F", 7),), ())
    assert made.close()[1] == Structure()


def test_ships_without_a_name_get_one_each() -> None:
    made = admission()
    names = [made.enlist("", "F", number) for number in range(40)]
    assert len({str(name).lower() for name in names}) == 40
    assert not any(isinstance(name, Refusal) for name in names)


def test_a_name_is_taken_once() -> None:
    made = admission()
    made.enlist("Bounty", "F", 7)
    assert code(made.enlist("BOUNTY", "F", 8)) == "E_TAKEN"
    assert code(made.enlist("lexington", "F", 8)) == "E_TAKEN"
    made.close()
    assert code(made.enlist("bounty", "F", 8)) == "E_TAKEN", "it is being made"


def test_names_and_races_are_checked() -> None:
    made = admission()
    assert code(made.enlist("<b>", "F", 7)) == "E_NAME"
    assert code(made.enlist("Bounty", "N", 7)) == "E_ARG"
    assert code(made.enlist("Bounty", "K", 7)) == "E_FULL", "that race has no place"


def test_the_galaxy_has_a_bound() -> None:
    view = galaxy(thing("Lexington"), BASE, starships_max=3, ships=0, human_reserve=3).view()
    made = Admission(view)
    assert [code(made.enlist("", "F", number)) for number in range(3)][2] == "E_FULL"
    made.close()
    assert code(made.enlist("", "F", 9)) == "E_FULL", "those that are being made count"


def test_a_ship_without_captain_may_be_taken() -> None:
    made = admission()
    assert made.take("merlin", 7) == "Merlin"
    assert code(made.take("Merlin", 8)) == "E_CAPTAINED"
    assert made.take("Merlin", 7) == "Merlin"
    assert made.close()[1].captains == (("Merlin", 7),)


def test_what_cannot_be_taken() -> None:
    made = admission(thing("Gath", "K", captain=None, dead_at=9, hull=0))
    assert code(made.take("Lexington", 7)) == "E_CAPTAINED"
    for name in ("Nobody", "Aegis", "Gath"):
        assert code(made.take(name, 7)) == "E_ARG"


def test_leaving_a_ship() -> None:
    made = admission()
    assert not made.leave("Lexington", 7)
    assert not made.leave("Nobody", 7)
    assert made.leave("lexington", CAPTAIN)
    assert made.take("Lexington", 7) == "Lexington"
    assert made.close()[1].captains == (("Lexington", 7),)


# --- restarts ------------------------------------------------------------------------------


def test_after_a_restart_a_key_is_answered_as_before() -> None:
    made = admission()
    first = made.order("Lexington", CAPTAIN, "k", "speed", ["3"])
    orders, _structure = made.close()
    made.begin(admission(step=10).view, orders, ())
    after = admission(step=10)
    after.restore(read_promised(write_promised(made.promised())))
    assert first.ok
    assert after.order("Lexington", CAPTAIN, "k", "speed", ["3"]) == first
    assert after.given("Lexington") == []


def test_what_is_collected_is_not_promised_for_after_a_restart() -> None:
    made = admission()
    made.order("Lexington", CAPTAIN, "k", "speed", ["3"])
    assert made.promised() == Promised()
    made.close()
    assert made.promised() == Promised()


def test_orders_of_a_deferred_unit_wait_over_a_restart_while_the_next_step_is_computed() -> None:
    made = admission()
    made.order("Lexington", CAPTAIN, "", "speed", ["3"])
    orders, _structure = made.close()
    made.begin(admission(step=10).view, orders, [("Lexington", "nav")])
    made.close()
    after = admission(step=10)
    after.restore(read_promised(write_promised(made.promised())))
    assert after.close()[0] == {"Lexington": (Command("speed", (30,)),)}


def test_keys_are_saved_for_some_steps_only() -> None:
    made = admission()
    made.order("Lexington", CAPTAIN, "k", "speed", ["3"])
    for step in range(10, 10 + KEYS_SAVED_STEPS):
        made.begin(admission(step=step).view, made.close()[0], ())
        assert set(made.promised().keys) == {10}
    made.begin(admission(step=10 + KEYS_SAVED_STEPS).view, {}, ())
    assert made.promised() == Promised()


def test_the_keys_of_a_ship_that_is_gone_are_no_others() -> None:
    made = admission(thing("Gone"))
    made.order("Gone", CAPTAIN, "k", "speed", ["3"])
    made.begin(admission(step=10).view, made.close()[0], ())
    made.begin(admission(thing("Gone"), step=11).view, made.close()[0], ())
    after = admission(thing("Gone"), step=11)
    after.restore(made.promised())
    assert after.order("Gone", CAPTAIN, "k", "speed", ["3"]).step == 12


@pytest.mark.parametrize(
    "text", ["x", "[]", "{}", '{"keys":[[1]],"late":{}}', '{"keys":[],"late":{"A":[["fly"]]}}']
)
def test_what_was_not_written_as_promised_is_named(text: str) -> None:
    with pytest.raises(ScenarioError, match=r"keys of admitted orders cannot be read"):
        read_promised(text)


# --- a polite end --------------------------------------------------------------------------


def again(made: Admission) -> Admission:
    """The admission of a primary that was ended politely and started again."""
    state = made.view.state
    back = Admission(state.view())
    back.restore(read_promised(write_promised(made.promised(ends=True))))
    return back


def test_what_was_collected_when_the_game_ended_is_collected_again() -> None:
    made = admission()
    made.order("Lexington", CAPTAIN, "k", "speed", [3])
    assert made.enlist("Comet", "F", 7) == "Comet"
    assert made.take("Merlin", 8) == "Merlin"
    back = again(made)
    assert back.left("Lexington") == 2
    assert back.order("Lexington", CAPTAIN, "k", "speed", [3]).left == 2
    assert back.is_coming("comet")
    assert back.close() == made.close()


def test_what_was_collected_is_saved_at_the_end_alone() -> None:
    made = admission()
    made.order("Lexington", CAPTAIN, "k", "speed", [3])
    assert write_promised(made.promised()) == ""


def test_when_the_game_ends_in_a_step_each_order_stays_in_its_step() -> None:
    made = admission()
    made.order("Lexington", CAPTAIN, "", "speed", [3])
    closed = made.close()
    made.order("Lexington", CAPTAIN, "", "speed", [5])
    back = again(made)
    assert back.close() == closed
    assert [order.args for order in back.given("Lexington")] == [(50,)]
    assert again(made).left("Lexington") == 2


def test_what_was_promised_for_steps_that_were_made_is_not_done_again() -> None:
    made = admission()
    made.order("Lexington", CAPTAIN, "", "speed", [3])
    promised = made.promised(ends=True)
    later = galaxy(thing("Lexington"), BASE, FREE, step=10)
    assert not promised.of(later).coming
