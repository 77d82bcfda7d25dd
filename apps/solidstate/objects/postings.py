"""What a state variable wants sent, and nobody has said yet that it was.

Three rules. A message is gone when the client by which it came says that it was delivered: whoever
asked could as well not have asked. The word of others counts when ``enough`` of them give it, since
one that was broken into would keep a message from its receiver; so does that a receiver refuses it
for good, as one machine alone may lack a right there. All of it is part of the state, and bounded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import vista
from apps.solidstate.errors import StateTooLargeError
from apps.solidstate.objects.operations import RESULT_BYTES_MAX

OUTBOX_MAX = 1_000
"""Messages of a state variable that were not delivered; a call that wants more sent is refused."""

OUTBOX_BYTES_MAX = 4 * 1024 * 1024
"""Bytes of those messages: sixty of the largest tuples that a space tells its watches of."""

POSTING_BYTES_MAX = 128 * 1024
"""Bytes of one of them: half of a result, by which a proxy is told of it."""

_PORTION_BYTES = RESULT_BYTES_MAX - POSTING_BYTES_MAX


@dataclass
class Posting:
    """A message: its number, where it goes, and ``client``, whose call wanted it sent.

    ``said`` are the other clients that say it is settled; ``size`` the bytes it takes.
    """

    number: int
    target: Any
    method: str
    args: Sequence[Any]
    client: str
    size: int
    said: list[str] = field(default_factory=list)

    @property
    def row(self) -> list[Any]:
        """What stands of it in the state."""
        return [
            self.number, self.target, self.method, self.args, self.client, self.size, self.said,
        ]  # fmt: skip


class Postings:
    """The messages of one state variable in the order in which it wants them sent."""

    def __init__(self) -> None:
        self._waiting: list[Posting] = []
        self._posted = 0
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, posted: Sequence[tuple[Any, str, tuple[Any, ...]]], name: str, by: str) -> None:
        """Take what a call of client ``by`` wants sent; ``name`` is that of the variable.

        Raises `StateTooLargeError`, and takes nothing, when too much waits, and
        `vista.NotAValueError` for what cannot be sent.
        """
        if len(self._waiting) + len(posted) > OUTBOX_MAX:
            raise StateTooLargeError(
                f"{len(self._waiting)} messages of {name} wait to be delivered; "
                f"{OUTBOX_MAX} are the most"
            )
        encoded = [_in_row(target, method, args) for target, method, args in posted]
        sizes = [len(one) - _AROUND for one in encoded]
        if max(sizes, default=0) > POSTING_BYTES_MAX:
            raise StateTooLargeError(
                f"a message of {name} has {max(sizes)} bytes; {POSTING_BYTES_MAX} are the most"
            )
        if self.bytes + sum(sizes) > OUTBOX_BYTES_MAX:
            raise StateTooLargeError(
                f"{self.bytes} bytes of messages of {name} wait to be delivered; "
                f"{OUTBOX_BYTES_MAX} are the most"
            )
        for one, size in zip(encoded, sizes, strict=True):
            # As it is at this moment: what the variable holds of it may grow, and it must not.
            target, method, args = vista.decode_value(one)[0][0][0]
            self._posted += 1
            self._waiting.append(Posting(self._posted, target, method, tuple(args), by, size))
            self.bytes += size

    def take_back(self, count: int) -> None:
        """Forget those that came last, so that ``count`` are left."""
        for one in self._waiting[count:]:
            self.bytes -= one.size
        del self._waiting[count:]

    def wants(self, client: str) -> bool:
        """Tell whether there is a message of which a client has not said that it is settled."""
        return any(client not in one.said for one in self._waiting)

    def portion(self, after: int, client: str) -> list[list[Any]]:
        """Return the next messages behind a number that a client may send, as many as fit."""
        rows: list[list[Any]] = []
        left = _PORTION_BYTES
        for one in self._waiting:
            if one.number > after and client not in one.said:
                left -= one.size
                if rows and left < 0:
                    break
                rows.append([one.number, one.target, one.method, one.args])
        return rows

    def note(self, client: str, done: Sequence[Any], refused: Sequence[Any], enough: int) -> None:
        """Take note of what a client says: which were delivered, which are refused for good."""
        gone = {number for number in done if type(number) is int}
        settled = gone | {number for number in refused if type(number) is int}
        left = []
        for one in self._waiting:
            if one.number in settled and client not in one.said:
                one.said.append(client)
            own = one.number in gone and one.client == client
            if own or len(one.said) >= enough:
                self.bytes -= one.size
            else:
                left.append(one)
        self._waiting = left

    @property
    def row(self) -> list[Any]:
        """What stands of all in the state."""
        return [self._posted, [one.row for one in self._waiting]]

    def restore(self, row: list[Any]) -> None:
        """Take over the `row` of this or another replica."""
        self._posted, rows = row
        self._waiting = [Posting(*one) for one in rows]
        self.bytes = sum(one.size for one in self._waiting)


_AROUND = 3
"""Lists around a message where it stands in the state, each a byte."""


def _in_row(target: Any, method: str, args: Sequence[Any]) -> bytes:
    """Return a message as bytes, as deep in lists as it is to stand in the state."""
    return vista.encode_value([[[[target, method, list(args)]]]])
