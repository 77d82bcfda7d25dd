"""The captains of a game without a primary: what they want goes to the judge, from any server.

Two rules. Nothing is answered before the judge has it: then it has its place, and what becomes of
it there is the same on every server. A pass-phrase leaves the server to which it was told as a
proof that only who knows it can make.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, TypeGuard

import vista
from apps.http.content.passwords import SCRYPT_BLOCK, SCRYPT_COST
from apps.solidstate.errors import SolidStateError
from apps.starship.display.screen import order_text
from apps.starship.objects.configuration import UPDATE_INTERVAL_MAX
from apps.starship.replicated.realm import (
    CAPTAIN_MAX,
    Collecting,
    Outcome,
    Realm,
    enlist_entry,
    leave_entry,
    lock_of,
    order_entry,
    take_entry,
)
from apps.starship.replicated.requests import HEARD_MAX, badge_of
from apps.starship.rules.commands import Refusal, admit

PHRASE_LENGTH_MAX = 200
"""Characters of a pass-phrase."""
PROOFS_MAX = 4
"""Pass-phrases that are worked on at a time: each takes 16 MB and 50 ms of a core."""
SECRETS_MAX = 4_096
"""Captains whose secret is remembered: they show it with whatever they send."""
WAITING_MAX = 2_000
"""Captains who wait for an answer at one server."""

_BUSY = "Too many at once; try again in a moment."
_AT_ONCE = frozenset({"E_CAPTAIN", "E_ARG"})
"""Refusals that no earlier order of the step could change: the judge is not asked."""


class RealmDesk:
    """The part of a `StarshipServer` to which captains send messages."""

    _realm: Realm
    _collecting: Collecting
    _outcomes: dict[int, list[Outcome]]
    _judge: vista.Ref | None
    _news: dict[str, Any]
    _astray: bool

    def _begin_desk(self) -> None:
        self._waiters: list[asyncio.Future[None]] = []
        self._heard: dict[int, float] = {}
        self._proofs = 0
        self._secrets: OrderedDict[int, str] = OrderedDict()

    def _position(self) -> tuple[int, int]:
        """Return the step of which entries are read, and how many were."""
        raise NotImplementedError

    def _take(self, news: dict[str, Any]) -> None:
        """Take what the judge told."""
        raise NotImplementedError

    # --- captains --------------------------------------------------------------------------

    def introduce(self, captain: int, secret: str) -> None:
        """Be shown what makes a captain who he is; the site posts it with whatever he sends.

        From then on no server where he never was can order in his name.
        """
        if _is_captain(captain):
            self._secrets[captain] = secret
            self._secrets.move_to_end(captain)
            if len(self._secrets) > SECRETS_MAX:
                self._secrets.popitem(last=False)

    def _badge(self, captain: int) -> list[Any]:
        secret = self._secrets.get(captain)
        if secret is None:
            return []
        servers = [row["client"] for row in self._news.get("servers", ())]
        return badge_of(secret, self._news.get("me", ""), servers)

    # --- orders ----------------------------------------------------------------------------

    def order(
        self, ship: str, captain: int | None, key: str, name: str, words: Sequence[Any]
    ) -> tuple[bool, str, str, int, int]:
        """Have a command taken for the step that is collected, or say why not.

        Returns what `StarshipPrimary.order` does. With the same ``key`` again, here or at another
        server, the answer is the same and nothing is admitted twice.
        """
        if self._judge is None:
            raise vista.NoSuchService("this server has not joined the game yet")
        self._hear(captain)
        admission = self._collecting.admission
        found = admission.view.find(ship)
        ship = ship if found is None else found.name
        refusal = admit(admission.view, ship, captain, name, words, [])
        if isinstance(refusal, Refusal) and refusal.code in _AT_ONCE:
            left, step = admission.left(ship), self._collecting.step
            return False, refusal.code, refusal.text, left, step
        assert captain is not None, "nobody but a captain is let through"
        entry = order_entry(ship, captain, name, words)
        outcome = self._submit(entry, captain, _key_of("order", captain, ship, key))
        return outcome.ok, outcome.code, outcome.text, outcome.left, outcome.step

    def get_orders(self, ship: str) -> tuple[int, list[str], int]:
        """Return how many orders a ship may still get, those admitted as sentences, and the step.

        All of it is about the step that is collected, as far as this server has heard.
        """
        if self._judge is None:
            return 0, [], 0
        admission = self._collecting.admission
        found = admission.view.find(ship)
        name = ship if found is None else found.name
        given = [order_text(order) for order in admission.given(name)]
        return admission.left(name), given, self._collecting.step

    # --- ships -----------------------------------------------------------------------------

    def enlist(self, name: str, race: str, captain: int, phrase: str = "") -> tuple[bool, str, str]:
        """Make a ship with the next step; return whether, its name or a code, and a sentence.

        Without ``name`` it gets one of its race. With a ``phrase`` it can be taken by those only
        who know it.
        """
        salt = lock = ""
        if phrase:
            salt = secrets.token_hex(16)
            proof = self._prove(phrase, salt)
            if isinstance(proof, tuple):
                return proof
            lock = lock_of(proof)
        return self._wish(enlist_entry(name, race, captain, salt, lock), captain)

    def take(self, name: str, captain: int, phrase: str = "") -> tuple[bool, str, str]:
        """Give a captain a ship with the next step; see `enlist` for what is returned.

        A ship with a pass-phrase is given to whoever knows it, and to the captain who had it last.
        """
        proof = ""
        owner = None if self._judge is None else self._realm.owners.get(name.lower())
        if owner is not None and owner.captain != captain and phrase:
            made = self._prove(phrase, owner.salt)
            if isinstance(made, tuple):
                return made
            proof = made
        return self._wish(take_entry(name, captain, proof), captain)

    def leave(self, name: str, captain: int) -> bool:
        """Leave a ship to the computer with the next step; return whether it was his."""
        return self._wish(leave_entry(name, captain), captain)[0]

    def captain_active(self, captain: int, interval: float | None = None) -> None:
        """Take note that a captain is there; sites post it for requests and open streams.

        ``interval`` is the time in seconds after which his pages come again by themselves, if he
        chose one. Without a word at any server for 90 seconds, or three such intervals, he has
        left.
        """
        self._hear(captain, interval)

    def _hear(self, captain: object, interval: float | None = None) -> None:
        if _is_captain(captain) and (captain in self._heard or len(self._heard) < HEARD_MAX):
            seconds = max(0.0, min(float(interval or 0.0), UPDATE_INTERVAL_MAX))
            self._heard[captain] = max(seconds, self._heard.get(captain, 0.0))

    def _wish(self, entry: str, captain: object) -> tuple[bool, str, str]:
        if not _is_captain(captain):
            text = "A captain is a whole number from 1, below 2 to the power of 62."
            return False, "E_ARG", text
        outcome = self._submit(entry, captain, "")
        return outcome.ok, outcome.code, outcome.text

    # --- the judge -------------------------------------------------------------------------

    def _submit(self, entry: str, captain: int, key: str) -> Outcome:
        """Give the judge an entry, and wait until what becomes of it is known."""
        judge = self._judge
        if judge is None:
            raise vista.NoSuchService("this server has not joined the game yet")
        if len(self._waiters) >= WAITING_MAX:
            return Outcome(False, "E_BUSY", _BUSY, 0, self._collecting.step)
        try:
            badge = self._badge(captain)
            step, place, news = judge.submit(entry, key, captain, badge, *self._position())
        except vista.AccessDenied as error:
            return Outcome(False, "E_CAPTAIN", str(error), 0, self._collecting.step)
        except vista.BadValueError as error:
            return Outcome(False, "E_ARG", str(error), 0, self._collecting.step)
        except (vista.Overloaded, SolidStateError) as error:
            return Outcome(False, "E_BUSY", str(error), 0, self._collecting.step)
        self._take(news)
        while (outcome := self._outcome_of(step, place)) is None:
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            try:
                vista.wait(waiter)
            finally:
                if waiter in self._waiters:
                    self._waiters.remove(waiter)
        return outcome

    def _outcome_of(self, step: int, place: int) -> Outcome | None:
        """Return what became of an entry, None where it is not known yet."""
        if self._astray:
            # What this server holds is not the galaxy of the others.
            return None
        outcomes = self._outcomes.get(step, [])
        if place < len(outcomes):
            return outcomes[place]
        if step >= self._collecting.step:
            return None
        # It was sent again, and this server was not there when it came first.
        text = f"This was given before, for step {step}: look what became of it."
        return Outcome(False, "E_OLD", text, 0, step)

    def _wake(self) -> None:
        """Have those look who wait for what becomes of their entries."""
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    # --- pass-phrases ----------------------------------------------------------------------

    def _prove(self, phrase: str, salt: str) -> str | tuple[bool, str, str]:
        if len(phrase) > PHRASE_LENGTH_MAX:
            text = f"A pass-phrase has at most {PHRASE_LENGTH_MAX} characters."
            return False, "E_ARG", text
        if self._proofs >= PROOFS_MAX:
            return False, "E_BUSY", "Too many pass-phrases at once; try again in a moment."
        self._proofs += 1
        try:
            proof: str = vista.send(vista.self_ref(self), "prove", phrase, salt)  # type: ignore[arg-type]
        finally:
            self._proofs -= 1
        return proof

    @vista.native
    @vista.preemptable
    def prove(self, phrase: str, salt: str) -> str:
        """Return the proof that somebody knows a pass-phrase. Takes 50 ms, off the loop."""
        given = phrase[:PHRASE_LENGTH_MAX].encode("utf-8", "replace")
        cost, block = SCRYPT_COST, SCRYPT_BLOCK
        key = hashlib.scrypt(given, salt=salt.encode(), n=cost, r=block, p=1, maxmem=64 << 20)
        return key.hex()


def _key_of(kind: str, captain: int, ship: str, key: str) -> str:
    """Return what tells an order from all others of the game, ``""`` for one without a key."""
    if not key:
        return ""
    said = "\n".join((kind, str(captain), ship.lower(), key))
    return hashlib.sha256(said.encode("utf-8", "replace")).hexdigest()[:32]


def _is_captain(captain: object) -> TypeGuard[int]:
    return type(captain) is int and 0 < captain < CAPTAIN_MAX
