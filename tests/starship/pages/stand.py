"""A stand for the pages in a browser: what a site does, without any game behind it.

It serves what the renderer makes of one scene, takes orders down, and says each step when it is
told to. The real site has tests of its own.
"""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from importlib import resources
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from apps.starship.display.lists import lists_of
from apps.starship.pages import Notice, Page, bridge_page, panels_of
from apps.starship.pages.login import create_html, list_html
from tests.page_server import serving
from tests.starship.pages.played import Screen, played

POLICY = "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'"
TYPES = {
    "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml", "woff2": "font/woff2",
}  # fmt: skip
END = ""
"""What ends a stream."""

Look = dict[str, str]
Scene = Callable[[Look], Screen]
ADMITTED = {"ok": True, "code": "", "text": "", "left": 2, "step": 51}


class Stand:
    """What is shown, and what was sent: ``posted`` are paths with their fields.

    ``answer`` is what an order is answered; ``broken`` streams are refused.
    """

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.posted: list[tuple[str, dict[str, str]]] = []
        self.answer: dict[str, Any] = dict(ADMITTED)
        self.notice: Notice | None = None
        self.typed: dict[str, str] = {}
        self.single_keys = True
        self.broken = False
        self.root = ""
        self._streams: list[tuple[Look, queue.Queue[str]]] = []
        self._lock = threading.Lock()

    @property
    def orders(self) -> list[str]:
        """The orders that were sent, as captains write them."""
        return [
            " ".join(fields.get(name, "") for name in ("command", "arg1", "arg2")).rstrip()
            for path, fields in list(self.posted)
            if path == "/starship/order"
        ]

    def page(self, look: Look, key: str = "") -> Page:
        """The page of somebody who looks so."""
        token = "a-token" if look.get("mode") != "scan" else ""
        return Page(
            token=token, interval=30, next_in=4.0, notice=self.notice, typed=self.typed,
            filter=look.get("filter", ""), single_keys=self.single_keys, key=key,
        )  # fmt: skip

    def panels(self, look: Look) -> str:
        """The event that has every panel."""
        screen = self.scene(look)
        panels = panels_of(screen, self.page(look))
        return json.dumps({"step": screen["step"], "next_in": 4.0, "panels": panels})

    def commit(self, scene: Scene | None = None) -> None:
        """Have every stream told of a step, of another scene if there is one."""
        self.scene = scene or self.scene
        with self._lock:
            for look, told in self._streams:
                told.put(self.panels(look))

    def tell(self, event: str) -> None:
        """Send every stream a text."""
        with self._lock:
            for _look, told in self._streams:
                told.put(event)

    def drop(self) -> None:
        """End every stream."""
        self.tell(END)

    @contextmanager
    def stream(self, look: Look) -> Iterator[queue.Queue[str]]:
        """The events for one who looks so."""
        told: queue.Queue[str] = queue.Queue()
        told.put(self.panels(look))
        with self._lock:
            self._streams.append((look, told))
        try:
            yield told
        finally:
            with self._lock:
                self._streams = [row for row in self._streams if row[1] is not told]


class _Handler(BaseHTTPRequestHandler):
    stand: Stand

    def log_message(self, format: str, *args: object) -> None:
        """Keep still."""

    def do_GET(self) -> None:
        path, look = urlsplit(self.path).path, dict(parse_qsl(urlsplit(self.path).query))
        if path.startswith("/starship/static/"):
            self._send_file(path.rsplit("/", 1)[1])
        elif path == "/starship/events":
            self._send_events(look)
        elif path in ("/starship/bridge", "/starship/scan"):
            look["mode"] = "scan" if path.endswith("scan") else "captain"
            self._send(bridge_page(self.stand.scene(look), self.stand.page(look, "a-key")))
        elif path == "/starshipLogin.html":
            self._send(login_page())
        else:
            self._send(f"<!DOCTYPE html><title>{path}</title>")

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", "0"))
        fields = dict(parse_qsl(self.rfile.read(length).decode(), keep_blank_values=True))
        self.stand.posted.append((self.path, fields))
        if "application/json" in self.headers.get("Accept", ""):
            status = 200 if self.stand.answer["ok"] else 409
            self._send(json.dumps(self.stand.answer), "application/json", status)
            return
        self.send_response(303)
        target = fields.get("target", "")
        self.send_header("Location", f"/starship/bridge?ship=Bounty&target={target}")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _send(
        self, body: str | bytes, kind: str = "text/html; charset=utf-8", status: int = 200
    ) -> None:
        data = body.encode() if isinstance(body, str) else body
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Content-Security-Policy", POLICY)
        self.end_headers()
        self.wfile.write(data)

    def _send_file(self, name: str) -> None:
        folder = resources.files("apps.starship.pages").joinpath("static")
        self._send(folder.joinpath(name).read_bytes(), TYPES[name.rsplit(".", 1)[1]])

    def _send_events(self, look: Look) -> None:
        if self.stand.broken:
            self._send("", "text/plain", 503)
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        with self.stand.stream(look) as told:
            try:
                for event in iter(told.get, END):
                    self.wfile.write(f"data: {event}\n\n".encode())
                    self.wfile.flush()
            except OSError:
                pass  # the browser went away
        self.close_connection = True


def login_page() -> str:
    """The first page, with its includes carried out."""
    lists = lists_of(played())
    folder = resources.files("apps.starship.pages").joinpath("templates")
    text = folder.joinpath("starshipLogin.html").read_text("utf-8")
    parts = {"/starship/create.html": create_html(lists, "t"), "/starship/notice.html": ""}
    for which in ("scan", "take", "races"):
        parts[f"/starship/list.html?for={which}"] = list_html(lists, which, "t")
    for address, part in parts.items():
        text = text.replace(f'<!--#include virtual="{address}" -->', part)
    assert "<!--#" not in text
    return text


@contextmanager
def standing(scene: Scene) -> Iterator[Stand]:
    """A stand that is open."""
    stand = Stand(scene)
    with serving(_Handler, stand) as root:
        stand.root = root
        try:
            yield stand
        finally:
            stand.drop()
