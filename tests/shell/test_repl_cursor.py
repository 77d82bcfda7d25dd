"""The reader of unfinished code that completion stands on."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vista.shell.cursor import Cursor, read_cursor

CASES = [
    ("", Cursor()),
    ("coun", Cursor(word="coun")),
    ("x = coun", Cursor(word="coun")),
    ("counter.incr", Cursor(word="counter.incr")),
    ("counter.", Cursor(word="counter.")),
    ("refs[0].incr", Cursor(word="refs[0].incr")),
    ("refs['a'].incr", Cursor(word="refs['a'].incr")),
    ("3 + counter", Cursor(word="counter")),
    ("send(", Cursor("send")),
    ("send(coun", Cursor("send", word="coun")),
    ("send(4r7q", Cursor("send", word="4r7q")),
    ('send("Cou', Cursor("send", quote='"', word="Cou")),
    ("send('Cou", Cursor("send", quote="'", word="Cou")),
    ('send(counter, "incr', Cursor("send", ("counter",), '"', "incr")),
    ('send("a, b", "incr', Cursor("send", ('"a, b"',), '"', "incr")),
    ("send(f(1, 2), ", Cursor("send", ("f(1, 2)",))),
    ("send(f(1, ", Cursor("f", ("1",))),
    ("vista.send(coun", Cursor("vista.send", word="coun")),
    ("gather(*[send(", Cursor("send")),
    ("[send(a), ", Cursor("", ("send(a)",))),
    ("send(a)", Cursor()),
    ("if (a, b): send(", Cursor("send")),
    ("create(# send('\n'Cou", Cursor("create", quote="'", word="Cou")),
    ("x # send('", Cursor()),
    ('send("""two\nlines', Cursor("send", quote='"""', word="two\nlines")),
    (r'send("a\"b', Cursor("send", quote='"', word=r"a\"b")),
    ('x = "open\nsend(', Cursor("send")),
    (")))send(", Cursor("send")),
    ("\N{GREEK SMALL LETTER ALPHA}.be", Cursor(word="\N{GREEK SMALL LETTER ALPHA}.be")),
]


@pytest.mark.parametrize(("text", "cursor"), CASES, ids=[repr(text) for text, _ in CASES])
def test_the_cursor_says_where_it_stands(text: str, cursor: Cursor) -> None:
    assert read_cursor(text) == cursor


@given(st.text(alphabet="ab.,'\"\\()[]{}#\n 1", max_size=40))
def test_any_text_gives_a_word_that_ends_it(text: str) -> None:
    assert text.endswith(read_cursor(text).word)
