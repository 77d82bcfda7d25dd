"""The captains of a game at its primary: orders, ships made, taken and left, and who is there.

Two rules. Who has a ship is decided by the number of a captain, which follows from the secret in
his cookie; a ship with a pass-phrase is given back to whoever knows that. A captain who has not
been heard of for a while has left: the computer takes over until he is back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import vista
from apps.starship.display.screen import order_text
from apps.starship.game.conductor import Conductor
from apps.starship.objects.configuration import UPDATE_INTERVAL_MAX
from apps.starship.objects.names import Owned
from apps.starship.rules.commands import Refusal
from apps.starship.rules.creating import record_of
from apps.starship.rules.scenario import NOBODY
from apps.starship.rules.state import State

SILENT_SECONDS = 90.0
"""After how long without a word a captain has left, unless his pages come more seldom."""
SILENT_INTERVALS = 3
"""And after as many intervals of a page that is loaded anew by itself."""
SWEEP_SECONDS = 5.0
"""How often it is looked who has left."""
CAPTAINS_MAX = 20_000
"""Captains whose activity is remembered; those heard of longest ago are forgotten first."""
SEALS_MAX = 4
"""Pass-phrases that are worked on at a time: each takes 16 MB and 50 ms of a core."""
CAPTAIN_MAX = 2**62
"""Numbers of captains are below it."""
_LATER = (False, "E_BUSY", "Too many pass-phrases at once; try again in a moment.")
_ENDS = (False, "E_LINK", "The game is being stopped; it goes on here when it is started again.")
_NO_CAPTAIN = (False, "E_ARG", "A captain is a whole number from 1, below 2 to the power of 62.")


class Activity:
    """Until when each captain counts as active; told the time in seconds."""

    def __init__(self, interval: float) -> None:
        self._interval = interval
        self._until: dict[int, float] = {}
        self._swept = 0.0

    def hear(self, captain: int, now: float, interval: float | None = None) -> None:
        """Take note of a captain; ``interval`` is how often his pages come by themselves."""
        own = self._interval if interval is None else min(interval, UPDATE_INTERVAL_MAX)
        until = now + max(SILENT_SECONDS, SILENT_INTERVALS * own)
        self._until[captain] = max(until, self._until.pop(captain, 0.0))
        if len(self._until) > CAPTAINS_MAX:
            del self._until[next(iter(self._until))]

    def count(self, now: float) -> int:
        """Return how many captains are active."""
        return sum(until > now for until in self._until.values())

    def silent(self, state: State, now: float) -> list[tuple[str, int]]:
        """Return the ships whose captains have left, with those; at most every few seconds."""
        if now < self._swept + SWEEP_SECONDS:
            return []
        self._swept = now
        self._until = {known: until for known, until in self._until.items() if until > now}
        return [
            (thing.name, thing.meta.captain)
            for thing in state.objects.values()
            if thing.meta.captain not in (None, NOBODY) and thing.meta.captain not in self._until
        ]


class CaptainsDesk:
    """The part of a `StarshipPrimary` to which captains send messages."""

    _conductor: Conductor
    _activity: Activity
    _names: vista.Ref
    _clock: Callable[[], float]
    _sealing: int
    _revived: set[str]
    _ends: bool
    _count: Any

    def look_for_left_over(self) -> None:
        """See which ships of owners are left over from earlier games."""
        raise NotImplementedError

    def order(
        self, ship: str, captain: int | None, key: str, name: str, words: Sequence[Any]
    ) -> tuple[bool, str, str, int, int]:
        """Admit a command for the step that is being collected, or say why not.

        Returns what an `Answer` has: whether, code, sentence, orders left, step. With the same
        ``key`` again the answer is the same, and nothing is admitted twice.
        """
        self._hear(captain)
        admission = self._conductor.admission
        if self._ends:
            return *_ENDS, admission.left(ship), admission.step
        answer = admission.order(ship, captain, key, name, words)
        self._count["StarshipOrdersAdmitted" if answer.ok else "StarshipOrdersRefused"] += 1
        return answer.ok, answer.code, answer.text, answer.left, answer.step

    def get_orders(self, ship: str) -> tuple[int, list[str], int]:
        """Return how many orders a ship may still get, those admitted as sentences, and the step.

        All of it is about the step that is being collected.
        """
        admission = self._conductor.admission
        found = admission.view.find(ship)
        name = ship if found is None else found.name
        given = [order_text(order) for order in admission.given(name)]
        return admission.left(name), given, admission.step

    def enlist(self, name: str, race: str, captain: int, phrase: str = "") -> tuple[bool, str, str]:
        """Make a ship with the next step; return whether, its name or a code, and a sentence.

        Without ``name`` it gets one of its race. With a ``phrase`` it can be taken by those only
        who know it, in this game and in later ones.
        """
        if not _is_captain(captain):
            return _NO_CAPTAIN
        if self._ends:
            return _ENDS
        self._hear(captain)
        owned = self._names.list_names()
        if name and name.lower() in owned:
            return False, "E_TAKEN", "Name in use."
        refusal = self._conductor.admission.refuse_ship(name, race)
        if refusal is not None:
            # Before a pass-phrase is worked on for it.
            return False, refusal.code, refusal.text
        seal = ""
        if phrase:
            # First of all, since others come in while it is worked out.
            made = self._seal(phrase)
            if isinstance(made, tuple):
                return made
            seal = made
        result = self._conductor.admission.enlist(name, race, captain, avoid=owned)
        if isinstance(result, Refusal):
            return False, result.code, result.text
        if seal and not self._names.own(result, race, captain, seal):
            return True, result, "No more pass-phrases can be kept: this ship has none."
        return True, result, ""

    def take(self, name: str, captain: int, phrase: str = "") -> tuple[bool, str, str]:
        """Give a captain a ship with the next step; see `enlist` for what is returned.

        A ship with an owner is given to whoever knows its pass-phrase, and to the captain who had
        it last. One that an earlier game left behind is made anew, whole and with what it earned.
        """
        if not _is_captain(captain):
            return _NO_CAPTAIN
        if self._ends:
            return _ENDS
        self._hear(captain)
        owned = self._names.get_owned(name)
        if owned is not None and not owned.here and owned.captain != captain and not phrase:
            # Left over from an earlier game: another ship may have its name in this one.
            owned = None
        if owned is not None and owned.captain != captain:
            opened = self._opens(name, phrase)
            if isinstance(opened, tuple):
                return opened
            if not opened:
                text = "This is not its pass-phrase." if phrase else "Its pass-phrase is needed."
                return False, "E_PHRASE", f"{owned.name} has an owner. {text}"
        result = self._give(name, captain, owned)
        if isinstance(result, Refusal):
            return False, result.code, result.text
        if owned is not None:
            self._names.set_captain(owned.name, captain, result)
            if not owned.here:
                self.look_for_left_over()
        return True, result, ""

    def _give(self, name: str, captain: int, owned: Owned | None) -> Refusal | str:
        admission = self._conductor.admission
        if owned is None or owned.here:
            return admission.take(name, captain)
        if owned.name.lower() in self._revived:
            # Two may have known its pass-phrase at the same moment: it comes back once.
            return Refusal("E_CAPTAINED", f"{owned.name} has just been taken by somebody else.")
        result: Refusal | str = ""
        for name in _names_like(owned.name):
            result = admission.enlist(name, owned.race, captain, record=owned.record)
            if not isinstance(result, Refusal):
                self._revived.add(owned.name.lower())
                break
            if result.code != "E_TAKEN":
                break
        return result

    def get_names(self) -> vista.Ref:
        """Return the `ShipNames` of the game."""
        return self._names

    def leave(self, name: str, captain: int) -> bool:
        """Leave a ship to the computer with the next step."""
        if not _is_captain(captain):
            return False
        self._hear(captain)
        left = self._conductor.admission.leave(name, captain)
        if left:
            self._save_records()
        return left

    def captain_active(self, captain: int, interval: float | None = None) -> None:
        """Take note that a captain is there; sites post it for requests and open streams.

        ``interval`` is the time in seconds after which his pages come again by themselves, if he
        chose one. Without a word for 90 seconds, or three such intervals, he has left.
        """
        self._hear(captain, interval)

    def _hear(self, captain: int | None, interval: float | None = None) -> None:
        if captain is not None and _is_captain(captain):
            self._activity.hear(captain, self._clock(), interval)

    def _dismiss_silent(self) -> None:
        """Leave the ships of captains who have gone to the computer."""
        gone = self._activity.silent(self._conductor.state, self._clock())
        for ship, captain in gone:
            self._conductor.admission.leave(ship, captain)
        if gone:
            self._save_records()

    # --- pass-phrases ----------------------------------------------------------------------

    def _seal(self, phrase: str) -> str | tuple[bool, str, str]:
        if self._sealing >= SEALS_MAX:
            return _LATER
        self._sealing += 1
        try:
            made: str = self._names.seal(phrase)
        except vista.BadValueError as error:
            return False, "E_ARG", str(error)
        finally:
            self._sealing -= 1
        return made

    def _opens(self, name: str, phrase: str) -> bool | tuple[bool, str, str]:
        if not phrase:
            return False
        if self._sealing >= SEALS_MAX:
            return _LATER
        self._sealing += 1
        try:
            return bool(self._names.opens(name, phrase))
        finally:
            self._sealing -= 1

    def _save_records(self) -> None:
        """Have what owners' ships earned kept."""
        state = self._conductor.state
        records = {}
        for owned in self._names.list_owned():
            ship = state.objects.get(owned.name)
            if owned.here and ship is not None and ship.alive and ship.race == owned.race:
                records[owned.name] = record_of(ship)
        if records:
            vista.post(self._names, "save_records", records)


def _is_captain(captain: object) -> bool:
    # Any peer may send anything, and what no recording can have would end every later life.
    return type(captain) is int and NOBODY < captain < CAPTAIN_MAX


def _names_like(name: str) -> list[str]:
    """The name of a ship, and what it is called where another one has it."""
    return [name, *(f"{name[:14]}-{number}" for number in range(2, 10))]
