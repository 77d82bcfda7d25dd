"""Streams of events: who listens gets them, in order, and nobody holds up the others."""

from __future__ import annotations

import contextlib
import re
import socket
from pathlib import Path

import pytest

import vista
from apps.http.content.resources import Request, Response
from apps.http.errors import AnswerError
from apps.http.objects.events import HISTORY_BYTES_MAX, HTTPeventStream
from apps.http.objects.logs import HTTPcommonLogFormat
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
from tests.http.objects.test_remote import two_nodes
from tests.http.syntax.streams import dispatched


class HttpEventTaker(vista.Object):
    """Stands for a connection to which events are pushed."""

    def create(self) -> None:
        self.ended: list[int] = []

    def push(self, number: int, data: bytes) -> None:
        pass

    def end_feed(self, number: int) -> None:
        self.ended.append(number)

    def get_ended(self) -> list[int]:
        return self.ended


class HttpTidePage(vista.Object):
    """Has its visitors listen, and tells each how things stand."""

    def create(self, stream: vista.Ref) -> None:
        self.stream = stream

    def get_request(self, request: Request) -> Response:
        answer: Response = self.stream.join(request, "2.4 m", "level")
        return answer


def stream_of(site: Site, **options: float) -> vista.Ref:
    """A stream at /tide."""
    return vista.create(HTTPeventStream, "localhost", "/tide", **options)


def listen(site: Site, stream: vista.Ref, *fields: str) -> socket.socket:
    """A client that listens."""
    before = stream.get_clients()
    client = site.connect()
    client.sendall(get("/tide", "localhost", *fields))
    read_until(client, b"retry: 3000\n\n\r\n")
    assert stream.get_clients() == before + 1
    return client


def body_of(data: bytes) -> bytes:
    """The body of a chunked answer, or the end of one."""
    return b"".join(re.findall(rb"[0-9a-f]+\r\n(.*?\n\n)\r\n", data, re.DOTALL))


def test_an_event_reaches_every_client(site: Site) -> None:
    stream = stream_of(site)
    clients = [listen(site, stream) for _ in range(5)]
    assert stream.send_event("two\nlines", event="note", id="7") == 5
    for client in clients:
        with client:
            data = read_until(client, b"lines\n\n")
            assert dispatched(body_of(data + b"\r\n")) == [("note", "two\nlines", "7")]


def test_the_head_says_what_it_is(site: Site) -> None:
    stream_of(site)
    with site.connect() as client:
        client.sendall(get("/tide"))
        answer = Answer(read_until(client, b"\n\n\r\n"))
    assert answer.status == 200
    assert answer.fields["content-type"] == "text/event-stream"
    assert answer.fields["cache-control"] == "no-store"
    assert answer.fields["transfer-encoding"] == "chunked"
    assert answer.fields["x-accel-buffering"] == "no"


def test_events_arrive_in_the_order_they_were_sent(site: Site) -> None:
    stream = stream_of(site)
    with listen(site, stream) as client:
        for number in range(200):
            stream.send_event(str(number))
        data = read_until(client, b"data: 199\n\n") + b"\r\n"
    assert [text for _, text, _ in dispatched(body_of(data))] == [str(n) for n in range(200)]


def missed_by(site: Site, stream: vista.Ref, last: str) -> list[bytes]:
    """What a client gets at once that names the event it saw last."""
    with site.connect() as client:
        client.sendall(get("/tide", "localhost", f"Last-Event-ID: {last}"))
        data = read_until(client, b"retry: 3000\n\n")
        vista.delete(stream)
        data += read_until(client, b"0\r\n\r\n")
    return re.findall(rb"data: (\w+)", data)


def test_a_client_that_comes_back_names_an_event_by_its_number(site: Site) -> None:
    stream = stream_of(site)
    with listen(site, stream) as client:
        stream.send_event("one")
        found = re.search(rb"id: (\S+)\n", read_until(client, b"one\n\n"))
    assert found is not None
    stream.send_event("two")
    stream.send_event("three")
    assert missed_by(site, stream, found[1].decode()) == [b"two", b"three"]


def test_the_last_event_brings_nothing_back(site: Site) -> None:
    stream = stream_of(site)
    for text in ("one", "two"):
        stream.send_event(text, id=text)
    assert missed_by(site, stream, "two") == []


