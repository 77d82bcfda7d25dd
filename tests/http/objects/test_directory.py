"""The directory of a site: who answers, in which form, and what becomes of those who do not."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

import vista
from apps.http.objects.daemon import HTTPdaemon
from apps.http.objects.found import Loaded
from apps.http.objects.loader import URLfileLoader
from apps.http.objects.redirect import HTTPredirect
from tests.http.objects.pages import (
    HttpEchoPage,
    HttpFailingPage,
    HttpFeaturePage,
    HttpReplyingPage,
    HttpSilentPage,
)
from tests.http.objects.served import Answer, Site, get, served, wait_until


class HttpGatedLoader(vista.Object):
    """Makes a page for an address when it is let; others may ask meanwhile."""

    def create(self) -> None:
        self.asked = self.replaced = 0
        self._gate = asyncio.Event()

    def get_asked(self) -> int:
        return self.asked

    def handler_replaced(self, path: str) -> None:
        self.replaced += 1

    def get_replaced(self) -> int:
        return self.replaced

    def open(self) -> None:
        self._gate.set()

    def load_object(self, path: str) -> Loaded:
        self.asked += 1
        vista.wait(self._gate.wait())
        return Loaded(vista.create(HttpEchoPage), 10)


def test_a_page_is_one_object_with_get_request(site: Site) -> None:
    vista.create(HttpEchoPage, "localhost", "/echo")
    answer = site.get("/echo?a=b", "X-Word: fish")
    assert answer.body == b"GET /echo?a=b fish"
    assert answer.fields["content-type"] == "text/html; charset=utf-8"


def test_a_request_reaches_the_object_with_its_body(site: Site) -> None:
    vista.create(HttpEchoPage, "localhost", "/echo")
    answer = site.get("/echo", method="POST", body=b"a=1")
    assert (answer.status, answer.body) == (201, b"a=1")


def test_a_handler_of_the_original_form_answers_by_message(site: Site) -> None:
    site.directory.register_object("/old", vista.create(HttpReplyingPage))
    answer = site.get("/old")
    assert (answer.body, answer.fields["x-form"]) == (b"/old for localhost", "old")


def test_a_handler_of_the_original_form_that_never_answers_gets_504(tmp_path: Path) -> None:
    profile = tmp_path / "http.profile"
    profile.write_text("request_seconds 0.2")
    with served(profile=str(profile)) as site:
        site.directory.register_object("/silent", vista.create(HttpSilentPage))
        assert site.get("/silent").status == 504


def test_an_address_nobody_has_gets_404(site: Site) -> None:
    assert site.get("/nothing/there").status == 404


def test_rfc_9110_15_5_6_a_method_the_object_lacks_gets_405_with_allow(site: Site) -> None:
    vista.create(HttpEchoPage, "localhost", "/echo")
    answer = site.get("/echo", method="DELETE")
    assert answer.status == 405
    assert answer.fields["allow"] == "GET, HEAD, OPTIONS, POST"


def test_rfc_9110_9_3_7_options_tells_the_methods(site: Site) -> None:
    answer = site.get("/a.txt", method="OPTIONS")
    assert (answer.status, answer.fields["allow"]) == (204, "GET, HEAD, OPTIONS")


def test_rfc_9110_15_6_2_an_unknown_method_gets_501(site: Site) -> None:
    assert site.get("/a.txt", method="BREW").status == 501


def test_a_handler_that_raises_gets_500_and_keeps_its_secret(site: Site) -> None:
    site.directory.register_object("/bad", vista.create(HttpFailingPage))
    answer = site.get("/bad?raise")
    assert answer.status == 500 and b"secret" not in answer.body


@pytest.mark.parametrize("how", ["nothing", "split"])
def test_what_cannot_be_sent_gets_500(site: Site, how: str) -> None:
    site.directory.register_object("/bad", vista.create(HttpFailingPage))
    answer = site.get(f"/bad?{how}")
    assert answer.status == 500 and "set-cookie" not in answer.fields


def test_an_object_that_was_deleted_leaves_404(site: Site) -> None:
    page = vista.create(HttpEchoPage, "localhost", "/echo")
    vista.delete(page)
    assert site.get("/echo").status == 404


def test_a_handler_that_trips_over_a_deleted_object_stays(site: Site) -> None:
    site.directory.register_object("/bad", vista.create(HttpFailingPage))
    assert site.get("/bad?other").status == 500
    assert "/bad" in site.directory.get_paths()


def test_an_object_without_handlers_is_refused(site: Site) -> None:
    with pytest.raises(vista.BadValueError, match=r"answers no request: it has none of get_req"):
        site.directory.register_object("/x", site.daemon)


def test_a_feature_adds_a_method_and_announces_itself(site: Site) -> None:
    site.directory.register_new_feature("DAV: 1", "PROPFIND")
    site.directory.register_object("/dav", vista.create(HttpFeaturePage))
    answer = site.get("/dav", method="PROPFIND")
    assert (answer.body, answer.fields["dav"]) == (b"found", "1")
    assert site.get("/a.txt").fields["dav"] == "1"


def test_the_directory_handler_with_the_longest_beginning_is_asked(
    site: Site, tmp_path: Path
) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "a.txt").write_text("more")
    more = ("localhost", "HTTPrawCachedFile", "/docs", None, str(tmp_path / "more"))
    vista.create(URLfileLoader, *more)
    assert site.get("/docs/a.txt").body == b"more"
    assert site.get("/a.txt").body == b"abcdefghij"


def test_a_site_has_its_own_error_page(site: Site) -> None:
    site.directory.set_error_page(404, "<p>Lost at sea</p>")
    answer = site.get("/nothing")
    assert (answer.status, answer.body) == (404, b"<p>Lost at sea</p>")


def test_further_sites_share_the_listener(site: Site) -> None:
    address = site.daemon.get_address()
    vista.create(HTTPdaemon, "-", address, "other.example", True)
    vista.create(HttpEchoPage, "other.example", "/echo")
    assert Answer(site.talk(get("/echo", "other.example"))).status == 200
    assert Answer(site.talk(get("/echo", "localhost"))).status == 404
    assert Answer(site.talk(get("/echo", "OTHER.example:80"))).status == 200


def test_an_unknown_host_gets_the_site_that_listens(site: Site) -> None:
    assert Answer(site.talk(get("/a.txt", "unknown.example"))).status == 200


def test_a_redirect_leads_to_the_other_address(site: Site) -> None:
    vista.create(HTTPredirect, "localhost", "/old.html", "/new.html")
    answer = site.get("/old.html")
    assert (answer.status, answer.fields["location"]) == (307, "/new.html")


def test_a_feature_whose_requests_never_arrive_is_refused(site: Site) -> None:
    with pytest.raises(vista.BadValueError, match=r"the method 'BREW' are refused before anybody"):
        site.directory.register_new_feature(None, "PROPFIND", "BREW")
    assert site.get("/a.txt", method="PROPFIND").status == 501


def test_many_who_ask_for_the_same_new_file_get_the_same_object(site: Site) -> None:
    loader = vista.create(HttpGatedLoader)
    site.directory.register_directory_handler("/gated", loader)
    found = [site.directory.find.future("GET", "/gated/a") for _ in range(5)]
    wait_until(lambda: loader.get_asked() == 5)
    loader.open()
    [target] = {future.result(30) for future in found}
    here: Any = vista.here()
    wait_until(lambda: len(here.list_objects("*HttpEchoPage")) == 1)
    assert site.get("/gated/a").body.startswith(b"GET /gated/a")
    assert site.directory.find("GET", "/gated/a") == target


def test_what_a_loader_makes_that_was_replaced_meanwhile_is_not_kept(site: Site) -> None:
    before, after = vista.create(HttpGatedLoader), vista.create(HttpGatedLoader)
    site.directory.register_directory_handler("/gated", before)
    found = site.directory.find.future("GET", "/gated/a")
    wait_until(lambda: before.get_asked() == 1)
    site.directory.register_directory_handler("/gated", after)
    before.open()
    wait_until(lambda: after.get_asked() == 1)
    after.open()
    target = found.result(30)
    here: Any = vista.here()
    wait_until(lambda: len(here.list_objects("*HttpEchoPage")) == 1)
    assert site.directory.find("GET", "/gated/a") == target
    assert before.get_replaced() == 1


def test_who_is_led_to_an_object_that_another_has_replaced_asks_again(
    site: Site, tree: Path
) -> None:
    target = site.directory.find("GET", "/a.txt")
    vista.delete(target)
    wait_until(lambda: "/a.txt" not in site.directory.get_paths())
    site.directory.find("GET", "/a.txt")  # another one has taken its place
    assert site.directory.forget_object("/a.txt", target)
    assert "/a.txt" in site.directory.get_paths()
