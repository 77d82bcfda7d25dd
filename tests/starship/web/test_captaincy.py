"""Who a player is: cookie, number and token."""

from __future__ import annotations

import pytest

from apps.http.content.resources import Request
from apps.starship.web.captaincy import COOKIE, Captain, captain_of, new_captain, new_nonce


def request_with(cookie: str) -> Request:
    return Request("GET", "/", header_names="cookie", header_values=cookie)


def test_the_cookie_alone_says_who_it_is() -> None:
    captain = new_captain()
    found = captain_of(request_with(f"a=b; {COOKIE}={captain.secret}"))
    assert found == captain


def test_captains_differ() -> None:
    captains = [new_captain() for _ in range(100)]
    assert len({captain.number for captain in captains}) == 100
    assert len({captain.token for captain in captains}) == 100


def test_a_number_has_62_bits() -> None:
    numbers = [new_captain().number for _ in range(200)]
    assert min(numbers) >= 0 and 2**58 < max(numbers) < 2**62


def test_number_and_token_are_those_of_the_secret_for_ever() -> None:
    # Written down: ships of today are to be commanded by the next version.
    captain = captain_of(request_with(f"{COOKIE}={'A' * 43}"))
    assert captain is not None
    assert (captain.number, captain.token) == (
        270247732176647469,
        "9027bfc04cc53e8cc2efb77858721302",
    )


@pytest.mark.parametrize(
    "value", ["", "x", "A" * 42, "A" * 44, "A" * 42 + "!", "<script>" + "A" * 35, "é" * 43]
)
def test_a_malformed_cookie_is_nobody(value: str) -> None:
    assert captain_of(request_with(f"{COOKIE}={value}")) is None


def test_without_a_cookie_there_is_nobody() -> None:
    assert captain_of(Request("GET", "/")) is None


def test_a_form_is_owned_by_its_token() -> None:
    captain = new_captain()
    assert captain.owns(captain.token)


def test_no_form_is_another_one() -> None:
    assert len({new_nonce() for _ in range(100)}) == 100


@pytest.mark.parametrize("token", ["", ".", "x", "é", "\ud800"])
def test_other_tokens_own_nothing(token: str) -> None:
    assert not new_captain().owns(token)


def test_the_token_of_another_captain_owns_nothing() -> None:
    assert not new_captain().owns(new_captain().token)


def test_the_secret_is_not_shown() -> None:
    captain = new_captain()
    assert captain.secret not in repr(captain)
    assert captain.secret not in captain.token and captain.secret not in str(captain.number)


@pytest.mark.parametrize("secure", [False, True])
def test_the_cookie_is_out_of_reach_of_scripts_and_of_other_sites(secure: bool) -> None:
    name, line = new_captain().cookie(secure)
    assert name == "Set-Cookie"
    assert "HttpOnly" in line and "SameSite=Lax" in line and "Path=/;" in line
    assert ("Secure" in line) is secure


def test_a_captain_can_be_compared() -> None:
    assert Captain("a", 1, "t") == Captain("a", 1, "t") != Captain("b", 1, "t")
