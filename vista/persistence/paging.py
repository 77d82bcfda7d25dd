"""Bringing objects back: those of a store that are not here, when they are referenced.

Three rules. Messages to an object that is brought keep their order, and nobody reaches it before
them. An object that cannot be brought stays in the store as it is: calls to it fail with what was
wrong, and the next one tries again. One that is sent out, to give its memory back, goes when its
last state is safe and nobody is in it, and is then as if it had never been brought.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from vista.api import wait
from vista.counted import counted
from vista.errors import (
    BadValueError,
    NoSuchClass,
    NoSuchMethod,
    NoSuchObject,
    ObjectBusy,
    Overloaded,
    StoreError,
    VistaError,
)
from vista.ids import Id
from vista.kernel import monitor, upgrade
from vista.kernel.access import checked_acl
from vista.kernel.classes import ClassEntry
from vista.kernel.current import FUTURE, METHOD, RECORD, Context, current
from vista.kernel.encoding import read_with_class, set_variables
from vista.kernel.futures import Future
from vista.kernel.invoke import run_of
from vista.kernel.keeping import Departure
from vista.kernel.methods import message_name
from vista.kernel.refs import Ref, point
from vista.kernel.table import DEPARTING, GONE, Absent, Record
from vista.persistence.keeping import Keeper
from vista.persistence.store import LEAVING, Known, Row
from vista.persistence.writing import Changed
from vista.values import copy_arguments, copy_exception

if TYPE_CHECKING:
    from vista.kernel.elsewhere import Elsewhere
    from vista.kernel.kernel import Kernel

_log = logging.getLogger(__name__)

Then = Callable[[BaseException | None], None]

_LOOK_AGAIN_SECONDS = 1.0

_WRITES_MAX = 10
"""Writes of one object that is sent out: others may change it while one of them is under way."""


class StorePager:
    """Brings the objects of a keeper's store; see `vista.kernel.keeping.Pager`.

    ``store`` names the service; ``known`` are those that are not here, by Id, which is for the
    service to say, and ``sent_out`` those of them that were; ``failures`` says in words why some of
    them could not be brought.
    """

    def __init__(self, keeper: Keeper, store: str) -> None:
        self.kernel = keeper.kernel
        self.store = store
        self.known: dict[bytes, Known] = {}
        self.sent_out: set[bytes] = set()
        self.failures: dict[bytes, str] = {}
        self._keeper = keeper
        self._bringing: dict[bytes, list[Then]] = {}

    def __contains__(self, id: bytes) -> bool:
        return id in self.known

    def bring(self, id: Id, then: Then, row: Row | None = None) -> None:
        """Bring an object and call ``then`` with None or an error, on the loop.

        ``row`` is what the store has of it, None when it is still to be read.
        """
        line = self._bringing.get(id)
        if line is not None:
            if len(line) >= self.kernel.messages_max:
                self.kernel.counters.overloads += 1
                then(Overloaded(f"{len(line)} messages wait for object {id} to be restored"))
                return
            line.append(then)
        elif id not in self.known:
            then(None)
        else:
            self._bringing[id] = [then]
            bringing = self.kernel.spawn(lambda: self._bring(id, row))
            bringing.on_done(lambda ended: self._arrived(id, ended.exception()))

    def bring_together(self, ids: Sequence[Id]) -> None:
        """Bring objects and wait until each is here or failed; their rows are read together.

        For the start of a service: to read them singly takes three times as long. Each is made by a
        thread of its own all the same, since the hooks of one may wait for another.
        """
        store = self._keeper.store
        keys = [bytes(id) for id in ids]
        rows: dict[bytes, Row] = {}
        try:
            found = wait(self._keeper.in_kernel_thread(lambda: store.read_rows(keys)))
            rows = {row.key: row for row in found}
        except StoreError as error:
            # Maybe for one of them alone: each is read by itself, and fails by itself.
            what = counted(len(ids), "object is", "objects are")
            _log.warning("%s: %s read one by one: %s", store.words, what, error)
        waiting = []
        for id in ids:
            ended = Future(self.kernel, None, f"restoring {id}")
            waiting.append(ended)
            # One that was here meanwhile may have another state.
            row = None if id in self.sent_out else rows.get(id)
            self.bring(id, lambda _, ended=ended: ended.resolve(None), row)  # type: ignore[misc]
        for future in waiting:
            future.result()

    def forget(self, id: Id) -> bool:
        """Know an object no more that is not here, nor its service names; whether it was known."""
        row = self.known.pop(id, None)
        self.sent_out.discard(id)
        self.failures.pop(id, None)
        if row is None:
            return False
        services, ref = self.kernel.services, self.kernel.ref(id)
        for name in row.services:
            if services.get_local(name) == ref:
                services.unregister(name)
        return True

    def bind(self, ref: Ref, name: str) -> PagedMethod:
        """Return what ``ref.name`` gives for an object that is to be brought first."""
        return PagedMethod(self, ref._id, name)

    def _bring(self, id: Id, row: Row | None) -> None:
        store = self._keeper.store
        if row is None:
            row = wait(self._keeper.in_kernel_thread(lambda: store.read(bytes(id))))
        if row is None or id not in self.known:
            # It was deleted by hand, or by `forget` while its row was read.
            self.forget(id)
            raise NoSuchObject(f"object {id} is not in {store.words} any more")
        if row.flags & LEAVING:
            stays = self._settled(id, row)
            if stays is None:
                return
            row = stays
        record = self.kernel.table.records.get(id)
        if record is None or not self._keeper.take_over(record, row):
            restore(self._keeper, row, lambda: id in self.known)
        self.known.pop(id, None)
        self.sent_out.discard(id)

    def _settled(self, id: Id, row: Row) -> Row | None:
        """Return the row of an object that was about to leave and stays, None for one that left.

        Waits until its new home says which. Whoever kills the thread meanwhile lets it stay.
        """
        kernel, keeper = self.kernel, self._keeper
        data, *parts = kernel.codec.decode(row.data)
        departure = Departure(*parts)
        stays = replace(row, flags=row.flags & ~LEAVING, data=data)
        while (record := kernel.table.records.get(id)) and record.state is DEPARTING:
            # This run of the node hands it over, which asks by itself.
            kernel.sleep(_LOOK_AGAIN_SECONDS)
        try:
            # Links are made after the store is opened.
            while (elsewhere := kernel.elsewhere) is None:
                kernel.sleep(_LOOK_AGAIN_SECONDS)
            left = elsewhere.settle(id, departure)
        except BaseException:
            if not kernel.threads.ending:
                self.known[id] = Known(row.key, stays.flags, row.services)
                keeper.feed(Changed(row.key, stays, True))
            raise
        if not left:
            keeper.feed(Changed(row.key, stays, True))
            return stays
        self.forget(id)

        def end(removed: Future) -> None:
            if removed.exception() is None:
                elsewhere.end_departure(id, departure)

        keeper.remove_safely(id).on_done(end)
        return None

    def _arrived(self, id: Id, error: BaseException | None) -> None:
        """Go on with what waited for an object."""
        if error is None:
            self.failures.pop(id, None)
        else:
            if not isinstance(error, VistaError):
                error = StoreError(f"object {id} cannot be restored: {error!r}")
            if id in self.known:
                self.failures[id] = str(error)
            _log.error("not restored: %s", error)
        for then in self._bringing.pop(id):
            then(None if error is None else copy_exception(error))

    # --- sending out -----------------------------------------------------------------------

    def send_out(self, record: Record) -> None:
        """Write what is not safe of an object and take it out of the memory.

        Raises `ObjectBusy` when somebody is in it or waits for it, `BadValueError` when something
        about it is not stored, and `StoreError`.
        """
        for _ in range(_WRITES_MAX):
            if record.idle is GONE:
                if record.key in self:
                    return
                raise ObjectBusy(f"{record} went or was upgraded meanwhile; ask again")
            _refuse_busy(self.kernel, record)
            _refuse_not_stored(self._keeper, record)
            held = self._written(record)
            if held is None:
                self._let_go(record)
                return
            held.result()
        raise ObjectBusy(f"{record} changes faster than it is stored")

    def _written(self, record: Record) -> Future | None:
        """Return a future that ends when the state of an object is safe, None when it is."""
        self._keeper.note(record)
        return self._keeper.last_change(record)

    def _let_go(self, record: Record) -> None:
        kernel, key = self.kernel, bytes(record.key)
        kept = self._keeper.kept.pop(key)
        self.known[key] = Known(key, kept.flags, tuple(record.services))
        self.sent_out.add(key)
        del kernel.table.records[key]
        record.entry.deleted += 1
        record.services = ()
        record.guard = record.queue = None
        record.state = record.idle = GONE
        # Its service names mean this Ref.
        point(kernel.ref_to(record), Absent(kernel, record.id))
        # Whoever keeps a function of it keeps the instance, which is the object no more.
        if type(record.instance).__dictoffset__:
            vars(record.instance).clear()

    def forward(self, message: Any) -> None:
        """Bring an object again and hand it a message that was on its way to it."""
        future = message[FUTURE]

        def deliver(error: BaseException | None) -> None:
            try:
                if error is not None:
                    raise error
                readdressed = self.kernel.invoker.readdressed(message)
                if readdressed is not None:
                    self.kernel.invoker.deliver(readdressed)
            except VistaError as refused:
                if future is not None:
                    future.fail(refused)
                else:
                    self.kernel.note_lost_post(str(refused))

        self.bring(message[RECORD].id, deliver)


class PagedMethod:
    """A method of an object that is to be brought first; see `vista.kernel.hot.RefMethod`."""

    __slots__ = ("_id", "_name", "_pager")

    def __init__(self, pager: StorePager, id: Id, name: str) -> None:
        self._pager = pager
        self._id = id
        self._name = name

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        kernel = self._pager.kernel
        context = current()
        if context.kernel is not kernel:
            return kernel.from_outside(context, self.__call__, args, kwargs)
        return self._send(context, args, kwargs).result()

    def future(self, *args: Any, **kwargs: Any) -> Future:
        """Send the message and return a `Future` of its result at once; see `vista.future`."""
        kernel = self._pager.kernel
        context = current()
        if context.kernel is kernel or (context.home is kernel and kernel.on_loop()):
            return self._send(context, args, kwargs)
        made: Future = kernel.from_outside(context, self.future, args, kwargs)
        return made

    def post(self, *args: Any, **kwargs: Any) -> None:
        """Send the message one way; see `vista.post`."""
        kernel = self._pager.kernel
        context = current()
        if context.kernel is kernel or (context.home is kernel and kernel.on_loop()):
            self._send(context, args, kwargs, one_way=True)
        else:
            kernel.from_outside(context, self.post, args, kwargs)

    def _send(
        self,
        context: Context,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        *,
        one_way: bool = False,
    ) -> Future:
        kernel, name = self._pager.kernel, message_name(self._name)
        args, kwargs = copy_arguments(args, kwargs)
        future = Future(kernel, None, f"{name} of {self._id}")
        future.created = sent = kernel.hub.time()
        frame = None if one_way else context.frame
        user = context.user or kernel.user
        answer = None if one_way else future
        if one_way:
            future.on_done(lambda ended: _note_lost(kernel, ended))

        def deliver(error: BaseException | None) -> None:
            if future.done():
                return
            try:
                if error is not None:
                    raise error
                elsewhere = _new_home(kernel, self._id)
                if elsewhere is not None:
                    caller = Context(kernel, frame, user)
                    elsewhere.send_on(caller, self._id, name, (args, kwargs), answer)
                    return
                record, method = _receiver(kernel, self._id, name)
                run = run_of(record, method)
                message = (record, method, frame, sent, args, kwargs, answer, user, run)
                kernel.invoker.deliver(message)
            except VistaError as refused:
                future.fail(refused)

        self._pager.bring(self._id, deliver)
        return future

    @property
    def __name__(self) -> str:
        return self._name

    def __repr__(self) -> str:
        return f"<{self._name} of {self._id}>"


def _receiver(kernel: Kernel, id: Id, name: str) -> tuple[Record, Any]:
    record = kernel.table.records.get(id)
    if record is None:
        raise kernel.absent(kernel.ref(id))
    method = kernel.method_for(record, name)
    if method is None:
        raise NoSuchMethod(record.entry.explain(name))
    return record, method


def _new_home(kernel: Kernel, id: Id) -> Elsewhere | None:
    """Return who reaches an object that was found to have left, None when it has not."""
    elsewhere = kernel.elsewhere
    if id in kernel.table.records or elsewhere is None or not elsewhere.has_moved(id):
        return None
    return elsewhere


def _note_lost(kernel: Kernel, ended: Future) -> None:
    error = ended.exception()
    if error is not None:
        kernel.note_lost_post(str(error))


def _refuse_busy(kernel: Kernel, record: Record) -> None:
    """Raise `ObjectBusy` when somebody is in an object or waits for it."""
    inside = [
        frame[METHOD].name
        for worker in kernel.threads.live()
        for frame in worker.frames()
        if frame[RECORD] is record
    ]
    if inside:
        raise ObjectBusy(f"{record} has threads: {', '.join(inside)}; wait for their end")
    if record.state is not record.idle or record.queue:
        raise ObjectBusy(f"messages wait for {record}; ask again when it is idle")


def _refuse_not_stored(keeper: Keeper, record: Record) -> None:
    """Raise `BadValueError` when an object would not come back as it is."""
    guard = record.guard
    if guard is None or guard.keeper is not keeper:
        raise BadValueError(f"{record} is not stored in {keeper.store.words}")
    if guard.watchers:
        raise BadValueError(f"{record} is watched, and watchers are not stored")
    if guard.meta is not None:
        raise BadValueError(f"{record} has a meta object, which is not stored")


# --- restoring ------------------------------------------------------------------------------


def restore(keeper: Keeper, row: Row, is_wanted: Callable[[], bool]) -> Record:
    """Make an object from its row, as the calling thread.

    Its class may be of a newer version, whose ``upgraded_from`` then takes the variables. Nobody
    can reach it before it is whole. Raises `NoSuchClass`, `RemoteProtocolError` for damaged bytes,
    what the hook raises, and `NoSuchObject` when the object ``is_wanted`` no longer by then.
    """
    kernel = keeper.kernel
    entry, id, version, state = read_with_class(kernel, row.data, partial(_class_for, kernel))
    acl = checked_acl(kernel.codec.decode(row.acl)) if row.acl else None
    record = _made(kernel, entry, id, version, state)
    kernel.table.reserve(id)
    if not is_wanted():
        raise NoSuchObject(f"object {id} was deleted from {keeper.store.words} meanwhile")
    if id in kernel.table.records:
        raise StoreError(f"object {id} is here already")
    kernel.table.records[id] = record
    entry.created += 1
    keeper.adopt(record, row)
    kernel.guard_of(record).acl = acl
    for service in row.services:
        _register(kernel, service, record)
    monitor.release(record)
    if "object_imported" in entry.methods:
        kernel.post_quietly(kernel.ref_to(record), "object_imported")
    return record


def _class_for(kernel: Kernel, id: Id, namespace: str, name: str, version: int) -> ClassEntry:
    """Return the class an object had, else the newest version of it."""
    try:
        return kernel.find_class((namespace, name, version))
    except NoSuchClass as missing:
        words = f"object {id} is of class {namespace}.{name} version {version}"
        try:
            newest = kernel.find_class(f"{namespace}.{name}")
        except NoSuchClass:
            raise NoSuchClass(f"{words}, which is not here; load it: {missing}") from None
    if newest.version < version:
        raise NoSuchClass(f"{words}, and the newest one here is {newest.version}")
    return newest


def _made(kernel: Kernel, entry: ClassEntry, id: Id, version: int, state: dict[str, Any]) -> Record:
    """Return an object that nobody knows, held by the calling thread."""
    instance: Any = object.__new__(entry.cls)
    record = Record(kernel, id, entry, instance)
    instance._record = record
    kernel.ref_to(record)
    record.state = current()
    if entry.version == version:
        set_variables(instance, state)
    else:
        upgrade.take_over(record, record, version, state)
    return record


def _register(kernel: Kernel, service: str, record: Record) -> None:
    try:
        kernel.services.register(service, record)
    except VistaError as error:
        _log.error("%s does not get its service name back: %s", record, error)
