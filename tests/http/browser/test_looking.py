"""Looking: what the pages show of this node, of others, and of what is not there."""

from __future__ import annotations

import html

import pytest

import vista
from apps.http.browser.bounds import ROWS_MAX
from tests.http.browser.visitor import (
    BrowsedLamp,
    BrowsedLiar,
    BrowsedOdd,
    linked,
    node_text,
    visited,
)


def test_the_first_page_shows_every_node_and_their_links() -> None:
    with linked() as (visitor, _, creator):
        page = visitor.page("/")
        assert page.count('class="disc"') == 2 and page.count('class="link"') == 1
        for one in (creator, vista.here()):
            assert f'href="/browser/node/{node_text(one)}"' in page


def test_references_lead_to_objects_of_other_nodes() -> None:
    with linked() as (visitor, _, creator):
        far_lamp = vista.create(BrowsedLamp, 40, at=creator)
        near_lamp = vista.create(BrowsedLamp, 60, far_lamp)
        page = visitor.page(f"/object/{vista.id_of(near_lamp)}")
        address = f"/object/{vista.id_of(far_lamp)}"
        assert f'href="/browser{address}"' in page
        far_page = visitor.page(address)
        assert "BrowsedLamp" in far_page and ">40<" in far_page
        assert f'href="/browser/node/{node_text(creator)}">far</a>' in far_page


def test_an_object_that_moved_is_shown_where_it_is() -> None:
    with linked() as (visitor, _, creator):
        lamp = vista.move(vista.create(BrowsedLamp), creator)
        page = visitor.page(f"/object/{vista.id_of(lamp)}")
        assert f'href="/browser/node/{node_text(creator)}">far</a>' in page
        assert "made on" in page


def test_a_message_is_sent_to_another_node() -> None:
    with linked() as (visitor, _, creator):
        lamp = vista.create(BrowsedLamp, 40, at=creator)
        assert ">38</pre>" in visitor.send(vista.id_of(lamp), "dim", "by=2")
        failed = visitor.send(vista.id_of(lamp), "dim", "1000")
        assert "ValueError: too dark &lt;b&gt;" in failed and "visitor.py" in failed


def test_a_node_that_is_lost_is_told_and_its_pages_have_502() -> None:
    with linked() as (visitor, far, creator):
        lamp = vista.create(BrowsedLamp, at=creator)
        far.stop()
        for path in (f"/node/{node_text(creator)}", f"/object/{vista.id_of(lamp)}"):
            assert "The node cannot be reached" in visitor.page(path, 502)
        assert visitor.page("/").count('class="disc"') == 1


@pytest.mark.parametrize(
    "page", ["", "objects", "classes", "threads", "services", "methods", "methods?sort=calls"]
)
def test_every_page_of_a_node_is_there(page: str) -> None:
    with linked() as (visitor, _, creator):
        for one in (creator, vista.here()):
            text = visitor.page(f"/node/{node_text(one)}/{page}".rstrip("/"))
            assert 'aria-current="page"' in text


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/node",
        "/node/x",
        "/node/4r7q2v9kzm1x8c5t/nothing",
        "/node/0000000000000000/a/b/c",
        "/object/x",
        "/object/4r7q2v9kzm1x8c5t-1f/x",
        "/find?q=nothing%20there",
        "/find",
    ],
)
def test_what_is_nowhere_is_not_found(path: str) -> None:
    with visited() as visitor:
        path = path.replace("4r7q2v9kzm1x8c5t", node_text(vista.here()))
        page = visitor.page(path, 404)
        assert "Not found" in page or "is gone" in page


def test_an_object_that_is_gone_is_not_found() -> None:
    with visited() as visitor:
        lamp = vista.create(BrowsedLamp)
        vista.delete(lamp)
        assert "The object is gone" in visitor.page(f"/object/{vista.id_of(lamp)}", 404)


