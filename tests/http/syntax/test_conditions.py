"""Conditional requests: RFC 9110, section 13, sentence by sentence."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.http.syntax.conditions import FAILED, NOT_MODIFIED, PROCEED, Outcome, evaluate
from apps.http.syntax.dates import format_date
from apps.http.syntax.etags import EntityTag
from apps.http.syntax.fields import Fields

NOW = 1_800_000_000
CHANGED = NOW - 1000
TAG, WEAK = EntityTag("v1"), EntityTag("v1", weak=True)
BEFORE, AT, AFTER = (format_date(CHANGED + step) for step in (-1, 0, 1))
METHODS = ["GET", "HEAD", "PUT", "POST", "DELETE", "PATCH"]
WRITING = ["PUT", "POST", "DELETE", "PATCH"]


def decide(
    method: str,
    *pairs: tuple[str, str],
    etag: EntityTag | None = TAG,
    last_modified: int | None = CHANGED,
    exists: bool = True,
) -> Outcome:
    """What becomes of a request with these fields."""
    return evaluate(method, Fields(pairs), etag, last_modified, NOW, exists=exists)


@pytest.mark.parametrize("method", METHODS)
def test_a_request_without_conditions_is_carried_out(method: str) -> None:
    assert decide(method) is PROCEED


@pytest.mark.parametrize("method", ["CONNECT", "OPTIONS", "TRACE"])
@pytest.mark.parametrize(
    "pair", [("If-Match", '"v2"'), ("If-None-Match", "*"), ("If-Unmodified-Since", BEFORE)]
)
def test_13_2_1_methods_without_representation_ignore_conditions(
    method: str, pair: tuple[str, str]
) -> None:
    assert decide(method, pair) is PROCEED


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("value", ['"v1"', '"v0", "v1"', "*"])
def test_13_1_1_if_match_with_the_tag_or_a_star_proceeds(method: str, value: str) -> None:
    assert decide(method, ("If-Match", value)) is PROCEED


@pytest.mark.parametrize("method", METHODS)
def test_13_1_1_if_match_with_other_tags_fails(method: str) -> None:
    assert decide(method, ("If-Match", '"v2", "v3"')) is FAILED


def test_13_1_1_if_match_with_a_star_fails_when_there_is_nothing() -> None:
    star = ("If-Match", "*")
    assert decide("PUT", star, etag=None, last_modified=None, exists=False) is FAILED


def test_13_1_1_if_match_with_a_star_takes_what_has_no_validator() -> None:
    assert decide("PUT", ("If-Match", "*"), etag=None, last_modified=None) is PROCEED


def test_13_1_1_if_match_with_a_tag_fails_when_there_is_no_tag() -> None:
    assert decide("PUT", ("If-Match", '"v1"'), etag=None) is FAILED


@pytest.mark.parametrize(("etag", "sent"), [(WEAK, 'W/"v1"'), (WEAK, '"v1"'), (TAG, 'W/"v1"')])
def test_13_1_1_if_match_uses_the_strong_comparison(etag: EntityTag, sent: str) -> None:
    assert decide("PUT", ("If-Match", sent), etag=etag) is FAILED


@pytest.mark.parametrize("value", ["v1", '"v1" "v2"', '"v1', '"v1", *', ""])
def test_an_if_match_that_cannot_be_read_changes_nothing(value: str) -> None:
    assert decide("PUT", ("If-Match", value)) is FAILED


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("date", [AT, AFTER])
def test_13_1_4_unmodified_since_proceeds(method: str, date: str) -> None:
    assert decide(method, ("If-Unmodified-Since", date)) is PROCEED


@pytest.mark.parametrize("method", METHODS)
def test_13_1_4_modified_since_then_fails(method: str) -> None:
    assert decide(method, ("If-Unmodified-Since", BEFORE)) is FAILED


@pytest.mark.parametrize("value", ["yesterday", "", f"{BEFORE}, {BEFORE}"])
def test_13_1_4_a_field_that_is_no_date_is_ignored(value: str) -> None:
    assert decide("PUT", ("If-Unmodified-Since", value)) is PROCEED


def test_13_1_4_two_lines_are_no_date() -> None:
    twice = [("If-Unmodified-Since", BEFORE)] * 2
    assert decide("PUT", *twice) is PROCEED


def test_13_1_4_it_is_ignored_without_a_modification_date() -> None:
    assert decide("PUT", ("If-Unmodified-Since", BEFORE), last_modified=None) is PROCEED


def test_13_1_4_it_is_ignored_beside_if_match() -> None:
    pairs = [("If-Match", '"v1"'), ("If-Unmodified-Since", BEFORE)]
    assert decide("PUT", *pairs) is PROCEED


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("value", ['"v1"', '"v0", "v1"', "*", 'W/"v1"'])
def test_13_1_2_a_reader_who_has_it_gets_not_modified(method: str, value: str) -> None:
    assert decide(method, ("If-None-Match", value)) is NOT_MODIFIED


@pytest.mark.parametrize("method", WRITING)
@pytest.mark.parametrize("value", ['"v1"', '"v0", "v1"', "*", 'W/"v1"'])
def test_13_1_2_a_writer_fails_where_a_reader_has_it(method: str, value: str) -> None:
    assert decide(method, ("If-None-Match", value)) is FAILED


@pytest.mark.parametrize("method", METHODS)
def test_13_1_2_other_tags_proceed(method: str) -> None:
    assert decide(method, ("If-None-Match", '"v2", W/"v3"')) is PROCEED


def test_13_1_2_a_star_lets_create_what_is_not_there() -> None:
    star = ("If-None-Match", "*")
    assert decide("PUT", star, etag=None, last_modified=None, exists=False) is PROCEED


def test_13_1_2_a_weak_tag_matches() -> None:
    assert decide("GET", ("If-None-Match", '"v1"'), etag=WEAK) is NOT_MODIFIED


def test_5_3_tags_in_two_lines_are_one_list() -> None:
    pairs = [("If-None-Match", '"v0"'), ("If-None-Match", '"v1"')]
    assert decide("GET", *pairs) is NOT_MODIFIED


def test_an_if_none_match_that_cannot_be_read_gives_a_reader_everything() -> None:
    assert decide("GET", ("If-None-Match", "v1")) is PROCEED


def test_an_if_none_match_that_cannot_be_read_lets_nobody_write() -> None:
    assert decide("PUT", ("If-None-Match", "v1")) is FAILED


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("date", [AT, AFTER])
def test_13_1_3_not_modified_since(method: str, date: str) -> None:
    assert decide(method, ("If-Modified-Since", date)) is NOT_MODIFIED


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_13_1_3_modified_since_is_sent(method: str) -> None:
    assert decide(method, ("If-Modified-Since", BEFORE)) is PROCEED


@pytest.mark.parametrize("method", WRITING)
def test_13_1_3_it_is_ignored_for_other_methods(method: str) -> None:
    assert decide(method, ("If-Modified-Since", AFTER)) is PROCEED


@pytest.mark.parametrize("value", ["0", "", f"{AFTER}, {AFTER}", AFTER[:-4]])
def test_13_1_3_a_field_that_is_no_date_is_ignored(value: str) -> None:
    assert decide("GET", ("If-Modified-Since", value)) is PROCEED


def test_13_1_3_it_is_ignored_without_a_modification_date() -> None:
    assert decide("GET", ("If-Modified-Since", AFTER), last_modified=None) is PROCEED


def test_13_1_3_it_is_ignored_beside_if_none_match() -> None:
    pairs = [("If-None-Match", '"v2"'), ("If-Modified-Since", AFTER)]
    assert decide("GET", *pairs) is PROCEED


def test_5_6_7_old_forms_of_dates_count() -> None:
    pair = ("If-Modified-Since", "Sunday, 06-Nov-94 08:49:37 GMT")
    assert decide("GET", pair, last_modified=784_111_777) is NOT_MODIFIED


@pytest.mark.parametrize("first", [("If-Match", '"v2"'), ("If-Unmodified-Since", BEFORE)])
def test_13_2_2_what_protects_a_write_comes_before_what_saves_a_read(
    first: tuple[str, str],
) -> None:
    assert decide("GET", first, ("If-None-Match", '"v1"')) is FAILED


def test_13_2_2_step_3_follows_a_true_step_1() -> None:
    assert decide("GET", ("If-Match", '"v1"'), ("If-None-Match", '"v1"')) is NOT_MODIFIED


def test_13_2_2_step_3_follows_a_true_step_2() -> None:
    pairs = [("If-Unmodified-Since", AFTER), ("If-Modified-Since", AFTER)]
    assert decide("GET", *pairs) is NOT_MODIFIED


NAMES = ["If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since"]
VALUES = st.sampled_from(["*", '"v1"', 'W/"v1"', BEFORE, AT, AFTER, ",", '"']) | st.text(
    st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=10
)


@given(
    st.sampled_from([*METHODS, "BREW"]),
    st.lists(st.tuples(st.sampled_from(NAMES), VALUES), max_size=5),
    st.none() | st.sampled_from([TAG, WEAK]),
    st.none() | st.just(CHANGED),
    st.booleans(),
)
def test_any_fields_have_an_outcome_and_only_readers_may_have_it_already(
    method: str,
    pairs: list[tuple[str, str]],
    etag: EntityTag | None,
    last_modified: int | None,
    exists: bool,
) -> None:
    outcome = decide(method, *pairs, etag=etag, last_modified=last_modified, exists=exists)
    assert outcome in Outcome
    assert outcome is not NOT_MODIFIED or method in ("GET", "HEAD")
