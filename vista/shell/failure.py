"""How an exception is shown: the user's frames and the method's, without the machinery between.

A call that fails has, between the line that sent and the line that raised, frames of vista,
greenlet and asyncio which tell its reader nothing. They are left out, never lost: the exception
gets its full traceback back after it was shown, and ``%tb full`` shows that.
"""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

from vista.errors import InternalError, VistaError
from vista.wire.building import REMOTE_NOTE

_MACHINERY = frozenset({"vista", "IPython", "greenlet", "asyncio", "uvloop", "concurrent"})
_MACHINERY_MODULES = frozenset({"threading", "contextlib", "selectors", "code"})


_FRAME = re.compile(r'\s*File "(.*)", line \d+, in ')
_MACHINERY_FILES = re.compile(
    r"/vista/(?:kernel|peers|standard|wire|mobility)/|/vista/(?:api|aio)\.py|/asyncio/|/greenlet/"
    r"|/uvloop/|/concurrent/futures/|/threading\.py|/contextlib\.py"
)
"""Files of frames that are left out of the traceback of another node, which is text."""


def is_machinery(module: str) -> bool:
    """Say whether frames of the module of this name are left out."""
    return module.partition(".")[0] in _MACHINERY or module in _MACHINERY_MODULES


def visible_frames(entries: TracebackType | None) -> list[TracebackType]:
    """Return the entries of a traceback that are not machinery, the outermost first."""
    found = []
    while entries is not None:
        if not is_machinery(str(entries.tb_frame.f_globals.get("__name__", ""))):
            found.append(entries)
        entries = entries.tb_next
    return found


def without_machinery(entries: TracebackType | None) -> TracebackType | None:
    """Return a traceback of the same frames without the machinery, None when nothing is left."""
    shown = None
    for entry in reversed(visible_frames(entries)):
        shown = TracebackType(shown, entry.tb_frame, entry.tb_lasti, entry.tb_lineno)
    return shown


def _chain(error: BaseException) -> list[BaseException]:
    """Return the exception and all that its display names: causes, contexts, group members."""
    found: list[BaseException] = []
    waiting: list[BaseException | None] = [error]
    while waiting:
        link = waiting.pop()
        if link is None or any(link is seen for seen in found):
            continue
        found.append(link)
        waiting += [link.__cause__, link.__context__]
        if isinstance(link, BaseExceptionGroup):
            waiting += link.exceptions
    return found


@contextmanager
def machinery_hidden(error: BaseException) -> Iterator[None]:
    """Take the machinery out of the tracebacks of an exception and its causes for a block.

    A context that was raised and handled inside the machinery goes too: "During handling of the
    above exception" would tell of a matter that was none. An `InternalError` is a report to vista's
    authors and keeps everything.
    """
    if isinstance(error, InternalError):
        yield
        return
    before = [(link, link.__traceback__, link.__context__) for link in _chain(error)]
    notes = [(link, link.__notes__) for link, _, _ in before if hasattr(link, "__notes__")]
    shown = {id(link): without_machinery(entries) for link, entries, _ in before}
    try:
        for link, told in notes:
            link.__notes__ = [_note_without_machinery(note) for note in told]
        for link, _, context in before:
            link.__traceback__ = shown[id(link)]
            if context is not None and context is not link.__cause__ and not shown[id(context)]:
                link.__context__ = None
        yield
    finally:
        for link, entries, context in before:
            link.__traceback__ = entries
            link.__context__ = context
        for link, told in notes:
            link.__notes__ = told


def _note_without_machinery(note: str) -> str:
    """Take the machinery out of the traceback of another node, which is a note in text."""
    if not note.startswith(REMOTE_NOTE):
        return note
    kept, indent, machinery = [], 0, False
    for line in note.split("\n"):
        frame = _FRAME.match(line)
        depth = len(line) - len(line.lstrip())
        if frame is not None:
            indent, machinery = depth, _MACHINERY_FILES.search(frame[1]) is not None
        elif depth <= indent:
            machinery = False
        if not machinery:
            kept.append(line)
    return "\n".join(kept)


def is_brief(error: BaseException) -> bool:
    """Say whether one line tells it all.

    So it is for an error of vista, such as `NoSuchMethod`, about the very line that was typed,
    and for Ctrl-C.
    """
    if isinstance(error, KeyboardInterrupt):
        return True
    if not isinstance(error, VistaError) or isinstance(error, InternalError):
        return False
    return error.__cause__ is None and len(visible_frames(error.__traceback__)) <= 1


def in_one_line(error: BaseException) -> str:
    """Return the type and the text of an exception, as the last line of a traceback has them.

    An error of vista goes by its bare name, as Python's own do, and without the traceback of the
    node that it came from.
    """
    if isinstance(error, VistaError) and not isinstance(error, InternalError):
        return f"{type(error).__name__}: {error}"
    return "".join(traceback.format_exception_only(error)).strip()


def in_full(error: BaseException) -> str:
    """Return an exception with every frame, as Python shows it."""
    return "".join(traceback.format_exception(error)).rstrip()


def in_short(error: BaseException) -> str:
    """Return an exception without the machinery, as Python shows it, or in one line with its place.

    For scripts, where a line needs its number: ``<stdin>:3: NoSuchMethod: ...``.
    """
    if is_brief(error):
        return _place(error) + in_one_line(error)
    with machinery_hidden(error):
        return in_full(error)


def _place(error: BaseException) -> str:
    frames = visible_frames(error.__traceback__)
    if not frames:
        return ""
    return f"{frames[-1].tb_frame.f_code.co_filename}:{frames[-1].tb_lineno}: "
