"""The bounded cache: what goes when there is too much."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as some

from apps.http.content.cache import LeastRecentlyUsed


def test_the_least_recently_used_goes_first() -> None:
    cache: LeastRecentlyUsed[str] = LeastRecentlyUsed(100)
    for name in "abcd":
        cache.put(name, name, 25)
    cache.get("a")
    assert cache.put("e", "e", 25) == ["b"]
    assert cache.names() == ["c", "d", "a", "e"]


def test_what_is_larger_than_a_quarter_is_not_kept() -> None:
    cache: LeastRecentlyUsed[str] = LeastRecentlyUsed(100)
    assert cache.put("a", "large", 26) == ["large"]
    assert cache.get("a") is None


@given(some.lists(some.tuples(some.sampled_from("abcdefgh"), some.integers(0, 60))))
def test_the_bytes_never_stay_over_the_bound(puts: list[tuple[str, int]]) -> None:
    cache: LeastRecentlyUsed[tuple[str, int]] = LeastRecentlyUsed(100)
    for name, size in puts:
        cache.put(name, (name, size), size)
        kept = [cache.get(own) for own in cache.names()]
        assert cache.bytes == sum(entry[1] for entry in kept if entry is not None) <= 100
