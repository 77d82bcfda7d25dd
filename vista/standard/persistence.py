"""Persistence: objects that outlive the process of their node."""

from __future__ import annotations

import logging
from typing import Any

from vista.api import current_user, register_service, send, wait
from vista.counted import counted
from vista.errors import AccessDenied, BadValueError, NoSuchObject, NoSuchService
from vista.ids import Id
from vista.kernel.current import METHOD, PARENT, RECORD, current, kernel
from vista.kernel.futures import Future
from vista.kernel.guard import is_held
from vista.kernel.kernel import Kernel
from vista.kernel.methods import preemptable
from vista.kernel.objects import Object
from vista.kernel.table import Record
from vista.persistence.keeping import Keeper
from vista.persistence.opening import DEFAULT_SERVICE, make_store
from vista.persistence.paging import StorePager
from vista.persistence.store import FLAGS, LEAVING, RESTORE_ALWAYS, TRANSIENT
from vista.standard.notices import Target

_log = logging.getLogger(__name__)


class PersistentObject(Object, namespace="Standard"):
    """What a class inherits from whose objects outlive their process.

    ``create`` does nothing: call `initialize` in the ``create`` of your own class, once its
    variables are set::

        class Account(PersistentObject):
            def create(self, owner: str) -> None:
                self.owner, self.balance = owner, 0
                self.initialize(durable=True)

    From then on the object is stored whenever a thread in it has changed its variables, its access
    list or its service names. Restored, it has its Id, variables, access list and service names;
    watchers and a meta object it has not. ``object_imported()`` is sent after every restore.

    Variables must be values; a class with others has a hook ``encode``, which returns those to
    keep. The original's PersistentObject.
    """

    def create(self) -> None:
        """Do nothing: the class that inherits says when it is to be stored."""

    def initialize(
        self, service: str = DEFAULT_SERVICE, flags: int = RESTORE_ALWAYS, durable: Any = None
    ) -> None:
        """Store this object from now on, in the store of a service of this node.

        ``flags``: 0 to restore it whenever the service starts, 1 only when it is referenced, 2 not
        at all: then the service deletes it from the store when it starts. ``durable``: True to hold
        every reply until the changes before it are safe on the disk; False to write them within
        ``limits.store_delay_seconds``; None for what the service does by default. Calling it again
        changes both.

        Raises `NoSuchService`, `BadValueError` for other flags, and `NotAValueError` when a
        variable is no value.
        """
        home = self._record.kernel
        _refuse_others(self._record, "initialize")
        keeper = home.services.get_local(service)
        if keeper is None:
            raise NoSuchService(
                f"no service {service!r} on this node; it comes from an rc line PersistenceService"
            )
        send(keeper, "make_persistent", self, flags, durable)

    def enable_persistence(
        self, service: str = DEFAULT_SERVICE, flags: int = RESTORE_ALWAYS, durable: Any = None
    ) -> None:
        """Do as `initialize`."""
        self.initialize(service, flags, durable)

    def disable_persistence(self) -> None:
        """Store this object no more, and delete it from the store."""
        _refuse_others(self._record, "disable_persistence")
        keeper = _keeper_of(self._record)
        if keeper is not None:
            keeper.release(self._record)

    def object_imported(self) -> None:
        """Sent after every restore, so that the class can find its services again."""

    @preemptable
    def get_object_data(self) -> bytes:
        """Return what is stored of the variables: the encoding of the object."""
        return self.encode_object()


