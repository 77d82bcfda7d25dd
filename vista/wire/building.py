"""Building values out of what msgpack decoded: marked arrays, maps with any keys, depth.

The input is a tree of lists, `Pairs`, `Mark` and leaves from outside, so every shape is checked:
the result is a value, or `RemoteProtocolError` is raised. No code of a decoded class runs but the
``__hash__`` and ``__eq__`` of records that stand in sets and keys; a record is made from its
fields, an exception by `vista.values.build_exception`.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, Flag
from textwrap import indent
from typing import Any, NoReturn

from vista.errors import RemoteFailure, RemoteProtocolError
from vista.ids import Id
from vista.records import RecordForm, form_of
from vista.values import ATOMS, Reference, build_exception

REMOTE_NOTE = "Remote traceback:\n"
"""How the note starts that shows the remote traceback where an exception is printed."""

MARK_LETTERS = "tsfrexob"
"""The letters of the marks: tuple, set, frozenset, record, enum, exception, reference (an object)
and buffer."""

_BUILD_ERRORS = (TypeError, ValueError, AttributeError, LookupError, ArithmeticError)


class Mark:
    """The head of an array that is no list; ``letter`` says what it is."""

    __slots__ = ("letter",)

    def __init__(self, letter: str) -> None:
        self.letter = letter


class Pairs(list[tuple[Any, Any]]):
    """The items of a map whose keys and values may have to be built."""

    __slots__ = ()


_UNBUILT: frozenset[type] = frozenset({list, Mark, Pairs})


def remote_note(text: str) -> str:
    """The note by which an exception shows its remote traceback."""
    return REMOTE_NOTE + indent(text.rstrip("\n"), "  ")


class Building:
    """Builds the values of one message.

    ``make_reference`` and ``find_record`` are the codec's; ``buffers`` are the large buffers that
    came with the message.
    """

    def __init__(
        self,
        make_reference: Callable[..., Reference],
        find_record: Callable[[str], type | None],
        buffers: tuple[bytes, ...],
    ) -> None:
        self._make_reference = make_reference
        self._find_record = find_record
        self._buffers = buffers

    def build(self, raw: Any, room: int) -> Any:
        """The value of one raw tree in which ``room`` containers may nest."""
        kind = type(raw)
        if kind is list:
            if raw and type(raw[0]) is Mark:
                return _BUILDERS[raw[0].letter](self, raw[1:], room)
            return self._build_items(raw, room)
        if kind is Pairs:
            return self._build_map(raw, room)
        if kind is Mark:
            _refuse("a mark that does not head an array")
        return raw

    def _build_items(self, items: list[Any], room: int) -> list[Any]:
        if room <= 0:
            _refuse("nested deeper than limit value_depth_max")
        if _UNBUILT.isdisjoint(map(type, items)):
            return items
        return [self.build(item, room - 1) if type(item) in _UNBUILT else item for item in items]

    def _build_map(self, pairs: Pairs, room: int) -> dict[Any, Any]:
        keys = self._build_items([key for key, _ in pairs], room)
        values = self._build_items([value for _, value in pairs], room)
        try:
            return dict(zip(keys, values, strict=True))
        except _BUILD_ERRORS as error:
            raise RemoteProtocolError(f"a key that cannot be one: {error}") from error

    def _build_tuple(self, items: list[Any], room: int) -> tuple[Any, ...]:
        return tuple(self._build_items(items, room))

    def _build_set(self, items: list[Any], room: int) -> set[Any]:
        try:
            return set(self._build_items(items, room))
        except _BUILD_ERRORS as error:
            raise RemoteProtocolError(f"an element that cannot be one: {error}") from error

    def _build_frozenset(self, items: list[Any], room: int) -> frozenset[Any]:
        return frozenset(self._build_set(items, room))

    def _build_buffer(self, items: list[Any], _room: int) -> bytes:
        match items:
            case [int() as at] if type(at) is int and 0 <= at < len(self._buffers):
                return self._buffers[at]
        _refuse("a buffer that did not come with the message")

    def _build_reference(self, items: list[Any], _room: int) -> Reference:
        if not items or type(items[0]) is not Id:
            _refuse("a reference starts with an Id")
        if not ATOMS.issuperset(map(type, items)):
            _refuse("a reference has no parts but atoms")
        try:
            return self._make_reference(*items)
        except (TypeError, ValueError) as error:
            raise RemoteProtocolError(f"no reference: {error}") from error

    def _build_record(self, items: list[Any], room: int) -> Any:
        match items:
            case [str() as name, Pairs() as pairs]:
                values = self._build_map(pairs, room)
            case _:
                _refuse("a record is a name and a map of its fields")
        form = self._form(name)
        if form.is_enum:
            _refuse(f"record {name} is an enum here")
        for field in form.fields:
            if field not in values:
                if field not in form.defaults:
                    _refuse(f"record {name} came without its field {field}")
                values[field] = form.defaults[field]()
        if len(values) != len(form.fields):
            _refuse(f"record {name} came with a field it does not have here")
        return form.make(values)

    def _build_enum(self, items: list[Any], _room: int) -> Enum:
        match items:
            case [str() as name, (str() | int()) as which]:
                form = self._form(name)
            case _:
                _refuse("an enum is the name of its class and of its member")
        if not form.is_enum:
            _refuse(f"record {name} is no enum here")
        try:
            if not issubclass(form.cls, Flag):
                return form.cls.__members__[which]  # type: ignore[no-any-return]
            made = form.cls(which)
        except _BUILD_ERRORS as error:
            raise RemoteProtocolError(f"enum {name} has no member {which!r} here") from error
        # Some versions of Python drop bits that no member has, where others refuse them.
        if made.value != which:
            _refuse(f"enum {name} has no member {which!r} here")
        return made

    def _form(self, name: str) -> RecordForm:
        found = self._find_record(name)
        form = None if found is None else form_of(found)
        if form is None:
            _refuse(f"no record {name} is known here; load the module or class file that has it")
        return form

    def _build_exception(self, items: list[Any], room: int) -> Exception:
        match items:
            case [
                str() as name,
                str() as text,
                list() as raw,
                Pairs() as pairs,
                list() as notes,
                str() as trace,
            ]:
                args = tuple(self._build_items(raw, room))
                attributes = self._build_map(pairs, room)
            case _:
                _refuse("an exception in another shape")
        if not all(type(note) is str for note in notes):
            _refuse("a note of an exception is a text")
        if not all(type(key) is str and not key.startswith("__") for key in attributes):
            _refuse("an attribute of an exception has the name of none")
        if trace:
            attributes["remote_traceback"] = trace
            notes.append(remote_note(trace))
        return self._make_exception(name, text, args, attributes, notes)

    def _make_exception(
        self,
        name: str,
        text: str,
        args: tuple[Any, ...],
        attributes: dict[str, Any],
        notes: list[str],
    ) -> Exception:
        found = self._find_record(name)
        if found is not None and issubclass(found, Exception):
            try:
                return build_exception(found, args, attributes, notes)
            except _BUILD_ERRORS:
                pass  # its own module may differ here: the caller gets the text
        kept = {key: attributes[key] for key in attributes if key == "remote_traceback"}
        qualname = name.rpartition(":")[2]
        return build_exception(
            RemoteFailure, (f"{qualname}: {text or Exception(*args)}",), kept, notes
        )


def _refuse(what: str) -> NoReturn:
    raise RemoteProtocolError(what)


_BUILDERS: dict[str, Callable[[Building, list[Any], int], Any]] = dict(
    zip(
        MARK_LETTERS,
        (
            Building._build_tuple,
            Building._build_set,
            Building._build_frozenset,
            Building._build_record,
            Building._build_enum,
            Building._build_exception,
            Building._build_reference,
            Building._build_buffer,
        ),
        strict=True,
    )
)
