"""The head of a request: from its bytes to what it asks for (RFC 9112, sections 2, 3 and 6).

httptools (llhttp) parses the fields. It is given one whole head at a time, never more: it cannot
stop between two requests, so where a head and a body end is found out before. Three rules. The
request line is matched here, since llhttp takes two spaces for one, RTSP for HTTP and a missing
version for 0.9. The bounds are checked before. Whatever llhttp refuses is refused; which status it
gets, and why, is found out by `LineScanner` and by the rules of the target, the host and the body.

Hot path, `HeadParser.parse`: the head of 296 bytes and 8 fields of a browser takes 5.8 us, 1.1 of
them in llhttp and its calls back; h11 takes 23. With field lines that are known it takes 3.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

try:
    from httptools import (
        HttpParserError,
        HttpParserUpgrade,
        HttpRequestParser,
    )
except ImportError as error:
    missing = f"The web server needs a library that is not here: pip install vista[http] ({error})"
    raise ImportError(missing) from error

from apps.http.errors import FieldSyntaxError, RequestRejected
from apps.http.syntax.fields import Fields
from apps.http.syntax.framing import NO_BODY, Framing, body_framing
from apps.http.syntax.limits import HttpLimits
from apps.http.syntax.lines import FIELD_LINE, REQUEST_LINE, LineScanner
from apps.http.syntax.targets import ORIGIN, Target, parse_host, place_target

_NO_OPTIONS: frozenset[str] = frozenset()
# A target of these alone is one to llhttp whatever stands around it.
_TAME_BYTES = b"/0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-._~!$&'()*+,;=:@%?"
_READING = frozenset((b"GET", b"HEAD"))
# What the field Connection nearly always says; to take a list apart costs 1 us.
_USUAL_OPTIONS: Mapping[str, frozenset[str]] = {
    text: frozenset((text.lower(),)) for text in ("keep-alive", "Keep-Alive", "close", "Close")
}


KNOWN_HEADS_MAX = 256
"""Heads that are known until those that came before them go: of as many clients as ask at once."""
KNOWN_BYTES_MAX = 1_024
"""Bytes of a head that is kept: with what it means it takes three times as many."""
KNOWN_PARTS_MAX = 48
"""Lines, and names of the path, of a head that is kept, together; browsers send about 20. Each
takes some 100 bytes, however short it is: so all heads that are known take 6 MB at most."""
KNOWN_BLOCKS_MAX = 64
"""Blocks of field lines that are known until those that came before them go: a browser sends one
for pages, one for pictures and so on, and all who fetch by the same program send the same."""
SECRETS = frozenset({"authorization", "proxy-authorization", "cookie"})
"""Fields that keep a head from being kept: no password stays in memory without need."""


class RequestHead(NamedTuple):
    """What a request asks for.

    ``version`` is (1, 0) or (1, 1), the latter also for a later 1.x (RFC 9110, section 2.5).
    ``keep_alive`` says whether the connection may take another request after this one;
    ``expects_continue`` whether the client waits for 100 before it sends the body. ``body`` is its
    length in bytes, `CHUNKED` or `NO_BODY`. ``upgrade`` is the value of the field Upgrade if the
    client wants to speak another protocol after this request, else None.
    """

    method: str
    target: Target
    version: tuple[int, int]
    fields: Fields
    keep_alive: bool
    expects_continue: bool
    body: int | Framing
    upgrade: str | None


class KnownHeads:
    """Heads that came before, by their bytes, and what they ask for; connections may share it.

    A client that polls and one that watches whether the server is there ask in the same bytes
    again and again. What a head means depends on nothing but its bytes and the bounds, so the
    connections that share it have the same bounds. It is told to keep no head with a secret in it
    (`SECRETS`), and keeps at most ``2 * KNOWN_HEADS_MAX``.

    >>> known, parser = KnownHeads(), HeadParser(HttpLimits())
    >>> data = b"GET /a HTTP/1.1\\r\\nHost: a.example\\r\\n\\r\\n"
    >>> known.keep(data, parser.parse(data))
    >>> known.get(data).target.path
    ('a',)
    """

    __slots__ = ("_before", "_blocks", "_blocks_before", "_heads")

    def __init__(self) -> None:
        self._heads: dict[bytes, RequestHead] = {}
        self._before: dict[bytes, RequestHead] = {}
        self._blocks: dict[tuple[bytes, bytes], RequestHead] = {}
        self._blocks_before: dict[tuple[bytes, bytes], RequestHead] = {}

    def get(self, data: bytes) -> RequestHead | None:
        """Return what a head asks for, None for one that is not known."""
        head = self._heads.get(data)
        if head is None:
            head = self._before.get(data)
            if head is None:
                return None
            self._put(data, head)
        # Another one each time: who answers tells the requests from each other by their heads.
        return tuple.__new__(RequestHead, head)

    def keep(self, data: bytes, head: RequestHead) -> None:
        """Know a head from here on, unless it is large, of many parts, or has a secret in it."""
        if len(data) > KNOWN_BYTES_MAX or not SECRETS.isdisjoint(head.fields.combined):
            return
        if data.count(b"\n") + len(head.target.path) <= KNOWN_PARTS_MAX:
            self._put(data, head)

    def alike(self, method: bytes, block: bytes) -> RequestHead | None:
        """Return a head with the same method and the same field lines, for any plain target.

        ``block`` is what follows the request line. None where none of them is known; see
        `keep_block`.
        """
        head = self._blocks.get((method, block))
        if head is None:
            head = self._blocks_before.get((method, block))
            if head is not None:
                self._put_block((method, block), head)
        return head

    def keep_block(self, method: bytes, block: bytes, head: RequestHead) -> None:
        """Know the field lines of a head from here on, as `keep` knows the whole.

        Those of which nothing but the target depends on the request line: a GET or HEAD of
        HTTP/1.1 for a path, that brings no body and after which the connection stays what it is.
        """
        if len(block) > KNOWN_BYTES_MAX or method not in _READING or head.target.form is not ORIGIN:
            return
        plain = head.version == (1, 1) and head.body is NO_BODY and head.upgrade is None
        if plain and head.keep_alive and SECRETS.isdisjoint(head.fields.combined):
            if block.count(b"\n") <= KNOWN_PARTS_MAX:
                self._put_block((method, block), head)

    def _put_block(self, key: tuple[bytes, bytes], head: RequestHead) -> None:
        if len(self._blocks) >= KNOWN_BLOCKS_MAX:
            self._blocks_before, self._blocks = self._blocks, {}
        self._blocks[key] = head

    def _put(self, data: bytes, head: RequestHead) -> None:
        if len(self._heads) >= KNOWN_HEADS_MAX:
            # Those that nobody asked for since the last time go, without a list of who asked when.
            self._before, self._heads = self._heads, {}
        self._heads[data] = head


class HeadParser:
    """Parses the heads of one connection, one after another.

    >>> head = HeadParser(HttpLimits()).parse(b"GET /a HTTP/1.1\\r\\nHost: a.example\\r\\n\\r\\n")
    >>> head.method, head.target.path, head.keep_alive
    ('GET', ('a',), True)
    """

    def __init__(self, limits: HttpLimits, known: KnownHeads | None = None) -> None:
        self._limits = limits
        self._known = known
        # A head that is not longer than the shorter of these holds no line that is.
        self._short_bytes = min(limits.target_bytes_max, limits.field_bytes_max)
        self._names: list[bytes] = []
        self._values: list[bytes] = []
        self._parser: Any = None
        # Nearly all requests of a connection name the same host, and have the same fields.
        self._joined_names = b""
        self._lower_names: tuple[str, ...] = ()
        self._host_text: str | None = None
        self._host: tuple[str | None, int | None] = (None, None)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Called by llhttp for each field line."""
        self._names.append(name)
        self._values.append(value)

    def parse(self, head: bytes) -> RequestHead:
        """Return what the head asks for. ``head`` ends with its empty line and holds no other.

        Raises `RequestRejected` with 400, 411, 413, 414, 417, 431, 501 or 505.
        """
        match = REQUEST_LINE.match(head)
        if match is None or len(head) > self._short_bytes:
            LineScanner(self._limits).scan(head)
            assert match is not None, "the scanner refuses such a request line"
        method, target, major, minor = match.groups()
        known = self._known
        block = b"" if known is None else head[match.end() :]
        if known is not None and major == minor == b"1":
            alike = known.alike(method, block)
            if alike is not None and not target.translate(None, _TAME_BYTES):
                return _with_target(alike, target)
        if major != b"1":
            LineScanner(self._limits).scan(head)
        if minor == b"0":
            version = (1, 0)
        else:
            version = (1, 1)
            if minor != b"1":
                # llhttp knows no 1.2; RFC 9110, section 2.5, wants it taken for 1.1.
                head = b"%b %b HTTP/1.1\r\n%b" % (method, target, head[match.end() :])
        if not self._feed(head) or len(self._names) > self._limits.fields_max:
            return self._refuse(head, method, target, version)
        found = self._understand(method, target, version, self._take_fields())
        if known is not None:
            known.keep_block(method, block, found)
        return found

    def _feed(self, head: bytes) -> bool:
        """Give a head to llhttp; return whether it takes it."""
        self._names.clear()
        self._values.clear()
        parser = self._parser
        if parser is None:
            self._parser = parser = HttpRequestParser(self)
        try:
            parser.feed_data(head)
        except HttpParserUpgrade:
            self._parser = None  # what it does after a switch is not told; a new one takes 0.3 us
        except HttpParserError:
            self._parser = None
            return False
        return True

    def _take_fields(self) -> Fields:
        """The field lines llhttp has found; all at once, since one by one takes 1 us longer."""
        if not self._names:
            return Fields()
        joined = b"\n".join(self._names)
        if joined != self._joined_names:
            self._joined_names = joined
            self._lower_names = tuple(joined.lower().decode("latin-1").split("\n"))
        text = b"\n".join(self._values).decode("latin-1")
        values = text.split("\n")
        # llhttp drops the blanks before a value, not those after it.
        if " \n" in text or "\t\n" in text or text.endswith((" ", "\t")):
            values = [value.rstrip(" \t") for value in values]
        return Fields.from_parser(self._lower_names, values)

    def _understand(
        self, method_bytes: bytes, raw_target: bytes, version: tuple[int, int], fields: Fields
    ) -> RequestHead:
        combined = fields.combined
        method = method_bytes.decode("ascii")
        host_text = combined.get("host")
        if host_text is None or host_text != self._host_text:
            self._host = parse_host(fields, version)
            self._host_text = host_text
        host, port = self._host
        target = place_target(raw_target, method, host, port)
        current = version == (1, 1)
        body: int | Framing = NO_BODY
        if "content-length" in combined or "transfer-encoding" in combined or not current:
            body = body_framing(fields, method, version, self._limits)
        options = _NO_OPTIONS
        if "connection" in combined:
            options = _USUAL_OPTIONS.get(combined["connection"]) or _connection_options(fields)
        keep_alive = "close" not in options and (current or "keep-alive" in options)
        # Without a body there is nothing to wait for; HTTP/1.0 knows no 100.
        expects_continue = (
            current
            and "expect" in combined
            and _expects_continue(fields)
            and body not in (NO_BODY, 0)
        )
        upgrade = None
        if current and "upgrade" in options:
            upgrade = combined.get("upgrade") or None
        if body is not NO_BODY or not current or not keep_alive:
            self._parser = None  # llhttp awaits the body, or the end
        return RequestHead(
            method, target, version, fields, keep_alive, expects_continue, body, upgrade
        )

    def _refuse(
        self, head: bytes, method: bytes, target: bytes, version: tuple[int, int]
    ) -> RequestHead:
        """Raise what is wrong with a head that llhttp, or the count of its fields, refuses."""
        LineScanner(self._limits).scan(head)
        lines = head.split(b"\r\n")[1:-2]
        self._understand(method, target, version, read_field_lines(lines))
        if method != b"CONNECT" and not knows_method(method.decode("ascii")):
            raise RequestRejected(501, "no such method is known here")
        raise RequestRejected(400, "the request is malformed")


