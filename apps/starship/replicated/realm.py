"""What the servers of a game without a primary compute: a galaxy, and whose ships are whose.

`Realm` is all of it after a step, `Collecting` applies entries to it, `Computing` makes the next.

Three rules. What becomes of an entry depends on the realm and on the entries before it alone, so it
is the same on every server and final as soon as the entry has its place. Whatever an entry holds,
it is an order, a wish, or refused. The hash of a realm covers everything in it.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from apps.starship.display.galaxy import fallen, keep_lost
from apps.starship.errors import ScenarioError
from apps.starship.game.admission import Admission
from apps.starship.rules.commands import Command, Refusal
from apps.starship.rules.creating import new_game
from apps.starship.rules.encoding import Encoder, encode_state
from apps.starship.rules.reading import read_state
from apps.starship.rules.state import Settings, State
from apps.starship.rules.step import Delta, Structure, Worker, commit, units_of
from apps.starship.rules.theme import Theme

OWNERS_MAX = 10_000
"""Ships with a pass-phrase that are remembered; each takes some 200 bytes."""
PROOF_CHARACTERS_MAX = 200
CAPTAIN_MAX = 2**62
FORMAT = "starship realm 1"

_NO_ENTRY = "This is no order."


class Owner(NamedTuple):
    """A ship that has a pass-phrase: name, race, and the captain who had it last.

    ``salt`` goes with the phrase into the proof, ``lock`` is the SHA-256 of that.
    """

    name: str
    race: str
    captain: int
    salt: str
    lock: str


class Outcome(NamedTuple):
    """What became of an entry: whether it counts, why not, orders left, and the step.

    ``code`` is the name of the ship where one was wished for.
    """

    ok: bool
    code: str
    text: str
    left: int
    step: int


class Realm(NamedTuple):
    """A galaxy after a step, the ships that have owners by name in lower case, and those lost."""

    state: State
    owners: dict[str, Owner]
    lost: list[dict[str, Any]]


def first_realm(seed: int, settings: dict[str, Any], theme: Theme) -> Realm:
    """Return the realm of a new game."""
    return Realm(new_game(seed, theme, Settings(**settings)), {}, [])


def realm_digest(encoder: Encoder, realm: Realm) -> str:
    """Return the hash on which servers vote: SHA-256 of the galaxy's hash and of the rest."""
    made = hashlib.sha256(encoder.digest(realm.state).encode())
    made.update(_dumps([_rows(realm.owners), realm.lost]).encode())
    return made.hexdigest()


def write_realm(realm: Realm) -> str:
    """Return a realm as a text; `read_realm` reads it."""
    row = {
        "format": FORMAT,
        "state": encode_state(realm.state),
        "owners": _rows(realm.owners),
        "lost": realm.lost,
    }
    return _dumps(row)


def read_realm(text: str, theme: Theme) -> Realm:
    """Return the realm of a text. Raises `ScenarioError` for anything else."""
    try:
        row = json.loads(text)
        if row["format"] != FORMAT:
            raise ScenarioError(f"a realm begins with {FORMAT!r}")
        owners = {str(name): Owner(*values) for name, values in row["owners"].items()}
        lost = [dict(one) for one in row["lost"]]
        state = read_state(row["state"], theme)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ScenarioError(f"this is no realm: {error!r:.200}") from error
    return Realm(state, owners, lost)


def _rows(owners: dict[str, Owner]) -> dict[str, list[Any]]:
    return {name: list(owners[name]) for name in sorted(owners)}


