"""Sessions: an application for each user, its address, its cookie, and its end."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest

import vista
from apps.http.content.resources import Request, Response
from apps.http.content.sessions import IDLE_SECONDS
from apps.http.errors import AnswerError
from apps.http.objects.protected import URLprotectedFile
from apps.http.objects.sessions import AllocateSessionID, HTTPcreateApplicationSession
from tests.http.objects.pages import HttpEchoPage
from tests.http.objects.served import Answer, Site
from tests.http.objects.test_protected import basic


class HttpBridgeSession(vista.Object):
    """An application: tells whose it is; ``?log-in``, ``?end`` and forms do what they say."""

    def create(self, url_directory: vista.Ref, id: str, registry: vista.Ref, address: str) -> None:
        self.id = id
        self.registry = registry
        self.address = address
        self.seen = 0

    def delete(self) -> None:
        vista.post(self.registry, "note_session_terminated", self.id)

    def get_request(self, request: Request) -> Any:
        self.seen += 1
        if request.query == "log-in":
            cookie = self.registry.log_in(self.id, "kim")
            return Response("in", fields=(("Set-Cookie", cookie),))
        if request.query == "token":
            return self.registry.form_token(self.id)
        if request.query == "end":
            vista.post(vista.self_ref(self), "delete_yourself")
        return f"{self.seen} {request.session == self.id} {request.user or '-'}"

    def post_request(self, request: Request) -> Response:
        good = self.registry.check_form_token(self.id, request.body.decode())
        return Response("", 200 if good else 403)


class HttpSilentSession(vista.Object):
    """An application whose pages are other objects."""

    def create(self, url_directory: vista.Ref, id: str, registry: vista.Ref, address: str) -> None:
        vista.create(HttpEchoPage, "localhost", f"{address}/map")


class HttpFailingSession(vista.Object):
    """An application that cannot be made."""

    def create(self, url_directory: vista.Ref, id: str, registry: vista.Ref, address: str) -> None:
        raise ValueError("no ship is left")


class HttpCookiePage(vista.Object):
    """A page that has sessions without an application."""

    def create(self) -> None:
        pass

    def get_request(self, request: Request) -> Response:
        id, cookie = vista.service("AllocateSessionID").open_session(request)
        return Response(id, fields=(("Set-Cookie", cookie),) if cookie else ())


@pytest.fixture
def bridge(site: Site) -> vista.Ref:
    """An application at ``/bridge``."""
    made: vista.Ref = vista.create(
        HTTPcreateApplicationSession, "localhost", "/bridge", "HttpBridgeSession"
    )
    return made


@pytest.fixture
def registry(site: Site) -> vista.Ref:
    """Sessions without an application."""
    made: vista.Ref = vista.create(AllocateSessionID)
    return made


def cookie_of(answer: Answer) -> str:
    """The field with which a browser sends back the cookie it was given."""
    return "Cookie: " + answer.fields["set-cookie"].partition(";")[0]


def boarded(site: Site) -> tuple[str, str]:
    """Begin a session; return its address and its cookie."""
    answer = site.get("/bridge")
    return answer.fields["location"], cookie_of(answer)


# --- addresses and cookies -------------------------------------------------------------------


@pytest.mark.usefixtures("bridge")
def test_who_comes_to_the_page_gets_an_application_at_an_address_of_its_own(site: Site) -> None:
    answer = site.get("/bridge")
    assert answer.status == 303
    assert re.fullmatch(r"/bridge/sessions/[0-9a-f]{32}", answer.fields["location"])
    page = site.get(answer.fields["location"], cookie_of(answer))
    assert (page.status, page.body) == (200, b"1 True -")


@pytest.mark.usefixtures("bridge")
def test_the_cookie_is_kept_from_scripts_and_other_sites(site: Site) -> None:
    cookie = site.get("/bridge").fields["set-cookie"]
    assert re.fullmatch(r"session=[0-9A-Za-z_-]{43}; Path=/bridge; HttpOnly; SameSite=Lax", cookie)


def test_over_tls_the_cookie_goes_over_tls_only(bridge: vista.Ref) -> None:
    answer = bridge.get_request(Request("GET", "/bridge", secure=True))
    assert "; Secure" in dict(answer.fields)["Set-Cookie"]


@pytest.mark.usefixtures("bridge")
def test_nobody_keeps_the_answer_with_the_cookie(site: Site) -> None:
    assert site.get("/bridge").fields["cache-control"] == "no-store"


@pytest.mark.usefixtures("bridge")
def test_each_who_comes_gets_another_session(site: Site) -> None:
    first, second = boarded(site), boarded(site)
    assert first[0] != second[0] and first[1] != second[1]


@pytest.mark.usefixtures("bridge")
def test_who_comes_back_is_led_to_his_session(site: Site) -> None:
    address, cookie = boarded(site)
    answer = site.get("/bridge?x=1", cookie)
    assert answer.fields["location"] == f"{address}?x=1"
    assert "set-cookie" not in answer.fields


@pytest.mark.usefixtures("bridge")
def test_the_address_alone_does_not_lead_into_a_session(site: Site) -> None:
    address, _ = boarded(site)
    answer = site.get(address)
    assert (answer.status, answer.fields["location"]) == (303, "/bridge")


@pytest.mark.usefixtures("bridge")
def test_the_cookie_of_another_session_does_not_lead_into_one(site: Site) -> None:
    address, _ = boarded(site)
    _, other = boarded(site)
    assert site.get(address, other).status == 303
    assert site.get(address, other, method="POST", body=b"x").status == 403


@pytest.mark.parametrize("value", ["", "x", "x" * 43, "../..", '"; a=b'])
@pytest.mark.usefixtures("bridge")
def test_no_session_is_begun_with_a_secret_of_the_browser_s(site: Site, value: str) -> None:
    answer = site.get("/bridge", f"Cookie: session={value}")
    assert answer.status == 303 and f"session={value};" not in answer.fields["set-cookie"]


@pytest.mark.usefixtures("bridge")
def test_head_begins_no_session(site: Site, bridge: vista.Ref) -> None:
    answer = site.get("/bridge", method="HEAD")
    assert "set-cookie" not in answer.fields and bridge.get_sessions() == []


def test_pages_below_the_address_belong_to_the_session(site: Site) -> None:
    vista.create(HTTPcreateApplicationSession, "localhost", "/bridge", "HttpSilentSession")
    address, cookie = boarded(site)
    assert site.get(f"{address}/map?a", cookie).body.startswith(b"GET ")
    assert site.get(f"{address}/map?a").status == 303
    assert site.get(address, cookie).status == 404


def test_the_cookie_s_name_and_path_can_be_chosen(site: Site) -> None:
    vista.create(
        HTTPcreateApplicationSession, "localhost", "/bridge", "HttpBridgeSession", "ship", "/"
    )
    assert re.match(r"ship=.*; Path=/; ", site.get("/bridge").fields["set-cookie"])


def test_a_cookie_that_no_browser_would_take_is_refused(site: Site) -> None:
    with pytest.raises(AnswerError, match=r"is no name of a cookie"):
        vista.create(
            HTTPcreateApplicationSession, "localhost", "/bridge", "HttpBridgeSession", "a b"
        )


def test_an_application_that_cannot_be_made_leaves_no_session(site: Site) -> None:
    page = vista.create(HTTPcreateApplicationSession, "localhost", "/bridge", "HttpFailingSession")
    answer = site.get("/bridge")
    assert answer.status == 500 and b"ship" not in answer.body
    assert page.get_sessions() == []


# --- users and forms -------------------------------------------------------------------------


@pytest.mark.usefixtures("bridge")
def test_logging_in_gives_the_session_another_cookie(site: Site) -> None:
    address, planted = boarded(site)
    own = cookie_of(site.get(f"{address}?log-in", planted))
    assert own != planted
    assert site.get(address, own).body == b"2 True kim"
    # Whoever planted the cookie with which the session began is left with nothing.
    assert site.get(address, planted).status == 303


def test_who_logged_in_at_the_page_is_the_session_s_user(site: Site, bridge: vista.Ref) -> None:
    vista.create(URLprotectedFile, "localhost", "/bridge", None, "harbour", "kim", "secret")
    assert site.get("/bridge").status == 401
    answer = site.get("/bridge", basic())
    assert site.get(answer.fields["location"], cookie_of(answer)).body == b"1 True kim"


def test_another_user_of_the_same_browser_does_not_get_the_session_of_the_first(
    site: Site, bridge: vista.Ref
) -> None:
    guard = vista.create(URLprotectedFile, "localhost", "/bridge", None, "harbour", "kim", "secret")
    guard.add_user("ada", "a secret")
    answer = site.get("/bridge", basic())
    address, cookie = answer.fields["location"], cookie_of(answer)
    assert site.get("/bridge", basic(), cookie).fields["location"] == address
    other = site.get("/bridge", basic("ada", "a secret"), cookie)
    assert other.fields["location"] != address
    assert site.get(other.fields["location"], cookie_of(other)).body == b"1 True ada"
    assert site.get(address, cookie).status == 303  # it is over


def test_who_comes_to_a_guard_later_keeps_the_session(site: Site, bridge: vista.Ref) -> None:
    address, cookie = boarded(site)
    vista.create(URLprotectedFile, "localhost", "/bridge", None, "harbour", "kim", "secret")
    assert site.get("/bridge", basic(), cookie).fields["location"] == address


@pytest.mark.usefixtures("bridge")
def test_a_form_needs_the_token_of_its_session(site: Site) -> None:
    address, cookie = boarded(site)
    token = site.get(f"{address}?token", cookie).body
    other_address, other_cookie = boarded(site)
    assert site.get(address, cookie, method="POST", body=token).status == 200
    assert site.get(address, cookie, method="POST", body=b"guess").status == 403
    assert site.get(other_address, other_cookie, method="POST", body=token).status == 403


# --- ends ------------------------------------------------------------------------------------


def pages_of(site: Site, address: str) -> list[str]:
    return [path for path in site.directory.get_paths() if path.startswith(address)]


def test_an_application_that_ends_itself_ends_its_session(site: Site, bridge: vista.Ref) -> None:
    address, cookie = boarded(site)
    site.get(f"{address}?end", cookie)
    end = time.monotonic() + 30.0
    while bridge.get_sessions() or pages_of(site, address):
        assert time.monotonic() < end
    answer = site.get("/bridge", cookie)
    assert answer.fields["location"] != address and "set-cookie" in answer.fields


def test_a_session_whose_application_is_gone_begins_anew(site: Site) -> None:
    bridge = vista.create(HTTPcreateApplicationSession, "localhost", "/bridge", "HttpSilentSession")
    address, cookie = boarded(site)
    vista.delete(bridge.lookup_session(address.rpartition("/")[2]))
    assert site.get("/bridge", cookie).fields["location"] != address


def test_a_session_that_ends_takes_its_application_along(site: Site, bridge: vista.Ref) -> None:
    address, _ = boarded(site)
    id = address.rpartition("/")[2]
    application = bridge.lookup_session(id)
    assert bridge.note_session_terminated(id) == 0
    assert isinstance(
        vista.future(application, "class_of").exception(), vista.ObjectDeleted | vista.NoSuchObject
    )
    assert pages_of(site, address) == []


def test_a_session_that_nobody_uses_ends_with_its_application(site: Site) -> None:
    bridge = vista.create(
        HTTPcreateApplicationSession, "localhost", "/bridge", "HttpBridgeSession", None, None, 0.01
    )
    address, cookie = boarded(site)
    application = bridge.lookup_session(address.rpartition("/")[2])
    end = time.monotonic() + 30.0
    while bridge.get_sessions():
        bridge.timer_expired()
        assert time.monotonic() < end
    assert site.get(address, cookie).status == 303
    if application is not None:
        assert vista.future(application, "class_of").exception() is not None


def test_sessions_are_bounded_with_503(site: Site) -> None:
    vista.create(
        HTTPcreateApplicationSession,
        "localhost", "/bridge", "HttpBridgeSession", None, None, IDLE_SECONDS, 2,
    )  # fmt: skip
    assert [site.get("/bridge").status for _ in range(3)] == [303, 303, 503]


def test_sessions_end_with_what_began_them(site: Site, bridge: vista.Ref) -> None:
    address, cookie = boarded(site)
    application = bridge.lookup_session(address.rpartition("/")[2])
    vista.delete(bridge)
    assert vista.future(application, "class_of").exception() is not None
    assert site.get("/bridge").status == 404
    assert site.get(address, cookie).status == 404


def test_an_unknown_site_is_refused(site: Site) -> None:
    with pytest.raises(vista.NoSuchService):
        vista.create(HTTPcreateApplicationSession, "nowhere", "/bridge", "HttpBridgeSession")


# --- the registry alone ----------------------------------------------------------------------


def test_ids_are_different_and_long(registry: vista.Ref) -> None:
    ids = {registry.make_session_id() for _ in range(100)}
    assert len(ids) == 100 and all(re.fullmatch(r"[0-9a-f]{32}", id) for id in ids)
    assert registry.get_sessions() == []


def test_a_reserved_id_waits_for_its_object(site: Site, registry: vista.Ref) -> None:
    id = registry.make_session_id(True)
    assert registry.lookup_session(id) is None
    assert registry.register_session(id, site.daemon) == 0
    assert registry.lookup_session(id) == site.daemon
    assert registry.get_sessions() == [id]


def test_an_object_of_the_original_may_name_itself_first(site: Site, registry: vista.Ref) -> None:
    page = vista.create(HttpCookiePage)
    registry.register_session("a", page)
    assert registry.note_session_terminated(page, "a") == 0
    assert registry.lookup_session("a") is None


@pytest.mark.usefixtures("registry")
def test_a_page_knows_its_browser_again(site: Site) -> None:
    site.directory.register_object("/page", vista.create(HttpCookiePage))
    first = site.get("/page")
    again = site.get("/page", cookie_of(first))
    assert again.body == first.body and "set-cookie" not in again.fields
    assert site.get("/page").body != first.body


def test_a_registry_knows_no_session_without_cookie(registry: vista.Ref) -> None:
    id, cookie = registry.open_session(Request("GET", "/"))
    value = cookie.partition(";")[0]
    assert registry.find_session(Request("GET", "/", "", "cookie", value)) == id
    assert registry.find_session(Request("GET", "/")) is None
    assert registry.get_user(id) == ""


def test_a_session_that_is_over_cannot_log_in(registry: vista.Ref) -> None:
    with pytest.raises(vista.BadValueError, match=r"no such session"):
        registry.log_in("nobody", "kim")
    assert not registry.check_form_token("nobody", "x")


def test_a_registry_refuses_more_than_its_bound(site: Site) -> None:
    registry = vista.create(AllocateSessionID, "session", "/", IDLE_SECONDS, 1)
    registry.open_session(Request("GET", "/"))
    with pytest.raises(vista.Overloaded, match=r"1 sessions are open"):
        registry.open_session(Request("GET", "/"))
    with pytest.raises(vista.Overloaded):
        registry.make_session_id(True)
