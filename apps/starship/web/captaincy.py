"""Who a player is: the secret in his cookie, the number the game knows him by, his forms' token.

Two rules. Whoever has the cookie is the captain, on every server of the game and after any restart:
nothing is kept here. What others see of him, his number, gives nothing away of the secret.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass

from apps.http.content.resources import Request
from apps.http.syntax.cookies import set_cookie

COOKIE = "starship-captain"
SECRET_BYTES = 32
"""Bytes of a secret: nobody guesses one of 256 bits."""
COOKIE_SECONDS = 400 * 86_400
"""How long a browser keeps the cookie: as long as browsers do. Ships outlive games."""

_SECRET = re.compile(r"[A-Za-z0-9_-]{43}")
_NUMBER_BITS = 62
_NONCE_BYTES = 9


@dataclass(frozen=True, slots=True, repr=False)
class Captain:
    """A player: ``number`` is who he is to the game, ``token`` stands in his forms.

    ``secret`` is what his cookie holds, and goes nowhere else.
    """

    secret: str
    number: int
    token: str

    def owns(self, token: str) -> bool:
        """Tell whether a form is his: pages of others cannot know his token."""
        return hmac.compare_digest(self.token.encode(), token.encode("utf-8", "replace"))

    @property
    def badge_secret(self) -> str:
        """What servers without a primary know him by; it opens no form and no cookie."""
        return hashlib.sha256(b"badge of " + self.secret.encode()).hexdigest()

    def cookie(self, secure: bool) -> tuple[str, str]:
        """Return the field that has a browser keep the secret."""
        line = set_cookie(COOKIE, self.secret, path="/", max_age=COOKIE_SECONDS, secure=secure)
        return "Set-Cookie", line


def new_captain() -> Captain:
    """Return a captain nobody knows."""
    return _captain(secrets.token_urlsafe(SECRET_BYTES))


def new_nonce() -> str:
    """Return what makes a form another one than the same form before."""
    return secrets.token_urlsafe(_NONCE_BYTES)


def captain_of(request: Request) -> Captain | None:
    """Return who sends a request, None without a cookie or with one that is malformed."""
    secret = request.cookie(COOKIE)
    return _captain(secret) if _SECRET.fullmatch(secret) else None


def _captain(secret: str) -> Captain:
    digest = hashlib.sha256(secret.encode()).digest()
    number = int.from_bytes(digest[:8]) >> (64 - _NUMBER_BITS)
    token = hashlib.sha256(b"form of " + secret.encode()).hexdigest()[:32]
    return Captain(secret, number, token)
