"""Mounted ASGI applications: what they are told, what becomes of their answers, how they end."""

from __future__ import annotations

import contextlib
import json
import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import vista
from apps.http.content.resources import Request
from apps.http.errors import ApplicationError
from apps.http.objects import asgi
from apps.http.objects.asgi import HTTPmountASGI
from tests.http.objects import asgi_apps
from tests.http.objects.asgi_apps import GATES, TOLD, open_gates
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

APPS = "tests.http.objects.asgi_apps"


@pytest.fixture
def site() -> Iterator[Site]:
    """A site, and nothing told yet."""
    TOLD.clear()
    with served() as made:
        yield made


def mount(name: str, path: str = "/api") -> vista.Ref:
    """Mount one of the applications."""
    return vista.create(HTTPmountASGI, "localhost", path, f"{APPS}:{name}")


def scope_of(answer: Answer) -> dict[str, Any]:
    """What `tells_scope` was told."""
    found: dict[str, Any] = json.loads(answer.body)["scope"]
    return found


# --- the scope -------------------------------------------------------------------------------


def test_an_application_is_told_of_the_request(site: Site) -> None:
    mount("tells_scope")
    host, port = site.place
    scope = scope_of(site.get("/api/a%20b/%C3%A4?x=%20&y", "X-Word: W\xf6rd", "x-WORD: two"))
    headers = scope.pop("headers")
    assert scope == {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": "/api/a b/\xe4",
        "raw_path": "/api/a%20b/%C3%A4",
        "query_string": "x=%20&y",
        "root_path": "/api",
        "client": ["127.0.0.1", 0],
        "server": [host, port],
    }
    assert ["host", "localhost"] in headers
    assert [name for name, _ in headers] == [name.lower() for name, _ in headers]
    assert any(name == "x-word" and value.endswith(", two") for name, value in headers)


def test_a_mount_of_the_whole_site_has_no_root_path(site: Site) -> None:
    mount("tells_scope", "/")
    scope = scope_of(site.get("/a/"))
    assert (scope["root_path"], scope["path"]) == ("", "/a/")


def test_the_version_of_http_is_told(site: Site) -> None:
    mount("tells_scope")
    scope = scope_of(Answer(site.talk(get("/api/", version="1.0"))))
    assert scope["http_version"] == "1.0"


def test_the_body_of_a_request_comes_whole(site: Site) -> None:
    mount("tells_scope")
    told = json.loads(site.get("/api/", method="POST", body=b"\x00body").body)
    assert told["first"] == {"type": "http.request", "body": "\x00body", "more_body": False}


@pytest.fixture
def uploading(tmp_path: Path) -> Iterator[Site]:
    """A site that takes large bodies, with an application that tells how they came."""
    profile = tmp_path / "http.profile"
    profile.write_text("uploads spool\nbody_memory_bytes_max 2000\n")
    with served(profile=str(profile)) as made:
        mount("tells_pieces")
        yield made


@pytest.mark.parametrize(
    ("size", "pieces"), [(0, [0]), (2_000, [2_000]), (131_072, [65_536, 65_536]), (70_000, None)]
)
def test_a_large_body_comes_in_pieces(uploading: Site, size: int, pieces: list[int] | None) -> None:
    answer = uploading.get("/api", method="POST", body=bytes(size))
    found = json.loads(answer.body)
    assert sum(found) == size and max(found) <= 65_536
    assert pieces is None or found == pieces


def test_a_large_form_is_refused(uploading: Site) -> None:
    field = "Content-Type: multipart/form-data; boundary=x"
    part = b'--x\r\nContent-Disposition: form-data; name="a"; filename="b"\r\n\r\n'
    body = part + bytes(5_000) + b"\r\n--x--\r\n"
    assert uploading.get("/api", field, method="POST", body=body).status == 413


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS", "PATCH", "PROPFIND"])
def test_the_application_decides_about_methods(site: Site, method: str) -> None:
    mount("tells_scope")
    assert scope_of(site.get("/api/x", method=method))["method"] == method


