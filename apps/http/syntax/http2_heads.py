"""The head of a request of HTTP/2 in the form of HTTP/1.1 (RFC 9113, sections 8.2 and 8.3).

What two versions could read in two ways is looked for here, before the head is judged like any
other: line breaks, names that are none, fields about the connection, a Host beside another
authority.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from apps.http.errors import RequestRejected

CONNECTION_FIELDS = frozenset(
    (b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade")
)
"""Fields that are about a connection of HTTP/1.1, and stand in no head of HTTP/2."""

_BREAKS = re.compile(rb"[\0\r\n]")
_NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9a-z]+")
_PSEUDO = frozenset((b":method", b":scheme", b":authority", b":path", b":protocol"))


def taken_apart(
    fields: Iterable[tuple[bytes, bytes]],
) -> tuple[dict[bytes, bytes], list[tuple[bytes, bytes]]]:
    """Split the fields of a request into those about it and the others.

    Raises `RequestRejected` for what no request of HTTP/2 may have.
    """
    pseudo: dict[bytes, bytes] = {}
    lines: list[tuple[bytes, bytes]] = []
    for name, value in fields:
        if _BREAKS.search(name) or _BREAKS.search(value):
            raise RequestRejected(400, "a field has a line break or NUL (RFC 9113, 8.2.1)")
        if name.startswith(b":"):
            if lines or name in pseudo or name not in _PSEUDO:
                raise RequestRejected(400, "a field with a colon is not one of a request's")
            pseudo[name] = value
        elif not _NAME.fullmatch(name):
            raise RequestRejected(400, "a field name is none, or has capitals (RFC 9113, 8.2.1)")
        elif name in CONNECTION_FIELDS or (name == b"te" and value.lower() != b"trailers"):
            raise RequestRejected(400, "a field is about the connection (RFC 9113, 8.2.2)")
        else:
            lines.append((name, value))
    return pseudo, lines


def _extended(pseudo: dict[bytes, bytes]) -> bytes:
    """The method that a CONNECT for another protocol has in HTTP/1.1 (RFC 8441, section 4)."""
    if pseudo.get(b":method") != b"CONNECT" or b":authority" not in pseudo:
        raise RequestRejected(400, "who asks for another protocol sends CONNECT (RFC 8441, 4)")
    if pseudo[b":protocol"].lower() != b"websocket":
        raise RequestRejected(501, "the only other protocol spoken here is websocket")
    return b"GET"


def as_http_1(pseudo: dict[bytes, bytes], lines: list[tuple[bytes, bytes]]) -> bytes:
    """The head as HTTP/1.1 would have it. Raises `RequestRejected` for what it could not say."""
    method = pseudo.get(b":method", b"")
    authority = pseudo.get(b":authority")
    if b":protocol" in pseudo:
        method = _extended(pseudo)
    if method == b"CONNECT":
        if authority is None or len(pseudo) > 2:
            raise RequestRejected(400, "a CONNECT has a method and an authority (RFC 9113, 8.5)")
        target = authority
    else:
        if pseudo.get(b":scheme", b"") not in (b"http", b"https"):
            raise RequestRejected(400, "the scheme is not http or https (RFC 9113, 8.3.1)")
        target = pseudo.get(b":path", b"")
        if not target.startswith(b"/") and target != b"*":
            raise RequestRejected(400, "the path does not begin with a slash (RFC 9113, 8.3.1)")
    hosts = [value for name, value in lines if name == b"host"]
    if authority is not None:
        if any(host.lower() != authority.lower() for host in hosts):
            raise RequestRejected(400, "Host is not the authority (RFC 9113, 8.3.1)")
        lines = [(b"host", authority), *((name, value) for name, value in lines if name != b"host")]
    head = b"".join(b"%b: %b\r\n" % line for line in lines)
    return b"%b %b HTTP/1.1\r\n%b\r\n" % (method, target, head)
