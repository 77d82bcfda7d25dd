"""IOobjects on connections, and AcceptConnection. Everything stays on the loopback."""

from __future__ import annotations

import contextlib
import os
import resource
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

import vista
from tests.standard.listener import Listener
from vista.errors import BadValueError, Overloaded
from vista.standard.io import AcceptConnection

pytestmark = pytest.mark.usefixtures("no_leak")


@pytest.fixture
def client(no_leak: None) -> Iterator[vista.Ref]:
    """Somebody who is told of connections."""
    made = vista.create(Listener)
    yield made
    made.delete_yourself()


@pytest.fixture
def server(client: vista.Ref) -> Iterator[vista.Ref]:
    """A listener on a free port that tells the client."""
    made = vista.create("AcceptConnection", "tcp:127.0.0.1:0", client)
    yield made
    made.delete_yourself()


@pytest.fixture
def pair(server: vista.Ref, client: vista.Ref) -> Iterator[tuple[vista.Ref, vista.Ref]]:
    """Both ends of a connection: the one that connected and the one that was accepted."""
    caller = vista.create("IOobject", server.get_address())
    (accepted,) = client.hear("connection_accepted")
    accepted.clear_delete_on_close()
    yield caller, accepted
    caller.delete_yourself()
    accepted.delete_yourself()


Pair = tuple[vista.Ref, vista.Ref]


def test_bytes_go_both_ways(pair: Pair) -> None:
    caller, accepted = pair
    caller.write_bytes(b"ping")
    assert accepted.read_bytes() == b"ping"
    accepted.write_vector_of_bytes([b"po", b"ng"])
    assert caller.read_bytes() == b"pong"


def test_both_ends_tell_their_addresses(pair: Pair, server: vista.Ref) -> None:
    caller, accepted = pair
    assert caller.get_peer_address() == accepted.get_address()
    assert accepted.get_peer_address() == caller.get_address()
    assert server.get_address() == accepted.get_address()
    assert server.get_peer_address() is None


def test_closing_is_the_end_for_the_other_side(pair: Pair) -> None:
    caller, accepted = pair
    caller.write_bytes(b"last words")
    caller.close()
    assert [accepted.read_bytes(), accepted.read_bytes()] == [b"last words", b""]


def test_after_closing_for_write_the_other_direction_stays_open(pair: Pair) -> None:
    caller, accepted = pair
    caller.close_for_write()
    assert accepted.read_bytes() == b""
    accepted.write_bytes(b"still here")
    assert caller.read_bytes() == b"still here"
    with pytest.raises(OSError, match="it is closed"):
        caller.write_bytes(b"x")


def test_closing_both_directions_one_by_one_closes_the_descriptor(pair: Pair) -> None:
    caller, _ = pair
    caller.close_for_read()
    assert caller.get_descriptor() >= 0
    caller.close_for_write()
    assert caller.get_descriptor() == -1


def test_a_read_that_waits_ends_with_an_error_when_the_object_is_closed(pair: Pair) -> None:
    caller, _ = pair
    reading = caller.read_bytes.future()
    caller.close()
    error = reading.exception(timeout=10)
    assert isinstance(error, OSError)
    assert "it is closed" in str(error)


def test_a_read_that_waits_lets_others_into_the_object(pair: Pair) -> None:
    caller, accepted = pair
    reading = caller.read_bytes.future()
    caller.write_bytes(b"meanwhile")
    assert accepted.read_bytes() == b"meanwhile"
    accepted.write_bytes(b"done")
    assert reading.result(timeout=10) == b"done"


def test_a_read_that_was_given_up_loses_no_bytes(pair: Pair) -> None:
    caller, accepted = pair
    with pytest.raises(vista.CallTimeout), vista.timeout(0.05):
        caller.read_bytes()
    accepted.write_bytes(b"kept")
    assert caller.read_bytes() == b"kept"


def test_a_slow_reader_slows_the_writer(pair: Pair) -> None:
    caller, accepted = pair
    whole = os.urandom(12_000_000)
    writing = caller.write_bytes.future(whole)
    assert accepted.read_bytes() == whole[:65_536]
    assert not writing.done()
    received = [whole[:65_536]]
    while sum(map(len, received)) < len(whole):
        received.append(accepted.read_bytes())
    assert b"".join(received) == whole
    assert writing.result(timeout=10) == len(whole)


