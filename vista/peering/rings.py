"""Deadlocks over several nodes: rings of waits that no node sees as a whole.

A node finds a ring within itself, and one within a chain of calls, when the last wait begins; see
`vista.kernel.deadlock`. What is left are rings that independent chains close over several nodes.
They are found by edge chasing (Chandy, Misra and Haas, "Distributed Deadlock Detection", ACM TOCS
1983, for the AND model: who waits for several calls waits for each):

1. A call that has waited long sends a *probe* to the node that serves it.
2. That node follows the waits of its threads from there. Where they lead to calls to other nodes,
   the probe goes on to those.
3. A probe that comes back to its call has gone round a ring. None of the waits can have ended
   meanwhile, since each waits for the next. The call fails with `DeadlockError`, which has the way.

That one call of a ring fails and not each, and that a chain of n calls costs n messages and not n
times n, needs an order (Mitchell and Merritt, PODC 1984): calls are compared by node and number. A
probe goes on only over lesser calls. At a greater one it ends, and that one sends one of its own.

A long wait is probed when its age passes `ring_seconds` and each time that has doubled, and soon
after another wait was found to lead to it, which may have closed a ring, or the way to its node has
changed. Probes cross only links between nodes of one key: no other peer is told who waits here for
whom.

Who is asked for a call that it does not serve says so, and the call ends with `PeerLost`: it was
lost on a way that broke, or its answer was, and the word of that as well. Calls and answers, probes
and what is said to them keep one order, so neither is only slower.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from vista.errors import CallError, DeadlockError
from vista.kernel import deadlock
from vista.kernel.futures import Future
from vista.peering.remote import RemoteFuture, Served
from vista.wire.frames import PROBE, WORDS_MAX

if TYPE_CHECKING:
    from vista.peering.peering import Peering

Call = bytes
"""A call between nodes, as in a chain: the caller's node, and the number it has there."""


class Rings:
    """Looks for rings of waits that the calls of one node are part of."""

    def __init__(self, peering: Peering) -> None:
        limits = peering.kernel.limits
        self.is_watching = False
        self._peering = peering
        self._kernel = peering.kernel
        self._seconds = limits.ring_seconds
        self._probes_max = limits.ring_probes_max
        self._hops_max = limits.ring_hops_max
        self._suspects: dict[int, RemoteFuture] = {}
        self._probed: set[int] = set()
        self._seen: OrderedDict[tuple[Call, int, bytes, int], None] = OrderedDict()
        self._rounds = 0
        self._swept = 0.0

    def watch(self) -> None:
        """Look at the calls in flight from time to time, as long as there are any."""
        self.is_watching = True
        self._swept = self._kernel.hub.time()
        self._kernel.timers.call_later(self._seconds, self._sweep)

    def suspect(self, future: RemoteFuture) -> None:
        """Probe a call soon: another wait leads to it."""
        if len(self._suspects) < self._probes_max:
            self._suspects[future.number] = future

    def renumbered(self, future: RemoteFuture, before: int) -> None:
        """Take note that a call has another number than ``before``; it stays suspected."""
        if self._suspects.pop(before, None) is future:
            self._suspects[future.number] = future

    def suspect_all(self, node: bytes) -> None:
        """Probe the calls to a node soon: some of them may have been lost."""
        for future in self._peering.calls.pending.values():
            if future.node == node:
                self.suspect(future)

    def _sweep(self) -> None:
        """Probe the calls suspected, and those whose age doubled since the last time."""
        now = self._kernel.hub.time()
        last, self._swept = self._swept, now
        pending = self._peering.calls.pending
        found, self._suspects = self._suspects, {}
        # A future may be that of a later call of its thread by then.
        suspects = {number: one for number, one in found.items() if pending.get(number) is one}
        for future in islice(pending.values(), self._probes_max):
            if future.number not in suspects and self._has_doubled(future.created, last, now):
                suspects[future.number] = future
        self._probed.clear()
        for future in suspects.values():
            self._probe(future)
        if pending:
            self._kernel.timers.call_later(self._seconds, self._sweep)
        else:
            self.is_watching = False
            self._suspects.clear()
            self._probed.clear()
            self._seen.clear()

    def _has_doubled(self, created: float, last: float, now: float) -> bool:
        """Whether an age passed a power of two of ``ring_seconds`` since the last sweep."""
        before, after = (int(max(0.0, time - created) / self._seconds) for time in (last, now))
        return before.bit_length() < after.bit_length()

    def _probe(self, future: RemoteFuture) -> None:
        is_held = future.target in self._peering.moves.fences
        if is_held or future.number in self._probed or len(self._probed) >= self._probes_max:
            # Once between two sweeps: what has changed since will be seen at the next. One that is
            # held here gets another number when it leaves.
            self.suspect(future)
        elif not future._done:
            self._probed.add(future.number)
            self._rounds += 1
            self._send(future, self._named(future), self._rounds, self._hops_max, future.words)

    def _named(self, future: RemoteFuture) -> Call:
        return self._peering.node + future.number.to_bytes(8, "big")

    def _send(self, future: RemoteFuture, start: Call, round: int, hops: int, words: str) -> None:
        """Send a probe on to where ``future`` is served."""
        link = self._peering.link_to(future.node)
        if link is None or not link.is_kin or link.is_congested:
            # What waits for room would only wait longer.
            return
        if future.target in self._peering.moves.fences:
            # It may be held here. When it leaves it gets another number.
            return
        try:
            row = (PROBE, start, round, future.number, hops, words[:WORDS_MAX])
            self._peering.send(future.node, row, (), self._kernel.user)
        except CallError:
            # The waits for that node end by themselves.
            return

    def take_probe(self, origin: bytes, row: Sequence[Any]) -> None:
        """Follow the waits from a call of node ``origin`` that is served here."""
        _, start, round, number, hops, words = row
        served = self._peering.calls.served.get((origin, number))
        key = (start, round, origin, number)
        if served is None:
            self._peering.ways.disown(origin, number)
            return
        if hops < 1 or key in self._seen:
            return
        self._seen[key] = None
        if len(self._seen) > self._probes_max:
            self._seen.popitem(last=False)
        for future, way in waits_of(served):
            own = self._named(future)
            if own == start:
                told = f"{words}{way}"[:WORDS_MAX]
                future.abandon(DeadlockError(f"{future.words} would wait for ever: {told}"))
                return
            if own > start:
                self._probe(future)
            else:
                self._send(future, start, round, hops - 1, f"{words}{way}")


def waits_of(served: Served) -> Iterator[tuple[RemoteFuture, str]]:
    """Yield the calls to other nodes that a call served here waits for, and the way in words."""
    seen: set[int] = set()
    found: list[tuple[Future, str]] = [(served, "")]
    while found:
        future, words = found.pop()
        if isinstance(future, RemoteFuture):
            if not future._done:
                yield future, words
            continue
        wanted: Iterator[tuple[Future, str]] = deadlock.waits_for(future, seen)
        if isinstance(future, Served) and future.passed is not None:
            wanted = iter([(future.passed, "")])
        for next, why in wanted:
            found.append((next, f"{words}{why}, which waits for {next.words}"))
