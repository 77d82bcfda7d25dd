"""WebSockets over HTTP/2: streams of a connection among others (RFC 8441)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import vista
from apps.http.content.resources import Feed, Response
from apps.http.errors import WebSocketClosed
from apps.http.objects.outgoing import Stream
from tests.http.objects.h2client import Got, H2Client, h2_client
from tests.http.objects.served import Site, at_last, served, wait_until
from tests.http.objects.sockets import (
    HttpChoosingSocketPage,
    HttpEchoSocketPage,
    HttpSlowSocketPage,
)
from tests.http.syntax.frames import CLOSE, TEXT, close, frame, split

GONE = 8
"""The code with which a client ends a stream that it wants no longer: CANCEL."""


class HttpHesitantSocketPage(vista.Object):
    """Accepts a client when it is told to; keeps how that ended."""

    def create(self, word: str = "") -> None:
        self.fields = (("X-Word", word),) if word else ()
        self.asked = self.goes_on = False
        self.end = ""

    def websocket_request(self, request: object, socket: vista.Ref) -> None:
        self.asked = True
        while not self.goes_on:
            vista.sleep(0)
        try:
            socket.accept("", self.fields)
            self.end = "left" if socket.receive() is None else "told"
        except (WebSocketClosed, vista.VistaError) as error:
            self.end = type(error).__name__
            raise

    def is_asked(self) -> bool:
        return self.asked

    def go_on(self) -> None:
        self.goes_on = True

    def get_end(self) -> str:
        return self.end


class HttpPushingSource(vista.Object):
    """A page that takes a client and pushes by itself."""

    def create(self) -> None:
        self.receiver: vista.Ref | None = None
        self.number = 0

    def websocket_request(self, request: object, socket: vista.Ref) -> Response:
        return Response(status=101, source=Feed(vista.self_ref(self), takes_input=True))

    def feed_opened(self, note: object, receiver: vista.Ref, number: int) -> None:
        self.receiver, self.number = receiver, number

    def push(self) -> list[bool]:
        assert self.receiver is not None
        taken = [self.receiver.push_in_turn(self.number, b"last", True)]
        taken.append(self.receiver.push_in_turn(self.number, b"behind it"))
        self.receiver.push(self.number, b"and this")
        self.receiver.end_feed(self.number)
        return taken

    def feed_closed(self, receiver: vista.Ref, number: int) -> None:
        pass


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A site that speaks HTTP/2 without TLS and has pages with sockets."""
    profile = tmp_path / "http.profile"
    profile.write_text("http2 cleartext\nwebsocket_ping_seconds 3600\n")
    with served(profile=str(profile)) as made:
        made.directory.register_object("/socket", vista.create(HttpEchoSocketPage))
        made.directory.register_object("/choosing", vista.create(HttpChoosingSocketPage))
        made.directory.register_object("/slow", vista.create(HttpSlowSocketPage))
        yield made


def ask(
    client: H2Client, path: str = "/socket", *fields: tuple[str, str], **pseudo: str
) -> tuple[int, Got]:
    """Ask for a WebSocket; return the stream and what comes on it, its head for a start."""
    usual = {"method": "CONNECT", "protocol": "websocket", "scheme": "http"}
    told = {**usual, "authority": "localhost", "path": path, **pseudo}
    head = [(f":{name}", value) for name, value in told.items() if value]
    number = client.h2.get_next_available_stream_id()
    client.send_head(number, [*head, ("sec-websocket-version", "13"), *fields], end=False)
    got = client.streams[number]
    while not got.status and got.reset is None:
        assert client.read()
    return number, got


def send(client: H2Client, number: int, data: bytes) -> None:
    """Send bytes on a stream and leave it open."""
    client.send(number, data, end=False)


def frames_of(client: H2Client, got: Got, count: int) -> list[tuple[int, bytes]]:
    """The first frames that come on a stream."""
    while len(split(got.body)[0]) < count:
        assert client.read()
    return split(got.body)[0]


def test_rfc_8441_3_the_server_says_that_it_takes_them(site: Site) -> None:
    with h2_client(site) as client:
        client.get("/")
        assert client.h2.remote_settings.enable_connect_protocol == 1