class PersistenceService(Object, namespace="Standard"):
    """Keeps persistent objects in a store, and restores them.

    rc line: ``PersistenceService``, or ``PersistenceService /ObjectPager "" true``

    ``create(service_name="/ObjectPager", store="", durable=False, delay_seconds=None)`` opens the
    store, registers the service and restores what is to be restored always; when it returns they
    are there. ``store`` is the path of a file; left out, it is a file in the state directory of the
    node, ``$XDG_STATE_HOME/vista/NAME`` if nothing else was said; or it is the URL of a PostgreSQL
    database. Services of other names have
    stores of their own. ``durable`` is what holds for objects that do not say it themselves;
    ``delay_seconds`` stands in for ``limits.store_delay_seconds``.

    An object that cannot be restored, because its class is not here or refuses its state, stays in
    the store as it is; the log and `get_failures` say why, and a message to it tries again.

    Raises `StoreError` when the store is damaged, of a newer format or in use by another process.

    The original's PersistenceService, with its database inside: what its ``databaseConnected``
    began, the creation does, and `database_connected` begins it again.
    """

    def create(
        self,
        service_name: str = DEFAULT_SERVICE,
        store: str = "",
        durable: bool = False,
        delay_seconds: float | None = None,
    ) -> None:
        """Open the store and restore."""
        home = kernel()
        delay = home.limits.store_delay_seconds if delay_seconds is None else delay_seconds
        if not 0 < delay < 3600:
            raise BadValueError(f"delay_seconds lies between 0 and 3,600, not {delay!r}")
        self.service_name = service_name
        self.durable = durable
        self._keeper = Keeper(home, make_store(home, store, service_name), delay)
        self._pager = StorePager(self._keeper, service_name)
        register_service(service_name, self)
        # Before the node lets another process be it.
        home.on_close.insert(0, self._keeper.close)
        try:
            self._begin(home)
        except BaseException:
            # Also when the creation takes longer than its caller waits: the next one must find the
            # store free.
            self._let_go(home)
            raise

    def _begin(self, home: Kernel) -> None:
        keeper = self._keeper
        wait(keeper.in_kernel_thread(keeper.open))
        known = wait(keeper.in_kernel_thread(keeper.store.known))
        # Before an object is kept: a later run must not speak for this store unopened.
        wait(keeper.in_kernel_thread(lambda: home.pagers.note_store(self.service_name)))
        self._pager.known.update((row.key, row) for row in known)
        self._remove_transient()
        if home.elsewhere is not None:
            home.elsewhere.withdraw_copies(self._pager.known, self.service_name)
        home.pagers.append(self._pager)
        self._promise_services()
        self._restore_all()

    def _let_go(self, home: Kernel) -> None:
        close = self._keeper.close
        if self._pager in home.pagers:
            home.pagers.remove(self._pager)
        if close in home.on_close:
            home.on_close.remove(close)
        close()

    def delete(self) -> None:
        """Write what is left, and let the store go; its objects stay and are not stored further.

        They do not move away as long as the store has them and nobody has opened it again.
        """
        home = kernel()
        if self._pager in home.pagers:
            home.pagers.remove(self._pager)
        self._keeper.flush().exception()
        self._let_go(home)

    # --- messages --------------------------------------------------------------------------

    @preemptable
    def make_persistent(
        self, target: Target, flags: int = RESTORE_ALWAYS, durable: bool | None = None
    ) -> None:
        """Store an object of this node from now on; see `PersistentObject.initialize`.

        It need not inherit from PersistentObject. Raises `AccessDenied` for another than the node's
        own user or the object itself.
        """
        home = kernel()
        if type(flags) is not int or flags not in FLAGS:
            raise BadValueError(f"flags are 0 (always), 1 (when referenced) or 2, not {flags!r}")
        record = self._brought(target)
        _refuse_others(record, "make_persistent")
        other = _keeper_of(record)
        if other is not None and other is not self._keeper:
            other.release(record)
        idle = not is_held(record)
        if idle:
            data = home.invoker.encoded(record)
            if isinstance(data, BaseException):
                raise data
        self._keeper.keep(record, flags, self.durable if durable is None else bool(durable))
        if idle:
            # Else it is stored when the thread in it ends, and that one's reply waits.
            self._keeper.note(record)
            _await(self._keeper.hold(record))

    @preemptable
    def disable_persistence(self, target: Target) -> None:
        """Store an object no more, and delete it from the store."""
        record = self._brought(target)
        _refuse_others(record, "disable_persistence")
        self._keeper.release(record)
        _await(self._keeper.hold(record))

    @preemptable
    def object_modified(self, target: Target) -> None:
        """Look whether an object has changed; needed only for what changes without a message."""
        record = self._brought(target)
        if not is_held(record):
            self._keeper.note(record)

    @preemptable
    def object_deleted(self, target: Id) -> None:
        """Delete an object from the store that is not here, such as one whose class is lost.

        Raises `AccessDenied` for another than the node's own user, and `NoSuchObject`.
        """
        home = kernel()
        if current_user() != home.user:
            raise AccessDenied(f"user {current_user()!r} may not delete stored objects")
        if not self._pager.forget(target):
            raise NoSuchObject(f"no object {target} waits in {self._keeper.store.words}")
        self._keeper.remove(bytes(target))
        _await(self._keeper.flush())

    @preemptable
    def page_out(self, target: Target) -> None:
        """Give back the memory of an object that is stored here, until somebody wants it again.

        When it returns the state of the object is written and its variables are not in memory; Id,
        access list and service names stay, and the next message brings it as it brings one of flag
        1. Does nothing for one that is not in memory.

        Raises `ObjectBusy` while threads are in the object or messages wait for it,
        `BadValueError` when it is not stored here, is watched or has a meta object, which are not
        stored, `StoreError`, and `AccessDenied` for another than the node's own user.
        """
        home = kernel()
        if current_user() != home.user:
            raise AccessDenied(f"user {current_user()!r} may not send page_out")
        ref = home.resolve(target)
        if ref._id not in self._pager:
            self._pager.send_out(home.record_of(ref))

    @preemptable
    def database_connected(self, database: Any = None) -> None:
        """Try at once what went wrong with the store: restore what could not be, write what waits.

        For whoever mended the store or loaded a class that was missing; by itself an object is
        tried again when somebody wants it, and a write after a pause. ``database`` says for the log
        who tells. Raises `StoreError` when the store still fails, and `AccessDenied` for another
        than the node's own user.

        In the original the database, a process of its own, sent it when it had connected.
        """
        home = kernel()
        if current_user() != home.user:
            raise AccessDenied(f"user {current_user()!r} may not send database_connected")
        _log.info("%s is tried again, as %s says", self._keeper.store.words, database or "somebody")
        self._restore_all()
        _await(self._keeper.flush())

    @preemptable
    def flush(self) -> None:
        """Write everything that waits, and return when it is safe. Raises `StoreError`."""
        _await(self._keeper.flush())

    @preemptable
    def get_state(self) -> dict[str, Any]:
        """Return how it stands.

        ``store`` in words; ``kept``, how many objects of the store are here, and ``waiting``, how
        many are not; ``commits`` since the start.
        """
        return {
            "store": self._keeper.store.words,
            "kept": len(self._keeper.kept),
            "waiting": len(self._pager.known),
            "commits": self._keeper.commits,
        }

    @preemptable
    def get_failures(self) -> dict[Id, str]:
        """Return the Ids of objects that could not be restored, and why."""
        return {Id(key): words for key, words in self._pager.failures.items()}

    def _brought(self, target: Target) -> Record:
        """Return the record of an object of this node, brought if it waits in the store."""
        ref = kernel().resolve(target)
        if ref._id in self._pager:
            ended = Future(kernel(), None, f"bringing {ref._id}")
            self._pager.bring(
                ref._id,
                lambda error: ended.resolve(None) if error is None else ended.fail(error),
            )
            ended.result()
        return kernel().record_of(ref)

    # --- the start -------------------------------------------------------------------------

    def _remove_transient(self) -> None:
        known = self._pager.known
        for key in [key for key, row in known.items() if row.flags & ~LEAVING == TRANSIENT]:
            del known[key]
            self._keeper.remove(key)

    def _promise_services(self) -> None:
        home = kernel()
        for key, row in self._pager.known.items():
            for name in row.services:
                home.services.promise(name, home.ref(Id(key)))

    def _restore_all(self) -> None:
        known, sent_out = self._pager.known.values(), self._pager.sent_out
        wanted = [row.key for row in known if row.flags == RESTORE_ALWAYS]
        always = [Id(key) for key in wanted if key not in sent_out]
        for start in range(0, len(always), _RESTORED_AT_ONCE):
            # What went wrong is in the log and in get_failures.
            self._pager.bring_together(always[start : start + _RESTORED_AT_ONCE])
        for row in list(known):
            if row.flags & LEAVING:
                # Not waited for: the node that is asked may be away for long.
                self._pager.bring(Id(row.key), lambda _: None)
        if self._pager.failures:
            words = counted(len(self._pager.failures), "stored object was", "stored objects were")
            _log.error("%s not restored", words)


_ASKING = ("initialize", "enable_persistence", "make_persistent", "disable_persistence")
"""Messages by which somebody may ask that an object be stored, or no more."""

_RESTORED_AT_ONCE = 64
"""Objects that are read and made at a time when a service starts."""


def _await(held: Future | None) -> None:
    if held is not None:
        held.result()


def _keeper_of(record: Record) -> Keeper | None:
    keeper = None if record.guard is None else record.guard.keeper
    return keeper if isinstance(keeper, Keeper) else None


def _refuse_others(record: Record, what: str) -> None:
    """Raise `AccessDenied` unless the node's own user asks, or the object itself."""
    user = current_user()
    frame: Any = current().frame
    if frame[METHOD].name in _ASKING:
        frame = frame[PARENT]
    own = frame is not None and frame[RECORD] is record
    if user != record.kernel.user and not own:
        raise AccessDenied(f"user {user!r} may not send {what} to {record}")
