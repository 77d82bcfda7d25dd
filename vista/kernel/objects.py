"""The base class of every object class, and the messages every object answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self

from vista.errors import BadValueError, ClassDefinitionError
from vista.kernel.access import AccessControlList, checked_acl
from vista.kernel.copying import copy_record
from vista.kernel.encoding import encode_record, variables_of
from vista.kernel.guard import administer, described
from vista.kernel.methods import functions_of, preemptable
from vista.kernel.outlines import outline
from vista.kernel.rows import MethodRow
from vista.records import record
from vista.values import Referable, Reference, copy_value

if TYPE_CHECKING:
    from vista.kernel.table import Record


@record
@dataclass(frozen=True, slots=True)
class ClassName:
    """The full name of a class: name space, name and version."""

    namespace: str
    name: str
    version: int

    def __str__(self) -> str:
        return f"{self.namespace}.{self.name} version {self.version}"


class Definitions:
    """How many object classes were defined in this process, so that tables know to look again.

    While ``imports`` has anything a kernel thread runs modules, and a class may be there of which
    the module is not at its end.
    """

    __slots__ = ("count", "imports")

    def __init__(self) -> None:
        self.count = 0
        self.imports: set[object] = set()


PLACEMENTS: Final = ("here", "spread")
"""What a class may say of where its objects are made; see `Object`."""

DEFINITIONS: Final = Definitions()
"""The one of this process, as Python's own list of subclasses is."""


