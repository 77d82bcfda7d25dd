"""From the segments of a target to an open file: never a byte from outside the roots.

The way is walked one name at a time, each opened below the directory that is held open already and
never through a link. A symbolic link is read and walked by the same rules, ``..`` in it goes back
to a directory that is held, so nothing that is renamed or replaced meanwhile leads out: the kernel
is never asked to follow more than one name. ``docs/design/http.rst`` says why not ``openat2`` and
why not ``realpath``.

Who asks for what lies outside learns nothing about it: it is not found, whether it exists or not.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum

from apps.http.content.disk import Disk, OpenFile
from apps.http.content.names import (
    are_usual,
    is_hidden,
    is_name,
    is_settled,
    other_spellings,
)

CODINGS = (("br", ".br"), ("zstd", ".zst"), ("gzip", ".gz"))
"""The content codings that are looked for beside a file, best first, and their endings."""

STEPS_MAX = 128
"""Names and links in one walk, each directory of which is a descriptor while it lasts. No site is
as deep; links that lead to each other end here, and so do those that multiply."""
SPELLINGS_MAX = 4_096
"""Directories that are known to tell upper from lower case, about 200 bytes each; with more they
are looked at anew."""

_ROOT = os.O_DIRECTORY | os.O_CLOEXEC | getattr(os, "O_PATH", os.O_RDONLY)
_DIRECTORY = _ROOT | os.O_NOFOLLOW
# O_NONBLOCK: should the file have become a FIFO since it was looked at, nobody waits for a writer.
# O_NOCTTY: should it have become a terminal, it does not become this process's.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
_DOTS = frozenset({"", ".", ".."})


class Refusal(Enum):
    """Why a path leads to no open file; the value is the status to answer with."""

    NOT_FOUND = (404, "no such file")
    NOT_A_FILE = (404, "neither a file nor a directory")
    NO_INDEX = (404, "a directory without an index")
    OUTSIDE = (404, "leads out of the root")
    HIDDEN = (404, "a name that begins with a dot")
    PROTECTED = (404, "belongs to a protected part of the site")
    NOT_ALLOWED = (403, "may not be read")
    WITHOUT_SLASH = (301, "a directory: its address ends with a slash")
    BEING_CHANGED = (503, "became shorter while it was read")
    TOO_BUSY = (503, "too many open files")
    DISK_FAILED = (500, "the disk failed")
    NO_ROOT = (500, "the root is no directory that can be opened")

    @property
    def status(self) -> int:
        """The status that fits, such as 404."""
        return self.value[0]

    @property
    def explain(self) -> str:
        """What to write in the log; the answer should not tell more than the status."""
        return self.value[1]


_BY_KIND = {stat.S_IFDIR: Refusal.WITHOUT_SLASH}
_REFUSALS = {
    errno.ENOENT: Refusal.NOT_FOUND,
    errno.ENAMETOOLONG: Refusal.NOT_FOUND,
    errno.EINVAL: Refusal.NOT_FOUND,
    errno.EILSEQ: Refusal.NOT_FOUND,
    # It was another thing when it was looked at: somebody replaced it in between.
    errno.ENOTDIR: Refusal.NOT_FOUND,
    errno.ELOOP: Refusal.NOT_FOUND,
    errno.ESTALE: Refusal.NOT_FOUND,
    errno.ENXIO: Refusal.NOT_A_FILE,
    errno.ENODEV: Refusal.NOT_A_FILE,
    errno.EACCES: Refusal.NOT_ALLOWED,
    errno.EPERM: Refusal.NOT_ALLOWED,
    errno.EMFILE: Refusal.TOO_BUSY,
    errno.ENFILE: Refusal.TOO_BUSY,
    errno.ENOMEM: Refusal.TOO_BUSY,
}


def refusal_of(error: OSError) -> Refusal:
    """Return why a file cannot be had, from what the system said."""
    return _REFUSALS.get(error.errno or 0, Refusal.DISK_FAILED)


@dataclass(frozen=True, slots=True)
class Roots:
    """The directories that are served, searched in turn, and what counts in them.

    ``directories`` are paths; ``index_names`` stand for a directory, the first that exists.
    ``hidden`` lets names be served that begin with a dot: they are seldom meant for visitors
    (``.git``, ``.env``). ``.well-known`` (RFC 8615) is never hidden.

    ``closed`` are places below the directories, as names, that nothing leads into: neither a path
    nor a link, nor an index, see `covers`. ``spellings`` remembers the states of directories that
    tell upper from lower case, so that it is found out once for each and not for each file.
    """

    directories: tuple[str, ...]
    index_names: tuple[str, ...] = ("index.html",)
    hidden: bool = False
    disk: Disk = field(default_factory=Disk)
    closed: tuple[tuple[str, ...], ...] = ()
    spellings: set[tuple[int, int, int]] = field(default_factory=set, compare=False, repr=False)


def covers(prefix: Sequence[str], place: Sequence[str]) -> bool:
    """Tell whether a place is the one that ``prefix`` names, or below it.

    So is the precompressed form of a file that ``prefix`` names: it has the same content.

    >>> covers(("staff",), ("staff", "pay.html")), covers(("a.css",), ("a.css.gz",))
    (True, True)
    """
    count = len(prefix)
    if tuple(place[:count]) == tuple(prefix):
        return True
    if len(place) != count or tuple(place[:-1]) != tuple(prefix[:-1]):
        return False
    return any(place[-1] == prefix[-1] + ending for _, ending in CODINGS)


class Refused(Exception):
    """Ends a walk."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.explain)
        self.refusal = refusal


