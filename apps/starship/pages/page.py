"""What a page is drawn with besides the screen: who looks how, and the answer to the last order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Self

from apps.starship.pages.markup import esc, hidden, url


@dataclass(frozen=True, slots=True)
class Notice:
    """The answer to an order or a form: whether it was taken, a code, and a sentence."""

    ok: bool
    code: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """How somebody looks at a bridge.

    ``token`` is what forms carry against forged posts, ``key`` what tells two submissions of one
    form from two orders (empty in panels that a script gets, which makes its own). ``interval`` is
    the time in seconds after which a page without script asks again, ``next_in`` the time in
    seconds to the next step. ``frozen`` says that the link to the primary is lost. ``notice`` is
    the answer to the last order, and ``typed`` the fields of an order that was refused. ``filter``
    is the kind of messages to show, empty for all. ``single_keys`` switches commands of one key on.
    ``base`` is the address of the game without a slash at its end.
    """

    token: str = ""
    interval: int = 30
    next_in: float = 0.0
    frozen: bool = False
    notice: Notice | None = None
    typed: Mapping[str, str] = field(default_factory=dict)
    filter: str = ""
    single_keys: bool = True
    base: str = "/starship"
    key: str = ""

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> Self:
        """Return the page of a dictionary as it travels in messages; other keys are passed over.

        ``notice`` may be a dictionary with ok, code and text, or a triple of these.
        """
        known = {member.name for member in fields(cls)}
        given = {name: value for name, value in plain.items() if name in known}
        notice = given.get("notice")
        if isinstance(notice, Mapping):
            given["notice"] = Notice(
                bool(notice.get("ok")), str(notice.get("code", "")), str(notice.get("text", ""))
            )
        elif isinstance(notice, list | tuple):
            given["notice"] = Notice(*notice)
        return cls(**given)


class Links:
    """Addresses and forms of one bridge; all of it is escaped already."""

    def __init__(self, screen: Mapping[str, Any], page: Page) -> None:
        ship, srs, target = screen["ship"], screen["srs"], screen["target"]
        self.captain = screen["mode"] == "captain"
        self.base = esc(page.base)
        self.ship = esc(ship["name"])
        self.target = "" if target is None else target["name"]
        self.filter = page.filter
        self.radius = srs["radius"]
        view = "bridge" if self.captain else "scan"
        self._view = f"{self.base}/{view}?ship={url(ship['name'])}"
        kept = f"&amp;filter={url(page.filter)}" if page.filter else ""
        self._pick = f"{self._view}&amp;radius={self.radius:d}{kept}&amp;target="
        self._hidden = hidden(
            ship=ship["name"],
            token=page.token,
            key=page.key,
            target=self.target,
            radius=self.radius,
            filter=page.filter,
        )

    def pick(self, name: str) -> str:
        """Return the address of the same view with another target."""
        return self._pick + url(name)

    def look(self, radius: int | None = None, filter: str | None = None) -> str:
        """Return the address of the view with another radius, in units, or another filter."""
        kept = self.filter if filter is None else filter
        address = f"{self._view}&amp;radius={radius or self.radius:d}"
        if kept:
            address += f"&amp;filter={url(kept)}"
        return f"{address}&amp;target={url(self.target)}" if self.target else address

    def clear(self) -> str:
        """Return the address of the view without a target."""
        address = f"{self._view}&amp;radius={self.radius:d}"
        return f"{address}&amp;filter={url(self.filter)}" if self.filter else address

    def to(self, path: str) -> str:
        """Return an address below that of the game, which is written here and not by anyone."""
        return f"{self.base}/{path}"

    def events(self) -> str:
        """Return the address of the stream of steps for this view."""
        view = self.look().partition("?")[2]
        mode = "captain" if self.captain else "scan"
        return f"{self.base}/events?{view}&amp;mode={mode}"

    def order(self, command: str, words: str, inside: str, more: str = "") -> str:
        """Return a form that gives an order.

        ``words`` are hidden fields or "", ``inside`` its visible part; ``more`` attributes.
        """
        return (
            f'<form method="post" action="{self.base}/order" class="order"{more}>'
            f'{self._hidden}<input type="hidden" name="command" value="{command}">'
            f"{words}{inside}</form>"
        )

    def press(
        self,
        command: str,
        arguments: tuple[object, ...],
        label: str,
        test: str,
        kind: str = "",
        disabled: str = "",
        name: str = "",
    ) -> str:
        """Return a button that gives an order.

        ``label`` and ``disabled``, the reason why it cannot be pressed, are escaped already, as is
        ``name``, what is spoken where the label is not enough. ``test`` is how tests find it.
        """
        words = "".join(
            f'<input type="hidden" name="arg{place}" value="{esc(word)}">'
            for place, word in enumerate(arguments, 1)
        )
        spoken = f' aria-label="{name}"' if name else ""
        off = f' disabled title="{disabled}"' if disabled else ""
        button = (
            f'<button type="submit" class="{kind}" data-testid="{esc(test)}"{spoken}{off}>'
            f"{label}</button>"
        )
        return self.order(command, words, button)
