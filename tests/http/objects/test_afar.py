"""Bodies on another node than the connection end with it: its node lost, its request too late."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

import vista
from apps.http.content.resources import Feed, Request, Response
from apps.http.objects import afar, reply
from apps.http.objects.events import HTTPeventStream
from apps.http.objects.loader import URLfileLoader
from apps.http.objects.proxy import HTTPproxy
from tests.http.objects.h2client import h2_client
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
from tests.http.objects.sockets import HttpChatSocketPage, HttpEchoSocketPage, talking
from tests.http.syntax.frames import TEXT, frame

KEY = {"secret_key": b"k" * 32}
SHOP = "shop.example"
PARTS = ("AfarSource", "AfarFeeder", "HTTPreaderWatch", "RepeatingTimerEvent")
"""What there is of a body on the node that makes it."""
SECONDS_MAX = 30.0


class AfarSource(vista.Object):
    """Gives a piece each time it is asked, and ends when it is told to."""

    def create(self, gate: vista.Ref | None = None) -> None:
        self.gate = gate

    def read_bytes(self, maximum: int) -> bytes:
        if self.gate is not None and self.gate.is_open():
            return b""
        vista.sleep(0.01)
        return b"piece of a body "


class AfarGate(vista.Object):
    """Tells whether it was opened."""

    def create(self) -> None:
        self.opened = False

    def open_gate(self) -> None:
        self.opened = True

    def is_open(self) -> bool:
        return self.opened


class AfarFeeder(vista.Object):
    """Pushes one piece, and goes when its client does."""

    def create(self) -> None:
        pass

    def feed_opened(self, note: object, receiver: vista.Ref, number: int) -> None:
        receiver.push.post(number, b"first piece")

    def feed_closed(self, receiver: vista.Ref, number: int) -> None:
        vista.post(vista.self_ref(self), "delete_yourself")


class AfarPage(vista.Object):
    """Answers with a body of the kind that the query names."""

    def create(self, gate: vista.Ref | None = None) -> None:
        self.gate = gate

    def get_request(self, request: Request) -> Any:
        if request.query == "feed":
            return Response(source=Feed(vista.create(AfarFeeder)))
        source = vista.create(AfarSource, self.gate)
        if request.query == "status":
            return Response(status="200", source=source)  # type: ignore[arg-type]
        return Response(fields=(("Content-Type", "text/plain"),), source=source)


class Hold:
    """Holds up the node of a page, as a page that computes does, until the test lets go."""

    def __init__(self) -> None:
        self.begun, self.over = threading.Event(), threading.Event()


HELD: list[Hold] = []


class AfarBusyPage(vista.Object):
    """Makes its source while its node does nothing else."""

    def create(self) -> None:
        pass

    def any_request(self, request: Request) -> Response:
        HELD[-1].begun.set()
        assert HELD[-1].over.wait(SECONDS_MAX)
        return Response(source=vista.create(AfarSource))


class AfarReplyingPage(vista.Object):
    """Answers in the original's form, when it is told to."""

    def create(self) -> None:
        self.dest: Any = None

    def get_request(
        self, request_data: Any, options: Any, reply_method: str, reply_dest: Any
    ) -> None:
        self.dest = reply_dest

    def answer(self) -> bool:
        self.dest.send_result(Response(source=vista.create(AfarSource)))
        return True


class Two:
    """A site, a node with pages, and the link between them."""

    def __init__(self, site: Site, far: vista.Node, url: str) -> None:
        self.site, self.far, self.url = site, far, url
        self.link = vista.create("ConnectToPeer", url)
        self.creator = self.link.wait(SECONDS_MAX)

    def page(self, cls: type[vista.Object], *args: Any) -> vista.Ref:
        """Have a page of the other node answer for ``/far``."""
        made = vista.create(cls, *args, at=self.creator)
        self.site.directory.register_object("/far", made)
        return made

    def cut(self) -> None:
        """Have the nodes lose each other."""
        vista.delete(self.link)

    def left(self, *names: str) -> list[str]:
        """The objects of such classes on the other node."""
        rows = self.far.call(vista.objects)
        return [row.class_name for row in rows if row.class_name.endswith(names)]

    def ask(self, target: vista.Ref, message: str) -> Any:
        """What an object of the other node answers there: this node may have lost it."""
        id = vista.id_of(target)
        return self.far.call(lambda: vista.send(id, message))

    def left_at_last(self, *names: str) -> list[str]:
        """What the other node keeps of them: none once they are gone."""
        return at_last(lambda: self.left(*names), [])


