"""Every error of the HTTP server, in one tree.

::

    HttpError
    |-- RequestRejected    a client sent what cannot be answered but by this status
    |-- FieldSyntaxError   the value of a field is not what its grammar allows (a ValueError)
    |-- AnswerError        the author of an answer asked for what cannot be sent (a ValueError)
    |-- FileChanged        a file became shorter while it was sent
    |-- ProfileError       a profile says what cannot be (a ValueError)
    |-- OutOfTurnError     a core was called when it cannot be (a RuntimeError)
    `-- BadLimitError      a bound that is no bound, or does not fit another (a ValueError)

The first two are the other side's fault, the others are this side's; after h11.
"""

from __future__ import annotations


class HttpError(Exception):
    """The root of every error the HTTP server raises by itself."""


class RequestRejected(HttpError):
    """A request that gets no other answer than ``status``, after which the connection closes.

    ``status`` is the status code of RFC 9110, section 15, ``explain`` a sentence for whoever made
    the request: what was wrong and what was expected. It repeats nothing the client sent.
    """

    def __init__(self, status: int, explain: str) -> None:
        super().__init__(status, explain)
        self.status = status
        self.explain = explain

    def __str__(self) -> str:
        return f"{self.status}: {self.explain}"


class FieldSyntaxError(HttpError, ValueError):
    """The value of a field is not what its grammar allows; the text says which part.

    Whether the request is then refused or the field ignored, the rules of that field say.
    """


class AnswerError(HttpError, ValueError):
    """An answer cannot be sent as its author wrote it; nothing of the refused part was sent."""


class FileChanged(HttpError):
    """A file ends before the length that was announced for it: somebody truncated it meanwhile.

    The answer cannot be completed; the connection has to be closed, so that the client sees it.
    """


class ProfileError(HttpError, ValueError):
    """A profile cannot be read, or says what cannot be; the text begins with file and line."""


class OutOfTurnError(HttpError, RuntimeError):
    """A core was called when it cannot be: data after the end, a body before its head."""


class BadLimitError(HttpError, ValueError):
    """A bound of `HttpLimits` is no positive number or does not fit another one."""
