"""Looking at a node: its threads, objects, services and classes as rows; control of threads."""

from __future__ import annotations

import re
import sys
import traceback
from collections import Counter
from collections.abc import Iterable, Iterator
from fnmatch import translate
from itertools import islice
from types import FrameType
from typing import TYPE_CHECKING, Any, Final, TypeVar

from vista.errors import BadValueError, NoSuchObject, ThreadKilled
from vista.ids import Id, node_text
from vista.kernel.current import METHOD, RECORD, Frame, current
from vista.kernel.invoke import age_of
from vista.kernel.objects import Object
from vista.kernel.rows import ClassRow, MethodRow, ObjectRow, ServiceRow, ThreadRow
from vista.kernel.threads import RUNNING, WOKEN, Worker

if TYPE_CHECKING:
    from vista.kernel.classes import ClassEntry
    from vista.kernel.kernel import Kernel
    from vista.kernel.refs import Ref
    from vista.kernel.table import Record

Item = TypeVar("Item")

_FORGET_MIN: Final = 64
"""As many Ids of threads that may have ended are kept before somebody looks."""

_MACHINERY: Final = ("/vista/kernel/", "/concurrent/futures/", "/threading.py", "/asyncio/")
"""Parts of the names of files whose lines say nothing of a method."""


class ThreadIds:
    """The Ids of the threads that somebody asked for; a thread has none before."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._known: dict[Id, tuple[Worker, Frame]] = {}
        # By the identity of a frame that is kept in `_known`, so nothing else can have it.
        self._ids: dict[int, Id] = {}
        self._forget_at = _FORGET_MIN

    def of(self, worker: Worker, frame: Frame) -> Id:
        """Return the Id of a live thread, made at the first asking."""
        known = self._ids.get(id(frame))
        if known is not None:
            return known
        if len(self._known) >= self._forget_at:
            self._forget_ended()
        made = self._ids[id(frame)] = self._kernel.table.new_id()
        self._known[made] = (worker, frame)
        return made

    def find(self, id: Id | str) -> tuple[Worker, Frame]:
        """Return the greenlet and invocation of a live thread. Raises `NoSuchObject`."""
        if isinstance(id, str):
            id = Id.parse(id)
        if not isinstance(id, Id):
            raise BadValueError(f"{id!r} is no thread Id; vista.threads() lists them")
        found = self._known.get(id)
        if found is None or not _lives(*found):
            raise NoSuchObject(f"no live thread {id}")
        return found

    def _forget_ended(self) -> None:
        """Forget the threads that ended; again when there are twice as many as live now."""
        self._known = {id: thread for id, thread in self._known.items() if _lives(*thread)}
        self._ids = {id(frame): known for known, (_, frame) in self._known.items()}
        self._forget_at = max(_FORGET_MIN, 2 * len(self._known))


def _lives(worker: Worker, frame: Frame) -> bool:
    return any(known is frame for known in worker.frames())


def thread_rows(
    kernel: Kernel, object: Id | None = None, first: int = 0, most: int | None = None
) -> list[ThreadRow]:
    """Return a row for each live thread: the innermost of each greenlet first.

    ``object`` leaves those of other objects out; ``first`` are passed over, then at most ``most``
    are looked at.
    """
    now = kernel.hub.time()
    wanted = (found for found in _frames(kernel) if object in (None, found[1][RECORD].key))
    return [_thread_row(kernel, *found, now) for found in _part(wanted, first, most)]


def _frames(kernel: Kernel) -> Iterator[tuple[Worker, Frame, Frame | None]]:
    """Yield each live thread: its greenlet, its invocation and that which is nested in it."""
    for worker in kernel.threads.live():
        inner: Frame | None = None
        for frame in worker.frames():
            yield worker, frame, inner
            inner = frame


def _part(rows: Iterable[Item], first: int, most: int | None) -> list[Item]:
    """Return ``most`` rows from number ``first`` on, all that follow with None."""
    if first < 0 or (most is not None and most < 0):
        raise BadValueError(f"rows are counted from 0, not first={first}, most={most}")
    return list(islice(rows, first, None if most is None else first + most))


def _thread_row(
    kernel: Kernel, worker: Worker, frame: Frame, inner: Frame | None, now: float
) -> ThreadRow:
    record, method = frame[RECORD], frame[METHOD]
    state, waiting_for = _state_of(worker)
    if inner is not None:
        state = "waiting"
        waiting_for = f"the answer of {inner[RECORD].entry.name}.{inner[METHOD].name}"
    outside = record is kernel.program
    return ThreadRow(
        id=kernel.thread_ids.of(worker, frame),
        object=None if outside else record.id,
        class_name=record.entry.full_name,
        method=method.name,
        state=state,
        waiting_for=waiting_for,
        user=worker.user,
        age_seconds=age_of(frame, now),
        stack="" if inner is not None else _stack_of(worker),
    )


def _state_of(worker: Worker) -> tuple[str, str]:
    if worker.frozen:
        return "suspended", "vista.resume"
    if worker.condition is RUNNING:
        return "running", ""
    why = worker.why() if callable(worker.why) else str(worker.why)
    if worker.condition is WOKEN:
        return "ready", why
    if worker.in_kernel_thread:
        return "native", why
    return ("sleeping", "") if why == "sleep" else ("waiting", why)


def _stack_of(worker: Worker) -> str:
    """Return the traceback of a parked thread, without the machinery around the methods."""
    if worker.coroutine is not None:
        frames = list(_walk_coroutine(worker.coroutine.coroutine))
    elif worker.native_thread:
        native = sys._current_frames().get(worker.native_thread)
        frames = list(reversed(list(traceback.walk_stack(native)))) if native else []
    elif worker.stack is not None:
        frames = list(reversed(list(traceback.walk_stack(worker.stack))))
    else:
        return ""
    kept = [
        line
        for line in traceback.StackSummary.extract(frames)
        if not any(part in line.filename.replace("\\", "/") for part in _MACHINERY)
    ]
    return "".join(traceback.StackSummary.from_list(kept).format())


def _walk_coroutine(coroutine: Any) -> Iterator[tuple[FrameType, int]]:
    """Go from a coroutine to what it awaits, and on."""
    while coroutine is not None and getattr(coroutine, "cr_frame", None) is not None:
        yield coroutine.cr_frame, coroutine.cr_frame.f_lineno
        coroutine = coroutine.cr_await


def object_rows(
    kernel: Kernel, pattern: str = "*", first: int = 0, most: int | None = None
) -> list[ObjectRow]:
    """Return a row for each object of the node, in the order they were made.

    ``pattern`` is that of the names of their classes (`fnmatch`'s, with the name space); ``first``
    are passed over, then at most ``most`` follow.
    """
    records: Iterable[Record] = kernel.table.records.values()
    if pattern != "*":
        fits = re.compile(translate(pattern)).match
        entries = {entry for entry in kernel.classes.all_entries() if fits(entry.full_name)}
        records = (record for record in records if record.entry in entries)
    threads = _threads_in(kernel)
    return [_object_row(record, threads) for record in _part(records, first, most)]


def object_row(kernel: Kernel, id: Id) -> ObjectRow | None:
    """Return the row of one object, None when it is not on this node."""
    record = kernel.table.records.get(id)
    return None if record is None else _object_row(record, _threads_in(kernel))


def _threads_in(kernel: Kernel) -> Counter[int]:
    """Return how many live threads are in each object that has some, by ``id`` of its record."""
    return Counter(id(frame[RECORD]) for _, frame, _ in _frames(kernel))


def _object_row(record: Record, threads: Counter[int]) -> ObjectRow:
    return ObjectRow(
        id=record.id,
        class_name=record.entry.full_name,
        services=tuple(record.services),
        threads=threads[id(record)],
        messages_queued=sum(type(item) is tuple for item in record.queue or ()),
    )


def service_rows(kernel: Kernel, first: int = 0, most: int | None = None) -> list[ServiceRow]:
    """Return a row for each service name and each node that provides it, by name, nearest first.

    ``first`` are passed over, then at most ``most`` follow.
    """
    own = node_text(kernel.table.node)
    rows = [
        ServiceRow(name=name, object=ref._id, class_name=_class_of(ref), node=own)
        for name, ref in kernel.services.items()
    ]
    if kernel.elsewhere is not None:
        rows += kernel.elsewhere.service_rows()
        rows.sort(key=lambda row: row.name)
    return _part(rows, first, most)


def _class_of(ref: Ref) -> str:
    """Return the name of an object's class, empty for one that is brought when it is needed."""
    entry = ref._record.entry
    return "" if entry is None else str(entry.full_name)


def class_rows(kernel: Kernel) -> list[ClassRow]:
    """Return a row for each version of each class known."""
    return [
        ClassRow(
            namespace=entry.namespace,
            name=entry.name,
            version=entry.version,
            objects=entry.created - entry.deleted,
            module=entry.cls.__module__,
            summary=entry.doc.partition("\n")[0],
        )
        for entry in kernel.classes.entries()
    ]


def class_description(entry: ClassEntry) -> dict[str, Any]:
    """Return what a class is, as a dict; see `ObjectCreator.describe_class`."""
    return {
        "class": entry.class_name,
        "doc": entry.doc,
        "bases": [base.__name__ for base in entry.cls.__mro__[1:] if issubclass(base, Object)],
        "signature": str(entry.signature),
        "methods": {
            name: MethodRow(name, str(method.signature), method.doc, method.flags)
            for name, method in sorted(entry.methods.items())
        },
    }


def kill_thread(kernel: Kernel, id: Id | str) -> None:
    """End a live thread and what is nested in it; its caller gets `ThreadKilled`."""
    worker, frame = kernel.thread_ids.find(id)
    words = f"{frame[RECORD].entry.name}.{frame[METHOD].name}"
    worker.kill(frame, ThreadKilled(f"the thread of {words} was killed"))


def suspend_thread(kernel: Kernel, id: Id | str) -> None:
    """Hold a live thread, and the calls it is nested in, until it is resumed."""
    kernel.thread_ids.find(id)[0].freeze()


def resume_thread(kernel: Kernel, id: Id | str) -> None:
    """Let a suspended thread go on; one that is not suspended is left alone."""
    kernel.thread_ids.find(id)[0].thaw()


def own_thread_id(kernel: Kernel) -> Id:
    """Return the Id of the calling vista thread."""
    worker: Any = current()
    return kernel.thread_ids.of(worker, worker.frame)
