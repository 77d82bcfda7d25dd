"""HTTP/2: the requests of one connection, which come and are answered at the same time (RFC 9113).

A stream core around h2, which keeps the frames, the compression of fields, the states of streams
and the windows. Four rules. A request is put in the form of HTTP/1.1 and judged by the same rules:
what is refused there is refused here, with the same status, and ends its stream only. h2 gets one
frame at a time, so a bad one never takes what came before it along. What a client can make this
side do without asking for anything is counted, and ends the connection: control frames, and
requests that are withdrawn before they are answered (CVE-2023-44487). What is sent goes by the
windows of the client; what comes is asked for as it is used.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    DataReceived,
    Event,
    RemoteSettingsChanged,
    RequestReceived,
    StreamEnded,
    StreamReset,
    TrailersReceived,
)
from h2.exceptions import H2Error, NoSuchStreamError
from h2.settings import SettingCodes, Settings
from hyperframe.frame import GoAwayFrame

from apps.http.errors import RequestRejected
from apps.http.syntax.fields import Fields
from apps.http.syntax.framing import CHUNKED, NO_BODY
from apps.http.syntax.heads import HeadParser, RequestHead
from apps.http.syntax.http2_heads import CONNECTION_FIELDS, as_http_1, taken_apart
from apps.http.syntax.limits import HttpLimits

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
"""What a client begins with (RFC 9113, section 3.4)."""

WINDOW_BYTES: Final = 65_535
"""Bytes of a body that may come before they are asked for, on one stream."""
CONNECTION_WINDOW_BYTES: Final = 1024 * 1024
"""The same for all streams together: one that stands still must not stop the others."""

DATA_BYTES_MAX: Final = 16_384
"""Bytes of a frame with data that is sent: what every client takes."""
TABLE_BYTES_MAX: Final = 4_096
"""Bytes of the table of fields that were sent. A client may ask for more, which would be filled
with what is never sent again, and searched for each field."""

CLOSED_STREAMS_MAX: Final = 1_024
"""Streams of a connection whose end is remembered, since frames for them may be on their way: ten
times those that may be open."""

NO_ERROR: Final = int(ErrorCodes.NO_ERROR)
CANCEL: Final = int(ErrorCodes.CANCEL)
REFUSED: Final = int(ErrorCodes.REFUSED_STREAM)
INTERNAL: Final = int(ErrorCodes.INTERNAL_ERROR)
CALM: Final = int(ErrorCodes.ENHANCE_YOUR_CALM)

_FRAME_HEAD_BYTES = 9
_HEADERS, _SETTINGS, _GOAWAY, _CONTINUATION = 0x1, 0x4, 0x7, 0x9
_ACK, _END_HEADERS = 0x1, 0x4
_SETTING_BYTES, _GOAWAY_BYTES_MIN = 6, 8
_KNOWN_SETTINGS = frozenset(int(code) for code in SettingCodes)
_UNSENT = frozenset(name.decode() for name in CONNECTION_FIELDS)
# What a request, a piece of a body and a piece sent bring of the frames that ask for nothing. Each
# frame costs one; only those that go on with a head do not, of which h2 takes 64.
_REQUEST_CREDIT, _DATA_CREDIT, _SENT_CREDIT = 21, 2, 2


_NO_TRAILERS: Final = Fields()


@dataclass(frozen=True, slots=True)
class StreamRequest:
    """A request; ``ended`` says whether it has no body."""

    number: int
    head: RequestHead
    ended: bool


@dataclass(frozen=True, slots=True)
class StreamRejected:
    """What is no request: answer ``status`` on this stream, for a HEAD without the page.

    ``ended`` says whether no body comes."""

    number: int
    status: int
    explain: str
    is_head: bool
    ended: bool


@dataclass(frozen=True, slots=True)
class StreamData:
    """A piece of a body; ``size`` is what `StreamsCore.use` is told when it was used."""

    number: int
    data: bytes
    size: int


@dataclass(frozen=True, slots=True)
class StreamEnd:
    """The body of a request is whole; ``trailers`` are the fields behind it."""

    number: int
    trailers: Fields = _NO_TRAILERS


@dataclass(frozen=True, slots=True)
class StreamGone:
    """The client does not want the answer of a stream any longer."""

    number: int


@dataclass(frozen=True, slots=True)
class Farewell:
    """The client will ask for nothing more; it waits for the answers that are due."""


@dataclass(frozen=True, slots=True)
class Broken:
    """The client breaks the rules of the protocol: send what is to be sent, then close."""

    explain: str


StreamEvent = (
    StreamRequest | StreamRejected | StreamData | StreamEnd | StreamGone | Farewell | Broken
)
"""What `StreamsCore.receive` returns."""


class StreamsCore:
    """The streams of one connection, on the side of the server.

    `receive` takes bytes and returns what they mean; `to_send` returns what is to be written.
    ``last`` is the number of the last stream that was taken.

    >>> core = StreamsCore(HttpLimits())
    >>> core.receive(b"PRI * HTTP/1.1")[0].explain
    'this is no HTTP/2: it does not begin as RFC 9113, section 3.4, says'
    """

    def __init__(self, limits: HttpLimits) -> None:
        self.last = 0
        self._limits = limits
        self._heads = HeadParser(limits)
        self._unread = bytearray()
        self._awaits_preface = True
        self._broken = False
        self._leaving = False
        self._in_head = False
        self._extra = bytearray()
        self._credit = limits.http2_control_frames_max
        self._resets = 0
        self._asked: set[int] = set()
        self._whole = 0
        self._trailers = _NO_TRAILERS
        config = H2Configuration(
            client_side=False,
            header_encoding=None,
            validate_inbound_headers=False,
            validate_outbound_headers=False,
            normalize_outbound_headers=False,
        )
        self._h2 = _Connection(config)
        self._h2.decoder.max_header_list_size = 2 * limits.head_bytes_max
        # Put in their place, not updated: so they hold before the client has agreed to them.
        self._h2.local_settings = Settings(
            client=False,
            initial_values={
                SettingCodes.MAX_CONCURRENT_STREAMS: limits.http2_streams_max,
                SettingCodes.MAX_HEADER_LIST_SIZE: limits.head_bytes_max,
                SettingCodes.INITIAL_WINDOW_SIZE: WINDOW_BYTES,
                SettingCodes.ENABLE_CONNECT_PROTOCOL: 1,
            },
        )
        self._h2.initiate_connection()
        self._h2.increment_flow_control_window(CONNECTION_WINDOW_BYTES - WINDOW_BYTES)

    # --- what comes ------------------------------------------------------------------------

    def receive(self, data: bytes) -> list[StreamEvent]:
        """Take bytes that came; return what they mean, in their order. Nothing raises."""
        if self._broken:
            return []
        self._unread += data
        found: list[StreamEvent] = []
        try:
            if self._awaits_preface and not self._take_preface():
                return found
            while (frame := self._next_frame()) is not None:
                if self._is_farewell(frame):
                    found.append(Farewell())
                    continue
                for event in self._h2.receive_data(frame):
                    self._understand(event, found)
        except _Fault as fault:
            found.append(self._break(str(fault), fault.code))
        except H2Error as error:
            found.append(self._break(str(error), None))
        return found

    def _take_preface(self) -> bool:
        size = min(len(self._unread), len(PREFACE))
        if self._unread[:size] != PREFACE[:size]:
            raise _Fault(
                int(ErrorCodes.PROTOCOL_ERROR),
                "this is no HTTP/2: it does not begin as RFC 9113, section 3.4, says",
            )
        if size < len(PREFACE):
            return False
        self._awaits_preface = False
        self._h2.receive_data(PREFACE)
        del self._unread[: len(PREFACE)]
        return True

    def _next_frame(self) -> bytes | None:
        """The next whole frame; the frames that ask for nothing are counted."""
        unread = self._unread
        if len(unread) < _FRAME_HEAD_BYTES:
            return None
        size = int.from_bytes(unread[:3], "big")
        if size > self._h2.max_inbound_frame_size:
            frame_head = bytes(unread[:_FRAME_HEAD_BYTES])
            raise _Fault(
                int(ErrorCodes.FRAME_SIZE_ERROR), f"a frame of {size} bytes: {frame_head!r}"
            )
        end = _FRAME_HEAD_BYTES + size
        if len(unread) < end:
            return None
        kind, flags = unread[3], unread[4]
        if kind != _CONTINUATION:
            self._credit -= 1
            if self._credit < 0:
                raise _Fault(CALM, "too many frames that ask for nothing")
        frame = bytes(unread[:end])
        del unread[:end]
        return _without_unknown(frame) if kind == _SETTINGS and not flags & _ACK else frame

    def _is_farewell(self, frame: bytes) -> bool:
        """Tell whether a frame is the client's farewell, after which h2 would send no answer.

        Those that are due are sent all the same (RFC 9113, section 6.8).
        """
        kind = frame[3]
        if kind in (_HEADERS, _CONTINUATION):
            self._in_head = not frame[4] & _END_HEADERS
        whole = len(frame) >= _FRAME_HEAD_BYTES + _GOAWAY_BYTES_MIN
        # In the midst of a head, on a stream or too short it is a fault, which h2 finds.
        return kind == _GOAWAY and whole and not any(frame[5:9]) and not self._in_head

    def _understand(self, event: Event, found: list[StreamEvent]) -> None:
        if isinstance(event, RequestReceived):
            self._add_credit(_REQUEST_CREDIT)
            found.append(self._take_request(event))
        elif isinstance(event, DataReceived):
            if event.data and event.stream_id in self._asked:
                self._add_credit(_DATA_CREDIT)
            found.append(StreamData(event.stream_id, event.data, event.flow_controlled_length))
        elif isinstance(event, StreamEnded):
            if event.stream_id in self._asked and event.stream_id != self._whole:
                found.append(StreamEnd(event.stream_id, self._trailers))
            self._trailers = _NO_TRAILERS
        elif isinstance(event, TrailersReceived):
            self._take_trailers(event, found)
        elif isinstance(event, StreamReset):
            if event.stream_id in self._asked:
                self._asked.discard(event.stream_id)
                self._resets += 1
                found.append(StreamGone(event.stream_id))
            if self._resets > self._limits.http2_resets_max:
                raise _Fault(CALM, "too many requests were withdrawn")
        elif isinstance(event, RemoteSettingsChanged):
            if self._h2.encoder.header_table_size > TABLE_BYTES_MAX:
                self._h2.encoder.header_table_size = TABLE_BYTES_MAX

    def _take_request(self, event: RequestReceived) -> StreamEvent:
        number = event.stream_id
        ended = event.stream_ended is not None
        self._whole = number if ended else 0
        self._asked.add(number)
        method = b""
        if self._leaving:
            self.reset(number, REFUSED)
            return StreamGone(number)
        self.last = number
        try:
            pseudo, lines = taken_apart(event.headers)
            method = pseudo.get(b":method", b"")
            head = self._heads.parse(as_http_1(pseudo, lines))
        except RequestRejected as fault:
            self._heads = HeadParser(self._limits)  # it may await the body of what it refused
            return StreamRejected(number, fault.status, fault.explain, method == b"HEAD", ended)
        body, upgrade = head.body, None
        if b":protocol" in pseudo:
            body, upgrade = NO_BODY, "websocket"
        elif ended:
            body = NO_BODY
        elif body is NO_BODY:
            body = CHUNKED  # it comes, and its length was not told
        expects = head.expects_continue or (body is CHUNKED and "expect" in head.fields)
        changed = head._replace(
            version=(2, 0), keep_alive=True, upgrade=upgrade, body=body, expects_continue=expects
        )
        return StreamRequest(number, changed, ended)

    def _take_trailers(self, event: TrailersReceived, found: list[StreamEvent]) -> None:
        """Keep the fields behind a body; the end of its stream comes with them."""
        try:
            pseudo, lines = taken_apart(event.headers)
            size = sum(len(name) + len(value) + 4 for name, value in lines)
            limits = self._limits
            if pseudo or len(lines) > limits.trailers_max or size > limits.trailer_bytes_max:
                raise RequestRejected(431, "the fields behind a body are too many, or none")
        except RequestRejected:
            if event.stream_id in self._asked:
                found.append(StreamGone(event.stream_id))
            self.reset(event.stream_id, int(ErrorCodes.PROTOCOL_ERROR))  # RFC 9113, 8.1.1
            return
        names = [name.decode("latin-1") for name, _ in lines]
        values = [value.decode("latin-1").strip(" \t") for _, value in lines]
        self._trailers = Fields.from_parser(names, values)

    def _add_credit(self, frames: int) -> None:
        self._credit = min(self._credit + frames, self._limits.http2_control_frames_max)

    def _break(self, explain: str, code: int | None) -> Broken:
        """Give the connection up; h2 has written its farewell if it found the fault."""
        if code is not None:
            self._say_farewell(code)
        self._broken = True
        self._unread.clear()
        return Broken(explain)

    # --- what goes -------------------------------------------------------------------------

    def to_send(self) -> bytes:
        """Return what is to be written; each time only what is due since."""
        data = self._h2.data_to_send()
        if self._extra:
            data = bytes(self._extra) + data
            self._extra.clear()
        return data

    def head(
        self, number: int, status: int, fields: Iterable[tuple[str, str]], *, end: bool
    ) -> bool:
        """Write the head of an answer; with ``end`` there is no body.

        Fields about the connection are left out. Returns False when the stream is gone.
        """
        lines = [(b":status", b"%d" % status)]
        for name, value in fields:
            lower = name.lower()
            if lower not in _UNSENT:
                lines.append((lower.encode("latin-1"), value.encode("latin-1")))
        try:
            self._h2.send_headers(number, lines, end_stream=end)
        except H2Error:
            return False
        if end:
            self._answered(number)
        return True

    def room(self, number: int) -> int:
        """Return how many bytes of a body may be written at once, -1 when the stream is gone."""
        try:
            window = self._h2.local_flow_control_window(number)
        except H2Error:
            return -1
        if number not in self._asked:
            return -1
        return max(0, min(window, DATA_BYTES_MAX, self._h2.max_outbound_frame_size))

    def data(self, number: int, data: bytes, *, end: bool = False) -> bool:
        """Write a piece of a body, not larger than `room`; False when the stream is gone."""
        try:
            self._h2.send_data(number, data, end_stream=end)
        except H2Error:
            return False
        self._add_credit(_SENT_CREDIT)
        if end:
            self._answered(number)
        return True

    def trailers(self, number: int, fields: Iterable[tuple[str, str]]) -> bool:
        """Write the fields that end an answer; False when the stream is gone."""
        lines = [(name.lower().encode(), value.encode("latin-1")) for name, value in fields]
        try:
            self._h2.send_headers(number, lines, end_stream=True)
        except H2Error:
            return False
        self._answered(number)
        return True

    def use(self, number: int, size: int) -> None:
        """Say that a piece of a body was used: the client may send as much again."""
        if size and not self._broken:
            with contextlib.suppress(NoSuchStreamError):  # it has ended meanwhile
                self._h2.acknowledge_received_data(size, number)

    def reset(self, number: int, code: int) -> None:
        """End a stream; with `NO_ERROR` after its answer, the rest of the request is not needed.

        With `REFUSED` it counts as withdrawn: who asks for more than may be does not stop.
        """
        self._asked.discard(number)
        self._resets += code == REFUSED
        try:
            self._h2.reset_stream(number, code)
        except H2Error:
            return  # it has ended meanwhile

    def judge(self) -> list[StreamEvent]:
        """Return the end of the connection, if more requests were refused by now than may be.

        To be called when what came was seen to: all of it may have come together.
        """
        if self._broken or self._resets <= self._limits.http2_resets_max:
            return []
        return [self._break("too many requests were refused", CALM)]

    def is_asked(self, number: int) -> bool:
        """Tell whether a stream awaits the rest of its answer."""
        return number in self._asked

    def leave(self) -> None:
        """Take no more requests; those that are taken are answered (RFC 9113, section 6.8)."""
        if not self._leaving:
            self._leaving = True
            self._say_farewell(NO_ERROR)

    def _answered(self, number: int) -> None:
        self._asked.discard(number)
        self._resets = max(0, self._resets - 1)

    def _say_farewell(self, code: int) -> None:
        # Written here: h2 takes its own for the end of everything, answers that are due included.
        frame = GoAwayFrame(0, last_stream_id=self.last, error_code=code)
        self._extra += self._h2.data_to_send() + frame.serialize()


class _Connection(H2Connection):
    """That of h2, which would keep 15 MB of streams that have ended."""

    MAX_CLOSED_STREAMS = CLOSED_STREAMS_MAX

    @property
    def open_inbound_streams(self) -> int:
        """No number that is too high: for that h2 would end the connection.

        RFC 9113, section 5.1.2, wants only the stream refused, and the client may not have seen the
        bound yet. Whoever has the requests worked on refuses it. To count has h2 forget streams.
        """
        return min(super().open_inbound_streams, 0)


class _Fault(Exception):
    """A client that is to be left."""

    def __init__(self, code: int, explain: str) -> None:
        super().__init__(explain)
        self.code = code


def _without_unknown(frame: bytes) -> bytes:
    """A frame SETTINGS without what is unknown, which is ignored (RFC 9113, section 6.5.2).

    h2 would keep each: a client could fill 55 MB by sending 0.4.
    """
    body = frame[_FRAME_HEAD_BYTES:]
    if len(body) % _SETTING_BYTES:
        return frame  # a fault, which h2 finds
    settings = [body[at : at + _SETTING_BYTES] for at in range(0, len(body), _SETTING_BYTES)]
    known = b"".join(one for one in settings if int.from_bytes(one[:2], "big") in _KNOWN_SETTINGS)
    return len(known).to_bytes(3, "big") + frame[3:_FRAME_HEAD_BYTES] + known
