"""Who watches what: those who see the same page get the same updates, worked out once.

Pure: it is told what the parts of a page are, and returns what has to be sent. A part is sent when
it is another one than before; who comes anew gets all of them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import vista
from apps.starship.web.reading import USUAL, Look, Settings

_STALE_BYTES = 1_024
"""Bytes for what an update says besides its parts."""


@vista.record
@dataclass(frozen=True, slots=True)
class View:
    """What an audience sees: a look at a ship by a captain, who is None for everybody else.

    ``token`` stands in the captain's forms.
    """

    look: Look
    captain: int | None = None
    token: str = ""
    settings: Settings = USUAL


@dataclass(slots=True, eq=False)
class Audience:
    """Those who see one view. ``clients`` are in the order they came; ``new`` saw nothing yet."""

    view: View
    clients: dict[Any, Any] = field(default_factory=dict)
    new: dict[Any, Any] = field(default_factory=dict)
    told: dict[str, int] = field(default_factory=dict)

    def changed(self, parts: dict[str, str]) -> dict[str, str]:
        """Return the parts that are not what they were, and take note of all."""
        marks = {name: hash(text) for name, text in parts.items()}
        found = {name: parts[name] for name, mark in marks.items() if self.told.get(name) != mark}
        self.told = marks
        return found

    def admit(self) -> dict[Any, Any]:
        """Take those who are new among the others; return them."""
        new, self.new = self.new, {}
        self.clients.update(new)
        return new

    def drop(self, key: Any) -> None:
        """Forget a client."""
        self.clients.pop(key, None)
        self.new.pop(key, None)

    def is_empty(self) -> bool:
        """Tell whether nobody is left."""
        return not self.clients and not self.new


_LEAVING = ',"leaving":true'


def updates(
    step: int, next_in: float, parts: dict[str, str], bytes_max: int, other: str = "",
    leaving: bool = False,
) -> list[str]:  # fmt: skip
    """Return the texts of an update: JSON in one line each, of ``bytes_max`` bytes at most.

    ``other`` is the root of another server's site, for those who cannot reach this one any longer;
    with ``leaving`` they are to go there, since this server leaves the game.

    There is one, unless the parts are too large together. A part that is too large alone is not in
    them but named as ``stale``: whoever shows it fetches the page.
    """
    head = f'{{"step":{step},"next_in":{round(next_in, 2)}'
    if other:
        head += f',"other":{_json(other)}{_LEAVING if leaving else ""}'
    room = bytes_max - len(head) - _STALE_BYTES
    found: list[list[str]] = [[]]
    stale, used = [], 0
    for name, text in parts.items():
        part = f"{_json(name)}:{_json(text)}"
        # A character has four bytes at most; to count them takes as long as to write them.
        size = len(part.encode()) + 1
        if size > room:
            stale.append(name)
            continue
        if used + size > room:
            found.append([])
            used = 0
        found[-1].append(part)
        used += size
    texts = [f'{head},"panels":{{{",".join(group)}}}}}' for group in found]
    if stale:
        texts[-1] = f'{texts[-1][:-1]},"stale":{_json(stale)}}}'
    return texts


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def event(text: str) -> bytes:
    """Return an update as a server-sent event; JSON has no line breaks.

    The bound of `encode_event` is for texts of anybody; a bridge may have more.
    """
    return f"data: {text}\n\n".encode()
