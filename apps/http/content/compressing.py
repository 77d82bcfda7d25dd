"""Content codings: what is worth compressing, and how bodies are compressed whole or in pieces.

gzip is Python's own; Brotli and Zstandard are offered where their libraries are installed. Two
rules. What an author or a cache said must stay as it is, stays. A form that was made here has a
weak entity tag and no ranges: another version of a library makes other bytes of the same page, and
the halves of two of them must never be joined.
"""

from __future__ import annotations

import functools
import zlib
from typing import Any, Final

from apps.http.content.resources import HTML, Response
from apps.http.syntax.etags import EntityTag, parse_etag
from apps.http.syntax.fields import Fields
from apps.http.syntax.negotiation import IDENTITY, choose_encoding, merged_vary

try:
    import brotli
except ImportError:  # the extra ``compression`` is not installed
    brotli = None
try:
    import zstandard
except ImportError:
    zstandard = None  # type: ignore[assignment]

COMPRESS_BYTES_MIN = 1_024
"""Bytes of the shortest body that is compressed: below it the answer fits one packet anyhow, and
the head of a compressed body takes a good part of what is gained."""
INLINE_BYTES_MAX = 65_536
"""Bytes that are compressed in the node's own thread, which takes 2 ms; more go to another one."""

_TYPES: Final = frozenset(
    "application/javascript application/json application/ld+json application/manifest+json "
    "application/rss+xml application/atom+xml application/vnd.ms-fontobject application/wasm "
    "application/xhtml+xml application/xml application/yaml application/x-ndjson font/otf font/ttf "
    "image/bmp image/svg+xml image/x-icon".split()
)
_NEVER: Final = frozenset({"text/event-stream"})
# An answer with one of these is tied to its very bytes, or has a coding already.
_TIED: Final = frozenset(
    "accept-ranges content-digest content-encoding content-md5 content-range digest "
    "repr-digest".split()
)
_UNSUITABLE: Final = frozenset({204, 205, 206, 304})

_LEVELS: Final = {"gzip": (5, 6), "br": (4, 7), "zstd": (3, 9)}
"""How hard each coding tries: for a page that is sent once, and for a file that is kept."""


def page_codings() -> tuple[str, ...]:
    """Return the codings for what is sent once, the quickest first."""
    return tuple(coding for coding in ("zstd", "br", "gzip") if _is_there(coding))


def kept_codings() -> tuple[str, ...]:
    """Return the codings for what is compressed once and kept, the smallest first."""
    return tuple(coding for coding in ("br", "zstd", "gzip") if _is_there(coding))


def _is_there(coding: str) -> bool:
    return {"br": brotli, "zstd": zstandard}.get(coding, zlib) is not None


@functools.lru_cache(maxsize=256)
def is_compressible(kind: str) -> bool:
    """Tell whether a media type is one of texts, or of what else becomes smaller.

    >>> is_compressible("text/html; charset=utf-8"), is_compressible("image/png")
    (True, False)
    """
    main = kind.partition(";")[0].strip(" \t").lower()
    if main in _NEVER:
        return False
    return main.startswith("text/") or main in _TYPES or main.endswith(("+json", "+xml"))


def compress(data: bytes, coding: str, *, kept: bool = False) -> bytes:
    """Return bytes in a coding that is one of `page_codings`; ``kept`` has it try harder."""
    level = _LEVELS[coding][kept]
    if coding == "br":
        made: bytes = brotli.compress(data, quality=level)
    elif coding == "zstd":
        made = zstandard.ZstdCompressor(level=level).compress(data)
    else:
        compressor = zlib.compressobj(level, zlib.DEFLATED, zlib.MAX_WBITS | 16)
        made = compressor.compress(data) + compressor.flush()
    return made


