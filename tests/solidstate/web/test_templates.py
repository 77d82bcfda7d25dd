"""Page templates: what is put into them, and what a template may name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from apps.solidstate.web.bounds import PAGE_CHARACTERS_MAX, ROWS_MAX, TEMPLATE_BYTES_MAX
from apps.solidstate.web.templates import CHECK_SECONDS, Templates, is_page_name
from vista import BadValueError


def made(folder: Path, values: Any, page: str = "page.html", now: float = 0.0) -> str:
    """The page of a folder."""
    return Templates(str(folder)).make(page, values, now).text


def write(folder: Path, **files: str) -> Path:
    """A folder with templates: ``lines_row`` is ``lines.row.html``."""
    for name, text in files.items():
        (folder / f"{name.replace('_', '.')}.html").write_text(text)
    return folder


def test_values_are_escaped(tmp_path: Path) -> None:
    write(tmp_path, page='<p><!--#echo var="who" --></p>')
    assert made(tmp_path, {"who": "<b>&\"'"}) == "<p>&lt;b&gt;&amp;&quot;&#x27;</p>"


def test_values_are_not_read_for_directives(tmp_path: Path) -> None:
    write(
        tmp_path, page='<!--#echo var="who" encoding="none" -->', lines_row='<!--#echo var="x" -->'
    )
    assert (
        made(tmp_path, {"who": '<!--#echo var="key" -->', "key": "k"}) == '<!--#echo var="key" -->'
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [(3, "3"), (2.5, "2.5"), (True, "true"), (False, ""), (None, ""), ("", "")],
    ids=["int", "float", "true", "false", "none", "empty"],
)
def test_numbers_and_such_are_shown_as_texts(tmp_path: Path, value: Any, text: str) -> None:
    write(tmp_path, page='[<!--#echo var="x" -->]<!--#if expr="$x" -->!<!--#endif -->')
    assert made(tmp_path, {"x": value}) == f"[{text}]" + ("!" if text else "")


def test_half_of_a_surrogate_pair_does_not_keep_a_page_from_being_sent(tmp_path: Path) -> None:
    write(tmp_path, page='<!--#echo var="x" -->')
    assert made(tmp_path, {"x": "\ud800\u00e9"}) == "?\u00e9"


def test_a_list_is_a_template_of_its_own_for_each_row(tmp_path: Path) -> None:
    write(
        tmp_path,
        page='<!--#echo var="lines" encoding="none" -->',
        lines_row='<li><!--#echo var="name" --> of <!--#echo var="owner" --></li>',
    )
    rows = [{"name": "<tea>"}, {"name": "milk", "owner": "bob"}]
    text = "<li>&lt;tea&gt; of ann</li><li>milk of bob</li>"
    assert made(tmp_path, {"owner": "ann", "lines": rows}) == text


def test_rows_have_lists_as_well(tmp_path: Path) -> None:
    write(
        tmp_path,
        page='<!--#echo var="orders" encoding="none" -->',
        orders_row='<!--#echo var="number" -->:<!--#echo var="lines" encoding="none" -->',
        lines_row='<!--#echo var="name" -->,',
    )
    orders = [{"number": 1, "lines": [{"name": "a"}, {"name": "b"}]}, {"number": 2, "lines": []}]
    assert made(tmp_path, {"orders": orders}) == "1:a,b,2:"


def test_a_template_includes_others_of_its_folder(tmp_path: Path) -> None:
    write(tmp_path, page='<!--#include file="head.html" -->', head='<!--#echo var="x" -->')
    assert made(tmp_path, {"x": "<"}) == "&lt;"


@pytest.mark.parametrize(
    "directive",
    [
        '<!--#include virtual="/../secret.html" -->',
        '<!--#include file="below/part.html" -->',
        '<!--#include file="link.html" -->',
        '<!--#call object="AutomaticClassLoader" method="describe" -->',
        '<!--#fsize file="page.html" -->',
    ],
    ids=["up", "down", "link", "call", "size"],
)
def test_a_template_reaches_nothing_else(tmp_path: Path, directive: str) -> None:
    folder = tmp_path / "templates"
    (folder / "below").mkdir(parents=True)
    (tmp_path / "secret.html").write_text("secret")
    (folder / "below" / "part.html").write_text("secret")
    (folder / "link.html").symlink_to(tmp_path / "secret.html")
    write(folder, page=directive)
    page = Templates(str(folder)).make("page.html", {}, 0.0)
    assert "secret" not in page.text
    assert len(page.problems) == 1


@pytest.mark.parametrize(
    "name",
    [
        "",
        "index.htm",
        "../index.html",
        "a/b.html",
        ".html",
        "a.row.html",
        "a\0.html",
        "x" * 65 + ".html",
    ],
    ids=["none", "htm", "up", "down", "dot", "row", "nul", "long"],
)
def test_what_is_no_name_of_a_page(name: str) -> None:
    assert not is_page_name(name)


@pytest.mark.parametrize(
    "values",
    [
        ["x"],
        {"a-b": "x"},
        {1: "x"},
        {"x": b"bytes"},
        {"x": 10**5_000},
        {"x": {"y": "z"}},
        {"lines": ["no dict"]},
        {"lines": [{}] * (ROWS_MAX + 1)},
        {"lines": [{"lines": [{"lines": [{}]}]}]},
        {"others": [{}]},
    ],
    ids=["list", "name", "number", "bytes", "digits", "dict", "row", "rows", "deep", "missing"],
)
def test_what_no_page_can_show_is_refused(tmp_path: Path, values: Any) -> None:
    write(tmp_path, page="", lines_row="x")
    with pytest.raises(BadValueError):
        made(tmp_path, values)


def test_a_page_is_no_longer_than_it_may_be(tmp_path: Path) -> None:
    write(tmp_path, page="", lines_row="x" * (PAGE_CHARACTERS_MAX // 10))
    made(tmp_path, {"lines": [{}] * 9})
    with pytest.raises(BadValueError, match=r"characters at most$"):
        made(tmp_path, {"lines": [{}] * 11})


def test_a_template_that_is_too_large_is_not_there(tmp_path: Path) -> None:
    write(tmp_path, page="x" * (TEMPLATE_BYTES_MAX + 1))
    assert not Templates(str(tmp_path)).has("page.html", 0.0)


def test_a_template_that_was_changed_is_read_again(tmp_path: Path) -> None:
    templates = Templates(str(write(tmp_path, page="old")))
    assert templates.make("page.html", {}, 100.0).text == "old"
    write(tmp_path, page="new")
    assert templates.make("page.html", {}, 100.0 + CHECK_SECONDS / 2).text == "old"
    assert templates.make("page.html", {}, 100.0 + CHECK_SECONDS).text == "new"
    (tmp_path / "page.html").unlink()
    assert not templates.has("page.html", 200.0)


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadValueError, match=r"^no folder .*: name the one with the page templates"):
        Templates(str(tmp_path / "nothing"))


def test_mistakes_in_a_template_are_told_with_their_place(tmp_path: Path) -> None:
    write(tmp_path, page='\n<!--#echo var="a b" -->')
    page = Templates(str(tmp_path)).make("page.html", {}, 0.0)
    assert page.problems[0].startswith("/page.html:2:1: ")
