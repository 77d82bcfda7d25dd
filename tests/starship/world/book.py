"""What happened in a game, and what must hold after each step; it knows nothing of the runtime.

The book hears everything the primary's state machine is told and everything it wants. From that it
computes each step again in one place, and compares.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from apps.starship.game.admission import Answer
from apps.starship.game.conductor import Conductor
from apps.starship.game.events import Committed, Effect, Event, Received, Report, Send
from apps.starship.game.messages import Ready, StepBegin
from apps.starship.rules.commands import COMMANDS, Command
from apps.starship.rules.encoding import Encoder
from apps.starship.rules.replay import Played, play
from apps.starship.rules.state import State

WRECK_STEPS = 4


@dataclass
class Order:
    """An order as its captain knows it: sent until it was answered, with one key."""

    ship: str
    captain: int
    key: str
    name: str
    words: list[str]
    answer: Answer | None = None


@dataclass
class Book:
    """The steps of one game. ``complain`` is called with what must not be."""

    complain: Callable[[str], Any]
    conductor: Conductor | None = None
    states: list[State] = field(default_factory=list)
    commits: list[Committed] = field(default_factory=list)
    reports: list[Report] = field(default_factory=list)
    agreed: Counter[str] = field(default_factory=Counter)
    begun: int = 0
    told: int = 0
    lives: int = 0
    orders: dict[str, Order] = field(default_factory=dict)
    enlisted: Counter[str] = field(default_factory=Counter)
    doubtful: dict[str, list[Order]] = field(default_factory=dict)
    _encoder: Encoder = field(default_factory=Encoder)
    _again: Encoder = field(default_factory=Encoder)

    # --- hearing ---------------------------------------------------------------------------

    def watch(self, conductor: Conductor) -> None:
        """Hear what a primary is told and what it wants from here on."""
        self.conductor = conductor
        self.lives += 1
        if self.states:
            self._go_back(conductor)
        else:
            self.states.append(conductor.state)
        handle = conductor.handle

        def heard(event: Event, now: float) -> list[Effect]:
            self._hear(event)
            effects = handle(event, now)
            for effect in effects:
                self._note(effect)
            return effects

        conductor.handle = heard  # type: ignore[method-assign]

    def _go_back(self, conductor: Conductor) -> None:
        """The primary fell: it goes on at the last step that anybody was told, or a later one.

        The orders for steps that were not made are lost with it, and so are ships that were
        promised for them. What it was asked and nobody answered is asked again, and done once.
        """
        step = conductor.state.step
        if not self.told <= step <= self.state.step:
            self.complain(f"step {self.told} was told, the primary goes on at step {step}")
        while self.state.step > step:
            lost = self.commits.pop()
            self.states.pop()
            self.enlisted.subtract(made.name for made in lost.structure.enlisted)
        if self._encoder.digest(self.state) != conductor.hash:
            self.complain(f"the primary goes on from another state of step {step}")
        self.begun = min(self.begun, step)
        for key, order in list(self.orders.items()):
            if order.answer is None:
                self.doubtful.setdefault(order.ship, []).append(order)
            elif order.answer.ok and order.answer.step > step:
                del self.orders[key]

    @property
    def state(self) -> State:
        """The state that was committed last."""
        return self.states[-1]

    def _hear(self, event: Event) -> None:
        """After each step every server has the primary's hash."""
        if isinstance(event, Received) and isinstance(event.message, Ready):
            ready = event.message
            if ready.t == self.state.step and self.conductor is not None:
                if ready.hash != self.conductor.hash:
                    self.complain(f"{event.server} has another state after step {ready.t}")
                self.agreed[event.server] += 1

    def _note(self, effect: Effect) -> None:
        if isinstance(effect, Send) and isinstance(effect.message, StepBegin):
            self.begun = max(self.begun, effect.message.t)
        elif isinstance(effect, Committed):
            self._check_step(self.state, effect)
            self.states.append(effect.state)
            self.commits.append(effect)
        elif isinstance(effect, Report):
            self.reports.append(effect)

    # --- after each step -------------------------------------------------------------------

    def _check_step(self, before: State, done: Committed) -> None:
        if done.state.step != before.step + 1:
            self.complain(f"after step {before.step} comes step {done.state.step}")
        if self._encoder.digest(done.state) != done.hash:
            self.complain(f"step {done.state.step} has the hash of another state")
        played = Played(done.orders, done.deferred, done.structure, done.hash)
        if self._again.digest(play(before, played)) != done.hash:
            self.complain(f"step {done.state.step} computed in one place is another one")
        self._check_ships(before, done)
        self._check_effects(done)

    def _check_ships(self, before: State, done: Committed) -> None:
        """No ship is lost, none is there twice, and each new one was asked for or is due."""
        after, t = done.state, done.state.step
        old = {thing.meta.id: thing for thing in before.objects.values()}
        new = {thing.meta.id: thing for thing in after.objects.values()}
        if len(new) != len(after.objects) or any(n != o.name for n, o in after.objects.items()):
            self.complain(f"step {t}: an object is there twice")
        for number in old.keys() - new.keys():
            died = old[number].tac.dead_at
            if died is None or t < died + WRECK_STEPS:
                self.complain(f"step {t}: {old[number].name} is lost")
        made = sorted(new[number].name for number in new.keys() - old.keys())
        wanted = {enlistment.name for enlistment in done.structure.enlisted}
        if not wanted <= set(made):
            self.complain(f"step {t}: {wanted - set(made)} were not made")
        if [name for name in made if new_captain(after, name) is not None and name not in wanted]:
            self.complain(f"step {t}: {made} were made, {wanted} asked for")
        self.enlisted.update(wanted)

    def _check_effects(self, done: Committed) -> None:
        """The last course that was ordered in a step is the one that is steered after it."""
        deferred = set(done.deferred)
        for ship, orders in done.orders.items():
            ordered = [order for order in orders if COMMANDS[order.name].group == "nav"]
            thing = done.state.objects.get(ship)
            if not ordered or (ship, "nav") in deferred or thing is None or not thing.alive:
                continue
            courses = [order for order in ordered if order.name in ("course", "dest", "course_to")]
            if courses and courses[-1].name == "course" and self._captained(done, ship):
                if thing.nav.want_heading != courses[-1].args[0] or thing.nav.dest is not None:
                    self.complain(f"step {done.state.step}: {ship} does not do as it was told")

    def _captained(self, done: Committed, ship: str) -> bool:
        found = self.state.objects.get(ship)
        return found is not None and found.alive and found.meta.captain is not None

    # --- at the end ------------------------------------------------------------------------

    def check_orders(self) -> None:
        """Every admitted order was in its step once, or in the next when its unit was deferred."""
        expected: dict[tuple[int, str], list[tuple[int, Command]]] = {}
        for order in self.orders.values():
            answer = order.answer
            if answer is None:
                self.complain(f"order {order.key} of {order.ship} was never answered")
            elif answer.ok:
                row = expected.setdefault((answer.step, order.ship), [])
                row.append((-answer.left, command_of(order)))
        carried: dict[str, Counter[Command]] = {}
        for before, done in zip(self.states, self.commits, strict=False):
            for ship in sorted({*done.orders, *carried, *(s for t, s in expected)}):
                given = Counter(done.orders.get(ship, ()))
                asked = [made for _left, made in sorted(expected.get((done.state.step, ship), []))]
                due = carried.get(ship, Counter()) + Counter(asked)
                thing = before.objects.get(ship)
                doubtful = self._in_doubt(ship)
                given -= (given - due) & Counter(map(command_of, doubtful))
                if given != due and (thing is not None and thing.alive):
                    self.complain(
                        f"step {done.state.step}: {ship} was to get {dict(due)}, got {dict(given)}"
                    )
                own = list(done.orders.get(ship, ()))[-len(asked) :] if asked else []
                if own and not doubtful and own != asked:
                    self.complain(f"step {done.state.step}: {ship} got {own} for {asked}")
            carried = self._carried(done)

    def _in_doubt(self, ship: str) -> list[Order]:
        """Orders that were not answered when the primary fell, and whose ship then was gone.

        They may be done or not: with a ship goes what its captain was told.
        """
        asked = self.doubtful.get(ship, ())
        gone = [order for order in asked if order.answer and order.answer.code == "E_ARG"]
        return [order for order in gone if order.words != ["360.0"]]

    @staticmethod
    def _carried(done: Committed) -> dict[str, Counter[Command]]:
        found: dict[str, Counter[Command]] = {}
        for ship, group in done.deferred:
            late = [o for o in done.orders.get(ship, ()) if COMMANDS[o.name].group == group]
            if late:
                found[ship] = found.get(ship, Counter()) + Counter(late)
        return found

    def check_captains(self, asked: Counter[str]) -> None:
        """Every ship that was promised was made once, and nobody was wrong."""
        for name, count in asked.items():
            if self.enlisted[name] != count:
                self.complain(f"{name} was promised {count} times, made {self.enlisted[name]}")
        wrong = [report.text for report in self.reports if report.kind in ("divergent", "barred")]
        if wrong:
            self.complain(f"honest servers are accused: {wrong[:3]}")


def new_captain(state: State, name: str) -> int | None:
    """Return the captain of an object."""
    return state.objects[name].meta.captain


def command_of(order: Order) -> Command:
    """Return the command that an order of the players becomes."""
    if order.name == "course":
        whole, _dot, tenth = order.words[0].partition(".")
        return Command("course", (int(whole) * 10 + int(tenth),))
    if order.name == "speed":
        whole, _dot, tenth = order.words[0].partition(".")
        return Command("speed", (int(whole) * 10 + int(tenth),))
    return Command(order.name, tuple(order.words))
