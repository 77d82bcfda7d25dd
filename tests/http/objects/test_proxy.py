"""A site that another node answers for: the client cannot tell, and nothing hangs when it goes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

import vista
from apps.http.content.resources import Request, Response
from apps.http.objects.proxy import HTTPproxy
from tests.http.objects.pages import (
    HttpEchoPage,
    HttpFailingPage,
    HttpReplyingPage,
    HttpSilentPage,
    HttpStreamingPage,
)
from tests.http.objects.served import Answer, Site, get, read_all, read_until, served, wait_until
from tests.http.objects.sockets import Client, HttpEchoSocketPage, talking, upgrade
from tests.http.syntax.frames import BINARY, TEXT, close, frame

KEY = {"secret_key": b"k" * 32}
SHOP = "shop.example"


BRIEF = vista.Limits(drain_seconds=0.05)
"""Of nodes that have pages at work when they stop: nobody waits for those."""


class ProxiedTellerPage(vista.Object):
    """Tells what reached it, whatever the method."""

    def create(self) -> None:
        pass

    def any_request(self, request: Request) -> Response:
        words = (request.method, request.path, request.query, request.field("Via"), request.client)
        return Response(" ".join(words), 200, (("Content-Type", "text/plain"),))


class ProxiedSleeperPage(vista.Object):
    """Works on whatever it is asked until its node stops."""

    def create(self) -> None:
        self.asked = False

    def any_request(self, request: Request) -> str:
        self.asked = True
        vista.sleep(1000)
        return ""

    def was_asked(self) -> bool:
        return self.asked


class ProxiedSitePage(vista.Object):
    """Tells which site it is of."""

    def create(self) -> None:
        pass

    def get_request(self, request: Request) -> str:
        return request.site


class ProxiedUploadPage(vista.Object):
    """Tells how much was sent to it."""

    def create(self) -> None:
        pass

    def post_request(self, request: Request) -> str:
        assert request.upload is not None
        return str(len(request.upload.read()))


class ProxiedSlowSource(vista.Object):
    """Gives one piece and no other."""

    def create(self) -> None:
        self.given = False

    def read_bytes(self, maximum: int) -> bytes:
        if self.given:
            vista.sleep(1000)
        self.given = True
        return b"first piece"


class ProxiedSlowPage(vista.Object):
    """Answers with a body that never ends."""

    def create(self) -> None:
        pass

    def get_request(self, request: Request) -> Response:
        return Response(source=vista.create(ProxiedSlowSource))


class ProxiedGuard(vista.Object):
    """Lets those in who say the word."""

    def create(self, directory: vista.Ref) -> None:
        self.directory = directory

    def admit_request(self, request: Request, method: str) -> Any:
        if request.field("X-Word") != "friend":
            return Response("who are you?", 403)
        return self.directory.find_admitted(method, request.path, "kim")


class Shop:
    """A site on another node, which has no HTTPdaemon."""

    def __init__(self, node: vista.Node) -> None:
        self.node = node
        self.url = ""

        def open_shop() -> tuple[str, vista.Ref]:
            vista.create("AnnounceServices")
            url = vista.create("AcceptPeerConnections", "tcp:127.0.0.1:0").get_url()
            return url, vista.create("URLdirectory", SHOP)

        self.url, self.directory = node.call(open_shop)

    def page(self, path: str, page: type[vista.Object], *args: Any) -> None:
        """Have a page of the shop."""
        self.node.call(lambda: self.directory.register_object(path, vista.create(page, *args)))

    def is_at_work(self, path: str) -> bool:
        """Whether a page that sleeps has been asked."""
        asked: bool = self.node.call(lambda: self.directory.find("GET", path).target.was_asked())
        return asked


@contextmanager
def a_shop(limits: vista.Limits | None = None) -> Iterator[Shop]:
    """A shop on a node of its own."""
    node = vista.Node("shop", limits=limits, settings=dict(KEY)).start()
    try:
        yield Shop(node)
    finally:
        node.stop()


@contextmanager
def site_before(shop: Shop, profile: str = "-", target: str = SHOP) -> Iterator[Site]:
    """A site whose addresses below /shop are the shop's, by its name or its service's."""
    with served(profile=profile, settings=dict(KEY)) as made:
        vista.create("ConnectToPeer", shop.url).wait(30)
        vista.wait_for_service(f"URLdirectory:{SHOP}", 30)
        vista.create(HTTPproxy, "localhost", "/shop", target)
        yield made


@pytest.fixture
def shop() -> Iterator[Shop]:
    """A shop."""
    with a_shop(BRIEF) as made:
        yield made


@pytest.fixture
def site(shop: Shop) -> Iterator[Site]:
    """A site whose addresses below /shop are the shop's."""
    with site_before(shop) as made:
        yield made


