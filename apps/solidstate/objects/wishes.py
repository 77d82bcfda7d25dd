"""What the users of a proxy want done, and in which portions the group is asked for it.

Four rules. A call that is believed to read only is asked for without being ordered: what is
believed comes from answers the group has proven, and a wrong belief costs a round and nothing else.
Nobody's call passes an earlier one of the same variable that may change it. Reads go by themselves
when they are at least half of what waits; then all that waits is ordered, so nobody waits for more
than one portion of reads. A read that had to be ordered all the same, as where its variable is
being changed, is not tried for a while.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from apps.solidstate.objects.operations import NAME_CHARACTERS_MAX, READ, READABLE, TOLD
from vista import BadValueError

METHODS_MAX = 10_000
"""Methods of variables of which a proxy knows whether they read; the one asked for longest ago is
forgotten, and learned again by one call."""

NAMES_MAX = 1_000
"""Names of methods that were readers somewhere: the first call to another variable is a try."""

ORDERED_MAX = 64
"""Calls of a method that are ordered at most before it is tried again: a variable that is being
changed all the time costs one try in so many."""

_Method = tuple[str, str]


def check_name(variable: object) -> None:
    """Raise `vista.BadValueError` for what no state variable is called by.

    A proxy looks wishes up by it: those of everybody else would wait behind one where that fails.
    """
    if type(variable) is not str:
        raise BadValueError(f"a state variable is called by a text, not {variable!r:.60}")


class _Belief:
    """Whether a method of a variable reads; ``left`` calls are ordered before the next try."""

    __slots__ = ("left", "pause", "reads")

    def __init__(self, reads: bool) -> None:
        self.reads = reads
        self.left = self.pause = 0


class Beliefs:
    """Which methods of which variables a proxy takes for readers."""

    def __init__(self) -> None:
        self._methods: OrderedDict[_Method, _Belief] = OrderedDict()
        self._names: OrderedDict[str, None] = OrderedDict()

    def reads(self, variable: str, method: str) -> bool:
        """Tell whether to ask for a call without having it ordered."""
        known = self._methods.get((variable, method))
        if known is None:
            # No variable has a longer name, and what is asked for is remembered.
            return method in self._names and len(variable) <= NAME_CHARACTERS_MAX
        if known.left:
            known.left -= 1
            return False
        return known.reads

    def note(self, variable: str, method: str, tried: bool, result: bytes) -> None:
        """Take note of a proven result; ``tried`` tells whether it was asked for as a read."""
        if result.startswith(READ):
            self._known(variable, method, True).pause = 0
        elif result.startswith(READABLE):
            self._learn(method)
            known = self._known(variable, method, True)
            if tried:
                known.left = known.pause = min(2 * known.pause + 1, ORDERED_MAX)
        elif result.startswith(TOLD):
            # Most calls are of this kind, and of them there is nothing to be known.
            if tried or (variable, method) in self._methods:
                self._known(variable, method, False)
        elif tried:
            known = self._known(variable, method, True)
            known.left = known.pause = min(2 * known.pause + 1, ORDERED_MAX)

    def _known(self, variable: str, method: str, reads: bool) -> _Belief:
        known = self._methods.get((variable, method))
        if known is None:
            known = self._methods[variable, method] = _Belief(reads)
            if len(self._methods) > METHODS_MAX:
                self._methods.popitem(last=False)
        else:
            self._methods.move_to_end((variable, method))
        known.reads = reads
        return known

    def _learn(self, method: str) -> None:
        self._names[method] = None
        self._names.move_to_end(method)
        if len(self._names) > NAMES_MAX:
            self._names.popitem(last=False)


@dataclass(slots=True, eq=False)
class Wish:
    """One operation that a user waits for.

    ``user`` is whatever the driver knows it by; ``variable`` and ``method`` are of a call, empty
    for anything else. ``tried`` tells whether it is asked for without being ordered.
    """

    user: Any
    operation: bytes
    variable: str = ""
    method: str = ""
    reads: bool = False
    tried: bool = False


class Wishes:
    """What waits in a proxy, in the order in which it came.

    A portion has ``operations_max`` of it and ``bytes_max`` bytes at most.
    """

    def __init__(self, operations_max: int, bytes_max: int) -> None:
        self._operations_max = operations_max
        self._bytes_max = bytes_max
        self._waiting: deque[Wish] = deque()
        self._reads = 0
        self._read_last = False

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, wish: Wish) -> None:
        """Have something wait."""
        self._waiting.append(wish)
        self._reads += wish.reads

    def discard(self, wish: Wish) -> None:
        """Forget something that nobody waits for any longer, unless it was taken."""
        if wish in self._waiting:
            self._waiting.remove(wish)
            self._reads -= wish.reads

    def put_back(self, wishes: Sequence[Wish]) -> None:
        """Have wishes wait again before all others, in their order: they were not come to."""
        for wish in reversed(wishes):
            wish.tried = False
            self._waiting.appendleft(wish)
            self._reads += wish.reads

    def take(self) -> list[Wish]:
        """Return the next portion, all of it to be ordered or none."""
        changes = len(self._waiting) - self._reads
        chosen: list[Wish] = []
        if self._reads >= changes and not (self._read_last and changes):
            chosen = self._take_reads()
        self._read_last = bool(chosen)
        return chosen or self._take_all()

    def _take_reads(self) -> list[Wish]:
        """Take reads that stand behind no change of their variable, of two portions' room."""
        chosen: list[Wish] = []
        left: list[Wish] = []
        changed: set[str] = set()
        size = 0
        looked = list(islice(self._waiting, 2 * self._operations_max))
        for wish in looked:
            if not wish.reads:
                changed.add(wish.variable)
            fits = len(chosen) < self._operations_max and size + len(wish.operation) <= (
                self._bytes_max
            )
            if wish.reads and fits and wish.variable not in changed:
                size += len(wish.operation)
                wish.tried = True
                chosen.append(wish)
            else:
                left.append(wish)
        for _ in looked:
            self._waiting.popleft()
        self._waiting.extendleft(reversed(left))
        self._reads -= len(chosen)
        return chosen

    def _take_all(self) -> list[Wish]:
        chosen: list[Wish] = []
        size = 0
        while self._waiting and len(chosen) < self._operations_max:
            size += len(self._waiting[0].operation)
            if chosen and size > self._bytes_max:
                break
            wish = self._waiting.popleft()
            self._reads -= wish.reads
            chosen.append(wish)
        return chosen
