"""What becomes of requests when something fails beside them: disk, pages, loaders, directories.

Each gets an answer with the status that fits, and nothing is left of it.
"""

from __future__ import annotations

import errno
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from h2.errors import ErrorCodes

import vista
from apps.http.content.disk import OpenFile
from apps.http.content.resources import Feed, Request, Response
from apps.http.objects import files, metrics
from apps.http.objects.cached import HTTPpurgeCache
from apps.http.objects.daemon import HTTPdaemon
from apps.http.objects.entries import CHECK_SECONDS
from apps.http.objects.health import HTTPhealth
from apps.http.objects.loader import URLfileLoader
from apps.http.objects.logs import HTTPcommonLogFormat
from apps.http.objects.metrics import HTTPmetrics
from apps.http.objects.sessions import HTTPcreateApplicationSession
from tests.http.objects.counts import Counts
from tests.http.objects.h2client import h2_client
from tests.http.objects.pages import HttpEchoPage, HttpEndlessSource
from tests.http.objects.served import Answer, Site, at_last, get, read_all, served, wait_until
from tests.http.objects.test_http2 import profiled
from tests.http.objects.test_websocket_http2 import ask as ask_for_socket

AHEAD = int(time.time()) + 3600
"""A moment of a disk whose clock is ahead: files are young for as long as a test may take."""
LONG_AGO = 1_000_000_000
"""A moment at which files were changed that have rested since."""
PARTS = ("first", "second")
"""The names of what a page includes."""


class HttpOddAnswerPage(vista.Object):
    """Answers with what its author should not have written."""

    def create(self, **given: Any) -> None:
        self.given = given

    def get_request(self, request: Request) -> Response:
        given = {"body": "x", **self.given}
        if given.get("source") == "three pieces":
            given["source"] = vista.create(HttpEndlessSource, 3)
        return Response(**given)


class HttpBadFeed(vista.Object):
    """A feed that fails as it begins, or at the first thing that its client sends."""

    def create(self, begins: bool = False) -> None:
        self.begins = begins
        self.closed = 0

    def get_request(self, request: Request) -> Response:
        return Response(source=Feed(vista.self_ref(self)))

    def websocket_request(self, request: Request, socket: vista.Ref) -> Response:
        return Response(status=101, source=Feed(vista.self_ref(self), takes_input=True))

    def feed_opened(self, note: object, receiver: vista.Ref, number: int) -> None:
        if not self.begins:
            raise KeyError("a mistake of the author")

    def feed_data(self, receiver: vista.Ref, number: int, data: bytes) -> None:
        raise KeyError("a mistake of the author")

    def feed_closed(self, receiver: vista.Ref, number: int) -> None:
        self.closed += 1

    def get_closed(self) -> int:
        return self.closed


class HttpSizelessFile(vista.Object):
    """A class for the files of a loader that does not say how large its objects are."""

    def create(self, *given: object) -> None:
        pass

    def get_request(self, request: Request) -> str:
        return "sizeless"


class HttpHungTeller(vista.Object):
    """Never tells its figures."""

    def create(self, number: int) -> None:
        vista.register_service(f"Figures:{number}", self)

    def get_figures(self) -> None:
        vista.sleep(1000)


class HttpSlowSession(vista.Object):
    """An application whose session is over before it is there."""

    def create(self, directory: Any, session_id: str, registry: vista.Ref, address: str) -> None:
        for _ in range(3000):
            vista.sleep(0.01)
            registry.timer_expired()
            if not registry.get_sessions():
                return
        raise AssertionError("the session never ended")


class HttpBusyThing(vista.Object):
    """Is at work until it is told, and takes a message or two meanwhile."""

    def create(self) -> None:
        self.over = False

    @vista.preemptable
    def end(self) -> None:
        self.over = True

    @vista.exclusive
    def work(self) -> None:
        while not self.over:
            vista.sleep(0.01)

    def check_health(self) -> None:
        pass


def write(path: Path, text: str, changed: int = LONG_AGO) -> None:
    """Write a file at a moment of the disk's clock."""
    path.write_text(text)
    os.utime(path, (changed, changed))


def descriptors() -> int:
    """How many descriptors the process has."""
    return len(os.listdir("/proc/self/fd"))


# --- files that change ----------------------------------------------------------------------


