"""The orderly end: what was begun is answered, nothing is cut off that need not be, no resets."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

import vista
from apps.http.content.resources import Request, Response
from apps.http.objects.events import HTTPeventStream
from apps.http.objects.websocket import messages
from tests.http.objects.h2client import h2_client
from tests.http.objects.pages import HttpEchoPage
from tests.http.objects.served import (
    Answer,
    Site,
    at_last,
    get,
    read_all,
    read_until,
    served,
    wait_until,
)
from tests.http.objects.sockets import Client, upgrade


class DrainGate(vista.Object):
    """A page whose answer waits until it is let go."""

    def create(self) -> None:
        self.open = False
        self.waiting = 0

    def let_go(self) -> None:
        self.open = True

    def count(self) -> int:
        return self.waiting

    def get_request(self, request: Request) -> str:
        self.waiting += 1
        while not self.open:
            vista.sleep(0.005)
        return "gone through"


class DrainGatedSource(vista.Object):
    """A body whose second half waits for a gate."""

    def create(self, gate: vista.Ref) -> None:
        self.gate = gate
        self.pieces = [b"first ", b"second"]

    def read_bytes(self, maximum: int) -> bytes:
        if len(self.pieces) == 1:
            self.gate.get_request(None)
        return self.pieces.pop(0) if self.pieces else b""


class DrainEndlessSource(vista.Object):
    """A body without end."""

    def create(self) -> None:
        pass

    def read_bytes(self, maximum: int) -> bytes:
        return b"piece" * 10_000


class DrainStream(vista.Object):
    """Answers with such a body."""

    def create(self, gate: vista.Ref) -> None:
        self.gate = gate

    def get_request(self, request: Request) -> Response:
        return Response(source=vista.create(DrainGatedSource, self.gate))


class DrainLateFeed(vista.Object):
    """Lets those in who listen, and sockets, when a gate is open."""

    def create(self, gate: vista.Ref) -> None:
        self.gate = gate
        self.stream = vista.create(HTTPeventStream, "localhost", "/tide")

    def get_request(self, request: Request) -> Response:
        self.gate.get_request(request)
        answer: Response = self.stream.join(request)
        return answer

    def websocket_request(self, request: Request, socket: vista.Ref) -> None:
        self.gate.get_request(request)
        for _ in messages(socket):
            pass


class DrainHolder(vista.Object):
    """Holds the loop while clients connect, and stops the daemon before it accepts them."""

    def create(self) -> None:
        self.clients: list[socket.socket] = []

    def connect_and_stop(self, host: str, port: int, daemon: vista.Ref, count: int) -> list[int]:
        for number in range(count):
            client = socket.create_connection((host, port), 30)
            client.sendall(get(f"/echo?{number}"))
            self.clients.append(client)
        vista.post(daemon, "system_shutdown")
        return [client.detach() for client in self.clients]


@pytest.fixture
def gate(site: Site) -> vista.Ref:
    """A page at /gate that answers when it is let go, and one at /echo that answers."""
    made = vista.create(DrainGate)
    site.directory.register_object("/gate", made)
    site.directory.register_object("/echo", vista.create(HttpEchoPage))
    return made


@pytest.fixture
def hurried(tmp_path: Path) -> Iterator[Site]:
    """A site that cuts off what lasts longer than a fifth of a second."""
    profile = tmp_path / "http.profile"
    profile.write_text("stop_seconds 0.2\nretire_seconds 0.1\ndrain_seconds 0.1\n")
    with served(profile=str(profile)) as made:
        yield made


def stopping(site: Site) -> vista.Future:
    """Have the daemon stop, and return when it listens no longer."""
    call = vista.future(site.daemon, "system_shutdown")
    wait_until(lambda: is_refused(site))
    return call


def is_refused(site: Site) -> bool:
    """Whether nobody listens at the place of a site."""
    try:
        site.connect().close()
    except ConnectionRefusedError:
        return True
    return False


def test_a_request_being_answered_is_answered_and_is_the_last(site: Site, gate: vista.Ref) -> None:
    with site.connect() as client:
        client.sendall(get("/gate"))
        wait_until(lambda: gate.count() == 1)
        call = stopping(site)
        gate.let_go()
        answer = Answer(read_all(client))
    assert answer.body == b"gone through" and answer.fields["connection"] == "close"
    call.result(timeout=30)
    assert site.daemon.get_connections() == 0


@pytest.mark.parametrize("path", ["/echo?second", "/stream"])
def test_a_request_on_its_way_is_still_answered(tmp_path: Path, path: str) -> None:
    profile = tmp_path / "http.profile"
    profile.write_text("retire_seconds 30\nstop_seconds 30\n")
    with served(profile=str(profile)) as site, site.connect() as client:
        site.directory.register_object("/echo", vista.create(HttpEchoPage))
        client.sendall(get("/echo?first"))
        read_until(client, b"first ")
        stopping(site)
        gate = vista.create(DrainGate)
        gate.let_go()
        site.directory.register_object("/stream", vista.create(DrainStream, gate))
        client.sendall(get(path))
        answer = Answer(read_all(client))
        client.close()
    assert b"second" in answer.body and answer.fields["connection"] == "close"


def test_a_connection_without_a_request_is_closed_after_a_moment(tmp_path: Path) -> None:
    profile = tmp_path / "http.profile"
    profile.write_text("retire_seconds 0.1\nstop_seconds 30\ndrain_seconds 30\n")
    with served(profile=str(profile)) as site, site.connect() as used, site.connect() as unused:
        used.sendall(get("/nothing"))
        read_until(used, b"</html>\n")
        wait_until(lambda: site.daemon.get_connections() == 2)
        call = vista.future(site.daemon, "system_shutdown")
        assert read_all(used) == read_all(unused) == b""
        # A request that was sent all the same is neither answered nor met by a reset.
        used.sendall(get("/nothing"))
        assert used.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
        used.close()
        unused.close()
        call.result(timeout=30)


@pytest.mark.parametrize("cut", [1, 30])
@pytest.mark.usefixtures("gate")
def test_a_head_that_began_to_come_is_waited_for(site: Site, cut: int) -> None:
    request = get("/echo?x", "localhost", "X-Word: whole")
    with site.connect() as client:
        client.sendall(request[:cut])
        wait_until(lambda: site.daemon.get_connections() == 1)
        stopping(site)
        client.sendall(request[cut:])
        answer = Answer(read_all(client))
    assert answer.body == b"GET /echo?x whole" and answer.fields["connection"] == "close"


@pytest.mark.usefixtures("gate")
def test_a_body_that_began_to_come_is_waited_for(site: Site) -> None:
    with site.connect() as client:
        client.sendall(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\nhalf")
        wait_until(lambda: site.daemon.get_connections() == 1)
        stopping(site)
        client.sendall(b"half")
        answer = Answer(read_all(client))
    assert answer.body == b"halfhalf" and answer.fields["connection"] == "close"


def test_a_body_being_sent_is_sent_to_its_end(site: Site, gate: vista.Ref) -> None:
    site.directory.register_object("/stream", vista.create(DrainStream, gate))
    with site.connect() as client:
        client.sendall(get("/stream"))
        data = read_until(client, b"first ")
        stopping(site)
        gate.let_go()
        data += read_all(client)
    assert b"second" in data and data.endswith(b"0\r\n\r\n")


def test_a_client_that_reads_slowly_gets_all_of_it(site: Site, tree: Path) -> None:
    (tree / "kept").write_bytes(bytes(1_000_000))
    (tree / "large").write_bytes(bytes(8_000_000))
    with site.connect() as kept, site.connect() as large:
        kept.sendall(get("/kept") * 8)
        large.sendall(get("/large"))
        data = read_until(large, b"\r\n\r\n")
        first = read_until(kept, b"\r\n\r\n")
        stopping(site)
        data += read_all(large)
        first += read_all(kept)
    assert len(data.partition(b"\r\n\r\n")[2]) == 8_000_000
    # Of those that were sent at once the answers end with a whole one.
    last = first.rpartition(b"HTTP/1.1 200 OK\r\n")[2]
    assert b"Connection: close\r\n" in last and len(last.partition(b"\r\n\r\n")[2]) == 1_000_000


def test_requests_behind_the_last_answer_take_it_from_nobody(site: Site, gate: vista.Ref) -> None:
    with site.connect() as client:
        client.sendall(get("/gate"))
        wait_until(lambda: gate.count() == 1)
        stopping(site)
        # More than is read ahead: what the system holds unread would be answered by a reset.
        client.setblocking(False)
        with suppress(BlockingIOError):
            for _ in range(20_000):
                client.send(get("/echo?x") * 10)
        client.settimeout(30)
        gate.let_go()
        data = read_all(client)
        assert data.count(b"HTTP/1.1 200") == 1 and data.endswith(b"gone through")
        wait_until(lambda: site.daemon.get_connections() == 0)
        assert client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0


def test_a_stream_of_events_that_begins_after_the_end_has_begun_ends_at_once(
    site: Site, gate: vista.Ref
) -> None:
    site.directory.register_object("/late", vista.create(DrainLateFeed, gate))
    with site.connect() as client:
        client.sendall(get("/late"))
        wait_until(lambda: gate.count() == 1)
        call = stopping(site)
        gate.let_go()
        answer = Answer(read_all(client))
    assert answer.status == 200 and answer.body.endswith(b"0\r\n\r\n")
    call.result(timeout=30)


def test_a_websocket_that_is_accepted_after_the_end_has_begun_is_closed_with_1001(
    site: Site, gate: vista.Ref
) -> None:
    site.directory.register_object("/late", vista.create(DrainLateFeed, gate))
    with site.connect() as connection:
        connection.sendall(upgrade(path="/late"))
        wait_until(lambda: gate.count() == 1)
        call = stopping(site)
        gate.let_go()
        client = Client(connection, b"")
        assert (client.answer.status, client.closed()) == (101, 1001)
    call.result(timeout=30)


WEBSOCKET = [
    (":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "http"), (":path", "/late"),
    (":authority", "localhost"), ("sec-websocket-version", "13"),
]  # fmt: skip


ENDS: dict[bool, Callable[[bytes], bool]] = {
    True: lambda data: b"\x88\x02\x03\xe9" in data,  # a frame that closes, with 1001
    False: lambda data: data.endswith(b"\0\0\0\0\1\0\0\0\1"),  # DATA with END_STREAM, of stream 1
}


@pytest.mark.parametrize("is_socket", [False, True], ids=["events", "websocket"])
def test_over_http_2_what_begins_to_be_pushed_after_the_end_has_begun_is_ended(
    tmp_path: Path, is_socket: bool
) -> None:
    profile = tmp_path / "http.profile"
    profile.write_text("http2 cleartext\n")
    with served(profile=str(profile)) as site, h2_client(site) as client:
        gate = vista.create(DrainGate)
        site.directory.register_object("/late", vista.create(DrainLateFeed, gate))
        if is_socket:
            client.send_head(1, WEBSOCKET, end=False)
        else:
            client.ask("/late")
        wait_until(lambda: gate.count() == 1)
        call = stopping(site)
        while client.farewell is None:
            assert client.read()
        gate.let_go()
        # h2 reads nothing behind a farewell.
        data = b""
        while not ENDS[is_socket](data) and (piece := client.socket.recv(65536)):
            data += piece
        assert ENDS[is_socket](data)
        client.socket.close()
        call.result(timeout=30)


@pytest.mark.usefixtures("gate")
def test_connections_that_wait_to_be_accepted_are_answered(site: Site) -> None:
    holder = vista.create(DrainHolder)
    host, port = site.place
    clients = [
        socket.socket(fileno=number)
        for number in holder.connect_and_stop(host, port, site.daemon, 200)
    ]
    for number, client in enumerate(clients):
        client.settimeout(30)
        # A slow machine answers some before the others are accepted, and has them closed later.
        assert f"/echo?{number} ".encode() in Answer(read_all(client)).body
        client.close()


def test_what_lasts_too_long_is_cut_off(hurried: Site) -> None:
    hurried.directory.register_object("/gate", vista.create(DrainGate))
    with hurried.connect() as client:
        client.sendall(get("/gate"))
        wait_until(lambda: any("DrainGate" in row.class_name for row in vista.threads()))
        hurried.daemon.system_shutdown()
        wait_until(lambda: hurried.daemon.get_connections() == 0)
        with suppress(ConnectionResetError):
            assert client.recv(100) == b""


def test_a_site_without_connections_stops_at_once(site: Site) -> None:
    site.daemon.system_shutdown()
    site.daemon.system_shutdown()
    assert is_refused(site)


def test_an_endless_body_is_cut_off(hurried: Site) -> None:
    class DrainEndlessPage(vista.Object):
        def create(self) -> None:
            pass

        def get_request(self, request: Request) -> Response:
            return Response(source=vista.create(DrainEndlessSource))

    hurried.directory.register_object("/endless", vista.create(DrainEndlessPage))
    with hurried.connect() as client:
        client.sendall(get("/endless"))
        read_until(client, b"piece")
        hurried.daemon.system_shutdown()
        assert at_last(hurried.daemon.get_connections, 0) == 0