def test_writes_of_several_threads_are_not_mixed(pair: Pair) -> None:
    caller, accepted = pair
    blocks = [bytes([letter]) * 3_000_000 for letter in b"abc"]
    writing = [caller.write_bytes.future(block) for block in blocks]
    received = b""
    while len(received) < 9_000_000:
        received += accepted.read_bytes()
    assert received == b"".join(blocks)
    assert vista.gather(*writing) == [3_000_000] * 3


def test_a_write_that_finds_room_waits_for_the_one_before_it(node: vista.Node, pair: Pair) -> None:
    caller, accepted = pair

    def overtake() -> bytes:
        first = caller.write_bytes.future(b"a" * 12_000_000)
        received: bytes = accepted.read_bytes()
        for _ in range(20):
            received += accepted.read_bytes()
        second = caller.write_bytes.future(b"b")
        while len(received) < 12_000_001:
            received += accepted.read_bytes()
        vista.gather(first, second)
        return received

    assert node.call(overtake) == b"a" * 12_000_000 + b"b"


def test_more_than_the_bound_of_waiting_writes_is_refused(pair: Pair) -> None:
    caller, accepted = pair
    first = caller.write_bytes.future(bytes(17_000_000))
    with pytest.raises(Overloaded, match="bytes wait for its reader"):
        caller.write_bytes(b"x")
    accepted.close()
    assert isinstance(first.exception(timeout=10), OSError)


def test_a_write_cut_off_in_the_middle_ends_the_stream(pair: Pair) -> None:
    caller, accepted = pair
    writing = caller.write_bytes.future(bytes(12_000_000))
    assert accepted.read_bytes()
    writing.cancel()
    with pytest.raises(OSError, match="it is closed"):
        caller.write_bytes(b"x")
    while accepted.read_bytes(1_000_000):
        pass


def test_writing_to_somebody_who_went_away_is_an_error(pair: Pair) -> None:
    caller, accepted = pair
    accepted.close()
    with pytest.raises(OSError, match=r"Broken pipe|Connection reset"):
        for _ in range(100):
            caller.write_bytes(bytes(100_000))


def test_can_read_is_told_once_when_bytes_come(pair: Pair, client: vista.Ref) -> None:
    caller, accepted = pair
    accepted.select_for_read(client)
    accepted.select_for_read(client)
    assert client.names() == []
    caller.write_bytes(b"x")
    assert client.hear("can_read") == [accepted]
    assert accepted.read_bytes() == b"x"
    assert client.names() == []


def test_can_read_is_told_at_the_end_of_the_stream(pair: Pair, client: vista.Ref) -> None:
    caller, accepted = pair
    accepted.select_for_read(client)
    caller.close()
    assert client.hear("can_read") == [accepted]
    assert accepted.read_bytes() == b""


def test_the_sender_is_told_when_no_client_is_named(pair: Pair) -> None:
    class Asker(Listener):
        def ask(self, io: vista.Ref) -> None:
            io.select_for_write()

    asker = vista.create(Asker)
    asker.ask(pair[0])
    assert asker.hear("can_write") == [pair[0]]
    asker.delete_yourself()


def test_a_select_without_sender_and_client_is_refused(pair: Pair) -> None:
    with pytest.raises(BadValueError, match="nobody to notify"):
        pair[0].select_for_read()


def test_nobody_is_told_of_an_object_that_was_closed(pair: Pair, client: vista.Ref) -> None:
    caller, _ = pair
    caller.select_for_read(client)
    caller.close()
    vista.sleep(0)
    assert client.names() == []


def test_a_connection_that_is_refused_is_an_error_that_names_the_address() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(ConnectionRefusedError) as caught:
        vista.create("IOobject", f"tcp:127.0.0.1:{port}")
    assert str(caught.value) == f"[Errno 111] tcp:127.0.0.1:{port}: Connection refused"


def test_a_host_nobody_knows_is_an_error_that_names_the_address() -> None:
    with pytest.raises(OSError, match=r"tcp:no\.such\.host\.invalid:80: "):
        vista.create("IOobject", "tcp:no.such.host.invalid:80")


def test_a_port_that_is_taken_is_an_error_that_names_the_address(
    server: vista.Ref, client: vista.Ref
) -> None:
    with pytest.raises(OSError, match=r"tcp:127\.0\.0\.1:\d+,l: Address already in use"):
        vista.create("AcceptConnection", server.get_address(), client)


