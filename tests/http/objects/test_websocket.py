"""WebSockets: pages that talk with their clients, and clients that behave badly."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import ssl
from pathlib import Path

import pytest

import vista
from apps.http.content.passwords import make_account, write_passwords
from apps.http.errors import WebSocketClosed
from apps.http.objects.certificates import self_signed
from apps.http.objects.logs import HTTPcommonLogFormat
from apps.http.objects.protected import HTTPprotectedDirectory
from apps.http.objects.websocket import INBOX_MESSAGES_MAX
from tests.http.objects.served import Answer, Site, at_last, get, served, wait_until
from tests.http.objects.sockets import (
    KEY,
    Client,
    HttpChatSocketPage,
    HttpChoosingSocketPage,
    HttpEchoSocketPage,
    HttpSlowSocketPage,
    talking,
    upgrade,
)
from tests.http.objects.test_protected import basic
from tests.http.objects.test_remote import two_nodes
from tests.http.syntax.frames import BINARY, CLOSE, PING, PONG, TEXT, close, deflated, frame

DEFLATE = "Sec-WebSocket-Extensions: permessage-deflate"


def page_of(site: Site, kind: type[vista.Object]) -> vista.Ref:
    """A page at /socket."""
    page = vista.create(kind)
    site.directory.register_object("/socket", page)
    return page


def leftovers() -> list[str]:
    """What is there of sockets and their timers."""
    kinds = ("HTTPwebSocket", "HTTPfastReceive", "RepeatingTimer")
    return [str(row) for row in vista.objects() if any(kind in str(row) for kind in kinds)]


def threads() -> list[str]:
    """The threads that work for clients."""
    return [row.class_name for row in vista.threads() if "HTTP" in row.class_name]


def refused(site: Site, request: bytes) -> Answer:
    """The answer to a request that is not accepted."""
    return Answer(site.talk(request))


# --- the handshake -------------------------------------------------------------------------


def test_a_request_for_a_websocket_is_answered_by_101(site: Site) -> None:
    page_of(site, HttpEchoSocketPage)
    with talking(site) as client:
        fields = client.answer.fields
    assert fields["upgrade"] == "websocket" and fields["connection"] == "upgrade"
    wanted = hashlib.sha1(f"{KEY}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()).digest()
    assert fields["sec-websocket-accept"] == base64.b64encode(wanted).decode()
    assert "content-length" not in fields and "transfer-encoding" not in fields


def test_the_same_page_may_answer_those_who_ask_for_none(site: Site) -> None:
    page_of(site, HttpEchoSocketPage)
    assert site.get("/socket").body == b"a page"


def test_a_page_that_has_no_websocket_answers_as_always(site: Site) -> None:
    assert refused(site, upgrade(path="/a.txt")).body == b"abcdefghij"


def test_a_page_that_has_nothing_else_says_so(site: Site) -> None:
    page_of(site, HttpChatSocketPage)
    answer = site.get("/socket")
    assert answer.status == 426 and answer.fields["upgrade"] == "websocket"
    answer = site.get("/socket", method="POST")
    assert answer.status == 405 and answer.fields["allow"] == "OPTIONS"


def test_what_stands_for_the_method_inside_cannot_be_sent(site: Site) -> None:
    page_of(site, HttpChatSocketPage)
    assert refused(site, b"GET websocket /socket HTTP/1.1\r\nHost: a\r\n\r\n").status == 400


def test_another_version_gets_426(site: Site) -> None:
    page_of(site, HttpEchoSocketPage)
    answer = refused(site, upgrade().replace(b"Version: 13", b"Version: 12"))
    assert answer.status == 426 and answer.fields["sec-websocket-version"] == "13"


def test_a_bad_key_gets_400_and_the_connection_goes_on(site: Site) -> None:
    page_of(site, HttpEchoSocketPage)
    data = site.talk(upgrade().replace(b"Key: ", b"Key: x"), get("/a.txt"))
    assert data.startswith(b"HTTP/1.1 400 ") and data.endswith(b"abcdefghij")


def test_a_page_chooses_among_the_subprotocols(site: Site) -> None:
    page_of(site, HttpChoosingSocketPage)
    with talking(site, "Sec-WebSocket-Protocol: first, second") as client:
        assert client.answer.fields["sec-websocket-protocol"] == "second"


def test_a_page_may_refuse_by_an_answer_of_its_own(site: Site) -> None:
    page_of(site, HttpChoosingSocketPage)
    answer = refused(site, upgrade(path="/socket?refuse").replace(b"?refuse", b"?refuse"))
    assert (answer.status, answer.body) == (403, b"not you")
    wait_until(lambda: leftovers() == [])


@pytest.mark.parametrize("query", ["raise", "nothing"])
def test_a_page_that_fails_before_it_accepts_gives_500(site: Site, query: str) -> None:
    page_of(site, HttpChoosingSocketPage)
    assert refused(site, upgrade(path=f"/socket?{query}")).status == 500
    wait_until(lambda: leftovers() == [])


def test_a_page_that_does_not_decide_gives_504(tmp_path: Path) -> None:
    (tmp_path / "p").write_text("request_seconds 0.2")
    with served(profile=str(tmp_path / "p")) as site:
        page_of(site, HttpChoosingSocketPage)
        assert refused(site, upgrade(path="/socket?wait")).status == 504
        wait_until(lambda: leftovers() == [])


def test_a_page_cannot_split_the_answer(site: Site) -> None:
    page_of(site, HttpChoosingSocketPage)
    told = site.talk(upgrade(path="/socket?split"))
    assert b"Set-Cookie" not in told and told.startswith(b"HTTP/1.1 500 ")
    wait_until(lambda: leftovers() == [])


def test_a_page_from_elsewhere_gets_403(site: Site) -> None:
    page_of(site, HttpEchoSocketPage)
    assert refused(site, upgrade("Origin: http://evil.example")).status == 403
    with talking(site, "Origin: http://localhost") as client:
        client.send(close(1000))


def test_a_profile_names_from_where_pages_may(tmp_path: Path) -> None:
    (tmp_path / "p").write_text("webSocketOrigins https://a.example http://b.example")
    with served(profile=str(tmp_path / "p")) as site:
        page_of(site, HttpEchoSocketPage)
        with talking(site, "Origin: http://b.example") as client:
            client.send(close(1000))
        assert refused(site, upgrade("Origin: http://c.example")).status == 403


def test_a_websocket_may_be_spoken_over_tls(tmp_path: Path) -> None:
    pem = self_signed(tmp_path, "localhost")
    (tmp_path / "p").write_text(f"certificate {pem}")
    with served(profile=str(tmp_path / "p"), address="tls:127.0.0.1:0") as site:
        page_of(site, HttpEchoSocketPage)
        context = ssl.create_default_context(cafile=str(pem))
        plain = site.connect()
        with context.wrap_socket(plain, server_hostname="localhost") as connection:
            client = Client(connection, upgrade("Origin: https://localhost"))
            client.send(frame(TEXT, b"hello"))
            assert client.next() == (0x80 | TEXT, b"hello")
            client.send(close(1000))
            assert client.closed() == 1000


def test_a_guard_lets_in_who_may(site: Site, tmp_path: Path) -> None:
    passwords = tmp_path / "passwords"
    write_passwords(passwords, {"kim": make_account("kim", "secret", "harbour")})
    vista.create(HTTPprotectedDirectory, "localhost", "/socket", "harbour", str(passwords))
    page_of(site, HttpEchoSocketPage)
    assert refused(site, upgrade()).status == 401
    assert refused(site, upgrade(basic("kim", "wrong"))).status == 401
    with talking(site, basic("kim", "secret")) as client:
        client.send(frame(TEXT, b"hello"))
        assert client.next() == (0x80 | TEXT, b"hello")


# --- messages ------------------------------------------------------------------------------


def test_messages_go_both_ways(site: Site) -> None:
    page_of(site, HttpEchoSocketPage)
    with talking(site) as client:
        client.send(frame(TEXT, b"hello"), frame(BINARY, b"\x00\x01"), frame(TEXT, b""))
        assert client.next() == (0x80 | TEXT, b"hello")
        assert client.next() == (0x80 | BINARY, b"\x00\x01")
        assert client.next() == (0x80 | TEXT, b"")


def test_what_comes_with_the_request_is_not_lost(site: Site) -> None:
    page_of(site, HttpEchoSocketPage)
    with site.connect() as connection:
        client = Client(connection, upgrade() + frame(TEXT, b"early"))
        assert client.next() == (0x80 | TEXT, b"early")


def test_a_message_that_comes_byte_by_byte_arrives(site: Site) -> None:
    page_of(site, HttpEchoSocketPage)
    with talking(site) as client:
        for byte in frame(TEXT, b"hello"):
            client.send(bytes((byte,)))
        assert client.next() == (0x80 | TEXT, b"hello")


def test_large_messages_arrive_whole(site: Site) -> None:
    page_of(site, HttpEchoSocketPage)
    data = bytes(range(256)) * 4000
    with talking(site) as client:
        client.send(frame(BINARY, data))
        assert client.next() == (0x80 | BINARY, data)


def test_messages_are_compressed_where_the_client_offers_it(site: Site) -> None:
    page_of(site, HttpEchoSocketPage)
    with talking(site, DEFLATE) as client:
        assert client.answer.fields["sec-websocket-extensions"].startswith("permessage-deflate")
        client.send(frame(TEXT, deflated(b"hello" * 100), rsv=4))
        first, payload = client.next()
        assert first == 0xC0 | TEXT and len(payload) < 100


def test_a_ping_is_answered_while_the_page_waits(site: Site) -> None:
    page_of(site, HttpEchoSocketPage)
    with talking(site) as client:
        client.send(frame(PING, b"there?"))
        assert client.next() == (0x80 | PONG, b"there?")


def test_messages_may_be_delivered_to_an_object(site: Site) -> None:
    page = page_of(site, HttpChatSocketPage)
    with talking(site) as one, talking(site) as two:
        one.send(frame(TEXT, b"hello"))
        assert one.next() == two.next() == (0x80 | TEXT, b"hello")
        one.send(close(1000, b"bye"))
        wait_until(lambda: page.get_closed() == [(1000, "bye")])
        two.send(frame(TEXT, b"alone"))
        assert two.next() == (0x80 | TEXT, b"alone")


def test_who_tells_many_need_not_know_which_are_closed(site: Site) -> None:
    page = page_of(site, HttpSlowSocketPage)
    with talking(site) as client:
        wait_until(lambda: page.get_socket() is not None)
        socket = page.get_socket()
        assert socket.tell("hello") is True and socket.tell(b"\x00") is True
        assert client.next() == (0x80 | TEXT, b"hello")
        assert client.next() == (0x80 | BINARY, b"\x00")
        client.send(close(1000))
        client.next()
        wait_until(lambda: socket.get_close_code() == 1000)
        assert socket.tell("too late") is False
        with pytest.raises(WebSocketClosed, match=r"^closed with code 1000"):
            socket.send_text("too late")
        page.leave()


def test_no_thread_waits_for_a_client_whose_messages_are_delivered(site: Site) -> None:
    page_of(site, HttpChatSocketPage)
    with talking(site):
        assert at_last(threads, []) == []


def test_a_page_on_another_node_talks_as_one_here() -> None:
    with two_nodes() as (site, _, creator):
        site.directory.register_object("/socket", vista.create(HttpEchoSocketPage, at=creator))
        with talking(site) as client:
            client.send(frame(TEXT, b"hello"))
            assert client.next() == (0x80 | TEXT, b"hello")


def test_the_loss_of_the_pages_node_closes_with_1011() -> None:
    # The page's thread is still there when its node stops, which would wait for it.
    with two_nodes(limits=vista.Limits(drain_seconds=0.1)) as (site, far, creator):
        site.directory.register_object("/socket", vista.create(HttpEchoSocketPage, at=creator))
        with talking(site) as client:
            client.send(frame(TEXT, b"hello"))
            client.next()
            far.stop()
            assert client.closed() == 1011


# --- bounds --------------------------------------------------------------------------------


def test_a_message_over_the_bound_closes_with_1009(tmp_path: Path) -> None:
    (tmp_path / "p").write_text("websocket_message_bytes_max 10")
    with served(profile=str(tmp_path / "p")) as site:
        page_of(site, HttpEchoSocketPage)
        with talking(site) as client:
            client.send(frame(TEXT, b"12345678901"))
            assert client.closed() == 1009


def test_a_client_that_breaks_the_rules_is_closed_with_1002(site: Site) -> None:
    page_of(site, HttpEchoSocketPage)
    with talking(site) as client:
        client.send(frame(TEXT, b"x", mask=False))
        assert client.closed() == 1002
    wait_until(lambda: leftovers() == [])


def test_what_nobody_receives_is_not_read_and_nothing_is_lost(site: Site) -> None:
    page = page_of(site, HttpSlowSocketPage)
    with talking(site) as client:
        client.connection.settimeout(0.5)
        data = frame(BINARY, bytes(50_000))
        sent = bytearray()
        with contextlib.suppress(TimeoutError):
            # What the buffers of the system take differs; nobody's take 100 MB.
            while len(sent) < 2_000 * len(data):
                sent += data[: client.connection.send(data[len(sent) % len(data) :])]
        assert len(sent) < 2_000 * len(data)
        client.connection.settimeout(30)
        for _ in range(INBOX_MESSAGES_MAX * 2):
            assert page.take() == bytes(50_000)
        page.leave()


def test_no_more_messages_wait_than_may_however_small_they_are(site: Site) -> None:
    page = page_of(site, HttpSlowSocketPage)
    texts = [str(number) for number in range(INBOX_MESSAGES_MAX + 1)]
    with talking(site) as client:
        client.send(*(frame(TEXT, text.encode()) for text in texts))
        wait_until(lambda: any(row.method == "feed_data" for row in vista.threads()))
        assert [page.take() for _ in texts] == texts
        page.leave()


def test_a_client_that_does_not_read_is_dropped(tmp_path: Path) -> None:
    (tmp_path / "p").write_text("write_idle_seconds 0.3")
    with served(profile=str(tmp_path / "p")) as site:
        page_of(site, HttpChoosingSocketPage)
        with talking(site, path="/socket?flood"):
            assert at_last(leftovers, []) == []


def test_a_client_that_answers_no_ping_is_dropped(tmp_path: Path) -> None:
    (tmp_path / "p").write_text("websocket_ping_seconds 0.1")
    with served(profile=str(tmp_path / "p")) as site:
        page = page_of(site, HttpEchoSocketPage)
        with talking(site) as client:
            assert client.next() == (0x80 | PING, b"")
            wait_until(lambda: page.get_code() == 1006)


def test_a_client_that_answers_pings_stays(tmp_path: Path) -> None:
    # So long that a client on a busy machine answers within it, and the page would be gone else.
    (tmp_path / "p").write_text("websocket_ping_seconds 0.5")
    with served(profile=str(tmp_path / "p")) as site:
        page = page_of(site, HttpEchoSocketPage)
        with talking(site) as client:
            for _ in range(4):
                assert client.next() == (0x80 | PING, b"")
                client.send(frame(PONG))
            assert page.get_code() is None


# --- the end -------------------------------------------------------------------------------


def test_a_close_of_the_client_is_answered_and_ends_the_page(site: Site) -> None:
    page = page_of(site, HttpEchoSocketPage)
    with talking(site) as client:
        client.send(close(3000, b"bye"))
        assert client.next() == (0x80 | CLOSE, (3000).to_bytes(2, "big") + b"bye")
        assert client.next() == (0, b"")
    wait_until(lambda: page.get_code() == 3000)
    wait_until(lambda: leftovers() == [])


def test_a_client_that_goes_without_a_close_ends_the_page_with_1006(site: Site) -> None:
    page = page_of(site, HttpEchoSocketPage)
    with talking(site):
        pass
    assert at_last(page.get_code, 1006) == 1006
    assert at_last(leftovers, []) == []


def test_a_page_that_returns_closes_with_1000(site: Site) -> None:
    page_of(site, HttpChoosingSocketPage)
    with talking(site) as client:
        assert client.closed() == 1000
    wait_until(lambda: leftovers() == [])


def test_a_page_may_close_with_its_own_code(site: Site) -> None:
    page_of(site, HttpChoosingSocketPage)
    with talking(site, path="/socket?close") as client:
        assert client.closed() == 3001


def test_a_page_that_fails_closes_with_1011(site: Site) -> None:
    page_of(site, HttpChoosingSocketPage)
    with talking(site, path="/socket?late") as client:
        assert client.closed() == 1011


def test_an_object_that_fails_with_a_message_closes_with_1011(site: Site) -> None:
    page_of(site, HttpChatSocketPage)
    with talking(site) as client:
        client.send(frame(TEXT, b"fail"))
        assert client.closed() == 1011
    wait_until(lambda: leftovers() == [])


def test_a_client_that_does_not_close_is_closed(tmp_path: Path) -> None:
    (tmp_path / "p").write_text("drain_seconds 0.2")
    with served(profile=str(tmp_path / "p")) as site:
        page_of(site, HttpChoosingSocketPage)
        with talking(site) as client:
            assert client.next() == (0x80 | CLOSE, (1000).to_bytes(2, "big"))
            assert client.next() == (0, b"")
        wait_until(lambda: leftovers() == [])


def test_draining_closes_with_1001(site: Site) -> None:
    page = page_of(site, HttpEchoSocketPage)
    with talking(site) as client:
        site.daemon.system_shutdown.post()
        assert client.closed() == 1001
    wait_until(lambda: page.get_ended() == 1)


def test_a_socket_is_logged_when_it_ends(tree: Path, tmp_path: Path) -> None:
    with served(tree) as site:
        log = vista.create(HTTPcommonLogFormat, str(tmp_path / "log"), "localhost")
        page_of(site, HttpEchoSocketPage)
        with talking(site) as client:
            client.send(close(1000))
            client.next()
        wait_until(lambda: leftovers() == [])
        vista.delete(log)
    assert '"GET /socket HTTP/1.1" 101 4' in (tmp_path / "log").read_text()


def test_sockets_leave_nothing(site: Site) -> None:
    page = page_of(site, HttpEchoSocketPage)
    for _ in range(20):
        with talking(site) as client:
            client.send(frame(TEXT, b"x"))
            client.next()
    assert at_last(page.get_ended, 20) == 20
    assert at_last(leftovers, []) == []
    assert at_last(threads, []) == []