def test_an_unknown_node_is_told_from_one_that_is_lost() -> None:
    with visited() as visitor:
        page = visitor.page("/node/4r7q2v9kzm1x8c5t", 404)
        assert "No node 4r7q2v9kzm1x8c5t is reached from here." in page


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("x", "There is no page at this address."),
        ("Local.", "There is no page at this address."),
        ("Local.Nothing/0", 'no class "Local.Nothing version 0"'),
        ("Local.BrowsedLamp/x", "“Local.BrowsedLamp” is no name of a class."),
    ],
)
def test_an_unknown_class_is_not_found(name: str, words: str) -> None:
    with visited() as visitor:
        page = visitor.page(f"/node/{node_text(vista.here())}/class/{name}", 404)
        assert words in page


def test_a_class_tells_what_it_takes_without_any_object_of_it() -> None:
    with visited() as visitor:
        page = visitor.page(f"/node/{node_text(vista.here())}/class/Local.BrowsedLamp/0")
        assert "A lamp &lt;that&gt; shines." in page
        assert "(watts: int = 60, other: vista.Ref | None = None) -&gt; None" in page
        assert "Make it darker." in page


def test_objects_are_chosen_by_class_and_come_in_pages() -> None:
    with visited() as visitor:
        for _ in range(ROWS_MAX + 5):
            vista.create(BrowsedLamp)
        objects = f"/node/{node_text(vista.here())}/objects"
        for pattern in ("browsedlamp", "Lamp", "Local.BrowsedLamp", "Local.Br*"):
            found = visitor.page(f"{objects}?pattern={pattern}").count(
                "<td>Local.<wbr>BrowsedLamp</td>"
            )
            assert found == (0 if pattern == "browsedlamp" else ROWS_MAX)
        rest = visitor.page(f"{objects}?pattern=Lamp&first={ROWS_MAX}")
        assert rest.count("<td>Local.<wbr>BrowsedLamp</td>") == 5
        assert "none from here on" in visitor.page(f"{objects}?first=99999999")


def test_a_node_with_many_objects_has_small_pages() -> None:
    with visited() as visitor:
        visitor.site.node.call(lambda: [vista.create(BrowsedLamp) for _ in range(20_000)])
        node = node_text(vista.here())
        for page in ("", "/objects", "/objects?first=15000", "/classes", "/threads"):
            assert len(visitor.page(f"/node/{node}{page}")) < 60_000


@pytest.mark.parametrize(
    "query", ["first=-1", "first=x", "first=" + "9" * 40, "a=1&" * 100, "%ff="]
)
def test_a_query_that_makes_no_sense_is_passed_over(query: str) -> None:
    with visited() as visitor:
        lamp = vista.id_of(vista.create(BrowsedLamp))
        page = visitor.page(f"/node/{node_text(vista.here())}/objects?{query}")
        assert f'href="/browser/object/{lamp}"' in page


def test_a_service_and_an_id_are_found() -> None:
    with visited() as visitor:
        lamp = vista.create(BrowsedLamp)
        vista.register_service("Lamps/best one", lamp)
        for text in ("Lamps/best+one", str(vista.id_of(lamp)), f"++{vista.id_of(lamp)}"):
            answer = visitor.get(f"/find?q={text}")
            assert (answer.status, answer.fields["location"]) == (
                303,
                f"/browser/object/{vista.id_of(lamp)}",
            )
        assert "did you mean" in visitor.page("/find?q=Lamps/best%20on", 404)


def test_variables_values_and_names_are_escaped() -> None:
    with visited() as visitor:
        lamp = vista.create(BrowsedLamp, "<i>&\"'</i>")
        page = visitor.page(f"/object/{vista.id_of(lamp)}")
        assert "<i>" not in page
        assert "&lt;i&gt;&amp;" in page


