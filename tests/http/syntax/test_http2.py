"""HTTP/2 without a connection: RFC 9113 by its sections, and what attackers do with it."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.settings import SettingCodes
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)
from hypothesis import given
from hypothesis import strategies as st

from apps.http.syntax.framing import CHUNKED, NO_BODY
from apps.http.syntax.http2 import (
    CALM,
    CLOSED_STREAMS_MAX,
    CONNECTION_WINDOW_BYTES,
    NO_ERROR,
    PREFACE,
    REFUSED,
    TABLE_BYTES_MAX,
    WINDOW_BYTES,
    Broken,
    Farewell,
    StreamData,
    StreamEnd,
    StreamEvent,
    StreamGone,
    StreamRejected,
    StreamRequest,
    StreamsCore,
)
from apps.http.syntax.limits import HttpLimits

USUAL = ((":method", "GET"), (":scheme", "https"), (":authority", "a.example"), (":path", "/a?q"))

Head = tuple[tuple[str, str], ...]


class Ends:
    """A core and a client of the h2 library, and a wire between them."""

    def __init__(self, **limits: int) -> None:
        self.core = StreamsCore(HttpLimits(**limits))  # type: ignore[arg-type]
        config = H2Configuration(
            header_encoding="utf-8", validate_outbound_headers=False,
            normalize_outbound_headers=False,
        )  # fmt: skip
        self.client = H2Connection(config)
        self.client.initiate_connection()
        assert self.pass_on() == []

    def pass_on(self) -> list[StreamEvent]:
        """Give the core what the client has written; then the client what the core has."""
        found = self.core.receive(self.client.data_to_send())
        self.client.receive_data(self.core.to_send())
        return found

    def ask(self, *fields: tuple[str, str], head: Head = USUAL, end: bool = True) -> StreamEvent:
        """Send a request; return what the core makes of it."""
        self.client.send_headers(self.client.get_next_available_stream_id(), [*head, *fields], end)
        return self.pass_on()[0]


def without(name: str) -> Head:
    """The usual head without one field."""
    return tuple(pair for pair in USUAL if pair[0] != name)


def with_value(name: str, value: str) -> Head:
    """The usual head with another value of one field."""
    return tuple((own, value if own == name else text) for own, text in USUAL)


def status_of(event: StreamEvent) -> int:
    """The status of a rejection."""
    assert isinstance(event, StreamRejected), event
    return event.status


# --- requests ------------------------------------------------------------------------------


def test_a_request_is_what_it_would_be_in_http_1_1() -> None:
    event = Ends().ask(("accept", "text/html"), ("cookie", "a=b"), ("cookie", "c=d"))
    assert isinstance(event, StreamRequest) and event.ended
    head = event.head
    assert (head.method, head.target.path, head.target.query) == ("GET", ("a",), "q")
    assert (head.target.host, head.version, head.body) == ("a.example", (2, 0), NO_BODY)
    assert head.fields.get("host") == "a.example" and head.fields.get("accept") == "text/html"
    assert head.fields.get("cookie") == "a=b; c=d"
    assert head.keep_alive and head.upgrade is None


def test_a_body_comes_in_pieces_and_ends() -> None:
    ends = Ends()
    event = ends.ask(head=with_value(":method", "POST"), end=False)
    assert isinstance(event, StreamRequest) and event.head.body is CHUNKED and not event.ended
    ends.client.send_data(1, b"abc")
    ends.client.send_data(1, b"de", end_stream=True)
    found = ends.pass_on()
    assert found == [StreamData(1, b"abc", 3), StreamData(1, b"de", 2), StreamEnd(1)]


def test_a_length_that_is_told_counts() -> None:
    event = Ends().ask(("content-length", "5"), head=with_value(":method", "POST"), end=False)
    assert isinstance(event, StreamRequest) and event.head.body == 5
    event = Ends(body_bytes_max=4).ask(
        ("content-length", "5"), head=with_value(":method", "POST"), end=False
    )
    assert status_of(event) == 413


def test_a_client_may_await_100() -> None:
    event = Ends().ask(("expect", "100-continue"), head=with_value(":method", "PUT"), end=False)
    assert isinstance(event, StreamRequest) and event.head.expects_continue


def test_requests_come_at_the_same_time() -> None:
    ends = Ends()
    for number in (1, 3, 5):
        ends.client.send_headers(number, USUAL, end_stream=True)
    assert [event.number for event in ends.pass_on() if isinstance(event, StreamRequest)] == [
        1,
        3,
        5,
    ]
    assert ends.core.last == 5


@given(st.lists(st.integers(1, 40), max_size=200))
def test_the_cut_does_not_matter(cuts: list[int]) -> None:
    client = H2Connection(H2Configuration(header_encoding="utf-8"))
    client.initiate_connection()
    client.send_headers(1, with_value(":method", "POST"))
    client.send_data(1, b"abc", end_stream=True)
    client.ping(b"12345678")
    client.send_headers(3, USUAL, end_stream=True)
    data, whole = client.data_to_send(), StreamsCore(HttpLimits())
    wanted = whole.receive(data)
    core = StreamsCore(HttpLimits())
    found = []
    for size in cuts:
        found += core.receive(data[:size])
        data = data[size:]
    assert found + core.receive(data) == wanted
    assert core.to_send() == whole.to_send()


@given(st.binary(max_size=200))
def test_garbage_ends_the_connection_or_asks_for_more(data: bytes) -> None:
    core = StreamsCore(HttpLimits())
    core.receive(PREFACE + SettingsFrame(0).serialize())
    for event in core.receive(data):
        assert isinstance(event, StreamEvent)


# --- requests that are none ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (without(":method"), 400),
        (without(":scheme"), 400),
        (without(":path"), 400),
        (without(":authority"), 400),
        ((*USUAL, (":path", "/b")), 400),
        ((*USUAL, (":status", "200")), 400),
        ((*USUAL, (":protocol", "websocket")), 400),
        ((("accept", "*/*"), *USUAL), 400),
        (with_value(":scheme", "ftp"), 400),
        (with_value(":path", ""), 400),
        (with_value(":path", "a"), 400),
        (with_value(":path", "http://b.example/"), 400),
        (with_value(":path", "/a b"), 400),
        (with_value(":path", "/%00"), 400),
        (with_value(":path", "/a\r\nx: y"), 400),
        (with_value(":path", "/" + "a" * 9000), 414),
        (with_value(":method", "GET /evil"), 400),
        (with_value(":method", "A" * 40), 501),
        (with_value(":method", "BREW"), 501),
        (with_value(":authority", "user@a.example"), 400),
        (with_value(":authority", ""), 400),
        ((*USUAL, ("host", "b.example")), 400),
        ((*USUAL, ("Accept", "*/*")), 400),
        ((*USUAL, ("", "x")), 400),
        ((*USUAL, ("a b", "x")), 400),
        ((*USUAL, ("a:", "x")), 400),
        ((*USUAL, ("x", "a\nb")), 400),
        ((*USUAL, ("x", "a\r\nevil: b")), 400),
        ((*USUAL, ("x", "a\0b")), 400),
        ((*USUAL, ("x", "a\x01b")), 400),
        ((*USUAL, ("connection", "close")), 400),
        ((*USUAL, ("keep-alive", "1")), 400),
        ((*USUAL, ("upgrade", "websocket")), 400),
        ((*USUAL, ("proxy-connection", "close")), 400),
        ((*USUAL, ("transfer-encoding", "chunked")), 400),
        ((*USUAL, ("te", "gzip")), 400),
        ((*USUAL, ("expect", "coffee")), 417),
        ((*USUAL, *(("x", "y") for _ in range(200))), 431),
        ((*USUAL, ("x", "y" * 20_000)), 431),
        (((":method", "CONNECT"), (":authority", "a.example")), 400),
        (((":method", "CONNECT"), (":authority", "a.example:1"), (":path", "/")), 400),
    ],
    ids=[
        "no-method", "no-scheme", "no-path", "no-authority", "path-twice", "status", "protocol",
        "pseudo-behind", "scheme", "empty-path", "relative", "absolute", "space", "nul-in-path",
        "split-path", "long-path", "method-with-path", "long-method", "unknown-method", "user",
        "empty-authority", "two-hosts", "capital", "no-name", "space-in-name", "colon-in-name",
        "line-feed", "split-field", "nul", "control", "connection", "keep-alive", "upgrade",
        "proxy", "chunked", "te", "expect", "many-fields", "long-field", "connect-without-port",
        "connect-with-path",
    ],
)  # fmt: skip
def test_rfc_9113_8_what_is_no_request_is_refused_on_its_stream(head: Head, status: int) -> None:
    ends = Ends()
    assert status_of(ends.ask(head=head)) == status
    assert isinstance(ends.ask(), StreamRequest)


def test_host_may_stand_beside_the_same_authority_or_in_its_place() -> None:
    event = Ends().ask(("host", "A.example"))
    assert isinstance(event, StreamRequest) and event.head.fields.get_all("host") == ("a.example",)
    event = Ends().ask(("host", "b.example"), head=without(":authority"))
    assert isinstance(event, StreamRequest) and event.head.target.host == "b.example"


def test_te_may_say_trailers() -> None:
    assert isinstance(Ends().ask(("te", "trailers")), StreamRequest)


def test_a_refusal_leaves_nothing_behind() -> None:
    ends = Ends(body_bytes_max=4)
    large = ("content-length", "5")
    assert status_of(ends.ask(large, head=with_value(":method", "POST"), end=False)) == 413
    assert isinstance(ends.ask(head=with_value(":method", "POST"), end=False), StreamRequest)


# --- the connection ------------------------------------------------------------------------


def farewell_of(core: StreamsCore) -> int:
    """The code of the last frame, which says farewell."""
    return int.from_bytes(core.to_send()[-4:], "big")


@pytest.mark.parametrize(
    "data", [b"GET / HTTP/1.1\r\n", b"PRI * HTTP/2.0\r\n\r\nXX"], ids=["1", "2"]
)
def test_rfc_9113_3_4_what_does_not_begin_as_http_2_is_refused(data: bytes) -> None:
    core = StreamsCore(HttpLimits())
    (event,) = core.receive(data)
    assert isinstance(event, Broken)
    assert farewell_of(core) == ErrorCodes.PROTOCOL_ERROR
    assert core.receive(b"more") == []


def test_rfc_9113_4_2_a_frame_that_is_too_large_is_told_by_its_head() -> None:
    ends = Ends()
    (event,) = ends.core.receive(struct.pack("!I", 16_385)[1:] + bytes(6))
    assert isinstance(event, Broken)
    assert farewell_of(ends.core) == ErrorCodes.FRAME_SIZE_ERROR


def test_a_bad_frame_leaves_the_request_before_it() -> None:
    ends = Ends()
    ends.client.send_headers(1, USUAL, end_stream=True)
    first, second = ends.core.receive(ends.client.data_to_send() + bytes(9))
    assert isinstance(first, StreamRequest) and isinstance(second, Broken)


def test_settings_tell_the_bounds() -> None:
    ends = Ends(http2_streams_max=7, head_bytes_max=30_000)
    settings = ends.client.remote_settings
    assert settings.max_concurrent_streams == 7
    assert settings.max_header_list_size == 30_000
    assert ends.client.outbound_flow_control_window == CONNECTION_WINDOW_BYTES


def test_a_client_cannot_make_the_table_of_fields_grow() -> None:
    ends = Ends()
    ends.client.update_settings({SettingCodes.HEADER_TABLE_SIZE: 1 << 30})
    ends.pass_on()
    assert ends.core._h2.encoder.header_table_size == TABLE_BYTES_MAX


# --- bounds --------------------------------------------------------------------------------


def test_cve_2023_44487_requests_withdrawn_at_once_end_the_connection() -> None:
    ends = Ends(http2_resets_max=10)
    found: list[StreamEvent] = []
    for number in range(1, 41, 2):
        ends.client.send_headers(number, USUAL, end_stream=True)
        ends.client.reset_stream(number)
        found += ends.core.receive(ends.client.data_to_send())
    assert isinstance(found[-1], Broken)
    assert sum(isinstance(event, StreamGone) for event in found) == 11
    assert farewell_of(ends.core) == CALM


def test_requests_that_are_answered_pay_for_those_withdrawn() -> None:
    ends = Ends(http2_resets_max=3)
    for number in range(1, 81, 4):
        assert isinstance(ends.ask(), StreamRequest)
        assert ends.core.head(number, 204, (), end=True)
        assert isinstance(ends.ask(), StreamRequest)
        ends.client.reset_stream(number + 2)
        assert ends.pass_on() == [StreamGone(number + 2)]


@pytest.mark.parametrize(
    "frame",
    [
        PingFrame(0, b"12345678").serialize(),
        SettingsFrame(0).serialize(),
        bytes.fromhex("0000050200000000 0100000000 00".replace(" ", "")),
        bytes.fromhex("000000ff0000000000"),
    ],
    ids=["ping", "settings", "priority", "unknown"],
)
def test_frames_that_ask_for_nothing_end_the_connection(frame: bytes) -> None:
    ends = Ends(http2_control_frames_max=50)
    found = ends.core.receive(frame * 60)
    assert isinstance(found[-1], Broken)
    assert farewell_of(ends.core) == CALM


def test_empty_pieces_of_a_body_end_the_connection() -> None:
    ends = Ends(http2_control_frames_max=50)
    ends.ask(head=with_value(":method", "POST"), end=False)
    for _ in range(60):
        ends.client.send_data(1, b"")
    found = ends.core.receive(ends.client.data_to_send())
    assert isinstance(found[-1], Broken)


def test_cve_2019_9518_pieces_of_nothing_but_padding_end_the_connection() -> None:
    ends = Ends(http2_control_frames_max=50)
    ends.ask(head=with_value(":method", "POST"), end=False)
    padded = DataFrame(1, b"", pad_length=0, flags=["PADDED"]).serialize()
    found: list[StreamEvent] = []
    for _ in range(60):
        found += ends.core.receive(padded)
    assert isinstance(found[-1], Broken)
    assert farewell_of(ends.core) == CALM


@pytest.mark.parametrize(
    "frame",
    [DataFrame(1, b"x"), HeadersFrame(1, b"\x82", flags=["END_HEADERS"])],
    ids=["data", "head"],
)
def test_what_comes_on_a_stream_that_was_refused_ends_the_connection_at_length(
    frame: Frame,
) -> None:
    ends = Ends(http2_control_frames_max=50)
    ends.ask(head=with_value(":method", "POST"), end=False)
    ends.core.reset(1, NO_ERROR)
    found = ends.core.receive(frame.serialize() * 10)
    assert found == []
    found = ends.core.receive(frame.serialize() * 50)
    assert isinstance(found[-1], Broken)


def test_pieces_of_a_body_pay_for_themselves() -> None:
    ends = Ends(http2_control_frames_max=50)
    ends.ask(head=with_value(":method", "POST"), end=False)
    found = ends.core.receive(DataFrame(1, b"x").serialize() * 200)
    assert [type(event) for event in found] == [StreamData] * 200


@pytest.mark.parametrize(
    "frame",
    [
        lambda number: WindowUpdateFrame(number, window_increment=2**31 - 1),
        lambda number: DataFrame(number, b"x"),
        lambda number: HeadersFrame(number, b"\x82", flags=["END_HEADERS"]),
    ],
    ids=["window", "data", "head"],
)
def test_cve_2025_8671_requests_that_this_side_has_to_end_count_as_withdrawn(
    frame: Callable[[int], Frame],
) -> None:
    ends = Ends(http2_resets_max=10)
    found: list[StreamEvent] = []
    for number in range(1, 41, 2):
        ends.client.send_headers(number, USUAL, end_stream=True)
        found += ends.core.receive(ends.client.data_to_send() + frame(number).serialize())
    assert isinstance(found[-1], Broken)
    assert sum(isinstance(event, StreamGone) for event in found) == 11
    assert farewell_of(ends.core) == CALM


def test_settings_that_nobody_knows_are_not_kept() -> None:
    ends = Ends()
    for first in range(0x100, 0x4000, 2_700):
        settings = b"".join(
            struct.pack(">HI", number, 1) for number in range(first, first + 2_700)
        ) + struct.pack(">HI", SettingCodes.MAX_CONCURRENT_STREAMS, 7)
        head = len(settings).to_bytes(3, "big") + bytes((4, 0, 0, 0, 0, 0))
        assert ends.core.receive(head + settings) == []
    assert set(ends.core._h2.remote_settings) <= set(SettingCodes)
    assert ends.core._h2.remote_settings.max_concurrent_streams == 7


def test_rfc_9113_6_5_settings_of_a_wrong_size_end_the_connection() -> None:
    ends = Ends()
    found = ends.core.receive(bytes.fromhex("000005 04 00 00000000 0003000000"))
    assert [type(event) for event in found] == [Broken]
    assert farewell_of(ends.core) == ErrorCodes.FRAME_SIZE_ERROR


def test_requests_pay_for_pings() -> None:
    ends = Ends(http2_control_frames_max=50)
    for number in range(1, 41, 2):
        assert isinstance(ends.ask(), StreamRequest)
        ends.core.head(number, 204, (), end=True)
        for _ in range(10):
            ends.client.ping(b"12345678")
        assert ends.pass_on() == []


def test_cve_2024_27316_a_head_without_end_ends_the_connection() -> None:
    ends = Ends()
    first = HeadersFrame(1, b"\x00\x01x\x01y")
    found = ends.core.receive(first.serialize())
    for _ in range(100):
        found += ends.core.receive(ContinuationFrame(1, b"\x00\x01x\x01y").serialize())
    assert [type(event) for event in found] == [Broken]


def test_a_small_head_that_becomes_large_ends_the_connection() -> None:
    ends = Ends()
    value = b"\x40\x01x\x7f" + b"\x81\x1e" + b"y" * 4000
    found = ends.core.receive(HeadersFrame(1, value[:10] + b"\xbe" * 16_000).serialize())
    assert [type(event) for event in found] in ([Broken], [])
    frame = HeadersFrame(1, b"\x40\x01x\x7f\xa1\x1e" + b"y" * 4000 + b"\xbe" * 10_000)
    frame.flags.add("END_HEADERS")
    ends = Ends()
    found = ends.core.receive(frame.serialize())
    assert [type(event) for event in found] == [Broken]


def frames_of(data: bytes) -> list[Frame]:
    """The frames of bytes that were written."""
    found = []
    while data:
        frame, size = Frame.parse_frame_header(memoryview(data[:9]))
        frame.parse_body(memoryview(data[9 : 9 + size]))
        found.append(frame)
        data = data[9 + size :]
    return found


def test_streams_that_have_ended_are_forgotten() -> None:
    ends = Ends()
    for number in range(1, 2 * CLOSED_STREAMS_MAX + 200, 2):
        ends.client.send_headers(number, USUAL, end_stream=True)
        ends.core.receive(ends.client.data_to_send())
        ends.core.head(number, 204, (), end=True)
        ends.client.receive_data(ends.core.to_send())
    assert len(ends.core._h2._closed_streams) <= CLOSED_STREAMS_MAX
    assert len(ends.core._h2.streams) < 10


# --- answers -------------------------------------------------------------------------------


def test_an_answer_has_no_fields_about_the_connection() -> None:
    ends = Ends()
    ends.ask()
    fields = [("Connection", "close"), ("Transfer-Encoding", "chunked"), ("ETag", '"x"')]
    ends.core.head(1, 200, fields, end=True)
    (event, *_) = ends.client.receive_data(ends.core.to_send())
    assert event.headers == [(":status", "200"), ("etag", '"x"')]  # type: ignore[attr-defined]


def test_a_body_goes_by_the_window_of_the_client() -> None:
    ends = Ends()
    ends.ask()
    ends.core.head(1, 200, (), end=False)
    sent = 0
    while room := ends.core.room(1):
        assert ends.core.data(1, bytes(room))
        sent += room
    assert sent == WINDOW_BYTES
    ends.client.receive_data(ends.core.to_send())
    ends.client.acknowledge_received_data(40_000, 1)
    ends.pass_on()
    assert ends.core.room(1) == 16_384


def test_what_a_client_sent_is_asked_for_again_when_it_was_used() -> None:
    ends = Ends()
    ends.ask(head=with_value(":method", "POST"), end=False)
    for _ in range(3):
        ends.client.send_data(1, bytes(16_000))
    for event in ends.pass_on():
        assert isinstance(event, StreamData)
        before = ends.client.local_flow_control_window(1)
        ends.core.use(event.number, event.size)
        ends.pass_on()
    assert ends.client.local_flow_control_window(1) > before


def test_a_stream_that_was_withdrawn_takes_nothing() -> None:
    ends = Ends()
    ends.ask()
    ends.client.reset_stream(1)
    assert ends.pass_on() == [StreamGone(1)]
    assert ends.core.room(1) == -1 and not ends.core.is_asked(1)
    assert not ends.core.head(1, 200, (), end=True)
    assert not ends.core.data(1, b"x")
    ends.core.reset(1, NO_ERROR)
    ends.core.use(1, 10)


def test_rfc_9113_6_8_after_the_farewell_what_was_taken_is_answered() -> None:
    ends = Ends()
    ends.ask()
    ends.core.leave()
    ends.client.send_headers(3, USUAL, end_stream=True)
    (event,) = ends.core.receive(ends.client.data_to_send())
    assert event == StreamGone(3)
    assert ends.core.head(1, 204, (), end=True)
    farewell, refusal, answer = frames_of(ends.core.to_send())
    assert isinstance(farewell, GoAwayFrame) and isinstance(refusal, RstStreamFrame)
    assert (farewell.last_stream_id, farewell.error_code) == (1, NO_ERROR)
    assert (refusal.stream_id, refusal.error_code) == (3, REFUSED)
    assert isinstance(answer, HeadersFrame) and answer.stream_id == 1


def test_rfc_9113_6_8_after_the_farewell_of_a_client_what_it_asked_for_is_answered() -> None:
    ends = Ends()
    ends.ask()
    assert ends.core.receive(GoAwayFrame(0).serialize()) == [Farewell()]
    assert ends.core.is_asked(1)
    assert ends.core.head(1, 200, (), end=False)
    assert ends.core.data(1, b"body", end=True)
    head, body = frames_of(ends.core.to_send())
    assert isinstance(head, HeadersFrame)
    assert isinstance(body, DataFrame) and body.data == b"body"


@pytest.mark.parametrize(
    "data",
    [
        bytes.fromhex("000004 07 00 00000000 00000000"),
        bytes.fromhex("000008 07 00 00000001 0000000000000000"),
        HeadersFrame(1, b"\x82").serialize() + GoAwayFrame(0).serialize(),
    ],
    ids=["too short", "on a stream", "within a head"],
)
def test_a_farewell_that_is_none_ends_the_connection(data: bytes) -> None:
    assert [type(event) for event in Ends().core.receive(data)] == [Broken]
