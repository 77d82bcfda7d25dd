"""What is in a directory of a site: the names that would be served, and nothing else.

The rules are those of `apps.http.content.paths`, by its walk where there is a link; for the rest a
look at each name is enough, which takes a tenth of that.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from apps.http.content.disk import OpenFile
from apps.http.content.names import is_hidden, is_name
from apps.http.content.paths import (
    Refusal,
    Refused,
    Roots,
    Walk,
    covers,
    resolve,
)


@dataclass(frozen=True, slots=True)
class Listed:
    """A name in a directory that would be served; ``size`` in bytes, ``modified`` in seconds since
    1970."""

    name: str
    is_directory: bool
    size: int
    modified: int


def list_directory(
    roots: Roots, segments: Sequence[str], names_max: int
) -> tuple[list[Listed], bool]:
    """Return what a directory has of files and directories that `resolve` would find.

    ``segments`` are its path and an empty one, as for `resolve`. All roots that have the directory
    count, and of one name the first. At most ``names_max`` names are looked at, in the order of the
    disk; whether those were all is returned as well. Waits for the disk, and raises nothing: what
    cannot be looked at is left out.
    """
    found: dict[str, Listed] = {}
    left = names_max
    for root in roots.directories:
        for listed in _list_below(roots, root, segments[:-1]):
            left -= 1
            if left < 0:
                return list(found.values()), False
            if listed is not None:
                found.setdefault(listed.name, listed)
    return list(found.values()), True


def _list_below(roots: Roots, root: str, names: Sequence[str]) -> Iterator[Listed | None]:
    """Look at the names in a directory, one after another; None for one that is not served."""
    if not all(map(is_name, names)) or (not roots.hidden and any(map(is_hidden, names))):
        return
    try:
        walk = Walk(roots.disk, root, roots.closed)
    except OSError:
        return
    try:
        below = walk.enter(walk.start, names)[-1]
        place = walk.place(below)
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
        descriptor = roots.disk.open(".", flags, below)
    except (OSError, Refused):
        return
    finally:
        walk.close()
    try:
        with os.scandir(descriptor) as entries:
            for entry in entries:
                served = _is_listed(entry.name, roots.hidden)
                yield _look_at(roots, names, place, entry, descriptor) if served else None
    except OSError:
        return
    finally:
        os.close(descriptor)


def _is_listed(name: str, hidden: bool) -> bool:
    """Tell whether an address can be written that leads to a name."""
    # Bytes that are no UTF-8 are lone characters here; a path with those, or with a control
    # character or a backslash, is refused when it is asked for.
    plain = name.isprintable() and "\\" not in name
    return plain and is_name(name) and (hidden or not is_hidden(name))


def _look_at(
    roots: Roots,
    names: Sequence[str],
    place: tuple[str, ...],
    entry: os.DirEntry[str],
    directory: int,
) -> Listed | None:
    """Look at one name. Only links need the walk that is safe, which takes ten times as long."""
    name = entry.name
    try:
        status = entry.stat(follow_symlinks=False)
        if stat.S_ISLNK(status.st_mode):
            return _follow_listed(roots, names, name)
        is_directory = stat.S_ISDIR(status.st_mode)
        wanted = os.X_OK if is_directory else os.R_OK
        if not (is_directory or stat.S_ISREG(status.st_mode)):
            return None
        if any(covers(closed, (*place, name)) for closed in roots.closed):
            return None
        if not os.access(name, wanted, dir_fd=directory):
            return None
    except OSError:
        return None
    return Listed(name, is_directory, 0 if is_directory else status.st_size, int(status.st_mtime))


def _follow_listed(roots: Roots, names: Sequence[str], name: str) -> Listed | None:
    file = resolve(roots, (*names, name))
    if isinstance(file, OpenFile):
        with file:
            return Listed(name, False, file.size, file.modified_ns // 1_000_000_000)
    if file is not Refusal.WITHOUT_SLASH:
        return None
    below = resolve(roots, (*names, name, ""))
    if isinstance(below, OpenFile):
        below.close()
    elif below is not Refusal.NO_INDEX:
        return None
    return Listed(name, True, 0, 0)
