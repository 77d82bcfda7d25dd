"""Servers of a game without a primary: they fall, stall, lie, forget, and the game goes on."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

import vista
from apps.starship.replicated.copying import FILE
from apps.starship.replicated.server import ASK_SECONDS
from tests.solidstate.objects.liars import LyingPoolMember
from tests.solidstate.objects.pool import TIN, use
from tests.starship.replicated.fleet import INTERVAL, NAMES, Fleet, SimulatedStarshipServer
from tests.starship.replicated.liars import (
    FullStarshipServer,
    SlowStarshipServer,
    SpoiltStarshipServer,
    WrongStarshipServer,
)
from vista.testing import World

pytestmark = pytest.mark.usefixtures("quiet")

BOB, ANN = 11, 12


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with World(3) as made:
        yield made


@pytest.fixture(scope="module")
def fleet(world: World) -> Fleet:
    """A game that several tests look at; none of them disturbs it."""
    made = Fleet(world)
    assert made.ask("s1", "enlist", "Bobs", "F", BOB) == (True, "Bobs", "")
    made.pass_steps(2)
    return made


def conductor(fleet: Fleet) -> str:
    """The name of the machine that conducts."""
    rows = fleet.ask(fleet.there()[0], "get_servers")
    [name] = [row["name"].split()[0] for row in rows if row["why"] == "conducts"]
    return str(name)


def reports(fleet: Fleet) -> list[str]:
    """What the judge reports, newest first."""
    table = json.loads(fleet.ask(fleet.there()[0], "get_servers_table"))
    return [row["text"] for row in table["reports"]]


# --- a game in which nothing goes wrong ----------------------------------------------------


def test_all_servers_have_one_galaxy(fleet: Fleet) -> None:
    assert len(fleet.hashes()) == 1


def test_a_captain_is_a_captain_at_every_server(fleet: Fleet) -> None:
    assert {fleet.ask(name, "get_captain", "Bobs") for name in NAMES} == {BOB}
    keys = ("a", "b", "c", "d", "e", "f", "g")
    asked = zip((*NAMES, *NAMES), keys, strict=False)
    answers = [fleet.ask(name, "order", "Bobs", BOB, key, "speed", ["3.0"]) for name, key in asked]
    # Three are taken in a step, wherever they are given, and one step ends meanwhile at most.
    refused = [answer[1] for answer in answers if not answer[0]]
    assert refused and set(refused) == {"E_LIMIT"}
    assert answers[0][0]
    fleet.pass_steps(1)


def test_an_order_that_is_sent_again_to_another_server_has_the_same_answer(fleet: Fleet) -> None:
    answers = {fleet.ask(name, "order", "Bobs", BOB, "k", "course", ["90"]) for name in NAMES}
    assert len(answers) == 1
    fleet.pass_steps(1)


def test_nobody_else_gives_orders_to_a_ship(fleet: Fleet) -> None:
    assert fleet.ask("s2", "order", "Bobs", ANN, "", "speed", ["3.0"])[1] == "E_CAPTAIN"
    assert fleet.ask("s2", "order", "Bobs", None, "", "speed", ["3.0"])[1] == "E_CAPTAIN"
    assert fleet.ask("s2", "order", "Nowhere", BOB, "", "speed", ["3.0"])[1] == "E_ARG"


def test_a_server_that_a_captain_did_not_show_himself_to_cannot_order_for_him(
    fleet: Fleet,
) -> None:
    cleo = 13
    fleet.ask("s1", "introduce", cleo, "a secret")
    assert fleet.ask("s1", "enlist", "Cleos", "F", cleo)[0]
    fleet.pass_steps(1)
    told = fleet.ask("s2", "order", "Cleos", cleo, "", "speed", ["3.0"])
    assert told[:2] == (False, "E_CAPTAIN")
    fleet.ask("s2", "introduce", cleo, "another secret")
    assert fleet.ask("s2", "order", "Cleos", cleo, "", "speed", ["3.0"])[1] == "E_CAPTAIN"
    fleet.ask("s2", "introduce", cleo, "a secret")
    assert fleet.ask("s2", "order", "Cleos", cleo, "", "speed", ["3.0"])[0]


def test_a_ship_with_a_pass_phrase_is_taken_by_whoever_knows_it_at_any_server(
    fleet: Fleet,
) -> None:
    assert fleet.ask("s1", "enlist", "Anns", "K", ANN, "open sesame")[0]
    fleet.pass_steps(1)
    assert fleet.ask("s1", "leave", "Anns", ANN)
    fleet.pass_steps(1)
    assert fleet.ask("s3", "take", "Anns", BOB, "close sesame")[1] == "E_PHRASE"
    assert fleet.ask("s3", "take", "Anns", BOB, "open sesame") == (True, "Anns", "")
    fleet.pass_steps(1)
    assert fleet.ask("s2", "get_captain", "Anns") == BOB


@pytest.mark.parametrize("captain", [0, -1, 2**62, None, "7", True], ids=repr)
def test_who_is_no_captain_gets_no_ship(fleet: Fleet, captain: Any) -> None:
    assert fleet.ask("s1", "enlist", "Nones", "F", captain)[1] == "E_ARG"
    assert not fleet.ask("s1", "leave", "Bobs", captain)


def test_a_secondary_is_told_how_servers_join(fleet: Fleet) -> None:
    told = fleet.ask("s1", "register_server", None, None)
    assert "StarshipServer" in told["refused"]


def test_the_page_of_the_servers_says_who_conducts(fleet: Fleet) -> None:
    rows = fleet.ask("s1", "get_servers")
    assert [row["state"] for row in rows] == ["ready"] * 4
    assert [row["why"] for row in rows].count("conducts") == 1


def test_players_of_a_server_are_led_to_the_site_of_another_one(fleet: Fleet) -> None:
    fleet.ask("s2", "set_url", "http://localhost:4322")
    fleet.pass_steps(2)
    assert fleet.ask("s1", "get_other_url") == "http://localhost:4322"
    assert fleet.ask("s2", "get_other_url") == ""


# --- servers that fall ---------------------------------------------------------------------


def test_another_server_conducts_when_one_falls_amidst_a_step() -> None:
    with World(4) as world:
        fleet = Fleet(world)
        fallen, since = conductor(fleet), world.hub.now
        world.crash(fallen)
        fleet.pass_steps(1)
        # The step that was collected, a new view of the group, its patience, and a step.
        assert world.hub.now - since < 2 * INTERVAL + 4.0
        assert conductor(fleet) != fallen
        world.restart(fallen)
        fleet.pass_steps(1)
        assert len(fleet.there()) == 4
        assert len(fleet.hashes()) == 1


def test_without_enough_servers_all_stands_still_and_goes_on_with_them() -> None:
    with World(5) as world:
        fleet = Fleet(world)
        for name in ("s1", "s2"):
            world.crash(name)
        world.pass_time(ASK_SECONDS + 2.0)
        assert fleet.ask("s3", "is_frozen")
        step = fleet.step("s3")
        world.pass_time(2 * INTERVAL)
        assert fleet.step("s3") == step
        world.restart("s1")
        fleet.pass_steps(1)
        assert not fleet.ask("s3", "is_frozen")


def test_after_the_fall_of_all_the_game_goes_on_where_it_was() -> None:
    with World(6) as world:
        fleet = Fleet(world)
        fleet.ask("s1", "enlist", "Bobs", "F", BOB)
        fleet.pass_steps(1)
        told = fleet.ask("s2", "order", "Bobs", BOB, "k", "course", ["90"])
        step = fleet.step("s2")
        for name in NAMES:
            world.crash(name)
        for name in NAMES:
            world.restart(name)
        fleet.until(lambda: all(fleet.step(name) > step for name in NAMES), 60.0)
        assert fleet.ask("s3", "order", "Bobs", BOB, "k", "course", ["90"]) == told
        assert len(fleet.hashes()) == 1


# --- what servers keep ---------------------------------------------------------------------


def test_a_server_that_was_away_for_long_gets_the_galaxy_of_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("apps.starship.replicated.server.SAVE_STEPS", 2)
    monkeypatch.setattr("apps.starship.replicated.judge.KEY_STEPS", 3)
    with World(7) as world:
        fleet = Fleet(world)
        world.crash("s4")
        fleet.pass_steps(7)
        # By now the others have forgotten how the steps came about that s4 knows.
        world.restart("s4")
        fleet.until(lambda: fleet.step("s4") > 7, 60.0)
        assert len(fleet.hashes()) == 1


def test_a_galaxy_that_was_spoilt_on_the_disk_is_not_believed(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    text = b'\\"points\\":'
    said = "a galaxy is not the one that was committed: the one that was saved here"
    monkeypatch.setattr("apps.starship.replicated.server.SAVE_STEPS", 2)
    with World(12) as world:
        fleet = Fleet(world)
        fleet.pass_steps(3)
        world.crash("s3")
        whole = TIN.files["s3"][FILE]
        assert text in whole
        TIN.files["s3"][FILE] = whole.replace(text, text + b"1", 1)
        caplog.set_level(logging.WARNING, "vista.starship")
        world.restart("s3")
        fleet.until(lambda: fleet.step("s3") > 3, 60.0)
        assert len(fleet.hashes()) == 1
    assert said in [record.getMessage() for record in caplog.records]


def test_a_server_whose_disk_is_full_plays_on_and_says_that_it_saves_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("apps.starship.replicated.server.SAVE_STEPS", 2)
    for name in ("vista.starship", "vista.solidstate"):
        caplog.set_level(logging.ERROR, name)
    with World(13) as world:
        fleet = Fleet(world, servers={"s2": FullStarshipServer})
        fleet.honest.append("s2")
        world.medium("s2").fill()
        fleet.ask("s1", "enlist", "Bobs", "F", BOB)
        fleet.pass_steps(4)
        said = [record.getMessage() for record in caplog.records]
        assert "the galaxy cannot be saved here: [Errno 28] No space left on device" in said
        assert any("cannot go on: its disk fails: " in one for one in said)
        tables = [json.loads(fleet.ask(name, "get_servers_table")) for name in ("s1", "s2")]
        assert [table["saving"] for table in tables] == ["", "[Errno 28] No space left on device"]
        # Its replica is one of the faulty ones; the server itself computes, and asks the others.
        assert [row["state"] for row in tables[0]["servers"]] == ["ready"] * 4
        assert fleet.ask("s2", "order", "Bobs", BOB, "k", "course", ["90"])[0]
        assert len(fleet.hashes()) == 1


# --- servers that lie ----------------------------------------------------------------------


def test_a_conductor_that_lies_about_a_step_is_named_and_loses_its_turn() -> None:
    with World(8) as world:
        # Whichever conducts after step 3 lies; the others are honest then.
        fleet = Fleet(world, servers=dict.fromkeys(NAMES, WrongStarshipServer))
        fleet.honest = list(NAMES)
        fleet.until(lambda: fleet.step("s1") == 2, 30.0)
        liar = conductor(fleet)
        fleet.pass_steps(3)
        own = f"{liar} {liar[1]}"
        assert reports(fleet)[:2] == [
            f"server {own} was wrong and lost its turn",
            f"server {own} has another state after step 3 than the others",
        ]
        assert conductor(fleet) != liar
        assert len(fleet.hashes()) == 1


def test_a_conductor_that_stalls_loses_its_turn() -> None:
    with World(9) as world:
        fleet = Fleet(world, servers={"s2": SlowStarshipServer, "s3": SlowStarshipServer})
        fleet.pass_steps(4)
        assert conductor(fleet) in ("s1", "s4")


def test_a_server_whose_memory_goes_wrong_is_named_and_gets_the_galaxy_of_the_others() -> None:
    with World(10) as world:
        fleet = Fleet(world, servers={"s3": SpoiltStarshipServer})
        fleet.ask("s3", "spoil")
        fleet.pass_steps(2)
        assert reports(fleet)[-1].startswith("server s3 3 has another state after step")
        fleet.honest.append("s3")
        fleet.pass_steps(3)
        assert len(fleet.hashes()) == 1
        rows = fleet.ask("s1", "get_servers")
        assert [row["state"] for row in rows] == ["ready"] * 4


def test_a_machine_whose_replica_lies_changes_nothing() -> None:
    with World(11) as world:
        fleet = Fleet(world, members={"s2": LyingPoolMember})
        fleet.honest.remove("s2")
        fleet.ask("s1", "enlist", "Bobs", "F", BOB)
        fleet.pass_steps(2)
        assert fleet.ask("s3", "get_captain", "Bobs") == BOB
        assert len(fleet.hashes()) == 1


# --- beginning -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((0,), r"^a server's number is 1 to 1000, not 0$"),
        ((1, "5", "42", "colour=red"), r"^a game has no setting 'colour'"),
        ((1, "0"), r"^interval is 0.05 to 60 seconds"),
    ],
    ids=["number", "setting", "by hand"],
)
def test_a_wrong_word_of_the_rc_line_is_refused(words: tuple[Any, ...], said: str) -> None:
    with World(1) as world:
        node = world.node("alone")
        with pytest.raises(vista.BadValueError, match=said):
            node.call(lambda: vista.create(SimulatedStarshipServer, "pool", "data", *words))


def test_a_node_has_one_game(fleet: Fleet) -> None:
    again = (SimulatedStarshipServer, "starship", "data", 5)
    with pytest.raises(vista.ServiceTaken, match=r"^this node has a game already"):
        fleet.node("s1").call(lambda: vista.create(*again))


def test_a_server_without_a_pool_says_what_it_needs(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "vista.starship")
    with World(1) as world:
        use(world)
        node = world.node("alone")
        node.call(lambda: vista.create(SimulatedStarshipServer, "boats", "data", 1))
        world.pass_time(5.0)
    told = [record.getMessage() for record in caplog.records if record.name == "vista.starship"]
    assert told == ["not in the game yet: this node needs a line ReplicaPoolMember boats"]
