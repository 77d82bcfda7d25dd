"""What outsiders and bad luck bring: two forms at once, servers without a state, long messages."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator

import pytest
from wsproto.events import TextMessage

import vista
from apps.starship.objects.secondary import StarshipSecondary
from tests.http.objects.served import Site, wait_until
from tests.starship.web.played import GENEROUS, HOME, Game, Player, crowded_bridge, played
from tests.starship.web.test_streams import socket_of

# --- forms -----------------------------------------------------------------------------------


def test_a_form_that_is_sent_twice_at_once_makes_one_ship(game: Game) -> None:
    player = game.player()
    before = len(game.server.get_lists()["scan"])
    answers: list[str] = []

    def send() -> None:
        # A pass-phrase is salted, which takes long enough for the second form to come in between.
        sent = player.post("/starship/create", key="a form", name="", race="F", phrase="sesame")
        answers.append(sent.fields.get("location", str(sent.status)))

    senders = [threading.Thread(target=send) for _ in range(3)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join(30)
    game.step()
    assert len(answers) == 3 and len(set(answers)) == 1
    assert answers[0].startswith("/starship/bridge?ship=")
    assert len(game.server.get_lists()["scan"]) == before + 1


def test_pass_phrases_of_ships_that_are_refused_cannot_be_sent_for_ever() -> None:
    with played("ships_burst=2", "ship_seconds=1000") as game:
        player = game.player()
        answers = [
            player.post("/starship/create", name="two words", race="F", phrase="sesame").status
            for _ in range(3)
        ]
        assert answers == [400, 400, 429]


def test_a_pass_phrase_for_a_ship_that_is_not_free_is_an_attempt() -> None:
    with played() as game:
        game.captain("Vault", phrase="open sesame")
        other = game.player("127.0.0.2")
        answers = [
            other.post("/starship/take", ship="Vault", phrase="open sesame").status
            for _ in range(7)
        ]
        assert answers == [409] * 6 + [429]


# --- a captain whose ship is gone -------------------------------------------------------------


def test_a_program_whose_ship_was_there_is_not_told_that_it_comes(game: Game) -> None:
    program = Player(game)
    program.tell("/starship/create", {"name": "Brief", "race": "O"})
    game.step()
    assert program.state("Brief")["mode"] == "captain"
    captain = game.server.get_captain("Brief")
    assert game.primary.leave("Brief", captain)  # as the primary does with those who are silent
    game.step()
    assert program.state("Brief")["mode"] == "scan"


# --- a server without a state -----------------------------------------------------------------


@pytest.fixture(scope="module")
def waiting() -> Iterator[Game]:
    """A site whose server has not heard of any game yet."""
    with vista.Node("alone") as node:
        daemon = vista.create("HTTPdaemon", "-", f"tcp:{HOME}:0", "localhost")
        setup = vista.create("StarshipHTTPsetup", "localhost", *GENEROUS)
        server = vista.create("StarshipSecondary")
        wait_until(lambda: setup.get_server() is not None)
        yield Game(Site(node, daemon, "localhost"), setup, server)


@pytest.mark.parametrize(
    "path",
    [
        "/starship/bridge?ship=Gath", "/starship/scan?ship=Gath", "/starship/list.html?for=take",
        "/starship/create.html", "/starship/state.json?ship=Gath", "/starship/events?ship=Gath",
        "/starship/map", "/starship/leaderboard.json",
    ],
)  # fmt: skip
def test_a_server_without_a_state_says_that_it_starts(waiting: Game, path: str) -> None:
    answer = Player(waiting).get(path, "Connection: close")
    assert answer.status == 503 and answer.fields["retry-after"] == "2"


def test_a_form_is_led_back_from_a_server_that_starts(waiting: Game) -> None:
    answer = Player(waiting).post("/starship/create", name="Early")
    assert answer.status == 503
    assert answer.fields["refresh"] == "2; url=/starshipLogin.html"


class RefusedSecondary(StarshipSecondary, namespace="StarShip"):
    """A server that the primary does not take."""

    def get_refusal(self) -> str:
        return "this server has the rules 0-old, the game is played by 1-new"


def test_a_server_that_is_not_taken_says_why(waiting: Game) -> None:
    waiting.setup.get_site().set_server(vista.create(RefusedSecondary))
    answer = Player(waiting).get("/starshipLogin.html", "Connection: close")
    assert answer.status == 503
    assert "this server has the rules 0-old, the game is played by 1-new" in answer.body.decode()


# --- WebSocket --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def captain(game: Game) -> Player:
    """The captain of Wary."""
    return game.captain("Wary")


@pytest.mark.parametrize(
    "message",
    [
        pytest.param({"cmd": "speed", "args": ["2.0"], "key": "k" * 201}, id="long key"),
        pytest.param({"cmd": "s" * 201}, id="long command"),
        pytest.param({"cmd": "speed", "args": [], "key": "\ud800"}, id="half a character"),
        pytest.param({"cmd": "speed", **{f"f{n}": "" for n in range(40)}}, id="many fields"),
        pytest.param({"cmd": "speed", "args": [10**400]}, id="huge number"),
        pytest.param({"cmd": "speed", "args": [float("nan")]}, id="no number"),
        pytest.param({"cmd": "speed", "args": [float("inf")]}, id="endless number"),
    ],
)
def test_a_message_is_bounded_as_a_form_is(captain: Player, message: dict[str, object]) -> None:
    with socket_of(captain, "ship=Wary") as client:
        client.next()
        client.send(TextMessage(json.dumps(message)))
        answer = client.answer()
    assert (answer["ok"], answer["code"], answer["key"]) == (False, "E_ARG", "")


def test_a_message_is_no_longer_than_a_form(captain: Player) -> None:
    with socket_of(captain, "ship=Wary") as client:
        client.next()
        client.send(TextMessage(json.dumps({"cmd": "speed"}) + " " * 8_192))
        answer = client.answer()
    assert answer["code"] == "E_ARG" and "8192 bytes" in answer["text"]


def test_an_order_to_a_server_that_is_gone_is_answered() -> None:
    with played() as game:
        captain = game.captain("Bounty")
        with socket_of(captain, "ship=Bounty") as client:
            client.next()
            client.told()
            vista.delete(game.primary)
            wait_until(lambda: not any("Secondary" in row.class_name for row in vista.objects()))
            client.send(TextMessage(json.dumps({"cmd": "speed", "args": ["2.0"]})))
            assert client.answer()["code"] == "E_LINK"


def test_with_many_bridges_open_others_are_not_told_how_many_orders_are_left() -> None:
    with crowded_bridge() as (game, captain, stream, watching):
        assert captain.order("Bounty", "speed", "5.0").status == 200
        assert stream.next()["left"] == 2
        game.step()
        assert "panels" in watching.next()
