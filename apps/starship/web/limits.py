"""Every bound of the site, with its unit and its reason; an rc line may change each.

``SiteLimits()`` holds the values for a game that is open to everybody; `read_words` makes others of
the words of an rc line, such as ``streams_per_address=100``.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any

import vista


@vista.record
@dataclass(frozen=True, slots=True, kw_only=True)
class SiteLimits:
    """The bounds of one site. Units stand at the end of the names."""

    requests_per_second: float = 30.0
    """Requests of one address a second, on average; more get 429. A browser that is played as fast
    as hands can sends five; behind one address of a school there may be six of them."""

    requests_burst: int = 150
    """Requests of one address at once: a page with its files and streams takes about ten."""

    ship_seconds: float = 20.0
    """How often one address may make a ship, on average: a galaxy of 64 is not filled by one."""

    ships_burst: int = 6
    """Ships of one address at once: a family begins to play."""

    streams_per_address: int = 24
    """Open streams of one address; the next one gets 429. A browser opens six at most."""

    streams_max: int = 1_000
    """Open streams of the site; the next one gets 503. Each update of a bridge takes about 2 ms: in
    a step of 5 s that is 40 percent of a core."""

    addresses_max: int = 4_096
    """Addresses whose requests are counted, about 250 bytes each; then the one that was silent
    longest is forgotten."""

    body_bytes_max: int = 8_192
    """Bytes of a form or an order; a larger one gets 413. The longest has about 500."""

    fields_max: int = 32
    """Fields of a form or an order; more get 413. The largest form has ten."""

    field_characters_max: int = 200
    """Characters of one field; a longer one gets 400. Pass-phrases may be sentences."""

    words_max: int = 4
    """Arguments of an order; more get 400. ``course_to`` has two."""

    notices_max: int = 1_000
    """Answers to forms that wait for the page that shows them; then the oldest is forgotten."""

    notice_seconds: float = 120.0
    """How long such an answer is kept: a page that was led to comes within a second."""

    posted_max: int = 1_000
    """Ships made last of which is remembered by which form: one that comes again makes none."""

    posted_seconds: float = 300.0
    """How long that is remembered: who sends a form again does it at once or after a lost link."""

    batch_seconds: float = 0.01
    """How long bridges are drawn before the node sees to everything else."""

    activity_seconds: float = 20.0
    """How often the primary is told at most that a captain is there. It takes a captain for gone
    after 90."""

    redrawn_max: int = 50
    """Open bridges up to which an order is shown at once on the whole bridge. With more only its
    dots change until the next step: to draw 200 bridges once more for each order takes a second."""

    frame_bytes_max: int = 131_072
    """Bytes of one update of a page; what is more comes in several, and what is more in one part is
    fetched. A bridge has 60 KB in the normal galaxy and 200 KB among 240 ships; what waits for one
    client has 256 KiB at most (``feed_bytes_max``)."""

    def validate(self) -> None:
        """Check each bound. Raises `vista.BadValueError` naming the first mistake."""
        for field in fields(self):
            value = getattr(self, field.name)
            if not 0 < value < math.inf:
                raise vista.BadValueError(f"{field.name} is a number above 0, not {value!r}")


FLAGS = {
    **dict.fromkeys(("yes", "true", "on", "1"), True),
    **dict.fromkeys(("no", "false", "off", "0"), False),
}
"""How a word of an rc line says yes or no."""


def read_words(words: Iterable[str]) -> tuple[bool, SiteLimits]:
    """Return whether Flash was asked for, and the bounds, of the words behind the site's name.

    A word is the original's flag (yes or no), once, or ``NAME=VALUE`` for one of the bounds. Raises
    `vista.BadValueError` for any other.
    """
    flash: bool | None = None
    values: dict[str, Any] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals and flash is None and word.lower() in FLAGS:
            flash = FLAGS[word.lower()]
        elif equals and name in values:
            raise vista.BadValueError(f"{name} stands twice")
        elif equals:
            values[name] = _number(name, value)
        else:
            raise vista.BadValueError(
                f"behind the site's name stands yes or no, for Flash, or NAME=VALUE, not {word!r}"
            )
    limits = SiteLimits(**values)
    limits.validate()
    return bool(flash), limits


def _number(name: str, value: str) -> float | int:
    kinds = {field.name: field.type for field in fields(SiteLimits)}
    if name not in kinds:
        near = difflib.get_close_matches(name, kinds, 1)
        hint = f"; did you mean {near[0]}?" if near else f"; there are {', '.join(kinds)}"
        raise vista.BadValueError(f"the site has no setting {name!r}{hint}")
    kind = int if kinds[name] == "int" else float
    try:
        return kind(value)
    except ValueError:
        what = "a whole number" if kind is int else "a number"
        raise vista.BadValueError(f"{name} is {what}, not {value!r}") from None
