"""The nonces of Digest: each use counts once, none lasts, and none costs memory unused."""

from __future__ import annotations

import random
import tracemalloc

import pytest

from apps.http.content.nonces import NONCE_SECONDS, WINDOW, Nonces

KEY = b"k" * 32
NOW = 1_800_000_000.0


def salt(number: int = 0) -> bytes:
    return number.to_bytes(8, "big")


def test_a_use_counts_once() -> None:
    nonces = Nonces(KEY)
    nonce = nonces.issue(NOW, salt())
    assert nonces.take(nonce, 1, "kim", NOW)
    assert not nonces.take(nonce, 1, "kim", NOW)
    assert nonces.take(nonce, 2, "kim", NOW)


def test_uses_on_parallel_connections_may_overtake_each_other() -> None:
    nonces = Nonces(KEY)
    nonce = nonces.issue(NOW, salt())
    counts = [*range(1, WINDOW + 1)]
    random.Random(1).shuffle(counts)
    assert all(nonces.take(nonce, count, "kim", NOW) for count in counts)
    assert not any(nonces.take(nonce, count, "kim", NOW) for count in counts)


def test_a_use_too_far_behind_is_refused() -> None:
    nonces = Nonces(KEY)
    nonce = nonces.issue(NOW, salt())
    assert nonces.take(nonce, WINDOW + 1, "kim", NOW)
    assert not nonces.take(nonce, 1, "kim", NOW)
    assert nonces.take(nonce, 2, "kim", NOW)


def test_a_leap_ahead_is_one_use() -> None:
    nonces = Nonces(KEY)
    nonce = nonces.issue(NOW, salt())
    assert nonces.take(nonce, 0xFFFFFFFF, "kim", NOW)
    assert not nonces.take(nonce, 0xFFFFFFFF, "kim", NOW)
    assert not nonces.take(nonce, 0, "kim", NOW)


def test_a_nonce_is_over_after_its_time() -> None:
    nonces = Nonces(KEY)
    nonce = nonces.issue(NOW, salt())
    assert nonces.take(nonce, 1, "kim", NOW + NONCE_SECONDS)
    assert not nonces.take(nonce, 2, "kim", NOW + NONCE_SECONDS + 1)


@pytest.mark.parametrize("nonce", ["", "x", "\xff", "QUJD", "A" * 44, "A" * 10_000])
def test_what_nobody_issued_is_no_nonce(nonce: str) -> None:
    assert not Nonces(KEY).take(nonce, 1, "kim", NOW)


def test_a_nonce_of_another_process_is_none() -> None:
    nonce = Nonces(b"other key, as long as this").issue(NOW, salt())
    assert not Nonces(KEY).take(nonce, 1, "kim", NOW)


def test_a_changed_nonce_is_none() -> None:
    nonce = Nonces(KEY).issue(NOW, salt())
    for place in range(len(nonce) - 2):
        letter = "B" if nonce[place] != "B" else "C"
        changed = nonce[:place] + letter + nonce[place + 1 :]
        assert not Nonces(KEY).take(changed, 1, "kim", NOW)


def test_a_nonce_belongs_to_who_used_it_first() -> None:
    nonces = Nonces(KEY)
    nonce = nonces.issue(NOW, salt())
    assert nonces.take(nonce, 1, "kim", NOW)
    assert not nonces.take(nonce, 2, "max", NOW)
    assert nonces.is_owner(nonce, "kim") and not nonces.is_owner(nonce, "max")


def test_nonces_that_nobody_uses_take_no_memory() -> None:
    nonces = Nonces(KEY)
    for number in range(1000):
        nonces.issue(NOW, salt(number))
    assert len(nonces) == 0


def test_uses_that_were_forgotten_are_not_possible_again() -> None:
    nonces = Nonces(KEY, nonces_max=2)
    issued = [nonces.issue(NOW + number, salt(number)) for number in range(3)]
    assert all(nonces.take(nonce, 1, "kim", NOW + 5) for nonce in issued)
    assert len(nonces) == 2
    # The first one was forgotten for the third; taken for an unused one it could be replayed.
    assert not nonces.take(issued[0], 1, "kim", NOW + 5)
    assert nonces.take(issued[2], 2, "kim", NOW + 5)


def test_a_dropped_nonce_cannot_be_used_again() -> None:
    nonces = Nonces(KEY)
    nonce = nonces.issue(NOW, salt())
    assert nonces.take(nonce, 1, "kim", NOW)
    nonces.drop(nonce)
    assert not nonces.take(nonce, 2, "kim", NOW)
    assert not nonces.is_owner(nonce, "kim")


def test_a_use_far_behind_takes_no_memory() -> None:
    nonces = Nonces(KEY)
    nonce = nonces.issue(NOW, salt())
    assert nonces.take(nonce, 0xFFFF_FFFF, "kim", NOW)
    tracemalloc.start()
    try:
        assert not nonces.take(nonce, 1, "kim", NOW)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 100_000
