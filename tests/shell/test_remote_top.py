"""``vista top``: rates from the differences between two looks at a node."""

from __future__ import annotations

from typing import Any

import vista
from tests.shell.remote_world import chain
from vista.shell.top import METHODS_MAX, Look, Report, report, reports, text_of


def look(uptime_seconds: float, calls: int, methods: dict[str, Any] | None = None) -> Look:
    """What a node without links would tell."""
    figures = {
        "uptime_seconds": uptime_seconds,
        "threads_started": calls,
        "loop_lag_seconds": 0.0005,
        "loop_lag_longest_seconds": 0.25,
        "messages_ready": 1,
        "messages_waiting": 2,
        "threads_live": 3,
        "objects": 4,
        "methods": methods or {},
    }
    return Look(figures, [])


def method(calls: int, timed_calls: int = 0, timed_seconds: float = 0.0) -> dict[str, Any]:
    """The figures of one method."""
    return {
        "calls": calls,
        "timed_calls": timed_calls,
        "timed_seconds": timed_seconds,
        "longest_seconds": 0.5,
    }


def test_calls_are_counted_by_the_nodes_own_clock() -> None:
    assert report("n", look(10.0, 1000), look(12.0, 1500)).calls_per_second == 250.0


def test_two_looks_at_one_instant_divide_by_nothing() -> None:
    assert report("n", look(10.0, 7), look(10.0, 7)).calls_per_second == 0.0


def test_the_mean_is_that_of_the_calls_timed_since_the_last_look() -> None:
    before = look(0.0, 0, {"a": method(100, 10, 5.0)})
    after = look(2.0, 0, {"a": method(140, 12, 5.5)})
    (rate,) = report("n", before, after).methods
    assert (rate.calls_per_second, rate.mean_milliseconds, rate.calls) == (20.0, 250.0, 140)


def test_a_method_called_for_the_first_time_counts_from_nothing() -> None:
    (rate,) = report("n", look(0.0, 0), look(1.0, 0, {"a": method(5, 1, 0.1)})).methods
    assert (rate.calls_per_second, rate.mean_milliseconds) == (5.0, 100.0)


def test_methods_that_did_not_run_are_left_out() -> None:
    before = look(0.0, 0, {"a": method(5), "b": method(5)})
    after = look(1.0, 0, {"a": method(5), "b": method(6)})
    assert [rate.method for rate in report("n", before, after).methods] == ["b"]


def test_the_slowest_method_stands_first_and_those_not_timed_last() -> None:
    methods = {"fast": method(9, 1, 0.1), "untimed": method(9), "slow": method(9, 1, 0.3)}
    made = report("n", look(0.0, 0), look(1.0, 0, methods))
    assert [rate.method for rate in made.methods] == ["slow", "fast", "untimed"]


def test_no_more_methods_than_a_screen_holds_are_told() -> None:
    methods = {f"m{number}": method(1) for number in range(METHODS_MAX + 5)}
    assert len(report("n", look(0.0, 0), look(1.0, 0, methods)).methods) == METHODS_MAX


def shown() -> Report:
    """A report of one method."""
    return report("hub", look(0.0, 0), look(90_061.0, 90_061, {"A/0.go": method(2, 1, 0.004)}))


def test_a_report_is_two_lines_and_a_table() -> None:
    first, second, empty, head, line = text_of(shown()).split("\n")
    assert first == "hub  up 1 d 01:01:01  1.0 calls/s  loop lag 0.50 ms, longest 250.00 ms"
    assert second == ("objects 4  threads 3  links 0  messages ready 1, waiting 2, leaving 0")
    assert empty == ""
    assert head.split()[0] == "method"
    assert line.split() == ["A/0.go", "0.000", "4.000", "500.000", "2"]


def test_a_report_fits_its_terminal() -> None:
    lines = text_of(shown(), width=40, lines_max=3).split("\n")
    assert len(lines) == 3
    assert max(map(len, lines)) <= 40


def test_a_node_elsewhere_is_looked_at_as_often_as_asked() -> None:
    with chain() as (_, _, _, peer):
        vista.service("Tallies/hub").rest.future(2.5)
        made = list(reports(peer, 1.0, 3, 5.0))
        assert [one.name for one in made] == ["hub"] * 3
        assert made[0].threads == made[1].threads == made[2].threads + 1
        assert all(0.5 < one.calls_per_second < 10 for one in made)


def test_the_asking_node_is_not_among_the_links() -> None:
    with chain() as (_, _, _, peer):
        (made,) = reports(peer, 1.0, 1, 5.0)
        assert made.links == 1