def test_the_address_itself_and_what_is_below_belong_to_the_mount(site: Site) -> None:
    mount("tells_scope")
    assert [site.get(path).status for path in ("/api", "/api/", "/api/x", "/apix", "/")] == [
        200, 200, 200, 404, 404,
    ]  # fmt: skip


# --- answers ---------------------------------------------------------------------------------


@pytest.fixture
def habits(site: Site) -> Site:
    """A site with the application that has habits."""
    mount("has_habits")
    return site


@pytest.mark.parametrize(
    "habit",
    [
        "returns",
        "raises",
        "raises_after_its_head",
        "exits",
        "begins_with_the_body",
        "starts_twice",
        "has_no_status",
        "has_text_headers",
        "has_a_text_body",
        "splits",
        "lies_about_length",
    ],
)
def test_an_application_that_fails_gets_a_500_and_the_next_one_an_answer(
    habits: Site, habit: str
) -> None:
    answer = habits.get(f"/api?{habit}")
    assert answer.status == 500 and b"secret" not in answer.body
    assert "set-cookie" not in answer.fields
    assert habits.get("/api?sets_cookies").status == 200


@pytest.mark.parametrize("habit", ["raises_in_the_middle", "returns_in_the_middle"])
def test_an_answer_that_breaks_off_is_seen_to_be_broken(habits: Site, habit: str) -> None:
    with habits.connect() as client:
        client.sendall(get(f"/api?{habit}"))
        data = b""
        with contextlib.suppress(ConnectionResetError):
            data = read_all(client)
    assert b"0\r\n\r\n" not in data


def test_what_is_raised_after_the_answer_is_logged_only(
    habits: Site, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR, "vista.http"):
        answer = habits.get("/api?raises_at_the_end")
        wait_until(lambda: any("raised after its answer" in line for line in caplog.messages))
    assert (answer.status, answer.body) == (200, b"all")


def test_an_application_that_never_answers_gets_a_504_and_is_cancelled(tmp_path: Path) -> None:
    TOLD.clear()
    profile = tmp_path / "http.profile"
    profile.write_text("request_seconds 0.2")
    with served(profile=str(profile)) as site:
        mount("has_habits")
        assert site.get("/api?never_answers").status == 504
        wait_until(lambda: TOLD == ["never_answers: CancelledError: "])


def test_sending_after_the_end_is_an_error_for_the_application(habits: Site) -> None:
    assert habits.get("/api?sends_after_the_end").body == b"all"
    wait_until(lambda: TOLD and "the answer is complete" in TOLD[0])


def test_errors_say_what_comes_next(habits: Site) -> None:
    habits.get("/api?begins_with_the_body")
    assert TOLD[0].endswith(
        "'http.response.body' was sent where it cannot be: http.response.start comes next"
    )


def test_fields_that_are_the_servers_are_left_out(habits: Site) -> None:
    answer = habits.get("/api?chunks_by_itself")
    assert answer.body == b"body" and answer.fields["x-word"] == "kept"
    assert "transfer-encoding" not in answer.fields


def test_fields_may_stand_twice(habits: Site) -> None:
    data = habits.talk(get("/api?sets_cookies"))
    assert b"Set-Cookie: a=1\r\nSet-Cookie: b=2\r\n" in data


def test_an_application_waits_for_a_client_that_reads_slowly(habits: Site) -> None:
    with habits.connect() as client:
        client.sendall(get("/api?streams_without_end"))
        read_until(client, b"x" * 100)
    wait_until(lambda: any(line.startswith("pieces: ") for line in TOLD))
    # What the system, the server and the exchange hold between them, and not what it could send.
    count = int(TOLD[-1 if TOLD[-1].startswith("pieces") else 0].partition(": ")[2])
    assert count < 5_000
    assert any("ClientGone: the client is gone" in line for line in TOLD)


def bodies() -> list[str]:
    """The bodies of answers that are being sent, or should be."""
    return [row.class_name for row in vista.objects() if row.class_name == "HTTP.HTTPasgiBody"]


