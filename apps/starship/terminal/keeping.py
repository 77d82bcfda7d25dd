"""What the client remembers of a site: the cookies that make somebody its captain, and the ship.

One file for each site below the user's data folder, which nobody else may read: who has the cookie
has the ship.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from apps.starship.terminal.address import Address
from apps.starship.terminal.site import COOKIES_MAX, is_cookie

FILE_BYTES_MAX = 200_000


@dataclass(slots=True)
class Kept:
    """What is remembered of a site: its cookies by name, and the ship of the last time."""

    cookies: dict[str, str] = field(default_factory=dict)
    ship: str = ""


def data_folder(environ: Mapping[str, str]) -> Path:
    """Return the folder for what the client keeps: below ``XDG_DATA_HOME`` or the home."""
    given = environ.get("XDG_DATA_HOME", "")
    if Path(given).is_absolute():
        return Path(given) / "vista" / "starship"
    return Path(environ.get("HOME") or "~").expanduser() / ".local" / "share" / "vista" / "starship"


def file_of(folder: Path, address: Address) -> Path:
    """Return the file of a site."""
    host = re.sub(r"[^A-Za-z0-9.-]", "_", address.host)
    return folder / f"{address.scheme}_{host}_{address.port}.json"


def read_kept(file: Path) -> Kept:
    """Return what is remembered; nothing where there is no file or one that is none of ours."""
    try:
        with file.open("rb") as opened:
            found = json.loads(opened.read(FILE_BYTES_MAX))
    except (OSError, ValueError, RecursionError):
        return Kept()
    cookies = found.get("cookies") if isinstance(found, dict) else None
    if not isinstance(cookies, dict):
        return Kept()
    ship = found.get("ship")
    kept = {
        name: value
        for name, value in list(cookies.items())[:COOKIES_MAX]
        if isinstance(value, str) and is_cookie(name, value)
    }
    # One that no request can have would keep its player from every ship.
    usable = isinstance(ship, str) and len(ship) <= 64 and ship.isprintable()
    return Kept(kept, ship if usable else "")


def write_kept(file: Path, kept: Kept) -> None:
    """Remember; the file is the old one or the new one whatever happens. Raises `OSError`."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    # mkstemp makes files that only their owner reads and writes.
    number, name = tempfile.mkstemp(dir=file.parent, prefix=".starship-")
    try:
        with os.fdopen(number, "w", encoding="utf-8") as opened:
            json.dump({"cookies": kept.cookies, "ship": kept.ship}, opened)
        Path(name).replace(file)
    except OSError:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise
