"""Games in which servers come, go, crash, hang and lie: the game goes on as if nothing happened.

From one seed: who joins when, who is slow, whose link breaks, who forgets everything, who lies,
what captains order. After a storm there is calm, in which every honest server must become ready.
"""

from __future__ import annotations

import random

import pytest

from apps.starship.game.conductor import EVERYTHING, SAMPLE
from apps.starship.game.events import Joined, Lost
from apps.starship.game.pool import BARRED, READY
from apps.starship.rules.creating import new_game
from apps.starship.rules.encoding import digest
from apps.starship.rules.state import Settings
from apps.starship.rules.step import Delta
from tests.starship.game.theatre import INTERVAL, Theatre, replayed
from tests.starship.rules.galaxy import THEME

SETTINGS = Settings(ships=2, bases=1, planets=1, free_planets=1, starships_max=30)
STORM_STEPS, CALM_STEPS = 12, 5
SERVERS = ("a", "b", "c", "d")
_WRONG = {"nav": {"speed": 99}, "tac": {"hull": 1}, "com": {"score": 9}}


class Storm:
    """One run."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        state = new_game(self.dice.randrange(10**6), THEME, SETTINGS)
        self.liar = self.dice.choice([None, None, *SERVERS])
        # Where somebody may lie, everything is computed again: a sample finds a liar, later.
        sample = EVERYTHING if self.liar else SAMPLE
        self.theatre = Theatre(state, seed, self.dice.choice([0.001, 0.05, 0.5]), sample)
        self.captain = 7
        self.ordered: dict[str, tuple[str, int]] = {}

    def go(self) -> Theatre:
        theatre = self.theatre
        for place in SERVERS[: self.dice.randint(0, 4)]:
            theatre.join(place, self.dice.choice([0.001, 0.01]))
        assert not isinstance(
            theatre.conductor.admission.enlist("Bounty", "F", self.captain), tuple
        )
        for _ in range(STORM_STEPS * 4):
            self.disturb()
            self.order()
            theatre.run(INTERVAL / 4)
        self.calm()
        theatre.steps(CALM_STEPS)
        return theatre

    def disturb(self) -> None:
        theatre, dice = self.theatre, self.dice
        id = dice.choice(SERVERS)
        place = theatre.places.get(id)
        what = dice.random()
        if place is None or not place.linked:
            if what < 0.5:
                place = theatre.join(id, dice.choice([0.001, 0.05, 0.3]))
        elif what < 0.15:
            theatre.at(dice.random(), lambda: place.linked and theatre.lose(id, crash=True))
        elif what < 0.25:
            theatre.at(dice.random(), lambda: place.linked and theatre.lose(id))
        elif what < 0.35:
            place.seconds = dice.choice([0.001, 0.3, 3.0, 100.0])
        if place is not None and id == self.liar and dice.random() < 0.3:
            place.lies = self.lie if dice.random() < 0.7 else None

    def lie(self, delta: Delta) -> Delta:
        if self.dice.random() < 0.3:
            return delta._replace(changes={**delta.changes, **_WRONG[delta.group]})
        return delta

    def order(self) -> None:
        """Order the Bounty about: each order has a course of its own, to be seen in the state."""
        admission = self.theatre.conductor.admission
        key = f"k{len(self.ordered)}"
        course = self.dice.randrange(3_600)
        text = f"{course // 10}.{course % 10}"
        answer = admission.order("Bounty", self.captain, key, "course", [text])
        again = admission.order("Bounty", self.captain, key, "course", [text])
        if answer.ok:
            assert again == answer, "the same key gets the same answer"
            self.ordered[key] = (text, course)

    def calm(self) -> None:
        theatre = self.theatre
        for id in SERVERS:
            place = theatre.places.get(id)
            if place is not None:
                place.lies, place.seconds = None, 0.001
            if place is not None and place.working:
                # It hangs in work that takes for ever: somebody restarts it.
                if place.linked:
                    theatre.lose(id, crash=True)
                place.restart()
            if place is None or not place.linked:
                theatre.join(id)


@pytest.mark.parametrize("seed", range(12))
def test_a_game_goes_on_whatever_happens_to_its_servers(seed: int) -> None:
    storm = Storm(seed)
    theatre = storm.go()
    # Who was silent often enough is on probation for up to 64 steps.
    for _ in range(64):
        if not any(hand.probation for hand in theatre.conductor.pool.hands.values()):
            break
        theatre.steps(1)
    theatre.steps(2)
    # Nothing but the recorded decisions matters: one place computes the same states.
    assert [digest(state) for state in replayed(theatre)[1:]] == [c.hash for c in theatre.commits]
    assert len(theatre.commits) >= STORM_STEPS + CALM_STEPS - 2
    given = [order for commit in theatre.commits for order in commit.orders.get("Bounty", ())]
    carried = sum(
        len(commit.orders.get("Bounty", ()))
        for commit in theatre.commits
        if ("Bounty", "nav") in commit.deferred
    )
    # Every admitted order takes effect once: those that were deferred are in the next step too.
    assert len(given) - carried == len(storm.ordered)
    for id in SERVERS:
        hand = theatre.conductor.pool.hands[id]
        if hand.state != BARRED:
            assert hand.state == READY, (id, hand)
            assert theatre.places[id].follower.hash == theatre.conductor.hash
    named = {report.server for report in theatre.reports if report.kind == "divergent"}
    assert named <= {storm.liar}, "nobody honest is accused"
    assert all(commit.deferred == () for commit in theatre.commits[-2:])


def test_the_same_seed_gives_the_same_game() -> None:
    for seed in range(2):
        one, other = Storm(seed).go(), Storm(seed).go()
        assert [c.hash for c in one.commits] == [c.hash for c in other.commits]
        assert [r.text for r in one.reports] == [r.text for r in other.reports]


def test_leaving_and_coming_back_at_once_keeps_the_work() -> None:
    theatre = Theatre(new_game(1, THEME, SETTINGS))
    theatre.join("a", 0.5)
    theatre.run(INTERVAL + 0.1)
    theatre.tell(Lost("a"))
    theatre.tell(Joined("a"))
    theatre.steps(3)
    assert len(theatre.commits) >= 3