@pytest.mark.parametrize("field", ["", "Accept-Encoding: gzip"])
def test_a_file_written_twice_in_one_step_of_the_disks_clock_is_sent_as_it_is(
    field: str, site: Site, tree: Path
) -> None:
    name = tree / ("a.txt.gz" if field else "a.txt")
    write(name, "first text", AHEAD)
    for _ in range(2):
        assert site.get("/a.txt", field).body == b"first text"
    write(name, "later text", AHEAD)
    site.directory.find("GET", "/a.txt").check_if_still_valid()
    assert site.get("/a.txt", field).body == b"later text"


def test_what_a_page_includes_may_be_written_twice_in_one_step_of_the_disks_clock(
    site: Site, tree: Path
) -> None:
    write(tree / "part.html", "one", AHEAD)
    (tree / "page.shtml").write_text('[<!--#include file="part.html" -->]')
    assert site.get("/page.shtml").body == b"[one]"
    write(tree / "part.html", "two", AHEAD)
    vista.sleep(CHECK_SECONDS)
    assert site.get("/page.shtml").body == b"[two]"


def test_a_page_is_made_anew_that_changed_before_it_was_purged(site: Site, tree: Path) -> None:
    write(tree / "page.shtml", "old")
    assert site.get("/page.shtml").body == b"old"
    write(tree / "page.shtml", "changed")
    vista.create(HTTPpurgeCache, 30, "localhost").timer_expired()
    site.directory.find("GET", "/page.shtml").class_of()  # it has been looked at
    assert site.get("/page.shtml").body == b"changed"


def test_what_a_page_includes_is_looked_at_however_often_it_is_purged(
    site: Site, tree: Path
) -> None:
    write(tree / "part.html", "old")
    write(tree / "page.shtml", '[<!--#include file="part.html" -->]')
    assert site.get("/page.shtml").body == b"[old]"
    write(tree / "part.html", "changed")
    vista.sleep(CHECK_SECONDS)
    site.directory.find("GET", "/page.shtml").check_if_still_valid()
    assert site.get("/page.shtml").body == b"[changed]"


def test_what_changes_while_the_rest_of_a_page_is_read_has_it_made_anew(
    site: Site, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tree / "first.html", "old")
    write(tree / "second.html", "the second part")
    write(tree / "page.shtml", "".join(f'<!--#include file="{n}.html" -->' for n in PARTS))
    read_ready = OpenFile.read_ready

    def change_first(file: OpenFile, start: int, count: int) -> bytes | None:
        if file.size == len("the second part"):
            write(tree / "first.html", "changed")
        return read_ready(file, start, count)

    monkeypatch.setattr(OpenFile, "read_ready", change_first)
    assert site.get("/page.shtml").body == b"oldthe second part"
    vista.sleep(CHECK_SECONDS)
    assert site.get("/page.shtml").body == b"changedthe second part"


def test_a_page_made_of_includes_counts_for_what_is_kept(site: Site, tree: Path) -> None:
    write(tree / "part.html", "x" * 100_000)
    write(tree / "page.shtml", '<!--#include file="part.html" -->' * 5)
    site.get("/page.shtml")
    assert site.directory.get_cached_bytes() > 500_000


def test_a_page_for_one_request_only_is_not_kept(site: Site, tree: Path) -> None:
    write(tree / "part.html", "x" * 100_000)
    write(tree / "page.shtml", '<!--#include file="part.html" --><!--#echo var="QUERY_STRING" -->')
    site.get("/page.shtml?a")
    assert site.directory.get_cached_bytes() < 100_000


@pytest.mark.parametrize("name", ["a.txt", "page.shtml"])
def test_what_is_kept_is_looked_at_though_the_clock_was_set_back(
    name: str, site: Site, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tree / name, "old")
    for _ in range(3):
        assert site.get(f"/{name}").body == b"old"
    write(tree / name, "changed")
    back = time.time() - 7200
    monkeypatch.setattr(time, "time", lambda: back)
    assert site.get(f"/{name}").body == b"changed"


