"""The front end: clients and servers are real sockets, of which the test has both ends."""

from __future__ import annotations

import contextlib
import select
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

import vista
from apps.http.objects import forward, forward_asking, forward_servers, forward_splice
from apps.http.objects.forward import ForwardConnection
from tests.http.objects.served import at_last, read_all, read_until, wait_until

SECONDS_MAX = 30.0
GET = b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n"
PUSHED_MAX = 64 * 1024 * 1024
POST = b"POST / HTTP/1.1\r\nHost: shop\r\nContent-Length: 2\r\n\r\nok"


class Backend:
    """A server whose every step the test makes."""

    def __init__(self, place: tuple[str, int] = ("127.0.0.1", 0)) -> None:
        self.listening = socket.create_server(place, backlog=64)
        self.listening.settimeout(SECONDS_MAX)
        self.place: Any = self.listening.getsockname()

    @property
    def address(self) -> str:
        return f"tcp:127.0.0.1:{self.place[1]}"

    def accept(self) -> socket.socket:
        taken, _ = self.listening.accept()
        taken.settimeout(SECONDS_MAX)
        return taken

    def accept_client(self) -> socket.socket:
        """The next connection over which something comes; looks at health say nothing."""
        while True:
            taken = self.accept()
            if taken.recv(1, socket.MSG_PEEK):
                return taken
            taken.close()

    def close(self) -> None:
        self.listening.close()


class Front:
    """A front end and its servers."""

    def __init__(self, backends: list[Backend], ref: vista.Ref) -> None:
        self.backends = backends
        self.ref = ref
        host, _, port = ref.get_address().partition(":")[2].rpartition(":")
        self.place = (host, int(port))

    def connect(self) -> socket.socket:
        return socket.create_connection(self.place, SECONDS_MAX)

    def opened(self) -> list[int]:
        """How many connections each server has."""
        return [row["open"] for row in self.ref.get_servers()]

    def state(self, number: int) -> str:
        told: str = self.ref.get_servers()[number]["state"]
        return told


Make = Callable[..., Front]


@pytest.fixture
def make() -> Iterator[Make]:
    """Makes front ends with so many servers."""
    with ExitStack() as stack, vista.Node("front"):

        def made(count: int, *words: str) -> Front:
            backends = [Backend() for _ in range(count)]
            for backend in backends:
                stack.callback(backend.close)
            addresses = [backend.address for backend in backends]
            return Front(
                backends,
                vista.create(ForwardConnection, "tcp:127.0.0.1:0", *addresses, *words),
            )

        yield made


def joined(front: Front, number: int = 0) -> tuple[socket.socket, socket.socket]:
    """A client and the server's end of its connection."""
    client = front.connect()
    client.sendall(GET)
    taken = front.backends[number].accept_client()
    assert read_until(taken, b"\r\n\r\n") == GET
    return client, taken


def push(sock: socket.socket) -> int:
    """Send until nothing more is taken, and return how many bytes were."""
    sock.setblocking(False)
    sent = 0
    with contextlib.suppress(BlockingIOError):
        while sent < PUSHED_MAX:
            sent += sock.send(b"x" * 65536)
    return sent


def test_bytes_pass_both_ways(make: Make) -> None:
    client, server = joined(make(1))
    with client, server:
        server.sendall(b"\x00\xffanswer")
        assert read_until(client, b"answer") == b"\x00\xffanswer"
        client.sendall(b"more")
        assert read_until(server, b"more") == b"more"


def test_a_server_that_speaks_first_is_heard(make: Make) -> None:
    front = make(1)
    with front.connect() as client:
        taken = []
        # Looks at the server's health connect as well, and are told the same.
        while not select.select([client], [], [], 0.2 if taken else 0)[0]:
            taken.append(front.backends[0].accept())
            with contextlib.suppress(ConnectionError):
                taken[-1].send(b"220 ready\r\n")
        assert read_until(client, b"\r\n") == b"220 ready\r\n"
        for one in taken:
            one.close()


def test_the_end_of_what_a_client_says_is_passed_on_and_the_answer_still_comes(make: Make) -> None:
    client, server = joined(make(1))
    with client, server:
        client.shutdown(socket.SHUT_WR)
        assert server.recv(1) == b""
        server.sendall(b"late answer")
        server.close()
        assert read_all(client) == b"late answer"


