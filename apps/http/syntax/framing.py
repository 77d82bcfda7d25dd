"""Where the body of a request ends (RFC 9112, section 6).

Three rules. The length is known from exactly one field line, or there is no body. Whatever another
server on the way might read in another way is refused: this is what request smuggling is made of.
A coding nobody knows gets 501, a body of HTTP/1.0 whose length nobody tells 411, every other fault
400.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from apps.http.errors import FieldSyntaxError, RequestRejected
from apps.http.syntax.fields import Fields
from apps.http.syntax.limits import HttpLimits

_LENGTH_DIGITS_MAX = 19  # more than any body has, and what int() reads without a thought
# Methods whose requests mean something by their bodies (RFC 9110, section 8.6).
_BRINGING = frozenset({"POST", "PUT", "PATCH"})


class Framing(Enum):
    """How a body is delimited when not by a length."""

    NO_BODY = "no body"
    CHUNKED = "chunked"


NO_BODY: Final = Framing.NO_BODY
"""The request has no field that announces a body."""

CHUNKED: Final = Framing.CHUNKED
"""The body comes in chunks, its length is not known before its end."""


def body_framing(
    fields: Fields, method: str, version: tuple[int, int], limits: HttpLimits
) -> int | Framing:
    """Return the length of the body in bytes, `CHUNKED`, or `NO_BODY`.

    Raises `RequestRejected`: 400 for framing that is malformed, doubled or ambiguous, 411 for a
    body that would end with the connection, 413 for one longer than ``body_bytes_max``, 501 for a
    transfer coding that is not known. Source: RFC 9112, sections 6.1 to 6.3; RFC 1945, 8.3.
    """
    chunked = "transfer-encoding" in fields.combined
    lengths = fields.get_all("content-length")
    if not chunked and not lengths:
        if version < (1, 1) and method in _BRINGING:
            # What follows would be taken for the next request, or be lost without a word.
            raise RequestRejected(411, "a body of HTTP/1.0 needs a Content-Length (RFC 1945, 8.3)")
        return NO_BODY
    if method == "CONNECT":
        raise RequestRejected(400, "a CONNECT request has no body (RFC 9110, 9.3.6)")
    if not chunked:
        return _length(lengths, limits)
    if lengths:
        raise RequestRejected(
            400, "Content-Length and Transfer-Encoding stand together (RFC 9112, 6.3)"
        )
    if version < (1, 1):
        raise RequestRejected(400, "HTTP/1.0 has no Transfer-Encoding (RFC 9112, 6.1)")
    _check_codings(fields)
    return CHUNKED


def _length(lengths: tuple[str, ...], limits: HttpLimits) -> int:
    """Repeated lengths are refused even where they agree, which RFC 9112, 6.3, leaves open."""
    if len(lengths) > 1:
        raise RequestRejected(400, "the field Content-Length stands more than once")
    text = lengths[0]
    # isdecimal() alone would take the digits of other scripts; latin-1 has none of them.
    if not (text.isascii() and text.isdecimal()):
        raise RequestRejected(400, "Content-Length is not a whole number in decimal digits")
    digits = text.lstrip("0")
    if len(digits) > _LENGTH_DIGITS_MAX or int(digits or "0") > limits.body_bytes_max:
        raise _too_large(limits)
    return int(digits or "0")


def _check_codings(fields: Fields) -> None:
    """Only ``chunked`` is known, and it must be the last one and stand once."""
    # RFC 9110, 5.6.1, would have empty elements ignored; here servers differ, so none is taken.
    lines = fields.get_all("transfer-encoding")
    if not all(part.strip(" \t") for value in lines for part in value.split(",")):
        raise RequestRejected(400, "Transfer-Encoding is empty or has an empty element")
    try:
        codings = [coding.lower() for coding in fields.elements("transfer-encoding")]
    except FieldSyntaxError as error:
        raise RequestRejected(400, "Transfer-Encoding is malformed") from error
    if codings[-1] != "chunked":
        raise RequestRejected(400, "the last Transfer-Encoding is not chunked (RFC 9112, 6.3)")
    if codings.count("chunked") > 1:
        raise RequestRejected(400, "chunked is applied more than once (RFC 9112, 6.1)")
    if len(codings) > 1:
        raise RequestRejected(501, "the only Transfer-Encoding known here is chunked")


def _too_large(limits: HttpLimits) -> RequestRejected:
    return RequestRejected(413, f"the body is larger than {limits.body_bytes_max} bytes")


def check_total(total: int, limits: HttpLimits) -> None:
    """Raise `RequestRejected` with 413 if a body of ``total`` bytes is too large."""
    if total > limits.body_bytes_max:
        raise _too_large(limits)