def _with_target(alike: RequestHead, raw: bytes) -> RequestHead:
    """Return the head of a request that differs from another one in its target only."""
    before = alike.target
    target = place_target(raw, alike.method, before.host, before.port)
    return RequestHead(
        alike.method, target, alike.version, alike.fields, True, alike.expects_continue, NO_BODY,
        None,
    )  # fmt: skip


def knows_method(method: str) -> bool:
    """Tell whether requests with a method get through: llhttp takes those that are registered."""
    try:
        HttpRequestParser(object()).feed_data(f"{method} / HTTP/1.1\r\n\r\n".encode())
    except HttpParserUpgrade:
        return True
    except HttpParserError:
        return False
    return True


def read_field_lines(lines: list[bytes]) -> Fields:
    """Return the fields of lines, without their ends, that a `LineScanner` has let pass."""
    names = []
    values = []
    for line in lines:
        match = FIELD_LINE.fullmatch(line + b"\r\n")
        assert match is not None, "the scanner refuses such a field line"
        names.append(match[1].decode("latin-1").lower())
        values.append(match[2].decode("latin-1").rstrip(" \t"))
    return Fields.from_parser(names, values)


def _connection_options(fields: Fields) -> frozenset[str]:
    try:
        return frozenset(option.lower() for option in fields.elements("connection"))
    except FieldSyntaxError as error:
        raise RequestRejected(400, "the field Connection is malformed") from error


def _expects_continue(fields: Fields) -> bool:
    """Whether the client awaits 100; other expectations get 417 (RFC 9110, section 10.1.1)."""
    try:
        expectations = {element.lower() for element in fields.elements("expect")}
    except FieldSyntaxError as error:
        raise RequestRejected(400, "the field Expect is malformed") from error
    if expectations - {"100-continue"}:
        raise RequestRejected(417, "the only expectation met here is 100-continue")
    return bool(expectations)
