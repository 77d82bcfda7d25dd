"""What people see of a game: HTML and SVG from the dictionaries of the displays, and their files.

Sans-io: a page is a text made of a screen and a `Page`. The files in ``static`` are served below
``/starship/static``, those in ``templates`` are filled here or by the server's includes.
"""

from __future__ import annotations

from apps.starship.pages.bridge import bridge_page, panels_of
from apps.starship.pages.page import Notice, Page

__all__ = ["Notice", "Page", "bridge_page", "panels_of"]
