"""What goes on between a player and a server."""

from __future__ import annotations

from typing import Any

import pytest

from apps.starship.display.screen import Look
from apps.starship.terminal.session import Fetch, Keep, Post, Quit, Session, new_ship
from tests.starship.rules.galaxy import thing
from tests.starship.terminal.example import bridge

GATH = thing("Gath", "K", at=(1_100_000, 1_000_000))
VORN = thing("Vorn", "K", at=(1_200_000, 1_000_000))


def playing(**changes: Any) -> Session:
    """A captain on the bridge of the Lexington."""
    session = Session("Lexington", own=True, key="k")
    session.screen_received(bridge(GATH, VORN, **changes))
    return session


def said(session: Session) -> tuple[str, bool]:
    sight = session.sight("")
    return sight.notice, sight.refused


# --- orders --------------------------------------------------------------------------------


def test_an_order_is_sent_with_a_key_of_its_own() -> None:
    session = playing()
    fields = {"ship": "Lexington", "command": "fire", "args": ["p1"]}
    assert session.entered("f p1") == [Post("order", {**fields, "key": "k-1"})]
    assert session.entered("f p1") == [Post("order", {**fields, "key": "k-2"})]


def test_an_answer_shows_at_once_what_is_left() -> None:
    session = playing()
    (post,) = session.entered("speed 6.0")
    assert isinstance(post, Post)
    session.answered(post, {"ok": True, "code": "", "text": "", "left": 2, "step": 10})
    assert session.screen is not None
    assert (session.screen["left"], session.screen["orders"]) == (2, ["speed 6.0"])
    assert said(session) == ("speed 6.0: ordered.", False)


def test_a_refusal_is_shown_with_its_sentence() -> None:
    session = playing()
    (post,) = session.entered("fire p1")
    assert isinstance(post, Post)
    text = "P1 has no target lock."
    session.answered(post, {"ok": False, "code": "E_NOLOCK", "text": text, "left": 3, "step": 10})
    assert said(session) == (f"fire p1: {text}", True)
    assert session.refused_last


def test_a_state_that_was_on_its_way_does_not_give_orders_back() -> None:
    session = playing()
    (post,) = session.entered("speed 6.0")
    assert isinstance(post, Post)
    session.answered(post, {"ok": True, "left": 2, "step": 10})
    session.screen_received(bridge(GATH))
    assert session.screen is not None and session.screen["left"] == 2
    session.screen_received(bridge(GATH, step=10))
    assert session.screen["left"] == 3


def test_an_older_state_is_not_shown() -> None:
    session = playing()
    session.screen_received(bridge(step=8))
    assert session.step == 9


def test_without_a_ship_no_order_is_sent() -> None:
    session = Session()
    assert session.entered("speed 6") == []
    assert said(session) == ("You have no ship: create makes one, take takes one.", True)


def test_while_another_ship_is_looked_at_no_order_is_sent() -> None:
    session = playing()
    session.entered("scan Gath")
    assert session.entered("speed 6") == []
    assert said(session)[1]


@pytest.mark.parametrize("text", ["warp 9", "re Gath", "srs 301", "scan", "take", "interval x",
                                  "interval 601", "interval -1"])  # fmt: skip
def test_what_means_nothing_is_refused_here(text: str) -> None:
    session = playing()
    assert session.entered(text) == []
    assert session.refused_last and said(session)[0]


def test_an_answer_goes_away_after_a_few_steps() -> None:
    session = playing()
    session.entered("warp 9")
    session.screen_received(bridge(step=11))
    assert said(session)[0]
    session.screen_received(bridge(step=12))
    assert said(session)[0] == ""


# --- what is looked at ---------------------------------------------------------------------


def test_a_target_and_a_radius_are_asked_for() -> None:
    session = playing()
    assert session.entered("target 2") == [Fetch("Lexington", "Vorn", "300", False)]
    assert session.entered("srs 500") == [Fetch("Lexington", "Vorn", "500", False)]
    assert session.entered("target none") == [Fetch("Lexington", "", "500", False)]


def test_n_and_p_go_through_the_contacts_by_distance() -> None:
    session = playing()
    targets = []
    for key in ("n", "n", "n", "p"):
        (fetch,) = session.entered(key)
        assert isinstance(fetch, Fetch)
        targets.append(fetch.target)
    assert targets == ["Gath", "Vorn", "Gath", "Vorn"]


def test_scan_looks_at_another_ship_and_srs_leads_back() -> None:
    session = playing()
    assert session.entered("scan Gath") == [Fetch("Gath", "", "300", True)]
    assert session.entered("srs") == [Fetch("Lexington", "", "300", False)]


def test_a_ship_that_is_not_there_is_told_and_the_own_one_comes_back() -> None:
    session = playing()
    session.entered("scan Nobody")
    assert session.ship_missing("Nobody") == [Fetch("Lexington", "", "300", False)]
    assert said(session) == ("There is no Nobody.", True)


