"""Where themes come from: the file that is shipped, or one of the site's own."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from apps.starship.errors import ThemeError
from apps.starship.rules.theme import THEME_BYTES_MAX, Theme, parse_theme


def shipped_theme() -> Theme:
    """Return the theme that comes with the game."""
    return parse_theme(resources.files("apps.starship").joinpath("theme.json").read_text("utf-8"))


def read_theme(path: str) -> Theme:
    """Return the theme of a file. Raises `ThemeError` naming the file and what is wrong."""
    try:
        with Path(path).open("rb") as file:
            text = file.read(THEME_BYTES_MAX + 1).decode()
        return parse_theme(text)
    except OSError as error:
        raise ThemeError(f"{path}: {error.strerror}") from error
    except (ThemeError, UnicodeDecodeError) as error:
        raise ThemeError(f"{path}: {error}") from error