class StreamCompressor:
    """Compresses a body that comes in pieces; each piece can be read as soon as it is sent.

    >>> stream = StreamCompressor("gzip")
    >>> zlib.decompress(stream.piece(b"abc") + stream.end(), zlib.MAX_WBITS | 16)
    b'abc'
    """

    def __init__(self, coding: str) -> None:
        level = _LEVELS[coding][False]
        self._made: Any
        if coding == "br":
            self._made = brotli.Compressor(quality=level)
            self._add, self._flush = self._made.process, self._made.flush
            self._finish = self._made.finish
        elif coding == "zstd":
            self._made = zstandard.ZstdCompressor(level=level).compressobj()
            self._add, self._finish = self._made.compress, self._made.flush
            self._flush = functools.partial(self._made.flush, zstandard.COMPRESSOBJ_FLUSH_BLOCK)
        else:
            self._made = zlib.compressobj(level, zlib.DEFLATED, zlib.MAX_WBITS | 16)
            self._add, self._finish = self._made.compress, self._made.flush
            self._flush = functools.partial(self._made.flush, zlib.Z_SYNC_FLUSH)

    def piece(self, data: bytes) -> bytes:
        """Return what is to be sent for a piece, all of it."""
        sent: bytes = self._add(data) + self._flush()
        return sent

    def end(self) -> bytes:
        """Return what ends the body."""
        sent: bytes = self._finish()
        return sent


# --- answers -------------------------------------------------------------------------------


@functools.lru_cache(maxsize=256)
def chosen_coding(accept: str, offered: tuple[str, ...]) -> str:
    """Return which of the codings offered goes to a client; `IDENTITY` for none of them.

    ``accept`` is the value of the request's Accept-Encoding. There are few different ones, and to
    read one takes 3 us.
    """
    fields = Fields.from_parser(("accept-encoding",), (accept,))
    return choose_encoding(fields, offered) or IDENTITY


def suits(response: Response) -> bool:
    """Tell whether an answer is to be compressed for those who want it.

    It is a text of some length, or a stream of one, that nobody tied to its bytes: not what has a
    coding, a range, a digest or trailers, and not what says ``Cache-Control: no-transform``.
    """
    if response.prepared or response.trailers or response.status in _UNSUITABLE:
        return False
    if response.source is None and len(response.body) < COMPRESS_BYTES_MIN:
        return False
    if response.length is not None and response.length < COMPRESS_BYTES_MIN:
        return False
    kind = HTML if isinstance(response.body, str) and response.source is None else ""
    given: tuple[tuple[Any, Any], ...] = response.fields or ()
    for name, value in given:
        if not (isinstance(name, str) and isinstance(value, str)):
            return False  # it cannot be sent anyhow, which is for the writer of answers to say
        lower = name.lower()
        if lower in _TIED or (lower == "cache-control" and "no-transform" in value.lower()):
            return False
        if lower == "content-type":
            kind = value
    return is_compressible(kind)


def varying(fields: tuple[tuple[str, str], ...] | None) -> tuple[tuple[str, str], ...]:
    """Return fields that say that the answer depends on Accept-Encoding."""
    given = fields or ()
    present = [value for name, value in given if name.lower() == "vary"]
    vary = merged_vary(", ".join(present) or None, ["Accept-Encoding"])
    return (*(pair for pair in given if pair[0].lower() != "vary"), ("Vary", vary))


def encoded_fields(
    fields: tuple[tuple[str, str], ...] | None, coding: str, kind: str
) -> tuple[tuple[str, str], ...]:
    """Return the fields of an answer for its compressed form; ``kind`` is its type if none does."""
    made = []
    typed = False
    for name, value in varying(fields):
        lower = name.lower()
        typed = typed or lower == "content-type"
        if lower == "etag":
            made.append((name, weakened(value)))
        elif lower != "content-length":
            made.append((name, value))
    if not typed:
        made.append(("Content-Type", kind))
    return (*made, ("Content-Encoding", coding))


def weakened(value: str) -> str:
    """Return an entity tag that says the same of what is meant, and nothing of the bytes."""
    tag = parse_etag(value)
    return value if tag is None else str(EntityTag(tag.opaque, weak=True))
