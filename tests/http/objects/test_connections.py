"""One connection: order, keep-alive, versions, bounds of time, and its end."""

from __future__ import annotations

import contextlib
import errno
import socket
from pathlib import Path
from typing import Any

import pytest

import vista
from apps.http.objects.daemon import HTTPdaemon
from apps.http.objects.events import HTTPeventStream
from apps.http.objects.receive import HTTPfastReceive
from tests.http.objects.pages import (
    HttpBadStreamPage,
    HttpEchoPage,
    HttpFailingPage,
    HttpLastPage,
    HttpStreamingPage,
)
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


class HttpFullReceive(vista.Object):
    """Stands where there is no room for a connection."""

    def create(self, *given: object) -> None:
        raise vista.Overloaded("no room")


class HttpLimitedReceive(vista.Object):
    """Stands where the system refuses what a connection needs."""

    def create(self, *given: object) -> None:
        raise OSError(errno.ENOBUFS, "no room in the system")


class HttpSometimesFullDaemon(HTTPdaemon):
    """A daemon that has no room for connections, or whose system has none, until it is told."""

    def fill(self) -> None:
        self.receive_class = HttpFullReceive

    def fill_system(self) -> None:
        self.receive_class = HttpLimitedReceive

    def make_room(self) -> None:
        self.receive_class = HTTPfastReceive


def profile(tmp_path: Path, text: str) -> str:
    """The name of a profile with these lines."""
    path = tmp_path / "http.profile"
    path.write_text(text)
    return str(path)


def test_a_connection_takes_one_request_after_another(site: Site) -> None:
    with site.connect() as client:
        for _ in range(3):
            client.sendall(get("/a.txt"))
            assert read_until(client, b"abcdefghij").startswith(b"HTTP/1.1 200 OK\r\n")


def test_pipelined_requests_are_answered_in_their_order(site: Site) -> None:
    site.directory.register_object("/echo", vista.create(HttpEchoPage))
    data = site.talk(*(get(f"/echo?{number}") for number in range(40)))
    places = [data.index(f"/echo?{number} ".encode()) for number in range(40)]
    assert places == sorted(places)


def test_a_bad_second_request_leaves_the_first_its_answer(site: Site) -> None:
    data = site.talk(get("/a.txt"), b"GET / HTTP/1.1\r\nHost : a\r\n\r\n")
    first, _, rest = data.partition(b"abcdefghij")
    assert first.startswith(b"HTTP/1.1 200 ")
    assert rest.startswith(b"HTTP/1.1 400 ") and b"Connection: close" in rest


def test_rfc_9112_9_3_a_request_with_close_is_the_last(site: Site) -> None:
    with site.connect() as client:
        client.sendall(get("/a.txt", "localhost", "Connection: close") + get("/a.txt"))
        data = read_all(client)
    assert data.count(b"HTTP/1.1 200") == 1 and b"Connection: close\r\n" in data


def test_a_handler_may_end_the_connection_and_its_answer_is_whole(site: Site) -> None:
    site.directory.register_object("/last", vista.create(HttpLastPage))
    with site.connect() as client:
        client.sendall(get("/last"))
        answer = Answer(read_all(client))
    assert answer.fields["connection"] == "close" and len(answer.body) == 5_000_000
    wait_until(lambda: site.daemon.get_connections() == 0)


def test_a_refused_client_reads_its_answer_though_it_sends_on(site: Site) -> None:
    with site.connect() as client:
        client.sendall(
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n\r\n" + b"x" * 50_000
        )
        data = read_until(client, b"</html>\n")
        assert Answer(data).status == 413
        site.get("/")  # when that is answered, what there was to do for the other is done
        client.sendall(b"x" * 50_000)
        site.get("/")
        # There was no reset, which might take the answer from one that has not read it yet.
        assert client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
    wait_until(lambda: site.daemon.get_connections() == 0)


def test_a_client_that_has_ended_its_side_is_not_waited_for(tmp_path: Path) -> None:
    profile = tmp_path / "http.profile"
    profile.write_text("drain_seconds 3600\n")
    with served(profile=str(profile)) as site, site.connect() as client:
        client.sendall(b"garbage\r\n\r\n")
        client.shutdown(socket.SHUT_WR)
        assert read_all(client).startswith(b"HTTP/1.1 400 ")
        wait_until(lambda: site.daemon.get_connections() == 0)


