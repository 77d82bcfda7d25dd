"""The page of a directory: what is in it, in which order, and that names are only names."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from apps.http.content.directories import Listed, list_directory
from apps.http.content.listings import PAGE_NAMES, Order, listing_page, parse_order
from apps.http.content.paths import Roots


def listed(root: Path, *segments: str, **settings: object) -> list[str]:
    roots = Roots((str(root),), **settings)  # type: ignore[arg-type]
    entries, _ = list_directory(roots, (*segments, ""), 1000)
    return sorted(entry.name + "/" * entry.is_directory for entry in entries)


def page(*entries: Listed, query: str = "", path: str = "/files/") -> str:
    return listing_page(path, entries, parse_order(query), is_whole=True)


def names_of(text: str) -> list[str]:
    return re.findall(r'<td><a href="\./[^"]*">([^<]*)</a>', text)


ENTRIES = (
    Listed("b.txt", False, 10, 3),
    Listed("C.txt", False, 30, 1),
    Listed("a.txt", False, 20, 2),
    Listed("dir", True, 0, 9),
)


# --- what is in it ---------------------------------------------------------------------------


def test_files_and_directories_are_listed(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("abc")
    (tmp_path / "dir").mkdir()
    assert listed(tmp_path) == ["a.txt", "dir/"]
    entries, whole = list_directory(Roots((str(tmp_path),)), ("",), 10)
    assert {entry.name: entry.size for entry in entries} == {"a.txt": 3, "dir": 0} and whole


def test_what_is_not_served_is_not_listed(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".env").write_text("x")
    (tmp_path / "ends with a dot.").write_text("x")
    (tmp_path / "back\\slash").write_text("x")
    (tmp_path / "line\nbreak").write_text("x")
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/no-utf8-\xff")).write_text("x")
    assert listed(tmp_path) == []
    assert listed(tmp_path, hidden=True) == [".env", ".git/"]
    assert listed(tmp_path, ".git") == []


def test_links_are_listed_as_what_they_lead_to(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "dir").mkdir(parents=True)
    (root / "a.txt").write_text("abc")
    (tmp_path / "outside").mkdir()
    (root / "file-link").symlink_to("a.txt")
    (root / "dir-link").symlink_to("dir")
    (root / "out-link").symlink_to(tmp_path / "outside")
    (root / "no-link").symlink_to("nothing")
    assert listed(root) == ["a.txt", "dir-link/", "dir/", "file-link"]


def test_what_is_closed_is_not_listed_by_whatever_name(tmp_path: Path) -> None:
    (tmp_path / "staff" / "more").mkdir(parents=True)
    (tmp_path / "a.txt").write_text("abc")
    (tmp_path / "link").symlink_to("staff")
    assert listed(tmp_path, closed=(("staff",),)) == ["a.txt"]
    assert listed(tmp_path, "staff", closed=(("staff", "more"),)) == []
    assert listed(tmp_path, "staff", closed=(("staff",),)) == []
    assert listed(tmp_path, "link", closed=(("staff",),)) == []


def test_all_roots_are_listed_and_the_first_has_a_name(tmp_path: Path) -> None:
    for number, root in enumerate(("one", "two")):
        (tmp_path / root).mkdir()
        (tmp_path / root / "a.txt").write_text("x" * (number + 1))
        (tmp_path / root / f"{root}.txt").write_text("x")
    roots = Roots((str(tmp_path / "one"), str(tmp_path / "none"), str(tmp_path / "two")))
    entries, _ = list_directory(roots, ("",), 100)
    assert {entry.name: entry.size for entry in entries} == {"a.txt": 1, "one.txt": 1, "two.txt": 1}


def test_a_huge_directory_is_looked_at_in_part(tmp_path: Path) -> None:
    for number in range(30):
        (tmp_path / f"{number}").touch()
    entries, whole = list_directory(Roots((str(tmp_path),)), ("",), 10)
    assert len(entries) == 10 and not whole
    assert list_directory(Roots((str(tmp_path),)), ("",), 30)[1]


@pytest.mark.parametrize("segments", [("..",), ("a/b",), ("\0",), ("nothing",), ("a.txt",)])
def test_what_is_no_directory_lists_nothing(tmp_path: Path, segments: tuple[str, ...]) -> None:
    (tmp_path / "a.txt").touch()
    assert listed(tmp_path, *segments) == []


def test_no_descriptor_stays_open(tmp_path: Path) -> None:
    (tmp_path / "dir").mkdir()
    (tmp_path / "link").symlink_to("dir")
    before = len(os.listdir("/proc/self/fd"))
    listed(tmp_path)
    listed(tmp_path, "nothing")
    list_directory(Roots((str(tmp_path),)), ("",), 1)
    assert len(os.listdir("/proc/self/fd")) == before


# --- the page --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["dir/", "a.txt", "b.txt", "C.txt"]),
        ("sort=name&order=desc", ["dir/", "C.txt", "b.txt", "a.txt"]),
        ("sort=size", ["dir/", "b.txt", "a.txt", "C.txt"]),
        ("sort=size&order=desc", ["dir/", "C.txt", "a.txt", "b.txt"]),
        ("sort=date", ["dir/", "C.txt", "a.txt", "b.txt"]),
        ("sort=nonsense&order=x&page=x", ["dir/", "a.txt", "b.txt", "C.txt"]),
    ],
)
def test_a_page_is_sorted_as_the_query_says(query: str, names: list[str]) -> None:
    assert names_of(page(*ENTRIES, query=query)) == names


def test_the_sorted_column_is_told_and_leads_to_the_other_order() -> None:
    text = page(*ENTRIES, query="sort=size")
    assert 'class="size" aria-sort="ascending"><a href="?sort=size&amp;order=desc">' in text
    assert 'class="date"><a href="?sort=date&amp;order=desc">' in text


@pytest.mark.parametrize(
    "name",
    ["<script>alert(1)</script>", 'a"onmouseover="x', "a&b", "a b", "100%", "javascript:x", "?q#f"],
)
def test_a_name_is_nothing_but_a_name(name: str) -> None:
    text = page(Listed(name, False, 1, 1))
    link = re.findall(r'<td><a href="(\./[^"]*)">', text)
    assert "<script>" not in text and '"onmouseover' not in text
    assert len(link) == 1 and re.fullmatch(r"\./[A-Za-z0-9%._/~-]+", link[0])


def test_the_path_is_escaped_and_leads_upwards() -> None:
    text = page(path="/a b/<i>/c/")
    assert '<a href="/a%20b/">a b</a>/<a href="/a%20b/%3Ci%3E/">&lt;i&gt;</a>/c/' in text
    assert '<a href="../">../</a>' in text and "<i>" not in text
    assert "../" not in page(path="/")


def test_sizes_are_for_people_and_exact_where_one_points() -> None:
    text = page(Listed("a", False, 1_536, 0), Listed("b", False, 17, 0))
    assert 'title="1536 bytes">1.5 KiB<' in text and ">17 B<" in text
    assert "1970-01-01 00:00" in text


def test_a_large_directory_comes_in_pages() -> None:
    entries = [Listed(f"{number:05}", False, 1, 1) for number in range(2 * PAGE_NAMES + 1)]
    first, last = page(*entries), page(*entries, query="page=3")
    assert len(names_of(first)) == PAGE_NAMES and names_of(last) == [f"{2 * PAGE_NAMES:05}"]
    assert 'href="?sort=name&amp;page=2" rel="next"' in first and 'rel="prev"' not in first
    assert 'href="?sort=name&amp;page=2" rel="prev"' in last and 'rel="next"' not in last
    assert names_of(page(*entries, query="page=99999")) == names_of(last)


def test_a_page_says_when_there_is_more_or_nothing() -> None:
    assert "has more names" in listing_page("/", ENTRIES, Order(), is_whole=False)
    assert "nothing in this directory" in page()


@pytest.mark.parametrize("query", ["page=0", "page=-1", "page=99999999999", "page=\u0663", "%00"])
def test_a_page_that_cannot_be_is_the_first(query: str) -> None:
    assert parse_order(query) == Order()
