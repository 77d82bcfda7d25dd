"""Object classes as a node knows them: name space, name and version.

Several versions of a class live side by side. A bare name means the newest version in any name
space; ``Space.Name`` the newest there; ``[space, name, version]`` exactly one. Classes defined in
Python are found by themselves; `ClassTable.add` makes one known at once.
"""

from __future__ import annotations

import difflib
import importlib
import inspect
import sys
import unicodedata
from collections.abc import Callable, Sequence
from typing import Any, Final

from vista.errors import ClassDefinitionError, NoSuchClass
from vista.kernel.coroutines import run_coroutine
from vista.kernel.methods import LIFECYCLE, MethodEntry, functions_of
from vista.kernel.natives import run_native
from vista.kernel.objects import DEFINITIONS, ClassName, Object, is_abstract, refuse_init

ClassSpecifier = str | type[Object] | Sequence[Any] | ClassName
"""How a class may be named: see `ClassTable.resolve`."""

# A name and not an import: the kernel stands below vista.standard. Its table of class names is
# data, read when a name is not found otherwise, so that no class is imported unasked.
_STANDARD: Final = "vista.standard"
_INSTALLED: Final = "vista.standard.installed"


class ClassEntry:
    """One version of one class on one node: its methods, counters and how to make an object.

    ``methods`` maps message names to entries; ``create`` and ``delete`` are the class's hooks, None
    where the class has only the empty ones of `Object`. ``is_spread`` tells that the nodes of the
    mesh take turns in making its objects.
    """

    __slots__ = (
        "cls",
        "create",
        "created",
        "delete",
        "deleted",
        "is_spread",
        "methods",
        "name",
        "namespace",
        "unknown",
        "upgraded_from",
        "version",
    )

    def __init__(self, cls: type[Object]) -> None:
        name = cls.__vista_class__
        self.cls = cls
        self.namespace = name.namespace
        self.name = name.name
        self.version = name.version
        self.is_spread = cls.placement == "spread"
        self.created = 0
        self.deleted = 0
        functions = functions_of(cls)
        entries = {name: self._entry(name, function) for name, function in functions.items()}
        hooks = {name: entries.pop(name, None) for name in LIFECYCLE}
        self.methods = entries
        self.create = hooks["create"] if functions["create"] is not Object.create else None
        self.delete = hooks["delete"] if functions["delete"] is not Object.delete else None
        self.unknown = hooks["handle_unknown_message"]
        self.upgraded_from = hooks["upgraded_from"]

    def _entry(self, name: str, function: Callable[..., Any]) -> MethodEntry:
        entry = MethodEntry(name, function, function, self.full_name)
        if entry.is_async:
            entry.run = run_coroutine(function)
        elif entry.native:
            entry.run = run_native(function)
        return entry

    @property
    def full_name(self) -> str:
        """Name space and name: ``Local.Counter``."""
        return f"{self.namespace}.{self.name}"

    @property
    def class_name(self) -> ClassName:
        """The class as a value."""
        return ClassName(self.namespace, self.name, self.version)

    @property
    def doc(self) -> str:
        """The docstring of the class."""
        return (self.cls.__doc__ or "").strip()

    @property
    def signature(self) -> inspect.Signature:
        """The arguments that ``create`` takes."""
        hook = self.create
        if hook is None:
            hook = self._entry("create", Object.create)
        return hook.signature

    def method_for(self, name: str) -> MethodEntry | None:
        """Return what answers a message: its method, or ``handle_unknown_message`` in its name.

        None when nothing does.
        """
        found = self.methods.get(name)
        if found is not None or self.unknown is None:
            return found
        if name in LIFECYCLE or name.startswith("_"):
            return None
        return _answering(self.unknown, name)

    def counted(self) -> list[MethodEntry]:
        """Return every method whose calls are counted: the messages, and the hooks it has."""
        hooks = (self.create, self.unknown)
        return [*self.methods.values(), *(hook for hook in hooks if hook is not None)]

    def explain(self, name: str) -> str:
        """Return the text of `NoSuchMethod` for a message the class does not answer."""
        if name in LIFECYCLE:
            return f"{name} is no message: the runtime calls {self.full_name}.{name} by itself"
        attribute = inspect.getattr_static(self.cls, name, None)
        if attribute is not None:
            kind = type(attribute).__name__
            hint = f": its {name} is a {kind}, and only plain methods are messages"
        else:
            near = difflib.get_close_matches(name, self.methods, 3, 0.6)
            hint = f"; did you mean {' or '.join(near)}?" if near else ""
        return f"{self.full_name} has no method {name!r}{hint}"

    def __repr__(self) -> str:
        return f"<{self.full_name} version {self.version}>"


