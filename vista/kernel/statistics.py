"""Statistics: what a node counts of itself, at what cost.

Every invocation adds one to its method's ``calls``: 12 ns. The clock (45 ns a reading) is read for
about one nested call in 64 and for one in 16 of the messages that idle workers take up, so
``timed_seconds / timed_calls`` is a sample and ``longest_seconds`` the longest of the sample; a
method that holds the loop long is found by the watchdog whatever the sample. A time that was read
is counted by its step, a quarter of its doubling, from which p50 and p99 are told: 0.2 us for each.
Everything else is counted off the hot path or computed when it is asked for.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from vista.kernel.methods import end_of_step

if TYPE_CHECKING:
    from vista.kernel.kernel import Kernel
    from vista.kernel.methods import MethodEntry


_PARTS = MappingProxyType({"p50_seconds": 0.5, "p99_seconds": 0.99})
"""What is told of how the times of a method are spread: within which time a part of them ended."""


def seconds_within(spread: Mapping[int, int], part: float) -> float:
    """Return within how many seconds ``part`` of the invocations ended, at most a quarter too high.

    ``spread`` counts them by `step_of` their seconds; ``part`` lies in 0..1. None counted gives 0.
    """
    wanted = part * sum(spread.values())
    for step in sorted(spread):
        wanted -= spread[step]
        if wanted <= 0:
            return end_of_step(step)
    return 0.0


class Counters(Counter[str]):
    """The counters of one node: a Counter for those with names, attributes for its own.

    Standard classes count under the original system's names, such as ``IOtotalFileReads``.
    Times are in seconds.
    """

    def __init__(self) -> None:
        super().__init__()
        self.messages_queued = 0
        self.access_denied = 0
        self.posts_failed = 0
        self.posts_lost = 0
        self.overloads = 0
        self.slow_methods = 0
        self.loop_lag_seconds = 0.0
        self.loop_lag_longest_seconds = 0.0
        # Those of apps. Adding to a Counter takes 220 ns, to this one 40.
        self.own: defaultdict[str, float] = defaultdict(int)

    def note_lag(self, seconds: float) -> None:
        """Count how late the loop took a turn; the mean is over the last sixteen or so."""
        self.loop_lag_seconds += (seconds - self.loop_lag_seconds) / 16
        if seconds > self.loop_lag_longest_seconds:
            self.loop_lag_longest_seconds = seconds


def statistics_of(kernel: Kernel) -> dict[str, Any]:
    """Return the statistics of a node as a value; see `vista.statistics` for the keys."""
    counters, threads = kernel.counters, kernel.threads
    methods: dict[str, dict[str, Any]] = {}
    spreads: dict[str, Counter[int]] = {}
    classes: dict[str, int] = {}
    records = list(kernel.table.records.values())
    calls = 0
    for entry in kernel.classes.all_entries():
        alive = entry.created - entry.deleted
        if alive:
            classes[entry.full_name] = classes.get(entry.full_name, 0) + alive
        for method in entry.counted():
            calls += method.calls
            if method.calls:
                name = f"{entry.full_name}/{entry.version}.{method.name}"
                methods[name] = _added(methods.get(name), method)
                spreads.setdefault(name, Counter()).update(method.spread)
    for name, figures in methods.items():
        for key, part in _PARTS.items():
            longest = figures["longest_seconds"]
            figures[key] = min(longest, seconds_within(spreads[name], part))
    return {
        "uptime_seconds": kernel.hub.time() - kernel.started,
        "turns": threads.turns,
        "threads_started": calls,
        "messages_queued": counters.messages_queued,
        "messages_nested": max(0, calls + kernel.outside.calls - counters.messages_queued),
        "threads_live": sum(len(worker.frames()) for worker in threads.live()),
        "workers_idle": len(threads.idle),
        "messages_ready": len(threads.ready),
        "messages_waiting": sum(len(record.queue or ()) for record in records),
        "objects": len(records),
        "objects_by_class": classes,
        "services": len(kernel.services.items()),
        "timers": len(kernel.timers),
        "methods": methods,
        "access_denied": counters.access_denied,
        "posts_failed": counters.posts_failed,
        "posts_lost": counters.posts_lost,
        "overloads": counters.overloads,
        "slow_methods": counters.slow_methods,
        "loop_lag_seconds": counters.loop_lag_seconds,
        "loop_lag_longest_seconds": counters.loop_lag_longest_seconds,
        **counters,
        **counters.own,
    }


def _added(known: dict[str, Any] | None, method: MethodEntry) -> dict[str, Any]:
    """Return the figures of a method, joined with those of a class defined again since."""
    before = known or {"calls": 0, "timed_calls": 0, "timed_seconds": 0.0, "longest_seconds": 0.0}
    return {
        "calls": before["calls"] + method.calls,
        "timed_calls": before["timed_calls"] + method.timed_calls,
        "timed_seconds": before["timed_seconds"] + method.timed_seconds,
        "longest_seconds": max(before["longest_seconds"], method.longest_seconds),
    }
