"""What a seed draws before a run: the group, its clients, its faults and how bad the world is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random

from apps.solidstate.pbft.configuration import Config
from apps.solidstate.simulator.epochs import draw_epochs

STRATEGIES = (
    "silent",
    "slow",
    "equivocating",
    "lying",
    "forging",
    "replaying",
    "corrupting",
    "withholding",
    "storming",
    "twins",
    "amnesiac",
    "rotten",
    "inventing",
    "dragging",
)
"""What a faulty replica may do; see ``strategies``."""

FAULTS = (
    "byzantine",
    "clients",
    "crashes",
    "network",
    "partitions",
    "skew",
    "divergence",
    "epochs",
)
"""Kinds of faults that a run may leave out, and reconfigurations, which try the same things."""

MODES = ("byzantine", "crash", "minbft")
"""What may be wrong with replicas; see `Config.crash_only` and `Config.minbft`."""

CRASH_FAULTS = ("crashes", "network", "partitions", "skew", "epochs")
"""Kinds of faults where replicas only crash."""

COUNTED_STRATEGIES = tuple(name for name in STRATEGIES if name != "rotten")
"""What faulty replicas with a trusted counter do; who forgot something does not vote again."""

STOPPING = "stopping"
"""What those do in a crash-only group that count as faulty: they stop, and never come back."""

ADMINISTRATOR = "admin"
"""The one who asks for reconfigurations."""


@dataclass(frozen=True)
class Plan:
    """One run: everything that is drawn before it starts. Times in seconds.

    ``strategies`` are those of the faulty replicas by number; ``epochs`` the numbers of the members
    of each epoch after the first one.
    """

    seed: int
    replicas: int
    clients: int
    evil_clients: int
    requests: int
    storm: float
    strategies: dict[int, str]
    delay: float
    jitter: float
    loss: float
    duplicates: float
    uneven: float
    flush: float
    drift: float
    offset: float
    crash_rate: float
    all_crash: bool
    partition_rate: float
    diverging: bool
    coded: bool
    config: Config
    epochs: tuple[tuple[int, ...], ...] = ()

    @property
    def is_harmless(self) -> bool:
        """Whether nothing in it may lead to a view change: evil clients may not, nor may storms."""
        return not (
            set(self.strategies.values()) - {"storming"}
            or self._storming_counts
            or self.loss
            or self.uneven > 1
            or self.crash_rate
            or self.all_crash
            or self.partition_rate
            or self.diverging
            or self.epochs
        )

    @property
    def _storming_counts(self) -> bool:
        """Whether who wants other views may be the primary of one.

        With a trusted counter it can lead none below those it said to have left for.
        """
        passing = min(self.config.view_turn_seconds, self.config.pace_seconds) < 100.0
        leads = 0 in self.strategies or passing
        return self.config.minbft and bool(self.strategies) and leads

    @property
    def is_rotten(self) -> bool:
        """Whether the faulty replicas are faulty for what their disks lost, and nothing else."""
        return {*self.strategies.values()} == {"rotten"} and not (self.epochs or self.diverging)

    @property
    def members(self) -> tuple[int, ...]:
        """The members of the last epoch."""
        return self.epochs[-1] if self.epochs else tuple(range(self.replicas))


def draw_plan(
    seed: int, random: Random, faults: frozenset[str], strategies: Sequence[str], replicas: int
) -> Plan:
    """Return the plan of a seed with the kinds of faults and strategies that are wanted.

    ``replicas`` is 0 where the seed shall draw how many there are: 4 or, one time in eight, 7.
    """
    pace = random.choice((1.0, 600.0, 600.0))
    tentative = random.random() < 0.25
    drawn = 4 if random.random() < 0.88 else 7
    replicas = replicas or drawn
    limit = (replicas - 1) // 3
    faulty = random.randint(0, limit) if random.random() < 0.2 else limit
    # The first primary is met more often than chance would have it: most attacks need a view.
    order = sorted(range(replicas), key=lambda n: random.random() - 0.4 * (n == 0))
    numbers = order[:faulty]
    chosen = {number: random.choice(strategies) for number in sorted(numbers)}
    diverging = "divergence" in faults and random.random() < 0.2
    if diverging:
        # A replica whose state is wrong is a faulty one until it is repaired.
        chosen = dict(list(chosen.items())[: limit - 1])
    clients = random.randint(1, 3)
    evil = random.choice((0, 0, 1)) if "clients" in faults else 0
    network = "network" in faults
    skewed = "skew" in faults
    crashing = "crashes" in faults
    config = replace(
        _draw_config(replicas, clients, evil, random), pace_seconds=pace, tentative=tentative
    )
    plan = Plan(
        seed=seed,
        replicas=replicas,
        clients=clients,
        evil_clients=evil,
        requests=random.randint(3, 6) * (3 if config.fast_reads else 1),
        storm=random.choice((2.0, 4.0, 6.0)),
        strategies=chosen if "byzantine" in faults else {},
        delay=random.choice((0.0005, 0.002, 0.02)),
        jitter=random.choice((0.0001, 0.002, 0.03)) if network else 0.0,
        loss=random.choice((0.0, 0.02, 0.1, 0.25)) if network else 0.0,
        duplicates=random.choice((0.0, 0.02, 0.1)) if network else 0.0,
        uneven=random.choice((1.0, 1.0, 5.0, 20.0)) if network else 1.0,
        flush=random.choice((0.0002, 0.002, 0.02)),
        drift=random.choice((0.0, 0.001, 0.05)) if skewed else 0.0,
        offset=random.choice((0.0, 0.05, 2.0)) if skewed else 0.0,
        crash_rate=random.choice((0.0, 0.1, 0.3)) if crashing else 0.0,
        all_crash=crashing and random.random() < 0.3,
        partition_rate=random.choice((0.0, 0.3, 0.6)) if "partitions" in faults else 0.0,
        diverging=diverging,
        coded=random.random() < 0.1,
        config=config,
    )
    return _with_epochs(plan, faults, strategies)


def draw_crash_plan(seed: int, random: Random, faults: frozenset[str], replicas: int) -> Plan:
    """Return the plan of a seed for a group in which replicas do no worse than to stop.

    Up to f of them stop for good, any number for a while.
    """
    drawn = 3 if random.random() < 0.7 else random.choice((4, 5, 5, 7))
    replicas = replicas or drawn
    plan = draw_plan(seed, random, faults & {*CRASH_FAULTS} - {"epochs"}, STRATEGIES, 4)
    stopping = random.randint(0, (replicas - 1) // 2) if "crashes" in faults else 0
    numbers = sorted(random.sample(range(replicas), stopping))
    plan = replace(
        plan,
        replicas=replicas,
        strategies=dict.fromkeys(numbers, STOPPING),
        config=replace(plan.config, replicas=replicas, crash_only=True),
    )
    return _with_epochs(plan, faults, (STOPPING,))


def draw_counted_plan(
    seed: int, random: Random, faults: frozenset[str], strategies: Sequence[str], replicas: int
) -> Plan:
    """Return the plan of a seed for a group in which every replica has a trusted counter."""
    drawn = 3 if random.random() < 0.7 else random.choice((4, 5, 5, 7))
    replicas = replicas or drawn
    strategies = [name for name in strategies if name in COUNTED_STRATEGIES]
    plan = draw_plan(seed, random, faults - {"epochs"}, strategies or STRATEGIES[:1], 4)
    limit = (replicas - 1) // 2
    faulty = random.randint(0, limit) if random.random() < 0.2 else limit
    faulty = min(faulty, limit - plan.diverging)
    order = sorted(range(replicas), key=lambda n: random.random() - 0.4 * (n == 0))
    chosen = {number: random.choice(strategies) for number in sorted(order[:faulty])}
    config = replace(
        plan.config,
        replicas=replicas,
        minbft=True,
        fast_reads=False,
        tentative=False,
    )
    byzantine = "byzantine" in faults and bool(strategies)
    plan = replace(plan, replicas=replicas, strategies=chosen if byzantine else {}, config=config)
    return _with_epochs(plan, faults, strategies or ("silent",))


def _with_epochs(plan: Plan, faults: frozenset[str], strategies: Sequence[str]) -> Plan:
    """Return the plan with reconfigurations, in a quarter of the seeds or where nothing else is.

    They have dice of their own, so that seeds without any are what they were.
    """
    random = Random(f"epochs {plan.seed}")
    wanted = random.random() < 0.25 or faults == {"epochs"}
    if "epochs" not in faults or not wanted:
        return plan
    spared = int(plan.diverging)
    crash_only = plan.config.crash_only
    half = crash_only or plan.config.minbft
    epochs = draw_epochs(random, plan.replicas, frozenset(plan.strategies), spared, half)
    chosen = dict(plan.strategies)
    if ("crashes" if crash_only else "byzantine") in faults:
        for number in sorted(epochs.faulty - set(chosen)):
            chosen[number] = random.choice(strategies)
    return replace(plan, strategies=chosen, epochs=epochs.members)


def _draw_config(replicas: int, clients: int, evil: int, random: Random) -> Config:
    names = [f"client{number}" for number in range(clients + 1)]
    names += [f"evil{number}" for number in range(evil)]
    period = random.choice((2, 3, 5))
    return Config(
        replicas=replicas,
        clients=frozenset(names),
        administrators=frozenset({ADMINISTRATOR}),
        fast_reads=random.random() < 0.3,
        checkpoint_batches=period,
        window_batches=period * random.choice((2, 3)),
        batch_requests_max=random.choice((1, 2, 10)),
        batches_under_way_max=random.choice((1, 2, 4)),
        batch_delay_seconds=random.choice((0.001, 0.02)),
        view_seconds=random.choice((0.5, 1.0)),
        view_seconds_max=8.0,
        view_turn_seconds=random.choice((600.0, 600.0, 3.0)),
        status_seconds=random.choice((0.15, 0.3)),
        idle_status_seconds=1.0,
        resend_batches_max=8,
        transfer_seconds=0.3,
        fetch_items_max=random.choice((2, 8, 64)),
        reply_digest_bytes=random.choice((1, 64)),
        retransmit_seconds=random.choice((0.3, 0.6)),
        retransmit_seconds_max=2.0,
    )