# --- disks that fail ------------------------------------------------------------------------


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Have files be read with these errors of the system, one after the other."""
    errors: list[int] = []
    read_ready = OpenFile.read_ready

    def fail(file: OpenFile, start: int, count: int) -> bytes | None:
        if errors:
            raise OSError(errors.pop(), "the disk")
        return read_ready(file, start, count)

    monkeypatch.setattr(OpenFile, "read_ready", fail)
    yield errors


@pytest.mark.parametrize("field", ["", "Accept-Encoding: gzip"])
@pytest.mark.parametrize(("error", "status"), [(errno.EIO, 500), (errno.EMFILE, 503)])
def test_a_disk_that_fails_when_a_file_is_read_is_500_and_too_many_files_503(
    error: int, status: int, field: str, site: Site, failing: list[int]
) -> None:
    failing.append(error)
    answer = site.get("/a.txt", field)
    assert answer.status == status
    assert (answer.fields.get("retry-after") == "1") == (status == 503)
    assert site.get("/a.txt", field).status == 200


@pytest.mark.parametrize(("error", "status"), [(errno.EIO, 500), (errno.EMFILE, 503)])
def test_a_disk_that_fails_when_a_kept_file_is_read_anew(
    error: int, status: int, site: Site, tree: Path, failing: list[int]
) -> None:
    for _ in range(2):
        site.get("/a.txt")
    write(tree / "a.txt", "anew")
    failing.append(error)
    vista.sleep(CHECK_SECONDS)
    assert site.get("/a.txt").status == status
    assert site.get("/a.txt").body == b"anew"


@pytest.fixture
def failing_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the disk fail at whatever does not begin a file."""
    read_ready = OpenFile.read_ready

    def fail(file: OpenFile, start: int, count: int) -> bytes | None:
        if start:
            raise OSError(errno.EIO, "the disk")
        return read_ready(file, start, count)

    monkeypatch.setattr(OpenFile, "read_ready", fail)


@pytest.mark.usefixtures("failing_later")
def test_a_disk_that_fails_in_the_middle_of_a_file_breaks_its_answer_off(
    site: Site, tree: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tree / "large").write_bytes(bytes(2_000_000))
    for path in ("/a.txt", "/a.txt", "/nothing"):  # what is loaded once is loaded
        site.get(path)
    counts = Counts(site.node)
    with site.connect() as client:
        client.sendall(get("/large"))
        data = read_all(client)
    answer = Answer(data)
    assert (answer.status, answer.fields["content-length"]) == (200, "2000000")
    assert 0 < len(answer.body) < 2_000_000
    assert "/large: the body broke off: " in caplog.text
    assert site.get("/a.txt").status == 200
    site.directory.delete_obsolete(0, 1_000_000)  # the objects of both files go
    assert counts.left() == {}


@pytest.mark.usefixtures("failing_later")
def test_over_http_2_a_disk_that_fails_in_the_middle_of_a_file_ends_its_stream_only(
    tmp_path: Path, tree: Path
) -> None:
    (tree / "large").write_bytes(bytes(2_000_000))
    with served(tree, profiled(tmp_path)) as site, h2_client(site) as client:
        got = client.get("/large")
        assert (got.status, got.reset) == (200, ErrorCodes.INTERNAL_ERROR)
        assert client.get("/a.txt").status == 200


def test_a_large_file_that_cannot_be_included_is_closed(site: Site, tree: Path) -> None:
    (tree.parent / "more").mkdir()
    (tree.parent / "more" / "large.html").write_bytes(bytes(2_000_000))
    more = str(tree.parent / "more")
    vista.create(URLfileLoader, "localhost", "HTTPcachedFile", "/more", None, more)
    write(tree / "page.shtml", '<!--#include virtual="/more/large.html" -->')
    assert b"error" in site.get("/page.shtml").body
    here: Any = vista.here()
    wait_until(lambda: not here.list_objects("*HTTPfileBody"))


def test_a_body_that_nobody_reads_any_longer_is_closed(
    site: Site, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tree / "large").write_bytes(bytes(2_000_000))
    page = site.directory.find("GET", "/large")
    here: Any = vista.here()
    # As for a node that is lost: who has asked deletes nothing.
    body = page.get_request(Request("GET", "/large")).source
    assert len(body.read_bytes(10)) == 10
    vista.delete(body)
    monkeypatch.setattr(files, "UNREAD_SECONDS", 0.02)
    assert page.get_request(Request("GET", "/large")).source is not None
    wait_until(lambda: not here.list_objects("*HTTPfileBody"))


# --- objects that are gone ------------------------------------------------------------------


def more_files(tree: Path, text: str) -> vista.Ref:
    """A loader of its own for /more, with one file."""
    place = tree.parent / text
    place.mkdir()
    (place / "a.txt").write_text(text)
    return vista.create(URLfileLoader, "localhost", "HTTPcachedFile", "/more", None, str(place))


def test_a_loader_that_is_deleted_serves_nothing_more(site: Site, tree: Path) -> None:
    loader = more_files(tree, "more")
    for _ in range(3):
        assert site.get("/more/a.txt").body == b"more"
    vista.delete(loader)
    wait_until(lambda: site.get("/more/a.txt").status == 404)
    assert site.get("/more/b.txt").status == 404