@pytest.mark.parametrize(
    ("kind", "shown"),
    [
        (BrowsedLiar, ["It does not tell what every object tells.", "RuntimeError: not <today>"]),
        (BrowsedOdd, ["<code>a</code>", "b'\\xff'"]),
    ],
    ids=["liar", "odd"],
)
def test_an_object_that_tells_nonsense_has_a_page_all_the_same(
    kind: type, shown: list[str]
) -> None:
    with visited() as visitor:
        id = vista.id_of(vista.create(kind))
        page = html.unescape(visitor.page(f"/object/{id}"))
        assert str(id) in page
        assert [text for text in shown if text not in page] == []
        assert visitor.get(f"/object/{id}/send").status == 200


def test_what_an_access_list_refuses_is_told_and_the_rest_shown() -> None:
    with visited(user="guest") as visitor:
        acl = vista.AccessControlList.of("deny guest extract_*", "allow * *")
        lamp = vista.create(BrowsedLamp, 60, acl=acl)
        page = html.unescape(visitor.page(f"/object/{vista.id_of(lamp)}"))
        assert "AccessDenied: user 'guest' may not send extract_instance_variables" in page
        assert "A lamp <that> shines." in page and "extract_*" in page


def test_messages_are_sent_in_the_users_name() -> None:
    with visited(user="guest") as visitor:
        lamp = vista.create(BrowsedLamp)
        assert "&#x27;guest&#x27;" in visitor.send(vista.id_of(lamp), "whoever").replace(
            "'", "&#x27;"
        )
        acl = vista.AccessControlList.of("deny guest dim", "allow * *")
        guarded = vista.create(BrowsedLamp, 60, acl=acl)
        assert "AccessDenied" in visitor.send(vista.id_of(guarded), "dim", "5")
        assert guarded.dim(0) == 60


def test_by_default_it_acts_as_who_made_it() -> None:
    with visited() as visitor:
        lamp = vista.create(BrowsedLamp)
        user = visitor.site.node.kernel.user
        assert f"<strong>{user}</strong>" in visitor.page(f"/object/{vista.id_of(lamp)}/send")


def test_a_look_at_the_form_sends_nothing() -> None:
    with visited() as visitor:
        lamp = vista.create(BrowsedLamp, 60)
        page = visitor.page(f"/object/{vista.id_of(lamp)}/send?method=dim&arguments=5")
        assert 'value="dim"' in page and ">5</textarea>" in page and "(by: int = 1)" in page
        assert lamp.dim(0) == 60


@pytest.mark.parametrize(
    ("method", "arguments", "shown"),
    [
        ("dim", "print(1)", "print(1) is no value"),
        ("dim", "'", "Line 1 is no Python value"),
        ("_secret", "", "NoSuchMethod"),
        ("", "", "method"),
    ],
)
def test_what_cannot_be_sent_is_refused_at_the_form(
    method: str, arguments: str, shown: str
) -> None:
    with visited() as visitor:
        lamp = vista.create(BrowsedLamp)
        answer = visitor.post(
            f"/object/{vista.id_of(lamp)}/send",
            csrf=visitor.csrf,
            method=method,
            arguments=arguments,
        )
        assert answer.status in (200, 422)
        assert shown in html.unescape(answer.body.decode())


def test_a_result_that_is_long_is_cut_and_references_in_it_lead_on() -> None:
    with visited() as visitor:
        lamp = vista.create(BrowsedLamp)
        id = vista.id_of(lamp)
        assert f'<a href="/browser/object/{id}">{id}</a>' in visitor.send(id, "get_self")
        page = visitor.send(id, "describe_user")
        assert "…</pre>" in page and len(page) < 40_000


def test_an_object_may_be_deleted_by_a_message() -> None:
    with visited() as visitor:
        id = vista.id_of(vista.create(BrowsedLamp))
        assert "the object is gone" in visitor.send(id, "delete_yourself")
        assert visitor.get(f"/object/{id}/send").status == 404


def test_only_a_form_for_a_message_can_be_sent() -> None:
    with visited() as visitor:
        assert visitor.post("/", csrf=visitor.csrf).status == 404
        assert visitor.post("/nothing", csrf=visitor.csrf).status == 404
