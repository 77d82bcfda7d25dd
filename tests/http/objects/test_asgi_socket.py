"""WebSockets of mounted ASGI applications: what they are told, and what becomes of what they do."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest

import vista
from apps.http.errors import ApplicationError
from apps.http.objects.asgi import HTTPmountASGI
from apps.http.objects.asgi_socket import SocketExchange
from tests.http.objects.asgi_apps import TOLD
from tests.http.objects.served import Site, served, wait_until
from tests.http.objects.sockets import Client, talking, upgrade
from tests.http.syntax.frames import BINARY, TEXT, close, frame

APPS = "tests.http.objects.asgi_apps"


@pytest.fixture
def site() -> Iterator[Site]:
    """A site with an application that speaks WebSocket."""
    TOLD.clear()
    with served() as made:
        vista.create(HTTPmountASGI, "localhost", "/api", f"{APPS}:speaks_websocket")
        yield made


def asked(site: Site, path: str) -> int:
    """The status with which a client that asks for a WebSocket is answered."""
    with site.connect() as connection:
        return Client(connection, upgrade(path=path)).answer.status


def test_messages_go_both_ways_and_the_end_is_told(site: Site) -> None:
    with talking(site, "Sec-WebSocket-Protocol: chat, other", path="/api/room?x") as client:
        assert client.answer.fields["sec-websocket-protocol"] == "chat"
        assert client.answer.fields["x-word"] == "yes"
        client.send(frame(TEXT, b"hello"), frame(BINARY, b"\x00\x01"))
        assert client.next() == (0x80 | TEXT, b"hello")
        assert client.next() == (0x80 | BINARY, b"\x00\x01")
        client.send(close(3005))
        assert client.closed() == 3005
    wait_until(lambda: len(TOLD) == 2)
    assert TOLD == [
        "websocket.connect ws /api/room ['chat', 'other']",
        "websocket.disconnect 3005",
    ]


def test_a_client_that_is_gone_is_told(site: Site) -> None:
    with talking(site, path="/api"):
        pass
    wait_until(lambda: len(TOLD) == 2)
    assert TOLD[1] == "websocket.disconnect 1006"


def test_an_application_closes_with_its_code(site: Site) -> None:
    with talking(site, path="/api?closes") as client:
        assert client.closed() == 3001


def test_an_application_that_closes_before_it_accepts_refuses(site: Site) -> None:
    assert asked(site, "/api?refuses") == 403


@pytest.mark.parametrize("habit", ["returns", "raises"])
def test_an_application_that_does_not_accept_is_a_500(site: Site, habit: str) -> None:
    assert asked(site, f"/api?{habit}") == 500


@pytest.mark.parametrize("habit", ["fails", "exits"])
def test_an_application_that_fails_closes_with_1011(
    site: Site, habit: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR, "vista.http"):
        with talking(site, path=f"/api?{habit}") as client:
            assert client.closed() == 1011
        wait_until(lambda: any("the page failed" in line for line in caplog.messages))


def test_an_application_that_sends_to_who_is_gone_gets_an_error(site: Site) -> None:
    with talking(site, path="/api?sends_on") as client:
        client.send(frame(TEXT, b"go"))
        client.next()
    wait_until(lambda: len(TOLD) == 2)
    assert TOLD[1] == "ClientGone: the client is gone"


def test_sockets_end_when_the_node_stops(site: Site) -> None:
    with talking(site, path="/api") as client:
        stopping = vista.future(site.daemon, "system_shutdown")
        assert client.closed() == 1001
    stopping.result(timeout=30)


def test_starlette_talks() -> None:
    TOLD.clear()
    with served() as site:
        vista.create(HTTPmountASGI, "localhost", "/shop", f"{APPS}:shop")
        with talking(site, path="/shop/talk") as client:
            client.send(frame(TEXT, b"ahoy"))
            assert client.next() == (0x80 | TEXT, b"AHOY")
            client.send(close(1000))
            assert client.closed() == 1000
        wait_until(lambda: "over" in TOLD)
        assert asked(site, "/shop/nothing") == 403


# --- out of turn -----------------------------------------------------------------------------


def sent(*messages: Any) -> str:
    """What an application is told that sends messages to a socket that does nothing."""

    class AsgiDeafSocket(vista.Object):
        def create(self) -> None:
            pass

        def accept(self, subprotocol: str, fields: Any) -> None:
            pass

    async def application(scope: Any, receive: Any, send: Any) -> None:
        for message in messages:
            await send(message) if message else await receive()

    with vista.Node("deaf"):
        socket = vista.create(AsgiDeafSocket)
        with pytest.raises(ApplicationError) as caught:
            vista.wait(SocketExchange(socket).run(application, {}), 30)
        return str(caught.value)


ACCEPT = {"type": "websocket.accept"}


def test_what_is_sent_out_of_turn_is_an_error() -> None:
    out_of_turn = "'websocket.{}' was sent where it cannot be"
    assert sent({"type": "websocket.send", "text": "x"}) == out_of_turn.format("send")
    assert sent(ACCEPT, ACCEPT) == out_of_turn.format("accept")
    assert sent({"type": "websocket.close"}, ACCEPT) == out_of_turn.format("accept")
    assert sent("nonsense") == "None was sent where it cannot be"
    assert (
        sent(ACCEPT, {"type": "websocket.send"})
        == "websocket.send has text, which is str, or bytes"
    )
    assert sent(None, None) == "websocket.accept or websocket.close comes first"
    assert sent({**ACCEPT, "headers": [("a", "b")]}).startswith(
        "the headers of an answer are pairs"
    )
