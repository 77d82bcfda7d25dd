"""Those who see the same: what is sent to them, and what is not."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from apps.starship.web.audience import Audience, View, event, updates
from apps.starship.web.reading import Look


def audience() -> Audience:
    return Audience(View(Look("Gath")))


def test_only_what_changed_is_told() -> None:
    those = audience()
    assert those.changed({"nav": "a", "srs": "b"}) == {"nav": "a", "srs": "b"}
    assert those.changed({"nav": "a", "srs": "c"}) == {"srs": "c"}
    assert those.changed({"nav": "a", "srs": "c"}) == {}


def test_a_part_that_comes_back_is_told_again() -> None:
    those = audience()
    those.changed({"hints": "a"})
    those.changed({})
    assert those.changed({"hints": "a"}) == {"hints": "a"}


def test_who_is_new_is_admitted_once() -> None:
    those = audience()
    those.new["one"] = None
    assert list(those.admit()) == ["one"]
    assert list(those.admit()) == [] and list(those.clients) == ["one"]


def test_who_goes_is_forgotten_new_or_not() -> None:
    those = audience()
    those.new["one"] = None
    those.clients["two"] = None
    those.drop("one")
    assert not those.is_empty()
    those.drop("two")
    those.drop("two")
    assert those.is_empty()


def test_an_update_is_one_event_of_one_line() -> None:
    texts = updates(7, 4.256, {"nav": "<b>\n\r\u2028é</b>"}, 10_000)
    assert len(texts) == 1
    data = event(texts[0])
    assert data.startswith(b"data: {") and data.endswith(b"}\n\n")
    assert data.count(b"\n") == 2 and b"\r" not in data
    assert json.loads(data[6:]) == {
        "step": 7,
        "next_in": 4.26,
        "panels": {"nav": "<b>\n\r\u2028é</b>"},
    }


def test_an_update_may_name_another_server() -> None:
    (text,) = updates(7, 1.0, {"nav": "a"}, 10_000, "http://far:4321")
    assert json.loads(text) == {
        "step": 7,
        "next_in": 1.0,
        "other": "http://far:4321",
        "panels": {"nav": "a"},
    }


def test_an_update_may_send_everybody_to_the_other_server() -> None:
    (text,) = updates(7, 1.0, {}, 10_000, "http://far:4321", True)
    assert json.loads(text)["leaving"] is True
    (text,) = updates(7, 1.0, {}, 10_000, "", True)
    assert "leaving" not in json.loads(text)


def test_nothing_is_an_update_too() -> None:
    assert [json.loads(text) for text in updates(7, 1.0, {}, 10_000)] == [
        {"step": 7, "next_in": 1.0, "panels": {}}
    ]


def test_what_is_too_large_together_comes_in_several_updates() -> None:
    parts = {name: name * 3_000 for name in "abcd"}
    texts = updates(7, 1.0, parts, 8_000)
    assert len(texts) == 2 and all(len(text.encode()) <= 8_000 for text in texts)
    found: dict[str, str] = {}
    for text in texts:
        told = json.loads(text)
        assert told["step"] == 7 and "stale" not in told
        found |= told["panels"]
    assert found == parts


def test_what_is_too_large_alone_is_named() -> None:
    texts = updates(7, 1.0, {"srs": "a", "lrs": "é" * 5_000}, 8_000)
    assert [json.loads(text) for text in texts] == [
        {"step": 7, "next_in": 1.0, "panels": {"srs": "a"}, "stale": ["lrs"]}
    ]


@given(
    st.dictionaries(st.text(max_size=10), st.text(max_size=400), max_size=12),
    st.integers(1_100, 3_000),
)
def test_every_part_is_sent_or_named_within_the_bound(parts: dict[str, str], most: int) -> None:
    sent: dict[str, str] = {}
    stale: list[str] = []
    for text in updates(7, 1.0, parts, most):
        assert len(text.encode()) <= most
        told = json.loads(text)
        sent |= told["panels"]
        stale += told.get("stale", [])
    assert sorted([*sent, *stale]) == sorted(parts)
    assert all(parts[name] == text for name, text in sent.items())
