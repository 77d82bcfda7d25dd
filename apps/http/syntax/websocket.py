"""WebSocket: the request that asks for it, and the messages afterwards (RFC 6455, RFC 7692).

Stream cores around wsproto, which reads and writes the frames. `read_upgrade` looks at a request;
`MessageStream` takes bytes and gives messages. Three rules. Nothing a client sends raises: at worst
it gives `Closed` with the code that RFC 6455, section 7.4.1, has for it. How large a message is
counts while it comes, and as it is without compression. Compression keeps nothing between two
messages: its window would hold 300 KiB for each client.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

from wsproto.connection import Connection, ConnectionState, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping, Pong, TextMessage
from wsproto.extensions import Extension, PerMessageDeflate
from wsproto.frame_protocol import CloseReason
from wsproto.utilities import generate_accept_token

from apps.http.errors import AnswerError, FieldSyntaxError, RequestRejected
from apps.http.syntax.fields import parse_parameters
from apps.http.syntax.heads import RequestHead

VERSION = "13"
"""The only version of the protocol."""

CLOSE_BYTES_MAX = 123
"""Bytes of the reason of a close: what a control frame has left (RFC 6455, section 5.5)."""

NORMAL: Final = 1000
GOING_AWAY: Final = 1001
NO_CODE: Final = 1005
LOST: Final = 1006
TOO_BIG: Final = 1009
FAILED: Final = 1011

# Deflate makes at most 1,032 bytes of one: what one slice becomes overshoots the bound by 2 MB.
_SLICE_BYTES = 2_048
_DEFLATE = "permessage-deflate"
_NO_KEY = base64.b64encode(bytes(16)).decode("ascii")
_WINDOW_BITS = frozenset(map(str, range(8, 16)))
_ANSWER = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"


class Upgrade(NamedTuple):
    """A request for a WebSocket that can be answered: what `read_upgrade` found.

    ``accept`` is the value of Sec-WebSocket-Accept, ``subprotocols`` what the client offers, the
    one it likes best first, ``origin`` where its page is from or None, ``extensions`` the value of
    Sec-WebSocket-Extensions or ``""``.
    """

    accept: str
    subprotocols: tuple[str, ...]
    origin: str | None
    extensions: str


@dataclass(frozen=True, slots=True)
class PongReceived:
    """The other side answered a ping, or says by itself that it is there."""


@dataclass(frozen=True, slots=True)
class Closed:
    """The last event: no message follows. ``code`` and ``reason`` as RFC 6455, section 7.1.5, has
    them; ``by_client`` says whether the client began it, else it broke the rules."""

    code: int
    reason: str
    by_client: bool


class Nothing:
    """That there is no event yet."""


NOTHING: Final = Nothing()
"""Call `MessageStream.receive`, then `MessageStream.next_event` again."""


def asks_for_websocket(head: RequestHead) -> bool:
    """Tell whether a request wants to go on as a WebSocket: GET with ``Upgrade: websocket``."""
    upgrade = head.upgrade
    if upgrade is None or head.method != "GET":
        return False
    return "websocket" in (name.strip(" \t").lower() for name in upgrade.split(","))


def read_upgrade(head: RequestHead, *, compress: bool = True) -> Upgrade:
    """Return what a request for a WebSocket says.

    Raises `RequestRejected`: 426 for another version, 400 for everything else that is wrong. Over
    HTTP/2 there is no key. Source: RFC 6455, section 4.2.1; RFC 8441, section 5.
    """
    fields = head.fields
    versions = fields.get_all("sec-websocket-version")
    if versions != (VERSION,):
        raise RequestRejected(426, f"only version {VERSION} of WebSocket is spoken here")
    keys = fields.get_all("sec-websocket-key")
    if head.version == (2, 0):
        keys = (_NO_KEY,)
    if len(keys) != 1 or not _is_key(keys[0]):
        raise RequestRejected(400, "Sec-WebSocket-Key is not 16 bytes in base64 (RFC 6455, 4.1)")
    try:
        offered = fields.elements("sec-websocket-protocol")
        extensions = fields.elements("sec-websocket-extensions") if compress else ()
    except FieldSyntaxError as error:
        raise RequestRejected(400, "a field of WebSocket is malformed") from error
    accept = generate_accept_token(keys[0].encode("ascii")).decode("ascii")
    deflates = any(_takes_deflate(offer) for offer in extensions)
    return Upgrade(accept, offered, fields.get("origin"), _ANSWER if deflates else "")


def refusal_fields(status: int) -> tuple[tuple[str, str], ...]:
    """Return the fields that go with a refusal of `read_upgrade` (RFC 6455, section 4.4)."""
    if status != 426:
        return ()
    return (("Upgrade", "websocket"), ("Sec-WebSocket-Version", VERSION))


def accepting_fields(upgrade: Upgrade, subprotocol: str = "") -> tuple[tuple[str, str], ...]:
    """Return the fields of the answer 101. Raises `AnswerError` for what was not offered."""
    fields = [("Upgrade", "websocket"), ("Sec-WebSocket-Accept", upgrade.accept)]
    if subprotocol:
        if subprotocol not in upgrade.subprotocols:
            raise AnswerError(f"the client does not offer the subprotocol {subprotocol!r}")
        fields.append(("Sec-WebSocket-Protocol", subprotocol))
    if upgrade.extensions:
        fields.append(("Sec-WebSocket-Extensions", upgrade.extensions))
    return tuple(fields)


def without_switch(fields: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Return the fields of an answer 101 as an answer 200 of HTTP/2 has them (RFC 8441, 5)."""
    gone = ("upgrade", "connection", "sec-websocket-accept")
    return tuple(pair for pair in fields if pair[0].lower() not in gone)


