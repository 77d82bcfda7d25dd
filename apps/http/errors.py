"""Every error of the HTTP server, in one tree.

::

    HttpError
    |-- RequestRejected    a client sent what cannot be answered but by this status
    |-- FieldSyntaxError   the value of a field is not what its grammar allows (a ValueError)
    |-- AnswerError        the author of an answer asked for what cannot be sent (a ValueError)
    |-- FileChanged        a file became shorter while it was sent
    |-- ProfileError       a profile says what cannot be (a ValueError)
    |-- PasswordFileError  a file of passwords cannot be used (a ValueError)
    |-- ApplicationError   a mounted application does not start, or breaks its protocol
    |-- ClientGone         a mounted application sends to a client that is gone (an OSError)
    |-- WebSocketClosed    a page sends to a client whose WebSocket is closed (an OSError)
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


class PasswordFileError(HttpError, ValueError):
    """A file of passwords cannot be read or says what cannot be; the text has file and line.

    As long as that is so, nobody gets in where it is needed.
    """


class ApplicationError(HttpError, RuntimeError):
    """A mounted application cannot be loaded or started, or breaks the rules of its protocol."""


class ClientGone(HttpError, OSError):
    """Raised in a mounted application that sends on to a client that is gone: nobody reads it."""


class WebSocketClosed(HttpError, OSError):
    """A WebSocket is closed, so nothing can be sent.

    ``code`` is that of RFC 6455, section 7.4.1, ``reason`` what the side said that closed it.
    """

    def __init__(self, code: int, reason: str = "") -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason

    def __str__(self) -> str:
        return f"closed with code {self.code}{': ' if self.reason else ''}{self.reason}"


class OutOfTurnError(HttpError, RuntimeError):
    """A core was called when it cannot be: data after the end, a body before its head."""


class BadLimitError(HttpError, ValueError):
    """A bound of `HttpLimits` is no positive number or does not fit another one."""
