"""Pages whose objects live on another node: the client cannot tell."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import contextmanager

import vista
from apps.http.content.resources import Request, Response
from tests.http.objects.counts import Counts
from tests.http.objects.pages import (
    HttpEchoPage,
    HttpFailingPage,
    HttpReplyingPage,
    HttpStreamingPage,
)
from tests.http.objects.served import Answer, Site, get, read_all, read_until, served

KEY = {"secret_key": b"k" * 32}


class HttpEndlessBody(vista.Object):
    """Gives bytes for ever."""

    def create(self) -> None:
        pass

    def read_bytes(self, maximum: int) -> bytes:
        return b"piece " * 100


class HttpEndlessPage(vista.Object):
    """Answers with a body that has no end."""

    def create(self) -> None:
        pass

    def get_request(self, request: Request) -> Response:
        return Response(source=vista.create(HttpEndlessBody))


@contextmanager
def two_nodes(
    profile: str = "-", limits: vista.Limits | None = None
) -> Iterator[tuple[Site, vista.Node, vista.Ref]]:
    """A site, another node, and the ObjectCreator of that one."""
    far = vista.Node("far", limits=limits, settings=dict(KEY)).start()
    try:
        url = far.call(lambda: vista.create("AcceptPeerConnections", "tcp:127.0.0.1:0").get_url())
        with served(profile=profile, settings=dict(KEY)) as site:
            yield site, far, vista.create("ConnectToPeer", url).wait(30)
    finally:
        far.stop()


def test_a_page_on_another_node_answers_like_one_here() -> None:
    with two_nodes() as (site, _, creator):
        site.directory.register_object("/near", vista.create(HttpEchoPage))
        site.directory.register_object("/far", vista.create(HttpEchoPage, at=creator))
        near, far = site.get("/near?x"), site.get("/far?x")
        assert near.body.replace(b"near", b"far") == far.body == b"GET /far?x "
        assert near.fields.keys() == far.fields.keys()
        posted = site.get("/far", method="POST", body=b"\x00body")
        assert (posted.status, posted.body) == (201, b"\x00body")


def test_a_page_on_another_node_may_answer_by_message() -> None:
    with two_nodes() as (site, _, creator):
        site.directory.register_object("/far", vista.create(HttpReplyingPage, at=creator))
        assert site.get("/far").body == b"/far for localhost"


def test_a_body_may_come_from_another_node() -> None:
    with two_nodes() as (site, _, creator):
        site.directory.register_object("/far", vista.create(HttpStreamingPage, at=creator))
        assert b"piece" in site.get("/far").body


def test_a_page_on_a_node_that_is_lost_gets_502() -> None:
    with two_nodes() as (site, far, creator):
        site.directory.register_object("/far", vista.create(HttpEchoPage, at=creator))
        far.stop()
        assert site.get("/far").status == 502


def test_nodes_lost_while_they_make_pages_or_give_bodies_leave_nothing() -> None:
    with two_nodes(limits=vista.Limits(drain_seconds=0.05)) as (site, far, creator):
        site.directory.register_object("/page", vista.create(HttpFailingPage, at=creator))
        site.directory.register_object("/body", vista.create(HttpEndlessPage, at=creator))
        assert site.get("/nothing").status == 404  # what is loaded once is loaded
        counts = Counts(site.node)
        with site.connect() as asking, site.connect() as reading:
            asking.sendall(get("/page?sleep", "localhost", "Connection: close"))
            reading.sendall(get("/body"))
            read_until(reading, b"\r\n\r\n")
            far.stop()
            # A node that ends in order kills the page; the link may be gone before it says so.
            assert Answer(read_all(asking)).status == 502
            with contextlib.suppress(ConnectionResetError):
                assert not read_all(reading).endswith(b"\r\n0\r\n\r\n")  # it is known to be cut off
        assert counts.left() == {}
