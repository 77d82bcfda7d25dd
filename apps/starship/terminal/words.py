"""What is typed: commands of the game and of the terminal, and which of them a shortened word is.

Pure. A word may be any beginning that only one command has; a name may be the number of a contact
as the bridge lists it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from apps.starship.rules.commands import COMMANDS as ORDERS

LOCAL = (
    "target", "next", "previous", "srs", "lrs", "status", "messages", "scan", "create", "take",
    "leave", "interval", "help", "quit",
)  # fmt: skip
"""Commands that are no orders: they cost none and decide nothing in the game."""
ALIASES = {"n": "next", "p": "previous", "l": "lock", "?": "help", "exit": "quit"}
"""Words that mean a command though they begin several."""
WORDS = (*ORDERS, *LOCAL)
NAMED = {"dest": 0, "lock": 1, "respond": 0, "target": 0, "scan": 0}
"""Which argument of a command is the name of an object."""
WORDS_MAX = 20
"""Words of a line; pass-phrases may be sentences. What comes behind is left out."""
CHOICES = {
    "shields": ("up", "down"),
    "power": ("balanced", "weapons", "shields", "engines"),
    "mission": ("abandon",),
    "upgrade": ("shield", "hull", "reactor", "engine", "weapons", "magazine"),
}
"""Arguments that may be shortened as well."""


_WORD = re.compile(r"\S+")


class Typed(NamedTuple):
    """A line as it is meant: the full name of a command, and its words."""

    name: str
    words: tuple[str, ...] = ()

    @property
    def is_order(self) -> bool:
        """Whether it is for the ship; ``mission`` alone only shows the mission."""
        return self.name in ORDERS and (self.name != "mission" or bool(self.words))


class Mistyped(NamedTuple):
    """Why a line is no command."""

    text: str


def complete(word: str, choices: Sequence[str]) -> list[str]:
    """Return the choices that a word may mean: the one it is, or all that begin with it.

    >>> complete("sp", WORDS), complete("course", WORDS)
    (['speed'], ['course'])
    """
    lower = word.lower()
    return [lower] if lower in choices else [name for name in choices if name.startswith(lower)]


def read_line(text: str, screen: dict[str, Any] | None) -> Typed | Mistyped | None:
    """Return what a line means, None for an empty one.

    >>> read_line("sp 6", None)
    Typed(name='speed', words=('6',))
    """
    first, *words = text.split()[: WORDS_MAX + 1] or [""]
    if not first:
        return None
    found = [ALIASES[first]] if first in ALIASES else complete(first, WORDS)
    if not found:
        return Mistyped(f"There is no command {first}; help lists all.")
    if len(found) > 1:
        return Mistyped(f"{first} may be {', '.join(found[:-1])} or {found[-1]}.")
    name = found[0]
    if first == "l" and not words:
        words = ["all"]
    if name in CHOICES and len(words) == 1:
        words = _choice(words[0], CHOICES[name])
    place = NAMED.get(name, -1)
    if 0 <= place < len(words):
        words[place] = _named(words[place], screen)
    if (name == "lock" and len(words) == 1) or (name == "dest" and not words):
        # The chosen target is meant, as with the buttons of the bridge in a browser.
        target = None if screen is None else screen["target"]
        if target is None:
            return Mistyped("Choose a target first: target NAME, or n for the next contact.")
        words = [*words, target["name"]]
    return Typed(name, tuple(words))


SECRET_AFTER = {"create": 2, "take": 1}
"""Commands with a pass-phrase, and behind how many words it stands."""


def secret_start(text: str) -> int:
    """Return where the pass-phrase in a line begins that is being typed: its length for none.

    >>> text = "take Bounty sesame"
    >>> text[: secret_start(text)]
    'take Bounty '
    """
    found = list(_WORD.finditer(text))
    # A word that may mean several commands is no command: better too much is hidden.
    meant = complete(found[0][0], WORDS) if found and found[0][0] not in ALIASES else []
    places = [SECRET_AFTER[name] + 1 for name in meant if name in SECRET_AFTER]
    return found[min(places)].start() if places and len(found) > min(places) else len(text)


def _choice(word: str, choices: Sequence[str]) -> list[str]:
    found = complete(word, choices)
    return found if len(found) == 1 else [word]


def _named(word: str, screen: dict[str, Any] | None) -> str:
    """Return a name; the number of a contact becomes its name."""
    if screen is None or not (word.isascii() and word.isdecimal()) or len(word) > 3:
        return word
    contacts = screen["srs"]["contacts"]
    number = int(word)
    return str(contacts[number - 1]["name"]) if 1 <= number <= len(contacts) else word


def completions(text: str, screen: dict[str, Any] | None) -> list[str]:
    """Return what the last word of a half-typed line may become, for the Tab key."""
    words = text.split(" ")
    last = words[-1].lower()
    if len(words) == 1:
        return [name for name in sorted(WORDS) if name.startswith(last)]
    meant = complete(words[0], WORDS)
    name = ALIASES.get(words[0]) or (meant[0] if len(meant) == 1 else "")
    choices: list[str] = list(CHOICES.get(name, ()))
    if screen is not None:
        if name in ("lock", "fire", "repair") and len(words) == 2:
            choices = [weapon["id"] for weapon in screen["weapons"]]
            choices += ["all"] if name == "lock" else []
        elif name in NAMED and len(words) == NAMED[name] + 2:
            choices = [contact["name"] for contact in screen["lrs"]["contacts"]]
    return [choice for choice in choices if choice.lower().startswith(last)]
