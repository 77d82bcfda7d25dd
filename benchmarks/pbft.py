"""What agreement costs, and how that grows: ``python -m benchmarks --only pbft``.

Replicas and clients are processes of one machine and share its processors. Every replica writes and
syncs what the protocol demands, every message has its MAC, and every signature is checked.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from benchmarks.measure import (
    MILLISECONDS,
    THOUSANDS_A_SECOND,
    Row,
    Subject,
    Target,
    Unit,
    at_least,
    at_most,
    expect,
)
from benchmarks.pbft_group import Running, running
from benchmarks.pbft_wire import Setting
from benchmarks.report import rst_list

ADAPTIVE = 1_000
"""The most operations that go together where the load says how many do."""

LOADED = Setting(users=200, batch=ADAPTIVE)
"""Many users of one proxy, each of whom asks again as soon as answered."""

EARLY = Setting(batch=ADAPTIVE, changes={"tentative": True})
"""One user who believes what is prepared, one phase before it is decided."""

READING = Setting(batch=ADAPTIVE, reads=True, changes={"fast_reads": True})
"""One user who only reads, and is answered without an order."""

TRUSTED = Setting(replicas=3, batch=ADAPTIVE, changes={"crash_only": True})
"""Three replicas that do nothing worse than to stop, and one user."""

COUNTED = Setting(replicas=3, minbft=True, batch=ADAPTIVE)
"""Three replicas with trusted counters, each in a process of its own, and one user."""

TIMEOUTS = Unit("timeouts", 1.0)
MEGABYTES = Unit("MB/s", 1e-6, is_rate=True)

PAGE_BYTES = 64 * 1024
SHORT_WINDOW = {"checkpoint_batches": 16, "window_batches": 32}
WAIT_SECONDS_MAX = 120.0


def pbft_rows() -> list[Row]:
    """Return the rows with what must be reached."""
    ordered = at_least(20, THOUSANDS_A_SECOND)
    return [
        _loaded("agreement, 200 users", Subject("a proxy, f = 1", order), ordered),
        _single("agreement, one user", Subject("f = 1", answer_one), at_most(2, MILLISECONDS)),
        _single("agreement, one user, tentative", Subject("f = 1", answer_one_early)),
        # Of fewer than three it would not be seen that most were ordered.
        replace(
            _single("agreement, one user, reads not ordered", Subject("f = 1", answer_read)),
            least=3,
        ),
        _single("agreement, one user, replicas only crash", Subject("f = 1", answer_one_trusted)),
        _loaded("agreement, 200 users, trusted counters", Subject("a proxy, f = 1", order_counted)),
        _single("agreement, one user, trusted counters", Subject("f = 1", answer_one_counted)),
        Row(
            "agreement, primary crashes",
            Subject("f = 1", lose_primary),
            targets=(at_most(2, TIMEOUTS),),
            unit=TIMEOUTS,
            count=200,
            quick=20,
            rounds=3,
            group="pbft",
        ),
        Row(
            "agreement, one is 100 MB behind",
            Subject("f = 1", catch_up),
            targets=(at_least(50, MEGABYTES),),
            unit=MEGABYTES,
            count=100_000_000 // PAGE_BYTES,
            quick=100,
            rounds=3,
            group="pbft",
        ),
    ]


def _loaded(name: str, ours: Subject, *targets: Target) -> Row:
    """Return the row of many users: how much is ordered in a second."""
    return _row(name, ours, targets, THOUSANDS_A_SECOND, (40_000, 2_000))


def _single(name: str, ours: Subject, *targets: Target) -> Row:
    """Return the row of one user: how long an answer takes."""
    return _row(name, ours, targets, MILLISECONDS, (500, 50))


def _row(
    name: str, ours: Subject, targets: tuple[Target, ...], unit: Unit, counts: tuple[int, int]
) -> Row:
    count, quick = counts
    return Row(
        name,
        ours,
        targets=targets,
        unit=unit,
        count=count,
        quick=quick,
        rounds=5,
        group="pbft",
    )


def order(requests: int) -> float:
    """Return the seconds of a request where many are asked for all the time."""
    return _order(LOADED, requests)


def order_counted(requests: int) -> float:
    """Return the same where replicas have trusted counters."""
    return _order(replace(COUNTED, users=LOADED.users), requests)


def _order(setting: Setting, requests: int) -> float:
    with running(setting) as group:
        group.work(requests // 10 + 1)
        seconds: float = group.work(requests)["seconds"]
    return seconds / requests


def answer_one(requests: int) -> float:
    """Return the median of the seconds until an answer, where one asks at a time."""
    return _answer_one(Setting(batch=ADAPTIVE), requests)


def answer_one_early(requests: int) -> float:
    """Return the same where replicas execute what is prepared."""
    return _answer_one(EARLY, requests)


def answer_read(requests: int) -> float:
    """Return the same of reads that are not ordered."""
    with running(READING) as group:
        group.work(requests // 10 + 1)
        before = group.replicas[0].tell("state")["executed"]
        took = median(group.work(requests)["took"])
        # One that waited too long was ordered after all; the median is to be none of those.
        ordered = group.replicas[0].tell("state")["executed"] - before
        expect(2 * ordered <= requests + 1, True)
    return took


def answer_one_trusted(requests: int) -> float:
    """Return the same where replicas only crash."""
    return _answer_one(TRUSTED, requests)


def answer_one_counted(requests: int) -> float:
    """Return the same where replicas have trusted counters."""
    return _answer_one(COUNTED, requests)


def _answer_one(setting: Setting, requests: int) -> float:
    with running(setting) as group:
        group.work(requests // 10 + 1)
        return median(group.work(requests)["took"])


def lose_primary(requests: int) -> float:
    """Kill the primary; return the longest time without an answer, in timeouts of a backup."""
    setting = Setting(users=10, batch=ADAPTIVE)
    # Not so few that all are answered before the primary is dead.
    many = max(1000, 20 * requests)
    with running(setting) as group:
        group.work(requests)
        group.begin(many, doomed=0)
        group.replicas[0].end()
        longest: float = group.answered(many)["longest"]
        if not group.replicas[1].tell("state")["view"]:
            # On a busy machine all were answered before it was dead.
            group.begin(requests, doomed=0)
            longest = group.answered(requests)["longest"]
        expect(group.replicas[1].tell("state")["view"] > 0, True)
    return longest / setting.config(None).view_seconds


def catch_up(pages: int) -> float:
    """Let a replica start behind a state of so many pages; return the seconds of a byte fetched.

    Meanwhile the clients' requests go on.
    """
    setting = Setting(
        batch=ADAPTIVE, pages=pages, page_bytes=PAGE_BYTES, empty=3, changes=SHORT_WINDOW
    )
    with running(setting) as group:
        # So many that the others have cut their logs: what is behind can only be fetched.
        group.work(3 * setting.config(0).window_batches)
        group.join(3)
        began, ended = _fetched(group)
        expect(group.replicas[3].tell("state")["pages"], pages)
    return (ended - began) / (pages * PAGE_BYTES)


def _fetched(group: Running) -> tuple[float, float]:
    """Make requests until the last replica has fetched the state; return when it did so."""
    give_up = time.monotonic() + WAIT_SECONDS_MAX
    while time.monotonic() < give_up:
        group.work(20)
        state = group.replicas[3].tell("state")
        for kind, _, at in state["reports"]:
            if kind == "transfer":
                return state["began"], at
    raise TimeoutError(f"the state was not fetched in {WAIT_SECONDS_MAX:g} s")


def median(figures: Sequence[float]) -> float:
    """Return the median of figures that are in order."""
    return figures[len(figures) // 2]


@dataclass(frozen=True)
class Plan:
    """What is measured: settings, and for how many seconds each."""

    settings: tuple[Setting, ...]
    seconds: float = 2.0
    rounds: int = 3


def _settings() -> tuple[Setting, ...]:
    matrix = [
        Setting(replicas=3 * faults + 1, clients=clients, users=users, batch=batch, payload=payload)
        for faults in (1, 2)
        for clients, users, batch in ((20, 1, 1), (2, 100, 100), (1, 200, ADAPTIVE))
        for payload in (0, 100, 1024)
    ]
    faults = [Setting(replicas=10, users=200, batch=ADAPTIVE)]
    users = [Setting(users=users, batch=ADAPTIVE) for users in (1, 10, 50, 1000)]
    clients = [Setting(clients=clients, batch=100) for clients in (10, 50, 200)]
    counted = [
        replace(COUNTED, replicas=2 * faults + 1, users=users)
        for faults in (1, 2)
        for users in (1, 200)
    ]
    return (*matrix, *faults, *users, *clients, *counted)


FULL = Plan(_settings())
QUICK = Plan((Setting(users=20, batch=ADAPTIVE),), seconds=0.2, rounds=1)


@dataclass(frozen=True)
class Ordered:
    """What was measured of a setting: requests a second, seconds, processor seconds a request."""

    setting: Setting
    per_second: float
    median: float
    slow: float
    processor: float


def measure_all(plan: Plan) -> list[Ordered]:
    """Measure every setting; of the rounds the one that was fastest in the middle."""
    return [measure_setting(setting, plan) for setting in plan.settings]


def measure_setting(setting: Setting, plan: Plan) -> Ordered:
    """Have a group order requests for about so long, several times; return the median round."""
    least = 2 * setting.clients * setting.users
    with running(setting) as group:
        group.work(least)
        pilot = group.work(least)
        requests = max(least, int(plan.seconds * least / pilot["seconds"]))
        found = [_ordered(setting, group.work(requests), requests) for _ in range(plan.rounds)]
    return sorted(found, key=lambda one: one.per_second)[len(found) // 2]


def _ordered(setting: Setting, figures: dict[str, Any], requests: int) -> Ordered:
    took = figures["took"]
    return Ordered(
        setting,
        requests / figures["seconds"],
        median(took),
        took[len(took) * 99 // 100],
        figures["processor"] / requests,
    )


HEADINGS = (
    "mode", "f", "replicas", "clients", "users of each", "together", "payload", "requests",
    "median", "99 of 100 within", "processor time of a request",
)  # fmt: skip


def cells_of(found: Ordered) -> tuple[str, ...]:
    """Return the cells of one row."""
    setting = found.setting
    return (
        "minbft" if setting.minbft else "byzantine",
        str(setting.config(None).epoch.quorums.faults),
        str(setting.replicas),
        str(setting.clients),
        f"{setting.users:,}",
        "adaptive" if setting.batch == ADAPTIVE else str(setting.batch),
        f"{setting.payload:,} B",
        f"{found.per_second:,.0f}/s",
        f"{found.median * 1e3:,.1f} ms",
        f"{found.slow * 1e3:,.1f} ms",
        f"{found.processor * 1e6:,.0f} us",
    )


def rst_tables(found: Sequence[Ordered], words: str) -> str:
    """Return the table as ``docs/benchmarks.rst`` includes it; ``words`` tell circumstances."""
    return f"{words}\n\n{rst_list(HEADINGS, [cells_of(one) for one in found])}"
