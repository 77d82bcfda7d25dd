"""HTTP/2: many requests on one connection, and none that holds up another one."""

from __future__ import annotations

import os
import re
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from h2.errors import ErrorCodes
from h2.events import ResponseReceived, StreamReset
from hyperframe.frame import GoAwayFrame

import vista
from apps.http.content.passwords import make_account, write_passwords
from apps.http.content.resources import Feed, Request, Response
from apps.http.objects.certificates import self_signed
from apps.http.objects.daemon import HTTPdaemon
from apps.http.objects.events import HTTPeventStream
from apps.http.objects.logs import HTTPcommonLogFormat
from apps.http.objects.protected import HTTPprotectedDirectory
from tests.http.objects.h2client import Got, H2Client, h2_client
from tests.http.objects.pages import HttpEchoPage, HttpFailingPage, HttpStreamingPage
from tests.http.objects.served import Site, at_last, get, read_all, read_until, served, wait_until
from tests.http.objects.test_protected import basic

REFUSED = ErrorCodes.REFUSED_STREAM


class HttpGatePage(vista.Object):
    """Answers when it is told to."""

    def create(self) -> None:
        self.waiting = 0
        self.open = False

    def get_request(self, request: Request) -> str:
        self.waiting += 1
        while not self.open:
            vista.sleep(0.01)
        self.waiting -= 1
        if request.query == "fail":
            raise ValueError("a secret of the author")
        return "opened"

    def open_gate(self) -> None:
        self.open = True

    def get_waiting(self) -> int:
        return self.waiting


class HttpTwoNamesPage(vista.Object):
    """Says for which site and by which version it was asked."""

    def create(self) -> None:
        pass

    def get_request(self, request: Request) -> str:
        return f"{request.site} {request.version} {request.host}"


class HttpSlowToTellDaemon(HTTPdaemon):
    """A daemon that says which site a host has when it is told to."""

    def hold(self) -> None:
        self.asked = 0
        self.held = True

    def go_on(self) -> None:
        self.held = False

    def get_asked(self) -> int:
        return self.asked

    def site_of(self, host: str) -> Any:
        self.asked += 1
        while self.held:
            vista.sleep(0.01)
        return super().site_of(host)


class HttpInTurnPage(vista.Object):
    """Pushes two pieces in turn, and keeps what became of them."""

    def create(self) -> None:
        self.told: list[bool] = []

    def get_request(self, request: Request) -> Response:
        return Response(source=Feed(vista.self_ref(self)))

    def feed_opened(self, note: object, receiver: vista.Ref, number: int) -> None:
        vista.self_ref(self).go.post(receiver, number)

    def go(self, receiver: vista.Ref, number: int) -> None:
        for _ in range(2):
            self.told.append(receiver.push_in_turn(number, bytes(200_000)))

    def feed_closed(self, receiver: vista.Ref, number: int) -> None:
        pass

    def get_told(self) -> list[bool]:
        return self.told


class HttpMadeBodyPage(vista.Object):
    """Answers with as many bytes as the query says."""

    def create(self) -> None:
        pass

    def get_request(self, request: Request) -> Any:
        if request.query == "close":
            return Response("last", fields=(("Connection", "close"), ("Set-Cookie", "a=b")))
        return bytes(int(request.query))


def profiled(tmp_path: Path, *lines: str) -> str:
    """The name of a profile with HTTP/2 and these lines."""
    path = tmp_path / "http2.profile"
    path.write_text("\n".join(("http2 cleartext", *lines)))
    return str(path)


@pytest.fixture
def fast(tree: Path, tmp_path: Path) -> Iterator[Site]:
    """A site that speaks HTTP/2 without TLS."""
    with served(tree, profiled(tmp_path)) as site:
        yield site


def left_of(site: Site) -> list[str]:
    """What is left at last of connections and of requests: none, once all is over."""

    def look() -> list[str]:
        threads = [row.class_name for row in vista.threads() if "HTTP" in row.class_name]
        return ["a connection"] * site.daemon.get_connections() + threads

    return at_last(look, [])