def _dumps(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


# --- entries -------------------------------------------------------------------------------


def order_entry(ship: str, captain: int, name: str, words: Sequence[Any]) -> str:
    """Return the entry of an order."""
    return json.dumps(["order", ship, captain, name, [_word(word) for word in words]])


def enlist_entry(name: str, race: str, captain: int, salt: str = "", lock: str = "") -> str:
    """Return the entry of a wish for a new ship; see `Owner` for ``salt`` and ``lock``."""
    return json.dumps(["enlist", name, race, captain, salt, lock])


def take_entry(name: str, captain: int, proof: str = "") -> str:
    """Return the entry of a wish for a ship without a captain; ``proof`` opens its lock."""
    return json.dumps(["take", name, captain, proof])


def leave_entry(name: str, captain: int) -> str:
    """Return the entry of leaving a ship to the computer."""
    return json.dumps(["leave", name, captain])


def lock_of(proof: str) -> str:
    """Return the lock that a proof opens."""
    return hashlib.sha256(proof.encode()).hexdigest()


def _word(word: Any) -> Any:
    # Numbers are read through their text anyway, and a float has a text of its own in JSON.
    return word if isinstance(word, str | int) else str(word)


class Collecting:
    """The entries for the step after a realm, applied one after another."""

    def __init__(self, realm: Realm) -> None:
        self.realm = realm
        self.admission = Admission(realm.state.view())
        self.outcomes: list[Outcome] = []
        self.owners = dict(realm.owners)

    @property
    def step(self) -> int:
        """The step that is collected."""
        return self.realm.state.step + 1

    def take(self, entry: str) -> Outcome:
        """Apply the next entry; return what became of it, which is the same on every server."""
        outcome = self._apply(entry)
        self.outcomes.append(outcome)
        return outcome

    def _apply(self, entry: str) -> Outcome:
        try:
            row = json.loads(entry)
        except (ValueError, RecursionError):
            row = None
        match row:
            case ["order", str(ship), int(captain), str(name), list(words)] if _is_captain(captain):
                answer = self.admission.order(ship, captain, "", name, words)
                return Outcome(*answer)
            case ["enlist", str(name), str(race), int(captain), str(salt), str(lock)] if (
                _is_captain(captain) and len(salt) + len(lock) <= PROOF_CHARACTERS_MAX
            ):
                return self._enlist(name, race, captain, salt, lock)
            case ["take", str(name), int(captain), str(proof)] if _is_captain(captain):
                return self._take(name, captain, proof)
            case ["leave", str(name), int(captain)] if _is_captain(captain):
                left = self.admission.leave(name, captain)
                code, text = (name, "") if left else ("E_CAPTAIN", "You are not in command of it.")
                return Outcome(left, code, text, 0, self.step)
        return Outcome(False, "E_ARG", _NO_ENTRY, 0, self.step)

    def _enlist(self, name: str, race: str, captain: int, salt: str, lock: str) -> Outcome:
        if name and name.lower() in self.owners:
            return Outcome(False, "E_TAKEN", "Name in use.", 0, self.step)
        result = self.admission.enlist(name, race, captain, avoid=self.owners)
        if isinstance(result, Refusal):
            return Outcome(False, result.code, result.text, 0, self.step)
        text = ""
        if lock and len(self.owners) >= OWNERS_MAX:
            text = "No more pass-phrases can be kept: this ship has none."
        elif lock:
            self.owners[result.lower()] = Owner(result, race, captain, salt, lock)
        return Outcome(True, result, text, 0, self.step)

    def _take(self, name: str, captain: int, proof: str) -> Outcome:
        owner = self.owners.get(name.lower())
        if owner is not None and owner.captain != captain and not _opens(owner, proof):
            text = "This is not its pass-phrase." if proof else "Its pass-phrase is needed."
            words = f"{owner.name} has an owner. {text}"
            return Outcome(False, "E_PHRASE", words, 0, self.step)
        result = self.admission.take(name, captain)
        if isinstance(result, Refusal):
            return Outcome(False, result.code, result.text, 0, self.step)
        if owner is not None:
            self.owners[name.lower()] = owner._replace(captain=captain)
        return Outcome(True, result, "", 0, self.step)

    def close(self, gone: Iterable[int]) -> Computing:
        """End the step: the ships of captains who have ``gone`` are left to the computer."""
        left = set(gone)
        for thing in self.realm.state.objects.values():
            if thing.meta.captain in left:
                self.admission.leave(thing.name, thing.meta.captain or 0)
        orders, structure = self.admission.close()
        return Computing(self.realm, orders, structure, self.owners)


def _is_captain(captain: int) -> bool:
    return type(captain) is int and 0 < captain < CAPTAIN_MAX


def _opens(owner: Owner, proof: str) -> bool:
    return hmac.compare_digest(lock_of(proof[:PROOF_CHARACTERS_MAX]), owner.lock)


class Computing:
    """A step, all of it, as much at a time as whoever drives it wants."""

    def __init__(
        self,
        realm: Realm,
        orders: dict[str, tuple[Command, ...]],
        structure: Structure,
        owners: dict[str, Owner],
    ) -> None:
        self._realm = realm
        view = realm.state.view()
        self._worker = Worker(view, orders)
        self._waiting = units_of(view)[::-1]
        self._deltas: list[Delta] = []
        self._structure = structure
        self._owners = owners
        self.orders = orders

    def work(self, units: int) -> bool:
        """Compute so many units; return whether some are left."""
        for _ in range(min(units, len(self._waiting))):
            self._deltas.append(self._worker.compute(*self._waiting.pop()))
        return bool(self._waiting)

    def finish(self) -> Realm:
        """Return the realm after the step, of which all units are computed."""
        assert not self._waiting, "all units come first"
        before = self._realm.state
        state = commit(before, self._deltas, self._structure)
        rows = fallen(before, state)
        owners, lost = self._owners, self._realm.lost
        if rows:
            lost = keep_lost([*lost, *rows])
            dead = {(row["name"].lower(), row["race"]) for row in rows}
            owners = {
                name: owner for name, owner in owners.items() if (name, owner.race) not in dead
            }
        return Realm(state, owners, lost)


def advance_realm(realm: Realm, entries: Iterable[str], gone: Iterable[int] = ()) -> Realm:
    """Return the realm after a step, computed in one go."""
    collecting = Collecting(realm)
    for entry in entries:
        collecting.take(entry)
    computing = collecting.close(gone)
    while computing.work(1_000):
        continue
    return computing.finish()
