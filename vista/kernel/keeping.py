"""What a kernel asks of whoever keeps objects on a disk, and how replies wait for that.

The kernel itself knows no store. `vista.persistence` puts a `Keeper` into the guard of each object
that it keeps, and a `Pager` into ``Kernel.pagers`` for those that it has and that are not here.

The reply of a thread that ended in a kept object may have to wait until what it saw is safe. Nobody
is in the object meanwhile on its account. A reply that is an error says nothing of what was
changed, and does not wait.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from vista.kernel.deletion import remove
from vista.kernel.futures import Future, wait_parked

if TYPE_CHECKING:
    from vista.ids import Id
    from vista.kernel.identity import Identity
    from vista.kernel.refs import Ref
    from vista.kernel.table import Record
    from vista.kernel.threads import Worker


class Departure(NamedTuple):
    """Where an object is about to go: what its new home is asked by whether it arrived.

    ``node`` is the new home and ``run`` its run that was prepared; ``token`` is the move's own.
    """

    node: bytes
    token: bytes
    run: bytes


class Keeper(Protocol):
    """Keeps objects, and says when what somebody saw of them is safe."""

    def note(self, record: Record) -> None:
        """Take the state of an object: an active stretch in it has ended, or nobody is in it."""

    def hold(self, record: Record) -> Future | None:
        """Return what the reply of a thread that ended in the object has to wait for, or None.

        It ends with None when the reply may leave and fails when it must not.
        """

    def forget(self, record: Record) -> None:
        """Keep the object no more: it was deleted."""

    def leave(self, record: Record, departure: Departure) -> None:
        """Note safely that the object may live elsewhere from this moment on, as a thread.

        Who restores it asks the other node first. Raises `StoreError` when that is not noted.
        """

    def stay(self, record: Record) -> None:
        """Undo `leave`: the object stays."""

    def depart(self, record: Record) -> Future | None:
        """Keep an object no more that lives elsewhere.

        Returns a future that ends when that is safe, and fails when it may not be; None when there
        is nothing to wait for.
        """


class Pager(Protocol):
    """Brings objects that are kept elsewhere when a message for one arrives.

    ``store`` names the service whose store it has, and is empty when it has none.
    """

    @property
    def store(self) -> str:
        """The name of the service."""

    def __contains__(self, id: bytes) -> bool:
        """Whether it has the object and it is not here."""

    def bring(self, id: Id, then: Callable[[BaseException | None], None]) -> None:
        """Bring an object and call ``then(None)``, or ``then(error)`` when it cannot.

        Of several for one object each is called, in order, before anybody else reaches it.
        """

    def bind(self, ref: Ref, name: str) -> Any:
        """Return what ``ref.name`` gives for an object that is to be brought first."""

    def forward(self, message: Any) -> None:
        """Hand on a message that was on its way when its object left the memory.

        See `vista.kernel.invoke.Message`.
        """


class Pagers(list[Pager]):
    """The pagers of a node, and what ``identity`` remembers of its stores."""

    def __init__(self, identity: bytes | Identity | None) -> None:
        super().__init__()
        # One that is drawn by chance has no earlier run.
        self._identity = None if isinstance(identity, bytes) else identity

    def note_store(self, name: str) -> None:
        """Remember that this node has a store, for its later runs; it may block."""
        if self._identity is not None:
            self._identity.note_store(name)

    def have_stored(self, id: bytes) -> bool:
        """Whether an object that is not here waits in an open store: the next message brings it."""
        return any(pager.store and id in pager for pager in self)

    def closed_stores(self) -> list[str]:
        """Return the stores this node had, in this run or an earlier one, that are not open.

        What they hold this node cannot know: a store may be opened after links are made.
        """
        if self._identity is None:
            return []
        return sorted(self._identity.stores.difference(pager.store for pager in self))


def reply(record: Record, future: Future, result: Any) -> None:
    """End a call with its result, as soon as the keeper of the object lets it leave."""
    held = _hold(record)
    if held is None:
        future.resolve(result)
        return
    # The thread has ended: whoever gives up the call has nothing to kill.
    future.worker = None

    def settle(held: Future) -> None:
        error = held.exception()
        if error is None:
            future.resolve(result)
        else:
            future.fail(error)

    held.on_done(settle)


def await_kept(worker: Worker, record: Record) -> None:
    """Park until what the caller of a nested thread may have seen is safe, if it must be.

    Raises `StoreError`, or `CallTimeout`.
    """
    held = _hold(record)
    if held is None:
        return
    late = None if held.done() else wait_parked(worker, held)
    if late is not None:
        raise late
    held.result()


def await_created(worker: Worker, record: Record) -> Ref:
    """As `await_kept` after an object was made; one that cannot be kept goes again."""
    try:
        await_kept(worker, record)
    except BaseException:
        remove(record.kernel, record)
        raise
    return record.kernel.ref_to(record)


def _hold(record: Record) -> Future | None:
    guard = record.guard
    if guard is None or guard.keeper is None:
        return None
    return guard.keeper.hold(record)
