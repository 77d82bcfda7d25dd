"""Classes of replicated objects: finding them, what they answer, what they may not use."""

from __future__ import annotations

import contextlib
import dis
import inspect
from collections.abc import Callable, Iterator
from itertools import pairwise
from types import CodeType, FunctionType, ModuleType
from typing import Any, NamedTuple

import vista
from apps.solidstate.objects.replicated import ReplicatedObject, is_read_only
from vista import BadValueError

HOOKS = frozenset(
    "create delete encode object_imported upgraded_from handle_unknown_message".split()
)
"""Functions of a class that are no messages."""

WORLDLY = frozenset(
    "asyncio multiprocessing os random secrets select signal socket subprocess threading time "
    "uuid".split()
)
"""Modules whose answers differ from replica to replica, and that reach outside."""

_CLOCKS = frozenset({"now", "today", "utcnow"})

_BARE = bytes([dis.opmap["PUSH_EXC_INFO"], dis.opmap["POP_TOP"]])
"""How a handler for every exception begins: it drops the exception it does not look at."""

_MATCH = dis.opmap["CHECK_EXC_MATCH"]


class ReplicatedMethod(NamedTuple):
    """What is asked of a method at each call: itself, its name for people, whether it reads."""

    function: Callable[..., Any]
    words: str
    reads: bool


class ReplicatedClass:
    """What a replica knows of a class: ``methods`` by message name, and whose lines count."""

    def __init__(self, cls: type[ReplicatedObject]) -> None:
        self.cls = cls
        named = cls.__vista_class__
        self.name = [named.namespace, named.name, named.version]
        self.full_name = f"{named.namespace}.{named.name} {named.version}"
        self.methods: dict[str, Callable[..., Any]] = {}
        for base in reversed(_own_bases(cls)):
            functions = _functions(base)
            self.methods |= {name: one for name, one in functions.items() if name not in HOOKS}
        self.known = {
            name: ReplicatedMethod(one, f"{named.name}.{one.__name__}", is_read_only(one))
            for name, one in self.methods.items()
        }
        self.own = frozenset(
            function.__code__.co_filename
            for base in _own_bases(cls)
            for function in _functions(base).values()
        )

    def make(self) -> ReplicatedObject:
        """Return an instance without variables; no message reaches it."""
        made: ReplicatedObject = object.__new__(self.cls)
        return made

    def rows(self) -> dict[str, vista.MethodRow]:
        """Return what the class answers, for people and their prompts."""
        return {
            name: vista.MethodRow(
                name,
                _signature(method),
                inspect.getdoc(method) or "",
                ("read-only",) if is_read_only(method) else (),
            )
            for name, method in sorted(self.methods.items())
        }

    def check(self) -> None:
        """Raise `BadValueError` for what every replica would do another way.

        What can be seen: methods that wait, that use modules such as ``time`` or ``random``, and
        that catch everything: one that never ends would catch what ends it, and never end.
        """
        for base in _own_bases(self.cls):
            for name, function in _functions(base).items():
                where = f"{base.__name__}.{name}"
                if _waits(function):
                    raise BadValueError(f"{where} waits: a replicated method is a plain one")
                if any(map(_catches_all, _codes(function.__code__))):
                    raise BadValueError(
                        f"{where} catches everything, also what ends a method that never ends: "
                        f"write except Exception, or finally where something is to be undone"
                    )
                for used in _worldly(function):
                    raise BadValueError(
                        f"{where} uses {used}, which differs from replica to replica; there are "
                        f"self.agreed_time, self.agreed_random and self.outbox"
                    )


def method_of(kind: ReplicatedClass, name: str) -> ReplicatedMethod | None:
    """Return the method of a message's name, None where there is none."""
    # As Python writes it first: most names are, and making one so takes 2 us.
    return kind.known.get(name) or kind.known.get(snake_case(name))


def find_class(name: list[Any]) -> ReplicatedClass | None:
    """Return the class of this name space, name and version; None where it is not loaded.

    The one defined last wins, as for any object.
    """
    wanted = tuple(name)
    found = [
        cls
        for cls in _subclasses(ReplicatedObject)
        if (one := cls.__vista_class__)
        and (one.namespace, one.name, one.version) == wanted
        and "__vista_abstract__" not in vars(cls)
    ]
    return ReplicatedClass(found[-1]) if found else None


def snake_case(name: str) -> str:
    """Return a message's name as Python writes it: ``processRequest`` is ``process_request``."""
    letters = []
    for before, letter in zip(" " + name, name, strict=False):
        hump = letter.isupper() and (before.islower() or before.isdigit())
        letters.append(f"_{letter}" if hump else letter)
    return "".join(letters).lower()


