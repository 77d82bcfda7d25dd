"""The headers of a session's messages: fixed bytes, and behind some of them a map."""

from __future__ import annotations

from struct import Struct

from vista.wire.hello import HELLO_BYTES_MAX
from vista.wire.session_states import Kind

MAGIC = b"vista wire hello"
"""What a HELLO has in place of a token: its sender knows none yet."""

TOKEN_BYTES = len(MAGIC)

HEADER_BYTES_MAX = 256
"""Bytes of a header without a map. A later minor version may write more than is known here."""

PREFIX = Struct(f">B{TOKEN_BYTES}s")
GREETING = Struct(f">B{TOKEN_BYTES}s{TOKEN_BYTES}s")  # HELLO and WELCOME, a map follows
NUMBER = Struct(f">B{TOKEN_BYTES}sQ")  # CREDIT, PING and PONG
BATCH = Struct(f">B{TOKEN_BYTES}sQQ")
BATCH_CODE = int(Kind.BATCH)
BATCH_BYTES = BATCH.size

# What a kind of header is at most long, and what stands before its map or what it consists of.
FORMS: dict[int, tuple[int, Struct]] = {
    Kind.HELLO: (HELLO_BYTES_MAX, GREETING),
    Kind.WELCOME: (HELLO_BYTES_MAX, GREETING),
    Kind.CONFIRM: (HELLO_BYTES_MAX, PREFIX),
    Kind.BATCH: (HEADER_BYTES_MAX, BATCH),
    Kind.CREDIT: (HEADER_BYTES_MAX, NUMBER),
    Kind.PING: (HEADER_BYTES_MAX, NUMBER),
    Kind.PONG: (HEADER_BYTES_MAX, NUMBER),
    Kind.BYE: (HELLO_BYTES_MAX, PREFIX),
}
