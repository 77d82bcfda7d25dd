"""``vista top``: what a node does at the moment, from the differences between its statistics.

Time is the node's own, from its ``uptime_seconds``: nobody else's clock has a part in it. Each look
is itself two calls, which are counted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import vista
from vista.records import record
from vista.shell import show
from vista.shell.summary import other_rows

if TYPE_CHECKING:
    from vista.kernel.refs import Ref
    from vista.kernel.rows import PeerRow

METHODS_MAX = 20
"""Methods in a report: more than a person looks through in the time between two."""


@record
@dataclass(frozen=True, slots=True)
class MethodRate:
    """One method that ran since the last look.

    The mean is that of the calls timed since, None without any; the longest is that of all times.
    """

    method: str
    calls_per_second: float
    mean_milliseconds: float | None
    longest_milliseconds: float
    calls: int


@record
@dataclass(frozen=True, slots=True)
class Report:
    """What a node did between two looks, and what there was at the second one.

    ``messages_ready`` can run at once, ``messages_waiting`` wait for a busy object and
    ``messages_leaving`` for room on a link. ``methods`` are the slowest first.
    """

    name: str
    uptime_seconds: float
    calls_per_second: float
    loop_lag_seconds: float
    loop_lag_longest_seconds: float
    messages_ready: int
    messages_waiting: int
    messages_leaving: int
    threads: int
    objects: int
    links: int
    methods: tuple[MethodRate, ...]


@dataclass(frozen=True, slots=True)
class Look:
    """What a node told at one instant."""

    statistics: Mapping[str, Any]
    peers: list[PeerRow]


def report(name: str, before: Look, after: Look) -> Report:
    """Return what happened on the node ``name`` between two looks."""
    old, now = before.statistics, after.statistics
    seconds = max(now["uptime_seconds"] - old["uptime_seconds"], 1e-9)
    links = [row for row in after.peers if row.hops == 1]
    return Report(
        name=name,
        uptime_seconds=now["uptime_seconds"],
        calls_per_second=(now["threads_started"] - old["threads_started"]) / seconds,
        loop_lag_seconds=now["loop_lag_seconds"],
        loop_lag_longest_seconds=now["loop_lag_longest_seconds"],
        messages_ready=now["messages_ready"],
        messages_waiting=now["messages_waiting"],
        messages_leaving=sum(row.messages_waiting or 0 for row in links),
        threads=now["threads_live"],
        objects=now["objects"],
        links=len(links),
        methods=tuple(_slowest(old["methods"], now["methods"], seconds)),
    )


def _slowest(old: Mapping[str, Any], now: Mapping[str, Any], seconds: float) -> list[MethodRate]:
    rates = [
        _rate(name, old.get(name, {}), figures, seconds)
        for name, figures in now.items()
        if figures["calls"] > old.get(name, {}).get("calls", 0)
    ]
    rates.sort(key=lambda rate: (-(rate.mean_milliseconds or 0.0), -rate.calls_per_second))
    return rates[:METHODS_MAX]


def _rate(name: str, old: Mapping[str, Any], now: Mapping[str, Any], seconds: float) -> MethodRate:
    timed = now["timed_calls"] - old.get("timed_calls", 0)
    spent = now["timed_seconds"] - old.get("timed_seconds", 0.0)
    return MethodRate(
        method=name,
        calls_per_second=(now["calls"] - old.get("calls", 0)) / seconds,
        mean_milliseconds=1000 * spent / timed if timed else None,
        longest_milliseconds=1000 * now["longest_seconds"],
        calls=now["calls"],
    )


def reports(
    peer: Ref, interval_seconds: float, number: int | None, timeout_seconds: float
) -> Iterator[Report]:
    """Yield a report each ``interval_seconds``, ``number`` of them or without end.

    Raises `CallError` when the node does not answer within ``timeout_seconds``.
    """
    with vista.timeout(timeout_seconds):
        name = peer.get_name()
    before = _look(peer, timeout_seconds)
    made = 0
    while number is None or made < number:
        vista.sleep(interval_seconds)
        after = _look(peer, timeout_seconds)
        yield report(name, before, after)
        before = after
        made += 1


def _look(peer: Ref, timeout_seconds: float) -> Look:
    with vista.timeout(timeout_seconds):
        asked = [peer.get_statistics.future(), peer.describe_peers.future()]
        statistics, peers = vista.gather(*asked)
    return Look(statistics, other_rows(peers))


def text_of(report: Report, *, width: int | None = None, lines_max: int | None = None) -> str:
    """Return a report as lines for people: two of figures, then a table of the slowest methods.

    ``width`` and ``lines_max`` are those of the terminal in characters and lines; None cuts
    nothing.
    """
    lag, longest = 1000 * report.loop_lag_seconds, 1000 * report.loop_lag_longest_seconds
    figures = [
        f"{report.name}  up {_span(report.uptime_seconds)}  {report.calls_per_second:,.1f} calls/s"
        f"  loop lag {lag:.2f} ms, longest {longest:.2f} ms",
        f"objects {report.objects:,}  threads {report.threads:,}  links {report.links:,}"
        f"  messages ready {report.messages_ready:,}, waiting {report.messages_waiting:,}, "
        f"leaving {report.messages_leaving:,}",
    ]
    table = show.table(report.methods, width=width).split("\n") if report.methods else []
    lines = [line if width is None else line[:width] for line in figures] + ["", *table]
    return "\n".join(lines[:lines_max])


def _span(seconds: float) -> str:
    """A number of seconds as ``2 d 03:04:05``."""
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    return f"{f'{days} d ' if days else ''}{hour:02}:{minute:02}:{second:02}"
