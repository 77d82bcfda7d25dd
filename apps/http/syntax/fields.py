"""The fields of a message: header and trailer lines (RFC 9110, section 5).

Names do not tell upper from lower case; they are kept in lower case and given out in the usual
spelling. Values are text whose characters are the bytes of the message (latin-1), so that nothing
is lost. Three rules. `Fields` never changes. What `Fields` holds can be written into a message as
it is: names are tokens, values hold no control character. Lists are read over all lines of a name,
as one list (section 5.3).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from apps.http.errors import AnswerError, FieldSyntaxError

TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
"""The characters of a token (RFC 9110, section 5.6.2), as a pattern."""

QUOTED = r'"(?:[\t !#-\[\]-~\x80-\xff]|\\[\t -~\x80-\xff])*"'
"""A quoted string (RFC 9110, section 5.6.4), as a pattern."""

_NAME = re.compile(TOKEN)
_VALUE = re.compile(r"(?:[!-~\x80-\xff](?:[\t -~\x80-\xff]*[!-~\x80-\xff])?)?")
_ELEMENT = re.compile(rf'[ \t]*((?:{QUOTED}|[^",])*)(?:,|\Z)')
_PARAMETER = re.compile(rf"[ \t]*;[ \t]*(?:({TOKEN})=({TOKEN}|{QUOTED}))?")
_ESCAPED = re.compile(r"\\(.)")
_QUALITY = re.compile(r"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?")

SPELLINGS: Mapping[str, str] = {
    "content-md5": "Content-MD5",
    "dnt": "DNT",
    "etag": "ETag",
    "http2-settings": "HTTP2-Settings",
    "sec-websocket-accept": "Sec-WebSocket-Accept",
    "sec-websocket-extensions": "Sec-WebSocket-Extensions",
    "sec-websocket-key": "Sec-WebSocket-Key",
    "sec-websocket-protocol": "Sec-WebSocket-Protocol",
    "sec-websocket-version": "Sec-WebSocket-Version",
    "te": "TE",
    "www-authenticate": "WWW-Authenticate",
    "x-xss-protection": "X-XSS-Protection",
}
"""The names that are not spelt with a capital after each hyphen."""


class Weighted(NamedTuple):
    """An element of a list with a quality value, such as ``text/html;q=0.8``."""

    value: str
    """The element without its parameters, in lower case: ``text/html``."""
    parameters: dict[str, str]
    """Its parameters but ``q``, their names in lower case."""
    quality: float
    """From 0, not acceptable, to 1; 1 when nothing was said."""


def canonical_name(name: str) -> str:
    """Return the usual spelling of a field name: ``Content-Type``, ``ETag``.

    ``name`` in any case. Names that are not known get a capital after each hyphen.

    >>> canonical_name("CONTENT-type"), canonical_name("etag")
    ('Content-Type', 'ETag')
    """
    lower = name.lower()
    spelt = SPELLINGS.get(lower)
    return "-".join(map(str.capitalize, lower.split("-"))) if spelt is None else spelt


class Fields:
    """The fields of one message, in their order; a name may stand in several lines.

    ``Fields([("Content-Type", "text/html")])`` checks each pair and raises `AnswerError` where a
    name or value cannot be written: whoever makes fields in this process is the author of an
    answer. Spaces and tabs around a value are dropped. Equal fields have the same names and values
    in the same order. ``combined`` may be read: each name in lower case with what `get` returns.
    Source: RFC 9110, section 5.
    """

    __slots__ = ("_lines", "_names", "_values", "combined")
    _lines: tuple[str, str] | None
    _names: tuple[str, ...]
    _values: tuple[str, ...]
    combined: Mapping[str, str]

    def __init__(self, pairs: Iterable[tuple[str, str]] = ()) -> None:
        names = []
        values = []
        for name, value in pairs:
            check_name(name)
            values.append(checked_value(name, value))
            names.append(name.lower())
        parsed = Fields.from_parser(names, values)
        self._names, self._values, self.combined = parsed._names, parsed._values, parsed.combined
        self._lines = None

    @classmethod
    def from_parser(cls, names: Sequence[str], values: Sequence[str]) -> Fields:
        """Fields of names in lower case and values that a parser has checked: nothing is checked.

        Everybody else makes ``Fields(pairs)``.
        """
        self = cls.__new__(cls)
        self._names = tuple(names)
        self._values = tuple(values)
        self._lines = None
        combined = dict(zip(names, values))  # noqa: B905 - to say strict=False takes 0.2 us
        if len(combined) != len(names):
            # A comma is part of a cookie's value: RFC 9113, 8.2.3, has what joins them.
            combined = {
                name: ("; " if name == "cookie" else ", ").join(self._all(name))
                for name in combined
            }
        self.combined = combined
        return self

    def lines(self) -> tuple[str, str]:
        """Return the names, in lower case, and the values of `combined`, each on a line."""
        lines = self._lines
        if lines is None:
            combined = self.combined
            lines = self._lines = "\n".join(combined), "\n".join(combined.values())
        return lines

    def _all(self, name: str) -> tuple[str, ...]:
        pairs = zip(self._names, self._values, strict=True)
        return tuple(value for own, value in pairs if own == name)

    def get(self, name: str) -> str | None:
        """Return the value of ``name``, or None; several lines are joined with ``", "``.

        Those of Cookie are joined with ``"; "`` (RFC 9113, section 8.2.3).

        RFC 9110, section 5.2, says that this is the value of a field of several lines. A field
        that may stand only once is then malformed, as it should be; see `get_all`.
        """
        return self.combined.get(name.lower())

    def get_all(self, name: str) -> tuple[str, ...]:
        """Return the value of each line of ``name``; none give an empty tuple."""
        name = name.lower()
        return self._all(name) if name in self.combined else ()

    def items(self) -> Iterator[tuple[str, str]]:
        """Return every line: its name in the usual spelling, its value."""
        return zip(map(canonical_name, self._names), self._values, strict=True)

    def elements(self, name: str) -> tuple[str, ...]:
        """Return the elements of the lists in all lines of ``name``, without those that are empty.

        A comma in a quoted string does not end an element; quoted strings stay quoted. Raises
        `FieldSyntaxError` where a quoted string has no end. Source: RFC 9110, section 5.6.1.
        """
        value = self.combined.get(name.lower())
        return () if value is None else split_list(value)

    def weighted(self, name: str) -> tuple[Weighted, ...]:
        """Return the elements of ``name`` with their quality values, in the order they came.

        Raises `FieldSyntaxError` for malformed elements. Source: RFC 9110, section 12.4.2.
        """
        return tuple(_weigh(element) for element in self.elements(name))

    def __contains__(self, name: str) -> bool:
        return name.lower() in self.combined

    def __len__(self) -> int:
        return len(self._names)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Fields):
            return NotImplemented
        return self._names == other._names and self._values == other._values

    def __hash__(self) -> int:
        return hash((self._names, self._values))

    def __repr__(self) -> str:
        return f"Fields({list(self.items())!r})"


class FieldsBuilder:
    """Fields while they are made: add, set and remove, then `build`.

    >>> builder = FieldsBuilder(Fields([("Vary", "Accept")]))
    >>> builder.set("cache-control", "no-store")
    >>> builder.build()
    Fields([('Vary', 'Accept'), ('Cache-Control', 'no-store')])
    """

    def __init__(self, fields: Fields | None = None) -> None:
        self._pairs = [] if fields is None else list(fields.items())

    def add(self, name: str, value: str) -> None:
        """Add a line after those of the same name. Raises `AnswerError` if it cannot be written."""
        check_name(name)
        self._pairs.append((name, checked_value(name, value)))

    def set(self, name: str, value: str) -> None:
        """Add a line in place of all those of the same name. Raises as `add` does."""
        check_name(name)
        value = checked_value(name, value)
        self.remove(name)
        self._pairs.append((name, value))

    def remove(self, name: str) -> None:
        """Remove every line of that name; there need be none."""
        lower = name.lower()
        self._pairs = [pair for pair in self._pairs if pair[0].lower() != lower]

    def build(self) -> Fields:
        """Return the fields as they are at this moment."""
        return Fields(self._pairs)


def check_name(name: str) -> None:
    """Raise `AnswerError` unless ``name`` can be the name of a field (RFC 9110, section 5.1)."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise AnswerError(f"field name {name!r} is no token: letters, digits and !#$%&'*+-.^_`|~")


