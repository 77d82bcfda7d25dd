"""Files that nobody asked for lately: read without an object, and answered as with one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import vista
from apps.http.content.cache import ASKED_MAX, AskedLately
from apps.http.content.files import file_fields, whole_file
from apps.http.content.resources import Response, prepare
from apps.http.objects import first_reads
from apps.http.objects.cached import HTTPrawCachedFile
from apps.http.objects.loader import URLfileLoader
from apps.http.syntax.etags import EntityTag
from tests.http.objects.served import Answer, Site, served

OLD = 1_000_000_000


class HttpShoutedFile(HTTPrawCachedFile):
    """A file whose object answers otherwise than with what is in it."""

    def get_request(self, request: object) -> Response:
        return Response("I AM A FILE")


class HttpMovedFiles(URLfileLoader):
    """A loader with a way of its own from addresses to files."""

    def load_object(self, path: str) -> object:
        return super().load_object(f"{self.logical_root}a.txt")


def put(path: Path, data: bytes) -> None:
    """Write a file that has rested for long, so its tag does not depend on the moment."""
    path.write_bytes(data)
    os.utime(path, (OLD, OLD))


def plain(answer: Answer) -> tuple[int, dict[str, str], bytes]:
    """What is to be the same whoever answers."""
    fields = {name: value for name, value in answer.fields.items() if name != "date"}
    return answer.status, fields, answer.body


@pytest.mark.parametrize("varies", [False, True])
def test_the_head_is_the_one_that_the_writer_of_answers_makes(varies: bool) -> None:
    tag, kind = EntityTag("7-4-0", weak=True), "text/plain; charset=utf-8"
    fields = file_fields(kind, tag, OLD, None, varies)
    made = whole_file(b"abcd", kind, str(tag), OLD, varies)
    assert made == prepare(Response(b"abcd", 200, fields))


@pytest.mark.parametrize(
    "name", ["small.txt", "large.txt", "empty.html", "picture.png", "none", "docs/", "docs", "no"]
)
@pytest.mark.parametrize("accepts", ["", "Accept-Encoding: gzip"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_the_first_answer_is_that_of_the_object(
    name: str, accepts: str, method: str, tree: Path
) -> None:
    put(tree / "small.txt", b"abc")
    put(tree / "large.txt", b"abc" * 1000)
    put(tree / "empty.html", b"")
    put(tree / "picture.png", b"\x89PNG" * 1000)
    put(tree / "none", b"?")
    put(tree / "docs" / "index.html", b"<h1>docs</h1>")
    fields = [accepts] if accepts else []
    with served(tree) as site:
        first, second, third = (
            plain(site.get(f"/{name}", *fields, method=method)) for _ in range(3)
        )
    assert first == second == third


def test_what_is_asked_for_once_has_no_object(site: Site) -> None:
    site.get("/a.txt")
    assert site.directory.get_paths() == []
    site.get("/a.txt")
    assert site.directory.get_paths() == ["/a.txt"]


def test_a_text_for_who_takes_it_compressed_has_an_object_at_once(site: Site) -> None:
    site.get("/a.txt", "Accept-Encoding: gzip")
    assert site.directory.get_paths() == ["/a.txt"]


@pytest.mark.parametrize("ending", [".gz", ".br", ".zst"])
def test_a_form_beside_a_small_file_is_not_overlooked(ending: str, site: Site, tree: Path) -> None:
    (tree / f"a.txt{ending}").write_bytes(b"packed")
    assert site.get("/a.txt").fields["vary"] == "Accept-Encoding"


def test_a_large_file_is_not_read_into_memory(site: Site, tree: Path) -> None:
    with (tree / "large.bin").open("wb") as file:
        file.truncate(first_reads.CACHED_FILE_BYTES_MAX + 1)
    assert len(site.get("/large.bin").body) == first_reads.CACHED_FILE_BYTES_MAX + 1
    assert site.directory.get_paths() == ["/large.bin"]


def test_the_includes_of_a_page_are_carried_out_at_once(site: Site, tree: Path) -> None:
    (tree / "page.shtml").write_text('<!--#include file="a.txt" -->')
    assert site.get("/page.shtml").body == b"abcdefghij"


def test_a_class_of_ones_own_answers_for_its_files_at_once(site: Site, tree: Path) -> None:
    vista.create(URLfileLoader, "localhost", "HttpShoutedFile", "/loud", None, str(tree))
    assert site.get("/loud/a.txt").body == b"I AM A FILE"


def test_a_loader_of_ones_own_is_asked_for_its_files_at_once(site: Site, tree: Path) -> None:
    vista.create("HttpMovedFiles", "localhost", "HTTPcachedFile", "/moved", None, str(tree))
    assert site.get("/moved/nowhere.txt").body == b"abcdefghij"


def test_what_was_put_under_a_guard_is_not_read(site: Site) -> None:
    guard = vista.create("HTTPcommonLogFormat", "-", "elsewhere")  # whoever it is, it lets none in
    site.directory.protect("/docs", guard)
    assert site.get("/docs/index.html").status == 500


def test_a_condition_counts_the_first_time(site: Site, tree: Path) -> None:
    put(tree / "a.txt", b"abc")
    tag = site.get("/a.txt").fields["etag"]
    with served(tree) as other:
        assert other.get("/a.txt", f"If-None-Match: {tag}").status == 304


def test_names_are_remembered_and_forgotten_by_generations() -> None:
    asked = AskedLately()
    assert not asked.has("first")
    for number in range(ASKED_MAX - 1):
        asked.has(f"/{number}")
    assert not asked.has("next") and asked.has("first")
    for number in range(ASKED_MAX, 2 * ASKED_MAX):
        asked.has(f"/{number}")
    assert not asked.has("first")
