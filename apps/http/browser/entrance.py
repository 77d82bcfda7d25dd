"""Who may come in: a link that serves once, and the sessions that it opens.

Keys are drawn from the system's own source of chance and kept as digests. They live in plain
objects, which no message shows.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import Any

from apps.http.browser.bounds import SESSION_SECONDS, SESSIONS_MAX

KEY_BYTES = 32
"""Bytes of a key: nobody guesses one of 256 bits."""


@dataclass(slots=True, eq=False, repr=False)
class Session:
    """Somebody who came in: ``csrf`` is what their forms carry, ``browser`` makes their pages.

    ``used`` is when they were last here, in seconds.
    """

    digest: bytes
    csrf: str
    browser: Any
    used: float

    def owns(self, csrf: str) -> bool:
        """Return whether a form carries what this session's forms do."""
        return hmac.compare_digest(self.csrf.encode(), csrf.encode("utf-8", "replace"))


class Entrance:
    """The link and the sessions of one browser."""

    def __init__(self) -> None:
        self._link: bytes | None = None
        self._sessions: dict[bytes, Session] = {}

    def new_key(self) -> str:
        """Return the key of a link that serves once; the one before serves no more."""
        key = drawn()
        self._link = _digest(key)
        return key

    def redeem(self, key: str) -> bool:
        """Return whether a key is that of the link, which it then is no longer."""
        if self._link is None or not hmac.compare_digest(self._link, _digest(key)):
            return False
        self._link = None
        return True

    def begin(self, key: str, csrf: str, browser: Any, now: float) -> list[Session]:
        """Begin the session that `find` finds by ``key``; return those that ended by it.

        ``key`` is one that `drawn` gave, or a name that its owner proved elsewhere to be theirs;
        ``csrf`` is what forms carry, ``browser`` makes the pages, ``now`` is in seconds. When there
        are too many sessions, the one that was idle longest ends.
        """
        ended = self.expire(now)
        while len(self._sessions) >= SESSIONS_MAX:
            idle = min(self._sessions.values(), key=lambda session: session.used)
            ended.append(self._sessions.pop(idle.digest))
        session = Session(_digest(key), csrf, browser, now)
        before = self._sessions.pop(session.digest, None)
        self._sessions[session.digest] = session
        return ended if before is None else [*ended, before]

    def find(self, key: str, now: float) -> Session | None:
        """Return the session of a key and note that it is used; None when there is none."""
        session = self._sessions.get(_digest(key))
        if session is None or now - session.used > SESSION_SECONDS:
            return None
        session.used = now
        return session

    def end(self, session: Session) -> None:
        """End a session."""
        self._sessions.pop(session.digest, None)

    def expire(self, now: float) -> list[Session]:
        """End the sessions that were idle too long, and return them."""
        idle = [one for one in self._sessions.values() if now - one.used > SESSION_SECONDS]
        for session in idle:
            self.end(session)
        return idle

    def sessions(self) -> list[Session]:
        """Return the sessions there are."""
        return list(self._sessions.values())


def drawn() -> str:
    """Return a key that nobody can guess, for a cookie or a form."""
    return secrets.token_urlsafe(KEY_BYTES)


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "replace")).digest()


def is_same_origin(origin: str, host: str) -> bool:
    """Return whether a request with a body comes from a page of this very site.

    ``origin`` and ``host`` are the header fields; an old browser sends no Origin.
    """
    return not origin or origin.partition("://")[2].lower() == host.lower()