def test_rfc_8441_5_a_websocket_is_a_stream_that_is_answered_by_200(site: Site) -> None:
    with h2_client(site) as client:
        number, got = ask(client)
        assert got.status == 200
        assert not {"upgrade", "connection", "sec-websocket-accept"} & set(got.fields)
        send(client, number, frame(TEXT, b"hello") + frame(TEXT, b"again"))
        assert [data for _, data in frames_of(client, got, 2)] == [b"hello", b"again"]


def test_what_comes_before_the_page_has_accepted_is_not_lost(site: Site) -> None:
    with h2_client(site) as client:
        number = client.h2.get_next_available_stream_id()
        head = {"method": "CONNECT", "protocol": "websocket", "scheme": "http"}
        head |= {"authority": "localhost", "path": "/socket"}
        fields = [(f":{name}", value) for name, value in head.items()]
        client.streams[number] = got = Got()
        client.h2.send_headers(number, [*fields, ("sec-websocket-version", "13")])
        client.h2.send_data(number, frame(TEXT, b"early"))
        client.flush()
        assert frames_of(client, got, 1)[0][1] == b"early"


def test_messages_and_requests_share_a_connection(site: Site) -> None:
    with h2_client(site) as client:
        (one, first), (two, second) = ask(client), ask(client)
        send(client, two, frame(TEXT, b"two"))
        assert client.get("/socket").body == b"a page"
        send(client, one, frame(TEXT, b"one"))
        assert frames_of(client, first, 1)[0][1] == b"one"
        assert frames_of(client, second, 1)[0][1] == b"two"


def test_a_close_of_the_client_ends_the_stream_and_the_page(site: Site) -> None:
    page = site.directory.find("GET", "/socket")
    with h2_client(site) as client:
        number, _ = ask(client)
        send(client, number, close(1000))
        got = client.answer(number)
        assert got.ended and split(got.body)[0][0][0] == 0x80 | CLOSE
        wait_until(lambda: page.get_code() == 1000)
        assert client.get("/socket").status == 200


@pytest.mark.parametrize("how", ["the stream is withdrawn", "it ends", "the connection is lost"])
def test_a_client_that_goes_without_a_close_ends_the_page_with_1006(how: str, site: Site) -> None:
    page = site.directory.find("GET", "/socket")
    with h2_client(site) as client:
        number, _ = ask(client)
        if how == "it ends":
            client.h2.end_stream(number)
        elif how == "the stream is withdrawn":
            client.h2.reset_stream(number, GONE)
        client.flush()
        if how != "the connection is lost":
            wait_until(lambda: page.get_code() is not None)
    assert at_last(page.get_code, 1006) == 1006


@pytest.mark.parametrize("how", ["the stream is withdrawn", "the connection is lost"])
def test_a_client_that_goes_before_the_page_has_accepted_leaves_no_thread(
    how: str, site: Site
) -> None:
    page = vista.create(HttpHesitantSocketPage)
    site.directory.register_object("/hesitant", page)
    with h2_client(site) as client:
        client.get("/socket")
        number = client.h2.get_next_available_stream_id()
        told = {"method": "CONNECT", "protocol": "websocket", "scheme": "http"}
        told |= {"authority": "localhost", "path": "/hesitant"}
        head = [(f":{name}", value) for name, value in told.items()]
        client.send_head(number, [*head, ("sec-websocket-version", "13")], end=False)
        wait_until(page.is_asked)
        if how == "the stream is withdrawn":
            client.h2.reset_stream(number, GONE)
            client.flush()
            client.get("/socket")  # so the withdrawal was seen
    page.go_on()

    def threads() -> list[str]:
        rows = [row.class_name for row in vista.threads()]
        return [name for name in rows if name.endswith("HttpHesitantSocketPage")]

    assert at_last(threads, []) == []
    assert page.get_end() in ("WebSocketClosed", "left")  # as its going was seen before or after


