"""HTTP dates: RFC 9110, section 5.6.7."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from apps.http.syntax.dates import EARLIEST, LATEST, format_date, parse_date

NOVEMBER_6 = 784_111_777
"""The date all examples of the RFC name: Sun, 06 Nov 1994 08:49:37 GMT."""
NOW = int(datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC).timestamp())


@pytest.mark.parametrize(
    "text",
    [
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
    ],
)
def test_5_6_7_all_three_forms_are_read(text: str) -> None:
    assert parse_date(text, NOW) == NOVEMBER_6


def test_5_6_7_the_fixed_form_is_written() -> None:
    assert format_date(NOVEMBER_6) == "Sun, 06 Nov 1994 08:49:37 GMT"


@given(st.integers(EARLIEST, LATEST))
@example(EARLIEST)
@example(LATEST)
@example(-1)
@example(951_782_400)  # the 29th of February 2000
def test_what_is_written_is_the_calendar_of_python(seconds: int) -> None:
    moment = datetime(1970, 1, 1) + timedelta(seconds=seconds)
    day = "Mon Tue Wed Thu Fri Sat Sun".split()[moment.weekday()]
    month = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()[moment.month - 1]
    expected = f"{day}, {moment.day:02} {month} {moment.year:04} {moment:%H:%M:%S} GMT"
    assert format_date(seconds) == expected


@given(st.integers(EARLIEST, LATEST))
def test_what_is_written_is_read_back(seconds: int) -> None:
    assert parse_date(format_date(seconds), NOW) == seconds


@pytest.mark.parametrize(("seconds", "year"), [(LATEST + 1, "9999"), (EARLIEST - 1, "0001")])
def test_a_time_that_the_form_cannot_hold_is_the_nearest_it_can(seconds: int, year: str) -> None:
    assert year in format_date(seconds)


def test_5_6_7_a_short_year_up_to_50_years_ahead_is_in_the_future() -> None:
    # The 21st of November 2076, 12:00:00, is 50 years ahead to the second.
    assert format_date(parse_date("Saturday, 21-Nov-76 12:00:00 GMT", NOW) or 0)[12:16] == "2076"


@pytest.mark.parametrize(
    "text", ["Saturday, 21-Nov-76 12:00:01 GMT", "Sunday, 22-Nov-76 00:00:00 GMT"]
)
def test_5_6_7_a_short_year_more_than_50_years_ahead_is_in_the_past(text: str) -> None:
    assert format_date(parse_date(text, NOW) or 0)[12:16] == "1976"


def test_a_short_year_of_this_year_is_this_year() -> None:
    assert format_date(parse_date("Friday, 01-Jan-26 00:00:00 GMT", NOW) or 0)[12:16] == "2026"


def test_5_6_7_a_leap_second_is_read() -> None:
    assert parse_date("Sat, 31 Dec 2016 23:59:60 GMT", NOW) == 1_483_228_800


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0",
        "-1",
        "Sun, 06 nov 1994 08:49:37 GMT",  # section 5.6.7: dates tell upper from lower case
        "sun, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun,  06 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 GMT ",
        "Sun, 31 Nov 1994 08:49:37 GMT",
        "Sun, 29 Feb 1900 08:49:37 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 0000 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT",
        "Sun, 06 Nov 1994 08:60:00 GMT",
        "Sun, 06 Nov 1994 08:49:61 GMT",
        "Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT",
        "Sun Nov 6 08:49:37 1994",
        "Sun Nov 06 08:49:37 94",
        "Sun, 06 Nov \u0661\u0669\u0669\u0664 08:49:37 GMT",
    ],
)
def test_5_6_7_what_is_no_date_is_none(text: str) -> None:
    assert parse_date(text, NOW) is None


@given(st.text())
def test_any_text_is_a_date_or_none(text: str) -> None:
    assert parse_date(text, NOW) is None or text.isascii()