def test_the_end_of_what_a_server_says_is_passed_on_and_the_client_may_go_on(make: Make) -> None:
    client, server = joined(make(1))
    with client, server:
        server.sendall(b"half")
        server.shutdown(socket.SHUT_WR)
        assert read_all(client) == b"half"
        client.sendall(b"rest")
        assert read_until(server, b"rest") == b"rest"


def test_the_server_with_the_fewest_clients_gets_the_next_one(make: Make) -> None:
    front = make(3)
    clients = [front.connect() for _ in range(6)]
    assert at_last(front.opened, [2, 2, 2]) == [2, 2, 2]
    front.backends[1].close()
    assert at_last(front.opened, [2, 0, 2]) == [2, 0, 2]
    for client in clients:
        client.close()


def test_a_server_that_refuses_is_passed_over_and_left_out(make: Make) -> None:
    front = make(2)
    front.backends[0].close()
    client, server = joined(front, 1)
    with client, server:
        server.sendall(b"here")
        assert read_until(client, b"here") == b"here"
    wait_until(lambda: front.state(0) == "out: Connection refused")
    assert front.state(1) == "in"


def test_a_server_that_is_back_is_used_again(make: Make) -> None:
    front = make(1)
    place = front.backends[0].place
    front.backends[0].close()
    wait_until(lambda: front.state(0) != "in")
    back = Backend(place)
    wait_until(lambda: front.state(0) == "in")
    client, server = joined(Front([back], front.ref))
    with client, server:
        server.sendall(b"back")
        assert read_until(client, b"back") == b"back"
    back.close()


def test_where_no_server_is_there_a_browser_gets_a_page_that_says_so(make: Make) -> None:
    front = make(1)
    front.backends[0].close()
    with front.connect() as client:
        client.sendall(GET)
        answer = read_all(client)
    assert answer.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
    assert b"\r\nRetry-After: 5\r\n" in answer
    assert answer.endswith(b"Try again in a few seconds.\n")


@pytest.mark.parametrize("cut", [1, 3, 4, 5, 6, 9, 13])
def test_where_no_server_is_there_a_request_may_come_in_pieces(make: Make, cut: int) -> None:
    front = make(1)
    front.backends[0].close()
    with front.connect() as client:
        client.sendall(GET[:cut])
        vista.sleep(0.01)  # of the front end's loop, which reads what has come
        client.sendall(GET[cut:])
        assert read_all(client).startswith(b"HTTP/1.1 503 Service Unavailable\r\n")


@pytest.mark.parametrize("words", [b"hello", b"HELO shop\r\n", b"GET / FTP/1", b"A" * 21])
def test_where_no_server_is_there_other_words_are_hung_up_on(make: Make, words: bytes) -> None:
    front = make(1)
    front.backends[0].close()
    with front.connect() as client:
        client.settimeout(forward_splice.FIRST_SECONDS / 2)
        client.sendall(words)
        assert read_all(client) == b""


def test_where_no_server_is_there_others_are_hung_up_on(make: Make) -> None:
    front = make(1)
    front.backends[0].close()
    with front.connect() as client:
        client.sendall(b"\x16\x03\x01 hello")
        assert read_all(client) == b""


def test_a_get_whose_server_dies_is_asked_of_another_one(make: Make) -> None:
    front = make(2)
    client, server = joined(front, 0)
    with client:
        server.close()
        other = front.backends[1].accept_client()
        with other:
            assert read_until(other, b"\r\n\r\n") == GET
            other.sendall(b"answer")
            assert read_until(client, b"answer") == b"answer"


def test_a_post_whose_server_dies_is_not_asked_twice(make: Make) -> None:
    front = make(2)
    with front.connect() as client:
        client.sendall(POST)
        front.backends[0].accept_client().close()
        answer = read_all(client)
    assert answer.startswith(b"HTTP/1.1 502 Bad Gateway\r\n")
    assert [row["served"] for row in front.ref.get_servers()] == [1, 0]


@pytest.mark.parametrize("more", [POST, b"x", GET], ids=["a post", "a body", "a get"])
def test_a_get_that_more_follows_is_not_asked_twice(make: Make, more: bytes) -> None:
    front = make(2)
    with front.connect() as client:
        client.sendall(GET + more)
        with front.backends[0].accept_client() as server:
            read_until(server, GET + more)
        assert read_all(client).startswith(b"HTTP/1.1 502 ")
    assert [row["served"] for row in front.ref.get_servers()] == [1, 0]


