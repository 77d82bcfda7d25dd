"""Guards: what the runtime has to look after at some objects, and not at the others.

An object gets a guard with its first access list, watcher or meta object, and then leaves the hot
path for ever. An object without one pays nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vista.errors import AccessDenied, NotAValueError
from vista.kernel.access import ADMINISTERING, AccessControlList
from vista.kernel.current import PARENT, RECORD, Frame
from vista.kernel.encoding import variables_of

if TYPE_CHECKING:
    from vista.ids import Id
    from vista.kernel.methods import MethodEntry
    from vista.kernel.table import Record

_ALWAYS_OWN = frozenset({"set_acl", "get_acl"})


class Guard:
    """Access list, watchers and meta object of one object.

    ``watchers`` are the targets (Refs or service names) that get ``object_modified`` and
    ``object_deleted``. A change is found by comparing the encoded variables at the end of each
    active stretch of a thread with those at the last one; so changes deep inside count too.
    """

    __slots__ = ("_changed", "_prints", "acl", "meta", "watchers")

    def __init__(self) -> None:
        self.acl: AccessControlList | None = None
        self.watchers: dict[Any, None] = {}
        self.meta: Any = None
        self._prints: dict[str, Any] = {}
        self._changed: list[Frame] = []

    # --- access ----------------------------------------------------------------------------

    def check_access(self, record: Record, method: MethodEntry, user: str) -> None:
        """Raise `AccessDenied` unless ``user`` may send this message to the object.

        The node's own user may always read and set the access list: an operator cannot be locked
        out of an object by a slip.
        """
        acl = self.acl
        kernel = record.kernel
        if acl is None or acl.allows(user, method.name):
            return
        if user == kernel.user and method.name in _ALWAYS_OWN:
            return
        kernel.counters.access_denied += 1
        text = f"user {user!r} may not send {method.name} to {record}"
        kernel.log.warning("access denied: %s", text)
        raise AccessDenied(text)

    # --- meta objects ----------------------------------------------------------------------

    def meta_for(self, method: MethodEntry, frame: Frame) -> Any:
        """Return the meta object that gets this message, or None when the object itself does.

        What the meta object sends, in whatever chain of calls, goes to the object; so does set_meta.
        """
        meta = self.meta
        if meta is None or method.name == "set_meta":
            return None
        parent = frame[PARENT]
        while parent is not None:
            if parent[RECORD].ref == meta:
                return None
            parent = parent[PARENT]
        return meta

    # --- watchers --------------------------------------------------------------------------

    def start_watching(self, record: Record) -> None:
        """Take the present state as that from which changes count."""
        if not self._prints:
            self._prints = _fingerprint(record)

    def note_changes(self, record: Record, frame: Frame) -> None:
        """At the end of an active stretch: remember whether ``frame`` changed variables."""
        if not self.watchers:
            return
        prints = _fingerprint(record)
        if prints != self._prints:
            self._prints = prints
            if not any(known is frame for known in self._changed):
                self._changed.append(frame)

    def thread_ended(self, record: Record, frame: Frame) -> None:
        """Tell the watchers if the thread that ended changed variables."""
        for number, known in enumerate(self._changed):
            if known is frame:
                del self._changed[number]
                self.tell(record, "object_modified")
                return

    def tell(self, record: Record, message: str) -> None:
        """Post ``message(id)`` to every watcher."""
        for watcher in list(self.watchers):
            record.kernel.post_quietly(watcher, message, record.id)


def administer(record: Record, method: str, user: str) -> None:
    """Raise `AccessDenied` when ``user`` may not administer an object without access list.

    With a list the list decides; without one only the user of the node may.
    """
    assert method in ADMINISTERING
    if user == record.kernel.user or (record.guard is not None and record.guard.acl is not None):
        return
    record.kernel.counters.access_denied += 1
    raise AccessDenied(f"user {user!r} may not send {method} to {record}: it has no access list")


def _fingerprint(record: Record) -> dict[str, Any]:
    """Return the encoded variables; one that is no value stands for itself by identity."""
    encode = record.kernel.codec.encode_canonical
    prints: dict[str, Any] = {}
    for name, value in variables_of(record.instance).items():
        try:
            prints[name] = encode(value)
        except NotAValueError:
            prints[name] = _Same(value)
    return prints


class _Same:
    """Equal only for the very same object, which it keeps alive so that its identity stays."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.value is self.value

    def __hash__(self) -> int:
        return id(self.value)


def watcher_ids(guard: Guard | None) -> list[Id]:
    """Return the Ids of the watchers that are objects, for descriptions."""
    if guard is None:
        return []
    return [watcher._id for watcher in guard.watchers if not isinstance(watcher, str)]
