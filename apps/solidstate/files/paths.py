"""Paths of the file service: a text from the root on, within bounds that do not depend on a disk.

There is no present directory and no ``..``: a path means the same whoever says it.
"""

from __future__ import annotations

from typing import Any

from vista import BadValueError

PATH_CHARACTERS_MAX = 4_096
"""Characters of a path, as on most disks."""
NAME_BYTES_MAX = 255
"""Bytes of a name in UTF-8, as on most disks: a tree can be copied out."""
DEPTH_MAX = 64
"""Names of a path: looking one up goes through all of them."""


def names_of(path: Any) -> list[str]:
    """Return the names of a path, the root's first; none for the root itself.

    Raises `BadValueError` for what is no path. More slashes than one stand for one.
    """
    if not isinstance(path, str) or not path.startswith("/"):
        raise BadValueError(f"a path is a text that begins with /, not {path!r:.60}")
    if len(path) > PATH_CHARACTERS_MAX:
        raise BadValueError(f"a path has {PATH_CHARACTERS_MAX} characters at most: {path!r:.60}...")
    names = [name for name in path.split("/") if name]
    if len(names) > DEPTH_MAX:
        raise BadValueError(f"a path has {DEPTH_MAX} names at most: {path!r:.60}...")
    for name in names:
        _check(name, path)
    return names


def _check(name: str, path: str) -> None:
    if name in (".", ".."):
        raise BadValueError(f"{path!r:.60}: {name} is no name here, paths begin at the root")
    if "\0" in name:
        raise BadValueError(f"{path!r:.60}: a name has no zero character")
    try:
        size = bytes_of(name)
    except UnicodeEncodeError:
        raise BadValueError(f"{path!r:.60}: a name has to be UTF-8") from None
    if size > NAME_BYTES_MAX:
        raise BadValueError(f"{path!r:.60}: a name has {NAME_BYTES_MAX} bytes at most, not {size}")


def bytes_of(name: str) -> int:
    """Return how many bytes a name has."""
    return len(name.encode())


def joined(folder: str, name: str) -> str:
    """Return the path of a name in a directory."""
    return f"{folder.rstrip('/')}/{name}"
