"""The bridge page: every panel as text, and the document they stand in.

One renderer draws for both ways to look: the document has exactly the texts that `panels_of`
returns, which a script gets after each step and puts in their places.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from importlib import resources
from typing import Any, Final

from apps.starship.pages import condition, helm, instruments, reports, scopes, tactical
from apps.starship.pages.markup import esc, hidden
from apps.starship.pages.page import Links, Page

Screen = Mapping[str, Any]

PANELS: Final[dict[str, Callable[[Screen, Page, Links], str]]] = {
    "header": reports.header,
    "hints": lambda screen, page, links: reports.hints(screen, links),
    "alert": lambda screen, page, links: instruments.alert(screen["alert"]["level"]),
    "shields": lambda screen, page, links: tactical.shields(screen, links),
    "status": lambda screen, page, links: condition.status(screen, links),
    "srs": lambda screen, page, links: scopes.short_range(screen, links),
    "target": lambda screen, page, links: tactical.target(screen, links),
    "distress": lambda screen, page, links: tactical.distress(screen, links),
    "nav": helm.nav,
    "lrs": lambda screen, page, links: scopes.long_range(screen, links),
    "weapons": lambda screen, page, links: tactical.weapons(screen, links),
    "messages": reports.messages,
    "mission": lambda screen, page, links: reports.mission(screen, links),
    "interval": reports.interval,
}
"""What draws each panel, by the id of its place in the document, in the order of the document."""

DOT: Final = "·"
_ECHO: Final = re.compile(r'<!--#echo var="([a-z]+)" -->')


def panels_of(screen: Screen, page: Page) -> dict[str, str]:
    """Return what stands in each panel, as HTML by the id of the panel.

    ``screen`` is what `apps.starship.display.screen` says of a ship.
    """
    links = Links(screen, page)
    return {id: draw(screen, page, links) for id, draw in PANELS.items()}


def bridge_page(screen: Screen, page: Page) -> str:
    """Return the whole document of a bridge: ``starshipGUI.html`` filled with the panels."""
    links = Links(screen, page)
    values = {id: draw(screen, page, links) for id, draw in PANELS.items()}
    values |= _around(screen, page, links)
    pieces = gui_template()
    return "".join(values[piece] if place % 2 else piece for place, piece in enumerate(pieces))


@lru_cache(maxsize=1)
def gui_template() -> tuple[str, ...]:
    """Return ``starshipGUI.html`` cut up: text and names of what is echoed take turns."""
    folder = resources.files("apps.starship.pages").joinpath("templates")
    return tuple(_ECHO.split(folder.joinpath("starshipGUI.html").read_text("utf-8")))


def _around(screen: Screen, page: Page, links: Links) -> dict[str, str]:
    """What the document has besides the panels."""
    ship, level = screen["ship"], screen["alert"]["level"]
    refresh = ""
    if page.interval > 0:
        refresh = f'<noscript><meta http-equiv="refresh" content="{page.interval:d}"></noscript>'
    leave = ""
    if links.captain:
        leave = (
            f'<form method="post" action="{links.base}/leave">'
            f"{hidden(ship=ship['name'], token=page.token)}"
            '<button type="submit" class="quiet" data-testid="leave">Leave bridge</button></form>'
        )
    share = f'<a href="{links.to("scan?ship=")}{links.ship}" data-testid="share">Scan link</a>'
    return {
        "title": f"{esc(level).upper()} {DOT} {links.ship} {DOT} StarShip",
        "base": links.base,
        "refresh": refresh,
        "attributes": (
            f'data-step="{screen["step"]}" data-ship="{links.ship}"'
            f' data-mode="{"captain" if links.captain else "scan"}" data-alert="{esc(level)}"'
            f' data-base="{links.base}" data-events="{links.events()}"'
            f' data-target="{esc(links.target)}" data-token="{esc(page.token)}"'
            f' data-keys="{"on" if page.single_keys else "off"}"'
        ),
        "leave": leave,
        "share": share if links.captain else "",
    }
