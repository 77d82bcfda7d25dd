"""Records: dataclasses, named tuples and enums declared to be values.

Four rules. A class is a record only when it was decorated itself; a subclass must say so again. A
record has a name, ``module:Qualname``, by which another process finds it among the modules it has
already imported: nothing is ever imported because of a name that came from outside. A record of a
module that another node brought has the name it has there; a module of this process wins over one
that was brought, and of two that were, the later. A copy of a record is built from its fields;
``__init__`` and ``__post_init__`` do not run again.
"""

from __future__ import annotations

import dataclasses
import enum
import sys
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from operator import attrgetter
from types import MappingProxyType, ModuleType
from typing import Any, Final, TypeVar

from vista.errors import ClassDefinitionError

HOME_NAME: Final = "__vista_home__"
"""The variable of a module that another node brought which holds the name it has there."""

BROUGHT_AS: Final = "vista_code_"
"""How the names begin that such modules have here."""

BROUGHT: Final = "vista_code:"
"""What stands in ``sys.modules`` before the name at home. With a colon no import finds it."""

CLASS_FILE: Final = "vista_class_file_"
"""How the names of modules begin that are class files; a digest of the source follows."""

_FORM = "__vista_record__"
_HEAP_TYPE = 1 << 9  # Py_TPFLAGS_HEAPTYPE: set for every class made by a class statement

_Class = TypeVar("_Class", bound=type)


@dataclasses.dataclass(frozen=True, slots=True)
class RecordForm:
    """What copying and encoding must know of one record class.

    ``fields`` are the names of the fields in their order (none for an enum), ``frozen`` says that
    an instance cannot change, and ``defaults`` makes the value of a field which older bytes lack.
    """

    cls: type[Any]
    name: str
    fields: tuple[str, ...]
    frozen: bool
    defaults: Mapping[str, Callable[[], object]]
    is_enum: bool = dataclasses.field(init=False)
    """Whether instances are members of an enum."""
    is_referred: bool = dataclasses.field(init=False)
    """Whether a reference stands for instances in a message: then they are no values after all."""
    parts: Callable[[Any], Iterable[Any]] = dataclasses.field(init=False, compare=False)
    """Gives the values of the fields, in their order; raises AttributeError where one is not set.

    What looks each name up by itself takes three times as long for a record of ten fields.
    """

    def __post_init__(self) -> None:
        parts: Callable[[Any], Iterable[Any]]
        if issubclass(self.cls, tuple):
            parts = _itself
        elif len(self.fields) > 1:
            parts = attrgetter(*self.fields)
        else:
            parts = partial(_each, self.fields)
        object.__setattr__(self, "is_enum", issubclass(self.cls, enum.Enum))
        referred = hasattr(self.cls, "__reference__") or hasattr(self.cls, "__reference_parts__")
        object.__setattr__(self, "is_referred", referred)
        object.__setattr__(self, "parts", parts)

    def make(self, values: Mapping[str, object]) -> Any:
        """Build an instance from the values of all its fields, without running ``__init__``."""
        if issubclass(self.cls, tuple):
            return tuple.__new__(self.cls, [values[name] for name in self.fields])
        made = object.__new__(self.cls)
        for name in self.fields:
            object.__setattr__(made, name, values[name])
        return made


def _itself(value: Any) -> Iterable[Any]:
    """The parts of a named tuple are its items."""
    items: Iterable[Any] = value
    return items


def _each(names: tuple[str, ...], value: Any) -> Iterable[Any]:
    return [getattr(value, name) for name in names]


def record(cls: _Class) -> _Class:
    """Declare a dataclass, a named tuple or an enum to be a value, so that messages can carry it.

    Write it above ``@dataclass``::

        @record
        @dataclass
        class Position:
            x: float
            y: float

    The class must stand at the top level of a module or inside another class, where the other
    side can find it. Both sides need it; fields are matched by name, and a field that the bytes
    lack gets its default. Only the fields travel. Raises `ClassDefinitionError` when the class
    cannot be a record.
    """
    name = record_name(cls)
    if "<locals>" in name:
        raise ClassDefinitionError(f"record {name} must be defined at the top level of a module")
    fields, frozen, defaults = _describe(cls, name)
    setattr(cls, _FORM, RecordForm(cls, name, fields, frozen, MappingProxyType(defaults)))
    return cls


