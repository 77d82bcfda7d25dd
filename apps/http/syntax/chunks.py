"""Chunked bodies, taken apart (RFC 9112, section 7.1).

llhttp reads chunks as well, but it cannot stop where the body ends, and it tells nothing of the
extensions, which need a bound. Two rules. A size is hex digits and nothing else: no sign, no
``0x``, no space, since each of them is a number to some other server. A line ends with CR and LF.
"""

from __future__ import annotations

import re
from enum import Enum

from apps.http.errors import RequestRejected
from apps.http.syntax.fields import Fields
from apps.http.syntax.framing import check_total
from apps.http.syntax.heads import read_field_lines
from apps.http.syntax.limits import HttpLimits
from apps.http.syntax.lines import LineScanner

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_QUOTED = rb'"(?:[\t !#-\[\]-~\x80-\xff]|\\[\t -~\x80-\xff])*"'
_SIZE_DIGITS_MAX = 16
_SIZE = re.compile(rb"[0-9A-Fa-f]{1,%d}" % _SIZE_DIGITS_MAX)
_PLAIN_SIZE = re.compile(rb"([0-9A-Fa-f]{1,4})\r\n")
_SMALL_BYTES = 1_024
_SOME_BYTES = 16_384
# Each turn begins with a semicolon that nothing before it takes, so there is one way to read it.
# Not a possessive quantifier: with one Python 3.11.2 takes what does not match.
_EXTENSIONS = re.compile(
    rb"(?:[ \t]*;[ \t]*%b(?:[ \t]*=[ \t]*(?:%b|%b))?)*\r\n" % (_TOKEN, _TOKEN, _QUOTED)
)


class ChunkState(Enum):
    """What comes next in a chunked body.

    ::

        SIZE -- a size above 0 --> DATA -- all of it --> DATA_END -- CR LF --> SIZE
        SIZE -- 0 --> TRAILERS -- an empty line --> DONE
    """

    SIZE = "a line with the size of a chunk"
    DATA = "the bytes of a chunk"
    DATA_END = "the line end after a chunk"
    TRAILERS = "trailer lines, up to an empty one"
    DONE = "nothing: the body is whole"


class ChunkReader:
    """Takes one chunked body out of the bytes of a connection.

    Call `read` until it returns None. Then ``state`` is ``DONE``, ``trailers`` are the fields after
    the body and what is left of the bytes belongs to the next request; in any other state more
    bytes are needed.
    """

    def __init__(self, limits: HttpLimits) -> None:
        self.state = ChunkState.SIZE
        self.trailers = Fields()
        self._limits = limits
        self._scanner = LineScanner(limits, trailers=True)
        self._left = 0
        self._total = 0
        self._extensions = 0

    def read(self, data: bytearray) -> bytes | None:
        """Take the next piece of the body out of ``data``; None if there is none.

        Bytes that are understood are removed from ``data``. Raises `RequestRejected`: 400 for what
        is no chunked body, 413 for one that is too large, 431 for too many trailers.
        """
        while True:
            if self.state is ChunkState.DATA:
                return self._take(data) if data else None
            if self.state is ChunkState.SIZE:
                if small := self._take_small(data):
                    return small
                going_on = self._read_size(data)
            elif self.state is ChunkState.DATA_END:
                going_on = self._read_data_end(data)
            elif self.state is ChunkState.TRAILERS:
                going_on = self._read_trailers(data)
            else:
                return None
            if not going_on:
                return None

    def _take_small(self, data: bytearray) -> bytes:
        """Take small chunks that have come as a whole, as many as there are, as one piece.

        One by one a chunk costs 3.5 us, together 0.9, which counts where a client sends a byte in
        each. Whatever is out of the ordinary is left where it is.
        """
        first = _PLAIN_SIZE.match(data)
        if first is None or int(first[1], 16) > _SMALL_BYTES:
            return b""
        some, most = bytes(data[:_SOME_BYTES]), self._limits.body_bytes_max
        pieces: list[bytes] = []
        at, total = 0, self._total
        while match := _PLAIN_SIZE.match(some, at):
            size, start = int(match[1], 16), match.end()
            total += size
            if not size or total > most or some[start + size : start + size + 2] != b"\r\n":
                break
            pieces.append(some[start : start + size])
            at, self._total = start + size + 2, total
        del data[:at]
        return b"".join(pieces)

    def _take(self, data: bytearray) -> bytes:
        piece = bytes(data[: self._left])
        del data[: len(piece)]
        self._left -= len(piece)
        if not self._left:
            self.state = ChunkState.DATA_END
        return piece

    def _read_size(self, data: bytearray) -> bool:
        bound = _SIZE_DIGITS_MAX + self._limits.chunk_extension_bytes_max + 2
        end = data.find(b"\n", 0, bound) + 1
        if not end:
            if len(data) < bound:
                return False
            raise RequestRejected(400, "the size of a chunk or its extensions are too long")
        line = bytes(data[:end])
        del data[:end]
        size = _SIZE.match(line)
        if size is None:
            raise RequestRejected(400, "the size of a chunk is not in hex digits (RFC 9112, 7.1)")
        if not _EXTENSIONS.fullmatch(line, size.end()):
            raise RequestRejected(400, "the line with the size of a chunk is malformed")
        self._count_extensions(len(line) - size.end() - 2)
        self._left = int(size[0], 16)
        self._total += self._left
        check_total(self._total, self._limits)
        self.state = ChunkState.DATA if self._left else ChunkState.TRAILERS
        return True

    def _count_extensions(self, count: int) -> None:
        self._extensions += count
        if count > self._limits.chunk_extension_bytes_max:
            raise RequestRejected(400, "the extensions of a chunk are too long")
        if self._extensions > self._limits.chunk_extensions_bytes_max:
            raise RequestRejected(400, "the extensions of all chunks are too long")

    def _read_data_end(self, data: bytearray) -> bool:
        if data[:2] == b"\r\n":
            del data[:2]
            self.state = ChunkState.SIZE
            return True
        if data and data != b"\r":
            raise RequestRejected(400, "a chunk is longer than its size (RFC 9112, 7.1)")
        return False

    def _read_trailers(self, data: bytearray) -> bool:
        end = self._scanner.scan(data)
        if end < 0:
            return False
        lines = bytes(data[:end]).split(b"\r\n")[:-2]
        del data[:end]
        self.trailers = read_field_lines(lines)
        self.state = ChunkState.DONE
        return True
