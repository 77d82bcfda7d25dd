"""One state variable: an object's variables, the answers it keeps, what it wants sent, its pages.

Three rules. All that decides what a call does is in the pages, so a replica that fetched them does
the same as one that was there. At each checkpoint every replica reads its variables back from their
encoding: what encoding does not keep, such as one list at two places, is lost everywhere at once.
What cannot be encoded is refused when it is found, by the same calls at all replicas.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import vista
from apps.solidstate.objects.classes import ReplicatedClass
from apps.solidstate.objects.postings import Postings
from vista import NotAValueError

ANSWERS_MAX = 1_000
"""Answers that a state variable keeps for requests with a key; the oldest go."""

ANSWERS_BYTES_MAX = 1024 * 1024
"""Bytes of those answers."""

VARIABLES_BYTES_MAX = 56 * 1024 * 1024
"""Bytes of the variables of one state variable, past which the largest is taken away: what one
value may have, without 8 MiB for its answers and messages, which stand in one value with them."""

PAGE_BYTES = 256 * 1024
"""Bytes of a page: what is fetched when one byte in it differs."""

BYTES_PER_LOOK = 256
"""The state is encoded and measured after so many calls as it has times these bytes: then each call
pays for about as many bytes, however large the state is."""

BYTES_PER_GIVEN = 2
"""And for as many times the bytes it was called with: between two looks a state grows by half, or
as many times that as the class keeps what it is given."""


class Variable:
    """A state variable and what belongs to it; see the module's rules.

    ``founded`` is a text of its own for each variable ever made, also of one name; ``owner`` the
    client that had it made, and ``head_bytes`` what these take in the state; ``size`` the bytes it
    had when it was measured last, ``given`` those of the calls since then; ``made`` when it was
    made and ``used`` when it was called last by what may change it, 0 for never, both in agreed
    microseconds; ``reads`` how many were not ordered since the last that was looked after.
    """

    def __init__(self, name: str, kind: ReplicatedClass, founded: str, owner: str) -> None:
        self.name = name
        self.kind = kind
        self.founded = founded
        self.owner = owner
        self.head_bytes = len(vista.encode_value(self.head)) + _COUNT_BYTES
        self.instance = kind.make()
        self.size = 0
        self.given = 0
        self.made = 0
        self.used = 0
        self.outbox = Postings()
        self.dirty = True
        self.looked = False
        self.reads = 0
        self._answers: OrderedDict[str, bytes] = OrderedDict()
        self._answers_bytes = 0
        self._calls = 0
        self._pages: list[bytes] = []

    # --- answers ---------------------------------------------------------------------------

    def answer(self, key: str) -> bytes | None:
        """Return what a request of this key was answered."""
        return self._answers.get(key)

    @property
    def head(self) -> list[Any]:
        """What stands of it in the first page, before how many pages it has."""
        return [self.name, self.kind.name, self.founded, self.owner]

    @property
    def weight(self) -> int:
        """Bytes of the state that are the variable's: its size, kept answers, waiting messages.

        And what it was given since it was measured, all of which it may have kept.
        """
        return self.size + self.given + self._answers_bytes + self.outbox.bytes

    def keep_answer(self, key: str, result: bytes) -> None:
        """Keep an answer, and forget the oldest ones beyond the bounds."""
        self.dirty = True
        self._answers[key] = result
        self._answers_bytes += len(result) + len(key)
        most = min(ANSWERS_MAX, self.kind.cls.answers_max)
        while len(self._answers) > most or self._answers_bytes > ANSWERS_BYTES_MAX:
            old, forgotten = self._answers.popitem(last=False)
            self._answers_bytes -= len(old) + len(forgotten)

    # --- versions --------------------------------------------------------------------------

    @property
    def version(self) -> tuple[str, int]:
        """What no two states of one variable have in common, nor variables of one name."""
        return self.founded, self.used

    def note_change(self, time: int) -> None:
        """Take note of a call that may change the variable, at an agreed time."""
        # Two calls of one batch have one time; a group that was founded from a backup has clocks
        # that may be behind those of before.
        self.used = max(self.used + 1, time)

    # --- its end ---------------------------------------------------------------------------

    def is_over(self, now: int, patience: float = 1.0) -> bool:
        """Tell whether nobody has called it for as long as its class says; ``now`` is agreed.

        ``patience`` is the part of that time which it is given, less where room is scarce.
        """
        cls = self.kind.cls
        since, seconds = self.made, cls.unused_seconds
        if self.used:
            since, seconds = self.used, cls.idle_seconds
        waited = now - since > seconds * patience * 1_000_000
        return seconds > 0 and not self.outbox and waited

    # --- encoding --------------------------------------------------------------------------

    def variables(self) -> dict[str, Any]:
        """Return the instance variables in the order of their names."""
        return dict(sorted(vars(self.instance).items()))

    def is_due(self) -> bool:
        """Count a call that may have changed something; tell whether to measure."""
        self._calls += 1
        return self._calls * BYTES_PER_LOOK + self.given * BYTES_PER_GIVEN >= self.size

    def measure(self) -> str:
        """Note how large the variables are, and return what is wrong with them.

        Those that are no values are taken away.
        """
        self._calls = self.given = 0
        words: list[str] = []
        while True:
            try:
                # As they are: their order does not change how many bytes they are.
                self.size = len(_listed(vars(self.instance))) - 1
                break
            except NotAValueError:
                words += self._drop()
        return "; ".join(words) + "; it was taken away" if words else ""

    def _drop(self) -> list[str]:
        """Take away the variables that cannot be encoded, or else the largest one."""
        sizes: dict[str, int] = {}
        words = []
        for name, value in self.variables().items():
            try:
                sizes[name] = len(_listed({name: value}))
            except NotAValueError as error:
                delattr(self.instance, name)
                words.append(f"{self.name}.{name}{_told_of(error, name)}")
        if not words:
            largest = max(sizes, key=lambda name: sizes[name])
            delattr(self.instance, largest)
            words.append(f"{self.name}.{largest}: larger than a value can be")
        return words

    def encoded(self) -> bytes:
        """Return the variables as bytes."""
        return vista.encode_value(self.variables())

    def set_variables(self, variables: dict[str, Any]) -> None:
        """Replace all variables."""
        own = vars(self.instance)
        own.clear()
        own.update(variables)

    # --- pages -----------------------------------------------------------------------------

    def pages(self) -> tuple[list[bytes], str]:
        """Return the pages, and what was wrong with the variables, if anything.

        A page that did not change is the same object as before.
        """
        wrong = ""
        if self.dirty:
            try:
                own = _listed(self.variables())
                self._calls, self.size = 0, len(own) - 1
            except NotAValueError:
                wrong = self.measure()
                own = _listed(self.variables())
            self._cut(self._row(own))
            self.restore(self._pages)
        elif self.looked and self._is_changed():
            wrong = f"{self.name}: a method that is declared read-only changed it; that is undone"
            self.restore(self._pages)
        self.dirty = self.looked = False
        self.given = 0
        return self._pages, wrong

    def undo_reads(self) -> bool:
        """Undo what methods changed that are declared to read; tell whether that could be done.

        It can where nothing else has changed since the pages were made: also what slipped through.
        """
        if self.dirty:
            return False
        self.restore(self._pages)
        return True

    def _is_changed(self) -> bool:
        """Tell whether the variables are others than the pages have."""
        try:
            return self._row(_listed(self.variables())) != b"".join(self._pages)
        except NotAValueError:
            # What is no value was not there.
            return True

    def _row(self, own: bytes) -> bytes:
        """Return all that decides what a call does; ``own`` are the variables in a list of one.

        It is one list of four. Encoding the variables, which may be large, a second time would be
        as much again.
        """
        counts = [self._calls, self.size, self.made, self.used]
        before = vista.encode_value([counts, self.outbox.row, list(self._answers.items())])
        return b"".join((_LIST_OF_FOUR, memoryview(before)[1:], memoryview(own)[1:]))

    def _cut(self, data: bytes) -> None:
        places = range(0, len(data), PAGE_BYTES)
        pages = [data[at : at + PAGE_BYTES] for at in places]
        old = dict(enumerate(self._pages))
        self._pages = [
            old[place] if old.get(place) == page else page for place, page in enumerate(pages)
        ]

    def restore(self, pages: list[bytes]) -> None:
        """Take over what `pages` of this or another replica returned."""
        row = vista.decode_value(b"".join(pages))
        counts, outbox, answers, variables = row
        self._calls, self.size, self.made, self.used = counts
        self.outbox.restore(outbox)
        self._answers = OrderedDict((key, result) for key, result in answers)
        self._answers_bytes = sum(len(key) + len(result) for key, result in answers)
        self.set_variables(variables)
        self._pages = list(pages)
        self.dirty = self.looked = False


_COUNT_BYTES = 9
"""Bytes that a number takes at most, as how many pages there are."""

_LIST_OF_FOUR = b"\x94"
"""How an encoded list of four begins; one of fewer begins with one byte as well."""


def _listed(variables: dict[str, Any]) -> bytes:
    """Return the encoding of a list with nothing but variables in it, which is one byte more.

    Raises `NotAValueError` also where they are too many, or nest too deep for standing in a list.
    """
    listed = vista.encode_value([variables])
    if len(listed) > VARIABLES_BYTES_MAX:
        raise NotAValueError(f"takes {len(listed)} bytes; {VARIABLES_BYTES_MAX} are the most")
    return listed


def _told_of(error: NotAValueError, name: str) -> str:
    """Return what an error says of the variable of a name, behind that name."""
    words, path = str(error), f'value[0]["{name}"]'
    if words.startswith(path):
        return words.removeprefix(path)
    return f": {words.removeprefix('value: ')}"
