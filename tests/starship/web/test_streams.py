"""Live updates: to whom, of what, and how many."""

from __future__ import annotations

import json
import socket
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    CloseConnection,
    Event,
    RejectConnection,
    Request,
    TextMessage,
)

import vista
from tests.http.objects.served import wait_until
from tests.starship.web.played import Game, Player, Stream, crowded_bridge, played

PANELS = {
    "header", "alert", "shields", "status", "srs", "target", "distress", "nav", "lrs", "weapons",
    "mission", "messages", "interval",
}  # fmt: skip


@pytest.fixture(scope="module")
def captain(game: Game) -> Player:
    """The captain of Bounty."""
    return game.captain("Bounty")


def streams_of(game: Game) -> vista.Ref:
    """The object that has the streams."""
    return next(vista.ref_of(row.id) for row in vista.objects() if "Streams" in row.class_name)


def test_who_comes_gets_all_panels(game: Game, captain: Player) -> None:
    with captain.listen("ship=Bounty") as stream:
        update = stream.next()
    assert set(update["panels"]) >= PANELS
    assert update["step"] == game.server.get_step()
    assert "/starship/order" in update["panels"]["nav"]


def test_a_step_brings_what_changed_and_nothing_else(game: Game, captain: Player) -> None:
    with captain.listen("ship=Bounty") as stream:
        first = stream.next()["panels"]
        step = game.step()
        update = stream.next()
    assert update["step"] == step
    assert "header" in update["panels"] and "interval" not in update["panels"]
    assert all(first.get(name) != text for name, text in update["panels"].items())


def test_the_updates_are_the_page(game: Game, captain: Player) -> None:
    captain.order("Bounty", "speed", "3.0")
    with captain.listen("ship=Bounty") as stream:
        stream.next()
        game.step()
        update = stream.next()
    page = captain.get("/starship/bridge?ship=Bounty").body.decode()
    # In a page forms have a key of their own, which scripts make themselves.
    for name in set(update["panels"]) & {"alert", "shields", "messages", "hints"}:
        assert update["panels"][name] in page


def test_an_order_is_shown_at_once(game: Game, captain: Player) -> None:
    game.step()
    with captain.listen("ship=Bounty") as stream:
        stream.next()
        assert captain.order("Bounty", "speed", "5.0").status == 200
        update = stream.next()
    assert update["step"] == game.server.get_step()
    assert "header" in update["panels"]


def test_a_spectator_gets_nothing_that_commands(game: Game, captain: Player) -> None:
    with game.player().listen("ship=Bounty") as stream:
        panels = stream.next()["panels"]
    assert set(panels) >= PANELS - {"hints"}
    assert not any("/starship/order" in text for text in panels.values())


def test_a_captain_who_looks_from_outside_gets_a_scan(captain: Player) -> None:
    with captain.listen("ship=Bounty&mode=scan") as stream:
        panels = stream.next()["panels"]
    assert not any("/starship/order" in text for text in panels.values())


def unpacked(stream: Stream, least: int) -> str:
    """The first ``least`` events of a stream in gzip, as far as they have come."""
    reader, text = zlib.decompressobj(zlib.MAX_WBITS | 16), ""
    raw = stream.rest
    for _ in range(100_000):
        while b"\r\n" in raw:
            size, _, rest = raw.partition(b"\r\n")
            length = int(size, 16)
            if len(rest) < length + 2:
                break
            text += reader.decompress(rest[:length]).decode()
            raw = rest[length + 2 :]
        if text.count("data: ") >= least and text.endswith("\n\n"):
            return text
        piece = stream.client.recv(65536)
        assert piece, "the stream ended"
        stream.rest += piece
        raw += piece
    raise AssertionError("no update came")


def test_a_stream_is_compressed_for_those_who_can_read_it(game: Game, captain: Player) -> None:
    with captain.listen("ship=Bounty") as stream:
        plain = stream.next()
    with captain.listen("ship=Bounty", "br, gzip") as stream:
        assert b"content-encoding: gzip" in stream.head.lower()
        assert b"vary: accept-encoding" in stream.head.lower()
        found = unpacked(stream, 1)
    assert found.startswith("retry: ")
    update = json.loads(found.partition("data: ")[2])
    assert update["panels"].keys() == plain["panels"].keys()


def test_who_comes_later_can_read_what_all_are_sent_compressed(game: Game, captain: Player) -> None:
    with game.player().listen("ship=Bounty&mode=scan", "gzip") as early:
        unpacked(early, 1)
        with game.player().listen("ship=Bounty&mode=scan", "gzip") as late:
            unpacked(late, 1)
            step = game.step()
            texts = [unpacked_until(stream, step) for stream in (early, late)]
    assert texts[0] == texts[1]


def unpacked_until(stream: Stream, step: int) -> str:
    """The update of a step, of a stream in gzip."""
    for least in range(1, 20):
        for line in unpacked(stream, least).splitlines():
            if line.startswith(f'data: {{"step":{step},'):
                return line
    raise AssertionError("it never came")


