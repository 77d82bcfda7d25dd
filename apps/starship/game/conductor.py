"""The primary of a game as a pure state machine: it shares steps out, merges, and commits them.

`Conductor.handle` is told what happened and what time it is, and returns effects to be carried out
in their order; `Conductor.next_deadline` says when it wants to hear of the time (section 13).

Three rules. Who computes a unit never changes its result: whichever valid one comes first is taken,
and a second one must be equal. What is not there in time is deferred, and what was deferred three
times the primary computes itself. A server is believed as long as its hashes and a sample of its
results are right.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from enum import Enum

from apps.starship.game.admission import Admission
from apps.starship.game.events import (
    Committed,
    Effect,
    Event,
    Joined,
    Lost,
    Received,
    Report,
    Send,
)
from apps.starship.game.messages import (
    FromServer,
    Late,
    Refresh,
    Snapshot,
    StepBegin,
    StepCommit,
    StepDone,
    StepUpdate,
    Unit,
)
from apps.starship.game.pool import BARRED, FOLLOWING, JOINING, READY, Pool
from apps.starship.rules.arithmetic import rng
from apps.starship.rules.commands import Command
from apps.starship.rules.counted import counted
from apps.starship.rules.encoding import Encoder
from apps.starship.rules.objects import Thing
from apps.starship.rules.state import State
from apps.starship.rules.step import Delta, Merging, Structure, Worker, conclude, units_of

SOFT_PERCENT, HARD_PERCENT = 40, 80
"""When work that is missing is given to others too, and when it is deferred, of the interval."""
DEFERRALS_MAX = 3
"""After so many steps in a row without a unit, the primary computes it itself."""
SAMPLE = 2
"""Results of each server that the primary computes again in every step, unless told otherwise.

