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
from apps.http.content.resources import Response
from apps.http.objects.afar import is_far

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