def test_a_stream_is_plain_for_those_who_say_nothing_of_codings(captain: Player) -> None:
    with captain.listen("ship=Bounty") as stream:
        assert b"content-encoding" not in stream.head.lower()
        assert b"vary: accept-encoding" in stream.head.lower()


def test_who_loses_command_loses_the_controls(game: Game) -> None:
    former = game.captain("Former")
    with former.listen("ship=Former") as stream:
        assert "/starship/order" in stream.next()["panels"]["nav"]
        former.post("/starship/leave", ship="Former")
        game.step()
        for _ in range(10):
            nav = stream.next()["panels"].get("nav", "")
            if nav:
                break
        assert nav and "/starship/order" not in nav


def test_those_who_see_the_same_are_drawn_once_and_all_told(game: Game, captain: Player) -> None:
    streams = streams_of(game)
    wait_until(lambda: streams.get_clients() == 0)
    viewers = [game.player().listen("ship=Bounty&mode=scan") for _ in range(5)]
    firsts = [viewer.next() for viewer in viewers]
    assert (streams.get_clients(), streams.get_views()) == (5, 1)
    game.step()
    # A viewer who came while others were there may have been told of nothing new before.
    nexts = [until_step(viewer, game.server.get_step()) for viewer in viewers]
    assert all(first["panels"] for first in firsts)
    assert all(update["panels"] == nexts[0]["panels"] for update in nexts)
    for viewer in viewers:
        viewer.close()


def until_step(stream: Stream, step: int) -> dict[str, Any]:
    """The first update of a step."""
    for _ in range(100):
        update = stream.next()
        if update["step"] >= step:
            return update
    raise AssertionError("the step never came")


def test_who_watches_the_steps_alone_is_told_their_numbers(game: Game) -> None:
    with game.player().listen("watch=map") as stream:
        assert stream.next()["panels"] == {}
        step = game.step()
        assert until_step(stream, step)["panels"] == {}


def test_a_ship_that_is_not_there_has_the_page_loaded_anew(game: Game) -> None:
    with game.player().listen("ship=Nowhere") as stream:
        assert stream.next()["reload"] is True


def test_who_goes_is_forgotten(game: Game, captain: Player) -> None:
    streams = streams_of(game)
    before = streams.get_clients()
    with captain.listen("ship=Bounty") as stream:
        stream.next()
        assert streams.get_clients() == before + 1
    wait_until(lambda: streams.get_clients() == before)


def test_head_of_a_stream_has_its_fields_and_nobody_listens(game: Game, captain: Player) -> None:
    streams = streams_of(game)
    wait_until(lambda: streams.get_clients() == 0)
    answer = captain.send("HEAD", "/starship/events?ship=Bounty")
    assert (answer.status, answer.body) == (200, b"")
    assert answer.fields["content-type"].startswith("text/event-stream")
    assert streams.get_clients() == 0


def test_an_address_has_so_many_streams() -> None:
    with played("streams_per_address=2", "requests_burst=1000") as game:
        player, other = game.player(), game.player("127.0.0.2")
        open_streams = [player.listen("watch=map") for _ in range(2)]
        for stream in open_streams:
            stream.next()
        refused = player.get("/starship/events?watch=map")
        assert refused.status == 429 and refused.fields["retry-after"] == "10"
        with other.listen("watch=map") as stream:
            assert stream.status == 200
        open_streams.pop().close()
        wait_until(lambda: streams_of(game).get_clients() <= 1)
        with player.listen("watch=map") as stream:
            assert stream.status == 200
        open_streams.pop().close()


def test_the_site_has_so_many_streams() -> None:
    with played("streams_max=1", "requests_burst=1000") as game:
        stream = game.player().listen("watch=map")
        stream.next()
        refused = game.player("127.0.0.2").get("/starship/events?watch=map")
        assert refused.status == 503 and refused.fields["retry-after"] == "10"
        stream.close()


# --- WebSocket ---------------------------------------------------------------------------------


class Socket:
    """A client that speaks WebSocket."""

    def __init__(self, client: socket.socket) -> None:
        self.client = client
        self.stream = WSConnection(ConnectionType.CLIENT)
        self.events: Iterator[Event] = iter(())

    def send(self, event: Event) -> None:
        self.client.sendall(self.stream.send(event))

    def next(self) -> Event:
        """The next event; pieces of a message are put together."""
        text = ""
        for _ in range(100_000):
            for event in self.events:
                if not isinstance(event, TextMessage):
                    return event
                text += event.data
                if event.message_finished:
                    return TextMessage(data=text)
            piece = self.client.recv(65536)
            self.stream.receive_data(piece or None)
            self.events = self.stream.events()
        raise AssertionError("nothing came")

    def told(self) -> dict[str, Any]:
        """The next message, as JSON."""
        event = self.next()
        assert isinstance(event, TextMessage), event
        found: dict[str, Any] = json.loads(event.data)
        return found

    def answer(self) -> dict[str, Any]:
        """The answer to an order; updates before it are passed over."""
        for _ in range(100):
            found = self.told()
            if "answer" in found:
                answer: dict[str, Any] = found["answer"]
                return answer
        raise AssertionError("no answer came")


