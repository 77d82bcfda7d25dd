"""The test hooks over HTTP: what they do, and for whom there is nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

import vista
from apps.starship.objects.hooks import StarshipTestHooks
from apps.starship.objects.primary import StarshipPrimary
from apps.starship.rules.creating import new_game
from apps.starship.rules.encoding import digest
from apps.starship.rules.step import advance
from tests.http.objects.served import Site, served
from tests.starship.rules.galaxy import THEME

SEED = 42
DUEL = {
    "seed": 1, "ai": False,
    "objects": [
        {"name": "Bounty", "race": "F", "kind": "starship", "x": 1_000_000, "y": 1_000_000,
         "meta": {"captain": 7, "human": True}},
        {"name": "Gath", "race": "K", "kind": "starship", "x": 1_050_000, "y": 1_000_000},
    ],
}  # fmt: skip


@pytest.fixture
def site() -> Iterator[Site]:
    with served() as made:
        vista.create(StarshipTestHooks, "localhost")
        vista.create(StarshipPrimary, 5, SEED, test_hooks=1, step_mode="manual")
        yield made


def get(site: Site, path: str, *fields: str) -> tuple[int, Any]:
    answer = site.get(f"/starship/test/{path}", "Connection: close", *fields)
    return answer.status, json.loads(answer.body)


def post(site: Site, path: str, body: Any = None, *fields: str) -> tuple[int, Any]:
    data = json.dumps(body).encode() if body is not None else b""
    answer = site.get(
        f"/starship/test/{path}", "Connection: close", *fields, method="POST", body=data
    )
    return answer.status, json.loads(answer.body)


def test_steps_by_hand_end_with_their_hash(site: Site) -> None:
    state = advance(advance(advance(new_game(SEED, THEME))))
    assert post(site, "step?n=3") == (200, {"step": 3, "hash": digest(state), "epoch": 0})
    assert get(site, "hash")[1]["hash"] == digest(state)


def test_another_galaxy_in_which_the_computer_orders_nothing(site: Site) -> None:
    assert post(site, "scenario", DUEL) == (200, {"objects": 2})
    assert post(site, "step?n=2")[1]["step"] == 2
    game = vista.service("StarshipPrimary")
    assert sorted(game.get_things()) == ["Bounty", "Gath"]
    assert game.order("Bounty", 7, "", "lock", ["all", "Gath"])[0]
    assert game.order("Bounty", 7, "", "fire", ["P1"])[0]
    post(site, "step?n=2")
    gath = game.get_things()["Gath"].get_state()
    assert gath["tac"]["hull"] < 250
    assert gath["nav"]["speed"] == 0
    assert [row["state"] for row in game.get_servers()] == ["ready"]


@pytest.mark.parametrize(
    "scenario",
    [
        [], {"colour": 1}, {"objects": 5}, {"objects": [{}]}, {"seed": "x"},
        {"objects": [{**DUEL["objects"][0], "race": "X"}]},
        {"objects": [{**DUEL["objects"][0], "race": "N"}]},
        {"objects": [{**DUEL["objects"][0], "tac": {"hull": "much"}}]},
        {"objects": [{**DUEL["objects"][0], "meta": {"name": "Other"}}]},
        {"objects": [DUEL["objects"][0]] * 2}, {"settings": {"across": 9}},
    ],
    ids=[
        "list", "key", "objects", "object", "seed", "race", "independent", "hull", "name",
        "twice", "settings",
    ],
)  # fmt: skip
def test_what_is_no_scenario_is_refused_and_changes_nothing(site: Site, scenario: Any) -> None:
    status, answer = post(site, "scenario", scenario)
    assert status == 400 and answer["error"]
    assert post(site, "step")[1]["step"] == 1


def test_a_trace_says_who_computed_what(site: Site) -> None:
    post(site, "step")
    status, trace = get(site, "trace?step=1")
    [id] = trace["assigned"]
    assert status == 200 and trace["deferred"] == []
    assert sorted(trace["computed"][id]) == sorted(trace["assigned"][id])


@pytest.mark.parametrize("at", ["begin", "half"])
def test_a_server_that_is_dropped_in_a_step_changes_nothing(site: Site, at: str) -> None:
    assert post(site, f"kill?server=0&at={at}")[0] == 200
    state = advance(advance(new_game(SEED, THEME)))
    assert post(site, "step?n=1")[0] == 200
    # Its server comes back, and shows the step after that.
    assert post(site, "step?n=1")[1]["hash"] == digest(state)
    assert get(site, "trace?step=1")[1]["deferred"] == []


@pytest.mark.parametrize(
    "path", ["step?n=x", "step?n=1001", "kill?server=9", "kill?server=0&at=end"]
)
def test_wrong_words_are_told(site: Site, path: str) -> None:
    status, answer = post(site, path)
    assert status == 400 and answer["error"]


@pytest.mark.parametrize(
    "field",
    ["Origin: http://evil.example", "Origin: null", "Host: evil.example"],
    ids=["page", "file", "name"],
)
def test_no_page_from_elsewhere_reaches_them(site: Site, field: str) -> None:
    head = "POST /starship/test/step HTTP/1.1\r\nConnection: close\r\nContent-Length: 0\r\n"
    host = "" if field.startswith("Host") else "Host: localhost\r\n"
    answer = site.talk(f"{head}{host}{field}\r\n\r\n".encode())
    assert b" 404 " in answer.splitlines()[0]
    assert get(site, "hash")[1]["step"] == 0


def test_a_page_of_the_same_site_does(site: Site) -> None:
    assert post(site, "step", None, "Origin: http://localhost")[0] == 200


def test_without_the_setting_there_is_nothing() -> None:
    with served() as made:
        vista.create(StarshipTestHooks, "localhost")
        assert get(made, "hash")[0] == 503
        vista.create(StarshipPrimary, 0, SEED)
        assert get(made, "hash")[0] == 404
        assert post(made, "step")[0] == 404
        game = vista.service("StarshipPrimary")
        for method, words in (("load_scenario", ["{}"]), ("drop_server", [0, "begin"])):
            with pytest.raises(vista.AccessDenied, match=r"no test hooks"):
                vista.send(game, method, *words)