def is_origin_allowed(
    origin: str | None, host: str | None, port: int | None, allowed: Iterable[str]
) -> bool:
    """Tell whether a page from ``origin`` may have a WebSocket of the site at ``host``.

    Without an Origin it is no browser, whose user somebody could abuse. Else the page is from the
    same host and port, or its origin is among those ``allowed``, as ``https://www.example`` or
    ``*``. Source: RFC 6455, section 10.2; RFC 6454, section 7.
    """
    if origin is None:
        return True
    lower = origin.lower()
    if any(each in ("*", lower) for each in (text.lower().rstrip("/") for text in allowed)):
        return True
    scheme, found, place = lower.partition("://")
    if not found or host is None:
        return False
    usual = {"http": ":80", "https": ":443"}.get(scheme, "")
    shown = f"[{host}]" if ":" in host else host
    own = shown if port is None else f"{shown}:{port}"
    return place.removesuffix(usual) == own.removesuffix(usual)


def _is_key(text: str) -> bool:
    try:
        return len(base64.b64decode(text.encode("ascii"), validate=True)) == 16
    except (binascii.Error, UnicodeEncodeError):
        return False


def _takes_deflate(offer: str) -> bool:
    """Tell whether an offer of compression is one that can be taken (RFC 7692, section 7.1)."""
    try:
        name, parameters = parse_parameters(_with_values(offer))
    except FieldSyntaxError:
        return False
    if name != _DEFLATE:
        return False
    for key, value in parameters.items():
        if key in ("server_no_context_takeover", "client_no_context_takeover"):
            if value != "none":
                return False
        elif key == "client_max_window_bits":
            if value != "none" and value not in _WINDOW_BITS:
                return False
        else:
            # Among them a smaller window of this side, which would have to be agreed upon.
            return False
    return True


def _with_values(offer: str) -> str:
    """Give parameters without a value one: they have none in RFC 6455, section 9.1."""
    parts = offer.split(";")
    return ";".join(
        part if not place or "=" in part else f"{part}=none" for place, part in enumerate(parts)
    )


