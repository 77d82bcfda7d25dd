"""The headers of a session's messages: fixed bytes, and behind some of them a map."""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct

from vista.errors import RemoteProtocolError
from vista.wire.hello import HELLO_BYTES_MAX
from vista.wire.session_events import Part
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
    Kind.FIN: (HEADER_BYTES_MAX, PREFIX),
}


def read_kind(parts: Sequence[Part]) -> Kind:
    """The kind of a message of one part or more. Raises `RemoteProtocolError` for a wrong form."""
    code = parts[0][0] if parts[0] else 0
    bound, form = FORMS.get(code, (0, PREFIX))
    if not form.size <= len(parts[0]) <= bound:
        raise RemoteProtocolError(f"a header of kind {code} of {len(parts[0])} bytes")
    kind = Kind(code)
    if kind is not Kind.BATCH and len(parts) != 1:
        raise RemoteProtocolError(f"a {kind.name} of {len(parts)} parts instead of one")
    return kind