@pytest.mark.parametrize("view", ["lrs", "status", "mission", "messages", "help"])
def test_a_view_is_shown_and_asks_for_nothing(view: str) -> None:
    session = playing()
    assert session.entered(view) == []
    assert session.sight("").view == view
    session.entered("srs")
    assert session.sight("").view == "srs"


def test_an_interval_is_told_to_the_server() -> None:
    session = playing()
    assert session.entered("interval 30") == [Post("settings", {"interval": "30"})]
    assert session.interval == 30
    session.answered(Post("settings", {}), {"ok": True})
    assert said(session)[0] == "Every 30 seconds."


# --- ships ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "name", "race"),
    [
        ([], "", ""), (["Bounty"], "Bounty", ""), (["Bounty", "osk"], "Bounty", "O"),
        (["k"], "", "K"), (["-", "F"], "", "F"), (["Bounty", "Borg"], "Bounty", "BORG"),
    ],
)  # fmt: skip
def test_a_new_ship_has_a_name_and_a_race(words: list[str], name: str, race: str) -> None:
    assert new_ship(words) == {"name": name, "race": race, "phrase": "", "key": ""}


def test_a_new_ship_may_have_a_pass_phrase_of_several_words() -> None:
    assert new_ship("Bounty F open sesame".split())["phrase"] == "open sesame"


def test_a_ship_that_was_made_is_remembered_and_waited_for() -> None:
    session = Session(key="k")
    (post,) = session.entered("create Lexington F")
    assert isinstance(post, Post) and post.path == "create"
    found = session.answered(post, {"ok": True, "ship": "Lexington"})
    assert found == [Keep("Lexington"), Fetch("Lexington", "", "300", False)]
    assert session.ship_missing("Lexington") == []
    session.screen_received(bridge())
    assert said(session)[0] == "You are in command of Federation Starship Lexington."


def test_a_ship_that_never_comes_is_given_up() -> None:
    session = Session(key="k")
    session.answered(Post("create", new_ship(["Lexington"])), {"ok": True, "ship": "Lexington"})
    effects = [session.ship_missing("Lexington") for _ in range(6)]
    assert [Keep("")] in effects


def test_a_ship_that_is_refused_is_told() -> None:
    session = Session(key="k")
    session.answered(Post("create", new_ship(["all"])), {"ok": False, "text": "Name in use."})
    assert said(session) == ("Name in use.", True)
    assert session.fetch() == []


def test_who_comes_back_takes_command_again_once() -> None:
    session = Session("Lexington", own=True)
    taking = [Post("take", {"ship": "Lexington", "phrase": ""})]
    scan = bridge(look=Look(), captain=None, human=True)
    assert session.screen_received(scan) == taking
    assert session.screen_received({**scan, "step": 10}) == []


def test_who_looks_at_a_ship_of_others_takes_nothing() -> None:
    assert Session("Lexington").screen_received(bridge(look=Look())) == []


def test_a_ship_is_taken_with_a_pass_phrase() -> None:
    fields = {"ship": "Gath", "phrase": "open sesame"}
    assert playing().entered("take Gath open sesame") == [Post("take", fields)]


def test_who_leaves_does_not_come_back_by_himself() -> None:
    session = playing()
    (post,) = session.entered("leave")
    assert isinstance(post, Post) and post == Post("leave", {"ship": "Lexington"})
    assert session.answered(post, {"ok": True})[0] == Keep("")
    # He is in command until the step is over.
    assert session.screen_received(bridge()) == []
    assert session.screen_received(bridge(look=Look(), step=10)) == []


def test_a_destroyed_ship_stays_on_the_screen_until_another_is_made() -> None:
    session = playing()
    session.screen_received(bridge(step=10, dead_at=10, killer="Gath", hull=0))
    assert session.ship_missing("Lexington") == [Keep("")]
    assert session.screen is not None and session.screen["lost"] is not None
    assert session.fetch() == []


# --- the link ------------------------------------------------------------------------------


def test_a_lost_link_is_shown_until_an_answer_comes() -> None:
    session = playing()
    session.link_lost("nobody listens there")
    assert "nobody listens there" in session.sight("").banner
    session.screen_received(bridge(step=10))
    assert session.sight("").banner == ""


def test_a_frozen_display_says_so() -> None:
    session = playing()
    session.screen_received({**bridge(step=10), "frozen": True})
    banner = session.sight("").banner
    assert banner == "Link to the primary lost - display frozen at step 10"


def test_a_game_that_began_anew_is_shown_though_its_steps_are_lower() -> None:
    session = playing()
    session.screen_received(bridge(step=3))
    assert session.step == 3


def test_quit_ends() -> None:
    session = playing()
    assert session.entered("quit") == [Quit()]
    assert session.ended
