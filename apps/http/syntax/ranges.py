"""Ranges of bytes (RFC 9110, section 14): which parts of a representation are asked for.

Three rules. A Range that is malformed, in an unknown unit or wants more parts than the bound is
ignored, which is always allowed; only one that is well formed and lies wholly past the end is
refused. Parts that overlap or nearly touch are sent as one, so that no request makes the answer
much longer than the representation. What is sent is positions, never bytes: the body is copied by
whoever holds the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum, auto

from apps.http.errors import AnswerError
from apps.http.syntax.dates import parse_date
from apps.http.syntax.etags import EntityTag, parse_etag, strong_match
from apps.http.syntax.fields import Fields

GAP_BYTES = 80
"""Parts nearer to each other than this are joined: about what the head of another part costs
(RFC 9110, section 15.3.7.2)."""
DIGITS_MAX = 18
"""Digits of a position that are read; more is past the end of any file there is."""
BOUNDARY_BYTES_MAX = 70
"""RFC 2046, section 5.1.1."""

_UNIT = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+)=")
_SPEC = re.compile(r"[ \t]*(?:([0-9]+)-([0-9]*)|-([0-9]+))?[ \t]*")
# Those of RFC 2046 that need no quotes in a parameter.
_BOUNDARY = re.compile(r"[0-9A-Za-z_.+'-]+")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]+")


class Selection(Enum):
    """What a Range field comes to when it does not select parts."""

    WHOLE = auto()
    """Answer as if there were no Range."""
    UNSATISFIABLE = auto()
    """Answer 416 with `unsatisfied_content_range`."""


WHOLE, UNSATISFIABLE = Selection.WHOLE, Selection.UNSATISFIABLE


@dataclass(frozen=True, slots=True)
class ByteRange:
    """A part of a representation: its first and last byte, counted from 0, both included."""

    first: int
    last: int

    @property
    def length(self) -> int:
        """How many bytes it has."""
        return self.last - self.first + 1


Ranges = tuple[ByteRange, ...] | Selection


def select_ranges(
    method: str,
    fields: Fields,
    size: int,
    etag: EntityTag | None,
    last_modified: int | None,
    now: int,
    ranges_max: int,
) -> Ranges:
    """Decide which parts of a representation of ``size`` bytes answer a request.

    To be called when `conditions.evaluate` said PROCEED and the answer would be 200. ``etag`` and
    ``last_modified`` (seconds since 1970) are what If-Range is compared with, ``now`` is the
    present in the same seconds; ``ranges_max`` is the number of parts one request may ask for.
    Returns the parts in the order they were asked for, or `WHOLE` or `UNSATISFIABLE`.

    Source: RFC 9110, sections 13.1.5 and 14.2.
    """
    # Section 14.2: GET is the only method with ranges, HEAD has none.
    lines = fields.get_all("Range") if method == "GET" else ()
    if len(lines) != 1 or not _still_the_same(fields, etag, last_modified, now):
        return WHOLE
    return parse_range(lines[0], size, ranges_max)


def _still_the_same(
    fields: Fields, etag: EntityTag | None, last_modified: int | None, now: int
) -> bool:
    """Tell whether If-Range, where there is one, lets the range be answered (section 13.1.5)."""
    lines = fields.get_all("If-Range")
    if not lines:
        return True
    if len(lines) > 1:
        return False
    if tag := parse_etag(lines[0]):
        return etag is not None and strong_match(tag, etag)
    # A date must be the very date, and old enough that the second it names is over: within it the
    # representation could have changed once more without a trace (section 8.8.2.2). That it was
    # over when the client got its copy is for the client to know, which has seen the Date.
    date = parse_date(lines[0], now)
    return date is not None and date == last_modified and date < now


def parse_range(value: str, size: int, ranges_max: int) -> Ranges:
    """Return the parts that a Range field selects of ``size`` bytes.

    >>> parse_range("bytes=0-9, -5", 100, ranges_max=8)
    (ByteRange(first=0, last=9), ByteRange(first=95, last=99))
    """
    unit = _UNIT.match(value)
    if unit is None or unit[1].lower() != "bytes":
        return WHOLE
    matches = [_SPEC.fullmatch(spec) for spec in value[unit.end() :].split(",")]
    # Empty elements of a list are skipped (section 5.6.1.2).
    specs = [match for match in matches if match is None or match.lastindex is not None]
    if not specs or len(specs) > ranges_max:
        return WHOLE
    parts = []
    for match in specs:
        if match is None or not _valid(match):
            return WHOLE
        if (part := _part(match, size)) is not None:
            parts.append(part)
    if not parts:
        return UNSATISFIABLE
    # A suffix of nothing is satisfiable, but no Content-Range can name it.
    return _joined(parts) if size else WHOLE


def _valid(match: re.Match[str]) -> bool:
    """Tell whether a part, where it names a last byte, names one not before its first."""
    return not match[2] or _number(match[1]) <= _number(match[2])


def _part(match: re.Match[str], size: int) -> ByteRange | None:
    """Return the part that was asked for; None when there are no such bytes (section 14.1.2)."""
    if match[3] is not None:
        length = _number(match[3])
        return ByteRange(max(size - length, 0), size - 1) if length else None
    first = _number(match[1])
    last = min(_number(match[2]), size - 1) if match[2] else size - 1
    return ByteRange(first, last) if first < size else None


def _number(digits: str) -> int:
    digits = digits.lstrip("0")
    return int(digits or "0") if len(digits) <= DIGITS_MAX else 10**DIGITS_MAX


def _joined(parts: list[ByteRange]) -> tuple[ByteRange, ...]:
    """Join parts that overlap or nearly touch; a joined part stands where its earliest stood.

    A client may ask for a later part first, to begin with what it needs most (section 14.2).
    """
    joined: list[tuple[int, ByteRange]] = []
    for place, part in sorted(enumerate(parts), key=lambda item: item[1].first):
        if joined and part.first - joined[-1][1].last <= GAP_BYTES:
            earlier, before = joined[-1]
            whole = ByteRange(before.first, max(before.last, part.last))
            joined[-1] = (min(earlier, place), whole)
        else:
            joined.append((place, part))
    return tuple(part for _, part in sorted(joined, key=lambda item: item[0]))


def content_range(part: ByteRange, size: int) -> str:
    """Return the Content-Range of a part of ``size`` bytes, for an answer of 206.

    >>> content_range(ByteRange(0, 9), 100)
    'bytes 0-9/100'
    """
    return f"bytes {part.first}-{part.last}/{size}"


def unsatisfied_content_range(size: int) -> str:
    """Return the Content-Range of an answer of 416 (RFC 9110, section 15.5.17).

    >>> unsatisfied_content_range(100)
    'bytes */100'
    """
    return f"bytes */{size}"


class MultipartRanges:
    """The body of an answer with several parts (RFC 9110, section 14.6).

    ``parts`` of a representation of ``size`` bytes and of ``content_type`` (None where it has
    none) are put between lines with ``boundary``: 1 to 70 letters and digits that must not occur
    in the representation, so best at least 24 of them drawn by chance. Raises
    `AnswerError` for a boundary or content type that cannot be sent.

    >>> body = MultipartRanges([ByteRange(0, 0), ByteRange(99, 99)], 100, "text/plain", "simple")
    >>> body.content_type, body.length
    ('multipart/byteranges; boundary=simple', 156)
    """

    def __init__(
        self, parts: Iterable[ByteRange], size: int, content_type: str | None, boundary: str
    ) -> None:
        if not _BOUNDARY.fullmatch(boundary) or len(boundary) > BOUNDARY_BYTES_MAX:
            raise AnswerError(f"{boundary!r} is no boundary: 1 to 70 letters, digits, - or _")
        if content_type is not None and not _VALUE.fullmatch(content_type):
            raise AnswerError(f"{content_type!r} is no content type: it cannot stand on a line")
        self.parts = tuple(parts)
        self.size = size
        self._type = "" if content_type is None else f"Content-Type: {content_type}\r\n"
        self._boundary = boundary

    @property
    def content_type(self) -> str:
        """The Content-Type of the answer."""
        return f"multipart/byteranges; boundary={self._boundary}"

    @property
    def length(self) -> int:
        """The bytes of the whole body, for Content-Length."""
        return sum(
            piece.length if isinstance(piece, ByteRange) else len(piece) for piece in self.pieces()
        )

    def pieces(self) -> Iterator[bytes | ByteRange]:
        """Yield the body in order: bytes to send as they are, and parts to copy from the file."""
        line = f"--{self._boundary}\r\n{self._type}"
        for part in self.parts:
            where = content_range(part, self.size)
            yield f"{line}Content-Range: {where}\r\n\r\n".encode("latin-1")
            yield part
            line = f"\r\n--{self._boundary}\r\n{self._type}"
        yield f"\r\n--{self._boundary}--\r\n".encode("latin-1")
