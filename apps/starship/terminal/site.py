"""The HTTP side of the terminal client: one connection to one server, cookies included.

What the server answers comes from outside: it is bounded, and what is no answer of a game is
`NoAnswer` with what came instead.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import socket
from collections.abc import Iterator
from http.cookies import CookieError, SimpleCookie
from types import NoneType
from typing import Any, NamedTuple
from urllib.parse import urlencode

from apps.starship.errors import NoAnswer
from apps.starship.terminal.address import Address
from apps.starship.terminal.session import Fetch, Post

CONNECT_SECONDS = 10.0
"""How long a server may take for an answer."""
STREAM_SECONDS = 60.0
"""How long a stream may be silent; servers send a sign of life more often."""
BODY_BYTES_MAX = 16 * 1024 * 1024
"""Bytes of an answer: the state of a ship in the largest galaxy has two million."""
EVENT_BYTES_MAX = 1024 * 1024
"""Bytes of a line of the stream."""
NEXT_SECONDS_MAX = 3_600.0
"""How long a server may say that it takes to the next step; what says more is not believed."""
COOKIES_MAX = 20
COOKIE_CHARACTERS_MAX = 4_096


_COOKIE = re.compile(r"[!-:<-~]*")
_NO_ANSWER = (http.client.HTTPException, OSError, ValueError)
"""What may come of a request; a ValueError of a name from the server that no request can have."""


def is_cookie(name: str, value: str) -> bool:
    """Tell whether a cookie is one that can be kept and sent back."""
    short = len(name) + len(value) <= COOKIE_CHARACTERS_MAX
    return short and bool(name and _COOKIE.fullmatch(name) and _COOKIE.fullmatch(value))


class Reply(NamedTuple):
    """An answer: its status, and its JSON."""

    status: int
    found: Any


class Fetched(NamedTuple):
    """The state of a ship came."""

    screen: dict[str, Any]


class Missing(NamedTuple):
    """There is no such ship."""

    ship: str


class Answered(NamedTuple):
    """What was sent was answered."""

    post: Post
    answer: dict[str, Any]


class Coming(NamedTuple):
    """The ship was made and is there after ``next_in`` seconds, with the next step."""

    next_in: float


class Lost(NamedTuple):
    """No answer came; ``why`` in a few words."""

    why: str


Result = Fetched | Missing | Coming | Answered | Lost


class Site:
    """A game's server. ``cookies`` are those it set before, by name; they are kept up to date."""

    def __init__(self, address: Address, cookies: dict[str, str] | None = None) -> None:
        self.address = address
        self.cookies = dict(cookies or {})
        self._connection: http.client.HTTPConnection | None = None

    # --- the game's requests ---------------------------------------------------------------

    def ask(self, asked: Fetch | Post) -> Result:
        """Ask for a state or send something; return what came of it, never an error."""
        try:
            return self._fetch(asked) if isinstance(asked, Fetch) else self._post(asked)
        except NoAnswer as error:
            return Lost(str(error))

    def _fetch(self, asked: Fetch) -> Result:
        query = {"ship": asked.ship, "target": asked.target, "radius": asked.radius}
        if asked.only_scan:
            query["mode"] = "scan"
        reply = self.request("GET", f"/starship/state.json?{urlencode(query, errors='replace')}")
        # A site that has no game answers a page.
        if reply.status == 404 and isinstance(reply.found, dict):
            return Missing(asked.ship)
        found = reply.found if isinstance(reply.found, dict) else {}
        if reply.status == 202 and "coming" in found:
            return Coming(_seconds(found.get("next_in")))
        if reply.status != 200 or not is_screen(found):
            return Lost(_refused(reply))
        return Fetched(found)

    def _post(self, post: Post) -> Result:
        reply = self.request("POST", f"/starship/{post.path}", post.fields)
        if not isinstance(reply.found, dict) or "ok" not in reply.found:
            if reply.status == 429:
                return Answered(post, {"ok": False, "text": "Not so fast: wait a little."})
            return Lost(_refused(reply))
        return Answered(post, reply.found)

    # --- HTTP ------------------------------------------------------------------------------

    def request(self, method: str, path: str, fields: dict[str, Any] | None = None) -> Reply:
        """Send a request and return the answer; a connection that died meanwhile is made anew.

        Whatever is sent here may be sent twice: orders and new ships have a key. Raises `NoAnswer`.
        """
        fresh = self._connection is None
        try:
            return self._request(method, path, fields)
        except _NO_ANSWER as error:
            self.close()
            if fresh or isinstance(error, TimeoutError):
                raise NoAnswer(_words(error)) from error
        try:
            return self._request(method, path, fields)
        except _NO_ANSWER as error:
            self.close()
            raise NoAnswer(_words(error)) from error

    def _request(self, method: str, path: str, fields: dict[str, Any] | None) -> Reply:
        if self._connection is None:
            self._connection = self._connect(CONNECT_SECONDS)
        headers = self._headers("application/json")
        body = None
        if fields is not None:
            body = json.dumps(fields).encode()
            headers["Content-Type"] = "application/json"
        self._connection.request(method, path, body, headers)
        response = self._connection.getresponse()
        data = response.read(BODY_BYTES_MAX + 1)
        if len(data) > BODY_BYTES_MAX:
            raise http.client.HTTPException(f"it sends more than {BODY_BYTES_MAX} bytes")
        self._keep_cookies(response)
        if response.will_close:
            self.close()
        try:
            return Reply(response.status, json.loads(data))
        except (ValueError, RecursionError):
            return Reply(response.status, None)

    def _connect(self, seconds: float) -> http.client.HTTPConnection:
        host, port = self.address.host, self.address.port
        if self.address.scheme == "https":
            return http.client.HTTPSConnection(host, port, timeout=seconds)
        return http.client.HTTPConnection(host, port, timeout=seconds)

    def _headers(self, accept: str) -> dict[str, str]:
        headers = {"Accept": accept, "User-Agent": "starship-terminal"}
        if self.cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        return headers

    def _keep_cookies(self, response: http.client.HTTPResponse) -> None:
        for line in response.headers.get_all("Set-Cookie") or ():
            with contextlib.suppress(CookieError):
                for name, morsel in SimpleCookie(line).items():
                    if morsel["max-age"] == "0":
                        self.cookies.pop(name, None)
                    # As it was sent: what is quoted in it may be no text of a header.
                    elif is_cookie(name, morsel.coded_value) and (
                        name in self.cookies or len(self.cookies) < COOKIES_MAX
                    ):
                        self.cookies[name] = morsel.coded_value

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class Steps:
    """The stream of a server's events: one for each step, as long as the connection holds."""

    def __init__(self, site: Site) -> None:
        self._connection = site._connect(STREAM_SECONDS)
        self._headers = site._headers("text/event-stream")
        self._socket: socket.socket | None = None

    def read(self) -> Iterator[dict[str, Any]]:
        """Go through the events as they come. Raises `NoAnswer` when the stream ends."""
        try:
            self._connection.connect()
            self._socket = self._connection.sock
            self._connection.request("GET", "/starship/events?watch=1", None, self._headers)
            response = self._connection.getresponse()
            if response.status != 200:
                raise NoAnswer(f"it answers {response.status}")
            with response:
                yield from _events(response)
        except _NO_ANSWER as error:
            # A ValueError: another thread closed what is read.
            raise NoAnswer(_words(error)) from error
        finally:
            self._connection.close()
        raise NoAnswer("the stream ended")

    def close(self) -> None:
        """End the stream from another thread: who reads it gets `NoAnswer`."""
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)


