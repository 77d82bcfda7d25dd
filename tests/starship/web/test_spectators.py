"""Pages for spectators: what they show, as pages and as JSON, whatever is asked."""

from __future__ import annotations

import json

import pytest

from tests.starship.web.played import Game, played

NAMES = ("map", "leaderboard", "replay", "servers")
HOSTILE = (
    "zoom=-1&x=1e9&y=%00&sort=%3Cb%3E&order=x&who=%22&step=-5&find=%3Cscript%3E&from=x&to=-1",
    "step=" + "9" * 400,
    "from=" + "9" * 400 + "&to=" + "9" * 400,
    "from=5&to=1",
    "&&&=;%%%",
    "=" * 200,
)


@pytest.mark.parametrize("name", NAMES)
def test_a_page_shows_the_game(game: Game, name: str) -> None:
    game.step()
    answer = game.player().get(f"/starship/{name}")
    assert answer.status == 200
    assert answer.body.startswith(b"<!DOCTYPE html>")
    assert answer.fields["content-security-policy"].startswith("default-src 'self'")


@pytest.mark.parametrize("name", NAMES)
def test_what_a_page_shows_is_there_as_json(game: Game, name: str) -> None:
    answer = game.player().get(f"/starship/{name}.json")
    assert answer.status == 200
    assert answer.fields["content-type"] == "application/json; charset=utf-8"
    assert json.loads(answer.body)


@pytest.mark.parametrize("number", range(len(HOSTILE)))
@pytest.mark.parametrize("name", [*NAMES, *(f"{name}.json" for name in NAMES)])
def test_any_query_gets_a_page(game: Game, name: str, number: int) -> None:
    answer = game.player().get(f"/starship/{name}?{HOSTILE[number]}")
    assert answer.status == 200 and b"<script>" not in answer.body


def test_the_map_shows_every_ship(game: Game) -> None:
    found = json.loads(game.player().get("/starship/map.json").body)
    ships = {row["name"] for row in found["things"] if row["kind"] == "starship"}
    assert ships == {row["name"] for row in game.server.get_lists()["scan"]}


def test_frames_are_there_for_a_replay(game: Game) -> None:
    step = game.step(3)
    found = json.loads(game.player().get(f"/starship/replay.json?from={step - 1}&to={step}").body)
    assert found["kept"][1] == step


def test_spectators_see_nothing_before_there_is_a_state_that_is_late_enough() -> None:
    with played(scan_delay=50) as late:
        watcher = late.player()
        for path in ("map", "scan?ship=Lexington"):
            answer = watcher.get(f"/starship/{path}")
            assert answer.status == 503 and b"Spectators see this game later" in answer.body
            assert "refresh" in answer.fields
        for path in ("map.json", "state.json?ship=Lexington"):
            answer = watcher.get(f"/starship/{path}")
            assert (answer.status, json.loads(answer.body)["code"]) == (503, "E_LINK")
        assert watcher.get("/starship/replay").status == 200


def test_spectators_of_a_serious_match_are_late() -> None:
    with played(scan_delay=2) as late:
        captain = late.captain("Bounty")
        late.step(4)
        step = late.server.get_step()
        assert captain.state("Bounty")["step"] == step
        assert late.player().state("Bounty")["step"] == step - 2
        assert json.loads(captain.get("/starship/map.json").body)["step"] == step - 2
