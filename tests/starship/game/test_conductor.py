"""The step protocol: sharing out, merging, losses, deferral, liars (design, section 13)."""

from __future__ import annotations

import pytest

from apps.starship.game.conductor import Conductor, Phase
from apps.starship.game.events import Joined, Received, Tick
from apps.starship.game.messages import Ready, StepDone, StepUpdate
from apps.starship.game.pool import BARRED, FAULTS_MAX, FOLLOWING, JOINING, READY, Pool
from apps.starship.rules.creating import new_game
from apps.starship.rules.encoding import digest
from apps.starship.rules.partition import COSTS, FIRST_SPEED, next_speed
from apps.starship.rules.state import Settings, State
from apps.starship.rules.step import Delta, advance, units_of
from tests.starship.game.theatre import INTERVAL, Place, Theatre, replayed
from tests.starship.rules.galaxy import CAPTAIN, THEME, galaxy, thing

SMALL = Settings(ships=2, bases=1, planets=1, free_planets=1, starships_max=30)


def small(seed: int = 1) -> State:
    return new_game(seed, THEME, SMALL)


def ready(*ids: str, seconds: float = 0.001, state: State | None = None) -> Theatre:
    """A game whose servers have joined and are ready."""
    theatre = Theatre(state or small())
    for id in ids:
        theatre.join(id, seconds)
    theatre.run(1.0)
    assert {hand.state for hand in theatre.conductor.pool.hands.values()} <= {READY}
    return theatre


def alone(state: State, steps: int) -> list[str]:
    """The hashes of a game that is computed in one place."""
    found = []
    for _ in range(steps):
        state = advance(state)
        found.append(digest(state))
    return found


def hashes(theatre: Theatre) -> list[str]:
    return [commit.hash for commit in theatre.commits]


def agree(theatre: Theatre) -> None:
    """Check that every server that is ready has the primary's state."""
    for place in theatre.places.values():
        if theatre.conductor.pool.hands[place.id].state == READY:
            assert place.follower.hash == theatre.conductor.hash, place.id


# --- the same game on any number of servers ------------------------------------------------


@pytest.mark.parametrize("servers", [0, 1, 2, 4])
def test_a_game_is_the_same_on_any_number_of_servers(servers: int) -> None:
    theatre = ready(*(f"s{number}" for number in range(servers)))
    theatre.steps(6)
    assert hashes(theatre) == alone(small(), 6)
    agree(theatre)
    assert not theatre.reports or set(theatre.kinds()) == {"ready"}


def test_every_server_computes_its_share() -> None:
    theatre = ready("a", "b", "c")
    theatre.steps(3)
    done = {hand.id: hand.done for hand in theatre.conductor.pool.hands.values()}
    assert min(done.values()) > 0
    assert sum(done.values()) == sum(3 * len(state.objects) for state in theatre.states[:3])


def test_few_objects_are_split_into_their_groups() -> None:
    theatre = ready("a", "b", "c", state=galaxy(thing("Lexington", captain=None)))
    theatre.steps(2)
    assert {hand.done for hand in theatre.conductor.pool.hands.values()} == {2}


def test_a_fast_server_gets_more() -> None:
    theatre = ready("fast")
    theatre.join("slow", 0.1)
    theatre.steps(12)
    done = {hand.id: hand.done for hand in theatre.conductor.pool.hands.values()}
    assert done["fast"] > 2 * done["slow"] > 0


def test_the_speed_of_the_only_server_is_measured_though_its_step_is_committed_first() -> None:
    theatre = ready("a", seconds=0.01)
    before = theatre.conductor.pool.hands["a"].speed
    theatre.run(3 * INTERVAL)
    hand = theatre.conductor.pool.hands["a"]
    assert hand.busy_us > 0
    assert hand.speed != before


def cost(state: State) -> float:
    return sum(COSTS[group] for _name, group in units_of(state.view()))


def test_the_speed_is_what_a_server_was_given_in_a_step_by_what_it_took() -> None:
    theatre = ready("a", seconds=0.01)
    theatre.steps(20)
    hand = theatre.conductor.pool.hands["a"]
    assert hand.given == cost(theatre.states[-2])
    assert hand.speed == pytest.approx(hand.given / hand.busy_us * 1_000_000, rel=0.2)


