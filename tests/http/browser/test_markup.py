"""Markup: whatever is not markup already is escaped, and nothing can pass for something else."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.http.browser.markup import Html, join, tag, visible

NASTY = [
    "<script>alert(1)</script>",
    '" onload="x',
    "' onload='x",
    "&lt;",
    "</title>",
    "<!--",
    "a&b",
]


class Reader(HTMLParser):
    """What a client sees: elements with their attributes, and the text."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, list[tuple[str, str | None]]]] = []
        self.text = ""
        self.feed(markup)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, attrs))

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("text", NASTY)
def test_text_stays_text(text: str) -> None:
    seen = Reader(tag("p", text))
    assert (seen.elements, seen.text) == ([("p", [])], text)


@pytest.mark.parametrize("text", NASTY)
def test_an_attribute_keeps_its_value_and_adds_none(text: str) -> None:
    assert Reader(tag("p", title=text)).elements == [("p", [("title", text)])]


@given(st.text(max_size=40), st.text(max_size=40))
def test_any_text_comes_back_made_visible(text: str, title: str) -> None:
    seen = Reader(tag("b", text, title=title))
    assert seen.elements == [("b", [("title", visible(title))])]
    assert seen.text == visible(text)
    seen.text.encode()


def test_markup_is_taken_as_it_is() -> None:
    assert tag("p", tag("b", "x"), Html("<i>")) == "<p><b>x</b><i></p>"


def test_children_may_be_nested_numbers_or_nothing() -> None:
    assert join(["a<", [1, None, [2.5, Html("<hr>")]]]) == "a&lt;12.5<hr>"


def test_attributes_are_written_as_html_has_them() -> None:
    made = tag("input", class_="x", data_live=True, aria_label="y", value=None, hidden=False)
    assert made == '<input class="x" data-live aria-label="y">'


def test_elements_of_a_drawing_are_ended() -> None:
    assert tag("circle", r=1) == '<circle r="1"></circle>'


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("a\u202eb", "a\\u202eb"),
        ("a\0b", "a\\x00b"),
        ("a\ud800b", "a\\ud800b"),
        ("a\U000e0001b", "a\\U000e0001b"),
        ("Björn 船", "Björn 船"),
        ("two\nlines\t.", "two\nlines\t."),
    ],
    ids=["direction", "null", "surrogate", "tag", "letters", "lines"],
)
def test_characters_that_deceive_are_made_visible(text: str, seen: str) -> None:
    assert visible(text) == seen
