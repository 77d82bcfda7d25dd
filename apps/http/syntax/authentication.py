"""Who somebody says he is: the fields of Basic and Digest authentication.

What is hashed is hashed here, whether it is right is for others to say: nothing in this module
knows a password or the time. Two rules. What a client sends raises `FieldSyntaxError` at worst.
Credentials never show in their ``repr``, so they get into no log and no traceback.

Sources: RFC 9110, section 11; RFC 7616 (Digest) with the algorithms SHA-256 and, for old clients,
MD5, and their ``-sess`` forms; RFC 7617 (Basic) with the charset UTF-8.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import unicodedata
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote_to_bytes

from apps.http.errors import FieldSyntaxError
from apps.http.syntax.fields import QUOTED, TOKEN, split_list

SHA_256: Final = "SHA-256"
MD5: Final = "MD5"
ALGORITHMS: Final = (SHA_256, MD5)
"""The algorithms of Digest that are offered, the better one first (RFC 7616, section 3.7)."""

AUTH: Final = "auth"
"""That credentials of Digest are for a target."""
AUTH_INT: Final = "auth-int"
"""That they are for a target and a body."""

REALM_CHARACTERS_MAX = 128
"""Characters of a realm: browsers show it to people in one line."""

_SCHEME = re.compile(rf"({TOKEN})(?: +(.*))?", re.DOTALL)
_PARAMETER = re.compile(rf"({TOKEN}\*?)[ \t]*=[ \t]*({TOKEN}|{QUOTED})")
_REALM = re.compile(r"[ !#-\[\]-~]+")
_COUNT = re.compile(r"[0-9a-fA-F]{8}")
_EXTENDED = re.compile(r"(?i:UTF-8)'[A-Za-z0-9-]*'((?:[0-9A-Za-z!#$&+.^_`|~-]|%[0-9A-Fa-f]{2})*)")
_ESCAPED = re.compile(r"\\(.)")
_CONTROLS = re.compile("[\0-\x1f\x7f]")
_NEEDED = ("realm", "nonce", "uri", "response", "nc", "cnonce", "qop")
_HASHES: Final = {SHA_256: hashlib.sha256, MD5: hashlib.md5}


@dataclass(frozen=True, slots=True)
class BasicCredentials:
    """A name and a password, both in Unicode's form NFC."""

    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class DigestCredentials:
    """What a client made of its password and a nonce, for one request.

    ``uri`` is the target it says the request has, ``count`` the how many-th use of the nonce it is.
    ``qop`` is `AUTH` or `AUTH_INT`; ``session`` says whether the algorithm is a ``-sess`` one.
    Texts are as they were sent, latin-1, but for ``user``.
    """

    user: str
    realm: str
    nonce: str
    uri: str
    algorithm: str
    count: int
    nc: str
    cnonce: str
    response: str = field(repr=False)
    qop: str = AUTH
    session: bool = False


Credentials = BasicCredentials | DigestCredentials


def parse_credentials(value: str) -> Credentials | None:
    """Return what the field Authorization says; None for schemes other than Basic and Digest.

    ``value`` is latin-1 text. Raises `FieldSyntaxError` for what cannot be read, and for a Digest
    without ``qop`` or with an algorithm that is not known here.
    """
    match = _SCHEME.fullmatch(value)
    if match is None:
        raise FieldSyntaxError("the credentials begin with no scheme")
    scheme, rest = match[1].lower(), match[2] or ""
    if scheme == "basic":
        return _parse_basic(rest.strip(" \t"))
    return _parse_digest(rest) if scheme == "digest" else None


def _parse_basic(text: str) -> BasicCredentials:
    try:
        data = base64.b64decode(text.encode("latin-1"), validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError):
        raise FieldSyntaxError("credentials of Basic are UTF-8 in base64") from None
    user, colon, password = data.partition(":")
    if not colon or _CONTROLS.search(data):
        raise FieldSyntaxError("credentials of Basic are a name, a colon and a password")
    return BasicCredentials(normal(user), normal(password))


