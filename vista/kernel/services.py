"""Services: names for objects, usable wherever an Id may stand."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from vista.errors import BadValueError, CallTimeout, NoSuchService, ServiceTaken
from vista.kernel.current import current
from vista.kernel.guard import note_outside

if TYPE_CHECKING:
    from vista.kernel.kernel import Kernel
    from vista.kernel.refs import Ref
    from vista.kernel.table import Record


SHARED: Final = "JobServer/"
"""How names begin of which peers hear without an AnnounceServices: they are of use to others."""


class ServiceTable:
    """The service names of one node. One object may have several; a name has one object.

    ``watchers`` are called with each name that appears, here or at a peer.
    """

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._refs: dict[str, Ref] = {}
        self._waiting: dict[str, list[Any]] = {}
        self.watchers: list[Callable[[str], None]] = []

    def register(self, name: str, record: Record) -> None:
        """Give an object a service name.

        Registering the same object again does nothing. Raises `ServiceTaken` when another object
        has the name and `BadValueError` when the text cannot be one.
        """
        self._check(name)
        ref = self._kernel.ref_to(record)
        holder = self._refs.get(name)
        if holder is not None:
            if holder == ref and name in record.services:
                return
            if holder != ref:
                raise ServiceTaken(f"service {name!r} is provided by {holder!r} already")
        self._refs[name] = ref
        _add_name(record, name)
        note_outside(record)
        self._tell(name, record)
        self.appeared(name)

    def unregister(self, name: str) -> None:
        """Withdraw a service name. Raises `NoSuchService` when no object here has it."""
        record = self.lookup(name)._record
        if self._refs.pop(name, None) is None:
            raise NoSuchService(f"service {name!r} is provided by another node")
        if record.services:
            _take_name(record, name)
            note_outside(record)
        self._tell(name, None)

    def promise(self, name: str, ref: Ref) -> None:
        """Let a name mean an object that is brought when a message for it arrives."""
        if self._refs.setdefault(name, ref) is ref:
            self._tell(name, ref._record)
            self.appeared(name)

    def _tell(self, name: str, record: Record | None) -> None:
        elsewhere = self._kernel.elsewhere
        if elsewhere is not None:
            elsewhere.on_service(name, record)

    def forget(self, record: Record) -> None:
        """Withdraw every name of an object that is deleted."""
        names, record.services = record.services, ()
        for name in names:
            del self._refs[name]
            self._tell(name, None)

    def get(self, name: str) -> Ref | None:
        """Return the provider of a service, here or else on the nearest node; None without one."""
        ref = self._refs.get(name)
        if ref is None and self._kernel.elsewhere is not None:
            ref = self._kernel.elsewhere.provider(name)
        return ref

    def get_local(self, name: str) -> Ref | None:
        """Return the provider of a service on this node, or None."""
        return self._refs.get(name)

    def appeared(self, name: str) -> None:
        """Wake those who wait for a service, and tell the watchers; another node may provide it."""
        for wake in self._waiting.pop(name, ()):
            wake()
        for watcher in list(self.watchers):
            watcher(name)

    def lookup(self, name: str) -> Ref:
        """Return the provider of a service. Raises `NoSuchService` with near misses."""
        self._check(name)
        ref = self.get(name)
        if ref is None:
            near = difflib.get_close_matches(name, self._refs, 3, 0.6)
            hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
            raise NoSuchService(f"no service {name!r}{hint}")
        return ref

    def wait(self, name: str, seconds: float | None) -> Ref:
        """Park until somebody registers the name, ``seconds`` at most; then `CallTimeout`."""
        self._check(name)
        kernel = self._kernel
        bound = kernel.limits.call_seconds if seconds is None else seconds
        if not bound >= 0:
            raise BadValueError(f"a wait takes a number of seconds from 0, not {seconds!r}")
        due = kernel.hub.time() + bound
        # More than once: the service may be withdrawn again before this thread gets its turn.
        while (ref := self.get(name)) is None:
            self._park(name, due)
        return ref

    def _park(self, name: str, due: float) -> None:
        worker: Any = current()
        number = worker.parking + 1
        late = CallTimeout(f"no service {name!r} appeared in time")

        def wake() -> None:
            worker.wake(number)

        self._waiting.setdefault(name, []).append(wake)
        timer = self._kernel.timers.call_at(due, lambda: worker.wake(number, error=late))
        try:
            worker.park(f"service {name!r}")
        finally:
            timer.cancel()
            wakes = self._waiting.get(name, [])
            if wake in wakes:
                wakes.remove(wake)
                if not wakes:
                    del self._waiting[name]

    def waited_for(self) -> list[str]:
        """Return the names that threads wait for, in alphabetical order."""
        return sorted(self._waiting)

    def items(self) -> list[tuple[str, Ref]]:
        """Return every name and its provider, by name."""
        return sorted(self._refs.items(), key=lambda item: item[0])

    def _check(self, name: str) -> None:
        longest = self._kernel.limits.name_characters_max
        if not isinstance(name, str) or not 0 < len(name) <= longest or not name.isprintable():
            raise BadValueError(
                f"{name!r} cannot be a service name: 1 to {longest} printable characters"
            )


def _add_name(record: Record, name: str) -> None:
    known = record.services
    if isinstance(known, dict):
        known[name] = None
    else:
        record.services = dict.fromkeys((*known, name)) if known else (name,)


def _take_name(record: Record, name: str) -> None:
    known = record.services
    if isinstance(known, dict) and len(known) > 1:
        # In a tuple each of n names would cost n to withdraw: 160 us with 10,000 of them.
        known.pop(name, None)
    elif name in known:
        record.services = ()
