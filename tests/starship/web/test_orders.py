"""Orders: what is admitted, and each refusal, for forms and for scripts."""

from __future__ import annotations

import json

import pytest

from tests.starship.web.played import Game, Player


@pytest.fixture(scope="module")
def captain(game: Game) -> Player:
    """The captain of Bounty."""
    return game.captain("Bounty")


def test_an_order_by_a_form_leads_back_to_the_bridge(game: Game, captain: Player) -> None:
    game.step()
    answer = captain.post(
        "/starship/order",
        ship="Bounty",
        command="course",
        arg1="45.0",
        target="Vulcan",
        radius="500",
        key="f1",
    )
    assert answer.status == 303
    assert answer.fields["location"] == "/starship/bridge?ship=Bounty&target=Vulcan&radius=500"
    game.step()
    assert captain.state("Bounty")["nav"]["want_course"] == 45.0


def test_what_was_typed_wrong_is_shown_once_with_the_reason(game: Game, captain: Player) -> None:
    game.step()
    refused = captain.post("/starship/order", ship="Bounty", command="course", arg1="<i>400")
    assert refused.status == 303
    page = captain.get(refused.fields["location"]).body.decode()
    assert "A course is 0 to 359.9 degrees." in page
    assert 'value="&lt;i&gt;400"' in page and "<i>400" not in page
    assert "A course is 0 to" not in captain.get(refused.fields["location"]).body.decode()


def test_the_answer_to_one_captain_is_not_shown_to_another(game: Game, captain: Player) -> None:
    captain.post("/starship/order", ship="Bounty", command="course", arg1="400")
    other = game.player().get("/starship/scan?ship=Bounty").body
    assert b"A course is" not in other
    assert b"A course is" in captain.get("/starship/bridge?ship=Bounty").body


def test_an_order_by_json_is_answered_with_what_is_left(game: Game, captain: Player) -> None:
    step = game.step()
    answer = captain.order("Bounty", "speed", "6.0")
    assert answer.status == 200
    assert json.loads(answer.body) == {
        "ok": True,
        "code": "",
        "text": "",
        "left": 2,
        "step": step + 1,
    }


def test_a_form_may_be_answered_by_json(game: Game, captain: Player) -> None:
    game.step()
    lines = ("Origin: http://localhost", "Accept: application/json", "Sec-Fetch-Site: same-origin")
    answer = captain.post(
        "/starship/order", *lines, ship="Bounty", command="shields", arg1="up", key="j1"
    )
    assert (answer.status, json.loads(answer.body)["left"]) == (200, 2)


@pytest.mark.parametrize(
    ("command", "words", "status", "code"),
    [
        ("speed", ["99"], 400, "E_ARG"),
        ("speed", ["-1"], 400, "E_ARG"),
        ("speed", ["6.05"], 400, "E_ARG"),
        ("speed", [1e300], 400, "E_ARG"),
        ("speed", [10**100], 400, "E_ARG"),
        ("speed", [], 400, "E_ARG"),
        ("course", ["360"], 400, "E_ARG"),
        ("course_to", ["4000", "0"], 400, "E_ARG"),
        ("dest", ["<b>"], 400, "E_ARG"),
        ("self-destruct", [], 400, "E_ARG"),
        ("", [], 400, "E_ARG"),
        ("fire", ["P1"], 409, "E_NOLOCK"),
        ("lock", ["all", "Vulcan"], 409, "E_FRIEND"),
        ("distress", [], 409, "E_NOATTACK"),
        ("upgrade", ["hull"], 409, "E_POINTS"),
    ],
)
def test_an_order_that_cannot_be_says_why(
    game: Game, captain: Player, command: str, words: list[object], status: int, code: str
) -> None:
    answer = captain.order("Bounty", command, *words)
    found = json.loads(answer.body)
    assert (answer.status, found["ok"], found["code"]) == (status, False, code)
    assert found["text"].endswith(".")


def test_a_fourth_order_is_refused(game: Game, captain: Player) -> None:
    game.step()
    for speed in ("1.0", "2.0", "3.0"):
        assert captain.order("Bounty", "speed", speed).status == 200
    answer = captain.order("Bounty", "speed", "4.0")
    assert (answer.status, json.loads(answer.body)["code"]) == (409, "E_LIMIT")


def test_a_double_submit_counts_once(game: Game, captain: Player) -> None:
    game.step()
    answers = [
        json.loads(captain.order("Bounty", "speed", "5.0", key="again").body) for _ in range(4)
    ]
    assert answers == [answers[0]] * 4 and answers[0]["left"] == 2


