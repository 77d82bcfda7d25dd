"""The pages for spectators as HTML: what is on them, what leads where, and that text stays text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from importlib import resources
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.starship.display.galaxy import Frames
from apps.starship.pages.galaxy_page import map_page
from apps.starship.pages.leaderboard_page import leaderboard_page
from apps.starship.pages.replay_page import replay_page, wanted_step
from apps.starship.pages.servers_page import servers_page
from tests.starship.spectators.show import STEPS, played

NAMES = ("map", "leaderboard", "replay", "servers")
VOID = {"meta", "link", "input"}


class Outline(HTMLParser):
    """The elements of a document, and what is not nested as it should be."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.wrong: list[str] = []
        self.feed(text)
        self.close()
        self.wrong += self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def of(self, tag: str) -> Iterator[dict[str, str | None]]:
        return (attributes for name, attributes in self.found if name == tag)

    def links(self) -> list[str]:
        return [str(attributes["href"]) for attributes in self.of("a")]


def outline(name: str, **asked: str) -> Outline:
    return Outline(played().page(name, asked))


@pytest.mark.parametrize("name", NAMES)
def test_every_element_is_closed_and_every_id_stands_once(name: str) -> None:
    found = outline(name)
    assert found.wrong == []
    ids = [attributes["id"] for _tag, attributes in found.found if "id" in attributes]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("name", NAMES)
def test_nothing_on_a_page_is_refused_by_its_policy(name: str) -> None:
    found = outline(name)
    for tag, attributes in found.found:
        assert tag != "style"
        assert not [key for key in attributes if key == "style" or key.startswith("on")]
    for script in found.of("script"):
        assert str(script["src"]).startswith("/starship/static/")


@pytest.mark.parametrize("name", NAMES)
def test_every_page_leads_to_the_others_and_says_where_one_is(name: str) -> None:
    found = outline(name)
    assert {f"/starship/{other}" for other in NAMES} <= set(found.links())
    assert "/starshipLogin.html" in found.links()
    here = [a["href"] for a in found.of("a") if a.get("aria-current") == "page"]
    assert here == [f"/starship/{name}"]


@pytest.mark.parametrize("name", NAMES)
def test_every_page_has_the_logo_of_the_bridge(name: str) -> None:
    [brand] = [a for a in outline(name).of("a") if a.get("class") == "brand"]
    assert brand["href"] == "/starshipLogin.html"
    assert bridge_logo() in played().page(name, {})


def bridge_logo() -> str:
    """The drawing in the header of a bridge."""
    template = resources.files("apps.starship.pages") / "templates" / "starshipGUI.html"
    found = re.search(r'class="brand"[^>]*>(<svg.*?</svg>)', template.read_text("utf-8"))
    assert found is not None
    return found[1]


def test_the_map_leads_to_the_scan_of_every_ship() -> None:
    ships = {row["name"] for row in played().map()["things"] if row["kind"] == "starship"}
    scanned = [
        parse_qs(urlsplit(link).query)["ship"][0]
        for link in outline("map").links()
        if urlsplit(link).path == "/starship/scan"
    ]
    # Once on the chart, once in the list.
    assert sorted(scanned) == sorted([*ships, *ships])


def test_the_map_without_script_is_enlarged_and_shifted_by_links() -> None:
    found = outline("map", zoom="4", x="1000", y="3000")
    (svg,) = (a for a in found.of("svg") if a.get("id") == "chart")
    assert svg["viewbox"] == "500 500 1000 1000"
    knobs = {a["data-do"]: str(a["href"]) for a in found.of("a") if "data-do" in a}
    assert knobs["in"] == "/starship/map?zoom=8&x=1000&y=3000"
    assert knobs["out"] == "/starship/map?zoom=2&x=1000&y=3000"
    assert knobs["north"] == "/starship/map?zoom=4&x=1000&y=3250"
    assert knobs["east"] == "/starship/map?zoom=4&x=1250&y=3000"
    assert knobs["all"] == "/starship/map"


@pytest.mark.parametrize(
    ("asked", "box"),
    [
        ({"zoom": "9"}, "1750 1750 500 500"),
        ({"zoom": "-3"}, "0 0 4000 4000"),
        ({"zoom": "2", "x": "-999", "y": "99999"}, "0 0 2000 2000"),
        ({"zoom": "\u0664", "x": "1e9", "y": "nan"}, "0 0 4000 4000"),
    ],
    ids=["between", "negative", "outside", "no-number"],
)
def test_the_map_shows_a_part_of_the_galaxy_whatever_is_asked(
    asked: dict[str, str], box: str
) -> None:
    (svg,) = (a for a in outline("map", **asked).of("svg") if a.get("id") == "chart")
    assert svg["viewbox"] == box