# --- requests ------------------------------------------------------------------------------


def test_a_page_is_answered(fast: Site) -> None:
    fast.directory.register_object("/echo", vista.create(HttpEchoPage))
    with h2_client(fast) as client:
        got = client.get("/echo?q", ("x-word", "w"))
    assert (got.status, got.body, got.ended) == (200, b"GET /echo?q w", True)
    assert got.fields["content-type"] == "text/html; charset=utf-8"
    assert got.fields["content-length"] == "13" and "date" in got.fields
    assert "connection" not in got.fields and "transfer-encoding" not in got.fields


def test_a_file_is_answered_as_in_http_1_1(fast: Site) -> None:
    plain = fast.get("/a.txt")
    with h2_client(fast) as client:
        got = client.get("/a.txt")
    del plain.fields["date"], got.fields["date"]
    assert (got.body, got.fields) == (b"abcdefghij", plain.fields)


def test_a_client_that_has_the_file_gets_304(fast: Site) -> None:
    with h2_client(fast) as client:
        tag = client.get("/docs/").fields["etag"]
        got = client.get("/docs/", ("if-none-match", tag))
    assert (got.status, got.body) == (304, b"")


def test_head_has_the_fields_of_get_and_no_body(fast: Site) -> None:
    with h2_client(fast) as client:
        full, bare = client.get("/a.txt"), client.get("/a.txt", method="HEAD")
    assert bare.body == b"" and bare.ended
    assert bare.fields["content-length"] == full.fields["content-length"] == "10"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/nothing", 404),
        ("/fail?raise", 500),
        ("/fail?split", 500),
        ("/fail?surrogate", 500),
        ("/fail?number", 500),
        ("/fail?triple", 500),
    ],
)
def test_errors_have_their_status(fast: Site, path: str, status: int) -> None:
    fast.directory.register_object("/fail", vista.create(HttpFailingPage))
    with h2_client(fast) as client:
        assert client.get(path).status == status
        assert client.get("/a.txt").status == 200


def test_a_method_that_is_not_taken_gets_405(fast: Site) -> None:
    with h2_client(fast) as client:
        got = client.get("/a.txt", method="DELETE")
    assert got.status == 405 and got.fields["allow"] == "GET, HEAD, OPTIONS"


def test_what_is_no_request_is_refused_and_the_others_are_answered(fast: Site) -> None:
    with h2_client(fast) as client:
        bad = client.get("/a%00")
        good = client.get("/a.txt")
    assert (bad.status, good.status) == (400, 200)
    assert b"encoded control character" in bad.body


def test_a_body_is_sent_whole(fast: Site) -> None:
    fast.directory.register_object("/echo", vista.create(HttpEchoPage))
    data = os.urandom(500_000)
    with h2_client(fast) as client:
        got = client.answer(client.ask("/echo", method="POST", body=data))
    assert (got.status, got.body) == (201, data)


def test_a_body_may_have_its_length_told_and_come_later(fast: Site) -> None:
    fast.directory.register_object("/echo", vista.create(HttpEchoPage))
    fields = (("content-length", "4"), ("expect", "100-continue"))
    with h2_client(fast) as client:
        number = client.ask("/echo", *fields, method="POST", end=False)
        while not client.streams[number].informed:
            client.read()
        client.send(number, b"body")
        got = client.answer(number)
    assert (got.informed, got.status, got.body) == ([100], 201, b"body")


def test_a_body_over_the_bound_gets_413_and_its_rest_is_not_taken(tmp_path: Path) -> None:
    with served(profile=profiled(tmp_path, "body_bytes_max 10")) as site, h2_client(site) as client:
        told = client.ask("/", ("content-length", "11"), method="POST", end=False)
        assert client.answer(told).status == 413
        untold = client.ask("/", method="POST", end=False)
        client.h2.send_data(untold, b"12345678901")
        client.flush()
        assert client.answer(untold).status == 413
        while client.streams[untold].reset is None:
            client.read()
        assert client.streams[untold].reset == ErrorCodes.NO_ERROR
        assert client.get("/").status == 404


