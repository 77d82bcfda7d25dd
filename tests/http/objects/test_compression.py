"""Compression as clients see it: pages, streams and files, and who gets the plain form."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import vista
from apps.http.content.compressing import INLINE_BYTES_MAX
from apps.http.content.resources import Feed, Request, Response
from apps.http.errors import ProfileError
from apps.http.objects import cached
from tests.http.content.test_compressing import unpacked, unpacked_so_far
from tests.http.objects.served import (
    Answer,
    Site,
    at_last,
    get,
    read_all,
    read_until,
    served,
)

ALL = "Accept-Encoding: gzip, deflate, br, zstd"
TEXT = "".join(f"line {number} of a long page\n" for number in range(200))


class CompressiblePage(vista.Object):
    """Answers with what it was made with."""

    def create(self, answer: Any) -> None:
        self.answer = answer

    def get_request(self, request: Request) -> Any:
        return self.answer

    def post_request(self, request: Request) -> Any:
        return self.answer


class CompressibleSource(vista.Object):
    """Gives pieces of a text, each when it is let."""

    def create(self, pieces: list[bytes]) -> None:
        self.pieces = pieces
        self.may_go = 1

    def go_on(self) -> None:
        self.may_go += 1

    def read_bytes(self, maximum: int) -> bytes:
        while self.may_go <= 0:
            vista.sleep(0.001)
        self.may_go -= 1
        return self.pieces.pop(0) if self.pieces else b""


class CompressibleStream(vista.Object):
    """Answers with a body that comes from a source."""

    def create(self, source: vista.Ref, kind: str) -> None:
        self.source = source
        self.kind = kind

    def get_request(self, request: Request) -> Response:
        return Response(b"", 200, (("Content-Type", self.kind),), self.source)


@contextmanager
def site_with(tmp_path: Path, profile: str, root: Path | None = None) -> Iterator[Site]:
    """A site whose profile has these lines."""
    path = tmp_path / "http.profile"
    path.write_text(profile)
    with served(root, str(path)) as made:
        yield made


@pytest.fixture
def site(tmp_path: Path, tree: Path) -> Iterator[Site]:
    """A site that compresses everything."""
    (tree / "long.txt").write_text(TEXT)
    hour_ago = time.time() - 3600
    os.utime(tree / "long.txt", (hour_ago, hour_ago))
    with site_with(tmp_path, "compress yes", tree) as made:
        yield made


def page(site: Site, answer: Any, path: str = "/page") -> None:
    """Have a page answer."""
    site.directory.register_object(path, vista.create(CompressiblePage, answer))


# --- pages -----------------------------------------------------------------------------------


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd"])
def test_a_page_is_compressed_for_who_wants_it(site: Site, coding: str) -> None:
    page(site, TEXT)
    answer = site.get("/page", f"Accept-Encoding: {coding}")
    assert answer.fields["content-encoding"] == coding
    assert answer.fields["vary"] == "Accept-Encoding"
    assert answer.fields["content-type"] == "text/html; charset=utf-8"
    assert int(answer.fields["content-length"]) == len(answer.body) < len(TEXT)
    assert unpacked(answer.body, coding) == TEXT.encode()


def test_who_accepts_nothing_gets_the_plain_page_and_is_told_that_it_varies(site: Site) -> None:
    page(site, TEXT)
    for fields in ((), ("Accept-Encoding: identity",), ("Accept-Encoding: gzip;q=0",)):
        answer = site.get("/page", *fields)
        assert answer.body == TEXT.encode() and "content-encoding" not in answer.fields
        assert answer.fields["vary"] == "Accept-Encoding"


def test_a_short_page_is_sent_as_it_is(site: Site) -> None:
    page(site, "short")
    answer = site.get("/page", ALL)
    assert answer.body == b"short" and "vary" not in answer.fields


def test_a_page_with_a_coding_is_not_compressed_again(site: Site) -> None:
    fields = (("Content-Type", "text/plain"), ("Content-Encoding", "x-own"))
    page(site, Response(TEXT.encode(), 200, fields))
    answer = site.get("/page", ALL)
    assert answer.body == TEXT.encode() and answer.fields["content-encoding"] == "x-own"


def test_a_page_with_no_transform_is_left_alone(site: Site) -> None:
    page(site, Response(TEXT, 200, (("Cache-Control", "no-transform"),)))
    assert site.get("/page", ALL).body == TEXT.encode()


def test_the_tag_of_a_compressed_page_is_weak(site: Site) -> None:
    page(site, Response(TEXT, 200, (("ETag", '"v1"'),)))
    assert site.get("/page", ALL).fields["etag"] == 'W/"v1"'
    assert site.get("/page").fields["etag"] == '"v1"'


def test_head_has_the_fields_of_the_compressed_page(site: Site) -> None:
    page(site, TEXT)
    full, head = site.get("/page", ALL), site.get("/page", ALL, method="HEAD")
    assert head.body == b""
    assert {**head.fields, "date": ""} == {**full.fields, "date": ""}


def test_a_long_page_is_compressed_elsewhere_and_comes_whole(site: Site) -> None:
    text = TEXT * (INLINE_BYTES_MAX // len(TEXT) + 1)
    page(site, text)
    answer = site.get("/page", "Accept-Encoding: gzip")
    assert unpacked(answer.body, "gzip") == text.encode()
    assert [row for row in vista.objects() if "HTTPcompress" in row.class_name] == []


def test_pages_are_not_compressed_unless_the_profile_says_so(tmp_path: Path) -> None:
    for profile in ("", "compress files", "compress no"):
        with site_with(tmp_path, profile) as site:
            page(site, TEXT)
            answer = site.get("/page", ALL)
            assert answer.body == TEXT.encode() and "vary" not in answer.fields


def test_a_profile_with_another_word_is_refused(tmp_path: Path) -> None:
    message = r"compress must be no or files or yes, not 'maybe'"
    with pytest.raises(ProfileError, match=message), site_with(tmp_path, "compress maybe"):
        pass


def test_an_answer_that_cannot_be_sent_is_still_a_500(site: Site) -> None:
    page(site, Response(TEXT, 200, (("X-Word", "a\r\nSet-Cookie: b"),)))
    answer = site.get("/page", ALL)
    assert answer.status == 500 and "set-cookie" not in answer.fields


# --- streams ---------------------------------------------------------------------------------


def test_each_piece_of_a_stream_reaches_the_client_at_once(site: Site) -> None:
    source = vista.create(CompressibleSource, [b"first ", b"second"])
    site.directory.register_object("/s", vista.create(CompressibleStream, source, "text/plain"))
    with site.connect() as client:
        client.sendall(get("/s", "localhost", "Accept-Encoding: gzip", "Connection: close"))
        data = read_until(client, b"\r\n\r\n")
        assert b"Content-Encoding: gzip\r\n" in data
        while b"first " not in unpacked_so_far(unchunked(data), "gzip"):
            piece = client.recv(65536)
            assert piece, "closed before the first piece"
            data += piece
        source.go_on()
        source.go_on()
        source.go_on()
        data += read_all(client)
    assert unpacked(unchunked(data), "gzip") == b"first second"


def unchunked(data: bytes) -> bytes:
    """The body of an answer in chunks, as far as it came."""
    body, rest = b"", data.partition(b"\r\n\r\n")[2]
    while rest:
        size, line_end, rest = rest.partition(b"\r\n")
        length = int(size, 16) if line_end else 0
        if not length or len(rest) < length:
            break
        body, rest = body + rest[:length], rest[length + 2 :]
    return body


def test_the_source_of_a_compressed_stream_goes_with_it(site: Site) -> None:
    source = vista.create(CompressibleSource, [])
    site.directory.register_object("/s", vista.create(CompressibleStream, source, "text/plain"))
    assert unpacked(unchunked(raw(site, "/s", ALL.replace(", zstd", ""))), "br") == b""
    for _ in range(3000):
        gone = [row for row in vista.objects() if "Compress" in row.class_name]
        if [row.class_name for row in gone] == ["Local.CompressibleStream"]:
            return
        vista.sleep(0.01)
    raise AssertionError("the source or its compressor is still there")


def raw(site: Site, path: str, *fields: str) -> bytes:
    """All the bytes of an answer."""
    return site.talk(get(path, "localhost", *fields))


class CompressiblePush(vista.Object):
    """Pushes a body of text."""

    def create(self) -> None:
        pass

    def get_request(self, request: Request) -> Response:
        return Response(
            status=200,
            fields=(("Content-Type", "text/plain"),),
            source=Feed(vista.self_ref(self)),
        )

    def feed_opened(self, note: object, receiver: vista.Ref, number: int) -> None:
        receiver.push(number, b"pushed")
        receiver.end_feed(number)

    def feed_closed(self, receiver: vista.Ref, number: int) -> None:
        pass


def test_what_is_pushed_is_not_compressed(site: Site) -> None:
    site.directory.register_object("/push", vista.create(CompressiblePush))
    data = raw(site, "/push", ALL)
    assert b"pushed" in data and b"Content-Encoding" not in data


def test_event_streams_are_never_compressed(site: Site) -> None:
    source = vista.create(CompressibleSource, [])
    made = vista.create(CompressibleStream, source, "text/event-stream")
    site.directory.register_object("/s", made)
    assert "content-encoding" not in Answer(raw(site, "/s", ALL)).fields


# --- files -----------------------------------------------------------------------------------


def test_a_file_is_compressed_without_being_asked_for(tmp_path: Path, tree: Path) -> None:
    (tree / "long.txt").write_text(TEXT)
    with served(tree) as site:
        answer = site.get("/long.txt", ALL)
        assert answer.fields["content-encoding"] == "br"
        assert unpacked(answer.body, "br") == TEXT.encode()
        assert answer.fields["vary"] == "Accept-Encoding"
        assert site.get("/long.txt").fields["vary"] == "Accept-Encoding"


def test_a_file_is_left_alone_if_the_profile_says_so(tmp_path: Path, tree: Path) -> None:
    (tree / "long.txt").write_text(TEXT)
    with site_with(tmp_path, "compress no", tree) as site:
        answer = site.get("/long.txt", ALL)
    assert answer.body == TEXT.encode() and "vary" not in answer.fields


@pytest.mark.parametrize("name", ["short.txt", "noise.txt", "picture.png"])
def test_what_would_not_become_smaller_is_left_alone(tmp_path: Path, tree: Path, name: str) -> None:
    (tree / "short.txt").write_text("x" * 1023)
    (tree / "noise.txt").write_bytes(os.urandom(5000))
    (tree / "picture.png").write_text(TEXT)
    with served(tree) as site:
        assert "content-encoding" not in site.get(f"/{name}", ALL).fields
        assert site.get(f"/{name}", ALL).body == (tree / name).read_bytes()


def test_a_form_is_made_once(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    real = cached.compress_aside

    def counting(data: bytes, coding: str, *, kept: bool = False) -> bytes:
        made.append(coding)
        return real(data, coding, kept=kept)

    monkeypatch.setattr(cached, "compress_aside", counting)
    bodies = {site.get("/long.txt", ALL).body for _ in range(5)}
    site.get("/long.txt", "Accept-Encoding: gzip")
    assert made == ["br", "gzip"] and len(bodies) == 1


def test_forms_count_for_what_is_kept(site: Site) -> None:
    site.directory.find("GET", "/long.txt")
    before = site.directory.get_cached_bytes()
    both = before + len(site.get("/long.txt", ALL).body)
    assert at_last(site.directory.get_cached_bytes, both) == both


def test_a_file_that_grew_counts_with_its_size(site: Site, tree: Path) -> None:
    site.directory.find("GET", "/a.txt")
    before = site.directory.get_cached_bytes()
    (tree / "a.txt").write_text("0123456789" * 10)
    site.directory.find("GET", "/a.txt").check_if_still_valid()
    assert at_last(site.directory.get_cached_bytes, before + 90) == before + 90


def test_no_form_is_made_that_would_drive_its_own_file_out(tmp_path: Path, tree: Path) -> None:
    (tree / "long.txt").write_text(TEXT)
    size = len(TEXT) + cached.OBJECT_BYTES
    with site_with(tmp_path, f"cacheBytes {size * 5}", tree) as site:
        for _ in range(3):
            assert site.get("/long.txt", ALL).body == TEXT.encode()
        figures = site.directory.get_cache_figures()
    assert (figures["files"], figures["misses"], figures["evictions"]) == (1, 1, 0)


def test_objects_of_files_too_large_to_be_kept_go(tmp_path: Path, tree: Path) -> None:
    with site_with(tmp_path, "cacheBytes 0", tree) as site:
        for _ in range(100):
            assert site.get("/a.txt").body == b"abcdefghij"
        for _ in range(3000):
            rows = [row for row in vista.objects() if row.class_name == "HTTP.HTTPcachedFile"]
            if len(rows) <= 16:
                return
            vista.sleep(0.01)
    raise AssertionError(f"{len(rows)} objects are left")


def test_a_changed_file_is_compressed_anew(site: Site, tree: Path) -> None:
    old = site.get("/long.txt", ALL)
    (tree / "long.txt").write_text(TEXT.upper())
    site.directory.find("GET", "/long.txt").check_if_still_valid()
    answer = site.get("/long.txt", ALL)
    assert unpacked(answer.body, "br") == TEXT.upper().encode()
    assert answer.fields["etag"] != old.fields["etag"]


def test_a_form_has_a_weak_tag_of_its_own_and_no_ranges(site: Site) -> None:
    plain, made = site.get("/long.txt"), site.get("/long.txt", ALL)
    other = site.get("/long.txt", "Accept-Encoding: gzip")
    tags = {plain.fields["etag"], made.fields["etag"], other.fields["etag"]}
    assert len(tags) == 3 and made.fields["etag"].startswith('W/"')
    assert "accept-ranges" not in made.fields and plain.fields["accept-ranges"] == "bytes"


def test_rfc_9110_13_1_2_a_client_keeps_the_form_it_has(site: Site) -> None:
    made = site.get("/long.txt", ALL)
    answer = site.get("/long.txt", ALL, f"If-None-Match: {made.fields['etag']}")
    assert answer.status == 304 and answer.fields["vary"] == "Accept-Encoding"
    assert site.get("/long.txt", f"If-None-Match: {made.fields['etag']}").status == 200


def test_parts_are_those_of_the_plain_file(site: Site) -> None:
    site.get("/long.txt", ALL)
    answer = site.get("/long.txt", ALL, "Range: bytes=5-8")
    assert (answer.status, answer.body) == (206, TEXT[5:9].encode())
    assert "content-encoding" not in answer.fields


def test_a_form_beside_the_file_goes_before_one_that_is_made(site: Site, tree: Path) -> None:
    (tree / "long.txt.gz").write_bytes(b"by hand")
    (tree / "long.txt.zst").write_bytes(b"by hand too")
    site.get("/long.txt")
    answer = site.get("/long.txt", "Accept-Encoding: br, gzip")
    assert (answer.fields["content-encoding"], answer.body) == ("gzip", b"by hand")


def test_a_page_with_includes_is_compressed_as_pages_are(site: Site, tree: Path) -> None:
    (tree / "page.shtml").write_text(TEXT + '<!--#echo var="QUERY_STRING" -->')
    for query in ("one", "two"):
        answer = site.get(f"/page.shtml?{query}", "Accept-Encoding: gzip")
        assert unpacked(answer.body, "gzip") == (TEXT + query).encode()
    with served(tree, name="plain.example") as plain:
        assert "content-encoding" not in plain.get("/page.shtml", ALL).fields