A server that lies once in a while is found after some steps, and what it said before stands.
"""
EVERYTHING = 2**31
"""A sample that leaves nothing out: no lie gets into the game, and no time is won."""
RELAYED_TOGETHER = 64
"""Results of the primary that go in one message, some 10 KB."""
MANUAL_SECONDS = 5.0
"""What deadlines are counted from where steps are made by hand and have no interval."""


class Phase(Enum):
    """What a conductor is at."""

    COLLECTING = "orders are collected"
    COMPUTING = "a step is computed"
    COMMITTING = "a step is merged"


class Conductor:
    """The primary of one game.

    ``interval`` in seconds between the beginnings of two steps, infinite for steps by hand;
    ``secret`` is a number no server knows, by which results are sampled; ``epoch`` counts how often
    this game was begun anew; ``sample`` is how many results of each server are computed again in
    every step, `EVERYTHING` where servers are strangers; ``soft_percent`` and ``hard_percent`` of
    the interval are when missing work is given to others too, and when it is deferred.

    ``state`` is the committed state,
    ``admission`` takes the orders for the next one, ``authors`` are the servers that computed the
    units of the last step, ``""`` for the primary itself. ``own`` is the primary's own server, if
    it has one (`own.OwnServer`): it has the primary's state, so it is sent no results and asked for
    no proof.
    """

    def __init__(
        self,
        state: State,
        interval: float,
        now: float,
        secret: int = 0,
        epoch: int = 0,
        sample: int = SAMPLE,
        soft_percent: int = SOFT_PERCENT,
        hard_percent: int = HARD_PERCENT,
    ) -> None:
        self.state = state
        self._secret = secret
        self._sample = sample
        self._soft, self._hard = soft_percent, hard_percent
        self.interval = interval
        self.epoch = epoch
        self.own = ""
        self.phase = Phase.COLLECTING
        self.pool = Pool()
        self.view = state.view()
        self.admission = Admission(self.view)
        self._encoder = Encoder()
        self.hash = self._encoder.digest(state)
        self._effects: list[Effect] = []
        self._now = now
        self._due = now + interval
        self.began = 0.0
        self._reassigned = False
        self._orders: dict[str, tuple[Command, ...]] = {}
        self._structure = Structure()
        self._missing: set[Unit] = set()
        self._results: dict[Unit, Delta] = {}
        self._authors: dict[Unit, str] = {}
        self.authors: dict[Unit, str] = {}
        self._deferrals: dict[Unit, int] = {}
        self._worker = Worker(self.view, {})
        self._merging = Merging(state)

    def handle(self, event: Event, now: float) -> list[Effect]:
        """Take in what happened at ``now`` (seconds, any origin); return what is to be done."""
        self._now = now
        if isinstance(event, Joined):
            self._welcome(event.server)
        elif isinstance(event, Lost):
            self._bereave(event.server)
        elif isinstance(event, Received):
            self._receive(event.server, event.message)
        elif event.step and self.phase is Phase.COLLECTING:
            self._begin()
        self._look_at_time()
        effects, self._effects = self._effects, []
        return effects

    def next_deadline(self) -> float:
        """Return when to call `handle` with a `Tick`, if nothing else happens before."""
        if self.phase is Phase.COLLECTING:
            return self._due
        percent = self._hard if self._reassigned else self._soft
        return self.began + self._span() * percent / 100

    def _span(self) -> float:
        # Steps by hand have no interval, and still must end.
        return self.interval if math.isfinite(self.interval) else MANUAL_SECONDS

    def _look_at_time(self) -> None:
        if self.phase is Phase.COLLECTING and self._now >= self._due:
            self._begin()
        if self.phase is Phase.COMPUTING:
            passed = (self._now - self.began) * 100
            if not self._reassigned and passed >= self._span() * self._soft:
                self._reassign_late()
            if passed >= self._span() * self._hard:
                self._commit()

    def compute(self, units: Sequence[Unit], times: int = 1) -> tuple[Delta, ...]:
        """Return results of the step that is computed; its own server asks for them.

        ``times`` computes each as many times, for demonstrations of load.
        """
        for _again in range(times - 1):
            worker = Worker(self.view, self._orders)
            for unit in units:
                worker.compute(*unit)
        return tuple(self._worker.compute(*unit) for unit in units)

    def text_of(self, thing: Thing) -> str:
        """Return an object as canonical JSON; one of the present state was written for its hash."""
        return self._encoder.thing(thing)

    # --- servers ---------------------------------------------------------------------------

    def _welcome(self, server: str) -> None:
        missing = self.pool.remove(server)
        hand = self.pool.add(server)
        if hand.state == BARRED:
            self._report("barred", f"server {server} was wrong too often and gets no work", server)
        elif self.phase is Phase.COLLECTING:
            self._send_snapshot(server)
        # It has begun anew, so what it was to do before is not done.
        self._give_again(missing)

    def _bereave(self, server: str) -> None:
        missing = self.pool.remove(server) & self._missing
        if missing:
            units = counted(len(missing), "unit")
            self._report("lost", f"server {server} is lost with {units}", server)
            self._give_again(missing)

    def _give_again(self, units: Iterable[Unit]) -> None:
        """Give units whose server is gone to those that are left."""
        left = sorted(self._missing & set(units))
        if self.phase is Phase.COMPUTING and left:
            self._assign(left)

    def _send_snapshot(self, server: str) -> None:
        self.pool.hands[server].state = FOLLOWING
        self._effects.append(Send(server, Snapshot(self.epoch, self.state, self.hash)))

    def _distrust(self, server: str, words: str) -> None:
        self._report("divergent", f"server {server}: {words}", server)
        # Its next snapshot comes with the next commit.
        self._give_again(self.pool.distrust(server))

    # --- messages --------------------------------------------------------------------------

    def _receive(self, server: str, message: FromServer) -> None:
        hand = self.pool.hands.get(server)
        if hand is None or message.epoch != self.epoch:
            return
        if isinstance(message, StepUpdate):
            self._take_results(server, message)
        elif isinstance(message, Late):
            hand.late += message.results
        elif isinstance(message, StepDone):
            # That of whoever was last comes when the step is committed already, and where steps
            # take longer than their interval, when the next one has begun.
            begun = self.state.step + (self.phase is Phase.COMPUTING)
            if message.t in (begun, begun - 1):
                self.pool.note_done(server, message.busy_us, message.t < begun)
        elif isinstance(message, Refresh):
            if hand.state in (READY, FOLLOWING):
                self._distrust(server, f"it asks for a snapshot: {message.why}")
        elif hand.state in (READY, FOLLOWING) and message.t == self.state.step:
            if message.hash != self.hash:
                self._distrust(server, f"its state after step {message.t} is another one")
            elif self.pool.has_shown(server):
                hand.state = READY
                self._report("ready", f"server {server} is ready", server)

    def _take_results(self, server: str, update: StepUpdate) -> None:
        hand = self.pool.hands[server]
        computing = self.phase is Phase.COMPUTING and update.t == self.state.step + 1
        if hand.state != READY or not computing:
            hand.late += len(update.deltas)
            return
        hand.heard, hand.silences = True, 0
        fresh: dict[Unit, Delta] = {}
        disputed: list[Delta] = []
        for delta in update.deltas:
            unit = delta.name, delta.group
            known = self._results.get(unit) or fresh.get(unit)
            if known is not None and known != delta:
                disputed.append(delta)
            elif known is None and unit in self._missing:
                fresh[unit] = delta
            hand.missing.discard(unit)
        self._take(fresh.values(), server)
        hand.done += len(fresh)
        # As it came, if all of it counts: then it is written already.
        whole = len(fresh) == len(update.deltas)
        self._relay(server, update if whole else update._replace(deltas=tuple(fresh.values())))
        for delta in disputed:
            self._settle_dispute((delta.name, delta.group), server, delta)
        self._commit_if_done()

    def _take(self, deltas: Iterable[Delta], author: str) -> None:
        """Merge results and write them for the hash, while others are computed."""
        made = self._worker.made if author in ("", self.own) else {}
        objects, add, note = self.state.objects, self._merging.add, self._encoder.note
        # Written out: a step of the large galaxy has 3,000, of which no server spares the primary.
        for delta in deltas:
            name, group, changes = delta
            unit = name, group
            after = add(delta, made.get(unit))
            if changes:
                note(objects[name], group, after, changes)
            self._results[unit], self._authors[unit] = delta, author
            self._missing.discard(unit)

    def _relay(self, author: str, update: StepUpdate) -> None:
        for id in sorted(self.pool.hands) if update.deltas else ():
            if id not in (author, self.own) and self.pool.hands[id].state != BARRED:
                self._effects.append(Send(id, update))

    def _relay_own(self, deltas: Sequence[Delta]) -> None:
        self._relay("", StepUpdate(self.epoch, self.state.step + 1, tuple(deltas)))

    def _settle_dispute(self, unit: Unit, server: str, delta: Delta) -> None:
        """Two results differ: the primary computes the unit, and who was wrong is not believed."""
        right = self._worker.compute(*unit)
        first = self._authors.get(unit, "")
        if self._results[unit] != right:
            self._correct(unit, right)
            if first in self.pool.hands:
                self._distrust(first, f"its result for {unit[0]} {unit[1]} is wrong")
        if delta != right and self.pool.hands[server].state == READY:
            self._distrust(server, f"its result for {unit[0]} {unit[1]} is wrong")

    def _correct(self, unit: Unit, right: Delta) -> None:
        self._take([right], "")
        self._relay_own([right])

    # --- a step ----------------------------------------------------------------------------

    def _begin(self) -> None:
        """Close admission for step t and share its units out."""
        self.phase = Phase.COMPUTING
        self.began = self._now
        self._reassigned = False
        self._orders, self._structure = self.admission.close()
        self._worker = Worker(self.view, self._orders)
        self._merging = Merging(self.state)
        self._results, self._authors = {}, {}
        self.pool.begin()
        units = units_of(self.view)
        self._missing = set(units)
        late = [unit for unit, steps in self._deferrals.items() if steps >= DEFERRALS_MAX]
        self._compute_here(*sorted(late))
        shares = self._share([unit for unit in units if unit in self._missing] if late else units)
        for hand in self.pool.ready():
            self._send_begin(hand.id, shares.get(hand.id, []))
        self._commit_if_done()

    def _send_begin(self, server: str, units: list[Unit]) -> None:
        begin = StepBegin(self.epoch, self.state.step + 1, self._orders, tuple(units), self.hash)
        self._effects.append(Send(server, begin))

    def _share(self, units: list[Unit]) -> dict[str, list[Unit]]:
        """Share units out; without any server the primary computes them itself."""
        if self.pool.ready():
            return self.pool.assign(units)
        self._compute_here(*units)
        return {}

    def _assign(self, units: list[Unit]) -> None:
        for server, own in sorted(self._share(units).items()):
            if own:
                self._send_begin(server, own)
        self._commit_if_done()

    def _compute_here(self, *units: Unit) -> None:
        found = [self._worker.compute(*unit) for unit in units if unit in self._missing]
        self._take(found, "")
        # Together: one message for each would fill the mailbox of a server that just joins.
        for first in range(0, len(found), RELAYED_TOGETHER):
            self._relay_own(found[first : first + RELAYED_TOGETHER])

    def _reassign_late(self) -> None:
        """Give what is not back to others as well: whoever is first counts."""
        self._reassigned = True
        late = {hand.id: hand.missing & self._missing for hand in self.pool.ready()}
        for slow in sorted(id for id, missing in late.items() if missing):
            self.pool.hands[slow].lost += len(late[slow])
            others = [hand for hand in self.pool.ready() if not late[hand.id]]
            if others and not self.pool.hands[slow].heard:
                # It gets work again when it tells the hash of a state in time.
                self.pool.suspend(slow)
                self._report("slow", f"server {slow} sent nothing and gets no work", slow)
            for place, other in enumerate(others):
                given = sorted(late[slow])[place :: len(others)]
                if given:
                    self.pool.give(other.id, given)
                    self._send_begin(other.id, given)

    def _commit(self) -> None:
        """Merge what is there, decide what only the primary decides, and tell everybody."""
        # First of all: nothing that happens in here shares work out or sends the old state.
        self.phase = Phase.COMMITTING
        self._check_sample()
        deferred = tuple(sorted(self._missing))
        for unit in deferred:
            self._deferrals[unit] = self._deferrals.get(unit, 0) + 1
        for unit in [unit for unit in self._deferrals if unit in self._results]:
            del self._deferrals[unit]
        if deferred:
            names = ", ".join(f"{name} {group}" for name, group in deferred[:5])
            units = counted(len(deferred), "unit")
            self._report("deferred", f"{units} of step {self.state.step + 1}: {names}")
        self.authors = self._authors
        orders, structure = self._orders, self._structure
        self.state = conclude(self.state, self._merging.objects(), structure)
        self.hash = self._encoder.digest(self.state)
        self.view = self.state.view()
        self._report_unbuilt(structure)
        self._missing = set()
        self.phase = Phase.COLLECTING
        self._due = max(self._due + self.interval, self._now)
        self.admission.begin(self.view, orders, deferred)
        gone = {name for name, _group in self._deferrals if name not in self.state.objects}
        for unit in [unit for unit in self._deferrals if unit[0] in gone]:
            del self._deferrals[unit]
        # First of all, so that whoever saves states has done so before anybody else hears of it.
        self._effects.append(Committed(self.state, orders, deferred, structure, self.hash))
        done = StepCommit(self.epoch, self.state.step, deferred, structure, self.hash)
        for id in sorted(self.pool.hands):
            hand = self.pool.hands[id]
            if hand.state in (READY, FOLLOWING):
                self._effects.append(Send(id, done))
            elif hand.state == JOINING:
                self._send_snapshot(id)

    def _report_unbuilt(self, structure: Structure) -> None:
        for made in structure.enlisted:
            found = self.state.objects.get(made.name)
            if found is None or found.meta.captain != made.captain:
                why = "its race has lost its last berth, or another ship has its name"
                self._report("unbuilt", f"{made.name} was not built: {why}")

    def _commit_if_done(self) -> None:
        if self.phase is Phase.COMPUTING and not self._missing:
            self._commit()

    def _check_sample(self) -> None:
        """Compute some results of each server again, chosen so that no server can know which."""
        by_author: dict[str, list[Unit]] = {}
        for unit, author in self._authors.items():
            if author not in ("", self.own):
                by_author.setdefault(author, []).append(unit)
        for author in sorted(by_author):
            units = sorted(by_author[author])
            for unit in self._sample_of(author, units):
                right = self._worker.compute(*unit)
                if self._results[unit] != right:
                    for other in units:
                        self._recheck(other)
                    self._distrust(author, f"its result for {unit[0]} {unit[1]} is wrong")
                    break

    def _sample_of(self, author: str, units: list[Unit]) -> list[Unit]:
        """Draw some units of a server; it cannot know which, without the primary's secret."""
        if self._sample >= len(units):
            return units
        step = self.state.step
        numbers = (rng(self._secret, step, author, n) % len(units) for n in range(self._sample))
        return [units[number] for number in numbers]

    def _recheck(self, unit: Unit) -> None:
        right = self._worker.compute(*unit)
        if self._results[unit] != right:
            self._correct(unit, right)

    def _report(self, kind: str, text: str, server: str = "") -> None:
        self._effects.append(Report(kind, text, server))
