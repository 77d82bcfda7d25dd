"""A terminal that understands what the client sends, and nothing else."""

from __future__ import annotations

import re

_PIECE = re.compile(r"\x1b\[([?0-9;]*)([A-Za-z])|([ -~])|([\r\n])|(.)", re.DOTALL)
_PARTIAL = re.compile(r"\x1b(\[[?0-9;]*)?$")


class Emulator:
    """A screen of ``columns`` x ``rows`` characters; `text` is what stands on it."""

    def __init__(self, columns: int = 80, rows: int = 24) -> None:
        self.columns, self.rows = columns, rows
        self.alternate = False
        self.coloured = False
        self.x = self.y = 0
        self._rest = ""
        self._clear()

    def _clear(self) -> None:
        self._cells = [[" "] * self.columns for _ in range(self.rows)]

    def resize(self, columns: int, rows: int) -> None:
        """Be another size, with an empty screen."""
        self.columns, self.rows = columns, rows
        self._clear()

    def feed(self, data: str) -> None:
        """Take what was sent; what it does not know is an error."""
        data = self._rest + data
        partial = _PARTIAL.search(data)
        self._rest = data[partial.start() :] if partial else ""
        for found in _PIECE.finditer(data[: len(data) - len(self._rest)]):
            numbers, letter, character, line_end, unknown = found.groups()
            assert unknown is None, f"{unknown!r} is nothing for a terminal"
            if letter is not None:
                self._control(numbers, letter)
            elif character is not None and self.x < self.columns and self.y < self.rows:
                self._cells[self.y][self.x] = character
                self.x += 1
            elif line_end == "\n":
                self.x, self.y = 0, self.y + 1

    def _control(self, numbers: str, letter: str) -> None:
        if letter == "H":
            row, _, column = numbers.partition(";")
            self.y, self.x = int(row) - 1, int(column) - 1
        elif letter == "K" and self.y < self.rows:
            self._cells[self.y][self.x :] = [" "] * (self.columns - self.x)
        elif letter == "J":
            self._clear()
        elif letter in "hl" and numbers == "?1049":
            self.alternate = letter == "h"
        elif letter == "m":
            self.coloured = True
        else:
            assert letter == "K", f"unknown control {numbers}{letter}"

    @property
    def lines(self) -> list[str]:
        """The rows, without the blanks at their ends."""
        return ["".join(row).rstrip() for row in self._cells]

    @property
    def text(self) -> str:
        """All rows."""
        return "\n".join(self.lines)
