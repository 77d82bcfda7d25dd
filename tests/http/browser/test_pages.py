"""The pages as functions of what was told: complete, linked, and escaped whatever it says."""

from __future__ import annotations

from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import pytest

import vista
from apps.http.browser import node_pages, object_pages
from apps.http.browser.asking import NodeSeen, ObjectSeen
from apps.http.browser.bounds import ROWS_MAX
from apps.http.browser.frame import Addresses, Framing, Page, framed, linked, pager
from apps.http.browser.markup import Html
from apps.http.browser.rates import Rates

NASTY = "\"><script>alert(1)</script>'&lt;\u202e"
FRAME = Framing(Addresses("/browser"), NASTY, "secret", "1", "/")
HERE = vista.Id.parse("4r7q2v9kzm1x8c5t-0")
THERE = vista.Id.parse("9w7q2v9kzm1x8c5t-0")
SHIP = vista.Id.parse("4r7q2v9kzm1x8c5t-1f")
VOID = {"meta", "link", "input", "br", "wbr"}


class Outline(HTMLParser):
    """Checks that a document is well formed, and keeps what tests look at."""

    def __init__(self, document: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.feed(document)
        self.close()
        assert self.open == [], f"not closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        assert len(found) == len(attrs), f"an attribute of {tag} stands twice"
        self.elements.append((tag, found))
        if found.get("id"):
            self.ids.append(str(found["id"]))
        if tag == "a":
            self.links.append(str(found["href"]))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open.pop() == tag, f"</{tag}> closes another element"


def node(id: vista.Id, name: str = NASTY, **statistics: Any) -> NodeSeen:
    """A node that tells nasty things."""
    figures = {
        "uptime_seconds": 100.0,
        "objects": 3,
        "threads_live": 1,
        "threads_started": 50,
        "objects_by_class": {NASTY: 2, "Local.Ship": 1},
        "methods": {
            f"Local.{NASTY}/0.sail": method(0.5),
            "Local.Ship/3.sail": method(0.001),
            "odd": method(0.0),
        },
        **statistics,
    }
    peer = vista.PeerRow(str(THERE)[:16], NASTY, 1, NASTY, NASTY, (NASTY,), 1, 2, 3, 4, 5, 0.25)
    return NodeSeen(id, name, figures, (peer,))


def method(seconds: float) -> dict[str, Any]:
    """The figures of a method."""
    times = dict.fromkeys(("p50_seconds", "p99_seconds", "longest_seconds"), seconds)
    return {"calls": 7, "timed_calls": 2, "timed_seconds": seconds, **times}


def thing(**changes: Any) -> ObjectSeen:
    """An object that tells nasty things."""
    told: dict[str, Any] = {
        "id": SHIP,
        "class_name": vista.ClassName("Local", NASTY, 0),
        "doc": f"{NASTY} first\n\n{NASTY} second",
        "bases": (NASTY,),
        "services": (NASTY,),
        "watchers": (NASTY, str(HERE)),
        "acl": vista.AccessControlList((("allow", NASTY, NASTY),)),
        "meta": NASTY,
        "variables": ((NASTY, NASTY, f"{NASTY} <Ship {SHIP}>"),),
        "variables_all": 1,
        "methods": (vista.MethodRow(NASTY, NASTY, NASTY, (NASTY,)), HAIL),
        "node": THERE,
        "row": vista.ObjectRow(SHIP, NASTY, (NASTY,), 1, 2),
        "threads": (thread(),),
        "troubles": {},
    }
    return ObjectSeen(**{**told, **changes})


HAIL = vista.MethodRow("hail", "(loud: bool = True) -> str", "Hail it, as ``hail`` does.", ())


def thread() -> vista.ThreadRow:
    """A thread that tells nasty things."""
    return vista.ThreadRow(SHIP, SHIP, NASTY, NASTY, NASTY, NASTY, NASTY, 1.5, NASTY)


def rates() -> Rates:
    """Rates with a curve."""
    made = Rates()
    for number in range(5):
        made.note(str(HERE)[:16], 2.0 * number, 10 * number)
    return made


A = Addresses("/browser")
ROW = vista.ObjectRow(SHIP, NASTY, (NASTY,), 1, 2)
KIND = vista.ClassRow(NASTY, NASTY, 0, 1, NASTY, NASTY)
SERVICE = vista.ServiceRow(NASTY, SHIP, NASTY, NASTY)
FORM = object_pages.SendForm(NASTY, NASTY, NASTY, NASTY)
TOLD = {"doc": NASTY, "bases": [NASTY], "signature": NASTY, "methods": {"hail": HAIL}}

PAGES: dict[str, Callable[[], Page]] = {
    "overview": lambda: node_pages.overview(
        A, [node(HERE), node(THERE), NodeSeen(SHIP, trouble=NASTY)], rates(), 3
    ),
    "node": lambda: node_pages.node_overview(A, node(HERE), rates()),
    "objects": lambda: node_pages.objects_page(A, node(HERE), [ROW], NASTY, 0),
    "classes": lambda: node_pages.classes_page(A, node(HERE), [KIND], 0),
    "threads": lambda: node_pages.threads_page(A, node(HERE), [thread()], 0),
    "services": lambda: node_pages.services_page(A, node(HERE), [SERVICE], 0),
    "methods": lambda: node_pages.methods_page(A, node(HERE), "p50"),
    "class": lambda: object_pages.class_page(
        A, node(HERE), vista.ClassName(NASTY, NASTY, 1), TOLD
    ),
    "object": lambda: object_pages.object_page(A, thing(), NASTY),
    "object that tells nothing": lambda: object_pages.object_page(
        A,
        thing(
            class_name=None, acl=None, row=None, methods=(), variables=(), variables_all=0,
            threads=(), troubles=dict.fromkeys(
                ("describe", "methods", "get_acl", "variables", "mailbox", "threads"), NASTY
            ),
        ),
        "",
    ),
    "send": lambda: object_pages.send_page(A, thing(), NASTY, FORM, None),
    "sent": lambda: object_pages.send_page(
        A, thing(), NASTY, FORM, object_pages.Sent(f"{NASTY} {SHIP}", seconds="1 s")
    ),
    "failed": lambda: object_pages.send_page(
        A, thing(), NASTY, FORM, object_pages.Sent(NASTY, True, NASTY, seconds="1 s")
    ),
    "refused": lambda: object_pages.send_page(
        A, thing(), NASTY, FORM, object_pages.Sent(refused=NASTY)
    ),
    "trouble": lambda: object_pages.trouble_page(A, 404, NASTY, f"{NASTY} {SHIP}", True),
}  # fmt: skip


def document(name: str) -> str:
    """A page as a whole document."""
    return framed(PAGES[name](), FRAME)


@pytest.mark.parametrize("name", PAGES)
def test_every_page_is_well_formed_and_runs_no_script_of_others(name: str) -> None:
    seen = Outline(document(name))
    scripts = [found.get("src") for tag, found in seen.elements if tag == "script"]
    assert scripts == ["/browser/static/browser.js?v=1"]
    attributes = {key for _, found in seen.elements for key in found}
    assert not [key for key in attributes if key.startswith("on") or key == "style"]


@pytest.mark.parametrize("name", PAGES)
def test_every_page_leads_to_addresses_of_the_browser_alone(name: str) -> None:
    links = Outline(document(name)).links
    assert links
    assert [link for link in links if not link.startswith(("/browser/", "#content"))] == []


@pytest.mark.parametrize("name", PAGES)
def test_every_id_stands_once_and_every_label_has_its_field(name: str) -> None:
    seen = Outline(document(name))
    assert sorted(set(seen.ids)) == sorted(seen.ids)
    labels = {found["for"] for tag, found in seen.elements if tag == "label"}
    assert labels <= set(seen.ids)


@pytest.mark.parametrize("name", PAGES)
def test_every_page_has_one_heading_and_the_landmarks(name: str) -> None:
    tags = [tag for tag, _ in Outline(document(name)).elements]
    assert [tags.count(tag) for tag in ("h1", "main", "header", "footer")] == [1] * 4


@pytest.mark.parametrize("name", PAGES)
def test_what_is_kept_live_is_a_part_of_the_page(name: str) -> None:
    page = PAGES[name]()
    seen = Outline(framed(page, FRAME))
    live = [found["id"] for _, found in seen.elements if "data-live" in found]
    assert sorted(map(str, live)) == sorted(page.parts)
    for part in page.parts.values():
        assert part in page.main


@pytest.mark.parametrize("name", PAGES)
def test_the_same_is_told_the_same_way(name: str) -> None:
    assert document(name) == document(name)


def test_a_node_that_does_not_answer_is_told_and_counts_nothing() -> None:
    lost = NodeSeen(THERE, trouble="PeerLost: gone")
    page = node_pages.overview(A, [node(HERE, "near"), lost], rates(), 0)
    assert "PeerLost: gone" in page.parts["nodes"]
    assert "does not answer" in page.parts["network"]


def test_a_link_is_drawn_once_though_both_ends_tell_of_it() -> None:
    other = vista.PeerRow(str(HERE)[:16], "near", 1, "", "", (), 1, 2, 3, 4, 5, None)
    both = [node(HERE, "near"), NodeSeen(THERE, "far", {}, (other,))]
    drawn = node_pages.overview(A, both, rates(), 0).parts["network"]
    assert drawn.count('class="link"') == 1
    assert "250 ms" in drawn


def test_references_lead_to_their_objects() -> None:
    assert linked(A, f"<Ship {SHIP}>, x") == (
        f'&lt;Ship <a href="/browser/object/{SHIP}">{SHIP}</a>&gt;, x'
    )


@pytest.mark.parametrize("text", [f"x{SHIP}", str(SHIP).upper(), "4r7q2v9kzm1x8c5-1f", f"-{SHIP}"])
def test_what_only_looks_like_a_reference_stays_text(text: str) -> None:
    assert "<a" not in linked(A, text)


def test_only_a_page_of_rows_is_shown_and_the_next_one_offered() -> None:
    rows = [ROW] * (ROWS_MAX + 1)
    markup = str(node_pages.objects_page(A, node(HERE), rows, "Local.*", 200).main)
    assert markup.count("<tr>") == 1 + ROWS_MAX
    assert "pattern=Local.%2A&amp;first=300" in markup
    assert "pattern=Local.%2A&amp;first=100" in markup
    assert "201 to 300" in markup


def test_the_first_page_of_rows_has_a_plain_address() -> None:
    assert '<a href="/x" rel="prev">' in pager("/x", {"pattern": ""}, ROWS_MAX, 5, False)
    assert pager("/x", {}, 0, 5, False) == Html("")


def test_the_slowest_method_stands_first_and_leads_to_its_class() -> None:
    markup = str(node_pages.methods_page(A, node(HERE), "p99").main)
    assert markup.index(".sail") < markup.index("Local.Ship")
    assert "/browser/node/4r7q2v9kzm1x8c5t/class/Local.Ship/3" in markup
    assert (
        '<a href="/browser/node/4r7q2v9kzm1x8c5t/methods?sort=p99" aria-current="true">' in markup
    )


def test_methods_that_were_not_timed_are_counted_and_not_ordered_by_time() -> None:
    methods = {"Local.A/0.a": method(1.0), "Local.B/0.b": {**method(0.0), "timed_calls": 0}}
    slow = str(node_pages.methods_page(A, node(HERE, methods=methods), "p99").main)
    assert "Local.B" not in slow and "1 method more had no call in the sample" in slow
    assert "Local.B" in node_pages.methods_page(A, node(HERE, methods=methods), "calls").main


def test_methods_of_its_own_come_before_those_of_every_object() -> None:
    rows = (vista.MethodRow("describe", "()", "", ()), HAIL)
    markup = str(object_pages.methods_list(A, rows, SHIP))
    assert markup.index("hail") < markup.index("<details") < markup.index("describe")
    assert "<code>hail</code> does." in markup


def test_a_thread_can_be_ended_by_the_object_of_its_node() -> None:
    markup = str(node_pages.threads_list(A, HERE, [thread()]))
    assert f"/browser/object/{HERE}/send?method=kill_thread&amp;arguments=Id%28%22" in markup


def test_a_message_that_was_refused_says_so_at_its_field() -> None:
    page = PAGES["refused"]()
    assert page.status == 422
    assert 'aria-invalid="true"' in page.main
