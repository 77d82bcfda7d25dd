"""Compression: what is worth it, what must stay as it is, and that nothing is lost."""

from __future__ import annotations

import zlib
from typing import Any

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as some

from apps.http.content import compressing
from apps.http.content.compressing import (
    COMPRESS_BYTES_MIN,
    StreamCompressor,
    chosen_coding,
    compress,
    encoded_fields,
    is_compressible,
    kept_codings,
    page_codings,
    suits,
    varying,
    weakened,
)
from apps.http.content.resources import Response, prepare

CODINGS = ("gzip", "br", "zstd")
LONG = "long text " * 200


def unpacked(data: bytes, coding: str) -> bytes:
    """What a client makes of a compressed body."""
    made: bytes
    if coding == "br":
        made = brotli.decompress(data)
    elif coding == "zstd":
        made = zstandard.ZstdDecompressor().decompressobj().decompress(data)
    else:
        made = zlib.decompress(data, zlib.MAX_WBITS | 16)
    return made


def unpacked_so_far(data: bytes, coding: str) -> bytes:
    """What a client can read of a body that is not at its end."""
    made: bytes
    if coding == "br":
        made = brotli.Decompressor().process(data)
    elif coding == "zstd":
        made = zstandard.ZstdDecompressor().decompressobj().decompress(data)
    else:
        made = zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(data)
    return made


@pytest.mark.parametrize("coding", CODINGS)
@given(data=some.binary(max_size=5_000), kept=some.booleans())
def test_what_is_compressed_comes_back(coding: str, data: bytes, kept: bool) -> None:
    assert unpacked(compress(data, coding, kept=kept), coding) == data


@pytest.mark.parametrize("coding", CODINGS)
@given(pieces=some.lists(some.binary(max_size=300), max_size=8))
def test_each_piece_of_a_stream_can_be_read_at_once(coding: str, pieces: list[bytes]) -> None:
    stream, sent, given_so_far = StreamCompressor(coding), b"", b""
    for piece in pieces:
        sent += stream.piece(piece)
        given_so_far += piece
        assert unpacked_so_far(sent, coding) == given_so_far
    assert unpacked(sent + stream.end(), coding) == given_so_far


@pytest.mark.parametrize("coding", CODINGS)
def test_the_same_bytes_are_made_of_the_same_page(coding: str) -> None:
    assert compress(LONG.encode(), coding) == compress(LONG.encode(), coding)


@pytest.mark.parametrize(
    "kind",
    [
        "text/html; charset=utf-8",
        "TEXT/Plain",
        "application/json",
        "application/problem+json",
        "image/svg+xml; charset=utf-8",
        "font/ttf",
    ],
)
def test_texts_are_compressed(kind: str) -> None:
    assert is_compressible(kind)


@pytest.mark.parametrize(
    "kind",
    ["image/png", "video/mp4", "application/zip", "font/woff2", "text/event-stream", "", "x"],
)
def test_what_is_compressed_already_and_event_streams_are_not(kind: str) -> None:
    assert not is_compressible(kind)


def test_a_page_of_some_length_is_compressed() -> None:
    assert suits(Response("x" * COMPRESS_BYTES_MIN))
    assert suits(Response(b"x" * COMPRESS_BYTES_MIN, 404, (("Content-Type", "text/plain"),)))
    assert suits(Response("x" * COMPRESS_BYTES_MIN, 200, (("Cache-Control", "no-cache"),)))


def test_a_short_page_is_not() -> None:
    assert not suits(Response("x" * (COMPRESS_BYTES_MIN - 1)))


@pytest.mark.parametrize("status", [204, 205, 206, 304])
def test_parts_and_answers_without_a_body_are_not(status: int) -> None:
    assert not suits(Response(LONG, status))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Content-Encoding", "gzip"),
        ("content-encoding", "identity"),
        ("Content-Range", "bytes 0-1/2"),
        ("Accept-Ranges", "bytes"),
        ("Cache-Control", "max-age=1, No-Transform"),
        ("Content-Digest", "sha-256=:x:"),
        ("Repr-Digest", "sha-256=:x:"),
        ("Content-Type", "image/png"),
        ("Content-Type", "text/event-stream; charset=utf-8"),
    ],
)
def test_what_is_tied_to_its_bytes_is_not(name: str, value: str) -> None:
    assert not suits(Response(LONG, 200, ((name, value),)))


def test_bytes_that_nobody_called_text_are_not() -> None:
    assert not suits(Response(LONG.encode()))
    assert not suits(Response(source=object()))


def test_a_stream_of_text_is_compressed_unless_it_is_known_to_be_short() -> None:
    text = (("Content-Type", "text/csv"),)
    assert suits(Response(b"", 200, text, object()))
    assert suits(Response(b"", 200, text, object(), COMPRESS_BYTES_MIN))
    assert not suits(Response(b"", 200, text, object(), COMPRESS_BYTES_MIN - 1))


def test_what_is_written_already_is_not() -> None:
    assert not suits(prepare(Response(LONG)))


@pytest.mark.parametrize("pair", [("Content-Type", 7), (7, "text/html"), ("ETag", b"x")])
def test_what_cannot_be_sent_is_left_to_who_says_so(pair: Any) -> None:
    assert not suits(Response(LONG, 200, (pair,)))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, "Accept-Encoding"),
        ("Cookie", "Cookie, Accept-Encoding"),
        ("accept-encoding", "accept-encoding"),
        ("*", "*"),
    ],
)
def test_the_answer_says_that_it_depends_on_what_the_client_accepts(
    before: str | None, after: str
) -> None:
    fields = varying((("A", "b"), *((("vary", before),) if before else ())))
    assert fields == (("A", "b"), ("Vary", after))


def test_the_compressed_form_has_no_length_of_the_plain_one_and_a_weak_tag() -> None:
    given_fields = (("ETag", '"v1"'), ("Content-Length", "2000"), ("Vary", "Cookie"))
    assert encoded_fields(given_fields, "br", "text/html") == (
        ("ETag", 'W/"v1"'),
        ("Vary", "Cookie, Accept-Encoding"),
        ("Content-Type", "text/html"),
        ("Content-Encoding", "br"),
    )


@pytest.mark.parametrize(
    ("before", "after"), [('"a"', 'W/"a"'), ('W/"a"', 'W/"a"'), ("nonsense", "nonsense")]
)
def test_a_tag_is_weakened_once(before: str, after: str) -> None:
    assert weakened(before) == after


@pytest.mark.parametrize(
    ("accept", "coding"),
    [
        ("gzip, deflate, br, zstd", "zstd"),
        ("gzip, deflate, br", "br"),
        ("x-gzip", "gzip"),
        ("gzip;q=0.5, br;q=0.1", "gzip"),
        ("gzip;q=0", "identity"),
        ("identity;q=0, *;q=0", "identity"),
        ("*", "zstd"),
        ("gzip;q=2", "identity"),
        ("", "identity"),
    ],
)
def test_the_client_gets_what_it_wants_most(accept: str, coding: str) -> None:
    assert chosen_coding(accept, page_codings()) == coding


def test_without_the_libraries_there_is_gzip(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (set(page_codings()), kept_codings()[0]) == (set(CODINGS), "br")
    monkeypatch.setattr(compressing, "brotli", None)
    monkeypatch.setattr(compressing, "zstandard", None)
    assert page_codings() == kept_codings() == ("gzip",)
