"""Where the prompt keeps its history: the user's state directory, as the XDG rules have it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path


def state_directory(environment: Mapping[str, str] = os.environ) -> Path:
    """Return the directory for what vista's prompt remembers, whether it exists or not.

    ``$XDG_STATE_HOME/vista``, or ``~/.local/state/vista`` where that is not set or not absolute
    (XDG Base Directory Specification).
    """
    named = Path(environment.get("XDG_STATE_HOME", ""))
    base = named if named.is_absolute() else Path.home() / ".local" / "state"
    return base / "vista"


def writable_state_directory(environment: Mapping[str, str] = os.environ) -> Path | None:
    """Return the state directory, made when it is missing; None when it cannot be written to.

    Only the user may read it: what was typed may hold secrets.
    """
    directory = state_directory(environment)
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError:
        return None
    return directory if os.access(directory, os.W_OK) else None
