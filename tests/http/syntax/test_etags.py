"""Entity tags: RFC 9110, section 8.8.3."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.http.syntax.etags import (
    ANY,
    STEADY_NS,
    EntityTag,
    file_etag,
    file_etag_text,
    parse_etag,
    parse_etags,
    strong_match,
    weak_match,
)

NOW_NS = 1_800_000_000_000_000_000
OPAQUE = st.text([chr(code) for code in range(0x21, 0x100) if code not in (0x22, 0x7F)])
TAGS = st.builds(EntityTag, OPAQUE, st.booleans())


@pytest.mark.parametrize(
    ("one", "other", "strong", "weak"),
    [
        ('W/"1"', 'W/"1"', False, True),
        ('W/"1"', 'W/"2"', False, False),
        ('W/"1"', '"1"', False, True),
        ('"1"', '"1"', True, True),
    ],
)
def test_8_8_3_2_the_table_of_comparisons(one: str, other: str, strong: bool, weak: bool) -> None:
    first, second = parse_etag(one), parse_etag(other)
    assert first is not None
    assert second is not None
    assert strong_match(first, second) is strong_match(second, first) is strong
    assert weak_match(first, second) is weak_match(second, first) is weak


@given(TAGS)
def test_what_is_written_is_read_back(tag: EntityTag) -> None:
    assert parse_etag(str(tag)) == tag


@given(st.lists(TAGS, min_size=1), st.sampled_from([",", ", ", " ,\t", ",,"]))
def test_a_list_is_read_back(tags: list[EntityTag], between: str) -> None:
    assert parse_etags([between.join(map(str, tags))]) == tuple(tags)


@given(st.lists(TAGS, min_size=1))
def test_5_3_a_list_may_come_in_several_lines(tags: list[EntityTag]) -> None:
    assert parse_etags(map(str, tags)) == tuple(tags)


@pytest.mark.parametrize(
    "text", ["", "1", '1"', '"1', 'w/"1"', 'W/ "1"', '"1 2"', '"1""2"', '"1",', "*", '"\x7f"']
)
def test_8_8_3_what_is_not_one_tag_is_none(text: str) -> None:
    assert parse_etag(text) is None


def test_a_star_stands_for_any_tag() -> None:
    assert parse_etags([" * "]) is ANY


@pytest.mark.parametrize("text", ["", ",", '"1" "2"', '"1", 2', '"1", *', '"1"x', "*, *"])
def test_a_list_with_a_mistake_is_none(text: str) -> None:
    assert parse_etags([text]) is None


def test_a_comma_may_stand_in_a_tag() -> None:
    assert parse_etags(['"a,b"']) == (EntityTag("a,b"),)


@given(st.lists(st.text(), max_size=3))
def test_any_lines_are_tags_or_none(lines: list[str]) -> None:
    tags = parse_etags(lines)
    assert tags is None or tags is ANY or all(str(tag) in ",".join(lines) for tag in tags)


def test_a_file_that_rested_has_a_strong_tag() -> None:
    assert not file_etag(7, 100, NOW_NS - STEADY_NS, NOW_NS).weak


def test_8_8_1_a_file_that_may_change_within_its_clock_step_has_a_weak_tag() -> None:
    assert file_etag(7, 100, NOW_NS - STEADY_NS + 1, NOW_NS).weak


def test_8_8_1_a_file_of_the_future_has_a_weak_tag() -> None:
    assert file_etag(7, 100, NOW_NS + 10 * STEADY_NS, NOW_NS).weak


def test_a_copy_taken_while_a_file_was_young_does_not_match_it_when_it_rested() -> None:
    young = file_etag(7, 100, NOW_NS, NOW_NS)
    rested = file_etag(7, 100, NOW_NS, NOW_NS + STEADY_NS)
    assert not weak_match(young, rested)


@pytest.mark.parametrize("age", [-STEADY_NS, 0, STEADY_NS - 1, STEADY_NS])
def test_the_text_of_a_tag_is_the_tag_as_text(age: int) -> None:
    state = (7, 1024, NOW_NS - age, NOW_NS)
    assert file_etag_text(*state) == str(file_etag(*state))


@pytest.mark.parametrize("other", [(8, 100, 0), (7, 101, 0), (7, 100, 1)])
def test_a_tag_tells_replaced_files_apart(other: tuple[int, int, int]) -> None:
    assert not weak_match(file_etag(7, 100, 0, NOW_NS), file_etag(*other, NOW_NS))
