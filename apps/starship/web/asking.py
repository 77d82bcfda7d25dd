"""What is asked of the primary: orders and ships. A link that is lost is an answer like others."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

import vista
from apps.starship.web.activity import PRIMARY
from apps.starship.web.answers import LINK_LOST, Outcome

_log = logging.getLogger("vista.starship")

ASK_SECONDS = 10.0
"""How long the primary may take for an answer, in seconds. Salting a pass-phrase takes 0.1."""

UNREACHED = (
    vista.NoSuchService,
    vista.NoSuchObject,
    vista.CallTimeout,
    vista.PeerLost,
    vista.Overloaded,
)
"""How a call ends that did not reach the primary, or brought no answer."""

LOST = Outcome(False, "E_LINK", LINK_LOST)


def _ask(question: Callable[[vista.Ref], Outcome]) -> Outcome:
    try:
        with vista.timeout(ASK_SECONDS):
            return question(vista.service(PRIMARY))
    except UNREACHED as error:
        _log.warning("the primary does not answer: %r", error)
        return LOST


def order(ship: str, captain: int | None, key: str, name: str, words: Sequence[Any]) -> Outcome:
    """Give an order; see `StarshipPrimary.order`."""
    return _ask(lambda game: Outcome(*game.order(ship, captain, key, name, words)))


def enlist(name: str, race: str, captain: int, phrase: str) -> Outcome:
    """Have a ship made; ``code`` of the outcome is its name if that is granted."""
    return _ask(lambda game: _named(*game.enlist(name, race, captain, phrase)))


def take(name: str, captain: int, phrase: str) -> Outcome:
    """Take a ship; ``code`` of the outcome is its name if that is granted."""
    return _ask(lambda game: _named(*game.take(name, captain, phrase)))


def leave(name: str, captain: int) -> Outcome:
    """Leave a ship to the computer."""
    refusal = Outcome(False, "E_CAPTAIN", f"You are not in command of {name}.")
    return _ask(lambda game: Outcome(True, "", name) if game.leave(name, captain) else refusal)


def _named(ok: bool, name_or_code: str, text: str) -> Outcome:
    return Outcome(ok, name_or_code, text)
