"""Calls per second, from the differences between looks."""

from __future__ import annotations

import pytest

from apps.http.browser.bounds import NODES_REMEMBERED_MAX, RATES_KEPT
from apps.http.browser.rates import Rates


def test_the_first_look_gives_the_mean_and_no_curve() -> None:
    rates = Rates()
    rates.note("a", 10.0, 500)
    assert rates.rate("a") == 50.0
    assert rates.curve("a") == ()


def test_the_next_ones_give_what_happened_in_between() -> None:
    rates = Rates()
    for seconds, calls in ((10.0, 500), (12.0, 510), (14.0, 550)):
        rates.note("a", seconds, calls)
    assert rates.rate("a") == 20.0
    assert rates.curve("a") == (5.0, 20.0)


def test_looks_that_are_too_near_count_as_one() -> None:
    rates = Rates()
    rates.note("a", 10.0, 0)
    rates.note("a", 10.1, 1000)
    rates.note("a", 12.0, 1000)
    assert rates.curve("a") == (500.0,)


def test_a_node_that_started_again_begins_anew() -> None:
    rates = Rates()
    rates.note("a", 100.0, 5000)
    rates.note("a", 2.0, 10)
    assert rates.rate("a") == 5.0
    assert rates.curve("a") == ()


@pytest.mark.parametrize("node", ["", "never seen"])
def test_an_unknown_node_has_no_rate(node: str) -> None:
    assert (Rates().rate(node), Rates().curve(node)) == (0.0, ())


def test_what_is_kept_is_bounded() -> None:
    rates = Rates()
    for number in range(2 * RATES_KEPT):
        rates.note("a", 2.0 * number, number)
    assert len(rates.curve("a")) == RATES_KEPT
    for number in range(NODES_REMEMBERED_MAX):
        rates.note(f"node {number}", 1.0, 1)
    assert rates.rate("a") == 0.0
