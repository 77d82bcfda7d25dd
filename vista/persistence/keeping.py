"""Keeping objects: taking their states, having them written, and holding replies until they are.

`Keeper` drives a `Writer` with a store: what the one decides the other does in a kernel thread. An
object's state is taken at the end of each active stretch of a thread in it, so that a store never
has one in the midst of a method that nobody else could have seen.
"""

from __future__ import annotations

import contextvars
import hashlib
import logging
import threading
from asyncio import Future as AsyncFuture
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from vista.counted import counted
from vista.errors import StoreError, WrongContextError
from vista.kernel.current import CoroutineContext, enter
from vista.kernel.futures import Future
from vista.kernel.guard import is_held
from vista.persistence.store import LEAVING, Batch, Row, Store
from vista.persistence.writing import (
    Changed,
    Done,
    Effect,
    Event,
    Failed,
    Passed,
    Safe,
    Wanted,
    Write,
    Writer,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from vista.kernel.keeping import Departure
    from vista.kernel.kernel import Kernel
    from vista.kernel.table import Record
    from vista.kernel.timers import Timer

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Kept:
    """What is known of an object that is kept; ``mark`` is the digest of its last state."""

    flags: int
    durable: bool
    mark: bytes = b""
    trouble: str = ""
    departure: Departure | None = None


class Keeper:
    """Keeps objects of one node in one store; see `vista.kernel.keeping.Keeper`.

    ``delay_seconds`` is how long changes wait for others. `open` comes first.
    """

    def __init__(self, kernel: Kernel, store: Store, delay_seconds: float) -> None:
        limits = kernel.limits
        self.kernel = kernel
        self.store = store
        self.kept: dict[bytes, _Kept] = {}
        self.commits = 0
        self._writer = Writer(
            delay_seconds,
            limits.store_batch_objects_max,
            limits.store_batch_bytes_max,
            max(delay_seconds, limits.store_retry_seconds),
        )
        self._held: dict[bytes, list[tuple[int, Future]]] = {}
        self._flushes: list[tuple[int, Future]] = []
        self._timer: Timer | None = None
        self._is_open = self._closed = False
        # The last commit at the end of a node must not be overtaken by one under way.
        self._commit_lock = threading.Lock()

    def open(self) -> None:
        """Open the store, in a kernel thread.

        Whoever waits for that may give up meanwhile: after `close` the store is let go at once.
        """
        self.store.open()
        with self._commit_lock:
            self._is_open = not self._closed
            if self._closed:
                self.store.close()

    # --- which objects ---------------------------------------------------------------------

    def keep(self, record: Record, flags: int, durable: bool) -> None:
        """Keep an object from now on, or keep it in another way."""
        self.kept[record.key] = _Kept(flags, durable)
        self.kernel.guard_of(record).keeper = self

    def adopt(self, record: Record, row: Row) -> None:
        """Keep an object that was restored from its row."""
        self.kept[record.key] = _Kept(row.flags, row.durable, _digest(row))
        self.kernel.guard_of(record).keeper = self

    def take_over(self, record: Record, row: Row) -> bool:
        """Keep an object that is here and was kept in this store before its service was deleted.

        ``row`` is what the store has of it. False when that is not so.
        """
        before = None if record.guard is None else record.guard.keeper
        if not isinstance(before, Keeper) or not before._closed or record.key not in before.kept:
            return False
        self.adopt(record, row)
        if not is_held(record):
            self.note(record)
        return True

    def release(self, record: Record) -> None:
        """Keep an object no more, and remove its row."""
        guard = record.guard
        if guard is not None and guard.keeper is self:
            self.forget(record)
            guard.keeper = None

    # --- what the kernel asks --------------------------------------------------------------

    def note(self, record: Record) -> None:
        """Take the state of an object."""
        kept = self.kept.get(record.key)
        if kept is not None:
            self._note(record, kept, durable=kept.durable)

    def _note(self, record: Record, kept: _Kept, *, durable: bool) -> None:
        if self._closed:
            return
        data = self.kernel.invoker.encoded(record)
        if isinstance(data, BaseException):
            if not kept.trouble:
                _log.error("%s cannot be kept: %s", record, data)
            kept.trouble = f"{record} cannot be kept: {data}"
            return
        kept.trouble = ""
        row = self._row(record, kept, data)
        mark = _digest(row)
        if mark != kept.mark:
            kept.mark = mark
            self.feed(Changed(row.key, row, durable))

    def hold(self, record: Record) -> Future | None:
        """Return what a reply has to wait for, or None; see `vista.kernel.keeping.Keeper`."""
        key = bytes(record.key)
        kept = self.kept.get(key)
        if kept is not None and kept.trouble:
            failed = Future(self.kernel, record, "commit")
            failed.fail(StoreError(kept.trouble))
            return failed
        number = self._writer.number_of(key)
        return None if number is None else self._hold_for(key, number, record)

    def last_change(self, record: Record) -> Future | None:
        """Return a future that ends when the last change of an object is safe, None when it is.

        Unlike `hold` also for an object that is not durable, whose replies wait for nothing.
        """
        held = self.hold(record)
        number = self._writer.last_of(bytes(record.key))
        if held is not None or number is None:
            return held
        return self._hold_for(bytes(record.key), number, record)

    def _hold_for(self, key: bytes, number: int, record: Record | None = None) -> Future:
        """Return a future that ends when change ``number`` of an object is safe, and hurry it."""
        held = Future(self.kernel, record, "commit")
        if self._closed:
            held.fail(StoreError(f"{self.store.words} is closed"))
            return held
        held.created = self.kernel.hub.time()
        self._held.setdefault(key, []).append((number, held))
        self.feed(Wanted(key))
        return held

    def forget(self, record: Record) -> None:
        """Remove the row of an object that was deleted."""
        kept = self.kept.pop(record.key, None)
        if kept is not None and not self._closed:
            self.feed(Changed(bytes(record.key), None, kept.durable))

    def leave(self, record: Record, departure: Departure) -> None:
        """Note that an object may live elsewhere; see `vista.kernel.keeping.Keeper`."""
        kept = self.kept.get(record.key)
        if kept is not None and self._closed:
            raise StoreError(
                f"{self.store.words} is closed and has {record} still, so it would come back from "
                "there; open the service of that store again before it moves"
            )
        if kept is not None:
            kept.departure = departure
            self._note(record, kept, durable=True)
            held = self.last_change(record)
            if held is not None:
                held.result()

    def stay(self, record: Record) -> None:
        """Undo `leave`."""
        kept = self.kept.get(record.key)
        # At the end of the node its threads are ended, which says nothing of where the object is.
        if kept is not None and kept.departure is not None and not self.kernel.threads.ending:
            kept.departure = None
            self.note(record)

    def depart(self, record: Record) -> Future | None:
        """Remove the row of an object that lives elsewhere."""
        if self.kept.pop(record.key, None) is None:
            return None
        if self._closed:
            # The row says that it was leaving: who opens the store asks what became of it.
            undone = Future(self.kernel, None, "commit")
            undone.fail(StoreError(f"{self.store.words} is closed"))
            return undone
        return self.remove_safely(record.key)

    def _row(self, record: Record, kept: _Kept, data: bytes) -> Row:
        acl = None if record.guard is None else record.guard.acl
        encoded = b"" if acl is None else self.kernel.codec.encode_canonical(acl)
        key, flags = bytes(record.key), kept.flags
        if kept.departure is not None:
            flags |= LEAVING
            data = self.kernel.codec.encode((data, *kept.departure))
        return Row(key, flags, kept.durable, tuple(record.services), encoded, data)

    # --- driving the writer ----------------------------------------------------------------

    def remove(self, key: bytes) -> None:
        """Remove the row of an object that is not here."""
        self.feed(Changed(key, None, False))

    def remove_safely(self, key: bytes) -> Future:
        """Remove the row of an object; return a future that ends when that outlives any fall."""
        self.feed(Changed(bytes(key), None, True))
        number = self._writer.last_of(bytes(key))
        assert number is not None, "it was changed just now"
        return self._hold_for(bytes(key), number)

    def feed(self, event: Event) -> None:
        """Tell the writer what happened and do what it says."""
        for effect in self._writer.handle(event, self.kernel.hub.time()):
            self._do(effect)
        self._set_timer()
        if self._flushes:
            self._end_flushes()

    def _end_flushes(self, reason: str | None = None) -> None:
        flushes, self._flushes = self._flushes, []
        for number, flush in flushes:
            if reason is not None:
                flush.fail(StoreError(reason))
            elif self._writer.is_safe_up_to(number):
                flush.resolve(None)
            else:
                self._flushes.append((number, flush))

    def _do(self, effect: Effect) -> None:
        if isinstance(effect, Write):
            self._write(effect.batch)
            return
        error = None if isinstance(effect, Safe) else StoreError(effect.reason)
        if error is None:
            self.commits += 1
        else:
            what = counted(len(effect.keys), "object is", "objects are")
            _log.error("%s not stored, but tried again: %s", what, error)
            self._end_flushes(str(error))
        for key in effect.keys:
            self._settle(key, effect.number, error)

    def _settle(self, key: bytes, number: int, error: StoreError | None) -> None:
        waiting = self._held.pop(key, [])
        later = [item for item in waiting if item[0] > number]
        if later:
            self._held[key] = later
        for known, held in waiting:
            if known > number:
                continue
            if error is None:
                held.resolve(None)
            else:
                held.fail(StoreError(str(error)))

    def _write(self, batch: Batch) -> None:
        running = self.in_kernel_thread(lambda: self._commit(batch))
        running.add_done_callback(self._note_end, context=own_context(self.kernel))

    def _commit(self, batch: Batch) -> None:
        with self._commit_lock:
            if not self._closed:
                self.store.commit(batch)

    def _note_end(self, running: AsyncFuture[Any]) -> None:
        error = None if running.cancelled() else running.exception()
        if self._closed or isinstance(error, WrongContextError):
            # The node has ended; the rest was or will be written by `close`.
            return
        if error is None:
            self.feed(Done())
        elif isinstance(error, StoreError):
            self.feed(Failed(str(error)))
        else:
            raise error

    def _set_timer(self) -> None:
        due = self._writer.next_deadline()
        timer = self._timer
        if timer is not None:
            if timer.due == due:
                # So it mostly is: a timer for each change would cost more than all the rest.
                return
            timer.cancel()
            self._timer = None
        if due is not None and not self._closed:
            self._timer = self.kernel.timers.call_at(due, self._pass)

    def _pass(self) -> None:
        self._timer = None
        self.feed(Passed())

    def in_kernel_thread(self, function: Callable[[], Any]) -> AsyncFuture[Any]:
        """Start something that blocks."""
        return self.kernel.hub.run_native(own_context(self.kernel), function)

    # --- the end ---------------------------------------------------------------------------

    def flush(self) -> Future:
        """Have every change up to this one written; return a future that ends when they are.

        It does not wait for what others change meanwhile.
        """
        done = Future(self.kernel, None, "flush")
        if self._writer.is_idle:
            done.resolve(None)
            return done
        self._flushes.append((self._writer.last_number, done))
        self.feed(Wanted(None))
        return done

    def close(self) -> None:
        """Write what is left and let the store go; called on the loop, at the end of the node."""
        with self._commit_lock:
            if self._closed:
                return
            self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        reason = self._write_rest() if self._is_open else f"{self.store.words} was not opened"
        for kept in self.kept.values():
            # What could not be stored is not to be stored any longer.
            kept.trouble = ""
        for waiting in self._held.values():
            for _, held in waiting:
                held.resolve(None) if reason is None else held.fail(StoreError(reason))
        self._held.clear()
        self._end_flushes(reason)
        if self._is_open:
            self._close_store()

    def _close_store(self) -> None:
        try:
            self.store.close()
        except StoreError as error:
            # What is safe is safe; the node says goodbye to its peers and lets its identity go.
            _log.error("%s is not closed in good order: %s", self.store.words, error)

    def _write_rest(self) -> str | None:
        """Commit all that is not safe; return what was against it, or None."""
        for batch in self._writer.take_all():
            try:
                self.store.commit(replace(batch, durable=True))
            except StoreError as error:
                _log.error("at the end of the node changes are lost: %s", error)
                return str(error)
        return None


def own_context(kernel: Kernel) -> contextvars.Context:
    """Return a context of the node's own, in which nobody's thread runs."""
    made = contextvars.Context()
    made.run(enter, CoroutineContext(kernel, None, kernel.user))
    return made


def _digest(row: Row) -> bytes:
    digest = hashlib.blake2b(row.data, digest_size=16)
    digest.update(repr((row.flags, row.durable, row.services, row.acl)).encode())
    return digest.digest()
