"""The codec: values to bytes and back, in msgpack.

None, bool, integers of 64 bits, float, str, bytes, list and dict are msgpack's own. A value without
parts is an extension type (`vista.wire.leaves`). Everything else is an array that starts with a
mark, an extension of code 127 whose two bytes are 0xC1 and a letter::

    tuple      [t, item, ...]                 set        [s, item, ...]
    frozenset  [f, item, ...]                 dict       a msgpack map, whatever its keys are
    reference  [o, Id, atom, ...]             buffer     [b, number of the part that holds it]
    record     [r, "module:Qualname", {field: value, ...}]
    enum       [e, "module:Qualname", name of the member, or the number of a Flag]
    exception  [x, "module:Qualname", text, [argument, ...], {attribute: value, ...}, [note, ...],
                traceback text]

Three rules. In any form of a mark the code 127 stands right before the 0xC1, which begins nothing
in msgpack and occurs in no UTF-8: bytes without 0x7F 0xC1 hold no mark and are decoded by msgpack
alone, and only the others are walked. Likewise bytes with no more container headers than may nest
need no check of their depth. Bytes from outside give a value or `RemoteProtocolError`, nothing
else, and they run no code but the ``make_reference`` and ``find_record`` handed in, the default
factories of records, and the ``__hash__`` and ``__eq__`` of records in sets and keys.

Hot path, `Codec.encode` and `Codec.decode`: encoding ``[7, "increment", [2]]`` takes 0.27 us where
a kept msgpack Packer takes 0.15, and decoding 0.33 us where msgpack.unpackb takes 0.15.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Flag
from functools import partial
from traceback import TracebackException
from typing import Any

from msgpack import ExtType, Packer, unpackb

from vista.errors import BadValueError, InternalError, NotAValueError, RemoteProtocolError
from vista.limits import Limits
from vista.records import RecordForm, form_of, record_name
from vista.values import (
    ATOMS,
    Referable,
    Reference,
    build_exception,
    copy_arguments,
    copy_attributes,
    copy_value,
    exception_arguments,
    exception_notes,
    exception_text,
)
from vista.wire.building import MARK_LETTERS, REMOTE_NOTE, Building, Mark, Pairs, remote_note
from vista.wire.depth import headers_exceed, is_deeper
from vista.wire.leaves import LEAF_ERRORS, LEAVES

DEPTH_LIMIT = 250
"""The greatest ``value_depth_max`` a codec takes. A record nests two arrays or maps of msgpack in
each level, and msgpack's own encoder stops at 511."""

TRACEBACK_FRAMES_MAX = 100
"""Frames of a traceback that travel with an exception, the last ones."""

TRACEBACK_CHARACTERS_MAX = 32_768
"""Characters of a traceback that travel with an exception, the last ones: causes can be many."""

PACKER_BYTES = 16_384
"""Bytes of buffer a packer starts with. One that had to grow is not kept."""

_MARK_CODE = 127
_MARK_START = b"\x7f\xc1"
_BUFFERS = frozenset({bytes, bytearray, memoryview})
_TEXT = frozenset({str})
_ATOMIC = ATOMS - {bytes}

# ExtType(code, data) without its checks, which cost 0.3 us.
_extension: Callable[[tuple[int, bytes]], ExtType] = partial(tuple.__new__, ExtType)


def _mark(letter: str) -> ExtType:
    return _extension((_MARK_CODE, bytes((0xC1, ord(letter)))))


_TUPLE, _SET, _FROZENSET, _RECORD, _ENUM, _EXCEPTION, _REFERENCE, _BUFFER = map(_mark, MARK_LETTERS)


def _leaf_encoder(code: int, encode: Callable[[Any], bytes]) -> Callable[[Any], ExtType]:
    return lambda value: _extension((code, encode(value)))


