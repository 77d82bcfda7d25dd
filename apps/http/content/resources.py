"""What handlers are given and what they return: requests and responses as values.

Both are records, so a handler may live on another node and is none the wiser. Two rules. Neither
ever changes. A request is nothing but texts, since each one is a message: to look through two
tuples of a browser's nine fields takes longer than to call the page. For the same reason it is a
named tuple, which is made in a third of the time of a dataclass.
"""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

import vista
from apps.http.content.forms import Form, UploadedFile, form_of, parse_form
from apps.http.errors import AnswerError, RequestRejected
from apps.http.syntax.answers import REASONS, AnswerWriter, DateCache
from apps.http.syntax.cookies import parse_cookies
from apps.http.syntax.fields import Fields

HTML = "text/html; charset=utf-8"
"""The Content-Type of a text that says nothing else."""
BYTES = "application/octet-stream"
"""The Content-Type of bytes that say nothing else."""

_DATES = DateCache()
_DATE_LINE = _DATES.line(0).encode("ascii")


@vista.record
class Request(NamedTuple):
    """A request as its handler gets it.

    ``method`` is the command, ``path`` the decoded path without dot segments, ``query`` what
    followed the question mark as it was sent, ``body`` the whole body. ``host`` is the host that
    was asked for or ``""``, ``site`` the logical name of the site that answers, ``client`` the
    address of the other side, ``secure`` whether the request came over TLS, be it to a proxy that
    is believed. `field` looks a header field up; ``header_names`` (in lower case) and
    ``header_values`` are all of them, a line each.
    ``user`` is who logged in, ``session`` the Id of the session; ``""`` where there is none.

    `form` gives the values and files of a form. A body that is too large for memory, which the
    site's profile must allow, is no ``body`` but an ``upload``, or if it is a form its ``parts``.
    ``uploads`` keeps the files of a form in memory. ``trailer_names`` and ``trailer_values`` are
    the fields that followed the body, as ``header_names`` are; `trailer` looks one up. They are
    kept apart since a server on the way may have judged by the header what it did not see there.

    Example::

        def get_request(self, request):
            return f"Hello {request.parameter('name', 'world')}"
    """

    method: str
    path: str
    query: str = ""
    header_names: str = ""
    header_values: str = ""
    body: bytes = b""
    host: str = ""
    site: str = ""
    client: str = ""
    version: str = "1.1"
    secure: bool = False
    user: str = ""
    session: str = ""
    upload: UploadedFile | None = None
    parts: tuple[Any, ...] | None = None  # not (): what is nothing but texts is not looked into
    uploads: Any = None
    trailer_names: str = ""
    trailer_values: str = ""

    def field(self, name: str, default: str = "") -> str:
        """Return the value of a header field; several lines of it are joined with ``", "``.

        For cookies see `cookie`.
        """
        return self.header().get(name.lower(), default)

    def trailer(self, name: str, default: str = "") -> str:
        """Return the value of a field that followed the body (RFC 9110, section 6.5)."""
        names, values = self.trailer_names.split("\n"), self.trailer_values.split("\n")
        return dict(zip(names, values, strict=True)).get(name.lower(), default)

    def header(self) -> dict[str, str]:
        """Return the header fields by name in lower case."""
        if not self.header_names:
            return {}
        names, values = self.header_names.split("\n"), self.header_values.split("\n")
        return dict(zip(names, values, strict=True))

    def fields(self) -> Fields:
        """Return the header fields as the rules of `apps.http.syntax` read them."""
        header = self.header()
        return Fields.from_parser(tuple(header), tuple(header.values()))

    def cookies(self) -> dict[str, str]:
        """Return the cookies by name (RFC 6265); what is malformed or too many is left out.

        They are what somebody sent: a visitor, or another site of the domain. The field
        ``Set-Cookie`` of an answer sets one; `apps.http.syntax.cookies.set_cookie` writes it.
        """
        if "cookie" not in self.header_names:
            return {}  # said at once: to take the header apart takes ten times as long
        return parse_cookies(self.field("cookie"))

    def cookie(self, name: str, default: str = "") -> str:
        """Return one cookie; see `cookies`."""
        return self.cookies().get(name, default)

    def form(self) -> Form:
        """Return the values and files of the form that is the body, of either type.

        Raises `RequestRejected` for a body that is no form or a malformed one: a handler that lets
        it pass answers 415, 400 or 413 by it.
        """
        if self.parts:
            return form_of(self.parts)
        if self.upload is not None:
            raise RequestRejected(413, "The form is too large.")
        return parse_form(self.field("content-type"), self.body, self.uploads)

    def parameters(self) -> dict[str, str]:
        """Return the parameters of the query by name; of a name that stands twice the last one."""
        return dict(parse_qsl(self.query, keep_blank_values=True))

    def parameter(self, name: str, default: str = "") -> str:
        """Return one parameter of the query; see `parameters`."""
        return self.parameters().get(name, default)