def test_a_file_cannot_be_listened_on(client: vista.Ref) -> None:
    with pytest.raises(BadValueError, match="a file cannot be listened on"):
        vista.create("AcceptConnection", "file:notes", client)


def test_an_accepted_connection_deletes_itself_when_closed(
    server: vista.Ref, client: vista.Ref
) -> None:
    caller = vista.create("IOobject", server.get_address())
    (accepted,) = client.hear("connection_accepted")
    accepted.close()
    with pytest.raises(vista.NoSuchObject):
        accepted.get_id()
    assert server.get_connections() == 0
    caller.delete_yourself()


def test_no_more_connections_are_accepted_than_allowed(client: vista.Ref) -> None:
    server = vista.create("AcceptConnection", "tcp:127.0.0.1:0", client, 2)
    callers = [vista.create("IOobject", server.get_address()) for _ in range(3)]
    first, second = (client.hear("connection_accepted")[0] for _ in range(2))
    assert server.get_connections() == 2
    with pytest.raises(TimeoutError):
        client.hear("connection_accepted", 0.1)
    first.close()
    (third,) = client.hear("connection_accepted")
    assert server.get_connections() == 2
    for io in (second, third):
        io.close()
    for ref in (server, *callers):
        ref.delete_yourself()


def test_a_deleted_listener_lets_go_of_its_port_and_keeps_its_connections(
    client: vista.Ref,
) -> None:
    server = vista.create("AcceptConnection", "tcp:127.0.0.1:0", client)
    address = server.get_address()
    caller = vista.create("IOobject", address)
    (accepted,) = client.hear("connection_accepted")
    server.delete_yourself()
    with pytest.raises(ConnectionRefusedError):
        vista.create("IOobject", address)
    accepted.write_bytes(b"still here")
    assert caller.read_bytes() == b"still here"
    accepted.close()
    caller.delete_yourself()


def test_connections_for_a_service_nobody_provides_are_closed(no_leak: None) -> None:
    server = vista.create("AcceptConnection", "tcp:127.0.0.1:0", "Nobody")
    caller = vista.create("IOobject", server.get_address())
    assert caller.read_bytes() == b""
    assert server.get_connections() == 0
    caller.delete_yourself()
    server.delete_yourself()


def test_an_io_object_that_listens_accepts_one_connection_for_each_select(
    client: vista.Ref,
) -> None:
    server = vista.create("IOobject", "tcp:127.0.0.1:0,l")
    callers = [vista.create("IOobject", server.get_address()) for _ in range(2)]
    for _ in callers:
        server.select_for_read(client)
        (accepted,) = client.hear("connection_accepted")
        assert client.names() == []
        accepted.close()
    for ref in (server, *callers):
        ref.delete_yourself()


def test_a_listener_has_no_bytes_to_read() -> None:
    server = vista.create("IOobject", "tcp:127.0.0.1:0,l")
    with pytest.raises(OSError, match="it listens and has no bytes to read"):
        server.read_bytes()
    server.delete_yourself()


def greeting(server: vista.Ref, client: vista.Ref) -> bytes:
    """Connect to a listener and say hello; return what is heard of that."""
    caller = vista.create("IOobject", server.get_address())
    (accepted,) = client.hear("connection_accepted")
    caller.write_bytes(b"hello")
    heard: bytes = accepted.read_bytes()
    accepted.close()
    caller.delete_yourself()
    return heard


def test_a_unix_socket_connects_and_its_path_goes_with_the_listener(
    client: vista.Ref, tmp_path: Path
) -> None:
    server = vista.create("AcceptConnection", f"unix:{tmp_path}/s", client)
    assert server.get_address() == f"unix:{tmp_path}/s"
    assert greeting(server, client) == b"hello"
    server.delete_yourself()
    assert not (tmp_path / "s").exists()


def test_the_socket_file_of_a_killed_process_is_replaced(client: vista.Ref, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "s"))
    server = vista.create("AcceptConnection", f"unix:{tmp_path}/s", client)
    assert greeting(server, client) == b"hello"
    server.delete_yourself()


def test_the_socket_file_of_a_living_listener_is_not_replaced(
    client: vista.Ref, tmp_path: Path
) -> None:
    server = vista.create("AcceptConnection", f"unix:{tmp_path}/s", client)
    with pytest.raises(OSError, match="Address already in use"):
        vista.create("AcceptConnection", f"unix:{tmp_path}/s", client)
    client.hear("connection_accepted")[0].close()
    server.delete_yourself()