def test_the_speed_of_the_last_server_is_measured_though_the_next_step_has_begun() -> None:
    conductor = Conductor(small(), INTERVAL, 0.0)
    conductor.handle(Joined("a"), 0.0)
    conductor.handle(Received("a", Ready(0, 0, conductor.hash)), 0.0)
    conductor.handle(Tick(), INTERVAL)
    given = cost(conductor.state)
    results = conductor.compute(list(units_of(conductor.view)))
    conductor.handle(Received("a", StepUpdate(0, 1, results)), 3 * INTERVAL)
    assert (conductor.state.step, conductor.phase) == (1, Phase.COMPUTING)
    conductor.handle(Received("a", StepDone(0, 1, 1_000_000)), 3 * INTERVAL)
    assert conductor.pool.hands["a"].speed == next_speed(FIRST_SPEED, given, 1.0)


def test_a_server_that_is_late_is_measured_by_what_it_was_given_then() -> None:
    pool = Pool()
    pool.add("a")
    pool.begin()
    pool.give("a", [("Gath", "tac"), ("Gath", "nav")])
    pool.begin()
    pool.give("a", [("Bounty", "com")])
    pool.note_done("a", 1_000_000, before=True)
    assert pool.hands["a"].speed == next_speed(FIRST_SPEED, 3.0, 1.0)


def test_a_step_ends_as_soon_as_everything_is_there() -> None:
    theatre = ready("a")
    theatre.run(INTERVAL - 1.0 + 0.2)
    assert theatre.conductor.state.step == 1


def test_steps_by_hand() -> None:
    conductor = Conductor(small(), float("inf"), 0.0)
    conductor.handle(Tick(), 1_000.0)
    assert conductor.state.step == 0
    conductor.handle(Tick(step=True), 1_000.0)
    assert conductor.state.step == 1


# --- joining -------------------------------------------------------------------------------


def test_a_server_may_join_at_any_moment_of_a_step() -> None:
    for moment in range(12):
        theatre = ready("a", seconds=0.2)
        theatre.run(INTERVAL - 1.0 + moment * 0.1)
        theatre.join("b")
        theatre.steps(3)
        assert theatre.conductor.pool.hands["b"].state == READY, moment
        assert hashes(theatre) == alone(small(), len(theatre.commits)), moment
        agree(theatre)


def test_a_joining_server_has_no_work_until_its_state_is_right() -> None:
    theatre = Theatre(small(), delay=2.0)
    theatre.join("far")
    assert theatre.conductor.pool.hands["far"].state == FOLLOWING
    theatre.steps(1)
    assert theatre.conductor.pool.hands["far"].done == 0


def test_a_server_that_joins_while_a_step_is_computed_waits_for_its_end() -> None:
    theatre = ready("slow", seconds=0.5)
    theatre.run(INTERVAL - 1.0 + 0.1)
    theatre.join("b")
    assert theatre.conductor.pool.hands["b"].state == JOINING


def test_a_server_that_comes_back_begins_anew() -> None:
    theatre = ready("a", "b")
    theatre.places["b"].restart()
    theatre.join("b")
    theatre.steps(3)
    assert theatre.conductor.pool.hands["b"].state == READY
    assert hashes(theatre) == alone(small(), 3)


# --- losses --------------------------------------------------------------------------------


@pytest.mark.parametrize("moment", [0.0, 0.1, 0.3, 0.6])
def test_a_lost_server_loses_nothing(moment: float) -> None:
    theatre = ready("a", "b", seconds=0.2)
    theatre.run(INTERVAL - 1.0 + moment)
    theatre.lose("b", crash=True)
    theatre.steps(2)
    assert hashes(theatre) == alone(small(), len(theatre.commits))
    assert "deferred" not in theatre.kinds()


def test_with_the_last_server_the_primary_goes_on_alone() -> None:
    theatre = ready("a", seconds=0.2)
    theatre.run(INTERVAL - 1.0 + 0.1)
    theatre.lose("a")
    theatre.steps(2)
    assert hashes(theatre) == alone(small(), len(theatre.commits))