def test_an_answer_that_broke_off_is_not_asked_for_again(make: Make) -> None:
    front = make(2)
    client, server = joined(front, 0)
    with client:
        server.sendall(b"half an ans")
        server.close()
        assert read_all(client) == b"half an ans"
    assert front.ref.get_servers()[1]["served"] == 0


def test_a_server_is_asked_for_its_page_of_health(make: Make) -> None:
    front = make(1, "/health/ready")
    with front.backends[0].accept_client() as asked:
        assert read_until(asked, b"\r\n\r\n").startswith(b"GET /health/ready HTTP/1.1\r\n")
        asked.sendall(b"HTTP/1.1 503 Service Unavailable\r\n\r\n")
    wait_until(lambda: front.state(0) == "out: answers /health/ready with 503 Service")
    with front.backends[0].accept_client() as asked:
        asked.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    wait_until(lambda: front.state(0) == "in")


@pytest.mark.parametrize("cut", [1, 10, 13, 16])
def test_an_answer_to_a_look_may_come_in_pieces(make: Make, cut: int) -> None:
    front = make(1, "/well")
    with front.backends[0].accept_client() as asked:
        asked.sendall(b"HTTP/1.1 503 Service Unavailable\r\n\r\n")
    wait_until(lambda: front.state(0) == "out: answers /well with 503 Service")
    well = b"HTTP/1.1 200 OK\r\n\r\n"
    with front.backends[0].accept_client() as asked:
        asked.sendall(well[:cut])
        vista.sleep(0.01)  # of the front end's loop, which reads what has come
        asked.sendall(well[cut:])
        assert read_all(asked).startswith(b"GET /well ")
    assert front.state(0) == "in"


def test_a_server_that_ends_within_the_first_line_of_its_answer_is_out(make: Make) -> None:
    front = make(1, "/well")
    with front.backends[0].accept_client() as asked:
        read_until(asked, b"\r\n\r\n")  # closed with bytes unread, the system would send a reset
        asked.sendall(b"HTTP/1.1 2")
    wait_until(lambda: front.state(0) != "in")
    assert front.state(0) == "out: answers /well with 2"


def test_clients_are_taken_from_a_server_that_says_nothing(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forward_asking, "ANSWER_SECONDS", 0.2)
    front = make(2, "/well")
    other = front.backends[1]
    with front.connect() as client:
        client.sendall(GET)
        while read_until(taken := other.accept_client(), b"\r\n\r\n") != GET:
            taken.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            taken.close()
        assert front.state(0) == "out: says nothing"
        taken.sendall(b"answer")
        assert read_until(client, b"answer") == b"answer"
        taken.close()


def test_one_that_is_accused_gets_no_clients_and_loses_those_it_has(make: Make) -> None:
    front = make(2)
    client, server = joined(front, 0)
    with client, server:
        server.sendall(b"a lie")
        assert read_until(client, b"a lie") == b"a lie"
        front.ref.accuse(front.backends[0].address, "two others say that it lies")
        assert read_all(client) == b""
    assert front.state(0) == "out: two others say that it lies"
    later, other = joined(front, 1)
    later.close()
    other.close()
    front.ref.acquit(front.backends[0].address)
    assert front.state(0) == "in"


def test_a_client_that_takes_nothing_stops_its_server_and_no_other(make: Make) -> None:
    front = make(1)
    client, server = joined(front)
    with client, server:
        sent = push(server)
        blocked = [0]

        def is_blocked() -> bool:
            """It stays so, however often it is tried."""
            more = push(server)
            blocked.append(0 if more else blocked[-1] + 1)
            blocked[0] += more
            return blocked[-1] == 20

        wait_until(is_blocked)
        sent += blocked[0]
        assert sent < PUSHED_MAX
        other, second = joined(front)
        other.close()
        second.close()
        got = 0
        server.settimeout(SECONDS_MAX)
        server.shutdown(socket.SHUT_WR)
        while piece := client.recv(1 << 20):
            got += len(piece)
        assert got == sent


