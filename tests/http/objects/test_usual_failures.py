"""Where servers on httptools and file handlers usually fail: each once, asked over a socket.

How each is decided is tested where it is decided, in `tests.http.syntax` and
`tests.http.content`. Slow heads, bodies and readers are in `test_connections`.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

import vista
from apps.http.objects.files import CACHED_FILE_BYTES_MAX
from tests.http.objects.pages import HttpEchoPage, HttpStreamingPage
from tests.http.objects.served import Answer, Site, get, read_until, served

LARGE = 8 * CACHED_FILE_BYTES_MAX


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with what file handlers trip over."""
    root = tmp_path_factory.mktemp("usual") / "site"
    (root / "docs").mkdir(parents=True)
    (root / "a.txt").write_text("abcdefghij")
    (root / "docs" / "index.html").write_text("docs")
    os.mkfifo(root / "fifo")
    os.symlink("/dev/zero", root / "zero")
    os.symlink("/etc", root / "etc")
    return root


@pytest.fixture(scope="module")
def site(tree: Path) -> Iterator[Site]:
    """A site that all tests here ask."""
    with served(tree) as made:
        made.directory.register_object("/echo", vista.create(HttpEchoPage))
        made.directory.register_object("/stream", vista.create(HttpStreamingPage))
        yield made


def status(site: Site, data: bytes) -> int:
    """The status of the first answer to what is sent."""
    return Answer(site.talk(data)).status


def head(*lines: str, line: str = "GET /a.txt HTTP/1.1", host: str = "Host: localhost") -> bytes:
    """A request of these lines."""
    return "\r\n".join([line, *([host] if host else []), *lines, "", ""]).encode("latin-1")


# --- requests ------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["", "Host: a\r\nHost: a", "Host:", "Host: a b", "Host: a:b:c"])
def test_host_missing_twice_empty_or_malformed_gets_400(host: str, site: Site) -> None:
    assert status(site, head(host=host)) == 400


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (head(line=f"GET /{'a' * 9_000} HTTP/1.1"), 414),
        (head("A: " + "b" * 17_000), 431),
        (head(*("A: b" for _ in range(129))), 431),
        (head(*(f"A{number}: {'b' * 16_000}" for number in range(5))), 431),
    ],
    ids=["target", "field", "fields", "head"],
)
def test_target_field_size_and_count_have_bounds_and_414_is_told_from_431(
    data: bytes, expected: int, site: Site
) -> None:
    assert status(site, data) == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"1;" + b"a" * 300 + b"\r\nx\r\n0\r\n\r\n", 400),
        ((b"1;" + b"a" * 200 + b"\r\nx\r\n") * 100 + b"0\r\n\r\n", 400),
        (b"0\r\n" + b"a: b\r\n" * 33 + b"\r\n", 431),
        (b"0\r\na: " + b"b" * 9_000 + b"\r\n\r\n", 431),
    ],
    ids=["extension", "extensions", "trailers", "trailer"],
)
def test_trailers_and_chunk_extensions_have_bounds(body: bytes, expected: int, site: Site) -> None:
    chunked = head("Transfer-Encoding: chunked", line="POST /echo HTTP/1.1")
    assert status(site, chunked + body) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("GET /a.txt", 400),
        ("GET /a.txt HTTP/0.9", 505),
        ("GET /a.txt HTTP/2.0", 505),
        ("GET /a.txt HTTP/3.0", 505),
        ("GET /a.txt HTTP/1.2", 200),
        ("GET /a.txt HTTP/1.10", 400),
        ("GET /a.txt http/1.1", 400),
        ("GET /a.txt RTSP/1.0", 400),
    ],
)
def test_versions_0_9_2_0_and_1_2(line: str, expected: int, site: Site) -> None:
    assert status(site, head(line=line)) == expected


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (("Transfer-Encoding: chunked",), 201),
        (("Transfer-Encoding: Chunked ",), 201),
        (("Transfer-Encoding: gzip, chunked",), 501),
        (("Transfer-Encoding: chunked, gzip",), 400),
        (("Transfer-Encoding: chunked, chunked",), 400),
        (("Transfer-Encoding: chunked", "Transfer-Encoding: chunked"), 400),
        (("Transfer-Encoding: gzip", "Transfer-Encoding: chunked"), 501),
        (("Transfer-Encoding: identity",), 400),
        (("Transfer-Encoding: ,chunked",), 400),
        (("Transfer-Encoding:",), 400),
        (("Transfer-Encoding: chunked;q=1",), 400),
        (("Transfer-Encoding: xchunked",), 400),
        (("Transfer-Encoding: chunked", "Content-Length: 3"), 400),
        (("Content-Length: 3", "Content-Length: 3"), 400),
        (("Content-Length: 3, 3",), 400),
        (("Content-Length: +3",), 400),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, tuple) else None,
)
def test_transfer_encoding_lists_in_any_shape(
    lines: tuple[str, ...], expected: int, site: Site
) -> None:
    data = head(*lines, line="POST /echo HTTP/1.1") + b"3\r\nabc\r\n0\r\n\r\n"
    assert status(site, data) == expected


