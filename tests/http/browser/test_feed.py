"""Pages that are kept live: the parts that changed, to everybody who has the page open."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from urllib.parse import quote

import pytest

import vista
from apps.http.browser.bounds import LIVE_MAX
from tests.http.browser.visitor import BrowsedLamp, Visitor, visited
from tests.http.objects.served import get, read_until


class Listening:
    """A client of a feed, which takes the events apart."""

    def __init__(self, client: socket.socket) -> None:
        self._client = client
        self._data = b""
        self.head = self._until(b"\r\n\r\n")

    def _until(self, end: bytes) -> bytes:
        while end not in self._data:
            piece = self._client.recv(65_536)
            assert piece, f"closed after {self._data!r}"
            self._data += piece
        found, _, self._data = self._data.partition(end)
        return found

    def event(self) -> tuple[str, Any]:
        """The name and the data of the next event."""
        while True:
            lines = self._until(b"\n\n").decode().split("\n")
            fields = dict(line.split(": ", 1) for line in lines if ": " in line and line[0] != ":")
            if "data" in fields:
                return fields["event"], json.loads(fields["data"])

    def parts(self, number: int) -> dict[str, str]:
        """The next so many events, which are parts."""
        found = {}
        for _ in range(number):
            name, data = self.event()
            assert name == "part"
            found[data["id"]] = data["markup"]
        return found

    def assert_ends(self) -> None:
        """Wait until the server ends the answer; fails where it closes without."""
        if b"0\r\n\r\n" not in self._data:
            read_until(self._client, b"0\r\n\r\n")


@contextmanager
def listening(visitor: Visitor, view: str) -> Iterator[Listening]:
    """A client that listens to a page."""
    with visitor.site.connect() as client:
        address = f"/browser/live?view={quote(view, safe='')}"
        client.sendall(get(address, "localhost", f"Cookie: {visitor.cookie}"))
        yield Listening(client)


def feeds() -> list[vista.Ref]:
    """The feeds there are."""
    return [vista.ref_of(row.id) for row in vista.here().list_objects("HTTP.HTTPbrowserFeed")]


def view_of(lamp: vista.Ref) -> str:
    """The page of an object."""
    return f"/object/{vista.id_of(lamp)}"


def test_who_listens_gets_every_part_once() -> None:
    with visited() as visitor, listening(visitor, "/") as client:
        assert b"text/event-stream" in client.head
        assert sorted(client.parts(3)) == ["network", "nodes", "totals"]


def test_then_only_what_changed() -> None:
    with visited() as visitor:
        lamp = vista.create(BrowsedLamp, 60)
        with listening(visitor, view_of(lamp)) as client:
            client.parts(4)
            lamp.dim(18)
            feeds()[0].look()
            (changed,) = client.parts(1).items()
        assert changed[0] == "variables" and ">42</pre>" in changed[1]


def test_those_who_have_the_same_page_open_share_a_feed() -> None:
    with visited() as visitor:
        lamp = vista.create(BrowsedLamp, 60)
        with listening(visitor, view_of(lamp)) as one, listening(visitor, view_of(lamp)) as other:
            one.parts(4)
            other.parts(4)
            (feed,) = feeds()
            assert feed.get_clients() == 2


def test_an_object_that_is_gone_is_told() -> None:
    with visited() as visitor:
        lamp = vista.create(BrowsedLamp)
        with listening(visitor, view_of(lamp)) as client:
            client.parts(4)
            vista.delete(lamp)
            feeds()[0].look()
            assert client.event() == ("trouble", "The object is gone")


def test_a_part_that_is_too_long_is_to_be_fetched() -> None:
    with visited() as visitor:
        lamp = vista.create(BrowsedLamp)
        for number in range(30):
            vista.create(BrowsedLamp, {f"{number}": ["x" * 60] * 60})
        wide = vista.create(BrowsedWide)
        with listening(visitor, view_of(wide)) as client:
            assert client.parts(4)["variables"] is None
        assert vista.class_of(lamp).name == "BrowsedLamp"


class BrowsedWide(vista.Object):
    """Has many variables."""

    def create(self) -> None:
        for number in range(100):
            setattr(self, f"variable_{number}", "x" * 3_000)


def test_the_stream_ends_with_the_session() -> None:
    with visited() as visitor, listening(visitor, "/") as client:
        client.parts(3)
        visitor.post("/leave", csrf=visitor.csrf)
        (feed,) = feeds()
        feed.look.future().exception()
        client.assert_ends()


def test_a_feed_that_nobody_listens_to_ends() -> None:
    with visited() as visitor:
        with listening(visitor, "/") as client:
            client.parts(3)
        (feed,) = feeds()
        for _ in range(10_000):
            if feed.look.future().exception() is not None:
                break
        assert feeds() == []
        assert visitor.service.extract_instance_variables("feeds") == {"feeds": {}}


def test_there_is_a_bound_on_feeds() -> None:
    with visited() as visitor, ExitStack() as open_clients:
        for number in range(LIVE_MAX):
            client = open_clients.enter_context(listening(visitor, f"/{number}"))
            assert b"200 OK" in client.head
        answer = visitor.get("/live?view=/")
        assert answer.status == 503 and "retry-after" in answer.fields


def test_nobody_listens_who_only_sends_messages_to_the_node() -> None:
    with visited() as visitor, listening(visitor, "/") as client:
        client.parts(3)
        (feed,) = feeds()
        for message, arguments in (("feed_opened", (("", b""), feed, 1)), ("look", ())):
            with pytest.raises(vista.AccessDenied):
                visitor.site.node.call(vista.send, feed, message, *arguments, user="mallory")


def test_the_streams_end_when_the_node_is_to_stop() -> None:
    with visited() as visitor, listening(visitor, "/") as client:
        client.parts(3)
        visitor.service.system_shutdown()
        client.assert_ends()
        assert feeds() == []


@pytest.mark.parametrize("view", ["", "/nothing", "/object/x", "/find?q=x", "x" * 5_000])
def test_a_page_that_is_not_there_has_trouble_and_no_parts(view: str) -> None:
    with visited() as visitor, listening(visitor, view) as client:
        name, _ = client.event() if view else ("part", None)
        assert name == ("trouble" if view else "part")
