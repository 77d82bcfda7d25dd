"""What a browser has to bring: the secret of its session, and the key of a form.

Two rules. Whatever is proven here any server of the group can prove from the request alone: the Id
of a session is the digest of its type and its secret, and the key of a form is made with the
secret. So no server keeps a secret, and one that is broken into has those only of whom it served.
No dice here: what is drawn is an argument.
"""

from __future__ import annotations

import hashlib
import hmac
import re

import vista

SECRET_BYTES = 32
"""Random bytes of a secret, in the cookie."""

NONCE_BYTES = 16
"""Random bytes of the key of a form."""

COOKIE_PREFIX = "replica-"
"""The cookie of a session is called so, and after its type."""

_TYPE = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?")
_SECRET = re.compile(r"[A-Za-z0-9_-]{43}")
_ID = re.compile(r"[0-9a-f]{32}")
_KEY = re.compile(r"[0-9a-f]{64}")


def check_type(name: str) -> str:
    """Return the name of a transaction type. Raises `vista.BadValueError` when it cannot be one."""
    if not is_type(name):
        raise vista.BadValueError(
            f"a transaction type is called by 1 to 32 small letters, digits and -, not {name!r}"
        )
    return name


def is_type(name: str) -> bool:
    """Tell whether a transaction type can be called so."""
    return _TYPE.fullmatch(name) is not None


def is_session_id(text: str) -> bool:
    """Tell whether a text has the form of an Id."""
    return _ID.fullmatch(text) is not None


def session_id(kind: str, secret: str) -> str:
    """Return the Id of the session of a type that has a secret: 128 bits as 32 hex digits."""
    digest = hashlib.blake2b(
        secret.encode(), digest_size=16, key=kind.encode(), person=b"replica-session"
    )
    return digest.hexdigest()


def find_ticket(cookies: dict[str, str], id: str) -> tuple[str, str] | None:
    """Return type and secret of a session, from the cookies of a request; None where none fits."""
    for name, secret in cookies.items():
        kind = name.removeprefix(COOKIE_PREFIX)
        if kind != name and is_type(kind) and _SECRET.fullmatch(secret):
            # Bytes that differ early must not be told from those that differ late.
            if hmac.compare_digest(session_id(kind, secret), id):
                return kind, secret
    return None


def secret_of(cookies: dict[str, str], kind: str) -> str:
    """Return the secret that a request has for a type; empty for none."""
    secret = cookies.get(COOKIE_PREFIX + kind, "")
    return secret if _SECRET.fullmatch(secret) else ""


def request_key(secret: str, nonce: bytes) -> str:
    """Return the key of a form: a number that nobody had before, and the proof whose it is."""
    return nonce.hex() + _proof(secret, nonce.hex())


def is_request_key(secret: str, key: str) -> bool:
    """Tell whether a key was made for the session that has this secret."""
    if not _KEY.fullmatch(key):
        return False
    return hmac.compare_digest(_proof(secret, key[:32]), key[32:])


def name_request(key: str, fields: dict[str, str]) -> str:
    """Return what the group knows a request by: the key of its form, and what is in it.

    A form that was sent with a mistake, corrected and sent again is another request, whether or not
    the browser asked for the page anew in between.
    """
    told = vista.encode_value([list(pair) for pair in sorted(fields.items())])
    return key[:32] + hashlib.blake2b(told, digest_size=16).hexdigest()


def _proof(secret: str, nonce: str) -> str:
    return hmac.new(secret.encode(), b"form " + nonce.encode(), hashlib.sha256).hexdigest()[:32]
