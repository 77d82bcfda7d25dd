"""One object as a page at an address of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import vista
from apps.http.browser.display import HTTPdisplayObject
from apps.http.browser.session import HTTPobjectBrowser
from tests.http.browser.visitor import BrowsedLamp, BrowsedLiar, linked
from tests.http.objects.served import Site, served


@pytest.fixture
def site() -> Iterator[Site]:
    """A site with nothing on it."""
    with served() as made:
        yield made


def page(site: Site) -> str:
    return site.get("/lamp").body.decode()


def test_it_shows_what_an_object_is_at_each_request(site: Site) -> None:
    lamp = vista.create(BrowsedLamp, 60)
    vista.create(HTTPdisplayObject, "localhost", "A <lamp>", None, "/lamp", lamp)
    assert "<h1>A &lt;lamp&gt;</h1>" in page(site) and "<code>60</code>" in page(site)
    assert str(vista.id_of(lamp)) in page(site) and "dim" in page(site)
    lamp.dim(10)
    assert "<code>50</code>" in page(site)
    assert site.get("/lamp").fields["cache-control"] == "no-store"


def test_it_says_when_the_object_is_gone(site: Site) -> None:
    lamp = vista.create(BrowsedLamp)
    shown = vista.create(HTTPdisplayObject, "localhost", "lamp", None, "/lamp", lamp)
    vista.delete(lamp)
    assert site.get("/lamp").status == 404
    vista.delete(shown)
    assert not site.directory.has_object("/lamp")


def test_what_an_object_says_of_itself_is_not_believed(site: Site) -> None:
    liar = vista.create(BrowsedLiar)
    vista.create(HTTPdisplayObject, "localhost", "liar", None, "/lamp", liar)
    assert "not &lt;today&gt;" in page(site)


def test_ids_lead_to_the_pages_of_a_browser(site: Site) -> None:
    other = vista.create(BrowsedLamp)
    lamp = vista.create(BrowsedLamp, 60, other)
    browser = vista.create(HTTPobjectBrowser, "/browser", "guest", "word", "1")
    vista.create(HTTPdisplayObject, "localhost", "lamp", browser, "/lamp", lamp)
    address = f"/browser/object/{vista.id_of(other)}"
    assert f'href="{address}"' in page(site)
    assert browser.make_object_alias(other, "<it>") == f'<a href="{address}">&lt;it&gt;</a>'


def test_the_object_may_live_on_another_node() -> None:
    with linked() as (visitor, _, creator):
        lamp = vista.create(BrowsedLamp, 40, at=creator)
        vista.create(HTTPdisplayObject, "localhost", "lamp", None, "/lamp", lamp)
        assert "<code>40</code>" in page(visitor.site)


def test_it_asks_in_the_name_of_a_user(site: Site) -> None:
    lamp = vista.create(BrowsedLamp)
    lamp.set_acl(vista.AccessControlList((("deny", "guest", "*"), ("allow", "*", "*"))))
    vista.create(HTTPdisplayObject, "localhost", "lamp", None, "/lamp", lamp, "guest")
    assert "<code>60</code>" not in page(site)
