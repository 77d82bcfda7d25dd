"""Cookies that pages find in their requests, and that they set."""

from __future__ import annotations

from pathlib import Path

import vista
from apps.http.content.resources import Request, Response
from apps.http.syntax.cookies import set_cookie
from tests.http.objects.h2client import h2_client
from tests.http.objects.served import Site, served
from tests.http.objects.test_http2 import profiled


class HttpLanguagePage(vista.Object):
    """A page that remembers by a cookie which language its visitor chose."""

    def create(self, path: str) -> None:
        vista.service("URLdirectory:localhost").register_object(path, vista.self_ref(self))

    def get_request(self, request: Request) -> Response:
        chosen = request.parameter("choose")
        fields = (("Set-Cookie", set_cookie("language", chosen, path="/")),) if chosen else ()
        return Response(request.cookie("language", "none"), fields=fields)


def test_6265_a_cookie_is_found_by_its_name() -> None:
    field = 'language=fi; theme="dark"'
    request = Request("GET", "/", header_names="cookie", header_values=field)
    assert request.cookies() == {"language": "fi", "theme": "dark"}
    assert (request.cookie("theme"), request.cookie("x"), request.cookie("x", "y")) == (
        "dark", "", "y",
    )  # fmt: skip


def test_a_request_without_cookies_has_none() -> None:
    assert Request("GET", "/").cookies() == {}


def test_a_page_sets_a_cookie_and_gets_it_back(site: Site) -> None:
    vista.create(HttpLanguagePage, "/")
    set_line = site.get("/?choose=fi").fields["set-cookie"]
    assert set_line == "language=fi; Path=/; HttpOnly; SameSite=Lax"
    cookie = "Cookie: " + set_line.partition(";")[0]
    assert site.get("/", "Cookie: theme=dark", cookie).body == b"fi"
    assert site.get("/").body == b"none"


def test_9113_8_2_3_cookies_of_several_lines_are_found(tmp_path: Path) -> None:
    with served(profile=profiled(tmp_path)) as site, h2_client(site) as client:
        vista.create(HttpLanguagePage, "/")
        got = client.get("/", ("cookie", "theme=dark"), ("cookie", "language=fi"))
        assert got.body == b"fi"
