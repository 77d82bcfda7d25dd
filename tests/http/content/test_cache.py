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


def test_an_entry_that_grew_makes_others_go() -> None:
    cache: LeastRecentlyUsed[str] = LeastRecentlyUsed(100)
    for name in "abcd":
        cache.put(name, name, 20)
    assert cache.resize("d", 25) == []
    assert cache.resize("c", 25) == []
    assert cache.resize("b", 25) == []
    assert (cache.bytes, cache.names()) == (95, ["a", "b", "c", "d"])
    cache.put("e", "e", 5)
    assert cache.resize("e", 15) == ["a"]


def test_an_entry_that_outgrew_the_cache_goes_itself() -> None:
    cache: LeastRecentlyUsed[str] = LeastRecentlyUsed(100)
    cache.put("a", "a", 20)
    assert cache.resize("a", 26) == ["a"]
    assert (cache.bytes, len(cache)) == (0, 0)


def test_a_name_that_is_not_kept_has_no_size() -> None:
    cache: LeastRecentlyUsed[str] = LeastRecentlyUsed(100)
    assert cache.resize("a", 20) == []
    assert cache.bytes == 0


def test_the_cache_counts_hits_misses_and_what_went() -> None:
    cache: LeastRecentlyUsed[str] = LeastRecentlyUsed(100)
    for name in "abcde":
        cache.put(name, name, 25)
    cache.get("a"), cache.get("b"), cache.get("c"), cache.peek("d"), cache.peek("z")
    expected = {"files": 4, "bytes": 100, "hits": 2, "misses": 1, "evictions": 1}
    assert cache.figures() == expected
