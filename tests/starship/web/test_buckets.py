"""How often an address may do something."""

from __future__ import annotations

from apps.starship.web.buckets import Buckets, Counts


def test_as_many_as_the_bucket_holds_at_once() -> None:
    buckets = Buckets(1.0, 3, 10)
    assert [buckets.take("10.0.0.1", 5.0) for _ in range(5)] == [0.0, 0.0, 0.0, 1.0, 1.0]


def test_tokens_come_back_with_time_and_not_above_the_brim() -> None:
    buckets = Buckets(2.0, 2, 10)
    assert [buckets.take("10.0.0.1", 0.0) for _ in range(3)][2] == 0.5
    assert buckets.take("10.0.0.1", 0.5) == 0.0
    assert [bool(buckets.take("10.0.0.1", 1000.0)) for _ in range(3)] == [False, False, True]


def test_who_asks_in_vain_waits_no_longer_for_it() -> None:
    buckets = Buckets(1.0, 1, 10)
    assert [buckets.take("10.0.0.1", now) for now in (0.0, 0.5, 0.75, 1.0)] == [0.0, 0.5, 0.25, 0.0]


def test_addresses_do_not_disturb_each_other() -> None:
    buckets = Buckets(1.0, 1, 10)
    assert buckets.take("10.0.0.1", 0.0) == 0.0
    assert buckets.take("10.0.0.2", 0.0) == 0.0


def test_a_network_of_ipv6_is_one_address() -> None:
    buckets = Buckets(1.0, 1, 10)
    assert buckets.take("2001:db8::1", 0.0) == 0.0
    assert buckets.take("2001:db8::2", 0.0) > 0.0
    assert buckets.take("2001:db8:0:1::2", 0.0) == 0.0


def test_a_clock_that_goes_back_gives_nothing() -> None:
    buckets = Buckets(1.0, 1, 10)
    assert buckets.take("10.0.0.1", 10.0) == 0.0
    assert buckets.take("10.0.0.1", 5.0) == 1.0


def test_what_did_not_happen_is_given_back() -> None:
    buckets = Buckets(1.0, 1, 10)
    assert buckets.take("10.0.0.1", 0.0) == 0.0
    buckets.give_back("10.0.0.1")
    buckets.give_back("10.0.0.1")
    assert [buckets.take("10.0.0.1", 0.0) for _ in range(2)] == [0.0, 1.0]


def test_the_addresses_are_bounded() -> None:
    buckets = Buckets(1.0, 1, 3)
    for number in range(10):
        buckets.take(f"10.0.0.{number}", 0.0)
    assert len(buckets) == 3
    assert buckets.take("10.0.0.9", 0.0) > 0.0


def test_an_address_has_so_many_and_no_more() -> None:
    counts = Counts(2)
    assert [counts.begin("10.0.0.1") for _ in range(3)] == [True, True, False]
    assert counts.begin("10.0.0.2")
    counts.end("10.0.0.1")
    assert counts.begin("10.0.0.1")


def test_what_ended_once_too_often_is_no_credit() -> None:
    counts = Counts(1)
    counts.end("10.0.0.1")
    assert [counts.begin("10.0.0.1") for _ in range(2)] == [True, False]