@pytest.mark.usefixtures("habits")
def test_a_body_that_nobody_begins_to_read_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asgi, "UNREAD_SECONDS", 0.05)
    mounted = next(row.id for row in vista.objects() if row.class_name == "HTTP.HTTPmountASGI")
    request = Request("GET", "/api", "streams_without_end")
    answer = vista.send(mounted, "any_request", request)
    assert answer.status == 200
    wait_until(lambda: not bodies())
    wait_until(lambda: any("ClientGone: the client is gone" in line for line in TOLD))
    answer = vista.send(mounted, "any_request", request)
    assert answer.source.read_bytes(10)
    vista.sleep(0.1)
    assert answer.source.read_bytes(10) and len(bodies()) == 1


def test_an_application_is_told_that_the_client_is_gone(habits: Site) -> None:
    with habits.connect() as client:
        client.sendall(get("/api?waits_for_the_disconnect"))
        read_until(client, b"first")
    # It is found out when something is sent, and here nothing is: the mount ends it.
    mounted = next(row.id for row in vista.objects() if row.class_name == "HTTP.HTTPmountASGI")
    vista.send(mounted, "end_exchange", 1)
    wait_until(lambda: TOLD != [])
    assert TOLD == ["http.request http.disconnect"]


def test_after_its_answer_an_application_is_told_that_it_is_over(habits: Site) -> None:
    habits.get("/api?asks_after_its_answer")
    wait_until(lambda: TOLD != [])
    assert TOLD == ["http.disconnect http.disconnect"]


def test_an_application_that_takes_no_notice_is_cancelled(
    habits: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asgi, "GONE_SECONDS", 0.1)
    monkeypatch.setitem(asgi_apps.HABITS, "ignores", _ignores)
    habits.get("/api?ignores", method="HEAD")
    wait_until(lambda: TOLD != [])
    assert TOLD == ["ignores: CancelledError: "]


async def _ignores(receive: Any, send: Any) -> None:
    await asgi_apps.start(send, 200)
    await asgi_apps.piece(send, b"first")
    await asgi_apps._never_answers(receive, send)


def test_nothing_is_left_of_an_answer(habits: Site) -> None:
    for _ in range(5):
        with habits.connect() as client:
            client.sendall(get("/api?streams_without_end"))
            read_until(client, b"x" * 100)
    assert at_last(bodies, []) == []
    assert at_last(lambda: sum(line.startswith("pieces: ") for line in TOLD), 5) == 5


# --- Starlette -------------------------------------------------------------------------------


@pytest.fixture
def shop(site: Site) -> Site:
    """A site with an application of Starlette."""
    mount("shop", "/shop")
    return site


def test_an_application_of_starlette_answers(shop: Site) -> None:
    answer = shop.get("/shop/home")
    assert json.loads(answer.body) == {"path": "/shop/home", "harbour": "north"}
    assert answer.fields["content-type"] == "application/json"
    assert shop.get("/shop/nothing").status == 404
    assert shop.get("/shop/home", method="POST").status == 405
    assert shop.get("/shop/home", method="PATCH").status == 200


def test_head_has_the_length_of_the_page(shop: Site) -> None:
    full, head = shop.get("/shop/home"), shop.get("/shop/home", method="HEAD")
    assert head.body == b"" and head.fields["content-length"] == full.fields["content-length"]


def test_starlette_takes_a_body(shop: Site) -> None:
    answer = shop.get("/shop/echo", method="POST", body=b"ahoy")
    assert (answer.status, answer.body) == (201, b"ahoy")


def test_starlette_streams(shop: Site) -> None:
    answer = shop.talk(get("/shop/stream"))
    assert b"Transfer-Encoding: chunked" in answer
    assert [answer.count(b"piece %d\n" % number) for number in range(20)] == [1] * 20


@pytest.mark.parametrize("path", ["/shop/vista", "/shop/vista-thread"])
def test_an_application_calls_vista_objects(shop: Site, path: str) -> None:
    vista.register_service("Echo", vista.create(HttpEchoPage))
    assert shop.get(path).body == b"0"