def _parse_digest(text: str) -> DigestCredentials:
    given: dict[str, str] = {}
    for element in split_list(text):
        match = _PARAMETER.fullmatch(element)
        if match is None:
            raise FieldSyntaxError('a parameter of Digest is name=value or name="value"')
        name, value = match[1].lower(), match[2]
        if name in given:
            raise FieldSyntaxError(f"parameter {name} of Digest stands twice")
        given[name] = _ESCAPED.sub(r"\1", value[1:-1]) if value.startswith('"') else value
    for name in _NEEDED:
        if name not in given:
            raise FieldSyntaxError(f"parameter {name} of Digest is missing")
    named, qop = given.get("algorithm", MD5).upper(), given["qop"].lower()
    algorithm = named.removesuffix("-SESS")
    if algorithm not in ALGORITHMS or qop not in (AUTH, AUTH_INT):
        raise FieldSyntaxError("Digest is offered with qop=auth or auth-int and SHA-256 or MD5")
    if not _COUNT.fullmatch(given["nc"]) or given.get("userhash", "false").lower() != "false":
        raise FieldSyntaxError("nc of Digest has eight hex digits, and userhash is not offered")
    return DigestCredentials(
        _user(given), given["realm"], given["nonce"], given["uri"], algorithm,
        int(given["nc"], 16), given["nc"], given["cnonce"], given["response"].lower(), qop,
        named != algorithm,
    )  # fmt: skip


def _user(given: dict[str, str]) -> str:
    """The name, which comes in one of two forms and never in both (RFC 7616, section 3.4)."""
    plain, extended = given.get("username"), given.get("username*")
    if (plain is None) == (extended is None):
        raise FieldSyntaxError("Digest has username or username*, one of them")
    if extended is not None:
        match = _EXTENDED.fullmatch(extended)
        if match is None:
            raise FieldSyntaxError("username* of Digest is UTF-8''NAME, percent-encoded")
        data = unquote_to_bytes(match[1])
    else:
        assert plain is not None, "one of the two is there"
        data = plain.encode("latin-1")
    try:
        return normal(data.decode("utf-8"))
    except UnicodeDecodeError:
        raise FieldSyntaxError("the name in Digest is no UTF-8") from None


def normal(text: str) -> str:
    """Return a name or password in the form in which it is compared: Unicode's NFC.

    Keyboards write the same letter in several ways (RFC 8265).
    """
    return unicodedata.normalize("NFC", text)


def check_realm(realm: str) -> str:
    """Return a realm, or raise `FieldSyntaxError`: visible ASCII and blanks, no ``"`` and ``\\``.

    It is a part of what Digest hashes, so there must be one way only to write it.
    """
    if not _REALM.fullmatch(realm) or len(realm) > REALM_CHARACTERS_MAX:
        raise FieldSyntaxError(
            f"a realm has 1 to {REALM_CHARACTERS_MAX} letters, digits, blanks and signs of ASCII, "
            f'without " and \\; not {realm!r}'
        )
    return realm


def basic_challenge(realm: str) -> str:
    """Return the challenge of Basic for WWW-Authenticate.

    >>> basic_challenge("harbour")
    'Basic realm="harbour", charset="UTF-8"'
    """
    return f'Basic realm="{check_realm(realm)}", charset="UTF-8"'


def digest_challenge(realm: str, algorithm: str, nonce: str, stale: bool = False) -> str:
    """Return a challenge of Digest; ``stale`` has the client try again without asking anybody."""
    again = ", stale=true" if stale else ""
    return (
        f'Digest realm="{check_realm(realm)}", qop="auth, auth-int", algorithm={algorithm}, '
        f'nonce="{nonce}", charset=UTF-8{again}'
    )


def secret_hash(algorithm: str, user: str, realm: str, password: str) -> str:
    """Return what Digest keeps of a password, in hex: whoever has it can log in (``H(A1)``).

    Source: RFC 7616, section 3.4.2.
    """
    return _hashed(algorithm, f"{normal(user)}:{realm}:{normal(password)}".encode())


def digest_response(
    credentials: DigestCredentials, secret: str, method: str, body: bytes = b""
) -> str:
    """Return the response that credentials must have, in hex; ``secret`` is a `secret_hash`.

    ``body`` counts for ``qop=auth-int``. Of a ``-sess`` algorithm the key is that of the request's
    own nonces, as clients have it. Source: RFC 7616, sections 3.4.1 to 3.4.3.
    """
    given, algorithm = credentials, credentials.algorithm
    asked = f"{method}:{given.uri}"
    if given.qop == AUTH_INT:
        asked = f"{asked}:{_hashed(algorithm, body)}"
    if given.session:
        secret = _hashed(algorithm, f"{secret}:{given.nonce}:{given.cnonce}".encode("latin-1"))
    target = _hashed(algorithm, asked.encode("latin-1"))
    parts = (secret, given.nonce, given.nc, given.cnonce, given.qop, target)
    return _hashed(algorithm, ":".join(parts).encode("latin-1"))


def _hashed(algorithm: str, data: bytes) -> str:
    return _HASHES[algorithm](data, usedforsecurity=False).hexdigest()
