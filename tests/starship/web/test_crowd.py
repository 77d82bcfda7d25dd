"""Those who ask too often: they wait, and nobody else does."""

from __future__ import annotations

import json
import time

from tests.http.objects.served import read_all
from tests.starship.web.played import Player, played

REQUEST = b"GET /starship/state.json?ship=Gath HTTP/1.1\r\nHost: localhost\r\n\r\n"


def flood(player: Player, count: int) -> int:
    """Send requests as fast as they are refused; return how many were."""
    refused = 0
    with player.connect() as client:
        for _ in range(count // 100):
            client.sendall(REQUEST * 100)
            data = b""
            while data.count(b"often.") < 100:
                piece = client.recv(65536)
                assert piece, "the connection ended"
                data += piece
            refused += data.count(b"HTTP/1.1 429 ")
        client.shutdown(1)
        read_all(client)
    return refused


def test_who_asks_too_often_is_told_when_to_come_again() -> None:
    with played("requests_burst=3", "requests_per_second=0.5") as game:
        hasty = Player(game, "127.0.0.2")
        assert [hasty.get("/starship/map.json").status for _ in range(4)] == [200, 200, 200, 429]
        refused = hasty.post("/starship/order", ship="Gath", command="speed")
        assert (refused.status, refused.fields["retry-after"]) == (429, "2")
        assert refused.body == b"Your address asks too often."
        # The script of a bridge shows what it is told; a text that is no JSON it would send again.
        told = hasty.order("Gath", "speed", "1.0")
        found = json.loads(told.body)
        assert (told.status, told.fields["retry-after"]) == (429, "2")
        assert (found["code"], found["text"]) == ("E_BUSY", "Your address asks too often.")


def test_ten_thousand_requests_of_one_address_disturb_nobody() -> None:
    with played("requests_burst=100", "requests_per_second=0.001") as game:
        captain = game.captain("Bounty")
        flooder = Player(game, "127.0.0.2")
        began = time.process_time()
        pages = [flooder.get("/starship/state.json?ship=Gath").status for _ in range(100)]
        page = (time.process_time() - began) / 100
        assert pages == [200] * 100
        began = time.process_time()
        assert flood(flooder, 10_000) == 10_000
        refusal = (time.process_time() - began) / 10_000
        assert captain.order("Bounty", "speed", "5.0").status == 200
        game.step()
        assert captain.state("Bounty")["nav"]["speed"] > 0
        # Client and server together: to be refused costs a fraction of what was asked for.
        assert refusal < page / 3


def test_a_ship_s_orders_do_not_wait_for_those_who_ask_too_often() -> None:
    with played("requests_burst=10", "requests_per_second=1") as game:
        hasty, calm = Player(game, "127.0.0.2"), Player(game, "127.0.0.3")
        for _ in range(12):
            hasty.get("/starship/map.json")
        assert hasty.get("/starshipLogin.html").status == 429
        assert calm.get("/starshipLogin.html").status == 200


def test_a_file_of_the_site_is_not_counted() -> None:
    with played("requests_burst=5", "requests_per_second=0.1") as game:
        player = Player(game, "127.0.0.2")
        answers = [player.get("/starship/static/bridge.css").status for _ in range(12)]
        assert answers == [200] * 12