def test_a_client_that_takes_nothing_for_long_is_dropped(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forward, "SWEEP_SECONDS", 0.02)
    monkeypatch.setattr(forward_splice, "STALLED_SECONDS", 0.1)
    front = make(1)
    client, server = joined(front)
    with client, server:

        def is_dropped() -> bool:
            with contextlib.suppress(ConnectionError):
                push(server)
            return front.ref.get_figures()["clients"] == 0

        wait_until(is_dropped)
        assert front.ref.get_figures()["clients"] == 0


def test_those_who_say_nothing_for_long_are_dropped(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forward, "SWEEP_SECONDS", 0.02)
    monkeypatch.setattr(forward_splice, "QUIET_SECONDS", 0.1)
    front = make(1)
    with front.connect() as client:
        assert read_all(client) == b""


def test_more_clients_than_there_may_be_wait(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forward, "CONNECTIONS_MAX", 1)
    monkeypatch.setattr(forward_servers, "LOOK_SECONDS", 0.02)
    front = make(1)
    client, server = joined(front)
    with front.connect() as second:
        second.sendall(GET)
        # Looks at the server come meanwhile, and no second client.
        for _ in range(5):
            front.backends[0].accept().close()
        assert front.ref.get_figures()["clients_accepted"] == 1
        client.close()
        server.close()
        with front.backends[0].accept_client() as taken:
            assert read_until(taken, b"\r\n\r\n") == GET
    assert front.ref.get_figures()["clients_accepted"] == 2


def test_a_front_end_that_stops_lets_an_answer_end(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forward, "STOP_SECONDS", 1_000.0)
    front = make(1)
    client, server = joined(front)
    idle = front.connect()
    wait_until(lambda: front.ref.get_figures()["clients"] == 2)
    stopping = vista.future(front.ref, "system_shutdown")
    assert read_all(idle) == b""
    server.sendall(b"the last answer")
    server.close()
    assert read_all(client) == b"the last answer"
    assert stopping.result() is None
    with pytest.raises(ConnectionRefusedError):
        front.connect()
    client.close()
    idle.close()


def test_a_front_end_that_is_deleted_drops_its_clients(make: Make) -> None:
    front = make(1)
    client, server = joined(front)
    with client, server:
        front.ref.delete_yourself()
        with contextlib.suppress(ConnectionResetError):
            assert client.recv(1) == b""


def test_servers_and_clients_may_be_at_unix_sockets(make: Make, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening, socket.socket(socket.AF_UNIX) as client:
        listening.bind(str(tmp_path / "server"))
        listening.listen()
        listening.settimeout(SECONDS_MAX)
        address = f"unix:{tmp_path}/front"
        front = vista.create(ForwardConnection, address, f"unix:{tmp_path}/server")
        assert front.get_url() == f"http+unix://{tmp_path}/front"
        client.settimeout(SECONDS_MAX)
        client.connect(str(tmp_path / "front"))
        client.sendall(b"hello")
        data = b""
        while not data:
            taken, _ = listening.accept()
            data = taken.recv(10)
            taken.close()
        assert data == b"hello"
        front.delete_yourself()


@pytest.mark.parametrize(
    "words",
    [
        ("tcp:127.0.0.1",),
        ("tcp:127.0.0.1:0", "tls:h:1"),
        ("tcp:h:0", "tcp::1"),
        ("udp:h:1",),
        ("tcp:127.0.0.1:0", "tcp:a..b:1"),
        ("tcp:127.0.0.1:0", f"tcp:{'h' * 64}:1"),
        ("tcp:127.0.0.1:0", "tcp:a\0b:1"),
    ],
    ids=["no port", "tls", "no host", "udp", "empty label", "long label", "a zero"],
)
@pytest.mark.usefixtures("make")
def test_what_is_no_address_is_refused(words: tuple[str, ...]) -> None:
    with pytest.raises(vista.BadValueError, match=r"tcp:HOST:PORT or unix:PATH"):
        vista.create(ForwardConnection, *words)


@pytest.mark.usefixtures("make")
def test_only_one_page_of_health_is_asked_for() -> None:
    with pytest.raises(vista.BadValueError, match=r"asks for one page, not for /a, /b"):
        vista.create(ForwardConnection, "tcp:127.0.0.1:0", "/a", "tcp:127.0.0.1:1", "/b")


def test_an_address_that_is_taken_is_told(make: Make) -> None:
    front = make(1)
    with pytest.raises(OSError, match=r"cannot listen at tcp:127.0.0.1:"):
        vista.create(ForwardConnection, front.ref.get_address())