@vista.record
@dataclass(frozen=True, slots=True)
class Response:
    """An answer: what a handler returns where a ``str`` or ``bytes`` does not say enough.

    ``body`` is text, which is sent as UTF-8, or bytes; ``status`` the status code; ``fields`` are
    (name, value) pairs, if any. Date, Content-Length and Transfer-Encoding are the server's.
    Without a Content-Type text is HTML and bytes are just bytes.

    ``source`` replaces the body by an object that answers ``read_bytes(maximum)`` until it gives
    ``b""``, such as an ``IOobject``, and is deleted afterwards, or by a `Feed`; ``length`` is the
    number of bytes it will give, if that is known. ``prepared`` is made by `prepare` alone.

    ``trailers`` names fields that are known when the body is, such as its digest. To a client that
    takes them (``TE: trailers``) the ``source`` is sent ``get_trailers()`` at its end and returns
    (name, value) pairs, which follow the body; others do not get them. There is no ``length`` then.

    Example::

        return Response("gone fishing", status=503, fields=(("Retry-After", "3600"),))
    """

    body: str | bytes = b""
    status: int = 200
    fields: tuple[tuple[str, str], ...] | None = None
    source: Any = None
    length: int | None = None
    prepared: bytes = b""
    trailers: tuple[str, ...] | None = None


@vista.record
@dataclass(frozen=True, slots=True)
class Feed:
    """A body that an object pushes piece by piece, as the ``source`` of a `Response`.

    ``target`` is the object, which answers the messages of `apps.http.objects.feeding`; ``note`` is
    a value that it gets back when the feed begins. With ``takes_input`` the answer is 101 and what
    the client sends afterwards goes to the object.
    """

    target: vista.Ref
    note: Any = None
    takes_input: bool = False


def prepare(response: Response) -> Response:
    """Return the same response with its head written, ready to be sent many times.

    ``prepared`` then holds every line but Date and Connection. Raises `AnswerError` for a head that
    cannot be sent.
    """
    body = body_of(response)
    writer = AnswerWriter(_DATES)
    writer.begin(None)
    head = writer.head(response.status, fields_of(response), 0, length=len(body))
    head = head.replace(_DATE_LINE, b"").replace(b"Connection: close\r\n", b"")
    return Response(body, response.status, prepared=head.removesuffix(b"\r\n"))


def takes_trailers(response: Response, fields: Fields, version: tuple[int, int]) -> bool:
    """Tell whether the trailers of an answer are sent to who asks with these fields.

    Source: RFC 9110, section 6.5.1.
    """
    if not response.trailers or response.length is not None or version == (1, 0):
        return False
    wanted = fields.combined.get("te", "").lower().split(",")
    return "trailers" in (each.strip(" \t") for each in wanted)


def trailer_field(response: Response, trailing: bool) -> tuple[tuple[str, str], ...]:
    """Return the field that announces trailers, where they are sent (RFC 9110, 6.6.2)."""
    return (("Trailer", ", ".join(response.trailers or ())),) if trailing else ()


def unprepared(response: Response) -> tuple[tuple[str, str], ...]:
    """Return the fields of a head that was prepared, for the rare answer that is written anew."""
    lines = response.prepared.decode("latin-1").split("\r\n")[1:-1]
    pairs = (line.partition(": ") for line in lines)
    return tuple((name, value) for name, _, value in pairs if name != "Content-Length")


def body_of(response: Response) -> bytes:
    """Return the body as bytes. Raises `AnswerError` for what is no body."""
    body = response.body
    if isinstance(body, str):
        try:
            return body.encode()
        except UnicodeEncodeError as error:
            raise AnswerError(f"the body has a character without UTF-8: {error}") from error
    if not isinstance(body, bytes):
        raise AnswerError(f"a body is text or bytes, not {type(body).__name__}")
    return body


def check_source(response: Response) -> None:
    """Raise `AnswerError` for a ``source`` that is no object, or a ``length`` that is none."""
    source, length = response.source, response.length
    if not isinstance(source, vista.Ref | Feed):
        raise AnswerError(f"the source of a body is a Ref or a Feed, not {type(source).__name__}")
    if length is not None and (type(length) is not int or length < 0):
        raise AnswerError(f"the length of a body is a number of bytes from 0, not {length!r:.80}")


def fields_of(response: Response) -> tuple[tuple[str, str], ...]:
    """Return the fields, a Content-Type among them if there is a body.

    Raises `AnswerError` for what are no fields.
    """
    fields = response.fields or ()
    try:
        if any(name.lower() == "content-type" for name, _ in fields):
            return fields
    except (AttributeError, TypeError, ValueError):
        raise AnswerError(f"fields are pairs of texts, not {fields!r:.80}") from None
    if not response.body and response.source is None:
        return fields
    kind = HTML if isinstance(response.body, str) else BYTES
    return (*fields, ("Content-Type", kind))


def as_response(result: object) -> Response | None:
    """Return what a handler returned as a response; None when it is nothing that can be sent."""
    if isinstance(result, Response):
        return result
    return Response(result) if isinstance(result, str | bytes) else None


def error_response(status: int, explain: str, fields: tuple[tuple[str, str], ...] = ()) -> Response:
    """Return the plain page of an error: ``explain`` is a sentence for whoever made the request."""
    reason = REASONS.get(status, "Error")
    page = (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{status} {reason}'
        f"</title></head>\n<body><h1>{reason}</h1><p>{html.escape(explain)}</p></body></html>\n"
    )
    return Response(page, status, fields)
