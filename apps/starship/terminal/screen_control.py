"""The terminal itself: raw keys in, lines out, and everything put back when the client ends."""

from __future__ import annotations

import contextlib
import os
import termios
import tty
from collections.abc import Sequence
from typing import Any

from apps.starship.terminal.drawing import HEIGHT, WIDTH
from apps.starship.terminal.lines import Line, rendered

_ENTER = "\x1b[?1049h\x1b[2J"
_LEAVE = "\x1b[?1049l"
_READ_BYTES = 4_096


def size_of(number: int) -> tuple[int, int]:
    """Return columns and rows of a terminal; of what is none, or does not say, the usual size."""
    try:
        size = os.get_terminal_size(number)
    except OSError:
        return WIDTH, HEIGHT
    return (size.columns, size.lines) if size.columns and size.lines else (WIDTH, HEIGHT)


class Screen:
    """A terminal that is drawn on, as a context: what it was before comes back at the end.

    ``keys`` and ``shown`` are the file descriptors of keyboard and screen.
    """

    def __init__(self, keys: int, shown: int, colour: bool) -> None:
        self.keys, self._shown, self._colour = keys, shown, colour
        self._before: list[Any] | None = None
        self._lines: list[str] = []
        self._cursor = -1

    def __enter__(self) -> Screen:
        self._before = termios.tcgetattr(self.keys)
        self.resume()
        return self

    def __exit__(self, *_error: object) -> None:
        self.release()

    def resume(self) -> None:
        """Take the terminal, at the beginning or after it was given back for a while."""
        tty.setraw(self.keys, termios.TCSADRAIN)
        self._write(_ENTER)
        self._lines = []

    def release(self) -> None:
        """Give the terminal back as it was."""
        # A terminal that is gone, as when its window was closed, needs nothing back.
        with contextlib.suppress(OSError):
            self._write(_LEAVE)
        if self._before is not None:
            with contextlib.suppress(termios.error):
                termios.tcsetattr(self.keys, termios.TCSADRAIN, self._before)

    def size(self) -> tuple[int, int]:
        """Return columns and rows."""
        return size_of(self._shown)

    def read(self) -> bytes:
        """Return what was typed, ``b""`` when the terminal is gone."""
        try:
            return os.read(self.keys, _READ_BYTES)
        except OSError:
            return b""

    def forget(self) -> None:
        """Draw everything anew the next time."""
        self._lines = []

    def draw(self, lines: Sequence[Line], cursor: int) -> None:
        """Show lines, of which only those are sent that changed; the cursor stands in the last."""
        made = [rendered(row, self._colour) for row in lines]
        sent = [] if len(self._lines) == len(made) else ["\x1b[2J"]
        known = self._lines if not sent else [""] * len(made)
        for number, (text, before) in enumerate(zip(made, known, strict=True), 1):
            if text != before:
                sent.append(f"\x1b[{number};1H{text}\x1b[K")
        if not sent and cursor == self._cursor:
            return
        sent.append(f"\x1b[{len(made)};{cursor + 1}H")
        self._lines, self._cursor = made, cursor
        self._write("".join(sent))

    def _write(self, text: str) -> None:
        data = text.encode("ascii", "replace")
        while data:
            data = data[os.write(self._shown, data) :]
