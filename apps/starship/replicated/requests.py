"""What servers send to the judge of a game: entries, badges and reports, how they are and how long.

Two rules. What one server sends is checked whole before anything of it is kept, for every replica
keeps it. Whatever is counted in characters is ASCII, so that its bytes are bounded as well.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

from vista import BadValueError

SERVERS_MAX = 16
"""Servers of one game: each is told of all, with every step."""
ENTRY_CHARACTERS_MAX = 1_000
KEY_CHARACTERS_MAX = 200
NUMBER_MAX = 2**62  # numbers of any length would fill an answer
BADGE_CHARACTERS_MAX = 64
HASH_CHARACTERS_MAX = 64
HEARD_MAX = 2_000
"""Captains of whom one report may tell that they are there."""
INTERVAL_SECONDS_MAX = 600.0
"""How seldom a captain's pages may come by themselves, as far as it is believed."""

_REPORT = {
    "step": int, "hash": str, "saved": int, "heard": list, "id": str, "name": str, "url": str,
}  # fmt: skip


def check_entry(entry: Any, key: Any, captain: Any) -> None:
    """Raise `BadValueError` where an entry, its key or the number of its captain cannot be."""
    if not _is_text(entry, ENTRY_CHARACTERS_MAX) or not _is_text(key, KEY_CHARACTERS_MAX):
        raise BadValueError("an entry has 1,000 characters of ASCII at most, and its key 200")
    if type(captain) is not int or not 0 < captain < NUMBER_MAX:
        raise BadValueError("a captain is a whole number from 1, below 2 to the power of 62")


def badge_of(secret: str, me: str, servers: Iterable[str]) -> list[Any]:
    """Return what a captain's secret is worth at server ``me``: its token, and locks of others.

    A token is known to its server as soon as the captain is there, to all others its lock alone: so
    no server can order in the name of a captain who never was there.
    """
    token = _token(secret, me)
    return [token, {one: lock_of(_token(secret, one)) for one in servers if one != me}]


def lock_of(token: str) -> str:
    """Return what is known of a token to those who do not have it."""
    return hashlib.sha256(token.encode()).hexdigest()[:32]


def _token(secret: str, server: str) -> str:
    return hashlib.sha256(f"badge of {secret} for {server}".encode()).hexdigest()[:32]


def check_badge(badge: Any) -> None:
    """Raise `BadValueError` where a badge is neither empty nor a token with locks by server."""
    match badge:
        case [] | ():
            return
        case [str(token), dict(locks)] if len(locks) <= SERVERS_MAX:
            words = [token, *locks, *locks.values()]
            if all(_is_text(word, BADGE_CHARACTERS_MAX) for word in words):
                return
    raise BadValueError("a badge is a token and locks by server")


def check_report(told: dict[str, Any]) -> None:
    """Raise `BadValueError` where what a server tells of itself is no report."""
    kinds = {name: type(value) for name, value in told.items()}
    if kinds != _REPORT or not _is_text(told["hash"], HASH_CHARACTERS_MAX):
        raise BadValueError(f"a report has {', '.join(_REPORT)}")
    if not -1 <= told["step"] < NUMBER_MAX or not 0 <= told["saved"] < NUMBER_MAX:
        raise BadValueError("steps are whole numbers below 2 to the power of 62")
    heard = told["heard"]
    if len(heard) > HEARD_MAX or not all(
        isinstance(row, list | tuple)
        and len(row) == 2
        and type(row[0]) is int
        and 0 < row[0] < NUMBER_MAX
        and type(row[1]) in (int, float)
        and 0 <= row[1] <= INTERVAL_SECONDS_MAX
        for row in heard
    ):
        raise BadValueError(f"at most {HEARD_MAX} captains are heard of, each with seconds")


def _is_text(value: Any, most: int) -> bool:
    return isinstance(value, str) and len(value) <= most and value.isascii()
