"""Server-sent events as bytes: WHATWG HTML, section 9.2, read back by its own rules."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.http.errors import AnswerError
from apps.http.syntax.events import EVENT_BYTES_MAX, HEARTBEAT, encode_event
from tests.http.syntax.streams import dispatched


def test_an_event_is_its_fields_and_an_empty_line() -> None:
    assert encode_event("2.4", "level", "7", 1.5) == (
        b"event: level\nid: 7\nretry: 1500\ndata: 2.4\n\n"
    )


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n"], ids=["lf", "cr", "crlf"])
def test_each_line_of_the_data_is_a_line_of_data(end: str) -> None:
    assert encode_event(f"a{end}b{end}") == b"data: a\ndata: b\ndata: \n\n"


def test_empty_data_are_an_event() -> None:
    assert dispatched(encode_event("")) == [("message", "", "")]


def test_without_data_there_is_no_event_and_the_id_is_kept() -> None:
    assert dispatched(encode_event(None, id="7")) == []
    assert dispatched(encode_event(None, id="7") + encode_event("x")) == [("message", "x", "7")]


@pytest.mark.parametrize("bad", ["a\nb", "a\rb", "a\0b"], ids=["lf", "cr", "nul"])
def test_event_and_id_hold_no_line_break_and_no_nul(bad: str) -> None:
    with pytest.raises(AnswerError, match=r"the event of an event is text without line breaks"):
        encode_event("x", event=bad)
    with pytest.raises(AnswerError, match=r"the id of an event is text without line breaks"):
        encode_event("x", id=bad)


@pytest.mark.parametrize("seconds", [-1.0, float("nan"), float("inf")], ids=str)
def test_retry_is_a_time(seconds: float) -> None:
    with pytest.raises(AnswerError, match=r"retry is a number of seconds from 0"):
        encode_event("x", retry_seconds=seconds)


def test_data_that_are_no_text_are_refused() -> None:
    with pytest.raises(AnswerError, match=r"the data of an event is text, not bytes"):
        encode_event(b"x")  # type: ignore[arg-type]


def test_text_without_utf_8_is_refused() -> None:
    with pytest.raises(AnswerError, match=r"no UTF-8"):
        encode_event("\ud800")


@pytest.mark.parametrize("data", ["x" * EVENT_BYTES_MAX, "\n" * (EVENT_BYTES_MAX // 4)])
def test_an_event_is_bounded(data: str) -> None:
    with pytest.raises(AnswerError, match=r"at most 65536 bytes"):
        encode_event(data)


def test_a_heartbeat_is_no_event() -> None:
    assert dispatched(HEARTBEAT + encode_event("x") + HEARTBEAT) == [("message", "x", "")]


@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=40), max_size=5))
def test_any_text_arrives_as_it_was_but_for_its_line_breaks(texts: list[str]) -> None:
    stream = b"".join(encode_event(text) for text in texts)
    plain = [text.replace("\r\n", "\n").replace("\r", "\n") for text in texts]
    assert [data for _, data, _ in dispatched(stream)] == plain
