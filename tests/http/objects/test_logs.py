"""Logs: a line for each request, of which nothing is the client's to forge."""

from __future__ import annotations

import re
import threading
from pathlib import Path

import pytest

import vista
from apps.http.objects import answering, log_lines
from apps.http.objects.daemon import HTTPdaemon
from apps.http.objects.log_lines import ITEMS
from apps.http.objects.logs import HTTPcommonLogFormat, HTTPextendedLogFormat
from tests.http.objects.h2client import h2_client
from tests.http.objects.pages import HttpEchoPage, HttpFailingPage
from tests.http.objects.served import Site, get, read_until, served, wait_until


class HttpStuckLog(vista.Object):
    """A log that takes one line, and nothing more until it is told."""

    def create(self) -> None:
        vista.register_service("HTTPlogger:localhost", vista.self_ref(self))

    def needs_fields(self) -> bool:
        return False

    @vista.native
    def log_request(self, *given: object) -> None:
        TAKES.wait()


class HttpTellingLog(vista.Object):
    """A log that says how many requests it was told of at a time; a refusing one takes none."""

    def create(self, refuses: bool = False) -> None:
        self.refuses = refuses
        self.counts: list[int] = []
        vista.register_service("HTTPlogger:localhost", vista.self_ref(self))

    def needs_fields(self) -> bool:
        return False

    def log_requests(self, told: tuple[object, ...]) -> None:
        if self.refuses:
            raise ValueError("not today")
        self.counts.append(len(told) // ITEMS)

    def get_counts(self) -> list[int]:
        return self.counts


TAKES = threading.Event()
WORDS = "GET /a?b=c HTTP/1.1"
NOW = 784_111_777.5
"""Half a second after Sun, 06 Nov 1994 08:49:37 GMT."""


def lines(path: Path, *of: str, extended: bool = False, words: str = WORDS) -> str:
    """What a log writes for one request from 10.0.0.1."""
    with vista.Node("log"):
        made = HTTPextendedLogFormat if extended else HTTPcommonLogFormat
        log = vista.create(made, str(path), "localhost", *of)
        names, values = "referer\nuser-agent", 'http://x/"y"\x07\ncat'
        log.log_request("10.0.0.1", NOW, words, names, values, 200, 12)
        vista.delete(log)
    return path.read_text()


def test_the_common_format(tmp_path: Path) -> None:
    expected = '10.0.0.1 - - [06/Nov/1994:08:49:37 +0000] "GET /a?b=c HTTP/1.1" 200 12\n'
    assert lines(tmp_path / "log") == expected


def test_header_keys_append_fields_in_quotes(tmp_path: Path) -> None:
    text = lines(tmp_path / "log", "user-agent", "Referer", "cookie")
    assert text.endswith(' 200 12 "cat" "http://x/\\"y\\"\\x07" "-"\n')


def test_a_client_cannot_begin_a_line(tmp_path: Path) -> None:
    text = lines(tmp_path / "log", words='GET /\n"x\x1b\x85 HTTP/1.1')
    assert text.count("\n") == 1 and '"GET /\\x0a\\"x\\x1b\\x85 HTTP/1.1"' in text


def test_the_extended_format_says_its_fields_first(tmp_path: Path) -> None:
    text = lines(tmp_path / "log", "date", "time", "cs-uri-query", "cs(Cookie)", extended=True)
    assert text == (
        "#Version: 1.0\n#Fields: date time cs-uri-query cs(Cookie)\n1994-11-06 08:49:37 b=c -\n"
    )


def test_an_unknown_extended_field_is_refused(tmp_path: Path) -> None:
    with pytest.raises(vista.BadValueError, match=r"no log field 'colour'; there are c-ip"):
        lines(tmp_path / "log", "colour", extended=True)


def test_reopening_goes_on_in_another_file(tmp_path: Path) -> None:
    with vista.Node("log"):
        log = vista.create(HTTPcommonLogFormat, str(tmp_path / "one"))
        log.log_request("10.0.0.1", NOW, WORDS, "", "", 200, 1)
        (tmp_path / "one").rename(tmp_path / "old")
        assert log.reopen() == 0
        log.log_request("10.0.0.1", NOW, WORDS, "", "", 200, 2)
        vista.delete(log)
    assert (tmp_path / "old").read_text().endswith(" 1\n")
    assert (tmp_path / "one").read_text().endswith(" 2\n")


def test_a_log_of_nothing_cannot_be_reopened_without_a_name(tmp_path: Path) -> None:
    with vista.Node("log"):
        log = vista.create(HTTPcommonLogFormat, "-")
        assert log.reopen() == -1
        assert log.reopen(str(tmp_path / "log")) == 0


def test_each_request_of_a_site_is_logged(tree: Path, tmp_path: Path) -> None:
    with served(tree) as site:
        log = vista.create(HTTPcommonLogFormat, str(tmp_path / "log"), "localhost")
        site.get("/a.txt?q")
        site.get("/nothing")
        site.talk(b"garbage\r\n\r\n")
        vista.delete(log)
    found = re.findall(r'"(.*)" (\d+)', (tmp_path / "log").read_text())
    assert found == [
        ("GET /a.txt?q HTTP/1.1", "200"),
        ("GET /nothing HTTP/1.1", "404"),
        ("- - -", "400"),
    ]


def test_the_log_has_the_status_that_was_sent_in_the_place_of_the_pages(
    site: Site, tmp_path: Path
) -> None:
    site.directory.register_object("/fail", vista.create(HttpFailingPage))
    log = vista.create(HTTPcommonLogFormat, str(tmp_path / "log"), "localhost")
    assert site.get("/fail?split").status == 500
    wait_until(lambda: log.get_figures()["lines"] == 1)
    log.flush()
    assert '"GET /fail?split HTTP/1.1" 500' in (tmp_path / "log").read_text()


def test_a_log_made_later_is_seen_by_connections_that_last(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answering, "SITE_SECONDS", 0.0)
    with site.connect() as client:
        client.sendall(get("/a.txt"))
        read_until(client, b"abcdefghij")
        log = vista.create(HTTPcommonLogFormat, str(tmp_path / "log"), "localhost")
        client.sendall(get("/a.txt?later"))
        read_until(client, b"abcdefghij")
        wait_until(lambda: log.get_figures()["lines"] == 1)
        log.flush()
    assert '"GET /a.txt?later HTTP/1.1" 200' in (tmp_path / "log").read_text()


def test_a_log_for_which_too_much_waits_costs_lines_and_no_requests() -> None:
    TAKES.clear()
    with vista.Node("http", limits=vista.Limits(mailbox_messages_max=20)) as node:
        daemon = vista.create(HTTPdaemon, "-", "tcp:127.0.0.1:0", "localhost")
        site = Site(node, daemon, "localhost")
        site.directory.register_object("/echo", vista.create(HttpEchoPage))
        vista.create(HttpStuckLog)
        try:
            with site.connect() as client:
                for number in range(40):
                    client.sendall(get(f"/echo?{number}"))
                    read_until(client, f"GET /echo?{number} ".encode())
            assert vista.counters()["HTTPlogLinesNotTaken"] > 0
        finally:
            TAKES.set()


def test_requests_of_a_moment_are_told_to_the_log_together(site: Site) -> None:
    log = vista.create(HttpTellingLog)
    site.talk(*(get(f"/a.txt?{number}") for number in range(400)))
    wait_until(lambda: sum(log.get_counts()) == 400)
    assert len(log.get_counts()) <= 40


def test_a_request_that_comes_alone_is_told_before_its_answer_has_come(site: Site) -> None:
    log = vista.create(HttpTellingLog)
    with site.connect() as client:
        client.sendall(get("/a.txt"))
        read_until(client, b"abcdefghij")
        assert log.get_counts() == [1]


def test_a_log_that_fails_costs_lines_and_is_told_of_once(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    vista.create(HttpTellingLog, True)
    for _ in range(3):
        assert site.get("/a.txt").status == 200
    wait_until(lambda: vista.counters()["HTTPlogLinesNotTaken"] == 3)
    assert caplog.text.count("requests are not logged: ValueError") == 1


def test_what_waits_for_a_log_is_bounded(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_lines, "WAITING_MAX", 10)
    # No message is taken off the hands of the connections while these come.
    monkeypatch.setattr(log_lines, "GATHERED_SECONDS", 3600.0)
    log = vista.create(HttpTellingLog)
    with site.connect() as client:
        for number in range(15):
            client.sendall(get(f"/a.txt?{number}"))
            read_until(client, b"abcdefghij")
        # The last request is logged behind its answer.
        wait_until(lambda: vista.counters()["HTTPlogLinesNotTaken"] == 4)
    wait_until(lambda: log.get_counts() == [1, 10])
    assert vista.counters()["HTTPlogLinesNotTaken"] == 4


def test_what_waits_for_a_log_is_bounded_by_its_length_too(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_lines, "WAITING_CHARS_MAX", 1_000)
    monkeypatch.setattr(log_lines, "GATHERED_SECONDS", 3600.0)
    log = vista.create(HttpTellingLog)
    with site.connect() as client:
        for word in ("first", "x" * 500, "y" * 600, "short"):
            client.sendall(get(f"/a.txt?{word}"))
            read_until(client, b"abcdefghij")
        wait_until(lambda: vista.counters()["HTTPlogLinesNotTaken"] == 1)
    wait_until(lambda: log.get_counts() == [1, 2])
    assert vista.counters()["HTTPlogLinesNotTaken"] == 1


def test_what_is_refused_before_its_body_came_is_in_the_log(site: Site, tmp_path: Path) -> None:
    log = vista.create(HTTPcommonLogFormat, str(tmp_path / "log"), "localhost")
    fields = "Expect: 100-continue\r\nTransfer-Encoding: chunked"
    site.talk(f"OPTIONS /a.txt HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n\r\n".encode())
    vista.delete(log)
    assert '"OPTIONS /a.txt HTTP/1.1" 204 -' in (tmp_path / "log").read_text()


@pytest.mark.parametrize("http2", [False, True], ids=["HTTP/1.1", "HTTP/2"])
def test_an_orderly_end_loses_no_line(http2: bool, tree: Path, tmp_path: Path) -> None:
    profile = tmp_path / "http.profile"
    profile.write_text("http2 cleartext\n")
    with served(tree, str(profile)) as site:
        vista.create(HTTPcommonLogFormat, str(tmp_path / "log"), "localhost")
        if http2:
            with h2_client(site) as client:
                for number in range(5):
                    client.get(f"/a.txt?{number}")
        else:
            with site.connect() as plain:
                for number in range(5):
                    plain.sendall(get(f"/a.txt?{number}"))
                    read_until(plain, b"abcdefghij")
        vista.send(site.daemon, "system_shutdown")
    assert (tmp_path / "log").read_text().count("\n") == 5
