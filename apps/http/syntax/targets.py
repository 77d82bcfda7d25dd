"""What a request is about: its target and its host (RFC 9112, section 3.2 and 3.3).

Three rules. A path is taken apart once, here, and everybody works on its segments: nothing is
decoded twice. What could mean one thing here and another one elsewhere (``%2f``, ``%00``,
backslashes, bytes that are no UTF-8) is refused, not mended. Dot segments are removed after
decoding, so that ``%2e%2e`` is ``..``.
"""

from __future__ import annotations

import re
from enum import Enum
from ipaddress import AddressValueError, IPv6Address
from typing import Final, NamedTuple
from urllib.parse import unquote_to_bytes

from apps.http.errors import RequestRejected
from apps.http.syntax.fields import Fields

HOST_CHARACTERS_MAX = 255
"""Characters of a host name: what DNS allows (RFC 1035, section 2.3.4)."""

_PORT_MAX = 65_535

# What browsers put into a path as it is goes beyond RFC 3986: [ ] | ^ { } are let through. The
# others either never come from a browser or, as the backslash, mean a slash to some.
_VISIBLE = bytes(range(0x21, 0x7F))
_PATH_BYTES = _VISIBLE.translate(None, b'"#<>\\`')
_QUERY_BYTES = _VISIBLE.translate(None, b"#")
# With nothing to decode and no segment that starts with a dot a target is cut up and done: 1.3 us
# for 30 bytes, 3.4 us by the long way. What translate() leaves is what is not plain.
_PLAIN_BYTES = _PATH_BYTES.translate(None, b"%")
_BAD_PERCENT = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_CONTROLS = re.compile("[\0-\x1f\x7f-\x9f]")
_ABSOLUTE = re.compile(rb"([A-Za-z][A-Za-z0-9+.-]*)://([^/?]*)([^?]*)(?:\?(.*))?", re.DOTALL)
_AUTHORITY = re.compile(r"(?:([A-Za-z0-9._~-]+)|\[([0-9A-Fa-f:.]+)\])(?::([0-9]*))?")


class TargetForm(Enum):
    """The four shapes of a request target (RFC 9112, section 3.2)."""

    ORIGIN = "origin"
    """A path, with a query or without: nearly all requests."""
    ABSOLUTE = "absolute"
    """A whole ``http:`` or ``https:`` URL, as sent to proxies."""
    AUTHORITY = "authority"
    """A host and a port; only with CONNECT."""
    ASTERISK = "asterisk"
    """The server as a whole; only with OPTIONS."""


ORIGIN: Final = TargetForm.ORIGIN  # looking a member up in its Enum takes 0.1 us


class Target(NamedTuple):
    """What a request is about.

    ``path`` holds the decoded segments after the first slash: ``/`` is ``("",)``, ``/a`` is
    ``("a",)``, ``/a/`` is ``("a", "")`` and ``//a`` is ``("", "a")``. No segment is ``.`` or ``..``
    or holds a slash, a backslash or a control character. It is empty for the forms AUTHORITY and
    ASTERISK. ``raw_path`` is the path as it was sent, ``query`` what follows the question mark as
    it was sent, neither decoded. ``host`` is in lower case, an IPv6 address without its brackets;
    None when a request of HTTP/1.0 names none. ``port`` is None when none is named.
    """

    form: TargetForm
    path: tuple[str, ...]
    raw_path: bytes
    query: str
    host: str | None
    port: int | None

    @property
    def sent_path(self) -> str:
        """The path as it was sent, as text: for logs, since all of it is visible ASCII."""
        return self.raw_path.decode("latin-1")


def parse_target(raw: bytes, method: str, fields: Fields, version: tuple[int, int]) -> Target:
    """Return the target of a request, its host taken from the target or from the field Host.

    ``raw`` is the target as it stands in the request line. Raises `RequestRejected` with 400 when
    it or the field Host is malformed, when Host stands twice, or not at all from HTTP/1.1 on.
    Source: RFC 9112, section 3.2; RFC 9110, section 7.
    """
    host, port = parse_host(fields, version)
    return place_target(raw, method, host, port)


def place_target(raw: bytes, method: str, host: str | None, port: int | None) -> Target:
    """Return the target of a request whose field Host is read already; see `parse_target`."""
    if method == "CONNECT":
        return _authority_form(raw)
    if raw.startswith(b"/"):
        if not raw.translate(None, _PLAIN_BYTES) and b"/." not in raw:
            text, _, query = raw.decode("ascii").partition("?")
            segments = tuple(text[1:].split("/"))
            return Target(ORIGIN, segments, raw[: len(text)], query, host, port)
        path, _, rest = raw.partition(b"?")
        return Target(ORIGIN, split_path(path), path, _query(rest), host, port)
    if raw == b"*":
        if method != "OPTIONS":
            raise RequestRejected(400, "the target * goes with OPTIONS only (RFC 9112, 3.2.4)")
        return Target(TargetForm.ASTERISK, (), b"", "", host, port)
    return _absolute_form(raw)