def test_the_map_has_fleets_trails_and_territory() -> None:
    text = played().page("map", {})
    assert len(played().map()["fleets"]) == len(re.findall(r'<circle [^>]*class="fleet ', text))
    assert 'class="trail race-' in text
    assert len(re.findall(r'class="own own-', text)) == 48


def test_a_page_without_script_asks_for_itself_again_but_the_replay_stays() -> None:
    for name in NAMES:
        text = played().page(name, {})
        refreshed = '<noscript><meta http-equiv="refresh" content="30"></noscript>' in text
        assert refreshed == (name != "replay")


# --- the leaderboard -----------------------------------------------------------------------


def names_of(text: str) -> list[str]:
    body = text.partition("<tbody>")[2]
    return re.findall(r'<th scope="row">(?:<a [^>]*>)?([^<]+)', body)


@pytest.mark.parametrize("sort", ["score", "kills", "missions", "lived"])
@pytest.mark.parametrize("order", ["up", "down"])
def test_the_leaderboard_is_sorted_by_links(sort: str, order: str) -> None:
    table = {row["name"]: row for row in played().table()}
    page = leaderboard_page(list(table.values()), STEPS, {"sort": sort, "order": order})
    values = [table[name][sort] for name in names_of(page)]
    assert values == sorted(values, reverse=order == "down")
    found = Outline(page)
    told = [a["aria-sort"] for a in found.of("th") if "aria-sort" in a]
    assert told == ["ascending" if order == "up" else "descending"]
    # The other order is one click away, and another column begins with its highest.
    other = {"up": "down", "down": "up"}[order]
    assert f"/starship/leaderboard?who=all&sort={sort}&order={other}" in found.links()
    another = "kills" if sort != "kills" else "score"
    assert f"/starship/leaderboard?who=all&sort={another}&order=down" in found.links()


def test_the_leaderboard_by_name_begins_with_a() -> None:
    rows = played().table()
    names = names_of(leaderboard_page(rows, STEPS, {"sort": "name"}))
    assert names == sorted(names, key=str.lower)
    assert "sort=name&amp;order=down" in leaderboard_page(rows, STEPS, {"sort": "name"})


@pytest.mark.parametrize("who", ["human", "computer", "lost", "all"])
def test_the_leaderboard_of_some(who: str) -> None:
    rows = played().table()
    kinds = {"human": {"human", "caretaker"}, "computer": {"computer"}}
    wanted = [
        row["name"]
        for row in rows
        if who == "all" or (row["lost"] if who == "lost" else row["captain"] in kinds[who])
    ]
    assert sorted(names_of(leaderboard_page(rows, STEPS, {"who": who}))) == sorted(wanted)


def test_lost_ships_lead_to_no_scan() -> None:
    rows = [row for row in played().table() if row["lost"]]
    links = Outline(leaderboard_page(rows, STEPS, {})).links()
    assert [link for link in links if "/scan" in link] == []


def test_a_long_leaderboard_is_cut_off() -> None:
    row = {**played().table()[0], "lost": False}
    rows = [{**row, "name": f"Ship-{n}"} for n in range(1_000)]
    text = leaderboard_page(rows, STEPS, {})
    assert len(names_of(text)) == 200
    assert "1,000 ships; the first 200 are listed" in text


def test_the_leaderboard_counts_its_ships_and_the_lost_ones_among_them() -> None:
    row = {**played().table()[0], "lost": False}
    rows = [{**row, "name": f"Ship-{n}", "lost": n < 2} for n in range(5)]
    assert "<caption>5 ships, 2 of them lost</caption>" in leaderboard_page(rows, STEPS, {})
    lost = leaderboard_page(rows, STEPS, {"who": "lost"})
    assert "<caption>2 ships</caption>" in lost
    assert "<caption>1 ship</caption>" in leaderboard_page(rows[2:3], STEPS, {})


# --- the replay ----------------------------------------------------------------------------


