"""What a request asks for: its look at a ship, its settings, and the fields of what is posted.

Everything here comes from outside. What is no look is the usual look; what is no form is refused,
with the words of `RequestRejected`.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Final

import vista
from apps.http.content.forms import media_type
from apps.http.content.resources import Request
from apps.http.errors import RequestRejected
from apps.http.syntax.cookies import set_cookie
from apps.starship.web.captaincy import COOKIE_SECONDS
from apps.starship.web.limits import SiteLimits

RADII: Final = (100, 200, 300, 500)
"""What the short-range scan shows, in units."""
RADIUS: Final = 300

SETTINGS_COOKIE: Final = "starship-settings"
INTERVAL_MAX: Final = 600
"""Seconds between two updates of a page without script."""

JSON: Final = "application/json"
NAME_CHARACTERS_MAX: Final = 64
"""Characters of a name in a query; names of ships have 16."""

_SETTINGS = re.compile(r"([0-9]{0,3})\.([01])")


@vista.record
@dataclass(frozen=True, slots=True)
class Look:
    """What of a ship is to be seen: its target, the radius of the scan, which messages."""

    ship: str = ""
    target: str = ""
    radius: int = RADIUS
    filter: str = ""
    scan: bool = False

    def query(self) -> dict[str, str]:
        """Return what an address has to say to come back to this look."""
        found = {"ship": self.ship, "target": self.target, "filter": self.filter}
        found["radius"] = "" if self.radius == RADIUS else str(self.radius)
        return {name: value for name, value in found.items() if value}


@vista.record
@dataclass(frozen=True, slots=True)
class Settings:
    """How somebody likes his pages: seconds between updates, and keys for commands or none.

    ``interval`` is None where nothing was chosen, and 0 for pages that do not ask by themselves.
    """

    interval: int | None = None
    single_keys: bool = True

    def cookie(self, secure: bool) -> tuple[str, str]:
        """Return the field that has a browser keep them."""
        interval = "" if self.interval is None else self.interval
        value = f"{interval}.{int(self.single_keys)}"
        line = set_cookie(
            SETTINGS_COOKIE, value, path="/starship", max_age=COOKIE_SECONDS, secure=secure
        )
        return "Set-Cookie", line


USUAL: Final = Settings()
"""The settings of who chose none."""


@dataclass(frozen=True, slots=True)
class Posted:
    """What was posted: texts by name; ``words`` are the arguments of an order.

    With ``as_json`` the answer is wanted as JSON. ``trusted`` says that no page of another site can
    have sent it: browsers ask before they send JSON elsewhere.
    """

    fields: dict[str, str]
    words: tuple[Any, ...]
    as_json: bool
    trusted: bool

    def get(self, name: str) -> str:
        """Return a field, ``""`` if there is none."""
        return self.fields.get(name, "")


def look_of(values: dict[str, str], scan: bool = False) -> Look:
    """Return the look that a query or a form names; what cannot be meant is left out."""
    names = [values.get(name, "").strip() for name in ("ship", "target", "filter")]
    ship, target, chosen = (name if len(name) <= NAME_CHARACTERS_MAX else "" for name in names)
    radius = values.get("radius", "")
    wanted = int(radius) if radius in map(str, RADII) else RADIUS
    return Look(ship, target, wanted, chosen, scan or values.get("mode") == "scan")


def settings_of(request: Request) -> Settings:
    """Return the settings that the browser keeps."""
    found = _SETTINGS.fullmatch(request.cookie(SETTINGS_COOKIE))
    if found is None or int(found[1] or 0) > INTERVAL_MAX:
        return USUAL
    return Settings(int(found[1]) if found[1] else None, found[2] == "1")


def read_interval(text: str) -> int | None:
    """Return the seconds between updates that somebody typed; None for what cannot be."""
    text = text.strip()
    if not text.isascii() or not text.isdecimal() or len(text) > 4:
        return None
    return int(text) if int(text) <= INTERVAL_MAX else None


def wants_json(request: Request) -> bool:
    """Tell whether the answer is for a program: it says so, or sends JSON itself."""
    accepts = request.field("Accept").lower()
    return JSON in accepts or media_type(request.field("Content-Type")) == JSON


def read_posted(request: Request, limits: SiteLimits) -> Posted:
    """Return the fields of a form or of JSON.

    Raises `RequestRejected`: 413 for what is too large, 415 for another type, 400 for what is
    malformed.
    """
    if request.upload is not None or request.parts or len(request.body) > limits.body_bytes_max:
        raise RequestRejected(413, f"at most {limits.body_bytes_max} bytes are taken here")
    if media_type(request.field("Content-Type")) == JSON:
        fields, words = read_sent(request.body, limits)
        return Posted(fields, words, True, True)
    pairs = request.form().items()
    fields = {}
    for name, value in pairs:
        fields.setdefault(name, value)
    fields = _bounded(fields, limits)
    return Posted(fields, _numbered(fields, limits), wants_json(request), False)


def _numbered(fields: dict[str, str], limits: SiteLimits) -> tuple[str, ...]:
    """The arguments of an order, which a form has as arg1, arg2 and so on, empty ones left out."""
    numbered = (fields.get(f"arg{n}", "").strip() for n in range(1, limits.words_max + 1))
    return tuple(word for word in numbered if word)


def _bounded(fields: dict[str, str], limits: SiteLimits) -> dict[str, str]:
    if len(fields) > limits.fields_max:
        raise RequestRejected(413, f"at most {limits.fields_max} fields are taken here")
    most = limits.field_characters_max
    if "name" in fields:
        # What is too long for a name stays so, and is refused as one, where it was typed.
        fields["name"] = fields["name"][:most]
    for name, value in fields.items():
        if max(len(name), len(value)) > most:
            raise RequestRejected(400, f"{name[:20]!r} has more than {most} characters")
        if not _is_text(value):
            raise RequestRejected(400, f"{name[:20]!r} has characters that are none")
    return fields


def read_sent(body: str | bytes, limits: SiteLimits) -> tuple[dict[str, str], tuple[Any, ...]]:
    """Return the texts of a JSON object by name, and the words of its ``args``.

    ``cmd`` and ``command`` are the same. The bounds are those of a form. Raises `RequestRejected`:
    413 for what is too large, 400 for what is malformed.
    """
    if len(body) > limits.body_bytes_max:
        raise RequestRejected(413, f"at most {limits.body_bytes_max} bytes are taken here")
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise RequestRejected(400, "this is no JSON") from error
    fields, words = _read_object(found, limits)
    return _bounded(fields, limits), words


def _read_object(found: Any, limits: SiteLimits) -> tuple[dict[str, str], tuple[Any, ...]]:
    if not isinstance(found, dict):
        raise RequestRejected(400, "this is no JSON object")
    words = found.pop("args", [])
    if not isinstance(words, list) or len(words) > limits.words_max:
        raise RequestRejected(400, f"args is a list of at most {limits.words_max} words")
    if not all(_is_word(word, limits) for word in words):
        raise RequestRejected(400, "args has texts and numbers")
    fields = {}
    for name, value in found.items():
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise RequestRejected(400, f"{name[:20]!r} is a text")
        fields[name] = str(value)
    if "cmd" in fields:
        fields.setdefault("command", fields["cmd"])
    return fields, tuple(words)


def _is_word(word: Any, limits: SiteLimits) -> bool:
    if isinstance(word, bool) or not isinstance(word, str | int | float):
        return False
    if isinstance(word, str):
        return len(word) <= limits.field_characters_max and _is_text(word)
    return True


def _is_text(text: str) -> bool:
    """Half of a surrogate pair, which JSON may name, has no UTF-8 and could not be sent on."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
