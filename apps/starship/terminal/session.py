"""What goes on between a player and a server: what is shown, what is asked, what came of it.

Sans-io: it is told what was typed and what the server answered, and returns what to do. It never
asks what time it is. Orders have a key that the server knows them by, so one that is sent again
because an answer was lost is admitted once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from apps.starship.terminal.drawing import VIEWS, Sight
from apps.starship.terminal.words import Mistyped, Typed, completions, read_line

RADII = ("100", "200", "300", "500")
INTERVAL_MAX = 600
"""Seconds between two updates."""
NOTICE_STEPS = 2
"""For how many steps the answer to a line stands on the screen."""
OVERTAKEN_STEPS_MAX = 2
"""By how many steps an answer may be older than one that came before it."""
WAIT_STEPS = 4
"""Updates without a ship that was made: it comes with the next step, or the one after."""


class Fetch(NamedTuple):
    """Ask for the state of a ship, as seen with a target and a radius.

    ``only_scan`` says that the read-only view is wanted also of an own ship.
    """

    ship: str
    target: str
    radius: str
    only_scan: bool


class Post(NamedTuple):
    """Send fields to ``order``, ``create``, ``take``, ``leave`` or ``settings``."""

    path: str
    fields: dict[str, Any]


class Keep(NamedTuple):
    """Remember the ship for the next time, ``""`` for none."""

    ship: str


class Quit(NamedTuple):
    """End the client."""


Effect = Fetch | Post | Keep | Quit


class Session:
    """One player at one server.

    ``ship`` is the ship to begin with, ``""`` for none; ``own`` whether it was the player's the
    last time, so that command of it is taken again; ``key`` begins the keys of orders.
    """

    def __init__(self, ship: str = "", own: bool = False, key: str = "") -> None:
        self.ship = ship
        self.screen: dict[str, Any] | None = None
        self.interval = 0
        self.refused_last = False
        self.ended = False
        self._own = own
        self._scanned = ""
        self._target = ""
        self._radius = "300"
        self._view = "srs"
        self._notice, self._refused, self._noticed_at = "", False, -1
        self._banner = ""
        self._key, self._count = key, 0
        self._waiting = 0
        self._retaken = False
        self._leaving = False

    # --- what is shown ---------------------------------------------------------------------

    @property
    def step(self) -> int:
        """The step that is shown, -1 for none."""
        return -1 if self.screen is None else int(self.screen["step"])

    def sight(self, typed: str) -> Sight:
        """Return what is to be seen besides the screen."""
        return Sight(
            self._view, self._notice, self._refused, self._banner or self._frozen(), typed=typed
        )

    def _frozen(self) -> str:
        if self.screen is None or not self.screen.get("frozen"):
            return ""
        return f"Link to the primary lost - display frozen at step {self.step}"

    def completions(self, text: str) -> list[str]:
        """Return what the last word of a half-typed line may become."""
        return completions(text, self.screen)

    def fetch(self) -> list[Effect]:
        """Return what asks for the state that is to be shown."""
        ship = self._scanned or self.ship
        return [Fetch(ship, self._target, self._radius, bool(self._scanned))] if ship else []

    # --- what the server says --------------------------------------------------------------

    def screen_received(self, screen: dict[str, Any]) -> list[Effect]:
        """Show a state.

        One that is a little older than what is shown of the same ship was overtaken, and counts for
        nothing; one that is much older is of a game that began anew.
        """
        known, self._banner = self.screen, ""
        if known is not None and known["ship"]["name"] == screen["ship"]["name"]:
            if 0 < known["step"] - screen["step"] <= OVERTAKEN_STEPS_MAX:
                return []
            if screen["step"] == known["step"] and screen["mode"] == known["mode"] == "captain":
                # An order was answered while this was on its way.
                screen = {**screen, "left": min(screen["left"], known["left"])}
        self.screen = screen
        if self._noticed_at + NOTICE_STEPS < self.step:
            self._say("")
        if self._scanned or screen["ship"]["name"].lower() != self.ship.lower():
            return []
        return self._own_ship(screen)

    def _own_ship(self, screen: dict[str, Any]) -> list[Effect]:
        self.ship = screen["ship"]["name"]
        if screen["mode"] == "captain" and self._leaving:
            return []  # the ship is left with the next step
        self._leaving = False
        if screen["mode"] == "captain":
            if self._waiting:
                self._say(f"You are in command of {screen['ship']['full_name']}.")
            self._own, self._waiting, self._retaken = True, 0, False
            return [Keep(self.ship)]
        if self._waiting:
            self._waiting -= 1
            return []
        if self._own and not self._retaken and screen["lost"] is None:
            # The computer looked after it while its captain was away.
            self._retaken = True
            return self._take(self.ship)
        return []

    def ship_missing(self, name: str) -> list[Effect]:
        """Take note that there is no such ship."""
        self._banner = ""
        if name.lower() == self._scanned.lower():
            self._scanned = ""
            self._say(f"There is no {name}.", refused=True)
            return self.fetch()
        if name.lower() != self.ship.lower():
            return []
        if self._waiting:
            self._waiting -= 1
            return []
        if self.screen is None or self.screen["lost"] is None:
            self._say(f"{name} is gone: create makes a ship, take takes one.", refused=True)
        self.ship, self._own = "", False
        return [Keep("")]

    def link_lost(self, why: str) -> list[Effect]:
        """Take note that the server does not answer; ``why`` in a few words."""
        self._banner = f"No answer from the server ({why}): trying again"
        return []

    def answered(self, post: Post, answer: dict[str, Any]) -> list[Effect]:
        """Take the answer to what was sent: ``ok``, ``code``, ``text``, ``left`` and ``step``."""
        self._banner = ""
        done = bool(answer.get("ok"))
        self.refused_last = not done
        if post.path == "order":
            return self._ordered(post, answer, done)
        if not done:
            self._waiting = 0
            text = answer.get("text") or answer.get("code") or "refused"
            self._say(str(text), refused=True)
            return []
        if post.path == "settings":
            each = f"Every {self.interval} seconds." if self.interval else "Each step is shown."
            self._say(each)
            return []
        if post.path == "leave":
            self._say(f"You have left {post.fields['ship']}: the computer looks after it.")
            self._own, self._leaving = False, True
            return [Keep(""), *self.fetch()]
        name = str(answer.get("ship") or post.fields.get("name") or post.fields.get("ship") or "")
        self.ship, self._scanned, self._view = name, "", "srs"
        self._waiting, self._own, self._leaving = WAIT_STEPS, True, False
        self._say(f"{name} makes ready: the bridge is yours with the next step.")
        return [Keep(name), *self.fetch()]

    def _ordered(self, post: Post, answer: dict[str, Any], done: bool) -> list[Effect]:
        words = " ".join([post.fields["command"], *map(str, post.fields["args"])])
        left, step, screen = answer.get("left"), answer.get("step"), self.screen
        if not done:
            self._say(f"{words}: {answer.get('text') or answer.get('code')}", refused=True)
        else:
            self._say(f"{words}: ordered.")
        if screen is None or not isinstance(left, int) or not isinstance(step, int):
            return []
        if 0 <= left <= screen["limit"] and step > screen["step"]:
            orders = [*screen["orders"], words] if done else screen["orders"]
            self.screen = {**screen, "left": left, "orders": orders}
        return []

    def _say(self, text: str, refused: bool = False) -> None:
        self._notice, self._refused, self._noticed_at = text, refused, self.step

    # --- what is typed ---------------------------------------------------------------------

    def entered(self, text: str) -> list[Effect]:
        """Take a line that was typed."""
        self._say("")
        self.refused_last = False
        meant = read_line(text, self.screen)
        if meant is None:
            return self.fetch()
        if isinstance(meant, Mistyped):
            return self._refuse(meant.text)
        if meant.is_order:
            return self._order(meant)
        return _LOCAL[meant.name](self, meant.words)

    def _refuse(self, text: str) -> list[Effect]:
        self._say(text, refused=True)
        self.refused_last = True
        return []

    def _order(self, meant: Typed) -> list[Effect]:
        if not self.ship:
            return self._refuse("You have no ship: create makes one, take takes one.")
        if self._scanned:
            return self._refuse(f"You look at {self._scanned}: srs leads back to {self.ship}.")
        self._count += 1
        key = f"{self._key}-{self._count}"
        fields = {"ship": self.ship, "command": meant.name, "args": list(meant.words), "key": key}
        return [Post("order", fields)]

    def _show(self, view: str) -> list[Effect]:
        self._view = view
        return []

    def _short_range(self, words: tuple[str, ...]) -> list[Effect]:
        self._view, self._scanned = "srs", ""
        if words and words[0] not in RADII:
            return self._refuse(f"The radius is one of {', '.join(RADII)}.")
        self._radius = words[0] if words else self._radius
        return self.fetch()

    def _choose(self, words: tuple[str, ...]) -> list[Effect]:
        self._target = words[0] if words and words[0].lower() != "none" else ""
        return self.fetch()

    def _step_through(self, way: int) -> list[Effect]:
        """Choose the contact after the target, or before it, by distance."""
        contacts = [] if self.screen is None else self.screen["srs"]["contacts"]
        names = [contact["name"] for contact in contacts]
        if not names:
            return self._refuse("There is nothing in the short-range scan.")
        lower = [name.lower() for name in names]
        if self._target.lower() in lower:
            place = lower.index(self._target.lower()) + way
        else:
            place = 0 if way > 0 else -1
        self._target = names[place % len(names)]
        return self.fetch()

    def _scan(self, words: tuple[str, ...]) -> list[Effect]:
        if not words:
            return self._refuse("scan NAME: of which ship?")
        self._scanned, self._view = words[0], "srs"
        return self.fetch()

    def _create(self, words: tuple[str, ...]) -> list[Effect]:
        return [Post("create", new_ship(words, self._next_key()))]

    def _next_key(self) -> str:
        self._count += 1
        return f"{self._key}-{self._count}"

    def _take_named(self, words: tuple[str, ...]) -> list[Effect]:
        if not words:
            return self._refuse("take NAME [PASS-PHRASE]: which ship?")
        return self._take(words[0], " ".join(words[1:]))

    def _take(self, name: str, phrase: str = "") -> list[Effect]:
        return [Post("take", {"ship": name, "phrase": phrase})]

    def _leave(self, words: tuple[str, ...]) -> list[Effect]:
        if not self.ship:
            return self._refuse("You have no ship.")
        return [Post("leave", {"ship": self.ship})]

    def _set_interval(self, words: tuple[str, ...]) -> list[Effect]:
        word = words[0] if words else ""
        if not word.isascii() or not word.isdecimal() or int(word[:6]) > INTERVAL_MAX:
            return self._refuse(f"interval SECONDS: 0 for each step, at most {INTERVAL_MAX}.")
        self.interval = int(word)
        # The server has to know: who is silent for long is taken for gone.
        return [Post("settings", {"interval": word})]

    def _quit(self, words: tuple[str, ...]) -> list[Effect]:
        self.ended = True
        return [Quit()]


_RACE_WORDS = {"federation": "F", "kolvar": "K", "rethian": "R", "osk": "O"}
"""Races by their names in the game as it is shipped; sites with other names have the keys too."""


def new_ship(words: Sequence[str], key: str = "") -> dict[str, str]:
    """Return the fields that make a ship of NAME, RACE and PASS-PHRASE; one letter is a race.

    >>> new_ship(["Bounty", "kol"]), new_ship(["f"])["race"]
    ({'name': 'Bounty', 'race': 'K', 'phrase': '', 'key': ''}, 'F')
    """
    name, race = [*words, "", ""][:2]
    phrase = " ".join(words[2:])
    if len(name) == 1 and name != "-" and not race:
        name, race = "", name
    found = [
        letter for word, letter in _RACE_WORDS.items() if race and word.startswith(race.lower())
    ]
    letter = found[0] if len(found) == 1 else race.upper()
    return {"name": "" if name == "-" else name, "race": letter, "phrase": phrase, "key": key}


def _shows(view: str) -> Callable[[Session, tuple[str, ...]], list[Effect]]:
    return lambda self, words: self._show(view)


_LOCAL: dict[str, Callable[[Session, tuple[str, ...]], list[Effect]]] = {
    "target": Session._choose,
    "next": lambda self, words: self._step_through(1),
    "previous": lambda self, words: self._step_through(-1),
    "srs": Session._short_range,
    "scan": Session._scan,
    "create": Session._create,
    "take": Session._take_named,
    "leave": Session._leave,
    "interval": Session._set_interval,
    "quit": Session._quit,
    **{name: _shows(name) for name in sorted(VIEWS.keys() - {"srs"})},
}
