"""Values: what messages may carry, and how a message gets its own copy of them.

Three rules. Types are exact: a subclass of an allowed type is refused unless it is a record. The
copy shares no part that can change with the original; a part that cannot change is shared. Every
place gets its own copy, so an object that stands at two places arrives as two, and a structure that
contains itself is refused.

Copying runs without paths and says only *that* something is wrong; a second walk then finds the
first offender and names it. The hot path is `copy_arguments` and the copiers it calls: type tables
and ``ATOMS.issuperset(map(type, items))``, which looks at a thousand numbers in 18 us where a
comprehension takes 30.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from traceback import TracebackException
from types import NoneType
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from vista.errors import InternalError, NotAValueError, RemoteFailure
from vista.hints import hint_for
from vista.ids import Id
from vista.limits import Limits
from vista.records import RecordForm, form_of

ATOMS: frozenset[type] = frozenset(
    {NoneType, bool, int, float, str, bytes, Decimal, UUID, date, timedelta, timezone, Id}
)
"""The immutable types without parts, passed as they are. A ``datetime`` or ``time`` is not among
them, because its ``tzinfo`` may be anything and has to be looked at."""

DEPTH_MAX = Limits().value_depth_max
"""The nesting `copy_value` allows when nobody says otherwise; a node passes its own
``Limits.value_depth_max``."""

ITEMS_MAX = Limits().value_items_max
"""The items, in all containers of it together, that a value may have."""

_CONTAINER_ITEMS = 4
"""What a container counts for besides its items: an empty one takes time and memory too."""

_CONTAINERS = frozenset({list, tuple, dict, set, frozenset})
_PRIVATE_STATE = ("__notes__", "remote_traceback")
_HEAP_TYPE = 1 << 9  # Py_TPFLAGS_HEAPTYPE: set for every class made by a class statement


class Reference:
    """The root of every handle to an object. A reference never changes and is passed as it is."""

    __slots__ = ()

    def __reference_parts__(self) -> tuple[Any, ...]:
        """What names the object on the wire: its Id first, then atoms of the kernel's choice.

        The codec of the receiving side passes them to its ``make_reference(*parts)``.
        """
        raise InternalError(f"{type(self).__name__} does not say what names its object")


class Referable:
    """The root of everything that is passed by reference: in a message its `Reference` stands."""

    __slots__ = ()

    def __reference__(self) -> Reference:
        """The reference that takes this object's place in a message."""
        raise InternalError(f"{type(self).__name__} has no reference")


def copy_value(value: Any, path: str = "value", depth_max: int = DEPTH_MAX) -> Any:
    """Copy a value, as sending it to another object does.

    ``path`` is the name of the value in error texts and ``depth_max`` how many containers may
    nest. Returns an equal value of the same types that shares no mutable part with the original:
    parts that cannot change are shared, a bytearray or memoryview becomes bytes, and a vista
    object becomes its Ref. Raises `NotAValueError` that names the first part that is no value::

        copy_value({"a": [1, object()]})  # value["a"][1]: object is not a value
    """
    kind = type(value)
    if kind in ATOMS:
        return value
    try:
        return _COPIERS.get(kind, _copy_other)(value, depth_max, [ITEMS_MAX])
    except _TooManyError:
        raise NotAValueError(f"{path}: {_TOO_MANY}") from None
    except _RefusedError:
        raise NotAValueError(explain_refusal(value, path, depth_max)) from None


