"""Whose ships are whose, beyond one game: pass-phrases, what ships earned, ships that are lost.

Two rules. A pass-phrase is in no object: this one is asked whether one fits, and the hashes by
which it tells go to the store and are shown to nobody. A ship that is destroyed is nobody's any
more; its row stays on the leaderboard.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import vista
from apps.http.content.passwords import make_account, parse_scrypt
from apps.http.errors import PasswordFileError
from apps.starship.display.galaxy import keep_lost

OWNERS_MAX = 10_000
"""Ships with a pass-phrase that are remembered; each takes some 300 bytes."""
PHRASE_LENGTH_MAX = 200
"""Characters of a pass-phrase."""


@vista.record
@dataclass(frozen=True, slots=True)
class Owned:
    """A ship with an owner: its name as it is written, race, last captain, and what it earned.

    ``record`` is empty until it was saved for the first time. ``here`` says that it is in the game
    that is played, and not left over from an earlier one.
    """

    name: str
    race: str
    captain: int
    record: tuple[int, ...] = ()
    here: bool = True


class ShipNames(vista.PersistentObject, namespace="StarShip"):
    """Knows the ships that have an owner, and the rows of those that are lost.

    ``create(game, kept=False)``: ``game`` is what the saved game is called; ``kept`` stores the
    object with the node's `PersistenceService`. The primary makes it.

    The original's ShipNames.
    """

    def create(self, game: str, kept: bool = False) -> None:  # type: ignore[override]
        """Begin without ships."""
        self.game = game
        self.owned: dict[str, Owned] = {}
        self._seals: dict[str, str] = {}
        self.lost_rows: list[dict[str, Any]] = []
        if kept:
            self.initialize(durable=True)

    def get_game(self) -> str:
        """Return what the saved game is called."""
        return self.game

    def extract_instance_variables(
        self, *names: str, outline_characters_max: int | None = None
    ) -> dict[str, Any]:
        """Return instance variables by name, the hashes of pass-phrases as how many there are."""
        most = outline_characters_max
        found = super().extract_instance_variables(*names, outline_characters_max=most)
        if "_seals" in found:
            found["_seals"] = f"{len(self._seals)} hashes, not shown"
        return found

    # --- pass-phrases ----------------------------------------------------------------------

    @vista.native
    @vista.preemptable
    def seal(self, phrase: str) -> str:
        """Return what is kept of a pass-phrase: a salted scrypt hash. Takes 50 ms, off the loop.

        Raises `BadValueError` for what cannot be one.
        """
        if len(phrase) > PHRASE_LENGTH_MAX:
            raise vista.BadValueError(f"A pass-phrase has at most {PHRASE_LENGTH_MAX} characters.")
        try:
            return str(make_account("captain", phrase, None).scrypt)
        except PasswordFileError:
            raise vista.BadValueError("This cannot be a pass-phrase.") from None

    @vista.native
    @vista.preemptable
    def opens(self, name: str, phrase: str) -> bool:
        """Tell whether a pass-phrase is that of a ship. Takes 50 ms, off the loop."""
        seal = self._seals.get(name.lower())
        if seal is None or not 0 < len(phrase) <= PHRASE_LENGTH_MAX:
            return False
        return parse_scrypt(seal).fits(phrase)

    # --- ships -----------------------------------------------------------------------------

    def get_owned(self, name: str) -> Owned | None:
        """Return what is known of a ship that has an owner."""
        return self.owned.get(name.lower())

    def list_names(self) -> list[str]:
        """Return the names of all ships that have an owner, in lower case."""
        return list(self.owned)

    def list_owned(self) -> list[Owned]:
        """Return all ships that have an owner."""
        return list(self.owned.values())

    def own(self, name: str, race: str, captain: int, seal: str) -> bool:
        """Give a ship an owner; return False when there are too many."""
        if len(self.owned) >= OWNERS_MAX and name.lower() not in self.owned:
            return False
        self.owned[name.lower()] = Owned(name, race, captain)
        self._seals[name.lower()] = seal
        return True

    def set_captain(self, name: str, captain: int, renamed: str = "") -> None:
        """Take note of who took a ship, and of the name it has in this game."""
        found, seal = self.owned.pop(name.lower(), None), self._seals.pop(name.lower(), "")
        if found is None:
            return
        name = renamed or found.name
        self.owned[name.lower()] = replace(found, name=name, captain=captain, here=True)
        self._seals[name.lower()] = seal

    def begin_game(self, present: Sequence[str], goes_on: bool) -> None:
        """Take note that a game begins, or ``goes_on``, with these ships.

        Ships that are not there are left over from an earlier game; in one that goes on those that
        never did anything were never made.
        """
        names = {name.lower() for name in present}
        for name, owned in list(self.owned.items()):
            if goes_on and name not in names and owned.here and not owned.record:
                del self.owned[name], self._seals[name]
            elif name not in names:
                self.owned[name] = replace(owned, here=False)

    def save_records(self, records: Mapping[str, Sequence[int]]) -> None:
        """Take note of what ships have earned, by name."""
        for name, record in records.items():
            found = self.owned.get(name.lower())
            if found is not None and found.here and found.record != tuple(record):
                self.owned[name.lower()] = replace(found, record=tuple(record))

    def lose(self, rows: Sequence[dict[str, Any]]) -> None:
        """Take note of ships that were destroyed, by their rows of the leaderboard."""
        known = {(row["name"], row["step"]) for row in self.lost_rows}
        fresh = [row for row in rows if (row["name"], row["step"]) not in known]
        self.lost_rows = keep_lost([*self.lost_rows, *fresh])
        for row in rows:
            owned = self.owned.get(row["name"].lower())
            if owned is not None and owned.here and owned.race == row["race"]:
                del self.owned[row["name"].lower()], self._seals[row["name"].lower()]

    def get_lost_rows(self) -> list[dict[str, Any]]:
        """Return the leaderboard's rows of ships that are lost."""
        return self.lost_rows