def test_what_one_loader_served_is_served_by_the_one_in_its_place(site: Site, tree: Path) -> None:
    more_files(tree, "more")
    for _ in range(3):
        assert site.get("/more/a.txt").body == b"more"
    more_files(tree, "others")
    assert site.get("/more/a.txt").body == b"others"


def test_a_site_whose_directory_is_gone_answers_500_and_others_as_before(site: Site) -> None:
    address = site.daemon.get_address()
    vista.create(HTTPdaemon, "-", address, "other.example", True)
    vista.create(HttpEchoPage, "other.example", "/echo")
    site.get("/a.txt")
    before = descriptors()
    vista.delete(site.directory)
    for _ in range(3):
        assert site.get("/a.txt").status == 500
        assert Answer(site.talk(get("/echo", "other.example"))).status == 200
    wait_until(lambda: descriptors() <= before)


def test_a_further_site_whose_directory_is_gone_answers_500(site: Site) -> None:
    address = site.daemon.get_address()
    vista.create(HTTPdaemon, "-", address, "other.example", True)
    vista.delete(vista.service("URLdirectory:other.example"))
    answers = site.talk(get("/a.txt", "other.example"), get("/a.txt"))
    assert answers.startswith(b"HTTP/1.1 500 ") and answers.endswith(b"abcdefghij")


def test_a_site_that_could_not_be_made_leaves_nothing_in_its_way(tmp_path: Path) -> None:
    profile = tmp_path / "http.profile"
    with vista.Node("http") as node:
        before = descriptors()
        profile.write_text('protected /staff "no\u00ebl \u20ac" passwords\n')
        with pytest.raises(vista.BadValueError):
            vista.create(HTTPdaemon, str(profile), "tcp:127.0.0.1:0", "localhost")
        wait_until(lambda: descriptors() <= before)
        profile.write_text("")
        daemon = vista.create(HTTPdaemon, str(profile), "tcp:127.0.0.1:0", "localhost")
        assert Site(node, daemon, "localhost").get("/nothing").status == 404


def test_an_application_that_is_made_after_its_session_has_ended_goes_too(site: Site) -> None:
    application = ("localhost", "/bridge", "HttpSlowSession", None, None, 0.05)
    vista.create(HTTPcreateApplicationSession, *application)
    assert site.get("/bridge").status == 503
    here: Any = vista.here()
    wait_until(lambda: not here.list_objects("*HttpSlowSession"))


def test_the_guards_of_a_profile_go_with_their_site(tmp_path: Path) -> None:
    profile = tmp_path / "http.profile"
    profile.write_text("protected /staff harbour passwords\n")
    with served(profile=str(profile)) as site:
        here: Any = vista.here()
        assert len(here.list_objects("*HTTPprotectedDirectory")) == 1
        vista.delete(site.daemon)
        wait_until(lambda: not here.list_objects("*HTTPprotectedDirectory"))


def test_an_object_that_does_not_say_its_size_is_not_left_behind(site: Site, tree: Path) -> None:
    vista.create(URLfileLoader, "localhost", "HttpSizelessFile", "/sizeless", None, str(tree))
    assert site.get("/sizeless/a.txt").status == 500
    here: Any = vista.here()
    wait_until(lambda: not here.list_objects("*HttpSizelessFile"))


# --- pages with mistakes --------------------------------------------------------------------