def _answering(hook: MethodEntry, name: str) -> MethodEntry:
    """Return the method by which ``handle_unknown_message`` answers one message.

    It has the message's own name, by which an access list judges it and ``vista.threads`` lists it.
    """

    def run(instance: Object, *args: Any, **kwargs: Any) -> Any:
        hook.calls += 1
        return hook.run(instance, name, list(args), kwargs)

    return MethodEntry(name, hook.function, run, hook.class_name)


class ClassTable:
    """The classes of one node.

    A class has its entry from the moment somebody asks for it: a process knows many classes, a
    node looks through all of them before it has made its first object, and most are never used.

    ``found`` keeps what names meant at the last look, valid while ``definitions`` is the number of
    classes defined in the process. Classes whose objects are spread are kept apart, so that making
    any other object need not ask. ``make_entry`` makes the entries; simulations put one there
    whose methods are watched.
    """

    def __init__(self) -> None:
        self.make_entry: Callable[[type[Object]], ClassEntry] = ClassEntry
        self._entries: dict[type[Object], ClassEntry] = {}
        self._classes: dict[tuple[str, str, int], type[Object]] = {}
        self._installed: dict[str, str] | None = None
        self._named: set[type[Object]] = set()
        self.found: dict[Any, ClassEntry] = {}
        self._spread: dict[Any, ClassEntry] = {}
        self.definitions = -1

    def add(self, cls: type[Object]) -> ClassEntry:
        """Make a class known under its name and version and return its entry.

        A later class of the same name and version replaces the earlier one for new objects. An
        abstract class gets an entry but cannot be found by name. Raises `ClassDefinitionError`
        when ``cls`` is not a subclass of `Object`, or got an ``__init__`` after its definition.
        """
        if not (isinstance(cls, type) and issubclass(cls, Object)):
            raise ClassDefinitionError(
                f"{cls!r} cannot be an object class: write class "
                f"{getattr(cls, '__name__', 'Name')}(vista.Object)"
            )
        refuse_init(cls)
        entry = self._entry_of(cls)
        if not is_abstract(cls):
            self._name(cls)
        return entry

    def _name(self, cls: type[Object]) -> None:
        name = cls.__vista_class__
        self._classes[name.namespace, name.name, name.version] = cls
        self._named.add(cls)
        self.found.clear()
        self._spread.clear()

    def _entry_of(self, cls: type[Object]) -> ClassEntry:
        entry = self._entries.get(cls)
        if entry is None:
            entry = self._entries[cls] = self.make_entry(cls)
        return entry

    def entries(self) -> list[ClassEntry]:
        """Return every class that can be found by name, by name space, name and version."""
        self._discover()
        return [self._entry_of(self._classes[key]) for key in sorted(self._classes)]

    def all_entries(self) -> list[ClassEntry]:
        """Return every class of which there may be objects, those defined again since included."""
        return list(self._entries.values())

    def resolve(self, name: ClassSpecifier) -> ClassEntry:
        """Return the entry of a class.

        ``name`` is the class itself, a bare name (newest version, any name space),
        ``Space.Name`` (newest version there) or ``[space, name, version]``, where a version of
        None means the newest. Raises `NoSuchClass` with near misses.
        """
        if isinstance(name, type):
            known = self._entries.get(name) or self.add(name)
            if is_abstract(name):
                raise ClassDefinitionError(
                    f"{known.full_name} is abstract: it is there for others to inherit from"
                )
            if not known.is_spread:
                self.found[name] = known
            return known
        if DEFINITIONS.count != self.definitions:
            self._discover()
        key: Any = name if isinstance(name, str) else parts_of(name)
        entry = self.found.get(key) or self._spread.get(key)
        if entry is None:
            entry = self._find(key)
            (self._spread if entry.is_spread else self.found)[key] = entry
        return entry

    def _find(self, key: str | tuple[Any, ...]) -> ClassEntry:
        namespace, name, version = _parse(key) if isinstance(key, str) else key
        # Python keeps identifiers in this form, whatever form the file had.
        name = unicodedata.normalize("NFKC", name)
        for attempt in range(2):
            matching = [
                key
                for key in self._classes
                if key[1] == name and namespace in (None, key[0]) and version in (None, key[2])
            ]
            if matching:
                # Between name spaces of the same version a site's own class wins over Standard's.
                newest = max(matching, key=lambda key: (key[2], key[0] == "Local"))
                return self._entry_of(self._classes[newest])
            if attempt or not self._import_installed(name):
                break
        raise NoSuchClass(self._explain(namespace, name, version))

    def knows(self, name: str) -> bool:
        """Return whether a class of this bare name is there without an import."""
        if DEFINITIONS.count != self.definitions:
            self._discover()
        return any(key[1] == name for key in self._classes)

    def module_of(self, name: str) -> str | None:
        """Return where Standard or an installed application has a class of this bare name."""
        module: str | None = importlib.import_module(_STANDARD).CLASSES.get(name)
        if module is None:
            if self._installed is None:
                # Kept, since it takes 25 ms and any peer may ask for names that nobody has.
                self._installed = importlib.import_module(_INSTALLED).installed_classes()
            module = self._installed.get(name)
        return module

    def _import_installed(self, name: str) -> bool:
        """Import the class of this name that Standard or an installed application has."""
        module = self.module_of(name)
        if module is None:
            return False
        self.add(getattr(importlib.import_module(module), name))
        return True

    def _discover(self) -> None:
        """Take in the classes that were defined since the last look."""
        self.definitions = DEFINITIONS.count
        waiting: list[type[Object]] = [Object]
        while waiting:
            cls = waiting.pop(0)
            waiting += cls.__subclasses__()
            # A class that its definition refused has no name of its own, yet stays among the
            # subclasses of its base as long as somebody keeps the exception.
            usable = "__vista_class__" in vars(cls) and "__init__" not in vars(cls)
            if usable and cls not in self._named and not is_abstract(cls):
                if DEFINITIONS.imports and _is_half(cls):
                    # Its functions may want what its module does not have yet. Who needs it
                    # imports the module, which waits.
                    self.definitions = -1
                else:
                    self._name(cls)

    def _explain(self, namespace: str | None, name: str, version: int | None) -> str:
        said = name if namespace is None else f"{namespace}.{name}"
        if version is not None:
            said = f"{said} version {version}"
        known = [key for key in self._classes if key[1] == name]
        versions = sorted(key[2] for key in known if key[0] == namespace)
        if versions:
            return f'no class "{said}"; its versions here are {", ".join(map(str, versions))}'
        near = sorted({f"{key[0]}.{key[1]}" for key in known}) or self.near_misses(name)
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        return f'no class "{said}"{hint}'

    def near_misses(self, name: str) -> list[str]:
        """Return up to three known class names that look like ``name``."""
        standard = importlib.import_module(_STANDARD).CLASSES
        names = {key[1] for key in self._classes} | set(standard)
        lowered = {known.lower(): known for known in sorted(names)}
        close = difflib.get_close_matches(name.lower(), lowered, 3, 0.7)
        return [lowered[known] for known in close]


def _is_half(cls: type[Object]) -> bool:
    """Whether the module of a class is still being run; Python's own import asks the same way."""
    spec = getattr(sys.modules.get(cls.__module__), "__spec__", None)
    return bool(getattr(spec, "_initializing", False))


def _parse(name: str) -> tuple[str | None, str, None]:
    namespace, _, bare = name.rpartition(".")
    return namespace or None, bare, None


def parts_of(name: Any) -> tuple[str | None, str, int | None]:
    """Return name space, name and version of a class that is not named by a text.

    Raises `NoSuchClass` when ``name`` names no class at all.
    """
    if isinstance(name, ClassName):
        return name.namespace, name.name, name.version
    if isinstance(name, list | tuple) and len(name) == 3:
        namespace, bare, version = name
        if (
            (namespace is None or isinstance(namespace, str))
            and isinstance(bare, str)
            and (version is None or type(version) is int)
        ):
            return namespace, bare, version
    raise NoSuchClass(
        f"{name!r} does not name a class: write a name or [name space, name, version]"
    )
