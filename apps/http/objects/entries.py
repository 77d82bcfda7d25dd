"""What a directory knows of an object: what it answers, and answers of its that are ready.

The object of a file answers most requests with the same bytes for as long as the file is not looked
at again. It tells them to its directory, which then answers in its place: to make a request of a
head, send it and take the answer back takes longer than everything else that is done for a file.
One rule: what is ready is good for exactly as long as the object itself would give it without a
look at the disk.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import vista
from apps.http.content.resources import Response, error_response
from apps.http.objects.afar import is_far
from apps.http.objects.found import WEBSOCKET

ANY_REQUEST = "any_request"
"""The message for methods that an object has none of its own for, known ones or not."""
CHECK_SECONDS = 1.0
"""How long a file is taken to be what it was; then the disk is asked again."""
READY_MAX = 8
"""Answers that are ready for one file: browsers send few different fields Accept-Encoding."""
ACCEPTS_CHARACTERS_MAX = 256
"""Characters of a field Accept-Encoding for which an answer is kept ready; browsers send 30. Who
sends longer ones is answered by the object, and fills no memory for each file."""


@dataclass(slots=True)
class Entry:
    """An object and what it answers: message by method; which of them the original's way.

    ``otherwise`` is the message for methods that have none. ``plain_get`` says that a GET is sent
    as ``get_request`` to an object of this node; ``is_far`` that it was made on another one.
    """

    target: vista.Ref
    messages: dict[str, str]
    asynchronous: frozenset[str] = frozenset()
    otherwise: str | None = None
    is_far: bool = False
    plain_get: bool = field(init=False)
    _ready: dict[str | None, tuple[Response, float]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        usual = "GET" in self.messages and "get_request" not in self.asynchronous
        self.plain_get = usual and not self.is_far

    def ready(self, accepts: str, now: float) -> Response | None:
        """Return the answer to a plain GET with a field Accept-Encoding, None if none is ready.

        ``now`` is in seconds since 1970.
        """
        answers = self._ready
        found = answers.get(None) or answers.get(accepts)
        if found is None or not 0 <= now - found[1] < CHECK_SECONDS:
            return None
        return found[0]

    def keep(self, accepts: str | None, answer: Response, checked: float) -> None:
        """Have an answer ready until `CHECK_SECONDS` after ``checked``, in seconds since 1970.

        ``accepts`` is the field Accept-Encoding with which one gets it; None when all get the same.
        """
        if len(self._ready) >= READY_MAX:
            self._ready.clear()
        self._ready[accepts] = (answer, checked)

    def forget(self) -> None:
        """Have no answer ready."""
        self._ready.clear()


def entry_of(target: vista.Ref, commands: dict[str, str]) -> Entry:
    """Return what an object answers, as it says itself; ``commands`` are messages by method.

    Raises `BadValueError` when it answers no request.
    """
    rows = vista.send(target, "methods")
    messages = {method: name for method, name in commands.items() if name in rows}
    if "GET" in messages:
        messages.setdefault("HEAD", messages["GET"])
    otherwise = ANY_REQUEST if ANY_REQUEST in rows else None
    if not messages and otherwise is None:
        raise vista.BadValueError(
            f"{target} answers no request: it has none of {', '.join(commands.values())}"
        )
    asynchronous = frozenset(
        name for name in messages.values() if "reply_method" in rows[name].signature
    )
    return Entry(target, messages, asynchronous, otherwise, is_far(target))


def refused_method(method: str, entry: Entry, is_known: bool) -> Response:
    """Return the answer to a method that an object has no message for; OPTIONS is told the others.

    ``is_known`` says that the site knows the method. Source: RFC 9110, sections 9.3.7 and 15.5.6.
    """
    if method == "GET" and WEBSOCKET in entry.messages:
        explain = "This address speaks WebSocket only."
        return error_response(426, explain, (("Upgrade", "websocket"),))
    allow = (("Allow", ", ".join(sorted({*entry.messages, "OPTIONS"} - {WEBSOCKET}))),)
    if method == "OPTIONS":
        return Response(b"", 204, allow)
    if not is_known:
        return error_response(501, "No such method is known here.")
    return error_response(405, "This address does not take that method.", allow)
