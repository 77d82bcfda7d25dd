"""What a server is asked to draw for somebody who looks at a ship."""

from __future__ import annotations

from typing import Any

import vista
from apps.starship.web.audience import View
from apps.starship.web.given import ALL_LEFT, Given


def commands(server: vista.Ref, view: View) -> bool:
    """Tell whether who looks is in command, by what this server knows, and means to be."""
    if view.look.scan or view.captain is None:
        return False
    captain: int | None = server.get_captain(view.look.ship)
    return captain == view.captain


def look_and_page(
    server: vista.Ref, view: View, given: Given, step: int
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the look and the page of a view, as `ScreenSource` takes them.

    Who is not in command gets what everybody may see, and no token. ``step`` is the one that is
    shown.
    """
    look, settings = view.look, view.settings
    captain = commands(server, view)
    left, orders = given.of(look.ship, step) if captain else (ALL_LEFT, ())
    how = {
        "target": look.target,
        "radius": look.radius,
        "mode": "captain" if captain else "scan",
        "left": left,
        "orders": list(orders),
    }
    interval = settings.interval
    page = {
        "token": view.token if captain else "",
        "interval": server.get_update_interval() if interval is None else interval,
        "filter": look.filter,
        "single_keys": settings.single_keys,
    }
    return how, page
