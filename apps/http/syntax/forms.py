"""Forms that a browser sends: ``x-www-form-urlencoded`` whole, ``multipart/form-data`` as a stream.

The multipart reader announces parts and passes their bytes on as they arrive; it keeps none of
them, so what a part costs is decided by whoever takes them. python-multipart finds the boundaries;
the heads of the parts are read here (RFC 7578).
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto
from urllib.parse import parse_qsl

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser

from apps.http.errors import FieldSyntaxError, RequestRejected
from apps.http.syntax.fields import parse_parameters
from apps.http.syntax.limits import HttpLimits

BOUNDARY_BYTES_MAX = 70
"""RFC 2046, section 5.1.1."""

_PARAMETER = re.compile(
    r"""[ \t]*;[ \t]*([!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*=[ \t]*("(?:[^"\\]|\\.)*"|[^";\s]*)"""
)
_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,./:=? -]*[0-9A-Za-z'()+_,./:=?-]")
# Browsers escape three characters, in percent; curl writes \" and \\. Other backslashes are a part
# of the name, since old browsers send whole paths.
_ESCAPED = re.compile(r'%22|%0[AaDd]|\\["\\]')
_CONTROLS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


class FormValues:
    """The names and values of a form in the order sent; a name may come several times.

    >>> form = parse_urlencoded(b"ship=Enterprise&move=N&move=NE", HttpLimits())
    >>> form.get("ship"), form.get_all("move")
    ('Enterprise', ('N', 'NE'))
    """

    __slots__ = ("_pairs",)

    def __init__(self, pairs: tuple[tuple[str, str], ...]) -> None:
        self._pairs = pairs

    def get(self, name: str, default: str | None = None) -> str | None:
        """Return the first value of a name, or ``default``."""
        return next((value for key, value in self._pairs if key == name), default)

    def get_all(self, name: str) -> tuple[str, ...]:
        """Return every value of a name; names of forms are case-sensitive."""
        return tuple(value for key, value in self._pairs if key == name)

    def items(self) -> tuple[tuple[str, str], ...]:
        """Return every name with its value, in the order sent."""
        return self._pairs

    def __contains__(self, name: object) -> bool:
        return any(key == name for key, _ in self._pairs)

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(name for name, _ in self._pairs))

    def __len__(self) -> int:
        return len(self._pairs)

    def __repr__(self) -> str:
        return f"FormValues({self._pairs!r})"


def parse_urlencoded(data: bytes | str, limits: HttpLimits) -> FormValues:
    """Read an urlencoded form: the body of a POST, or the query of a target.

    Bytes that are no UTF-8 become U+FFFD and a percent sign that escapes nothing stands for itself,
    as browsers do it. Raises `RequestRejected` (413) above ``urlencoded_bytes_max`` or
    ``form_fields_max``.

    Source: WHATWG URL, section 5.1.
    """
    if len(data) > limits.urlencoded_bytes_max:
        raise RequestRejected(413, f"the form has more than {limits.urlencoded_bytes_max} bytes")
    text = data.decode("utf-8", "replace") if isinstance(data, bytes) else data
    if text.count("&") >= limits.form_fields_max:
        raise RequestRejected(413, f"the form has more than {limits.form_fields_max} fields")
    return FormValues(tuple(parse_qsl(text, keep_blank_values=True, errors="replace")))


@dataclass(frozen=True, slots=True)
class PartStart:
    """A part of a multipart form begins.

    ``filename`` is None for a plain value. It is a name without folders and controls, but still
    chosen by the other side: never open a file of that name. ``content_type`` is what the other
    side says it is, ``text/plain`` when it says nothing (RFC 7578, section 4.4). ``fields`` are all
    lines of the part's head, names in lower case.
    """

    name: str
    filename: str | None
    content_type: str
    fields: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class PartData:
    """Some bytes of the part that began last."""

    data: bytes


class Mark(Enum):
    """What a `MultipartReader` tells besides parts and their bytes."""

    PART_END = auto()
    """The part that began last is complete."""
    FORM_END = auto()
    """The form is complete; bytes behind it are ignored."""
    NEED_DATA = auto()
    """Nothing more can be told before `MultipartReader.receive` is called again."""


PART_END, FORM_END, NEED_DATA = Mark.PART_END, Mark.FORM_END, Mark.NEED_DATA

FormEvent = PartStart | PartData | Mark


class _Silence:
    """Takes the log lines of python-multipart: each is about bad bytes, of which `RequestRejected`
    tells, and whoever sends such bytes must not fill the log of the node."""

    def warning(self, *_: object) -> None:
        return None


class MultipartReader:
    """Reads a multipart form as it arrives; a stream core without a disk.

    ``content_type`` is the value of the request's Content-Type. Raises `RequestRejected` (400) when
    that is no multipart form or has no usable boundary.

    >>> reader = MultipartReader("multipart/form-data; boundary=b", HttpLimits())
    >>> reader.receive(b"--b\\r\\nContent-Disposition: form-data; name=n\\r\\n\\r\\n")
    >>> reader.receive(b"value\\r\\n--b--")
    >>> reader.next_event().name, reader.next_event().data
    ('n', b'value')

    Source: RFC 7578, RFC 2046 section 5.1.1.
    """

    def __init__(self, content_type: str, limits: HttpLimits) -> None:
        self._limits = limits
        self._events: deque[FormEvent] = deque()
        self._error: RequestRejected | None = None
        self._ended = False
        self._parts = 0
        self._name, self._value = bytearray(), bytearray()
        self._head: list[tuple[str, str]] = []
        self._parser = MultipartParser(
            _boundary(content_type),
            {
                "on_part_begin": self._part_begins,
                "on_header_field": self._name_goes_on,
                "on_header_value": self._value_goes_on,
                "on_header_end": self._field_ends,
                "on_headers_finished": self._head_ends,
                "on_part_data": self._data_goes_on,
                "on_part_end": self._part_ends,
                "on_end": self._form_ends,
            },
            max_header_count=limits.form_part_fields_max,
            max_header_size=limits.form_part_field_bytes_max,
        )
        self._parser.logger = _Silence()  # type: ignore[assignment]

    def receive(self, data: bytes) -> None:
        """Take the next bytes of the body, or ``b""`` for its end.

        Their events wait in memory until `next_event` hands them out, so give no more at once than
        may be kept, and take the events before giving more.
        """
        if self._error is not None or self._ended:
            return
        if not data:
            self._error = RequestRejected(400, "the form ends before its last boundary")
            return
        try:
            self._parser.write(data)
        except RequestRejected as error:
            self._error = error
        except FormParserError:
            self._error = RequestRejected(400, "a boundary or the head of a part is malformed")

    def next_event(self) -> FormEvent:
        """Return what came next; `NEED_DATA` when the bytes so far tell no more.

        Raises `RequestRejected` when everything before the mistake was handed out: 400 for a
        malformed form, 413 for one with too many parts. It is then raised for ever.
        """
        if self._events:
            return self._events.popleft()
        if self._error is not None:
            raise self._error
        return FORM_END if self._ended else NEED_DATA

    def _part_begins(self) -> None:
        self._parts += 1
        most = self._limits.form_fields_max
        if self._parts > most:
            raise RequestRejected(413, f"the form has more than {most} parts")
        self._head = []

    def _name_goes_on(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _value_goes_on(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _field_ends(self) -> None:
        value = self._value.decode("utf-8", "replace").strip(" \t")
        if _CONTROLS.search(value):
            raise RequestRejected(400, "a part of the form has a control character in its head")
        self._head.append((self._name.decode("ascii").lower(), value))
        self._name.clear()
        self._value.clear()

    def _head_ends(self) -> None:
        self._events.append(_part_start(tuple(self._head)))

    def _data_goes_on(self, data: bytes, start: int, end: int) -> None:
        self._events.append(PartData(data[start:end]))

    def _part_ends(self) -> None:
        self._events.append(PART_END)

    def _form_ends(self) -> None:
        self._ended = True


def _boundary(content_type: str) -> bytes:
    try:
        kind, parameters = parse_parameters(content_type)
    except FieldSyntaxError as error:
        raise RequestRejected(400, f"the Content-Type of the form is malformed: {error}") from error
    if kind != "multipart/form-data":
        raise RequestRejected(400, "the form is not of the type multipart/form-data")
    boundary = parameters.get("boundary", "")
    if not _BOUNDARY.fullmatch(boundary) or len(boundary) > BOUNDARY_BYTES_MAX:
        raise RequestRejected(400, "the Content-Type of the form has no usable boundary")
    return boundary.encode("ascii")


def _part_start(head: tuple[tuple[str, str], ...]) -> PartStart:
    fields = dict(head)
    if len(fields) != len(head):
        raise RequestRejected(400, "a part of the form has a field twice in its head")
    kind, parameters = _parameters(fields.get("content-disposition", ""))
    if kind != "form-data" or "name" not in parameters:
        raise RequestRejected(400, "a part lacks Content-Disposition: form-data with a name")
    if fields.get("content-transfer-encoding", "binary").lower() not in ("binary", "8bit", "7bit"):
        # RFC 7578, section 4.7: not to be sent; taken as it is it would be garbage.
        raise RequestRejected(400, "a part of the form is in a Content-Transfer-Encoding")
    filename = parameters.get("filename")
    return PartStart(
        parameters["name"],
        None if filename is None else _CONTROLS.sub("", re.split(r"[/\\]", filename)[-1]),
        fields.get("content-type", "text/plain"),
        head,
    )


def _parameters(value: str) -> tuple[str, dict[str, str]]:
    """Split ``form-data; name="x"`` into its word and parameters, the first of a name counting.

    Parameters behind a mistake are not read, so what is missing then is missed.
    """
    word = value.partition(";")[0]
    parameters: dict[str, str] = {}
    position = len(word)
    while match := _PARAMETER.match(value, position):
        name, text = match[1].lower(), match[2]
        if text.startswith('"'):
            text = _ESCAPED.sub(_unescaped, text[1:-1])
        parameters.setdefault(name, text)
        position = match.end()
    return word.strip(" \t").lower(), parameters


def _unescaped(match: re.Match[str]) -> str:
    escape = match[0]
    return escape[1] if escape[0] == "\\" else chr(int(escape[1:], 16))
