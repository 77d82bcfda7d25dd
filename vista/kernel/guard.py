"""Guards: what the runtime has to look after at some objects, and not at the others.

An object gets a guard with its first access list, watcher or meta object, and then leaves the hot
path for ever. An object without one pays nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vista.errors import AccessDenied, NoSuchMethod, NotAValueError
from vista.kernel.access import ADMINISTERING, AccessControlList
from vista.kernel.current import METHOD, PARENT, RECORD, Context, Frame, acting, current
from vista.kernel.encoding import variables_of
from vista.kernel.methods import MethodEntry
from vista.kernel.table import GONE

if TYPE_CHECKING:
    from vista.ids import Id
    from vista.kernel.classes import ClassEntry
    from vista.kernel.keeping import Keeper
    from vista.kernel.table import Record

_ALWAYS_OWN = frozenset({"set_acl", "get_acl"})


class Guard:
    """Access list, watchers and meta object of one object.

    ``watchers`` are the targets (Refs or service names) that get ``object_modified`` and
    ``object_deleted``. A change is found by comparing the encoded variables at the end of each
    active stretch of a thread with those at the last one; so changes deep inside count too.
    ``keeper`` is who keeps the object on a disk.
    """

    __slots__ = ("_changed", "_prints", "acl", "keeper", "meta", "watchers")

    def __init__(self) -> None:
        self.acl: AccessControlList | None = None
        self.watchers: dict[Any, None] = {}
        self.meta: Any = None
        self.keeper: Keeper | None = None
        self._prints: dict[str, Any] = {}
        self._changed: dict[int, Frame] = {}

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
        raise refused(record, f"user {user!r} may not send {method.name} to {record}")

    # --- meta objects ----------------------------------------------------------------------

    def in_charge(self, method: MethodEntry, sender: Frame | None) -> MethodEntry:
        """Return what a message is to run: its method, or one that forwards it to the meta object.

        ``sender`` is the frame that sends it. What the meta object sends, also in a chain of calls
        or by post, goes to the object; so does set_meta. Of a meta object on another node the chain
        shows at least the message that was forwarded to it.
        """
        meta = self.meta
        if meta is None or method.forwards or method.name == "set_meta":
            return method
        while sender is not None:
            if sender[RECORD].ref == meta or (
                sender[METHOD].forwards and sender[RECORD].guard is self
            ):
                return method
            sender = sender[PARENT]
        return _forwarding(method, meta)

    # --- watchers --------------------------------------------------------------------------

    def watch(self, record: Record, targets: list[Any]) -> None:
        """Add watchers; the first ones take the present state as that from which changes count."""
        if targets and not self.watchers:
            self._prints = _fingerprint(record)
            self._changed.clear()
        self.watchers.update(dict.fromkeys(targets))

    def thread_begins(self, record: Record, frame: Frame) -> None:
        """Credit what was changed so far to the thread into whose active stretch ``frame`` falls.

        That is a thread of its own chain, or any thread when ``frame`` is preemptable.
        """
        if not self.watchers:
            return
        active: Frame | None = getattr(record.state, "frame", None)
        if active is frame:
            active = frame[PARENT]
        while active is not None and active[RECORD] is not record:
            active = active[PARENT]
        if active is not None:
            self.note_changes(record, active)

    def note_changes(self, record: Record, frame: Frame) -> None:
        """At the end of an active stretch: remember whether ``frame`` changed variables."""
        if record.idle is GONE:
            return
        # A preemptable method may end while another one is half way; that one's end counts then.
        if self.keeper is not None and not (frame[METHOD].preemptable and is_held(record)):
            self.keeper.note(record)
        if not self.watchers:
            return
        prints = _fingerprint(record)
        if prints != self._prints:
            self._prints = prints
            self._changed[id(frame)] = frame

    def thread_ended(self, record: Record, frame: Frame) -> None:
        """Tell the watchers if the thread that ended changed variables."""
        if self._changed.pop(id(frame), None) is not None:
            self.tell(record, "object_modified")

    def object_deleted(self, record: Record) -> None:
        """Tell the watchers that the object is gone; they hear nothing of it after that."""
        if self.keeper is not None:
            self.keeper.forget(record)
        self.tell(record, "object_deleted")
        self.watchers.clear()

    def tell(self, record: Record, message: str) -> None:
        """Post ``message(id)`` to every watcher."""
        for watcher in list(self.watchers):
            record.kernel.post_quietly(watcher, message, record.id)


def is_held(record: Record) -> bool:
    """Return whether a thread is active in the object."""
    return isinstance(record.state, Context)


def note_outside(record: Record) -> None:
    """Have the keeper of an object note what changed about it without a thread in it."""
    guard = record.guard
    if guard is not None and guard.keeper is not None and not is_held(record):
        guard.keeper.note(record)


def administer(record: Record, method: str) -> None:
    """Raise `AccessDenied` when the calling code may not administer the object.

    With an access list the list decides, when the message arrives. Without one only the user of the
    node may, and the object itself.
    """
    assert method in ADMINISTERING
    kernel = record.kernel
    user = kernel.context_user()
    if user == kernel.user or (record.guard is not None and record.guard.acl is not None):
        return
    if not _acts_itself(record, method):
        raise refused(
            record, f"user {user!r} may not send {method} to {record} without access list"
        )


def _acts_itself(record: Record, method: str) -> bool:
    """Whether the code that runs is the object's own, or a message that it sent to itself."""
    frame = current().frame
    if frame is not None and frame[RECORD] is record and frame[METHOD].name == method:
        frame = acting(frame[PARENT])
    return frame is not None and frame[RECORD] is record


def refused(record: Record, text: str) -> AccessDenied:
    """Return the error for a refusal, after taking note of it."""
    record.kernel.note_refusal(text)
    return AccessDenied(text)


def unanswered(entry: ClassEntry, name: str) -> MethodEntry:
    """Return the method of a message that the class does not answer: it raises `NoSuchMethod`.

    For objects with a guard, where the access list and the meta object come first.
    """

    def run(instance: Any, *args: Any, **kwargs: Any) -> Any:
        raise NoSuchMethod(entry.explain(name))

    return MethodEntry(name, run, run, entry.full_name)


def _forwarding(method: MethodEntry, meta: Any) -> MethodEntry:
    """Return the method that hands a message to the meta object; it takes no turn in the object."""

    def run(instance: Any, *args: Any, **kwargs: Any) -> Any:
        if method.name in ADMINISTERING:
            # Here the sender is known; an object in charge of itself would be taken for it below.
            administer(instance._record, method.name)
        parent = acting(current().frame[PARENT])
        sender = None if parent is None else parent[RECORD].ref
        named = (kwargs,) if kwargs else ()
        return meta.forward_method_invocation(instance, method.name, list(args), sender, *named)

    made = MethodEntry(method.name, run, run, method.class_name)
    made.preemptable = made.forwards = True
    return made


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


def described(guard: Guard | None) -> dict[str, Any]:
    """Return what a description tells of an object's guard; Ids stand for objects."""
    if guard is None:
        return {"watchers": [], "acl": None, "meta": None}
    return {
        "watchers": [_name(watcher) for watcher in guard.watchers],
        "acl": guard.acl,
        "meta": None if guard.meta is None else _name(guard.meta),
    }


def _name(target: Any) -> Id | str:
    name: Id | str = target if isinstance(target, str) else target._id
    return name
