"""The sessions of an application: who is who between requests, for how long, and how many.

A session has an Id, which may stand in addresses and logs, and a secret, which only the cookie of
its browser has and of which a digest is kept here. Three rules. Nobody's own choice of either is
ever taken. What is not used ends: soon if it was never used at all, which is what floods are made
of. No clock and no dice here: the time and what is drawn are arguments.
"""

from __future__ import annotations

import hashlib
import hmac
from collections import Counter, OrderedDict
from dataclasses import dataclass
from typing import Any

SESSION_ID_BYTES = 16
"""Random bytes of an Id, 128 bits: nobody meets one by guessing."""
SECRET_BYTES = 32
"""Random bytes of a secret."""
SESSIONS_MAX = 10_000
"""Sessions at once, about 1 KiB each and what the application makes for it; then 503."""
SESSIONS_OF_ADDRESS_MAX = 1_000
"""Sessions of one address of a client: a large office behind one has fewer, a flood more."""
IDLE_SECONDS = 1_800.0
"""How long a session stays that nobody uses: half an hour, as usual."""
UNUSED_SECONDS = 60.0
"""How long an application stays that was never used: a browser that is led to it is there within a
second."""


@dataclass(slots=True)
class Session:
    """A session. ``target`` is the object of the application, ``user`` who logged in, or ``""``.

    ``guarded_as`` is who a guard let in when the session came to a page that has one, or ``""``.
    """

    id: str
    client: str
    seen: float
    secure: bool = False
    user: str = ""
    guarded_as: str = ""
    target: Any = None
    digest: bytes = b""
    used: bool = False


class SessionTable:
    """The sessions by Id and by secret; ``key`` are secret random bytes, 16 to 64.

    The bounds are those of this module unless given; times are in seconds of a clock that runs
    evenly.
    """

    def __init__(
        self,
        key: bytes,
        idle_seconds: float = IDLE_SECONDS,
        sessions_max: int = SESSIONS_MAX,
        of_address_max: int = SESSIONS_OF_ADDRESS_MAX,
        unused_seconds: float = UNUSED_SECONDS,
    ) -> None:
        self._key = key
        self._idle = idle_seconds
        self._unused_seconds = min(unused_seconds, idle_seconds)
        self._max = sessions_max
        self._of_address_max = of_address_max
        # In the order of their last use: the first is the first to end.
        self._unused: OrderedDict[str, Session] = OrderedDict()
        self._used: OrderedDict[str, Session] = OrderedDict()
        self._by_digest: dict[bytes, Session] = {}
        self._by_client: Counter[str] = Counter()

    def add(self, id: str, client: str, now: float) -> Session | None:
        """Make a session, or return None when there are too many, or too many of ``client``."""
        if id in self or len(self) >= self._max:
            return None
        if client and self._by_client[client] >= self._of_address_max:
            return None
        session = self._unused[id] = Session(id, client, now)
        self._by_client[client] += 1
        return session

    def give_secret(self, session: Session, secret: str) -> None:
        """Have a session known by another secret, and no longer by the one before."""
        self._by_digest.pop(session.digest, None)
        session.digest = self._digest(secret)
        self._by_digest[session.digest] = session

    def find(self, id: str, now: float) -> Session | None:
        """Return a session by its Id; it is not used thereby."""
        session = self._used.get(id) or self._unused.get(id)
        return None if session is None or self._is_over(session, now) else session

    def use(self, secret: str, now: float) -> Session | None:
        """Return the session of a secret, None if there is none; it stays as long as is usual."""
        session = self._by_digest.get(self._digest(secret)) if secret else None
        if session is None or self._is_over(session, now):
            return None
        self.touch(session, now)
        return session

    def touch(self, session: Session, now: float) -> None:
        """Take note that a session was used."""
        self._unused.pop(session.id, None)
        session.seen, session.used = now, True
        self._used[session.id] = session
        self._used.move_to_end(session.id)

    def remove(self, id: str) -> Session | None:
        """End a session and return it; None if there is none."""
        session = self._used.pop(id, None) or self._unused.pop(id, None)
        if session is None:
            return None
        self._by_digest.pop(session.digest, None)
        self._by_client[session.client] -= 1
        if not self._by_client[session.client]:
            del self._by_client[session.client]
        return session

    def expire(self, now: float) -> list[Session]:
        """End the sessions that were not used for too long, and return them."""
        ended = []
        for group in (self._unused, self._used):
            while group:
                session = next(iter(group.values()))
                if not self._is_over(session, now):
                    break
                ended.append(session)
                self.remove(session.id)
        return ended

    def form_token(self, session: Session) -> str:
        """Return what a form of a session must bring back; it changes with the secret."""
        return hmac.new(self._key, b"form" + session.digest, hashlib.sha256).hexdigest()

    def is_form_token(self, session: Session, token: str) -> bool:
        """Tell whether a form brought back what it was given."""
        return hmac.compare_digest(self.form_token(session).encode(), token.encode())

    def ids(self) -> list[str]:
        """Return the Ids, least recently used first."""
        return [*self._unused, *self._used]

    def __contains__(self, id: object) -> bool:
        return id in self._used or id in self._unused

    def __len__(self) -> int:
        return len(self._used) + len(self._unused)

    def _is_over(self, session: Session, now: float) -> bool:
        most = self._idle if session.used else self._unused_seconds
        return now - session.seen >= most

    def _digest(self, secret: str) -> bytes:
        return hashlib.blake2b(secret.encode(), key=self._key, digest_size=32).digest()
