"""Answers without a body whose page gave a stream for one: to HEAD, and with 204, 205 and 304."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import vista
from apps.http.content.resources import Feed, Request, Response
from tests.http.objects.h2client import h2_client
from tests.http.objects.served import Answer, Site, get, read_all, served, wait_until

CODED = ("Accept-Encoding", "gzip")
OF_THE_WAY = ("date", "connection", "transfer-encoding")


class BodilessSource(vista.Object):
    """A text in a piece, which is read or pushed; it goes when it is told that it is over."""

    def create(self) -> None:
        self.left = 1

    def read_bytes(self, maximum: int) -> bytes:
        self.left -= 1
        return b"text " * 1000 if self.left == 0 else b""

    def feed_opened(self, note: object, receiver: vista.Ref, number: int) -> None:
        receiver.push.post(number, self.read_bytes(1))
        receiver.end_feed.post(number)

    def feed_closed(self, receiver: vista.Ref, number: int) -> None:
        vista.post(vista.self_ref(self), "delete_yourself")


class BodilessPage(vista.Object):
    """Answers with the status that the query begins with, and a stream or a feed."""

    def create(self) -> None:
        pass

    def any_request(self, request: Request) -> Response:
        status, _, kind = request.query.partition(".")
        source = vista.create(BodilessSource)
        fields = (("Content-Type", "text/plain"), ("ETag", '"tag"'))
        body = Feed(source) if kind == "feed" else source
        return Response(status=int(status), fields=fields, source=body)


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Site]:
    """A site that compresses everything and has the page at ``/p``."""
    profile = tmp_path / "p.profile"
    profile.write_text("http2 cleartext\ncompress yes\n")
    with served(profile=str(profile)) as site:
        site.directory.register_object("/p", vista.create(BodilessPage))
        yield site


def asked(site: Site, version: str, method: str, query: str) -> tuple[int, dict[str, str], bytes]:
    """Status, fields and body of an answer, after which the connection takes another request."""
    if version == "2":
        with h2_client(site) as client:
            number = client.ask(f"/p?{query}", ("accept-encoding", "gzip"), method=method)
            got = client.answer(number)
            assert (got.ended, got.reset) == (True, None)
            assert client.get("/nothing").status == 404
        return got.status, got.fields, got.body
    first = get(f"/p?{query}", "localhost", ": ".join(CODED)).replace(b"GET", method.encode())
    with site.connect() as connection:
        connection.sendall(first + get("/nothing", "localhost", "Connection: close"))
        data = read_all(connection)
    answer, mark, rest = data.rpartition(b"HTTP/1.1 404 ")
    assert Answer(mark + rest).status == 404
    taken = Answer(answer)
    return taken.status, taken.fields, taken.body


def await_nothing_left() -> None:
    """Wait until no source is left, neither the page's nor that which compresses."""
    names = ("BodilessSource", "HTTPcompressedBody")
    wait_until(lambda: not [row for row in vista.objects() if row.class_name.endswith(names)])


@pytest.mark.parametrize("version", ["1.1", "2"])
@pytest.mark.parametrize("kind", ["stream", "feed"])
def test_rfc_9110_9_3_2_head_has_the_fields_of_get_and_ends_the_stream(
    page: Site, version: str, kind: str
) -> None:
    full = asked(page, version, "GET", f"200.{kind}")
    bare = asked(page, version, "HEAD", f"200.{kind}")
    for answer in (full, bare):
        for name in OF_THE_WAY:
            answer[1].pop(name, None)
    assert bare == (*full[:2], b"")
    coding = {"content-encoding": "gzip", "vary": "Accept-Encoding", "etag": 'W/"tag"'}
    assert (coding.items() <= bare[1].items()) is (kind == "stream")
    assert "content-length" not in bare[1]
    await_nothing_left()


@pytest.mark.parametrize("version", ["1.1", "2"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    "query", ["204.stream", "205.stream", "304.stream", "204.feed", "304.feed"]
)
def test_rfc_9110_6_4_1_a_status_without_a_body_ends_the_stream_and_nothing_else(
    page: Site, version: str, method: str, query: str
) -> None:
    status, fields, body = asked(page, version, method, query)
    assert (status, body) == (int(query[:3]), b"")
    assert "content-encoding" not in fields and "transfer-encoding" not in fields
    assert fields.get("content-length", "0") == "0"
    await_nothing_left()
