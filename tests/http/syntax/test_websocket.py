"""WebSocket without a connection: RFC 6455 by its sections, and RFC 7692."""

from __future__ import annotations

import random
import struct
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.http.errors import AnswerError, RequestRejected
from apps.http.syntax.heads import HeadParser, RequestHead
from apps.http.syntax.limits import HttpLimits
from apps.http.syntax.websocket import (
    NOTHING,
    Closed,
    MessageStream,
    PongReceived,
    accepting_fields,
    asks_for_websocket,
    is_origin_allowed,
    read_upgrade,
    refusal_fields,
)
from tests.http.syntax.frames import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    close,
    deflated,
    frame,
    split,
)

KEY = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
USUAL = ("Upgrade: websocket", "Connection: Upgrade", KEY, "Sec-WebSocket-Version: 13")


def head_of(*fields: str, method: str = "GET", version: str = "1.1") -> RequestHead:
    """The head of a request with these fields."""
    lines = [f"{method} /chat HTTP/{version}", "Host: a.example", *fields, "", ""]
    return HeadParser(HttpLimits()).parse("\r\n".join(lines).encode())


def events_of(stream: MessageStream, *data: bytes) -> list[object]:
    """What a stream makes of bytes."""
    for piece in data:
        stream.receive(piece)
    found: list[object] = []
    while (event := stream.next_event()) is not NOTHING:
        found.append(event)
    return found


def code_of(*data: bytes, message_bytes_max: int = 1000, deflate: bool = False) -> int:
    """The code with which a stream that takes these bytes is closed by this side."""
    stream = MessageStream(message_bytes_max, deflate=deflate)
    last = events_of(stream, *data)[-1]
    assert isinstance(last, Closed) and not last.by_client
    frames, rest = split(stream.to_send())
    assert rest == b"" and frames[-1][0] == 0x80 | CLOSE
    sent = int.from_bytes(frames[-1][1][:2], "big")
    assert sent == last.code
    return sent


# --- the request ---------------------------------------------------------------------------


def test_rfc_6455_1_3_the_key_of_the_example_gets_its_answer() -> None:
    upgrade = read_upgrade(head_of(*USUAL))
    assert accepting_fields(upgrade) == (
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
    )


@pytest.mark.parametrize("value", ["websocket", "WebSocket", "h2c, websocket"])
def test_a_get_with_upgrade_asks_for_a_websocket(value: str) -> None:
    assert asks_for_websocket(head_of(f"Upgrade: {value}", "Connection: keep-alive, Upgrade"))


@pytest.mark.parametrize(
    "head",
    [
        head_of("Upgrade: websocket"),
        head_of("Upgrade: websocket", "Connection: close"),
        head_of("Upgrade: h2c", "Connection: Upgrade"),
        head_of("Upgrade: websocket", "Connection: Upgrade", method="OPTIONS"),
        head_of("Upgrade: websocket", "Connection: Upgrade", version="1.0"),
    ],
    ids=["no-connection", "close", "h2c", "options", "http-1.0"],
)
def test_others_do_not(head: RequestHead) -> None:
    assert not asks_for_websocket(head)


@pytest.mark.parametrize(
    "key",
    ["", "short", "dGhlIHNhbXBsZSBub25jZQ", "dGhlIHNhbXBsZSBub25jZQ==AAAA", "!" * 24, "\xe9" * 24],
    ids=["empty", "short", "unpadded", "long", "no-base64", "latin-1"],
)
def test_rfc_6455_4_2_1_a_key_that_is_not_16_bytes_gets_400(key: str) -> None:
    head = head_of(*USUAL[:2], f"Sec-WebSocket-Key: {key}", USUAL[3])
    with pytest.raises(RequestRejected, match=r"^400: Sec-WebSocket-Key"):
        read_upgrade(head)


def test_a_key_that_is_missing_or_stands_twice_gets_400() -> None:
    with pytest.raises(RequestRejected, match=r"^400: Sec-WebSocket-Key"):
        read_upgrade(head_of(*USUAL[:2], USUAL[3]))
    with pytest.raises(RequestRejected, match=r"^400: Sec-WebSocket-Key"):
        read_upgrade(head_of(*USUAL, KEY))


@pytest.mark.parametrize("version", ["8", "14", "13, 8", ""])
def test_rfc_6455_4_4_another_version_gets_426_with_the_one_there_is(version: str) -> None:
    head = head_of(*USUAL[:3], f"Sec-WebSocket-Version: {version}")
    with pytest.raises(RequestRejected, match=r"^426: ") as caught:
        read_upgrade(head)
    fields = refusal_fields(caught.value.status)
    assert fields == (("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13"))
    assert refusal_fields(400) == ()