def resolve(roots: Roots, segments: Sequence[str]) -> OpenFile | Refusal:
    """Open the file that the segments of a target's path name, or say why there is none.

    ``segments`` are decoded; the last is empty when the path ends with a slash, as it must for a
    directory. The first root that has the file answers. The next one is asked only when a root has
    no such file or no index: a disk that fails must not bring another file to light. Waits for the
    disk, and raises nothing whatever the segments.

    The caller owns the file. Names are taken as they are: one with a NUL, a slash or more than 255
    bytes is not found, and neither is one that ends with a dot or a space, or is not spelled as on
    the disk, where the file system would ignore the difference and a rule about the name be missed.
    """
    refusal = Refusal.NOT_FOUND
    for root in roots.directories:
        found = _resolve_below(roots, root, segments)
        if found is Refusal.NO_INDEX:
            refusal = found
        elif found is not Refusal.NOT_FOUND:
            return found
    return refusal


def _resolve_below(roots: Roots, root: str, segments: Sequence[str]) -> OpenFile | Refusal:
    as_directory = not segments or segments[-1] == ""
    names = segments[:-1] if as_directory else segments
    if not are_usual(names):
        if not all(map(is_name, names)):
            return Refusal.NOT_FOUND
        if not roots.hidden and any(map(is_hidden, names)):
            return Refusal.HIDDEN
    try:
        walk = Walk(roots.disk, root, roots.closed, roots.spellings)
    except OSError as error:
        return Refusal.TOO_BUSY if refusal_of(error) is Refusal.TOO_BUSY else Refusal.NO_ROOT
    try:
        if as_directory:
            return _open_index(walk, walk.enter(walk.start, names), roots.index_names)
        return walk.open_file(walk.start, names, None)
    except Refused as end:
        return end.refusal
    except OSError as error:
        return refusal_of(error)
    finally:
        walk.close()


def _open_index(
    walk: Walk, directories: tuple[int, ...], index_names: Iterable[str]
) -> OpenFile | Refusal:
    for name in index_names:
        try:
            return walk.open_file(directories, name.split("/"), name)
        except FileNotFoundError:
            continue
        except Refused as end:
            # A directory of this name is no index, and to send the client there no answer.
            if end.refusal is not Refusal.WITHOUT_SLASH:
                raise
    return Refusal.NO_INDEX


