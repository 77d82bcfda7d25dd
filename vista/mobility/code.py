"""The code of an object class, as a value that can be sent, and back to a class.

A class travels as the source of its module and of the project's own modules which that imports. One
without a source, typed at a prompt or defined in the script that runs, travels as
`vista.mobility.interactive` makes it. Taking a class means to run its module: who calls
`take_class` has made sure of the right to that before.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from vista.counted import counted
from vista.errors import BadValueError, ClassDefinitionError, NoSuchClass, RemoteProtocolError
from vista.kernel.objects import ClassName, Object
from vista.mobility.brought import Delivery, delivered, home_of
from vista.mobility.sources import (
    ModuleCode,
    closure_digest,
    collect,
    digest_of,
    find_source,
    reachable,
    source_digest,
)
from vista.records import record

if TYPE_CHECKING:
    from vista.kernel.classes import ClassEntry
    from vista.kernel.kernel import Kernel
    from vista.limits import Limits

SOURCE: Final = "source"
PICKLE: Final = "pickle"


@record
@dataclass(frozen=True, slots=True)
class ClassCode:
    """The code of one version of a class.

    ``modules`` are those that travel. With ``kind`` ``source`` the class is ``qualname`` of
    ``module``, which is one of them. With ``pickle`` the class is what ``pickled`` makes, which may
    refer to them, and ``python`` says which Python made it (``3.11``). ``digest`` (BLAKE2b-256) is
    that of all this code.
    """

    namespace: str
    name: str
    version: int
    module: str
    qualname: str
    kind: str
    digest: bytes
    modules: tuple[ModuleCode, ...] = ()
    pickled: bytes = b""
    python: str = ""

    @property
    def class_name(self) -> ClassName:
        """The class as a value."""
        return ClassName(self.namespace, self.name, self.version)


# --- of a class that is here ---------------------------------------------------------------


def class_code(cls: type[Object], limits: Limits) -> ClassCode:
    """Return the code of an object class.

    Raises `NoSuchClass` for a class of vista itself, which every node has, `BadValueError` when it
    is more than the limits allow, and `NotAValueError` for one without source that refers to
    something which cannot leave its process.
    """
    if cls.__module__.partition(".")[0] == "vista":
        raise NoSuchClass(f"{cls.__vista_class__} is part of vista and does not travel")
    modules = _modules_of(cls, limits)
    if modules is None:
        return _pickled(cls, limits)
    first = next(iter(modules))
    name = cls.__vista_class__
    return ClassCode(
        name.namespace,
        name.name,
        name.version,
        first,
        cls.__qualname__,
        SOURCE,
        closure_digest(first, modules),
        tuple(modules.values()),
    )


def _modules_of(cls: type[Object], limits: Limits) -> dict[str, ModuleCode] | None:
    """The modules to send, that of the class first; None when it has no source that defines it."""
    module = sys.modules.get(cls.__module__)
    if module is None or cls.__module__ == "__main__" or _named(module, cls.__qualname__) != cls:
        # The source of a program that runs would run the program once more.
        return None
    brought = home_of(module)
    if brought is not None:
        home, modules = brought
        names = [home, *(name for name in reachable(home, modules) if name != home)]
        return {name: modules[name] for name in names}
    code = find_source(cls.__module__)
    return None if code is None else collect(code, limits=limits)


def _pickled(cls: type[Object], limits: Limits) -> ClassCode:
    from vista.mobility.interactive import PYTHON, pickle_class

    pickled, modules = pickle_class(cls, limits)
    if len(pickled) > limits.code_bytes_max:
        raise BadValueError(
            f"class {cls.__name__} with what it refers to has {len(pickled)} bytes, more than "
            f"{limits.code_bytes_max} (limit code_bytes_max)"
        )
    name = cls.__vista_class__
    return ClassCode(
        name.namespace,
        name.name,
        name.version,
        cls.__module__,
        cls.__qualname__,
        PICKLE,
        _pickle_digest(PYTHON, pickled, modules),
        tuple(modules.values()),
        pickled,
        PYTHON,
    )


def _pickle_digest(python: str, pickled: bytes, modules: Mapping[str, ModuleCode]) -> bytes:
    digests = [closure_digest(name, modules) for name in sorted(modules)]
    return digest_of(python.encode(), pickled, *digests)


def _named(space: Any, qualname: str) -> Any:
    for part in qualname.split("."):
        space = vars(space).get(part) if hasattr(space, "__dict__") else None
    return space


# --- of a class that came ------------------------------------------------------------------


def check_code(code: Any, limits: Limits) -> ClassCode:
    """Return what another node sent when it is the code of a class, whole and within the limits.

    Nothing of it is run. Raises `RemoteProtocolError`.
    """
    if type(code) is not ClassCode:
        raise RemoteProtocolError(f"no code of a class but {type(code).__name__}")
    _check_types(code, limits.name_characters_max)
    size = len(code.pickled) + sum(len(module.source) for module in code.modules)
    if size > limits.code_bytes_max or len(code.modules) > limits.code_modules_max:
        modules = counted(len(code.modules), "module")
        raise RemoteProtocolError(
            f"the code of {code.class_name} has {modules} and {size} bytes; "
            f"{limits.code_modules_max} and {limits.code_bytes_max} are the most here "
            "(limits code_modules_max, code_bytes_max)"
        )
    if _digest_of(code) != code.digest:
        raise RemoteProtocolError(f"the code of {code.class_name} has another digest than it says")
    return code


def _check_types(code: ClassCode, characters_max: int) -> None:
    texts = (code.namespace, code.name, code.module, code.qualname, code.python)
    modules = code.modules
    if not (
        all(type(text) is str and len(text) <= characters_max for text in texts)
        and type(code.version) is int
        and code.kind in (SOURCE, PICKLE)
        and type(code.pickled) is bytes
        and type(modules) is tuple
        and all(_is_whole(module, characters_max) for module in modules)
        and len({module.name for module in modules}) == len(modules)
        and (code.kind == PICKLE or code.module in {module.name for module in modules})
    ):
        raise RemoteProtocolError("the code of a class in another shape")


def _is_whole(module: Any, characters_max: int) -> bool:
    return (
        type(module) is ModuleCode
        and type(module.name) is str
        and len(module.name) <= characters_max
        and type(module.source) is str
        and type(module.is_package) is bool
        and all(part.isidentifier() for part in module.name.split("."))
    )


def _digest_of(code: ClassCode) -> bytes | None:
    for module in code.modules:
        if source_digest(module.source) != module.digest:
            return None
    modules = {module.name: module for module in code.modules}
    if code.kind == PICKLE:
        return _pickle_digest(code.python, code.pickled, modules)
    return closure_digest(code.module, modules)


def take_class(kernel: Kernel, sent: Any) -> ClassEntry:
    """Make a class known on a node whose code another node sent, and return its entry.

    Its module is run, once for each content. It takes the place of a class that has its name and
    version; classes which only came along take nobody's. Raises `RemoteProtocolError` for what is
    no such code, `ClassDefinitionError` for source that is not Python, `NoSuchClass` when a module
    it needs is missing, and what running it raises; then nothing of it is left.
    """
    code = check_code(sent, kernel.limits)
    before = {entry.class_name: entry.cls for entry in kernel.classes.entries()}
    cls = _make_class(code, kernel.limits)
    for entry in kernel.classes.entries():
        own = before.get(entry.class_name, entry.cls)
        if own is not entry.cls:
            kernel.classes.add(own)
    return kernel.classes.add(cls)


def _make_class(code: ClassCode, limits: Limits) -> type[Object]:
    modules = {module.name: module for module in code.modules}
    try:
        with delivered(modules, limits.code_modules_kept_max) as delivery:
            made = _unpickled(code, delivery) if code.kind == PICKLE else _loaded(code, delivery)
            if made.__vista_class__ != code.class_name:
                raise RemoteProtocolError(
                    f"the code of {code.class_name} defines {made.__vista_class__} instead"
                )
            return made
    except ImportError as error:
        raise NoSuchClass(
            f"{code.class_name} came with its code, but that needs what is neither part of it nor "
            f"installed here: {error}"
        ) from error


def _loaded(code: ClassCode, delivery: Delivery) -> type[Object]:
    found = _named(delivery.load(code.module), code.qualname)
    if not (isinstance(found, type) and issubclass(found, Object)):
        raise RemoteProtocolError(f"the code of {code.class_name} defines no {code.qualname}")
    return found


def _unpickled(code: ClassCode, delivery: Delivery) -> type[Object]:
    from vista.mobility.interactive import PYTHON, unpickle_class

    if code.python != PYTHON:
        raise ClassDefinitionError(
            f"{code.class_name} was defined at a prompt of Python {code.python} and cannot run on "
            f"Python {PYTHON}: write it into a file"
        )
    return unpickle_class(code.pickled, delivery)
