"""Threads that run for calls of other nodes, and whether anybody waits for them still.

A caller that gives up says so, and so does a node whose way to this one broke. On a link that is
dead and not known to be, both words may be lost, and the thread would stay. So the node of a call
that is served here for long is asked whether it waits: when its age passes ``limits.loss_seconds``
and each time that has doubled. One who does not wait cancels the call, as he would have before.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import islice
from typing import TYPE_CHECKING, Any

from vista.errors import CallError
from vista.wire.frames import CANCEL, NUMBER_MAX

if TYPE_CHECKING:
    from collections.abc import Callable

    from vista.peering.peering import Peering


class Strays:
    """Finds calls that are served at one node and that nobody waits for.

    ``ask(node, numbers)`` sends the question.
    """

    def __init__(self, peering: Peering, ask: Callable[[bytes, list[int]], None]) -> None:
        limits = peering.kernel.limits
        self._peering = peering
        self._kernel = peering.kernel
        self._ask = ask
        self._seconds = limits.loss_seconds
        self._asked_max = limits.ring_probes_max
        self._swept = 0.0
        self._is_watching = False

    def watch(self) -> None:
        """Look at the calls that are served from time to time, as long as a node is reached."""
        if not self._is_watching:
            self._is_watching = True
            self._swept = self._kernel.hub.time()
            self._kernel.timers.call_later(self._seconds, self._sweep)

    def _sweep(self) -> None:
        self._is_watching = False
        if not self._peering.nodes():
            # Who is lost has his calls ended.
            return
        now, last = self._kernel.hub.time(), self._swept
        served = self._peering.calls.served.items()
        late = (key for key, call in served if self._has_doubled(call.created, last, now))
        found: defaultdict[bytes, list[int]] = defaultdict(list)
        for origin, number in islice(late, self._asked_max):
            found[origin].append(number)
        for origin, numbers in found.items():
            self._ask(origin, numbers)
        self.watch()

    def _has_doubled(self, created: float, last: float, now: float) -> bool:
        """Whether an age passed a power of two of ``loss_seconds`` since the last sweep."""
        before, after = (int(max(0.0, time - created) / self._seconds) for time in (last, now))
        return before.bit_length() < after.bit_length()

    def disown(self, origin: bytes, numbers: list[Any]) -> None:
        """Cancel the calls that node ``origin`` serves and nobody here waits for."""
        pending = self._peering.calls.pending
        # Nobody asks after more at a time, and what is no number of a call cannot be sent back.
        for number in numbers[: self._asked_max]:
            if type(number) is not int or not 0 <= number <= NUMBER_MAX:
                continue
            future = pending.get(number)
            if future is None or future.node != origin:
                try:
                    self._peering.send(origin, (CANCEL, number), (), self._kernel.user)
                except CallError:
                    # Then that node has lost this one, and cancels by itself.
                    return