def test_each_step_of_the_replay_is_a_link() -> None:
    links = {
        a["data-go"]: parse_qs(urlsplit(str(a["href"])).query)["step"][0]
        for a in outline("replay", step="100").of("a")
        if "data-go" in a
    }
    assert links == {
        "first": "0", "-60": "40", "-10": "90", "-1": "99",
        "+1": "101", "+10": "110", "+60": "150", "last": "150",
    }  # fmt: skip


def test_the_replay_shows_the_step_that_is_asked_for() -> None:
    show = played()
    frame = show.frames_of(30, 30)["frames"][0]
    found = outline("replay", step="30")
    things = [a for _tag, a in found.found if "data-name" in a]
    assert len(things) == len(frame["i"])
    (slider,) = (a for a in found.of("input") if a.get("type") == "range")
    assert (slider["min"], slider["max"], slider["value"]) == ("0", str(STEPS), "30")


@pytest.mark.parametrize(
    ("text", "step"), [("7", 7), ("", -1), ("x", -1), ("-9", -1), ("9" * 39, 2**53)]
)
def test_the_wanted_step(text: str, step: int) -> None:
    assert wanted_step({"step": text}) == step


def test_the_replay_of_a_game_that_has_not_begun() -> None:
    import json

    text = replay_page(json.loads(Frames().text()), {})
    assert "No step is there to be shown yet." in text


# --- the servers ---------------------------------------------------------------------------


def test_the_servers_page_names_each_server_its_state_and_who_was_wrong() -> None:
    text = played().page("servers", {})
    for words in ("node-0", "primary's own", "following", "barred", "60 %", "5.2 ms"):
        assert words in text
    assert "its result for Gath nav is wrong" in text
    assert ">divergent</b> server node-3:7: wrong (server D)" in text


def test_the_servers_page_says_who_computes_what() -> None:
    text = played().page("servers", {"find": "aegis"})
    row = re.search(r'<th scope="row">Aegis</th>(.*?)</tr>', text)
    assert row is not None
    assert re.findall(r"<td>(.*?)</td>", row[1]) == ["primary", "deferred", "gone"]
    assert ">Bastion</th>" not in text


def test_only_addresses_of_the_web_are_links_to_servers() -> None:
    table = played().servers()
    table["servers"][0]["url"] = "javascript:alert(1)"
    assert "javascript:" not in servers_page(table, {})


def test_what_an_operator_should_look_at_stands_first() -> None:
    table = {
        **played().servers(), "frozen": True, "saving": "no space left on device",
        "refused": [{"name": "<old>", "why": "it has the rules 1, the game is played by 2"}],
    }  # fmt: skip
    text = servers_page(table, {})
    assert f"Link to the primary lost - display frozen at step {STEPS}" in text
    assert "The game is not saved: no space left on device" in text
    assert "&lt;old&gt; is not taken: it has the rules 1, the game is played by 2" in text
    assert 'role="status" data-part></div>' in servers_page(played().servers(), {})


def test_a_server_of_which_little_is_known_is_shown() -> None:
    text = servers_page({"servers": [{"id": "x", "state": "joining"}]}, {})
    assert ">joining</span>" in text


# --- text stays text -----------------------------------------------------------------------

HOSTILE = st.text(max_size=30) | st.sampled_from(
    ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "' x='", "]]>", "\x00", "&lt;"]
)


def spoiled(value: Any, text: str) -> Any:
    """A value with every text but words of the program replaced."""
    if isinstance(value, dict):
        kept = {"race", "kind", "owner", "state", "captain", "id", "a", "server", "quadrant"}
        return {key: found if key in kept else spoiled(found, text) for key, found in value.items()}
    if isinstance(value, list):
        return [spoiled(found, text) for found in value]
    return text if isinstance(value, str) else value


@given(HOSTILE)
@settings(max_examples=25, deadline=None)
def test_no_text_becomes_markup(text: str) -> None:
    show = played()
    asked = {"zoom": text, "find": text, "sort": text, "who": text, "step": text}
    pages = {
        "map": map_page(spoiled(show.map(), text), asked),
        "leaderboard": leaderboard_page(spoiled(show.table(), text), STEPS, asked),
        "servers": servers_page(spoiled(show.servers(), text), asked),
    }
    for name, page in pages.items():
        found = Outline(page)
        assert found.wrong == [], name
        assert [a for tag, a in found.found if tag in ("img", "script") and "src" not in a] == []
        assert not [a for _tag, a in found.found if "onerror" in a]
