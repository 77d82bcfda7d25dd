"""Coming in: nobody without a key, each link once, forms from this site alone."""

from __future__ import annotations

from pathlib import Path

import pytest

import vista
from apps.http.browser.service import HTTPcreateObjectBrowserSession
from apps.http.browser.session import SECURITY
from apps.http.content.resources import Request
from apps.http.objects.loader import URLfileLoader
from tests.http.browser.visitor import BrowsedLamp, Visitor, visited
from tests.http.objects.served import served
from vista import AccessDenied, BadValueError, NoSuchService

EVERYWHERE = ["/", "/node/x", "/find?q=x", "/live?view=/", "/nothing"]


@pytest.mark.parametrize("path", EVERYWHERE)
def test_without_a_key_there_is_a_form_for_one_and_nothing_else(path: str) -> None:
    with visited(enter=False) as visitor:
        page = visitor.page(path, 403)
        assert 'name="key"' in page and 'action="/browser/enter"' in page
        assert vista.here().get_name() not in page.replace("localhost", "")


def test_a_link_opens_a_session_with_a_strict_cookie() -> None:
    with visited(enter=False) as visitor:
        answer = visitor.enter()
        assert answer.status == 200
        name, *attributes = answer.fields["set-cookie"].split("; ")
        assert attributes == ["Path=/browser/", "HttpOnly", "SameSite=Strict"]
        assert name.startswith("vista-browser-")
        assert b'http-equiv="refresh" content="0; url=/browser/"' in answer.body
        assert visitor.get("/").status == 200


def test_over_tls_the_cookie_never_travels_readable() -> None:
    with visited(enter=False) as visitor:
        key = visitor.service.new_link().partition("?")[2]
        answer = visitor.service.get_request(Request("GET", "/browser/", key, secure=True))
        (cookie,) = (value for name, value in answer.fields if name == "Set-Cookie")
        assert cookie.endswith("; Secure; HttpOnly; SameSite=Strict")


def test_the_browser_may_be_all_of_a_site() -> None:
    with served() as site:
        visitor = Visitor(site, vista.create(HTTPcreateObjectBrowserSession, "localhost", "/"), "")
        assert "Path=/;" in visitor.enter().fields["set-cookie"]
        assert 'href="/static/browser.css' in visitor.page("/")
        assert visitor.get("/static/browser.css").status == 200


def test_a_link_serves_once() -> None:
    with visited(enter=False) as visitor:
        link = visitor.service.new_link()
        assert visitor.enter(link).status == 200
        visitor.cookie = ""
        answer = visitor.enter(link)
        assert answer.status == 403 and "set-cookie" not in answer.fields
        assert b"has served already" in answer.body


def test_who_is_in_already_is_led_on_by_an_old_link() -> None:
    with visited() as visitor:
        answer = visitor.get("/?key=old")
        assert (answer.status, answer.fields["location"]) == (303, "/browser/")


@pytest.mark.parametrize(
    ("method", "field"), [("HEAD", "X: y"), ("GET", "Sec-Purpose: prefetch;prerender")]
)
def test_a_look_ahead_does_not_use_the_link_up(method: str, field: str) -> None:
    with visited(enter=False) as visitor:
        link = visitor.service.new_link()
        query = link.partition("?")[2]
        assert "set-cookie" not in visitor.get(f"/?{query}", field, method=method).fields
        assert visitor.enter(link).status == 200


def test_a_key_can_be_typed_in() -> None:
    with visited(enter=False) as visitor:
        key = visitor.service.new_link().partition("key=")[2]
        assert visitor.post("/enter", key="wrong").status == 403
        answer = visitor.post("/enter", key=f" {key} ")
        assert answer.status == 200 and "set-cookie" in answer.fields


def test_the_address_without_a_slash_leads_to_the_one_with() -> None:
    with visited(enter=False) as visitor:
        answer = visitor.get("?key=x")
        assert (answer.status, answer.fields["location"]) == (303, "/browser/?key=x")


@pytest.mark.parametrize("path", ["/", "/nothing", "/find?q=nothing"])
def test_every_page_says_that_nothing_of_others_belongs_to_it(path: str) -> None:
    with visited() as visitor:
        for answer in (visitor.get(path), visitor.get(path, "Cookie: none")):
            fields = {name.lower(): value for name, value in SECURITY}
            assert fields.items() <= answer.fields.items()
            assert "script-src 'self'" in answer.fields["content-security-policy"]


@pytest.mark.parametrize(
    ("name", "kind"),
    [("browser.css", "text/css"), ("browser.js", "text/javascript"), ("icon.svg", "image/svg+xml")],
)
def test_style_and_script_are_served_to_everybody(name: str, kind: str) -> None:
    with visited(enter=False) as visitor:
        answer = visitor.get(f"/static/{name}?v=1")
        assert answer.status == 200 and answer.fields["content-type"].startswith(kind)
        assert "immutable" in answer.fields["cache-control"]
        assert visitor.get(f"/static/../{name}").status == 403
        assert visitor.get("/static/x").status == 404