def test_late_work_is_given_to_others_too() -> None:
    theatre = ready("a", "hung")
    theatre.places["hung"].seconds = 1_000.0
    theatre.run(INTERVAL - 1.0 + 0.4 * INTERVAL + 0.5)
    assert theatre.conductor.state.step == 1
    assert theatre.conductor.pool.hands["hung"].lost > 0
    assert hashes(theatre) == alone(small(), 1)
    # What it took is told for all that it did.
    assert theatre.conductor.pool.hands["a"].given == cost(small())


def test_what_nobody_computes_is_deferred_and_then_computed_by_the_primary() -> None:
    theatre = ready("hung")
    theatre.places["hung"].seconds = 1_000.0
    theatre.steps(4)
    deferred = [len(commit.deferred) for commit in theatre.commits]
    everything = 3 * len(small().objects)
    assert deferred == [everything] * 3 or deferred == [everything] * 3 + [0]
    theatre.steps(1)
    assert theatre.commits[3].deferred == ()
    assert [digest(state) for state in replayed(theatre)[1:]] == hashes(theatre)


def test_results_for_a_committed_step_are_dropped_and_counted() -> None:
    theatre = ready("a", "slow")
    # Its results are on the way when a, which gets its work too at 40 percent, has brought them.
    theatre.delay, theatre.places["slow"].seconds = 0.2, 2.3
    theatre.steps(8)
    assert theatre.conductor.pool.hands["slow"].late > 0
    assert hashes(theatre) == alone(small(), len(theatre.commits))


def test_a_server_that_follows_after_a_deferral_has_the_right_state() -> None:
    theatre = ready("hung", "b")
    theatre.places["hung"].seconds = 1_000.0
    theatre.places["b"].seconds = 1_000.0
    theatre.steps(2)
    theatre.places["b"].restart()
    theatre.places["b"].seconds = 0.001
    theatre.join("b")
    theatre.steps(6)
    assert theatre.conductor.pool.hands["b"].state == READY
    agree(theatre)


# --- liars ---------------------------------------------------------------------------------


def lie(delta: Delta) -> Delta:
    """Make every ship of the server's faster."""
    return delta._replace(changes={**delta.changes, "speed": 99}) if delta.group == "nav" else delta


def liar(theatre: Theatre, id: str) -> Place:
    place = theatre.places[id]
    place.lies = lie
    return place


def test_wrong_results_are_found_corrected_and_named() -> None:
    theatre = ready("a", "b")
    liar(theatre, "b")
    theatre.steps(10)
    assert hashes(theatre)[-1] == alone(small(), len(theatre.commits))[-1] or any(
        report.kind == "divergent" for report in theatre.reports
    )
    named = {report.server for report in theatre.reports if report.kind == "divergent"}
    assert named == {"b"}
    assert theatre.conductor.pool.hands["b"].state == BARRED
    assert "result" in next(r.text for r in theatre.reports if r.kind == "divergent")


def test_a_server_that_always_lies_changes_nothing() -> None:
    def always(delta: Delta) -> Delta:
        return delta._replace(changes={**delta.changes, **_WRONG[delta.group]})

    theatre = ready("a", "b")
    theatre.places["b"].lies = always
    theatre.steps(5)
    assert hashes(theatre) == alone(small(), len(theatre.commits))
    assert theatre.conductor.pool.hands["b"].state == BARRED


_WRONG: dict[str, dict[str, int]] = {"nav": {"speed": 99}, "tac": {"hull": 1}, "com": {"score": 9}}


def test_a_barred_server_stays_barred_when_it_comes_back() -> None:
    theatre = ready("a", "b")
    liar(theatre, "b")
    theatre.steps(10)
    theatre.lose("b", crash=True)
    theatre.places["b"].lies = None
    theatre.join("b")
    theatre.steps(2)
    assert theatre.conductor.pool.hands["b"].state == BARRED
    assert theatre.conductor.pool.hands["b"].done == 0
    assert "barred" in theatre.kinds()


def test_a_server_whose_state_differs_gets_a_fresh_one() -> None:
    theatre = ready("a", "b")
    follower = theatre.places["b"].follower
    assert follower.state is not None
    wrong = galaxy(*follower.state.objects.values(), step=follower.state.step, seed=999)
    follower.state = wrong
    theatre.steps(3)
    assert "divergent" in theatre.kinds()
    assert theatre.conductor.pool.hands["b"].state == READY
    agree(theatre)