def test_a_subprotocol_is_one_that_the_client_offers() -> None:
    upgrade = read_upgrade(head_of(*USUAL, "Sec-WebSocket-Protocol: chat, superchat"))
    assert upgrade.subprotocols == ("chat", "superchat")
    assert ("Sec-WebSocket-Protocol", "superchat") in accepting_fields(upgrade, "superchat")
    with pytest.raises(AnswerError, match=r"does not offer the subprotocol 'other'"):
        accepting_fields(upgrade, "other")


@pytest.mark.parametrize(
    "offer",
    [
        "permessage-deflate",
        "permessage-deflate; client_max_window_bits",
        'permessage-deflate; client_max_window_bits="12"',
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
        "x-unknown, permessage-deflate",
        "permessage-deflate; server_max_window_bits=10, permessage-deflate",
    ],
)
def test_rfc_7692_7_1_compression_that_can_be_taken_is_taken(offer: str) -> None:
    upgrade = read_upgrade(head_of(*USUAL, f"Sec-WebSocket-Extensions: {offer}"))
    taken = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
    assert ("Sec-WebSocket-Extensions", taken) in accepting_fields(upgrade)
    assert not read_upgrade(
        head_of(*USUAL, f"Sec-WebSocket-Extensions: {offer}"), compress=False
    ).extensions


@pytest.mark.parametrize(
    "offer",
    [
        "x-webkit-deflate-frame",
        "permessage-deflate; server_max_window_bits=10",
        "permessage-deflate; client_max_window_bits=16",
        "permessage-deflate; client_max_window_bits=08",
        "permessage-deflate; unknown",
        "permessage-deflate; client_no_context_takeover=1",
        "permessage-deflate; client_max_window_bits; client_max_window_bits",
        "permessage-deflate; =",
    ],
)
def test_rfc_7692_7_1_other_offers_are_declined(offer: str) -> None:
    upgrade = read_upgrade(head_of(*USUAL, f"Sec-WebSocket-Extensions: {offer}"))
    assert upgrade.extensions == ""


# --- the origin ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("origin", "port"),
    [
        (None, None),
        ("https://a.example", None),
        ("HTTP://A.example", None),
        ("https://a.example:443", None),
        ("http://a.example", 80),
        ("http://a.example:4321", 4321),
    ],
)
def test_a_page_of_the_same_host_may(origin: str | None, port: int | None) -> None:
    assert is_origin_allowed(origin, "a.example", port, ())


@pytest.mark.parametrize(
    "origin",
    ["https://b.example", "null", "", "https://a.example.evil", "http://a.example:81", "a.example"],
)
def test_a_page_from_elsewhere_may_not(origin: str) -> None:
    assert not is_origin_allowed(origin, "a.example", None, ())


def test_a_page_from_elsewhere_may_if_it_is_named() -> None:
    assert is_origin_allowed("https://b.example", "a.example", None, ("https://B.example/",))
    assert is_origin_allowed("null", "a.example", None, ("*",))
    assert not is_origin_allowed("http://b.example", "a.example", None, ("https://b.example",))


def test_the_brackets_of_an_address_belong_to_it() -> None:
    assert is_origin_allowed("http://[::1]:4321", "::1", 4321, ())


# --- messages ------------------------------------------------------------------------------


def test_messages_of_text_and_of_bytes_arrive() -> None:
    stream = MessageStream(1000)
    data = frame(TEXT, "grüß".encode()) + frame(BINARY, b"\x00\xff")
    assert events_of(stream, data) == ["grüß", b"\x00\xff"]


def test_messages_may_be_empty() -> None:
    assert events_of(MessageStream(10), frame(TEXT), frame(BINARY)) == ["", b""]


@pytest.mark.parametrize("size", [125, 126, 127, 65_535, 65_536, 100_000])
def test_rfc_6455_5_2_each_form_of_the_length_is_read(size: int) -> None:
    assert events_of(MessageStream(100_000), frame(BINARY, bytes(size))) == [bytes(size)]


def test_rfc_6455_5_4_a_message_in_fragments_is_one() -> None:
    stream = MessageStream(1000)
    data = frame(TEXT, b"a\xc3", fin=False) + frame(CONTINUATION, b"\xa4", fin=False)
    assert events_of(stream, data + frame(CONTINUATION, b"b")) == ["a\u00e4b"]


def test_rfc_6455_5_4_control_frames_may_stand_between_fragments() -> None:
    stream = MessageStream(1000)
    data = frame(TEXT, b"a", fin=False) + frame(PING, b"p") + frame(CONTINUATION, b"b")
    assert events_of(stream, data) == ["ab"]
    assert split(stream.to_send()) == ([(0x80 | PONG, b"p")], b"")