def test_a_page_elsewhere_answers_as_one_here(site: Site, shop: Shop) -> None:
    shop.page("/shop/echo", HttpEchoPage)
    site.directory.register_object("/echo", vista.create(HttpEchoPage))
    here, there = site.get("/echo?x", "X-Word: ahoy"), site.get("/shop/echo?x", "X-Word: ahoy")
    assert there.body == here.body.replace(b"/echo", b"/shop/echo") == b"GET /shop/echo?x ahoy"
    assert here.fields.keys() == there.fields.keys()


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "PROPFIND"])
def test_every_method_is_passed_on(site: Site, shop: Shop, method: str) -> None:
    shop.page("/shop/any", ProxiedTellerPage)
    assert site.get("/shop/any?q=1", method=method).body.startswith(
        f"{method} /shop/any q=1 ".encode()
    )


def test_bodies_are_passed_on(site: Site, shop: Shop) -> None:
    shop.page("/shop/echo", HttpEchoPage)
    answer = site.get("/shop/echo", method="POST", body=b"\x00" * 100_000)
    assert (answer.status, answer.body) == (201, b"\x00" * 100_000)


def test_a_body_too_large_for_memory_is_read_over_there(shop: Shop, tmp_path: Path) -> None:
    shop.page("/shop/up", ProxiedUploadPage)
    profile = tmp_path / "http.profile"
    profile.write_text("uploads spool\nbody_memory_bytes_max 2000\n")
    with site_before(shop, str(profile)) as site:
        assert site.get("/shop/up", method="POST", body=bytes(900_000)).body == b"900000"


def test_the_address_itself_belongs_to_the_other_node(site: Site, shop: Shop) -> None:
    shop.page("/shop", ProxiedTellerPage)
    assert site.get("/shop").body.startswith(b"GET /shop ")
    assert site.get("/shops").status == 404


def test_rfc_9110_7_6_3_the_other_node_is_told_who_passed_it_on(site: Site, shop: Shop) -> None:
    shop.page("/shop/any", ProxiedTellerPage)
    words = site.get("/shop/any", "Via: 1.0 first").body.decode().split(" ", 3)[3]
    assert words.startswith("1.0 first, 1.1 vista-") and words.endswith(" 127.0.0.1")


def test_a_page_is_told_the_site_that_answers(site: Site, shop: Shop) -> None:
    shop.page("/shop/site", ProxiedSitePage)
    assert site.get("/shop/site").body == SHOP.encode()


def test_streams_come_through(site: Site, shop: Shop) -> None:
    shop.page("/shop/stream", HttpStreamingPage)
    data = site.talk(get("/shop/stream"))
    assert data.count(b"piece ") == 3 and data.endswith(b"0\r\n\r\n")


def test_websockets_come_through(site: Site, shop: Shop) -> None:
    shop.page("/shop/socket", HttpEchoSocketPage)
    with talking(site, path="/shop/socket") as client:
        client.send(frame(TEXT, b"hello"), frame(BINARY, b"\x00"))
        assert client.next() == (0x80 | TEXT, b"hello")
        assert client.next() == (0x80 | BINARY, b"\x00")
        client.send(close(3005))
        assert client.closed() == 3005


