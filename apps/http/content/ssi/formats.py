"""How pages write times and sizes: ``config timefmt`` and ``config sizefmt``.

The conversions are a table of their own: those of the C library depend on the machine's language,
and a width as in ``%999999999d`` lets one directive fill the memory.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo

from apps.http.content.ssi.errors import DirectiveError

TIME_FORMAT = "%A, %d-%b-%Y %H:%M:%S %Z"
"""How times are written when the page does not say: as by Apache's mod_include."""
SIZE_FORMATS = ("abbrev", "bytes")
"""The two values of sizefmt: ``1.5K``, or ``1,536``."""

Zone = tzinfo
"""What a time zone is; `zoneinfo.ZoneInfo` makes one from its name."""
GMT: Zone = UTC

_DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
_MONTHS = (
    "January February March April May June July August September October November December".split()
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# A day less at both ends than a date can hold, for the zones.
_EARLIEST, _LATEST = -62_135_510_400, 253_402_214_400
_CONVERSION = re.compile(r"%(.?)", re.DOTALL)

_WRITERS: dict[str, Callable[[datetime], str]] = {
    "a": lambda time: _DAYS[time.weekday()][:3],
    "A": lambda time: _DAYS[time.weekday()],
    "b": lambda time: _MONTHS[time.month - 1][:3],
    "B": lambda time: _MONTHS[time.month - 1],
    "d": lambda time: f"{time.day:02}",
    "e": lambda time: f"{time.day:2}",
    "H": lambda time: f"{time.hour:02}",
    "I": lambda time: f"{time.hour % 12 or 12:02}",
    "j": lambda time: f"{time.timetuple().tm_yday:03}",
    "m": lambda time: f"{time.month:02}",
    "M": lambda time: f"{time.minute:02}",
    "p": lambda time: "AM" if time.hour < 12 else "PM",
    "s": lambda time: f"{(time - _EPOCH) // timedelta(seconds=1)}",
    "S": lambda time: f"{time.second:02}",
    "u": lambda time: f"{time.isoweekday()}",
    "V": lambda time: f"{time.isocalendar().week:02}",
    "w": lambda time: f"{time.isoweekday() % 7}",
    "y": lambda time: f"{time.year % 100:02}",
    "Y": lambda time: f"{time.year:04}",
    "z": lambda time: _offset(time),
    "Z": lambda time: "GMT" if time.tzinfo is UTC else time.tzname() or "",
    "%": lambda time: "%",
    "n": lambda time: "\n",
    "t": lambda time: "\t",
}
_SHORT = {
    "c": "%a %b %e %H:%M:%S %Y",
    "D": "%m/%d/%y",
    "F": "%Y-%m-%d",
    "h": "%b",
    "r": "%I:%M:%S %p",
    "R": "%H:%M",
    "T": "%H:%M:%S",
    "x": "%m/%d/%y",
    "X": "%H:%M:%S",
}


def check_time_format(form: str) -> str:
    """Return the form of times. Raises `DirectiveError` that names a conversion it does not know.

    The conversions are those of strftime in English: aAbBcdDeFhHIjmMnprRsStTuVwxXyYzZ and %%.
    """
    for found in _CONVERSION.finditer(form):
        if found[1] not in _WRITERS and found[1] not in _SHORT:
            known = "".join(sorted(_WRITERS.keys() | _SHORT.keys()))
            raise DirectiveError(f"timefmt has no {found[0]!r}; it knows % before {known}")
    return form


def check_size_format(form: str) -> str:
    """Return the form of sizes. Raises `DirectiveError` when there is no such form."""
    if form not in SIZE_FORMATS:
        raise DirectiveError(f"sizefmt is one of {', '.join(SIZE_FORMATS)}, not {form[:40]!r}")
    return form


def format_time(seconds: float, form: str, zone: Zone) -> str:
    """Return a time as a page writes it.

    ``seconds`` since 1970 in UTC; beyond the years 1 to 9999 the nearest that can be written. The
    form has gone through `check_time_format`.

    >>> format_time(784_111_777, "%e %B %Y, %R %Z", GMT)
    ' 6 November 1994, 08:49 GMT'
    """
    # Not min() and max(): of one that is no number they would return either.
    within = seconds if _EARLIEST <= seconds <= _LATEST else _LATEST if seconds > 0 else _EARLIEST
    time = (_EPOCH + timedelta(seconds=within // 1)).astimezone(zone)
    long = _CONVERSION.sub(lambda found: _SHORT.get(found[1], found[0]), form)
    return _CONVERSION.sub(lambda found: _WRITERS[found[1]](time), long)


def _offset(time: datetime) -> str:
    minutes = (time.utcoffset() or timedelta()) // timedelta(minutes=1)
    hours, rest = divmod(abs(minutes), 60)
    return f"{'-' if minutes < 0 else '+'}{hours:02}{rest:02}"


def format_size(size: int, form: str) -> str:
    """Return a size in bytes as a page writes it: ``form`` is one of `SIZE_FORMATS`.

    >>> format_size(1536, "abbrev"), format_size(1536, "bytes")
    ('1.5K', '1,536')
    """
    if form == "bytes":
        return f"{size:,}"
    if size < 1000:
        return f"{size}"
    value = float(size)
    for unit in "KMGTP":
        value /= 1024
        # Rounded first: 9.97 must become 10, not 10.0, and 999.6K 1.0M.
        if value < 9.95:
            return f"{value:.1f}{unit}"
        if value < 999.5 or unit == "P":
            break
    return f"{value:.0f}{unit}"