def test_http_1_0_closes_unless_asked_to_stay(site: Site) -> None:
    with site.connect() as client:
        client.sendall(get("/a.txt", version="1.0"))
        assert b"Connection: close" in read_all(client)
    with site.connect() as client:
        client.sendall(get("/a.txt", "localhost", "Connection: keep-alive", version="1.0"))
        assert b"Connection: keep-alive" in read_until(client, b"abcdefghij")


def test_head_has_the_fields_of_get_and_no_body(site: Site) -> None:
    full, head = site.get("/a.txt"), site.get("/a.txt", method="HEAD")
    assert head.body == b"" and full.body == b"abcdefghij"
    del full.fields["date"], head.fields["date"]
    assert head.fields == full.fields


def test_rfc_9110_10_1_1_a_client_that_expects_100_gets_it_before_the_body(site: Site) -> None:
    site.directory.register_object("/echo", vista.create(HttpEchoPage))
    with site.connect() as client:
        client.sendall(
            b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n"
            b"Expect: 100-continue\r\n\r\n"
        )
        assert read_until(client, b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(b"body")
        assert read_until(client, b"body").startswith(b"HTTP/1.1 201 ")


def test_rfc_9110_9_3_2_a_head_that_is_refused_before_its_body_gets_none(site: Site) -> None:
    with site.connect() as client:
        client.sendall(
            b"HEAD /nothing HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n"
            b"Expect: 100-continue\r\n\r\n"
        )
        answer = read_until(client, b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 404 ")
        assert b"\r\nConnection: close\r\n" in answer
        assert (answer[-4:], client.recv(1)) == (b"\r\n\r\n", b"")


def test_a_body_cut_anywhere_reaches_its_object_whole(site: Site) -> None:
    site.directory.register_object("/echo", vista.create(HttpEchoPage))
    with site.connect() as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        head = b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        for byte in head + b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n":
            client.sendall(bytes((byte,)))
        assert read_until(client, b"abcde").startswith(b"HTTP/1.1 201 ")


def test_a_body_over_the_bound_gets_413(tmp_path: Path) -> None:
    with served(profile=profile(tmp_path, "body_bytes_max 10")) as site:
        answer = site.get("/", method="POST", body=b"12345678901")
    assert answer.status == 413 and answer.fields["connection"] == "close"


def test_a_target_that_is_too_long_gets_414(site: Site) -> None:
    assert site.get("/" + "a" * 9000).status == 414


def test_a_head_that_comes_too_slowly_gets_408(tmp_path: Path) -> None:
    with served(profile=profile(tmp_path, "head_seconds 0.2")) as site, site.connect() as client:
        client.sendall(b"GET / HTTP/1.1\r\n")
        answer = Answer(read_all(client))
    assert answer.status == 408 and b"The head of the request came too slowly." in answer.body


def trickle(client: socket.socket, head: bytes) -> Answer:
    """The answer to a client that sends one byte more each time it has heard nothing for a moment.

    It gives up with the 300th byte.
    """
    client.settimeout(0.02)
    client.sendall(head)
    for _ in range(300):
        with contextlib.suppress(TimeoutError):
            data = client.recv(65536)
            client.settimeout(30)
            return Answer(data + read_all(client))
        client.sendall(b"a")
    raise AssertionError("it was let go on")


def test_a_head_that_comes_byte_by_byte_is_given_the_time_of_one_head(tmp_path: Path) -> None:
    with served(profile=profile(tmp_path, "head_seconds 0.3")) as site, site.connect() as client:
        assert trickle(client, b"GET / HTTP/1.1\r\nA: ").status == 408


def test_a_body_that_comes_slower_than_it_must_gets_408(tmp_path: Path) -> None:
    text = "body_idle_seconds 0.3\nbody_rate_min 10000"
    head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9999\r\n\r\n"
    with served(profile=profile(tmp_path, text)) as site, site.connect() as client:
        assert trickle(client, head).status == 408


def test_a_body_that_stops_coming_gets_408(tmp_path: Path) -> None:
    text = "body_idle_seconds 0.2"
    with served(profile=profile(tmp_path, text)) as site, site.connect() as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc")
        answer = Answer(read_all(client))
    assert answer.status == 408 and b"The body of the request came too slowly." in answer.body


def test_a_connection_without_requests_is_closed_without_a_word(tmp_path: Path) -> None:
    text = "keep_alive_seconds 0.2"
    with served(profile=profile(tmp_path, text)) as site, site.connect() as client:
        assert read_all(client) == b""


def test_a_client_that_never_reads_is_dropped(tmp_path: Path, tree: Path) -> None:
    (tree / "large").write_bytes(bytes(40_000_000))
    text = "write_idle_seconds 0.3"
    with served(tree, profile(tmp_path, text)) as site, site.connect() as client:
        client.sendall(get("/large"))
        read_until(client, b"\r\n\r\n")
        assert at_last(site.daemon.get_connections, 0) == 0


def test_a_client_that_reads_none_of_many_answers_is_dropped(tmp_path: Path, tree: Path) -> None:
    (tree / "kept").write_bytes(bytes(900_000))
    text = "write_idle_seconds 0.3"
    with served(tree, profile(tmp_path, text)) as site, site.connect() as client:
        client.sendall(get("/kept") * 100)
        read_until(client, b"\r\n\r\n")
        assert at_last(site.daemon.get_connections, 0) == 0


def sent_without_reading(client: socket.socket, data: bytes, most: int) -> int:
    """How much a server takes that is sent ``data`` again and again, ``most`` bytes at most."""
    client.settimeout(0.5)
    sent = 0
    with contextlib.suppress(TimeoutError, ConnectionError):
        while sent < most:
            sent += client.send(data)
    return sent


def test_a_client_that_sends_and_does_not_read_is_not_read_on(tree: Path) -> None:
    (tree / "kept").write_bytes(bytes(900_000))
    with served(tree) as site, site.connect() as client:
        assert sent_without_reading(client, get("/kept") * 1000, 60_000_000) < 40_000_000


def test_requests_behind_a_stream_of_events_are_not_read_on(site: Site) -> None:
    stream = vista.create(HTTPeventStream, "localhost", "/tide")
    with site.connect() as client:
        client.sendall(get("/tide"))
        wait_until(lambda: stream.get_clients() == 1)
        assert sent_without_reading(client, get("/tide") * 1000, 60_000_000) < 40_000_000


def test_a_handler_that_never_answers_gets_504(tmp_path: Path) -> None:
    with served(profile=profile(tmp_path, "request_seconds 0.2")) as site:
        site.directory.register_object("/slow", vista.create(HttpFailingPage))
        assert site.get("/slow?sleep").status == 504


@pytest.mark.parametrize("query", ["surrogate", "number", "triple", "split"])
def test_an_answer_that_cannot_be_sent_gives_500_and_the_next_request_its_own(
    site: Site, query: str
) -> None:
    site.directory.register_object("/bad", vista.create(HttpFailingPage))
    with site.connect() as client:
        client.sendall(get(f"/bad?{query}") + get("/a.txt"))
        data = read_until(client, b"abcdefghij")
    assert data.startswith(b"HTTP/1.1 500 ")


def sleeping_pages() -> list[vista.ThreadRow]:
    """The threads of the page that sleeps."""
    return [row for row in vista.threads() if row.class_name.endswith("HttpFailingPage")]


def test_a_handler_whose_thread_is_killed_gives_500(site: Site) -> None:
    site.directory.register_object("/slow", vista.create(HttpFailingPage))
    with site.connect() as client:
        client.sendall(get("/slow?sleep"))
        wait_until(lambda: sleeping_pages() != [])
        vista.kill(sleeping_pages()[0].id)
        client.sendall(get("/a.txt"))
        data = read_until(client, b"abcdefghij")
    assert data.startswith(b"HTTP/1.1 500 ")


def test_the_object_of_a_connection_goes_with_it(site: Site) -> None:
    for _ in range(20):
        site.talk(get("/a.txt"))
    wait_until(lambda: site.daemon.get_connections() == 0)
    kinds = [str(row) for row in vista.objects() if "HTTPfastReceive" in str(row)]
    assert kinds == []


def test_garbage_gets_400_and_the_connection_closes(site: Site) -> None:
    assert Answer(site.talk(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n")).status == 400


def test_a_client_that_goes_away_in_the_middle_leaves_nothing(site: Site) -> None:
    for cut in (1, 20, 40):
        with site.connect() as client:
            client.sendall(get("/a.txt")[:cut])
    assert at_last(site.daemon.get_connections, 0) == 0


def test_a_stream_whose_fields_cannot_be_sent_is_500_and_its_source_goes(site: Site) -> None:
    site.directory.register_object("/stream", vista.create(HttpBadStreamPage))
    bad, good = get("/stream"), get("/a.txt")
    first, _, rest = site.talk(bad, good).partition(b"HTTP/1.1 200 OK")
    assert Answer(first).status == 500 and rest.endswith(b"abcdefghij")
    here: Any = vista.here()
    wait_until(lambda: not here.list_objects("*HttpEndlessSource"))


def test_a_body_of_unknown_length_goes_in_chunks(site: Site) -> None:
    site.directory.register_object("/stream", vista.create(HttpStreamingPage))
    answer = site.get("/stream")
    assert answer.fields["transfer-encoding"] == "chunked"
    assert answer.body == b"6\r\npiece \r\n" * 3 + b"0\r\n\r\n"


def test_http_1_0_gets_no_chunks(site: Site) -> None:
    site.directory.register_object("/stream", vista.create(HttpStreamingPage))
    answer = Answer(site.talk(get("/stream", version="1.0")))
    assert "transfer-encoding" not in answer.fields and answer.body == b"piece " * 3


def test_a_body_shorter_than_announced_breaks_the_connection(site: Site) -> None:
    site.directory.register_object("/broken", vista.create(HttpStreamingPage, True))
    with site.connect() as client:
        client.sendall(get("/broken"))
        answer = Answer(read_all(client))
    assert (answer.fields["content-length"], len(answer.body)) == ("1000", 18)


def test_a_source_that_fails_breaks_the_connection(site: Site) -> None:
    site.directory.register_object("/failing", vista.create(HttpStreamingPage, True, True))
    with site.connect() as client:
        client.sendall(get("/failing"))
        answer = Answer(read_all(client))
    assert (answer.fields["content-length"], len(answer.body)) == ("1000", 18)


def test_a_daemon_that_is_deleted_takes_its_connections_along(site: Site) -> None:
    with site.connect() as client:
        client.sendall(get("/a.txt"))
        read_until(client, b"abcdefghij")
        vista.delete(site.daemon)
        with contextlib.suppress(ConnectionResetError):
            assert client.recv(1) == b""
    names = {row.name for row in vista.services()}
    assert "URLdirectory:localhost" not in names


def test_shutdown_closes_idle_connections_and_stops_listening(tree: Path) -> None:
    with served(tree) as site:
        with site.connect() as client:
            client.sendall(get("/a.txt"))
            read_until(client, b"abcdefghij")
            stopping = vista.future(site.daemon, "system_shutdown")
            assert client.recv(1) == b""
        # A client that stays is given time to read what was sent to it.
        stopping.result()
        with pytest.raises(ConnectionRefusedError):
            site.connect()


@pytest.mark.parametrize("fill", ["fill", "fill_system"])
def test_a_connection_without_room_does_not_end_the_listening(fill: str) -> None:
    with vista.Node("http") as node:
        daemon = vista.create(HttpSometimesFullDaemon, "-", "tcp:127.0.0.1:0", "localhost")
        site = Site(node, daemon, "localhost")
        vista.send(daemon, fill)
        with site.connect() as client:
            assert client.recv(1) == b""
        daemon.make_room()
        assert site.get("/nothing").status == 404


def test_ipv6_is_served() -> None:
    if not socket.has_ipv6 or not _has_loopback():
        pytest.skip("this machine has no IPv6")
    with served(address="tcp:[::1]:0") as site:
        site.directory.register_object("/echo", vista.create(HttpEchoPage))
        assert site.get("/echo").status == 200


def _has_loopback() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


def test_a_unix_socket_is_served(tmp_path: Path) -> None:
    path = tmp_path / "http.socket"
    with vista.Node("http"):
        daemon = vista.create(HTTPdaemon, "-", f"unix:{path}")
        page = vista.create(HttpEchoPage)
        vista.service("URLdirectory:localhost").register_object("/echo", page)
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(30)
            client.connect(str(path))
            client.sendall(get("/echo", "localhost", "Connection: close"))
            assert Answer(read_all(client)).status == 200
        vista.delete(daemon)
        assert not path.exists()