def test_a_body_that_stops_coming_gets_408_and_holds_up_nobody(tmp_path: Path, tree: Path) -> None:
    profile = profiled(tmp_path, "body_idle_seconds 0.3")
    with served(tree, profile) as site, h2_client(site) as client:
        slow = client.ask("/", method="POST", end=False)
        assert client.get("/a.txt").status == 200
        assert client.answer(slow).status == 408


def test_bodies_that_are_unfinished_are_bounded_together(tmp_path: Path) -> None:
    profile = profiled(tmp_path, "http2_bodies_bytes_max 100000")
    with served(profile=profile) as site, h2_client(site) as client:
        numbers = [client.ask("/", method="POST", end=False) for _ in range(2)]
        for number in numbers:
            client.send(number, bytes(60_000), end=False)
        statuses = [client.answer(numbers[1]).status]
        client.h2.end_stream(numbers[0])
        client.flush()
        statuses.append(client.answer(numbers[0]).status)
    assert statuses == [503, 404]


def test_sites_are_told_apart_by_their_authority(fast: Site) -> None:
    vista.create(HTTPdaemon, "-", fast.daemon.get_address(), "harbour.example", True)
    for name in ("localhost", "harbour.example"):
        page = vista.create(HttpTwoNamesPage)
        vista.service(f"URLdirectory:{name}").register_object("/who", page)
    with h2_client(fast) as client:
        one = client.ask("/who")
        two = client.ask("/who", authority="harbour.example:80")
        assert client.answer(two).body == b"harbour.example 2 harbour.example"
        assert client.answer(one).body == b"localhost 2 localhost"


def test_requests_that_come_while_their_site_is_looked_up_are_that_sites_too(
    tmp_path: Path,
) -> None:
    with vista.Node("http") as node:
        daemon = vista.create(
            HttpSlowToTellDaemon, profiled(tmp_path), "tcp:127.0.0.1:0", "localhost"
        )
        site = Site(node, daemon, "localhost")
        vista.create(HTTPdaemon, "-", daemon.get_address(), "harbour.example", True)
        for name in ("localhost", "harbour.example"):
            directory = vista.service(f"URLdirectory:{name}")
            directory.register_object("/who", vista.create(HttpTwoNamesPage))
        daemon.hold()
        with h2_client(site) as client:
            asked = [client.ask("/who", authority="harbour.example") for _ in range(2)]
            wait_until(lambda: daemon.get_asked() == 2)
            daemon.go_on()
            for number in asked:
                assert client.answer(number).body == b"harbour.example 2 harbour.example"


