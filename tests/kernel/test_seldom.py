"""What happens often, as posts that reach nobody: the log names each reason once in a while."""

from __future__ import annotations

import logging

import pytest

from vista.kernel.seldom import REASONS_MAX, SILENCE_SECONDS, SeldomLog
from vista.testing import World


@pytest.fixture
def lost(caplog: pytest.LogCaptureFixture) -> SeldomLog:
    return SeldomLog(logging.getLogger("vista.kernel"), "a post was lost")


def test_a_reason_is_logged_once(lost: SeldomLog, caplog: pytest.LogCaptureFixture) -> None:
    for number in range(93):
        lost.note("node d43qjj cannot be reached any longer", number / 100)
    lost.note("node other cannot be reached any longer", 1.0)
    assert [record.getMessage() for record in caplog.records] == [
        "a post was lost: node d43qjj cannot be reached any longer",
        "a post was lost: node other cannot be reached any longer",
    ]


def test_all_of_them_are_counted() -> None:
    with World(1) as world:
        kernel = world.node("a").kernel
        before = kernel.counters.posts_lost, kernel.counters.access_denied
        for _ in range(93):
            kernel.note_lost_post("a reason")
            kernel.note_refusal("a reason")
        after = kernel.counters.posts_lost, kernel.counters.access_denied
        assert after == (before[0] + 93, before[1] + 93)


def test_a_reason_that_lasts_is_logged_again_with_how_many_there_were(
    lost: SeldomLog, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(3):
        lost.note("a reason", 5.0)
    lost.note("a reason", 5.0 + SILENCE_SECONDS)
    assert caplog.records[-1].getMessage() == (
        "a post was lost, after 2 more for this reason: a reason"
    )


def test_a_reason_that_lasts_for_a_day_is_some_thirty_lines(
    lost: SeldomLog, caplog: pytest.LogCaptureFixture
) -> None:
    for second in range(24 * 3600):
        lost.note("a reason", float(second))
    assert 20 < len(caplog.records) < 40


def test_a_reason_that_comes_back_after_it_was_over_is_logged_as_at_first(
    lost: SeldomLog, caplog: pytest.LogCaptureFixture
) -> None:
    for now in (0.0, 10.0, 1_000.0, 1_009.0, 1_010.0):
        lost.note("a reason", now)
    assert len(caplog.records) == 4


def test_of_reasons_without_number_some_are_logged_and_that_there_are_others(
    lost: SeldomLog, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(100 * REASONS_MAX):
        lost.note(f"no object {number}", number / 1_000)
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == REASONS_MAX
    assert lines[-1] == f"a post was lost: {lost.others}"
    # Those that were over make room for others.
    lost.note("no object at last", 3 * SILENCE_SECONDS)
    assert caplog.records[-1].getMessage() == "a post was lost: no object at last"


def test_reasons_without_number_are_not_remembered(lost: SeldomLog) -> None:
    for number in range(3 * REASONS_MAX):
        lost.note(f"no object {number}", 1.0)
    assert len(lost._silences) <= REASONS_MAX


def test_a_log_may_be_silent_for_longer_and_tell_fewer_reasons_apart(
    caplog: pytest.LogCaptureFixture,
) -> None:
    log = SeldomLog(logging.getLogger("vista.kernel"), "refused", seconds=600.0, reasons_max=2)
    for number, now in enumerate((0.0, 1.0, 599.0)):
        log.note("a", now)
        log.note(f"another {number}", now)
    log.note("a", 600.0)
    assert [record.getMessage() for record in caplog.records] == [
        "refused: a",
        "refused: for other reasons, of which there are more than 2 at a time",
        "refused, after 2 more for this reason: a",
    ]


def test_who_invents_reasons_does_not_have_all_of_them_looked_through_each_time(
    lost: SeldomLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = []
    forget = lost._forget
    monkeypatch.setattr(lost, "_forget", lambda now: (looks.append(now), forget(now)))
    for number in range(10_000):
        lost.note(f"no object {number}", number / 1_000)
    assert len(looks) == 1