@contextmanager
def socket_of(player: Player, query: str, *, origin: str = "") -> Iterator[Socket]:
    """A WebSocket of a player."""
    with player.connect() as client:
        made = Socket(client)
        kept = "; ".join(f"{name}={value}" for name, value in player.cookies.items())
        fields = [(b"Cookie", kept.encode())]
        fields += [(b"Origin", origin.encode())] if origin else []
        made.send(Request("localhost", f"/starship/ws?{query}", extra_headers=fields))
        yield made


def test_a_websocket_gets_the_updates(game: Game, captain: Player) -> None:
    with socket_of(captain, "ship=Bounty") as client:
        assert isinstance(client.next(), AcceptConnection)
        assert set(client.told()["panels"]) >= PANELS
        step = game.step()
        assert client.told()["step"] == step


def test_orders_may_come_by_websocket(game: Game, captain: Player) -> None:
    game.step()
    with socket_of(captain, "ship=Bounty") as client:
        client.next()
        client.send(TextMessage(json.dumps({"cmd": "speed", "args": ["2.0"], "key": "w1"})))
        answer = client.answer()
    assert (answer["ok"], answer["left"], answer["key"]) == (True, 2, "w1")


@pytest.mark.parametrize(
    "message", ["{", "[]", '{"args": 1}', '{"cmd": "speed", "args": ["99"]}', "[" * 50_000]
)
def test_a_bad_message_is_answered(game: Game, captain: Player, message: str) -> None:
    with socket_of(captain, "ship=Bounty") as client:
        client.next()
        client.send(TextMessage(message))
        answer = client.answer()
        assert (answer["ok"], answer["code"]) == (False, "E_ARG")


def test_who_orders_too_often_by_websocket_waits() -> None:
    with played("requests_burst=20", "requests_per_second=0.001") as game:
        captain = game.captain("Bounty")
        with socket_of(captain, "ship=Bounty") as client:
            client.next()
            codes = []
            for _ in range(20):
                client.send(TextMessage(json.dumps({"cmd": "speed", "args": ["99"]})))
                codes.append(client.answer()["code"])
        assert codes[0] == "E_ARG" and codes[-1] == "E_BUSY"
        refused = captain.get("/starship/ws?ship=Bounty", "Upgrade: websocket")
        assert refused.status == 429


def test_a_spectator_gives_no_order_by_websocket(game: Game, captain: Player) -> None:
    for player, query in ((game.player(), "ship=Bounty"), (captain, "ship=Bounty&mode=scan")):
        with socket_of(player, query) as client:
            client.next()
            client.send(TextMessage(json.dumps({"cmd": "speed", "args": ["2.0"]})))
            assert client.answer()["code"] == "E_CAPTAIN"


def test_a_page_of_another_site_gets_no_websocket(captain: Player) -> None:
    with socket_of(captain, "ship=Bounty", origin="https://elsewhere.example") as client:
        refused = client.next()
        assert isinstance(refused, RejectConnection) and refused.status_code == 403


def test_websockets_count_as_streams() -> None:
    with played("streams_per_address=1", "requests_burst=1000") as game:
        player = game.player()
        with player.listen("watch=map") as stream:
            stream.next()
            with socket_of(player, "watch=map") as client:
                refused = client.next()
                assert isinstance(refused, RejectConnection) and refused.status_code == 429


def test_a_websocket_that_is_closed_is_forgotten(game: Game, captain: Player) -> None:
    streams = streams_of(game)
    wait_until(lambda: streams.get_clients() == 0)
    with socket_of(captain, "ship=Bounty") as client:
        client.next()
        client.told()
        assert streams.get_clients() == 1
        client.send(CloseConnection(1000))
        client.next()
    wait_until(lambda: streams.get_clients() == 0)


def test_a_bridge_that_is_too_large_comes_in_parts_or_is_named() -> None:
    with played("frame_bytes_max=20000", "requests_burst=1000") as game:
        captain = game.captain("Bounty")
        with captain.listen("ship=Bounty") as stream:
            found: dict[str, str] = {}
            for _ in range(20):
                update = stream.next()
                found |= update["panels"]
                if "stale" in update:
                    break
        assert update["stale"] == ["lrs"]
        assert set(found) >= PANELS - {"lrs"}


def test_with_many_bridges_open_an_order_changes_the_dots_alone() -> None:
    with crowded_bridge() as (game, captain, stream, watching):
        assert captain.order("Bounty", "speed", "5.0").status == 200
        update = stream.next()
        assert update == {"step": game.server.get_step(), "left": 2}
        step = game.step()
        assert until_step(watching, step)["panels"]
