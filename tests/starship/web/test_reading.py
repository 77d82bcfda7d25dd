"""What a request asks for: looks, settings, forms and JSON."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.http.content.resources import Request
from apps.http.errors import RequestRejected
from apps.starship.web.limits import SiteLimits
from apps.starship.web.reading import (
    Look,
    Settings,
    look_of,
    read_interval,
    read_posted,
    settings_of,
    wants_json,
)

LIMITS = SiteLimits()
FORM = "application/x-www-form-urlencoded"


def posted(body: bytes, kind: str, **fields: str) -> Request:
    names = {"content-type": kind, **fields}
    return Request(
        "POST",
        "/starship/order",
        header_names="\n".join(names),
        header_values="\n".join(names.values()),
        body=body,
    )


def form(**fields: str) -> Request:
    return posted(urlencode(fields).encode(), FORM)


def with_cookie(value: str) -> Request:
    return Request("GET", "/", header_names="cookie", header_values=f"starship-settings={value}")


def test_a_look_is_read_from_a_query() -> None:
    found = look_of({"ship": " Gath ", "target": "Vulcan", "radius": "500", "filter": "attack"})
    assert found == Look("Gath", "Vulcan", 500, "attack")


@pytest.mark.parametrize("radius", ["", "0", "301", "-100", "1e2", "x", "٣٠٠", "9" * 9000])
def test_another_radius_is_the_usual_one(radius: str) -> None:
    assert look_of({"radius": radius}).radius == 300


def test_names_that_no_ship_has_are_left_out() -> None:
    assert look_of({"ship": "x" * 65, "target": "y" * 65}) == Look()


def test_a_look_is_written_as_it_is_read() -> None:
    look = Look("Gath", "Vulcan", 100, "attack")
    assert look_of(look.query()) == look
    assert Look("Gath").query() == {"ship": "Gath"}


@pytest.mark.parametrize(
    "settings", [Settings(), Settings(0), Settings(600, False), Settings(None, False)]
)
def test_settings_come_back_by_their_cookie(settings: Settings) -> None:
    value = settings.cookie(False)[1].partition("=")[2].partition(";")[0]
    assert settings_of(with_cookie(value)) == settings


@pytest.mark.parametrize("value", ["", "x", "601.1", "30", "30.2", "-1.1", "9999.0"])
def test_settings_that_cannot_be_are_the_usual_ones(value: str) -> None:
    assert settings_of(with_cookie(value)) == Settings()


@pytest.mark.parametrize(("text", "seconds"), [("0", 0), (" 30 ", 30), ("600", 600)])
def test_an_interval_is_read(text: str, seconds: int) -> None:
    assert read_interval(text) == seconds


@pytest.mark.parametrize("text", ["", "601", "-1", "1.5", "x", "٣", "9" * 5000])
def test_an_interval_that_cannot_be_is_none(text: str) -> None:
    assert read_interval(text) is None


def test_an_order_comes_by_a_form() -> None:
    found = read_posted(form(ship="Gath", command="lock", arg1="all", arg2=" Vulcan "), LIMITS)
    assert (found.get("ship"), found.get("command"), found.words) == (
        "Gath",
        "lock",
        ("all", "Vulcan"),
    )
    assert not found.as_json and not found.trusted


def test_empty_words_of_a_form_are_none() -> None:
    assert read_posted(form(command="distress", arg1="", arg2=" "), LIMITS).words == ()


def test_of_a_field_that_stands_twice_the_first_counts() -> None:
    found = read_posted(posted(b"ship=Gath&ship=Vorn", FORM), LIMITS)
    assert found.get("ship") == "Gath"


def test_an_order_comes_as_json() -> None:
    body = {"ship": "Gath", "cmd": "course_to", "args": [12, 3.5], "key": "k1"}
    found = read_posted(posted(json.dumps(body).encode(), "application/json"), LIMITS)
    assert (found.get("command"), found.words, found.get("key")) == ("course_to", (12, 3.5), "k1")
    assert found.as_json and found.trusted


def test_a_form_may_have_its_answer_as_json() -> None:
    request = posted(b"ship=Gath", FORM, accept="application/json")
    found = read_posted(request, LIMITS)
    assert found.as_json and not found.trusted
    assert wants_json(request) and not wants_json(form(ship="Gath"))


REFUSED_JSON: dict[str, Any] = {
    "no object": [1],
    "words that are a text": {"args": "up"},
    "too many words": {"args": ["a"] * 5},
    "a word that is a list": {"args": [["up"]]},
    "a word that is true": {"args": [True]},
    "a word that is nothing": {"args": [None]},
    "a long word": {"args": ["x" * 201]},
    "a field that is a list": {"ship": ["Gath"]},
    "a field that is true": {"ship": True},
    "a long field": {"ship": "x" * 201},
    "half a character": {"ship": "\ud800"},
    "half a character in a word": {"args": ["\udfff"]},
}


@pytest.mark.parametrize("name", REFUSED_JSON)
def test_json_that_is_no_order_is_refused(name: str) -> None:
    body = json.dumps(REFUSED_JSON[name]).encode()
    with pytest.raises(RequestRejected) as refused:
        read_posted(posted(body, "application/json"), LIMITS)
    assert refused.value.status == 400


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{", "application/json", 400),
        (b"\xff", "application/json", 400),
        (b"[" * 8000, "application/json", 400),
        (b'{"args":[1e999, ' + b"9" * 5000 + b"]}", "application/json", 400),
        (b"x" * 8193, "application/json", 413),
        (b"a=" + b"x" * 8191, FORM, 413),
        (b"ship=" + b"x" * 201, FORM, 400),
        ("&".join(f"f{n}=1" for n in range(33)).encode(), FORM, 413),
        (b"ship=Gath", "text/plain", 415),
        (b"ship=Gath", "", 415),
    ],
)
def test_what_is_no_form_is_refused(body: bytes, kind: str, status: int) -> None:
    with pytest.raises(RequestRejected) as refused:
        read_posted(posted(body, kind), LIMITS)
    assert refused.value.status == status


@given(st.binary(max_size=300), st.sampled_from([FORM, "application/json"]))
def test_any_body_is_read_or_refused(body: bytes, kind: str) -> None:
    try:
        found = read_posted(posted(body, kind), LIMITS)
    except RequestRejected as refused:
        assert refused.status in (400, 413)
    else:
        assert all(isinstance(value, str) for value in found.fields.values())
        for word in found.words:
            str(word).encode()
