"""Running seeds: each twice, with the command that replays the one which fails."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from apps.solidstate.simulator.checks import Violation
from apps.solidstate.simulator.group import Group
from apps.solidstate.simulator.plan import (
    FAULTS,
    MODES,
    STRATEGIES,
    draw_counted_plan,
    draw_crash_plan,
    draw_plan,
)


@dataclass(frozen=True)
class Outcome:
    """What a run came to: its digest, and how much happened in it."""

    seed: int
    digest: str
    events: int
    messages: int
    executed: int
    views: int
    reports: Counter[str]


def run_seed(
    seed: int,
    faults: Sequence[str] = FAULTS,
    strategies: Sequence[str] = STRATEGIES,
    replicas: int = 0,
    mode: str = MODES[0],
    tell: Callable[[str], object] | None = None,
) -> Outcome:
    """Make the run of a seed and return what it came to.

    ``replicas`` is 0 where the seed draws their number; ``mode`` is one of `MODES`; ``tell`` gets
    each line of the trace. Raises `Violation` where a promise was broken or the protocol raised
    anything, with notes: the plan, the last events, and the command that replays it.
    """
    random = Random(f"pbft {seed}")
    if mode == "crash":
        plan = draw_crash_plan(seed, random, frozenset(faults), replicas)
    elif mode == "minbft":
        plan = draw_counted_plan(seed, random, frozenset(faults), strategies, replicas)
    else:
        plan = draw_plan(seed, random, frozenset(faults), strategies, replicas)
    group = Group(plan, random, tell)
    try:
        group.run()
    except Violation as error:
        _explain(error, group, replay_command(seed, faults, strategies, replicas, mode))
        raise
    except Exception as error:
        words = f"seed {seed}: {type(error).__name__} in the protocol: {error}"
        violation = Violation(words)
        _explain(violation, group, replay_command(seed, faults, strategies, replicas, mode))
        raise violation from error
    up = [host.replica for host in group.hosts.values() if host.replica is not None]
    return Outcome(
        seed=seed,
        digest=group.schedule.digest(),
        events=group.schedule.events,
        messages=group.network.messages,
        executed=max(group.checker.decided, default=0),
        views=max(replica.views.view - replica.epoch.first_view for replica in up),
        reports=Counter(report.kind for _, report in group.reports),
    )


def _explain(error: Violation, group: Group, replay: str) -> None:
    error.add_note(f"{group.plan}")
    error.add_note(group.schedule.last())
    error.add_note(f"to replay it: {replay}")


def run_twice(
    seed: int,
    faults: Sequence[str] = FAULTS,
    strategies: Sequence[str] = STRATEGIES,
    replicas: int = 0,
    mode: str = MODES[0],
) -> Outcome:
    """Make the run of a seed two times; raises `Violation` when the two differ."""
    first, second = (run_seed(seed, faults, strategies, replicas, mode) for _ in range(2))
    if first.digest != second.digest:
        raise Violation(f"two runs of seed {seed} differ")
    return first


def replay_command(
    seed: int, faults: Sequence[str], strategies: Sequence[str], replicas: int, mode: str
) -> str:
    """Return the command that makes the run of a seed again, with its whole trace."""
    words = f"--faults {','.join(faults) or 'none'}"
    if tuple(strategies) != STRATEGIES:
        words += f" --strategies {','.join(strategies)}"
    if mode != MODES[0]:
        words += f" --mode {mode}"
    if replicas:
        words += f" --replicas {replicas}"
    return f"python -m apps.solidstate.simulate --first {seed} --seeds 1 {words} --trace"
