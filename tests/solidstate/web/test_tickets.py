"""What a browser has to bring: secrets, Ids made of them, and the keys of forms."""

from __future__ import annotations

import pytest

import vista
from apps.solidstate.web.arrivals import Arrivals
from apps.solidstate.web.tickets import (
    check_type,
    find_ticket,
    is_request_key,
    is_session_id,
    name_request,
    request_key,
    secret_of,
    session_id,
)

SECRET = "s" * 43
OTHER = "t" * 43


def test_the_id_of_a_session_is_made_of_its_type_and_its_secret() -> None:
    id = session_id("shop", SECRET)
    assert is_session_id(id)
    assert len({id, session_id("shop", OTHER), session_id("forum", SECRET)}) == 3


def test_a_ticket_is_found_among_other_cookies() -> None:
    cookies = {"lang": "en", "replica-forum": OTHER, "replica-shop": SECRET}
    assert find_ticket(cookies, session_id("shop", SECRET)) == ("shop", SECRET)


@pytest.mark.parametrize(
    "cookies",
    [
        {},
        {"replica-shop": OTHER},
        {"replica-forum": SECRET},
        {"shop": SECRET},
        {"replica-shop": SECRET[:-1]},
        {"replica-SHOP": SECRET},
        {"replica-shop": SECRET + "\u00e9"},
    ],
    ids=["none", "other secret", "other type", "other name", "short", "large letters", "letters"],
)
def test_another_cookie_is_no_ticket(cookies: dict[str, str]) -> None:
    assert find_ticket(cookies, session_id("shop", SECRET)) is None


def test_a_secret_of_another_form_is_none() -> None:
    assert secret_of({"replica-shop": SECRET}, "shop") == SECRET
    assert secret_of({"replica-shop": SECRET + "\n"}, "shop") == ""
    assert secret_of({}, "shop") == ""


def test_a_key_is_that_of_one_session() -> None:
    key = request_key(SECRET, bytes(16))
    assert is_request_key(SECRET, key)
    assert not is_request_key(OTHER, key)


@pytest.mark.parametrize("key", ["", "0" * 64, "0" * 63, "\u0660" * 64, "G" * 64])
def test_what_nobody_made_is_no_key(key: str) -> None:
    assert not is_request_key(SECRET, key)


def test_a_key_that_was_changed_anywhere_is_none() -> None:
    key = request_key(SECRET, bytes(range(16)))
    for place, digit in enumerate(key):
        changed = key[:place] + ("1" if digit == "0" else "0") + key[place + 1 :]
        assert not is_request_key(SECRET, changed), place


def test_a_request_is_known_by_its_key_and_by_what_is_in_it() -> None:
    key, other = (request_key(SECRET, bytes([number]) * 16) for number in (1, 2))
    name = name_request(key, {"name": "tea", "count": "1"})
    assert name == name_request(key, {"count": "1", "name": "tea"})
    others = {
        name_request(key, {"name": "tea", "count": "2"}),
        name_request(key, {"name": "tea"}),
        name_request(other, {"name": "tea", "count": "1"}),
    }
    assert len(others | {name}) == 4


@pytest.mark.parametrize("name", ["", "Shop", "a b", "-a", "a-", "x" * 33, "a/b", "a;b"])
def test_a_type_is_called_by_what_a_cookie_can_be_called(name: str) -> None:
    with pytest.raises(vista.BadValueError, match=r"^a transaction type is called by"):
        check_type(name)


# --- how many may come -----------------------------------------------------------------------


def test_an_address_begins_some_sessions_at_once_and_then_so_many_in_a_minute() -> None:
    arrivals = Arrivals(per_minute=6, at_once=3)
    assert [arrivals.begin("10.0.0.1", 0.0) for _ in range(4)] == [True] * 3 + [False]
    assert not arrivals.begin("10.0.0.1", 9.9)
    assert arrivals.begin("10.0.0.1", 10.0)
    assert not arrivals.begin("10.0.0.1", 10.0)


def test_what_began_nothing_is_given_back_and_no_more_than_at_once() -> None:
    arrivals = Arrivals(per_minute=6, at_once=1)
    assert arrivals.begin("10.0.0.1", 0.0)
    arrivals.give_back("10.0.0.1")
    arrivals.give_back("10.0.0.1")
    arrivals.give_back("10.0.0.2")
    assert [arrivals.begin("10.0.0.1", 0.0) for _ in range(2)] == [True, False]


def test_addresses_do_not_take_from_one_another() -> None:
    arrivals = Arrivals(per_minute=6, at_once=1)
    assert arrivals.begin("10.0.0.1", 0.0)
    assert arrivals.begin("10.0.0.2", 0.0)


def test_a_network_of_64_bits_is_one_address() -> None:
    arrivals = Arrivals(per_minute=6, at_once=1)
    assert arrivals.begin("2001:db8::1", 0.0)
    assert not arrivals.begin("2001:db8::2", 0.0)


def test_what_was_saved_up_is_no_more_than_at_once() -> None:
    arrivals = Arrivals(per_minute=6, at_once=2)
    arrivals.begin("10.0.0.1", 0.0)
    assert [arrivals.begin("10.0.0.1", 86_400.0) for _ in range(3)] == [True, True, False]


def test_nobody_is_counted_where_any_number_may_come() -> None:
    arrivals = Arrivals(per_minute=0)
    assert all(arrivals.begin("10.0.0.1", 0.0) for _ in range(1_000))
    assert len(arrivals) == 0


def test_only_so_many_addresses_are_remembered() -> None:
    arrivals = Arrivals(per_minute=6, at_once=1, addresses_max=2)
    for number in range(3):
        arrivals.begin(f"10.0.0.{number}", 0.0)
    assert len(arrivals) == 2
    assert not arrivals.begin("10.0.0.2", 0.0)
