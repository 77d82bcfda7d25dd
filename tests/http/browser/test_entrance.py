"""Who may come in: a link serves once, sessions are bounded in number and time."""

from __future__ import annotations

import pytest

from apps.http.browser.bounds import SESSION_SECONDS, SESSIONS_MAX
from apps.http.browser.entrance import Entrance, drawn, is_same_origin


def test_a_link_serves_once() -> None:
    entrance = Entrance()
    key = entrance.new_key()
    assert entrance.redeem(key)
    assert not entrance.redeem(key)


def test_a_new_link_replaces_the_one_before() -> None:
    entrance = Entrance()
    first, second = entrance.new_key(), entrance.new_key()
    assert not entrance.redeem(first)
    assert entrance.redeem(second)


def test_a_wrong_key_does_not_use_the_link_up() -> None:
    entrance = Entrance()
    key = entrance.new_key()
    assert not entrance.redeem(key[:-1])
    assert not entrance.redeem("")
    assert entrance.redeem(key)


def test_without_a_link_nothing_is_redeemed() -> None:
    assert not Entrance().redeem("")


def test_a_session_is_found_by_its_key_alone() -> None:
    entrance = Entrance()
    key, csrf = drawn(), drawn()
    assert entrance.begin(key, csrf, "pages", 0.0) == []
    session = entrance.find(key, 1.0)
    assert session is not None and session.browser == "pages"
    assert entrance.find(csrf, 1.0) is None
    assert entrance.find(key + "x", 1.0) is None


def test_a_session_lasts_while_it_is_used() -> None:
    entrance = Entrance()
    entrance.begin("key", drawn(), None, 0.0)
    for hours in range(1, 20):
        assert entrance.find("key", hours * SESSION_SECONDS / 2) is not None
    assert entrance.find("key", 19 * SESSION_SECONDS / 2 + SESSION_SECONDS + 1) is None


def test_idle_sessions_end_when_the_next_begins() -> None:
    entrance = Entrance()
    entrance.begin("old", drawn(), "old", 0.0)
    ended = entrance.begin("new", drawn(), "new", SESSION_SECONDS + 1)
    assert [session.browser for session in ended] == ["old"]
    assert [session.browser for session in entrance.sessions()] == ["new"]


def test_of_too_many_sessions_the_one_that_was_idle_longest_ends() -> None:
    entrance = Entrance()
    for number in range(SESSIONS_MAX):
        entrance.begin(f"key {number}", drawn(), number, float(number))
    entrance.find("key 0", 1000.0)
    ended = entrance.begin("one more", drawn(), "one more", 1001.0)
    assert [session.browser for session in ended] == [1]
    assert len(entrance.sessions()) == SESSIONS_MAX


def test_a_session_that_was_left_is_not_found() -> None:
    entrance = Entrance()
    entrance.begin("key", drawn(), None, 0.0)
    session = entrance.find("key", 0.0)
    assert session is not None
    entrance.end(session)
    assert entrance.find("key", 0.0) is None


def test_a_form_belongs_to_one_session() -> None:
    entrance = Entrance()
    csrf = drawn()
    entrance.begin("key", csrf, None, 0.0)
    session = entrance.find("key", 0.0)
    assert session is not None and session.owns(csrf)
    assert not session.owns("") and not session.owns(drawn()) and not session.owns("ä\ud800")


def test_nothing_secret_shows_in_the_text_of_an_entrance() -> None:
    entrance = Entrance()
    key, csrf = entrance.new_key(), drawn()
    entrance.begin("key", csrf, None, 0.0)
    shown = repr(entrance) + repr(entrance.sessions())
    assert key not in shown and csrf not in shown


@pytest.mark.parametrize(
    ("origin", "host", "same"),
    [
        ("http://harbour.example", "harbour.example", True),
        ("https://Harbour.example:8443", "harbour.example:8443", True),
        ("", "harbour.example", True),
        ("null", "harbour.example", False),
        ("http://evil.example", "harbour.example", False),
        ("http://harbour.example:81", "harbour.example", False),
        ("http://harbour.example.evil", "harbour.example", False),
    ],
)
def test_a_form_comes_from_the_same_site(origin: str, host: str, same: bool) -> None:
    assert is_same_origin(origin, host) is same
