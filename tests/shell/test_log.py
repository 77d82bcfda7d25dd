"""The log of the command: one line for each event."""

from __future__ import annotations

import io
import json
import logging
import sys

import pytest

from vista.shell.log import JsonFormatter, LineFormatter, start_logging


def record(text: str, *values: object, error: BaseException | None = None) -> logging.LogRecord:
    """An event of logger ``vista.rc`` at a fixed time."""
    exc_info = None if error is None else (type(error), error, error.__traceback__)
    made = logging.LogRecord("vista.rc", logging.WARNING, "", 0, text, values, exc_info)
    made.created = 1_000_000_000.125
    return made


def raised(error: BaseException) -> BaseException:
    """The error with a traceback."""
    with pytest.raises(type(error)) as caught:
        raise error
    return caught.value


HEAD = "2001-09-09T01:46:40.125Z warning vista.rc: "


def test_an_event_is_one_line() -> None:
    assert LineFormatter().format(record("a %s", "lamp")) == f"{HEAD}a lamp"


def test_line_ends_in_a_text_are_escaped() -> None:
    assert LineFormatter().format(record("a\r\nb")) == rf"{HEAD}a\r\nb"


def test_an_exception_is_told_with_its_place_on_the_same_line() -> None:
    error = raised(ValueError("too dark"))
    line = LineFormatter().format(record("failed", error=error))
    assert line.startswith(f"{HEAD}failed: ValueError: too dark ({__file__}:")
    assert "\n" not in line


def test_the_traceback_follows_where_it_is_asked_for() -> None:
    error = raised(ValueError("too dark"))
    lines = LineFormatter(with_traceback=True).format(record("failed", error=error)).splitlines()
    assert lines[1] == "Traceback (most recent call last):"
    assert lines[-1] == "ValueError: too dark"


def test_a_json_event_is_one_object_on_one_line() -> None:
    error = raised(ValueError("too dark"))
    line = JsonFormatter().format(record("größe\n%d", 5, error=error))
    event = json.loads(line)
    assert "\n" not in line
    assert event.pop("traceback").splitlines()[-1] == "ValueError: too dark"
    assert event == {
        "time": "2001-09-09T01:46:40.125Z",
        "level": "warning",
        "logger": "vista.rc",
        "text": "größe\n5",
    }


def test_a_json_event_without_an_exception_has_no_traceback() -> None:
    assert sys.exc_info() == (None, None, None)
    assert "traceback" not in json.loads(JsonFormatter().format(record("plain")))


def test_the_log_goes_to_the_present_standard_error(monkeypatch: pytest.MonkeyPatch) -> None:
    logger = logging.getLogger()
    before, level = logger.handlers[:], logger.level
    try:
        start_logging("info", as_json=False)
        # As a prompt does while it waits for a line.
        monkeypatch.setattr(sys, "stderr", io.StringIO())
        logging.getLogger("vista.rc").warning("a lamp")
        assert sys.stderr.getvalue().endswith("warning vista.rc: a lamp\n")
    finally:
        logger.handlers[:] = before
        logger.setLevel(level)
