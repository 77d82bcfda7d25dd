"""A game with its site on a node in the background, and players who speak HTTP over loopback."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

import vista
from apps.http.objects.daemon import HTTPdaemon
from apps.starship.objects.primary import StarshipPrimary
from apps.starship.web.setup import StarshipHTTPsetup
from tests.http.objects.served import Answer, Site, read_all, read_until, wait_until

SEED = 42
FORM = "application/x-www-form-urlencoded"
HOME = "127.0.0.1"
GENEROUS = ("requests_burst=100000", "ships_burst=100000")


class Game:
    """A game whose steps are made by hand, its site, and the node they live on."""

    def __init__(self, site: Site, setup: vista.Ref, primary: vista.Ref) -> None:
        self.site = site
        self.setup = setup
        self.primary = primary
        self.server = setup.get_server()

    def step(self, count: int = 1) -> int:
        """Make steps; return the number of the last one."""
        for _ in range(count):
            before = self.server.get_step()
            self.primary.step()
            wait_until(lambda before=before: self.server.get_step() > before)
        return int(self.server.get_step())

    def player(self, address: str = HOME) -> Player:
        """Somebody with a browser of his own, who has looked at the login page."""
        player = Player(self, address)
        player.login = player.get("/starshipLogin.html")
        return player

    def captain(self, name: str = "Bounty", race: str = "F", **fields: str) -> Player:
        """Somebody in command of a ship."""
        player = self.player()
        answer = player.post("/starship/create", name=name, race=race, **fields)
        assert answer.status == 303, answer.body
        self.step()
        return player


class Player:
    """A browser: it keeps its cookies and says where its forms come from."""

    def __init__(self, game: Game, address: str = HOME) -> None:
        self.game = game
        self.address = address
        self.cookies: dict[str, str] = {}
        self.login: Answer | None = None

    # --- what a browser does ---------------------------------------------------------------

    def connect(self) -> socket.socket:
        """A connection from the player's address."""
        client = socket.socket(socket.AF_INET)
        client.settimeout(30.0)
        client.bind((self.address, 0))
        client.connect(self.game.site.place)
        return client

    def send(
        self, method: str, path: str, *fields: str, body: bytes = b"", cookies: bool = True
    ) -> Answer:
        """The answer to a request; cookies are sent and kept."""
        lines = [f"{method} {path} HTTP/1.1", "Host: localhost", "Connection: close", *fields]
        if cookies and self.cookies:
            kept = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
            lines.append(f"Cookie: {kept}")
        if body or method == "POST":
            lines.append(f"Content-Length: {len(body)}")
        with self.connect() as client:
            client.sendall(("\r\n".join(lines) + "\r\n\r\n").encode() + body)
            data = read_all(client)
        head = data.partition(b"\r\n\r\n")[0].decode("latin-1")
        for name, value in re.findall(r"(?mi)^set-cookie: ([^=]+)=([^;\r]*)", head):
            self.cookies[name] = value
        return Answer(data)

    def get(self, path: str, *fields: str) -> Answer:
        """The answer to a GET."""
        return self.send("GET", path, *fields)

    def post(self, path: str, *lines: str, **fields: str) -> Answer:
        """The answer to a form of the site; its token is sent along unless another one is."""
        form = {"token": self.token, **fields}
        origin = lines or ("Origin: http://localhost",)
        return self.send(
            "POST", path, f"Content-Type: {FORM}", *origin, body=urlencode(form).encode()
        )

    def tell(self, path: str, message: Any, *lines: str) -> Answer:
        """The answer to JSON."""
        body = message if isinstance(message, bytes) else json.dumps(message).encode()
        return self.send("POST", path, "Content-Type: application/json", *lines, body=body)

    @property
    def token(self) -> str:
        """What the forms of this player carry."""
        found = re.search(rb'name="token" value="([0-9a-f]+)', (self.login or EMPTY).body)
        return found[1].decode() if found else ""

    # --- what a captain does ---------------------------------------------------------------

    def order(self, ship: str, command: str, *words: Any, key: str = "") -> Answer:
        """The answer to an order as a script gives it."""
        message = {"ship": ship, "cmd": command, "args": list(words), "key": key}
        return self.tell("/starship/order", message)

    def state(self, ship: str) -> dict[str, Any]:
        """What the bridge of a ship shows."""
        answer = self.get(f"/starship/state.json?ship={ship}")
        assert answer.status == 200, answer.body
        found: dict[str, Any] = json.loads(answer.body)
        return found

    def listen(self, query: str, accept: str = "") -> Stream:
        """A stream of events; ``accept`` is what codings it may come in."""
        return Stream(self, query, accept)


class Stream:
    """A stream of events that is read as it comes."""

    def __init__(self, player: Player, query: str, accept: str = "") -> None:
        self.client = player.connect()
        kept = "; ".join(f"{name}={value}" for name, value in player.cookies.items())
        lines = [f"GET /starship/events?{query} HTTP/1.1", "Host: localhost", f"Cookie: {kept}"]
        if accept:
            lines.append(f"Accept-Encoding: {accept}")
        self.client.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        self.head, _, self.rest = read_until(self.client, b"\r\n\r\n").partition(b"\r\n\r\n")
        head = self.head
        self.status = int(head.split(b" ", 2)[1])

    def next(self) -> dict[str, Any]:
        """The next update."""
        for _ in range(100_000):
            found = re.search(rb"data: (.*)\n\n", self.rest)
            if found:
                self.rest = self.rest[found.end() :]
                update: dict[str, Any] = json.loads(found[1])
                return update
            piece = self.client.recv(65536)
            assert piece, "the stream ended"
            # Pieces of a chunked body: what stands between them is of no event.
            self.rest += piece
        raise AssertionError("no update came")

    def close(self) -> None:
        """Go away."""
        self.client.close()

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


EMPTY = Answer(b"HTTP/1.1 204 No Content\r\n\r\n")


@contextmanager
def played(*words: str, profile: str = "-", **configuration: Any) -> Iterator[Game]:
    """A game on a node of its own; ``words`` are bounds of its site."""
    with vista.Node("game") as node:
        daemon = vista.create(HTTPdaemon, profile, f"tcp:{HOME}:0", "localhost")
        setup = vista.create(StarshipHTTPsetup, "localhost", *(words or GENEROUS))
        primary = vista.create(StarshipPrimary, 0, SEED, **configuration)
        wait_until(lambda: setup.get_server() is not None)
        wait_until(lambda: setup.get_server().get_step() >= 0)
        yield Game(Site(node, daemon, "localhost"), setup, primary)


@contextmanager
def crowded_bridge() -> Iterator[tuple[Game, Player, Stream, Stream]]:
    """A game with more bridges open than it draws after an order; yields what a test needs of it.

    That are the game, the captain of Bounty, his stream, and that of somebody who looks on.
    """
    with played("redrawn_max=1", "requests_burst=1000", "ships_burst=100") as game:
        captain, other = game.captain("Bounty"), game.player()
        with captain.listen("ship=Bounty") as stream, other.listen("ship=Bounty") as watching:
            stream.next()
            watching.next()
            yield game, captain, stream, watching