def test_the_forms_of_a_page_have_one_key_and_are_different_orders(
    game: Game, captain: Player
) -> None:
    game.step()
    for speed in ("1.0", "1.0", "2.0"):
        captain.post("/starship/order", ship="Bounty", command="speed", arg1=speed, key="page")
    captain.post("/starship/order", ship="Bounty", command="course", arg1="2.0", key="page")
    assert captain.state("Bounty")["orders"] == ["speed 1.0", "speed 2.0", "course 2.0"]


def test_who_has_another_cookie_commands_nothing(game: Game, captain: Player) -> None:
    stranger = game.player()
    answer = stranger.order("Bounty", "speed", "0.0")
    assert (answer.status, json.loads(answer.body)["code"]) == (403, "E_CAPTAIN")


@pytest.mark.parametrize("secret", ["A" * 43, "x", "A" * 5000])
def test_a_cookie_that_was_made_up_commands_nothing(
    game: Game, captain: Player, secret: str
) -> None:
    liar = Player(game)
    liar.cookies["starship-captain"] = secret
    answer = liar.order("Bounty", "speed", "0.0")
    assert (answer.status, json.loads(answer.body)["code"]) == (403, "E_CAPTAIN")


def test_a_cookie_that_is_replayed_after_leaving_commands_nothing(game: Game) -> None:
    former = game.captain("Former")
    former.post("/starship/leave", ship="Former")
    game.step()
    assert former.order("Former", "speed", "0.0").status == 403


def test_a_captain_commands_his_own_ship_alone(game: Game, captain: Player) -> None:
    game.captain("Neighbour")
    answer = captain.order("Neighbour", "speed", "0.0")
    assert (answer.status, json.loads(answer.body)["code"]) == (403, "E_CAPTAIN")
    assert captain.order("NEIGHBOUR", "speed", "0.0").status == 403


def test_there_is_no_order_for_a_ship_that_is_not_there(captain: Player) -> None:
    answer = captain.order("Nowhere", "speed", "0.0")
    assert (answer.status, json.loads(answer.body)["code"]) == (404, "E_SHIP")


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"{", 400), (b"[]", 400), (b"x" * 9000, 413), (b'{"args":"up"}', 400)],
)
def test_what_is_no_order_is_refused(captain: Player, body: bytes, status: int) -> None:
    assert captain.tell("/starship/order", body).status == status


def test_an_order_is_posted(captain: Player) -> None:
    answer = captain.get("/starship/order?ship=Bounty&command=speed&arg1=0")
    assert answer.status == 405
    assert captain.send("POST", "/starship/bridge?ship=Bounty").status == 405


def test_another_type_of_body_is_refused(captain: Player) -> None:
    answer = captain.send("POST", "/starship/order", "Content-Type: text/plain", body=b"speed 0")
    assert answer.status == 415


# --- looking -----------------------------------------------------------------------------------


def test_orders_that_were_given_are_on_the_bridge(game: Game, captain: Player) -> None:
    game.step()
    captain.order("Bounty", "speed", "6.0")
    found = captain.state("Bounty")
    assert (found["left"], found["orders"]) == (2, ["speed 6.0"])
    game.step()
    found = captain.state("Bounty")
    assert (found["left"], found["orders"]) == (3, [])


def test_others_see_no_orders_and_get_no_token(game: Game, captain: Player) -> None:
    captain.order("Bounty", "speed", "6.0")
    found = game.player().state("Bounty")
    assert (found["mode"], found["orders"]) == ("scan", [])
    assert "token" not in found and captain.state("Bounty")["token"] == captain.token


def test_a_scan_has_nothing_that_commands_the_ship(game: Game, captain: Player) -> None:
    page = captain.get("/starship/scan?ship=Bounty").body
    assert b'data-mode="scan"' in page
    assert b"/starship/order" not in page and b"/starship/leave" not in page
    assert captain.token.encode() not in page


def test_the_bridge_of_others_is_offered_as_a_scan(game: Game, captain: Player) -> None:
    answer = game.player().get("/starship/bridge?ship=Bounty")
    assert answer.status == 403
    assert b"has another captain" in answer.body
    assert b"/starship/scan?ship=Bounty" in answer.body


