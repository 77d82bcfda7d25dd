"""The simulated group keeps its promises in storms, for many seeds.

``--seeds`` and ``--seeds-from`` say which; ``python -m apps.solidstate.simulate`` runs more.
"""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from apps.solidstate import simulate
from apps.solidstate.simulator.plan import COUNTED_STRATEGIES, CRASH_FAULTS, FAULTS, STRATEGIES
from apps.solidstate.simulator.running import Outcome, run_seed, run_twice
from tests.hash_seeds import printed_under

CHUNKS = 20
"""Tests that the seeds are dealt to, so that they can run side by side."""


def assert_all_different(runs: Iterable[Outcome]) -> None:
    """Every run carried something out, and none is like another: the seed draws everything."""
    made = list(runs)
    assert all(run.executed for run in made)
    assert len({run.digest for run in made}) == len(made)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_everything_is_answered_once_and_in_one_order(chunk: int, seeds: range) -> None:
    # Eight times as many as the other simulations have: 1,600, and 400 crash-only ones below.
    many = range(seeds.start, seeds.start + 8 * len(seeds))[chunk::CHUNKS]
    assert_all_different(run_twice(seed) for seed in many)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("chunk", range(CHUNKS // 4))
def test_groups_whose_replicas_only_crash_keep_their_promises(chunk: int, seeds: range) -> None:
    many = range(seeds.start, seeds.start + 2 * len(seeds))[chunk :: CHUNKS // 4]
    assert_all_different(run_twice(seed, mode="crash") for seed in many)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("chunk", range(CHUNKS // 2))
def test_groups_with_trusted_counters_keep_their_promises(chunk: int, seeds: range) -> None:
    # 400, each once: that two runs are the same is seen with a few.
    many = range(seeds.start, seeds.start + 2 * len(seeds))[chunk :: CHUNKS // 2]
    assert_all_different(
        (run_twice if seed % 40 == 0 else run_seed)(seed, mode="minbft") for seed in many
    )


@pytest.mark.parametrize("strategy", COUNTED_STRATEGIES)
def test_each_kind_of_faulty_replica_with_a_trusted_counter_is_survived(
    strategy: str, seeds: range
) -> None:
    assert_all_different(
        run_seed(seed, strategies=[strategy], mode="minbft") for seed in seeds[::100]
    )


def test_with_trusted_counters_and_without_faults_no_primary_is_suspected(seeds: range) -> None:
    outcomes = [run_seed(seed, [], mode="minbft") for seed in seeds[::20]]
    assert [outcome.reports["suspect"] for outcome in outcomes] == [0] * len(outcomes)


def test_storms_over_trusted_counters_meet_what_they_are_meant_to_meet() -> None:
    outcomes = [run_seed(seed, mode="minbft") for seed in range(20)]
    met = {kind for outcome in outcomes for kind in outcome.reports}
    assert met >= {"suspect", "joined", "turn", "view", "faulty", "diverged", "transfer"}
    assert sum(outcome.views for outcome in outcomes) > len(outcomes) // 2


@pytest.mark.parametrize("fault", CRASH_FAULTS)
def test_each_kind_of_fault_alone_is_survived_where_replicas_only_crash(
    fault: str, seeds: range
) -> None:
    assert_all_different(run_seed(seed, [fault], mode="crash") for seed in seeds[::20])


def test_where_replicas_only_crash_and_none_does_no_primary_is_suspected(seeds: range) -> None:
    outcomes = [run_seed(seed, [], mode="crash") for seed in seeds[::10]]
    assert [outcome.reports["suspect"] for outcome in outcomes] == [0] * len(outcomes)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_each_kind_of_faulty_replica_is_survived(strategy: str, seeds: range) -> None:
    assert_all_different(run_seed(seed, strategies=[strategy]) for seed in seeds[::20])


@pytest.mark.parametrize("fault", FAULTS)
def test_each_kind_of_fault_alone_is_survived(fault: str, seeds: range) -> None:
    assert_all_different(run_seed(seed, [fault]) for seed in seeds[::20])


@pytest.mark.parametrize("replicas", [7, 10])
def test_larger_groups_keep_their_promises(replicas: int, seeds: range) -> None:
    assert_all_different(run_seed(seed, replicas=replicas) for seed in seeds[::40])


def test_without_faults_no_primary_is_suspected(seeds: range) -> None:
    outcomes = [run_seed(seed, []) for seed in seeds[::10]]
    assert [outcome.reports["suspect"] for outcome in outcomes] == [0] * len(outcomes)


def test_evil_clients_make_no_primary_suspected(seeds: range) -> None:
    outcomes = [run_seed(seed, ["clients"]) for seed in seeds[::10]]
    assert [outcome.reports["suspect"] for outcome in outcomes] == [0] * len(outcomes)


def test_one_replica_that_wants_other_views_gets_none(seeds: range) -> None:
    outcomes = [run_seed(seed, ["byzantine"], ["storming"]) for seed in seeds[::20]]
    assert [outcome.reports["suspect"] for outcome in outcomes] == [0] * len(outcomes)


def test_storms_meet_what_they_are_meant_to_meet() -> None:
    outcomes = [run_seed(seed) for seed in range(100)]
    met = {kind for outcome in outcomes for kind in outcome.reports}
    assert met >= {"suspect", "joined", "turn", "view", "faulty", "diverged", "transfer", "damaged"}
    assert met >= {"epoch", "retired"}
    assert sum(outcome.views for outcome in outcomes) > len(outcomes) // 2


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("--replicas 3", "a group of mode byzantine has 4 to 64, or 0"),
        ("--replicas 2 --mode minbft", "a group of mode minbft has 3 to 64, or 0"),
        ("--replicas 65 --mode crash", "a group of mode crash has 3 to 64, or 0"),
        ("--seeds 0", "--seeds and --processes are 1 or more"),
        ("--processes 0", "--seeds and --processes are 1 or more"),
    ],
)
def test_what_cannot_be_run_is_refused(
    options: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        simulate.main(options.split())
    assert words in capsys.readouterr().err


def test_a_seed_gives_the_same_run_under_any_hash_seed() -> None:
    assert _digests("1") == _digests("2")


def _digests(hash_seed: str) -> str:
    program = (
        "from apps.solidstate.simulator.running import run_seed\n"
        "for seed in range(10): print(run_seed(seed).digest)"
    )
    digests = printed_under(hash_seed, "-c", program)
    assert len(digests.splitlines()) == 10
    return digests
