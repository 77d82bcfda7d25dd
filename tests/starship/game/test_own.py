"""The primary's own server: it computes as all do, and keeps no state of its own."""

from __future__ import annotations

import itertools

import pytest

from apps.starship.errors import ScenarioError
from apps.starship.game.conductor import Conductor
from apps.starship.game.events import Committed, Joined, Received, Send, Tick
from apps.starship.game.following import Follower
from apps.starship.game.messages import StepBegin, StepUpdate
from apps.starship.game.own import OwnServer
from apps.starship.game.texts import read_deltas, write_deltas
from apps.starship.rules.creating import new_game
from apps.starship.rules.encoding import Encoder, digest
from apps.starship.rules.objects import LOG_LENGTH, Record
from apps.starship.rules.state import Settings, State
from apps.starship.rules.step import Delta, Worker, advance, commit, units_of
from tests.starship.rules.galaxy import THEME, galaxy, thing

SMALL = Settings(ships=2, bases=1, planets=1, free_planets=1, starships_max=30)
OWN, FAR = "1-own", "2-far"


class Pair:
    """A primary with its own server, and one elsewhere; messages take no time."""

    def __init__(self, state: State) -> None:
        self.conductor = Conductor(state, 5.0, 0.0)
        self.conductor.own = OWN
        ticks = itertools.count(step=1_000)
        self.own = OwnServer(self.conductor, lambda: next(ticks))
        self.far = Follower(lambda: next(ticks))
        self.sent: list[Send] = []
        self.commits: list[Committed] = []
        self.now = 0.0
        for id in (OWN, FAR):
            self.tell(Joined(id))

    def tell(self, event: Joined | Received | Tick) -> None:
        for effect in self.conductor.handle(event, self.now):
            if isinstance(effect, Committed):
                self.commits.append(effect)
            elif isinstance(effect, Send):
                self.sent.append(effect)
                server = self.own if effect.to == OWN else self.far
                for answer in server.handle(effect.message):
                    self.tell(Received(effect.to, answer))

    def step(self) -> None:
        self.now += 5.0
        self.tell(Tick())
        for id, server in ((OWN, self.own), (FAR, self.far)):
            while server.has_work:
                for answer in server.work():
                    self.tell(Received(id, answer))


def test_it_takes_its_share_and_the_game_is_the_same() -> None:
    pair, alone = Pair(new_game(3, THEME, SMALL)), new_game(3, THEME, SMALL)
    for _ in range(4):
        pair.step()
        alone = advance(alone)
    assert pair.conductor.hash == pair.far.hash == digest(alone)
    assert all(hand.done for hand in pair.conductor.pool.hands.values())
    assert all(hand.speed != 100.0 for hand in pair.conductor.pool.hands.values())


def test_it_is_sent_no_results() -> None:
    pair = Pair(new_game(3, THEME, SMALL))
    for _ in range(3):
        pair.step()
    results = {send.to for send in pair.sent if isinstance(send.message, StepUpdate)}
    assert results == {FAR}


def test_what_it_was_given_in_a_step_that_is_over_it_does_not_compute() -> None:
    pair = Pair(new_game(3, THEME, SMALL))
    begin = StepBegin(0, 7, {}, (("Lexington", "nav"),), "")
    pair.own.handle(begin)
    assert pair.own.has_work
    assert pair.own.work() == []
    assert not pair.own.has_work


# --- logs on their way ---------------------------------------------------------------------


def noted(count: int, step: int) -> tuple[Record, ...]:
    """So many lines of a log that were written in a step."""
    return tuple(Record(step, number, "hit_by", (("name", "Gath"),)) for number in range(count))


@pytest.mark.parametrize("length", [0, 3, LOG_LENGTH - 1, LOG_LENGTH])
@pytest.mark.parametrize("fresh", [1, 2, LOG_LENGTH])
def test_of_a_log_the_new_lines_travel_and_make_the_same_log(length: int, fresh: int) -> None:
    old = noted(length, 5)
    before = galaxy(thing("Bounty", log=()), step=9)
    ship = before.objects["Bounty"]
    before.objects["Bounty"] = ship.with_group("com", ship.com.changed({"log": old}))
    log = (*old, *noted(fresh, 10))[-LOG_LENGTH:]
    delta = Delta("Bounty", "com", {"log": log, "points": 4})
    text = write_deltas([delta], 10)
    assert text.count("hit_by") == fresh
    assert read_deltas(text, before) == (delta,)
    encoder = Encoder()
    encoder.digest(before)
    after = commit(before, [delta])
    assert encoder.digest(after) == digest(after)


def test_lines_for_the_log_of_nobody_are_refused() -> None:
    text = '[["com","Nobody",{"lines":[]}]]'
    with pytest.raises(ScenarioError, match=r"there is no Nobody to whose log"):
        read_deltas(text, galaxy(thing("Bounty"), step=9))
    assert read_deltas(text) == (Delta("Nobody", "com", {"log": ()}),)


def test_all_results_of_a_step_travel() -> None:
    state = new_game(3, THEME, SMALL)
    for _ in range(20):
        state = advance(state)
    worker = Worker(state.view(), {})
    deltas = tuple(worker.compute(*unit) for unit in units_of(state.view()))
    assert read_deltas(write_deltas(deltas, state.step + 1), state) == deltas
