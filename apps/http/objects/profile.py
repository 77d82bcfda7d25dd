"""Profiles: files of attributes and values, one a line, as the original's ParseParameterFile reads.

::

    # the site of the harbour
    ServerName        www.harbour.example
    directoryRoot     /srv/harbour  "/srv/more files"
    defaultFiles      index.html index.shtml

An attribute that stands again adds values. ``#`` begins a comment where a word could begin, and
``$NAME`` is not replaced. Names do not tell upper from lower case, and an underscore means nothing
in them.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import shlex
from pathlib import Path

from apps.http.content.proxies import FORWARDED_FIELDS, FORWARDED_FOR, Believed, proxies_of
from apps.http.errors import ProfileError
from apps.http.syntax.answers import DateCache
from apps.http.syntax.heads import KnownHeads
from apps.http.syntax.limits import HttpLimits

PROFILE_BYTES_MAX = 1024 * 1024
"""Bytes a profile may have: a device that never ends must not take the machine's memory."""

NO_PROFILE = ("", "-")
"""What stands for a profile that says nothing."""

BODY_BYTES_MAX = 1024 * 1024
"""Bytes of a request's body unless the profile says more, or where uploads go: what objects get
whole, in memory."""

OVER_TLS = "yes"
"""HTTP/2 for clients that speak TLS: what browsers do."""
CLEARTEXT = "cleartext"
"""HTTP/2 without TLS as well, for clients that know it (RFC 9113, section 3.3)."""
NO_HTTP2 = "no"
"""HTTP/1.1 only."""

ATTRIBUTES = {
    "actas": "actAs",
    "servername": "ServerName",
    "serverport": "SERVER_PORT",
    "directoryroot": "directoryRoot",
    "defaultfiles": "defaultFiles",
    "errorpage": "errorPage",
    "forwardedfield": "forwardedField",
    "forwardedproto": "forwardedProto",
    "cachebytes": "cacheBytes",
    "certificate": "certificate",
    "compress": "compress",
    "connectionsmax": "connectionsMax",
    "http2": "http2",
    "privatekey": "privateKey",
    "trustedproxies": "trustedProxies",
    "websocketorigins": "webSocketOrigins",
    "showhidden": "showHidden",
    "listings": "listings",
    "protected": "protected",
    "uploads": "uploads",
    "uploadbytes": "uploadBytes",
    "keptuploads": "keptUploads",
}
"""The attributes there are, as they are usually written. Each limit of `HttpLimits` is one too."""

_NO_FILE = "no profile"
_LIMITS = {field.name.replace("_", ""): field.name for field in dataclasses.fields(HttpLimits)}


class Profile:
    """What a profile says; `read_profile` makes one.

    `texts` returns all values of an attribute, `text` the first one.
    """

    def __init__(self, name: str, values: dict[str, list[str]]) -> None:
        self.name = name
        self._values = values

    @property
    def is_file(self) -> bool:
        """Whether there is a file, which may be read again."""
        return self.name != _NO_FILE

    def texts(self, attribute: str) -> list[str]:
        """Return the values of an attribute, none for one that is not there."""
        return list(self._values.get(_key(attribute), ()))

    def text(self, attribute: str, default: str = "") -> str:
        """Return the first value of an attribute."""
        return next(iter(self.texts(attribute)), default)

    def number(self, attribute: str, default: int) -> int:
        """Return a whole number from 0. Raises `ProfileError` for anything else."""
        text = self.text(attribute, str(default))
        if not (text.isascii() and text.isdecimal() and len(text) < 16):
            raise ProfileError(f"{self.name}: {attribute} must be a whole number, not {text!r}")
        return int(text)

    def one_of(self, attribute: str, default: str, words: tuple[str, ...]) -> str:
        """Return one of several words. Raises `ProfileError` for any other."""
        text = self.text(attribute, default).lower()
        if text not in words:
            raise ProfileError(
                f"{self.name}: {attribute} must be {' or '.join(words)}, not {text!r}"
            )
        return text

    def paths(self, attribute: str) -> list[str]:
        """Return the files or directories that an attribute names.

        Relative ones begin at the directory of the profile, wherever the process was started.
        """
        return [self.path(text) for text in self.texts(attribute)]

    def path(self, text: str) -> str:
        """Return the name of a file or directory as `paths` does."""
        return str(Path(self.name).parent / text)

    def pairs(self, attribute: str) -> dict[str, str]:
        """Return the values of an attribute two by two. Raises `ProfileError` if one is left."""
        words = self.texts(attribute)
        if len(words) % 2:
            raise ProfileError(f"{self.name}: {attribute} takes pairs, and {words[-1]!r} is alone")
        return dict(zip(words[::2], words[1::2], strict=True))

    def http2(self) -> str:
        """Return where HTTP/2 is spoken. Raises `ProfileError` for what is no such place."""
        text = self.text("http2", OVER_TLS)
        if text not in (OVER_TLS, CLEARTEXT, NO_HTTP2):
            raise ProfileError(
                f"{self.name}: http2 is {OVER_TLS}, {CLEARTEXT} or {NO_HTTP2}, not {text!r}"
            )
        return text

    def proxies(self) -> Believed:
        """Return the proxies that are believed, the field in which they say who asks, and whether
        they write X-Forwarded-Proto as well.

        Raises `ProfileError` for what is no address, no network and not ``unix:``.
        """
        field = self.one_of("forwardedField", FORWARDED_FOR, FORWARDED_FIELDS)
        words = tuple(self.texts("trustedProxies"))
        try:
            proxies_of(words, field, False)
        except ValueError as error:
            raise ProfileError(
                f"{self.name}: trustedProxies are addresses, networks such as 10.0.0.0/8, or "
                f"unix: - {error}"
            ) from None
        return words, field, self.one_of("forwardedProto", "no", ("no", "yes")) == "yes"

    def protected(self) -> list[tuple[str, str, str]]:
        """Return path, realm and file of passwords of each part of the site that is protected.

        Raises `ProfileError` when one of the three is missing.
        """
        words = self.texts("protected")
        if len(words) % 3:
            raise ProfileError(f"{self.name}: protected takes a path, a realm and a file for each")
        files = map(self.path, words[2::3])
        return list(zip(words[::3], words[1::3], files, strict=True))

    def limits(self) -> tuple[tuple[str, float], ...]:
        """Return the bounds that the profile sets, by their names in `HttpLimits`.

        Raises `ProfileError` for what is no number, and `BadLimitError` for bounds that cannot be.
        """
        found: dict[str, float] = {}
        if "uploads" not in self._values:
            found["body_bytes_max"] = BODY_BYTES_MAX
        for key, name in _LIMITS.items():
            if key in self._values:
                found[name] = self._bound(name)
        pairs = tuple(sorted(found.items()))
        terms_of(pairs)
        return pairs

    def _bound(self, name: str) -> float:
        text = self.text(name)
        try:
            return float(text) if name.endswith("_seconds") else int(text)
        except ValueError:
            raise ProfileError(f"{self.name}: {name} must be a number, not {text!r}") from None