def test_a_server_that_tells_a_wrong_hash_is_named_and_gets_no_work() -> None:
    theatre = ready("a", "b")
    wrong = Ready(0, theatre.conductor.state.step, "0" * 64)
    for _ in range(FAULTS_MAX):
        theatre.tell(Received("b", wrong))
        theatre.steps(1)
    assert {report.server for report in theatre.reports if report.kind == "divergent"} == {"b"}
    theatre.conductor.pool.hands["b"].state = FOLLOWING
    theatre.tell(Received("b", wrong._replace(t=theatre.conductor.state.step)))
    assert theatre.conductor.pool.hands["b"].state != READY


def test_results_of_a_server_that_only_follows_do_not_count() -> None:
    theatre = ready("a", seconds=0.5)
    theatre.run(INTERVAL - 1.0 + 0.1)
    theatre.join("b")
    update = StepUpdate(0, 1, (lie(Delta("Aegis", "nav", {})),))
    theatre.tell(Received("b", update))
    assert theatre.conductor.pool.hands["b"].late == 1
    theatre.steps(1)
    assert hashes(theatre) == alone(small(), len(theatre.commits))


def test_a_server_that_begins_anew_in_a_step_leaves_its_work_to_others() -> None:
    theatre = ready("a", "b", seconds=0.5)
    theatre.run(INTERVAL - 1.0 + 0.1)
    theatre.places["b"].restart()
    theatre.join("b")
    given = theatre.conductor.pool.hands["a"].missing
    assert {name for name, _group in given} == set(theatre.conductor.state.objects)


def test_two_results_that_differ_are_decided_by_the_primary() -> None:
    theatre = ready("a", "b")
    # b is slow: at 40 percent its work goes to a too, whose wrong results come first.
    theatre.places["b"].seconds = 0.45 * INTERVAL
    liar(theatre, "a")
    theatre.steps(2)
    named = {report.server for report in theatre.reports if report.kind == "divergent"}
    assert named == {"a"}


@pytest.mark.parametrize("differs", [False, True], ids=["equal", "another"])
def test_a_unit_that_is_twice_in_a_message_counts_once(differs: bool) -> None:
    theatre = ready("a", seconds=0.5)
    theatre.run(INTERVAL - 1.0 + 0.1)
    conductor = theatre.conductor
    hand = conductor.pool.hands["a"]
    [right] = conductor.compute([min(unit for unit in hand.missing if unit[1] == "nav")])
    done = hand.done
    both = right, lie(right) if differs else right
    theatre.tell(Received("a", StepUpdate(0, conductor.state.step + 1, both)))
    assert hand.done == done + 1
    assert hand.faults == int(differs)
    theatre.steps(1)
    assert hashes(theatre) == alone(small(), len(theatre.commits))


def test_messages_of_another_epoch_count_for_nothing() -> None:
    theatre = ready("a")
    theatre.conductor.epoch += 1
    theatre.run(INTERVAL - 1.0 + 1.0)
    assert theatre.conductor.pool.hands["a"].done == 0


# --- orders --------------------------------------------------------------------------------


def captained() -> State:
    return galaxy(thing("Lexington"), thing("Merlin", at=(2_000_000, 2_000_000), captain=None))


def test_an_order_takes_effect_in_its_step() -> None:
    theatre = ready("a", state=captained())
    answer = theatre.conductor.admission.order("lexington", CAPTAIN, "k1", "speed", ["3.0"])
    assert (answer.ok, answer.left, answer.step) == (True, 2, 1)
    theatre.steps(1)
    assert theatre.conductor.state.objects["Lexington"].nav.want_speed == 30


def test_an_order_while_a_step_is_computed_is_for_the_next() -> None:
    theatre = ready("a", seconds=0.5, state=captained())
    theatre.run(INTERVAL - 1.0 + 0.1)
    answer = theatre.conductor.admission.order("Lexington", CAPTAIN, "k1", "speed", ["3.0"])
    assert (answer.ok, answer.step) == (True, 2)
    theatre.run(1.0)
    assert theatre.conductor.state.objects["Lexington"].nav.want_speed == 0
    theatre.steps(1)
    assert theatre.conductor.state.objects["Lexington"].nav.want_speed == 30


