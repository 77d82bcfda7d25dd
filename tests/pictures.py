"""The pictures of the documentation: where they are, and how large they may be."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

PICTURES = Path(__file__).parents[1] / "docs" / "pictures"
BYTES_MIN, BYTES_MAX = 10_000, 240 * 1024
"""A picture of nothing has fewer; one with more is slow to load."""


def check_pictures(page: str, names: Iterable[str]) -> None:
    """Check that a page of the documentation shows these pictures, and that each is right in size.

    ``page`` and ``names`` are those of files, without their endings.
    """
    text = (PICTURES.parent / f"{page}.rst").read_text("utf-8")
    for name in names:
        assert BYTES_MIN < (PICTURES / f"{name}.png").stat().st_size < BYTES_MAX, name
        assert f"pictures/{name}.png" in text, name
