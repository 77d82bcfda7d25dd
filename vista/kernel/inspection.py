"""Looking at a node: its threads, objects, services and classes as rows; control of threads."""

from __future__ import annotations

import traceback
from types import FrameType
from typing import TYPE_CHECKING, Any

from vista.errors import BadValueError, NoSuchObject, ThreadKilled
from vista.ids import Id
from vista.kernel.current import METHOD, RECORD, Frame, current
from vista.kernel.invoke import age_of
from vista.kernel.rows import ClassRow, ObjectRow, ServiceRow, ThreadRow
from vista.kernel.threads import RUNNING, WOKEN, Worker

if TYPE_CHECKING:
    from vista.kernel.kernel import Kernel


class ThreadIds:
    """The Ids of the threads that somebody asked for; a thread has none before."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._known: dict[Id, tuple[Worker, Frame]] = {}

    def of(self, worker: Worker, frame: Frame) -> Id:
        """Return the Id of a live thread, made at the first asking."""
        for id, (_, known) in self._known.items():
            if known is frame:
                return id
        self._forget_ended()
        id = self._kernel.table.new_id()
        self._known[id] = (worker, frame)
        return id

    def find(self, id: Id | str) -> tuple[Worker, Frame]:
        """Return the greenlet and invocation of a live thread. Raises `NoSuchObject`."""
        if isinstance(id, str):
            id = Id.parse(id)
        if not isinstance(id, Id):
            raise BadValueError(f"{id!r} is no thread Id; vista.threads() lists them")
        found = self._known.get(id)
        if found is None or not _lives(*found):
            self._known.pop(id, None)
            raise NoSuchObject(f"no live thread {id}")
        return found

    def _forget_ended(self) -> None:
        ended = [id for id, thread in self._known.items() if not _lives(*thread)]
        for id in ended:
            del self._known[id]


def _lives(worker: Worker, frame: Frame) -> bool:
    return any(known is frame for known in worker.frames())


def thread_rows(kernel: Kernel) -> list[ThreadRow]:
    """Return a row for each live thread: the innermost of each greenlet first."""
    rows: list[ThreadRow] = []
    now = kernel.hub.time()
    for worker in kernel.threads.live():
        inner: Frame | None = None
        for frame in worker.frames():
            rows.append(_thread_row(kernel, worker, frame, inner, now))
            inner = frame
    return rows


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
    """Return the traceback of a parked greenlet, without the machinery around the methods."""
    frame: FrameType | None = worker.stack
    if frame is None:
        return ""
    kept = [
        line
        for line in traceback.StackSummary.extract(traceback.walk_stack(frame))
        if "/vista/kernel/" not in line.filename.replace("\\", "/")
    ]
    return "".join(traceback.StackSummary.from_list(reversed(kept)).format())


def object_rows(kernel: Kernel) -> list[ObjectRow]:
    """Return a row for each object of the node, in the order they were made."""
    threads: dict[int, int] = {}
    for worker in kernel.threads.live():
        for frame in worker.frames():
            threads[id(frame[RECORD])] = threads.get(id(frame[RECORD]), 0) + 1
    return [
        ObjectRow(
            id=record.id,
            class_name=record.entry.full_name,
            services=record.services,
            threads=threads.get(id(record), 0),
            messages_queued=sum(type(item) is tuple for item in record.queue or ()),
        )
        for record in kernel.table.records.values()
    ]


def service_rows(kernel: Kernel) -> list[ServiceRow]:
    """Return a row for each service name, by name."""
    return [
        ServiceRow(name=name, object=ref._id, class_name=ref._record.entry.full_name)
        for name, ref in kernel.services.items()
    ]


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