def checked_value(name: str, value: str) -> str:
    """Return a value without the spaces around it, or raise `AnswerError`.

    A line break in a value would end the field, and what follows would be read as the next one or
    as the body: response splitting. Source: RFC 9110, section 5.5.
    """
    if not isinstance(value, str):
        raise AnswerError(f"the value of field {name} must be text, not {type(value).__name__}")
    value = value.strip(" \t")
    if not _VALUE.fullmatch(value):
        raise AnswerError(
            f"the value of field {name} has a character that no field may have: control "
            f"characters, line breaks, and what is not in latin-1: {value[:80]!r}"
        )
    return value


def split_list(value: str) -> tuple[str, ...]:
    """Return the elements of one list, see `Fields.elements`."""
    if '"' not in value:
        return tuple(part for part in (item.strip(" \t") for item in value.split(",")) if part)
    found = []
    at = 0
    while at < len(value):
        match = _ELEMENT.match(value, at)
        if match is None:
            raise FieldSyntaxError("a quoted string in a list has no end or a bad character")
        if element := match[1].strip(" \t"):
            found.append(element)
        at = match.end()
    return tuple(found)


def parse_parameters(value: str) -> tuple[str, dict[str, str]]:
    """Split ``text/html; charset="x"`` into ``text/html`` and ``{"charset": "x"}``.

    What stands before the parameters and their names come in lower case; quoted values without
    their quotes. Raises `FieldSyntaxError` for a parameter that is malformed or comes twice: of two
    boundaries one would be read here and the other one elsewhere. Source: RFC 9110, section 5.6.6.
    """
    main, semicolon, _ = value.partition(";")
    parameters: dict[str, str] = {}
    at = len(main)
    end = len(value.rstrip(" \t"))
    while semicolon and at < end:
        match = _PARAMETER.match(value, at)
        if match is None:
            raise FieldSyntaxError("a parameter must be name=value, its value a token or quoted")
        if match[1]:
            name = match[1].lower()
            if name in parameters:
                raise FieldSyntaxError(f"parameter {name} stands twice")
            parameters[name] = _unquoted(match[2])
        at = match.end()
    return main.strip(" \t").lower(), parameters


def _unquoted(value: str) -> str:
    return _ESCAPED.sub(r"\1", value[1:-1]) if value.startswith('"') else value


def _weigh(element: str) -> Weighted:
    value, parameters = parse_parameters(element)
    quality = parameters.pop("q", "1")
    if not _QUALITY.fullmatch(quality):
        raise FieldSyntaxError("a quality value must be 0 to 1 with at most three decimals")
    return Weighted(value, parameters, float(quality))