class Terms:
    """What all connections of a daemon share: bounds, the date of this second, known heads."""

    def __init__(self, limits: HttpLimits) -> None:
        self.limits = limits
        self.dates = DateCache()
        self.heads = KnownHeads()
        self.heard = 0  # the number of the connection whose client has sent something last
        self._second = -1
        self._date_line = b""

    def date_line(self, now: float) -> bytes:
        """Return the field line Date with its end; ``now`` in seconds since 1970."""
        second = int(now)
        if second != self._second:
            self._date_line = self.dates.line(now).encode("ascii")
            self._second = second
        return self._date_line


@functools.lru_cache(maxsize=64)
def terms_of(pairs: tuple[tuple[str, float], ...]) -> Terms:
    """Return the terms for bounds as `Profile.limits` returns them; the same for the same bounds.

    An object of bounds for each of 10,000 connections would take 6 MB. Raises `BadLimitError`.
    """
    limits = HttpLimits(**dict(pairs))  # type: ignore[arg-type]
    limits.validate()
    return Terms(limits)


def read_profile(name: str) -> Profile:
    """Read a profile; ``""`` or ``-`` gives one that says nothing.

    Raises `ProfileError` with file and line of what is wrong, or why it cannot be read.
    """
    if name in NO_PROFILE:
        return Profile(_NO_FILE, {})
    try:
        with Path(name).open("rb") as file:
            data = file.read(PROFILE_BYTES_MAX + 1)
    except OSError as error:
        raise ProfileError(f"{name}: {error.strerror}") from error
    if len(data) > PROFILE_BYTES_MAX:
        raise ProfileError(f"{name}: longer than the {PROFILE_BYTES_MAX} bytes a profile may have")
    try:
        return parse_profile(name, data.decode())
    except UnicodeDecodeError:
        raise ProfileError(f"{name}: this is not UTF-8 text") from None


def parse_profile(name: str, text: str) -> Profile:
    """Return what the text of a profile says; ``name`` stands in errors.

    >>> parse_profile("p", "ServerName www.harbour.example").text("ServerName")
    'www.harbour.example'
    """
    values: dict[str, list[str]] = {}
    for number, line in enumerate(text.splitlines(), 1):
        try:
            words = shlex.split(line, comments=True)
        except ValueError as error:
            raise ProfileError(f"{name}:{number}: {str(error).lower()}") from None
        if not words:
            continue
        attribute, *rest = words
        key = _key(attribute)
        if key not in ATTRIBUTES and key not in _LIMITS:
            raise ProfileError(f"{name}:{number}: no attribute {attribute!r}{_near(key)}")
        values.setdefault(key, []).extend(rest)
    return Profile(name, values)


def _key(attribute: str) -> str:
    key = attribute.replace("_", "").lower()
    return "serverport" if key == "port" else key


def _near(key: str) -> str:
    known = {**ATTRIBUTES, **_LIMITS}
    near = difflib.get_close_matches(key, known, 1)
    return f"; did you mean {known[near[0]]}?" if near else ""