def test_orders_of_a_deferred_unit_are_carried_over_and_do_not_count() -> None:
    theatre = ready("hung", state=captained())
    theatre.places["hung"].seconds = 1_000.0
    admission = theatre.conductor.admission
    assert admission.order("Lexington", CAPTAIN, "k1", "speed", ["3.0"]).ok
    theatre.run(INTERVAL - 1.0 + 0.81 * INTERVAL)
    assert ("Lexington", "nav") in theatre.commits[0].deferred
    assert theatre.conductor.state.objects["Lexington"].nav.want_speed == 0
    answers = [
        admission.order("Lexington", CAPTAIN, f"n{number}", "power", ["engines"])
        for number in range(4)
    ]
    assert [answer.ok for answer in answers] == [True, True, True, False]
    theatre.lose("hung")
    theatre.steps(1)
    assert theatre.conductor.state.objects["Lexington"].nav.want_speed == 30


def test_an_order_is_carried_out_once() -> None:
    theatre = ready("hung", state=captained())
    theatre.places["hung"].seconds = 1_000.0
    theatre.conductor.admission.order("Lexington", CAPTAIN, "k1", "course", ["90"])
    theatre.steps(6)
    given = [commit.orders.get("Lexington", ()) for commit in theatre.commits]
    assert sum(map(len, given[:3])) == 3, "deferred three times"
    assert given[3] != ()
    assert given[4:] == [()] * len(given[4:])


def test_joining_twice_at_once() -> None:
    conductor = Conductor(small(), INTERVAL, 0.0)
    assert len(conductor.handle(Joined("a"), 0.0)) == 1
    assert len(conductor.handle(Joined("a"), 0.0)) == 1
    assert list(conductor.pool.hands) == ["a"]


# --- servers that fall silent ---------------------------------------------------------------


def test_a_server_that_sends_nothing_is_named_and_gets_no_work() -> None:
    theatre = ready("a", "b")
    theatre.places["b"].seconds = 1_000.0
    theatre.steps(1)
    theatre.run(INTERVAL / 2)
    assert [(r.kind, r.server) for r in theatre.reports if r.kind == "slow"] == [("slow", "b")]
    assert len(theatre.commits) == 1 and theatre.commits[0].deferred == ()


def test_a_silent_server_holds_up_fewer_and_fewer_steps() -> None:
    theatre = ready("a", "b")
    theatre.places["b"].seconds = 100_000.0
    theatre.steps(40)
    # After 1, 2, 4, 8 and 16 steps on probation it gets work again, in vain.
    assert theatre.kinds().count("slow") in (5, 6)
    assert len(theatre.commits) >= 39


def test_a_silent_server_that_is_there_again_gets_its_share() -> None:
    theatre = ready("a", "b")
    place = theatre.places["b"]
    place.seconds = 1.9 * INTERVAL
    theatre.steps(1)
    place.seconds = 0.001
    theatre.steps(5)
    hand = theatre.conductor.pool.hands["b"]
    assert (hand.state, hand.silences) == (READY, 0)
    assert hand.done > 0
    agree(theatre)


def test_a_server_that_sends_some_of_its_work_late_is_not_silent() -> None:
    theatre = ready("a", "b", state=new_game(1, THEME))
    theatre.places["b"].seconds = 0.9
    theatre.steps(2)
    assert "slow" not in theatre.kinds()


def test_the_last_server_is_not_sent_away_for_being_slow() -> None:
    theatre = ready("a")
    theatre.places["a"].seconds = 0.7 * INTERVAL
    theatre.steps(3)
    assert "slow" not in theatre.kinds()


@pytest.mark.parametrize(("soft", "hard"), [(10, 20), (60, 90)])
def test_the_deadlines_are_configured(soft: int, hard: int) -> None:
    conductor = Conductor(small(), INTERVAL, 0.0, soft_percent=soft, hard_percent=hard)
    conductor.handle(Joined("a"), 0.0)
    conductor.handle(Received("a", Ready(0, 0, conductor.hash)), 0.1)
    conductor.handle(Tick(), INTERVAL)
    assert conductor.next_deadline() == pytest.approx(INTERVAL * (1 + soft / 100))
    conductor.handle(Tick(), conductor.next_deadline())
    assert conductor.next_deadline() == pytest.approx(INTERVAL * (1 + hard / 100))