def test_who_signs_out_is_out_and_the_object_of_the_session_is_gone() -> None:
    with visited() as visitor:
        answer = visitor.post("/leave", csrf=visitor.csrf)
        assert "Max-Age=0" in answer.fields["set-cookie"]
        assert visitor.get("/").status == 403
        vista.send(visitor.service, "class_of")  # behind the post that deletes it
        assert not vista.here().list_objects("HTTP.HTTPobjectBrowser")


@pytest.mark.parametrize("path", ["/leave", "/object/x/send"])
@pytest.mark.parametrize("form", [{}, {"csrf": "wrong"}, {"csrf": ""}])
def test_a_form_without_the_word_of_its_session_does_nothing(
    path: str, form: dict[str, str]
) -> None:
    with visited() as visitor:
        assert visitor.post(path, **form).status == 403
        assert visitor.get("/").status == 200


@pytest.mark.parametrize("origin", ["null", "http://evil.example", "http://localhost:1"])
def test_a_form_from_another_site_does_nothing(origin: str) -> None:
    with visited() as visitor:
        lamp = vista.create(BrowsedLamp, 60)
        path = f"/object/{vista.id_of(lamp)}/send"
        form = {"csrf": visitor.csrf, "method": "dim", "arguments": "1"}
        assert visitor.post(path, f"Origin: {origin}", **form).status == 403
        assert visitor.post(path, "Origin: http://localhost", **form).status == 200
        assert lamp.dim(0) == 59


def test_a_session_of_another_browser_does_not_open_this_one() -> None:
    with visited() as visitor:
        _, _, key = visitor.cookie.partition("=")
        visitor.cookie = f"vista-browser-other={key}"
        assert visitor.get("/").status == 403


def test_the_link_names_the_place_where_the_site_listens() -> None:
    with visited() as visitor:
        port = visitor.site.place[1]
        assert visitor.service.new_link().startswith(f"http://localhost:{port}/browser/?key=")


def test_only_who_may_act_as_its_user_gets_a_link() -> None:
    with visited() as visitor, pytest.raises(AccessDenied):
        visitor.site.node.call(visitor.service.new_link, user="mallory")


def test_nobody_reads_pages_of_others_by_sending_to_the_object() -> None:
    with visited() as visitor:
        browser = vista.ref_of(vista.here().list_objects("HTTP.HTTPobjectBrowser")[0].id)
        with pytest.raises(AccessDenied):
            visitor.site.node.call(lambda: browser.live_parts("/"), user="mallory")


@pytest.mark.parametrize("authentication", ["link", "site"])
def test_nobody_makes_a_browser_that_acts_as_somebody_else(authentication: str) -> None:
    with served() as site, pytest.raises(AccessDenied):
        user = site.node.kernel.user
        site.node.call(
            lambda: vista.create(
                HTTPcreateObjectBrowserSession, "localhost", "/x", user, authentication
            ),
            user="mallory",
        )


def test_keys_do_not_show_among_the_variables_of_the_objects() -> None:
    with visited() as visitor:
        csrf, (_, _, key) = visitor.csrf, visitor.cookie.partition("=")
        for row in vista.here().list_objects("HTTP.*"):
            told = vista.send(row.id, "extract_instance_variables", outline_characters_max=50_000)
            assert key not in str(told) and csrf not in str(told)


@pytest.mark.parametrize("path", ["browser", "", "//x"])
def test_the_address_is_one_of_the_site(path: str) -> None:
    with served(), pytest.raises(BadValueError, match=r"an address such as /browser"):
        vista.create(HTTPcreateObjectBrowserSession, "localhost", path)


def test_there_must_be_a_site() -> None:
    with served(), pytest.raises(NoSuchService):
        vista.create(HTTPcreateObjectBrowserSession, "elsewhere")


def test_a_browser_that_is_deleted_leaves_its_address_and_ends_its_sessions() -> None:
    with visited() as visitor:
        vista.delete(visitor.service)
        assert visitor.get("/").status == 404
        assert visitor.get("").status == 404
        assert not vista.here().list_objects("HTTP.HTTPobjectBrowser")


def test_a_browser_that_was_replaced_takes_nothing_from_its_successor(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("abc")
    with visited() as visitor:
        root = str(tmp_path)
        vista.create(URLfileLoader, "localhost", "HTTPcachedFile", "/browser", None, root)
        vista.delete(visitor.service)
        assert visitor.page("/a.txt") == "abc"