def test_a_page_that_speaks_no_websocket_answers_as_always(site: Site, shop: Shop) -> None:
    shop.page("/shop/echo", HttpEchoPage)
    with site.connect() as connection:
        assert Client(connection, upgrade(path="/shop/echo")).answer.status == 200


def test_a_websocket_to_a_node_that_is_lost_is_502(site: Site, shop: Shop) -> None:
    shop.page("/shop/socket", HttpEchoSocketPage)
    shop.node.stop()
    with site.connect() as connection:
        assert Client(connection, upgrade(path="/shop/socket")).answer.status == 502


def test_handlers_of_the_originals_form_answer(site: Site, shop: Shop) -> None:
    shop.page("/shop/old", HttpReplyingPage)
    answer = site.get("/shop/old")
    assert (answer.body, answer.fields["x-form"]) == (b"/shop/old for localhost", "old")


def test_files_come_with_their_tags_and_ranges(site: Site, shop: Shop, tree: Path) -> None:
    (tree / "shop").mkdir()
    (tree / "shop" / "a.txt").write_text("abcdefghij")

    def serve() -> None:
        vista.create("URLfileLoader", SHOP, "HTTPcachedFile", "/", None, str(tree))

    shop.node.call(serve)
    answer = site.get("/shop/a.txt")
    assert answer.body == b"abcdefghij" and "etag" in answer.fields
    part = site.get("/shop/a.txt", "Range: bytes=2-3")
    assert (part.status, part.body) == (206, b"cd")


def test_what_is_not_there_and_what_fails_is_told(site: Site, shop: Shop) -> None:
    shop.page("/shop/bad", HttpFailingPage)
    assert site.get("/shop/nothing").status == 404
    assert site.get("/shop/bad?raise").status == 500
    assert site.get("/shop/bad?nothing").status == 500
    assert site.get("/shop/bad", method="POST").status == 405
    shop.node.call(lambda: shop.directory.set_error_page(404, "<p>not in this shop"))
    assert site.get("/shop/nothing").body == b"<p>not in this shop"


def test_fields_of_the_other_site_are_there(site: Site, shop: Shop) -> None:
    shop.page("/shop/any", ProxiedTellerPage)
    shop.node.call(lambda: shop.directory.register_new_feature("X-Shop: open"))
    assert site.get("/shop/any").fields["x-shop"] == "open"
    assert site.get("/shop/nothing").fields["x-shop"] == "open"


def test_a_guard_of_the_other_site_is_asked(site: Site, shop: Shop) -> None:
    shop.page("/shop/any", ProxiedTellerPage)

    def protect() -> None:
        shop.directory.protect("/shop", vista.create(ProxiedGuard, shop.directory))

    shop.node.call(protect)
    assert site.get("/shop/any").status == 403
    assert site.get("/shop/any", "X-Word: friend").status == 200


def test_an_object_that_is_gone_is_404(site: Site, shop: Shop) -> None:
    shop.page("/shop/any", ProxiedTellerPage)

    def remove() -> None:
        vista.delete(shop.directory.find("POST", "/shop/any").target)

    shop.node.call(remove)
    assert site.get("/shop/any").status == 404


def test_a_page_that_never_answers_gets_504(shop: Shop, tmp_path: Path) -> None:
    shop.page("/shop/silent", HttpSilentPage)
    profile = tmp_path / "http.profile"
    profile.write_text("request_seconds 0.3")
    with site_before(shop, str(profile), f"URLdirectory:{SHOP}") as site:
        assert site.get("/shop/silent").status == 504


