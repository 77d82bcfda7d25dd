"""Making ships, taking them, leaving them: what is granted, and each refusal where it was typed."""

from __future__ import annotations

import json
import re

import pytest

from apps.starship.web.captaincy import new_captain
from tests.starship.web.played import Game, Player, played


def ships(game: Game) -> set[str]:
    """The names of the starships there are."""
    return {row["name"] for row in game.server.get_lists()["scan"]}


def test_the_login_page_gives_a_cookie_and_keeps_it(game: Game) -> None:
    player = game.player()
    secret = player.cookies["starship-captain"]
    assert len(secret) == 43
    assert player.get("/starshipLogin.html").status == 200
    assert player.cookies["starship-captain"] == secret


def test_pages_may_load_nothing_from_elsewhere(game: Game) -> None:
    fields = game.player().get("/starshipLogin.html").fields
    assert fields["content-security-policy"].startswith("default-src 'self';")
    assert "frame-ancestors 'none'" in fields["content-security-policy"]
    assert fields["x-content-type-options"] == "nosniff"
    assert fields["cache-control"] == "no-store"


def test_the_login_page_shows_the_ships_there_are(game: Game) -> None:
    page = game.player().get("/starshipLogin.html").body.decode()
    assert all(name in page for name in ships(game))


def test_the_lists_can_be_included_elsewhere(game: Game) -> None:
    page = game.player().get("/starship/list.html?for=take").body.decode()
    assert all(row["name"] in page for row in game.server.get_lists()["take"])
    assert game.player().get("/starship/create.html").status == 200


def test_a_ship_is_made_and_its_bridge_is_there_with_the_next_step(game: Game) -> None:
    player = game.player()
    answer = player.post("/starship/create", name="Amity", race="F")
    assert (answer.status, answer.fields["location"]) == (303, "/starship/bridge?ship=Amity")
    before = player.get("/starship/bridge?ship=Amity")
    assert before.status == 200 and b"Amity makes ready" in before.body
    assert int(before.fields["refresh"]) >= 1
    game.step()
    after = player.get("/starship/bridge?ship=Amity")
    assert after.status == 200 and b'data-mode="captain"' in after.body


def test_a_ship_gets_a_name_and_the_race_with_the_fewest_captains(game: Game) -> None:
    answer = game.player().post("/starship/create", name=" ", race="")
    assert answer.status == 303
    game.step()
    assert answer.fields["location"].partition("=")[2] in ships(game)


def test_a_form_that_is_sent_twice_makes_one_ship(game: Game) -> None:
    player = game.player()
    answers = [player.post("/starship/create", key="one form", name="", race="K") for _ in range(3)]
    assert len({answer.fields["location"] for answer in answers}) == 1
    before = len(ships(game))
    game.step()
    assert len(ships(game)) == before + 1


@pytest.mark.parametrize(
    ("name", "status", "words"),
    [
        ("<script>alert(1)</script>", 400, b"2 to 16 letters"),
        ("&lt;b&gt;", 400, b"2 to 16 letters"),
        ("two words", 400, b"2 to 16 letters"),
        ("x", 400, b"2 to 16 letters"),
        ("x" * 17, 400, b"2 to 16 letters"),
        ("7of9", 400, b"2 to 16 letters"),
        ("Vülcan", 400, b"2 to 16 letters"),
        ("all", 400, b"means something else"),
        ("Federation", 400, b"means something else"),
        ("vulcan", 409, b"Name in use"),
    ],
)
def test_a_bad_name_is_refused_where_it_was_typed(
    game: Game, name: str, status: int, words: bytes
) -> None:
    before = ships(game)
    answer = game.player().post("/starship/create", name=name, race="F")
    assert answer.status == status
    assert words in answer.body
    escaped = name.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    assert f'value="{escaped}"' in answer.body.decode()
    assert b"<script>alert" not in answer.body
    assert ships(game) == before


@pytest.mark.parametrize("length", [65, 200, 201, 8_000])
def test_a_name_of_absurd_length_is_refused_where_it_was_typed(game: Game, length: int) -> None:
    player, name = game.player(), "x" * length
    answer = player.post("/starship/create", name=name, race="F")
    assert answer.status == 400 and b"2 to 16 letters" in answer.body
    shown = re.search(rb'name="name" value="(x*)"', answer.body)
    assert shown is not None and len(shown[1]) <= 200
    found = json.loads(player.tell("/starship/create", {"name": name, "race": "F"}).body)
    assert found["code"] == "E_NAME"