def _events(response: http.client.HTTPResponse) -> Iterator[dict[str, Any]]:
    while row := response.readline(EVENT_BYTES_MAX + 1):
        if len(row) > EVENT_BYTES_MAX:
            raise http.client.HTTPException("an event is too long")
        if not row.startswith(b"data:"):
            continue
        try:
            found = json.loads(row[5:])
        except (ValueError, RecursionError):
            continue
        if isinstance(found, dict):
            yield found


_KINDS: dict[str, type | tuple[type, ...]] = {
    "step": int, "ship": dict, "mode": str, "left": int, "limit": int, "orders": list, "srs": dict,
    "lrs": dict, "messages": list, "weapons": list, "lost": (dict, NoneType),
    "target": (dict, NoneType),
}  # fmt: skip
"""What the parts of a screen are that the client decides by; the rest is only drawn."""


def is_screen(found: dict[str, Any]) -> bool:
    """Tell whether something from outside is a screen that a session can work with."""
    if not all(isinstance(found.get(name, ...), kind) for name, kind in _KINDS.items()):
        return False
    ships = [found["ship"], *([] if found["target"] is None else [found["target"]])]
    return (
        _all_have(ships, "name", str)
        and isinstance(found["ship"].get("full_name"), str)
        and _all_have(found["srs"].get("contacts"), "name", str)
        and _all_have(found["lrs"].get("contacts"), "name", str)
        and _all_have(found["weapons"], "id", str)
        and _all_have(found["messages"], "step", int)
        and _all_have(found["messages"], "text", str)
    )


def _all_have(rows: object, name: str, kind: type) -> bool:
    if not isinstance(rows, list):
        return False
    return all(isinstance(row, dict) and isinstance(row.get(name), kind) for row in rows)


def _seconds(next_in: object) -> float:
    """Return for how long a state that is coming is waited for; a server may say anything."""
    if isinstance(next_in, int | float) and 0 <= next_in < NEXT_SECONDS_MAX:
        return float(next_in)
    return 1.0


def _refused(reply: Reply) -> str:
    """Return in a few words what came instead of a state of the game."""
    text = reply.found.get("text") if isinstance(reply.found, dict) else None
    return str(text)[:60] if text else f"it answers {reply.status}"


def _words(error: BaseException) -> str:
    """Return an error in a few words, for a line of a terminal."""
    if isinstance(error, TimeoutError):
        return "it takes too long"
    if isinstance(error, ConnectionRefusedError):
        return "nobody listens there"
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(text).splitlines()[0][:60]
