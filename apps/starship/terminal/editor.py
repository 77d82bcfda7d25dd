"""The line that is typed: keys in, text out; it knows no terminal and survives every redraw."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

LENGTH_MAX = 200
"""Characters of a line; what is typed beyond is dropped."""
HISTORY_MAX = 100
"""Lines that the arrow keys bring back."""


class Entered(NamedTuple):
    """A line was ended."""

    text: str


class Key(NamedTuple):
    """A key that is not for the line: ``interrupt``, ``end``, ``suspend`` or ``redraw``."""

    name: str


_CONTROLS = {0x03: "interrupt", 0x04: "end", 0x0C: "redraw", 0x1A: "suspend"}
_SEQUENCE = re.compile(rb"\x1b(\[[0-?]{0,16}[ -/]{0,8}[@-~]|O[ -~]|[ -Z\\-~])")
_SEQUENCE_BYTES_MAX = 32
"""An escape sequence that is longer is none."""
_MOVES = {
    b"[A": "older", b"OA": "older", b"[B": "newer", b"OB": "newer", b"[C": "right", b"OC": "right",
    b"[D": "left", b"OD": "left", b"[H": "home", b"OH": "home", b"[1~": "home", b"[F": "last",
    b"OF": "last", b"[4~": "last", b"[3~": "delete",
}  # fmt: skip
_EDITS = {
    0x01: "home", 0x02: "left", 0x05: "last", 0x06: "right", 0x08: "backspace", 0x0B: "cut_right",
    0x0E: "newer", 0x10: "older", 0x15: "cut_left", 0x17: "cut_word", 0x7F: "backspace",
}  # fmt: skip


class Editor:
    """A line that is typed.

    ``complete`` returns what the last word of a text may become; the Tab key asks it. ``secret``
    returns where in a text the part begins that nobody is to see: it is shown as asterisks, and the
    arrow keys bring the line back without it.
    """

    def __init__(
        self,
        complete: Callable[[str], Sequence[str]] = lambda text: (),
        secret: Callable[[str], int] = len,
    ) -> None:
        self.text = ""
        self.cursor = 0
        self._complete = complete
        self._secret = secret
        self._history: list[str] = []
        self._place = 0
        self._draft = ""
        self._partial = b""

    @property
    def shown(self) -> str:
        """The line as others may see it."""
        start = self._secret(self.text)
        return self.text[:start] + "*" * (len(self.text) - start)

    def receive(self, data: bytes) -> list[Entered | Key]:
        """Take what the keyboard sent; return the lines that were ended and keys for others.

        Sequences may come cut anywhere. What is no ASCII character is dropped.
        """
        data, self._partial = self._partial + data, b""
        found: list[Entered | Key] = []
        place = 0
        while place < len(data):
            byte = data[place]
            if byte == 0x1B:
                rest = data[place:]
                if len(rest) < _SEQUENCE_BYTES_MAX and _may_grow(rest):
                    self._partial = rest
                    break
                sequence = _SEQUENCE.match(data, place)
                if sequence is None:
                    place += 1
                    continue
                self._edit(_MOVES.get(sequence[1], ""))
                place = sequence.end()
                continue
            place += 1
            if byte in (0x0D, 0x0A):
                found.append(Entered(self._enter()))
            elif byte in _CONTROLS and not (byte == 0x04 and self.text):
                found.append(Key(_CONTROLS[byte]))
            else:
                self._type(byte)
        return found

    def clear(self) -> None:
        """Forget what is typed."""
        self.text, self.cursor, self._place = "", 0, len(self._history)

    def _enter(self) -> str:
        text = self.text.strip()
        open = text[: self._secret(text)].rstrip()
        if open and (not self._history or self._history[-1] != open):
            self._history = [*self._history, open][-HISTORY_MAX:]
        self.clear()
        return text

    def _type(self, byte: int) -> None:
        if 0x20 <= byte < 0x7F:
            if len(self.text) < LENGTH_MAX:
                self.text = self.text[: self.cursor] + chr(byte) + self.text[self.cursor :]
                self.cursor += 1
        elif byte == 0x09:
            self._finish_word()
        else:
            self._edit("delete" if byte == 0x04 else _EDITS.get(byte, ""))

    def _edit(self, what: str) -> None:
        text, cursor = self.text, self.cursor
        if what == "left":
            self.cursor = max(0, cursor - 1)
        elif what == "right":
            self.cursor = min(len(text), cursor + 1)
        elif what == "home":
            self.cursor = 0
        elif what == "last":
            self.cursor = len(text)
        elif what == "backspace" and cursor:
            self.text, self.cursor = text[: cursor - 1] + text[cursor:], cursor - 1
        elif what == "delete":
            self.text = text[:cursor] + text[cursor + 1 :]
        elif what == "cut_left":
            self.text, self.cursor = text[cursor:], 0
        elif what == "cut_right":
            self.text = text[:cursor]
        elif what == "cut_word":
            kept = text[:cursor].rstrip().rpartition(" ")
            before = kept[0] + kept[1]
            self.text, self.cursor = before + text[cursor:], len(before)
        elif what in ("older", "newer"):
            self._recall(-1 if what == "older" else 1)

    def _recall(self, way: int) -> None:
        if self._place == len(self._history):
            self._draft = self.text
        self._place = max(0, min(len(self._history), self._place + way))
        last = self._place == len(self._history)
        self.text = self._draft if last else self._history[self._place]
        self.cursor = len(self.text)

    def _finish_word(self) -> None:
        """Type the rest of the last word as far as all that it may become agree."""
        if self.cursor != len(self.text):
            return
        choices = self._complete(self.text)
        if not choices:
            return
        word = self.text.rpartition(" ")[2]
        common = choices[0]
        for choice in choices[1:]:
            while not choice.lower().startswith(common.lower()):
                common = common[:-1]
        if len(common) >= len(word):
            kept = self.text[: len(self.text) - len(word)]
            self.text = (kept + common + (" " if len(choices) == 1 else ""))[:LENGTH_MAX]
            self.cursor = len(self.text)


def _may_grow(data: bytes) -> bool:
    """Tell whether more bytes can make a sequence of these."""
    if len(data) == 1 or data == b"\x1bO":
        return True
    return data[1:2] == b"[" and all(0x20 <= byte <= 0x3F for byte in data[2:])