def test_an_acceptance_that_cannot_be_sent_ends_the_page(site: Site) -> None:
    page = vista.create(HttpHesitantSocketPage, "a\r\nSet-Cookie: b")
    site.directory.register_object("/hesitant", page)
    page.go_on()
    with h2_client(site) as client:
        _, got = ask(client, "/hesitant")
        assert got.status == 500
        wait_until(lambda: page.get_end() == "WebSocketClosed")


def test_a_page_may_refuse(site: Site) -> None:
    with h2_client(site) as client:
        number, got = ask(client, "/choosing?refuse")
        assert (got.status, client.answer(number).body) == (403, b"not you")


def test_a_page_chooses_among_the_subprotocols(site: Site) -> None:
    with h2_client(site) as client:
        _, got = ask(client, "/choosing", ("sec-websocket-protocol", "chat.v1, chat.v2"))
        assert got.fields["sec-websocket-protocol"] == "chat.v2"


def test_a_page_from_elsewhere_gets_403(site: Site) -> None:
    with h2_client(site) as client:
        assert ask(client, "/socket", ("origin", "https://evil.example"))[1].status == 403


@pytest.mark.parametrize(
    ("pseudo", "status"),
    [
        ({"method": "GET"}, 400),
        ({"protocol": "connect-udp"}, 501),
        ({"authority": ""}, 400),
        ({"path": ""}, 400),
        ({"scheme": ""}, 400),
    ],
)
def test_rfc_8441_4_what_is_no_such_request_is_refused(
    pseudo: dict[str, str], status: int, site: Site
) -> None:
    with h2_client(site) as client:
        assert ask(client, **pseudo)[1].status == status
        assert client.get("/socket").status == 200


def test_another_version_gets_426(site: Site) -> None:
    with h2_client(site) as client:
        fields = [(":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "http")]
        fields += [(":authority", "localhost"), (":path", "/socket")]
        number = client.h2.get_next_available_stream_id()
        client.send_head(number, [*fields, ("sec-websocket-version", "8")], end=False)
        assert client.answer(number).status == 426


def test_more_than_a_window_of_messages_goes_both_ways(site: Site) -> None:
    with h2_client(site) as client:
        number, got = ask(client)
        for _ in range(20):
            send(client, number, frame(TEXT, b"x" * 8_000))
        assert [len(data) for _, data in frames_of(client, got, 20)] == [8_000] * 20


def test_what_nobody_receives_is_not_read_and_holds_up_no_other_stream(site: Site) -> None:
    page = site.directory.find("GET websocket", "/slow").target
    with h2_client(site) as client:
        number, _ = ask(client, "/slow")
        message = frame(TEXT, b"x" * 8_000)
        count = 0
        # Until the window of the stream is used up and is not opened again.
        while client.h2.local_flow_control_window(number) >= len(message):
            send(client, number, message)
            count += 1
            if count > 40:
                client.get("/socket")  # what the server gives back has come by its answer
        assert client.get("/socket").body == b"a page"
        wait_until(lambda: page.get_socket() is not None)
        assert [len(page.take()) for _ in range(count)] == [8_000] * count
        page.leave()


def test_small_pieces_that_wait_are_put_together() -> None:
    stream = Stream(1, None, ended=False)
    for number in range(10_000):
        stream.keep(bytes([number % 256]), 2)
    assert b"".join(data for data, _ in stream.pieces) == bytes(n % 256 for n in range(10_000))
    assert sum(size for _, size in stream.pieces) == 20_000
    assert len(stream.pieces) == 3


def test_nothing_is_sent_behind_the_close(site: Site) -> None:
    source = vista.create(HttpPushingSource)
    site.directory.register_object("/pushed", source)
    with h2_client(site) as client:
        number, _ = ask(client, "/pushed")
        assert source.push() == [True, False]
        assert client.answer(number).body == b"last"


def test_a_site_that_stops_says_so(site: Site) -> None:
    going_away = b"\x88\x02\x03\xe9"  # a frame that closes, with 1001
    with h2_client(site) as client:
        ask(client)
        stopping = vista.future(site.daemon, "system_shutdown")
        # As bytes: h2 takes the farewell of the server for the end of everything.
        said = b""
        while going_away not in said and (piece := client.socket.recv(65536)):
            said += piece
        assert going_away in said
    stopping.result()