def test_an_answer_that_its_client_does_not_take_is_in_the_log(fast: Site, tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    logger = vista.create(HTTPcommonLogFormat, str(log), "localhost")
    fast.directory.register_object("/made", vista.create(HttpMadeBodyPage))
    with h2_client(fast, reads=False) as client:
        number = client.ask("/made?1000000")
        while len(client.streams[number].body) < 65_535:
            assert client.read()
        client.h2.reset_stream(number)
        client.flush()
        # Without a body, for which this client leaves no room any longer.
        assert client.answer(client.ask("/a.txt", method="HEAD")).status == 200
    assert left_of(fast) == []
    logger.flush()
    assert '"GET /made?1000000 HTTP/2" 200 65535' in log.read_text()


def test_a_client_that_ends_its_side_within_a_body_is_not_waited_for(fast: Site) -> None:
    fast.directory.register_object("/echo", vista.create(HttpEchoPage))
    with h2_client(fast) as client:
        number = client.ask("/echo", method="POST", body=b"half", end=False)
        client.socket.shutdown(socket.SHUT_WR)
        told = client.h2.receive_data(read_all(client.socket))
        # Waited for, it would get 408.
        assert not [event for event in told if isinstance(event, ResponseReceived)]
        assert [event.stream_id for event in told if isinstance(event, StreamReset)] == [number]


def test_a_piece_in_turn_is_told_as_lost_when_its_client_withdraws(fast: Site) -> None:
    page = vista.create(HttpInTurnPage)
    fast.directory.register_object("/turn", page)
    with h2_client(fast, reads=False) as client:
        number = client.ask("/turn")
        wait_until(lambda: page.get_told() == [True])
        client.h2.reset_stream(number)
        client.flush()
        wait_until(lambda: len(page.get_told()) == 2)
    assert page.get_told() == [True, False]


def test_a_request_keeps_its_site_while_others_are_asked_for(fast: Site) -> None:
    vista.create(HTTPdaemon, "-", fast.daemon.get_address(), "harbour.example", True)
    gate = vista.create(HttpGatePage)
    for name in ("localhost", "harbour.example"):
        directory = vista.service(f"URLdirectory:{name}")
        directory.register_object("/gate", gate)
        directory.set_error_page(500, f"the page of {name}")
    with h2_client(fast) as client:
        first = client.ask("/gate?fail")
        wait_until(lambda: gate.get_waiting() == 1)
        second = client.ask("/gate?fail", authority="harbour.example")
        wait_until(lambda: gate.get_waiting() == 2)
        gate.open_gate()
        assert client.answer(first).body == b"the page of localhost"
        assert client.answer(second).body == b"the page of harbour.example"


# --- at the same time ----------------------------------------------------------------------


def test_an_answer_that_takes_long_holds_up_no_other(fast: Site) -> None:
    gate = vista.create(HttpGatePage)
    fast.directory.register_object("/gate", gate)
    with h2_client(fast) as client:
        slow = client.ask("/gate")
        assert client.get("/a.txt").status == 200
        assert not client.streams[slow].ended
        gate.open_gate()
        assert client.answer(slow).body == b"opened"


def test_a_client_that_takes_nothing_of_one_answer_gets_the_others(fast: Site) -> None:
    fast.directory.register_object("/made", vista.create(HttpMadeBodyPage))
    with h2_client(fast, reads=False) as client:
        client.h2.increment_flow_control_window(1_000_000)
        large = client.ask("/made?500000")
        while len(client.streams[large].body) < 65_535:
            client.read()
        assert client.get("/a.txt").body == b"abcdefghij"
        client.h2.increment_flow_control_window(500_000, large)
        client.flush()
        assert len(client.answer(large).body) == 500_000


def test_a_client_that_never_takes_an_answer_loses_its_stream(tmp_path: Path, tree: Path) -> None:
    profile = profiled(tmp_path, "write_idle_seconds 0.3")
    with served(tree, profile) as site:
        site.directory.register_object("/made", vista.create(HttpMadeBodyPage))
        with h2_client(site, reads=False) as client:
            client.h2.increment_flow_control_window(1_000_000)
            large = client.ask("/made?500000")
            assert client.answer(large).reset == ErrorCodes.CANCEL
            assert client.get("/a.txt").status == 200


def test_a_client_that_reads_nothing_at_all_is_dropped(tmp_path: Path, tree: Path) -> None:
    profile = profiled(tmp_path, "write_idle_seconds 0.3")
    with served(tree, profile) as site:
        site.directory.register_object("/made", vista.create(HttpMadeBodyPage))
        with h2_client(site) as client:
            client.h2.increment_flow_control_window(2**30)
            for _ in range(20):
                number = client.ask("/made?1000000")
                client.h2.increment_flow_control_window(2**30, number)
                client.flush()
            assert left_of(site) == []


def test_more_requests_at_a_time_than_may_be_are_refused(tmp_path: Path) -> None:
    with served(profile=profiled(tmp_path, "http2_streams_max 3")) as site:
        gate = vista.create(HttpGatePage)
        site.directory.register_object("/gate", gate)
        with h2_client(site) as client:
            for _ in range(3):
                client.h2.reset_stream(client.ask("/gate"))
            client.flush()
            wait_until(lambda: gate.get_waiting() == 3)
            # They were withdrawn, but their pages are at work.
            assert client.get("/").reset == ErrorCodes.REFUSED_STREAM
            gate.open_gate()
            wait_until(lambda: gate.get_waiting() == 0)
            assert client.get("/").status == 404


def test_rfc_9113_5_1_2_requests_beyond_the_bound_are_refused_and_the_others_answered(
    tmp_path: Path,
) -> None:
    with served(profile=profiled(tmp_path, "http2_streams_max 3")) as site:
        gate = vista.create(HttpGatePage)
        site.directory.register_object("/gate", gate)
        with h2_client(site) as client:
            numbers = [client.ask("/gate") for _ in range(5)]  # it has not read the bound
            assert [client.answer(number).reset for number in numbers[3:]] == [REFUSED, REFUSED]
            gate.open_gate()
            assert [client.answer(number).body for number in numbers[:3]] == [b"opened"] * 3
            assert client.get("/").status == 404


def test_a_client_that_asks_for_ever_more_at_a_time_is_dropped(tmp_path: Path) -> None:
    lines = ("http2_streams_max 1", "http2_resets_max 10")
    with served(profile=profiled(tmp_path, *lines)) as site:
        gate = vista.create(HttpGatePage)
        site.directory.register_object("/gate", gate)
        with h2_client(site) as client:
            # All of them come together: nothing follows at which it would be seen.
            head = [(":method", "GET"), (":scheme", "http"), (":authority", "localhost")]
            for number in range(1, 40, 2):
                client.h2.send_headers(number, [*head, (":path", "/gate")], end_stream=True)
                client.streams[number] = Got()
            client.flush()
            assert client.leave() == ErrorCodes.ENHANCE_YOUR_CALM
        gate.open_gate()
        assert left_of(site) == []


def test_cve_2023_44487_a_client_that_withdraws_all_it_asks_for_is_dropped(fast: Site) -> None:
    fast.directory.register_object("/echo", vista.create(HttpEchoPage))
    with h2_client(fast) as client:
        for _ in range(400):
            client.h2.reset_stream(client.ask("/echo"))
            with_luck(client)
        assert client.leave() == ErrorCodes.ENHANCE_YOUR_CALM
    assert left_of(fast) == []


def with_luck(client: H2Client) -> None:
    """Write what is due to a server that may have closed."""
    try:
        client.flush()
    except OSError:
        client.h2.data_to_send()


def test_a_client_that_pings_without_end_is_dropped(fast: Site) -> None:
    with h2_client(fast) as client:
        for _ in range(1200):
            client.h2.ping(b"12345678")
        client.flush()
        assert client.leave() == ErrorCodes.ENHANCE_YOUR_CALM
    assert left_of(fast) == []


def test_a_client_that_breaks_the_rules_is_told_and_dropped(fast: Site) -> None:
    with h2_client(fast) as client:
        client.socket.sendall(bytes(9))
        assert client.leave() == ErrorCodes.PROTOCOL_ERROR
    assert left_of(fast) == []


# --- bodies that come piece by piece -------------------------------------------------------


def test_a_body_that_another_object_gives_arrives(fast: Site) -> None:
    fast.directory.register_object("/stream", vista.create(HttpStreamingPage))
    with h2_client(fast) as client:
        got = client.get("/stream")
    assert (got.body, got.ended) == (b"piece piece piece ", True)
    wait_until(lambda: not [row for row in vista.objects() if "HttpEndless" in str(row)])


@pytest.mark.parametrize("how", [(True, False), (False, True)], ids=["short", "failing"])
def test_a_body_that_breaks_off_ends_its_stream_only(fast: Site, how: tuple[bool, bool]) -> None:
    fast.directory.register_object("/stream", vista.create(HttpStreamingPage, *how))
    with h2_client(fast) as client:
        assert client.get("/stream").reset == ErrorCodes.INTERNAL_ERROR
        assert client.get("/a.txt").status == 200


def test_a_large_file_arrives_whole(fast: Site, tree: Path) -> None:
    data = os.urandom(3_000_000)
    (tree / "large").write_bytes(data)
    with h2_client(fast) as client:
        assert client.get("/large").body == data


def test_events_are_pushed(fast: Site) -> None:
    stream = vista.create(HTTPeventStream, "localhost", "/tide")
    with h2_client(fast) as client:
        number = client.ask("/tide")
        wait_until(lambda: stream.get_clients() == 1)
        stream.send_event("high", id="1")
        got = client.streams[number]
        while b"high" not in got.body:
            client.read()
        assert got.fields["content-type"] == "text/event-stream"
        assert client.get("/a.txt").status == 200
        vista.delete(stream)
        assert client.answer(number).ended
    assert left_of(fast) == []


def test_a_client_that_stops_listening_is_forgotten(fast: Site) -> None:
    stream = vista.create(HTTPeventStream, "localhost", "/tide")
    with h2_client(fast) as client:
        number = client.ask("/tide")
        wait_until(lambda: stream.get_clients() == 1)
        client.h2.reset_stream(number)
        client.flush()
        assert at_last(stream.get_clients, 0) == 0
        client.ask("/tide")
        wait_until(lambda: stream.get_clients() == 1)
    assert at_last(stream.get_clients, 0) == 0


def test_a_listener_that_takes_nothing_loses_its_stream_only(fast: Site) -> None:
    stream = vista.create(HTTPeventStream, "localhost", "/tide", history_max=0)
    with h2_client(fast, reads=False) as client:
        client.h2.increment_flow_control_window(1_000_000)
        number = client.ask("/tide")
        wait_until(lambda: stream.get_clients() == 1)
        for _ in range(10):
            stream.send_event("x" * 60_000)
        assert client.answer(number).reset == ErrorCodes.CANCEL
        assert stream.get_clients() == 0
        assert client.get("/a.txt").status == 200


# --- the connection ------------------------------------------------------------------------


def test_browsers_get_http_2_over_tls(tree: Path, tmp_path: Path) -> None:
    pem = self_signed(tmp_path, "localhost")
    (tmp_path / "p").write_text(f"certificate {pem}")
    context = ssl.create_default_context(cafile=str(pem))
    context.set_alpn_protocols(["h2", "http/1.1"])
    with served(tree, str(tmp_path / "p"), address="tls:127.0.0.1:0") as site:
        plain = site.connect()
        with context.wrap_socket(plain, server_hostname="localhost") as connection:
            assert connection.selected_alpn_protocol() == "h2"
            client = H2Client(connection)
            assert client.get("/a.txt").body == b"abcdefghij"
            (tree / "large").write_bytes(bytes(2_000_000))
            assert len(client.get("/large").body) == 2_000_000


def test_a_profile_may_do_without(tree: Path, tmp_path: Path) -> None:
    pem = self_signed(tmp_path, "localhost")
    (tmp_path / "p").write_text(f"certificate {pem}\nhttp2 no")
    context = ssl.create_default_context(cafile=str(pem))
    context.set_alpn_protocols(["h2", "http/1.1"])
    with served(tree, str(tmp_path / "p"), address="tls:127.0.0.1:0") as site:
        plain = site.connect()
        with context.wrap_socket(plain, server_hostname="localhost") as connection:
            assert connection.selected_alpn_protocol() == "http/1.1"


def test_without_tls_http_1_1_is_spoken_unless_the_profile_says_more(site: Site) -> None:
    with site.connect() as client:
        client.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        assert b"HTTP/1.1 505" in read_until(client, b"\r\n\r\n")


def test_http_1_1_goes_on_beside_it_whatever_the_cut(fast: Site) -> None:
    assert fast.get("/a.txt").body == b"abcdefghij"
    with fast.connect() as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in b"PROPFIND /a.txt HTTP/1.1\r\nHost: a\r\n\r\n":
            client.sendall(bytes((byte,)))
        assert b"HTTP/1.1 501" in read_until(client, b"\r\n\r\n")
    with fast.connect() as client:
        client.sendall(get("/a.txt") * 3)
        assert read_until(client, b"abcdefghij").startswith(b"HTTP/1.1 200")


def test_draining_answers_what_was_taken_and_says_farewell(fast: Site) -> None:
    gate = vista.create(HttpGatePage)
    fast.directory.register_object("/gate", gate)
    with h2_client(fast) as client:
        number = client.ask("/gate")
        wait_until(lambda: gate.get_waiting() == 1)
        fast.daemon.system_shutdown.post()
        while client.farewell is None:
            client.read()
        assert client.farewell.last_stream_id == number
        gate.open_gate()
        data = b""
        while piece := client.socket.recv(65536):
            data += piece
        assert b"opened" in data
    assert left_of(fast) == []


def test_a_connection_without_requests_is_closed_with_a_farewell(tmp_path: Path) -> None:
    profile = profiled(tmp_path, "keep_alive_seconds 0.2", "write_idle_seconds 0.2")
    with served(profile=profile) as site, h2_client(site) as client:
        assert client.leave() == ErrorCodes.NO_ERROR


def test_a_client_that_goes_away_leaves_nothing(fast: Site) -> None:
    gate = vista.create(HttpGatePage)
    fast.directory.register_object("/gate", gate)
    with h2_client(fast) as client:
        client.ask("/gate")
        client.ask("/gate", method="POST", end=False)
        wait_until(lambda: gate.get_waiting() == 1)
    wait_until(lambda: fast.daemon.get_connections() == 0)
    gate.open_gate()
    assert left_of(fast) == []


def test_a_client_that_ends_its_side_gets_its_answers_and_the_end(fast: Site) -> None:
    gate = vista.create(HttpGatePage)
    fast.directory.register_object("/gate", gate)
    with h2_client(fast) as client:
        client.ask("/gate")
        client.socket.shutdown(socket.SHUT_WR)
        wait_until(lambda: gate.get_waiting() == 1)
        gate.open_gate()
        data = b""
        while piece := client.socket.recv(65536):
            data += piece
        assert b"opened" in data


def test_a_client_that_says_farewell_gets_its_answers_and_the_end(fast: Site) -> None:
    gate = vista.create(HttpGatePage)
    fast.directory.register_object("/gate", gate)
    with h2_client(fast) as client:
        first, second = client.ask("/gate"), client.ask("/gate")
        wait_until(lambda: gate.get_waiting() == 2)
        client.socket.sendall(GoAwayFrame(0).serialize())
        gate.open_gate()
        assert client.answer(first).body == client.answer(second).body == b"opened"
        while client.read():
            pass
    assert left_of(fast) == []


def test_a_client_that_says_farewell_and_asked_for_nothing_is_closed(fast: Site) -> None:
    with h2_client(fast) as client:
        client.socket.sendall(GoAwayFrame(0).serialize())
        assert client.leave() == -1  # no farewell is said to who has said it
    assert left_of(fast) == []


def test_fields_about_the_connection_are_left_out(fast: Site) -> None:
    fast.directory.register_object("/made", vista.create(HttpMadeBodyPage))
    with h2_client(fast) as client:
        got = client.get("/made?close")
    assert got.body == b"last" and "connection" not in got.fields
    assert got.fields["set-cookie"] == "a=b"


def test_guards_are_asked(fast: Site, tmp_path: Path) -> None:
    passwords = tmp_path / "passwords"
    write_passwords(passwords, {"kim": make_account("kim", "secret", "harbour")})
    vista.create(HTTPprotectedDirectory, "localhost", "/docs", "harbour", str(passwords))
    name, _, value = basic("kim", "secret").partition(": ")
    with h2_client(fast) as client:
        assert client.get("/docs/").status == 401
        assert client.get("/docs/", (name.lower(), value)).status == 200


def test_requests_are_logged_with_their_version(tree: Path, tmp_path: Path) -> None:
    with served(tree, profiled(tmp_path)) as site:
        log = vista.create(HTTPcommonLogFormat, str(tmp_path / "log"), "localhost")
        with h2_client(site) as client:
            client.get("/a.txt?q")
            client.get("/a%00")
        assert left_of(site) == []
        vista.delete(log)
    found = re.findall(r'"(.*)" (\d+) (\d+)', (tmp_path / "log").read_text())
    assert found[0] == ("GET /a.txt?q HTTP/2", "200", "10")
    assert found[1][:2] == ("- - -", "400")
