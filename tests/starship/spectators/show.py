"""A game that was played, and a small site that shows it to spectators.

The pages are the real ones; the site is the standard library's, so that a browser can look at them
wherever the game's own site is at.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from typing import Any
from urllib.parse import parse_qs, urlsplit

from apps.starship.display.galaxy import Frames, fallen, keep_lost, map_of, table_of
from apps.starship.pages.galaxy_page import TRAIL_STEPS, map_page
from apps.starship.pages.leaderboard_page import leaderboard_page
from apps.starship.pages.replay_page import replay_page, wanted_step
from apps.starship.pages.servers_page import servers_page
from apps.starship.rules.creating import new_game
from apps.starship.rules.state import State
from apps.starship.rules.step import Enlistment, Structure, advance
from tests.starship.rules.galaxy import THEME

STEPS = 150
POLICY = "default-src 'self'"
CAPTAIN = 7


KINDS = {
    "css": "text/css",
    "js": "text/javascript",
    "svg": "image/svg+xml",
    "woff2": "font/woff2",
}
"""Types of the files the pages ask for."""


class Show:
    """A game and what spectators get of it; `step` takes it one step further."""

    def __init__(self, seed: int = 42, steps: int = 0) -> None:
        self.state: State = new_game(seed, THEME)
        self.frames = Frames()
        self.frames.add(self.state)
        self.lost: list[dict[str, Any]] = []
        self.step(Structure((Enlistment("Bounty", "F", CAPTAIN),)))
        for _ in range(steps - 1):
            self.step()

    def step(self, structure: Structure = Structure()) -> None:  # noqa: B008 (frozen)
        before, self.state = self.state, advance(self.state, structure=structure)
        self.frames.add(self.state)
        self.lost = keep_lost(self.lost + fallen(before, self.state))

    def map(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(json.dumps(map_of(self.state)))
        return found

    def table(self) -> list[dict[str, Any]]:
        return table_of(self.state, self.lost)

    def frames_of(self, first: int = -1, last: int = -1) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.frames.text(first, last))
        return found

    def servers(self) -> dict[str, Any]:
        """Four servers as a primary tells of them, one of which was wrong."""
        ids = [f"node-{n}:7" for n in range(4)]
        rows = [
            {
                "id": id, "name": f"node-{n}", "url": "http://127.0.0.1:1/" if n else "",
                "own": n == 0, "state": ("ready", "ready", "following", "barred")[n],
                "speed": 5_000.0 * (n + 1), "share": (60, 40, 0, 0)[n], "units": 100,
                "busy_us": 5_200, "done": 1_234, "late": n, "lost": 3 * n, "faults": 3 * (n == 3),
                "why": "its result for Gath nav is wrong" if n == 3 else "",
            }
            for n, id in enumerate(ids)
        ]  # fmt: skip
        computed: dict[str, Any] = {
            name: [place % 2, place % 2, 0] for place, name in enumerate(sorted(self.state.objects))
        }
        computed["Aegis"] = [-1, None, 99]
        reports = [
            {"step": 3, "kind": "divergent", "text": "server node-3:7: wrong", "server": ids[3]},
            {"step": 2, "kind": "deferred", "text": "2 units of step 2: Aegis com", "server": ""},
        ]
        return {
            "step": self.state.step, "servers": rows, "computed": computed, "reports": reports,
        }  # fmt: skip

    def page(self, name: str, asked: dict[str, str]) -> str:
        """Return a page as the site shows it."""
        step = self.state.step
        if name == "map":
            return map_page(self.map(), asked, self.frames_of(max(0, step - TRAIL_STEPS), step))
        if name == "leaderboard":
            return leaderboard_page(self.table(), step, asked)
        if name == "replay":
            frames = self.frames_of(wanted_step(asked), wanted_step(asked))
            return replay_page(frames, asked)
        return servers_page(self.servers(), asked)


@cache
def played() -> Show:
    """A game after `STEPS` steps; nobody changes it."""
    return Show(steps=STEPS)


class Site:
    """A `Show` behind HTTP: pages, files, frames, and a stream that tells of steps."""

    def __init__(self, show: Show) -> None:
        self.show = show
        self.news = threading.Condition()
        self.ended = False
        site = self

        class Answer(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                site.answer(self)

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        self.server.daemon_threads = True
        self.root = f"http://127.0.0.1:{self.server.server_port}/starship"

    def step(self) -> None:
        """Take the game a step further and tell who listens."""
        with self.news:
            self.show.step()
            self.news.notify_all()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(request.path)
        asked = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        name = parts.path.removeprefix("/starship/")
        if name == "events":
            self.stream(request)
        elif name.startswith("static/"):
            self.file(request, name.removeprefix("static/"))
        elif name == "replay.json":
            found = self.show.frames.text(int(asked["from"]), int(asked["to"]))
            self.reply(request, found, "application/json")
        elif name in ("map", "leaderboard", "replay", "servers"):
            with self.news:
                text = self.show.page(name, asked)
            self.reply(request, text, "text/html; charset=utf-8")
        elif name == "scan":
            self.reply(request, f"<title>Scan</title><h1>{asked['ship']}</h1>", "text/html")
        else:
            self.reply(request, "", "text/plain", 404)

    def file(self, request: BaseHTTPRequestHandler, name: str) -> None:
        found = resources.files("apps.starship.pages").joinpath("static", name)
        kind = KINDS[name.rpartition(".")[2]]
        # The bridge's own sheet may stand beside these.
        data = found.read_bytes() if found.is_file() else b""
        self.reply(request, data, kind)

    @staticmethod
    def reply(
        request: BaseHTTPRequestHandler, body: str | bytes, kind: str, status: int = 200
    ) -> None:
        data = body.encode() if isinstance(body, str) else body
        request.send_response(status)
        request.send_header("Content-Type", kind)
        request.send_header("Content-Security-Policy", POLICY)
        request.send_header("Content-Length", str(len(data)))
        # A browser that goes to another page does not wait for the end of this one.
        with suppress(OSError):
            request.end_headers()
            request.wfile.write(data)

    def stream(self, request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Type", "text/event-stream")
        request.send_header("Connection", "close")
        request.end_headers()
        request.close_connection = True
        with self.news:
            while not self.ended:
                self.news.wait(1.0)
                try:
                    request.wfile.write(f'data: {{"step":{self.show.state.step}}}\n\n'.encode())
                    request.wfile.flush()
                except OSError:
                    return


@contextmanager
def site(show: Show) -> Iterator[Site]:
    """Run a site in a thread."""
    made = Site(show)
    thread = threading.Thread(target=made.server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield made
    finally:
        with made.news:
            made.ended = True
            made.news.notify_all()
        made.server.shutdown()
        thread.join()
        made.server.server_close()
