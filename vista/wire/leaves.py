"""The values without parts that msgpack does not know: the bytes of each, and back.

Every kind has a code, an encoder that gives the bytes and a decoder that takes them. A decoder gets
bytes from outside: whatever they are, it returns a value of its kind or raises one of
`LEAF_ERRORS`. An encoder raises ValueError for a time zone that nobody else can know. Numbers are
big-endian. Nothing here asks what time it is.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from struct import Struct
from struct import error as StructError
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from vista.ids import Id

LEAF_ERRORS = (ValueError, TypeError, ArithmeticError, LookupError, OSError, StructError)
"""What a decoder raises for bytes that are no value of its kind."""

_DATE = Struct(">I")  # days, as date.toordinal counts them
_TIME = Struct(">BBBBI")  # fold, hour, minute, second, microsecond
_DATETIME = Struct(">IBBBBI")  # the date's days, then as in a time
_TIMEDELTA = Struct(">iII")  # days, seconds, microseconds
_MICROSECOND = timedelta(microseconds=1)

# How a tzinfo is written behind a time: nothing for a naive one, else a letter and its bytes.
_OFFSET = b"o"
_KEY = b"k"


def _encode_integer(number: int) -> bytes:
    return number.to_bytes(number.bit_length() // 8 + 1, "big", signed=True)


def _decode_integer(data: bytes) -> int:
    return int.from_bytes(data, "big", signed=True)


def _encode_decimal(number: Decimal) -> bytes:
    return str(number).encode("ascii")


def _decode_decimal(data: bytes) -> Decimal:
    return Decimal(data.decode("ascii"))


def _encode_uuid(identity: UUID) -> bytes:
    return identity.bytes


def _decode_uuid(data: bytes) -> UUID:
    return UUID(bytes=data)


def _encode_date(day: date) -> bytes:
    return _DATE.pack(day.toordinal())


def _decode_date(data: bytes) -> date:
    return date.fromordinal(_DATE.unpack(data)[0])


def _encode_timedelta(span: timedelta) -> bytes:
    return _TIMEDELTA.pack(span.days, span.seconds, span.microseconds)


def _decode_timedelta(data: bytes) -> timedelta:
    days, seconds, microseconds = _TIMEDELTA.unpack(data)
    return timedelta(days, seconds, microseconds)


def _encode_timezone(zone: timezone) -> bytes:
    # __getinitargs__ is what pickle uses: it tells a name that was given from one made up.
    offset, *name = zone.__getinitargs__()  # type: ignore[attr-defined]
    data: bytes = (offset // _MICROSECOND).to_bytes(8, "big", signed=True)
    return data + b"".join(b"n" + text.encode("utf-8", "surrogatepass") for text in name)


def _decode_timezone(data: bytes) -> timezone:
    offset = timedelta(microseconds=int.from_bytes(data[:8], "big", signed=True))
    if len(data) <= 8:
        return timezone(offset)
    return timezone(offset, data[9:].decode("utf-8", "surrogatepass"))


def _encode_zone(zone: ZoneInfo) -> bytes:
    if zone.key is None:
        raise ValueError("a zone read from a file has no key")
    return zone.key.encode("ascii")


def _decode_zone(data: bytes) -> ZoneInfo:
    # ZoneInfo refuses keys that lead out of the time zone database.
    return ZoneInfo(data.decode("ascii"))


def _encode_tzinfo(zone: Any) -> bytes:
    if zone is None:
        return b""
    if type(zone) is timezone:
        return _OFFSET + _encode_timezone(zone)
    if type(zone) is ZoneInfo:
        return _KEY + _encode_zone(zone)
    raise ValueError("a zone of one's own")


def _decode_tzinfo(data: bytes) -> timezone | ZoneInfo | None:
    if not data:
        return None
    if data[:1] == _OFFSET:
        return _decode_timezone(data[1:])
    if data[:1] == _KEY:
        return _decode_zone(data[1:])
    raise ValueError("neither an offset nor a time zone key")


def _encode_time(clock: time) -> bytes:
    return _TIME.pack(
        clock.fold, clock.hour, clock.minute, clock.second, clock.microsecond
    ) + _encode_tzinfo(clock.tzinfo)


def _decode_time(data: bytes) -> time:
    fold, hour, minute, second, microsecond = _TIME.unpack(data[: _TIME.size])
    zone = _decode_tzinfo(data[_TIME.size :])
    return time(hour, minute, second, microsecond, zone, fold=fold)


def _encode_datetime(moment: datetime) -> bytes:
    return _DATETIME.pack(
        moment.toordinal(),
        moment.fold,
        moment.hour,
        moment.minute,
        moment.second,
        moment.microsecond,
    ) + _encode_tzinfo(moment.tzinfo)


def _decode_datetime(data: bytes) -> datetime:
    days, fold, hour, minute, second, microsecond = _DATETIME.unpack(data[: _DATETIME.size])
    zone = _decode_tzinfo(data[_DATETIME.size :])
    clock = time(hour, minute, second, microsecond, zone, fold=fold)
    return datetime.combine(date.fromordinal(days), clock)


# The code on the wire, the type, its encoder and its decoder. Codes are for ever. Code 127 is
# the codec's mark; msgpack keeps the negative ones for itself.
LEAVES: tuple[tuple[int, type, Callable[[Any], bytes], Callable[[bytes], Any]], ...] = (
    (1, int, _encode_integer, _decode_integer),  # those beyond 64 bits
    (2, Id, bytes, Id.read),
    (3, Decimal, _encode_decimal, _decode_decimal),
    (4, UUID, _encode_uuid, _decode_uuid),
    (5, date, _encode_date, _decode_date),
    (6, time, _encode_time, _decode_time),
    (7, datetime, _encode_datetime, _decode_datetime),
    (8, timedelta, _encode_timedelta, _decode_timedelta),
    (9, timezone, _encode_timezone, _decode_timezone),
    (10, ZoneInfo, _encode_zone, _decode_zone),
)
"""Every leaf kind: code, type, encoder and decoder."""
