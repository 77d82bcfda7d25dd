"""Attempts at passwords: a few are free, then an address waits ever longer, within bounds."""

from __future__ import annotations

from apps.http.content.attempts import (
    FORGOTTEN_SECONDS,
    FREE_ATTEMPTS,
    WAIT_SECONDS_MAX,
    Attempts,
)


def mistaken(attempts: Attempts, address: str, times: int, now: float = 0.0) -> float:
    """Have an address fail, waiting as it is told; return when the last attempt began."""
    for _ in range(times):
        while wait := attempts.begin(address, now):
            now += wait
    return now


def test_an_address_waits_after_a_few_mistakes() -> None:
    attempts = Attempts()
    assert mistaken(attempts, "10.0.0.1", FREE_ATTEMPTS + 1) == 0.0
    assert attempts.begin("10.0.0.1", 0.0) == 1.0
    assert attempts.begin("10.0.0.1", 0.5) == 0.5
    assert attempts.begin("10.0.0.1", 1.0) == 0.0
    assert attempts.begin("10.0.0.1", 1.0) == 2.0


def test_an_address_never_waits_longer_than_the_bound() -> None:
    attempts = Attempts()
    now = mistaken(attempts, "10.0.0.1", 40)
    assert attempts.begin("10.0.0.1", now) == WAIT_SECONDS_MAX


def test_attempts_count_when_they_begin() -> None:
    attempts = Attempts()
    begun = sum(attempts.begin("10.0.0.1", 0.0) == 0.0 for _ in range(100))
    assert begun == FREE_ATTEMPTS + 1


def test_an_attempt_that_was_right_does_not_count() -> None:
    attempts = Attempts()
    for _ in range(100):
        assert attempts.begin("10.0.0.1", 0.0) == 0.0
        attempts.forgive("10.0.0.1")
    assert len(attempts) == 0


def test_one_that_was_right_does_not_wipe_out_the_mistakes() -> None:
    attempts = Attempts()
    mistaken(attempts, "10.0.0.1", FREE_ATTEMPTS)
    attempts.begin("10.0.0.1", 0.0)
    attempts.forgive("10.0.0.1")
    assert attempts.begin("10.0.0.1", 0.0) == 0.0
    assert attempts.begin("10.0.0.1", 0.0) == 1.0


def test_other_addresses_do_not_wait() -> None:
    attempts = Attempts()
    mistaken(attempts, "10.0.0.1", 20)
    assert attempts.begin("10.0.0.2", 0.0) == 0.0


def test_mistakes_are_forgotten() -> None:
    attempts = Attempts()
    now = mistaken(attempts, "10.0.0.1", 20)
    then = now + FORGOTTEN_SECONDS
    assert mistaken(attempts, "10.0.0.1", FREE_ATTEMPTS + 1, then) == then


def test_the_addresses_of_one_network_of_ipv6_are_one() -> None:
    attempts = Attempts()
    for number in range(FREE_ATTEMPTS + 1):
        attempts.begin(f"2001:db8::{number:x}", 0.0)
    assert attempts.begin("2001:db8::ffff%eth0", 0.0) > 0
    assert attempts.begin("2001:db8:0:1::1", 0.0) == 0.0


def test_an_address_of_ipv4_within_ipv6_is_itself() -> None:
    attempts = Attempts()
    mistaken(attempts, "::ffff:10.0.0.1", FREE_ATTEMPTS + 1)
    assert attempts.begin("10.0.0.1", 0.0) > 0
    assert attempts.begin("::ffff:10.0.0.2", 0.0) == 0.0


def test_the_addresses_that_are_remembered_are_bounded() -> None:
    attempts = Attempts(addresses_max=10)
    for number in range(1000):
        attempts.begin(f"10.0.{number // 256}.{number % 256}", 0.0)
    assert len(attempts) == 10