# Exact type to what msgpack is to encode in its place.
_ENCODERS: dict[type, Callable[[Any], Any]] = {
    **{kind: _leaf_encoder(code, encode) for code, kind, encode, _ in LEAVES},
    tuple: lambda items: [_TUPLE, *items],
    set: lambda items: [_SET, *items],
    frozenset: lambda items: [_FROZENSET, *items],
}
_MARKS = {_mark(letter).data: Mark(letter) for letter in MARK_LETTERS}
_LEAF_DECODERS = {code: decode for code, _, _, decode in LEAVES}


class _NoValueError(Exception):
    """An object without an encoding; `copy_value` finds out where it stands."""


# What packing raises for objects that are no values and for buffers msgpack cannot read.
_UNPACKABLE = (_NoValueError, ValueError, BufferError)


def _decode_extension(code: int, data: bytes) -> Any:
    if code == _MARK_CODE:
        return _MARKS[data]
    return _LEAF_DECODERS[code](data)


# msgpack bounds what a header may claim by the bytes there are. It reads its own timestamp, which
# vista does not write, as a datetime. A partial would cost 0.1 us more than a function.
def _unpack(data: bytes) -> Any:
    return unpackb(
        data,
        ext_hook=_decode_extension,
        strict_map_key=False,
        unicode_errors="surrogatepass",
        timestamp=3,
    )


def _unpack_marked(data: bytes) -> Any:
    return unpackb(
        data,
        ext_hook=_decode_extension,
        object_pairs_hook=Pairs,
        strict_map_key=False,
        unicode_errors="surrogatepass",
        timestamp=3,
    )