class MessageStream:
    """The messages of one WebSocket, on the side of the server.

    `receive` takes bytes; `next_event` returns a message (``str`` or ``bytes``), `PongReceived`,
    `Closed` or `NOTHING`; `text`, `data`, `ping` and `close` return bytes to be sent. What has to
    be sent in answer, pongs and the last close, `to_send` returns. ``message_bytes_max`` bounds
    one message.

    >>> stream = MessageStream(1000)
    >>> stream.text("hello")
    b'\\x81\\x05hello'
    """

    def __init__(self, message_bytes_max: int, *, deflate: bool = False) -> None:
        extensions: list[Extension] = []
        if deflate:
            extension = PerMessageDeflate(
                client_no_context_takeover=True, server_no_context_takeover=True
            )
            extension.finalize(_DEFLATE)
            extensions.append(extension)
        self._connection = Connection(ConnectionType.SERVER, extensions)
        self._bytes_max = message_bytes_max
        self._unread = bytearray()
        self._events: list[object] = []
        # One text and no list of pieces: of a message in frames of two bytes each would take 56.
        self._held = bytearray()
        self._replies = bytearray()
        self._ended = False

    @property
    def closing(self) -> bool:
        """Whether a close was sent: no message can follow."""
        return self._connection.state is not ConnectionState.OPEN

    def receive(self, data: bytes) -> None:
        """Take bytes that came; what comes after the last event is dropped."""
        if not self._ended:
            self._unread += data

    def next_event(self) -> str | bytes | PongReceived | Closed | Nothing:
        """Return what comes next; see the class."""
        while not self._ended:
            if self._events:
                found = self._understand(self._events.pop(0))
                if found is not NOTHING:
                    return found
            elif self._unread:
                piece = bytes(self._unread[:_SLICE_BYTES])
                del self._unread[:_SLICE_BYTES]
                self._connection.receive_data(piece)
                self._events.extend(self._connection.events())
            else:
                break
        return NOTHING

    def to_send(self) -> bytes:
        """Return what is to be sent in answer to what came; each time only what is due since."""
        data = bytes(self._replies)
        self._replies.clear()
        return data

    def text(self, text: str) -> bytes:
        """Return a message of text. Raises `AnswerError` for text that has no UTF-8."""
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise AnswerError(f"a message has a character without UTF-8: {error.reason}") from error
        return bytes(self._connection.send(TextMessage(text)))

    def data(self, data: bytes) -> bytes:
        """Return a message of bytes."""
        return bytes(self._connection.send(BytesMessage(data)))

    def ping(self) -> bytes:
        """Return a ping, which the other side must answer."""
        return bytes(self._connection.send(Ping(b"")))

    def close(self, code: int = NORMAL, reason: str = "") -> bytes:
        """Return a close, after which nothing is sent; nothing when there was one already.

        ``code`` is one that may be sent: 1000 to 1003, 1007 to 1014, or 3000 to 4999. Raises
        `AnswerError` for another one and for a reason of more than `CLOSE_BYTES_MAX`.
        """
        check_close(code, reason)
        if self.closing:
            return b""
        return bytes(self._connection.send(CloseConnection(code, reason)))

    def _understand(self, event: object) -> str | bytes | PongReceived | Closed | Nothing:
        if isinstance(event, TextMessage | BytesMessage):
            return self._take(event)
        if isinstance(event, Ping):
            if not self.closing:
                self._replies += self._connection.send(Pong(bytes(event.payload)))
            return NOTHING
        if isinstance(event, Pong):
            return PongReceived()
        assert isinstance(event, CloseConnection), "wsproto has no other events on this side"
        return self._end(int(event.code), event.reason or "")

    def _take(self, event: TextMessage | BytesMessage) -> str | bytes | Nothing | Closed:
        data = event.data
        self._held += data.encode() if isinstance(data, str) else data
        if len(self._held) > self._bytes_max:
            return self._end(TOO_BIG, f"a message has at most {self._bytes_max} bytes here")
        if not event.message_finished:
            return NOTHING
        held, self._held = self._held, bytearray()
        return held.decode() if isinstance(data, str) else bytes(held)

    def _end(self, code: int, reason: str) -> Closed:
        """The close of the client, or the one that its fault gets."""
        state = self._connection.state
        by_client = state in (ConnectionState.REMOTE_CLOSING, ConnectionState.CLOSED)
        if state in (ConnectionState.OPEN, ConnectionState.REMOTE_CLOSING):
            sent = reason.encode()[:CLOSE_BYTES_MAX].decode(errors="ignore")
            # A close without a code gets one without a code; wsproto compares by identity.
            bare = code == NO_CODE
            event = (
                CloseConnection(CloseReason.NO_STATUS_RCVD) if bare else CloseConnection(code, sent)
            )
            self._replies += self._connection.send(event)
        self._ended = True
        self._unread.clear()
        self._events.clear()
        self._held.clear()
        return Closed(code, reason, by_client)


def check_close(code: int, reason: str) -> None:
    """Raise `AnswerError` for a code or a reason that cannot be sent (RFC 6455, section 7.4)."""
    if not (1000 <= code <= 1003 or 1007 <= code <= 1014 or 3000 <= code <= 4999):
        raise AnswerError(
            f"a WebSocket is closed with 1000 to 1003, 1007 to 1014 or 3000 to 4999, not {code}"
        )
    try:
        size = len(reason.encode())
    except UnicodeEncodeError as error:
        raise AnswerError("the reason of a close has a character without UTF-8") from error
    if size > CLOSE_BYTES_MAX:
        raise AnswerError(f"the reason of a close has at most {CLOSE_BYTES_MAX} bytes")