def _subclasses(cls: type[ReplicatedObject]) -> Iterator[type[ReplicatedObject]]:
    for one in cls.__subclasses__():
        yield one
        yield from _subclasses(one)


def _own_bases(cls: type) -> list[type]:
    """The class and what it inherits from, nearest first, without what everybody has."""
    return [base for base in cls.__mro__ if base not in ReplicatedObject.__mro__]


def _functions(cls: type) -> dict[str, FunctionType]:
    return {
        snake_case(name): value
        for name, value in vars(cls).items()
        if isinstance(value, FunctionType) and not name.startswith("_")
    }


class _Written(str):
    """An annotation as it is written in the class."""

    def __repr__(self) -> str:
        return str(self)


def _signature(method: Callable[..., Any]) -> str:
    """Return the signature of a method without ``self``."""
    full = inspect.signature(method)
    parameters = [
        one.replace(annotation=_written(one.annotation))
        for one in list(full.parameters.values())[1:]
    ]
    return str(
        full.replace(parameters=parameters, return_annotation=_written(full.return_annotation))
    )


def _written(annotation: Any) -> Any:
    return _Written(annotation) if isinstance(annotation, str) else annotation


def _waits(function: FunctionType) -> bool:
    marks = getattr(function, "__vista_flags__", ())
    return inspect.iscoroutinefunction(function) or "native" in marks


def _worldly(function: FunctionType) -> Iterator[str]:
    for code in _codes(function.__code__):
        names = frozenset(code.co_names)
        for name in code.co_names:
            value = function.__globals__.get(name)
            if isinstance(value, ModuleType) and value.__name__.partition(".")[0] in WORLDLY:
                yield f"module {value.__name__}"
        dates = names & {"date", "datetime"}
        clocks = names & _CLOCKS
        if dates and clocks:
            yield f"{min(dates)}.{min(clocks)}"


def _catches_all(code: CodeType) -> bool:
    """Tell whether code has a handler for every exception, or names the class of all."""
    operations = code.co_code[::2]
    if "BaseException" in code.co_names or _BARE in operations:
        return True
    if _MATCH not in operations:
        return False
    # Where the last of some handlers is bare, those before it lead to it.
    steps = {step.offset: step for step in dis.get_instructions(code)}
    order = [step for step in steps.values() if step.opname not in ("CACHE", "NOP")]
    return any(
        steps[after.argval].opname == "POP_TOP"
        for step, after in pairwise(order)
        if step.opname == "CHECK_EXC_MATCH"
    )


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def load_class(name: list[Any]) -> ReplicatedClass | None:
    """Return a class, which is looked for in the files and peers this node has classes from.

    One of an installed application is imported.
    """
    found = find_class(name)
    if found is None:
        with contextlib.suppress(vista.NoSuchClass):
            vista.here().describe_class(name)
            found = find_class(name)
    if found is None:
        try:
            vista.send("AutomaticClassLoader", "find_and_load_class", name)
        except vista.CallError:
            return None
        found = find_class(name)
    return found


def full_name(class_name: str | list[Any]) -> list[Any]:
    """Return name space, name and version of a class named in any way; the newest for a bare name.

    Raises `NoSuchClass`, and `BadValueError` for a class of objects that cannot be replicated.
    """
    try:
        told = vista.here().describe_class(class_name)
    except vista.NoSuchClass:
        try:
            vista.send("AutomaticClassLoader", "find_and_load_class", class_name)
        except vista.NoSuchService:
            raise vista.NoSuchClass(
                f"no class {class_name} is loaded: LoadClassFile FILE"
            ) from None
        told = vista.here().describe_class(class_name)
    named = told["class"]
    name = [named.namespace, named.name, named.version]
    if find_class(name) is None:
        raise BadValueError(f"{named.name} is no class of replicated objects: inherit from one")
    return name


def bring_class(member: vista.Ref, node: str, creator: Any, class_name: list[Any]) -> None:
    """See to it that a machine of a pool has a class. Raises `NoSuchClass` when it takes none.

    ``member`` is its `ReplicaPoolMember`, ``node`` its name, ``creator`` its ObjectCreator.
    """
    if member.has_class(class_name):
        return
    words = "it has no class of this name, and has no way to it"
    try:
        vista.here().bring_class(creator, class_name)
    except vista.AccessDenied as denied:
        words = str(denied)
    if not member.has_class(class_name):
        raise vista.NoSuchClass(
            f"{node} lacks class {class_name[1]}, and does not take it ({words}): load it there "
            f"with LoadClassFile"
        )
