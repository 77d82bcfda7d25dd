"""HTTP dates (RFC 9110, section 5.6.7): one form out, three forms in.

Times are whole seconds since 1970 in UTC. No clock: who needs the present is handed it. A date that
cannot be read is ``None``, since every field that carries one is then to be ignored, not refused.
"""

from __future__ import annotations

import functools
import re

SECONDS_A_DAY = 86_400
EARLIEST, LATEST = -62_135_596_800, 253_402_300_799
"""The first second of the year 1 and the last of the year 9999, between which dates are written."""

DAYS_KNOWN_MAX = 64
"""Days whose text is known, about 150 bytes each: the files of a tree were changed on few."""

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_LONG_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = tuple("Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split())
_CENTURY = 100

_MONTH = rf"(?P<month>{'|'.join(_MONTHS)})"
_CLOCK = "(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})"
_IMF = re.compile(
    rf"(?:{'|'.join(_DAYS)}), (?P<day>[0-9]{{2}}) {_MONTH} (?P<year>[0-9]{{4}}) {_CLOCK} GMT"
)
_RFC_850 = re.compile(
    rf"(?:{'|'.join(_LONG_DAYS)}), (?P<day>[0-9]{{2}})-{_MONTH}-(?P<year>[0-9]{{2}}) {_CLOCK} GMT"
)
_ASCTIME = re.compile(
    rf"(?:{'|'.join(_DAYS)}) {_MONTH} (?P<day>[0-9]{{2}}| [0-9]) {_CLOCK} (?P<year>[0-9]{{4}})"
)


def format_date(seconds: int) -> str:
    """Return a time as an IMF-fixdate, the only form that may be sent.

    ``seconds`` since 1970 in UTC; a time outside the years 1 to 9999, which the form cannot hold,
    is written as the nearest one it can.

    >>> format_date(784_111_777)
    'Sun, 06 Nov 1994 08:49:37 GMT'
    """
    seconds = min(max(seconds, EARLIEST), LATEST)
    days, rest = divmod(seconds, SECONDS_A_DAY)
    hour, rest = divmod(rest, 3600)
    minute, second = divmod(rest, 60)
    return f"{_day_text(days)} {hour:02}:{minute:02}:{second:02} GMT"


@functools.lru_cache(maxsize=DAYS_KNOWN_MAX)
def _day_text(days: int) -> str:
    year, month, day = _civil(days)
    # The first of January 1970 was a Thursday.
    return f"{_DAYS[(days + 3) % 7]}, {day:02} {_MONTHS[month - 1]} {year:04}"


def parse_date(text: str, now: int) -> int | None:
    """Return the seconds since 1970 that an HTTP date names; None when it is no date.

    All three forms are read: IMF-fixdate, RFC 850 and asctime. ``now`` decides the century of the
    two digits of an RFC 850 year. The name of the day must be one, but need not be the right one:
    it adds nothing to the date. A leap second is the first second of the next minute.

    >>> parse_date("Sun Nov  6 08:49:37 1994", now=0)
    784111777
    """
    for form in (_IMF, _ASCTIME):
        if match := form.fullmatch(text):
            return _seconds(match, int(match["year"]))
    if match := _RFC_850.fullmatch(text):
        return _in_this_century(match, now)
    return None


def _in_this_century(match: re.Match[str], now: int) -> int | None:
    """Read a year of two digits.

    Section 5.6.7: a date that appears to be more than 50 years in the future is the most recent
    year in the past that had the same last two digits.
    """
    this_year, month, day = _civil(now // SECONDS_A_DAY)
    year = this_year - this_year % _CENTURY + int(match["year"])
    # Years first, then the rest of the date: 50 years and a day is more than 50 years.
    date = (year, _MONTHS.index(match["month"]) + 1, int(match["day"]), _second_of_day(match))
    if date > (this_year + 50, month, day, now % SECONDS_A_DAY):
        year -= _CENTURY
    return _seconds(match, year)


def _second_of_day(match: re.Match[str]) -> int:
    return int(match["hour"]) * 3600 + int(match["minute"]) * 60 + int(match["second"])


def _seconds(match: re.Match[str], year: int) -> int | None:
    month, day = _MONTHS.index(match["month"]) + 1, int(match["day"])
    if int(match["hour"]) > 23 or int(match["minute"]) > 59 or int(match["second"]) > 60:
        return None
    days = _days(year, month, day)
    if year < 1 or _civil(days) != (year, month, day):
        return None
    return days * SECONDS_A_DAY + _second_of_day(match)


def _days(year: int, month: int, day: int) -> int:
    """Return the days from 1970 to a date of the Gregorian calendar.

    The year is taken to begin in March, so that the leap day is its last: then the days before a
    month follow one line, (153 m + 2) / 5. Eras of 400 years have 146,097 days each.
    """
    year -= month <= 2
    era, year_of_era = divmod(year, 400)
    day_of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    return (
        era * 146_097
        + year_of_era * 365
        + year_of_era // 4
        - year_of_era // 100
        + (day_of_year - 719_468)
    )


def _civil(days: int) -> tuple[int, int, int]:
    """Return the year, month and day that lie some days after the first of January 1970."""
    era, day_of_era = divmod(days + 719_468, 146_097)
    year_of_era = (
        day_of_era - day_of_era // 1460 + day_of_era // 36_524 - day_of_era // 146_096
    ) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    march_month = (5 * day_of_year + 2) // 153
    month = (march_month + 2) % 12 + 1
    day = day_of_year - (153 * march_month + 2) // 5 + 1
    return era * 400 + year_of_era + (month <= 2), month, day