@pytest.mark.parametrize(
    ("fields", "status", "words"),
    [
        ({"race": "F" * 201}, 400, "has more than 200 characters."),
        ({"name": "x" * 100_000}, 413, "At most 8192 bytes are taken here."),
    ],
)
def test_a_form_that_cannot_be_read_is_answered_by_a_page_of_the_game(
    game: Game, fields: dict[str, str], status: int, words: str
) -> None:
    answer = game.player().post("/starship/create", **fields)
    assert answer.status == status
    assert words in answer.body.decode() and b'href="/starshipLogin.html"' in answer.body


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b"{", 400, "This is no JSON."),
        (b"[]", 400, "This is no JSON object."),
        (b'{"args":"x"}', 400, "Args is a list of at most 4 words."),
        (b" " * 8_193, 413, "At most 8192 bytes are taken here."),
    ],
)
def test_a_program_is_told_in_json_what_is_wrong_with_its_own(
    game: Game, body: bytes, status: int, words: str
) -> None:
    answer = game.player().tell("/starship/order", body)
    found = json.loads(answer.body)
    assert (answer.status, found["ok"], found["code"], found["text"]) == (
        status, False, "E_ARG", words,
    )  # fmt: skip


def test_each_form_that_is_shown_is_another_one(game: Game) -> None:
    player = game.player()
    keys = {
        re.findall(rb'name="key" value="([^"]+)"', player.get("/starshipLogin.html").body)[0]
        for _ in range(3)
    }
    assert len(keys) == 3


def test_an_unknown_race_is_refused(game: Game) -> None:
    answer = game.player().post("/starship/create", name="Racy", race="Z")
    assert answer.status == 400 and b"Races are" in answer.body


FORGED: dict[str, tuple[dict[str, str], tuple[str, ...]]] = {
    "no token": ({"token": ""}, ()),
    "another's token": ({"token": new_captain().token}, ()),
    "another site": ({}, ("Origin: https://elsewhere.example",)),
    "no site": ({}, ("Origin: null",)),
    "a browser that says so": ({}, ("Sec-Fetch-Site: cross-site",)),
    "a neighbour": ({}, ("Sec-Fetch-Site: same-site",)),
}


@pytest.mark.parametrize("path", ["create", "take", "leave", "order"])
@pytest.mark.parametrize("how", FORGED)
def test_a_forged_form_does_nothing(game: Game, path: str, how: str) -> None:
    fields, lines = FORGED[how]
    player = game.player()
    target = sorted(row["name"] for row in game.server.get_lists()["take"])[0]
    answer = player.post(
        f"/starship/{path}", *lines, **{"name": "Forged", "race": "F", "ship": target, **fields}
    )
    assert answer.status == 403
    game.step()
    assert "Forged" not in ships(game)
    assert game.server.get_captain(target) is None


@pytest.mark.parametrize("path", ["create", "take", "leave", "order", "settings"])
def test_a_form_of_another_site_does_not_change_the_cookie(game: Game, path: str) -> None:
    player = game.player()
    player.cookies.clear()  # as browsers do with the form of another site
    answer = player.post(f"/starship/{path}", "Origin: https://elsewhere.example", name="Forged")
    assert answer.status == 403 and "set-cookie" not in answer.fields


@pytest.mark.parametrize("how", ["another site", "a browser that says so"])
def test_json_of_other_sites_does_nothing(game: Game, how: str) -> None:
    answer = game.player().tell("/starship/create", {"name": "Forged"}, *FORGED[how][1])
    assert (answer.status, json.loads(answer.body)["code"]) == (403, "E_TOKEN")


def test_without_a_cookie_a_form_counts_for_nothing(game: Game) -> None:
    player = game.player()
    token = player.token
    player.cookies.clear()
    assert player.post("/starship/create", token=token, name="Nobody", race="F").status == 403


def test_a_program_makes_a_ship_without_any_page(game: Game) -> None:
    program = Player(game)
    answer = program.tell("/starship/create", {"name": "Robot", "race": "O"})
    assert answer.status == 200 and json.loads(answer.body)["ship"] == "Robot"
    coming = program.get("/starship/state.json?ship=Robot")
    assert coming.status == 202 and json.loads(coming.body)["coming"] == "Robot"
    game.step()
    assert program.state("Robot")["mode"] == "captain"


def test_a_program_is_told_why_not(game: Game) -> None:
    answer = game.player().tell("/starship/create", {"name": "two words"})
    found = json.loads(answer.body)
    assert (answer.status, found["ok"], found["code"]) == (400, False, "E_NAME")


# --- taking and leaving ----------------------------------------------------------------------