def test_an_id_that_is_not_known_brings_nothing_back(site: Site) -> None:
    stream = stream_of(site)
    stream.send_event("one", id="1")
    assert missed_by(site, stream, "another") == []


@pytest.mark.parametrize(("last", "missed"), [("one", []), ("two", [b"three"])])
def test_the_history_is_bounded_by_number(site: Site, last: str, missed: list[bytes]) -> None:
    stream = stream_of(site, history_max=2)
    for text in ("one", "two", "three"):
        stream.send_event(text, id=text)
    assert missed_by(site, stream, last) == missed


@pytest.mark.parametrize(("last", "missed"), [("0", 0), ("2", 2)])
def test_the_history_is_bounded_by_bytes(site: Site, last: str, missed: int) -> None:
    stream = stream_of(site)
    for number in range(5):
        stream.send_event("x" * (HISTORY_BYTES_MAX // 4), id=str(number))
    assert len(missed_by(site, stream, last)) == missed


def test_without_a_history_events_have_no_id(site: Site) -> None:
    stream = stream_of(site, history_max=0)
    with listen(site, stream) as client:
        stream.send_event("one")
        assert b"id:" not in read_until(client, b"one\n\n")


def test_a_page_may_have_its_visitors_listen_and_tell_them_how_things_stand(site: Site) -> None:
    stream = vista.create(HTTPeventStream)
    site.directory.register_object("/page", vista.create(HttpTidePage, stream))
    with site.connect() as client:
        client.sendall(get("/page"))
        data = read_until(client, b"2.4 m\n\n")
        assert b"event: level\ndata: 2.4 m" in data
        stream.send_event("2.5 m", "level")
        read_until(client, b"2.5 m\n\n")


def test_a_client_that_goes_is_forgotten(site: Site) -> None:
    stream = stream_of(site)
    listen(site, stream).close()
    assert at_last(lambda: stream.send_event("x"), 0) == 0


def test_silence_is_broken_by_comments(site: Site) -> None:
    stream = stream_of(site, heartbeat_seconds=0.1)
    with listen(site, stream) as client:
        read_until(client, b":\n\n")
        stream.send_event("x")
        assert b"data: x" in read_until(client, b"data: x\n\n")


def test_without_clients_nothing_beats(site: Site) -> None:
    stream = stream_of(site, heartbeat_seconds=0.1)
    listen(site, stream).close()
    wait_until(lambda: stream.get_clients() == 0)

    def beats() -> list[str]:
        return [row.class_name for row in vista.objects() if "RepeatingTimer" in row.class_name]

    assert at_last(beats, []) == []


def test_a_client_that_does_not_read_is_dropped_and_the_others_are_served(site: Site) -> None:
    stream = stream_of(site, history_max=0)
    with listen(site, stream) as slow, listen(site, stream) as quick:
        for number in range(400):
            stream.send_event(f"{number} " + "x" * 50_000)
            read_until(quick, b"x\n\n\r\n")
            if stream.get_clients() == 1:
                break
        wait_until(lambda: stream.get_clients() == 1)
        stream.send_event("last")
        read_until(quick, b"last\n\n")
        with contextlib.suppress(ConnectionResetError):
            assert b"last" not in read_all(slow)


def test_the_end_of_the_stream_is_the_end_of_the_body_and_not_of_the_connection(
    site: Site,
) -> None:
    stream = stream_of(site)
    with listen(site, stream) as client:
        vista.delete(stream)
        read_until(client, b"0\r\n\r\n")
        client.sendall(get("/a.txt"))
        assert b"200 OK" in read_until(client, b"abcdefghij")
        assert site.get("/tide").status == 404


def test_a_request_behind_the_stream_waits_for_its_end(site: Site) -> None:
    stream = stream_of(site)
    with site.connect() as client:
        client.sendall(get("/tide") + get("/a.txt"))
        wait_until(lambda: stream.get_clients() == 1)
        stream.send_event("x")
        vista.delete(stream)
        data = read_until(client, b"abcdefghij")
    assert data.index(b"data: x") < data.index(b"0\r\n\r\n") < data.index(b"abcdefghij")


def test_draining_ends_the_streams(site: Site) -> None:
    stream = stream_of(site)
    with listen(site, stream) as client:
        site.daemon.system_shutdown.post()
        assert read_all(client).endswith(b"0\r\n\r\n")
    wait_until(lambda: stream.get_clients() == 0)


def test_no_thread_waits_for_clients_that_listen(site: Site) -> None:
    stream = stream_of(site)
    with listen(site, stream), listen(site, stream):
        assert [row for row in vista.threads() if "HTTP" in str(row)] == []


def test_head_gets_the_fields_and_nobody_listens(site: Site) -> None:
    stream = stream_of(site)
    answer = site.get("/tide", method="HEAD")
    assert (answer.status, answer.body) == (200, b"")
    assert answer.fields["content-type"] == "text/event-stream"
    assert stream.get_clients() == 0


def test_a_client_of_http_1_0_gets_the_events_without_chunks(site: Site) -> None:
    stream = stream_of(site)
    with site.connect() as client:
        client.sendall(get("/tide", version="1.0"))
        read_until(client, b"retry: 3000\n\n")
        wait_until(lambda: stream.get_clients() == 1)
        stream.send_event("x", id="1")
        vista.delete(stream)
        assert read_all(client) == b"id: 1\ndata: x\n\n"


def test_too_many_clients_are_told_to_come_again(site: Site) -> None:
    stream = stream_of(site, clients_max=1)
    with listen(site, stream):
        answer = site.get("/tide")
    assert answer.status == 503 and answer.fields["retry-after"] == "10"


def test_one_more_client_than_may_that_was_led_to_the_stream_is_sent_off() -> None:
    with vista.Node("events"):
        stream, taker = vista.create(HTTPeventStream, clients_max=1), vista.create(HttpEventTaker)
        for number in (1, 2):  # both have been told to listen before one did
            stream.feed_opened(("", b""), taker, number)
        wait_until(lambda: taker.get_ended() == [2])
        assert stream.get_clients() == 1


def test_a_client_whose_connection_is_gone_without_a_word_is_forgotten() -> None:
    with vista.Node("events"):
        stream = vista.create(HTTPeventStream, heartbeat_seconds=0.02)
        taker = vista.create(HttpEventTaker)
        stream.feed_opened(("", b""), taker, 1)
        assert stream.get_clients() == 1
        vista.delete(taker)
        wait_until(lambda: stream.get_clients() == 0)


def test_a_line_break_in_the_name_of_an_event_is_refused(site: Site) -> None:
    stream = stream_of(site)
    with pytest.raises(AnswerError, match=r"without line breaks"):
        stream.send_event("x", event="a\ndata: b")


def test_a_stream_without_a_heartbeat_is_refused() -> None:
    with vista.Node("events"), pytest.raises(vista.BadValueError, match=r"heartbeat_seconds"):
        vista.create(HTTPeventStream, heartbeat_seconds=0)


def test_a_stream_is_logged_when_it_ends(tree: Path, tmp_path: Path) -> None:
    with served(tree) as site:
        log = vista.create(HTTPcommonLogFormat, str(tmp_path / "log"), "localhost")
        stream = stream_of(site)
        with listen(site, stream) as client:
            stream.send_event("x", id="1")
            read_until(client, b"data: x\n\n")
            assert (tmp_path / "log").read_text() == ""
        wait_until(lambda: stream.get_clients() == 0)
        vista.delete(log)
    pushed = len("retry: 3000\n\nid: 1\ndata: x\n\n")
    lines = re.findall(r'"(.*)" (\d+) (\d+)', (tmp_path / "log").read_text())
    assert lines == [("GET /tide HTTP/1.1", "200", str(pushed))]


def test_a_stream_may_live_on_another_node() -> None:
    with two_nodes() as (site, _, creator):
        stream = vista.create(HTTPeventStream, at=creator)
        site.directory.register_object("/tide", stream)
        with listen(site, stream) as client:
            stream.send_event("from afar")
            assert b"data: from afar\n" in read_until(client, b"\n\n")
        assert at_last(stream.get_clients, 0) == 0


def test_the_loss_of_the_streams_node_ends_the_answer(tmp_path: Path) -> None:
    (tmp_path / "p").write_text("write_idle_seconds 0.2")
    with two_nodes(str(tmp_path / "p")) as (site, far, creator):
        stream = vista.create(HTTPeventStream, at=creator)
        site.directory.register_object("/tide", stream)
        with listen(site, stream) as client:
            far.stop()
            with contextlib.suppress(ConnectionResetError):
                assert b"data:" not in read_all(client)
        assert at_last(site.daemon.get_connections, 0) == 0