def is_record(cls: type) -> bool:
    """Whether the class itself was declared with `record`."""
    return form_of(cls) is not None


def record_name(cls: type) -> str:
    """The name by which another process finds the class: ``module:Qualname``."""
    return f"{_home_name(cls.__module__)}:{cls.__qualname__}"


def _home_name(module_name: str) -> str:
    if type(module_name) is not str or not module_name.startswith(BROUGHT_AS):
        return module_name
    module = sys.modules.get(module_name)
    if not issubclass(type(module), ModuleType):
        return module_name
    home: str = object.__getattribute__(module, "__dict__").get(HOME_NAME, module_name)
    return home


def form_of(cls: type) -> RecordForm | None:
    """The form of a record class, or None when the class was not declared with `record`."""
    form = cls.__dict__.get(_FORM)
    return form if type(form) is RecordForm else None


def find_record(name: str) -> type | None:
    """Find a record or an exception class by its name among the modules imported already.

    The lookup runs no code of the module: no import, no module ``__getattr__``, no lazy loading.
    Returns None when there is no such class, or when it is neither a record nor an `Exception`.
    """
    module_name, _, qualname = name.partition(":")
    found = _find_class(module_name, qualname)
    if found is None or f"{found.__module__}:{found.__qualname__}" != name:
        found = _find_class(BROUGHT + module_name, qualname)
        if found is None or record_name(found) != name:
            return None
    return found if is_record(found) or issubclass(found, Exception) else None


def record_finder(cls: type) -> Callable[[str], type | None]:
    """Return what finds the records in the variables of a class, whatever state of its file wrote.

    A class file is a module of another name with each change of it. A record of a class file that
    is not known is looked for by its own name in the one that has ``cls``; `find_record` finds all
    others.
    """
    home = _home_name(cls.__module__)

    def find(name: str) -> type | None:
        found = find_record(name)
        if found is None and name.startswith(CLASS_FILE) and home.startswith(CLASS_FILE):
            found = find_record(f"{home}:{name.partition(':')[2]}")
        return found

    return find


def _find_class(module_name: str, qualname: str) -> type | None:
    found: object = sys.modules.get(module_name)
    if not issubclass(type(found), ModuleType):
        return None
    for part in qualname.split("."):
        found = object.__getattribute__(found, "__dict__").get(part)
        if not isinstance(found, type):
            return None
    return found if isinstance(found, type) else None


def _describe(
    cls: type, name: str
) -> tuple[tuple[str, ...], bool, dict[str, Callable[[], object]]]:
    if issubclass(cls, enum.Enum):
        return (), True, {}
    if issubclass(cls, tuple) and "_fields" in cls.__dict__:
        named: Any = cls
        values = named._field_defaults
        return named._fields, True, {key: _constant(value) for key, value in values.items()}
    if "__dataclass_fields__" not in cls.__dict__:
        raise ClassDefinitionError(
            f"record {name} is neither a dataclass, a named tuple nor an enum; "
            "write @record above @dataclass"
        )
    if _static_base(cls) is not object:
        raise ClassDefinitionError(
            f"record {name} inherits {_static_base(cls).__name__}; a record holds its fields only"
        )
    plain: Any = cls
    fields = dataclasses.fields(plain)
    frozen = bool(plain.__dataclass_params__.frozen)
    return tuple(field.name for field in fields), frozen, _defaults(fields)


def _static_base(cls: type) -> type:
    while cls.__flags__ & _HEAP_TYPE and cls.__base__ is not None:
        cls = cls.__base__
    return cls


def _defaults(fields: tuple[dataclasses.Field[Any], ...]) -> dict[str, Callable[[], object]]:
    defaults: dict[str, Callable[[], object]] = {}
    for field in fields:
        if field.default is not dataclasses.MISSING:
            defaults[field.name] = _constant(field.default)
        elif field.default_factory is not dataclasses.MISSING:
            defaults[field.name] = field.default_factory
    return defaults


def _constant(value: object) -> Callable[[], object]:
    return lambda: value