def test_rfc_6455_5_5_2_a_ping_gets_its_own_bytes_back() -> None:
    stream = MessageStream(1000)
    assert events_of(stream, frame(PING, b"x" * 125)) == []
    assert split(stream.to_send())[0] == [(0x80 | PONG, b"x" * 125)]
    assert stream.to_send() == b""


def test_rfc_6455_5_5_3_a_pong_that_nobody_asked_for_is_no_fault() -> None:
    assert events_of(MessageStream(1000), frame(PONG, b"x")) == [PongReceived()]


@given(st.lists(st.one_of(st.text(st.characters(codec="utf-8")), st.binary())), st.randoms())
def test_the_cut_does_not_matter(texts: list[str | bytes], dice: random.Random) -> None:
    data = b"".join(
        frame(TEXT, text.encode()) if isinstance(text, str) else frame(BINARY, text)
        for text in texts
    )
    stream = MessageStream(100_000)
    found: list[object] = []
    while data:
        size = dice.randint(1, 20)
        found += events_of(stream, data[:size])
        data = data[size:]
    assert found == texts


@given(st.binary(max_size=60), st.booleans())
def test_garbage_is_a_close_or_nothing(data: bytes, deflate: bool) -> None:
    stream = MessageStream(1000, deflate=deflate)
    for event in events_of(stream, data):
        assert isinstance(event, str | bytes | PongReceived | Closed)


# --- faults --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        frame(TEXT, b"x", mask=False),
        frame(TEXT, b"x", rsv=4),
        frame(TEXT, b"x", rsv=1),
        frame(0x3, b"x"),
        frame(0xB, b"x"),
        frame(CONTINUATION, b"x"),
        frame(TEXT, b"x", fin=False) + frame(TEXT, b"y"),
        frame(PING, b"x", fin=False),
        frame(PING, b"x" * 126),
        frame(CLOSE, b"x"),
        close(999),
        close(1004),
        close(1005),
        close(1006),
        close(1015),
        close(2999),
        close(5000),
        b"\x81\xfe\x00\x01" + b"mask" + b"x",
        b"\x81\xff" + struct.pack("!Q", 1 << 63) + b"mask",
    ],
    ids=[
        "unmasked", "rsv1", "rsv3", "opcode-3", "opcode-b", "lone-continuation",
        "text-in-a-message", "fragmented-ping", "long-ping", "close-of-1-byte", "close-999",
        "close-1004", "close-1005", "close-1006", "close-1015", "close-2999", "close-5000",
        "length-not-minimal", "length-of-64-bits",
    ],
)  # fmt: skip
def test_rfc_6455_5_what_breaks_the_rules_is_closed_with_1002(data: bytes) -> None:
    assert code_of(data) == 1002


@pytest.mark.parametrize(
    "data",
    [
        frame(TEXT, b"\xff"),
        frame(TEXT, b"\xc3"),
        frame(TEXT, b"\xed\xa0\x80"),
        frame(TEXT, b"a\xc3", fin=False) + frame(CONTINUATION, b"b"),
        close(1000, b"\xff"),
    ],
    ids=["byte", "cut", "surrogate", "over-fragments", "reason"],
)
def test_rfc_6455_8_1_text_that_is_no_utf_8_is_closed_with_1007(data: bytes) -> None:
    assert code_of(data) == 1007


def test_bad_text_is_told_before_its_message_ends() -> None:
    assert code_of(frame(TEXT, b"\xff", fin=False)) == 1007


def test_a_message_over_the_bound_is_closed_with_1009() -> None:
    assert code_of(frame(BINARY, bytes(1001))) == 1009
    assert events_of(MessageStream(1000), frame(BINARY, bytes(1000))) == [bytes(1000)]


def test_a_message_over_the_bound_is_told_before_its_end() -> None:
    whole = frame(BINARY, bytes(100_000))
    assert code_of(whole[:5000]) == 1009


def test_fragments_are_counted_together() -> None:
    parts = [frame(BINARY, bytes(400), fin=False)]
    parts += [frame(CONTINUATION, bytes(400), fin=False) for _ in range(2)]
    assert code_of(*parts) == 1009


def test_text_is_counted_in_bytes() -> None:
    assert code_of(frame(TEXT, "ä".encode() * 501)) == 1009


# --- compression ---------------------------------------------------------------------------


def test_rfc_7692_7_2_2_compressed_messages_arrive() -> None:
    stream = MessageStream(1000, deflate=True)
    data = [frame(TEXT, deflated(b"hello" * 50), rsv=4) for _ in range(2)]
    assert events_of(stream, *data) == ["hello" * 50] * 2