def test_background_tasks_run_after_the_answer(shop: Site) -> None:
    with shop.connect() as client:
        client.sendall(get("/shop/slow", "localhost", "Connection: close"))
        open_gates(1)
        assert read_all(client).endswith(b"done")
    wait_until(lambda: "background" in TOLD)


def test_many_requests_run_at_a_time(shop: Site) -> None:
    clients = [shop.connect() for _ in range(20)]
    for client in clients:
        client.sendall(get("/shop/slow", "localhost", "Connection: close"))
    open_gates(20)
    for client in clients:
        assert read_all(client).endswith(b"done")
        client.close()


# --- beginning and end -----------------------------------------------------------------------


def test_an_application_starts_before_the_mount_is_there_and_ends_with_it(site: Site) -> None:
    mounted = mount("shop")
    assert TOLD == ["started"]
    vista.delete(mounted)
    assert TOLD == ["started", "ended"]
    assert site.get("/api/home").status == site.get("/api").status == 404


def test_an_application_ends_when_the_node_is_shut_down(site: Site) -> None:
    mounted = mount("shop")
    mounted.system_shutdown()
    assert TOLD == ["started", "ended"]
    answer = site.get("/api/home")
    assert (answer.status, answer.fields["retry-after"]) == (503, "5")


def test_requests_end_before_the_application(site: Site) -> None:
    mounted = mount("shop")
    with site.connect() as client:
        client.sendall(get("/api/slow", "localhost", "Connection: close"))
        wait_until(lambda: len(GATES) == 1)
        ending = mounted.system_shutdown.future()
        assert TOLD == ["started"]
        open_gates(1)
        assert read_all(client).endswith(b"done")
        ending.result(30)
    assert TOLD == ["started", "background", "ended"]


def test_another_mount_takes_the_place_of_the_first(site: Site) -> None:
    mount("shop")
    mount("tells_scope")
    wait_until(lambda: TOLD == ["started", "ended"])
    assert scope_of(site.get("/api"))["path"] == "/api"
    assert scope_of(site.get("/api/x"))["path"] == "/api/x"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("shop", r"named MODULE:NAME, not 'shop'"),
        ("nowhere.at_all:app", r"nowhere.at_all:app: no module 'nowhere' in "),
        (f"{APPS}.more:app", r"no module 'tests.http.objects.asgi_apps.more'"),
        (f"{APPS}:nothing", r"there is no 'nothing' in <module"),
        (f"{APPS}:not_callable", r"int is no application of ASGI"),
        (f"{APPS}:refuses_to_start", r"refuses_to_start did not start: no database"),
    ],
)
@pytest.mark.usefixtures("site")
def test_an_application_that_cannot_be_mounted_says_why(words: str, message: str) -> None:
    with pytest.raises(ApplicationError, match=message):
        vista.create(HTTPmountASGI, "localhost", "/api", words)


def test_an_application_that_never_starts_is_refused(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asgi, "STARTUP_SECONDS", 0.1)
    with pytest.raises(ApplicationError, match=r"never_starts did not start in 0.1 s"):
        mount("never_starts")


@pytest.mark.parametrize("name", ["never_ends", "fails_to_end"])
def test_an_application_that_does_not_end_is_left_behind(
    site: Site, name: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(asgi, "SHUTDOWN_SECONDS", 0.1)
    mounted = mount(name)
    with caplog.at_level(logging.ERROR, "vista.http"):
        vista.delete(mounted)
    assert any(f"{name} did not end" in line for line in caplog.messages)


@pytest.mark.usefixtures("site")
def test_an_address_begins_with_a_slash() -> None:
    with pytest.raises(vista.BadValueError, match=r"begins with a slash, not 'api'"):
        mount("shop", "api")


def test_a_module_is_found_in_the_directory(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "mounted_from_a_directory.py").write_text(
        f"from {APPS} import tells_scope as app\n"
    )
    name = "mounted_from_a_directory:app"
    vista.create(HTTPmountASGI, "localhost", "/api", name, str(tmp_path))
    assert site.get("/api").status == 200