def test_an_ipv6_connection_is_made(client: vista.Ref) -> None:
    if not socket.has_ipv6:
        pytest.skip("this machine has no IPv6")
    server = vista.create("AcceptConnection", "tcp:[::1]:0", client)
    caller = vista.create("IOobject", server.get_address())
    (accepted,) = client.hear("connection_accepted")
    assert caller.get_peer_address() == server.get_address()
    accepted.close()
    caller.delete_yourself()
    server.delete_yourself()


def test_a_node_that_stops_closes_what_is_open(node: vista.Node, client: vista.Ref) -> None:
    with vista.Node("other") as other:
        server = other.call(
            lambda: vista.create("AcceptConnection", "tcp:127.0.0.1:0", "Nobody").get_address()
        )
    with pytest.raises(ConnectionRefusedError):
        node.call(lambda: vista.create("IOobject", server))


# --- bounds -------------------------------------------------------------------------------------


def test_a_reader_who_takes_nothing_for_too_long_ends_the_write(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vista.standard.channels.WRITE_STALL_SECONDS", 0.1)
    caller, _ = pair
    with pytest.raises(TimeoutError, match=r"its reader took nothing for 0\.1 s"):
        caller.write_bytes(bytes(12_000_000))
    with pytest.raises(OSError, match="it is closed"):
        caller.write_bytes(b"x")


def test_a_connection_that_nobody_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vista.standard.opening.CONNECT_SECONDS", 0.2)
    with contextlib.ExitStack() as sockets:
        server = sockets.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):
            # They fill the backlog; the system drops the first packet of who comes after them.
            waiting = sockets.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(server.getsockname())
        with pytest.raises(
            TimeoutError, match=r"tcp:127\.0\.0\.1:\d+: no connection within 0\.2 s"
        ):
            vista.create("IOobject", f"tcp:127.0.0.1:{server.getsockname()[1]}")


def test_a_listener_without_descriptors_left_accepts_later(
    server: vista.Ref, client: vista.Ref, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vista.standard.io.ACCEPT_PAUSE_SECONDS", 0.05)
    place = ("127.0.0.1", int(server.get_address().rpartition(":")[2]))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with socket.socket() as caller:
        resource.setrlimit(resource.RLIMIT_NOFILE, (caller.fileno() + 1, hard))
        try:
            caller.connect(place)
            with pytest.raises(TimeoutError):
                client.hear("connection_accepted", 0.2)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        client.hear("connection_accepted")[0].close()


class Dawdler(AcceptConnection):
    """Its first threads that accept stand still, and can be killed."""

    def create(self, client: vista.Ref) -> None:  # type: ignore[override]
        self.stuck = 0
        super().create("tcp:127.0.0.1:0", client, 2)

    def _is_taken(self, accepted: vista.Ref, target: object) -> bool:
        self.stuck += 1
        if self.stuck < 4:
            vista.post(target, "stuck")
            vista.sleep(60.0)
        return super()._is_taken(accepted, target)


def test_a_listener_whose_accepting_threads_are_killed_goes_on_accepting(
    node: vista.Node, client: vista.Ref, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vista.standard.io.ACCEPT_PAUSE_SECONDS", 0.01)
    server = vista.create(Dawdler, client)
    for _ in range(3):
        caller = vista.create("IOobject", server.get_address())
        client.hear("stuck")
        (stuck,) = [row for row in vista.threads() if row.state == "sleeping"]
        vista.kill(stuck.id)
        assert caller.read_bytes() == b""
        caller.delete_yourself()
    caller = vista.create("IOobject", server.get_address())
    (accepted,) = client.hear("connection_accepted")
    assert server.get_connections() == 1
    accepted.close()
    caller.delete_yourself()
    server.delete_yourself()


def test_a_unix_listener_whose_backlog_is_full_is_an_error(tmp_path: Path) -> None:
    with contextlib.ExitStack() as sockets:
        server = sockets.enter_context(socket.socket(socket.AF_UNIX))
        server.bind(str(tmp_path / "s"))
        server.listen(0)
        for _ in range(2):
            waiting = sockets.enter_context(socket.socket(socket.AF_UNIX))
            waiting.setblocking(False)
            waiting.connect_ex(str(tmp_path / "s"))
        with pytest.raises(OSError, match=f"unix:{tmp_path}/s: "):
            vista.create("IOobject", f"unix:{tmp_path}/s")
