"""The line that is typed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.starship.terminal.editor import LENGTH_MAX, Editor, Entered, Key
from apps.starship.terminal.words import secret_start

LEFT, RIGHT, UP, DOWN = b"\x1b[D", b"\x1b[C", b"\x1b[A", b"\x1b[B"


@pytest.mark.parametrize(
    ("keys", "text", "cursor"),
    [
        (b"fire", "fire", 4),
        (b"fire\x7f\x08", "fi", 2),
        (b"fre" + LEFT * 2 + b"i", "fire", 2),
        (b"ire\x01f", "fire", 1),
        (b"fir\x01\x05e", "fire", 4),
        (b"xfire\x01\x1b[3~", "fire", 0),
        (b"xfire\x01\x04", "fire", 0),
        (b"fire p1\x17", "fire ", 5),
        (b"fire p1\x15", "", 0),
        (b"fire p1" + LEFT * 3 + b"\x0b", "fire", 4),
        (b"\x1b[Hfi" + RIGHT, "fi", 2),
        (b"a\xc3\xa4b", "ab", 2),
        (b"a\x1b[200~b\x1b[201~", "ab", 2),
        (b"a\x1bxb", "ab", 2),
        (LEFT + b"\x7f", "", 0),
    ],
)
def test_keys_make_a_line(keys: bytes, text: str, cursor: int) -> None:
    editor = Editor()
    assert editor.receive(keys) == []
    assert (editor.text, editor.cursor) == (text, cursor)


@pytest.mark.parametrize("sequence", [b"\x1bOD", b"\x1b[D", b"\x1b[1;5D"])
def test_a_sequence_that_comes_in_pieces_types_nothing(sequence: bytes) -> None:
    editor = Editor()
    for byte in b"ab" + sequence:
        editor.receive(bytes([byte]))
    assert editor.text == "ab"


def test_a_line_that_is_ended_is_handed_over_and_gone() -> None:
    editor = Editor()
    assert editor.receive(b" fire p1 \rsp") == [Entered("fire p1")]
    assert editor.text == "sp"


def test_several_lines_may_come_at_once() -> None:
    assert Editor().receive(b"a\nb\r") == [Entered("a"), Entered("b")]


@pytest.mark.parametrize(
    ("key", "name"),
    [(b"\x03", "interrupt"), (b"\x04", "end"), (b"\x1a", "suspend"), (b"\x0c", "redraw")],
)
def test_keys_that_are_not_for_the_line(key: bytes, name: str) -> None:
    assert Editor().receive(key) == [Key(name)]


def test_the_end_key_ends_nothing_while_something_is_typed() -> None:
    assert Editor().receive(b"fire\x04") == []


def test_the_arrows_bring_lines_back() -> None:
    editor = Editor()
    editor.receive(b"one\rtwo\rhalf" + UP)
    assert editor.text == "two"
    editor.receive(UP + UP)
    assert editor.text == "one"
    editor.receive(DOWN * 5)
    assert editor.text == "half"


def test_what_is_secret_is_neither_shown_nor_brought_back() -> None:
    editor = Editor(secret=secret_start)
    editor.receive(b"take Bounty open sesame")
    assert editor.shown == "take Bounty ***********"
    assert editor.receive(b"\r") == [Entered("take Bounty open sesame")]
    editor.receive(b"\x1b[A")
    assert editor.text == "take Bounty"


def test_a_line_has_a_bound() -> None:
    editor = Editor()
    editor.receive(b"x" * 1_000)
    assert len(editor.text) == LENGTH_MAX


@pytest.mark.parametrize(
    ("choices", "typed", "text"),
    [
        (["course", "course_to"], b"cou\t", "course"),
        (["Vulcan"], b"dest v\t", "dest Vulcan "),
        ([], b"x\t", "x"),
        (["Gath", "gamma"], b"dest g\t", "dest Ga"),
    ],
)
def test_the_tab_key_types_what_is_sure(choices: list[str], typed: bytes, text: str) -> None:
    editor = Editor(lambda _text: choices)
    editor.receive(typed)
    assert editor.text == text


KEYS = [b"a", b" ", b"\r", LEFT, RIGHT, UP, DOWN, b"\x7f", b"\x1bOD", b"\x1b[1;5C", b"\x1b[3~"]


@given(
    st.one_of(st.binary(max_size=60), st.lists(st.sampled_from(KEYS), max_size=12).map(b"".join)),
    st.lists(st.integers(0, 60), max_size=5),
)
def test_keys_mean_the_same_however_they_come_cut(data: bytes, cuts: list[int]) -> None:
    whole, pieces = Editor(), Editor()
    expected, found, start = whole.receive(data), [], 0
    for cut in sorted({*cuts, len(data)}):
        found += pieces.receive(data[start:cut])
        start = max(start, cut)
    assert found == expected
    assert (pieces.text, pieces.cursor) == (whole.text, whole.cursor)
    assert 0 <= whole.cursor <= len(whole.text) <= LENGTH_MAX


@given(st.lists(st.sampled_from(
    [b"a", b" ", LEFT, RIGHT, UP, DOWN, b"\x7f", b"\x17", b"\x15", b"\x0b", b"\r", b"\x1b[H"]
), max_size=40))  # fmt: skip
def test_the_cursor_stays_within_the_line(keys: list[bytes]) -> None:
    editor = Editor()
    for key in keys:
        editor.receive(key)
        assert 0 <= editor.cursor <= len(editor.text)
