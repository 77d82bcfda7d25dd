"""Fields behind a body: of requests, given to pages; of answers, for clients that take them."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

import vista
from apps.http.content.resources import Request, Response
from tests.http.objects.h2client import h2_client
from tests.http.objects.served import Site, get, served

TRAILED = (
    b"POST /trailers HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"%b0\r\nDigest: abc\r\nX-Two: 1\r\nX-Two: 2\r\n\r\n"
)


class HttpTrailedSource(vista.Object):
    """A body of one piece and the fields behind it."""

    def create(self, name: str, value: str) -> None:
        self.fields = ((name, value),)
        self.left = [b"body"]

    def read_bytes(self, maximum: int) -> bytes:
        return self.left.pop() if self.left else b""

    def get_trailers(self) -> tuple[tuple[str, str], ...]:
        return self.fields


class HttpTrailersPage(vista.Object):
    """Says which trailers came, and sends some."""

    def create(self, name: str = "X-Sum", value: str = "4", length: int | None = None) -> None:
        self.given = name, value
        self.length = length

    def post_request(self, request: Request) -> str:
        two, missing = request.trailer("X-Two"), request.trailer("host", "-")
        return f"{request.body!r} {request.trailer('digest')} {two} {missing} {request.header()}"

    def get_request(self, request: Request) -> Response:
        source = vista.create(HttpTrailedSource, *self.given)
        return Response(source=source, length=self.length, trailers=(self.given[0],))


def page(site: Site, *given: object) -> None:
    site.directory.register_object("/trailers", vista.create(HttpTrailersPage, *given))


@pytest.mark.parametrize("body", [b"", b"4\r\nbody\r\n"])
def test_rfc_9110_6_5_1_trailers_come_to_the_page_apart_from_the_header(
    body: bytes, site: Site
) -> None:
    page(site)
    told = site.talk(TRAILED % body)
    expected = b"body" if body else b""
    assert f"{expected!r} abc 1, 2 - {{'host':".encode() in told
    assert b"'digest'" not in told.partition(b"\r\n\r\n")[2]


def test_a_request_without_trailers_has_none(site: Site) -> None:
    page(site)
    assert b"b'x'   - {" in site.get("/trailers", method="POST", body=b"x").body


def test_rfc_9110_6_5_1_trailers_are_sent_to_who_takes_them(site: Site) -> None:
    page(site)
    told = site.talk(get("/trailers", "localhost", "TE: gzip;q=0.5, Trailers", "Connection: TE"))
    assert b"\r\nTrailer: X-Sum\r\n" in told
    assert told.endswith(b"4\r\nbody\r\n0\r\nX-Sum: 4\r\n\r\n")


@pytest.mark.parametrize("fields", [(), ("TE: deflate",)])
def test_who_does_not_take_trailers_gets_none(fields: tuple[str, ...], site: Site) -> None:
    page(site)
    told = site.talk(get("/trailers", "localhost", *fields))
    assert told.endswith(b"4\r\nbody\r\n0\r\n\r\n") and b"Trailer" not in told


def test_http_1_0_has_no_trailers(site: Site) -> None:
    page(site)
    told = site.talk(get("/trailers", "localhost", "TE: trailers", version="1.0"))
    assert told.endswith(b"\r\n\r\nbody")


def test_a_body_of_a_known_length_has_no_trailers(site: Site) -> None:
    page(site, "X-Sum", "4", 4)
    assert site.get("/trailers", "TE: trailers").body == b"body"


@pytest.mark.parametrize(("name", "value"), [("Content-Length", "4"), ("X-Sum", "4\r\nX: y")])
def test_a_trailer_that_cannot_be_sent_breaks_the_body_off(
    name: str, value: str, site: Site
) -> None:
    page(site, name, value)
    with contextlib.suppress(ConnectionResetError):
        told = site.talk(get("/trailers", "localhost", "TE: trailers"))
        assert not told.endswith(b"\r\n\r\n")


def test_rfc_9113_8_1_trailers_go_both_ways_over_http_2(tmp_path: Path) -> None:
    profile = tmp_path / "http.profile"
    profile.write_text("http2 cleartext\n")
    with served(profile=str(profile)) as site, h2_client(site) as client:
        page(site)
        number = client.ask("/trailers", method="POST", end=False)
        client.h2.send_data(number, b"body")
        client.h2.send_headers(number, [("digest", "abc"), ("x-two", "1")], end_stream=True)
        client.flush()
        assert client.answer(number).body.startswith(b"b'body' abc 1 - ")
        number = client.ask("/trailers", method="POST", body=b"next")
        assert client.answer(number).body.startswith(b"b'next'   - ")
        got = client.get("/trailers", ("te", "trailers"))
        assert got.body == b"body" and got.trailers == {"x-sum": "4"}
        assert client.get("/trailers").trailers == {}


def test_rfc_9113_8_1_1_malformed_trailers_end_their_stream_only(tmp_path: Path) -> None:
    profile = tmp_path / "http.profile"
    profile.write_text("http2 cleartext\n")
    with served(profile=str(profile)) as site, h2_client(site) as client:
        page(site)
        number = client.ask("/trailers", method="POST", end=False)
        client.h2.send_headers(number, [("connection", "close")], end_stream=True)
        client.flush()
        assert client.answer(number).reset == 1
        assert client.get("/trailers").body == b"body"
