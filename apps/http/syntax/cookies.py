"""Cookies (RFC 6265): those a request brings, and the Set-Cookie line of an answer.

What comes in is untrusted and read leniently: a pair that is malformed is skipped. What goes out is
checked, and the safe attributes are the default: HttpOnly, and SameSite=Lax.
"""

from __future__ import annotations

import re
from typing import Final, Literal

from apps.http.errors import AnswerError
from apps.http.syntax.dates import format_date

SameSite = Literal["Strict", "Lax", "None"]

NAME_VALUE_BYTES_MAX = 4096
"""What browsers keep of a cookie, its name and value together."""

COOKIES_MAX: Final = 64
"""Cookies of a request that are read; the rest are left out. Browsers keep 50 to 180 for a site,
of which a page sees a few."""

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
# cookie-octet leaves out controls, space, quote, comma, semicolon and backslash.
_OCTETS = re.compile(r"[!\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*")
_TEXT = re.compile(r"[\x20-\x3a\x3c-\x7e]*")
_LABEL = "[0-9A-Za-z](?:[0-9A-Za-z-]{0,61}[0-9A-Za-z])?"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
# What arrives may hold anything but a control and the semicolon: other sites of a domain, and
# scripts, set cookies of their own taste.
_ARRIVING = re.compile(r"[\t\x20-\x7e\x80-\xff]*")


def parse_cookies(line: str) -> dict[str, str]:
    """Return the cookies of a request, given as the value of its Cookie field.

    Quotes around a value are taken off. Of two cookies with one name the first counts: browsers
    send the one with the longer path first (section 5.4). Several lines are one in
    `apps.http.syntax.fields.Fields`. What comes behind `COOKIES_MAX` pairs is left out.

    >>> parse_cookies('session=31d4; lang="en"')
    {'session': '31d4', 'lang': 'en'}
    """
    cookies: dict[str, str] = {}
    for pair in line.split(";", COOKIES_MAX)[:COOKIES_MAX]:
        name, equals, value = pair.partition("=")
        name, value = name.strip(" \t"), value.strip(" \t")
        if equals and name not in cookies and _TOKEN.fullmatch(name) and _ARRIVING.fullmatch(value):
            cookies[name] = _unquoted(value)
    return cookies


def _unquoted(value: str) -> str:
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] == '"' else value


def set_cookie(
    name: str,
    value: str,
    *,
    path: str | None = None,
    domain: str | None = None,
    max_age: int | None = None,
    expires: int | None = None,
    secure: bool = False,
    http_only: bool = True,
    same_site: SameSite | None = "Lax",
) -> str:
    """Return the value of a Set-Cookie field.

    ``max_age`` in seconds, 0 or less deletes the cookie; ``expires`` in seconds since 1970;
    without either the cookie lasts as long as the browser runs. ``same_site`` None leaves the
    attribute out. Raises `AnswerError` for what a browser would misread or drop in silence:
    a name that is no token, a value with spaces, commas, semicolons or controls (encode it first),
    ``SameSite=None`` without ``secure``, and a ``__Host-`` or ``__Secure-`` name without what these
    names promise.

    Source: RFC 6265, section 4.1; the prefixes and SameSite from its revision, RFC 6265bis.

    >>> set_cookie("session", "31d4", path="/")
    'session=31d4; Path=/; HttpOnly; SameSite=Lax'
    """
    _check_pair(name, value)
    _check_promises(name, path, domain, secure, same_site)
    cookie = [f"{name}={value}"]
    if path is not None:
        if not path.startswith("/") or not _TEXT.fullmatch(path):
            raise AnswerError(f"cookie {name}: {path!r} is no path; it begins with / and has no ;")
        cookie.append(f"Path={path}")
    if domain is not None:
        if not _DOMAIN.fullmatch(domain.removeprefix(".")):
            raise AnswerError(f"cookie {name}: {domain!r} is no domain, such as example.com")
        cookie.append(f"Domain={domain.removeprefix('.')}")
    if max_age is not None:
        cookie.append(f"Max-Age={max_age}")
    if expires is not None:
        cookie.append(f"Expires={format_date(expires)}")
    cookie += ["Secure"] * secure + ["HttpOnly"] * http_only
    if same_site is not None:
        cookie.append(f"SameSite={same_site}")
    return "; ".join(cookie)


def _check_pair(name: str, value: str) -> None:
    if not _TOKEN.fullmatch(name):
        raise AnswerError(f"{name!r} is no name of a cookie: letters, digits and -_.!#$%&'*+^`|~")
    if not _OCTETS.fullmatch(value):
        raise AnswerError(
            f"cookie {name}: its value has characters that cookies cannot have; encode it, "
            "with urllib.parse.quote for example"
        )
    if len(name) + len(value) > NAME_VALUE_BYTES_MAX:
        raise AnswerError(
            f"cookie {name}: name and value have {len(name) + len(value)} bytes, browsers keep "
            f"{NAME_VALUE_BYTES_MAX}"
        )


def _check_promises(
    name: str, path: str | None, domain: str | None, secure: bool, same_site: SameSite | None
) -> None:
    if same_site not in (None, "Strict", "Lax", "None"):
        raise AnswerError(f"cookie {name}: SameSite is Strict, Lax or None, not {same_site!r}")
    if same_site == "None" and not secure:
        raise AnswerError(f"cookie {name}: browsers drop SameSite=None without Secure")
    prefix = name.lower()
    if prefix.startswith(("__secure-", "__host-")) and not secure:
        raise AnswerError(f"cookie {name}: browsers drop a name that begins so without Secure")
    if prefix.startswith("__host-") and (path != "/" or domain is not None):
        raise AnswerError(f"cookie {name}: __Host- takes path='/' and no domain")