ODD: dict[str, dict[str, Any]] = {
    "a field's name": {"fields": ((1, "x"),)},
    "a field's value": {"fields": (("X-Word", 1),)},
    "the fields": {"fields": 5},
    "one field": {"fields": ("X-Word",)},
    "the source": {"source": 5},
    "no source": {"source": "nobody is called so"},
    "the length": {"source": "three pieces", "length": "long"},
    "less than nothing": {"source": "three pieces", "length": -1},
    "the trailers": {"source": "three pieces", "trailers": 5},
}


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site with such a page for each mistake, and a log."""
    place = tmp_path_factory.mktemp("odd")
    (place / "http.profile").write_text("http2 cleartext\n")
    with served(profile=str(place / "http.profile")) as made:
        vista.create(HTTPcommonLogFormat, str(place / "http.log"), "localhost")
        for number, given in enumerate(ODD.values()):
            page = vista.create(HttpOddAnswerPage, **given)
            made.directory.register_object(f"/{number}", page)
        yield made


@pytest.mark.parametrize("what", ODD)
@pytest.mark.parametrize("version", ["1.1", "2"])
def test_an_answer_with_a_mistake_of_its_author_is_500(version: str, what: str, odd: Site) -> None:
    path = f"/{list(ODD).index(what)}"
    if version == "2":
        with h2_client(odd) as client:
            assert client.get(path, ("te", "trailers")).status == 500
    else:
        assert odd.get(path, "TE: trailers", "Connection: TE").status == 500
    here: Any = vista.here()
    wait_until(lambda: not here.list_objects("*HttpEndlessSource"))


@pytest.fixture
def fast(tmp_path: Path) -> Iterator[Site]:
    """A site that speaks HTTP/2 without TLS, one request at a time."""
    profile = tmp_path / "http.profile"
    profile.write_text("http2 cleartext\nhttp2_streams_max 1\n")
    with served(profile=str(profile)) as made:
        made.directory.register_object("/echo", vista.create(HttpEchoPage))
        yield made


def test_over_http_2_a_feed_that_fails_as_it_begins_ends_its_stream(fast: Site) -> None:
    page = vista.create(HttpBadFeed)
    fast.directory.register_object("/bad", page)
    with h2_client(fast) as client:
        assert client.get("/bad").reset == ErrorCodes.INTERNAL_ERROR
        assert client.get("/echo").status == 200
    wait_until(lambda: page.get_closed() == 1)


def test_over_http_2_a_feed_that_fails_at_what_it_is_sent_ends_its_stream(fast: Site) -> None:
    page = vista.create(HttpBadFeed, True)
    fast.directory.register_object("/bad", page)
    with h2_client(fast) as client:
        number, _ = ask_for_socket(client, "/bad")
        client.send(number, b"anything", end=False)
        assert client.answer(number).reset == ErrorCodes.INTERNAL_ERROR
        assert client.get("/echo").status == 200
    wait_until(lambda: page.get_closed() == 1)


def test_a_feed_that_fails_as_it_begins_ends_its_connection(site: Site) -> None:
    page = vista.create(HttpBadFeed)
    site.directory.register_object("/bad", page)
    with site.connect() as client:
        client.sendall(get("/bad"))
        assert not read_all(client).endswith(b"0\r\n\r\n")  # it broke off, and is seen to have
    assert at_last(page.get_closed, 1) == 1


def test_trailers_reach_who_asks_though_the_site_adds_fields(site: Site) -> None:
    page = vista.create(HttpOddAnswerPage, source=vista.create(HttpEchoPage), trailers=("Digest",))
    site.directory.register_object("/page", page)
    site.directory.register_new_feature("DAV: 1")
    answer = site.directory.answer_request(Request("GET", "/page"))
    assert (answer.trailers, answer.fields) == (("Digest",), (("DAV", "1"),))


def test_figures_are_told_without_those_of_who_takes_no_messages() -> None:
    limits = vista.Limits(mailbox_messages_max=50)
    with vista.Node("http", limits=limits) as node:
        daemon = vista.create(HTTPdaemon, "-", "tcp:127.0.0.1:0", "localhost")
        vista.create(HTTPmetrics, "localhost")
        thing = vista.create(HttpBusyThing)
        vista.register_service("Figures:busy", thing)
        for _ in range(51):
            vista.post(thing, "work")
        answer = Site(node, daemon, "localhost").get("/metrics")
        thing.end()
        assert answer.status == 200


def test_figures_are_waited_for_together(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "ASKED_SECONDS", 0.5)
    vista.create(HTTPmetrics, "localhost")
    for number in range(60):
        vista.create(HttpHungTeller, number)
    began = time.monotonic()
    assert site.get("/metrics").status == 200
    assert time.monotonic() - began < 60 * 0.5 / 2


def test_a_check_of_health_that_takes_no_messages_failed() -> None:
    limits = vista.Limits(mailbox_messages_max=50)
    with vista.Node("http", limits=limits) as node:
        daemon = vista.create(HTTPdaemon, "-", "tcp:127.0.0.1:0", "localhost")
        page = vista.create(HTTPhealth, "localhost", "/health")
        thing = vista.create(HttpBusyThing)
        page.add_check("busy", thing)
        for _ in range(51):
            vista.post(thing, "work")
        site = Site(node, daemon, "localhost")
        answer = site.get("/health")
        thing.end()
        told = json.loads(answer.body)
        assert (answer.status, told["status"]) == (503, "failed")
        assert "messages wait for" in told["checks"]["busy"]