class Codec:
    """Turns values into bytes and bytes into values.

    ``make_reference(id, *atoms)`` builds the Ref for the parts that another codec took from
    ``Reference.__reference_parts__``; ``find_record(name)`` finds a record or exception class, as
    `vista.records.find_record` does, or returns None; ``limits`` bounds depth and size. A codec
    keeps no state between calls and may be used from several threads.

    Floats keep every bit, so -0.0 and 0.0 differ and a NaN keeps its payload; texts may hold lone
    surrogates. Raises `BadValueError` when ``limits.value_depth_max`` exceeds `DEPTH_LIMIT`.
    """

    def __init__(
        self,
        make_reference: Callable[..., Reference],
        find_record: Callable[[str], type | None],
        limits: Limits,
    ) -> None:
        if limits.value_depth_max > DEPTH_LIMIT:
            raise BadValueError(f"limit value_depth_max must not pass {DEPTH_LIMIT}")
        self._make_reference = make_reference
        self._find_record = find_record
        self._depth_max = limits.value_depth_max
        self._bytes_max = limits.value_bytes_max
        self._large_bytes = limits.large_buffer_bytes
        self._small_bytes = min(limits.value_depth_max, limits.value_bytes_max)
        self._pack = _packing(_encode_other)

    def encode(self, value: Any) -> bytes:
        """Encode one value whole.

        Raises `NotAValueError` where `copy_value` does, and past ``limits.value_bytes_max``.
        """
        try:
            data = self._pack(value)
        except _UNPACKABLE:
            data = self._pack_copy(self._copy(value))
        return self._checked(value, data)

    def encode_parts(self, value: Any) -> list[bytes]:
        """Encode one value with its large buffers apart.

        Returns the message and then every bytes object of at least ``limits.large_buffer_bytes``,
        itself and not a copy; a bytearray or memoryview is copied once, for it may change before
        it is sent. Raises `NotAValueError`.
        """
        return self._pack_parts(value, self._copy, value)

    def encode_arguments(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[bytes]:
        """Encode the arguments of a call, as `encode_parts` does.

        Raises `NotAValueError` with paths that start with ``args[0]`` or ``kwargs["name"]``.
        """
        for arg in args:
            if type(arg) is bytes and len(arg) >= self._large_bytes:
                if not kwargs and ATOMS.issuperset(map(type, args)):
                    # Packing it first would copy it three times.
                    return self._lift([[*args], kwargs])
        return self._pack_parts([[*args], kwargs], self._copy_call, args, kwargs)

    def encode_canonical(self, value: Any) -> bytes:
        """Encode a value so that the same value gives the same bytes, in any process.

        The elements of sets are sorted by their bytes; the order of a dict is part of the value
        and is kept; exceptions leave their text and traceback out; floats keep every bit. For what
        is stored, compared or digested; `decode` reads it. Raises `NotAValueError`.
        """
        try:
            data = self._pack(value)
            if _MARK_START in data:  # else there is nothing to be put in order
                data = _CanonicalPacking().pack(value)
        except _UNPACKABLE:
            data = _CanonicalPacking().pack(self._copy(value))
        return data if len(data) <= self._small_bytes else self._checked(value, data)

    def decode(self, data: bytes) -> Any:
        """Read what `encode` or `encode_canonical` wrote.

        Raises `RemoteProtocolError` for other bytes. A repeated key or element counts once.
        """
        return self._decode(data, ())

    def decode_atoms(self, data: bytes, count: int) -> list[Any]:
        """Return the first ``count`` items of an encoded list, of which each is an atom.

        What stands behind them is not built, so it may hold records that are not known here.
        Raises `RemoteProtocolError` when ``data`` is no such list.
        """
        if len(data) > self._bytes_max:
            raise RemoteProtocolError(f"a value of more than {self._bytes_max} bytes")
        try:
            found = _unpack_marked(data)
        except (*LEAF_ERRORS, RecursionError, MemoryError) as error:
            raise RemoteProtocolError(f"no value: {error or type(error).__name__}") from error
        if type(found) is not list or len(found) < count:
            raise RemoteProtocolError(f"not a list of {count} items or more")
        if not ATOMS.issuperset(map(type, found[:count])):
            raise RemoteProtocolError(f"not a list that begins with {count} atoms")
        return found[:count]

    def decode_parts(self, parts: Sequence[bytes | memoryview], around: int = 0) -> Any:
        """Read what `encode_parts` wrote; a part may be any bytes-like object.

        The value may nest ``around`` containers more. Raises `RemoteProtocolError`.
        """
        if len(parts) == 1:
            return self._decode(parts[0], (), around)
        if not parts:
            raise RemoteProtocolError("a value of no parts")
        # bytes() once for each part, not for each place that names it: a thousand names of one
        # large memoryview would otherwise become a thousand copies.
        copies = tuple(map(bytes, parts))
        if sum(map(len, copies)) > self._bytes_max:
            raise RemoteProtocolError(f"a value of more than {self._bytes_max} bytes")
        return self._decode(copies[0], copies[1:], around)

    def decode_arguments(
        self, parts: Sequence[bytes | memoryview]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Read what `encode_arguments` wrote. Raises `RemoteProtocolError`."""
        value = self._decode(parts[0], (), 2) if len(parts) == 1 else self.decode_parts(parts, 2)
        if type(value) is list and len(value) == 2:
            args, kwargs = value
            if type(args) is list and type(kwargs) is dict:
                if not kwargs or _TEXT.issuperset(map(type, kwargs)):
                    return tuple(args), kwargs
        raise RemoteProtocolError("arguments are a list and a map with texts as keys")

    def _pack_parts(self, value: Any, copy: Callable[..., Any], *given: Any) -> list[bytes]:
        try:
            data = self._pack(value)
        except _UNPACKABLE:
            value = copy(*given)
            data = self._pack_copy(value)
        parts = self._lift(value) if len(data) >= self._large_bytes else [data]
        if len(data) > self._small_bytes:
            self._check_bytes(parts)
            self._check_depth(value, parts[0], partial(copy, *given))
        return parts

    def _lift(self, value: Any) -> list[bytes]:
        lifting = _Lifting(self._large_bytes)
        parts = [lifting.pack(value), *lifting.buffers]
        self._check_bytes(parts)
        return parts

    def _pack_copy(self, copied: Any) -> bytes:
        # Copying raises most errors, but msgpack cannot read a memoryview in steps.
        try:
            return self._pack(copied)
        except _UNPACKABLE as error:
            raise InternalError("a value that can be copied cannot be encoded") from error

    def _copy(self, value: Any) -> Any:
        return copy_value(value, depth_max=self._depth_max)

    def _copy_call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Any]:
        copied, named = copy_arguments(args, kwargs, self._depth_max)
        return [[*copied], named]

    def _check_depth(self, value: Any, data: bytes, copy: Callable[[], Any]) -> None:
        if headers_exceed(data, self._depth_max):
            if _MARK_START in data or is_deeper(value, self._depth_max):
                copy()  # raises the error with the path, if it is too deep

    def _checked(self, value: Any, data: bytes) -> bytes:
        if len(data) > self._small_bytes:
            self._check_bytes([data])
            self._check_depth(value, data, partial(self._copy, value))
        return data

    def _check_bytes(self, parts: list[bytes]) -> None:
        size = sum(map(len, parts))
        if size > self._bytes_max:
            raise NotAValueError(
                f"value: takes {size} bytes encoded; limit value_bytes_max is {self._bytes_max}"
            )

    def _decode(self, data: bytes | memoryview, buffers: tuple[bytes, ...], around: int = 0) -> Any:
        depth_max = self._depth_max + around
        data = bytes(data)
        if len(data) > self._bytes_max:
            raise RemoteProtocolError(f"a value of more than {self._bytes_max} bytes")
        try:
            if 0xC1 in data and _MARK_START in data:  # looking for one byte takes 0.02 us
                building = Building(self._make_reference, self._find_record, buffers)
                return building.build(_unpack_marked(data), depth_max)
            value = _unpack(data)
        except (*LEAF_ERRORS, RecursionError, MemoryError) as error:
            raise RemoteProtocolError(f"no value: {error or type(error).__name__}") from error
        if len(data) > depth_max and headers_exceed(data, depth_max):
            if is_deeper(value, depth_max):
                raise RemoteProtocolError("nested deeper than limit value_depth_max")
        return value


def _packing(encode: Callable[[Any], Any]) -> Callable[[Any], bytes]:
    """A function that packs a value, asking ``encode`` about what msgpack does not know.

    A packer that is packing cannot start another value: two would be mixed. But a field of a
    record may be a property whose code does just that, so each value takes a packer at rest.
    """
    idle: list[Packer] = []

    def pack(value: Any) -> bytes:
        try:
            packer = idle.pop()
        except IndexError:
            packer = Packer(
                default=encode,
                strict_types=True,
                unicode_errors="surrogatepass",
                buf_size=PACKER_BYTES,
            )
        data: bytes = packer.pack(value)
        if len(data) <= PACKER_BYTES:
            idle.append(packer)
        return data

    return pack


class _CanonicalPacking:
    """One canonical encoding. It keeps the order of every set it met, so that a set in sets is
    not sorted again for each set around it."""

    def __init__(self) -> None:
        self._orders: dict[int, tuple[Any, list[Any]]] = {}
        self.pack = _packing(self._encode)

    def _encode(self, value: Any) -> Any:
        kind = type(value)
        if kind is set or kind is frozenset:
            return [_SET if kind is set else _FROZENSET, *self._in_order(value)]
        encoded = _encode_other(value)
        if type(encoded) is list and encoded[0] is _EXCEPTION:
            encoded[2] = encoded[-1] = ""  # a text may show a set, in the order of this process
        return encoded

    def _in_order(self, items: Any) -> list[Any]:
        known = self._orders.get(id(items))
        if known is None:
            # The set is kept with its order, lest its id be given to another one meanwhile.
            known = self._orders[id(items)] = (items, sorted(items, key=self.pack))
        return known[1]


class _Lifting:
    """One encoding whose large buffers are taken out of the message."""

    def __init__(self, large_bytes: int) -> None:
        self._large_bytes = large_bytes
        self.buffers: list[bytes] = []

    def pack(self, value: Any) -> bytes:
        return _packing(self._encode)(self._lift(value))

    def _encode(self, value: Any) -> Any:
        if type(value) is _Lifted:
            return [_BUFFER, value.at]
        return self._lift(_encode_other(value))

    def _lift(self, value: Any) -> Any:
        kind = type(value)
        if kind is list:
            return value if _ATOMIC.issuperset(map(type, value)) else [*map(self._lift, value)]
        if kind is dict:
            return {key: self._lift(item) for key, item in value.items()}
        if kind in _BUFFERS and memoryview(value).nbytes >= self._large_bytes:
            self.buffers.append(bytes(value))
            return _Lifted(len(self.buffers) - 1)
        return value


class _Lifted:
    """Stands where a large buffer was; ``at`` is its number."""

    __slots__ = ("at",)

    def __init__(self, at: int) -> None:
        self.at = at


def _encode_other(value: Any) -> Any:
    encoder = _ENCODERS.get(type(value))
    if encoder is not None:
        return encoder(value)
    if isinstance(value, Reference):
        return [_REFERENCE, *value.__reference_parts__()]
    if isinstance(value, Referable):
        return [_REFERENCE, *value.__reference__().__reference_parts__()]
    form = form_of(type(value))
    if form is not None:
        return _encode_record(value, form)
    if isinstance(value, Exception):
        return _encode_exception(value)
    raise _NoValueError


def _encode_record(value: Any, form: RecordForm) -> list[Any]:
    if form.is_enum:
        return [_ENUM, form.name, value.value if isinstance(value, Flag) else value.name]
    try:
        return [_RECORD, form.name, {name: getattr(value, name) for name in form.fields}]
    except AttributeError:  # a field that was never set
        raise _NoValueError from None


def _encode_exception(error: Exception) -> list[Any]:
    args = exception_arguments(error)
    try:
        build_exception(type(error), args, {}, [])
    except (TypeError, ValueError, OverflowError):
        raise _NoValueError from None
    notes = [note for note in exception_notes(error) if not note.startswith(REMOTE_NOTE)]
    return [
        _EXCEPTION,
        record_name(type(error)),
        exception_text(error),
        [*args],
        copy_attributes(error),
        notes,
        _trace_text(error),
    ]


def _trace_text(error: Exception) -> str:
    """The traceback as text, the remote one it already had included."""
    remote = vars(error).get("remote_traceback", "")
    remote = remote if type(remote) is str else ""
    if error.__traceback__ is None and error.__cause__ is None and error.__context__ is None:
        return remote
    trace = TracebackException.from_exception(error, limit=-TRACEBACK_FRAMES_MAX)
    trace.__notes__ = [remote_note(remote)] if remote else None
    return "".join(trace.format())[-TRACEBACK_CHARACTERS_MAX:]


def pack_plain(value: Any) -> bytes:
    """Pack what msgpack alone can carry, for the headers of frames; an Id is packed as bytes.

    Raises ValueError for a text with lone surrogates.
    """
    return plain_packer()(value)


def plain_packer() -> Callable[[Any], bytes]:
    """A function that does the same, for who packs often: making it anew takes 3 us."""
    pack: Callable[[Any], bytes] = Packer().pack
    return pack


def unpack_plain(data: bytes) -> Any:
    """Unpack what `pack_plain` packed. Raises `RemoteProtocolError` for any other bytes."""
    try:
        return unpackb(data, ext_hook=_refuse_extension, timestamp=3)
    except (*LEAF_ERRORS, RecursionError, MemoryError) as error:
        raise RemoteProtocolError(f"no header: {error or type(error).__name__}") from error


def _refuse_extension(code: int, _data: bytes) -> Any:
    raise ValueError(f"extension {code} in a header")
