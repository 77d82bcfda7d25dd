"""A game on four servers with captains at all of them, through a storm into a calm.

At the end everything is computed again, in one place, from what the judge has: each order that was
acknowledged is in the step that its captain was told, once, and all servers have that galaxy.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from random import Random
from typing import Any

import vista
from apps.starship.replicated.realm import (
    Collecting,
    Realm,
    first_realm,
    order_entry,
)
from apps.starship.rules.encoding import digest
from apps.starship.themes import shipped_theme
from tests.starship.replicated.fleet import INTERVAL, Fleet
from vista.kernel.futures import Future
from vista.testing import Failure, Faults, SimulatedNode

CAPTAINS = 4
CALL_SECONDS = 12.0
CALM_SECONDS = 60.0


@dataclass
class Told:
    """What a captain wants, and what he was told of it."""

    key: str
    words: tuple[str, str]
    answer: tuple[Any, ...] | None = None


@dataclass
class Captain:
    """Somebody who orders one thing after another, each until he is answered."""

    number: int
    ship: str
    has_ship: bool = False
    orders: list[Told] = field(default_factory=list)
    asked: Future | None = None


class Campaign:
    """The captains of a game."""

    def __init__(self, fleet: Fleet, seed: int) -> None:
        self.fleet = fleet
        self.world = fleet.world
        self.dice = Random(seed)
        self.captains = [Captain(100 + n, f"Ship{n}") for n in range(CAPTAINS)]
        self._courses = iter(self.dice.sample(range(3600), 3600))

    def play(self, seconds: float, faults: Faults) -> None:
        """Give orders through a storm."""
        self.world.storm(seconds, faults)
        until = self.world.hub.now + seconds
        while self.world.hub.now < until:
            self.act(begins=True)
            self.world.pass_time(0.25)
        self.world.calm()

    def come_to_rest(self) -> None:
        """Let everything be answered, and all servers be where the others are."""
        for name in [one for one in self.fleet.honest if one in self.world.crashed]:
            self.world.restart(name)
        for _ in range(round(CALM_SECONDS / 0.5)):
            self.act(begins=False)
            self.world.pass_time(0.5)
            if all(self._is_content(captain) for captain in self.captains):
                break
        else:
            raise Failure(f"not everything is answered: {self.captains}")
        self.fleet.pass_steps(2, CALM_SECONDS)

    def _is_content(self, captain: Captain) -> bool:
        return captain.has_ship and all(order.answer for order in captain.orders)

    def act(self, begins: bool) -> None:
        """Let every captain hear, and ask for what he was not answered."""
        names = self.fleet.there()
        for captain in self.captains:
            if captain.asked is not None and captain.asked.done():
                self._hear(captain)
            if captain.asked is None and names:
                self._ask(captain, self.fleet.node(self.dice.choice(names)), begins)

    def _hear(self, captain: Captain) -> None:
        asked, captain.asked = captain.asked, None
        assert asked is not None
        if asked._error is not None:
            return
        value = asked._value
        if not captain.has_ship:
            captain.has_ship = value[0] or value[1] == "E_TAKEN"
            return
        if value[1] in ("E_CAPTAIN", "E_ARG"):
            # His ship comes with the next step.
            return
        order = captain.orders[-1]
        if order.answer is not None and order.answer != value:
            self.world.complain(f"order {order.key} got {order.answer} and then {value}")
        first, order.answer = order.answer is None, value
        if first and self.dice.random() < 0.3:
            captain.asked = self._call(captain, self.fleet.node(self.dice.choice(self._names())))

    def _names(self) -> list[str]:
        return self.fleet.there() or self.fleet.honest[:1]

    def _ask(self, captain: Captain, node: SimulatedNode, begins: bool) -> None:
        if captain.has_ship and (not captain.orders or captain.orders[-1].answer):
            if not begins:
                return
            course = next(self._courses)
            words = ("course", f"{course // 10}.{course % 10}")
            captain.orders.append(Told(f"{captain.number}-{len(captain.orders)}", words))
        captain.asked = self._call(captain, node)

    def _call(self, captain: Captain, node: SimulatedNode) -> Future:
        def ask() -> Any:
            with vista.timeout(CALL_SECONDS):
                game = vista.service("StarshipPrimary")
                game.introduce(captain.number, f"secret of {captain.ship}")
                if not captain.has_ship:
                    return game.enlist(captain.ship, "F", captain.number)
                order = captain.orders[-1]
                name, *words = order.words
                return game.order(captain.ship, captain.number, order.key, name, words)

        return node.spawn(ask)

    # --- at the end ------------------------------------------------------------------------

    def obeyed(self) -> list[Told]:
        """The orders that counted, as their captains were told."""
        told = [order for captain in self.captains for order in captain.orders]
        return [order for order in told if order.answer and order.answer[0]]

    def faults(self) -> list[str]:
        """Compute everything again, and compare; return what is another than was told."""
        judge = self._judge()
        taken: Counter[tuple[int, str]] = Counter()
        realm, step = self._again(judge, taken)
        found = []
        for captain in self.captains:
            for order in captain.orders:
                entry = order_entry(captain.ship, captain.number, order.words[0], order.words[1:])
                count = {one: n for (one, text), n in taken.items() if text == entry}
                assert order.answer is not None
                wanted = {order.answer[4]: 1} if order.answer[0] else {}
                if count != wanted:
                    found.append(f"{order} is in steps {count}")
        [(shown, hash)] = self.fleet.hashes()
        if shown == step and digest(realm.state) != hash:
            found.append(f"step {step} is another one when it is computed again")
        return found

    def _judge(self) -> Any:
        name = self.fleet.there()[0]
        return lambda *words: self.fleet.node(name).call(
            lambda: vista.send("StarshipJudge", *words)
        )

    def _again(self, judge: Any, taken: Counter[tuple[int, str]]) -> tuple[Realm, int]:
        self.fleet.hashes()
        shown = self.fleet.step(self.fleet.there()[0])
        terms = judge("get_terms")
        realm = first_realm(terms["seed"], terms["settings"], shipped_theme())
        step, count = 1, 0
        collecting = Collecting(realm)
        while step <= shown:
            for at, first, entries, gone in judge("report", step, count, {})["rows"]:
                if at > shown:
                    return collecting.realm, shown
                assert (at, first) == (step, count)
                for entry in entries:
                    if collecting.take(entry).ok:
                        taken[step, entry] += 1
                count += len(entries)
                if gone is not None:
                    computing = collecting.close(gone)
                    while computing.work(1_000):
                        continue
                    collecting = Collecting(computing.finish())
                    step, count = step + 1, 0
        return collecting.realm, shown


def storm_of(dice: Random) -> Faults:
    """What befalls a world: one server at a time falls, links are lost."""
    return Faults(
        losses=dice.choice((0.05, 0.3)),
        partitions=dice.choice((0.0, 0.05)),
        crashes=dice.choice((0.1, 0.3)),
        lasting_seconds=INTERVAL,
        down_seconds=INTERVAL,
        down_max=1,
    )
