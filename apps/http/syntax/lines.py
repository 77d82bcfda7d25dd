"""The lines of a head or of trailers, looked at one by one as they come.

This finds what is wrong, where a parser only says that something is: 414 or 431 or 400, and why.
Two rules. A line is judged when it is complete or has outgrown its bound, never before, so that
the answer does not depend on where the network cut the bytes. The first fault in the order of the
bytes is the one that is told.
"""

from __future__ import annotations

import re

from apps.http.errors import RequestRejected
from apps.http.syntax.limits import HttpLimits

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_TOKEN_BYTES = bytes(byte for byte in range(256) if re.fullmatch(_TOKEN, bytes([byte])))

REQUEST_LINE = re.compile(rb"(%b) ([!-~]+) HTTP/([0-9])\.([0-9])\r\n" % _TOKEN)
"""Method, target, major and minor version (RFC 9112, section 3)."""

FIELD_LINE = re.compile(rb"(%b):[ \t]*([\t -~\x80-\xff]*)\r\n" % _TOKEN)
"""Name and value of a field line (RFC 9112, section 5), the value with the blanks after it."""

_SIMPLE_REQUEST = re.compile(rb"%b [!-~]+\r?\n" % _TOKEN)
_VERSION = re.compile(rb"HTTP/[0-9]\.[0-9]\r\n")
_CONTROLS = re.compile(rb"[\0-\x08\x0b\x0c\x0e-\x1f\x7f]")


class LineScanner:
    """Looks at the lines of one head, or of the trailers of one body, for the first fault.

    ``scan(data)`` takes all bytes of the head that are there, from its first one on, each time with
    more behind; it goes on where it stopped. ``trailers=True`` begins with field lines and counts
    by the bounds of trailers.
    """

    def __init__(self, limits: HttpLimits, *, trailers: bool = False) -> None:
        self._limits = limits
        self._at = 0
        self._lines_left = limits.trailers_max if trailers else limits.fields_max
        self._bytes_max = limits.trailer_bytes_max if trailers else limits.head_bytes_max
        self._awaits_request_line = not trailers

    def scan(self, data: bytes | bytearray) -> int:
        """Return where the empty line ends that closes the head, or -1 if it is not there yet.

        Raises `RequestRejected` with the status of the first fault: 400, 414, 431, 501 or 505.
        """
        while True:
            if self._awaits_request_line:
                bound = self._limits.method_bytes_max + self._limits.target_bytes_max + 12
            else:
                bound = self._limits.field_bytes_max + 2
            bound = min(bound, self._bytes_max - self._at)
            end = data.find(b"\n", self._at, self._at + bound) + 1
            if not end:
                if len(data) - self._at >= bound:
                    self._refuse_long_line(bytes(data[self._at : self._at + bound]))
                self._check_first_byte(data)
                return -1
            line = bytes(data[self._at : end])
            self._at = end
            if self._awaits_request_line:
                check_request_line(line, self._limits)
                self._awaits_request_line = False
            elif line == b"\r\n":
                return end
            else:
                self._check_field_line(line)

    def _check_first_byte(self, data: bytes | bytearray) -> None:
        """What is no HTTP at all, such as TLS, need not wait for a line end that never comes."""
        if self._awaits_request_line and data and data[0] not in _TOKEN_BYTES:
            raise RequestRejected(400, "this is no HTTP request: it does not start with a method")

    def _refuse_long_line(self, line: bytes) -> None:
        if self._awaits_request_line:
            check_request_line(line, self._limits)
        raise RequestRejected(431, "the fields, or one of them, are larger than is taken here")

    def _check_field_line(self, line: bytes) -> None:
        self._lines_left -= 1
        if self._lines_left < 0:
            raise RequestRejected(431, "there are more fields than are taken here")
        if not FIELD_LINE.fullmatch(line):
            raise RequestRejected(400, _field_fault(line))


def check_request_line(line: bytes, limits: HttpLimits) -> None:
    """Raise `RequestRejected` unless ``line``, up to its line feed or cut at its bound, is good.

    501 for a method that is too long, 414 for a target, 505 for a version that is not 1.x, 400 for
    everything else. Source: RFC 9112, sections 2.3 and 3.
    """
    if line[0] not in _TOKEN_BYTES:
        raise RequestRejected(400, "this is no HTTP request: it does not start with a method")
    method, _, rest = line.partition(b" ")
    if len(method) > limits.method_bytes_max and not method.translate(None, _TOKEN_BYTES + b"\r\n"):
        raise RequestRejected(501, "the method is longer than any that is known")
    target = rest.partition(b" ")[0].rstrip(b"\r\n")
    if len(target) > limits.target_bytes_max:
        raise RequestRejected(
            414, f"the target is longer than the {limits.target_bytes_max} bytes taken here"
        )
    match = REQUEST_LINE.fullmatch(line)
    if match is None:
        raise RequestRejected(400, _request_line_fault(line))
    if match[3] != b"1":
        raise RequestRejected(505, "only the versions 1.0 and 1.1 of HTTP are spoken here")


def _request_line_fault(line: bytes) -> str:
    if not line.endswith(b"\r\n") and REQUEST_LINE.fullmatch(line[:-1] + b"\r\n"):
        return "the request line ends without a carriage return (RFC 9112, 2.2)"
    if _SIMPLE_REQUEST.fullmatch(line):
        return "the request line has no version: HTTP/0.9 is not spoken here"
    words = line.split(b" ")
    if len(words) == 3 and not _VERSION.fullmatch(words[2]):
        return "the version in the request line is malformed; HTTP/1.1 is expected (RFC 9112, 2.3)"
    return "the request line is not a method, a target and a version with single spaces between"


def _field_fault(line: bytes) -> str:
    """Say what is wrong with a field line that is not of its grammar."""
    if not line.endswith(b"\r\n"):
        return "a field line ends without a carriage return (RFC 9112, 2.2)"
    if line[0] in b" \t":
        return "a field line is folded, or starts with a space (RFC 9112, 5.2)"
    name, colon, value = line[:-2].partition(b":")
    if not colon:
        return "a field line has no colon"
    if name.rstrip(b" \t") != name:
        return "a space stands between a field name and its colon (RFC 9112, 5.1)"
    if not name or name.translate(None, _TOKEN_BYTES):
        return "a field name is empty or has a character that no name has (RFC 9110, 5.1)"
    if b"\r" in value:
        return "a carriage return stands alone in a field (RFC 9112, 2.2)"
    assert _CONTROLS.search(value), "every other fault of a field line was looked for"
    return "a field value has a control character (RFC 9110, 5.5)"
