"""The orders of the step that is being collected: admitted once, answered always the same.

Three rules. A command that comes again with its key gets the first answer and is not admitted
twice. An order whose unit was deferred stays in front for the next step and does not count against
its three: the failure was not the captain's. What a captain does to a ship (making, taking, leaving
it) takes effect when the step is committed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from apps.starship.game.promised import Coming, Keys, Promised, late_orders
from apps.starship.rules.commands import Command, Refusal, admit
from apps.starship.rules.creating import automatic_name, check_name, is_record
from apps.starship.rules.state import View
from apps.starship.rules.step import Enlistment, Structure
from apps.starship.rules.theme import RACES

KEYS_MAX = 1_000
"""Keys of commands that are remembered for a ship: those of the last hundreds of steps."""
KEY_LENGTH_MAX = 100
KEYS_SAVED_STEPS = 60
"""Steps whose keys are saved with a state: who sends an order again does so within minutes."""


class Answer(NamedTuple):
    """What a captain is told of a command: admitted or not, why, orders left, and the step."""

    ok: bool
    code: str
    text: str
    left: int
    step: int


class Admission:
    """What is admitted for one step after another; `begin` starts the next with its view."""

    def __init__(self, view: View) -> None:
        self.view = view
        self._orders: dict[str, list[Command]] = {}
        self._carried: dict[str, list[Command]] = {}
        self._late: dict[str, tuple[Command, ...]] = {}
        self._answers: dict[str, dict[str, Answer]] = {}
        self._keys: dict[int, Keys] = {}
        self._enlisted: dict[str, Enlistment] = {}
        self._captains: dict[str, int | None] = {}
        # Of the step that is computed: its ships are not in the view yet.
        self._closing: frozenset[str] = frozenset()
        self._closed: Coming | None = None
        # What was promised for the step after the next one before a restart.
        self._ahead: Coming | None = None

    @property
    def step(self) -> int:
        """The step that is being collected."""
        return self.view.step

    # --- orders ----------------------------------------------------------------------------

    def order(
        self, ship: str, captain: int | None, key: str, name: object, words: Sequence[Any]
    ) -> Answer:
        """Admit a command, or say why not; with the same ``key`` again the answer is the same.

        ``captain`` is the session that gives it, ``key`` chosen by the client, ``""`` for none.
        """
        found = self.view.find(ship)
        ship = ship if found is None else found.name
        # Only the captain's own: nobody else may use up the keys of a ship or learn its answers.
        own = found is not None and captain is not None and found.meta.captain == captain
        known = self._answers.get(ship, {}).get(key) if own and key else None
        if known is not None:
            return known
        answer = self._admit(ship, captain, name, words)
        if own and key and len(key) <= KEY_LENGTH_MAX:
            answers = self._answers.setdefault(ship, {})
            answers[key] = answer
            if len(answers) > KEYS_MAX:
                del answers[next(iter(answers))]
            if answer.ok:
                self._keys.setdefault(answer.step, {}).setdefault(ship, {})[key] = answer.left
        return answer

    def _admit(self, ship: str, captain: int | None, name: object, words: Sequence[Any]) -> Answer:
        admitted = self._orders.get(ship, [])
        result = admit(self.view, ship, captain, name, words, admitted)
        if isinstance(result, Refusal):
            return Answer(False, result.code, result.text, self.left(ship), self.step)
        self._orders.setdefault(ship, []).append(result)
        return Answer(True, "", "", self.left(ship), self.step)

    def left(self, ship: str) -> int:
        """Return how many orders a ship may still get in this step."""
        given = len(self._orders.get(ship, ()))
        return max(0, self.view.state.settings.commands_per_step - given)

    def given(self, ship: str) -> list[Command]:
        """Return the orders that are admitted for a ship in this step."""
        return list(self._orders.get(ship, ()))

    # --- captains --------------------------------------------------------------------------

    def enlist(
        self,
        name: str,
        race: str,
        captain: int,
        avoid: Iterable[str] = (),
        record: tuple[int, ...] = (),
    ) -> Refusal | str:
        """Have a ship made for a captain with the next commit; return its name.

        Without ``name`` it gets one of its race, and none of ``avoid`` (in lower case). ``record``
        is what it earned in another game. Refused: bad or taken names, no race, no room.
        """
        refusal = self.refuse_ship(name, race)
        if refusal is not None:
            return refusal
        if not name:
            name = automatic_name(self.view.state, race, avoid={*self._coming, *avoid})
        if record and not is_record(record):
            return Refusal("E_ARG", f"What {name} has earned cannot be read.")
        self._enlisted[name.lower()] = Enlistment(name, race, captain, record)
        return name

    @property
    def _coming(self) -> frozenset[str]:
        """The names, in lower case, of ships that are made with this commit or the next."""
        return self._closing | frozenset(self._enlisted)

    def refuse_ship(self, name: str, race: str) -> Refusal | None:
        """Return why no ship of a name, ``""`` for any, and of a race can be made, or None."""
        state = self.view.state
        if race not in RACES:
            return Refusal("E_ARG", f"Races are {', '.join(RACES)}.")
        ships = sum(thing.kind == "starship" for thing in state.objects.values())
        if ships + len(self._coming) >= state.settings.starships_max:
            most = state.settings.starships_max
            return Refusal("E_FULL", f"The galaxy is full ({most} starships).")
        if not any(self.view.of.get((race, kind)) for kind in ("starbase", "planet")):
            return Refusal("E_FULL", "That race has no place left to build a ship.")
        refusal = check_name(state, name) if name else None
        if refusal is None and name.lower() in self._coming:
            refusal = Refusal("E_TAKEN", "Name in use.")
        return refusal

    def is_coming(self, name: str) -> bool:
        """Tell whether a ship of a name is made with the next commit."""
        return name.lower() in self._closing or name.lower() in self._enlisted

    def take(self, name: str, captain: int) -> Refusal | str:
        """Give a captain a ship that has none, with the next commit; return its name."""
        found = self.view.find(name)
        if found is None or not found.alive or found.kind != "starship":
            return Refusal("E_ARG", "There is no ship of that name.")
        holder = self._captains.get(found.name, found.meta.captain)
        if holder is not None and holder != captain:
            return Refusal("E_CAPTAINED", f"{found.name} already has a captain.")
        self._captains[found.name] = captain
        return found.name

    def leave(self, name: str, captain: int) -> bool:
        """Leave a ship to the computer, with the next commit; return whether it was his."""
        found = self.view.find(name)
        if found is None:
            return False
        holder = self._captains.get(found.name, found.meta.captain)
        if holder != captain:
            return False
        self._captains[found.name] = None
        return True

    # --- steps -----------------------------------------------------------------------------

    def close(self) -> tuple[dict[str, tuple[Command, ...]], Structure]:
        """End the collecting: return the orders by ship, and what captains did to ships."""
        ships = sorted({*self._orders, *self._carried})
        orders = {
            ship: (*self._carried.get(ship, ()), *self._orders.get(ship, ())) for ship in ships
        }
        self._closing = frozenset(self._enlisted)
        self._closed = self._collected()
        structure = self._closed.structure
        self._orders, self._carried = {}, {}
        self._enlisted, self._captains = {}, {}
        self.view = View(self.view.state, self.view.step + 1)
        if self._ahead is not None:
            self._collect(self._ahead)
            self._ahead = None
        return orders, structure

    def _collected(self) -> Coming:
        """Return what was admitted so far for the step that is collected."""
        return Coming(
            {ship: tuple(orders) for ship, orders in sorted(self._orders.items())},
            Structure(
                tuple(self._enlisted[name] for name in sorted(self._enlisted)),
                tuple(sorted(self._captains.items())),
            ),
        )

    def _collect(self, coming: Coming) -> None:
        """Go on with what was admitted before a restart."""
        self._orders = {
            ship: list(orders)
            for ship, orders in coming.orders.items()
            if self.view.living(ship) is not None
        }
        self._enlisted = {made.name.lower(): made for made in coming.structure.enlisted}
        self._captains = dict(coming.structure.captains)

    def begin(
        self,
        view: View,
        orders: dict[str, tuple[Command, ...]],
        deferred: Iterable[tuple[str, str]],
    ) -> None:
        """Collect for the next step, whose orders of deferred units are carried over.

        ``view`` is of the state that was committed with ``orders``. Orders that came while the step
        was computed were collected for this one already: whoever is no captain any longer, or has
        lost his ship, loses them.
        """
        self.view = view
        self._closing, self._closed = frozenset(), None
        self._carry(late_orders(orders, deferred))
        for ship in [name for name in self._orders if view.living(name) is None]:
            del self._orders[ship]
        for ship in [name for name in self._answers if name not in view.objects]:
            del self._answers[ship]
            for ships in self._keys.values():
                ships.pop(ship, None)
        self._forget_old_keys()

    def _forget_old_keys(self) -> None:
        for step in [step for step in self._keys if step < self.view.step - KEYS_SAVED_STEPS]:
            del self._keys[step]

    # --- restarts --------------------------------------------------------------------------

    def promised_in(self, step: int) -> Promised:
        """Return what is to be saved with a step that is made: the keys of its orders."""
        return Promised({step: self._keys[step]} if step in self._keys else {})

    def promised(self, ends: bool = False) -> Promised:
        """Return what is to be saved with the state: what its last steps and the next one owe.

        What is collected for steps to come is in it when the game ``ends`` with this. Otherwise it
        is not, and admitted anew after a fall: it is not known then whether its step was made.
        """
        state = self.view.state
        made = {s: ships for s, ships in self._keys.items() if ends or s <= state.step}
        coming: dict[int, Coming] = {}
        if ends:
            if self._closed is not None:
                coming[state.step + 1] = self._closed
            coming[self.step] = self._collected()
            if self._ahead is not None:
                coming[self.step + 1] = self._ahead
        return Promised(made, self._late, coming).of(state)

    def restore(self, promised: Promised) -> None:
        """Go on from what was saved with the state and the steps after it."""
        for step, ships in sorted(promised.of(self.view.state).keys.items()):
            self._keys[step] = ships
        self._forget_old_keys()
        for step, ships in self._keys.items():
            for ship, keys in ships.items():
                answers = self._answers.setdefault(ship, {})
                answers.update(
                    {key: Answer(True, "", "", left, step) for key, left in keys.items()}
                )
        self._carry(promised.late)
        if self.step in promised.coming:
            self._collect(promised.coming[self.step])
        self._ahead = promised.coming.get(self.step + 1)

    def _carry(self, late: Mapping[str, tuple[Command, ...]]) -> None:
        self._late = {s: orders for s, orders in late.items() if self.view.living(s) is not None}
        self._carried = {ship: list(orders) for ship, orders in self._late.items()}
