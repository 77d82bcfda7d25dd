"""Posts that reached nobody: all are counted, and the log names each reason once in a while."""

from __future__ import annotations

import logging

import pytest

from vista.kernel.lost import LOST_REASONS_MAX, LOST_SECONDS, OTHERS, LostPosts
from vista.kernel.statistics import Counters


@pytest.fixture
def lost(caplog: pytest.LogCaptureFixture) -> LostPosts:
    return LostPosts(logging.getLogger("vista.kernel"), Counters())


def test_a_reason_is_logged_once_and_counted_each_time(
    lost: LostPosts, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(93):
        lost.note("node d43qjj cannot be reached any longer", number / 100)
    lost.note("node other cannot be reached any longer", 1.0)
    assert [record.getMessage() for record in caplog.records] == [
        "a post was lost: node d43qjj cannot be reached any longer",
        "a post was lost: node other cannot be reached any longer",
    ]


def test_all_of_them_are_counted() -> None:
    counters = Counters()
    lost = LostPosts(logging.getLogger("vista.kernel"), counters)
    for _ in range(93):
        lost.note("a reason", 1.0)
    assert counters.posts_lost == 93


def test_a_reason_that_lasts_is_logged_again_with_how_many_there_were(
    lost: LostPosts, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(3):
        lost.note("a reason", 5.0)
    lost.note("a reason", 5.0 + LOST_SECONDS)
    assert caplog.records[-1].getMessage() == (
        "a post was lost: a reason (2 more were for that reason before)"
    )


def test_a_reason_that_lasts_for_a_day_is_some_thirty_lines(
    lost: LostPosts, caplog: pytest.LogCaptureFixture
) -> None:
    for second in range(24 * 3600):
        lost.note("a reason", float(second))
    assert 20 < len(caplog.records) < 40


def test_a_reason_that_comes_back_after_it_was_over_is_logged_as_at_first(
    lost: LostPosts, caplog: pytest.LogCaptureFixture
) -> None:
    for now in (0.0, 10.0, 1_000.0, 1_009.0, 1_010.0):
        lost.note("a reason", now)
    assert len(caplog.records) == 4


def test_of_reasons_without_number_some_are_logged_and_that_there_are_others(
    lost: LostPosts, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(100 * LOST_REASONS_MAX):
        lost.note(f"no object {number}", number / 1_000)
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == LOST_REASONS_MAX
    assert lines[-1] == f"a post was lost: {OTHERS}"
    # Those that were over make room for others.
    lost.note("no object at last", 3 * LOST_SECONDS)
    assert caplog.records[-1].getMessage() == "a post was lost: no object at last"


def test_reasons_without_number_are_not_remembered(lost: LostPosts) -> None:
    for number in range(3 * LOST_REASONS_MAX):
        lost.note(f"no object {number}", 1.0)
    assert len(lost._silences) <= LOST_REASONS_MAX