def test_rfc_7692_6_1_a_compressed_message_may_come_in_fragments() -> None:
    stream = MessageStream(1000, deflate=True)
    whole = deflated(b"hello" * 50)
    data = frame(TEXT, whole[:3], fin=False, rsv=4) + frame(CONTINUATION, whole[3:])
    assert events_of(stream, data) == ["hello" * 50]


def test_messages_without_compression_go_with_those_that_have_it() -> None:
    stream = MessageStream(1000, deflate=True)
    assert events_of(stream, frame(TEXT, b"x")) == ["x"]


def test_what_is_sent_is_compressed_and_keeps_nothing() -> None:
    stream = MessageStream(1000, deflate=True)
    first, second = stream.text("hello" * 50), stream.text("hello" * 50)
    assert first == second and len(first) < 30
    assert split(first)[0][0][0] == 0xC0 | TEXT


def test_a_small_message_that_becomes_large_is_closed_with_1009() -> None:
    bomb = deflated(bytes(50_000_000))
    assert len(bomb) < 60_000
    assert code_of(frame(BINARY, bomb, rsv=4), message_bytes_max=10_000, deflate=True) == 1009


def test_what_a_message_becomes_is_counted_before_it_fills_the_memory() -> None:
    bomb = frame(BINARY, deflated(bytes(50_000_000)), rsv=4)
    stream = MessageStream(10_000, deflate=True)
    tracemalloc.start()
    try:
        events_of(stream, bomb)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert most < 10_000_000


def test_bad_compression_is_closed_with_1007() -> None:
    assert code_of(frame(BINARY, b"\xff\xff\xff", rsv=4), deflate=True) == 1007


# --- closing -------------------------------------------------------------------------------


def test_rfc_6455_5_5_1_a_close_gets_its_code_back() -> None:
    stream = MessageStream(1000)
    assert events_of(stream, close(3001, b"bye")) == [Closed(3001, "bye", True)]
    assert split(stream.to_send())[0] == [(0x80 | CLOSE, struct.pack("!H", 3001) + b"bye")]


def test_rfc_6455_7_1_5_a_close_without_a_code_is_1005_and_gets_none_back() -> None:
    stream = MessageStream(1000)
    assert events_of(stream, close()) == [Closed(1005, "", True)]
    assert split(stream.to_send())[0] == [(0x80 | CLOSE, b"")]


def test_rfc_6455_5_5_1_nothing_counts_after_a_close() -> None:
    stream = MessageStream(1000)
    assert events_of(stream, close(1000), frame(TEXT, b"x")) == [Closed(1000, "", True)]
    assert stream.closing


def test_closing_from_this_side_ends_with_the_answer() -> None:
    stream = MessageStream(1000)
    assert split(stream.close(1001, "bye"))[0] == [(0x88, struct.pack("!H", 1001) + b"bye")]
    assert stream.close() == b""
    assert events_of(stream, frame(TEXT, b"late"), close(1001)) == [
        "late",
        Closed(1001, "", True),
    ]
    assert stream.to_send() == b""


def test_no_pong_follows_a_close() -> None:
    stream = MessageStream(1000)
    stream.close()
    events_of(stream, frame(PING, b"x"))
    assert stream.to_send() == b""


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 2999, 5000])
def test_rfc_6455_7_4_a_code_that_cannot_be_sent_is_refused(code: int) -> None:
    with pytest.raises(AnswerError, match=rf"not {code}$"):
        MessageStream(1000).close(code)


def test_a_reason_that_is_too_long_is_refused() -> None:
    with pytest.raises(AnswerError, match=r"at most 123 bytes"):
        MessageStream(1000).close(1000, "ä" * 62)


def test_text_without_utf_8_is_refused() -> None:
    with pytest.raises(AnswerError, match=r"without UTF-8"):
        MessageStream(1000).text("\ud800")


@pytest.mark.parametrize(("kind", "piece"), [(TEXT, "éa".encode()), (BINARY, b"ab")])
def test_a_message_in_many_frames_takes_no_more_memory_than_its_bytes(
    kind: int, piece: bytes
) -> None:
    stream = MessageStream(100_000)
    more = frame(CONTINUATION, piece, fin=False)
    stream.receive(frame(kind, piece, fin=False))
    assert stream.next_event() is NOTHING
    tracemalloc.start()
    try:
        for _ in range(10_000):
            stream.receive(more)
            assert stream.next_event() is NOTHING
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 100_000
    stream.receive(frame(CONTINUATION, piece))
    whole = piece * 10_002
    assert stream.next_event() == (whole.decode() if kind == TEXT else whole)