class Walk:
    """One walk below a root. Where it stands is a tuple of descriptors: the root's first, then one
    for each directory on the way, so that ``..`` is the one before and never asked of the disk."""

    __slots__ = ("_closed", "_disk", "_held", "_path", "_places", "_spellings", "_steps", "start")

    def __init__(
        self,
        disk: Disk,
        root: str,
        closed: tuple[tuple[str, ...], ...] = (),
        spellings: set[tuple[int, int, int]] | None = None,
    ) -> None:
        self._disk = disk
        self._spellings = set() if spellings is None else spellings
        self._path = root
        self._closed = closed
        self._steps = 0
        # The root's own path may hold links: the operator wrote it, and may turn a site over by
        # pointing a link to the next one.
        begin = disk.open(root, _ROOT)
        self._held = [begin]
        self.start: tuple[int, ...] = (begin,)
        # Where each directory really is, links being resolved.
        self._places: dict[int, tuple[str, ...]] = {begin: ()}

    def close(self) -> None:
        """Let go of every directory; an opened file stays open."""
        for descriptor in self._held:
            os.close(descriptor)

    def place(self, directory: int) -> tuple[str, ...]:
        """Return where an open directory is below the root, links being resolved."""
        return self._places[directory]

    def enter(self, directories: tuple[int, ...], names: Iterable[str]) -> tuple[int, ...]:
        """Return where one stands after walking ``names``, all of which are directories."""
        pending = list(names)[::-1]
        while pending:
            directories = self._step(directories, pending)
        return directories

    def open_file(
        self, directories: tuple[int, ...], names: Iterable[str], index: str | None
    ) -> OpenFile:
        """Open the file that ``names`` lead to."""
        pending = list(names)[::-1]
        while pending:
            if len(pending) > 1 or pending[0] in _DOTS:
                directories = self._step(directories, pending)
                continue
            name, directory = pending[0], directories[-1]
            mode = self._disk.status(name, directory).st_mode
            if stat.S_ISREG(mode):
                return self._open(name, directory, index)
            if not stat.S_ISLNK(mode):
                raise Refused(_BY_KIND.get(stat.S_IFMT(mode), Refusal.NOT_A_FILE))
            directories = self._follow(directories, pending)
        raise Refused(Refusal.WITHOUT_SLASH)  # a link to a directory

    def _open(self, name: str, directory: int, index: str | None) -> OpenFile:
        self._check_spelling(name, directory)
        if self._closed:
            self._check_open((*self._places[directory], name))
        descriptor = self._disk.open(name, _FILE, directory)
        found = os.fstat(descriptor)
        # Between the look and the opening it may have become anything but a link.
        if not stat.S_ISREG(found.st_mode):
            os.close(descriptor)
            raise Refused(Refusal.NOT_A_FILE)
        return OpenFile(descriptor, found, self._path, index)

    def _step(self, directories: tuple[int, ...], pending: list[str]) -> tuple[int, ...]:
        """Walk one name off the end of ``pending``; a link puts its names there instead."""
        self._count()
        name, directory = pending[-1], directories[-1]
        if name in _DOTS:
            pending.pop()
            if name != "..":
                return directories
            if len(directories) == 1:
                raise Refused(Refusal.OUTSIDE)
            return directories[:-1]
        try:
            below = self._disk.open(name, _DIRECTORY, directory)
        except OSError as error:
            # A link, or a file: which of them, the errors of the systems do not agree.
            if error.errno not in (errno.ENOTDIR, errno.ELOOP):
                raise
            return self._follow(directories, pending)
        self._held.append(below)
        self._places[below] = place = (*self._places[directory], name)
        self._check_spelling(name, directory)
        if self._closed:
            self._check_open(place)
        pending.pop()
        return (*directories, below)

    def _follow(self, directories: tuple[int, ...], pending: list[str]) -> tuple[int, ...]:
        """Put the names of a link in the place of its own; OSError when it is none."""
        self._count()
        name, directory = pending[-1], directories[-1]
        if not stat.S_ISLNK(self._disk.status(name, directory).st_mode):
            raise Refused(Refusal.NOT_FOUND)
        self._check_spelling(name, directory)
        target = self._disk.read_link(name, directory)
        pending.pop()
        if target.startswith("/"):
            target = self._below_root(target)
            directories = directories[:1]
        pending += target.split("/")[::-1]
        return directories

    def _below_root(self, target: str) -> str:
        """Return the rest of an absolute link behind the path of the root.

        Only the text is compared: the walk goes on from the root that is held open.
        """
        for root in (os.path.abspath(self._path), os.path.realpath(self._path)):
            if f"{target}/".startswith(f"{root.rstrip('/')}/"):
                return target[len(root) :]
        raise Refused(Refusal.OUTSIDE)

    def _check_open(self, place: tuple[str, ...]) -> None:
        """Refuse what belongs to a closed part, by whatever way one came."""
        if any(covers(closed, place) for closed in self._closed):
            raise Refused(Refusal.PROTECTED)

    def _check_spelling(self, name: str, directory: int) -> None:
        """Refuse a name that the file system knows under another spelling only.

        Most tell upper from lower case, which a look at the name with its case turned shows. It is
        a property of the whole directory, and changes with nothing that leaves its state the same.
        Only a name in ASCII shows it, and only such names go by it: all that fold names fold those
        in the same way, while each has its own opinion of the others.
        """
        if not name.isascii():
            self._check_others(name, directory)
            return
        if name == name.swapcase():
            return  # it has no letters
        state = self._disk.state(directory)
        if state in self._spellings:
            return
        if is_settled(state[2], self._disk.now_ns()):
            self._check_case(name, directory, state)
        else:
            # States that cannot be told apart teach nothing, so it need not be known why not.
            self._check_others(name, directory)

    def _check_others(self, name: str, directory: int) -> None:
        for other in other_spellings(name):
            if self._disk.has(other, directory):
                self._check_listed(name, directory)
                return

    def _check_listed(self, name: str, directory: int) -> None:
        if name not in self._disk.names(directory):
            raise Refused(Refusal.NOT_FOUND)

    def _check_case(self, name: str, directory: int, state: tuple[int, int, int]) -> None:
        """Check a name, and remember it if its directory has not the same with its case turned.

        Unless the two were looked at in different states: a file that is put away and back
        meanwhile would be missed with the one look only.
        """
        try:
            self._disk.status(name.swapcase(), directory)
        except OSError as error:
            if error.errno != errno.ENOENT:
                return  # who cannot look knows nothing
        else:
            self._check_listed(name, directory)
            return
        try:
            self._disk.status(name, directory)
        except OSError:
            return  # somebody took it away: of a name that is not there nothing is learnt
        if self._disk.state(directory) != state:
            return
        if len(self._spellings) >= SPELLINGS_MAX:
            self._spellings.clear()
        self._spellings.add(state)

    def _count(self) -> None:
        self._steps += 1
        if self._steps > STEPS_MAX:
            raise Refused(Refusal.NOT_FOUND)
