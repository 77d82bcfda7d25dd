"""How pages write times and sizes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.http.content.ssi.errors import DirectiveError
from apps.http.content.ssi.formats import (
    GMT,
    TIME_FORMAT,
    check_time_format,
    format_size,
    format_time,
)

NOVEMBER_6 = 784_111_777


@pytest.mark.parametrize("conversion", "aAbBcdDeFhHIjmMnprRsStTuVwxXyYz%")
@pytest.mark.parametrize("seconds", [NOVEMBER_6, 0, 1_709_164_799, 1_735_689_599.9, 43_200])
def test_conversions_are_those_of_strftime(conversion: str, seconds: float) -> None:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=int(seconds))
    expected = str(int(seconds)) if conversion == "s" else moment.strftime(f"%{conversion}")
    assert format_time(seconds, f"%{conversion}", GMT) == expected


def test_a_zone_has_its_name_and_offset() -> None:
    zone = timezone(timedelta(hours=-3, minutes=-30), "NST")
    assert format_time(NOVEMBER_6, "%H:%M %Z %z", zone) == "05:19 NST -0330"
    assert format_time(NOVEMBER_6, "%Z %z", GMT) == "GMT +0000"


@pytest.mark.parametrize("form", ["%Q", "%", "100%", "%999999999d", "%-d", "%Ey", "%\n"])
def test_other_conversions_are_refused(form: str) -> None:
    with pytest.raises(DirectiveError, match=r"timefmt has no '%"):
        check_time_format(form)


def test_what_a_conversion_wrote_is_not_converted() -> None:
    assert format_time(NOVEMBER_6, "%%Y", GMT) == "%Y"


@given(st.floats() | st.integers(-(10**15), 10**15))
def test_any_time_is_written_in_any_zone(seconds: float) -> None:
    for hours in (-23, 0, 23):
        zone = timezone(timedelta(hours=hours))
        assert format_time(seconds, check_time_format(TIME_FORMAT), zone)


@pytest.mark.parametrize(
    ("size", "abbreviated", "counted"),
    [
        (0, "0", "0"),
        (999, "999", "999"),
        (1000, "1.0K", "1,000"),
        (1536, "1.5K", "1,536"),
        (10_188, "9.9K", "10,188"),
        (10_189, "10K", "10,189"),
        (1_023_487, "999K", "1,023,487"),
        (1_023_488, "1.0M", "1,023,488"),
        (5 * 1024**3, "5.0G", "5,368,709,120"),
        (10**18, "888P", "1,000,000,000,000,000,000"),
        (10**20, "88818P", "100,000,000,000,000,000,000"),
    ],
)
def test_sizes(size: int, abbreviated: str, counted: str) -> None:
    assert format_size(size, "abbrev") == abbreviated
    assert format_size(size, "bytes") == counted