def test_a_ship_without_a_captain_is_offered(game: Game) -> None:
    ship = game.server.get_lists()["take"][0]["name"]
    stranger = Player(game)
    stranger.login = stranger.get(f"/starship/bridge?ship={ship}")
    assert stranger.login.status == 403 and b'action="/starship/take"' in stranger.login.body
    assert stranger.post("/starship/take", ship=ship).status == 303


@pytest.mark.parametrize("path", ["bridge", "scan"])
@pytest.mark.parametrize("ship", ["Nowhere", "%3Cscript%3E", "x" * 64])
def test_a_ship_that_is_not_there_is_404(game: Game, path: str, ship: str) -> None:
    answer = game.player().get(f"/starship/{path}?ship={ship}")
    assert answer.status == 404
    assert b"<script>" not in answer.body


@pytest.mark.parametrize("path", ["bridge", "scan"])
def test_without_a_name_one_is_led_to_the_ships(game: Game, path: str) -> None:
    answer = game.player().get(f"/starship/{path}")
    assert (answer.status, answer.fields["location"]) == (303, "/starshipLogin.html")


@pytest.mark.parametrize("path", ["/starship", "/starship/"])
def test_the_root_of_the_game_leads_to_the_ships(game: Game, path: str) -> None:
    answer = game.player().get(path)
    assert (answer.status, answer.fields["location"]) == (303, "/starshipLogin.html")


def test_an_unknown_address_is_404(game: Game) -> None:
    assert game.player().get("/starship/nowhere").status == 404


@pytest.mark.parametrize("query", ["radius=7&target=%00", "target=Nowhere", "filter=%3Cb%3E"])
def test_any_look_shows_a_bridge(captain: Player, query: str) -> None:
    answer = captain.get(f"/starship/bridge?ship=Bounty&{query}")
    assert answer.status == 200 and b"<b>" not in answer.body.lower()


def test_the_settings_are_kept_by_a_cookie(captain: Player) -> None:
    answer = captain.post("/starship/settings", ship="Bounty", interval="12", keys="off")
    assert answer.fields["location"] == "/starship/bridge?ship=Bounty"
    page = captain.get("/starship/bridge?ship=Bounty").body
    assert b'http-equiv="refresh" content="12"' in page and b'data-keys="off"' in page


def test_settings_that_cannot_be_are_refused(captain: Player) -> None:
    answer = captain.post("/starship/settings", ship="Bounty", interval="601")
    assert b"An update interval is 0 to 600" in captain.get(answer.fields["location"]).body


def test_settings_come_from_pages_of_the_site(captain: Player) -> None:
    forged = ("Origin: https://elsewhere.example",)
    assert captain.post("/starship/settings", *forged, interval="1").status == 403


def test_a_spectator_chooses_an_interval_too(game: Game, captain: Player) -> None:
    visitor = Player(game)
    answer = visitor.post("/starship/settings", ship="Bounty", interval="7")
    assert answer.fields["location"] == "/starship/scan?ship=Bounty"
    assert b'content="7"' in visitor.get("/starship/scan?ship=Bounty").body


def test_a_form_of_one_page_sent_with_other_words_is_another_order(
    game: Game, captain: Player
) -> None:
    game.step()
    for course in ("999", "45.0", "45.0"):
        captain.post("/starship/order", ship="Bounty", command="course", arg1=course, key="page1")
    state = captain.state("Bounty")
    assert (state["orders"], state["left"]) == (["course 45.0"], 2)


def test_the_answer_to_a_call_for_help_goes_there_with_one_button(
    game: Game, captain: Player
) -> None:
    game.step()
    fields = {"ship": "Bounty", "key": "page2", "then": "dest"}
    captain.post("/starship/order", command="respond", arg1="Lantern", **fields)
    assert captain.state("Bounty")["left"] == 3  # nobody calls: neither of the two
    captain.post("/starship/order", command="dest", arg1="Lantern", **fields)
    assert captain.state("Bounty")["orders"] == ["dest Lantern", "dest Lantern"]


def test_who_answers_a_call_for_help_goes_there(game: Game, captain: Player) -> None:
    # Nobody calls: the first order is refused, and the second not given.
    game.step()
    captain.post(
        "/starship/order", ship="Bounty", command="respond", arg1="Lexington", then="dest", key="h"
    )
    assert captain.state("Bounty")["orders"] == []
    captain.post(
        "/starship/order", ship="Bounty", command="speed", arg1="2.0", then="else", key="h"
    )
    assert captain.state("Bounty")["orders"] == ["speed 2.0"]
