"""Deadlocks: waits that can never end, found when somebody begins to wait.

An object is *kept* by a thread that does not let others in while it waits: of an ``@exclusive``
method, or of a ``@native`` one that is not also preemptable. A call waits for ever when its object
is kept by its own chain of calls, or by a thread that waits, over any number of steps, for
something this chain keeps.

Whoever begins to wait follows the others' waits and gives up with `DeadlockError` when they lead
back. One who must go back into an object it left cannot give up; then the last call on the way
back fails.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final

from vista.errors import DeadlockError
from vista.kernel.current import METHOD, PARENT, RECORD, Frame
from vista.kernel.table import QUEUED, Record

if TYPE_CHECKING:
    from vista.kernel.futures import Future
    from vista.kernel.methods import MethodEntry

_THREADS_MAX: Final = 256
"""Threads that are looked at before a search ends without a finding."""

_WORDS_MAX: Final = 12
"""Calls of a chain that an error names."""


def keeps(method: MethodEntry) -> bool:
    """Return whether threads of a method keep their object while they wait."""
    return method.exclusive or (method.native and not method.preemptable)


def refuse_own(frame: Frame | None, record: Record, name: str) -> None:
    """Raise `DeadlockError` if the chain of calls up to ``frame`` keeps ``record`` itself."""
    outer = frame
    while outer is not None:
        if outer[RECORD] is record and keeps(outer[METHOD]):
            called = record.entry.name
            raise DeadlockError(
                f"{called}.{name} would wait for its own caller: "
                f"{_chain_words(frame)} -> {called}.{name}, and {called} is kept by this chain"
            )
        outer = outer[PARENT]


def refuse_ring(frame: Frame | None, futures: Iterable[Future]) -> None:
    """Raise `DeadlockError` if ``frame`` would wait for ever for one of these calls."""
    search: _Search | None = None
    for future in futures:
        record = future.record
        if future.worker is None and (record is None or record.state is QUEUED):
            # It is about to run; who makes it wait then will look for himself.
            continue
        search = search or _Search(frame)
        if search.leads_back(future):
            raise DeadlockError(
                f"{_chain_words(frame)} -> {future.words} would wait for ever: {search.text}"
            )


def break_ring(frame: Frame, record: Record) -> None:
    """Let the thread ``frame`` go back into ``record`` should its keeper wait for this chain.

    The last call on the way back to this chain fails with `DeadlockError`.
    """
    if _kept_frame(record.state, record) is None:
        return
    search = _Search(frame)
    if search.is_kept(record) and search.last is not None:
        words = f"{search.last.words} would wait for ever: {search.text}"
        search.last.abandon(DeadlockError(words))


def waits_for(future: Future, seen: set[int]) -> Iterator[tuple[Future, str]]:
    """Yield each call that must end before ``future`` can, and in words why.

    ``seen`` has the identities of the greenlets that were followed, and gets those followed here.
    """
    worker: Any = future.worker
    words = ""
    record = _line_of(future) if worker is None and not future._done else None
    while worker is not None or record is not None:
        if record is not None:
            worker = record.state
            kept = _kept_frame(worker, record)
            if kept is None:
                return
            worker = getattr(worker, "worker", worker)
            words += f", where {record.entry.name} is kept by {_words(kept)}"
        if id(worker) in seen or len(seen) >= _THREADS_MAX:
            return
        seen.add(id(worker))
        record = worker.lined_up_for()
        if record is None:
            yield from ((wanted, words) for wanted in worker.wants)
            return
        words += f", which goes back into {record.entry.name}"


class _Search:
    """Follows waits until they lead back to the chain of calls up to ``frame``."""

    def __init__(self, frame: Frame | None) -> None:
        self.last: Future | None = None
        self._words: list[str] = []
        self._seen: set[int] = set()
        self._own: set[int] = set()
        while frame is not None:
            self._own.add(id(frame))
            frame = frame[PARENT]

    @property
    def text(self) -> str:
        """The way back, in words."""
        return ", ".join(reversed(self._words))

    def leads_back(self, future: Future) -> bool:
        """Whether a call waits for the chain."""
        if future._done:
            return False
        worker = future.worker
        if worker is not None and id(worker.root) in self._own:
            self._words.append(f"{future.words} is of this chain")
            found = True
        elif worker is not None:
            found = self._waits(worker)
        else:
            future.suspect()
            record = _line_of(future)
            found = record is not None and self.is_kept(record)
        if found and self.last is None:
            self.last = future
        return found

    def is_kept(self, record: Record) -> bool:
        """Whether an object is kept by the chain, or by a thread that waits for it."""
        holder = record.state
        kept = _kept_frame(holder, record)
        if kept is None:
            return False
        if id(kept) in self._own:
            self._words.append(f"{record.entry.name} is kept by this chain")
            return True
        if not self._waits(getattr(holder, "worker", holder)):
            return False
        self._words.append(f"{record.entry.name} is kept by {_words(kept)}")
        return True

    def _waits(self, worker: Any) -> bool:
        """Whether a greenlet waits for the chain."""
        if id(worker) in self._seen or len(self._seen) >= _THREADS_MAX:
            return False
        self._seen.add(id(worker))
        record = worker.lined_up_for()
        if record is not None:
            if self.is_kept(record):
                self._words.append(f"which goes back into {record.entry.name}")
                return True
            return False
        for future in worker.wants:
            if self.leads_back(future):
                self._words.append(f"which waits for {future.words}")
                return True
        return False


def _line_of(future: Future) -> Record | None:
    """Return the object in whose line a call stands that has not begun."""
    record = future.record
    method = None if record is None else record.entry.methods.get(future.name)
    return None if method is None or method.preemptable else record


def _kept_frame(holder: Any, record: Record) -> Frame | None:
    """Return the frame by which ``holder``, the state of ``record``, keeps it, if it does."""
    for frame in holder.frames() if hasattr(holder, "frames") else ():
        if frame[RECORD] is record and keeps(frame[METHOD]):
            kept: Frame = frame
            return kept
    return None


def _words(frame: Frame) -> str:
    return f"{frame[RECORD].entry.name}.{frame[METHOD].name}"


def _chain_words(frame: Frame | None) -> str:
    words: list[str] = []
    while frame is not None:
        words.append(_words(frame))
        frame = frame[PARENT]
    if len(words) > _WORDS_MAX:
        half = _WORDS_MAX // 2
        words[half:-half] = [f"({len(words) - 2 * half} more)"]
    return " -> ".join(reversed(words))