class Object(Referable):
    """The base of every object class; class ``Object`` of the original system.

    Write a class with ordinary methods; each without a leading underscore is a message::

        class Counter(Object, namespace="Local", version=0):
            def create(self, start: int = 0):
                self.value = start

            def increment(self, by: int = 1) -> int:
                self.value += by
                return self.value

    ``create(...)`` is run once when an object is made and ``delete()`` when it is deleted; both may
    be left out. With several base classes call ``super().create(...)``. Do not call the class:
    ``vista.create("Counter", 5)`` makes an object and returns its `Ref`.

    Optional hooks: ``handle_unknown_message(name, args, kwargs)`` answers what no method does, the
    name in snake_case; ``upgraded_from(version, state)`` takes over from another version;
    ``encode()`` and ``object_imported()`` see to encoding.

    Only plain methods are messages: properties, static and class methods are for the class itself.

    Class keywords: ``namespace`` (default ``Local``), ``version`` (an int, default 0) and
    ``abstract`` (True for a class that only others inherit from).

    The class attribute ``placement`` says where objects are made when ``create`` is not told:
    ``"here"``, on the node of the calling code, or ``"spread"``, where the nodes of its mesh take
    turns.
    """

    __slots__ = ("__weakref__", "_record")

    _record: Record
    placement: ClassVar[str] = "here"
    __vista_class__: ClassVar[ClassName] = ClassName("Standard", "Object", 1)

    def __init_subclass__(
        cls,
        *,
        namespace: str = "Local",
        version: int = 0,
        abstract: bool = False,
        **keywords: Any,
    ) -> None:
        super().__init_subclass__(**keywords)
        refuse_init(cls)
        functions_of(cls)
        if not isinstance(version, int) or isinstance(version, bool) or version < 0:
            raise ClassDefinitionError(f"{cls.__qualname__}: version {version!r} is not 0, 1, 2...")
        if not isinstance(namespace, str) or not namespace.isidentifier():
            raise ClassDefinitionError(f"{cls.__qualname__}: {namespace!r} is no name space")
        if cls.placement not in PLACEMENTS:
            raise ClassDefinitionError(
                f"{cls.__qualname__}: placement is {' or '.join(map(repr, PLACEMENTS))}, not "
                f"{cls.placement!r}"
            )
        if abstract:
            cls.__vista_abstract__ = True  # type: ignore[attr-defined]
        # Last: a class that was refused must have no name of its own.
        cls.__vista_class__ = ClassName(namespace, cls.__name__, version)
        DEFINITIONS.count += 1

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        raise ClassDefinitionError(
            f'{cls.__name__}(...) makes no object; write vista.create("{cls.__name__}", ...)'
        )

    def __reference__(self) -> Reference:
        return self._record.kernel.ref_to(self._record)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._record.id}, from inside>"

    if TYPE_CHECKING:
        # So that a create with any arguments is a legal override to type checkers.
        def create(self, *args: Any, **kwargs: Any) -> None:
            """Set the object up."""
    else:

        def create(self) -> None:
            """Set the object up; run once by the runtime. This one does nothing."""

    def delete(self) -> None:
        """Tidy up; run once by the runtime before the object goes. This one does nothing.

        When it raises, the object goes all the same and whoever deleted it gets the error.
        """

    # --- deletion, access, meta ------------------------------------------------------------

    def delete_yourself(self) -> None:
        """Delete this object.

        Its ``delete`` hook is run, its service names vanish, messages that wait for it and threads
        suspended in it end with `ObjectDeleted`, and its watchers get ``object_deleted(id)``.
        Without an access list only the node's user and the object itself may do this.
        """
        self._record.kernel.delete_record(self._record)

    def set_acl(self, acl: AccessControlList | None) -> None:
        """Give the object an access list, or with None take it away.

        The list in force decides who may, and the user of the node always may: nobody can lock an
        operator out. Without a list the user of the node may, and the object itself. Raises
        `AccessDenied`, and `BadValueError` when ``acl`` is no list of rules.
        """
        checked = checked_acl(acl)
        administer(self._record, "set_acl")
        self._record.kernel.guard_of(self._record).acl = checked

    @preemptable
    def get_acl(self) -> AccessControlList | None:
        """Return the object's access list, None when it has none."""
        guard = self._record.guard
        return None if guard is None else guard.acl

    def set_meta(self, meta: Any) -> None:
        """Put another object in charge of this one, or with None take it out.

        The meta object gets ``forward_method_invocation(object, name, args, sender)`` for every
        message sent from then on except set_meta, and a dict of the keyword arguments as fifth
        argument where there are any; what it returns is the answer. ``args`` is a list, ``sender``
        a Ref or None. Its own messages reach the object. Messages the class does not answer are
        forwarded too.
        """
        administer(self._record, "set_meta")
        kernel = self._record.kernel
        kernel.guard_of(self._record).meta = None if meta is None else kernel.resolve(meta)

    # --- notification ----------------------------------------------------------------------

    def add_notify_when_modified(self, *watchers: Any) -> None:
        """Have ``object_modified(id)`` posted to Refs, Ids or service names after each change.

        It is sent when the thread that changed instance variables has ended; ``object_deleted(id)``
        on deletion. A watcher that is here already is not added twice.
        """
        targets = self._targets(watchers)
        self._record.kernel.guard_of(self._record).watch(self._record, targets)

    def remove_notify_when_modified(self, *watchers: Any) -> None:
        """Undo `add_notify_when_modified`; unknown watchers are passed over."""
        guard = self._record.guard
        for target in self._targets(watchers):
            if guard is not None:
                guard.watchers.pop(target, None)

    def _targets(self, watchers: tuple[Any, ...]) -> list[Any]:
        """Return Refs, and service names as they are: they are looked up at each notification."""
        resolve = self._record.kernel.resolve
        return [watcher if isinstance(watcher, str) else resolve(watcher) for watcher in watchers]

    # --- looking at it ---------------------------------------------------------------------

    @preemptable
    def class_of(self) -> ClassName:
        """Return the object's class: name space, name and version."""
        return self._record.entry.class_name

    @preemptable
    def methods(self) -> dict[str, MethodRow]:
        """Return what the object answers: message names with signature, docstring and marks."""
        return {
            name: MethodRow(name, str(method.signature), method.doc, method.flags)
            for name, method in sorted(self._record.entry.methods.items())
        }

    @preemptable
    def describe(self) -> dict[str, Any]:
        """Return what the object is, as a dict.

        Keys: id, class (its `ClassName`), doc, bases (nearest first), services, variables (names to
        types), methods (names), watchers (Ids and service names), acl, and meta (Id or None).
        """
        own = self._record
        return {
            "id": own.id,
            "class": own.entry.class_name,
            "doc": own.entry.doc,
            "bases": [base.__name__ for base in type(self).__mro__[1:] if issubclass(base, Object)],
            "services": list(own.services),
            "variables": self.describe_instance_variables(),
            "methods": sorted(own.entry.methods),
            **described(own.guard),
        }

    @preemptable
    def describe_instance_variables(self) -> dict[str, str]:
        """Return the names of the instance variables and the types of their values."""
        return {name: type(value).__name__ for name, value in variables_of(self).items()}

    @preemptable
    def extract_instance_variables(
        self, *names: str, outline_characters_max: int | None = None
    ) -> dict[str, Any]:
        """Return instance variables by name, all of them when none is named.

        One that is no value stands as its text. With ``outline_characters_max`` each stands as a
        text of at most so many characters, for people to look at, however much it holds. Raises
        `BadValueError` for a name unknown.
        """
        variables = variables_of(self)
        unknown = [name for name in names if name not in variables]
        if unknown:
            raise BadValueError(
                f"no instance variable {unknown[0]!r}; there are {', '.join(variables) or 'none'}"
            )
        if outline_characters_max is not None:
            most = outline_characters_max
            return {name: outline(variables[name], most) for name in names or variables}
        return {name: _as_value(variables[name]) for name in names or variables}

    def encode_object(self) -> bytes:
        """Return the bytes from which ``vista.import_object`` makes this object again."""
        return encode_record(self._record)

    def upgrade(self, version: int | None = None, timeout: float = 5.0) -> ClassName:
        """Make this object one of another version of its class, by default the newest.

        Waits up to ``timeout`` seconds for threads suspended in the object, then raises
        `ObjectBusy`; so it does at once when a method of the object itself waits for it. A class
        that was defined again under the same version counts as another one.

        The other class's ``upgraded_from(old_version, state)`` takes over the variables (a dict of
        copies, as a message would have them) if it has one; else they stay as they are. It keeps
        the object while it waits for something. When it raises, nothing was changed. Id, Refs,
        services, watchers, access list and waiting messages stay in any case.

        Returns the class as it is after. Raises `NoSuchClass` when there is no such version.
        """
        administer(self._record, "upgrade")
        return self._record.kernel.upgrade_record(self._record, version, timeout)

    def move_to(self, creator: Any, timeout: float = 5.0) -> Any:
        """Move this object to the node of an ObjectCreator; see `vista.move`. Return its Ref."""
        administer(self._record, "move_to")
        return self._record.kernel.move_record(self._record, creator, timeout)

    def copy_to(self, creator: Any = None) -> Any:
        """Copy this object to the node of an ObjectCreator; see `vista.copy`. Return its Ref."""
        administer(self._record, "copy_to")
        return copy_record(self._record, creator)

    def handle_exception(self, exception_name: str) -> None:
        """Take note of an exception, as in the original; this one logs it."""
        self._record.kernel.log.error("%s: exception %s", self._record, exception_name)


def is_abstract(cls: type[Object]) -> bool:
    """Return whether the class itself, not one it inherits from, was declared abstract."""
    return "__vista_abstract__" in vars(cls)


def refuse_init(cls: type) -> None:
    """Raise `ClassDefinitionError` when a class has an ``__init__``, which would never run.

    A decorator such as ``dataclass`` may add one after the class was defined.
    """
    if "__init__" in vars(cls):
        raise ClassDefinitionError(
            f"{cls.__qualname__}: an object is set up by create(self, ...), not by __init__"
        )


def _as_value(value: Any) -> Any:
    try:
        return copy_value(value)
    except TypeError:
        return repr(value)