@contextmanager
def two_nodes(directory: Path, *lines: str) -> Iterator[Two]:
    """A site with these lines in its profile, and another node."""
    profile = directory / "two.profile"
    profile.write_text("\n".join(("http2 cleartext", *lines)))
    far = vista.Node("far", settings=dict(KEY)).start()
    try:
        url = far.call(lambda: vista.create("AcceptPeerConnections", "tcp:127.0.0.1:0").get_url())
        with served(profile=str(profile), settings=dict(KEY)) as site:
            yield Two(site, far, url)
    finally:
        far.stop()


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Has it asked often whether a body is read."""
    monkeypatch.setattr(afar, "LOOK_SECONDS", 0.05)


@contextmanager
def reading(site: Site, version: str, query: str, end: bytes) -> Iterator[Callable[[], bytes]]:
    """A client in the midst of a body; what is yielded reads on to the end of the connection."""
    fields = ("Accept-Encoding: gzip",)
    if version == "1.1":
        with site.connect() as client:
            client.sendall(get(f"/far?{query}", "localhost", *fields))
            read_until(client, end)
            yield lambda: read_all(client)
    else:
        with h2_client(site) as h2:
            number = h2.ask(f"/far?{query}", ("accept-encoding", "gzip"))
            while len(h2.streams[number].body) < 8:
                assert h2.read()
            yield lambda: h2.answer(number).body


# --- the node of the connection is lost ------------------------------------------------------


@pytest.mark.parametrize("version", ["1.1", "2"])
@pytest.mark.parametrize("query", ["stream", "feed"])
@pytest.mark.usefixtures("often")
def test_a_body_ends_when_the_node_that_reads_it_is_lost(
    tmp_path: Path, version: str, query: str
) -> None:
    with two_nodes(tmp_path) as two:
        two.page(AfarPage)
        with reading(two.site, version, query, b"piece"):
            assert len(two.left("AfarSource", "AfarFeeder")) == 1
            wait_until(lambda: len(two.left("HTTPreaderWatch")) == 1)
            two.cut()
            assert two.left_at_last(*PARTS) == []


@pytest.mark.usefixtures("often")
def test_a_body_that_is_compressed_ends_when_the_node_that_reads_it_is_lost(
    tmp_path: Path,
) -> None:
    with two_nodes(tmp_path, "compress yes") as two:
        two.page(AfarPage)
        with reading(two.site, "1.1", "stream", b"\x1f\x8b"):
            two.cut()
            assert two.left_at_last("AfarSource", "HTTPreaderWatch") == []


@pytest.mark.usefixtures("often")
def test_events_of_another_node_forget_a_client_whose_node_is_lost(tmp_path: Path) -> None:
    with two_nodes(tmp_path) as two:
        stream = two.page(HTTPeventStream, "", "", 100, 900.0)
        with reading(two.site, "1.1", "", b"retry"):
            assert two.ask(stream, "get_clients") == 1
            wait_until(lambda: len(two.left("HTTPreaderWatch")) == 1)
            two.cut()
            wait_until(lambda: two.ask(stream, "get_clients") == 0)


@pytest.mark.usefixtures("often")
def test_who_gets_the_messages_of_a_socket_is_told_that_its_node_is_lost(tmp_path: Path) -> None:
    with two_nodes(tmp_path) as two:
        page = two.page(HttpChatSocketPage)
        with talking(two.site, path="/far") as client:
            client.send(frame(TEXT, b"hello"))
            assert client.next() == (0x80 | TEXT, b"hello")
            wait_until(lambda: len(two.left("HTTPreaderWatch")) == 1)
            two.cut()
            wait_until(lambda: two.ask(page, "get_closed") == [(1006, "")])
            assert two.left_at_last("HTTPreaderWatch") == []


def test_a_page_that_talks_with_a_socket_ends_when_its_node_is_lost(tmp_path: Path) -> None:
    with two_nodes(tmp_path) as two:
        two.page(HttpEchoSocketPage)
        with talking(two.site, path="/far") as client:
            client.send(frame(TEXT, b"hello"))
            assert client.next() == (0x80 | TEXT, b"hello")
            two.cut()

            def talks() -> bool:
                rows = two.far.call(vista.threads)
                return any(row.class_name.endswith("HttpEchoSocketPage") for row in rows)

            wait_until(lambda: not talks())


@pytest.mark.parametrize("version", ["1.1", "2"])
@pytest.mark.usefixtures("often")
def test_a_body_that_is_read_is_left_alone_and_nothing_is_left_of_it(
    tmp_path: Path, version: str
) -> None:
    with two_nodes(tmp_path) as two:
        gate = vista.create(AfarGate, at=two.creator)
        two.page(AfarPage, gate)
        with reading(two.site, version, "stream", b"piece") as rest:
            wait_until(lambda: len(two.left("HTTPreaderWatch")) == 1)
            rows = two.far.call(vista.objects)
            timer = next(row.id for row in rows if row.class_name.endswith("RepeatingTimerEvent"))
            wait_until(lambda: two.ask(vista.ref_of(timer), "get_told") >= 5)
            assert len(two.left("AfarSource")) == 1
            gate.open_gate()
            if version == "2":
                assert rest().startswith(b"piece of a body ")
        assert two.left_at_last("AfarSource", "HTTPreaderWatch", "RepeatingTimerEvent") == []


class AfarReader(vista.Object):
    """Says whether it reads, as it is told, and is read from by nobody."""

    def create(self, *says: bool) -> None:
        self.says = list(says)
        self.told: list[int] = []

    def is_reading(self, number: int) -> bool:
        return self.says.pop(0)

    def told_over(self, number: int) -> None:
        self.told.append(number)

    def get_told(self) -> tuple[list[int], list[bool]]:
        return self.told, self.says


@pytest.mark.usefixtures("often", "site")
def test_a_body_is_over_for_a_watch_when_its_reader_says_so_twice() -> None:
    reader = vista.create(AfarReader, True, False, True, False, False, True)
    vista.create(afar.HTTPreaderWatch, reader, 7, reader, "told_over", 7)
    wait_until(lambda: not [r for r in vista.objects() if r.class_name.endswith("HTTPreaderWatch")])
    assert reader.get_told() == ([7], [True])


@pytest.mark.parametrize("version", ["1.1", "2"])
@pytest.mark.usefixtures("often")
def test_a_client_that_goes_leaves_nothing_on_the_other_node(tmp_path: Path, version: str) -> None:
    with two_nodes(tmp_path) as two:
        two.page(AfarPage)
        for query in ("stream", "feed"):
            with reading(two.site, version, query, b"piece"):
                pass
        assert two.left_at_last(*PARTS) == []


def test_a_loader_of_another_node_is_asked_for_its_files_at_once(
    tmp_path: Path, tree: Path
) -> None:
    with two_nodes(tmp_path) as two:
        directory, far = two.site.directory, two.creator
        vista.create(URLfileLoader, directory, "HTTPcachedFile", "/", None, str(tree), at=far)
        assert two.site.get("/a.txt").body == b"abcdefghij"
        assert two.site.directory.get_paths() == ["/a.txt"]  # by its object, which is over there


# --- an answer that comes too late -----------------------------------------------------------


@pytest.fixture
def hold() -> Iterator[Hold]:
    """Holds up the pages of a test."""
    HELD.append(Hold())
    yield HELD[-1]
    HELD.pop().over.set()


def asked_in_vain(site: Site, path: str) -> int:
    """The status of a request whose page is held up."""
    with site.connect() as client:
        client.sendall(get(path, "localhost", "Connection: close"))
        return Answer(read_all(client)).status


@pytest.mark.parametrize("by", ["page", "proxy"])
def test_the_source_of_an_answer_that_comes_too_late_is_ended(
    tmp_path: Path, hold: Hold, by: str
) -> None:
    with two_nodes(tmp_path, "request_seconds 0.3") as two:
        if by == "page":
            two.page(AfarBusyPage)
        else:

            def open_shop() -> None:
                vista.create("AnnounceServices")
                directory = vista.create("URLdirectory", SHOP)
                directory.register_object("/far", vista.create(AfarBusyPage))

            two.far.call(open_shop)
            vista.wait_for_service(f"URLdirectory:{SHOP}", SECONDS_MAX)
            vista.create(HTTPproxy, "localhost", "/far", SHOP)
        made: list[str] = []
        with spying(made):
            assert asked_in_vain(two.site, "/far") == 504
            assert hold.begun.is_set()
            hold.over.set()
            wait_until(lambda: "made" in made)
            assert two.left_at_last("AfarSource") == []
        assert made == ["made", "deleted"]


@contextmanager
def spying(made: list[str]) -> Iterator[None]:
    """Notes that a source is made and deleted."""
    create = AfarSource.create

    def noted(self: AfarSource, gate: vista.Ref | None = None) -> None:
        made.append("made")
        create(self, gate)

    def deleted(self: AfarSource) -> None:
        made.append("deleted")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(AfarSource, "create", noted)
        patch.setattr(AfarSource, "delete", deleted, raising=False)
        yield


def test_the_source_of_a_late_reply_of_the_originals_form_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reply, "LATE_SECONDS", 1.0)
    profile = tmp_path / "late.profile"
    profile.write_text("request_seconds 0.2")
    with served(profile=str(profile)) as site:
        page = vista.create(AfarReplyingPage)
        site.directory.register_object("/late", page)
        assert asked_in_vain(site, "/late") == 504
        with suppress(vista.NoSuchObject):
            page.answer()

        def sources() -> list[Any]:
            return [row for row in vista.objects() if row.class_name.endswith("AfarSource")]

        wait_until(lambda: not sources())
        wait_until(lambda: not [r for r in vista.objects() if r.class_name.endswith("HTTPreply")])


def test_the_source_of_an_answer_that_is_none_is_ended(site: Site) -> None:
    site.directory.register_object("/page", vista.create(AfarPage))
    assert site.get("/page?status").status == 500
    wait_until(
        lambda: not [row for row in vista.objects() if row.class_name.endswith("AfarSource")]
    )