@pytest.mark.parametrize(
    "second", [b"garbage\r\n\r\n", b"GET /\0 HTTP/1.1\r\n\r\n", b"\x16\x03\x01"]
)
def test_a_bad_second_pipelined_request_does_not_eat_the_good_first_ones_answer(
    second: bytes, site: Site
) -> None:
    told = site.talk(get("/a.txt") + second)
    assert told.startswith(b"HTTP/1.1 200 ") and b"abcdefghijHTTP/1.1 400 " in told


def test_neither_100_continue_nor_chunks_are_sent_to_http_1_0(site: Site) -> None:
    asked = head("Expect: 100-continue", "Content-Length: 3", line="POST /echo HTTP/1.0")
    assert site.talk(asked + b"abc").startswith(b"HTTP/1.1 201 ")
    streamed = site.talk(get("/stream", version="1.0"))
    assert b"Transfer-Encoding" not in streamed and b"Connection: close" in streamed


# --- conditions and ranges -----------------------------------------------------------------


def test_if_match_and_if_unmodified_since_are_not_ignored(site: Site) -> None:
    assert site.get("/a.txt", 'If-Match: "another"').status == 412
    early = "If-Unmodified-Since: Thu, 01 Jan 1970 00:00:01 GMT"
    assert site.get("/a.txt", early).status == 412


def test_unknown_range_units_are_ignored(site: Site) -> None:
    assert site.get("/a.txt", "Range: lines=1-2").status == 200


def test_if_range_with_an_etag_decides(site: Site, tree: Path) -> None:
    (tree / "old.txt").write_text("abcdefghij")
    os.utime(tree / "old.txt", (1, 1))
    tag = site.get("/old.txt").fields["etag"]
    assert site.get("/old.txt", "Range: bytes=2-3", f"If-Range: {tag}").body == b"cd"
    assert site.get("/old.txt", "Range: bytes=2-3", 'If-Range: "another"').body == b"abcdefghij"


def test_lists_split_over_two_field_lines_are_one_list(site: Site, tree: Path) -> None:
    (tree / "split.txt").write_text("abc")
    os.utime(tree / "split.txt", (1, 1))
    tag = site.get("/split.txt").fields["etag"]
    fields = ('If-None-Match: "another"', f"If-None-Match: {tag}")
    assert site.get("/split.txt", *fields).status == 304


def test_a_range_on_head_is_ignored(site: Site) -> None:
    answer = site.get("/a.txt", "Range: bytes=2-3", method="HEAD")
    assert (answer.status, answer.fields["content-length"], answer.body) == (200, "10", b"")


# --- files ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["a" * 256, "%C3%A4" * 128, "a" * 8_000], ids=["a", "umlaut", "8k"]
)
def test_names_over_255_bytes_are_not_found(name: str, site: Site) -> None:
    assert site.get(f"/{name}").status == 404


@pytest.mark.parametrize("path", ["/%00", "/a.txt%00.html", "/docs%00/", "/a%0atxt", "/a%0d"])
def test_an_encoded_nul_or_line_break_gets_400(path: str, site: Site) -> None:
    assert site.get(path).status == 400


@pytest.mark.parametrize("path", ["//docs", "///docs", "/%2e%2e//docs", "//evil.example/../docs"])
def test_a_target_that_begins_with_two_slashes_names_no_host_in_redirects(
    path: str, site: Site
) -> None:
    answer = site.get(path)
    assert answer.status in (301, 404)
    assert not answer.fields.get("location", "/").startswith("//")


@pytest.mark.parametrize("path", ["/fifo", "/zero", "/etc/passwd", "/fifo/", "/zero/x"])
def test_a_fifo_a_device_and_what_lies_outside_are_not_found(path: str, site: Site) -> None:
    assert site.get(path).status == 404


def test_a_file_truncated_while_it_is_sent_ends_its_connection(site: Site, tree: Path) -> None:
    path = tree / "shrinks.bin"
    path.write_bytes(b"x" * LARGE)
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        client.settimeout(30.0)
        client.connect(site.place)
        client.sendall(get("/shrinks.bin"))
        data = read_until(client, b"\r\n\r\n")
        os.truncate(path, CACHED_FILE_BYTES_MAX)
        with contextlib.suppress(ConnectionResetError):
            while piece := client.recv(65_536):
                data += piece
    body = data.partition(b"\r\n\r\n")[2]
    assert len(body) < LARGE and body.strip(b"x") == b""
    assert site.get("/a.txt").body == b"abcdefghij"