@pytest.mark.parametrize(("method", "status"), [("GET", 200), ("POST", 502)])
def test_what_a_node_that_stops_works_on_is_asked_of_the_next_one_if_nothing_changes_by_it(
    tmp_path: Path, method: str, status: int
) -> None:
    with a_shop(BRIEF) as shop, a_shop() as other, site_before(shop) as site:
        shop.page("/shop/any", ProxiedSleeperPage)
        other.page("/shop/any", ProxiedTellerPage)
        with site.connect() as client:
            asked = get("/shop/any", "localhost", "Connection: close")
            client.sendall(asked.replace(b"GET", method.encode()))
            wait_until(lambda: shop.is_at_work("/shop/any"))
            vista.create("ConnectToPeer", other.url).wait(30)
            name = f"URLdirectory:{SHOP}"
            wait_until(lambda: [row.name for row in vista.services()].count(name) == 2)
            shop.node.stop()
            assert Answer(read_all(client)).status == status


def test_a_node_that_is_lost_is_502_and_another_one_takes_its_place(site: Site, shop: Shop) -> None:
    shop.page("/shop/any", ProxiedTellerPage)
    assert site.get("/shop/any").status == 200
    shop.node.stop()
    until(site, "/shop/any", 502)
    with a_shop() as other:
        other.page("/shop/any", ProxiedTellerPage)
        vista.create("ConnectToPeer", other.url).wait(30)
        until(site, "/shop/any", 200)


def until(site: Site, path: str, status: int) -> None:
    """Wait until a page has a status."""
    for _ in range(600):
        found = site.get(path).status
        if found == status:
            return
        assert found in (200, 502)
        vista.sleep(0.05)
    raise AssertionError(f"{path} never got {status}")


def test_a_stream_whose_node_is_lost_breaks_off(site: Site, shop: Shop) -> None:
    shop.page("/shop/slow", ProxiedSlowPage)
    with site.connect() as client:
        client.sendall(get("/shop/slow"))
        data = read_until(client, b"first piece")
        shop.node.stop()
        with suppress(ConnectionResetError):
            data += read_all(client)
    assert not data.endswith(b"0\r\n\r\n")


def test_a_request_that_comes_round_is_refused(shop: Shop) -> None:
    with served(settings=dict(KEY)) as site:
        vista.create("URLdirectory", "second.example")
        vista.create(HTTPproxy, "localhost", "/a", "second.example")
        vista.create(HTTPproxy, "second.example", "/a", "localhost")
        assert site.get("/a").status == 508


def test_a_site_of_the_same_name_is_found_by_its_node() -> None:
    node = vista.Node("other", settings=dict(KEY)).start()

    def open_there() -> str:
        directory = vista.create("URLdirectory", "localhost")
        directory.register_object("/there", vista.create(ProxiedTellerPage))
        found: str = vista.create("AcceptPeerConnections", "tcp:127.0.0.1:0").get_url()
        return found

    try:
        url = node.call(open_there)
        with served(settings=dict(KEY)) as site:
            there = vista.create("ConnectToPeer", url).wait(30)
            vista.create(HTTPproxy, "localhost", "/there", there)
            assert site.get("/there").body.startswith(b"GET /there ")
            node.stop()
            until(site, "/there", 502)
    finally:
        node.stop()


@pytest.mark.usefixtures("site")
def test_a_proxy_to_itself_is_refused() -> None:
    with pytest.raises(vista.BadValueError, match=r"localhost is the site itself here"):
        vista.create(HTTPproxy, "localhost", "/x", "localhost")
    with pytest.raises(vista.BadValueError, match=r"begins with a slash, not 'x'"):
        vista.create(HTTPproxy, "localhost", "x", SHOP)


def test_the_addresses_are_free_when_the_proxy_is_gone(site: Site, shop: Shop) -> None:
    shop.page("/shop/any", ProxiedTellerPage)
    proxy = site.directory.find("POST", "/shop").target
    vista.delete(proxy)
    assert site.get("/shop/any").status == site.get("/shop").status == 404