def copy_arguments(
    args: tuple[Any, ...], kwargs: dict[str, Any], depth_max: int = DEPTH_MAX
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Copy the arguments of a call; when all of them are atoms, the same two objects come back.

    Error paths start with ``args[0]`` or ``kwargs["name"]``. Raises `NotAValueError`.
    """
    left = None
    try:
        for value in args:
            if type(value) not in ATOMS:
                left = [ITEMS_MAX]
                args = tuple(_copy_items(args, depth_max + 1, left))
                break
        if kwargs and not ATOMS.issuperset(map(type, kwargs.values())):
            copies = _copy_items(kwargs.values(), depth_max + 1, left or [ITEMS_MAX])
            kwargs = dict(zip(kwargs, copies, strict=True))
    except _TooManyError:
        raise NotAValueError(f"args: {_TOO_MANY}") from None
    except _RefusedError:
        raise NotAValueError(_explain_arguments(args, kwargs, depth_max)) from None
    return args, kwargs


def copy_exception(error: BaseException) -> BaseException:
    """Copy the exception that ended a method, so that its caller can be given it.

    Returns an exception of the same type with copied arguments, attributes and notes. Its
    traceback, cause and context are those of the original: they serve whoever prints it. An
    exception whose arguments are no values, or that is no `Exception` (`SystemExit`), becomes a
    `RemoteFailure` with its type's name and text.
    """
    try:
        return _copy_error(error, DEPTH_MAX, [ITEMS_MAX])
    except _RefusedError:
        made = RemoteFailure(f"{type(error).__qualname__}: {exception_text(error)}")
        for note in exception_notes(error):
            made.add_note(note)
        return _keep_trace(made, error)


def exception_text(error: BaseException) -> str:
    """The text of an exception, also when its ``__str__`` fails."""
    return str(TracebackException(type(error), error, None, limit=0))


def exception_arguments(error: BaseException) -> tuple[Any, ...]:
    """The arguments from which `build_exception` makes an equal exception.

    They are ``error.args``, and for an `OSError` the file names too, which it takes out of them.
    """
    args = error.args
    if isinstance(error, OSError) and len(args) == 2 and error.filename is not None:
        names = [name for name in (error.filename, error.filename2) if name is not None]
        texts = [name if type(name) in ATOMS else str(name) for name in names]
        args = (*args, texts[0]) if len(texts) == 1 else (*args, texts[0], None, texts[1])
    return args


def exception_attributes(error: BaseException) -> dict[str, Any]:
    """The instance variables of an exception, without its notes and the remote traceback."""
    state = vars(error)
    return {key: state[key] for key in state if type(key) is str and key not in _PRIVATE_STATE}


def exception_notes(error: BaseException) -> list[str]:
    """The notes of an exception that are texts."""
    notes = getattr(error, "__notes__", ())
    return [note for note in notes if type(note) is str] if isinstance(notes, list) else []


def build_exception(
    cls: type[Exception], args: tuple[Any, ...], attributes: dict[str, Any], notes: list[str]
) -> Exception:
    """Make an exception without running any code of its class.

    Only the built-in type it inherits from is called, as ``BaseException.__reduce__`` would have
    it but with no ``__init__``, ``__new__`` or ``__setstate__`` written in Python. ``args``,
    attributes and notes are set as given. Raises TypeError, ValueError or OverflowError when the
    built-in type does not take the arguments.
    """
    base: Any = cls
    while base.__flags__ & _HEAP_TYPE:
        base = base.__base__
    made: Exception = base.__new__(cls, *args)
    base.__init__(made, *args)
    vars(made).update(attributes)
    for note in notes:
        BaseException.add_note(made, note)
    return made


def explain_refusal(value: Any, path: str, depth_max: int) -> str:
    """Say which part of a value is none, as ``path: what is wrong``; for the text of an error."""
    return _find_refusal(value, path, depth_max, ()) or f"{path}: changed while it was copied"


def _explain_arguments(args: tuple[Any, ...], kwargs: dict[str, Any], depth_max: int) -> str:
    named = [(f"args[{at}]", value) for at, value in enumerate(args)]
    named += [(f"kwargs{_in_brackets(name)}", value) for name, value in kwargs.items()]
    found = (_find_refusal(value, path, depth_max, ()) for path, value in named)
    return next(filter(None, found), "args: changed while they were copied")


class _RefusedError(Exception):
    """Something in the value is no value; which part, `explain_refusal` finds out."""


class _TooManyError(_RefusedError):
    """The value has too many items.

    Every place gets a copy of its own, so a list that stands twice in one that stands twice, and so
    on, would become as large as it likes.
    """


_TOO_MANY = f"more than {ITEMS_MAX:,} items (limit value_items_max)"


def _count(items: Any, left: list[int]) -> None:
    left[0] -= len(items) + _CONTAINER_ITEMS
    if left[0] < 0:
        raise _TooManyError


def _copy(value: Any, room: int, left: list[int]) -> Any:
    return _COPIERS.get(type(value), _copy_other)(value, room, left)


def _copy_atom(value: Any, _room: int, _left: list[int]) -> Any:
    return value


def _copy_items(items: Any, room: int, left: list[int]) -> list[Any]:
    if room <= 0:
        raise _RefusedError
    room -= 1
    _count(items, left)
    return [
        item if type(item) in ATOMS else _COPIERS.get(type(item), _copy_other)(item, room, left)
        for item in items
    ]


def _copy_list(items: list[Any], room: int, left: list[int]) -> list[Any]:
    if ATOMS.issuperset(map(type, items)) and room > 0:
        _count(items, left)
        return items.copy()
    return _copy_items(items, room, left)


def _copy_tuple(items: tuple[Any, ...], room: int, left: list[int]) -> tuple[Any, ...]:
    if ATOMS.issuperset(map(type, items)) and room > 0:
        _count(items, left)
        return items
    copies = _copy_items(items, room, left)
    return tuple(copies) if _differ(copies, items) else items


def _copy_set(items: set[Any], room: int, left: list[int]) -> set[Any]:
    if ATOMS.issuperset(map(type, items)) and room > 0:
        _count(items, left)
        return items.copy()
    return set(_copy_items(items, room, left))


def _copy_frozenset(items: frozenset[Any], room: int, left: list[int]) -> frozenset[Any]:
    if ATOMS.issuperset(map(type, items)) and room > 0:
        _count(items, left)
        return items
    copies = _copy_items(items, room, left)
    return frozenset(copies) if _differ(copies, items) else items


def _copy_dict(items: dict[Any, Any], room: int, left: list[int]) -> dict[Any, Any]:
    plain_keys = ATOMS.issuperset(map(type, items))
    _count(items, left)
    if plain_keys and room > 0 and ATOMS.issuperset(map(type, items.values())):
        return items.copy()
    if plain_keys and room > 0:
        copies = items.copy()
        for key, item in items.items():
            if type(item) not in ATOMS:
                copies[key] = _copy(item, room - 1, left)
        return copies
    keys = _copy_items(items, room, left)
    return dict(zip(keys, _copy_items(items.values(), room, left), strict=True))


def _differ(copies: list[Any], items: Any) -> bool:
    return any(copied is not item for copied, item in zip(copies, items, strict=True))


def _copy_buffer(buffer: Any, _room: int, _left: list[int]) -> bytes:
    try:
        return bytes(buffer)
    except ValueError:  # a memoryview whose buffer was released
        raise _RefusedError from None


def _copy_zoned(value: Any, _room: int, _left: list[int]) -> Any:
    if not _is_zone(value.tzinfo):
        raise _RefusedError
    return value


def _copy_zone(zone: ZoneInfo, _room: int, _left: list[int]) -> ZoneInfo:
    if zone.key is None:
        raise _RefusedError
    return zone


def _is_zone(zone: Any) -> bool:
    kind = type(zone)
    return kind is NoneType or kind is timezone or (kind is ZoneInfo and zone.key is not None)


def _copy_other(value: Any, room: int, left: list[int]) -> Any:
    form = form_of(type(value))
    if form is not None and not form.is_referred:
        return _copy_record(value, form, room, left)
    if isinstance(value, Reference):
        return value
    if isinstance(value, Referable):
        return value.__reference__()
    if isinstance(value, BaseException):
        return _copy_error(value, room, left)
    raise _RefusedError


def _copy_record(value: Any, form: RecordForm, room: int, left: list[int]) -> Any:
    if form.is_enum:
        return value
    try:
        items = form.parts(value)
    except AttributeError:  # a field that was never set
        raise _RefusedError from None
    if form.frozen and room > 0 and ATOMS.issuperset(map(type, items)):
        # Nothing to copy, and nothing to compare: a record of ten texts takes half the time.
        _count(items, left)
        return value
    copies = _copy_items(items, room, left)
    if form.frozen and not _differ(copies, items):
        return value
    return form.make(dict(zip(form.fields, copies, strict=True)))


def _copy_error(error: BaseException, room: int, left: list[int]) -> Exception:
    if not isinstance(error, Exception):
        raise _RefusedError
    args = tuple(_copy_items(exception_arguments(error), room, left))
    try:
        made = build_exception(
            type(error), args, copy_attributes(error, room, left), exception_notes(error)
        )
    except (TypeError, ValueError, OverflowError):  # somebody changed its args
        raise _RefusedError from None
    if "remote_traceback" in vars(error):
        vars(made)["remote_traceback"] = vars(error)["remote_traceback"]
    return _keep_trace(made, error)


def copy_attributes(
    error: BaseException, depth_max: int = DEPTH_MAX, left: list[int] | None = None
) -> dict[str, Any]:
    """Copies of an exception's instance variables that are values; the others are left out.

    ``left`` holds one number, the items they may still have.

    An exception often keeps what its handler used (a response, a lock). Leaving that out costs
    the caller less than losing the exception itself.
    """
    copies = {}
    left = left or [ITEMS_MAX]
    for name, value in exception_attributes(error).items():
        try:
            copies[name] = _copy(value, depth_max - 1, left)
        except _RefusedError:
            continue
    return copies


def _keep_trace(made: Exception, error: BaseException) -> Exception:
    made.__traceback__ = error.__traceback__
    made.__cause__ = error.__cause__
    made.__context__ = error.__context__
    made.__suppress_context__ = error.__suppress_context__
    return made


# Exact type to copier. Whatever is not here is a reference, a record, an exception or no value.
_COPIERS: dict[type, Callable[[Any, int, list[int]], Any]] = {
    **dict.fromkeys(ATOMS, _copy_atom),
    list: _copy_list,
    tuple: _copy_tuple,
    dict: _copy_dict,
    set: _copy_set,
    frozenset: _copy_frozenset,
    bytearray: _copy_buffer,
    memoryview: _copy_buffer,
    datetime: _copy_zoned,
    time: _copy_zoned,
    ZoneInfo: _copy_zone,
}


def _find_refusal(value: Any, path: str, room: int, above: tuple[int, ...]) -> str | None:
    try:
        _copy(value, room, [ITEMS_MAX])
    except _RefusedError:
        pass
    else:
        return None
    if id(value) in above:
        return f"{path}: contains itself"
    if room <= 0 and _is_container(value):
        return f"{path}: nested deeper than {len(above)} containers"
    for step, part in _parts(value):
        found = _find_refusal(part, path + step, room - 1, (*above, id(value)))
        if found is not None:
            return found
    return f"{path}: {_refusal(value)}"


def _is_container(value: Any) -> bool:
    if type(value) in _CONTAINERS or isinstance(value, Exception):
        return True
    form = form_of(type(value))
    return form is not None and not form.is_enum


def _parts(value: Any) -> Iterator[tuple[str, Any]]:
    kind = type(value)
    form = form_of(kind)
    if kind is list or kind is tuple:
        yield from ((f"[{at}]", item) for at, item in enumerate(value))
    elif kind is set or kind is frozenset:
        yield from (("{element}", item) for item in value)
    elif kind is dict:
        for key, item in value.items():
            yield "{key}", key
            yield _in_brackets(key), item
    elif kind is datetime or kind is time:
        yield ".tzinfo", value.tzinfo
    elif form is not None and not form.is_enum:
        yield from ((f".{name}", getattr(value, name, None)) for name in form.fields)
    elif isinstance(value, Exception):
        yield from ((f".args[{at}]", item) for at, item in enumerate(exception_arguments(value)))


def _in_brackets(key: Any) -> str:
    if type(key) is not str:
        return f"[{key!r}]"
    quoted = repr('"' + key)[2:-1].replace("\\'", "'").replace('"', '\\"')
    return f'["{quoted}"]'


def _refusal(value: Any) -> str:
    """Why this one object, whose parts are all values, is no value."""
    kind = type(value)
    form = form_of(kind)
    if kind is memoryview:
        return "its buffer was released"
    if kind is ZoneInfo:
        return "a ZoneInfo without a key is not a value"
    if form is not None:
        missing = [name for name in form.fields if not hasattr(value, name)]
        return (
            f"field {missing[0]} of {kind.__qualname__} is not set"
            if missing
            else "changed while it was copied"
        )
    if isinstance(value, Exception):
        return f"{kind.__qualname__} cannot be made from its args"
    text = f"{kind.__qualname__} is not a value"
    hint = hint_for(value)
    return f"{text}; {hint}" if hint else text