def test_a_ship_of_the_computer_is_taken(game: Game) -> None:
    player = game.player()
    ship = game.server.get_lists()["take"][0]["name"]
    assert player.post("/starship/take", ship=ship).status == 303
    game.step()
    assert player.state(ship)["mode"] == "captain"


def test_a_ship_with_a_captain_is_not_taken(game: Game) -> None:
    game.captain("Occupied")
    answer = game.player().post("/starship/take", ship="Occupied")
    assert answer.status == 409 and b"already has a captain" in answer.body


@pytest.mark.parametrize("ship", ["", "Nowhere", "Vulcan", "<b>"])
def test_what_is_no_ship_is_not_taken(game: Game, ship: str) -> None:
    assert game.player().post("/starship/take", ship=ship).status == 400


def test_who_leaves_may_come_back(game: Game) -> None:
    player = game.captain("Prodigal")
    assert player.post("/starship/leave", ship="Prodigal").fields["location"] == (
        "/starshipLogin.html"
    )
    page = player.get("/starshipLogin.html").body
    assert b"You have left Prodigal" in page
    # Chosen already, though it is the computer's with the next step only.
    assert page.count(b'<option value="Prodigal" selected>') == 1
    game.step()
    assert game.server.get_captain("Prodigal") is None
    assert player.get("/starship/bridge?ship=Prodigal").status == 403
    assert player.post("/starship/take", ship="Prodigal").status == 303
    game.step()
    assert player.state("Prodigal")["mode"] == "captain"


def test_who_presses_leave_twice_has_left(game: Game) -> None:
    player = game.captain("Hasty")
    answers = [player.post("/starship/leave", ship="Hasty").status for _ in range(3)]
    assert answers == [303, 303, 303]
    game.step()
    assert player.post("/starship/leave", ship="Hasty").status == 303
    assert b"You have left Hasty" in player.get("/starshipLogin.html").body


def test_nobody_leaves_a_ship_of_others(game: Game) -> None:
    game.captain("Steady")
    assert game.player().post("/starship/leave", ship="Steady").status == 403
    game.step()
    assert game.server.get_captain("Steady") is not None


def test_a_ship_with_a_pass_phrase_is_its_owners(game: Game) -> None:
    owner = game.captain("Vault", phrase="open sesame")
    owner.post("/starship/leave", ship="Vault")
    game.step()
    for phrase in ("", "open"):
        answer = game.player().post("/starship/take", ship="Vault", phrase=phrase)
        assert answer.status == 403 and b"has an owner" in answer.body
        assert b"open sesame" not in answer.body and b'value="open"' not in answer.body
    other = game.player()
    assert other.post("/starship/take", ship="Vault", phrase="open sesame").status == 303
    game.step()
    assert other.state("Vault")["mode"] == "captain"


def test_pass_phrases_cannot_be_tried_for_ever(caplog: pytest.LogCaptureFixture) -> None:
    with played() as game:
        owner = game.captain("Vault", phrase="open sesame")
        owner.post("/starship/leave", ship="Vault")
        game.step()
        thief, other = game.player("127.0.0.2"), game.player("127.0.0.3")
        answers = [
            thief.post("/starship/take", ship="Vault", phrase=f"secret {number}")
            for number in range(7)
        ]
        assert [answer.status for answer in answers] == [403] * 6 + [429]
        assert b"Too many wrong pass-phrases" in answers[-1].body
        assert other.post("/starship/take", ship="Vault", phrase="open sesame").status == 303
    assert "sesame" not in caplog.text and "secret" not in caplog.text


def test_an_address_does_not_fill_the_galaxy() -> None:
    with played("ships_burst=2", "ship_seconds=1000") as game:
        player = game.player()
        for _ in range(2):
            assert player.post("/starship/create", name="", race="F").status == 303
        refused = player.post("/starship/create", name="", race="F")
        assert refused.status == 429 and b"has made many ships" in refused.body
        # What was refused for another reason counts for nothing.
        other = game.player("127.0.0.2")
        assert other.post("/starship/create", name="two words", race="F").status == 400
        for _ in range(2):
            assert other.post("/starship/create", name="", race="F").status == 303


def test_a_full_galaxy_says_so() -> None:
    with played() as game:
        player = game.player()
        answers = [player.tell("/starship/create", {"race": "K"}) for _ in range(30)]
        assert json.loads(answers[-1].body)["code"] == "E_FULL"
        page = player.post("/starship/create", name="", race="F")
        assert page.status == 409 and b"The galaxy is full" in page.body