def parse_host(fields: Fields, version: tuple[int, int]) -> tuple[str | None, int | None]:
    """Return the host and port of the field Host. Raises `RequestRejected` as `parse_target` does.

    Source: RFC 9112, section 3.2; RFC 9110, section 7.2.
    """
    lines = fields.get_all("host")
    if not lines:
        if version >= (1, 1):
            raise RequestRejected(400, "the field Host is missing (RFC 9112, 3.2)")
        return None, None
    if len(lines) > 1:
        raise RequestRejected(400, "the field Host stands more than once (RFC 9112, 3.2)")
    return split_authority(lines[0], "the field Host")


def split_authority(text: str, where: str) -> tuple[str, int | None]:
    """Split ``host:port`` into the host in lower case and the port, None if there is none.

    ``where`` names the place in the `RequestRejected` with 400 that is raised for anything but a
    host name, an IPv4 address or an IPv6 address in brackets. A name and a password before the
    host are refused: they serve to deceive people (RFC 9110, section 4.2.4).
    """
    match = _AUTHORITY.fullmatch(text)
    if match is None:
        raise RequestRejected(400, f"{where} is no host name or address, with or without a port")
    name, address, port = match.groups()
    if address is not None:
        try:
            name = str(IPv6Address(address))
        except AddressValueError as error:
            raise RequestRejected(400, f"{where} is no IPv6 address in brackets") from error
    elif len(name) > HOST_CHARACTERS_MAX:
        raise RequestRejected(400, f"{where} has more than {HOST_CHARACTERS_MAX} characters")
    if not port:
        return name.lower(), None
    if len(port) > 5 or int(port) > _PORT_MAX:
        raise RequestRejected(400, f"{where} has a port above {_PORT_MAX}")
    return name.lower(), int(port)


def split_path(raw: bytes) -> tuple[str, ...]:
    """Return the segments of a path that starts with a slash, decoded, without dot segments.

    See `Target` for their shape. ``..`` above the root is dropped, as RFC 3986, section 5.2.4,
    has it. Raises `RequestRejected` with 400 for what could be read in two ways.

    >>> split_path(b"/a%20b/./c/%2e%2e/")
    ('a b', '')
    """
    if raw.translate(None, _PATH_BYTES):
        raise RequestRejected(400, "the path has a character that must be percent-encoded")
    if _BAD_PERCENT.search(raw):
        raise RequestRejected(400, "a percent sign in the path is not followed by two hex digits")
    found: list[str] = []
    name = ""
    for segment in raw[1:].split(b"/"):
        name = _decoded(segment)
        if name == "..":
            del found[-1:]
        elif name != ".":
            found.append(name)
    if name in (".", ".."):
        found.append("")  # what ends in a dot segment names a folder: /a/. is /a/
    return tuple(found)


def _decoded(segment: bytes) -> str:
    try:
        name = unquote_to_bytes(segment).decode("utf-8")
    except UnicodeDecodeError as error:
        raise RequestRejected(400, "the path is no UTF-8 when it is decoded") from error
    if "/" in name or "\\" in name:
        raise RequestRejected(400, "the path has an encoded slash or backslash")
    if _CONTROLS.search(name):
        raise RequestRejected(400, "the path has an encoded control character")
    return name


def _query(raw: bytes) -> str:
    if raw.translate(None, _QUERY_BYTES):
        raise RequestRejected(400, "the query has a character that must be percent-encoded")
    return raw.decode("ascii")


def _absolute_form(raw: bytes) -> Target:
    match = _ABSOLUTE.fullmatch(raw)
    if match is None or match[1].lower() not in (b"http", b"https"):
        raise RequestRejected(
            400, "the target must start with a slash or be a URL of http or https (RFC 9112, 3.2)"
        )
    host, port = split_authority(match[2].decode("latin-1"), "the host in the target")
    path = match[3] or b"/"
    text = _query(match[4] or b"")
    return Target(TargetForm.ABSOLUTE, split_path(path), path, text, host, port)


def _authority_form(raw: bytes) -> Target:
    host, port = split_authority(raw.decode("latin-1"), "the target of CONNECT")
    if port is None:
        raise RequestRejected(400, "the target of CONNECT must name a port (RFC 9112, 3.2.3)")
    return Target(TargetForm.AUTHORITY, (), b"", "", host, port)
