"""Logging of the command: one line for each event on the standard error.

Text lines are for people, ``--log-json`` lines for programs. An exception adds its last line and
the place that raised it; its full traceback is in the JSON line, and follows the text line at level
``debug``.
"""

from __future__ import annotations

import json
import logging
import sys
import traceback
from datetime import UTC, datetime
from typing import TextIO

LEVELS = ("debug", "info", "warning", "error", "critical")
"""What ``--log-level`` takes, from the most to the least."""


def start_logging(
    level: str, *, as_json: bool, stream: TextIO | None = None, node: str = ""
) -> None:
    """Send vista's log to ``stream`` (the standard error if None) from ``level`` on.

    ``node`` is put into JSON lines: the name by which several nodes in one log are told apart.
    """
    handler = _StandardError() if stream is None else logging.StreamHandler(stream)
    with_traceback = level == "debug"
    handler.setFormatter(JsonFormatter(node) if as_json else LineFormatter(with_traceback))
    logger = logging.getLogger()
    logger.handlers[:] = [handler]
    logger.setLevel(level.upper())


class _StandardError(logging.StreamHandler[TextIO]):
    """Writes to what the standard error is at the moment.

    While a prompt waits for a line, that is what puts lines above the one being typed.
    """

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:  # type: ignore[override]
        """The present standard error."""
        return sys.stderr


def _time(record: logging.LogRecord) -> str:
    moment = datetime.fromtimestamp(record.created, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _where(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return f" ({frames[-1].filename}:{frames[-1].lineno})" if frames else ""


class LineFormatter(logging.Formatter):
    """``2026-03-01T18:30:00.125Z warning vista.rc: text``, on one line.

    ``with_traceback`` lets the traceback of an exception follow.
    """

    def __init__(self, with_traceback: bool = False) -> None:
        super().__init__()
        self._with_traceback = with_traceback

    def format(self, record: logging.LogRecord) -> str:
        """The event as a line."""
        text = f"{record.name}: {record.getMessage()}"
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            text += f": {type(error).__name__}: {error}{_where(error)}"
        one_line = text.replace("\n", "\\n").replace("\r", "\\r")
        shown = f"{_time(record)} {record.levelname.lower()} {one_line}"
        if error is not None and self._with_traceback:
            shown += "\n" + "".join(traceback.format_exception(error)).rstrip()
        return shown


class JsonFormatter(logging.Formatter):
    """One JSON object a line: ``time``, ``level``, ``logger``, ``text`` and, for exceptions,
    ``traceback``; ``node`` where one was named."""

    def __init__(self, node: str = "") -> None:
        super().__init__()
        self._node = node

    def format(self, record: logging.LogRecord) -> str:
        """The event as a JSON line."""
        event = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "text": record.getMessage(),
        }
        if self._node:
            event["node"] = self._node
        if record.exc_info and record.exc_info[1] is not None:
            event["traceback"] = "".join(traceback.format_exception(record.exc_info[1]))
        return json.dumps(event, ensure_ascii=False)
