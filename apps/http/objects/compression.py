"""Answers are compressed on their way out: whole ones at once, streams piece by piece.

What is compressed and how is said in `apps.http.content.compressing`; here is what takes time or
waits: a long body is compressed in another thread, so that the node goes on.
"""

from __future__ import annotations

import vista
from apps.http.content.compressing import (
    INLINE_BYTES_MAX,
    StreamCompressor,
    chosen_coding,
    compress,
    encoded_fields,
    page_codings,
    suits,
    varying,
)
from apps.http.content.resources import BYTES, HTML, Response, body_of
from apps.http.objects.afar import unwatch, watch
from apps.http.syntax.negotiation import IDENTITY

NOTHING = "no"
"""Compress nothing."""
FILES = "files"
"""Compress files that are kept, once."""
EVERYTHING = "yes"
"""Compress pages that objects make as well."""
COMPRESSIONS = (NOTHING, FILES, EVERYTHING)
"""What the attribute ``compress`` of a profile may say."""


class HTTPcompressor(vista.Object, namespace="HTTP"):
    """Compresses what is too long for the node's own thread.

    ``create()``. The server makes one when it needs one.
    """

    def create(self) -> None:
        """Nothing is kept."""

    @vista.native
    @vista.preemptable
    def compress(self, data: bytes, coding: str, kept: bool = False) -> bytes:
        """Return bytes in a coding: ``gzip``, ``br`` or ``zstd``; ``kept`` has it try harder."""
        return compress(data, coding, kept=kept)


def compress_aside(data: bytes, coding: str, *, kept: bool = False) -> bytes:
    """Return bytes in a coding; what is long is compressed in a thread of its own meanwhile."""
    if len(data) <= INLINE_BYTES_MAX:
        return compress(data, coding, kept=kept)
    compressor = vista.create(HTTPcompressor)
    try:
        made: bytes = compressor.compress(data, coding, kept)
    finally:
        vista.post(compressor, "delete_yourself")
    return made


class HTTPcompressedBody(vista.Object, namespace="HTTP"):
    """The body of one answer, compressed while it comes from another object.

    ``create(source, coding)``: ``source`` answers ``read_bytes(maximum)`` and goes with it. What
    it gives at once can be read by the client at once.
    """

    def create(self, source: vista.Ref, coding: str) -> None:
        """Begin the stream."""
        self.source = source
        self._watch: vista.Ref | None = None
        self._watch = watch(vista.self_ref(self), 0, source, "delete_yourself")
        self._stream: StreamCompressor | None = StreamCompressor(coding)

    def delete(self) -> None:
        """Have the source go too."""
        vista.future(self.source, "delete_yourself")  # it may have gone by itself
        unwatch(self._watch)

    def is_reading(self, number: int) -> bool:
        """Tell that the source is still read, as long as this object is there."""
        return True

    def read_bytes(self, maximum: int) -> bytes:
        """Return the next bytes; none at the end. Raises what the source raises."""
        stream = self._stream
        if stream is None:
            return b""
        piece = self.source.read_bytes(min(maximum, INLINE_BYTES_MAX))
        if piece:
            return stream.piece(piece)
        self._stream = None
        return stream.end()


def compressed(response: Response, accept: str) -> Response:
    """Return an answer in the form that a client wants most; ``accept`` is its Accept-Encoding.

    The same answer where there is nothing to compress. ``""`` is for who said nothing.
    """
    if not suits(response):
        return response
    body, status, source = response.body, response.status, response.source
    if source is not None and not isinstance(source, vista.Ref):
        return response  # a body that is pushed is nobody's to read
    coding = chosen_coding(accept, page_codings()) if accept else IDENTITY
    if coding == IDENTITY:
        return Response(body, status, varying(response.fields), source, response.length)
    kind = HTML if isinstance(body, str) else BYTES
    fields = encoded_fields(response.fields, coding, kind)
    if source is not None:
        return Response(b"", status, fields, vista.create(HTTPcompressedBody, source, coding))
    return Response(compress_aside(body_of(response), coding), status, fields)
